//! What the average pool behind a tap hides: the difference between the output of the layer and the
//! bilinear interpolation of its pooled cells.

use burn::tensor::{Device, Tensor, TensorData};

use crate::features::FeatureShape;

/// Makes the details of one tap on a device.
#[derive(Debug, Clone)]
pub(crate) struct TapDetail {
    /// The shape of the pooled cells.
    cells: FeatureShape,
    /// The shape of the layer's output, and of the details.
    shape: FeatureShape,
    /// `[h, H]` and `[w, W]`: the share of each cell in each position, along both sides.
    down: Tensor<2>,
    across: Tensor<2>,
    /// Where a region is a mask: `[1, 1, H, W]`, one in the positions of the cells that count and zero in
    /// the others.
    counted: Option<Tensor<4>>,
}

impl TapDetail {
    /// For a layer whose output has this `shape` behind a pool of `pool`, which makes `cells` of it.
    pub(crate) fn new(shape: FeatureShape, cells: FeatureShape, pool: usize, device: &Device) -> Self {
        let matrix = |positions: usize, cells: usize| {
            let shares = TensorData::new(shares(positions, cells, pool), [cells, positions]);
            Tensor::from_data(shares, device)
        };
        let (down, across) = (matrix(shape.height, cells.height), matrix(shape.width, cells.width));
        Self { cells, shape, down, across, counted: None }
    }

    /// The shape of the details.
    pub(crate) fn shape(&self) -> FeatureShape {
        self.shape
    }

    /// Limits the details to the positions of the cells that count. Positions behind the last cell go
    /// with it. `None` limits nothing.
    pub(crate) fn set_counted(&mut self, counted: Option<&[bool]>, pool: usize, device: &Device) {
        let FeatureShape { height, width, .. } = self.shape;
        let cell = |y: usize, x: usize| {
            let (row, column) = ((y / pool).min(self.cells.height - 1), (x / pool).min(self.cells.width - 1));
            row * self.cells.width + column
        };
        self.counted = counted.map(|counted| {
            let positions = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
            let values: Vec<f32> = positions.map(|(y, x)| f32::from(u8::from(counted[cell(y, x)]))).collect();
            Tensor::from_data(TensorData::new(values, [1, 1, height, width]), device)
        });
    }

    /// The details `[N, C · H · W]` of `maps`, which have as many columns, and of the `cells`
    /// `[N, C · h · w]` that the pool makes of them.
    pub(crate) fn of(&self, maps: Tensor<2>, cells: Tensor<2>) -> Tensor<2> {
        let FeatureShape { channels, height, width } = self.shape;
        let [count, columns] = maps.dims();
        let (rows, across) = (self.cells.height, self.cells.width);
        // The small side first: what is turned around is no larger than cells by positions.
        let by_column = cells.reshape([count * channels, rows, across]).swap_dims(1, 2);
        let down = by_column.reshape([count * channels * across, rows]).matmul(self.down.clone());
        let by_row = down.reshape([count * channels, across, height]).swap_dims(1, 2);
        let between = by_row.reshape([count * channels * height, across]).matmul(self.across.clone());
        let detail = maps - between.reshape([count, columns]);
        match &self.counted {
            Some(counted) => {
                let detail = detail.reshape([count, channels, height, width]);
                (detail * counted.clone()).reshape([count, columns])
            }
            None => detail,
        }
    }
}

/// `[cells, positions]`: the share that each cell has in the value at each position along one side, for
/// bilinear interpolation between the centres of cells of `pool` positions. Beyond the outermost centres
/// the value is constant, as in PyTorch's `interpolate` with `align_corners=False`.
fn shares(positions: usize, cells: usize, pool: usize) -> Vec<f32> {
    let mut shares = vec![0.0; cells * positions];
    for position in 0..positions {
        let place = ((position as f64 + 0.5) / pool as f64 - 0.5).clamp(0.0, (cells - 1) as f64);
        let first = place as usize;
        let share = (place - first as f64) as f32;
        shares[first * positions + position] += 1.0 - share;
        shares[(first + 1).min(cells - 1) * positions + position] += share;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_lie_between_the_centres_of_cells() {
        // torch.nn.functional.interpolate(size=8, mode="linear", align_corners=False) of two cells.
        let got = shares(8, 2, 4);
        assert_eq!(got[8..], [0.0, 0.0, 0.125, 0.375, 0.625, 0.875, 1.0, 1.0]);
        for position in 0..8 {
            assert_eq!(got[position] + got[8 + position], 1.0);
        }
        // Positions that fill no window go with the last cell.
        assert_eq!(shares(5, 1, 4), [1.0; 5]);
        assert_eq!(shares(5, 2, 2)[5..], [0.0, 0.25, 0.75, 1.0, 1.0]);
    }

    #[cfg(feature = "flex")]
    #[test]
    fn details_are_those_of_numpy() {
        // See make_detail.py beside it.
        const GOLDEN: &[u8] = include_bytes!("../../../tests/fixtures/detail/detail.safetensors");
        let golden = safetensors::SafeTensors::deserialize(GOLDEN).unwrap();
        let device = Device::flex();
        let values = |name: &str| {
            let tensor = golden.tensor(name).unwrap();
            let values = tensor.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
            (tensor.shape().to_vec(), values.collect::<Vec<f32>>())
        };
        for (layer, pool) in [("layer2", 4), ("layer3", 2)] {
            let read = |name: &str| {
                let (shape, values) = values(&format!("{layer}.{name}"));
                let [count, channels, height, width] = shape.try_into().unwrap();
                let rows = TensorData::new(values, [count, channels * height * width]);
                (FeatureShape { channels, height, width }, Tensor::from_data(rows, &device))
            };
            let ((shape, maps), (cells, pooled)) = (read("maps"), read("cells"));
            let mut detail = TapDetail::new(shape, cells, pool, &device);
            let got = detail.of(maps.clone(), pooled.clone()).try_into_vec_as::<f32>().unwrap();
            let expected = golden.tensor(&format!("{layer}.detail")).unwrap();
            let expected: Vec<f64> =
                expected.data().as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
            assert_eq!(got.len(), expected.len());
            for (got, expected) in got.iter().zip(&expected) {
                assert!((f64::from(*got) - expected).abs() < 2e-6 * expected.abs().max(10.0));
            }
            // Without the first cell, its positions are zero and the others as before.
            let mut counted = vec![true; cells.height * cells.width];
            counted[0] = false;
            detail.set_counted(Some(&counted), pool, &device);
            let masked = detail.of(maps, pooled).try_into_vec_as::<f32>().unwrap();
            for (index, (masked, got)) in masked.iter().zip(&got).enumerate() {
                let (row, column) = (index / shape.width % shape.height, index % shape.width);
                let is_out = row < pool && column < pool;
                assert_eq!(*masked, if is_out { 0.0 } else { *got }, "{index}");
            }
        }
    }
}
