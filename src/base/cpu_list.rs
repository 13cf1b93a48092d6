//! Lists of CPUs as administrators write them: `0-3,8,16-30:2`.
//!
//! The grammar is that of Redis's `server_cpulist`, and of taskset before it: numbers and ranges
//! with commas between them, a range with a step behind a colon. What it does not do: ask whether
//! the machine has such CPUs.

use super::number::parse_i64;

/// CPUs that a list may name: the size of the kernel's plain CPU set.
pub const CPUS_MAX: usize = 1024;

/// The CPUs of a list, ascending, each once; `None` if it is not a list.
pub fn parse(text: &[u8]) -> Option<Vec<usize>> {
    let mut cpus = Vec::new();
    for part in text.split(|byte| *byte == b',') {
        cpus.extend(range(part.trim_ascii())?);
    }
    cpus.sort_unstable();
    cpus.dedup();
    Some(cpus)
}

fn range(part: &[u8]) -> Option<impl Iterator<Item = usize>> {
    let (bounds, step) = cut(part, b':');
    let step = step.map_or(Some(1), number)?;
    let (first, last) = cut(bounds, b'-');
    let first = number(first)?;
    let last = last.map_or(Some(first), number)?;
    (step > 0 && first <= last).then(|| (first..=last).step_by(step))
}

/// What stands before and behind the first such byte.
fn cut(text: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|byte| *byte == at) {
        Some(place) => (&text[..place], Some(&text[place + 1..])),
        None => (text, None),
    }
}

fn number(text: &[u8]) -> Option<usize> {
    let number = usize::try_from(parse_i64(text)?).ok()?;
    (number < CPUS_MAX).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_numbers_and_ranges_with_steps() {
        assert_eq!(parse(b"3"), Some(vec![3]));
        assert_eq!(parse(b"0-2,5"), Some(vec![0, 1, 2, 5]));
        assert_eq!(parse(b"8-13:2, 1 ,1"), Some(vec![1, 8, 10, 12]));
        assert_eq!(parse(b"0-1023").map(|cpus| cpus.len()), Some(CPUS_MAX));
        for bad in [
            "",
            ",",
            "a",
            "1-",
            "-1",
            "3-1",
            "0-4:0",
            "1024",
            "0-99999999",
            "1,,2",
        ] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
