//! Resizing in floating point, bilinear with antialias, as torch's `interpolate` does with tensors.
//!
//! Columns are averaged first: a row of the picture is read where it lies, in its own type, and
//! nothing of the picture's size is copied.

/// The pixels that make a pixel of the result: those from `first` on, with these `weights`.
struct Mixture {
    first: usize,
    weights: Vec<f32>,
}

/// The rectangle `source` (left, top, width, height) of a picture at `width` × `height` pixels,
/// row by row. The picture has rows of `across` pixels. As with PIL's `box`, the filter also reads
/// the pixels just outside the rectangle.
pub(super) fn resize<S: Copy + Into<f32>>(
    pixels: &[[S; 3]],
    across: usize,
    [left, top, seen_across, seen_down]: [f64; 4],
    width: usize,
    height: usize,
) -> Vec<[f32; 3]> {
    let columns = mixtures(left, seen_across, across, width);
    let rows = mixtures(top, seen_down, pixels.len() / across.max(1), height);
    // Only these columns are read.
    let from = columns.first().map_or(0, |mixture| mixture.first);
    let to = columns.last().map_or(0, |mixture| mixture.first + mixture.weights.len());
    let mut averaged = vec![0.0_f32; 3 * (to - from)];
    let mut resized = Vec::with_capacity(width * height);
    for Mixture { first, weights } in rows {
        averaged.fill(0.0);
        for (y, weight) in (first..).zip(weights) {
            let row = pixels[y * across + from..y * across + to].as_flattened();
            averaged.iter_mut().zip(row).for_each(|(sum, value)| {
                let value: f32 = (*value).into();
                *sum += weight * value;
            });
        }
        let (averaged, _) = averaged.as_chunks::<3>();
        resized.extend(columns.iter().map(|Mixture { first, weights }| {
            let mut sum = [0.0_f32; 3];
            for (pixel, weight) in averaged[first - from..].iter().zip(weights) {
                sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += weight * value);
            }
            sum
        }));
    }
    resized
}

/// The weights of each of `target` pixels, which cover the range of `length` from `start` in a side of
/// `count` pixels. They form a triangle that is as wide as the scale requires, and at least two pixels.
fn mixtures(start: f64, length: f64, count: usize, target: usize) -> Vec<Mixture> {
    let scale = length / target as f64;
    let reach = scale.max(1.0);
    let mixture = |place: usize| {
        let centre = start + (place as f64 + 0.5) * scale;
        let first = (centre - reach + 0.5).max(0.0) as usize;
        let end = ((centre + reach + 0.5) as usize).min(count);
        let weight = |pixel: usize| (1.0 - ((pixel as f64 + 0.5 - centre) / reach).abs()).max(0.0);
        let sum: f64 = (first..end).map(weight).sum();
        Mixture { first, weights: (first..end).map(|pixel| (weight(pixel) / sum) as f32).collect() }
    };
    (0..target).map(mixture).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_sum_to_one_and_stay_within_the_picture() {
        for (start, length, count, target) in [
            (0.0, 100.0, 100, 7),
            (0.0, 7.0, 7, 100),
            (12.5, 75.0, 100, 64),
            (0.0, 1.0, 1, 32),
            (0.0, 3.0, 3, 1),
        ] {
            let mixtures = mixtures(start, length, count, target);
            assert_eq!(mixtures.len(), target);
            for Mixture { first, weights } in mixtures {
                assert!(!weights.is_empty() && first + weights.len() <= count, "{count} to {target}");
                assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{count} to {target}");
            }
        }
    }

    #[test]
    fn half_a_side_is_a_mean_with_the_neighbours() {
        let pixels = [0_u8, 8, 16, 64].map(|value| [value; 3]);
        let resized = resize(&pixels, 4, [0.0, 0.0, 4.0, 1.0], 2, 1);
        // At the end, where no pixel follows, the weights are 3/7, 3/7 and 1/7.
        for (got, expected) in resized.iter().zip([(3.0 * 8.0 + 16.0) / 7.0, (8.0 + 3.0 * 80.0) / 7.0]) {
            assert!(got.iter().all(|value| (value - expected).abs() < 1e-4), "{got:?} {expected}");
        }
    }
}
