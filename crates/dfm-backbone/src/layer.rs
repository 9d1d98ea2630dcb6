//! Layers by name.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The name of a layer, whose output can be tapped: a path such as `layer3`, `blocks.5` or `stages.2`, as
/// timm names the modules of its models. Whether a network has such a layer is known once the network is.
///
/// A name has up to 63 bytes and is kept inline, so a layer is a plain value. Names are ordered by their
/// text, but numbers in them by their value, and a module comes behind its parts. So stages and blocks of
/// each known family are in the order of the network. An [average](Layer::averaged) of layers has a name of its
/// own, and lies behind the last of them.
///
/// ```
/// use dfm_backbone::Layer;
///
/// let layer: Layer = "layer3".parse()?;
/// assert_eq!(layer, Layer::named("layer3"));
/// assert!(layer < Layer::named("layer4"));
/// assert!(Layer::named("blocks.9") < Layer::named("blocks.10"));
/// assert!(Layer::named("layer3.5") < Layer::named("layer3"));
/// assert_eq!(layer.to_string(), "layer3");
/// # Ok::<(), dfm_backbone::BackboneError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Layer {
    bytes: [u8; Layer::LONGEST],
    length: u8,
}

impl Layer {
    /// The longest name, in bytes.
    pub const LONGEST: usize = 63;

    /// The stages of every ResNet, in order. Their maps have a quarter, an eighth, a sixteenth and a
    /// thirty-second of the picture's sides. The output of a stage is the ReLU behind its last residual
    /// addition.
    pub const RESNET: [Self; 4] =
        [Self::named("layer1"), Self::named("layer2"), Self::named("layer3"), Self::named("layer4")];

    /// The layer of this name, which must be a legal one. For names in the code; text from outside is
    /// parsed.
    ///
    /// # Panics
    ///
    /// If the name is empty, longer than [`LONGEST`](Self::LONGEST), does not begin with a letter, `_` or `/`,
    /// or has other characters than letters, digits, `_`, `-`, `.`, `:` and `/`.
    pub const fn named(name: &str) -> Self {
        match Self::checked(name) {
            Some(layer) => layer,
            None => panic!(
                "a layer's name is a letter, then letters, digits, '_', '-', '.', ':' or '/', 63 at most"
            ),
        }
    }

    /// The name.
    pub fn name(&self) -> &str {
        // Every byte was checked to be ASCII.
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }

    /// The layer of this name, if the name is legal.
    pub(crate) const fn checked(name: &str) -> Option<Self> {
        let text = name.as_bytes();
        if text.is_empty() || text.len() > Self::LONGEST {
            return None;
        }
        // A number alone is more often a slip than a layer.
        if !text[0].is_ascii_alphabetic() && !matches!(text[0], b'_' | b'/') {
            return None;
        }
        let is_average = matches!(text, [b'm', b'e', b'a', b'n', b':', ..]);
        let mut bytes = [0; Self::LONGEST];
        let mut index = 0;
        while index < text.len() {
            let byte = text[index];
            let is_legal = byte.is_ascii_alphanumeric()
                || matches!(byte, b'_' | b'-' | b'.' | b':' | b'/')
                || (is_average && byte == b'+');
            if !is_legal {
                return None;
            }
            bytes[index] = byte;
            index += 1;
        }
        Some(Self { bytes, length: text.len() as u8 })
    }

    /// The name in parts: text, and the numbers between, and the end. An average has the parts of its last
    /// layer.
    fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let mut rest = self.last_name();
        std::iter::from_fn(move || {
            let is_digit = rest.chars().next()?.is_ascii_digit();
            let end = rest.find(|c: char| c.is_ascii_digit() != is_digit).unwrap_or(rest.len());
            let (part, behind) = rest.split_at(end);
            rest = behind;
            Some(match part.parse().ok().filter(|_| is_digit) {
                Some(number) => Part::Number(number),
                None => Part::Text(part),
            })
        })
        .chain(std::iter::once(Part::End))
    }
}

/// A part of a name. Numbers come before text, and the end of a name behind everything.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    Number(u64),
    Text(&'a str),
    End,
}

impl PartialEq for Layer {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Layer {}

impl Hash for Layer {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl Ord for Layer {
    fn cmp(&self, other: &Self) -> Ordering {
        // `layer01` and `layer1` have the same parts and are different names, and an average comes behind its
        // last layer.
        let averages = || self.is_average().cmp(&other.is_average());
        self.parts().cmp(other.parts()).then_with(averages).then_with(|| self.name().cmp(other.name()))
    }
}

impl PartialOrd for Layer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Layer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Layer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let shown: String = name.chars().take(64).collect();
        let layer = Self::checked(&name).ok_or_else(|| {
            let expected = "a letter, then letters, digits, '_', '-', '.', ':' or '/', 63 at most";
            serde::de::Error::custom(format!("the layer '{shown}': expected {expected}"))
        })?;
        layer.averaged().map(|_| layer).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_are_ordered_by_their_value() {
        let mut names = ["stages.2", "layer4", "blocks.10", "layer1", "blocks.2.1", "blocks.2", "blocks.02"];
        names.sort_by_key(|name| Layer::named(name));
        let expected = ["blocks.2.1", "blocks.02", "blocks.2", "blocks.10", "layer1", "layer4", "stages.2"];
        assert_eq!(names, expected);
        // A number that fits no integer is text.
        assert!(Layer::named("a99999999999999999999999").name().len() > 20);
        assert_eq!(Layer::named("layer1").cmp(&Layer::named("layer1")), Ordering::Equal);
    }

    #[test]
    fn a_name_that_cannot_be_one_is_refused() {
        for name in ["", "7", "a b", "layer2,layer3", "layer2+layer3", "é", &"x".repeat(64)] {
            assert!(Layer::checked(name).is_none(), "{name}");
            let json = serde_json::to_string(name).unwrap();
            assert!(serde_json::from_str::<Layer>(&json).is_err(), "{name}");
        }
        assert_eq!(Layer::named(&"x".repeat(63)).name().len(), 63);
        assert_eq!(serde_json::to_string(&Layer::RESNET[2]).unwrap(), "\"layer3\"");
    }
}
