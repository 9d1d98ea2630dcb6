//! Several layers as one: where the columns of each lie in a row of features, and one score and
//! one map made of what their statistics say.
//!
//! The results of layers are put together by the geometric mean, so that pictures are ranked as by the
//! sum of logarithms. Dividing the values of a layer by a constant, such as their mean over good
//! pictures, would multiply every result by the same number. That changes no rank and no p-value, so it
//! is left out. One layer gives the same bits as without this module.

use dfm_backbone::{FeatureShape, PictureSize};
use dfm_stats::Samples;

use crate::error::DfmError;
use crate::judge::map::AnomalyGrid;

/// The columns of each layer.
pub(crate) fn split_columns(rows: Samples, shapes: &[FeatureShape]) -> Result<Vec<Samples>, DfmError> {
    if let [_] = shapes {
        return Ok(vec![rows]);
    }
    let mut first = 0;
    let mut parts = Vec::with_capacity(shapes.len());
    for shape in shapes {
        let columns = first..first + shape.len();
        let values = rows.iter().flat_map(|row| &row[columns.clone()]).copied().collect();
        parts.push(Samples::from_f64(values, shape.len())?);
        first = columns.end;
    }
    Ok(parts)
}

/// One score from the scores of all layers of a picture.
pub(crate) fn geometric_mean(scores: Vec<f64>) -> f64 {
    match scores.as_slice() {
        [score] => *score,
        scores => (scores.iter().map(|score| score.ln()).sum::<f64>() / scores.len() as f64).exp(),
    }
}

/// What `join` makes of all layers of each row, from the rows of each layer.
pub(crate) fn by_row<T, U>(taps: Vec<Vec<T>>, join: impl Fn(Vec<T>) -> U) -> Vec<U> {
    let count = taps.first().map_or(0, Vec::len);
    let mut taps: Vec<_> = taps.into_iter().map(Vec::into_iter).collect();
    (0..count).map(|_| join(taps.iter_mut().filter_map(Iterator::next).collect())).collect()
}

/// One grid from the grids of the layers, as fine as the finest of them.
pub(crate) fn joint_grid(grids: Vec<AnomalyGrid>) -> AnomalyGrid {
    let finest = (0..grids.len()).max_by_key(|place| grids[*place].values.len());
    let AnomalyGrid { height, width, .. } = grids[finest.unwrap_or_default()];
    let size = PictureSize { width: width as u32, height: height as u32 };
    let fine = |grid: AnomalyGrid| match grid.height == height && grid.width == width {
        true => grid.values,
        false => grid.upsample(size).values,
    };
    let mut grids = grids.into_iter().map(fine);
    match (grids.len(), grids.next()) {
        (1, Some(only)) => AnomalyGrid::new(height, width, only),
        (_, first) => {
            let all =
                first.into_iter().chain(grids).map(|values| values.into_iter().map(f64::from).collect());
            let cells = by_row(all.collect(), geometric_mean);
            AnomalyGrid::new(height, width, cells.into_iter().map(|cell| cell as f32).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_layer_stays_as_it_is() {
        for score in [0.1, -3.7, 0.0, f64::MAX] {
            assert_eq!(geometric_mean(vec![score]).to_bits(), score.to_bits());
        }
        let grid = AnomalyGrid::new(1, 3, vec![0.1, 0.0, 1e-30]);
        assert_eq!(joint_grid(vec![grid.clone()]), grid);
    }

    #[test]
    fn a_factor_on_a_layer_changes_no_order() {
        let pictures = [[1.0, 50.0], [2.0, 30.0], [4.0, 10.0], [0.0, 10.0]];
        let order = |factor: f64| {
            let mut places = vec![0, 1, 2, 3];
            places.sort_by(|a, b| {
                let score =
                    |place: &usize| geometric_mean(vec![pictures[*place][0] * factor, pictures[*place][1]]);
                score(a).total_cmp(&score(b))
            });
            places
        };
        assert_eq!(order(1.0), [3, 2, 0, 1]);
        assert_eq!(order(1e6), order(1.0));
        assert_eq!(geometric_mean(vec![2.0, 8.0, 4.0]), 4.0);
    }

    #[test]
    fn grids_meet_at_the_finest() {
        let coarse = AnomalyGrid::new(1, 1, vec![4.0]);
        let fine = AnomalyGrid::new(2, 2, vec![1.0, 4.0, 0.0, 16.0]);
        for grids in [[coarse.clone(), fine.clone()], [fine, coarse]] {
            let joint = joint_grid(grids.to_vec());
            assert_eq!((joint.height, joint.width), (2, 2));
            for (cell, expected) in joint.values.iter().zip([2.0, 4.0, 0.0, 8.0]) {
                assert!((cell - expected).abs() <= 1e-6 * expected, "{cell} is not {expected}");
            }
        }
    }

    #[test]
    fn columns_are_those_of_each_layer() {
        let rows = Samples::from_f64((0..10).map(f64::from).collect(), 5).unwrap();
        let shape = |channels| FeatureShape { channels, height: 1, width: 1 };
        let parts = split_columns(rows, &[shape(2), shape(3)]).unwrap();
        assert_eq!(parts[0].as_slice(), [0.0, 1.0, 5.0, 6.0]);
        assert_eq!(parts[1].as_slice(), [2.0, 3.0, 4.0, 7.0, 8.0, 9.0]);
    }
}
