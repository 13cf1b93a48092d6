//! SORT and SORT_RO themselves, and the keys that they read besides those they name.
//!
//! The handler looks into one keyspace; that keys made by patterns live on other shards is known
//! only to [`DERIVED`], which tells the router their names.

use super::elements::Elements;
use super::options::Options;
use super::order::order;
use crate::command::{Args, Derived};
use crate::keyspace::{Entry, Lookup, NewValue, WrongKind};
use crate::object::list::{ListRef, NewItem, NodeLimit, Side, edit};
use crate::object::{Collection, Form, Holder, Kind, Packed};
use crate::resp::{ErrorReply, Written};
use crate::shard::{Event, Outcome, ShardCtx};
use bytes::Bytes;

/// The keys that patterns make of the elements.
pub const DERIVED: Derived = Derived {
    is_asked: |args| with_patterns(args).is_some(),
    keys: derived_keys,
};

/// Neither form of the command cares here whether STORE is allowed: an error comes later.
fn with_patterns(args: Args<'_>) -> Option<Options<'_>> {
    let options = Options::parse(args, true).ok()?;
    let is_asked = options.patterns().next().is_some();
    is_asked.then_some(options)
}

fn derived_keys(args: Args<'_>, form: Form<'_>) -> Vec<Box<[u8]>> {
    let Some(options) = with_patterns(args) else {
        return Vec::new();
    };
    let elements = Elements::of(form, &options).unwrap_or_default();
    let keys = options.patterns().flat_map(|pattern| {
        let keys = elements.iter().filter_map(|element| pattern.key(element));
        keys.map(Vec::into_boxed_slice)
    });
    let mut keys: Vec<_> = keys.collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// SORT: reply with elements in order, or store them.
pub fn sort(ctx: &mut ShardCtx<'_>) -> Outcome {
    let options = Options::parse(ctx.args, true)?;
    let found = find(ctx, options)?;
    match found.options.store {
        Some(at) => Ok(store(ctx, &found, at)),
        None => Ok(reply(ctx, &found)),
    }
}

/// SORT_RO: reply with elements in order.
pub fn sort_ro(ctx: &mut ShardCtx<'_>) -> Outcome {
    let options = Options::parse(ctx.args, false)?;
    let found = find(ctx, options)?;
    Ok(reply(ctx, &found))
}

/// What came out of sorting.
struct Sorted<'a> {
    options: Options<'a>,
    elements: Elements,
    /// Numbers of the elements that are wanted, in order.
    order: Vec<usize>,
}

fn find<'a>(ctx: &mut ShardCtx<'_>, options: Options<'a>) -> Result<Sorted<'a>, ErrorReply> {
    let (key, mut options) = (ctx.key(1), options);
    let entry = ctx.space.door(ctx.db).find(&key, Lookup::Read);
    let mut elements = Elements::default();
    if let Some(entry) = entry {
        let form = entry.collection().ok_or(WrongKind)?;
        if form.kind() == Kind::Set && options.is_unsorted && options.store.is_some() {
            // A set has no order of its own: what is stored must not depend on chance.
            options.is_unsorted = false;
            options.is_alpha = true;
            options.by = None;
        }
        elements = Elements::of(form, &options).ok_or(WrongKind)?;
    }
    let mut order = order(ctx, &elements, &options)?;
    let window = options.window(elements.len());
    order.truncate(window.end);
    order.drain(..window.start);
    Ok(Sorted {
        options,
        elements,
        order,
    })
}

impl Sorted<'_> {
    fn len(&self) -> usize {
        self.order.len() * self.options.gets.len().max(1)
    }

    /// Shows all that comes out, nothing where a pattern finds nothing.
    fn each(&self, ctx: &mut ShardCtx<'_>, mut show: impl FnMut(&mut ShardCtx<'_>, Option<Bytes>)) {
        for number in &self.order {
            let element = self.elements.at(*number);
            if self.options.gets.is_empty() {
                show(ctx, Some(Bytes::copy_from_slice(element)));
            }
            for pattern in &self.options.gets {
                let found = pattern.find(ctx, element);
                show(ctx, found);
            }
        }
    }
}

fn reply(ctx: &mut ShardCtx<'_>, sorted: &Sorted<'_>) -> Written {
    ctx.reply.array(sorted.len());
    sorted.each(ctx, |ctx, found| {
        match found {
            Some(bytes) => ctx.reply.bulk(&bytes),
            None => ctx.reply.null(),
        };
    });
    Written
}

/// Stores a list of what comes out; an empty one removes what was there.
fn store(ctx: &mut ShardCtx<'_>, sorted: &Sorted<'_>, at: usize) -> Written {
    let key = ctx.key(at);
    if sorted.len() == 0 {
        if ctx.door().remove(&key) {
            ctx.changed(Event::DEL, key.bytes);
            ctx.effects.instead(ctx.db, [&b"DEL"[..], key.bytes]);
        }
        return ctx.reply.integer(0);
    }
    let limit = NodeLimit::from(&ctx.space.common.packing);
    let mut list = Collection::empty(Packed::List);
    sorted.each(ctx, |_, found| {
        let found = found.unwrap_or_default();
        edit::push(
            &mut list,
            Side::Right,
            std::iter::once(NewItem::from(&found)),
            limit,
        );
    });
    edit::settle(&mut list, limit);
    tell(ctx, key.bytes, &list);
    let access = ctx.door().fresh_access();
    let entry = Entry {
        value: NewValue::from(list),
        expires_at_ms: None,
        access,
    };
    ctx.door().put(&key, entry);
    ctx.changed(Event::SORTSTORE, key.bytes);
    ctx.reply.integer(sorted.len() as i64)
}

/// What was sorted may be different or in another order where this is replayed, so the effect is
/// the list itself.
fn tell(ctx: &mut ShardCtx<'_>, key: &[u8], list: &Collection) {
    /// Elements by command.
    const ELEMENTS: usize = 512;
    ctx.effects.instead(ctx.db, [&b"DEL"[..], key]);
    if !ctx.effects.is_recording() {
        return;
    }
    let mut walk = ListRef::of(list.form()).walk_from(Side::Left);
    loop {
        let part: Vec<_> = walk.by_ref().take(ELEMENTS).collect();
        if part.is_empty() {
            return;
        }
        let part: Vec<Bytes> = part.into_iter().map(|item| item.to_bytes()).collect();
        let words = [&b"RPUSH"[..], key].into_iter();
        ctx.effects
            .instead(ctx.db, words.chain(part.iter().map(|bytes| &bytes[..])));
    }
}
