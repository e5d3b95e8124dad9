//! How much the loss of the last token depends on each token before: one pass and its gradient.

use super::continuing::not_a_number;
use super::edits::{Anatomy, fixed};
use super::embed::unreadable;
use super::{Step, Task, TaskContext, prompt};
use crate::engine::{ForgetSpec, Outcome};
use crate::load::TextModel;
use crate::nn::Hooks;
use crate::train::text_loss::{Chosen, chosen_logits};
use crate::types::{ForgetReport, ModelId, PromptToken, Site, SiteSet, UserError};
use burn::module::Module;
use std::sync::Arc;

/// Reads a text and looks back from its end.
pub(crate) struct Forget {
    model: ModelId,
    spec: ForgetSpec,
    reading: prompt::Reading,
}

impl Forget {
    /// To look back from the end of a text with `model`.
    pub(crate) fn new(model: ModelId, spec: ForgetSpec) -> Self {
        Self { model, spec, reading: prompt::Reading::default() }
    }
}

impl Task for Forget {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let model = cx.models.text(self.model)?;
        let Some(tokens) = self.reading.read(model, &self.spec.prompt)? else { return Ok(Step::More) };
        let report = look_back(model, tokens, &self.spec)?;
        Ok(Step::Done(Outcome::Forgotten(Arc::new(report))))
    }
}

fn look_back(model: &TextModel, tokens: Vec<PromptToken>, spec: &ForgetSpec) -> Result<ForgetReport, UserError> {
    if tokens.len() < 2 {
        return Err(UserError::new(
            "The text is too short.",
            format!("Its tokens number {}, and the last is predicted from those before it.", tokens.len()),
            "Write at least two tokens.",
        ));
    }
    let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
    let read = &ids[..ids.len() - 1];
    let edits = Anatomy::of(model).place(&spec.edits, read.len())?;
    let edits = fixed(model, read, edits);
    // Weights get no gradient: what is asked for is that of the values they read.
    let net = model.lm.clone().no_grad().train();
    let mut hooks = Hooks::off().editing(edits).with_gradients([Site::Embed].into_iter().collect::<SiteSet>());
    let mut chosen = vec![false; read.len()];
    chosen[read.len() - 1] = true;
    let device = net.device();
    let Chosen { logits, targets } = chosen_logits(&net, &[&ids], &[chosen], &mut hooks, &device);
    let loss = crate::nn::cross_entropy(logits, targets);
    let gradients = hooks.gradients(&loss);
    let loss = f64::from(loss.into_scalar::<f32>());
    if loss.is_nan() {
        return Err(not_a_number(&model.info.name, 0));
    }
    let norms = match gradients.of(Site::Embed) {
        Some((_, values)) => {
            let values = values.try_to_vec_as::<f32>().map_err(unreadable)?;
            let width = values.len() / read.len();
            let length = |row: &[f32]| row.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
            values.chunks_exact(width).map(length).collect()
        }
        // An edit has cut the end off from everything that was read.
        None => vec![0.0; read.len()],
    };
    Ok(ForgetReport { tokens, norms, loss })
}
