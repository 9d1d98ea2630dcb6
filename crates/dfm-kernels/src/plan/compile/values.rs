//! Where values lie in the arena, and until when.

use crate::buffers::Buffers;
use crate::layout::{Map, Placed};

/// A value in the arena.
#[derive(Debug, Clone)]
pub(super) struct Value {
    pub(super) placed: Placed,
    /// The part of the arena, among those that were taken. Several values may lie in one part.
    part: usize,
}

/// All values that have been computed.
#[derive(Debug, Default)]
pub(super) struct Values {
    buffers: Buffers,
    /// For each node.
    values: Vec<Option<Value>>,
    /// For each part of the arena that was taken, how often it will still be read.
    reads: Vec<usize>,
}

impl Values {
    /// No value of so many nodes.
    pub(super) fn new(nodes: usize) -> Self {
        Self { values: vec![None; nodes], ..Self::default() }
    }

    /// The value of a node, once it was computed.
    pub(super) fn get(&self, node: usize) -> Option<&Value> {
        self.values[node].as_ref()
    }

    /// A new part of the arena for a map.
    pub(super) fn take(&mut self, map: Map) -> Value {
        self.take_len(map, map.len())
    }

    /// A new part of the arena of so many [`Lanes`](crate::layout::Lanes).
    pub(super) fn take_len(&mut self, map: Map, len: usize) -> Value {
        let placed = Placed { at: self.buffers.take(len), map };
        self.reads.push(0);
        Value { placed, part: self.reads.len() - 1 }
    }

    /// Whether the value of `node` will be read once more, so that its last reader can write its own
    /// value there.
    pub(super) fn is_read_once(&self, node: usize) -> bool {
        self.get(node).is_some_and(|value| self.reads[value.part] == 1)
    }

    /// The part of the value of `node`, for a value of its last reader with as many pixels.
    pub(super) fn reuse(&self, node: usize, map: Map) -> Option<Value> {
        let value = self.get(node)?;
        let fits = value.placed.map.len() == map.len();
        fits.then(|| Value { placed: Placed { at: value.placed.at.clone(), map }, part: value.part })
    }

    /// Notes that `node` has this value, which will be read so often.
    pub(super) fn put(&mut self, node: usize, value: Value, reads: usize) {
        self.reads[value.part] += reads;
        self.values[node] = Some(value);
    }

    /// Notes that a value of `node` will be read so often, and gives back the part of one that nothing
    /// reads. Only a value that is read is kept as that of `node`.
    pub(super) fn put_beside(&mut self, node: usize, value: Value, reads: usize) {
        if reads > 0 {
            self.put(node, value, reads);
        } else {
            self.give_part(&value);
        }
    }

    /// Notes that a step has read the value of `node`.
    pub(super) fn read(&mut self, node: usize) {
        if let Some(value) = &self.values[node] {
            self.reads[value.part] -= 1;
        }
    }

    /// Gives the part of `node`'s value back if nothing reads it any more.
    pub(super) fn give_unread(&mut self, node: usize) {
        if let Some(value) = self.values[node].clone() {
            self.give_part(&value);
        }
    }

    fn give_part(&mut self, value: &Value) {
        let reads = &mut self.reads[value.part];
        if *reads == 0 {
            self.buffers.give(value.placed.at.clone());
            // It is given back once, whichever of its values is the last.
            *reads = usize::MAX;
        }
    }

    /// Gives back a part that belongs to no node's value.
    pub(super) fn give(&mut self, value: Value) {
        self.buffers.give(value.placed.at);
    }

    /// The length that the arena must have.
    pub(super) fn len(&self) -> usize {
        self.buffers.len()
    }
}
