//! A Rust file as the house rules see it: raw lines, and the same text with everything blanked
//! that is not code.
//!
//! Comments and the insides of strings become spaces, byte for byte, so that a position in `code`
//! is a position in `text`. Test modules are blanked too in `shipped`, because most rules are for
//! what runs in production only. This is a lexer for well-formatted code (rustfmt is a rule of its
//! own), not a parser.

/// One file with its derived views.
pub struct Source {
    /// Path below the repository, with forward slashes.
    pub path: String,
    pub text: String,
    /// Comments and string contents blanked.
    pub code: String,
    /// `code` without test modules; empty for a file of tests.
    pub shipped: String,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Source {
        let code = blank_prose(text);
        let shipped = if is_test_file(path) {
            String::new()
        } else {
            blank_tests(&code)
        };
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
            code,
            shipped,
        }
    }

    /// The folder directly below `src/`, if the file is in one.
    pub fn part(&self) -> Option<&str> {
        let (part, _) = self.path.strip_prefix("src/")?.split_once('/')?;
        Some(part)
    }

    /// The command family of a file below `src/commands/<family>/`.
    pub fn family(&self) -> Option<&str> {
        let (family, _) = self.path.strip_prefix("src/commands/")?.split_once('/')?;
        Some(family)
    }

    /// The line number, from 1, of a byte position.
    pub fn line_at(&self, position: usize) -> usize {
        self.text[..position].matches('\n').count() + 1
    }

    /// Every place in the shipped code where `word` stands alone.
    pub fn words(&self, word: &str) -> Vec<usize> {
        words(&self.shipped, word)
    }
}

