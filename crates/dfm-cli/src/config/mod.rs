//! Flags from a file: what is not on the command line can stand in `dfm.toml`.
//!
//! The file knows no flag by itself. Tables, keys, what they may be and what excludes what are
//! read off clap's own description of the command line (`schema`), and so is the text that
//! `dfm init` writes (`text`). What a file says (`file`) becomes arguments, and those are parsed
//! as if all had been typed.

mod file;
mod schema;
mod text;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Command, CommandFactory, FromArgMatches, value_parser};

use crate::flags::{CONFIG_NAME as NAME, Flags};
use file::{Setting, Settings};
use schema::{Key, Kind, Table};

/// The command line with what a file adds to it.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// The flags.
    pub(crate) flags: Flags,
    /// Which file had a say, and in what.
    pub(crate) note: Option<String>,
    /// Everything that decides what the command does.
    pub(crate) record: Record,
}

/// A command and its arguments, wherever they came from.
#[derive(Debug)]
pub(crate) struct Record {
    table: Option<Table>,
    matches: ArgMatches,
}

impl Record {
    /// The names of the flags that were given, on the command line or in a file.
    pub(crate) fn given(&self) -> Vec<String> {
        let keys = self.table.iter().flat_map(|table| &table.keys);
        keys.filter(|key| is_typed(&self.matches, key)).map(|key| key.name().to_owned()).collect()
    }

    /// A file of flags that says all of it.
    pub(crate) fn text(&self) -> String {
        match &self.table {
            Some(table) => text::record(table, &self.matches),
            None => String::new(),
        }
    }
}

/// A file of flags with every table that there can be, every key documented, and the
/// defaults in comments.
pub(crate) fn template() -> String {
    text::template(&schema::tables(&Flags::command()))
}

/// Whether a file that begins with `head` is one of flags, by its tables or by how `dfm init` and
/// evaluations begin theirs.
pub(crate) fn is_file_of_flags(head: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(head) else { return false };
    if text::STARTS.iter().any(|start| text.starts_with(start)) {
        return true;
    }
    let tables = schema::tables(&Flags::command());
    let known = |name: &str| tables.iter().any(|table| table.name() == name);
    toml::de::DeTable::parse(text).is_ok_and(|found| {
        !found.get_ref().is_empty() && found.get_ref().keys().all(|name| known(name.get_ref()))
    })
}

/// Resolves the command line `typed`, the program's name first. What clap has to say, help
/// or what is wrong, it says, and ends the program.
///
/// # Errors
///
/// If a file of flags cannot be read, or something in it cannot be.
pub(crate) fn resolve(typed: &[OsString]) -> anyhow::Result<Resolved> {
    check_home(typed)?;
    let program = Flags::command();
    let mut tables = schema::tables(&program);
    let given = parse_typed(&program, typed);
    let Some((name, own)) = given.subcommand() else { return finish(typed, None, None) };
    let Some(place) = tables.iter().position(|table| table.name() == name) else {
        return finish(typed, None, None);
    };
    let settings = match find(&given)? {
        Some(path) => Some(Settings::read(&path, &tables).map_err(|error| with_help(error, &given))?),
        None => None,
    };
    let table = tables.swap_remove(place);
    let added = match &settings {
        Some(settings) => added(&table, own, settings)?,
        None => Vec::new(),
    };
    let note = settings.as_ref().and_then(|settings| note(settings, &table, &added, &given));
    let line = line(typed.first(), &given, &table, own, &added);
    finish(&line, note, Some(table))
}

/// Refuses a `~` that no shell has replaced, as behind `=` or in quotes: a folder of that name would be
/// made.
fn check_home(typed: &[OsString]) -> anyhow::Result<()> {
    for argument in typed.iter().skip(1).filter_map(|argument| argument.to_str()) {
        let value = match argument.strip_prefix("--").and_then(|flag| flag.split_once('=')) {
            Some((_, value)) => value,
            None => argument,
        };
        if value == "~" || value.starts_with("~/") {
            anyhow::bail!(
                "{argument}: expected a path, found a ~ that the shell has not replaced; write the path in full, put \
                 a space in place of =, or begin with ./ if a folder is called ~"
            );
        }
    }
    Ok(())
}

