//! Constants of an ONNX graph.

use std::rc::Rc;

use half::{bf16, f16};

use super::super::onnx_graph::TensorProto;

/// The most axes of a tensor.
pub(super) const MOST_AXES: usize = 8;
/// The most values of a tensor.
pub(super) const MOST_VALUES: usize = 1 << 29;

/// The most numbers that learnt positions, or a constant that is computed, may have.
pub(super) const MOST_MADE: usize = 1 << 25;

/// Why something was refused, as the end of a sentence that names it.
pub(super) type Reason = String;

/// A whole number, or a multiple of the number of pictures that run together, which is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Whole {
    pub(super) value: i64,
    /// Whether it is times the number of pictures.
    pub(super) pictures: bool,
}

impl From<i64> for Whole {
    fn from(value: i64) -> Self {
        Self { value, pictures: false }
    }
}

/// The numbers of a constant, row by row.
#[derive(Debug, Clone)]
pub(super) enum Numbers {
    Floats(Rc<Vec<f32>>),
    Wholes(Rc<Vec<Whole>>),
}

/// A constant with its shape.
#[derive(Debug, Clone)]
pub(super) struct Tensor {
    pub(super) dims: Vec<usize>,
    pub(super) numbers: Numbers,
}

impl Tensor {
    pub(super) fn floats(dims: Vec<usize>, values: Vec<f32>) -> Self {
        Self { dims, numbers: Numbers::Floats(Rc::new(values)) }
    }

    pub(super) fn wholes(dims: Vec<usize>, values: Vec<Whole>) -> Self {
        Self { dims, numbers: Numbers::Wholes(Rc::new(values)) }
    }

    /// A list of whole numbers.
    pub(super) fn list(values: impl IntoIterator<Item = Whole>) -> Self {
        let values: Vec<Whole> = values.into_iter().collect();
        Self::wholes(vec![values.len()], values)
    }

    /// The number of values.
    pub(super) fn len(&self) -> usize {
        match &self.numbers {
            Numbers::Floats(values) => values.len(),
            Numbers::Wholes(values) => values.len(),
        }
    }

    /// The values as floating-point numbers.
    pub(super) fn as_floats(&self) -> Result<Rc<Vec<f32>>, Reason> {
        match &self.numbers {
            Numbers::Floats(values) => Ok(values.clone()),
            Numbers::Wholes(values) => Ok(Rc::new(
                values
                    .iter()
                    .map(|value| known(value).map(|value| value as f32))
                    .collect::<Result<_, _>>()?,
            )),
        }
    }

    /// The values of a tensor that must have floating-point numbers, as weights have.
    pub(super) fn weights(&self) -> Result<Rc<Vec<f32>>, Reason> {
        match &self.numbers {
            Numbers::Floats(values) => Ok(values.clone()),
            Numbers::Wholes(_) => Err("expected floating-point numbers, found whole ones".to_owned()),
        }
    }

    /// The values as whole numbers.
    pub(super) fn as_wholes(&self) -> Result<&[Whole], Reason> {
        match &self.numbers {
            Numbers::Wholes(values) => Ok(values),
            Numbers::Floats(_) => Err("expected whole numbers, found floating-point ones".to_owned()),
        }
    }

    /// The values as whole numbers that do not depend on the number of pictures.
    pub(super) fn as_known(&self) -> Result<Vec<i64>, Reason> {
        self.as_wholes()?.iter().map(known).collect()
    }

    /// The only value.
    pub(super) fn only(&self) -> Option<f32> {
        (self.len() == 1).then(|| self.as_floats().ok().map(|values| values[0])).flatten()
    }

