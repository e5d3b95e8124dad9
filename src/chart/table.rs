//! The numbers of a figure as comma-separated values.

use super::lines::{CurveFigure, data_sets};
use super::{ChartError, KShotSeries, Metric, ScatterPoint};
use crate::types::{Answer, ContextsReport};
use std::fmt::Display;

/// A row a query token: its index, its text, then one value a key token, in full precision.
pub(super) fn attention_table(tokens: &[String], pattern: &[f32]) -> Result<Vec<u8>, ChartError> {
    let mut rows = Rows::new();
    rows.write(["query_index", "query"].into_iter().chain(tokens.iter().map(String::as_str)).map(str::to_owned))?;
    for (index, (token, values)) in tokens.iter().zip(pattern.chunks_exact(tokens.len())).enumerate() {
        let head = [index.to_string(), token.clone()];
        rows.write(head.into_iter().chain(values.iter().map(f32::to_string)))?;
    }
    rows.finish()
}

/// A row a state of the residual stream: the cosine of a word's two vectors, and what each is nearest to.
pub(super) fn contexts_table(report: &ContextsReport) -> Result<Vec<u8>, ChartError> {
    let mut rows = Rows::new();
    let near = ["first_token", "first_token_cosine", "second_token", "second_token_cosine"];
    let other = ["first_position", "first_position_cosine", "second_position", "second_position_cosine"];
    rows.write(["state", "cosine"].into_iter().chain(near).chain(other).map(str::to_owned))?;
    for (place, layer) in report.layers.iter().enumerate() {
        let state = if place == 0 { "embedding".to_owned() } else { format!("block {}", place - 1) };
        let tokens = layer.tokens.iter().flat_map(|near| match near.first() {
            Some((token, cosine)) => [token.text.clone(), cosine.to_string()],
            None => [String::new(), String::new()],
        });
        let positions = layer.positions.iter().flat_map(|near| match near.first() {
            Some((position, cosine)) => [position.to_string(), cosine.to_string()],
            None => [String::new(), String::new()],
        });
        rows.write([state, layer.cosine.to_string()].into_iter().chain(tokens).chain(positions))?;
    }
    rows.finish()
}

/// A row a line between two tokens, in full precision.
pub(super) fn line_table(tokens: &[String], lines: &[(usize, usize, f32)]) -> Result<Vec<u8>, ChartError> {
    let mut rows = Rows::new();
    rows.write(["query_index", "query", "key_index", "key", "value"].map(str::to_owned))?;
    for (query, key, value) in lines {
        let [from, to] = [query, key].map(|at| tokens[*at].clone());
        rows.write([query.to_string(), from, key.to_string(), to, value.to_string()])?;
    }
    rows.finish()
}

/// A row a weight that is not 0, in full precision: layers of heads over `tokens` tokens.
pub(super) fn head_grid_table(layers: &[Vec<Option<&[f32]>>], tokens: usize) -> Result<Vec<u8>, ChartError> {
    let mut rows = Rows::new();
    rows.write(["layer", "head", "query", "key", "weight"].map(str::to_owned))?;
    for (layer, heads) in layers.iter().enumerate() {
        for (head, pattern) in heads.iter().enumerate().filter_map(|(head, p)| Some((head, (*p)?))) {
            for (at, weight) in pattern.iter().enumerate().filter(|(_, w)| **w != 0.0) {
                let place = [layer, head, at / tokens, at % tokens].map(|n| n.to_string());
                rows.write(place.into_iter().chain([weight.to_string()]))?;
            }
        }
    }
    rows.finish()
}

/// A row a token: its number, what it is, its place in the picture, counted from 1, and its weight in full precision.
pub(super) fn overlay_table(special: &[(String, f32)], weights: &[f32], columns: usize) -> Result<Vec<u8>, ChartError> {
    let mut rows = Rows::new();
    rows.write(["token", "name", "row", "column", "weight"].map(str::to_owned))?;
    for (token, (name, weight)) in special.iter().enumerate() {
        rows.write([token.to_string(), name.clone(), String::new(), String::new(), weight.to_string()])?;
    }
    for (patch, weight) in weights.iter().enumerate() {
        let place = [patch / columns + 1, patch % columns + 1].map(|at| at.to_string());
        let token = (special.len() + patch).to_string();
        rows.write([token, "patch".to_owned()].into_iter().chain(place).chain([weight.to_string()]))?;
    }
    rows.finish()
}

