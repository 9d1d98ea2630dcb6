//! The segments of a JPEG file (ITU T.81, annex B), as far as they tell whether the file is
//! whole.

/// What the segments of a file say about its picture.
#[derive(Debug)]
pub(super) struct Segments {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Colour channels.
    pub(super) components: u8,
    /// Whether coefficients come in several scans, each refining the last.
    pub(super) progressive: bool,
    /// Where the coded data of the last scan ends.
    pub(super) end: usize,
    /// What lies behind the end-of-image marker begins here.
    pub(super) end_of_image: usize,
}

/// Why a file is not whole.
#[derive(Debug)]
pub(super) enum Fault {
    /// The file ends before its end-of-image marker.
    CutShort,
    /// The content contradicts itself.
    Damaged(String),
}

const START_OF_FRAME: std::ops::RangeInclusive<u8> = 0xC0..=0xC2;
const PROGRESSIVE: u8 = 0xC2;
const END_OF_IMAGE: u8 = 0xD9;
const START_OF_SCAN: u8 = 0xDA;
/// Stands for a coefficient that no scan has brought yet.
const ABSENT: u8 = u8::MAX;

/// The frame's header, and how many low bits each coefficient still lacks.
struct Frame {
    width: u32,
    height: u32,
    progressive: bool,
    lacking: Vec<(u8, [u8; 64])>,
}

impl Segments {
    /// Reads the segments of `bytes` up to the first end-of-image marker. A second picture behind
    /// it is not read.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let mut frame = None;
        let mut end = None;
        let mut at = 2;
        loop {
            // Stray bytes before a marker are skipped, as every decoder does.
            let rest = bytes.get(at..).unwrap_or_default();
            at += rest.iter().position(|byte| *byte == 0xFF).ok_or(Fault::CutShort)?;
            // A marker may be preceded by any number of 0xFF.
            let filled = bytes[at..].iter().position(|byte| *byte != 0xFF).ok_or(Fault::CutShort)?;
            let marker = bytes[at + filled];
            at += filled + 1;
            match marker {
                END_OF_IMAGE => break,
                // Not a marker, or one that stands alone.
                0x00 | 0x01 | 0xD0..=0xD8 => continue,
                _ => {}
            }
            let length = bytes.get(at..at + 2).ok_or(Fault::CutShort)?;
            let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
            let segment = bytes.get(at + 2..at + length.max(2)).ok_or(Fault::CutShort)?;
            at += length.max(2);
            if START_OF_FRAME.contains(&marker) && frame.is_none() {
                frame = Some(Frame::parse(segment, marker == PROGRESSIVE)?);
            } else if marker == START_OF_SCAN {
                let frame = frame.as_mut().ok_or_else(|| damaged("a scan before the frame's header"))?;
                frame.scan(segment)?;
                at += scan_length(&bytes[at..]).ok_or(Fault::CutShort)?;
                end = Some(at);
            }
        }
        let frame = frame.ok_or_else(|| damaged("no frame of a kind that is supported"))?;
        let end = end.ok_or_else(|| damaged("no coded data"))?;
        frame.check_complete()?;
        Ok(Self {
            width: frame.width,
            height: frame.height,
            components: frame.lacking.len() as u8,
            progressive: frame.progressive,
            end,
            end_of_image: at,
        })
    }
}

impl Frame {
    fn parse(segment: &[u8], progressive: bool) -> Result<Self, Fault> {
        let [_precision, high, low, wide, narrow, components, rest @ ..] = segment else {
            return Err(damaged("a frame's header that is too short"));
        };
        let identifiers = rest.chunks_exact(3).take(usize::from(*components)).map(|entry| entry[0]);
        Ok(Self {
            width: u32::from(u16::from_be_bytes([*wide, *narrow])),
            height: u32::from(u16::from_be_bytes([*high, *low])),
            progressive,
            lacking: identifiers.map(|identifier| (identifier, [ABSENT; 64])).collect(),
        })
    }

    /// Records which bits the scan with this header brings.
    fn scan(&mut self, header: &[u8]) -> Result<(), Fault> {
        let short = || damaged("a scan's header that is too short");
        let (count, rest) = header.split_first().ok_or_else(short)?;
        let components = rest.get(..2 * usize::from(*count)).ok_or_else(short)?;
        let [first, last, approximation, ..] = rest[components.len()..] else { return Err(short()) };
        let (first, last, low) = match self.progressive {
            true => (usize::from(first), usize::from(last), approximation & 0x0F),
            false => (0, 63, 0),
        };
        for identifier in components.chunks_exact(2).map(|entry| entry[0]) {
            let known = self.lacking.iter_mut().find(|(known, _)| *known == identifier);
            let (_, lacking) = known.ok_or_else(|| damaged("a scan of a channel that is not there"))?;
            let range = lacking.get_mut(first..=last);
            range.ok_or_else(|| damaged("a scan of coefficients that are not there"))?.fill(low);
        }
        Ok(())
    }

    /// A file that was cut between two scans still shows a picture, a blurred one.
    fn check_complete(&self) -> Result<(), Fault> {
        match self.lacking.iter().any(|(_, lacking)| lacking.iter().any(|bits| *bits != 0)) {
            true => Err(damaged("scans are missing: the picture would be blurred or lack a channel")),
            false => Ok(()),
        }
    }
}

/// Bytes of coded data up to the next marker: a 0xFF that neither a stuffed zero,
/// a restart nor another 0xFF follows, and the fill bytes before it.
fn scan_length(coded: &[u8]) -> Option<usize> {
    let mut pairs = coded.windows(2);
    let marker = pairs.position(|pair| pair[0] == 0xFF && !matches!(pair[1], 0 | 0xD0..=0xD7 | 0xFF))?;
    let fill = coded[..marker].iter().rev().take_while(|byte| **byte == 0xFF).count();
    Some(marker - fill)
}

fn damaged(reason: &str) -> Fault {
    Fault::Damaged(reason.to_owned())
}
