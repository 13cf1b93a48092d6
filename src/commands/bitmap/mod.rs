//! Bitmaps: strings as arrays of bits and of small integers.
//!
//! The arithmetic is `object::bits` and `object::bitfield`; here are the commands around it: their
//! arguments, the keys, the replies.

use super::row::{Family, data, family};
use crate::command::{Flags, Group, KeyFlags, LAST, keys, one_key};

mod bit;
mod bitfield;
mod bitop;
mod count;

const READ: Flags = Flags::READONLY;
const WRITE: Flags = Flags::WRITE.and(Flags::DENYOOM);
const FAST: Flags = Flags::FAST;
const LOOK: KeyFlags = KeyFlags::RO.and(KeyFlags::ACCESS);
const MODIFY: KeyFlags = KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::UPDATE);
const OVERWRITE: KeyFlags = KeyFlags::OW.and(KeyFlags::UPDATE);

/// The rows of this family.
pub const FAMILY: Family = family(
    Group::Bitmap,
    &[
        data("bitcount", -2, READ, &[one_key(1, LOOK)], count::bitcount)
            .doc(
                "2.6.0",
                "key range=[start end unit=[BYTE|BIT]@7.0.0]",
                "O(N)",
                "Count set bits in a string",
            )
            .history(&[("7.0.0", "Added the `BYTE|BIT` option.")]),
        data(
            "bitfield",
            -2,
            WRITE,
            &[one_key(1, MODIFY.and(KeyFlags::VARIABLE_FLAGS))
                .note("This command allows both access and modification of the key")],
            bitfield::bitfield,
        )
        .key_use(bitfield::bitfield_use)
        .doc(
            "3.2.0",
            "key operation=[get-block=<GET encoding offset>|write=<overflow-block=[OVERFLOW \
                <WRAP|SAT|FAIL>] write-operation=<set-block=<SET encoding offset \
                value:integer>|incrby-block=<INCRBY encoding offset increment>>> ...]",
            "O(1) for each subcommand specified",
            "Perform arbitrary bitfield integer operations on strings",
        ),
        data(
            "bitfield_ro",
            -2,
            READ.and(FAST),
            &[one_key(1, LOOK)],
            bitfield::bitfield_ro,
        )
        .doc(
            "6.0.0",
            "key get-block=[GET encoding offset [GET encoding offset ...]]",
            "O(1) for each subcommand specified",
            "Perform arbitrary bitfield integer operations on strings. Read-only \
                variant of BITFIELD",
        ),
        data(
            "bitop",
            -4,
            WRITE,
            &[one_key(2, OVERWRITE), keys(3, LAST, 1, LOOK)],
            bitop::bitop,
        )
        .doc(
            "2.6.0",
            "operation=<AND|OR|XOR|NOT> destkey key [key ...]",
            "O(N)",
            "Perform bitwise operations between strings",
        ),
        data("bitpos", -3, READ, &[one_key(1, LOOK)], count::bitpos)
            .doc(
                "2.8.7",
                "key bit range=[start end-unit-block=[end unit=[BYTE|BIT]@7.0.0]]",
                "O(N)",
                "Find first bit set or clear in a string",
            )
            .history(&[("7.0.0", "Added the `BYTE|BIT` option.")]),
        data(
            "getbit",
            3,
            READ.and(FAST),
            &[one_key(1, LOOK)],
            bit::getbit,
        )
        .doc(
            "2.2.0",
            "key offset",
            "O(1)",
            "Returns the bit value at offset in the string value stored at key",
        ),
        data("setbit", 4, WRITE, &[one_key(1, MODIFY)], bit::setbit).doc(
            "2.2.0",
            "key offset value:integer",
            "O(1)",
            "Sets or clears the bit at offset in the string value stored at key",
        ),
    ],
);
