//! What a contestant of `cargo xtask bench peers` says and is asked, line by line:
//! it tells that it is ready, and times as many forward passes as `run K` asks for,
//! until its standard input ends.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail, ensure};

/// The arguments of every contestant, in this order.
#[derive(Debug)]
pub struct Job {
    /// What describes the network: weights of our own format, or ONNX.
    pub network: PathBuf,
    /// Pictures `[N, 3, side, side]` as raw `f32`.
    pub input: Vec<f32>,
    /// How many of them.
    pub batch: usize,
    /// Their height and width.
    pub side: usize,
    /// Where the features go, as raw `f32`.
    pub output: PathBuf,
    /// Threads to compute with.
    pub threads: usize,
}

impl Job {
    /// `NETWORK INPUT OUTPUT BATCH SIDE THREADS`.
    ///
    /// # Errors
    ///
    /// If an argument is missing or wrong, or the input is too short.
    pub fn from_arguments() -> anyhow::Result<Self> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let [network, input, output, batch, side, threads] = arguments.as_slice() else {
            bail!("expected NETWORK INPUT OUTPUT BATCH SIDE THREADS, got {arguments:?}");
        };
        let number = |text: &str| text.parse::<usize>().with_context(|| text.to_owned());
        let (batch, side) = (number(batch)?, number(side)?);
        let mut input = floats(Path::new(input))?;
        ensure!(input.len() >= batch * 3 * side * side, "the input holds fewer than {batch} pictures");
        input.truncate(batch * 3 * side * side);
        let (network, output) = (network.into(), output.into());
        Ok(Self { network, input, batch, side, output, threads: number(threads)? })
    }

    /// Runs `forward` once for its result, says that all is ready, and then as
    /// often as asked.
    ///
    /// # Errors
    ///
    /// If `forward` fails, or standard input holds something else.
    pub fn serve(
        &self,
        version: &str,
        mut forward: impl FnMut() -> anyhow::Result<Vec<f32>>,
    ) -> anyhow::Result<()> {
        let bytes: Vec<u8> = forward()?.into_iter().flat_map(f32::to_le_bytes).collect();
        std::fs::write(&self.output, bytes).with_context(|| self.output.display().to_string())?;
        say(&serde_json::json!({"ready": true, "version": version}))?;
        for line in std::io::stdin().lock().lines() {
            let line = line?;
            let runs = line.strip_prefix("run ").and_then(|count| count.parse::<usize>().ok());
            let runs = runs.with_context(|| format!("expected 'run K', got '{line}'"))?;
            let mut times = Vec::with_capacity(runs);
            for _ in 0..runs {
                let start = Instant::now();
                std::hint::black_box(forward()?);
                times.push(start.elapsed().as_secs_f64() * 1e3);
            }
            say(&serde_json::json!(times))?;
        }
        Ok(())
    }
}

/// Reads raw little-endian numbers.
///
/// # Errors
///
/// If the file cannot be read.
pub fn floats(path: &Path) -> anyhow::Result<Vec<f32>> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    Ok(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

fn say(line: &serde_json::Value) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
