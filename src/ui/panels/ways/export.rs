//! The figure, its points, and the whole report as files.

use super::{WaysPanel, file_to_write};
use crate::chart::{AdaptFigure, Format, adapt_figure};
use crate::types::{AdaptPrice, AdaptReport, PriceAssumptions, UserError};
use crate::ui::Cx;
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;

/// What can be written: the entry's name, its words, and the format of a figure or table; nothing for the report.
pub(super) const ENTRIES: [(&str, &str, Option<Format>); 4] = [
    ("svg", "Export the ways as SVG", Some(Format::Svg)),
    ("png", "Export the ways as PNG", Some(Format::Png)),
    ("csv", "Export the ways as CSV", Some(Format::Csv)),
    ("json", "Export the ways as JSON", None),
];

/// The report with what is derived from it, as `fovea adapt --json` prints it.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    report: &'a AdaptReport,
    assumed: PriceAssumptions,
    prices: Vec<AdaptPrice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    says: Option<String>,
}

impl WaysPanel {
    /// Asks where to, then draws and writes on the dialog's thread.
    pub(super) fn export(&self, format: Option<Format>, cx: &mut Cx<'_>) {
        let Some(shown) = &self.shown else {
            let next = "Compare the ways first.";
            cx.fail(UserError::new("There is nothing to export.", "Nothing was measured yet.", next));
            return;
        };
        let (report, model) = (Arc::clone(&shown.report), shown.model.clone());
        let (metric, assumed) = (self.view.metric, self.view.assumed);
        let noise = self.view.noises(&report).first().copied().unwrap_or_default();
        cx.save_as(file_to_write("ways", format), move |path| {
            let bytes = match format {
                Some(format) => adapt_figure(&AdaptFigure { model: &model, report: &report, metric, noise }, format)?,
                None => json(&report, assumed)?,
            };
            write(path, &bytes)
        });
    }
}

fn json(report: &AdaptReport, assumed: PriceAssumptions) -> Result<Vec<u8>, UserError> {
    let told = Told { report, assumed, prices: report.prices(&assumed), says: report.says() };
    serde_json::to_vec_pretty(&told)
        .map_err(|e| UserError::new("The report could not be written as JSON.", e.to_string(), "Export the CSV."))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), UserError> {
    crate::disk::write(path, bytes).map_err(|e| {
        UserError::new(
            format!("{} could not be written.", path.display()),
            e.to_string(),
            "Choose a folder you may write to, with enough room.",
        )
    })
}
