//! A value out of its bytes, in as many steps as its reader likes.
//!
//! An element is read whole or not at all. When bytes are missing, the decoder keeps what it has
//! built and the input stays at the first element that is not complete; the next step goes on
//! there, with more bytes. Counts that bytes announce decide nothing but when the value ends.

use super::build::Build;
use super::code::Code;
use super::damage::{Damage, Stop, ensure};
use super::encode::{LARGE_NODE, PACKED_NODE};
use super::input::{Input, Text};
use super::packed::{self, field_expiry};
use super::stream::StreamBuild;
use super::ziplist::Ziplist;
use crate::base::number::parse_i64;
use crate::object::listpack::{self, Listpack};
use crate::object::{Collection, Holder, Object, Packing};

/// A value that belongs to no key yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Int(i64),
    Text(Vec<u8>),
    Collection(Collection),
}

/// A value in the making.
#[derive(Debug)]
pub struct Decoder {
    code: Code,
    packing: Packing,
    state: State,
}

#[derive(Debug)]
enum State {
    Start,
    Elements(Elements),
    Stream(StreamBuild),
}

/// Elements still to come, and what they have made so far.
#[derive(Debug)]
struct Elements {
    left: u64,
    /// What expiries of fields are relative to.
    earliest_ms: u64,
    building: Build,
}

impl Decoder {
    /// Before the first byte of a value of this code.
    pub fn new(code: Code, packing: &Packing) -> Decoder {
        Decoder {
            code,
            packing: *packing,
            state: State::Start,
        }
    }

    /// Reads on, about so many elements; `None` when there is more to read.
    pub fn step(&mut self, input: &mut Input<'_>, budget: usize) -> Result<Option<Value>, Stop> {
        if let State::Start = self.state
            && let Some(value) = self.start(input)?
        {
            return Ok(Some(value));
        }
        let elements = match &mut self.state {
            State::Elements(elements) => elements,
            State::Stream(stream) => return Ok(stream.step(input, budget)?.then(|| whole(stream))),
            State::Start => return Ok(None),
        };
        let mut spent = 0;
        while elements.left > 0 {
            if spent >= budget {
                return Ok(None);
            }
            spent += input.whole(|input| elements.read(self.code, input))?;
            elements.left -= 1;
        }
        let building = std::mem::replace(&mut elements.building, Build::list(&self.packing));
        not_empty(building.finish()).map(Some)
    }

    /// A value in one string, or the head of one with elements.
    fn start(&mut self, input: &mut Input<'_>) -> Result<Option<Value>, Stop> {
        let (code, packing) = (self.code, &self.packing);
        match code {
            Code::String => {
                return Ok(Some(string(input.text()?)));
            }
            Code::Stream | Code::Stream2 | Code::Stream3 => {
                self.state = State::Stream(StreamBuild::new(code));
                return Ok(None);
            }
            _ if has_elements(code) => {}
            _ => return self.in_one_string(input).map(Some),
        }
        let (earliest_ms, left) = input.whole(|input| {
            let earliest = match code {
                Code::HashExpiring => u64::from_le_bytes(input.array()?),
                _ => 0,
            };
            Ok((earliest, input.length()?))
        })?;
        let building = match code {
            Code::List | Code::ListQuicklist | Code::ListQuicklist2 => Build::list(packing),
            Code::Set => Build::set(packing, left),
            Code::Zset | Code::ZsetText => Build::zset(packing),
            _ => Build::hash(packing, left),
        };
        self.state = State::Elements(Elements {
            left,
            earliest_ms,
            building,
        });
        Ok(None)
    }

    fn in_one_string(&self, input: &mut Input<'_>) -> Result<Value, Stop> {
        input.whole(|input| {
            if self.code == Code::HashListpackExpiring {
                input.millis()?;
            }
            let bytes = input.bytes()?;
            not_empty(packed::collection(self.code, bytes, &self.packing)?)
        })
    }
}

fn whole(stream: &mut StreamBuild) -> Value {
    Value::Collection(Collection::Object(Object::Stream(Box::new(
        stream.finish(),
    ))))
}

