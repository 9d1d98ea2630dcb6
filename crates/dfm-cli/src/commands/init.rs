//! `dfm init`: a file of flags to start from.

use std::io::Write;

use dfm::{FileKind, create_file, write_file};

use crate::flags::InitFlags;
use crate::hints::Hints;
use crate::{Outcome, config, output};

/// What replaces what is there: a file of flags alone, not any other text.
const FLAGS: FileKind = FileKind::new("a file of flags", config::is_file_of_flags);

/// Runs the command. What is there already stays, unless told otherwise.
pub(crate) fn run(flags: &InitFlags) -> anyhow::Result<Outcome> {
    let text = config::template();
    match flags.force {
        true => write_file(&flags.path, FLAGS, |writer| Ok(writer.write_all(text.as_bytes())?)),
        false => create_file(&flags.path, |writer| Ok(writer.write_all(text.as_bytes())?)),
    }
    .hints()?;
    writeln!(
        output::stdout(),
        "{}: every flag, documented; the defaults stand in comments",
        flags.path.display()
    )?;
    Ok(Outcome::Success)
}
