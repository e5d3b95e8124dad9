//! The numbers of the steps of a token as a table and as arrays.

use super::table::Rows;
use super::{Array, ArrayFormat, ArrayValues, ChartError, StepsFigure, arrays_file};
use crate::types::StepsReport;

/// A row a number: the part it is in, what its vector is called, its place in that, and the number in full precision.
pub(super) fn table(figure: &StepsFigure) -> Result<Vec<u8>, ChartError> {
    let mut rows = Rows::new();
    rows.write(["part", "name", "index", "value"].map(str::to_owned))?;
    for part in &figure.parts {
        for step in part.kinds.iter().filter_map(|kind| figure.report.step(*kind)) {
            let name = figure.report.name_of(step.kind);
            for (index, value) in step.values.iter().enumerate() {
                rows.write([part.name.to_owned(), name.clone(), index.to_string(), value.to_string()])?;
            }
        }
    }
    rows.finish()
}

/// All numbers as arrays: the vectors of the steps under the names of [`StepsReport::name_of`]; of the head `keys` and `values`,
/// `[S, K]`, as queries meet them; `z` of all heads, `[H·K]`; what the other blocks added, under the names of their sites; and the
/// `ids` of the tokens.
///
/// # Errors
/// Those of [`arrays_file`].
pub fn steps_arrays(
    report: &StepsReport,
    about: &[(String, String)],
    format: ArrayFormat,
) -> Result<Vec<u8>, ChartError> {
    let floats = |name: String, shape: Vec<usize>, values| Array { name, shape, values: ArrayValues::Floats(values) };
    let flat = |name: String, values| -> Array<'_> { floats(name, vec![<[f32]>::len(values)], values) };
    let mut arrays: Vec<Array<'_>> =
        report.steps.iter().map(|step| flat(report.name_of(step.kind), &step.values)).collect();
    let seen = report.tokens.len();
    for (name, values) in [("keys", &report.keys), ("values", &report.values)] {
        if seen > 0 && !values.is_empty() {
            arrays.push(floats(name.to_owned(), vec![seen, values.len() / seen], values));
        }
    }
    if !report.z.is_empty() {
        arrays.push(flat("z".to_owned(), &report.z));
    }
    for (block, added) in report.added.iter().enumerate().filter(|(block, _)| *block != report.layer) {
        arrays.push(flat(format!("blocks.{block}.attn_out"), &added.attn));
        arrays.push(flat(format!("blocks.{block}.mlp_out"), &added.mlp));
    }
    let ids: Vec<i64> = report.tokens.iter().map(|token| i64::from(token.id)).collect();
    arrays.push(Array { name: "ids".to_owned(), shape: vec![ids.len()], values: ArrayValues::Integers(&ids) });
    arrays_file(&arrays, about, format)
}
