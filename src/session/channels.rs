//! Channels, seen from one core: its clients' subscriptions, and messages between cores.
//!
//! ```text
//!   publisher's core                        a core with listeners
//!   own listeners get it
//!      | -- Messages (one order a turn) ------> |   its listeners get it
//!      | <-- Heard (how many) ----------------- |
//!   the sum is PUBLISH's reply
//! ```
//!
//! Parcels keep their order, so messages of one publisher come in the order in which it sent them.
//! A name of which this core gains the first listener or loses the last one is news for the name's
//! home, a core that counts each name once, for INFO and PUBSUB.
//!
//! Pushed messages go straight into a client's output: they are no replies, and whole replies are
//! all that is ever in there. Only what a client sends to itself has to come behind its reply.

use super::core::Core;
use super::node::Node;
use super::order::{Answer, Message, Order};
use super::registry::SessionId;
use super::session::Session;
use crate::base::{glob, hash};
use crate::keyspace::ShardId;
use crate::object::SHARED_STRING_MIN;
use crate::pubsub::{Kind, News, Registry};
use crate::resp::{Output, Protocol, Writer};
use crate::router::ReplyTo;
use bytes::Bytes;
use hashbrown::HashMap;

/// A message whose receivers are being counted.
#[derive(Debug)]
struct Sent {
    to: ReplyTo,
    missing: usize,
    count: u64,
}

/// What one core knows of channels.
#[derive(Debug)]
pub struct Channels {
    registry: Registry,
    /// Names this core is the home of, and on how many cores each has listeners.
    homed: [HashMap<Bytes, u32>; 3],
    sent: HashMap<u64, Sent>,
    next: u64,
}

impl Channels {
    pub(super) fn new(id: ShardId, node: &Node) -> Channels {
        Channels {
            registry: Registry::new(usize::from(id.0), node.interest.clone()),
            homed: Default::default(),
            sent: HashMap::new(),
            next: 0,
        }
    }
}

/// A message as its publisher gives it.
#[derive(Clone, Copy, Debug)]
pub struct Post<'a> {
    pub kind: Kind,
    pub channel: &'a [u8],
    pub payload: &'a [u8],
    /// The payload as memory that can be kept, if it is large.
    pub shared: Option<&'a Bytes>,
}

impl Post<'_> {
    /// The bytes that listeners with this protocol get.
    fn encode(&self, pattern: Option<&Bytes>, protocol: Protocol) -> Output {
        let mut output = Output::default();
        let mut writer = Writer::new(&mut output, protocol);
        match (self.kind, pattern) {
            (_, Some(pattern)) => {
                writer.push(4);
                writer.bulk(b"pmessage");
                writer.bulk(pattern);
            }
            (Kind::Shard, None) => {
                writer.push(3);
                writer.bulk(b"smessage");
            }
            (_, None) => {
                writer.push(3);
                writer.bulk(b"message");
            }
        }
        writer.bulk(self.channel);
        match self.shared {
            Some(payload) => writer.shared(payload),
            None => writer.bulk(self.payload),
        };
        output
    }

    fn owned(&self, number: Option<u64>) -> Message {
        let copied = || Bytes::copy_from_slice(self.payload);
        Message {
            number,
            kind: self.kind,
            channel: Bytes::copy_from_slice(self.channel),
            payload: self.shared.cloned().unwrap_or_else(copied),
        }
    }
}

impl Message {
    fn post(&self) -> Post<'_> {
        Post {
            kind: self.kind,
            channel: &self.channel,
            payload: &self.payload,
            shared: (self.payload.len() >= SHARED_STRING_MIN).then_some(&self.payload),
        }
    }
}

/// The core that counts a name for all.
fn home(name: &[u8], cores: usize) -> ShardId {
    // The low half of the hash chooses spots: see `pubsub::Interest`.
    ShardId(((hash::of(name) >> 16) as usize % cores) as u16)
}

impl Session {
    /// What SUBSCRIBE and its like reply with: to how many names of this sort a client listens.
    pub fn subscription_count(&self, kind: Kind) -> u32 {
        match kind {
            Kind::Shard => self.subscriptions.shard_channels,
            Kind::Channel | Kind::Pattern => {
                self.subscriptions.channels + self.subscriptions.patterns
            }
        }
    }
}

impl Core {
    /// Lets a client listen to a name.
    pub fn subscribe(&mut self, id: SessionId, kind: Kind, name: &[u8]) {
        self.channels.registry.subscribe(kind, id.to_bits(), name);
        self.recount(id);
    }

