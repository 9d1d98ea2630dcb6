//! What a model has for every layer at every place.

/// One value for each layer at each place: place by place, and in each in the order of the
/// layers. There is at least one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parts<T> {
    layers: usize,
    values: Vec<T>,
}

impl<T> Parts<T> {
    /// `None` unless there are values, as many for each place as there are `layers`.
    pub(crate) fn new(layers: usize, values: Vec<T>) -> Option<Self> {
        let whole = layers > 0 && !values.is_empty() && values.len().is_multiple_of(layers);
        whole.then_some(Self { layers, values })
    }

    /// The same layers and places with what `change` makes of each value.
    pub(crate) fn map<U>(self, change: impl FnMut(T) -> U) -> Parts<U> {
        Parts { layers: self.layers, values: self.values.into_iter().map(change).collect() }
    }

    /// How many places there are.
    pub(crate) fn place_count(&self) -> usize {
        self.values.len() / self.layers
    }

    /// How many layers there are at each.
    pub(crate) fn layer_count(&self) -> usize {
        self.layers
    }

    /// The layers of each place.
    pub(crate) fn places(&self) -> impl ExactSizeIterator<Item = &[T]> {
        self.values.chunks_exact(self.layers)
    }

    /// The layers of each place, to be changed.
    pub(crate) fn places_mut(&mut self) -> impl ExactSizeIterator<Item = &mut [T]> {
        self.values.chunks_exact_mut(self.layers)
    }

    /// The layers of one place.
    ///
    /// # Panics
    ///
    /// If there is no such place.
    pub(crate) fn place(&self, place: usize) -> &[T] {
        &self.values[place * self.layers..][..self.layers]
    }

    /// The value of a layer at a place.
    ///
    /// # Panics
    ///
    /// If there is no such place or layer.
    pub(crate) fn get(&self, place: usize, layer: usize) -> &T {
        &self.place(place)[layer]
    }

    /// Every value, place by place.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, T> {
        self.values.iter()
    }

    /// The first place that has a value for which `is_so` is true.
    pub(crate) fn place_where(&self, is_so: impl FnMut(&T) -> bool) -> Option<usize> {
        self.values.iter().position(is_so).map(|index| index / self.layers)
    }

    /// Every value, place by place.
    pub(crate) fn as_slice(&self) -> &[T] {
        &self.values
    }

    /// Changes every value, or returns the first error.
    pub(crate) fn try_map<U, E>(self, change: impl FnMut(T) -> Result<U, E>) -> Result<Parts<U>, E> {
        let values = self.values.into_iter().map(change).collect::<Result<_, E>>()?;
        Ok(Parts { layers: self.layers, values })
    }

    /// The same layers and places, with what `change` makes of each value.
    pub(crate) fn map_ref<U>(&self, change: impl FnMut(&T) -> U) -> Parts<U> {
        Parts { layers: self.layers, values: self.values.iter().map(change).collect() }
    }

    /// The same layers and places, with references to the values.
    pub(crate) fn each_ref(&self) -> Parts<&T> {
        Parts { layers: self.layers, values: self.values.iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_place_by_place() {
        let parts = Parts::new(2, vec!["a1", "a2", "b1", "b2", "c1", "c2"]).unwrap();
        assert_eq!((parts.place_count(), parts.layer_count()), (3, 2));
        assert_eq!(parts.place(1), ["b1", "b2"]);
        assert_eq!(*parts.get(2, 1), "c2");
        assert_eq!(parts.places().nth(2), Some(&["c1", "c2"][..]));
        assert_eq!(parts.place_where(|value| value.ends_with('2')), Some(0));
        assert_eq!(parts.place_where(|value| *value == "c1"), Some(2));
        let lengths = parts.each_ref().try_map(|value| Ok::<_, ()>(value.len())).unwrap();
        assert_eq!(lengths, Parts::new(2, vec![2; 6]).unwrap());
        assert_eq!(parts.try_map(|value| value.parse::<usize>().map_err(|_| value)), Err("a1"));
    }

    #[test]
    fn a_place_without_all_of_its_layers_is_none() {
        assert_eq!(Parts::new(2, vec![1, 2, 3]), None);
        assert_eq!(Parts::<u8>::new(2, Vec::new()), None);
        assert_eq!(Parts::new(0, vec![1]), None);
    }
}
