//! Limits on what is decoded.

/// The most that a picture may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Bytes of the file.
    pub max_bytes: u64,
    /// Width times height.
    pub max_pixels: u64,
    /// Bytes of the decoded pixels in the file's own type, before they become RGB with
    /// eight bits a channel: up to eight bytes a pixel.
    pub max_decoded_bytes: u64,
}

impl Default for DecodeLimits {
    /// 512 MiB of file, 256 megapixels, 1 GiB of decoded pixels.
    fn default() -> Self {
        Self { max_bytes: 512 << 20, max_pixels: 256_000_000, max_decoded_bytes: 1 << 30 }
    }
}
