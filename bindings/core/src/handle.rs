//! Handles: numbers that stand for objects on the other side of a bridge.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use veriface::{Error, ErrorCode, Result, Template, Verifier, VerifierSession};

use crate::picture::Picture;

/// The verifiers in use.
pub static VERIFIERS: Handles<Verifier> = Handles::new();
/// The templates in use.
pub static TEMPLATES: Handles<Template> = Handles::new();
/// The decoded pictures in use.
pub static PICTURES: Handles<Picture> = Handles::new();
/// The camera sessions in use; a session changes from frame to frame, so one call at a time has it.
pub static SESSIONS: Handles<Mutex<VerifierSession>> = Handles::new();

/// How many objects of every kind are open: what a test for leaks looks at.
pub fn open_handles() -> usize {
    VERIFIERS.count() + TEMPLATES.count() + PICTURES.count() + SESSIONS.count()
}

/// Objects of one kind by their handles.
///
/// A handle is never 0, never used again and never one of another kind, so a stale or foreign one is an error and nothing else. An object
/// that is closed while another thread uses it lives until that call ends.
pub struct Handles<T> {
    open: Mutex<BTreeMap<u64, Arc<T>>>,
}

/// The next handle of any kind. At a million a second it would last for 290,000 years within Java's positive numbers.
static NEXT: AtomicU64 = AtomicU64::new(1);

impl<T> Handles<T> {
    /// None yet.
    pub const fn new() -> Handles<T> {
        Handles { open: Mutex::new(BTreeMap::new()) }
    }

    /// Takes the object in and gives its handle.
    pub fn open(&self, object: T) -> u64 {
        let handle = NEXT.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(handle, Arc::new(object));
        handle
    }

    /// The object, to be used for one call.
    ///
    /// # Errors
    /// [`ErrorCode::Closed`].
    pub fn get(&self, handle: u64) -> Result<Arc<T>> {
        self.lock().get(&handle).cloned().ok_or_else(|| Error::new(ErrorCode::Closed, ""))
    }

    /// Lets go of the object. Closing what is closed does nothing.
    pub fn close(&self, handle: u64) {
        let object = self.lock().remove(&handle);
        // Dropped here, with the lock free: others need not wait for a network's memory to be given back.
        drop(object);
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// The map is whole between any two of its operations, so a panic elsewhere leaves nothing to fear.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<T>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Handles<T> {
    fn default() -> Handles<T> {
        Handles::new()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    struct Counted<'a>(&'a AtomicUsize);

    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn closing_twice_is_harmless_and_use_afterwards_an_error() {
        let handles = Handles::new();
        let handle = handles.open("one");
        assert_eq!(*handles.get(handle).unwrap(), "one");
        handles.close(handle);
        handles.close(handle);
        for stale in [handle, 0, u64::MAX] {
            assert_eq!(handles.get(stale).unwrap_err().code(), ErrorCode::Closed);
        }
        assert_ne!(handles.open("two"), handle);
    }

    #[test]
    fn a_handle_of_another_kind_is_an_error() {
        let (numbers, words) = (Handles::new(), Handles::new());
        let number = numbers.open(1);
        words.open("one");
        assert_eq!(words.get(number).unwrap_err().code(), ErrorCode::Closed);
    }

    /// tensorflower/seetaFace6Python 53: threads that use, close and close again.
    #[test]
    fn threads_close_what_others_use() {
        let alive = AtomicUsize::new(0);
        let handles = Handles::new();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        alive.fetch_add(1, Ordering::SeqCst);
                        let handle = handles.open(Counted(&alive));
                        let used = handles.get(handle).unwrap();
                        std::thread::scope(|inner| {
                            if handle.is_multiple_of(64) {
                                inner.spawn(|| handles.close(handle));
                            }
                            handles.close(handle);
                        });
                        assert!(used.0.load(Ordering::SeqCst) > 0);
                    }
                });
            }
        });
        assert_eq!((handles.count(), alive.load(Ordering::SeqCst)), (0, 0));
    }
}
