//! In which order elements come: by themselves, by numbers, or by the strings of other keys.
//!
//! Bytes are compared as bytes, whatever the locale. Elements of the same number come in the order
//! of their bytes; elements of the same string stay in the order of their collection.

use super::elements::Elements;
use super::options::Options;
use crate::base::number::parse_f64;
use crate::resp::ErrorReply;
use crate::shard::ShardCtx;
use bytes::Bytes;
use std::cmp::Ordering;

const NOT_A_NUMBER: &str = "ERR One or more scores can't be converted into double";

/// The numbers of the elements in the order that is asked for.
pub fn order(
    ctx: &mut ShardCtx<'_>,
    elements: &Elements,
    options: &Options<'_>,
) -> Result<Vec<usize>, ErrorReply> {
    let mut order: Vec<usize> = (0..elements.len()).collect();
    if options.is_unsorted {
        return Ok(order);
    }
    let turned = |ordering: Ordering| match options.is_descending {
        true => ordering.reverse(),
        false => ordering,
    };
    let bytes = |a: &usize, b: &usize| elements.at(*a).cmp(elements.at(*b));
    if !options.is_alpha {
        let numbers = numbers(ctx, elements, options)?;
        let number = |a: &usize, b: &usize| numbers[*a].partial_cmp(&numbers[*b]);
        order.sort_by(|a, b| {
            let ordering = number(a, b).expect("what is not a number was refused");
            turned(ordering.then_with(|| bytes(a, b)))
        });
    } else if options.by.is_some() {
        let strings = strings(ctx, elements, options);
        order.sort_by(|a, b| turned(strings[*a].cmp(&strings[*b])));
    } else {
        order.sort_by(|a, b| turned(bytes(a, b)));
    }
    Ok(order)
}

/// What each element is sorted by; `None`, which comes first, where there is nothing.
fn strings(
    ctx: &mut ShardCtx<'_>,
    elements: &Elements,
    options: &Options<'_>,
) -> Vec<Option<Bytes>> {
    let find = |element: &[u8]| options.by.as_ref()?.find(ctx, element);
    elements.iter().map(find).collect()
}

/// The same as numbers, 0 where there is nothing.
fn numbers(
    ctx: &mut ShardCtx<'_>,
    elements: &Elements,
    options: &Options<'_>,
) -> Result<Vec<f64>, ErrorReply> {
    let number = |element: &[u8]| match &options.by {
        None => read(element),
        Some(by) => by
            .find(ctx, element)
            .map_or(Some(0.0), |bytes| read(&bytes)),
    };
    let numbers: Option<Vec<f64>> = elements.iter().map(number).collect();
    numbers.ok_or_else(|| NOT_A_NUMBER.into())
}

/// A number as C's `strtod` reads a string: blanks may come first, it ends at the first zero byte,
/// and the empty string is 0.
fn read(bytes: &[u8]) -> Option<f64> {
    let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    if bytes.is_empty() {
        return Some(0.0);
    }
    let is_blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    let start = bytes.iter().position(|byte| !is_blank(byte))?;
    parse_f64(&bytes[start..])
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn numbers_are_read_as_by_c() {
        let check = |text: &[u8], expected: Option<f64>| assert_eq!(read(text), expected);
        check(b"", Some(0.0));
        check(b" \t\n\x0b1.5", Some(1.5));
        check(b"1.5 ", None);
        check(b"  ", None);
        check(b"0x10", Some(16.0));
        check(b"-inf", Some(f64::NEG_INFINITY));
        check(b"nan", None);
        check(b"7\0x", Some(7.0));
        check(b"x", None);
        check(b"1e999", None);
    }
}
