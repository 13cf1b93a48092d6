//! Patterns of SORT: keys, or fields of hashes, named after elements.
//!
//! ```text
//!   weight_*          the string at the key weight_7, for the element 7
//!   object_*->price   the field price of the hash at object_7
//!   #                 the element itself
//! ```
//!
//! A pattern without a star means nothing for any element. The arrow counts only behind the star.

use crate::keyspace::{Key, Lookup};
use crate::object::Kind;
use crate::object::hash::HashRef;
use crate::shard::ShardCtx;
use bytes::Bytes;

/// A pattern, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern<'a> {
    /// The element itself.
    Element,
    /// Nothing.
    Nothing,
    /// What stands before and behind the star, and the field.
    Key(&'a [u8], &'a [u8], Option<&'a [u8]>),
}

impl<'a> Pattern<'a> {
    pub fn parse(text: &'a [u8]) -> Pattern<'a> {
        if text == b"#" {
            return Pattern::Element;
        }
        let Some(star) = text.iter().position(|byte| *byte == b'*') else {
            return Pattern::Nothing;
        };
        let (before, behind) = (&text[..star], &text[star + 1..]);
        let arrow = behind.windows(2).position(|pair| pair == b"->");
        match arrow.filter(|arrow| arrow + 2 < behind.len()) {
            Some(arrow) => Pattern::Key(before, &behind[..arrow], Some(&behind[arrow + 2..])),
            None => Pattern::Key(before, behind, None),
        }
    }

    /// Whether it means something else for each element.
    pub fn has_star(&self) -> bool {
        matches!(self, Pattern::Key(..))
    }

    /// The key for an element.
    pub fn key(&self, element: &[u8]) -> Option<Vec<u8>> {
        match self {
            Pattern::Key(before, behind, _) => Some([before, element, behind].concat()),
            _ => None,
        }
    }

    /// What it means for an element, if that is there and of the right type.
    pub fn find(&self, ctx: &mut ShardCtx<'_>, element: &[u8]) -> Option<Bytes> {
        let Pattern::Key(_, _, field) = self else {
            let is_element = *self == Pattern::Element;
            return is_element.then(|| Bytes::copy_from_slice(element));
        };
        let (key, now_ms) = (self.key(element)?, ctx.now_ms());
        let entry = ctx.door().find(&Key::new(&key), Lookup::Read)?;
        let Some(field) = field else {
            return entry.string().map(|string| string.to_bytes());
        };
        let form = entry
            .collection()
            .filter(|form| form.kind() == Kind::Hash)?;
        let pair = HashRef::new(form).find(field)?;
        let live = pair.is_live(now_ms).then_some(pair.value)?;
        Some(live.with_bytes(Bytes::copy_from_slice))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_taken_apart() {
        let check = |text: &'static str, expected: Pattern<'_>| {
            assert_eq!(Pattern::parse(text.as_bytes()), expected, "{text}");
        };
        check("#", Pattern::Element);
        check("##", Pattern::Nothing);
        check("nosort", Pattern::Nothing);
        check("w_*", Pattern::Key(b"w_", b"", None));
        check("*_w*", Pattern::Key(b"", b"_w*", None));
        check("o_*->f", Pattern::Key(b"o_", b"", Some(b"f")));
        check("o_*_x->f->g", Pattern::Key(b"o_", b"_x", Some(b"f->g")));
        check("o_*->", Pattern::Key(b"o_", b"->", None));
        check("a->b*", Pattern::Key(b"a->b", b"", None));
        check("->x", Pattern::Nothing);
    }
}
