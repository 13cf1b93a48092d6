//! ROLE: what this server is in its chain, for Sentinel and for clients that look for a master.
//!
//! Made from the same picture as the section Replication of INFO.

use crate::commands::row::{ControlCtx, ControlOutcome, Flow};
use crate::replication::{LinkPicture, Picture};
use crate::resp::Writer;
use crate::session::Question;

/// ROLE: reply with the role, the offset, and who is at the other ends.
pub fn role(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let node = ctx.core.node.clone();
    let publish = &Question::Publish;
    ctx.core.ask_all(ctx.session, publish, move |_, reply| {
        let picture = node.replication.picture.value();
        match &picture.link {
            None => master(&picture, reply),
            Some(link) => replica(link, reply),
        }
    });
    Ok(Flow::Later)
}

fn master(picture: &Picture, reply: &mut Writer<'_>) {
    let online = picture.replicas.iter().filter(|replica| replica.is_online);
    reply.array(3);
    reply.bulk(b"master");
    reply.integer(picture.offset as i64);
    reply.array(online.clone().count());
    for replica in online {
        reply.array(3);
        reply.bulk(replica.ip.as_bytes());
        reply.bulk(replica.port.to_string().as_bytes());
        reply.bulk(replica.offset.to_string().as_bytes());
    }
}

fn replica(link: &LinkPicture, reply: &mut Writer<'_>) {
    reply.array(5);
    reply.bulk(b"slave");
    reply.bulk(link.host.as_bytes());
    reply.integer(i64::from(link.port));
    reply.bulk(link.state.as_bytes());
    // Redis: what is not connected has no offset.
    reply.integer(if link.is_up { link.offset as i64 } else { -1 });
}
