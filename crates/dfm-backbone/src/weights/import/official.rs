//! The official files of DINOv2 with registers, whose tensors differ from timm's: the registers have another
//! name, and the class token has a position of its own, which timm adds to the token once and for all.

use super::named::NamedTensors;
use crate::weights::error::WeightsError;

const REGISTERS: &str = "register_tokens";
const REGISTERS_OF_TIMM: &str = "reg_token";
const CLASS: &str = "cls_token";
const POSITIONS: &str = "pos_embed";

/// An official file under timm's names.
pub(super) struct WithRegisters<'a, F> {
    file: &'a F,
    /// What stands before each name, as in `backbone.cls_token`.
    prefix: String,
    /// The number of positions, that of the class token included, and their width.
    positions: [usize; 2],
}

impl<'a, F: NamedTensors> WithRegisters<'a, F> {
    /// The file under timm's names, if it is of this kind.
    pub(super) fn of(file: &'a F) -> Option<Self> {
        let names = file.names();
        let prefix = names.iter().find_map(|name| name.strip_suffix(REGISTERS))?;
        let shape = |name: &str| file.shape(&format!("{prefix}{name}"));
        let Some([1, count, width]) = shape(POSITIONS).as_deref().and_then(<[usize]>::first_chunk).copied()
        else {
            return None;
        };
        let is_whole = count > 1 && shape(CLASS)? == [1, 1, width] && shape(REGISTERS_OF_TIMM).is_none();
        is_whole.then(|| Self { file, prefix: prefix.to_owned(), positions: [count, width] })
    }

    /// A name without the prefix; `None` for a name that has another.
    fn split<'n>(&self, name: &'n str) -> Option<&'n str> {
        name.strip_prefix(self.prefix.as_str())
    }
}

impl<F: NamedTensors> NamedTensors for WithRegisters<'_, F> {
    fn names(&self) -> Vec<String> {
        let renamed = |name: String| match self.split(&name) {
            Some(REGISTERS) => format!("{}{REGISTERS_OF_TIMM}", self.prefix),
            _ => name,
        };
        self.file.names().into_iter().map(renamed).collect()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        let [count, width] = self.positions;
        match self.split(name) {
            Some(REGISTERS_OF_TIMM) => self.file.shape(&format!("{}{REGISTERS}", self.prefix)),
            Some(POSITIONS) => Some(vec![1, count - 1, width]),
            Some(REGISTERS) => None,
            _ => self.file.shape(name),
        }
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        let width = self.positions[1];
        let positions = || self.file.read(&format!("{}{POSITIONS}", self.prefix));
        match self.split(name) {
            Some(REGISTERS_OF_TIMM) => self.file.read(&format!("{}{REGISTERS}", self.prefix)),
            Some(POSITIONS) => Ok(positions()?.split_off(width)),
            Some(CLASS) => {
                let token = self.file.read(name)?;
                Ok(token.iter().zip(positions()?).map(|(token, position)| token + position).collect())
            }
            _ => self.file.read(name),
        }
    }
}
