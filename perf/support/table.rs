//! Comparisons as a Markdown table: a row per peer, each figure with its ratio to the
//! reference behind it.
//!
//! Only metrics that somebody has a value for get a column. Layout alone; no arithmetic but
//! ratios.

use crate::support::figures::{Comparison, Figures, METRICS, Outcome, Row};
use comfy_table::{CellAlignment, Table, presets};

/// The table of one scenario.
pub fn of(comparison: &Comparison) -> Table {
    let shown: Vec<&Row> = METRICS
        .iter()
        .filter(|row| is_measured(comparison, row))
        .collect();
    let mut table = plain();
    let titles = shown.iter().map(|row| row.title);
    table.set_header([comparison.scenario.as_str()].into_iter().chain(titles));
    for outcome in &comparison.outcomes {
        let cells = shown.iter().map(|row| cell(comparison, outcome, row));
        table.add_row([outcome.peer.clone()].into_iter().chain(cells));
    }
    align_figures(&mut table);
    table
}

/// A table in Markdown, for any rows.
pub fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table
}

/// All columns but the first hold figures.
pub fn align_figures(table: &mut Table) {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

fn is_measured(comparison: &Comparison, row: &Row) -> bool {
    comparison
        .outcomes
        .iter()
        .any(|outcome| outcome.figures.value(row.metric).is_some())
}

fn cell(comparison: &Comparison, outcome: &Outcome, row: &Row) -> String {
    let Some(value) = outcome.figures.value(row.metric) else {
        return "-".to_string();
    };
    let shown = row.show(value);
    match ratio(comparison.reference(), &outcome.figures, row) {
        Some(ratio) => format!("{shown} {ratio:.2}x"),
        None => shown,
    }
}

fn ratio(reference: Option<&Figures>, figures: &Figures, row: &Row) -> Option<f64> {
    figures.ratio(reference?, row.metric)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::figures::Metric;

    #[test]
    fn ratios_relate_to_redis_and_unmeasured_columns_are_absent() {
        let outcome = |peer: &str, cpu: f64| {
            let figures = Figures::default().put(Metric::CpuPerOp, cpu).clone();
            Outcome {
                peer: peer.into(),
                rounds: 1,
                figures,
            }
        };
        let outcomes = vec![outcome("bare-1", 1.0), outcome("redis", 2.0)];
        let text = of(&Comparison {
            scenario: "ping".into(),
            outcomes,
        })
        .to_string();
        assert!(
            text.contains("1.000 0.50x") && text.contains("2.000 1.00x"),
            "{text}"
        );
        assert!(
            text.contains("CPU us/op") && !text.contains("p50"),
            "{text}"
        );
    }
}
