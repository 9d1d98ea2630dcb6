//! How hashes are written.

/// `bytes` in lower-case hexadecimal, two digits each.
///
/// ```
/// assert_eq!(dfm_image::hexadecimal(&[0, 171, 16]), "00ab10");
/// ```
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
