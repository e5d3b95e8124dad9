//! Learning curves that other programs wrote.

use crate::types::TrainPoint;
use std::path::PathBuf;

/// A curve read from a file of another program.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportedCurve {
    /// The file, or the folder of several that belong together.
    pub path: PathBuf,
    /// What kind of file it is, such as `trainer_state.json`.
    pub format: &'static str,
    /// In the order of steps. The loss of a step that was only validated is NaN, and so is a time nobody wrote down.
    pub points: Vec<TrainPoint>,
    /// Tokens the model had read at the end, where that is said.
    pub tokens: Option<u64>,
    /// Steps that were planned, where that is said.
    pub planned: Option<usize>,
    /// The first step whose training loss was measured and no number.
    pub broken: Option<usize>,
    /// What stands in the file and on no curve here, by name.
    pub left_out: Vec<String>,
}

impl ImportedCurve {
    /// Tokens a step, where their number is known.
    #[must_use]
    pub fn tokens_per_step(&self) -> Option<f64> {
        let last = self.points.last()?.step;
        self.tokens.filter(|_| last > 0).map(|tokens| tokens as f64 / last as f64)
    }
}
