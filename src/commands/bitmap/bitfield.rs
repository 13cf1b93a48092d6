//! BITFIELD: small integers at any bit of a string.
//!
//! All operations are read before the first one runs, so that an error leaves nothing behind; the
//! string is made long enough for all writes at once.

use crate::command::{Args, KeyFlags};
use crate::keyspace::{Lookup, StringRef};
use crate::object::bitfield::{Field, Overflow};
use crate::object::bits;
use crate::resp::{ErrorReply, Writer, errors};
use crate::shard::{Event, Outcome, ShardCtx};

const BAD_TYPE: &str = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not \
                        supported but i64 is.";

#[derive(Clone, Copy, Debug)]
enum Action {
    Get,
    Set(i64, Overflow),
    Increment(i64, Overflow),
}

#[derive(Clone, Copy, Debug)]
struct Operation {
    action: Action,
    field: Field,
    offset: u64,
}

/// Reads operations off the arguments.
struct Reader<'a> {
    args: Args<'a>,
    at: usize,
    overflow: Overflow,
    bytes_max: u64,
}

impl Reader<'_> {
    fn operations(mut self) -> Result<Vec<Operation>, ErrorReply> {
        let mut operations = Vec::new();
        while self.at < self.args.len() {
            let left = self.args.len() - self.at - 1;
            if self.args.is(self.at, "overflow") && left >= 1 {
                self.overflow()?;
            } else {
                operations.push(self.operation(left)?);
            }
        }
        Ok(operations)
    }

    fn overflow(&mut self) -> Result<(), ErrorReply> {
        let kinds = [
            ("wrap", Overflow::Wrap),
            ("sat", Overflow::Saturate),
            ("fail", Overflow::Fail),
        ];
        let found = kinds
            .iter()
            .find(|(name, _)| self.args.is(self.at + 1, name));
        let (_, overflow) = found.ok_or("ERR Invalid OVERFLOW type specified")?;
        self.overflow = *overflow;
        self.at += 2;
        Ok(())
    }

    fn operation(&mut self, left: usize) -> Result<Operation, ErrorReply> {
        let at = self.at;
        let is = |name| self.args.is(at, name);
        let action = match () {
            () if is("get") && left >= 2 => Action::Get,
            () if is("set") && left >= 3 => Action::Set(0, self.overflow),
            () if is("incrby") && left >= 3 => Action::Increment(0, self.overflow),
            () => return Err(errors::SYNTAX.into()),
        };
        let field = Field::parse(self.args.get(at + 1)).ok_or(BAD_TYPE)?;
        let offset = self.args.get(at + 2);
        let offset = bits::parse_offset(offset, Some(field.bits()), self.bytes_max)
            .ok_or(errors::BIT_OFFSET)?;
        let (action, words) = match action {
            Action::Get => (action, 3),
            Action::Set(_, overflow) => (Action::Set(self.args.integer(at + 3)?, overflow), 4),
            Action::Increment(_, overflow) => {
                (Action::Increment(self.args.integer(at + 3)?, overflow), 4)
            }
        };
        self.at += words;
        Ok(Operation {
            action,
            field,
            offset,
        })
    }
}

fn operations(ctx: &ShardCtx<'_>) -> Result<Vec<Operation>, ErrorReply> {
    let reader = Reader {
        args: ctx.args,
        at: 2,
        overflow: Overflow::default(),
        bytes_max: ctx.space.common.string_bytes_max,
    };
    reader.operations()
}

/// The length that the string must have for all writes; none when there are none.
fn bytes_to_write(operations: &[Operation]) -> Option<usize> {
    operations
        .iter()
        .filter(|operation| !matches!(operation.action, Action::Get))
        .map(|operation| operation.field.bytes_for(operation.offset))
        .max()
}

/// BITFIELD: run operations and reply with what each yields.
pub fn bitfield(ctx: &mut ShardCtx<'_>) -> Outcome {
    let operations = operations(ctx)?;
    match bytes_to_write(&operations) {
        None => read(ctx, &operations),
        Some(bytes) => write(ctx, &operations, bytes),
    }
}

/// BITFIELD_RO: the same, for reading only.
pub fn bitfield_ro(ctx: &mut ShardCtx<'_>) -> Outcome {
    let operations = operations(ctx)?;
    if bytes_to_write(&operations).is_some() {
        return Err("ERR BITFIELD_RO only supports the GET subcommand".into());
    }
    read(ctx, &operations)
}

fn read(ctx: &mut ShardCtx<'_>, operations: &[Operation]) -> Outcome {
    let key = ctx.key(1);
    let value = ctx.space.door(ctx.db).string(&key, Lookup::Read)?;
    let reply = &mut ctx.reply;
    let written = reply.array(operations.len());
    let mut answer = |bytes: &[u8]| {
        for Operation { field, offset, .. } in operations {
            reply.integer(field.read(bytes, *offset));
        }
    };
    match value {
        None => answer(&[]),
        Some(value) => value.with_bytes(answer),
    }
    Ok(written)
}

fn write(ctx: &mut ShardCtx<'_>, operations: &[Operation], len: usize) -> Outcome {
    let key = ctx.key(1);
    let old = ctx.space.door(ctx.db).string(&key, Lookup::Write)?;
    let has_grown = old.map_or(0, StringRef::len) < len;
    let reply = &mut ctx.reply;
    let written = reply.array(operations.len());
    // Redis: who watches is told only of what has been written.
    ctx.space.common.watches.hush(true);
    let mut door = ctx.space.door(ctx.db);
    let changes = door.edit_padded(&key, len, |bytes| {
        let runs = operations
            .iter()
            .map(|operation| run(operation, bytes, reply));
        runs.flatten()
            .filter(|differs| *differs || has_grown)
            .count()
    });
    ctx.space.common.watches.hush(false);
    if changes > 0 {
        ctx.space.common.watches.touch(ctx.db, key.bytes);
        ctx.changed(Event::SETBIT, key.bytes);
    } else if has_grown {
        // Everything overflowed: Redis tells nobody, but the string is longer now.
        ctx.effects.instead(ctx.db, ctx.args.from(0));
    }
    Ok(written)
}

/// Runs one operation and replies; says whether what it wrote differs, if it wrote.
fn run(operation: &Operation, bytes: &mut [u8], reply: &mut Writer<'_>) -> Option<bool> {
    let Operation { field, offset, .. } = *operation;
    let old = field.read(bytes, offset);
    let (new, answer) = match operation.action {
        Action::Get => (None, Some(old)),
        Action::Set(value, overflow) => {
            let new = field.fit(value, overflow);
            (new, new.map(|_| old))
        }
        Action::Increment(by, overflow) => {
            let new = field.increment(old, by, overflow);
            (new, new)
        }
    };
    match answer {
        Some(answer) => reply.integer(answer),
        None => reply.null(),
    };
    let new = new?;
    field.write(bytes, offset, new);
    Some(new != old)
}
/// What BITFIELD does to its key: with nothing but GET it only reads.
pub fn bitfield_use(args: Args<'_>) -> KeyFlags {
    let mut at = 2;
    while at < args.len() {
        at += match () {
            () if args.is(at, "get") => 3,
            () if args.is(at, "overflow") => 2,
            () => return KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::UPDATE,
        };
    }
    KeyFlags::RO | KeyFlags::ACCESS
}
