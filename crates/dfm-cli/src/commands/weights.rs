//! `dfm weights`: what can be fetched, and fetching it.

use std::io::Write;

use anyhow::Context;
use dfm_backbone::{CatalogueEntry, Checksum, catalogue};

use crate::flags::{WeightsFlags, WeightsTask};
use crate::messages::Messages;
use crate::report::table::{Align, Table, bytes};
use crate::weights::{Cache, pull};
use crate::{Outcome, output};

/// Runs the command.
pub(crate) fn run(flags: &WeightsFlags, messages: &Messages) -> anyhow::Result<Outcome> {
    match &flags.task {
        WeightsTask::List => list(),
        WeightsTask::Pull { name, endpoint } => {
            let entry = catalogue().iter().find(|entry| entry.name == name).with_context(|| {
                let names: Vec<&str> = catalogue().iter().map(|entry| entry.name).collect();
                format!("no weights are called '{name}': expected one of {}", names.join(", "))
            })?;
            let endpoint = endpoint.clone().or_else(|| std::env::var("DFM_WEIGHTS_ENDPOINT").ok());
            let cache = Cache::open()?;
            if let Some(path) = cache.find(entry) {
                writeln!(output::stdout(), "{}: already here", path.display())?;
                return Ok(Outcome::Success);
            }
            let mut said = 0;
            let path = pull(entry, endpoint.as_deref(), &cache, |got, of| {
                // Every 32 MiB is often enough to see that it moves.
                if got >> 25 > said {
                    said = got >> 25;
                    messages.note(format_args!("{} of {}", bytes(got), of.map_or("?".to_owned(), bytes)));
                }
            })?;
            writeln!(output::stdout(), "{}: checked, {}", path.display(), entry.license)?;
            Ok(Outcome::Success)
        }
    }
}

fn list() -> anyhow::Result<Outcome> {
    let cache = Cache::open()?;
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
    for line in catalogue().iter().map(|entry| describe(entry, &cache)) {
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

fn describe(entry: &CatalogueEntry, cache: &Cache) -> WeightsLine {
    WeightsLine {
        name: entry.name.to_owned(),
        checked_by: match entry.checksum {
            Checksum::Sha256(_) => "SHA-256".to_owned(),
            Checksum::Prefix8(digits) => format!("SHA-256 begins {digits}"),
        },
        license: entry.license.to_owned(),
        pulled: cache.find(entry).is_some(),
        url: format!("{}{}", entry.endpoint, entry.file_name),
    }
}
