//! Accuracy against the number of examples: for every seed and every k one prompt and the same queries, a batch a step.

use super::answers::Asking;
use super::{Step, Task, TaskContext};
use crate::engine::{Event, Outcome};
use crate::types::{Answer, KShotPoint, KShotReport, KShotSpec, LabelTreatment, ModelId, UserError};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Measures a curve.
pub(crate) struct KShot {
    model: ModelId,
    spec: KShotSpec,
    /// k in rising order, each once.
    ks: Vec<usize>,
    points: Vec<KShotPoint>,
    answers: Vec<Vec<Answer>>,
    /// Of each k: how many examples were left out at most.
    cut: Vec<usize>,
    asking: Option<Asking>,
    elapsed: Duration,
}

impl KShot {
    /// To measure the curve `spec` asks for with `model`.
    pub(crate) fn new(model: ModelId, spec: KShotSpec) -> Self {
        let mut ks = spec.ks.clone();
        ks.sort_unstable();
        ks.dedup();
        let cut = vec![0; ks.len()];
        Self { model, spec, ks, points: Vec::new(), answers: Vec::new(), cut, asking: None, elapsed: Duration::ZERO }
    }

    fn report(&mut self, context: Option<usize>) -> Outcome {
        let notes = self.notes(context);
        Outcome::KShot(Arc::new(KShotReport {
            spec: self.spec.clone(),
            points: std::mem::take(&mut self.points),
            answers: std::mem::take(&mut self.answers),
            notes,
            elapsed_ms: self.elapsed.as_secs_f64() * 1e3,
        }))
    }

    /// What should be known before the figures are trusted.
    fn notes(&self, context: Option<usize>) -> Vec<String> {
        let (spec, mut notes) = (&self.spec, Vec::new());
        let (asked, most) = (spec.queries_a_seed(), spec.largest_k());
        if asked < spec.queries {
            let rows = spec.table.rows.len();
            notes.push(format!(
                "{asked} queries a seed instead of {}: with {most} examples no more of the {rows} rows are left.",
                spec.queries
            ));
        }
        for (k, cut) in self.ks.iter().zip(&self.cut).filter(|(_, cut)| **cut > 0) {
            let context = context.map_or_else(String::new, |context| format!(" of {context} tokens"));
            notes.push(format!(
                "k = {k}: up to {cut} examples did not fit in the context{context} and were left out at the front."
            ));
        }
        if spec.variant.calibrate && spec.table.labels.is_empty() {
            notes.push("Calibration chooses among labels, and this task has none; nothing was calibrated.".to_owned());
        }
        if spec.variant.labels == LabelTreatment::Shuffled && self.ks.contains(&1) {
            notes.push("k = 1: a single example has nobody to change its answer with, so it is true.".to_owned());
        }
        notes
    }

    /// Takes the point that is measured out of the way.
    fn finish_point(&mut self, asking: Asking, k: usize, seed: u64) -> KShotPoint {
        let place = self.points.len() % self.ks.len();
        self.cut[place] = self.cut[place].max(asking.cut());
        let answers = asking.into_answers();
        let correct = answers.iter().filter(|answer| answer.correct).count();
        let mean_log_prob = answers.iter().map(|answer| answer.log_prob).sum::<f64>() / answers.len() as f64;
        let point = KShotPoint { k, seed, queries: answers.len(), correct, mean_log_prob };
        self.points.push(point);
        self.answers.push(answers);
        point
    }
}

impl Task for KShot {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let begun = Instant::now();
        let model = cx.models.text(self.model)?;
        let context = Some(model.lm.context());
        if self.points.is_empty() && self.asking.is_none() {
            self.spec.check()?;
        }
        let at = self.points.len();
        let (seed, k) = (self.spec.seeds[at / self.ks.len()], self.ks[at % self.ks.len()]);
        let (queries, points) = (self.spec.queries_a_seed() as u64, self.ks.len() * self.spec.seeds.len());
        let mut answered = 0;
        match self.asking.take() {
            None => self.asking = Some(Asking::new(model, self.spec.batch(k, seed))?),
            Some(mut asking) => {
                if asking.step(model)? {
                    let point = self.finish_point(asking, k, seed);
                    (cx.emit)(Event::KShot { job: cx.job, points: vec![point] });
                } else {
                    answered = asking.progress().0;
                    self.asking = Some(asking);
                }
            }
        }
        self.elapsed += begun.elapsed();
        if self.points.len() == points {
            return Ok(Step::Done(self.report(context)));
        }
        let (done, total) = (self.points.len() as u64 * queries + answered, points as u64 * queries);
        (cx.emit)(Event::Progress { job: cx.job, label: "Asking".to_owned(), done, total, unit: "queries" });
        Ok(Step::More)
    }

    fn cancel(&mut self, cx: &mut TaskContext<'_>) -> Result<Outcome, UserError> {
        let context = cx.models.text(self.model).ok().map(|model| model.lm.context());
        Ok(self.report(context))
    }
}
