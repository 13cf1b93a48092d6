//! Words of a configuration line: splitting with Redis's quoting rules, and writing them back.
//!
//! Redis has one grammar for redis.conf lines, inline commands and redis-cli input: words are
//! separated by blanks, "double quotes" know escapes (`\n`, `\x41`), 'single quotes' only `\'`, and
//! a closing quote must be followed by a blank. `quoted` is the inverse that CONFIG REWRITE uses.
//! Bytes in, bytes out: passwords and paths need not be UTF-8.

/// The words of a line, or `None` when its quotes do not balance.
pub fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut at = 0;
    loop {
        while line.get(at).is_some_and(|&byte| is_blank(byte)) {
            at += 1;
        }
        if at == line.len() {
            return Some(words);
        }
        let (word, end) = word(line, at)?;
        words.push(word);
        at = end;
    }
}

/// The value of a CONFIG SET with several parts: Redis splits it at single blanks, unquoted.
pub fn split_at_blanks(value: &[u8]) -> Vec<Vec<u8>> {
    if value.is_empty() {
        return Vec::new();
    }
    value
        .split(|&byte| byte == b' ')
        .map(<[u8]>::to_vec)
        .collect()
}

/// A value in double quotes, with everything unprintable escaped.
pub fn quoted(value: &[u8]) -> Vec<u8> {
    let mut out = vec![b'"'];
    for &byte in value {
        match byte {
            b'\\' | b'"' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            7 => out.extend(b"\\a"),
            8 => out.extend(b"\\b"),
            b' '..=b'~' => out.push(byte),
            _ => out.extend(format!("\\x{byte:02x}").bytes()),
        }
    }
    out.push(b'"');
    out
}

/// Words as a line, quoted only where reading would not return them otherwise.
pub fn list(words: &[Vec<u8>]) -> Vec<u8> {
    match words {
        [] => quoted(b""),
        // A single word is taken apart once more when it is read.
        [one] if !is_plain(one) => quoted(&quoted(one)),
        words => words
            .iter()
            .map(|word| plain_or_quoted(word))
            .collect::<Vec<_>>()
            .join(&b' '),
    }
}

/// A word as it is, or in quotes if it needs them.
pub fn plain_or_quoted(word: &[u8]) -> Vec<u8> {
    if is_plain(word) {
        word.to_vec()
    } else {
        quoted(word)
    }
}

fn is_plain(word: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_graphic() && !b"\"'\\".contains(byte);
    !word.is_empty() && word.iter().all(plain)
}

/// Without the blanks that Redis trims from both ends of a line.
pub fn trim(line: &[u8]) -> &[u8] {
    let blank = |byte: &u8| b" \t\r\n".contains(byte);
    let Some(start) = line.iter().position(|byte| !blank(byte)) else {
        return &[];
    };
    let end = line
        .iter()
        .rposition(|byte| !blank(byte))
        .expect("a first one has a last one");
    &line[start..=end]
}

/// C's `isspace` in the C locale.
fn is_blank(byte: u8) -> bool {
    byte == b' ' || (9..=13).contains(&byte)
}

fn word(line: &[u8], mut at: usize) -> Option<(Vec<u8>, usize)> {
    let mut word = Vec::new();
    loop {
        match line.get(at) {
            None | Some(b' ' | b'\n' | b'\r' | b'\t') => return Some((word, at)),
            Some(b'"') => {
                at = double_quoted(line, at + 1, &mut word)?;
                return Some((word, at));
            }
            Some(b'\'') => {
                at = single_quoted(line, at + 1, &mut word)?;
                return Some((word, at));
            }
            Some(&byte) => {
                word.push(byte);
                at += 1;
            }
        }
    }
}

fn double_quoted(line: &[u8], mut at: usize, word: &mut Vec<u8>) -> Option<usize> {
    loop {
        match line[at..] {
            [] => return None,
            [b'\\', b'x', high, low, ..] if is_hex(high) && is_hex(low) => {
                word.push((nibble(high) << 4) | nibble(low));
                at += 4;
            }
            [b'\\', escaped, ..] => {
                word.push(unescaped(escaped));
                at += 2;
            }
            [b'"', ..] => return closed(line, at + 1),
            [byte, ..] => {
                word.push(byte);
                at += 1;
            }
        }
    }
}

fn single_quoted(line: &[u8], mut at: usize, word: &mut Vec<u8>) -> Option<usize> {
    loop {
        match line[at..] {
            [] => return None,
            [b'\\', b'\'', ..] => {
                word.push(b'\'');
                at += 2;
            }
            [b'\'', ..] => return closed(line, at + 1),
            [byte, ..] => {
                word.push(byte);
                at += 1;
            }
        }
    }
}

/// A closing quote counts only at the end of a word.
fn closed(line: &[u8], at: usize) -> Option<usize> {
    line.get(at)
        .is_none_or(|&byte| is_blank(byte))
        .then_some(at)
}

fn unescaped(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'a' => 7,
        other => other,
    }
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

fn nibble(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        _ => byte.to_ascii_lowercase() - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<&[&str]>) {
        let expected = expected.map(|words| words.iter().map(|w| w.as_bytes().to_vec()).collect());
        assert_eq!(split(line.as_bytes()), expected, "{line:?}");
    }

    #[test]
    fn splits_like_redis() {
        check("", Some(&[]));
        check("  \t ", Some(&[]));
        check("a b\tc", Some(&["a", "b", "c"]));
        check(r#"save """#, Some(&["save", ""]));
        check(r#"a "b c" d"#, Some(&["a", "b c", "d"]));
        check(r#"a"b c" d"#, Some(&["ab c", "d"]));
        check(r#""\x41\n\"\q""#, Some(&["A\n\"q"]));
        check(r#""\xzz""#, Some(&["xzz"]));
        check(r"'a\'b\n'", Some(&[r"a'b\n"]));
        check(r#""abc"#, None);
        check(r#""abc"d"#, None);
        check("'abc", None);
        check("'abc'd", None);
        check("\"abc\"\x0bd", Some(&["abc", "d"]));
    }

    #[test]
    fn quoting_is_undone_by_splitting() {
        let every: Vec<u8> = (0..=255).collect();
        assert_eq!(split(&quoted(&every)), Some(vec![every]));
        assert_eq!(quoted(b"x\x01\"y"), br#""x\x01\"y""#);
    }

    #[test]
    fn blanks_split_without_quotes() {
        assert_eq!(split_at_blanks(b""), Vec::<Vec<u8>>::new());
        assert_eq!(split_at_blanks(b"1 "), vec![b"1".to_vec(), b"".to_vec()]);
    }

    #[test]
    fn trims_both_ends() {
        assert_eq!(trim(b"\t a b\r\n"), b"a b");
        assert_eq!(trim(b" \r"), b"");
    }
}
