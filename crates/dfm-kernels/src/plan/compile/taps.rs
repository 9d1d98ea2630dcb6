//! Where the features of each tap go.

use super::source::Source;
use super::values::Value;
use crate::error::KernelError;
use crate::kernels::{Average, Step};
use crate::layout::Map;

/// The shapes of all features, and where those of each tap begin: the averages of every tap in order, and
/// behind them the map of every tap whose windows are larger than a pixel.
#[derive(Debug)]
pub(in crate::plan) struct Features {
    /// Channels, height and width of the features of every tap.
    pub(in crate::plan) outputs: Vec<[usize; 3]>,
    /// Channels, height and width of the maps beside them.
    pub(in crate::plan) maps: Vec<[usize; 3]>,
    taps: Vec<Tap>,
}

#[derive(Debug)]
struct Tap {
    node: usize,
    /// The pixels of a block before those of the map.
    skipped: usize,
    map: Map,
    window: usize,
    begin: usize,
    /// Where the map begins that is taken beside the averages.
    begin_map: Option<usize>,
}

impl Features {
    /// The features of all taps.
    ///
    /// # Errors
    ///
    /// If windows are larger than the map of a tap.
    pub(super) fn new(source: &Source<'_>, [height, width]: [usize; 2]) -> Result<Self, KernelError> {
        let (mut outputs, mut maps, mut taps) = (Vec::new(), Vec::new(), Vec::new());
        let mut begin = 0;
        for (node, window) in source.taps() {
            let channels = source.map(*node).channels;
            let [rows, columns] = source.sides(*node);
            let output = [channels, rows / window, columns / window];
            if output.contains(&0) {
                return Err(KernelError::TooSmall { height, width });
            }
            let map = Map { channels, height: rows, width: columns };
            let skipped = source.prefix(*node);
            taps.push(Tap { node: *node, skipped, map, window: *window, begin, begin_map: None });
            begin += output.iter().product::<usize>();
            outputs.push(output);
        }
        for tap in taps.iter_mut().filter(|tap| tap.window > 1) {
            tap.begin_map = Some(begin);
            let map = [tap.map.channels, tap.map.height, tap.map.width];
            begin += map.iter().product::<usize>();
            maps.push(map);
        }
        Ok(Self { outputs, maps, taps })
    }

    /// The steps that take the features of a node's value.
    pub(super) fn of(&self, node: usize, value: &Value) -> Vec<Step> {
        let mut steps = Vec::new();
        for tap in self.taps.iter().filter(|tap| tap.node == node) {
            let input = value.placed.at.clone();
            let Tap { skipped, map, window, begin, .. } = *tap;
            let average = Average { input, skipped, map, window, begin, beside: false };
            let whole = tap.begin_map.map(|begin| Average {
                input: average.input.clone(),
                window: 1,
                begin,
                beside: true,
                ..average
            });
            steps.extend([average].into_iter().chain(whole).map(Step::Average));
        }
        steps
    }
}
