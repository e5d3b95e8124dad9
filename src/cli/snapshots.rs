//! `fovea snapshots`: what was noted of a run at the steps that were chosen.

use super::CliError;
use super::output::{print, print_json, tell, write_file};
use crate::chart::number;
use crate::engine::{read_run_record, read_snapshots};
use crate::types::{RunSnapshot, UserError, printable, share_moved};
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// `fovea snapshots`.
#[derive(Debug, Args)]
pub struct SnapshotsArgs {
    /// The folder of a run
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// All that was noted as a JSON object
    #[arg(long)]
    pub json: bool,
    /// Write every number into a CSV file: a row for each step, quantity and place
    #[arg(long, value_name = "FILE.csv")]
    pub out: Option<PathBuf>,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Told<'a> {
    run: &'a Path,
    snapshots: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    noted: &'a RunSnapshot,
    /// The folder of the weights; null where they are not there.
    weights: Option<&'a Path>,
}

/// Lists them.
pub(super) fn run(args: &SnapshotsArgs) -> Result<(), CliError> {
    let snapshots = read_snapshots(&args.run);
    if snapshots.is_empty() {
        return Err(none(&args.run).into());
    }
    for snapshot in &snapshots {
        if let Some(why) = &snapshot.not_kept {
            tell(format_args!("note: the weights of step {} were not kept: {why}", snapshot.step));
        }
    }
    if let Some(out) = &args.out {
        write_file(out, table(&snapshots).as_bytes())?;
        tell(format_args!("written to {}", out.display()));
    }
    if args.json {
        let rows = snapshots.iter().map(|noted| Row { noted, weights: noted.weights.as_deref() }).collect();
        return print_json(&Told { run: &args.run, snapshots: rows });
    }
    print(&text(&snapshots))
}

/// A line each: loss, the highest head of each score, how far the weights went.
fn text(snapshots: &[RunSnapshot]) -> String {
    let scores: Vec<&String> = snapshots
        .iter()
        .find_map(|snapshot| snapshot.heads.as_ref())
        .map_or(Vec::new(), |heads| heads.scores.keys().collect());
    let optional = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), number);
    let has_accuracy = snapshots.iter().any(|snapshot| snapshot.validation_accuracy.is_some());
    let mut heading = ["step", "examples", "loss", "validation"].map(str::to_owned).to_vec();
    heading.extend(has_accuracy.then(|| "accuracy".to_owned()));
    heading.push("moved".to_owned());
    heading.extend(scores.iter().map(|score| (*score).clone()));
    let mut rows = vec![heading];
    for snapshot in snapshots {
        let mut row = vec![
            snapshot.step.to_string(),
            snapshot.examples.to_string(),
            optional(snapshot.loss),
            optional(snapshot.validation_loss),
        ];
        row.extend(has_accuracy.then(|| optional(snapshot.validation_accuracy)));
        row.push(optional(share_moved(&snapshot.moved)));
        for score in &scores {
            let layers = snapshot.heads.as_ref().map_or(Vec::new(), |heads| heads.highest(score));
            let highest = layers.iter().enumerate().max_by(|a, b| a.1.1.total_cmp(&b.1.1));
            row.push(
                highest.map_or_else(|| "–".to_owned(), |(layer, (head, value))| format!("{value:.3} ({layer}.{head})")),
            );
        }
        rows.push(row);
    }
    let widths: Vec<usize> =
        (0..rows[0].len()).map(|i| rows.iter().map(|row| row[i].chars().count()).max().unwrap_or(0)).collect();
    let mut out = String::new();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
        out += &cells.join("  ");
        out.push('\n');
    }
    out.push('\n');
    if !scores.is_empty() {
        out += "Scores are those of `fovea heads` on random tokens said twice: the highest head, with its layer and number.\n";
    }
    out += "moved: the length of the change of all weights, divided by the length of the weights the run began with.\n";
    for folder in snapshots.iter().filter_map(|snapshot| snapshot.weights.as_ref()) {
        out += &format!("{}\n", printable(&folder.display().to_string()));
    }
    out
}

