//! `dfm init`: a file of flags to start from.

use std::io::Write;

use crate::flags::InitFlags;
use crate::{Outcome, atomic, config, output};

/// Runs the command. What is there already stays, unless told otherwise.
pub(crate) fn run(flags: &InitFlags) -> anyhow::Result<Outcome> {
    let text = config::template();
    let put = |writer: &mut dyn Write| Ok(writer.write_all(text.as_bytes())?);
    match flags.force {
        true => atomic::write(&flags.path, |writer| put(writer))?,
        false => atomic::create(&flags.path, |writer| put(writer))?,
    }
    writeln!(
        output::stdout(),
        "{}: every flag, documented; the defaults stand in comments",
        flags.path.display()
    )?;
    Ok(Outcome::Success)
}
