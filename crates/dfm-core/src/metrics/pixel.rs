//! AUROC over the pixels of many pictures, exactly, in bounded memory.

/// Values kept before they are merged into the sorted rest.
const BUFFER: usize = 1 << 22;

/// The pixels of many maps, pooled and ranked together.
///
/// Holds every *different* value once, with how often it was seen: 12 bytes each,
/// beside a buffer of 32 MiB. Exact, ties included; the order of pushes changes
/// nothing.
#[derive(Debug, Clone, Default)]
pub struct PixelRanking {
    /// Sorted by value.
    counted: Vec<Counted>,
    buffer: Vec<(u32, bool)>,
}

/// One value and how many pixels of each class have it.
#[derive(Debug, Clone, Copy)]
struct Counted {
    key: u32,
    anomalous: u32,
    normal: u32,
}

impl PixelRanking {
    /// Adds the pixels of a map; `mask` is true where the picture is anomalous.
    ///
    /// # Panics
    ///
    /// If the mask has another number of pixels.
    pub fn push(&mut self, values: &[f32], mask: &[bool]) {
        assert_eq!(values.len(), mask.len(), "one mask value a pixel");
        for (value, anomalous) in values.iter().zip(mask) {
            self.buffer.push((ordered_bits(*value), *anomalous));
            if self.buffer.len() == BUFFER {
                self.merge();
            }
        }
    }

    /// [`auroc`](super::auroc) of all pixels so far.
    pub fn auroc(&mut self) -> Option<f64> {
        self.merge();
        let (mut below, mut normal_before, mut anomalous) = (0.0_f64, 0.0_f64, 0.0_f64);
        for counted in &self.counted {
            let (positives, negatives) = (f64::from(counted.anomalous), f64::from(counted.normal));
            below += positives * (normal_before + 0.5 * negatives);
            normal_before += negatives;
            anomalous += positives;
        }
        (anomalous > 0.0 && normal_before > 0.0).then(|| below / (anomalous * normal_before))
    }

    fn merge(&mut self) {
        self.buffer.sort_unstable();
        let new: Vec<Counted> = self
            .buffer
            .chunk_by(|a, b| a.0 == b.0)
            .map(|same| {
                // Normal sorts before anomalous.
                let normal = same.partition_point(|(_, anomalous)| !anomalous);
                Counted { key: same[0].0, anomalous: (same.len() - normal) as u32, normal: normal as u32 }
            })
            .collect();
        self.buffer.clear();
        let old = std::mem::take(&mut self.counted);
        self.counted.reserve_exact(old.len() + new.len());
        let (mut old, mut new) = (old.into_iter().peekable(), new.into_iter().peekable());
        while let Some(counted) = match (old.peek(), new.peek()) {
            (Some(a), Some(b)) if b.key < a.key => new.next(),
            (Some(_), _) => old.next(),
            (None, _) => new.next(),
        } {
            match self.counted.last_mut() {
                Some(last) if last.key == counted.key => {
                    last.anomalous = last.anomalous.saturating_add(counted.anomalous);
                    last.normal = last.normal.saturating_add(counted.normal);
                }
                _ => self.counted.push(counted),
            }
        }
    }
}

/// Bits that sort as the values do.
fn ordered_bits(value: f32) -> u32 {
    // Both zeros are the same value.
    let bits = (value + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}
