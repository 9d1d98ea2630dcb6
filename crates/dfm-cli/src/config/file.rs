//! A file of flags, read and checked.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::schema::{Key, Kind, Table};

/// A file with every flag of every command, documented, takes a fiftieth of it.
const MAX_BYTES: u64 = 1 << 20;
/// A value is no longer: neither are paths.
const MAX_TEXT: usize = 4096;
/// The most characters that are shown of a wrong value.
const SHOWN: usize = 60;

/// What a file says, by table.
#[derive(Debug)]
pub(super) struct Settings {
    /// Where it lies, as it was named.
    pub(super) path: PathBuf,
    tables: Vec<(String, Vec<Setting>)>,
}

/// What a file says of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    /// The key's name.
    pub(super) name: String,
    /// Its values, as they would be typed; one unless it may have several.
    pub(super) values: Vec<String>,
}

impl Settings {
    /// Reads the file at `path`, which may have `tables`.
    ///
    /// # Errors
    ///
    /// If it is too long, no TOML, or anything in it is not a flag with a value that it can
    /// have. The first such thing is named, with its line.
    pub(super) fn read(path: &Path, tables: &[Table]) -> anyhow::Result<Self> {
        let text = text(path).with_context(|| path.display().to_string())?;
        let at = |offset: usize| {
            let line =
                1 + text.as_bytes()[..offset.min(text.len())].iter().filter(|byte| **byte == b'\n').count();
            format!("{}, line {line}", path.display())
        };
        let parsed = DeTable::parse(&text).map_err(|error| {
            let place = at(error.span().map_or(0, |span| span.start));
            anyhow::anyhow!("{place}: not TOML: {}", error.message())
        })?;
        let mut found = Vec::new();
        for (name, value) in in_order(parsed.get_ref()) {
            let place = at(name.span().start);
            let name: &str = name.get_ref();
            let known = || {
                let names: Vec<String> = tables.iter().map(|table| format!("[{}]", table.name())).collect();
                names.join(", ")
            };
            let Some(table) = tables.iter().find(|table| table.name() == name) else {
                bail!("{place}: expected one of the tables {}, found '{}'", known(), shown(name));
            };
            let DeValue::Table(settings) = value.get_ref() else {
                bail!("{place}: expected [{name}] to be a table, found {}", describe(value.get_ref()));
            };
            found.push((name.to_owned(), table_settings(table, settings, &at)?));
        }
        Ok(Self { path: path.to_owned(), tables: found })
    }

    /// What it says for a command, if it has a table for it.
    pub(super) fn of(&self, command: &str) -> Option<&[Setting]> {
        self.tables.iter().find(|(name, _)| name == command).map(|(_, settings)| settings.as_slice())
    }
}

/// The text of a file, if it is not too long.
fn text(path: &Path) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        bail!("expected a file of flags of at most {MAX_BYTES} bytes, found more");
    }
    String::from_utf8(bytes).context("expected text in UTF-8")
}

type Entry<'t, 'i> = (&'t Spanned<std::borrow::Cow<'i, str>>, &'t Spanned<DeValue<'i>>);

/// The entries of a table in the order of the file, so that the first mistake is the first.
fn in_order<'t, 'i>(table: &'t DeTable<'i>) -> Vec<Entry<'t, 'i>> {
    let mut entries: Vec<Entry<'t, 'i>> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    entries
}

fn table_settings(
    table: &Table,
    found: &DeTable<'_>,
    at: &impl Fn(usize) -> String,
) -> anyhow::Result<Vec<Setting>> {
    let mut settings: Vec<(&Key, Setting)> = Vec::new();
    for (name, value) in in_order(found) {
        let place = format!("{}: [{}]", at(name.span().start), table.name());
        let name: &str = name.get_ref();
        let Some(key) = table.key(name) else {
            let known: Vec<&str> = table.keys.iter().map(Key::name).collect();
            bail!("{place}: expected one of the keys {}, found '{}'", known.join(", "), shown(name));
        };
        if let Some((other, _)) = settings.iter().find(|(other, _)| table.exclude(key, other)) {
            bail!("{place} {name}: expected either this or {}, found both", other.name());
        }
        let values = values(key, value.get_ref()).with_context(|| format!("{place} {name}"))?;
        settings.push((key, Setting { name: name.to_owned(), values }));
    }
    Ok(settings.into_iter().map(|(_, setting)| setting).collect())
}

/// A value, or those of a list, as they would be typed.
fn values(key: &Key, value: &DeValue<'_>) -> anyhow::Result<Vec<String>> {
    let list;
    let given: &[Spanned<DeValue<'_>>] = match value {
        DeValue::Array(values) if key.is_list() => values,
        one => {
            list = [Spanned::new(0..0, one.clone())];
            &list
        }
    };
    if given.is_empty() {
        bail!("expected at least one value, found an empty list");
    }
    given.iter().map(|value| typed(key, value.get_ref())).collect()
}

