//! Arrays as NumPy reads them.

/// The bytes of a `.npy` file, version 1.0, of little-endian `f32` in C order.
///
/// # Panics
///
/// If there are more values than places, or fewer.
pub(crate) fn npy(shape: &[usize], values: &[f32]) -> Vec<u8> {
    assert_eq!(shape.iter().product::<usize>(), values.len(), "a value for each place");
    let sides: Vec<String> = shape.iter().map(usize::to_string).collect();
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", sides.join(", "));
    // Magic, version and length take ten bytes; what follows begins at a multiple of 64.
    let length = (10 + header.len() + 1).next_multiple_of(64) - 10;
    header.extend(std::iter::repeat_n(' ', length - header.len() - 1));
    header.push('\n');
    let mut bytes = Vec::with_capacity(10 + length + 4 * values.len());
    bytes.extend(b"\x93NUMPY\x01\x00");
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `numpy.save` writes of `numpy.arange(6, dtype="<f4").reshape(2, 3) / 2`, NumPy 2.
    #[test]
    fn the_bytes_are_those_of_numpy() {
        let values: Vec<f32> = (0..6_u8).map(|value| f32::from(value) / 2.0).collect();
        let mut expected = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
        expected.extend(format!("{header:<117}\n").as_bytes());
        expected.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        assert_eq!(npy(&[2, 3], &values), expected);
        assert_eq!(expected.len(), 128 + 24);
    }
}
