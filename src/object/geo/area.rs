//! Searches: circles and boxes, and the cells that cover them.
//!
//! Nine cells, the one of the center and its neighbours, of a size such that they cover the shape;
//! those that the shape does not reach are left out. The earth is a sphere here, as in Redis.

use super::cell::{Bounds, Cell, Coordinates};

/// Redis's radius of the earth, in meters.
const EARTH_RADIUS: f64 = 6_372_797.560856;
/// Half the width of the Mercator map, in meters.
const MERCATOR_MAX: f64 = 20_037_726.37;
const RADIANS_PER_DEGREE: f64 = std::f64::consts::PI / 180.0;

fn radians(degrees: f64) -> f64 {
    degrees * RADIANS_PER_DEGREE
}

fn degrees(radians: f64) -> f64 {
    radians / RADIANS_PER_DEGREE
}

/// Meters between two places.
pub fn distance(one: Coordinates, other: Coordinates) -> f64 {
    let half_longitude = (radians(other.longitude) - radians(one.longitude)) / 2.0;
    let v = half_longitude.sin();
    let (one, other) = (radians(one.latitude), radians(other.latitude));
    // Redis: along a meridian the arc itself, which differs in the last digit.
    if v == 0.0 {
        return EARTH_RADIUS * (other - one).abs();
    }
    let u = ((other - one) / 2.0).sin();
    let a = u * u + one.cos() * other.cos() * v * v;
    2.0 * EARTH_RADIUS * a.sqrt().asin()
}

/// What is searched, sizes in meters.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    Circle { radius: f64 },
    Box { width: f64, height: f64 },
}

/// A shape around a place.
#[derive(Clone, Copy, Debug)]
pub struct Area {
    pub center: Coordinates,
    pub shape: Shape,
}

impl Area {
    /// How far from the center a place is, if it lies inside.
    pub fn distance_to(&self, place: Coordinates) -> Option<f64> {
        let is_inside = match self.shape {
            Shape::Circle { radius } => {
                let distance = distance(self.center, place);
                return (distance <= radius).then_some(distance);
            }
            Shape::Box { width, height } => {
                let beside = |longitude: f64, latitude: f64| {
                    let other = Coordinates {
                        longitude,
                        latitude,
                    };
                    distance(place, other)
                };
                let north = beside(place.longitude, self.center.latitude);
                north <= height / 2.0
                    && beside(self.center.longitude, place.latitude) <= width / 2.0
            }
        };
        is_inside.then(|| distance(self.center, place))
    }

    /// The rectangle around it, in degrees.
    fn bounds(&self) -> Bounds {
        let (width, height) = match self.shape {
            Shape::Circle { radius } => (radius, radius),
            Shape::Box { width, height } => (width / 2.0, height / 2.0),
        };
        let Coordinates {
            longitude,
            latitude,
        } = self.center;
        let north = degrees(height / EARTH_RADIUS);
        let east_at = |latitude: f64| degrees(width / EARTH_RADIUS / radians(latitude).cos());
        // The wider of both edges is the one closer to the pole.
        let east = if latitude < 0.0 {
            east_at(latitude - north)
        } else {
            east_at(latitude + north)
        };
        Bounds {
            longitude: [longitude - east, longitude + east],
            latitude: [latitude - north, latitude + north],
        }
    }

    /// How often the map is cut for cells that cover it.
    fn steps(&self) -> u32 {
        let mut range = match self.shape {
            Shape::Circle { radius } => radius,
            Shape::Box { width, height } => {
                ((width / 2.0) * (width / 2.0) + (height / 2.0) * (height / 2.0)).sqrt()
            }
        };
        if range == 0.0 {
            return 26;
        }
        let mut steps = 1;
        while range < MERCATOR_MAX {
            range *= 2.0;
            steps += 1;
        }
        // Most circles are covered then; meridians come closer towards the poles.
        let latitude = self.center.latitude.abs();
        let wider = 2 + i32::from(latitude > 66.0) + i32::from(latitude > 80.0);
        (steps - wider).clamp(1, 26) as u32
    }

    /// The cells to look at, in Redis's order. A cell may come twice where the map is small.
    pub fn cells(&self) -> Vec<Cell> {
        let bounds = self.bounds();
        let mut steps = self.steps();
        let mut cell = Cell::of(self.center, steps);
        if steps > 1 && !reaches(cell, &bounds) {
            steps -= 1;
            cell = Cell::of(self.center, steps);
        }
        let own = cell.bounds();
        // Cells beyond an edge of the middle one that the area does not cross are of no use.
        let is_useful = |&(east, north): &(i32, i32)| {
            steps < 2
                || !((north < 0 && own.latitude[0] < bounds.latitude[0])
                    || (north > 0 && own.latitude[1] > bounds.latitude[1])
                    || (east < 0 && own.longitude[0] < bounds.longitude[0])
                    || (east > 0 && own.longitude[1] > bounds.longitude[1]))
        };
        const AROUND: [(i32, i32); 9] = [
            (0, 0),
            (0, 1),
            (0, -1),
            (1, 0),
            (-1, 0),
            (1, 1),
            (-1, 1),
            (1, -1),
            (-1, -1),
        ];
        let useful = AROUND.into_iter().filter(is_useful);
        useful
            .map(|(east, north)| cell.moved(east, north))
            .collect()
    }
}

/// Whether a cell and its neighbours reach as far as these bounds.
fn reaches(cell: Cell, bounds: &Bounds) -> bool {
    let at = |east: i32, north: i32| cell.moved(east, north).bounds();
    at(0, 1).latitude[1] >= bounds.latitude[1]
        && at(0, -1).latitude[0] <= bounds.latitude[0]
        && at(1, 0).longitude[1] >= bounds.longitude[1]
        && at(-1, 0).longitude[0] <= bounds.longitude[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;

    #[test]
    fn sicily() {
        let palermo = Coordinates::of_score(3_479_099_956_230_698.0);
        let catania = Coordinates::of_score(3_479_447_370_796_909.0);
        assert_eq!(format!("{:.4}", distance(palermo, catania)), "166274.1516");
    }

    #[test]
    fn cells_cover_the_area() {
        let mut random = Prng::from_seed(11);
        for _ in 0..4000 {
            let mut unit = || random.unit_f64() - 0.5;
            let center = Coordinates {
                longitude: unit() * 300.0,
                latitude: unit() * 140.0,
            };
            let radius = 10f64.powf((unit() + 0.5) * 5.5);
            let area = Area {
                center,
                shape: Shape::Circle { radius },
            };
            let scores: Vec<_> = area.cells();
            let reach = radius / 100_000.0;
            let place = Coordinates {
                longitude: (center.longitude + unit() * reach).clamp(-180.0, 180.0),
                latitude: (center.latitude + unit() * reach).clamp(-85.0, 85.0),
            };
            let score = place.score() as u64;
            let is_seen = |cell: &Cell| cell.first_score() <= score && score < cell.end_score();
            if area
                .distance_to(Coordinates::of_score(place.score()))
                .is_some()
            {
                assert!(scores.iter().any(is_seen), "{area:?} {place:?}");
            }
        }
    }
}
