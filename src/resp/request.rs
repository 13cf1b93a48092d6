//! Requests, written: what clients, logs, masters and replicas send.
//!
//! Source: the Redis serialization protocol specification; a request is an array of bulk strings.

/// A line with a number, in one piece where that has one or two digits.
#[inline(always)]
pub fn put_number_line(kind: u8, number: u64, out: &mut Vec<u8>) {
    let digit = |number: u64| b'0' + number as u8;
    match number {
        0..=9 => out.extend_from_slice(&[kind, digit(number), b'\r', b'\n']),
        10..=99 => {
            let line = [kind, digit(number / 10), digit(number % 10), b'\r', b'\n'];
            out.extend_from_slice(&line);
        }
        _ => put_long_line(kind, number, out),
    }
}

#[inline(never)]
fn put_long_line(kind: u8, number: u64, out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// A bulk string.
#[inline]
pub fn put_word(word: &[u8], out: &mut Vec<u8>) {
    put_number_line(b'$', word.len() as u64, out);
    out.extend_from_slice(word);
    out.extend_from_slice(b"\r\n");
}

/// A whole request.
pub fn put_request<'w>(words: impl ExactSizeIterator<Item = &'w [u8]>, out: &mut Vec<u8>) {
    put_number_line(b'*', words.len() as u64, out);
    for word in words {
        put_word(word, out);
    }
}

/// A whole request, by itself.
pub fn request(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_request(words.iter().copied(), &mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_any_number_of_digits_are_written_alike() {
        for number in [0, 9, 10, 99, 100, 12_345, u64::MAX] {
            let mut line = Vec::new();
            put_number_line(b'$', number, &mut line);
            assert_eq!(line, format!("${number}\r\n").into_bytes());
        }
        let (long, expected) = (vec![b'x'; 10], b"*2\r\n$0\r\n\r\n$10\r\nxxxxxxxxxx\r\n");
        assert_eq!(request(&[b"", &long]), expected);
    }
}
