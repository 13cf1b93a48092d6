//! GEOPOS, GEODIST, GEOHASH: where members are.
//!
//! Any sorted set will do; a score that GEOADD did not write is a place, too.

use super::place;
use crate::object::geo;
use crate::resp::errors;
use crate::shard::{Outcome, ShardCtx};

/// GEOPOS: longitudes and latitudes of members.
pub fn geopos(ctx: &mut ShardCtx<'_>) -> Outcome {
    let key = ctx.key(1);
    let set = place::zset(ctx.space, ctx.db, &key)?;
    let members = ctx.args.from(2);
    let written = ctx.reply.array(members.len());
    for member in members {
        match set.and_then(|set| place::of_member(set, member)) {
            Some(found) => place::pair(&mut ctx.reply, found),
            None => ctx.reply.null_array(),
        };
    }
    Ok(written)
}

/// GEOHASH: members' places as public geohashes.
pub fn geohash(ctx: &mut ShardCtx<'_>) -> Outcome {
    let key = ctx.key(1);
    let set = place::zset(ctx.space, ctx.db, &key)?;
    let members = ctx.args.from(2);
    let written = ctx.reply.array(members.len());
    for member in members {
        match set.and_then(|set| place::of_member(set, member)) {
            Some(found) => ctx.reply.bulk(&found.text()),
            None => ctx.reply.null(),
        };
    }
    Ok(written)
}

/// GEODIST: how far two members are apart.
pub fn geodist(ctx: &mut ShardCtx<'_>) -> Outcome {
    let (args, key) = (ctx.args, ctx.key(1));
    let meters = match args.len() {
        0..=4 => 1.0,
        5 => place::unit(args, 4)?,
        _ => return Err(errors::SYNTAX.into()),
    };
    let set = place::zset(ctx.space, ctx.db, &key)?;
    let found = set.and_then(|set| {
        let one = place::of_member(set, args.get(2))?;
        Some((one, place::of_member(set, args.get(3))?))
    });
    Ok(match found {
        Some((one, other)) => place::distance(&mut ctx.reply, geo::distance(one, other) / meters),
        None => ctx.reply.null(),
    })
}