    /// Ends that a client listens to a name.
    pub fn unsubscribe(&mut self, id: SessionId, kind: Kind, name: &[u8]) {
        self.channels.registry.unsubscribe(kind, id.to_bits(), name);
        self.recount(id);
    }

    /// Ends that a client listens to anything of a kind. Returns what it has listened to.
    pub fn unsubscribe_all(&mut self, id: SessionId, kind: Kind) -> Vec<Bytes> {
        let ended = self.channels.registry.unsubscribe_all(kind, id.to_bits());
        self.recount(id);
        ended
    }

    /// Ends that a client listens to anything.
    pub fn unsubscribe_from_everything(&mut self, id: SessionId) {
        let session = self.sessions.find(id);
        if session.is_none_or(|session| session.subscriptions.is_empty()) {
            return;
        }
        for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
            self.unsubscribe_all(id, kind);
        }
    }

    fn recount(&mut self, id: SessionId) {
        let registry = &self.channels.registry;
        let count = |kind| registry.names_of(kind, id.to_bits()) as u32;
        let Some(session) = self.sessions.find_mut(id) else {
            return;
        };
        let had = !session.subscriptions.is_empty();
        session.subscriptions.channels = count(Kind::Channel);
        session.subscriptions.patterns = count(Kind::Pattern);
        session.subscriptions.shard_channels = count(Kind::Shard);
        let gauge = &self.node.board.core(self.id.0 as usize).pubsub_clients;
        match (had, !session.subscriptions.is_empty()) {
            (false, true) => gauge.add(1),
            (true, false) => gauge.sub(1),
            _ => {}
        }
        if self.channels.registry.has_news() {
            self.send_news();
        }
    }

    /// Sends a message for a client. Says how many got it, if that is known already; otherwise the
    /// reply comes when all cores have said it.
    pub fn post(&mut self, id: SessionId, post: Post<'_>) -> Option<u64> {
        let count = self.deliver_post(post, Some(id));
        let others = self.interested(post);
        if others.is_empty() {
            return Some(count);
        }
        let to = self.await_count(id)?;
        let number = self.channels.next;
        self.channels.next += 1;
        let missing = others.len();
        let sent = Sent { to, missing, count };
        self.channels.sent.insert(number, sent);
        self.post_to(&others, &post.owned(Some(number)));
        None
    }

    /// Takes a place for the number of clients that got a message.
    fn await_count(&mut self, id: SessionId) -> Option<ReplyTo> {
        let session = self.sessions.find_mut(id)?;
        if session.executing.is_some() {
            return self.await_reply(id);
        }
        let seq = session.late.wait_for_count(session.is_muted());
        Some(ReplyTo {
            session: id.to_bits(),
            seq,
        })
    }

    /// Sends a message of the server's own; nobody is interested in how many got it.
    pub(super) fn announce(&mut self, post: Post<'_>) {
        self.deliver_post(post, None);
        let others = self.interested(post);
        if !others.is_empty() {
            self.post_to(&others, &post.owned(None));
            self.has_announced = true;
        }
    }

    /// The other cores that may have listeners.
    fn interested(&self, post: Post<'_>) -> Vec<usize> {
        let me = usize::from(self.id.0);
        let cores = self.node.interest.cores(post.kind, post.channel);
        cores.filter(|core| *core != me).collect()
    }

    fn post_to(&mut self, cores: &[usize], message: &Message) {
        let from = self.id;
        for core in cores {
            let orders = self.orders_for(ShardId(*core as u16));
            if let Some(Order::Messages { messages, .. }) = orders.last_mut() {
                messages.push(message.clone());
                continue;
            }
            let messages = vec![message.clone()];
            orders.push(Order::Messages { from, messages });
        }
    }

    /// Gives a message to the listeners of this core; returns how many they are. What a client
    /// sends to itself waits for its reply.
    fn deliver_post(&mut self, post: Post<'_>, publisher: Option<SessionId>) -> u64 {
        let Core {
            channels,
            sessions,
            dirty,
            ..
        } = self;
        let mut count = 0;
        for (pattern, listeners) in channels.registry.audience(post.kind, post.channel) {
            let mut encoded: [Option<Output>; 2] = [None, None];
            count += listeners.len() as u64;
            for id in listeners.iter().map(|bits| SessionId::from_bits(*bits)) {
                let Some(session) = sessions.find_mut(id) else {
                    continue;
                };
                let protocol = session.protocol;
                let bytes = encoded[protocol as usize]
                    .get_or_insert_with(|| post.encode(pattern, protocol));
                let output = match publisher == Some(id) {
                    true => &mut session.echoes,
                    false => &mut session.output,
                };
                output.append_part(bytes, Output::start(), bytes.mark());
                if !std::mem::replace(&mut session.is_dirty, true) {
                    dirty.push(id);
                }
            }
        }
        count
    }

    /// Takes messages of another core in.
    pub fn take_messages(&mut self, from: ShardId, messages: &[Message]) {
        let mut heard = Vec::new();
        for message in messages {
            let count = self.deliver_post(message.post(), None);
            heard.extend(message.number.map(|number| (number, count as u32)));
        }
        if !heard.is_empty() {
            self.orders_for(from).push(Order::Heard(heard));
        }
    }

    /// Takes in how many got messages of this core's clients.
    pub fn take_heard(&mut self, heard: &[(u64, u32)]) {
        for (number, count) in heard {
            let Some(sent) = self.channels.sent.get_mut(number) else {
                continue;
            };
            sent.count += u64::from(*count);
            sent.missing -= 1;
            if sent.missing > 0 {
                continue;
            }
            let (to, count) = (sent.to, sent.count);
            self.channels.sent.remove(number);
            let mut reply = Output::default();
            Writer::new(&mut reply, Protocol::Resp2).integer(count as i64);
            self.arrived(to, (&reply, Output::start(), reply.mark()));
        }
    }

    /// Lets what a client has sent to itself follow its reply.
    #[cold]
    pub fn send_echoes(&mut self, id: SessionId) {
        let session = self.sessions.find_mut(id);
        let Some(session) = session.filter(|session| !session.echoes.is_empty()) else {
            return;
        };
        let echoes = std::mem::take(&mut session.echoes);
        self.push_behind(id, &echoes);
    }

    /// Pushes something to a client behind the replies that it is owed, even if it wants none.
    pub fn push_behind(&mut self, id: SessionId, pushed: &Output) {
        let Some(session) = self.sessions.find_mut(id) else {
            return;
        };
        if session.late.is_empty() {
            let (start, end) = (Output::start(), pushed.mark());
            session.output.append_part(pushed, start, end);
        } else {
            let parking = session.late.parking();
            let from = parking.mark();
            parking.append_part(pushed, Output::start(), pushed.mark());
            session.late.park(from);
        }
        self.mark_dirty(id);
    }

    /// Tells the homes of names what has become of them here.
    fn send_news(&mut self) {
        let cores = self.node.shards();
        for news in self.channels.registry.take_news() {
            let home = home(&news.name, cores);
            if home == self.id {
                self.take_news(&[news]);
                continue;
            }
            let orders = self.orders_for(home);
            match orders.last_mut() {
                Some(Order::News(all)) => all.push(news),
                _ => orders.push(Order::News(vec![news])),
            }
        }
    }

    /// Takes in what has become of names that this core counts.
    pub fn take_news(&mut self, news: &[News]) {
        for News {
            kind,
            name,
            has_listeners,
        } in news
        {
            let homed = &mut self.channels.homed[*kind as usize];
            let cores = homed.entry(name.clone()).or_insert(0);
            if *has_listeners {
                *cores += 1;
            } else if *cores > 1 {
                *cores -= 1;
            } else {
                homed.remove(name);
            }
        }
        let counters = self.node.board.core(self.id.0 as usize);
        let count = |kind| self.channels.homed[kind as usize].len() as u64;
        counters.pubsub_channels.set(count(Kind::Channel));
        counters.pubsub_patterns.set(count(Kind::Pattern));
        counters.pubsubshard_channels.set(count(Kind::Shard));
    }

    /// The names that this core counts for all, or those of them that match.
    pub fn homed_names(&self, kind: Kind, pattern: Option<&Bytes>) -> Answer {
        let is_wanted =
            |name: &&Bytes| pattern.is_none_or(|pattern| glob::matches(pattern, name, false));
        let names = self.channels.homed[kind as usize].keys();
        Answer::Names(names.filter(is_wanted).cloned().collect())
    }

    /// How many clients of this core listen to each of these names.
    pub fn listeners(&self, kind: Kind, names: &[Bytes]) -> Answer {
        let registry = &self.channels.registry;
        let count = |name: &Bytes| registry.listeners_of(kind, name) as u64;
        Answer::Counts(names.iter().map(count).collect())
    }
}
