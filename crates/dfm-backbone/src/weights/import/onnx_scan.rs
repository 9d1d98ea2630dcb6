//! Checking the size of an ONNX file before it is parsed. Parsed messages are many times as large as
//! their encoding: an empty node takes two bytes in the file and more than a hundred in memory.
//! Everything except the weights must therefore be small, as it is in every network.

use crate::weights::error::WeightsError;

/// The most bytes of a file. The largest known network has half a gigabyte of weights.
const MAX_FILE_BYTES: u64 = 512 << 20;
/// The most bytes of names, nodes, attributes and shapes. A ResNet-152 has about 200 kB of them.
const MAX_GRAPH_BYTES: u64 = 4 << 20;

/// Fields of the messages in `onnx_graph`.
const MODEL_GRAPH: u64 = 7;
const GRAPH_NODE: u64 = 1;
const GRAPH_INITIALIZER: u64 = 5;
const GRAPH_INPUT: u64 = 11;
const GRAPH_OUTPUT: u64 = 12;
const NODE_DOC_STRING: u64 = 6;
const NODE_METADATA: u64 = 9;
const TENSOR_FLOAT_DATA: u64 = 4;
const TENSOR_RAW_DATA: u64 = 9;

/// Compares the file, and the part that describes its graph, with their limits.
pub(super) fn check(bytes: &[u8]) -> Result<(), WeightsError> {
    within("ONNX file", MAX_FILE_BYTES, bytes.len() as u64)?;
    let mut described = 0;
    // A field that is given twice is merged, so each occurrence is counted.
    for (_, graph) in Fields(bytes).filter(|(field, _)| *field == MODEL_GRAPH) {
        for (field, part) in Fields(graph) {
            // Each field has a key and a length.
            described += match field {
                GRAPH_INPUT | GRAPH_OUTPUT => 2 + part.len() as u64,
                GRAPH_NODE => 2 + part.len() as u64 - bytes_of(part, &[NODE_DOC_STRING, NODE_METADATA]),
                GRAPH_INITIALIZER => {
                    2 + part.len() as u64 - bytes_of(part, &[TENSOR_FLOAT_DATA, TENSOR_RAW_DATA])
                }
                _ => 0,
            };
        }
    }
    within("ONNX graph without its weights", MAX_GRAPH_BYTES, described)
}

/// The bytes of some fields of a message: the values of a tensor, or what is said of a node for people, which
/// is not read.
fn bytes_of(message: &[u8], fields: &[u64]) -> u64 {
    let of_fields = Fields(message).filter(|(field, _)| fields.contains(field));
    of_fields.map(|(_, part)| part.len() as u64).sum()
}

fn within(what: &'static str, limit: u64, got: u64) -> Result<(), WeightsError> {
    if got > limit { Err(WeightsError::TooLarge { what, limit, got }) } else { Ok(()) }
}

/// The fields of a message with their bytes; fields that are numbers have none. The iterator ends where
/// the message is damaged, and the parser then says why.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.number()?;
        let part = match key & 7 {
            0 => self.number().map(|_| &[][..])?,
            1 => self.take(8).map(|_| &[][..])?,
            2 => {
                let length = self.number()?;
                self.take(length)?
            }
            5 => self.take(4).map(|_| &[][..])?,
            _ => return None,
        };
        Some((key >> 3, part))
    }
}

impl<'a> Fields<'a> {
    /// Reads a number: seven bits in each byte, the lowest first, up to a byte whose high bit is clear.
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for place in 0..10 {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7F) << (7 * place);
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn take(&mut self, length: u64) -> Option<&'a [u8]> {
        let (part, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(part)
    }
}
