//! Features of a picture as rows of statistics: one row of all of its cells, or a row for each cell.

use dfm_backbone::FeatureShape;
use dfm_stats::Samples;

use crate::error::DfmError;
use crate::method::Rows;

impl Rows {
    /// The rows that a picture, or a tile of it, has in the statistic of a layer with this shape.
    pub(crate) fn count(self, shape: FeatureShape) -> usize {
        match self {
            Self::Picture => 1,
            Self::Cells => shape.height.saturating_mul(shape.width),
        }
    }

    /// The columns of the statistic of a layer with this shape.
    pub(crate) fn columns(self, shape: FeatureShape) -> usize {
        match self {
            Self::Picture => shape.len(),
            Self::Cells => shape.channels,
        }
    }

    /// The rows that the pictures with these `indices` have in the statistic of a layer with this shape.
    pub(crate) fn rows_of(self, indices: &[usize], shape: FeatureShape) -> Vec<usize> {
        let count = self.count(shape);
        indices.iter().flat_map(|index| index * count..(index + 1) * count).collect()
    }

    /// The rows of the statistic of a layer, picture by picture, from the features `[N, C · H · W]`.
    pub(crate) fn of_features(self, features: Samples, shape: FeatureShape) -> Result<Samples, DfmError> {
        if self.is_picture() {
            return Ok(features);
        }
        let values = features.iter().flat_map(|row| turned(row, shape.channels, self.count(shape)));
        Ok(Samples::from_f64(values.collect(), shape.channels)?)
    }

    /// The features `[N, C · H · W]` from the rows of the statistic of a layer.
    pub(crate) fn to_features(self, rows: Vec<f64>, shape: FeatureShape) -> Vec<f64> {
        if self.is_picture() {
            return rows;
        }
        let pictures = rows.chunks_exact(shape.len());
        pictures.flat_map(|rows| turned(rows, self.count(shape), shape.channels)).collect()
    }
}

/// The transpose `[columns, rows]` of `values` `[rows, columns]`.
fn turned(values: &[f64], rows: usize, columns: usize) -> impl Iterator<Item = f64> + '_ {
    (0..columns).flat_map(move |column| (0..rows).map(move |row| values[row * columns + column]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: FeatureShape = FeatureShape { channels: 3, height: 1, width: 2 };

    #[test]
    fn each_cell_becomes_a_row_and_back() {
        let features: Vec<f64> = (0..12).map(f64::from).collect();
        let samples = Samples::from_f64(features.clone(), 6).unwrap();
        let rows = Rows::Cells.of_features(samples.clone(), SHAPE).unwrap();
        assert_eq!((rows.rows(), rows.columns()), (4, 3));
        assert_eq!(rows.row(0), [0.0, 2.0, 4.0]);
        assert_eq!(rows.row(3), [7.0, 9.0, 11.0]);
        assert_eq!(Rows::Cells.to_features(rows.as_slice().to_vec(), SHAPE), features);
        assert_eq!((Rows::Cells.count(SHAPE), Rows::Cells.columns(SHAPE)), (2, 3));
        assert_eq!(Rows::Picture.of_features(samples.clone(), SHAPE).unwrap(), samples);
        assert_eq!((Rows::Picture.count(SHAPE), Rows::Picture.columns(SHAPE)), (1, 6));
    }
}
