//! Geo: places as members of sorted sets, and searches around them.
//!
//! Rows here, handlers in the files beside. The arithmetic is `object::geo`, the storage a sorted
//! set that the other commands can read and change.

use super::row::{Family, data, family};
use crate::command::{Flags, Group, KeyFlags, keys_behind, one_key};

mod add;
mod options;
mod place;
mod position;
mod search;

const READ: Flags = Flags::READONLY;
const WRITE: Flags = Flags::WRITE.and(Flags::DENYOOM);
const LOOK: KeyFlags = KeyFlags::RO.and(KeyFlags::ACCESS);
const UPDATE: KeyFlags = KeyFlags::RW.and(KeyFlags::UPDATE);
const OVERWRITE: KeyFlags = KeyFlags::OW.and(KeyFlags::UPDATE);

/// The rows of this family.
pub const FAMILY: Family = family(
    Group::Geo,
    &[
        data("geoadd", -5, WRITE, &[one_key(1, UPDATE)], add::geoadd)
            .doc(
                "3.2.0",
                "key condition=[NX|XX]@6.2.0 [change=CH@6.2.0] longitude:double \
                latitude:double member data=[longitude:double latitude:double member \
                ...]",
                "O(log(N)) for each item added, where N is the number of elements in \
                the sorted set.",
                "Add one or more geospatial items in the geospatial index represented \
                using a sorted set",
            )
            .history(&[("6.2.0", "Added the `CH`, `NX` and `XX` options.")]),
        data("geodist", -4, READ, &[one_key(1, LOOK)], position::geodist).doc(
            "3.2.0",
            "key member1 member2 unit=[M|KM|FT|MI]",
            "O(log(N))",
            "Returns the distance between two members of a geospatial index",
        ),
        data("geohash", -2, READ, &[one_key(1, LOOK)], position::geohash).doc(
            "3.2.0",
            "key [member [member ...]]",
            "O(log(N)) for each member requested, where N is the number of elements \
                in the sorted set.",
            "Returns members of a geospatial index as standard geohash strings",
        ),
        data("geopos", -2, READ, &[one_key(1, LOOK)], position::geopos).doc(
            "3.2.0",
            "key [member [member ...]]",
            "O(N) where N is the number of members requested.",
            "Returns longitude and latitude of members of a geospatial index",
        ),
        data(
            "georadius",
            -6,
            WRITE.and(Flags::MOVABLEKEYS),
            &[
                one_key(1, LOOK),
                keys_behind("STORE", 6, OVERWRITE),
                keys_behind("STOREDIST", 6, OVERWRITE),
            ],
            search::georadius,
        )
        .doc(
            "3.2.0",
            "key longitude:double latitude:double radius:double unit=<M|KM|FT|MI> \
                [WITHCOORD] [WITHDIST] [WITHHASH] count-block=[COUNT count \
                [ANY@6.2.0]] order=[ASC|DESC] [STORE key] [STOREDIST key]",
            "O(N+log(M)) where N is the number of elements inside the bounding box \
                of the circular area delimited by center and radius and M is the \
                number of items inside the index.",
            "Query a sorted set representing a geospatial index to fetch members \
                matching a given maximum distance from a point",
        )
        .history(&[
            ("6.2.0", "Added the `ANY` option for `COUNT`."),
            ("7.0.0", "Added support for uppercase unit names."),
        ])
        .deprecated(
            "6.2.0",
            "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument",
        ),
        data(
            "georadius_ro",
            -6,
            READ,
            &[one_key(1, LOOK)],
            search::georadius_ro,
        )
        .doc(
            "3.2.10",
            "key longitude:double latitude:double radius:double unit=<M|KM|FT|MI> \
                [WITHCOORD] [WITHDIST] [WITHHASH] count-block=[COUNT count \
                [ANY@6.2.0]] order=[ASC|DESC]",
            "O(N+log(M)) where N is the number of elements inside the bounding box \
                of the circular area delimited by center and radius and M is the \
                number of items inside the index.",
            "A read-only variant for GEORADIUS",
        )
        .history(&[("6.2.0", "Added the `ANY` option for `COUNT`.")])
        .deprecated("6.2.0", "`GEOSEARCH` with the `BYRADIUS` argument"),
        data(
            "georadiusbymember",
            -5,
            WRITE.and(Flags::MOVABLEKEYS),
            &[
                one_key(1, LOOK),
                keys_behind("STORE", 5, OVERWRITE),
                keys_behind("STOREDIST", 5, OVERWRITE),
            ],
            search::georadiusbymember,
        )
        .doc(
            "3.2.0",
            "key member radius:double unit=<M|KM|FT|MI> [WITHCOORD] [WITHDIST] \
                [WITHHASH] count-block=[COUNT count [ANY]] order=[ASC|DESC] \
                [STORE key] [STOREDIST key]",
            "O(N+log(M)) where N is the number of elements inside the bounding box \
                of the circular area delimited by center and radius and M is the \
                number of items inside the index.",
            "Query a sorted set representing a geospatial index to fetch members \
                matching a given maximum distance from a member",
        )
        .history(&[("7.0.0", "Added support for uppercase unit names.")])
        .deprecated(
            "6.2.0",
            "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` \
                arguments",
        ),
        data(
            "georadiusbymember_ro",
            -5,
            READ,
            &[one_key(1, LOOK)],
            search::georadiusbymember_ro,
        )
        .doc(
            "3.2.10",
            "key member radius:double unit=<M|KM|FT|MI> [WITHCOORD] [WITHDIST] \
                [WITHHASH] count-block=[COUNT count [ANY]] order=[ASC|DESC]",
            "O(N+log(M)) where N is the number of elements inside the bounding box \
                of the circular area delimited by center and radius and M is the \
                number of items inside the index.",
            "A read-only variant for GEORADIUSBYMEMBER",
        )
        .deprecated(
            "6.2.0",
            "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments",
        ),
        data(
            "geosearch",
            -7,
            READ,
            &[one_key(1, LOOK)],
            search::geosearch,
        )
        .doc(
            "6.2.0",
            "key from=<FROMMEMBER member | FROMLONLAT longitude:double \
                latitude:double> by=<BYRADIUS radius:double unit=<M|KM|FT|MI> | BYBOX \
                <width:double> height:double unit=<M|KM|FT|MI>> order=[ASC|DESC] \
                count-block=[COUNT count [ANY]] [WITHCOORD] [WITHDIST] \
                [WITHHASH]",
            "O(N+log(M)) where N is the number of elements in the grid-aligned \
                bounding box area around the shape provided as the filter and M is the \
                number of items inside the shape",
            "Query a sorted set representing a geospatial index to fetch members \
                inside an area of a box or a circle.",
        )
        .history(&[("7.0.0", "Added support for uppercase unit names.")]),
        data(
            "geosearchstore",
            -8,
            WRITE,
            &[one_key(1, OVERWRITE), one_key(2, LOOK)],
            search::geosearchstore,
        )
        .doc(
            "6.2.0",
            "destination source from=<FROMMEMBER member | FROMLONLAT \
                longitude:double latitude:double> by=<BYRADIUS radius:double \
                unit=<M|KM|FT|MI> | BYBOX <width:double> height:double \
                unit=<M|KM|FT|MI>> order=[ASC|DESC] count-block=[COUNT count \
                [ANY]] [STOREDIST]",
            "O(N+log(M)) where N is the number of elements in the grid-aligned \
                bounding box area around the shape provided as the filter and M is the \
                number of items inside the shape",
            "Query a sorted set representing a geospatial index to fetch members \
                inside an area of a box or a circle, and store the result in another \
                key.",
        )
        .history(&[("7.0.0", "Added support for uppercase unit names.")]),
    ],
);
