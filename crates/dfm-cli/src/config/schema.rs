//! What a file of flags may hold, as clap knows it: a table for each command, a key for each
//! of its arguments.

use std::any::TypeId;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command};

/// Commands that no file has flags for: the one that writes it, and the one that a shell runs.
const WITHOUT: [&str; 2] = ["init", "completions"];

/// A table: the flags of one command.
#[derive(Debug, Clone)]
pub(super) struct Table {
    command: Command,
    /// Its keys, in the order of the command's help.
    pub(super) keys: Vec<Key>,
}

/// An argument of a command, by the name that it has in a file: that of its flag, or what its
/// help calls it if it has none.
#[derive(Debug, Clone)]
pub(super) struct Key {
    arg: Arg,
    kind: Kind,
}

/// What a value is in TOML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `true` or `false`: a flag without a value.
    Switch,
    /// A whole number.
    Whole,
    /// Any number.
    Number,
    /// Text in quotes.
    Text,
    /// Text or a number, as `pca = 0.97` and `size = "48x64"`.
    TextOrNumber,
}

/// Every table that a file may have, in the order of the program's help.
pub(super) fn tables(program: &Command) -> Vec<Table> {
    let commands = program.get_subcommands();
    let own = commands.filter(|command| !command.has_subcommands() && !WITHOUT.contains(&command.get_name()));
    own.map(|command| Table {
        keys: command.get_arguments().map(Key::new).collect(),
        command: command.clone(),
    })
    .collect()
}

impl Table {
    /// The command's name.
    pub(super) fn name(&self) -> &str {
        self.command.get_name()
    }

    /// What the command does.
    pub(super) fn about(&self) -> String {
        self.command.get_about().map(StyledStr::to_string).unwrap_or_default()
    }

    /// The key of that name.
    pub(super) fn key(&self, name: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.name() == name)
    }

    /// Whether the two cannot be given together; clap knows it of one of them alone.
    pub(super) fn exclude(&self, one: &Key, other: &Key) -> bool {
        let names = |key: &Key, named: &Key| {
            self.command.get_arg_conflicts_with(&key.arg).iter().any(|arg| arg.get_id() == named.arg.get_id())
        };
        names(one, other) || names(other, one)
    }
}

impl Key {
    fn new(arg: &Arg) -> Self {
        let is = |types: &[TypeId]| types.iter().any(|known| arg.get_value_parser().type_id() == *known);
        let text = [TypeId::of::<String>(), TypeId::of::<PathBuf>(), TypeId::of::<OsString>()];
        let whole = [TypeId::of::<usize>(), TypeId::of::<u64>(), TypeId::of::<u32>()];
        let kind = match arg.get_action() {
            ArgAction::SetTrue => Kind::Switch,
            _ if is(&text) || !arg.get_possible_values().is_empty() => Kind::Text,
            _ if is(&whole) => Kind::Whole,
            _ if is(&[TypeId::of::<f64>()]) => Kind::Number,
            _ => Kind::TextOrNumber,
        };
        Self { arg: arg.clone(), kind }
    }

    /// As clap knows it.
    pub(super) fn id(&self) -> &str {
        self.arg.get_id().as_str()
    }

    /// As it is called in a file.
    pub(super) fn name(&self) -> &str {
        self.arg.get_long().unwrap_or(self.id())
    }

    /// What its values are.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether it stands without a flag.
    pub(super) fn is_positional(&self) -> bool {
        self.arg.is_positional()
    }

    /// Whether the command does not run without it.
    pub(super) fn is_required(&self) -> bool {
        self.arg.is_required_set()
    }

    /// Whether it may have several values.
    pub(super) fn is_list(&self) -> bool {
        matches!(self.arg.get_action(), ArgAction::Append)
    }

    /// What the command takes unless told otherwise.
    pub(super) fn defaults(&self) -> Vec<&OsStr> {
        match self.kind {
            Kind::Switch => vec![OsStr::new("false")],
            _ => self.arg.get_default_values().iter().map(|value| value.as_os_str()).collect(),
        }
    }

    /// What it is for.
    pub(super) fn help(&self) -> String {
        let help = self.arg.get_long_help().or_else(|| self.arg.get_help());
        help.map(StyledStr::to_string).unwrap_or_default()
    }

    /// The values that it may have, where those are few.
    pub(super) fn possible_values(&self) -> Vec<String> {
        match self.kind {
            Kind::Switch => Vec::new(),
            _ => self.arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect(),
        }
    }

    /// What its help calls a value.
    pub(super) fn placeholder(&self) -> String {
        let named = self.arg.get_value_names().and_then(|names| names.first());
        named.map_or_else(|| self.name().to_uppercase(), |name| name.to_string())
    }

    /// What a value must be, for people.
    pub(super) fn expected(&self) -> String {
        let one = match self.kind {
            Kind::Switch => "true or false",
            Kind::Whole => "a whole number",
            Kind::Number => "a number",
            Kind::Text if !self.possible_values().is_empty() => {
                return format!("one of {}", self.possible_values().join(", "));
            }
            Kind::Text => "text in quotes",
            Kind::TextOrNumber => "text in quotes or a number",
        };
        if self.is_list() { format!("{one}, or a list of such") } else { one.to_owned() }
    }

    /// Lets the command line's own parser look at a value.
    ///
    /// # Errors
    ///
    /// What it says.
    pub(super) fn check(&self, value: &str) -> Result<(), String> {
        if self.kind == Kind::Switch {
            return Ok(());
        }
        let mut one = Arg::new("value").long("value").allow_hyphen_values(true).action(ArgAction::Append);
        one = one.value_parser(self.arg.get_value_parser().clone());
        if let Some(delimiter) = self.arg.get_value_delimiter() {
            one = one.value_delimiter(delimiter);
        }
        let parser = Command::new("value").no_binary_name(true).disable_help_flag(true).arg(one);
        let Err(error) = parser.try_get_matches_from([format!("--value={value}")]) else { return Ok(()) };
        let refused = std::error::Error::source(&error).map(ToString::to_string);
        Err(match (refused, error.get(ContextKind::ValidValue)) {
            (Some(reason), _) => reason,
            (None, Some(ContextValue::Strings(known))) => format!("expected one of {}", known.join(", ")),
            (None, _) => format!("expected {}", self.expected()),
        })
    }
}
