//! How likely each of some answers is after each of many prompts. All are read together, whatever their lengths: as trees, in which
//! nothing is padding and what prompts begin with in common is read once.

use super::continuations::{Continuations, Scored};
use super::score::{candidate_score, check_candidates, sequences};
use super::shares::shares;
use super::{Step, Task, TaskContext};
use crate::engine::{Event, Outcome};
use crate::load::TextModel;
use crate::types::{ModelId, ScoreEachReport, ScoreEachRequest, ScoreReport, UserError};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Characters by which a prompt is told from others.
const SHOWN: usize = 40;

/// Scores the candidates after every prompt.
pub(crate) struct ScoreEach {
    model: ModelId,
    request: ScoreEachRequest,
    running: Option<Running>,
    elapsed: Duration,
}

struct Running {
    /// The candidates of the first prompt, then those of the second, and so on.
    continuations: Continuations,
    /// Of each prompt.
    tokens: Vec<usize>,
}

impl ScoreEach {
    /// To score what `request` asks for with `model`.
    pub(crate) fn new(model: ModelId, request: ScoreEachRequest) -> Self {
        Self { model, request, running: None, elapsed: Duration::ZERO }
    }

    fn begin(&self, model: &TextModel) -> Result<Running, UserError> {
        let ScoreEachRequest { prompts, candidates, ending, edits } = &self.request;
        check_candidates(model, candidates)?;
        let (mut all, mut tokens) = (Vec::new(), Vec::new());
        for prompt in prompts {
            let (count, sequences) = sequences(model, prompt, candidates, ending).map_err(|error| {
                let beginning: String = prompt.chars().take(SHOWN).collect();
                UserError { why: format!("{} The prompt begins with {beginning:?}.", error.why), ..error }
            })?;
            all.extend(sequences);
            tokens.push(count);
        }
        Ok(Running { continuations: Continuations::new(model, all, edits)?, tokens })
    }

    /// Prompts all of whose answers are scored.
    fn done(&self) -> usize {
        self.running.as_ref().map_or(0, |running| running.continuations.scores().len() / self.request.candidates.len())
    }

    fn report(&self, model: &TextModel) -> Outcome {
        let (count, done) = (self.request.candidates.len(), self.done());
        let elapsed_ms = self.elapsed.as_secs_f64() * 1e3 / done.max(1) as f64;
        let of_prompt = |(place, running): (usize, &Running)| {
            let first = place * count;
            let scores = &running.continuations.scores()[first..first + count];
            let shares = shares(scores.iter().map(Scored::sum));
            let candidate = |(i, text): (usize, &String)| {
                candidate_score(model, text, running.continuations.sequence(first + i), &scores[i], shares[i])
            };
            let candidates = self.request.candidates.iter().enumerate().map(candidate).collect();
            ScoreReport { candidates, prompt_tokens: running.tokens[place], elapsed_ms }
        };
        let running = self.running.iter().flat_map(|running| (0..done).map(move |place| (place, running)));
        Outcome::EachScored(Arc::new(ScoreEachReport { prompts: running.map(of_prompt).collect() }))
    }
}

impl Task for ScoreEach {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let begun = Instant::now();
        let model = cx.models.text(self.model)?;
        if self.running.is_none() {
            self.running = Some(self.begin(model)?);
        }
        let Some(running) = &mut self.running else { return Ok(Step::More) };
        if !running.continuations.is_done() {
            running.continuations.step(model)?;
        }
        let is_done = running.continuations.is_done();
        self.elapsed += begun.elapsed();
        if is_done {
            return Ok(Step::Done(self.report(model)));
        }
        let (done, total) = (self.done() as u64, self.request.prompts.len() as u64);
        (cx.emit)(Event::Progress { job: cx.job, label: "Scoring".to_owned(), done, total, unit: "prompts" });
        Ok(Step::More)
    }

    fn cancel(&mut self, cx: &mut TaskContext<'_>) -> Result<Outcome, UserError> {
        Ok(self.report(cx.models.text(self.model)?))
    }
}
