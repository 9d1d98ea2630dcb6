//! `dfm weights`: what can be fetched, and fetching it.

mod hub;
mod list;
mod moving;
mod nodes;

use std::io::Write;

use anyhow::{Context, bail};
#[cfg(feature = "embedded-weights")]
use dfm::BackboneWeights;
use dfm::WeightsError;
use dfm::weights::{
    DownloadError, HubReference, PullOptions, Pulled, WeightStore, WeightsStoreError, catalogue,
    hub_catalogue, pull,
};

use moving::moving;

use crate::flags::{WeightsFlags, WeightsTask};
use crate::hints::Hints;
use crate::messages::Messages;
use crate::{Outcome, output};

/// Runs the command.
pub(crate) fn run(flags: &WeightsFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    match &flags.task {
        WeightsTask::List => list::run(),
        WeightsTask::Nodes { file, size } => nodes::run(file, *size),
        WeightsTask::Notices => notices(),
        WeightsTask::Pull { name, endpoint, sha256 } => {
            let short = hub_catalogue().iter().find(|entry| entry.name == name);
            if HubReference::is_meant(name) || short.is_some() {
                let reference = short.map_or_else(|| name.parse(), |entry| Ok(entry.reference()))?;
                return hub::fetch(&reference, endpoint.as_deref(), sha256.clone(), messages);
            }
            let endpoint = mirror(endpoint.clone(), std::env::var("DFM_WEIGHTS_ENDPOINT").ok());
            let options = PullOptions {
                endpoint: endpoint.as_deref(),
                sha256: sha256.as_ref(),
                ..PullOptions::default()
            };
            fetch(name, options, messages)
        }
    }
}

fn fetch(name: &str, options: PullOptions<'_>, messages: &Messages) -> anyhow::Result<Outcome> {
    let entry = catalogue().iter().find(|entry| entry.name == name).with_context(|| {
        let official = catalogue().iter().map(|entry| entry.name);
        let names: Vec<&str> = official.chain(hub_catalogue().iter().map(|entry| entry.name)).collect();
        format!("no weights are called '{name}': expected hf:OWNER/NAME or one of {}", names.join(", "))
    })?;
    let store = WeightStore::of_user();
    store.require_folder().map_err(dfm::Error::from).hints()?;
    let path = store.path(entry);
    match store.check(entry, options.sha256) {
        Ok(check) => {
            writeln!(output::stdout(), "{}: already here, {check}", path.display())?;
            return Ok(Outcome::Success);
        }
        Err(WeightsStoreError::NotPulled { .. }) => {}
        Err(WeightsStoreError::File { cause: WeightsError::Checksum { .. }, .. }) => {
            let aside = store.aside(entry).with_context(|| path.display().to_string())?;
            let kept = aside.map_or_else(String::new, |aside| format!("; kept as {}", aside.display()));
            messages.say(format_args!("{}: altered or damaged, fetched anew{kept}", path.display()));
        }
        Err(WeightsStoreError::NotPinned { .. } | WeightsStoreError::NotGiven { .. }) => {
            messages.say(format_args!("{}: another file, fetched anew", path.display()));
        }
        Err(error) => return Err(dfm::Error::from(error)).hints(),
    }
    let pulled = pull(entry, options, &store, moving(messages));
    let Pulled { path, check, .. } = pulled.map_err(|error| with_help(name, error))?;
    writeln!(output::stdout(), "{}: {check}; {}", path.display(), entry.license)?;
    if !check.strength.is_whole() {
        messages.say(
            "A check of a few digits finds damage, but does not stop an attacker. Without any digit, nothing was checked. If \
             you know all 64 digits from a person whom you trust, give them with --sha256",
        );
    }
    Ok(Outcome::Success)
}

/// Adds how a mirror, another folder or another file is named.
fn with_help(name: &str, error: DownloadError) -> anyhow::Error {
    let help = match &error {
        DownloadError::Store { .. } | DownloadError::NoFolder => "DFM_CACHE_DIR names it".to_owned(),
        DownloadError::NotPinned { got, .. } => {
            format!("--endpoint names a mirror, `dfm weights pull {name} --sha256 {got}` takes the new file")
        }
        DownloadError::NotItsHash { .. } => "--sha256 gives it".to_owned(),
        DownloadError::Pin(_) => format!("`dfm weights pull {name} --sha256 HEX` replaces it"),
        _ => "--endpoint names it".to_owned(),
    };
    anyhow::anyhow!("{error}: {help}")
}

/// The mirror to ask: what was given, else what the environment names. A variable
/// that is set to nothing is as good as not set.
fn mirror(given: Option<String>, variable: Option<String>) -> Option<String> {
    given.or(variable).filter(|endpoint| !endpoint.is_empty())
}

/// The texts that must travel with the weights inside.
fn notices() -> anyhow::Result<Outcome> {
    #[cfg(feature = "embedded-weights")]
    let notices = BackboneWeights::embedded_notices();
    #[cfg(not(feature = "embedded-weights"))]
    let notices: [(&str, &str); 0] = [];
    if notices.is_empty() {
        bail!("this program was built without embedded weights: no notices travel with it");
    }
    let mut out = output::stdout();
    for (whose, text) in notices {
        writeln!(out, "{whose}\n\n{}\n", text.trim_end())?;
    }
    Ok(Outcome::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_names_no_mirror() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(mirror(None, some("")), None);
        assert_eq!(mirror(None, None), None);
        assert_eq!(mirror(None, some("http://b")), some("http://b"));
        assert_eq!(mirror(some("http://a"), some("http://b")), some("http://a"));
    }
}
