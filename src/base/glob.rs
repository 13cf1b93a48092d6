//! Glob matching as Redis understands it: KEYS, SCAN MATCH, PSUBSCRIBE, CONFIG GET, ACL patterns.
//!
//! `*` any run, `?` any byte, `[abc]`, `[^a-z]`, `\x` the byte itself. The surprises are kept:
//! a class without its `]` ends with the pattern, `[z-a]` is a reversed range, a backslash at the
//! very end is a literal backslash, and an empty text matches the empty pattern only. (KEYS and
//! SCAN take a lone `*` for "all" without asking here, so an empty key is found by it.)
//!
//! Patterns come from clients, so the time must stay bounded. Only the last star can matter once a
//! later one was reached, hence one resume point instead of recursion: at most
//! `pattern x text` steps, where the recursive way is exponential in the number of stars.
//! It knows nothing of characters wider than a byte, exactly like Redis.

/// Whether `text` as a whole matches `pattern`; `nocase` folds ASCII letters.
pub fn matches(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut at, mut pos) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while pos < text.len() {
        if pattern.get(at) == Some(&b'*') {
            at += 1;
            if at == pattern.len() {
                return true;
            }
            star = Some((at, pos));
            continue;
        }
        match step(&pattern[at..], text[pos], nocase) {
            Some(used) => {
                at += used;
                pos += 1;
            }
            None => {
                let Some((resume, from)) = star else {
                    return false;
                };
                star = Some((resume, from + 1));
                (at, pos) = (resume, from + 1);
            }
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

/// Whether a text has bytes that make it a pattern rather than a plain name.
pub fn is_pattern(text: &[u8]) -> bool {
    text.iter().any(|byte| b"*?[".contains(byte))
}

/// How many pattern bytes one text byte consumed, or `None` when it does not match.
fn step(pattern: &[u8], byte: u8, nocase: bool) -> Option<usize> {
    match *pattern.first()? {
        b'?' => Some(1),
        b'[' => class(pattern, byte, nocase),
        b'\\' if pattern.len() > 1 => same(pattern[1], byte, nocase).then_some(2),
        literal => same(literal, byte, nocase).then_some(1),
    }
}

/// Matches `[...]` at the start of `pattern`.
fn class(pattern: &[u8], byte: u8, nocase: bool) -> Option<usize> {
    let negated = pattern.get(1) == Some(&b'^');
    let mut at = if negated { 2 } else { 1 };
    let mut found = false;
    loop {
        match pattern[at..] {
            [] => break,
            [b']', ..] => {
                at += 1;
                break;
            }
            [b'\\', escaped, ..] => {
                // Redis: case is not folded behind a backslash here.
                found |= escaped == byte;
                at += 2;
            }
            [low, b'-', high, ..] => {
                found |= in_range(low, high, byte, nocase);
                at += 3;
            }
            [literal, ..] => {
                found |= same(literal, byte, nocase);
                at += 1;
            }
        }
    }
    (found != negated).then_some(at)
}

fn in_range(low: u8, high: u8, byte: u8, nocase: bool) -> bool {
    let fold = |b: u8| if nocase { b.to_ascii_lowercase() } else { b };
    // Redis: the bounds are put in order before they are folded.
    let (low, high) = (fold(low.min(high)), fold(low.max(high)));
    (low..=high).contains(&fold(byte))
}

fn same(a: u8, b: u8, nocase: bool) -> bool {
    a == b || (nocase && a.eq_ignore_ascii_case(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, text: &str, expected: bool) {
        let got = matches(pattern.as_bytes(), text.as_bytes(), false);
        assert_eq!(got, expected, "{pattern:?} against {text:?}");
    }

    #[test]
    fn matches_like_redis() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", false),
            ("*", "a", true),
            ("**", "abc", true),
            ("a*c", "abc", true),
            ("a*c", "ab", false),
            ("a?c", "abc", true),
            ("?", "", false),
            ("h[ae]llo", "hello", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-b]llo", "hbllo", true),
            ("h[b-a]llo", "hallo", true),
            ("[^a-z]", "Q", true),
            ("[]", "a", false),
            ("[^]", "a", true),
            ("[a", "a", true),
            ("[a-", "-", true),
            ("[\\]]", "]", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("a\\", "a\\", true),
            ("a\\", "a", false),
            ("*a*b", "xxaxxb", true),
            ("*a*b", "xxaxx", false),
        ] {
            check(pattern, text, expected);
        }
    }

    #[test]
    fn folds_case_only_when_asked() {
        assert!(matches(b"MaX[A-C]*", b"maxbX", true));
        assert!(!matches(b"MaX*", b"max", false));
    }

    #[test]
    fn many_stars_stay_cheap() {
        let pattern = b"a*".repeat(2_000);
        let text = vec![b'a'; 5_000];
        assert!(matches(&pattern, &text, false));
        let never = [&pattern[..], b"b"].concat();
        assert!(!matches(&never, &text, false));
    }

    /// The textbook recursion, fit for short inputs only.
    fn naive(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
        match (pattern.first(), text.first()) {
            (None, rest) => rest.is_none(),
            (Some(b'*'), _) => {
                naive(&pattern[1..], text, nocase)
                    || (!text.is_empty() && naive(pattern, &text[1..], nocase))
            }
            (Some(_), None) => false,
            (Some(_), Some(&byte)) => step(pattern, byte, nocase)
                .is_some_and(|used| naive(&pattern[used..], &text[1..], nocase)),
        }
    }

    #[test]
    fn agrees_with_the_naive_matcher() {
        for seed in 1..=40_000u64 {
            let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let mut draw = |alphabet: &[u8], most: u64| -> Vec<u8> {
                let mut next = || {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    state
                };
                let len = next() % (most + 1);
                (0..len)
                    .map(|_| alphabet[(next() % alphabet.len() as u64) as usize])
                    .collect()
            };
            let pattern = draw(b"abAB*?[]^-\\", 9);
            let text = draw(b"abAB]-\\", 7);
            for nocase in [false, true] {
                assert_eq!(
                    matches(&pattern, &text, nocase),
                    naive(&pattern, &text, nocase) && (pattern.is_empty() || !text.is_empty()),
                    "seed {seed}: {pattern:?} against {text:?}, nocase {nocase}"
                );
            }
        }
    }
}
