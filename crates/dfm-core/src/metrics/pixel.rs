//! AUROC over the pixels of many pictures, exactly, in bounded memory.

/// Values kept before they are merged into the sorted rest.
const BUFFER: usize = 1 << 21;

/// The pixels of many maps, pooled and ranked together.
///
/// Holds every *different* value once, with how often it was seen: 12 bytes each,
/// beside a buffer of 16 MiB. Exact, ties included; the order of pushes changes
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
        self.auroc_beside(&mut Self::default())
    }

    /// [`auroc`](super::auroc) of the pixels of both, as if pushed to one: pixels
    /// that many rankings share need only be kept once.
    pub fn auroc_beside(&mut self, other: &mut Self) -> Option<f64> {
        self.merge();
        other.merge();
        let (mut below, mut normal_before, mut anomalous) = (0.0_f64, 0.0_f64, 0.0_f64);
        for counted in merged(self.counted.iter().copied(), other.counted.iter().copied()) {
            let (positives, negatives) = (f64::from(counted.anomalous), f64::from(counted.normal));
            below += positives * (normal_before + 0.5 * negatives);
            normal_before += negatives;
            anomalous += positives;
        }
        (anomalous > 0.0 && normal_before > 0.0).then(|| below / (anomalous * normal_before))
    }

    /// Takes over the pixels of `other`, as if they had been pushed here.
    pub fn absorb(&mut self, mut other: Self) {
        self.merge();
        other.merge();
        let (own, others) = (std::mem::take(&mut self.counted), other.counted);
        self.counted = merged(own.into_iter(), others.into_iter()).collect();
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
        self.counted = merged(std::mem::take(&mut self.counted).into_iter(), new.into_iter()).collect();
    }
}

/// Both, sorted together, values of both counted together.
fn merged(
    first: impl Iterator<Item = Counted>,
    second: impl Iterator<Item = Counted>,
) -> impl Iterator<Item = Counted> {
    let (mut first, mut second) = (first.peekable(), second.peekable());
    std::iter::from_fn(move || match (first.peek(), second.peek()) {
        (Some(a), Some(b)) if a.key == b.key => {
            let (a, b) = (first.next()?, second.next()?);
            let (anomalous, normal) =
                (a.anomalous.saturating_add(b.anomalous), a.normal.saturating_add(b.normal));
            Some(Counted { key: a.key, anomalous, normal })
        }
        (Some(a), Some(b)) if b.key < a.key => second.next(),
        (Some(_), _) => first.next(),
        (None, _) => second.next(),
    })
}

/// Bits that sort as the values do.
fn ordered_bits(value: f32) -> u32 {
    // Both zeros are the same value.
    let bits = (value + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}
