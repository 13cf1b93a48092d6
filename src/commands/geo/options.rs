//! The arguments of searches: GEOSEARCH's clauses and GEORADIUS's positions, in one reading.
//!
//! Redis reads them while it looks at the set (FROMMEMBER needs it), and so do we: which error
//! comes first depends on it.

use super::place;
use crate::command::{Args, positions};
use crate::object::geo::{Area, Coordinates, Shape};
use crate::object::zset::ZsetRef;
use crate::resp::{ErrorReply, errors};
use crate::shard::ShardCtx;
use std::cmp::Ordering;

/// What a command's name says already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// GEORADIUS; `true` when it may store.
    ByPlace(bool),
    /// GEORADIUSBYMEMBER; `true` when it may store.
    ByMember(bool),
    Search,
    SearchStore,
}

impl Command {
    /// Position of the key that is searched.
    pub fn source(self) -> usize {
        if self == Command::SearchStore { 2 } else { 1 }
    }

    fn is_search(self) -> bool {
        matches!(self, Command::Search | Command::SearchStore)
    }

    fn may_store(self) -> bool {
        matches!(self, Command::ByPlace(true) | Command::ByMember(true))
    }
}

/// Where results go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Store {
    /// Position of the key.
    pub at: usize,
    pub stores_distance: bool,
}

/// What is asked for. Without a center where there is no set to find it in.
#[derive(Clone, Debug, Default)]
pub(super) struct Query {
    pub center: Option<Coordinates>,
    /// With the meters of its unit.
    pub shape: Option<(Shape, f64)>,
    pub with_distance: bool,
    pub with_hash: bool,
    pub with_place: bool,
    /// `Less` for the closest first.
    pub order: Option<Ordering>,
    pub count: usize,
    pub takes_any: bool,
    pub store: Option<Store>,
    has_center: bool,
    stores_distance: bool,
}

const NOT_A_PLACE: &str = "ERR could not decode requested zset member";

impl Query {
    pub fn parse(
        args: Args<'_>,
        command: Command,
        set: Option<ZsetRef<'_>>,
    ) -> Result<Query, ErrorReply> {
        let mut query = Query::default();
        let mut at = query.leading(args, command, set)?;
        while at < args.len() {
            at += query.option(args, at, (command, set))?;
        }
        if command == Command::SearchStore {
            query.store = Some(Store {
                at: 1,
                stores_distance: query.stores_distance,
            });
        }
        query.check(args, command)?;
        Ok(query)
    }

    /// What stands before the options; the position of the first of these.
    fn leading(
        &mut self,
        args: Args<'_>,
        command: Command,
        set: Option<ZsetRef<'_>>,
    ) -> Result<usize, ErrorReply> {
        match (command, set) {
            (Command::Search, _) => Ok(2),
            (Command::SearchStore, _) => Ok(3),
            (Command::ByPlace(_), _) => {
                self.center = Some(place::coordinates(args, 2)?);
                self.circle(args, 4)?;
                Ok(6)
            }
            (Command::ByMember(_), None) => Ok(5),
            (Command::ByMember(_), Some(set)) => {
                let found = place::of_member(set, args.get(2));
                self.center = Some(found.ok_or(NOT_A_PLACE)?);
                self.circle(args, 3)?;
                Ok(5)
            }
        }
    }

    fn circle(&mut self, args: Args<'_>, at: usize) -> Result<(), ErrorReply> {
        let radius = place::number(args, at, "ERR need numeric radius")?;
        if radius < 0.0 {
            return Err("ERR radius cannot be negative".into());
        }
        let unit = place::unit(args, at + 1)?;
        let shape = Shape::Circle {
            radius: radius * unit,
        };
        self.shape = Some((shape, unit));
        Ok(())
    }

    fn rectangle(&mut self, args: Args<'_>, at: usize) -> Result<(), ErrorReply> {
        let width = place::number(args, at, "ERR need numeric width")?;
        let height = place::number(args, at + 1, "ERR need numeric height")?;
        if width < 0.0 || height < 0.0 {
            return Err("ERR height or width cannot be negative".into());
        }
        let unit = place::unit(args, at + 2)?;
        let shape = Shape::Box {
            width: width * unit,
            height: height * unit,
        };
        self.shape = Some((shape, unit));
        Ok(())
    }

