//! Times taps against transforms for 3×3 convolutions of many shapes, and writes the table of the
//! kernels from the times.

use std::fmt::Write;

use anyhow::{Context, ensure};
use clap::Args;
use dfm_backbone::CounterGenerator;
use dfm_kernels::{Convolution, InstructionSet, SIDES, Way, time_convolution};

use crate::workspace;

/// The file that `--write` writes.
const TABLE: &str = "crates/dfm-kernels/src/choice/table.rs";

/// Every instruction set, in the order of the table.
const SETS: [InstructionSet; 3] = [InstructionSet::Portable, InstructionSet::Avx2, InstructionSet::Avx512];

const CHANNELS: [usize; 6] = [16, 32, 64, 128, 256, 512];

/// Number of multiplications of the largest convolution that is measured. Larger convolutions go
/// the way of the next smaller one.
const LARGEST: usize = 700_000_000;

/// Flags of `cargo xtask bench ways`.
#[derive(Debug, Args)]
pub(crate) struct WaysFlags {
    /// Number of runs of each, of which the median counts
    #[arg(long, default_value_t = 15)]
    repeats: usize,
    /// Write the table into the kernels
    #[arg(long)]
    write: bool,
}

/// Measures every shape both ways on every instruction set and prints the table.
///
/// # Errors
///
/// If this processor lacks an instruction set, because the table would lack it too.
pub(crate) fn run(flags: &WaysFlags) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for set in SETS {
        ensure!(set.is_available(), "this processor has no {set}: measure where all of {SETS:?} are");
        let row = SIDES.map(|side| {
            let gains: Vec<(usize, f64)> = CHANNELS
                .into_iter()
                .filter(|channels| 9 * channels * channels * side * side <= LARGEST)
                .map(|channels| (channels, gain(channels, side, set, flags.repeats)))
                .collect();
            let shown: Vec<String> =
                gains.iter().map(|(channels, gain)| format!("{channels}: {gain:.2}")).collect();
            println!("{set:>8}, {side:>3} × {side:<3}  taps / transforms at channels {}", shown.join(", "));
            fewest(&gains)
        });
        rows.push(row);
    }
    let table = table(&rows);
    println!("\n{table}");
    if flags.write {
        let path = workspace::root().join(TABLE);
        std::fs::write(&path, table).with_context(|| path.display().to_string())?;
        println!("written: {TABLE}");
    }
    Ok(())
}

/// The ratio of the time of taps to that of transforms.
fn gain(channels: usize, side: usize, set: InstructionSet, repeats: usize) -> f64 {
    let noise = CounterGenerator::new(1);
    let convolution = Convolution {
        out_channels: channels,
        in_channels_per_group: channels,
        kernel: [3, 3],
        stride: 1,
        padding: 1,
        groups: 1,
        weight: (0..9 * (channels * channels) as u64).map(|index| noise.unit_f32(index)).collect(),
        bias: vec![0.0; channels],
    };
    let time = |way| time_convolution(&convolution, [side, side], set, way, repeats).unwrap_or(f64::NAN);
    time(Way::Direct) / time(Way::Winograd)
}

/// The number of channels from which on transforms were always faster.
fn fewest(gains: &[(usize, f64)]) -> Option<usize> {
    let gaining = gains.iter().rev().take_while(|(_, gain)| *gain > 1.0).count();
    gains.get(gains.len() - gaining).map(|(channels, _)| *channels)
}

fn table(rows: &[[Option<usize>; SIDES.len()]]) -> String {
    let mut text = format!(
        "//! Written by `cargo xtask bench ways --write`: do not change it by hand.\n\n\
         /// Sides of square feature maps.\n\
         pub const SIDES: [usize; {0}] = {SIDES:?};\n\n\
         /// By instruction set (portable, AVX2, AVX-512) and side: from how many channels on\n\
         /// transforms are faster than taps; `None` for never.\n\
         pub const FEWEST_CHANNELS: [[Option<usize>; {0}]; {1}] = [\n",
        SIDES.len(),
        rows.len()
    );
    for row in rows {
        let _ = writeln!(text, "    {row:?},");
    }
    text + "];\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transforms_are_taken_where_they_gained_from_there_on() {
        assert_eq!(fewest(&[(16, 0.9), (32, 1.1), (64, 1.3)]), Some(32));
        assert_eq!(fewest(&[(16, 1.2), (32, 0.9), (64, 1.3)]), Some(64));
        assert_eq!(fewest(&[(16, 1.2), (32, 0.9)]), None);
    }
}
