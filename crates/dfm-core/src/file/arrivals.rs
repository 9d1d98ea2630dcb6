//! Tensors of a file that one thread reads and others wait for.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytemuck::cast_slice_mut;
use safetensors::tensor::Dtype;

/// How long a thread sleeps before it looks for work of its pool: long enough for another thread to take the
/// reading. A tensor that arrives wakes it.
const PAUSE: Duration = Duration::from_micros(200);

/// The values of a tensor.
pub(super) enum Values {
    /// Values of any other type, as they lie in the file.
    Bytes(Vec<u8>),
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl Values {
    /// Zeros for so many bytes of a file.
    pub(super) fn zeros(dtype: Dtype, bytes: usize) -> Self {
        match dtype {
            Dtype::F32 => Self::F32(vec![0.0; bytes / 4]),
            Dtype::F64 => Self::F64(vec![0.0; bytes / 8]),
            _ => Self::Bytes(vec![0; bytes]),
        }
    }

    /// Where the bytes of the file go.
    pub(super) fn as_bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::F32(values) => cast_slice_mut(values),
            Self::F64(values) => cast_slice_mut(values),
        }
    }

    /// The values, after their bytes came from a file, where the smallest is the first.
    pub(super) fn in_native_order(mut self) -> Self {
        if cfg!(target_endian = "big") {
            match &mut self {
                Self::Bytes(_) => {}
                Self::F32(values) => {
                    values.iter_mut().for_each(|it| *it = f32::from_bits(it.to_bits().swap_bytes()))
                }
                Self::F64(values) => {
                    values.iter_mut().for_each(|it| *it = f64::from_bits(it.to_bits().swap_bytes()))
                }
            }
        }
        self
    }
}

/// Tensors by their names, while they arrive.
#[derive(Default)]
pub(super) struct Arrivals {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    tensors: HashMap<String, Values>,
    /// Whether nothing arrives any more.
    is_closed: bool,
}

impl Arrivals {
    /// Hands a tensor to those who wait for it.
    pub(super) fn put(&self, name: String, values: Values) {
        self.lock().tensors.insert(name, values);
        self.changed.notify_all();
    }

    /// Says that nothing arrives any more as soon as the result is dropped, whatever happens until then.
    pub(super) fn closing(&self) -> Closing<'_> {
        Closing(self)
    }

    /// What `find` finds among the tensors once `name` is there; `None` if it never arrives, or `find` finds
    /// nothing. If it does not arrive soon, the thread does other work of its pool meanwhile. The reading
    /// itself is among that work if no other thread of the pool has begun it.
    pub(super) fn wait<T>(
        &self,
        name: &str,
        find: impl FnOnce(&mut HashMap<String, Values>) -> Option<T>,
    ) -> Option<T> {
        let is_missing = |state: &mut State| !state.is_closed && !state.tensors.contains_key(name);
        let mut state = self.lock();
        while is_missing(&mut state) {
            let waited = self.changed.wait_timeout_while(state, PAUSE, is_missing);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if is_missing(&mut state) {
                drop(state);
                rayon::yield_now();
                state = self.lock();
            }
        }
        find(&mut state.tensors)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes [`Arrivals`] when it is dropped.
pub(super) struct Closing<'a>(&'a Arrivals);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The only thread of a pool must do the reading itself while it waits for it.
    #[test]
    fn a_pool_of_one_thread_reads_while_it_waits() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
        let arrivals = Arrivals::default();
        let found = pool.install(|| {
            rayon::in_place_scope(|scope| {
                scope.spawn(|_| {
                    let _closed = arrivals.closing();
                    arrivals.put("a".to_owned(), Values::F32(vec![1.0]));
                });
                let take = |name: &'static str| arrivals.wait(name, |tensors| tensors.remove(name));
                // The second never arrives, and the first is taken only once.
                [take("a"), take("b"), take("a")].map(|values| values.is_some())
            })
        });
        assert_eq!(found, [true, false, false]);
    }

    #[test]
    fn who_waits_hears_of_a_reader_that_failed() {
        let arrivals = Arrivals::default();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| arrivals.wait("a", |tensors| tensors.remove("a")).is_none());
            drop(arrivals.closing());
            assert!(waiting.join().expect("no panic"));
        });
    }
}
