//! Comparisons as a bar chart in SVG: a group of bars per scenario, a panel per metric.
//!
//! Bars are as long as their ratio to the reference (redis-server = 1), so that scenarios of very
//! different size share one picture; absolute figure and ratio stand behind each bar. Colours are
//! fixed by peer, the background is light, and the reader's own sans-serif draws the text.
//!
//! ```text
//!              title
//!   scenario   CPU per operation      throughput
//!     redis    ======| 0.70 (1.00x)   ======| 1700 (1.00x)
//!     ringsh.  ====  | 0.55 (0.78x)   =======|= 1900 (1.11x)
//! ```

use crate::support::figures::{Comparison, Metric, Outcome};
use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::fs;
use std::path::Path;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// One panel: what is drawn, and what stands above it.
pub struct Panel {
    pub metric: Metric,
    pub title: &'static str,
}

const NAMES_WIDTH: i32 = 170;
const PANEL_WIDTH: i32 = 420;
/// Kept free behind the longest bar for its label.
const LABEL_WIDTH: i32 = 130;
/// About as wide as a digit of a label.
const LABEL_LETTER: i32 = 7;
const MARGIN: i32 = 20;
const HEAD_HEIGHT: i32 = 76;
const GROUP_HEAD: i32 = 24;
const BAR_PITCH: i32 = 22;
const BAR_HEIGHT: i32 = 16;
const GROUP_GAP: i32 = 14;

/// Bars longer than so many references are cut, and show it: one outlier must not flatten the rest.
const RATIO_MAX: f64 = 2.5;

const PAPER: RGBColor = RGBColor(252, 252, 250);
const INK: RGBColor = RGBColor(34, 40, 49);
const FAINT: RGBColor = RGBColor(150, 156, 165);

/// Draws all groups with all panels into a file.
pub fn draw(path: &Path, title: &str, panels: &[Panel], groups: &[Comparison]) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let width = NAMES_WIDTH + PANEL_WIDTH * panels.len() as i32 + 2 * MARGIN;
    let height = HEAD_HEIGHT + groups.iter().map(group_height).sum::<i32>() + MARGIN;
    let area = SVGBackend::new(path, (width as u32, height as u32)).into_drawing_area();
    let chart = Chart {
        area,
        panels,
        longest: longest_ratios(panels, groups),
    };
    chart
        .draw(title, groups, height)
        .map_err(|error| anyhow!("cannot draw {path:?}: {error}"))
}

struct Chart<'a> {
    area: Area<'a>,
    panels: &'a [Panel],
    /// The longest bar of each panel, as a ratio.
    longest: Vec<f64>,
}

type Drawn = Result<(), Box<dyn std::error::Error + Send + Sync>>;

