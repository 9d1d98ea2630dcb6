//! `dfm init`: a file of flags to start from.

use std::io::Write;

use dfm::{FileKind, create_file, write_file};

use crate::flags::{CONFIG_NAME, InitFlags};
use crate::hints::Hints;
use crate::{Outcome, config, output};

/// What may be replaced: a file of flags, not any other text.
const FLAGS: FileKind = FileKind::new("a file of flags", config::is_file_of_flags);
/// What may be replaced under the name that is ours: any text, since it may be a file of flags that is
/// broken.
const TEXT: FileKind =
    FileKind::new("a text file", |head| std::str::from_utf8(head).is_ok() && !head.contains(&0));

/// Runs the command. What is there already stays, unless told otherwise.
pub(crate) fn run(flags: &InitFlags) -> anyhow::Result<Outcome> {
    let text = config::template();
    let is_ours = flags.path.file_name().is_some_and(|name| name == CONFIG_NAME);
    let kind = if is_ours { TEXT } else { FLAGS };
    match flags.force {
        true => write_file(&flags.path, kind, |writer| Ok(writer.write_all(text.as_bytes())?)),
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
