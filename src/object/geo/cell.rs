//! Cells: the earth cut in halves, again and again, by longitude and latitude in turn.
//!
//! ```text
//!   bits    lon lat lon lat ... lon lat      2 * steps of them, the first cut on the left
//! ```
//!
//! A place has a cell at every number of steps up to 26, which makes 52 bits: as many as a double
//! holds exactly. Source: G. M. Niemeyer's geohash, with the latitudes of the Mercator projection.

/// The greatest longitude there is, in degrees; the least is its negative.
pub const LONGITUDE_MAX: f64 = 180.0;
/// The greatest latitude of the Mercator projection, in degrees; the least is its negative.
pub const LATITUDE_MAX: f64 = 85.05112878;
/// The greatest latitude of public geohashes.
const POLE: f64 = 90.0;
/// Cuts by longitude, and as many by latitude, of a cell that stands for a place.
const STEPS_MAX: u32 = 26;

/// A place, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coordinates {
    pub longitude: f64,
    pub latitude: f64,
}

impl Coordinates {
    /// Whether there is such a place on the map.
    pub fn are_valid(self) -> bool {
        self.longitude.abs() <= LONGITUDE_MAX && self.latitude.abs() <= LATITUDE_MAX
    }

    /// The place that a score stands for: the middle of its cell.
    pub fn of_score(score: f64) -> Coordinates {
        let cell = Cell {
            bits: as_c_converts(score),
            steps: STEPS_MAX,
        };
        let bounds = cell.bounds();
        let middle = |[min, max]: [f64; 2], limit: f64| ((min + max) / 2.0).clamp(-limit, limit);
        Coordinates {
            longitude: middle(bounds.longitude, LONGITUDE_MAX),
            latitude: middle(bounds.latitude, LATITUDE_MAX),
        }
    }

    /// The score that stands for the place.
    pub fn score(self) -> f64 {
        Cell::of(self, STEPS_MAX).first_score() as f64
    }

    /// The place as a geohash of eleven letters, as the rest of the world writes it.
    pub fn text(self) -> [u8; 11] {
        const LETTERS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
        let bits = encode(self, POLE, STEPS_MAX);
        // There are bits for ten letters; the eleventh is always the first one.
        std::array::from_fn(|at| match at {
            10 => LETTERS[0],
            _ => LETTERS[(bits >> (47 - 5 * at)) as usize & 31],
        })
    }
}

/// Redis: what C makes of a double as an unsigned number on this architecture; scores that GEOADD
/// did not write may be anything.
fn as_c_converts(score: f64) -> u64 {
    const HALF: f64 = 9_223_372_036_854_775_808.0;
    let signed = |number: f64| match (-HALF..HALF).contains(&number) {
        true => number as i64 as u64,
        false => 1 << 63,
    };
    if score < HALF {
        signed(score)
    } else {
        signed(score - HALF) ^ 1 << 63
    }
}

/// A cell of the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    bits: u64,
    steps: u32,
}

/// From where to where a cell reaches, in degrees.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub longitude: [f64; 2],
    pub latitude: [f64; 2],
}

impl Cell {
    /// The cell of a place that is on the map.
    pub fn of(place: Coordinates, steps: u32) -> Cell {
        let bits = encode(place, LATITUDE_MAX, steps);
        Cell { bits, steps }
    }

    pub(super) fn bounds(self) -> Bounds {
        let scale = (1u64 << self.steps) as f64;
        let range = |number: u32, limit: f64| {
            let at = |number: f64| -limit + (number / scale) * (limit - -limit);
            [at(f64::from(number)), at(f64::from(number) + 1.0)]
        };
        Bounds {
            longitude: range(squeeze(self.bits >> 1), LONGITUDE_MAX),
            latitude: range(squeeze(self.bits), LATITUDE_MAX),
        }
    }

    /// The cell of the same size so far to the east and to the north, around the earth.
    pub(super) fn moved(self, east: i32, north: i32) -> Cell {
        let mask = (1u32 << self.steps) - 1;
        let longitude = squeeze(self.bits >> 1).wrapping_add_signed(east) & mask;
        let latitude = squeeze(self.bits).wrapping_add_signed(north) & mask;
        Cell {
            bits: spread(latitude) | spread(longitude) << 1,
            steps: self.steps,
        }
    }

    /// The first score in the cell.
    pub fn first_score(self) -> u64 {
        self.bits << (2 * (STEPS_MAX - self.steps))
    }

    /// The first score behind the cell.
    pub fn end_score(self) -> u64 {
        (self.bits + 1) << (2 * (STEPS_MAX - self.steps))
    }
}

fn encode(place: Coordinates, latitude_max: f64, steps: u32) -> u64 {
    let scale = (1u64 << steps) as f64;
    let part = |degrees: f64, limit: f64| ((degrees - -limit) / (limit - -limit) * scale) as u32;
    let longitude = part(place.longitude, LONGITUDE_MAX);
    let latitude = part(place.latitude, latitude_max);
    spread(latitude) | spread(longitude) << 1
}

/// Puts a zero before every bit.
fn spread(number: u32) -> u64 {
    let mut bits = u64::from(number);
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ] {
        bits = (bits | bits << shift) & mask;
    }
    bits
}

/// Takes every second bit, from the lowest on.
fn squeeze(bits: u64) -> u32 {
    let mut bits = bits & 0x5555_5555_5555_5555;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ] {
        bits = (bits | bits >> shift) & mask;
    }
    bits as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;

    #[test]
    fn known_places() {
        let palermo = Coordinates {
            longitude: 13.361389,
            latitude: 38.115556,
        };
        assert_eq!(palermo.score(), 3_479_099_956_230_698.0);
        let found = Coordinates::of_score(palermo.score());
        assert_eq!(format!("{:.17}", found.longitude), "13.36138933897018433");
        assert_eq!(&found.text(), b"sqc8b49rny0");
    }

    #[test]
    fn a_place_lies_in_its_cells() {
        let mut random = Prng::from_seed(4);
        for _ in 0..20_000 {
            let place = Coordinates {
                longitude: (random.unit_f64() - 0.5) * 2.0 * LONGITUDE_MAX,
                latitude: (random.unit_f64() - 0.5) * 2.0 * LATITUDE_MAX,
            };
            let steps = 1 + random.below(26) as u32;
            let cell = Cell::of(place, steps);
            let bounds = cell.bounds();
            assert!(
                bounds.longitude[0] <= place.longitude && place.longitude <= bounds.longitude[1]
            );
            assert!(bounds.latitude[0] <= place.latitude && place.latitude <= bounds.latitude[1]);
            let score = place.score() as u64;
            assert!(cell.first_score() <= score && score < cell.end_score());
            assert_eq!(cell.moved(3, -2).moved(-3, 2), cell);
            let number = random.next_u64() as u32;
            assert_eq!(squeeze(spread(number)), number);
        }
    }

    #[test]
    fn any_score_is_a_place() {
        for score in [
            -1.0,
            -1e300,
            1e300,
            f64::INFINITY,
            f64::NEG_INFINITY,
            1e18,
            0.5,
        ] {
            assert!(Coordinates::of_score(score).are_valid(), "{score}");
        }
    }
}