    /// Takes in the option at a position; how many arguments it takes.
    fn option(
        &mut self,
        args: Args<'_>,
        at: usize,
        (command, set): (Command, Option<ZsetRef<'_>>),
    ) -> Result<usize, ErrorReply> {
        if self.flag(args, at) {
            return Ok(1);
        }
        let behind = args.len() - at - 1;
        if args.is(at, "count") && behind > 0 {
            let count = args.integer(at + 1)?;
            if count <= 0 {
                return Err("ERR COUNT must be > 0".into());
            }
            self.count = count as usize;
            return Ok(2);
        }
        let stores_distance = args.is(at, "storedist");
        if command.may_store() && behind > 0 && (stores_distance || args.is(at, "store")) {
            self.store = Some(Store {
                at: at + 1,
                stores_distance,
            });
            return Ok(2);
        }
        if command == Command::SearchStore && stores_distance {
            self.stores_distance = true;
            return Ok(1);
        }
        match command.is_search() {
            true => self.clause(args, at, set),
            false => Err(errors::SYNTAX.into()),
        }
    }

    fn flag(&mut self, args: Args<'_>, at: usize) -> bool {
        let word = args.get(at);
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        if is("withdist") {
            self.with_distance = true;
        } else if is("withhash") {
            self.with_hash = true;
        } else if is("withcoord") {
            self.with_place = true;
        } else if is("any") {
            self.takes_any = true;
        } else if is("asc") {
            self.order = Some(Ordering::Less);
        } else if is("desc") {
            self.order = Some(Ordering::Greater);
        } else {
            return false;
        }
        true
    }

    /// A clause of GEOSEARCH. One that was given in the other form before is a syntax error; in
    /// the same form, the last one counts.
    fn clause(
        &mut self,
        args: Args<'_>,
        at: usize,
        set: Option<ZsetRef<'_>>,
    ) -> Result<usize, ErrorReply> {
        let behind = args.len() - at - 1;
        let is_circle = matches!(self.shape, Some((Shape::Circle { .. }, _)));
        let is_box = matches!(self.shape, Some((Shape::Box { .. }, _)));
        if args.is(at, "frommember") && behind >= 1 && !self.has_place() {
            if let Some(set) = set {
                let found = place::of_member(set, args.get(at + 1));
                self.center = Some(found.ok_or(NOT_A_PLACE)?);
            }
            self.has_center = true;
            return Ok(2);
        }
        if args.is(at, "fromlonlat") && behind >= 2 && !self.has_center {
            self.center = Some(place::coordinates(args, at + 1)?);
            return Ok(3);
        }
        if args.is(at, "byradius") && behind >= 2 && !is_box {
            self.circle(args, at + 1)?;
            return Ok(3);
        }
        if args.is(at, "bybox") && behind >= 3 && !is_circle {
            self.rectangle(args, at + 1)?;
            return Ok(4);
        }
        Err(errors::SYNTAX.into())
    }

    /// Whether FROMLONLAT was given; FROMMEMBER leaves its own mark.
    fn has_place(&self) -> bool {
        self.center.is_some() && !self.has_center
    }

    fn check(&self, args: Args<'_>, command: Command) -> Result<(), ErrorReply> {
        if self.store.is_some() && (self.with_distance || self.with_hash || self.with_place) {
            let name = match command {
                Command::SearchStore => "GEOSEARCHSTORE",
                _ => "STORE option in GEORADIUS",
            };
            let text = "is not compatible with WITHDIST, WITHHASH and WITHCOORD options";
            return Err(format!("ERR {name} {text}").into());
        }
        if command.is_search() && self.center.is_none() && !self.has_center {
            let text = "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ";
            return Err(errors::repeating(text, args.get(0), ""));
        }
        if command.is_search() && self.shape.is_none() {
            let text = "ERR exactly one of BYRADIUS and BYBOX can be specified for ";
            return Err(errors::repeating(text, args.get(0), ""));
        }
        if self.takes_any && self.count == 0 {
            return Err("ERR the ANY argument requires COUNT argument".into());
        }
        Ok(())
    }

    /// The area, where there is a set to search.
    pub fn area(&self) -> Option<(Area, f64)> {
        let (shape, unit) = self.shape?;
        let center = self.center?;
        Some((Area { center, shape }, unit))
    }
}

/// Whether the key that results go to is one by which the command was routed. It is not when STORE
/// stands twice, or is the name of a key.
pub(super) fn is_routed(ctx: &ShardCtx<'_>, at: usize) -> bool {
    positions(ctx.spec.keys, ctx.args).any(|(position, _)| position == at)
}
