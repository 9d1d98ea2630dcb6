//! `dfm weights nodes`: what can be tapped of the network in a file.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use dfm::WeightsFile;

use crate::report::plain;
use crate::report::table::{Align, Table};
use crate::values::Size;
use crate::{Outcome, output};

/// Lists the nodes, with the shapes of their features.
pub(super) fn run(file: &Path, size: Option<Size>) -> anyhow::Result<Outcome> {
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
    writeln!(out, "for pictures of {height}×{width} pixels{alone}")?;
    if !found.nodes.is_empty() {
        match &found.pixels {
            Ok(pixels) => writeln!(out, "pixels as {pixels}, assumed unless --normalise states it\n")?,
            Err(why) => writeln!(out, "pixels: {}\n", plain(why))?,
        }
        table.write(&mut out)?;
    }
    if !found.refused.is_empty() {
        writeln!(out, "\nnot understood, with what depends on it:")?;
        for line in &found.refused {
            writeln!(out, "{}", plain(line))?;
        }
    }
    if found.nodes.is_empty() {
        bail!(
            "{}: nothing in it was understood, so no layer can be tapped: export the network again without what is \
             named above, or take another file",
            path()
        );
    }
    Ok(Outcome::Success)
}
