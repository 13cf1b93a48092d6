//! Telnet-style requests: a line of words, with quotes as redis-cli writes them.
//!
//! Double quotes know the escapes `\n \r \t \b \a \xHH` and any escaped byte; single quotes know
//! only `\'`. A closing quote must be followed by a blank or the end of the line. The same rules
//! serve configuration files.

/// Splits a line into words; `None` when quotes do not balance.
pub fn split_line(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        let skipped = rest.iter().take_while(|byte| is_blank(**byte)).count();
        rest = &rest[skipped..];
        if rest.is_empty() {
            return Some(words);
        }
        let (word, left) = take_word(rest)?;
        words.push(word);
        rest = left;
    }
}

fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b || byte == 0
}

fn take_word(line: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    let mut rest = line;
    while let Some((&byte, left)) = rest.split_first() {
        rest = match byte {
            b'"' => return close(word, left, take_double_quoted),
            b'\'' => return close(word, left, take_single_quoted),
            byte if is_blank(byte) => return Some((word, rest)),
            byte => {
                word.push(byte);
                left
            }
        };
    }
    Some((word, rest))
}

type TakeQuoted = fn(&mut Vec<u8>, &[u8]) -> Option<usize>;

/// Takes a quoted part, which has to end its word.
fn close(mut word: Vec<u8>, quoted: &[u8], take: TakeQuoted) -> Option<(Vec<u8>, &[u8])> {
    let used = take(&mut word, quoted)?;
    let rest = &quoted[used..];
    rest.first()
        .is_none_or(|byte| is_blank(*byte))
        .then_some((word, rest))
}

fn take_single_quoted(word: &mut Vec<u8>, line: &[u8]) -> Option<usize> {
    let mut i = 0;
    loop {
        match *line.get(i)? {
            b'\\' if line.get(i + 1) == Some(&b'\'') => {
                word.push(b'\'');
                i += 2;
            }
            b'\'' => return Some(i + 1),
            byte => {
                word.push(byte);
                i += 1;
            }
        }
    }
}

fn take_double_quoted(word: &mut Vec<u8>, line: &[u8]) -> Option<usize> {
    let mut i = 0;
    loop {
        match *line.get(i)? {
            b'\\' => {
                let (byte, used) = unescape(&line[i + 1..])?;
                word.push(byte);
                i += 1 + used;
            }
            b'"' => return Some(i + 1),
            byte => {
                word.push(byte);
                i += 1;
            }
        }
    }
}

fn unescape(line: &[u8]) -> Option<(u8, usize)> {
    let hex = |i: usize| line.get(i).and_then(|byte| char::from(*byte).to_digit(16));
    if let (Some(b'x'), Some(high), Some(low)) = (line.first(), hex(1), hex(2)) {
        return Some(((high * 16 + low) as u8, 3));
    }
    let byte = match *line.first()? {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'a' => 7,
        byte => byte,
    };
    Some((byte, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<&[&str]>) {
        let words = split_line(line.as_bytes());
        let expected = expected.map(|words| {
            words
                .iter()
                .map(|word| word.as_bytes().to_vec())
                .collect::<Vec<_>>()
        });
        assert_eq!(words, expected, "{line}");
    }

    #[test]
    fn words_and_quotes() {
        check("", Some(&[]));
        check("  SET  a b ", Some(&["SET", "a", "b"]));
        check(r#"SET "a b" 'c d'"#, Some(&["SET", "a b", "c d"]));
        check(r#""\x41\n\\\"" 'it\'s'"#, Some(&["A\n\\\"", "it's"]));
        check(r#""\xzz""#, Some(&["xzz"]));
        check(r#"pre"quoted""#, Some(&["prequoted"]));
        check(r#""closed"x"#, None);
        check(r#""open"#, None);
        check("'open", None);
        check(r#""escape at end\"#, None);
    }
}
