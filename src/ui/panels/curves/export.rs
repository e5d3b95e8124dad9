//! Learning curves as a file.

use crate::chart::{CurveFigure, Format, RunCurve, RunMarks, StepSize, curve_figure};
use crate::types::{TrainPoint, UserError};
use crate::ui::Cx;
use crate::ui::files::FileRequest;

/// Asks where the curves that are drawn are to be written; `name` is that of the file, without an ending.
pub fn export(cx: &mut Cx<'_>, figure: CurveFigure<'_>, name: &str, format: Format) {
    if figure.runs.is_empty() {
        let why = "No run that is shown has measured anything yet.";
        cx.fail(UserError::new("There is nothing to export.", why, "Start a run, or show one that is hidden."));
        return;
    }
    // The writer outlives this frame: it gets its own copy of the points.
    let owned: Vec<OwnedCurve> = figure.runs.iter().map(OwnedCurve::of).collect();
    let plain = CurveFigure { runs: Vec::new(), ..figure };
    let CurveFigure { title, metric, time, log_x, log_y, smoothing, below, levels, .. } = plain;
    let file = FileRequest::save(format!("Export {}", format.name()), format!("{name}.{}", format.extension()))
        .filter(format.name(), &[format.extension()]);
    cx.save_as(file, move |path| {
        let runs = owned.iter().map(OwnedCurve::curve).collect();
        let figure = CurveFigure { title, runs, metric, time, log_x, log_y, smoothing, below, levels };
        let bytes = curve_figure(&figure, format)?;
        std::fs::write(path, bytes).map_err(|e| {
            let what = format!("{} was not written.", path.display());
            UserError::new(what, e.to_string(), "Choose a folder you may write to, on a disk with room.")
        })
    });
}

/// A run's curve that outlives the frame.
struct OwnedCurve {
    name: String,
    hue: usize,
    points: Vec<TrainPoint>,
    step: StepSize,
    marks: RunMarks,
}

impl OwnedCurve {
    fn of(run: &RunCurve<'_>) -> Self {
        let RunCurve { name, hue, points, step, marks } = *run;
        Self { name: name.to_owned(), hue, points: points.to_vec(), step, marks }
    }

    fn curve(&self) -> RunCurve<'_> {
        let Self { name, hue, points, step, marks } = self;
        RunCurve { name, hue: *hue, points, step: *step, marks: *marks }
    }
}