/// A row a training step, with empty fields where nothing was measured, and a column of its own for each data set that is told of; then
/// a row a level, without a step.
pub(super) fn curve_table(figure: &CurveFigure<'_>) -> Result<Vec<u8>, ChartError> {
    let (mut rows, runs) = (Rows::new(), &figure.runs);
    let [loss, validation] = match figure.metric {
        Metric::BitsPerByte => ["bits_per_byte", "validation_bits_per_byte"],
        _ => ["loss", "validation_loss"],
    };
    let header =
        ["run", "step", "elapsed_s", loss, "learning_rate", validation, "validation_accuracy", "gradient_norm"];
    let mut sets: Vec<&str> = Vec::new();
    for set in runs.iter().flat_map(|run| data_sets(run.points)) {
        if !sets.contains(&set) {
            sets.push(set);
        }
    }
    let of_sets = sets.iter().map(|set| format!("{validation}:{set}"));
    rows.write(header.into_iter().map(str::to_owned).chain(of_sets))?;
    for run in runs {
        for p in run.points {
            let of_set = |set: &&str| measured(p.validation_sets.iter().find(|s| s.set == **set).map(|s| s.loss));
            let row = [
                run.name.to_owned(),
                p.step.to_string(),
                p.elapsed_s.to_string(),
                p.loss.to_string(),
                p.learning_rate.to_string(),
                measured(p.validation_loss),
                measured(p.validation_accuracy),
                measured(p.gradient_norm),
            ];
            rows.write(row.into_iter().chain(sets.iter().map(of_set)))?;
        }
    }
    for level in &figure.levels {
        let mut row = vec![String::new(); header.len() + sets.len()];
        row[0].clone_from(&level.name);
        let column = if figure.metric == Metric::Accuracy { "validation_accuracy" } else { validation };
        if let Some(place) = header.iter().position(|name| *name == column) {
            row[place] = level.value.to_string();
        }
        rows.write(row)?;
    }
    rows.finish()
}

/// A row a point: one number of examples with one seed.
pub(super) fn kshot_table(series: &[KShotSeries<'_>]) -> Result<Vec<u8>, ChartError> {
    let mut rows = Rows::new();
    let header = ["series", "k", "seed", "queries", "correct", "accuracy", "mean_log_prob"];
    rows.write(header.into_iter().map(str::to_owned))?;
    for series in series {
        for p in series.points {
            rows.write([
                series.name.to_owned(),
                p.k.to_string(),
                p.seed.to_string(),
                p.queries.to_string(),
                p.correct.to_string(),
                p.accuracy().to_string(),
                p.mean_log_prob.to_string(),
            ])?;
        }
    }
    rows.finish()
}

/// The answers to a table of queries: a row a query, with the share of every label.
///
/// # Errors
/// The encoder's own.
pub fn answers_table(answers: &[Answer], labels: &[String]) -> Result<Vec<u8>, ChartError> {
    let mut rows = Rows::new();
    let header = ["input", "expected", "predicted", "correct", "log_prob"].into_iter().map(str::to_owned);
    rows.write(header.chain(labels.iter().map(|label| format!("share of {label}"))))?;
    for answer in answers {
        let Answer { input, expected, predicted, correct, log_prob, shares } = answer;
        let fields = [input.clone(), expected.clone(), predicted.clone(), correct.to_string(), log_prob.to_string()];
        let shares = (0..labels.len()).map(|label| measured(shares.get(label)));
        rows.write(fields.into_iter().chain(shares))?;
    }
    rows.finish()
}

/// Scores of heads on one text, or on one drawn sequence.
#[derive(Clone, Debug)]
pub struct HeadScores<'a> {
    /// The model's name.
    pub model: &'a str,
    /// What random tokens were drawn from; `None` for a text.
    pub seed: Option<u64>,
    /// The text; empty for random tokens.
    pub text: &'a str,
    /// Id and definition of each score.
    pub columns: &'a [(&'a str, &'a str)],
    /// Layer, head and its values in the order of the columns.
    pub heads: Vec<(usize, usize, Vec<Option<f32>>)>,
}

/// A row a value, with the model, what was read, and the definition; where a head has no value there is no row.
///
/// # Errors
/// The encoder's own.
pub fn head_scores_table(scores: &HeadScores<'_>) -> Result<Vec<u8>, ChartError> {
    let mut rows = Rows::new();
    let header = ["model", "seed", "text", "layer", "head", "score", "value", "definition"];
    rows.write(header.into_iter().map(str::to_owned))?;
    for (layer, head, values) in &scores.heads {
        for ((id, definition), value) in scores.columns.iter().zip(values) {
            let Some(value) = value else { continue };
            rows.write([
                scores.model.to_owned(),
                measured(scores.seed),
                scores.text.to_owned(),
                layer.to_string(),
                head.to_string(),
                (*id).to_owned(),
                value.to_string(),
                (*definition).to_owned(),
            ])?;
        }
    }
    rows.finish()
}

/// Points of a plane, a row each.
pub(super) fn scatter_table(axes: [&str; 2], points: &[ScatterPoint]) -> Result<Vec<u8>, ChartError> {
    let mut rows = Rows::new();
    rows.write(["name", axes[0], axes[1]].map(str::to_owned))?;
    for point in points {
        rows.write([point.name.clone(), point.x.to_string(), point.y.to_string()])?;
    }
    rows.finish()
}

fn measured(value: Option<impl Display>) -> String {
    value.map_or_else(String::new, |v| v.to_string())
}

/// A table in the making.
pub(super) struct Rows(csv::Writer<Vec<u8>>);

impl Rows {
    pub fn new() -> Self {
        Self(csv::Writer::from_writer(Vec::new()))
    }

    pub fn write(&mut self, fields: impl IntoIterator<Item = String>) -> Result<(), ChartError> {
        self.0.write_record(fields).map_err(|e| ChartError::Encode(e.to_string()))
    }

    pub fn finish(self) -> Result<Vec<u8>, ChartError> {
        self.0.into_inner().map_err(|e| ChartError::Encode(e.to_string()))
    }
}
