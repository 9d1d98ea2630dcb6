//! Base64: bytes as text (RFC 4648, section 4).

use std::io::{self, Write};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Writes `bytes` to `out`, four characters for every three bytes.
pub(crate) fn write(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    bytes.chunks(3).try_for_each(|chunk| {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let mut text = [18, 12, 6, 0].map(|shift| ALPHABET[(bits >> shift & 63) as usize]);
        text[chunk.len() + 1..].fill(b'=');
        out.write_all(&text)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_vectors_of_the_rfc_and_every_character() {
        let encode = |bytes: &[u8]| {
            let mut text = Vec::new();
            super::write(&mut text, bytes).unwrap();
            String::from_utf8(text).unwrap()
        };
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(bytes.as_bytes()), text);
        }
        // Groups of six bits that count from 0 to 63.
        let counting: Vec<u8> = (0..16_u32)
            .flat_map(|group| {
                let bits = (0..4).fold(0, |bits, place| bits << 6 | (4 * group + place));
                bits.to_be_bytes().into_iter().skip(1)
            })
            .collect();
        assert_eq!(encode(&counting).as_bytes(), super::ALPHABET);
    }
}
