//! Sorted sets: members with scores, in order.
//!
//! Rows here, handlers in the files beside. The value itself, its two forms and its ranges are
//! `object::zset`.

use super::row::{Family, data, family};
use crate::command::{Flags, Group, KeyFlags, keys, keys_from, one_key};

mod add;
mod blocking;
mod bounds;
mod combine;
mod count;
pub mod pop;
mod random;
mod range;
pub mod read;
mod remove;
mod scan;
mod source;

const READ: Flags = Flags::READONLY;
const WRITE: Flags = Flags::WRITE.and(Flags::DENYOOM);
const FAST: Flags = Flags::FAST;
const WAIT: Flags = Flags::WRITE.and(Flags::BLOCKING);
const DOUBLE: &[(&str, &str)] = &[(
    "6.0.0",
    "`timeout` is interpreted as a double instead of an integer.",
)];
const MOVABLE: Flags = Flags::MOVABLEKEYS;
const LOOK: KeyFlags = KeyFlags::RO.and(KeyFlags::ACCESS);
const UPDATE: KeyFlags = KeyFlags::RW.and(KeyFlags::UPDATE);
const MODIFY: KeyFlags = UPDATE.and(KeyFlags::ACCESS);
const DROP: KeyFlags = KeyFlags::RW.and(KeyFlags::DELETE);
const TAKE: KeyFlags = DROP.and(KeyFlags::ACCESS);
const OVERWRITE: KeyFlags = KeyFlags::OW.and(KeyFlags::UPDATE);

