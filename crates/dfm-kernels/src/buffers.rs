//! Which part of the arena each feature map lies in, and for how long.

use std::ops::Range;

/// Gives out parts of an arena, and finds out how long the arena must be.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    /// The free parts, in rising order. No part touches the next.
    free: Vec<Range<usize>>,
    len: usize,
}

impl Buffers {
    /// Takes the smallest free part that `len` fits in, or a new one at the end.
    pub(crate) fn take(&mut self, len: usize) -> Range<usize> {
        let fitting = self.free.iter().enumerate().filter(|(_, free)| free.len() >= len);
        if let Some((index, _)) = fitting.min_by_key(|(_, free)| free.len()) {
            let free = &mut self.free[index];
            let taken = free.start..free.start + len;
            free.start = taken.end;
            if free.start == free.end {
                self.free.remove(index);
            }
            return taken;
        }
        let start = match self.free.last() {
            Some(last) if last.end == self.len => last.start,
            _ => self.len,
        };
        self.free.retain(|free| free.start < start);
        self.len = start + len;
        start..self.len
    }

    /// Gives back a part that nothing reads any more.
    pub(crate) fn give(&mut self, part: Range<usize>) {
        let at = self.free.partition_point(|free| free.start < part.start);
        self.free.insert(at, part);
        let mut joined: Vec<Range<usize>> = Vec::with_capacity(self.free.len());
        for free in self.free.drain(..) {
            match joined.last_mut() {
                Some(last) if last.end == free.start => last.end = free.end,
                _ => joined.push(free),
            }
        }
        self.free = joined;
    }

    /// The length that the arena must have.
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_in_use_never_overlap_and_are_used_again() {
        let mut buffers = Buffers::default();
        let [first, second, third] = [10, 20, 5].map(|len| buffers.take(len));
        assert_eq!((first.clone(), second.clone(), third.clone()), (0..10, 10..30, 30..35));
        buffers.give(first);
        buffers.give(second);
        assert_eq!(buffers.take(25), 0..25);
        assert_eq!(buffers.take(5), 25..30);
        buffers.give(third);
        assert_eq!(buffers.take(8), 30..38, "the free end grows");
        assert_eq!(buffers.len(), 38);
    }
}
