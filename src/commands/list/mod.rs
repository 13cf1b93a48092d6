//! Lists: sequences with two ends, as queues and stacks of jobs.
//!
//! What a list is and how it is kept is `object::list`; here are the commands around it. Those
//! that wait for an element call what the others are made of.

use super::row::{Family, data, family};
use crate::command::{Flags, Group, KeyFlags, keys, keys_from, one_key};

mod blocking;
mod change;
mod options;
pub mod pop;
mod push;
mod read;
mod reply;
pub mod transfer;

const READ: Flags = Flags::READONLY;
const WRITE: Flags = Flags::WRITE;
const GROW: Flags = Flags::WRITE.and(Flags::DENYOOM);
const FAST: Flags = Flags::FAST;
const LOOK: KeyFlags = KeyFlags::RO.and(KeyFlags::ACCESS);
const ADD: KeyFlags = KeyFlags::RW.and(KeyFlags::INSERT);
const SHRINK: KeyFlags = KeyFlags::RW.and(KeyFlags::DELETE);
const TAKE: KeyFlags = SHRINK.and(KeyFlags::ACCESS);
const WAIT: Flags = Flags::NOSCRIPT.and(Flags::BLOCKING);
const DOUBLE: &[(&str, &str)] = &[(
    "6.0.0",
    "`timeout` is interpreted as a double instead of an integer.",
)];
const PUSH_COST: &str = "O(1) for each element added, so O(N) to add N elements when the command \
    is called with multiple arguments.";