impl Chart<'_> {
    fn draw(&self, title: &str, groups: &[Comparison], height: i32) -> Drawn {
        self.area.fill(&PAPER)?;
        self.text(title, (MARGIN, MARGIN), 18.0, &INK)?;
        for (index, panel) in self.panels.iter().enumerate() {
            let left = panel_left(index);
            self.text(panel.title, (left, MARGIN + 32), 14.0, &INK)?;
            // The reference: every bar is read against this line.
            let x = left + self.bar_length(index, 1.0);
            let line = vec![(x, HEAD_HEIGHT - 4), (x, height - MARGIN)];
            self.area
                .draw(&PathElement::new(line, FAINT.stroke_width(1)))?;
        }
        let mut top = HEAD_HEIGHT;
        for group in groups {
            self.draw_group(group, top)?;
            top += group_height(group);
        }
        Ok(self.area.present()?)
    }

    fn draw_group(&self, group: &Comparison, top: i32) -> Drawn {
        self.text(&group.scenario, (MARGIN, top + GROUP_HEAD / 2), 15.0, &INK)?;
        for (row, outcome) in group.outcomes.iter().enumerate() {
            let top = top + GROUP_HEAD + BAR_PITCH * row as i32;
            self.text(
                &outcome.peer,
                (MARGIN + 12, top + BAR_HEIGHT / 2),
                13.0,
                &INK,
            )?;
            for index in 0..self.panels.len() {
                self.draw_bar(index, group, outcome, top)?;
            }
        }
        Ok(())
    }

    fn draw_bar(&self, index: usize, group: &Comparison, outcome: &Outcome, top: i32) -> Drawn {
        let metric = self.panels[index].metric;
        let Some(value) = outcome.figures.value(metric) else {
            return Ok(());
        };
        let Some(ratio) = ratio(group, outcome, metric) else {
            return Ok(());
        };
        let left = panel_left(index);
        let right = left + self.bar_length(index, ratio);
        let corners = [(left, top), (right, top + BAR_HEIGHT)];
        self.area
            .draw(&Rectangle::new(corners, colour(&outcome.peer).filled()))?;
        if ratio > RATIO_MAX {
            let notch = [(right - 14, top), (right - 9, top + BAR_HEIGHT)];
            self.area.draw(&Rectangle::new(notch, PAPER.filled()))?;
        }
        self.label(
            &format!("{} ({ratio:.2}x)", metric.row().show(value)),
            (right + 6, top),
        )
    }

    /// Text behind a bar, on paper of its own: the reference line must not cross it.
    fn label(&self, text: &str, (left, top): (i32, i32)) -> Drawn {
        let width = text.len() as i32 * LABEL_LETTER;
        let corners = [(left - 3, top), (left + width, top + BAR_HEIGHT)];
        self.area.draw(&Rectangle::new(corners, PAPER.filled()))?;
        self.text(text, (left, top + BAR_HEIGHT / 2), 13.0, &INK)
    }

    fn bar_length(&self, panel: usize, ratio: f64) -> i32 {
        let room = f64::from(PANEL_WIDTH - LABEL_WIDTH);
        (room * ratio.min(RATIO_MAX) / self.longest[panel]).round() as i32
    }

    /// Text that begins at a point and is centred on it in height.
    fn text(&self, text: &str, at: (i32, i32), size: f64, colour: &RGBColor) -> Drawn {
        let anchor = Pos::new(HPos::Left, VPos::Center);
        let style = ("sans-serif", size).into_font().color(colour).pos(anchor);
        Ok(self.area.draw(&Text::new(text.to_string(), at, style))?)
    }
}

fn panel_left(index: usize) -> i32 {
    MARGIN + NAMES_WIDTH + PANEL_WIDTH * index as i32
}

fn group_height(group: &Comparison) -> i32 {
    GROUP_HEAD + BAR_PITCH * group.outcomes.len() as i32 + GROUP_GAP
}

fn ratio(group: &Comparison, outcome: &Outcome, metric: Metric) -> Option<f64> {
    outcome.figures.ratio(group.reference()?, metric)
}

fn longest_ratios(panels: &[Panel], groups: &[Comparison]) -> Vec<f64> {
    let longest = |panel: &Panel| {
        let bars = groups.iter().flat_map(|group| {
            group
                .outcomes
                .iter()
                .filter_map(|outcome| ratio(group, outcome, panel.metric))
        });
        bars.fold(1.0, f64::max).min(RATIO_MAX)
    };
    panels.iter().map(longest).collect()
}

fn colour(peer: &str) -> RGBColor {
    match peer.split('-').next() {
        Some("ringshard") => RGBColor(31, 111, 178),
        Some("bare") => RGBColor(190, 196, 204),
        _ if peer == "redis" => RGBColor(214, 92, 72),
        _ => RGBColor(236, 160, 122),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::figures::Figures;

    #[test]
    fn bars_carry_figure_and_ratio() {
        let outcome = |peer: &str, cpu: f64| {
            let figures = Figures::default().put(Metric::CpuPerOp, cpu).clone();
            Outcome {
                peer: peer.into(),
                rounds: 1,
                figures,
            }
        };
        let outcomes = vec![outcome("redis", 2.0), outcome("ringshard-1", 1.5)];
        let group = Comparison {
            scenario: "get-p16".into(),
            outcomes,
        };
        let panels = [Panel {
            metric: Metric::CpuPerOp,
            title: "CPU",
        }];
        let path = std::env::temp_dir().join(format!("chart-{}.svg", std::process::id()));
        draw(&path, "T", &panels, &[group]).expect("a writable directory");
        let svg = fs::read_to_string(&path).expect("just written");
        fs::remove_file(&path).expect("just written");
        for part in [
            "get-p16",
            "ringshard-1",
            "1.500 (0.75x)",
            "2.000 (1.00x)",
            "#1F6FB2",
        ] {
            assert!(svg.contains(part), "{part} is not in {svg}");
        }
    }
}
