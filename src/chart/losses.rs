//! What examples cost two models, as a table.

use super::ChartError;
use super::table::Rows;
use crate::types::LossesReport;

/// A row an example, in the order of the data, in full precision: its place from 0, what it says, nats before and after and their
/// difference, tokens predicted; where classes are told the right one, its probabilities and the likeliest ones.
///
/// # Errors
/// The encoder's own.
pub fn losses_table(report: &LossesReport) -> Result<Vec<u8>, ChartError> {
    let mut rows = Rows::new();
    let mut header = vec!["place", "text", "before", "after", "change", "tokens"];
    if !report.labels.is_empty() {
        header.extend(["label", "probability_before", "probability_after", "said_before", "said_after"]);
    }
    header.extend(["model_before", "model_after"]);
    rows.write(header.into_iter().map(str::to_owned))?;
    for row in &report.rows {
        let [before, after] = row.losses;
        let mut fields = vec![row.place.to_string(), row.text.clone()];
        fields.extend([before, after, row.change()].map(|nats| nats.to_string()));
        fields.push(row.count.to_string());
        if let Some(told) = &row.told {
            fields.push(report.label(told.label).to_owned());
            fields.extend(told.probabilities.map(|share| share.to_string()));
            let said = told.predictions.map(|said| said.map_or("", |class| report.label(class)).to_owned());
            fields.extend(said);
        } else if !report.labels.is_empty() {
            fields.extend(vec![String::new(); 5]);
        }
        fields.extend(report.models.clone());
        rows.write(fields)?;
    }
    rows.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{LossRow, ToldClass};
    use std::sync::Arc;

    #[test]
    fn a_row_tells_all_that_is_known_of_an_example() {
        let told = ToldClass { label: 1, probabilities: [0.25, 0.5], predictions: [Some(0), None] };
        let row = LossRow {
            place: 3,
            text: "so \"good\", yes".to_owned(),
            count: 1,
            losses: [1.5, f64::NAN],
            told: Some(told),
            tokens: Vec::new(),
            pixels: Vec::new(),
        };
        let report = LossesReport {
            models: ["a", "b"].map(str::to_owned),
            data: String::new(),
            labels: ["no", "yes"].map(str::to_owned).to_vec(),
            rows: vec![Arc::new(row)],
            asked: 1,
            of: 1,
            cut: 0,
        };
        let table = String::from_utf8(losses_table(&report).unwrap()).unwrap();
        assert_eq!(
            table,
            "place,text,before,after,change,tokens,label,probability_before,probability_after,said_before,said_after,\
             model_before,model_after\n3,\"so \"\"good\"\", yes\",1.5,NaN,NaN,1,yes,0.25,0.5,no,,a,b\n"
        );
    }
}
