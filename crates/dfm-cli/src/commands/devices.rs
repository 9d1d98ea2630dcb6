//! `dfm devices`: where this program can compute.

use std::io::Write;

use dfm::device;

use crate::flags::{DevicesFlags, Format};
use crate::report::table::{Align, Table};
use crate::{Outcome, output};

/// Runs the command.
pub(crate) fn run(flags: &DevicesFlags) -> anyhow::Result<Outcome> {
    let devices = device::list();
    let mut out = output::stdout();
    match flags.format {
        Format::Json => {
            for device in &devices {
                writeln!(out, "{}", serde_json::to_string(device)?)?;
            }
        }
        Format::Csv => {
            let mut writer = csv::Writer::from_writer(out);
            for device in &devices {
                writer.serialize(device)?;
            }
            writer.flush()?;
        }
        Format::Table => {
            let mut table =
                Table::new(&[("device", Align::Left), ("usable", Align::Left), ("what it is", Align::Left)]);
            for device in devices {
                table.push([
                    device.name,
                    if device.available { "yes" } else { "no" }.to_owned(),
                    device.description,
                ]);
            }
            table.write(&mut out)?;
        }
    }
    Ok(Outcome::Success)
}
