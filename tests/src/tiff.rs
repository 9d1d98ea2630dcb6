//! TIFF files of several pages, put together by the standard.

use image::RgbImage;

/// One page: eight bits a channel, uncompressed.
pub struct Page {
    width: u32,
    height: u32,
    samples: Vec<u8>,
    kind: u32,
    alpha: Option<u16>,
    is_raw: bool,
}

impl Page {
    /// A whole picture.
    pub fn new(picture: &RgbImage) -> Self {
        let (width, height) = picture.dimensions();
        Self { width, height, samples: picture.as_raw().clone(), kind: 0, alpha: None, is_raw: false }
    }

    /// A picture with a fourth channel, and what `ExtraSamples` says of it: 0 nothing, 1 that colours
    /// are multiplied by it, 2 that they are not.
    pub fn with_alpha(picture: &image::RgbaImage, says: u16) -> Self {
        let (width, height) = picture.dimensions();
        Self { width, height, samples: picture.as_raw().clone(), kind: 0, alpha: Some(says), is_raw: false }
    }

    /// The same page with this `NewSubfileType`: 1 is a smaller copy, 4 a mask.
    #[must_use]
    pub fn of_kind(self, kind: u32) -> Self {
        Self { kind, ..self }
    }

    /// The same page with the mark of a camera raw file.
    #[must_use]
    pub fn raw(self) -> Self {
        Self { is_raw: true, ..self }
    }
}

/// A little-endian file with these pages.
pub fn tiff(pages: &[Page]) -> Vec<u8> {
    let mut file = b"II*\0\0\0\0\0".to_vec();
    let mut link = 4;
    for page in pages {
        let channels: u32 = if page.alpha.is_some() { 4 } else { 3 };
        let strip = file.len() as u32;
        file.extend(&page.samples);
        file.resize(file.len().next_multiple_of(2), 0);
        let bits = file.len() as u32;
        (0..channels).for_each(|_| file.extend(8_u16.to_le_bytes()));
        let at = file.len() as u32;
        file[link..link + 4].copy_from_slice(&at.to_le_bytes());
        let mut entries = vec![
            (254_u16, 4_u16, 1, page.kind),
            (256, 4, 1, page.width),
            (257, 4, 1, page.height),
            (258, 3, channels, bits),
            (259, 3, 1, 1),
            (262, 3, 1, 2),
            (273, 4, 1, strip),
            (277, 3, 1, channels),
            (278, 4, 1, page.height),
            (279, 4, 1, page.samples.len() as u32),
        ];
        entries.extend(page.alpha.map(|says| (338, 3, 1, u32::from(says))));
        entries.extend(page.is_raw.then_some((50706, 1, 4, 0x0000_0401)));
        file.extend((entries.len() as u16).to_le_bytes());
        for (tag, kind, count, value) in entries {
            file.extend(tag.to_le_bytes());
            file.extend(kind.to_le_bytes());
            file.extend(u32::to_le_bytes(count));
            file.extend(value.to_le_bytes());
        }
        link = file.len();
        file.extend([0; 4]);
    }
    file
}
