//! Channels: listening, sending messages, and looking at who listens.
//!
//! Control commands: subscriptions belong to the session, and messages go to clients, not to keys.

use super::row::{Family, Row, container, control, family, message};
use crate::command::{Flags, Group, KeyFlags, LAST, keys, one_key};

mod inspect;
mod publish;
mod subscribe;
#[cfg(test)]
mod tests;

const ALWAYS: Flags = Flags::LOADING.and(Flags::STALE);
const LOOK: Flags = ALWAYS.and(Flags::PUBSUB);
const LISTEN: Flags = LOOK.and(Flags::NOSCRIPT);
const SEND: Flags = LOOK.and(Flags::FAST).and(Flags::MAY_REPLICATE);

/// The rows of this family.
pub const FAMILY: Family = family(Group::PubSub, ROWS);

const ROWS: &[Row] = &[
    control("subscribe", -2, LISTEN, subscribe::subscribe)
        .for_listeners()
        .doc(
            "2.0.0",
            "channel [channel ...]",
            "O(N) where N is the number of channels to subscribe to.",
            "Listens for messages published to channels.",
        ),
    control("unsubscribe", -1, LISTEN, subscribe::unsubscribe)
        .for_listeners()
        .doc(
            "2.0.0",
            "[channel [channel ...]]",
            "O(N) where N is the number of clients already subscribed to a channel.",
            "Stops listening to messages posted to channels.",
        ),
    control("psubscribe", -2, LISTEN, subscribe::psubscribe)
        .for_listeners()
        .doc(
            "2.0.0",
            "pattern [pattern ...]",
            "O(N) where N is the number of patterns the client is already subscribed to.",
            "Listens for messages published to channels that match one or more patterns.",
        ),
    control("punsubscribe", -1, LISTEN, subscribe::punsubscribe)
        .for_listeners()
        .doc(
            "2.0.0",
            "[pattern [pattern ...]]",
            "O(N+M) where N is the number of patterns the client is already subscribed and M is \
             the number of total patterns subscribed in the system (by any client).",
            "Stops listening to messages published to channels that match one or more patterns.",
        ),
    control("ssubscribe", -2, LISTEN, subscribe::ssubscribe)
        .keys(&[keys(1, LAST, 1, KeyFlags::NOT_KEY)])
        .for_listeners()
        .doc(
            "7.0.0",
            "shardchannel [shardchannel ...]",
            "O(N) where N is the number of shard channels to subscribe to.",
            "Listens for messages published to shard channels.",
        ),
    control("sunsubscribe", -1, LISTEN, subscribe::sunsubscribe)
        .keys(&[keys(1, LAST, 1, KeyFlags::NOT_KEY)])
        .for_listeners()
        .doc(
            "7.0.0",
            "[shardchannel [shardchannel ...]]",
            "O(N) where N is the number of clients already subscribed to a shard channel.",
            "Stops listening to messages posted to shard channels.",
        ),
    message("publish", 3, SEND, publish::publish).doc(
        "2.0.0",
        "channel message",
        "O(N+M) where N is the number of clients subscribed to the receiving channel and M is \
         the total number of subscribed patterns (by any client).",
        "Posts a message to a channel.",
    ),
    message("spublish", 3, SEND, publish::spublish)
        .keys(&[one_key(1, KeyFlags::NOT_KEY)])
        .doc(
            "7.0.0",
            "shardchannel message",
            "O(N) where N is the number of clients subscribed to the receiving shard channel.",
            "Post a message to a shard channel",
        ),
    container("pubsub", -2, Flags::NONE).doc(
        "2.8.0",
        "",
        "Depends on subcommand.",
        "A container for Pub/Sub commands.",
    ),
    control("pubsub|channels", -2, LOOK, inspect::channels).doc(
        "2.8.0",
        "[pattern]",
        "O(N) where N is the number of active channels, and assuming constant time pattern \
         matching (relatively short channels and patterns)",
        "Returns the active channels.",
    ),
    control("pubsub|help", 2, ALWAYS, inspect::help).doc(
        "6.2.0",
        "",
        "O(1)",
        "Returns helpful text about the different subcommands.",
    ),
    control("pubsub|numpat", 2, LOOK, inspect::numpat).doc(
        "2.8.0",
        "",
        "O(1)",
        "Returns a count of unique pattern subscriptions.",
    ),
    control("pubsub|numsub", -2, LOOK, inspect::numsub).doc(
        "2.8.0",
        "[channel [channel ...]]",
        "O(N) for the NUMSUB subcommand, where N is the number of requested channels",
        "Returns a count of subscribers to channels.",
    ),
    control("pubsub|shardchannels", -2, LOOK, inspect::shardchannels).doc(
        "7.0.0",
        "[pattern]",
        "O(N) where N is the number of active shard channels, and assuming constant time pattern \
         matching (relatively short shard channels).",
        "Returns the active shard channels.",
    ),
    control("pubsub|shardnumsub", -2, LOOK, inspect::shardnumsub).doc(
        "7.0.0",
        "[shardchannel [shardchannel ...]]",
        "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels",
        "Returns the count of subscribers of shard channels.",
    ),
];
