//! `dfm weights`: what can be fetched, and fetching it.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
#[cfg(feature = "embedded-weights")]
use dfm::BackboneWeights;
use dfm::weights::{
    CatalogueEntry, DownloadError, PullOptions, Pulled, Strength, WeightStore, WeightsStoreError, catalogue,
    pull,
};
use dfm::{WeightsError, WeightsFile};

use crate::flags::{WeightsFlags, WeightsTask};
use crate::hints::Hints;
use crate::messages::Messages;
use crate::report::plain;
use crate::report::table::{Align, Table, bytes};
use crate::values::Size;
use crate::{Outcome, output};

/// Runs the command.
pub(crate) fn run(flags: &WeightsFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    match &flags.task {
        WeightsTask::List => list(),
        WeightsTask::Nodes { file, size } => nodes(file, *size),
        WeightsTask::Notices => notices(),
        WeightsTask::Pull { name, endpoint, sha256 } => {
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
        let names: Vec<&str> = catalogue().iter().map(|entry| entry.name).collect();
        format!("no weights are called '{name}': expected one of {}", names.join(", "))
    })?;
    let store = WeightStore::of_user();
    store.require_folder()?;
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
    let mut said = 0;
    let pulled = pull(entry, options, &store, |got, of| {
        // Every 32 MiB is often enough to see that it moves.
        if got >> 25 > said {
            said = got >> 25;
            messages.say(format_args!("{} of {}", bytes(got), of.map_or("?".to_owned(), bytes)));
        }
    });
    let Pulled { path, check, .. } = pulled.map_err(|error| with_help(name, error))?;
    writeln!(output::stdout(), "{}: {check}; {}", path.display(), entry.license)?;
    if !check.strength.is_whole() {
        messages.say(
            "So few digits tell a damaged file from a sound one. They do not stop an attacker. If you know all 64 \
             digits from somebody whom you trust, give them with --sha256",
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

/// What can be tapped of the network in a file.
fn nodes(file: &Path, size: Option<Size>) -> anyhow::Result<Outcome> {
    let path = || file.display().to_string();
    let size = size.map(|Size { height, width }| [height, width]);
    let found = WeightsFile::read(file).and_then(|weights| weights.nodes(size)).with_context(path)?;
    let mut table =
        Table::new(&[("layer", Align::Left), ("operation", Align::Left), ("features", Align::Right)]);
    for node in &found.nodes {
        let [height, width] = node.sides;
        let tokens = if node.are_tokens { " tokens" } else { "" };
        let features = format!("{}×{height}×{width}{tokens}", node.channels);
        table.push([node.name.clone(), node.operation.to_owned(), features]);
    }
    let mut out = output::stdout();
    let [height, width] = found.size;
    let alone = if found.fixed { " alone, the size that the file takes" } else { "" };
    writeln!(out, "for pictures of {height}×{width} pixels{alone}\n")?;
    table.write(&mut out)?;
    if !found.refused.is_empty() {
        writeln!(out, "\nnot understood, with what depends on it:")?;
        for line in &found.refused {
            writeln!(out, "{}", plain(line))?;
        }
    }
    Ok(Outcome::Success)
}

fn list() -> anyhow::Result<Outcome> {
    // Without a cache folder nothing was pulled; the list is of use all the same.
    let store = WeightStore::of_user();
    let mut table = Table::new(&[
        ("name", Align::Left),
        ("here", Align::Left),
        ("checked by", Align::Left),
        ("licence", Align::Left),
        ("from", Align::Left),
    ]);
    if cfg!(feature = "embedded-weights") {
        let row = ["resnet50_1by2", "inside", "this program", "BSD-2-Clause and MIT", "-"];
        table.push(row.map(str::to_owned));
    }
    for line in catalogue().iter().map(|entry| describe(entry, &store)) {
        let here = if line.pulled { "yes" } else { "no" };
        table.push([line.name, here.to_owned(), line.checked_by, line.license, line.url]);
    }
    table.write(&mut output::stdout())?;
    Ok(Outcome::Success)
}

/// One line of the list.
struct WeightsLine {
    name: String,
    checked_by: String,
    license: String,
    pulled: bool,
    url: String,
}

fn describe(entry: &CatalogueEntry, store: &WeightStore) -> WeightsLine {
    WeightsLine {
        name: entry.name.to_owned(),
        checked_by: match store.pin(entry) {
            Ok(Some(pin)) => pin.strength().to_string(),
            Ok(None) => format!("{}: {}", Strength::published(entry), entry.checksum.digits()),
            Err(error) => error.to_string(),
        },
        license: entry.license.to_owned(),
        pulled: store.find(entry).is_some(),
        url: entry.url(),
    }
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
