//! The next token without edits and with them: the prompt is read twice, a stretch a step.

use super::continuing::{not_a_number, unreadable};
use super::edits::{Anatomy, fixed};
use super::store::Body;
use super::{Step, Task, TaskContext, prompt};
use crate::engine::{EditedNextSpec, Event, Outcome};
use crate::load::TextModel;
use crate::nn::output::sample::{log_softmax, top_candidates};
use crate::nn::{DecoderState, Hooks, Unreadable};
use crate::types::{Edit, EditFaults, EditedNext, ModelId, NextToken, UserError};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Tokens read in one step.
const STRETCH: usize = 128;

/// Compares what is said next.
pub(crate) struct CompareNext {
    model: ModelId,
    spec: EditedNextSpec,
    reading: prompt::Reading,
    pass: Option<Pass>,
    /// The logarithms of all probabilities, of the passes that are over: without edits, then with them.
    read: Vec<Vec<f64>>,
}

/// A pass over the prompt.
struct Pass {
    ids: Vec<u32>,
    at: usize,
    state: DecoderState,
    hooks: Hooks,
}

impl CompareNext {
    /// To read a prompt with `model` twice.
    pub(crate) fn new(model: ModelId, spec: EditedNextSpec) -> Self {
        Self { model, spec, reading: prompt::Reading::default(), pass: None, read: Vec::new() }
    }

    /// The pass that is next; nothing while the prompt is not split into tokens.
    fn pass(&mut self, model: &TextModel) -> Result<Option<Pass>, UserError> {
        let Some(tokens) = self.reading.read(model, &self.spec.prompt)? else { return Ok(None) };
        let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
        // What cannot be edited is refused before anything is read.
        let edits = Anatomy::of(model).place(&self.spec.edits, ids.len())?;
        let hooks = if self.read.is_empty() { Hooks::off() } else { Hooks::off().editing(fixed(model, &ids, edits)) };
        Ok(Some(Pass { ids, at: 0, state: model.lm.new_state(), hooks }))
    }

    fn report(&self, model: &TextModel, prompt_tokens: usize) -> EditedNext {
        let [before, after] = &self.read[..] else { unreachable!("both passes are over") };
        let tops = [before, after].map(|log_probs| top_candidates(log_probs, self.spec.top));
        let ids: BTreeSet<u32> = tops.iter().flatten().map(|(id, _)| *id).collect();
        let probability = |log_probs: &[f64], id: u32| log_probs[id as usize].exp();
        let token = |id: u32| NextToken {
            id,
            text: model.tokenizer.token_text(id),
            before: probability(before, id),
            after: probability(after, id),
        };
        let mut likeliest: Vec<NextToken> = ids.into_iter().map(token).collect();
        likeliest.sort_by(|a, b| b.before.max(b.after).total_cmp(&a.before.max(a.after)).then(a.id.cmp(&b.id)));
        EditedNext { likeliest, divergence: divergence(before, after), prompt_tokens }
    }
}

/// KL(p ‖ q) of two distributions by the logarithms of their probabilities, in nats; rounding may leave a hair below 0.
fn divergence(p: &[f64], q: &[f64]) -> f64 {
    let terms = p.iter().zip(q).filter(|(p, _)| p.is_finite()).map(|(p, q)| p.exp() * (p - q));
    terms.sum::<f64>().max(0.0)
}

impl Task for CompareNext {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let model = cx.models.text(self.model)?;
        if self.pass.is_none() {
            self.pass = self.pass(model)?;
            return Ok(Step::More);
        }
        let Some(pass) = &mut self.pass else { return Ok(Step::More) };
        let end = pass.ids.len().min(pass.at + STRETCH);
        let logits = model.lm.forward_cached(model.lm.ids(&pass.ids[pass.at..end]), &mut pass.state, &mut pass.hooks); // [1, V]
        pass.at = end;
        let count = pass.ids.len();
        if end < count {
            let (done, total) = ((self.read.len() * count + end) as u64, 2 * count as u64);
            let label = "Reading the prompt".to_owned();
            (cx.emit)(Event::Progress { job: cx.job, label, done, total, unit: "tokens" });
            return Ok(Step::More);
        }
        let logits = logits.into_data().try_to_vec::<f32>();
        let log_probs = log_softmax(&logits.map_err(|error| unreadable(Unreadable(format!("{error:?}"))))?);
        if log_probs.iter().any(|log_prob| log_prob.is_nan()) {
            return Err(not_a_number(&model.info.name, 0));
        }
        self.read.push(log_probs);
        self.pass = None;
        if self.read.len() < 2 {
            return Ok(Step::More);
        }
        Ok(Step::Done(Outcome::NextCompared(Arc::new(self.report(model, count)))))
    }
}

/// Tells which edits a model can be given.
pub(crate) struct CheckEdits {
    model: ModelId,
    edits: Vec<Edit>,
}

impl CheckEdits {
    /// To look at edits of `model`.
    pub(crate) fn new(model: ModelId, edits: Vec<Edit>) -> Self {
        Self { model, edits }
    }
}

impl Task for CheckEdits {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let anatomy = match cx.models.body(self.model)? {
            Body::Text(model) => Anatomy::of(model),
            Body::Encoder(model) => Anatomy::of_encoder(model),
            Body::Vision(model) => Anatomy::of_vision(model),
        };
        // Which positions there are is told by a prompt; the longest has all that any has.
        let tokens = anatomy.info.shape.context().unwrap_or(1);
        let faults = anatomy.faults(&self.edits, tokens);
        Ok(Step::Done(Outcome::EditsChecked(Arc::new(EditFaults { faults }))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divergence_is_that_of_the_definition_and_not_symmetric() {
        let logs = |shares: &[f64]| shares.iter().map(|share| share.ln()).collect::<Vec<_>>();
        let (p, q) = (logs(&[0.5, 0.5, 0.0]), logs(&[0.25, 0.5, 0.25]));
        assert!((divergence(&p, &q) - 0.5 * 2f64.ln()).abs() < 1e-12);
        assert_eq!((divergence(&p, &p), divergence(&q, &p)), (0.0, f64::INFINITY));
    }
}