/// The rows of this family.
pub const FAMILY: Family = family(
    Group::SortedSet,
    &[
        data(
            "bzmpop",
            -5,
            WAIT.and(MOVABLE),
            &[keys_from(2, TAKE)],
            blocking::bzmpop,
        )
        .blocking(|_| true)
        .doc(
            "7.0.0",
            "timeout:double numkeys key [key ...] where=<MIN|MAX> [COUNT count]",
            "O(K) + O(M*log(N)) where K is the number of provided keys, N being the \
                number of elements in the sorted set, and M being the number of elements \
                popped.",
            "Removes and returns a member by score from one or more sorted sets. Blocks until a \
                member is available otherwise. Deletes the sorted set if the last element was \
                popped.",
        ),
        data(
            "bzpopmax",
            -3,
            WAIT.and(FAST).and(Flags::NOSCRIPT),
            &[keys(1, -2, 1, TAKE)],
            blocking::bzpopmax,
        )
        .blocking(|_| true)
        .doc(
            "5.0.0",
            "key [key ...] timeout:double",
            "O(log(N)) with N being the number of elements in the sorted set.",
            "Removes and returns the member with the highest score from one or more sorted sets. \
                Blocks until a member available otherwise. Deletes the sorted set if the last \
                element was popped.",
        )
        .history(DOUBLE),
        data(
            "bzpopmin",
            -3,
            WAIT.and(FAST).and(Flags::NOSCRIPT),
            &[keys(1, -2, 1, TAKE)],
            blocking::bzpopmin,
        )
        .blocking(|_| true)
        .doc(
            "5.0.0",
            "key [key ...] timeout:double",
            "O(log(N)) with N being the number of elements in the sorted set.",
            "Removes and returns the member with the lowest score from one or more sorted sets. \
                Blocks until a member available otherwise. Deletes the sorted set if the last \
                element was popped.",
        )
        .history(DOUBLE),
        data(
            "zadd",
            -4,
            WRITE.and(FAST),
            &[one_key(1, UPDATE)],
            add::zadd,
        )
        .doc(
            "1.2.0",
            "key condition=[NX|XX]@3.0.2 comparison=[GT|LT]@6.2.0 [change=CH@3.0.2] \
                [increment=INCR@3.0.2] score:double member data=[score:double member ...]",
            "O(log(N)) for each item added, where N is the number of elements in the \
                sorted set.",
            "Add one or more members to a sorted set, or update its score if it \
                already exists",
        )
        .history(&[
            ("2.4.0", "Accepts multiple elements."),
            ("3.0.2", "Added the `XX`, `NX`, `CH` and `INCR` options."),
            ("6.2.0", "Added the `GT` and `LT` options."),
        ]),
        data(
            "zcard",
            2,
            READ.and(FAST),
            &[one_key(1, KeyFlags::RO)],
            count::zcard,
        )
        .doc(
            "1.2.0",
            "key",
            "O(1)",
            "Get the number of members in a sorted set",
        ),
        data(
            "zcount",
            4,
            READ.and(FAST),
            &[one_key(1, LOOK)],
            count::zcount,
        )
        .doc(
            "2.0.0",
            "key min:double max:double",
            "O(log(N)) with N being the number of elements in the sorted set.",
            "Count the members in a sorted set with scores within the given values",
        ),
        data(
            "zdiff",
            -3,
            READ.and(MOVABLE),
            &[keys_from(1, LOOK)],
            combine::zdiff,
        )
        .doc(
            "6.2.0",
            "numkeys key [key ...] [WITHSCORES]",
            "O(L + (N-K)log(N)) worst case where L is the total number of elements in \
                all the sets, N is the size of the first set, and K is the size of the \
                result set.",
            "Subtract multiple sorted sets",
        ),
        data(
            "zdiffstore",
            -4,
            WRITE.and(MOVABLE),
            &[one_key(1, OVERWRITE), keys_from(2, LOOK)],
            combine::zdiffstore,
        )
        .doc(
            "6.2.0",
            "destination numkeys key [key ...]",
            "O(L + (N-K)log(N)) worst case where L is the total number of elements in \
                all the sets, N is the size of the first set, and K is the size of the \
                result set.",
            "Subtract multiple sorted sets and store the resulting sorted set in a \
                new key",
        ),
        data(
            "zincrby",
            4,
            WRITE.and(FAST),
            &[one_key(1, MODIFY)],
            add::zincrby,
        )
        .doc(
            "1.2.0",
            "key increment member",
            "O(log(N)) where N is the number of elements in the sorted set.",
            "Increment the score of a member in a sorted set",
        ),
        data(
            "zinter",
            -3,
            READ.and(MOVABLE),
            &[keys_from(1, LOOK)],
            combine::zinter,
        )
        .doc(
            "6.2.0",
            "numkeys key [key ...] [WEIGHTS weight:integer [weight:integer ...]] [AGGREGATE \
                <SUM|MIN|MAX>] [WITHSCORES]",
            "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted \
                set, K being the number of input sorted sets and M being the number of \
                elements in the resulting sorted set.",
            "Intersect multiple sorted sets",
        ),
        data(
            "zintercard",
            -3,
            READ.and(MOVABLE),
            &[keys_from(1, LOOK)],
            combine::zintercard,
        )
        .doc(
            "7.0.0",
            "numkeys key [key ...] [LIMIT limit:integer]",
            "O(N*K) worst case with N being the smallest input sorted set, K being \
                the number of input sorted sets.",
            "Intersect multiple sorted sets and return the cardinality of the result",
        ),
        data(
            "zinterstore",
            -4,
            WRITE.and(MOVABLE),
            &[one_key(1, OVERWRITE), keys_from(2, LOOK)],
            combine::zinterstore,
        )
        .doc(
            "2.0.0",
            "destination numkeys key [key ...] [WEIGHTS weight:integer [weight:integer ...]] \
                [AGGREGATE <SUM|MIN|MAX>]",
            "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted \
                set, K being the number of input sorted sets and M being the number of \
                elements in the resulting sorted set.",
            "Intersect multiple sorted sets and store the resulting sorted set in a \
                new key",
        ),
        data(
            "zlexcount",
            4,
            READ.and(FAST),
            &[one_key(1, LOOK)],
            count::zlexcount,
        )
        .doc(
            "2.8.9",
            "key min max",
            "O(log(N)) with N being the number of elements in the sorted set.",
            "Count the number of members in a sorted set between a given \
                lexicographical range",
        ),
        data(
            "zmpop",
            -4,
            Flags::WRITE.and(MOVABLE),
            &[keys_from(1, TAKE)],
            pop::zmpop,
        )
        .doc(
            "7.0.0",
            "numkeys key [key ...] where=<MIN|MAX> [COUNT count]",
            "O(K) + O(M*log(N)) where K is the number of provided keys, N being the \
                number of elements in the sorted set, and M being the number of elements \
                popped.",
            "Remove and return members with scores in a sorted set",
        ),
        data(
            "zmscore",
            -3,
            READ.and(FAST),
            &[one_key(1, LOOK)],
            count::zmscore,
        )
        .doc(
            "6.2.0",
            "key member [member ...]",
            "O(N) where N is the number of members being requested.",
            "Get the score associated with the given members in a sorted set",
        ),
        data(
            "zpopmax",
            -2,
            Flags::WRITE.and(FAST),
            &[one_key(1, TAKE)],
            pop::zpopmax,
        )
        .doc(
            "5.0.0",
            "key [count]",
            "O(log(N)*M) with N being the number of elements in the sorted set, and M \
                being the number of elements popped.",
            "Remove and return members with the highest scores in a sorted set",
        ),
        data(
            "zpopmin",
            -2,
            Flags::WRITE.and(FAST),
            &[one_key(1, TAKE)],
            pop::zpopmin,
        )
        .doc(
            "5.0.0",
            "key [count]",
            "O(log(N)*M) with N being the number of elements in the sorted set, and M \
                being the number of elements popped.",
            "Remove and return members with the lowest scores in a sorted set",
        ),
        data(
            "zrandmember",
            -2,
            READ,
            &[one_key(1, LOOK)],
            random::zrandmember,
        )
        .tips(&["nondeterministic_output"])
        .doc(
            "6.2.0",
            "key [count [WITHSCORES]]",
            "O(N) where N is the number of elements returned",
            "Get one or multiple random elements from a sorted set",
        ),
        data("zrange", -4, READ, &[one_key(1, LOOK)], range::zrange)
            .doc(
                "1.2.0",
                "key start:string stop sortby=[BYSCORE|BYLEX]@6.2.0 [REV@6.2.0] \
                [LIMIT offset count]@6.2.0 [WITHSCORES]",
                "O(log(N)+M) with N being the number of elements in the sorted set and M \
                the number of elements returned.",
                "Return a range of members in a sorted set",
            )
            .history(&[(
                "6.2.0",
                "Added the `REV`, `BYSCORE`, `BYLEX` and `LIMIT` options.",
            )]),
        data(
            "zrangebylex",
            -4,
            READ,
            &[one_key(1, LOOK)],
            range::zrangebylex,
        )
        .doc(
            "2.8.9",
            "key min max [LIMIT offset count]",
            "O(log(N)+M) with N being the number of elements in the sorted set and M \
                the number of elements being returned. If M is constant (e.g. always \
                asking for the first 10 elements with LIMIT), you can consider it \
                O(log(N)).",
            "Return a range of members in a sorted set, by lexicographical range",
        )
        .deprecated("6.2.0", "`ZRANGE` with the `BYLEX` argument"),
        data(
            "zrangebyscore",
            -4,
            READ,
            &[one_key(1, LOOK)],
            range::zrangebyscore,
        )
        .doc(
            "1.0.5",
            "key min:double max:double [WITHSCORES@2.0.0] [LIMIT offset count]",
            "O(log(N)+M) with N being the number of elements in the sorted set and M \
                the number of elements being returned. If M is constant (e.g. always \
                asking for the first 10 elements with LIMIT), you can consider it \
                O(log(N)).",
            "Return a range of members in a sorted set, by score",
        )
        .history(&[("2.0.0", "Added the `WITHSCORES` modifier.")])
        .deprecated("6.2.0", "`ZRANGE` with the `BYSCORE` argument"),
        data(
            "zrangestore",
            -5,
            WRITE,
            &[one_key(1, OVERWRITE), one_key(2, LOOK)],
            range::zrangestore,
        )
        .doc(
            "6.2.0",
            "dst src min max [BYSCORE|BYLEX] [REV] [LIMIT offset count]",
            "O(log(N)+M) with N being the number of elements in the sorted set and M \
                the number of elements stored into the destination key.",
            "Store a range of members from sorted set into another key",
        ),
        data(
            "zrank",
            -3,
            READ.and(FAST),
            &[one_key(1, LOOK)],
            count::zrank,
        )
        .doc(
            "2.0.0",
            "key member [WITHSCORE]",
            "O(log(N))",
            "Determine the index of a member in a sorted set",
        )
        .history(&[("7.2.0", "Added the optional `WITHSCORE` argument.")]),
        data(
            "zrem",
            -3,
            Flags::WRITE.and(FAST),
            &[one_key(1, DROP)],
            remove::zrem,
        )
        .doc(
            "1.2.0",
            "key member [member ...]",
            "O(M*log(N)) with N being the number of elements in the sorted set and M \
                the number of elements to be removed.",
            "Remove one or more members from a sorted set",
        )
        .history(&[("2.4.0", "Accepts multiple elements.")]),
        data(
            "zremrangebylex",
            4,
            Flags::WRITE,
            &[one_key(1, DROP)],
            remove::zremrangebylex,
        )
        .doc(
            "2.8.9",
            "key min max",
            "O(log(N)+M) with N being the number of elements in the sorted set and M \
                the number of elements removed by the operation.",
            "Remove all members in a sorted set between the given lexicographical \
                range",
        ),
        data(
            "zremrangebyrank",
            4,
            Flags::WRITE,
            &[one_key(1, DROP)],
            remove::zremrangebyrank,
        )
        .doc(
            "2.0.0",
            "key start stop:integer",
            "O(log(N)+M) with N being the number of elements in the sorted set and M \
                the number of elements removed by the operation.",
            "Remove all members in a sorted set within the given indexes",
        ),
        data(
            "zremrangebyscore",
            4,
            Flags::WRITE,
            &[one_key(1, DROP)],
            remove::zremrangebyscore,
        )
        .doc(
            "1.2.0",
            "key min:double max:double",
            "O(log(N)+M) with N being the number of elements in the sorted set and M \
                the number of elements removed by the operation.",
            "Remove all members in a sorted set within the given scores",
        ),
        data("zrevrange", -4, READ, &[one_key(1, LOOK)], range::zrevrange)
            .doc(
                "1.2.0",
                "key start stop:integer [WITHSCORES]",
                "O(log(N)+M) with N being the number of elements in the sorted set and M \
                the number of elements returned.",
                "Return a range of members in a sorted set, by index, with scores ordered \
                from high to low",
            )
            .deprecated("6.2.0", "`ZRANGE` with the `REV` argument"),
        data(
            "zrevrangebylex",
            -4,
            READ,
            &[one_key(1, LOOK)],
            range::zrevrangebylex,
        )
        .doc(
            "2.8.9",
            "key max min [LIMIT offset count]",
            "O(log(N)+M) with N being the number of elements in the sorted set and M \
                the number of elements being returned. If M is constant (e.g. always \
                asking for the first 10 elements with LIMIT), you can consider it \
                O(log(N)).",
            "Return a range of members in a sorted set, by lexicographical range, \
                ordered from higher to lower strings.",
        )
        .deprecated("6.2.0", "`ZRANGE` with the `REV` and `BYLEX` arguments"),
        data(
            "zrevrangebyscore",
            -4,
            READ,
            &[one_key(1, LOOK)],
            range::zrevrangebyscore,
        )
        .doc(
            "2.2.0",
            "key max:double min:double [WITHSCORES] [LIMIT offset count]",
            "O(log(N)+M) with N being the number of elements in the sorted set and M \
                the number of elements being returned. If M is constant (e.g. always \
                asking for the first 10 elements with LIMIT), you can consider it \
                O(log(N)).",
            "Return a range of members in a sorted set, by score, with scores ordered \
                from high to low",
        )
        .history(&[("2.1.6", "`min` and `max` can be exclusive.")])
        .deprecated("6.2.0", "`ZRANGE` with the `REV` and `BYSCORE` arguments"),
        data(
            "zrevrank",
            -3,
            READ.and(FAST),
            &[one_key(1, LOOK)],
            count::zrevrank,
        )
        .doc(
            "2.0.0",
            "key member [WITHSCORE]",
            "O(log(N))",
            "Determine the index of a member in a sorted set, with scores ordered \
                from high to low",
        )
        .history(&[("7.2.0", "Added the optional `WITHSCORE` argument.")]),
        data("zscan", -3, READ, &[one_key(1, LOOK)], scan::zscan)
            .tips(&["nondeterministic_output"])
            .doc(
                "2.8.0",
                "key cursor [MATCH pattern] [COUNT count]",
                "O(1) for every call. O(N) for a complete iteration, including enough \
                command calls for the cursor to return back to 0. N is the number of \
                elements inside the collection..",
                "Incrementally iterate sorted sets elements and associated scores",
            ),
        data(
            "zscore",
            3,
            READ.and(FAST),
            &[one_key(1, LOOK)],
            count::zscore,
        )
        .doc(
            "1.2.0",
            "key member",
            "O(1)",
            "Get the score associated with the given member in a sorted set",
        ),
        data(
            "zunion",
            -3,
            READ.and(MOVABLE),
            &[keys_from(1, LOOK)],
            combine::zunion,
        )
        .doc(
            "6.2.0",
            "numkeys key [key ...] [WEIGHTS weight:integer [weight:integer ...]] [AGGREGATE \
                <SUM|MIN|MAX>] [WITHSCORES]",
            "O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted \
                sets, and M being the number of elements in the resulting sorted set.",
            "Add multiple sorted sets",
        ),
        data(
            "zunionstore",
            -4,
            WRITE.and(MOVABLE),
            &[one_key(1, OVERWRITE), keys_from(2, LOOK)],
            combine::zunionstore,
        )
        .doc(
            "2.0.0",
            "destination numkeys key [key ...] [WEIGHTS weight:integer [weight:integer ...]] \
                [AGGREGATE <SUM|MIN|MAX>]",
            "O(N)+O(M log(M)) with N being the sum of the sizes of the input sorted \
                sets, and M being the number of elements in the resulting sorted set.",
            "Add multiple sorted sets and store the resulting sorted set in a new key",
        ),
    ],
);