/// A string as a key holds it: an integer in 64 bits is written as text, but is one again.
fn string(text: Text<'_>) -> Value {
    match text {
        Text::Int(number) => Value::Int(number),
        Text::Bytes(bytes) => match parse_i64(&bytes) {
            Some(number) => Value::Int(number),
            None => Value::Text(bytes.into_owned()),
        },
    }
}

fn not_empty(value: Collection) -> Result<Value, Stop> {
    if value.form().is_gone() {
        return Err(Damage::Empty.into());
    }
    Ok(Value::Collection(value))
}

/// Whether a value of this code is a count and so many elements.
fn has_elements(code: Code) -> bool {
    matches!(
        code,
        Code::List
            | Code::Set
            | Code::ZsetText
            | Code::Hash
            | Code::Zset
            | Code::ListQuicklist
            | Code::ListQuicklist2
            | Code::HashExpiringEarly
            | Code::HashExpiring
            | Code::HashExpiringValkey
    )
}

impl Elements {
    /// Reads one element, or one node of a list; says how many elements that were.
    fn read(&mut self, code: Code, input: &mut Input<'_>) -> Result<usize, Stop> {
        match code {
            Code::List => input.text()?.with_bytes(|text| self.building.push(text)),
            Code::Set => input
                .text()?
                .with_bytes(|text| self.building.member(text))?,
            Code::ZsetText | Code::Zset => self.scored(code, input)?,
            Code::ListQuicklist => return self.ziplist_node(input),
            Code::ListQuicklist2 => return self.node(input),
            _ => self.field(code, input)?,
        }
        Ok(1)
    }

    fn scored(&mut self, code: Code, input: &mut Input<'_>) -> Result<(), Stop> {
        let member = input.text()?;
        let score = match code {
            Code::ZsetText => input.score_text()?,
            _ => input.score()?,
        };
        Ok(member.with_bytes(|member| self.building.scored(member, score))?)
    }

    fn field(&mut self, code: Code, input: &mut Input<'_>) -> Result<(), Stop> {
        let relative = match code {
            Code::HashExpiring | Code::HashExpiringEarly => input.length()?,
            _ => 0,
        };
        let (field, value) = (input.text()?, input.text()?);
        let at = match code {
            Code::HashExpiringValkey => valkey_expiry(input.millis()?)?,
            Code::HashExpiring if relative > 0 => {
                let at = self.earliest_ms.checked_add(relative - 1);
                field_expiry(at.unwrap_or(u64::MAX))?
            }
            _ => field_expiry(relative)?,
        };
        let building = &mut self.building;
        Ok(field.with_bytes(|f| value.with_bytes(|value| building.field(f, value, at)))?)
    }

    fn ziplist_node(&mut self, input: &mut Input<'_>) -> Result<usize, Stop> {
        let bytes = input.bytes()?;
        let mut count = 1;
        for item in Ziplist::open(&bytes)?.iter() {
            item.with_bytes(|text| self.building.push(text));
            count += 1;
        }
        Ok(count)
    }

    fn node(&mut self, input: &mut Input<'_>) -> Result<usize, Stop> {
        let container = input.length()?;
        let is_known = matches!(container, LARGE_NODE | PACKED_NODE);
        ensure(is_known, "a list node of no kind")?;
        let bytes = input.bytes()?;
        if container == LARGE_NODE {
            self.building.push_large(&bytes);
            return Ok(1);
        }
        ensure(listpack::validate(&bytes), "a listpack is damaged")?;
        let count = Listpack::new(&bytes).len();
        self.building.push_node(bytes.into_owned());
        Ok(1 + count)
    }
}

/// When a field expires, as Valkey writes it: -1 is never.
fn valkey_expiry(at: i64) -> Result<Option<i64>, Damage> {
    match at {
        -1 => Ok(None),
        0.. => Ok(Some(at)),
        _ => Err(Damage::Malformed("an expiry that is no time")),
    }
}
