//! Kinds of picture files: what each shows, and which are refused. docs/inputs.md says the same.

use std::io::Cursor;

use dfm_data::read_masks;
use dfm_image::{
    BACKGROUND, DecodeLimits, FileKind, PictureSize, PreprocessError, Transparency, decode, decode_with,
    file_kind, page, page_count,
};
use dfm_tests::pictures;
use dfm_tests::tiff::{Page, tiff};
use image::codecs::gif::GifEncoder;
use image::{DynamicImage, Frame, GrayImage, ImageBuffer, ImageFormat, LumaA, RgbImage, Rgba, RgbaImage};

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    picture.write_to(&mut Cursor::new(&mut bytes), format).expect("a file");
    bytes
}

fn shown(bytes: &[u8]) -> RgbImage {
    decode(bytes, &DecodeLimits::default()).expect("a picture")
}

fn refused(bytes: &[u8]) -> PreprocessError {
    decode(bytes, &DecodeLimits::default()).expect_err("no picture")
}

/// The part cut out of a picture, with `hidden` colours around it.
fn cut_out(hidden: [u8; 3]) -> RgbaImage {
    let part = pictures::good(3, 24, 20);
    RgbaImage::from_fn(24, 20, |x, y| {
        let [red, green, blue] = if x < 12 { part.get_pixel(x, y).0 } else { hidden };
        Rgba([red, green, blue, if x < 12 { 255 } else { 0 }])
    })
}

#[test]
fn colours_that_are_hidden_never_count() {
    let expected = RgbImage::from_fn(24, 20, |x, y| match x {
        0..12 => *pictures::good(3, 24, 20).get_pixel(x, y),
        _ => BACKGROUND.into(),
    });
    for hidden in [[0; 3], [255; 3], [9, 200, 77]] {
        let picture = cut_out(hidden);
        for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Tiff, ImageFormat::Qoi] {
            assert_eq!(shown(&encoded(&picture.clone().into(), format)), expected, "{format:?}");
        }
        let deep = DynamicImage::from(picture.clone()).into_rgba16();
        assert_eq!(shown(&encoded(&deep.into(), ImageFormat::Png)), expected);
        assert_eq!(shown(&tiff(&[Page::with_alpha(&picture, 2)])), expected);
        // As models that were fitted before see it.
        let bytes = encoded(&picture.into(), ImageFormat::Png);
        let ignored = decode_with(&bytes, &DecodeLimits::default(), Transparency::Ignored).unwrap();
        assert_eq!(ignored.get_pixel(20, 0).0, hidden);
    }
}

#[test]
fn half_of_a_transparent_pixel_is_seen_in_every_depth() {
    let one = |pixel: [u8; 4]| RgbaImage::from_pixel(3, 3, Rgba(pixel));
    let below = BACKGROUND.map(f64::from);
    let expect = |bytes: &[u8], own: [f64; 3], share: f64| {
        let got = shown(bytes).get_pixel(1, 1).0;
        for channel in 0..3 {
            let expected = own[channel] * share + below[channel] * (1.0 - share);
            assert!((f64::from(got[channel]) - expected).abs() <= 1.0, "{got:?} {own:?} {share}");
        }
    };
    let straight = encoded(&one([200, 100, 0, 64]).into(), ImageFormat::Png);
    expect(&straight, [200.0, 100.0, 0.0], 64.0 / 255.0);
    // The same pixel, multiplied by its alpha already.
    expect(&tiff(&[Page::with_alpha(&one([50, 25, 0, 64]), 1)]), [200.0, 100.0, 0.0], 64.0 / 255.0);
    let deep = ImageBuffer::<LumaA<u16>, _>::from_pixel(3, 3, LumaA([40_000, 30_000]));
    expect(&encoded(&deep.into(), ImageFormat::Png), [40_000.0 / 257.0; 3], 30_000.0 / 65_535.0);
    // A fourth channel that is not called alpha is no alpha.
    assert_eq!(
        shown(&tiff(&[Page::with_alpha(&one([200, 100, 0, 64]), 0)])).get_pixel(1, 1).0,
        [200, 100, 0]
    );
    // Nor is one that nothing is said of and that is zero everywhere.
    assert_eq!(
        shown(&encoded(&one([200, 100, 0, 0]).into(), ImageFormat::Tiff)).get_pixel(1, 1).0,
        [200, 100, 0]
    );
    // Opaque pictures are what they were.
    let opaque = DynamicImage::from(pictures::good(4, 30, 20));
    for bytes in [encoded(&opaque.to_rgba8().into(), ImageFormat::Png), encoded(&opaque, ImageFormat::Png)] {
        assert_eq!(shown(&bytes), opaque.to_rgb8());
    }
}

