//! The mask: which pixels are defective.

use crate::error::SyntheticError;
use crate::perlin::Perlin;
use crate::stream::Stream;

/// The smallest defect, as a share of the pixels where it may be. A defect has at least one pixel.
pub const SMALLEST_SHARE: f64 = 1.0 / 256.0;
/// The upper limit of the share of a defect. No defect reaches it, unless it has a single pixel.
pub const LARGEST_SHARE: f64 = SMALLEST_SHARE * (1 << OCTAVES_OF_SHARE) as f64;
const OCTAVES_OF_SHARE: u32 = 5;

/// The noise has 1 to 16 periods along the longer side. The number is drawn for each of its two
/// directions, which gives spots, scratches and specks.
const OCTAVES_OF_PERIODS: u32 = 4;

/// Number of levels in which noise is compared: enough that hardly two pixels share a level, and
/// few enough to be counted.
const LEVELS: usize = 1 << 16;

/// Marks pixels of a picture of `width` × `height`, row by row: those with the highest noise. Their
/// share is drawn. Only pixels for which `within` is true are marked; without `within` all may be
/// marked. At least one pixel is marked, and never all.
///
/// Cost: some tens of operations and three bytes for each pixel.
///
/// # Errors
///
/// If the picture has fewer than two pixels, if `within` has another size, or if no pixel may be
/// marked.
pub(crate) fn draw(
    [width, height]: [u32; 2],
    stream: &mut Stream,
    within: Option<&[bool]>,
) -> Result<Vec<bool>, SyntheticError> {
    let pixels = width as usize * height as usize;
    if pixels < 2 {
        return Err(SyntheticError::TooSmall { width, height });
    }
    if let Some(within) = within.filter(|within| within.len() != pixels) {
        return Err(SyntheticError::OtherSize { expected: pixels, got: within.len() });
    }
    let may_be = |place: usize| within.is_none_or(|within| within[place]);
    let places = within.map_or(pixels, |within| within.iter().filter(|may_be| **may_be).count());
    let share = SMALLEST_SHARE * stream.scale(OCTAVES_OF_SHARE);
    let noise = Noise::draw([width, height], stream);
    if places == 0 {
        return Err(SyntheticError::NoPlace);
    }
    let wanted = ((share * places as f64) as usize).max(1);

    let levels = noise.levels();
    let mut counts = vec![0_usize; LEVELS];
    let allowed = || levels.iter().enumerate().filter(|(place, _)| may_be(*place));
    allowed().for_each(|(_, level)| counts[usize::from(*level)] += 1);
    // The level that the wanted number of pixels reach, and how many pixels of that level are
    // marked.
    let (mut lowest, mut left) = (LEVELS - 1, wanted);
    while counts[lowest] < left {
        left -= counts[lowest];
        lowest -= 1;
    }
    let mut mask = vec![false; pixels];
    for (place, level) in allowed() {
        let level = usize::from(*level);
        let tied = level == lowest && left > 0;
        left -= usize::from(tied);
        mask[place] = level > lowest || tied;
    }
    Ok(mask)
}

/// Noise laid over a picture, rotated and stretched.
struct Noise {
    size: [u32; 2],
    perlin: Perlin,
    /// Noise coordinates of the first pixel's centre, and the steps to the next pixel across and
    /// down.
    origin: [f64; 2],
    across: [f64; 2],
    down: [f64; 2],
}

impl Noise {
    fn draw(size: [u32; 2], stream: &mut Stream) -> Self {
        let longer = f64::from(size[0].max(size[1]));
        let [cosine, sine] = stream.direction();
        let periods = [stream.scale(OCTAVES_OF_PERIODS), stream.scale(OCTAVES_OF_PERIODS)];
        // The origin is random, because the noise is 0 at each point of its lattice.
        let origin = [stream.unit(), stream.unit()];
        let step = periods.map(|periods| periods / longer);
        let across = [cosine * step[0], sine * step[1]];
        let down = [-sine * step[0], cosine * step[1]];
        Self { size, perlin: Perlin::new(stream.bits()), origin, across, down }
    }

    /// The level of every pixel, row by row.
    fn levels(mut self) -> Vec<u16> {
        let [width, height] = self.size;
        let mut levels = Vec::with_capacity(width as usize * height as usize);
        for y in 0..height {
            for x in 0..width {
                let at = |axis: usize| {
                    let moved = f64::from(x) * self.across[axis] + f64::from(y) * self.down[axis];
                    self.origin[axis] + moved
                };
                let value = self.perlin.at(at(0), at(1));
                // The value is within ±√½ up to rounding; a value beyond counts as the end.
                levels.push(((0.5 + 0.7 * value) * LEVELS as f64) as u16);
            }
        }
        levels
    }
}
