//! The largest value that the header of a PNM file states.

/// The value of white in a PNM file, by its header. `None` for other files, for bitmaps, and for headers that
/// are not understood.
pub(super) fn white(bytes: &[u8]) -> Option<u16> {
    let (magic, rest) = bytes.split_at_checked(2)?;
    let value = match magic {
        b"P2" | b"P3" | b"P5" | b"P6" => words(rest).nth(2)?,
        b"P7" => words(rest).skip_while(|word| *word != b"MAXVAL").nth(1)?,
        _ => return None,
    };
    std::str::from_utf8(value).ok()?.parse().ok().filter(|white| *white > 0)
}

/// The words of the header, without comments. What follows the header is not read further than asked for.
fn words(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_ascii_start();
            if !rest.starts_with(b"#") {
                break;
            }
            let end = rest.iter().position(|byte| *byte == b'\n')?;
            rest = &rest[end..];
        }
        let end = rest.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'#');
        let (word, behind) = rest.split_at(end.unwrap_or(rest.len()));
        rest = behind;
        (!word.is_empty()).then_some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_states_white() {
        for (header, expected) in [
            (&b"P5\n# made by a camera\n640 480 # size\n4095\n\xff\xff"[..], Some(4095)),
            (b"P6 2 1 65535 ", Some(65_535)),
            (b"P2\n2 1\n1023\n1 2", Some(1023)),
            (b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 1\nMAXVAL 16383\nTUPLTYPE GRAYSCALE\nENDHDR\n", Some(16_383)),
            (b"P4\n8 1\n\xff", None),
            (b"P5\n2 1\n", None),
            (b"P5\n2 1\n0\n", None),
            (b"P5 2 1 70000 ", None),
            (b"P5 # no end", None),
            (b"P", None),
            (b"\x89PNG", None),
        ] {
            assert_eq!(white(header), expected, "{}", String::from_utf8_lossy(header));
        }
    }
}
