//! A small graph of text, as LATENCY GRAPH prints it.
//!
//! ```text
//!   .#_      a column per value, three heights per row: _ o #, and | below the top
//!   |||
//!
//!   421      labels run downwards, a blank row above them
//!   sss
//! ```
//!
//! Values are spread between the smallest and the greatest. Wider graphs are cut into blocks with a
//! blank line between. Not here: what the values are, and the title.

const HEIGHTS: [u8; 3] = [b'_', b'o', b'#'];

pub struct Point {
    pub value: u64,
    /// Not empty.
    pub label: String,
}

/// Draws all points in blocks of so many columns.
pub fn render(points: &[Point], columns: usize, rows: usize) -> String {
    let low = points.iter().map(|point| point.value).min().unwrap_or(0);
    let high = points.iter().map(|point| point.value).max().unwrap_or(0);
    let steps = HEIGHTS.len() * rows;
    let step_of = |point: &Point| step(point.value - low, high - low, steps);
    let blocks: Vec<_> = points
        .chunks(columns)
        .map(|block| {
            let heights: Vec<_> = block.iter().map(step_of).collect();
            bars(&heights, rows) + &labels(block)
        })
        .collect();
    blocks.join("\n")
}

fn step(value: u64, range: u64, steps: usize) -> usize {
    // Redis truncates the product before it divides, which whole numbers do by themselves.
    let step = value as f64 * steps as f64 / range.max(1) as f64;
    (step as usize).min(steps - 1)
}

fn bars(heights: &[usize], rows: usize) -> String {
    let cell = |height: usize, floor: usize| match height.checked_sub(floor) {
        None => ' ',
        Some(above) => HEIGHTS.get(above).map_or('|', |mark| char::from(*mark)),
    };
    let row = |from_bottom: usize| {
        let floor = from_bottom * HEIGHTS.len();
        heights
            .iter()
            .map(|height| cell(*height, floor))
            .chain(['\n'])
            .collect::<String>()
    };
    (0..rows).rev().map(row).collect()
}

fn labels(block: &[Point]) -> String {
    let longest = block
        .iter()
        .map(|point| point.label.len())
        .max()
        .unwrap_or(0);
    let row = |at: usize| {
        let letters = block
            .iter()
            .map(|point| point.label.chars().nth(at).unwrap_or(' '));
        letters.chain(['\n']).collect::<String>()
    };
    let margin = " ".repeat(block.len()) + "\n";
    margin + &(0..longest).map(row).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[u64]) -> Vec<Point> {
        values
            .iter()
            .map(|value| Point {
                value: *value,
                label: "9s".into(),
            })
            .collect()
    }

    #[test]
    fn every_height_has_its_mark() {
        let drawn = render(&points(&[0, 1, 2, 3, 4, 5, 6]), 80, 2);
        assert_eq!(drawn, "   _o##\n_o#||||\n       \n9999999\nsssssss\n");
    }

    #[test]
    fn four_spikes_as_redis_draws_them() {
        let spikes = [(39, "5s"), (50, "4s"), (100, "2s"), (30, "1s")];
        let points = spikes.map(|(value, label)| Point {
            value,
            label: label.into(),
        });
        let drawn = render(&points, 80, 4);
        assert_eq!(drawn, "  # \n  | \n _| \no||_\n    \n5421\nssss\n");
    }

    #[test]
    fn equal_values_lie_on_the_ground() {
        assert_eq!(render(&points(&[7, 7]), 80, 2), "  \n__\n  \n99\nss\n");
    }

    #[test]
    fn wide_graphs_are_cut() {
        let drawn = render(&points(&[0, 9, 0]), 2, 1);
        assert_eq!(drawn, "_#\n  \n99\nss\n\n_\n \n9\ns\n");
    }

    #[test]
    fn no_points_no_graph() {
        assert_eq!(render(&[], 80, 4), "");
    }
}