#[test]
fn transparent_colours_of_a_palette_are_transparent() {
    // Two pixels, of colours 0 and 1; colour 1 is transparent.
    let chunk = |kind: &[u8], data: &[u8]| {
        let body = [kind, data].concat();
        [&(data.len() as u32).to_be_bytes()[..], &body, &crc32(&body).to_be_bytes()].concat()
    };
    let row = [0, 0, 1];
    let check = row.iter().fold((1_u32, 0_u32), |(a, b), byte| (a + byte, a + byte + b));
    let stored = [
        &[0x78, 1, 1, 3, 0, 0xFC, 0xFF],
        &row.map(|byte| byte as u8)[..],
        &(check.1 << 16 | check.0).to_be_bytes(),
    ];
    let png = [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"IHDR", &[0, 0, 0, 2, 0, 0, 0, 1, 8, 3, 0, 0, 0]),
        chunk(b"PLTE", &[10, 20, 30, 200, 0, 0]),
        chunk(b"tRNS", &[255, 0]),
        chunk(b"IDAT", &stored.concat()),
        chunk(b"IEND", b""),
    ];
    let picture = shown(&png.concat());
    assert_eq!([picture.get_pixel(0, 0).0, picture.get_pixel(1, 0).0], [[10, 20, 30], BACKGROUND]);
}

/// The checksum of a PNG chunk (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

