//! Text from files, made safe for a terminal.

use std::borrow::Cow;

/// `text` with control characters, and those that turn the direction of writing,
/// written as escapes: a model file or a file name must not move the cursor, change
/// the title of the window, or make one line look like another.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match acts(character) {
            true => safe.extend(character.escape_unicode()),
            false => safe.push(character),
        }
    }
    Cow::Owned(safe)
}

/// Whether a terminal does something with `character` other than show it.
fn acts(character: char) -> bool {
    let turns =
        matches!(character, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    character.is_control() || turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_acts_is_escaped_and_other_text_is_left() {
        assert_eq!(plain("größe 漢字 ©"), "größe 漢字 ©");
        assert_eq!(plain("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\u{a}");
        assert_eq!(plain("\u{202e}gnp.a"), "\\u{202e}gnp.a");
    }
}
