//! PSYNC and SYNC: become a replica of this server.
//!
//! The client gets no reply in the ordinary way: from here on the hub feeds it, first with the line
//! that says how it goes on.

use crate::commands::row::{ControlCtx, ControlOutcome, Flow};
use crate::replication::{Applicant, Report};
use crate::session::Session;

/// PSYNC: follow the stream from an offset of a history on, or from a snapshot on.
pub fn psync(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let offset = ctx
        .args
        .integer(2)
        .map_err(|_| "ERR value is not an integer or out of range")?;
    let is_failover = ctx.args.len() > 3 && ctx.args.is(3, "failover");
    let request = Some((ctx.args.get(1).to_vec(), offset));
    apply(ctx, request, is_failover)
}

/// SYNC: the same as replicas before 2.8 ask, always from a snapshot on.
pub fn sync(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    apply(ctx, None, false)
}

fn apply(
    ctx: &mut ControlCtx<'_>,
    request: Option<(Vec<u8>, i64)>,
    is_failover: bool,
) -> ControlOutcome {
    let place = ctx.core.place(ctx.session);
    let Some(session) = ctx.core.sessions.find_mut(ctx.session) else {
        return Ok(Flow::Later);
    };
    if session.is_replica() {
        return Ok(Flow::Later);
    }
    if !session.output.is_empty() {
        return Err("ERR SYNC and PSYNC are invalid with pending output".into());
    }
    let introduction = session.introduction.get_or_insert_default();
    introduction.is_replica = true;
    let introduction = introduction.clone();
    let ip = introduction.ip.clone();
    let ip = ip.map_or_else(|| ip_of(session), |ip| String::from_utf8_lossy(&ip).into());
    let applicant = Applicant {
        place,
        ip,
        port: introduction.listening_port.unwrap_or(0),
        can_eof: introduction.can_eof,
        can_psync2: introduction.can_psync2,
        can_flows: introduction.can_flows && !introduction.is_snapshot_only && request.is_some(),
        is_snapshot_only: introduction.is_snapshot_only,
        request,
        is_failover,
    };
    ctx.core.counters().connected_clients.sub(1);
    ctx.core.report(Report::Psync(Box::new(applicant)));
    Ok(Flow::Later)
}

/// The address a client has come from, without its port.
fn ip_of(session: &Session) -> String {
    let address = &session.origin.address;
    let ip = address.rsplit_once(':').map_or(&**address, |(ip, _)| ip);
    ip.trim_matches(['[', ']']).to_owned()
}
