//! One uncached forward pass that captures what was asked for.

use super::{Step, Task, TaskContext, prompt};
use crate::engine::{Outcome, PromptInput};
use crate::nn::Tape;
use crate::types::{InspectReport, ModelId, ModelInfo, SiteFilter, UserError};
use std::sync::Arc;

/// Captured values may take this much; attention patterns grow with the square of the tokens.
const BUDGET_BYTES: usize = 512 << 20;

/// Captures sites over a whole sequence.
pub(crate) struct Inspect {
    model: ModelId,
    prompt: PromptInput,
    sites: SiteFilter,
}

impl Inspect {
    /// To capture `sites` while `model` reads `prompt`.
    pub(crate) fn new(model: ModelId, prompt: PromptInput, sites: SiteFilter) -> Self {
        Self { model, prompt, sites }
    }
}

impl Task for Inspect {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let model = cx.models.text(self.model)?;
        if let Some(pattern) = self.sites.without_match(model.info.layers) {
            return Err(no_such_site(pattern, &model.info.name, model.info.layers));
        }
        let tokens = prompt::read(model, &self.prompt)?;
        let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
        let mut tape = Tape::capture(self.sites.clone(), Some(BUDGET_BYTES));
        model.lm.trace(model.lm.ids(&ids), &mut tape);
        let (captures, left_out) = tape.into_captures();
        if left_out.is_none()
            && let Some(pattern) = self.sites.without_capture(&captures)
        {
            return Err(site_of_others(pattern, &model.info));
        }
        let report = InspectReport { tokens, captures, left_out };
        Ok(Step::Done(Outcome::Inspected(Arc::new(report))))
    }
}

fn no_such_site(pattern: &str, name: &str, layers: usize) -> UserError {
    UserError::new(
        format!("No site of {name} is called {pattern}."),
        format!(
            "Its blocks run from 0 to {}, and a site is written like blocks.0.attn.pattern.",
            layers.saturating_sub(1)
        ),
        "Use a name such as embed, blocks.*.attn.pattern, blocks.0.mlp.post, ln_final or logits; * stands for any text.",
    )
}

fn site_of_others(pattern: &str, info: &ModelInfo) -> UserError {
    UserError::new(
        format!("{} has no site {pattern}.", info.name),
        format!(
            "Other architectures have it, {} does not: pos_embed needs learned positions, resid_mid needs an MLP that reads \
             what attention made of the stream, attn.proj and mlp.proj need a normalisation behind them.",
            info.architecture.config_name()
        ),
        "Leave it out, or use * to capture whatever sites there are.",
    )
}