/// One value, as it would be typed.
fn typed(key: &Key, value: &DeValue<'_>) -> anyhow::Result<String> {
    let text = match (key.kind(), value) {
        (Kind::Switch, DeValue::Boolean(on)) => Some(on.to_string()),
        (Kind::Text | Kind::TextOrNumber, DeValue::String(text)) => Some(text.to_string()),
        (Kind::Whole | Kind::Number | Kind::TextOrNumber, DeValue::Integer(number)) => {
            i128::from_str_radix(number.as_str(), number.radix()).ok().map(|number| number.to_string())
        }
        // As it stands there: a share of 1.0 is not one component.
        (Kind::Number | Kind::TextOrNumber, DeValue::Float(number)) => Some(number.as_str().to_owned()),
        _ => None,
    };
    let Some(text) = text else { bail!("expected {}, found {}", key.expected(), describe(value)) };
    if text.len() > MAX_TEXT {
        bail!("expected at most {MAX_TEXT} bytes of text, found {}", text.len());
    }
    if text.contains('\0') {
        bail!("expected text without zero bytes, found {}", describe(value));
    }
    let text = match value {
        DeValue::String(_) => at_home(text)?,
        _ => text,
    };
    if key.kind() == Kind::Whole && text.starts_with('-') {
        bail!("expected a whole number from 0, found {text}");
    }
    let Err(reason) = key.check(&text) else { return Ok(text) };
    // Some parsers say themselves what they were given.
    match [format!("got {text}"), format!("'{text}'"), format!("{text} is")]
        .iter()
        .any(|said| reason.contains(said))
    {
        true => bail!("{reason}"),
        false => bail!("{reason}, found {}", describe(value)),
    }
}

/// A path below `~`, as a shell would hand it over: below the user's folder.
///
/// # Errors
///
/// If the folder is not known, or it is that of another user.
fn at_home(text: String) -> anyhow::Result<String> {
    let Some(rest) = text.strip_prefix('~') else { return Ok(text) };
    if !rest.is_empty() && !rest.starts_with(['/', std::path::MAIN_SEPARATOR]) {
        bail!(
            "expected a path that begins with ~/ or without ~, found \"{}\"; write it in full",
            shown(&text)
        );
    }
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    match home.as_deref().and_then(Path::to_str) {
        Some(home) => Ok(format!("{home}{rest}")),
        None => bail!("\"{}\": the user's folder is not known; write the path in full", shown(&text)),
    }
}

/// A value of a file, for people.
fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("\"{}\"", shown(text)),
        DeValue::Integer(number) => shown(&number.to_string()),
        DeValue::Float(number) => shown(&number.to_string()),
        DeValue::Boolean(on) => on.to_string(),
        DeValue::Datetime(time) => format!("the time {time}"),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// As much of a text as a message can hold.
fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::config::schema;
    use crate::flags::Flags;

    #[test]
    fn a_path_below_the_users_folder_is_written_in_full() {
        let home = std::env::home_dir().unwrap().to_str().unwrap().to_owned();
        assert_eq!(at_home("~/maps/x".into()).unwrap(), format!("{home}/maps/x"));
        assert_eq!(at_home("~".into()).unwrap(), home);
        for plain in ["maps", "./~", "a~b", ""] {
            assert_eq!(at_home(plain.into()).unwrap(), plain);
        }
        assert!(at_home("~other/maps".into()).unwrap_err().to_string().contains("in full"));
    }

    #[test]
    fn whatever_a_file_holds_it_is_settings_or_one_error() {
        let tables = schema::tables(&Flags::command());
        let file = tempfile::NamedTempFile::new().unwrap();
        let read = |bytes: &[u8]| {
            std::fs::write(file.path(), bytes).unwrap();
            Settings::read(file.path(), &tables).map_err(|error| format!("{error:#}"))
        };
        let whole = b"[fit]\nlayer = [\"layer2\", 'layer3']\npca = 9_7e-2\n[evaluate]\nbootstrap = 0x64\nroi = \"\\u00e9\"\n";
        let settings = read(whole).unwrap();
        let setting = |name: &str, values: &[&str]| Setting {
            name: name.to_owned(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        assert_eq!(settings.of("fit").unwrap()[0], setting("layer", &["layer2", "layer3"]));
        assert_eq!(settings.of("evaluate").unwrap()[0], setting("bootstrap", &["100"]));
        assert_eq!(settings.of("predict"), None);
        let mut refused = 0;
        for place in 0..whole.len() {
            for byte in [b'[', b'"', b'=', b'\n', b'.', b'{', 0, 0xff, whole[place] ^ 1] {
                let mut text = whole.to_vec();
                text[place] = byte;
                for text in [&text[..], &text[..=place]] {
                    if let Err(error) = read(text) {
                        refused += 1;
                        assert!(error.lines().count() == 1 && error.len() < 1000, "{error}");
                    }
                }
            }
        }
        assert!(refused > 1000, "{refused}");
    }
}
