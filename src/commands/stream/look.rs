//! Streams behind keys: to read, and to change.
//!
//! The only file of the family that knows how a keyspace hands out a stream.

use crate::keyspace::{DbIndex, Expiry, Key, Keyspace, Lookup, NewValue, Open, WrongKind};
use crate::object::stream::Stream;
use crate::object::{Form, Holder, Kind, Object};
use crate::resp::ErrorReply;

/// The stream at a key, to read.
pub(super) fn read<'s>(
    space: &'s mut Keyspace,
    db: DbIndex,
    key: &Key<'_>,
    lookup: Lookup,
) -> Result<Option<&'s Stream>, WrongKind> {
    let form = space.door(db).collection(key, Kind::Stream, lookup)?;
    Ok(form.map(of_form))
}

/// The stream at a key, held for a change that may come.
pub(super) fn open<'s>(
    space: &'s mut Keyspace,
    db: DbIndex,
    key: &Key<'_>,
) -> Result<Option<Held<'s>>, WrongKind> {
    let open = space.door(db).open(key, Kind::Stream)?;
    Ok(open.map(Held))
}

/// Lets `change` work on the stream at a key, if there is one.
pub(super) fn change<T>(
    space: &mut Keyspace,
    db: DbIndex,
    key: &Key<'_>,
    change: impl FnOnce(&mut Held<'_>) -> Result<T, ErrorReply>,
) -> Result<Option<T>, ErrorReply> {
    let mut held = open(space, db, key)?;
    held.as_mut().map(change).transpose()
}

/// Puts a stream under a key that there is none under.
pub(super) fn store(space: &mut Keyspace, db: DbIndex, key: &Key<'_>, stream: Box<Stream>) {
    let value = NewValue::Object(Object::Stream(stream));
    space.door(db).set(key, value, Expiry::Clear);
}

/// A stream that may be changed.
pub(super) struct Held<'s>(Open<'s>);

impl Held<'_> {
    /// As it is.
    pub fn look(&self) -> &Stream {
        of_form(self.0.form())
    }

    /// To change it; whoever has to see it as it was has then seen it.
    pub fn change(&mut self) -> &mut Stream {
        match self.0.object_mut() {
            Object::Stream(stream) => stream,
            _ => unreachable!("opened as a stream"),
        }
    }
}

fn of_form(form: Form<'_>) -> &Stream {
    match form {
        Form::Object(Object::Stream(stream)) => stream,
        _ => unreachable!("looked up as a stream"),
    }
}
