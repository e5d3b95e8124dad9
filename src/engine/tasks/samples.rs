//! Several continuations of one prompt, which is read once.

use super::continuing::Continuing;
use super::{Step, Task, TaskContext, prompt, sampling};
use crate::engine::{Event, Outcome, SamplesSpec};
use crate::types::{DrawnSample, GeneratedToken, ModelId, SamplesReport, StopReason, UserError};
use std::sync::Arc;

/// Samples of one job at most.
const MOST: usize = 100;

/// Draws samples one after the other, each with the seed after that of the one before.
pub(crate) struct Samples {
    model: ModelId,
    spec: SamplesSpec,
    reading: prompt::Reading,
    running: Option<Continuing>,
    tokens: Vec<GeneratedToken>,
    report: SamplesReport,
}

impl Samples {
    /// To continue a prompt several times with `model`.
    pub(crate) fn new(model: ModelId, spec: SamplesSpec) -> Self {
        let (reading, report) = (prompt::Reading::default(), SamplesReport::default());
        Self { model, spec, reading, running: None, tokens: Vec::new(), report }
    }

    /// Nothing while the prompt is not read.
    fn begin(&mut self, cx: &mut TaskContext<'_>) -> Result<Option<Continuing>, UserError> {
        check_count(self.spec.count)?;
        sampling::check(&self.spec.generate.sampling)?;
        let model = cx.models.text(self.model)?;
        let Some(tokens) = self.reading.read(model, &self.spec.generate.prompt)? else { return Ok(None) };
        let running = Continuing::new(model, &tokens, &self.spec.generate)?;
        self.report.prompt.clone_from(&tokens);
        (cx.emit)(Event::Prompted { job: cx.job, tokens });
        Ok(Some(running))
    }

    fn seed(&self) -> u64 {
        self.spec.generate.sampling.seed.wrapping_add(self.report.samples.len() as u64)
    }

    fn close(&mut self, rest: &str, stop: StopReason) {
        if let Some(last) = self.tokens.last_mut() {
            last.text.push_str(rest);
        }
        let tokens = std::mem::take(&mut self.tokens);
        let text = tokens.iter().map(|token| token.text.as_str()).collect();
        self.report.samples.push(DrawnSample { seed: self.seed(), text, stop, tokens });
    }

    fn outcome(&mut self) -> Outcome {
        Outcome::Sampled(Arc::new(std::mem::take(&mut self.report)))
    }
}

impl Task for Samples {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        if self.running.is_none() {
            self.running = self.begin(cx)?;
        }
        if self.running.is_some() && self.spec.generate.sampling.max_new_tokens == 0 {
            (0..self.spec.count).for_each(|_| self.close("", StopReason::MaxNewTokens));
            return Ok(Step::Done(self.outcome()));
        }
        let Some(running) = &mut self.running else { return Ok(Step::More) };
        let model = cx.models.text(self.model)?;
        let Some(scores) = running.next_scores(model)? else {
            (cx.emit)(running.progress(cx.job));
            return Ok(Step::More);
        };
        let (token, stop) = running.draw(scores, model)?;
        self.tokens.push(token);
        let Some(stop) = stop else { return Ok(Step::More) };
        self.close("", stop);
        let (done, total) = (self.report.samples.len() as u64, self.spec.count as u64);
        (cx.emit)(Event::Progress { job: cx.job, label: "Drawing samples".to_owned(), done, total, unit: "samples" });
        if done == total {
            return Ok(Step::Done(self.outcome()));
        }
        let seed = self.seed();
        if let Some(running) = &mut self.running {
            running.again(model, seed);
        }
        Ok(Step::More)
    }

    fn cancel(&mut self, _cx: &mut TaskContext<'_>) -> Result<Outcome, UserError> {
        if !self.tokens.is_empty() {
            let rest = self.running.as_mut().map(Continuing::rest).unwrap_or_default();
            self.close(&rest, StopReason::Cancelled);
        }
        Ok(if self.report.samples.is_empty() { Outcome::Cancelled } else { self.outcome() })
    }
}

fn check_count(count: usize) -> Result<(), UserError> {
    if (1..=MOST).contains(&count) {
        return Ok(());
    }
    Err(UserError::new(
        format!("{count} samples were asked for."),
        format!("One prompt is continued at least once and at most {MOST} times."),
        format!("Ask for 1 to {MOST} samples."),
    ))
}
