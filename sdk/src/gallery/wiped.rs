//! Memory that grows without leaving copies behind.

use zeroize::{Zeroize, Zeroizing};

/// Makes room for `more` values. A vector that grows by itself leaves its old memory as it was; this one is wiped.
pub(super) fn make_room<T: Zeroize + Copy>(values: &mut Zeroizing<Vec<T>>, more: usize) {
    if values.capacity() - values.len() < more {
        let mut larger = Vec::with_capacity((values.len() + more).max(2 * values.capacity()));
        larger.extend_from_slice(values);
        // The old memory is dropped here, and wiped by that.
        *values = Zeroizing::new(larger);
    }
}

/// Wipes what lies from `length` on, and cuts it off.
pub(super) fn cut<T: Zeroize>(values: &mut Zeroizing<Vec<T>>, length: usize) {
    values.iter_mut().skip(length).for_each(Zeroize::zeroize);
    values.truncate(length);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_made_and_values_stay() {
        let mut values = Zeroizing::new(vec![1f32, 2.0]);
        for more in 0..100 {
            make_room(&mut values, more);
            assert!(values.capacity() - values.len() >= more);
            assert_eq!(values[..], [1.0, 2.0]);
        }
        cut(&mut values, 1);
        assert_eq!(values[..], [1.0]);
        cut(&mut values, 5);
        assert_eq!(values[..], [1.0]);
    }
}
