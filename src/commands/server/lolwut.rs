//! LOLWUT: a piece of art, and the version.
//!
//! The art is a ring of cores around their shared queue, one shard each, drawn in plain letters.
//! As in Redis the picture may be anything, but the text ends with `Redis ver. <version>`, which
//! some tools read.

use crate::commands::row::{ControlCtx, ControlOutcome};
use crate::session::REDIS_VERSION;

/// LOLWUT: draw something and say the version.
pub fn lolwut(ctx: &mut ControlCtx<'_>) -> ControlOutcome {
    let args = ctx.args;
    // Redis: a VERSION without a number, or any other word, asks for the default picture.
    if args.len() >= 3 && args.is(1, "version") {
        args.integer(2)?;
    }
    let mut text = ring(ctx.core.node.shards());
    text.push_str("\nRingshard: every shard a core, every core a ring. ");
    text.push_str(&format!("Redis ver. {REDIS_VERSION}\n"));
    Ok(ctx.reply.verbatim("txt", text.as_bytes()).into())
}

const WIDTH: usize = 41;
const HEIGHT: usize = 17;
/// More shards than this would paint the ring over.
const SHARDS_MAX: usize = 40;

/// The shards of this node on a ring.
fn ring(shards: usize) -> String {
    let mut canvas = [[b' '; WIDTH]; HEIGHT];
    for step in 0..200 {
        plot(&mut canvas, f64::from(step) / 200.0, b'.');
    }
    let shards = shards.min(SHARDS_MAX);
    for shard in 0..shards {
        let letter = b"0123456789abcdefghijklmnopqrstuvwxyzABCD"[shard];
        plot(&mut canvas, shard as f64 / shards as f64, letter);
    }
    let rows = canvas.iter().map(|row| String::from_utf8_lossy(row));
    let rows: Vec<String> = rows.map(|row| row.trim_end().to_owned()).collect();
    rows.join("\n") + "\n"
}

/// Puts a letter on the ring; a turn of 0 is at the top, and it goes clockwise.
fn plot(canvas: &mut [[u8; WIDTH]; HEIGHT], turn: f64, letter: u8) {
    let angle = turn * std::f64::consts::TAU;
    let (half_width, half_height) = ((WIDTH / 2) as f64, (HEIGHT / 2) as f64);
    let column = half_width + half_width * angle.sin();
    let row = half_height - half_height * angle.cos();
    canvas[row.round() as usize][column.round() as usize] = letter;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shard_is_on_the_ring() {
        for shards in 1..=200 {
            let art = ring(shards);
            assert_eq!(art.lines().count(), HEIGHT, "{shards}");
            let letters = art.bytes().filter(u8::is_ascii_alphanumeric).count();
            assert_eq!(letters, shards.min(SHARDS_MAX), "{shards}:\n{art}");
        }
    }
}
