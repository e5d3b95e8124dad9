//! How surprised a model is by each token of a text: one pass over it, a stretch a step.

use super::continuing::{not_a_number, unreadable};
use super::edits::{Anatomy, fixed};
use super::{Step, Task, TaskContext, prompt};
use crate::engine::{Event, Outcome, SurpriseSpec};
use crate::load::TextModel;
use crate::nn::output::sample::log_sum_exp;
use crate::nn::output::sample::{most_likely, rank_of};
use crate::nn::{DecoderState, Hooks, Unreadable};
use crate::types::{Candidate, ModelId, PromptToken, SurpriseReport, SurpriseToken, UserError};
use std::sync::Arc;

/// Tokens read in one step.
const STRETCH: usize = 128;
/// Scores a step may hold, over all positions and the whole vocabulary: 64 MB.
const LOGITS: usize = 1 << 24;

/// Reads a text.
pub(crate) struct Surprise {
    model: ModelId,
    spec: SurpriseSpec,
    reading: prompt::Reading,
    running: Option<Running>,
}

struct Running {
    tokens: Vec<PromptToken>,
    ids: Vec<u32>,
    state: DecoderState,
    hooks: Hooks,
    /// Of each token but the first, as far as they are read.
    read: Vec<(f64, u32, Candidate)>,
}

impl Surprise {
    /// To read a text with `model`.
    pub(crate) fn new(model: ModelId, spec: SurpriseSpec) -> Self {
        Self { model, spec, reading: prompt::Reading::default(), running: None }
    }

    /// Nothing while the prompt is not read.
    fn begin(&mut self, model: &TextModel) -> Result<Option<Running>, UserError> {
        let Some(tokens) = self.reading.read(model, &self.spec.prompt)? else { return Ok(None) };
        let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
        let edits = Anatomy::of(model).place(&self.spec.edits, ids.len())?;
        let hooks = Hooks::off().editing(fixed(model, &ids, edits));
        Ok(Some(Running { tokens, ids, state: model.lm.new_state(), hooks, read: Vec::new() }))
    }
}

impl Task for Surprise {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let model = cx.models.text(self.model)?;
        if self.running.is_none() {
            self.running = self.begin(model)?;
        }
        let Some(running) = &mut self.running else { return Ok(Step::More) };
        running.read_on(model)?;
        let (done, total) = (running.read.len() as u64, running.ids.len() as u64 - 1);
        if done == total {
            return Ok(Step::Done(Outcome::Surprised(Arc::new(running.report()))));
        }
        (cx.emit)(Event::Progress { job: cx.job, label: "Reading the text".to_owned(), done, total, unit: "tokens" });
        Ok(Step::More)
    }
}

impl Running {
    fn read_on(&mut self, model: &TextModel) -> Result<(), UserError> {
        let vocabulary = model.lm.vocabulary();
        let start = self.read.len();
        let end = (self.ids.len() - 1).min(start + STRETCH.min(LOGITS / vocabulary).max(1));
        if start == end {
            return Ok(());
        }
        let ids = model.lm.ids(&self.ids[start..end]);
        let logits = model.lm.forward_cached_whole(ids, &mut self.state, &mut self.hooks); // [1, T, V]
        let read = logits.into_data().try_to_vec::<f32>();
        let logits = read.map_err(|error| unreadable(Unreadable(format!("{error:?}"))))?;
        for (row, &id) in logits.chunks_exact(vocabulary).zip(&self.ids[start + 1..=end]) {
            let log_sum = log_sum_exp(row);
            if log_sum.is_nan() {
                return Err(not_a_number(&model.info.name, 0));
            }
            let log_prob = |id: u32| f64::from(row[id as usize]) - log_sum;
            let best = most_likely(row);
            let probability = log_prob(best).exp() as f32;
            let likeliest = Candidate { id: best, text: model.tokenizer.token_text(best), probability };
            self.read.push((log_prob(id), rank_of(row, id), likeliest));
        }
        Ok(())
    }

    fn report(&mut self) -> SurpriseReport {
        let mut read = std::mem::take(&mut self.read).into_iter();
        let token = |(place, PromptToken { id, text, span }): (usize, PromptToken)| {
            let told = if place == 0 { None } else { read.next() };
            let (log_prob, rank, likeliest) = match told {
                Some((log_prob, rank, likeliest)) => (Some(log_prob), Some(rank), Some(likeliest)),
                None => (None, None, None),
            };
            SurpriseToken { id, text, span, log_prob, rank, likeliest }
        };
        SurpriseReport { tokens: std::mem::take(&mut self.tokens).into_iter().enumerate().map(token).collect() }
    }
}
