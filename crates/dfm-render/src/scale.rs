//! How the values of a model's maps are read: from which value on a pixel belongs to a region, and
//! which colour a value has.

use dfm_core::{Aggregation, AnomalyGrid, Dfm, MapKind, RegionRule};

/// Nine colours along matplotlib's `inferno` (CC0): dark to bright, and
/// distinguishable without colour vision.
pub const INFERNO: [[f32; 3]; 9] = [
    [0.0, 0.0, 4.0],
    [31.0, 12.0, 72.0],
    [85.0, 15.0, 109.0],
    [136.0, 34.0, 106.0],
    [186.0, 54.0, 85.0],
    [227.0, 89.0, 51.0],
    [249.0, 140.0, 10.0],
    [249.0, 201.0, 50.0],
    [252.0, 255.0, 164.0],
];

/// The middle of the colours is this many times the mean cell of a picture whose score is exactly the
/// threshold, because defects gather in few cells.
const MIDDLE: f64 = 4.0;

/// The levels for which a legend shows numbers. There is none near 1, because the last colours stand
/// for many values.
const TICKS: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 0.9];
/// The least distance between the levels of two numbers.
const CLOSEST: f64 = 0.1;

/// A value on a scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tick {
    /// The position on the scale, in [0, 1].
    pub level: f64,
    /// The value of a map.
    pub value: f64,
    /// Whether it is the pixel threshold.
    pub is_threshold: bool,
}

/// One scale for all maps of a model, so that they can be compared. A value `v` has the level `v / (v +
/// m)`, and each level from 0 to 1 has a colour. `m` is the pixel threshold, which few cells of good
/// pictures reach ([`Dfm::cell_threshold`]). If no good pictures were held out, `m` is a value that the
/// threshold of scores suggests. Without any threshold, each map has an `m` of its own, which follows
/// from its mean. The colours of different maps then cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MapScale {
    /// Which pixels belong to a region.
    pub rule: RegionRule,
    /// The value in the middle of the colours.
    pub middle: Option<f64>,
}

impl MapScale {
    /// The scale of `model`.
    pub fn of(model: &Dfm) -> Self {
        let usual = RegionRule::default().with_pixel_threshold(model.pixel_threshold());
        Self::by(model, model.record().params.method.regions.or(usual))
    }

    /// The scale of `model` where pixels belong to regions by `rule`.
    pub fn by(model: &Dfm, rule: RegionRule) -> Self {
        let usual = || {
            let shapes = model.extractor().feature_shapes().iter();
            let finest = shapes.map(|shape| shape.height * shape.width).max().unwrap_or(1);
            usual_middle(model.calibration()?.threshold(), model.record().params.method.aggregation, finest)
        };
        // A fine map is one third coarse cells. Its fine cells are about 1 in good pictures.
        let usual = || match model.map_kind() {
            MapKind::Fine => usual().map(|coarse| coarse.cbrt() * MIDDLE.powf(2.0 / 3.0)),
            _ => usual(),
        };
        Self { rule, middle: rule.pixel_threshold.or_else(usual) }
    }

    /// Values along the scale, including the pixel threshold. `None` if the model does not fix the
    /// colours.
    pub fn ticks(&self) -> Option<Vec<Tick>> {
        let middle = self.middle?;
        let at = |level: f64| Tick { level, value: middle * level / (1.0 - level), is_threshold: false };
        let mut ticks: Vec<Tick> = TICKS.map(at).to_vec();
        if let Some(threshold) = self.rule.pixel_threshold {
            let level = threshold / (threshold + middle);
            ticks.retain(|tick| (tick.level - level).abs() > CLOSEST);
            ticks.push(Tick { level, value: threshold, is_threshold: true });
        }
        Some(ticks)
    }

    /// The middle of the colours of one map.
    pub(crate) fn middle_of(&self, grid: &AnomalyGrid) -> f64 {
        let mean = || MIDDLE * Aggregation::Sum.of(grid) / (grid.height * grid.width) as f64;
        self.middle.unwrap_or_else(mean)
    }
}

/// The value of the defective cells in a picture whose score is exactly `threshold`, if the defect
/// fills a quarter of the cells.
fn usual_middle(threshold: f64, aggregation: Aggregation, cells: usize) -> Option<f64> {
    let middle = match aggregation {
        Aggregation::Max | Aggregation::Top { .. } | Aggregation::Power { .. } => threshold,
        Aggregation::Sum | Aggregation::Relative => MIDDLE * threshold / cells as f64,
    };
    (middle > 0.0).then_some(middle)
}

/// The colour of a level.
pub(crate) fn colour(level: f32) -> [f32; 3] {
    let position = level.clamp(0.0, 1.0) * (INFERNO.len() - 1) as f32;
    let first = (position as usize).min(INFERNO.len() - 2);
    let share = position - first as f32;
    std::array::from_fn(|channel| {
        INFERNO[first][channel] * (1.0 - share) + INFERNO[first + 1][channel] * share
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_largest_cell_is_the_score_its_threshold_is_the_middle() {
        for aggregation in [Aggregation::Max, Aggregation::Top { percent: 1.0 }] {
            assert_eq!(usual_middle(3.0, aggregation, 16), Some(3.0));
        }
        // Four times a sixteenth of the sum.
        assert_eq!(usual_middle(8.0, Aggregation::Sum, 16), Some(2.0));
        assert_eq!(usual_middle(0.0, Aggregation::Sum, 16), None);
    }

    #[test]
    fn ticks_have_the_values_of_their_levels_and_the_threshold_takes_the_place_of_one() {
        let rule = |threshold: Option<f64>| RegionRule::default().with_pixel_threshold(threshold);
        let ticks = |threshold| MapScale { rule: rule(threshold), middle: Some(6.0) }.ticks().unwrap();
        let values = |ticks: &[Tick]| ticks.iter().map(|tick| tick.value).collect::<Vec<_>>();
        for (value, expected) in values(&ticks(None)).iter().zip([0.0, 2.0, 6.0, 18.0, 54.0]) {
            assert!((value - expected).abs() < 1e-9, "{value}");
        }
        let with = ticks(Some(6.0));
        assert_eq!((with.len(), with[4]), (5, Tick { level: 0.5, value: 6.0, is_threshold: true }));
        assert_eq!(MapScale { rule: rule(None), middle: None }.ticks(), None);
    }

    #[test]
    fn colours_grow_brighter_and_go_from_end_to_end() {
        assert_eq!([colour(-1.0), colour(0.5), colour(2.0)], [INFERNO[0], INFERNO[4], INFERNO[8]]);
        let brightness = |level: u8| colour(f32::from(level) / 100.0).iter().sum::<f32>();
        assert!((0..100).all(|level| brightness(level) < brightness(level + 1)));
    }
}