/// `step,quantity,layer,of,value`, where a head's number or a parameter's name says of what.
fn table(snapshots: &[RunSnapshot]) -> String {
    let mut out = "step,quantity,layer,of,value\n".to_owned();
    for snapshot in snapshots {
        let step = snapshot.step;
        let mut line = |quantity: &str, layer: Option<usize>, of: &str, value: Option<f64>| {
            let Some(value) = value else { return };
            let layer = layer.map_or(String::new(), |layer| layer.to_string());
            out += &format!("{step},{quantity},{layer},{of},{value}\n");
        };
        line("examples", None, "", Some(snapshot.examples as f64));
        line("loss", None, "", snapshot.loss);
        line("validation_loss", None, "", snapshot.validation_loss);
        line("validation_accuracy", None, "", snapshot.validation_accuracy);
        for (score, layers) in snapshot.heads.iter().flat_map(|heads| &heads.scores) {
            for (layer, heads) in layers.iter().enumerate() {
                for (head, value) in heads.iter().enumerate() {
                    line(score, Some(layer), &head.to_string(), value.map(f64::from));
                }
            }
        }
        for moved in &snapshot.moved {
            let (layer, of) = moved.place();
            line("moved", layer, of, moved.share());
        }
        for (label, row) in
            snapshot.confusion.iter().flat_map(|confusion| confusion.labels.iter().zip(&confusion.counts))
        {
            let of = quoted(label);
            let right = row.iter().sum::<usize>();
            line("held_out", None, &of, Some(right as f64));
        }
        for (quantity, of, count) in confused(snapshot) {
            line(quantity, None, &of, Some(count as f64));
        }
    }
    out
}

/// What held-out examples of each class were taken for.
fn confused(snapshot: &RunSnapshot) -> Vec<(&'static str, String, usize)> {
    let Some(confusion) = &snapshot.confusion else { return Vec::new() };
    let labels = &confusion.labels;
    let rows = labels.iter().zip(&confusion.counts);
    let cells = rows.flat_map(|(label, row)| {
        let taken = labels.iter().zip(row).filter(|(_, count)| **count > 0);
        taken.map(move |(said, count)| ("taken_for", quoted(&format!("{label} for {said}")), *count))
    });
    cells.collect()
}

/// A cell of CSV.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

fn none(run: &Path) -> UserError {
    let what = format!("There are no snapshots of {}.", run.display());
    let how = "Have some by `snapshots = \"every 50\"`, `\"doubling\"` or a list of steps in the recipe, and train.";
    match read_run_record(run) {
        None => UserError::new(what, "It holds no run: there is no run.json in it.", "Give the folder of a run."),
        Some(record) if record.spec.snapshots.is_some() => UserError::new(
            what,
            "The run has come to none of its steps yet.",
            "Let it go on: the first comes before its first step.",
        ),
        Some(_) => UserError::new(what, "The run was begun without any.", how),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Confusion, HeadValues, Moved};

    #[test]
    fn a_list_has_the_highest_heads_and_a_table_has_all() {
        let heads = HeadValues {
            scores: [("induction_repeats".to_owned(), vec![vec![Some(0.25), None], vec![Some(0.125), Some(0.5)]])]
                .into(),
            ..HeadValues::default()
        };
        let moved = vec![Moved { path: "blocks.1.qkv.weight".to_owned(), by: Some(1.0), from: Some(4.0) }];
        let confusion =
            Confusion { labels: vec!["a".to_owned(), "b, c".to_owned()], counts: vec![vec![2, 1], vec![0, 0]] };
        let snapshot =
            RunSnapshot { step: 8, heads: Some(heads), moved, confusion: Some(confusion), ..RunSnapshot::default() };
        let listed = text(std::slice::from_ref(&snapshot));
        assert!(listed.contains("0.500 (1.1)") && listed.contains("0.25"), "{listed}");
        let table = table(&[snapshot]);
        for line in [
            "8,induction_repeats,1,1,0.5",
            "8,moved,1,qkv.weight,0.25",
            "8,held_out,,a,3",
            "8,taken_for,,\"a for b, c\",1",
        ] {
            assert!(table.lines().any(|found| found == line), "{line} in {table}");
        }
    }
}