#[test]
fn a_picture_of_which_nothing_is_seen_is_refused_and_a_mask_of_that_kind_marks_nothing() {
    let nothing = RgbaImage::from_pixel(8, 6, Rgba([255, 255, 255, 0]));
    let bytes = encoded(&nothing.into(), ImageFormat::Png);
    let error = refused(&bytes);
    assert!(matches!(error, PreprocessError::Invisible { width: 8, height: 6 }), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let mask = folder.path().join("mask.png");
    std::fs::write(&mask, &bytes).unwrap();
    let marked = read_masks(&[mask], PictureSize { width: 8, height: 6 }).unwrap();
    assert!(marked.iter().all(|marked| !marked));
}

#[test]
fn every_page_of_a_tiff_is_a_picture_and_smaller_copies_and_masks_are_none() {
    let [first, second] = [1, 2].map(|seed| pictures::good(seed, 40, 30));
    let small = pictures::good(9, 10, 8);
    let file = tiff(&[
        Page::new(&small).of_kind(1),
        Page::new(&first),
        Page::new(&small).of_kind(4),
        Page::new(&second).of_kind(2),
    ]);
    assert_eq!(page_count(Cursor::new(&file)).unwrap(), 2);
    assert!(matches!(refused(&file), PreprocessError::SeveralPictures { format: "TIFF", count: 2 }));
    let shows = |number| shown(&page(file.clone(), number).unwrap());
    assert_eq!((shows(1), shows(2)), (first.clone(), second));
    for number in [0, 3] {
        let error = page(file.clone(), number).unwrap_err();
        assert!(matches!(error, PreprocessError::NoPage { got: 2, .. }), "{error}");
    }
    // The copy comes first, and is not what is judged.
    assert_eq!(shown(&tiff(&[Page::new(&small).of_kind(1), Page::new(&first)])), first);
    assert_eq!(shown(&tiff(&[Page::new(&small).of_kind(1)])), small);
    assert_eq!(
        page(encoded(&first.clone().into(), ImageFormat::Png), 1).map(|bytes| shown(&bytes)).unwrap(),
        first
    );
}

#[test]
fn camera_raw_and_damaged_pages_are_refused() {
    let picture = pictures::good(1, 20, 16);
    let raw = refused(&tiff(&[Page::new(&picture).raw()]));
    assert!(raw.to_string().contains("camera raw"), "{raw}");
    let copies = refused(&tiff(&[Page::new(&picture).of_kind(1), Page::new(&picture).of_kind(1)]));
    assert!(copies.to_string().contains("smaller copies"), "{copies}");
    let file = tiff(&[Page::new(&picture)]);
    let first = u32::from_le_bytes(file[4..8].try_into().unwrap());
    let link = file.len() - 4;
    for (to, said) in
        [(first, "circle"), (u32::MAX - 9, "beyond the end"), (file.len() as u32 - 1, "beyond the end")]
    {
        let mut bad = file.clone();
        bad[link..].copy_from_slice(&to.to_le_bytes());
        let error = refused(&bad);
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn animations_are_refused_with_the_number_of_their_pictures() {
    let frame = |seed| Frame::new(DynamicImage::from(pictures::good(seed, 30, 20)).into_rgba8());
    let mut gif = Vec::new();
    GifEncoder::new(&mut gif).encode_frames([frame(1), frame(2), frame(3)]).unwrap();
    let chunk = |name: &[u8], body: &[u8]| [name, &(body.len() as u32).to_le_bytes(), body].concat();
    let webp = [
        chunk(b"VP8X", &[2, 0, 0, 0, 29, 0, 0, 19, 0, 0]),
        chunk(b"ANMF", &[0; 16]),
        chunk(b"ANMF", &[0; 16]),
    ];
    let webp = [b"RIFF\0\0\0\0WEBP".to_vec(), webp.concat()].concat();
    let png = encoded(&pictures::good(1, 30, 20).into(), ImageFormat::Png);
    let control = [&[0, 0, 0, 8][..], b"acTL", &[0, 0, 0, 4, 0, 0, 0, 0], &[0; 4]].concat();
    // What is shown where animations are not is no frame of this one.
    let png = [&png[..33], &control, &png[33..]].concat();
    for (bytes, format, count) in [(gif, "GIF", 3), (webp, "WebP", 2), (png, "PNG", 5)] {
        match refused(&bytes) {
            PreprocessError::SeveralPictures { format: got, count: counted } => {
                assert_eq!((got, counted), (format, count));
            }
            error => panic!("{format}: {error}"),
        }
    }
}

#[test]
fn a_second_jpeg_as_large_as_the_first_is_another_picture_and_a_smaller_one_a_preview() {
    let jpeg = |seed, width| encoded(&pictures::good(seed, width, 24).into(), ImageFormat::Jpeg);
    let one = jpeg(1, 32);
    for padding in [0, 7] {
        let with = |other: &[u8]| [&one[..], &vec![0; padding], other].concat();
        assert_eq!(shown(&with(&jpeg(2, 16))), shown(&one));
        let two = refused(&with(&jpeg(2, 32)));
        assert!(matches!(two, PreprocessError::SeveralPictures { format: "JPEG", count: 2 }), "{two}");
    }
}

#[test]
fn gif_pnm_and_qoi_show_what_png_shows() {
    let colours: DynamicImage = pictures::good(5, 30, 22).into();
    let grey = DynamicImage::from(colours.to_luma8());
    for picture in [&colours, &grey] {
        for format in [ImageFormat::Pnm, ImageFormat::Qoi] {
            // QOI has no grey.
            let picture = if format == ImageFormat::Qoi { colours.clone() } else { picture.clone() };
            assert_eq!(shown(&encoded(&picture, format)), picture.to_rgb8(), "{format:?}");
        }
    }
    // A palette of two colours loses nothing.
    let two = GrayImage::from_fn(30, 22, |x, y| [if (x / 3 + y / 5) % 2 == 0 { 255 } else { 0 }].into());
    let two = DynamicImage::from(DynamicImage::from(two).to_rgb8());
    let gif = encoded(&two, ImageFormat::Gif);
    assert_eq!(shown(&gif), two.to_rgb8());
    assert_eq!(shown(b"P2 2 1 15 0 15").as_raw(), &[0, 0, 0, 255, 255, 255]);
    assert_eq!(shown(b"P4 8 1\n\x0f").get_pixel(0, 0).0, [255; 3]);
    let two = [b"P5 2 1 255\n\x01\x02".to_vec(), b"P5 2 1 255\n\x01\x02\n".to_vec()].concat();
    assert!(matches!(refused(&two), PreprocessError::SeveralPictures { format: "PNM", count: 2 }));
    for (format, bytes) in [
        ("GIF", gif),
        ("PNM", encoded(&colours, ImageFormat::Pnm)),
        ("QOI", encoded(&colours, ImageFormat::Qoi)),
    ] {
        for share in [1, 3, 5, 7, 9] {
            let cut = &bytes[..bytes.len() * share / 10];
            assert!(decode(cut, &DecodeLimits::default()).is_err(), "{format}: {share} tenths");
        }
    }
}

#[test]
fn formats_that_are_not_read_are_named() {
    for (first, name) in [
        (b"\0\0\0\x18ftypheic".to_vec(), "HEIC"),
        (b"\0\0\0\x1cftypavif".to_vec(), "AVIF"),
        (b"\xff\x0a".to_vec(), "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n".to_vec(), "JPEG 2000"),
        (b"8BPS\0\x01".to_vec(), "Photoshop"),
        ([vec![0; 128], b"DICM".to_vec()].concat(), "DICOM"),
    ] {
        assert_eq!(file_kind(&first), FileKind::OtherPicture(name));
        let error = refused(&first);
        assert!(matches!(error, PreprocessError::OtherFormat { format } if format == name), "{error}");
    }
    for text in [&b"BMW delivers"[..], b"P5 is a size of paper", b"", b"\0\0\0\x18ftypisom", b"%PDF-1.7"] {
        assert_eq!(file_kind(text), FileKind::Unknown);
    }
}