/// Reads the file of flags at `path` for every command in turn.
///
/// # Errors
///
/// If it cannot be read, or a command would refuse what it says.
pub(crate) fn check(path: &Path) -> anyhow::Result<()> {
    let program = Flags::command();
    let tables = schema::tables(&program);
    let settings = Settings::read(path, &tables)?;
    for table in tables.iter().filter(|table| settings.of(table.name()).is_some()) {
        let typed = [OsString::from("dfm"), table.name().into()];
        let given = parse_typed(&program, &typed);
        let Some((_, own)) = given.subcommand() else { continue };
        let added = added(table, own, &settings)?;
        let line = line(typed.first(), &given, table, own, &added);
        match program.clone().try_get_matches_from(line) {
            Err(error) if error.kind() != ErrorKind::MissingRequiredArgument => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// `error`, and what to do about a file that nobody named.
fn with_help(error: anyhow::Error, given: &ArgMatches) -> anyhow::Error {
    match given.contains_id("config") {
        true => error,
        false => anyhow::anyhow!("{error:#}; --no-config runs without {NAME}"),
    }
}

/// Parses a command line that lacks nothing.
fn finish(line: &[OsString], note: Option<String>, table: Option<Table>) -> anyhow::Result<Resolved> {
    let matches = Flags::command().try_get_matches_from(line).unwrap_or_else(|error| error.exit());
    let flags = Flags::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let matches = matches.subcommand().map(|(_, own)| own.clone()).unwrap_or_default();
    Ok(Resolved { flags, note, record: Record { table, matches } })
}

/// What was typed, though something may be missing that a file has. Switches have values
/// here, so that `--slim=false` can override a file.
fn parse_typed(program: &Command, typed: &[OsString]) -> ArgMatches {
    let open = program.clone().mut_subcommands(|command| {
        command.mut_args(|arg| match arg.get_action() {
            ArgAction::SetTrue => arg
                .action(ArgAction::Set)
                .value_parser(value_parser!(bool))
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true"),
            _ => arg,
        })
    });
    match open.clone().try_get_matches_from(typed) {
        Ok(matches) => matches,
        // Clap misses nothing before it has understood everything that is there.
        Err(error) if error.kind() == ErrorKind::MissingRequiredArgument => {
            open.ignore_errors(true).try_get_matches_from(typed).unwrap_or_else(|error| error.exit())
        }
        // In the words of the program's help, where switches have no values.
        Err(error) => program.clone().try_get_matches_from(typed).err().unwrap_or(error).exit(),
    }
}

/// The file of flags: the one that was named, or that in the current folder.
fn find(given: &ArgMatches) -> anyhow::Result<Option<PathBuf>> {
    if given.get_flag("no_config") {
        return Ok(None);
    }
    if let Some(named) = given.get_one::<PathBuf>("config") {
        return Ok(Some(named.clone()));
    }
    let found = Path::new(NAME);
    match found.metadata() {
        Ok(metadata) => Ok(metadata.is_file().then(|| found.to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(with_help(anyhow::Error::new(error).context(NAME), given)),
    }
}

/// What the file adds: whatever was not typed and does not exclude something that was.
fn added<'s>(table: &Table, own: &ArgMatches, settings: &'s Settings) -> anyhow::Result<Vec<&'s Setting>> {
    let typed: Vec<&Key> = table.keys.iter().filter(|key| is_typed(own, key)).collect();
    let free = |setting: &&Setting| {
        let key = table.key(&setting.name);
        key.is_some_and(|key| !typed.iter().any(|typed| typed.id() == key.id() || table.exclude(key, typed)))
    };
    let added: Vec<&Setting> = settings.of(table.name()).unwrap_or_default().iter().filter(free).collect();
    // One without a flag would be taken for another, should that be missing.
    let mut missing = None;
    for key in table.keys.iter().filter(|key| key.is_positional()) {
        let is_added = added.iter().any(|setting| setting.name == key.name());
        match missing {
            Some(missing) if is_added => bail!(
                "{}: [{}] {}: expected {missing} beside it, there or on the command line, found none",
                settings.path.display(),
                table.name(),
                key.name()
            ),
            None if !is_added && !is_typed(own, key) => missing = Some(key.name()),
            _ => {}
        }
    }
    Ok(added)
}

fn is_typed(own: &ArgMatches, key: &Key) -> bool {
    own.value_source(key.id()) == Some(ValueSource::CommandLine)
}

/// Which file has a say in this run; nothing of one that happens to lie there and has nothing for
/// the command.
fn note(settings: &Settings, table: &Table, added: &[&Setting], given: &ArgMatches) -> Option<String> {
    let (path, name) = (settings.path.display(), table.name());
    let names: Vec<&str> = added.iter().map(|setting| setting.name.as_str()).collect();
    let named = given.contains_id("config");
    match settings.of(name) {
        Some([]) if !named => None,
        Some(_) if !names.is_empty() => Some(format!("flags from {path} [{name}]: {}", names.join(", "))),
        Some(_) => Some(format!("flags from {path} [{name}]: none")),
        None if named => Some(format!("flags from {path}: none, it has no [{name}]")),
        None => None,
    }
}

/// The command line that says all of it: what was typed, and what was added.
fn line(
    program: Option<&OsString>,
    given: &ArgMatches,
    table: &Table,
    own: &ArgMatches,
    added: &[&Setting],
) -> Vec<OsString> {
    let mut line: Vec<OsString> = program.into_iter().cloned().collect();
    line.extend((0..given.get_count("verbose")).map(|_| "--verbose".into()));
    line.extend(given.get_flag("quiet").then(|| "--quiet".into()));
    line.push(table.name().into());
    let mut positional = vec![OsString::from("--")];
    for key in &table.keys {
        let values: Vec<&OsStr> = match added.iter().find(|setting| setting.name == key.name()) {
            Some(setting) => setting.values.iter().map(OsStr::new).collect(),
            None if is_typed(own, key) => own.get_raw(key.id()).into_iter().flatten().collect(),
            None => Vec::new(),
        };
        for value in values {
            match key.kind() {
                _ if key.is_positional() => positional.push(value.to_owned()),
                Kind::Switch => line.extend((value == "true").then(|| flag(key, None))),
                _ => line.push(flag(key, Some(value))),
            }
        }
    }
    line.extend(positional);
    line
}

/// `--name` or `--name=value`.
fn flag(key: &Key, value: Option<&OsStr>) -> OsString {
    let mut flag = OsString::from(format!("--{}", key.name()));
    if let Some(value) = value {
        flag.push("=");
        flag.push(value);
    }
    flag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilde_that_no_shell_has_replaced_is_refused() {
        let check = |argument: &str| check_home(&["dfm", "predict", argument].map(OsString::from));
        for wrong in ["~/maps", "~", "--maps=~/maps", "--maps=~"] {
            assert!(check(wrong).unwrap_err().to_string().contains(wrong), "{wrong}");
        }
        for right in ["./~/maps", "--maps=maps~", "a~/b", "--", "~backup", "--maps"] {
            assert!(check(right).is_ok(), "{right}");
        }
    }

    #[test]
    fn a_file_of_flags_is_known_by_its_tables_or_by_how_it_begins() {
        for ours in [&template()[..], "# Flags of dfm: cut off [", "[fit]\npca = 0.9\n[predict]\n"] {
            assert!(is_file_of_flags(ours.as_bytes()), "{ours}");
        }
        for other in ["[package]\nname = \"x\"\n", "[fit]\n[package]\n", "notes", "\u{0}", ""] {
            assert!(!is_file_of_flags(other.as_bytes()), "{other}");
        }
        assert!(!is_file_of_flags(b"\xff\xd8\xff"));
    }

    /// A command line with every argument of `table` that it does not run without. An argument by its
    /// place may be optional beside a flag that is not given.
    fn needed(table: &Table) -> Vec<OsString> {
        let mut line: Vec<OsString> = vec!["dfm".into(), table.name().into()];
        for key in table.keys.iter().filter(|key| key.is_required() || key.is_positional()) {
            match (key.is_positional(), key.is_list()) {
                (true, false) => line.push("x".into()),
                (true, true) => line.extend(["x".into(), "y".into()]),
                (false, _) => line.push(flag(key, Some(OsStr::new("x")))),
            }
        }
        line
    }

    fn written(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn with(line: &[OsString], more: &[&OsStr]) -> Resolved {
        let line: Vec<OsString> = line.iter().cloned().chain(more.iter().map(|word| word.into())).collect();
        resolve(&line).unwrap()
    }

    #[test]
    fn what_init_writes_gives_the_defaults_once_every_line_is_uncommented() {
        let template = template();
        let is_setting = |line: &&str| line.starts_with('#') && !line.starts_with("# ");
        assert!(template.lines().filter(is_setting).count() > 40, "{template}");
        let is_table = |line: &&str| line.starts_with('[');
        let text: String = template
            .lines()
            .map(|line| line.strip_prefix('#').filter(|line| !line.starts_with(' ')).unwrap_or(line))
            .map(|line| format!("{line}\n"))
            .collect();
        let file = written(&text);
        let tables = schema::tables(&Flags::command());
        assert_eq!(tables.len(), template.lines().filter(is_table).count());
        for table in &tables {
            let alone = with(&needed(table), &["--no-config".as_ref()]);
            let filled = with(&needed(table), &["--config".as_ref(), file.path().as_ref()]);
            assert_eq!(format!("{:?}", filled.flags), format!("{:?}", alone.flags), "{}", table.name());
            assert_eq!(filled.record.text(), alone.record.text());
            // Every flag is named, with a default or without.
            let part =
                template.split(&format!("[{}]\n", table.name())).nth(1).unwrap().split("\n[").next().unwrap();
            for key in &table.keys {
                assert!(part.contains(&format!("{} = ", key.name())), "[{}] {}", table.name(), key.name());
            }
        }
    }

    #[test]
    fn a_record_repeats_the_run_whatever_was_typed() {
        for words in [
            "fit x -o m --pca 1.0 --layer layer2 --pool 2 --size 48x64 --seed 18446744073709551615 --slim",
            "fit x -o m --pca 3 --threshold=-1e-7 --max-memory 4GiB --aggregate top:1% --roi 1,2,3,4",
            "fit -o m -- -x",
            "predict m a \"b\\c d\" --false-alarm 0.01 --format json",
            "evaluate m d --bootstrap 0 -o out --layout mvtec",
            "features a b -o rows --model m",
            "features a -o rows --layer layer1,layer2 --pool 1,2",
            "merge a b -o c",
        ] {
            let line: Vec<OsString> =
                std::iter::once("dfm").chain(words.split(' ')).map(Into::into).collect();
            let first = with(&line[..2], &line[2..].iter().map(OsString::as_os_str).collect::<Vec<_>>());
            let file = written(&first.record.text());
            let again = with(&["dfm".into(), line[1].clone()], &["--config".as_ref(), file.path().as_ref()]);
            assert_eq!(format!("{:?}", again.flags), format!("{:?}", first.flags), "{}", first.record.text());
            assert_eq!(again.record.text(), first.record.text());
        }
    }

    #[test]
    fn what_was_typed_goes_before_the_file_and_takes_what_it_excludes_along() {
        let file = written(
            "[fit]\nthreshold = 3\npool = [2]\nslim = true\ntile = 64\nfolder = \"f\"\noutput = \"o\"\n",
        );
        let resolved = |words: &str| {
            let line: Vec<OsString> =
                ["dfm", "fit"].into_iter().chain(words.split(' ')).map(Into::into).collect();
            with(&line, &["--config".as_ref(), file.path().as_ref()])
        };
        let text = |words: &str| format!("{:?}", resolved(words).flags);
        for (words, there, gone) in [
            ("--jobs=1", "threshold: Some(3.0)", "slim: false"),
            ("--calibrate=split", "calibrate: Some(Split)", "threshold: Some"),
            ("--pool=4", "pool: [4]", "pool: [2"),
            ("--stride=48", "stride: Some(48)", "tile: None"),
            ("--slim=false", "slim: false", "slim: true"),
            ("g", "folder: Some(\"g\")", "folder: Some(\"f\")"),
            ("-vv", "verbose: 2", "quiet: true"),
        ] {
            let text = text(words);
            assert!(text.contains(there) && !text.contains(gone), "{words}: {text}");
        }
        let note = resolved("--calibrate=split").note.unwrap();
        assert!(note.ends_with("[fit]: pool, slim, tile, folder, output"), "{note}");
    }

    #[cfg(unix)]
    #[test]
    fn what_toml_cannot_hold_is_said_in_the_record() {
        use std::os::unix::ffi::OsStrExt;
        let line: Vec<OsString> =
            ["dfm", "evaluate", "--no-config", "m"].into_iter().map(Into::into).collect();
        let text = with(&line, &[OsStr::from_bytes(b"d\xff")]).record.text();
        assert!(text.contains("\n# dataset is not UTF-8: it must be typed\n"), "{text}");
        assert!(text.contains("\nmodel = \"m\"\n"), "{text}");
    }
}
