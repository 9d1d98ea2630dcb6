//! The first convolution. Three channels would leave most lanes of a plane
//! empty, so each 2×2 pixels become one pixel of four times the channels, and
//! the stride of two a stride of one (space to depth).

use rayon::prelude::*;

use crate::layout::{LANES, Plane};
use crate::network::Convolution;

/// The same sums as those of `stem`, over folded pictures.
///
/// Tap `k` of a window reads row `2·y + k − padding`; with `k − padding = 2·shift
/// + phase` that is row `y + shift` of the pictures' rows of that phase.
pub(crate) fn folded(stem: &Convolution) -> Convolution {
    let [rows, columns] = stem.kernel;
    let channels = stem.in_channels_per_group;
    let padding = stem.padding.div_ceil(2);
    // From the lowest shift to the highest.
    let side = |kernel: usize| (kernel - 1 - stem.padding).div_euclid(2) + padding + 1;
    let [folded_rows, folded_columns] = [side(rows), side(columns)];
    let per_output = 4 * channels * folded_rows * folded_columns;
    let mut weight = vec![0.0; stem.out_channels * per_output];
    for (output, weight) in weight.chunks_exact_mut(per_output).enumerate() {
        for channel in 0..channels {
            for y in 0..rows {
                for x in 0..columns {
                    // Relative to a window that begins at an even pixel.
                    let [from_top, from_left] = [y, x].map(|k| k + 2 * padding - stem.padding);
                    let lane = (from_top % 2 * 2 + from_left % 2) * channels + channel;
                    let at = (lane * folded_rows + from_top / 2) * folded_columns + from_left / 2;
                    weight[at] = stem.weight[((output * channels + channel) * rows + y) * columns + x];
                }
            }
        }
    }
    Convolution {
        in_channels_per_group: 4 * channels,
        kernel: [folded_rows, folded_columns],
        stride: 1,
        padding,
        weight,
        ..stem.clone()
    }
}

/// Where a folded picture of `size` (height, width) lies.
pub(crate) fn plane(stem: &Convolution, size: [usize; 2]) -> Plane {
    Plane {
        channels: 4 * stem.in_channels_per_group,
        height: size[0].div_ceil(2),
        width: size[1].div_ceil(2),
        padding: stem.padding.div_ceil(2),
    }
}

/// Folds `picture` (`[channels, height, width]`) into `output`.
pub(crate) fn fold(picture: &[f32], channels: usize, size: [usize; 2], plane: Plane, output: &mut [f32]) {
    let [height, width] = size;
    let rows = &mut output[plane.at(0, 0, 0)..][..plane.height * plane.stride() * LANES];
    rows.par_chunks_exact_mut(plane.stride() * LANES).enumerate().for_each(|(y, row)| {
        row.fill(0.0);
        for (phase, channel) in (0..4).flat_map(|phase| (0..channels).map(move |channel| (phase, channel))) {
            let from = 2 * y + phase / 2;
            if from < height {
                let from =
                    picture[(channel * height + from) * width..][..width].iter().skip(phase % 2).step_by(2);
                let lane = phase * channels + channel;
                for (pixel, value) in row.chunks_exact_mut(LANES).zip(from) {
                    pixel[lane] = *value;
                }
            }
        }
    });
}
