//! Text from outside, as markup that shows it.

use std::fmt::{self, Display, Formatter, Write};

/// Text for an element or a quoted attribute, of HTML and of SVG alike.
///
/// Characters with a meaning in markup are written as references. Characters that are invisible, or
/// that change the direction of the text beside them, are shown by name: no file name may look like
/// another, and XML allows no control characters.
pub(crate) struct Text<'a>(pub(crate) &'a str);

impl Display for Text<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '&' => formatter.write_str("&amp;"),
            '<' => formatter.write_str("&lt;"),
            '>' => formatter.write_str("&gt;"),
            '"' => formatter.write_str("&quot;"),
            '\'' => formatter.write_str("&#39;"),
            unseen if is_unseen(unseen) => write!(formatter, "\\u{{{:x}}}", u32::from(unseen)),
            plain => formatter.write_char(plain),
        })
    }
}

/// Control characters, characters that set the direction of text, line separators, and
/// non-characters.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}' | '\u{feff}'
                | '\u{fffe}' | '\u{ffff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_shown_and_what_is_not_seen_is_named() {
        for (text, shown) in [
            ("größe 3/a b.png", "größe 3/a b.png"),
            ("</script><b a='x'>&amp;", "&lt;/script&gt;&lt;b a=&#39;x&#39;&gt;&amp;amp;"),
            ("\" onerror=\"x", "&quot; onerror=&quot;x"),
            ("a\n\u{0}\u{1b}", "a\\u{a}\\u{0}\\u{1b}"),
            ("gnp.\u{202e}exe", "gnp.\\u{202e}exe"),
        ] {
            assert_eq!(Text(text).to_string(), shown);
        }
    }
}