/// The rows of this family.
pub const FAMILY: Family = family(
    Group::List,
    &[
        data(
            "blmove",
            6,
            GROW.and(WAIT),
            &[one_key(1, TAKE), one_key(2, ADD)],
            blocking::blmove,
        )
        .blocking(|_| true)
        .doc(
            "6.2.0",
            "source destination wherefrom=<LEFT | RIGHT> whereto=<LEFT | RIGHT> timeout:double",
            "O(1)",
            "Pops an element from a list, pushes it to another list and returns it. Blocks until \
                an element is available otherwise. Deletes the list if the last element was \
                moved.",
        ),
        data(
            "blmpop",
            -5,
            WRITE.and(Flags::BLOCKING).and(Flags::MOVABLEKEYS),
            &[keys_from(2, TAKE)],
            blocking::blmpop,
        )
        .blocking(|_| true)
        .doc(
            "7.0.0",
            "timeout:double numkeys key [key ...] where=<LEFT | RIGHT> [COUNT count]",
            "O(N+M) where N is the number of provided keys and M is the number of elements \
                returned.",
            "Pops the first element from one of multiple lists. Blocks until an element is \
                available otherwise. Deletes the list if the last element was popped.",
        ),
        data(
            "blpop",
            -3,
            WRITE.and(WAIT),
            &[keys(1, -2, 1, TAKE)],
            blocking::blpop,
        )
        .blocking(|_| true)
        .doc(
            "2.0.0",
            "key [key ...] timeout:double",
            "O(N) where N is the number of provided keys.",
            "Removes and returns the first element in a list. Blocks until an element is \
                available otherwise. Deletes the list if the last element was popped.",
        )
        .history(DOUBLE),
        data(
            "brpop",
            -3,
            WRITE.and(WAIT),
            &[keys(1, -2, 1, TAKE)],
            blocking::brpop,
        )
        .blocking(|_| true)
        .doc(
            "2.0.0",
            "key [key ...] timeout:double",
            "O(N) where N is the number of provided keys.",
            "Removes and returns the last element in a list. Blocks until an element is \
                available otherwise. Deletes the list if the last element was popped.",
        )
        .history(DOUBLE),
        data(
            "brpoplpush",
            4,
            GROW.and(WAIT),
            &[one_key(1, TAKE), one_key(2, ADD)],
            blocking::brpoplpush,
        )
        .blocking(|_| true)
        .doc(
            "2.2.0",
            "source destination timeout:double",
            "O(1)",
            "Pops an element from a list, pushes it to another list and returns it. Block until \
                an element is available otherwise. Deletes the list if the last element was \
                popped.",
        )
        .deprecated("6.2.0", "`BLMOVE` with the `RIGHT` and `LEFT` arguments")
        .history(DOUBLE),
        data("lindex", 3, READ, &[one_key(1, LOOK)], read::lindex).doc(
            "1.0.0",
            "key index",
            "O(N) where N is the number of elements to traverse to get to the element at \
                index. This makes asking for the first or the last element of the list O(1).",
            "Returns an element from a list by its index.",
        ),
        data("linsert", 5, GROW, &[one_key(1, ADD)], change::linsert).doc(
            "2.2.0",
            "key where=<BEFORE | AFTER> pivot element",
            "O(N) where N is the number of elements to traverse before seeing the value \
                pivot. This means that inserting somewhere on the left end on the list (head) \
                can be considered O(1) and inserting somewhere on the right end (tail) is O(N).",
            "Inserts an element before or after another element in a list.",
        ),
        data(
            "llen",
            2,
            READ.and(FAST),
            &[one_key(1, KeyFlags::RO)],
            read::llen,
        )
        .doc("1.0.0", "key", "O(1)", "Returns the length of a list."),
        data(
            "lmove",
            5,
            GROW,
            &[one_key(1, TAKE), one_key(2, ADD)],
            transfer::lmove,
        )
        .doc(
            "6.2.0",
            "source destination wherefrom=<LEFT | RIGHT> whereto=<LEFT | RIGHT>",
            "O(1)",
            "Returns an element after popping it from one list and pushing it to another. \
                Deletes the list if the last element was moved.",
        ),
        data(
            "lmpop",
            -4,
            WRITE.and(Flags::MOVABLEKEYS),
            &[keys_from(1, TAKE)],
            pop::lmpop,
        )
        .doc(
            "7.0.0",
            "numkeys key [key ...] where=<LEFT | RIGHT> [COUNT count]",
            "O(N+M) where N is the number of provided keys and M is the number of elements \
                returned.",
            "Returns multiple elements from a list after removing them. Deletes the list if \
                the last element was popped.",
        ),
        data("lpop", -2, WRITE.and(FAST), &[one_key(1, TAKE)], pop::lpop)
            .doc(
                "1.0.0",
                "key [count@6.2.0]",
                "O(N) where N is the number of elements returned",
                "Returns the first elements in a list after removing it. Deletes the list if \
                    the last element was popped.",
            )
            .history(&[("6.2.0", "Added the `count` argument.")]),
        data("lpos", -3, READ, &[one_key(1, LOOK)], read::lpos).doc(
            "6.0.6",
            "key element [RANK rank:integer] [COUNT num-matches:integer] [MAXLEN len:integer]",
            "O(N) where N is the number of elements in the list, for the average case. When \
                searching for elements near the head or the tail of the list, or when the \
                MAXLEN option is provided, the command may run in constant time.",
            "Returns the index of matching elements in a list.",
        ),
        data("lpush", -3, GROW.and(FAST), &[one_key(1, ADD)], push::lpush)
            .doc(
                "1.0.0",
                "key element [element ...]",
                PUSH_COST,
                "Prepends one or more elements to a list. Creates the key if it doesn't exist.",
            )
            .history(&[("2.4.0", "Accepts multiple `element` arguments.")]),
        data(
            "lpushx",
            -3,
            GROW.and(FAST),
            &[one_key(1, ADD)],
            push::lpushx,
        )
        .doc(
            "2.2.0",
            "key element [element ...]",
            PUSH_COST,
            "Prepends one or more elements to a list only when the list exists.",
        )
        .history(&[("4.0.0", "Accepts multiple `element` arguments.")]),
        data("lrange", 4, READ, &[one_key(1, LOOK)], read::lrange).doc(
            "1.0.0",
            "key start:integer stop:integer",
            "O(S+N) where S is the distance of start offset from HEAD for small lists, from \
                nearest end (HEAD or TAIL) for large lists; and N is the number of elements in \
                the specified range.",
            "Returns a range of elements from a list.",
        ),
        data("lrem", 4, WRITE, &[one_key(1, SHRINK)], change::lrem).doc(
            "1.0.0",
            "key count element",
            "O(N+M) where N is the length of the list and M is the number of elements removed.",
            "Removes elements from a list. Deletes the list if the last element was removed.",
        ),
        data(
            "lset",
            4,
            GROW,
            &[one_key(1, KeyFlags::RW.and(KeyFlags::UPDATE))],
            change::lset,
        )
        .doc(
            "1.0.0",
            "key index element",
            "O(N) where N is the length of the list. Setting either the first or the last \
                element of the list is O(1).",
            "Sets the value of an element in a list by its index.",
        ),
        data("ltrim", 4, WRITE, &[one_key(1, SHRINK)], change::ltrim).doc(
            "1.0.0",
            "key start:integer stop:integer",
            "O(N) where N is the number of elements to be removed by the operation.",
            "Removes elements from both ends a list. Deletes the list if all elements were \
                trimmed.",
        ),
        data("rpop", -2, WRITE.and(FAST), &[one_key(1, TAKE)], pop::rpop)
            .doc(
                "1.0.0",
                "key [count@6.2.0]",
                "O(N) where N is the number of elements returned",
                "Returns and removes the last elements of a list. Deletes the list if the \
                    last element was popped.",
            )
            .history(&[("6.2.0", "Added the `count` argument.")]),
        data(
            "rpoplpush",
            3,
            GROW,
            &[one_key(1, TAKE), one_key(2, ADD)],
            transfer::rpoplpush,
        )
        .doc(
            "1.2.0",
            "source destination",
            "O(1)",
            "Returns the last element of a list after removing and pushing it to another \
                list. Deletes the list if the last element was popped.",
        )
        .deprecated("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments"),
        data("rpush", -3, GROW.and(FAST), &[one_key(1, ADD)], push::rpush)
            .doc(
                "1.0.0",
                "key element [element ...]",
                PUSH_COST,
                "Appends one or more elements to a list. Creates the key if it doesn't exist.",
            )
            .history(&[("2.4.0", "Accepts multiple `element` arguments.")]),
        data(
            "rpushx",
            -3,
            GROW.and(FAST),
            &[one_key(1, ADD)],
            push::rpushx,
        )
        .doc(
            "2.2.0",
            "key element [element ...]",
            PUSH_COST,
            "Appends an element to a list only when the list exists.",
        )
        .history(&[("4.0.0", "Accepts multiple `element` arguments.")]),
    ],
);
