//! `dfm weights pull hf:OWNER/NAME`.

use std::io::Write;

use dfm::weights::{
    FileCheck, FileHash, HubError, HubOptions, HubReference, WeightStore, WeightsStoreError, pull_hub,
};

use super::moving::moving;
use crate::hints::Hints;
use crate::messages::Messages;
use crate::{Outcome, output};

/// Fetches the weights of a repository, unless they are here.
pub(super) fn fetch(
    reference: &HubReference,
    endpoint: Option<&str>,
    sha256: Option<FileHash>,
    messages: &Messages,
) -> anyhow::Result<Outcome> {
    let mut options = HubOptions::of_user().map_err(dfm::Error::from).hints()?;
    if let Some(endpoint) = endpoint.filter(|endpoint| !endpoint.is_empty()) {
        endpoint.clone_into(&mut options.endpoint);
    }
    options.sha256 = sha256;
    let store = WeightStore::of_user();
    store.require_folder().map_err(dfm::Error::from).hints()?;
    let here = store.check_hub(reference, options.sha256.as_ref());
    match &here {
        // A commit never changes. A branch may have a newer one, which only the hub knows.
        Ok(check) if options.offline || reference.commit().is_some() => {
            return already(reference, &store, check);
        }
        Err(WeightsStoreError::NotPinned { path, .. } | WeightsStoreError::NotGiven { path, .. })
            if !options.offline =>
        {
            messages.say(format_args!("{}: another file, fetched anew", path.display()));
        }
        Err(WeightsStoreError::OtherDescription { path, .. } | WeightsStoreError::Config { path, .. })
            if !options.offline =>
        {
            messages.say(format_args!("{}: altered or damaged, fetched anew", path.display()));
        }
        Ok(_) | Err(WeightsStoreError::NotPulled { .. }) => {}
        Err(_) => {
            return Err(dfm::Error::from(here.expect_err("a check that failed"))).hints();
        }
    }
    let pulled = match pull_hub(reference, &options, &store, moving(messages)) {
        Err(error @ HubError::Unreachable { .. }) => {
            let Ok(check) = here else { return Err(dfm::Error::from(error)).hints() };
            messages.say(format_args!("{error}. So it is not known whether {reference} has a newer commit"));
            return already(reference, &store, &check);
        }
        pulled => pulled.map_err(dfm::Error::from).hints()?,
    };
    if !pulled.is_new {
        return already(&pulled.reference, &store, &pulled.check);
    }
    writeln!(output::stdout(), "{pulled}")?;
    if let Some(text) = pulled.resized_otherwise() {
        messages.say(text);
    }
    Ok(Outcome::Success)
}

/// Says that the weights are here.
fn already(reference: &HubReference, store: &WeightStore, check: &FileCheck) -> anyhow::Result<Outcome> {
    let at = store.find_hub(reference).unwrap_or_else(|| reference.clone());
    writeln!(output::stdout(), "{}: {at}, already here, {check}", store.hub_path(&at).display())?;
    Ok(Outcome::Success)
}
