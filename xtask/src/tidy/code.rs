//! A rough reader of Rust source: it tells code from comments and literals.

/// Returns `source` with every comment, string and character literal blanked, line for line.
pub(crate) fn code_only(source: &str) -> String {
    let characters: Vec<char> = source.chars().collect();
    let mut code = String::with_capacity(source.len());
    let mut at = 0;
    while at < characters.len() {
        let end = literal_end(&characters, at).max(at);
        if end > at {
            code.extend(characters[at..end].iter().map(|&character| blank(character)));
            at = end;
        } else {
            code.push(characters[at]);
            at += 1;
        }
    }
    code
}

/// Whether `code` holds `pattern` as a whole word: no name or number continues it on either side.
pub(crate) fn has_token(code: &str, pattern: &str) -> bool {
    let of_a_name = |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || c == '_');
    code.match_indices(pattern).any(|(start, found)| {
        let before = code[..start].chars().next_back();
        let after = code[start + found.len()..].chars().next();
        let runs_in = of_a_name(pattern.chars().next()) && of_a_name(before);
        let runs_on = of_a_name(pattern.chars().next_back()) && of_a_name(after);
        !runs_in && !runs_on
    })
}

/// A line, numbered from 1, for each line of `text` that `wanted` picks.
pub(crate) fn lines_where(text: &str, wanted: impl Fn(&str) -> bool) -> Vec<(usize, &str)> {
    text.lines().enumerate().filter(|(_, line)| wanted(line)).map(|(index, line)| (index + 1, line)).collect()
}

fn blank(character: char) -> char {
    if character == '\n' { '\n' } else { ' ' }
}

/// The end of the comment or literal that starts at `at`; `at` if none starts there.
fn literal_end(characters: &[char], at: usize) -> usize {
    let next = |offset: usize| characters.get(at + offset).copied();
    let in_a_name = at > 0 && (characters[at - 1].is_alphanumeric() || characters[at - 1] == '_');
    match characters[at] {
        '/' if next(1) == Some('/') => position(characters, at, |rest| rest[0] == '\n'),
        '/' if next(1) == Some('*') => block_comment_end(characters, at),
        '"' => string_end(characters, at + 1),
        'r' if !in_a_name || (at > 0 && characters[at - 1] == 'b') => raw_string_end(characters, at),
        '\'' if next(1) == Some('\\') => position(characters, at + 3, |rest| rest[0] == '\'') + 1,
        '\'' if next(2) == Some('\'') => at + 3,
        _ => at,
    }
    .min(characters.len())
}

/// The first position from `from` on at which `found` holds for the rest, or the end.
fn position(characters: &[char], from: usize, found: impl Fn(&[char]) -> bool) -> usize {
    (from..characters.len()).find(|&place| found(&characters[place..])).unwrap_or(characters.len())
}

fn block_comment_end(characters: &[char], at: usize) -> usize {
    let (mut depth, mut place) = (0_usize, at);
    while place < characters.len() {
        match (characters[place], characters.get(place + 1)) {
            ('/', Some('*')) => (depth, place) = (depth + 1, place + 2),
            ('*', Some('/')) => (depth, place) = (depth - 1, place + 2),
            _ => place += 1,
        }
        if depth == 0 {
            break;
        }
    }
    place
}

fn string_end(characters: &[char], from: usize) -> usize {
    let mut place = from;
    while place < characters.len() && characters[place] != '"' {
        place += if characters[place] == '\\' { 2 } else { 1 };
    }
    place + 1
}

/// The end of `r"…"` or `r#"…"#`; `at` if none starts there.
fn raw_string_end(characters: &[char], at: usize) -> usize {
    let hashes = characters[at + 1..].iter().take_while(|&&character| character == '#').count();
    let start = at + 1 + hashes;
    if characters.get(start) != Some(&'"') {
        return at;
    }
    let closes = |rest: &[char]| {
        rest[0] == '"' && rest.len() > hashes && rest[1..=hashes].iter().all(|&character| character == '#')
    };
    position(characters, start + 1, closes) + 1 + hashes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_code_stays() {
        for (source, code) in [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            (r#"f("x \" y", 1)"#, "f(        , 1)"),
            ("g(r#\"x \" y\"#, b'z')", "g(          , b   )"),
            ("h('\\'', 'i', &'static str)", "h(    ,    , &'static str)"),
            ("for_(r, \"é\")", "for_(r,    )"),
            ("j(\"never closed", "j(             "),
        ] {
            assert_eq!(code_only(source), code, "{source}");
        }
    }

    #[test]
    fn tokens_are_whole_words() {
        assert!(has_token("x.print!(y)", "print!"));
        assert!(!has_token("eprint!(y)", "print!"));
        assert!(has_token("use faer::Mat;", "faer"));
        assert!(!has_token("use faer_like::Mat;", "faer"));
        assert!(has_token("std::fs::read", "std::fs"));
    }

    #[test]
    fn lines_are_numbered_from_one() {
        assert_eq!(lines_where("a\nb\na", |line| line == "a"), [(1, "a"), (3, "a")]);
    }
}