    /// The constant of a file.
    pub(super) fn read(tensor: &TensorProto) -> Result<Self, Reason> {
        if tensor.data_location != 0 {
            return Err("its numbers are in another file; put them inside".to_owned());
        }
        if tensor.dims.len() > MOST_AXES {
            return Err(format!("{} axes, the limit is {MOST_AXES}", tensor.dims.len()));
        }
        let side = |side: &i64| usize::try_from(*side).map_err(|_| format!("a side of {side}"));
        let dims = tensor.dims.iter().map(side).collect::<Result<Vec<_>, _>>()?;
        let count = count(&dims)?;
        let numbers = match tensor.data_type {
            1 if tensor.raw_data.is_empty() => Numbers::Floats(Rc::new(tensor.float_data.clone())),
            1 => floats(raw(tensor, count, f32::from_le_bytes)?),
            10 if tensor.raw_data.is_empty() => {
                let bits = tensor.int32_data.iter().map(|value| f16::from_bits(*value as u16).to_f32());
                floats(bits.collect())
            }
            10 => floats(raw(tensor, count, |bytes| f16::from_le_bytes(bytes).to_f32())?),
            16 => floats(raw(tensor, count, |bytes| bf16::from_le_bytes(bytes).to_f32())?),
            11 if tensor.raw_data.is_empty() => {
                floats(tensor.double_data.iter().map(|value| *value as f32).collect())
            }
            11 => floats(raw(tensor, count, |bytes| f64::from_le_bytes(bytes) as f32)?),
            2 | 3 | 6 | 9 if tensor.raw_data.is_empty() => {
                wholes(tensor.int32_data.iter().map(|value| i64::from(*value)).collect())
            }
            2 | 9 => wholes(raw(tensor, count, |[byte]: [u8; 1]| i64::from(byte))?),
            3 => wholes(raw(tensor, count, |bytes| i64::from(i8::from_le_bytes(bytes)))?),
            6 => wholes(raw(tensor, count, |bytes| i64::from(i32::from_le_bytes(bytes)))?),
            7 if tensor.raw_data.is_empty() => wholes(tensor.int64_data.clone()),
            7 => wholes(raw(tensor, count, i64::from_le_bytes)?),
            other => return Err(format!("numbers of the type {other}, which is neither float nor whole")),
        };
        let tensor = Self { dims, numbers };
        match tensor.len() == count {
            true => Ok(tensor),
            false => Err(format!("{} values for the shape {:?}", tensor.len(), tensor.dims)),
        }
    }
}

/// The number of values of a shape, within the limit.
pub(super) fn count(dims: &[usize]) -> Result<usize, Reason> {
    let count = dims.iter().try_fold(1_usize, |product, side| product.checked_mul(*side));
    count
        .filter(|count| *count <= MOST_VALUES)
        .ok_or_else(|| format!("the shape {dims:?} has more than {MOST_VALUES} values"))
}

/// The number of values of a shape that is made and not read, within its limit.
pub(super) fn made(dims: &[usize]) -> Result<usize, Reason> {
    let count = count(dims)?;
    match count <= MOST_MADE {
        true => Ok(count),
        false => Err(format!("{count} numbers of the shape {dims:?}, the limit is {MOST_MADE}")),
    }
}

/// The sides of a shape. What is repeated for each picture is kept once.
pub(super) fn sides(shape: &[Whole]) -> Result<Vec<usize>, Reason> {
    if shape.len() > MOST_AXES {
        return Err(format!("{} axes, the limit is {MOST_AXES}", shape.len()));
    }
    let side = |side: &Whole| usize::try_from(side.value).map_err(|_| format!("a side of {}", side.value));
    let sides = shape.iter().map(side).collect::<Result<Vec<_>, _>>()?;
    count(&sides)?;
    Ok(sides)
}

/// A number that does not depend on the number of pictures.
pub(super) fn known(number: &Whole) -> Result<i64, Reason> {
    match number.pictures {
        false => Ok(number.value),
        true => Err("it depends on the number of pictures".to_owned()),
    }
}

fn floats(values: Vec<f32>) -> Numbers {
    Numbers::Floats(Rc::new(values))
}

fn wholes(values: Vec<i64>) -> Numbers {
    Numbers::Wholes(Rc::new(values.into_iter().map(Whole::from).collect()))
}

/// The raw values of a tensor, whose number must be `count`.
fn raw<const BYTES: usize, T>(
    tensor: &TensorProto,
    count: usize,
    value: impl Fn([u8; BYTES]) -> T,
) -> Result<Vec<T>, Reason> {
    match tensor.raw_data.as_chunks::<BYTES>() {
        (values, []) if values.len() == count => Ok(values.iter().map(|bytes| value(*bytes)).collect()),
        _ => {
            let (got, expected) = (tensor.raw_data.len(), count.saturating_mul(BYTES));
            Err(format!("{got} bytes for the shape {:?}, expected {expected}", tensor.dims))
        }
    }
}
