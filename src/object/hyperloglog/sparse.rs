//! Sparse registers: runs of equal values, changed where they lie.
//!
//! How a run is split, and which neighbours become one run afterwards, is Redis's: the same
//! elements have to give the same bytes.

use super::{REGISTERS, value::Corrupt};

const ZERO_MAX: usize = 64;
const VALUE_RUN_MAX: usize = 4;
/// The largest value a run can say.
pub(super) const VALUE_MAX: u8 = 32;

/// Equal registers, one behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Where it lies.
    pub(super) at: usize,
    /// How many registers.
    pub len: usize,
    /// What is in them.
    pub value: u8,
    /// Whether it is zeros said in two bytes.
    pub is_long: bool,
}

impl Run {
    #[inline]
    fn read(bytes: &[u8], at: usize) -> Run {
        let first = bytes[at];
        let run = |len, value, is_long| Run {
            at,
            len,
            value,
            is_long,
        };
        match first {
            0..=0x3f => run(usize::from(first) + 1, 0, false),
            0x40..=0x7f => {
                // Redis: a second byte that is missing counts as zero.
                let second = bytes.get(at + 1).copied().unwrap_or(0);
                let len = usize::from(first & 0x3f) << 8 | usize::from(second);
                run(len + 1, 0, true)
            }
            _ => run(usize::from(first & 3) + 1, (first >> 2 & 0x1f) + 1, false),
        }
    }

    fn next(self) -> usize {
        self.at + 1 + usize::from(self.is_long)
    }
}

/// All runs of sparse registers.
pub fn runs(bytes: &[u8]) -> impl Iterator<Item = Run> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at >= bytes.len() {
            return None;
        }
        let run = Run::read(bytes, at);
        at = run.next();
        Some(run)
    })
}

/// The run that covers a register.
struct Cover {
    run: Run,
    /// The number of its first register.
    first: usize,
    /// Where the run before it lies, if there is one.
    before: Option<usize>,
}

fn cover(bytes: &[u8], index: usize) -> Result<Cover, Corrupt> {
    let (mut first, mut before) = (0, None);
    for run in runs(bytes) {
        if index < first + run.len {
            return Ok(Cover { run, first, before });
        }
        first += run.len;
        before = Some(run.at);
    }
    Err(Corrupt)
}

/// The register with this number.
pub(super) fn register(bytes: &[u8], index: usize) -> Result<u8, Corrupt> {
    cover(bytes, index).map(|cover| cover.run.value)
}

/// What became of raising a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Raised {
    Yes,
    /// It was as high already.
    No,
    /// The runs would take more bytes than they may, or cannot say the value; nothing has changed.
    TooBig,
}

/// A run being split: at most five bytes.
#[derive(Default)]
struct Pieces {
    bytes: [u8; 5],
    len: usize,
}

impl Pieces {
    fn push(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    fn add(&mut self, value: u8, len: usize) {
        match len {
            0 => {}
            _ if value > 0 => self.push(value_run(value, len)),
            1..=ZERO_MAX => self.push(len as u8 - 1),
            _ => {
                let [high, low] = (len as u16 - 1).to_be_bytes();
                self.push(0x40 | high);
                self.push(low);
            }
        }
    }
}

fn value_run(value: u8, len: usize) -> u8 {
    0x80 | (value - 1) << 2 | (len as u8 - 1)
}

/// Raises a register; the runs may grow up to so many bytes.
pub(super) fn raise(
    bytes: &mut Vec<u8>,
    start: usize,
    (index, value): (usize, u8),
    bytes_max: usize,
) -> Result<Raised, Corrupt> {
    if value > VALUE_MAX {
        return Ok(Raised::TooBig);
    }
    let Cover { run, first, before } = cover(&bytes[start..], index)?;
    if run.value >= value {
        return Ok(Raised::No);
    }
    let mut pieces = Pieces::default();
    pieces.add(run.value, index - first);
    pieces.add(value, 1);
    pieces.add(run.value, first + run.len - 1 - index);
    let old = start + run.at..bytes.len().min(start + run.next());
    let len = bytes.len() - old.len() + pieces.len;
    if len > bytes.len() && len > bytes_max {
        return Ok(Raised::TooBig);
    }
    bytes.splice(old, pieces.bytes[..pieces.len].iter().copied());
    join_neighbours(bytes, start + before.unwrap_or(0));
    Ok(Raised::Yes)
}

/// Makes one run of neighbours with equal values, among the few runs that a change can concern.
fn join_neighbours(bytes: &mut Vec<u8>, mut at: usize) {
    // The run before the change, up to three pieces, and the one behind it.
    const LOOKS: usize = 5;
    for _ in 0..LOOKS {
        if at >= bytes.len() {
            return;
        }
        let run = Run::read(bytes, at);
        if run.value > 0 && at + 1 < bytes.len() {
            let next = Run::read(bytes, at + 1);
            let len = run.len + next.len;
            if next.value == run.value && len <= VALUE_RUN_MAX {
                bytes[at + 1] = value_run(run.value, len);
                bytes.remove(at);
                continue;
            }
        }
        at = run.next();
    }
}

/// Shows every run that says a value with the number of its first register, as long as they stay
/// within the registers.
pub(super) fn each_value(bytes: &[u8], mut visit: impl FnMut(usize, Run)) -> Result<(), Corrupt> {
    let mut first = 0;
    for run in runs(bytes) {
        if run.value > 0 {
            if first + run.len > REGISTERS {
                return Err(Corrupt);
            }
            visit(first, run);
        }
        first += run.len;
    }
    (first == REGISTERS).then_some(()).ok_or(Corrupt)
}
