//! Which arguments of a syntax line are keys.
//!
//! The line does not say it; it follows from the row's key specifications, which stand for
//! positions among the arguments a client sends.

use super::keys::{Begin, Find, KeySpec};
use super::spec::Spec;
use super::syntax::{Argument, Kind, width};

/// Marks the arguments that stand where a key specification says.
pub(super) fn mark_keys(
    arguments: &mut [Argument<'_>],
    spec: &Spec,
    number: usize,
    keys: &KeySpec,
) {
    let mut mark_behind = |word: &str| {
        let mut arguments = arguments.iter_mut();
        let behind = arguments.find(|argument| is_behind(argument, word));
        if let Some(argument) = behind {
            // Of a block the keys come first.
            mark(first_leaf(argument), number);
        }
    };
    let begin = match (keys.begin, keys.find) {
        (Begin::Keyword(word, _) | Begin::Option(word, ..) | Begin::Instead(word, ..), _) => {
            return mark_behind(word);
        }
        (_, Find::Option { word, .. }) => return mark_behind(&word.to_ascii_uppercase()),
        (Begin::Index(index) | Begin::Unless(index, _), _) => usize::from(index),
        (Begin::Unknown, _) => return mark_patterns(arguments, number),
    };
    let (first, last, step) = match keys.find {
        Find::Range { last, step, .. } => (begin, begin + last.max(0) as usize, step),
        Find::KeyCount { first, step, .. } => {
            let first = begin + usize::from(first);
            (first, first, step)
        }
        Find::Option { .. } | Find::Derived => return,
    };
    let mut at = 1 + spec.name.matches('|').count();
    let is_key = |at: usize| {
        (first..=last)
            .step_by(usize::from(step.max(1)))
            .any(|key| key == at)
    };
    mark_positions(arguments, &mut at, &is_key, number);
}

fn is_behind(argument: &Argument<'_>, word: &str) -> bool {
    argument.token == Some(word)
}

/// Patterns of which keys are made stay patterns.
fn mark_patterns(arguments: &mut [Argument<'_>], number: usize) {
    let is_pattern = |argument: &&mut Argument<'_>| argument.kind == Kind::Pattern;
    for argument in arguments.iter_mut().filter(is_pattern) {
        argument.key_spec = Some(number);
    }
}

fn first_leaf<'a, 's>(argument: &'a mut Argument<'s>) -> &'a mut Argument<'s> {
    match argument.kind {
        Kind::Block => first_leaf(&mut argument.arguments[0]),
        _ => argument,
    }
}

fn mark(argument: &mut Argument<'_>, number: usize) {
    argument.kind = Kind::Key;
    argument.key_spec = Some(number);
}

/// Walks arguments as long as their positions are certain; false when they no longer are.
fn mark_positions(
    arguments: &mut [Argument<'_>],
    at: &mut usize,
    is_key: &dyn Fn(usize) -> bool,
    number: usize,
) -> bool {
    for argument in arguments {
        let (is_last, (width, is_open)) = (
            argument.is_optional || argument.is_multiple,
            width(argument),
        );
        *at += usize::from(argument.token.is_some() && argument.kind != Kind::PureToken);
        match argument.kind {
            Kind::Block => {
                if !mark_positions(&mut argument.arguments, at, is_key, number) {
                    return false;
                }
            }
            Kind::OneOf | Kind::PureToken => *at += width,
            _ => {
                if is_key(*at) {
                    mark(argument, number);
                }
                *at += 1;
            }
        }
        if is_last || is_open {
            return false;
        }
    }
    true
}
