//! Files of flags as they are written: with every key, its help, and what it is.

use std::ffi::{OsStr, OsString};
use std::fmt::Write;

use clap::ArgMatches;
use clap::parser::ValueSource;
use toml::Value;

use super::schema::{Key, Kind, Table};

/// How the files begin that [`template`] and [`record`] make.
pub(super) const STARTS: [&str; 3] =
    ["# Flags of dfm", "# What this run was told", "# The settings of an evaluation by dfm"];

/// Comments end before this column.
const WIDTH: usize = 96;

/// Every table and key, the defaults in comments.
pub(super) fn template(tables: &[Table]) -> String {
    let mut text = comment(
        "Flags of dfm: what stands here need not be typed, and what is typed goes before what stands here. Take away \
         the # of a line to use it; what is there shows the default. Paths are those that would be typed: a relative \
         one is looked for where dfm runs, not where this file lies, and ~/ is the user's folder.",
    );
    for table in tables {
        text += &heading(table);
        for key in &table.keys {
            text += &documented(key);
            let _ = match setting(key, &key.defaults()) {
                Some(setting) => writeln!(text, "#{setting}"),
                None => writeln!(text, "{}", unset(key)),
            };
        }
    }
    text
}

/// One table with what `matches` say; what has no value stands in comments.
pub(super) fn record(table: &Table, matches: &ArgMatches) -> String {
    let mut text = comment(concat!(
        "What this run was told, every flag of it, by dfm ",
        env!("CARGO_PKG_VERSION"),
        ". Repeat it with --config and this file, where it ran: relative paths are those that were typed."
    ));
    text += &heading(table);
    let explicit = |key: &Key| matches!(matches.value_source(key.id()), Some(source) if source != ValueSource::DefaultValue);
    let given: Vec<&Key> = table.keys.iter().filter(|key| explicit(key)).collect();
    for key in &table.keys {
        text += &documented(key);
        let values: Vec<OsString> = match matches.get_raw(key.id()) {
            Some(values) => values.map(OsStr::to_owned).collect(),
            None => Vec::new(),
        };
        let values: Vec<&OsStr> = values.iter().map(OsString::as_os_str).collect();
        // A default need not be said, and cannot where it excludes what was.
        let excluded = !explicit(key) && given.iter().any(|other| table.exclude(key, other));
        let _ = match setting(key, &values) {
            Some(setting) if excluded => writeln!(text, "#{setting}"),
            Some(setting) => writeln!(text, "{setting}"),
            None if !values.is_empty() => writeln!(text, "# {} is not UTF-8: it must be typed", key.name()),
            None => writeln!(text, "{}", unset(key)),
        };
    }
    text
}

fn heading(table: &Table) -> String {
    format!("\n[{}]\n{}", table.name(), comment(&format!("{}.", table.about())))
}

/// The help of a key, in comments.
fn documented(key: &Key) -> String {
    let mut help = key.help();
    let values = key.possible_values();
    if !values.is_empty() {
        let _ = write!(help, ": {}", values.join(", "));
    }
    format!("\n{}", comment(&help))
}

/// What stands for a key without a value.
fn unset(key: &Key) -> String {
    let needed = if key.is_required() { "needed, here or typed" } else { "not set" };
    let example = match (key.kind(), key.is_list()) {
        (Kind::Text | Kind::TextOrNumber, true) => format!("[\"{}\", …]", key.placeholder()),
        (Kind::Text | Kind::TextOrNumber, false) => format!("\"{}\"", key.placeholder()),
        _ => key.placeholder(),
    };
    format!("# {} = {example} ({needed})", key.name())
}

/// `key = value` in TOML; nothing without a value, and of what TOML cannot hold.
fn setting(key: &Key, values: &[&OsStr]) -> Option<String> {
    let values: Vec<String> =
        values.iter().map(|value| Some(value_of(key, value.to_str()?))).collect::<Option<_>>()?;
    match values.as_slice() {
        [] => None,
        [one] if !key.is_list() => Some(format!("{} = {one}", key.name())),
        values => Some(format!("{} = [{}]", key.name(), values.join(", "))),
    }
}

/// A value as it is typed, in TOML.
fn value_of(key: &Key, typed: &str) -> String {
    let whole = || typed.parse::<u64>().ok().map(|number| number.to_string());
    // A share of 1.0 is not one component: TOML keeps the point.
    let number = || typed.parse().ok().map(|number| Value::Float(number).to_string());
    let value = match key.kind() {
        Kind::Switch => Some(typed.to_owned()),
        Kind::Whole => whole(),
        Kind::Number => number(),
        Kind::TextOrNumber => whole().or_else(number),
        Kind::Text => None,
    };
    value.unwrap_or_else(|| Value::String(typed.to_owned()).to_string())
}

/// `text` as comments of lines that are not too long.
fn comment(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().filter(|line| line.chars().count() + word.chars().count() < WIDTH);
        match line {
            Some(line) => *line = format!("{line} {word}"),
            None => lines.push(format!(" {word}")),
        }
    }
    lines.iter().filter(|line| !line.is_empty()).map(|line| format!("#{line}\n")).collect()
}
