//! Taking what has gathered in a vector, and leaving one with room for as much again.
//!
//! What is handed over at the end of every turn of a loop is usually about as much as at the end of
//! the turn before. A vector that begins with nothing each time is moved five or six times until it
//! has grown to that.

use std::mem::{replace, size_of};

/// The most for which room is left, in bytes.
const ROOM_BYTES_MAX: usize = 64 * 1024;
/// The least, in elements: what a vector would begin with.
const ROOM_MIN: usize = 4;

/// Takes all of a vector; the one that is left has room for as much, if it was not too much.
#[inline]
pub fn take_leaving_room<T>(gathered: &mut Vec<T>) -> Vec<T> {
    if gathered.is_empty() {
        return Vec::new();
    }
    let most = ROOM_BYTES_MAX / size_of::<T>().max(1);
    // A power of two is seldom too little the next time.
    let room = gathered.len().next_power_of_two().max(ROOM_MIN).min(most);
    replace(gathered, Vec::with_capacity(room))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_again_has_room_but_not_a_burst() {
        let mut gathered = vec![7_u64; 100];
        assert_eq!(take_leaving_room(&mut gathered), vec![7; 100]);
        assert_eq!((gathered.len(), gathered.capacity()), (0, 128));
        gathered.resize(1_000_000, 7);
        assert_eq!(take_leaving_room(&mut gathered).len(), 1_000_000);
        assert_eq!(gathered.capacity(), ROOM_BYTES_MAX / 8);
        assert!(take_leaving_room(&mut gathered).is_empty());
        gathered.push(1);
        assert_eq!(take_leaving_room(&mut gathered), [1]);
        assert_eq!(gathered.capacity(), ROOM_MIN);
    }
}
