//! What the fuzzer gives the parsers of `dfm-image`. Each function says whether the bytes were
//! accepted; it must neither panic nor take long, whatever they are.

use dfm_image::{
    DecodeLimits, InputContract, Levels, Picture, PictureSize, Preprocessor, Tiling, Transparency,
    decode_picture,
};

/// Decodes a picture with its metadata, and prepares it for a network in one piece and in tiles.
pub fn picture(bytes: &[u8]) -> bool {
    // Small, so that no input takes long.
    let limits = DecodeLimits { max_bytes: 1 << 20, max_pixels: 1 << 16, max_decoded_bytes: 1 << 20 };
    let Ok(picture) = decode_picture(bytes, &limits, Transparency::Background) else { return false };
    let PictureSize { width, height } = picture.size();
    assert!((1..=limits.max_pixels).contains(&(u64::from(width) * u64::from(height))), "{width}×{height}");
    let contract = InputContract::imagenet().with_size(32, 48);
    let levels = match &picture {
        Picture::Bytes(_) => Levels::Auto,
        _ => Levels::Range { low: -1.0, high: 1000.0 },
    };
    let whole = Preprocessor::new(contract).expect("a contract of ours").with_levels(levels);
    let tiles = whole.clone().with_tiling(Some(Tiling { side: 40, stride: 24 }));
    // A picture may be too thin to prepare, which is an error like any other.
    let mut prepared: Vec<_> = whole.prepare(&picture).into_iter().collect();
    if let Ok(tiles) = tiles.prepare_tiles(&picture) {
        prepared.extend(tiles.take(16).flatten());
    }
    for prepared in prepared {
        assert_eq!(prepared.pixels.len(), 3 * 32 * 48);
        assert!(prepared.pixels.iter().all(|value| value.is_finite()));
    }
    true
}
