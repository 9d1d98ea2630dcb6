//! Hand-written markup with names to be filled in.

use std::io::{self, Write};

/// Writes `template` to `out`. `value` writes the text for each `{{name}}`.
pub(crate) fn fill<W: Write>(
    out: &mut W,
    template: &str,
    mut value: impl FnMut(&mut W, &str) -> io::Result<()>,
) -> io::Result<()> {
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        out.write_all(before.as_bytes())?;
        value(out, name)?;
        rest = after;
    }
    out.write_all(rest.as_bytes())
}

/// The error for a name that nothing fills in. It is a mistake in a template, which every test of a
/// page shows.
pub(crate) fn unknown(name: &str) -> io::Result<()> {
    Err(io::Error::other(format!("nothing fills {{{{{name}}}}} in a template")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_in_is_not_read_again() {
        let mut out = Vec::new();
        let value = |out: &mut Vec<u8>, name: &str| match name {
            "a" => write!(out, "{{{{b}}}}"),
            other => unknown(other),
        };
        fill(&mut out, "1 {{a}} 2 {{a}}3", value).unwrap();
        assert_eq!(out, b"1 {{b}} 2 {{b}}3");
        assert!(fill(&mut out, "{{b}}", value).unwrap_err().to_string().contains("{{b}}"));
    }
}
