//! Random networks, for the tests and the fuzz target.

mod network;

use dfm_kernels::Convolution;

pub(crate) use network::{Block, MaxPool, Network, Tap};

/// A deterministic stream of numbers in [−1, 1).
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    /// The next number.
    pub(crate) fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / 8_388_608.0 - 1.0
    }

    /// Some numbers in [−scale, scale).
    pub(crate) fn take(&mut self, count: usize, scale: f32) -> Vec<f32> {
        (0..count).map(|_| scale * self.next()).collect()
    }

    /// A convolution of `kernel`×`kernel` taps, padded so that only the stride changes the size.
    fn convolution(
        &mut self,
        [inputs, outputs]: [usize; 2],
        kernel: usize,
        stride: usize,
        groups: usize,
    ) -> Convolution {
        let taps = inputs / groups * kernel * kernel;
        Convolution {
            out_channels: outputs,
            in_channels_per_group: inputs / groups,
            kernel: [kernel; 2],
            stride,
            padding: kernel / 2,
            groups,
            weight: self.take(outputs * taps, (3.0 / taps as f32).sqrt()),
            bias: self.take(outputs, 0.1),
        }
    }

    /// A stem and two blocks that use every way of computing: strides of one and two, projections,
    /// groups, channels that fill no block, and both kinds of residual.
    pub(crate) fn network(&mut self, width: usize, groups: usize, pool: MaxPool) -> Network {
        let stem = self.convolution([3, width], 7, 2, 1);
        let first = Block {
            projection: None,
            branch: vec![
                self.convolution([width, width], 3, 1, 1),
                self.convolution([width, width], 3, 1, groups),
            ],
        };
        let second = Block {
            projection: Some(self.convolution([width, 2 * width], 1, 2, 1)),
            branch: vec![
                self.convolution([width, width], 1, 1, 1),
                self.convolution([width, width], 3, 2, groups),
                self.convolution([width, 2 * width], 1, 1, 1),
            ],
        };
        Network { stem, pool, blocks: vec![first, second], taps: vec![Tap { blocks: 2, average: 1 }] }
    }
}
