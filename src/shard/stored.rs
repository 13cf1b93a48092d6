//! Values between the keyspace and RDB: what a key holds as a codec sees it, and back.
//!
//! Neither of the two parts knows the other. DUMP and RESTORE, snapshots and loading all pass
//! through here.

use crate::keyspace::{EntryRef, NewValue, StringRef};
use crate::rdb::{Value, ValueRef};

impl<'a> From<EntryRef<'a>> for ValueRef<'a> {
    fn from(entry: EntryRef<'a>) -> ValueRef<'a> {
        match (entry.collection(), entry.string()) {
            (Some(form), _) => ValueRef::Collection(form),
            (None, Some(StringRef::Int(number))) => ValueRef::Int(number),
            (None, Some(StringRef::Text(bytes))) => ValueRef::Text(bytes),
            (None, Some(StringRef::Shared(bytes))) => ValueRef::Text(bytes),
            (None, None) => unreachable!("a value is a string or a collection"),
        }
    }
}

impl From<Value> for NewValue {
    fn from(value: Value) -> NewValue {
        match value {
            Value::Int(number) => NewValue::Int(number),
            Value::Text(bytes) => NewValue::text(bytes),
            Value::Collection(collection) => collection.into(),
        }
    }
}
