//! Regions of interest, as typed.

use std::path::Path;

use anyhow::{Context, bail};
use dfm_core::{PictureSize, Region};

use super::decode_file;

/// `X,Y,W,H` in pixels, or the path of a mask (grey above 127 is inside).
pub(crate) fn region(text: &str) -> anyhow::Result<Region> {
    let said = || format!("--roi {text}");
    if let Some([left, top, width, height]) = numbers(text) {
        return Region::rectangle(left, top, PictureSize { width, height }).with_context(said);
    }
    let path = Path::new(text);
    if !path.is_file() {
        bail!("{}: expected X,Y,W,H in whole pixels or a mask picture, found neither", said());
    }
    let mask = decode_file(path).with_context(said)?;
    let size = PictureSize { width: mask.width(), height: mask.height() };
    let inside: Vec<bool> = mask.pixels().map(|pixel| pixel.0[0] > 127).collect();
    Region::mask(size, &inside).with_context(said)
}

fn numbers(text: &str) -> Option<[u32; 4]> {
    let numbers: Vec<u32> = text.split(',').map(|part| part.trim().parse().ok()).collect::<Option<_>>()?;
    numbers.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_numbers_are_a_rectangle_and_all_else_a_file() {
        assert_eq!(region("1,2,30,40").unwrap().to_string(), "1,2,30,40");
        for text in ["", "1,2,3", "1,2,3,4,5", "-1,2,3,4", "1,2,0,4", "a,b,c,d", "no-such-mask.png"] {
            let error = region(text).unwrap_err().to_string();
            assert!(error.contains(&format!("--roi {text}")), "{error}");
        }
    }
}
