//! What other cores have sent: their requests, their answers, their questions.
//!
//! And what this core has for itself: operations that have become whole, clients that may go on.
//! Nothing here waits; whatever is not there yet comes in a later parcel.

use super::blocking;
use super::dispatch::record_away;
use super::slow;
use super::table::table;
use super::transactions;
use super::turn::{Turn, resume};
use crate::command::{ArgStore, Group};
use crate::keyspace::ShardId;
use crate::resp::Output;
use crate::router::{Asker, Delivery, ReplyTo};
use crate::session::{Closing, Core, Order, Parcel, SessionId};

/// Takes in a parcel of another core.
pub fn receive(core: &mut Core, from: ShardId, parcel: Parcel) {
    let Parcel {
        mut data,
        orders,
        needs,
    } = parcel;
    core.heard_of(needs);
    core.counters().messages_received.add(1);
    core.router.receive(from, &mut data, &mut core.shard);
    core.notify_own();
    if core.router.has_wait_news() {
        blocking::hear(core);
    }
    let mut start = Output::start();
    for answer in &data.answers {
        record_away(core, answer.command, answer.nanos, answer.is_error);
        if let Some(args) = &answer.args {
            note_slow(core, answer.to, (answer.command, answer.nanos), args);
        }
        if answer.is_error {
            count_error(core, &data.output, start, answer.end);
        }
        if !core.arrived(answer.to, (&data.output, start, answer.end)) {
            note_gone(core, answer.to, answer.command);
        }
        start = answer.end;
    }
    let bytes = data.held_bytes() as u64;
    core.router.recycle(data);
    core.note_freed();
    core.counters().parcels_done_bytes.add(bytes);
    for order in orders {
        obey(core, order);
    }
}

#[cold]
fn note_slow(core: &Core, to: ReplyTo, ran: (u16, u64), args: &ArgStore) {
    slow::note(core, SessionId::from_bits(to.session), ran, args.args());
}

fn count_error(core: &Core, output: &Output, from: crate::resp::Mark, to: crate::resp::Mark) {
    let mut text = Output::default();
    text.append_part(output, from, to);
    core.count_error(
        text.plain()
            .and_then(|text| text.get(1..))
            .unwrap_or_default(),
    );
}

impl Turn {
    /// Settles everything that this core has for itself: whole operations, orders, sessions that
    /// may go on. Returns when nothing is left to be done here.
    pub fn settle(&mut self, core: &mut Core) {
        loop {
            if core.has_replication_news() {
                core.tend_replication();
            }
            if !core.replays.is_empty() {
                self.replay(core);
            }
            core.serve_waiters();
            core.router.settle(&mut core.shard);
            core.notify_own();
            if core.router.has_wait_news() {
                blocking::hear(core);
            }
            let deliveries = core.router.take_deliveries();
            for delivery in &deliveries {
                deliver(core, delivery);
            }
            transactions::go_on(core);
            for order in core.take_own_orders() {
                obey(core, order);
            }
            let ready = std::mem::take(&mut core.ready);
            if ready.is_empty() && !has_more(core) {
                return;
            }
            for id in ready {
                resume(core, self, id);
            }
        }
    }
}

fn has_more(core: &Core) -> bool {
    let has_replies = core.router.has_deliveries() || core.router.has_own_parcel();
    has_replies
        || core.router.has_wait_news()
        || core.shard.has_touched()
        || core.router.has_news()
        || !core.exec_news.is_empty()
        || core.has_own_orders()
        || core.has_flow_news()
        || core.transferred.has_letters()
}

fn deliver(core: &mut Core, delivery: &Delivery) {
    if delivery.to == ReplyTo::OWN {
        return core.cut_made();
    }
    record_away(core, delivery.command, delivery.nanos, delivery.is_error);
    if let Some(args) = &delivery.args {
        note_slow(core, delivery.to, (delivery.command, delivery.nanos), args);
    }
    let (start, end) = (Output::start(), delivery.output.mark());
    if delivery.is_error {
        count_error(core, &delivery.output, start, end);
    }
    if !core.arrived(delivery.to, (&delivery.output, start, end)) {
        note_gone(core, delivery.to, delivery.command);
    }
}

/// A reply for a client that has gone meanwhile. What it has begun to watch, nobody watches.
#[cold]
fn note_gone(core: &mut Core, to: ReplyTo, command: u16) {
    if table().command(command).spec.group == Group::Transactions {
        core.forget_gone(SessionId::from_bits(to.session));
    }
}

fn obey(core: &mut Core, order: Order) {
    match order {
        Order::Answer { number, answer } => core.answered(number, answer),
        Order::Ask {
            from,
            number,
            question,
        } => {
            let asker = Asker { core: from, number };
            if let Some(answer) = super::connection::answer(core, &question, Some(asker)) {
                core.answer(from, number, answer);
            }
        }
        Order::Messages { from, messages } => core.take_messages(from, &messages),
        Order::Heard(heard) => core.take_heard(&heard),
        Order::News(news) => core.take_news(&news),
        Order::Report(report) => core.hear_report(report),
        Order::Feed(session, bytes) => core.feed_replica(session, &bytes),
        Order::Flow(id, news) => core.hear_flow(id, news),
        Order::Hold(session) => core.hold_replica(session),
        Order::Release(session) => core.release_flow(session),
        Order::Lend(session, parcel) => core.lend(session, parcel),
        Order::Sent(session, is_whole) => core.snapshot_sent(session, is_whole),
        Order::Published(bytes) => core.feed_message(bytes),
        Order::Journal(shard, journal) => core.hear_journal(shard, &journal),
        Order::Record(is_recording, done) => core.record_soon(is_recording, done),
        Order::Cut(cut) => core.make_marked_cut(cut),
        Order::CutMade => core.answer_at_cut(),
        Order::Rest(from) => core.begin_rest(from),
        Order::Rested => core.rested(),
        Order::Stay => core.end_stay(),
        Order::Part(session) => core.close(SessionId::from_bits(session), Closing::Now),
        Order::Tell(question) => drop(super::connection::answer(core, &question, None)),
    }
}
