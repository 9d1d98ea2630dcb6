//! The names of the tensors of fine maps.

/// How many pictures the details are of.
pub(super) const COUNT: &str = "detail.count";
/// The largest cells of fine maps of held-out pictures.
pub(super) const PEAKS: &str = "calibration.peaks";
/// The fine map of the probe.
pub(super) const PROBE: &str = "self_test.map";
/// The mean of the details of a tap.
pub(super) const MEAN: &str = "detail.mean";
/// Their variance.
pub(super) const VARIANCE: &str = "detail.variance";
/// The tensors of each tap whose pool hides something.
pub(super) const OF_TAP: [&str; 2] = [MEAN, VARIANCE];
