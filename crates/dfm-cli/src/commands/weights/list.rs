//! `dfm weights list`: what can be fetched, and what is here.

use dfm::weights::{CatalogueEntry, HubReference, Strength, WeightStore, catalogue, hub_catalogue};

use crate::report::table::{Align, Table};
use crate::{Outcome, output};

/// Runs the command.
pub(super) fn run() -> anyhow::Result<Outcome> {
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
    for entry in hub_catalogue() {
        let here = if store.find_hub(&entry.reference()).is_some() { "yes" } else { "no" };
        let row = [entry.name, here, &Strength::Hub.to_string(), entry.license, entry.repository];
        table.push(row.map(str::to_owned));
    }
    let is_named = |it: &HubReference| hub_catalogue().iter().any(|entry| entry.reference() == *it);
    for reference in store.hub_references().into_iter().filter(|reference| !is_named(reference)) {
        let at = store.find_hub(&reference).unwrap_or_else(|| reference.clone());
        let checked_by = match store.hub_pin(&at) {
            Ok(Some(pin)) => pin.strength().to_string(),
            Ok(None) => Strength::Unstated.to_string(),
            Err(error) => error.to_string(),
        };
        // Its licence is in its description, which a list does not read.
        table.push([reference.to_string(), "yes".to_owned(), checked_by, "-".to_owned(), at.to_string()]);
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
            Ok(None) if entry.checksum.digits().is_empty() => Strength::published(entry).to_string(),
            Ok(None) => format!("{}: {}", Strength::published(entry), entry.checksum.digits()),
            Err(error) => error.to_string(),
        },
        license: entry.license.to_owned(),
        pulled: store.find(entry).is_some(),
        url: entry.url(),
    }
}