/// Tests that live in files of their own.
fn is_test_file(path: &str) -> bool {
    path.starts_with("tests/") || path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// Every place where `word` stands alone in `code`.
pub fn words(code: &str, word: &str) -> Vec<usize> {
    let bytes = code.as_bytes();
    let free = |at: usize| !bytes.get(at).is_some_and(|b| is_word(*b));
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(|&at| (at == 0 || free(at - 1)) && free(at + word.len()))
        .collect()
}

pub fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Replaces comments and the contents of string and character literals by spaces.
fn blank_prose(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = prose_end(bytes, at);
        match end {
            Some(end) => {
                blank(&mut out[at..end]);
                at = end;
            }
            None => at += 1,
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

fn blank(bytes: &mut [u8]) {
    for byte in bytes {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

/// Where the comment or literal that starts at `at` ends; none if code stands there.
fn prose_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    match rest[0] {
        b'/' if rest.starts_with(b"//") => Some(at + until(rest, b"\n", 0)),
        b'/' if rest.starts_with(b"/*") => Some(block_comment_end(bytes, at)),
        b'"' => Some(quoted_end(bytes, at + 1, b'"')),
        b'r' if at == 0 || !is_word(bytes[at - 1]) || bytes[at - 1] == b'b' => {
            raw_string_end(bytes, at)
        }
        b'\'' if rest.get(1) == Some(&b'\\') => Some(quoted_end(bytes, at + 1, b'\'')),
        b'\'' if rest.get(2) == Some(&b'\'') => Some(at + 3),
        _ => None,
    }
}

/// Offset just after the first `needle` at or after `from`, or the end of `rest`.
fn until(rest: &[u8], needle: &[u8], from: usize) -> usize {
    let found = rest[from..].windows(needle.len()).position(|w| w == needle);
    found.map_or(rest.len(), |offset| from + offset)
}

fn block_comment_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0;
    let mut at = start;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn quoted_end(bytes: &[u8], mut at: usize, quote: u8) -> usize {
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

fn raw_string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let hashes = bytes[at + 1..].iter().take_while(|b| **b == b'#').count();
    if bytes.get(at + 1 + hashes) != Some(&b'"') {
        return None;
    }
    let close = [&b"\""[..], &vec![b'#'; hashes]].concat();
    Some((until(bytes, &close, at + 2 + hashes) + close.len()).min(bytes.len()))
}

/// Blanks every `#[cfg(test)] mod name { ... }` and single test-only items.
fn blank_tests(code: &str) -> String {
    let mut out = code.as_bytes().to_vec();
    for (start, _) in code.match_indices("#[cfg(test)]") {
        let end = item_end(code.as_bytes(), start + "#[cfg(test)]".len());
        blank(&mut out[start..end]);
    }
    String::from_utf8(out).expect("blanking keeps UTF-8 valid")
}

/// The end of the item that follows: its `;`, or the brace that closes its body.
pub fn item_end(bytes: &[u8], from: usize) -> usize {
    let mut depth = 0usize;
    for (at, byte) in bytes.iter().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b';' if depth == 0 => return at + 1,
            b'{' if depth == 0 => return brace_end(bytes, at),
            _ => {}
        }
    }
    bytes.len()
}

/// The position after the brace that matches the one at `open`.
fn brace_end(bytes: &[u8], open: usize) -> usize {
    let mut depth = 0usize;
    for (at, byte) in bytes.iter().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    bytes.len()
}

/// All paths that begin with `root::`, with groups written out: `crate::{a, b::c}` is
/// `["a"]` and `["b", "c"]`. Each comes with the position of its root.
pub fn paths(code: &str, root: &str) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    for at in words(code, root) {
        let after = at + root.len();
        if code[after..].starts_with("::") {
            let mut trees = Vec::new();
            path_tree(code.as_bytes(), after + 2, &[], &mut trees);
            found.extend(trees.into_iter().map(|path| (at, path)));
        }
    }
    found
}

/// Reads one path tree and returns the position after it.
fn path_tree(bytes: &[u8], at: usize, prefix: &[String], out: &mut Vec<Vec<String>>) -> usize {
    let mut at = skip_space(bytes, at);
    if bytes.get(at) == Some(&b'{') {
        at = skip_space(bytes, at + 1);
        while at < bytes.len() && bytes[at] != b'}' {
            let after = path_tree(bytes, at, prefix, out);
            at = skip_space(bytes, after.max(at + 1));
            if bytes.get(at) == Some(&b',') {
                at = skip_space(bytes, at + 1);
            }
        }
        return at + 1;
    }
    let start = at;
    while at < bytes.len() && (is_word(bytes[at]) || bytes[at] == b'*') {
        at += 1;
    }
    let mut path = prefix.to_vec();
    path.push(String::from_utf8_lossy(&bytes[start..at]).into_owned());
    if bytes[at..].starts_with(b"::") {
        return path_tree(bytes, at + 2, &path, out);
    }
    out.push(path);
    skip_alias(bytes, at)
}

/// Steps over ` as name` inside a group.
fn skip_alias(bytes: &[u8], at: usize) -> usize {
    let next = skip_space(bytes, at);
    if !bytes[next..].starts_with(b"as ") {
        return at;
    }
    let name = skip_space(bytes, next + 3);
    name + bytes[name..].iter().take_while(|b| is_word(**b)).count()
}

pub fn skip_space(bytes: &[u8], at: usize) -> usize {
    at + bytes[at.min(bytes.len())..]
        .iter()
        .take_while(|b| b.is_ascii_whitespace())
        .count()
}

/// One function: where it starts, how long it is, and how many parameters it takes.
pub struct Function {
    pub name: String,
    pub start: usize,
    pub lines: usize,
    pub parameters: usize,
}

/// Every function with a body in `code`.
pub fn functions(code: &str) -> Vec<Function> {
    words(code, "fn")
        .into_iter()
        .filter_map(|at| function_at(code, at))
        .collect()
}

fn function_at(code: &str, start: usize) -> Option<Function> {
    let bytes = code.as_bytes();
    let name_at = skip_space(bytes, start + 2);
    let name_len = bytes[name_at..].iter().take_while(|b| is_word(**b)).count();
    if name_len == 0 {
        return None;
    }
    let open = skip_generics(bytes, name_at + name_len);
    if bytes.get(open) != Some(&b'(') {
        return None;
    }
    let end = item_end(bytes, start);
    Some(Function {
        name: code[name_at..name_at + name_len].to_owned(),
        start,
        lines: code[start..end].matches('\n').count() + 1,
        parameters: parameters(bytes, open),
    })
}

fn skip_generics(bytes: &[u8], at: usize) -> usize {
    let at = skip_space(bytes, at);
    if bytes.get(at) != Some(&b'<') {
        return at;
    }
    let mut depth = 0usize;
    for (i, byte) in bytes.iter().enumerate().skip(at) {
        match byte {
            b'<' => depth += 1,
            b'>' if bytes[i - 1] != b'-' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return skip_space(bytes, i + 1);
        }
    }
    bytes.len()
}

/// Parameters between the parentheses at `open`, without the receiver.
fn parameters(bytes: &[u8], open: usize) -> usize {
    let (mut depth, mut count, mut blank, mut first) = (0i32, 0, true, Vec::new());
    for (i, byte) in bytes.iter().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' | b'<' => depth += 1,
            b'>' if bytes[i - 1] == b'-' => {}
            b')' | b']' | b'}' | b'>' => depth -= 1,
            b',' if depth == 1 => {
                count += usize::from(!blank);
                blank = true;
                continue;
            }
            _ => {}
        }
        if depth == 0 {
            count += usize::from(!blank);
            break;
        }
        if i > open {
            blank &= byte.is_ascii_whitespace();
            if count == 0 {
                first.push(*byte);
            }
        }
    }
    let text = String::from_utf8_lossy(&first).into_owned();
    count
        - usize::from(
            words(&text, "self")
                .first()
                .is_some_and(|_| !text.contains(':')),
        )
}
