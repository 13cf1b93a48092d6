//! Walking over replies: where one ends, and what a whole number among them says.
//!
//! Replies of the shards of one command are merged as bytes; this is all that has to be read of
//! them. They are our own, so a malformed one is a broken promise, not bad input.

use memchr::memchr;

/// The position behind the reply that starts at `at`.
pub fn skip_reply(bytes: &[u8], at: usize) -> usize {
    let mut at = at;
    let mut left = 1u64;
    while left > 0 {
        left -= 1;
        let (kind, number, next) = head(bytes, at);
        at = next;
        match kind {
            b'$' | b'=' if number >= 0 => at += number as usize + 2,
            b'*' | b'~' | b'>' if number > 0 => left += number as u64,
            b'%' => left += 2 * number as u64,
            _ => {}
        }
    }
    at
}

/// The number in the head of the first reply: an integer, a length, a count.
pub fn first_integer(bytes: &[u8]) -> i64 {
    head(bytes, 0).1
}

fn head(bytes: &[u8], at: usize) -> (u8, i64, usize) {
    let end = at + memchr(b'\n', &bytes[at..]).expect("a reply of ours has whole lines");
    let digits = &bytes[at + 1..end - 1];
    (
        bytes[at],
        crate::base::number::parse_i64(digits).unwrap_or(-1),
        end + 1,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_end_of_nested_replies() {
        let one = b"*3\r\n$5\r\na\r\nbc\r\n:12\r\n%1\r\n+k\r\n*0\r\n";
        let mut all = one.to_vec();
        all.extend_from_slice(b"$-1\r\n_\r\n");
        assert_eq!(skip_reply(&all, 0), one.len());
        assert_eq!(skip_reply(&all, one.len()), one.len() + 5);
        assert_eq!(skip_reply(&all, one.len() + 5), all.len());
        assert_eq!(first_integer(b":-42\r\n"), -42);
    }
}
