//! What the commands of this family share: reading places, sizes and units, and writing them.
//!
//! Errors come in Redis's order: numbers first, then what they mean.

use crate::base::number::parse_f64;
use crate::command::Args;
use crate::keyspace::{DbIndex, Key, Keyspace, Lookup, WrongKind};
use crate::object::Kind;
use crate::object::geo::Coordinates;
use crate::object::zset::ZsetRef;
use crate::resp::{ErrorReply, Protocol, Writer, Written};

/// The sorted set at a key, to read.
pub(super) fn zset<'s>(
    space: &'s mut Keyspace,
    db: DbIndex,
    key: &Key<'_>,
) -> Result<Option<ZsetRef<'s>>, WrongKind> {
    let form = space.door(db).collection(key, Kind::Zset, Lookup::Read)?;
    Ok(form.map(ZsetRef::new))
}

/// A longitude and the latitude behind it.
pub(super) fn coordinates(args: Args<'_>, at: usize) -> Result<Coordinates, ErrorReply> {
    let place = Coordinates {
        longitude: args.float(at)?,
        latitude: args.float(at + 1)?,
    };
    if place.are_valid() {
        return Ok(place);
    }
    let (longitude, latitude) = (place.longitude, place.latitude);
    Err(format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}").into())
}

/// Meters of the unit that an argument names.
pub(super) fn unit(args: Args<'_>, at: usize) -> Result<f64, ErrorReply> {
    let units = [("m", 1.0), ("km", 1000.0), ("ft", 0.3048), ("mi", 1609.34)];
    let found = units.iter().find(|(name, _)| args.is(at, name));
    let (_, meters) = found.ok_or("ERR unsupported unit provided. please use M, KM, FT, MI")?;
    Ok(*meters)
}

/// A number, or this error.
pub(super) fn number(args: Args<'_>, at: usize, error: &'static str) -> Result<f64, ErrorReply> {
    parse_f64(args.get(at)).ok_or_else(|| error.into())
}

/// The place of a member.
pub(super) fn of_member(set: ZsetRef<'_>, member: &[u8]) -> Option<Coordinates> {
    set.score(member).map(Coordinates::of_score)
}

/// Replies with a distance: always a string, with four decimals.
pub(super) fn distance(reply: &mut Writer<'_>, distance: f64) -> Written {
    reply.bulk(format!("{distance:.4}").as_bytes())
}

/// Replies with a longitude and a latitude.
pub(super) fn pair(reply: &mut Writer<'_>, place: Coordinates) -> Written {
    reply.array(2);
    coordinate(reply, place.longitude);
    coordinate(reply, place.latitude)
}

/// Redis: seventeen decimals without zeros at the end.
fn coordinate(reply: &mut Writer<'_>, degrees: f64) -> Written {
    let text = format!("{degrees:.17}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    let text = if text == "-0" { "0" } else { text };
    match reply.protocol() {
        Protocol::Resp2 => reply.bulk(text.as_bytes()),
        Protocol::Resp3 => reply.double_text(text),
    }
}
