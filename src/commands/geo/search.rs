//! GEOSEARCH, GEORADIUS and their kin: members inside a circle or a box.
//!
//! Cells that cover the area are walked as ranges of scores; what lies in them is measured.

use super::options::{Command, Query, Store, is_routed};
use super::place;
use crate::object::element::Item;
use crate::object::geo::{Area, Coordinates};
use crate::object::zset::{self, ScoreRange, ZsetRef};
use crate::object::{Collection, Packed};
use crate::resp::errors;
use crate::shard::{Event, Outcome, ShardCtx};
use std::cmp::Ordering;

/// A member inside the area.
struct Hit<'a> {
    member: Item<'a>,
    score: f64,
    place: Coordinates,
    /// In meters.
    distance: f64,
}

/// Collects hits, up to `limit` of them unless that is zero.
fn hits<'a>(set: ZsetRef<'a>, area: &Area, limit: usize) -> Vec<Hit<'a>> {
    let mut hits = Vec::new();
    let cells = area.cells();
    for (number, cell) in cells.iter().enumerate() {
        // Redis: a cell is looked at twice when the first one is its double.
        if number > 1 && cells[number - 1] == *cell {
            continue;
        }
        let range = ScoreRange {
            min: cell.first_score() as f64,
            max: cell.end_score() as f64,
            is_min_excluded: false,
            is_max_excluded: true,
        };
        for (member, score) in set.iter(set.ranks_by_score(&range), false) {
            if limit > 0 && hits.len() >= limit {
                return hits;
            }
            let place = Coordinates::of_score(score);
            hits.extend(area.distance_to(place).map(|distance| Hit {
                member,
                score,
                place,
                distance,
            }));
        }
    }
    hits
}

fn sort(hits: &mut [Hit<'_>], order: Ordering) {
    hits.sort_by(|one, other| {
        let ascending = one.distance.partial_cmp(&other.distance);
        let ascending = ascending.unwrap_or(Ordering::Equal);
        if order == Ordering::Less {
            ascending
        } else {
            ascending.reverse()
        }
    });
}

/// What is asked for of the set, in order, and the meters of the unit.
fn found<'a>(set: ZsetRef<'a>, query: &Query) -> (Vec<Hit<'a>>, f64) {
    let Some((area, unit)) = query.area() else {
        return (Vec::new(), 1.0);
    };
    let limit = if query.takes_any { query.count } else { 0 };
    let mut hits = hits(set, &area, limit);
    // The closest ones are meant when only their number is given.
    let default = (query.count > 0 && !query.takes_any).then_some(Ordering::Less);
    if let Some(order) = query.order.or(default) {
        sort(&mut hits, order);
    }
    if query.count > 0 {
        hits.truncate(query.count);
    }
    (hits, unit)
}

fn search(ctx: &mut ShardCtx<'_>, command: Command) -> Outcome {
    let key = ctx.key(command.source());
    let set = place::zset(ctx.space, ctx.db, &key)?;
    let query = Query::parse(ctx.args, command, set)?;
    let (hits, unit) = set.map_or((Vec::new(), 1.0), |set| found(set, &query));
    if let Some(store) = query.store {
        let members = scored(&hits, store, unit);
        return keep(ctx, store, command, members);
    }
    let reply = &mut ctx.reply;
    let written = reply.array(hits.len());
    let details = [query.with_distance, query.with_hash, query.with_place];
    let details = details.iter().filter(|is_wanted| **is_wanted).count();
    for hit in hits {
        if details > 0 {
            reply.array(details + 1);
        }
        match hit.member {
            Item::Int(number) => reply.bulk_integer(number),
            Item::Bytes(bytes) => reply.bulk(bytes),
        };
        if query.with_distance {
            place::distance(reply, hit.distance / unit);
        }
        if query.with_hash {
            reply.integer(hit.score as i64);
        }
        if query.with_place {
            place::pair(reply, hit.place);
        }
    }
    Ok(written)
}

type Scored = Vec<(f64, Box<[u8]>)>;

fn scored(hits: &[Hit<'_>], store: Store, unit: f64) -> Scored {
    let score = |hit: &Hit<'_>| match store.stores_distance {
        true => hit.distance / unit,
        false => hit.score,
    };
    let pair = |hit: &Hit<'_>| (score(hit), hit.member.to_vec().into());
    hits.iter().map(pair).collect()
}

fn keep(ctx: &mut ShardCtx<'_>, store: Store, command: Command, members: Scored) -> Outcome {
    if !is_routed(ctx, store.at) {
        return Err(errors::SYNTAX.into());
    }
    let event = match command {
        Command::SearchStore => Event::GEOSEARCHSTORE,
        _ => Event::GEORADIUSSTORE,
    };
    let value = match members.is_empty() {
        true => Collection::empty(Packed::Zset),
        false => zset::collect(&members, &ctx.space.common.packing),
    };
    ctx.store(store.at, value, members.len(), event)
}

/// GEOSEARCH: members inside an area.
pub fn geosearch(ctx: &mut ShardCtx<'_>) -> Outcome {
    search(ctx, Command::Search)
}

/// GEOSEARCHSTORE: stores members inside an area.
pub fn geosearchstore(ctx: &mut ShardCtx<'_>) -> Outcome {
    search(ctx, Command::SearchStore)
}

/// GEORADIUS: members around a place.
pub fn georadius(ctx: &mut ShardCtx<'_>) -> Outcome {
    search(ctx, Command::ByPlace(true))
}

/// GEORADIUS_RO: the same, without storing.
pub fn georadius_ro(ctx: &mut ShardCtx<'_>) -> Outcome {
    search(ctx, Command::ByPlace(false))
}

/// GEORADIUSBYMEMBER: members around a member.
pub fn georadiusbymember(ctx: &mut ShardCtx<'_>) -> Outcome {
    search(ctx, Command::ByMember(true))
}

/// GEORADIUSBYMEMBER_RO: the same, without storing.
pub fn georadiusbymember_ro(ctx: &mut ShardCtx<'_>) -> Outcome {
    search(ctx, Command::ByMember(false))
}
