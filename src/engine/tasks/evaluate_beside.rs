//! What it costs a model that its weights are kept in few bits: the same text, read once more with the values they stand for.

use super::continuing::unreadable;
use crate::load::TextModel;
use crate::nn::output::lens::EndRows;
use crate::nn::{CausalLm, Hooks, in_full_precision};
use crate::train::text_loss::{Chosen, chosen_logits};
use crate::types::{FullPrecision, UserError};
use burn::tensor::Device;

/// Sums over the tokens that were scored both ways.
pub(super) struct Beside {
    full: CausalLm,
    tokens: usize,
    /// Cross-entropies of the weights in F32.
    loss: f64,
    divergence: f64,
    most: f64,
    same: usize,
}

impl Beside {
    /// With all weights in F32 and activations never rounded.
    pub(super) fn new(model: &TextModel) -> Self {
        let full = in_full_precision(model.lm.clone());
        Self { full, tokens: 0, loss: 0.0, divergence: 0.0, most: 0.0, same: 0 }
    }

    /// Reads a window whose last `scored` tokens are predicted: the sum of their cross-entropies by the model as it is.
    pub(super) fn score(
        &mut self,
        model: &TextModel,
        window: &[u32],
        scored: usize,
        device: &Device,
    ) -> Result<f64, UserError> {
        let unscored = window.len() - 1 - scored;
        let chosen: Vec<bool> = (0..window.len() - 1).map(|t| t >= unscored).collect();
        let read = |net: &CausalLm| {
            let Chosen { logits, .. } =
                chosen_logits(net, &[window], std::slice::from_ref(&chosen), &mut Hooks::off(), device);
            logits
        };
        let targets = &window[unscored + 1..];
        let full = EndRows::read(read(&self.full)).map_err(unreadable)?;
        let said = full.beside(read(&model.lm), targets, 1).map_err(unreadable)?;
        let mut loss = 0.0;
        for (row, (said, target)) in said.iter().zip(targets).enumerate() {
            loss -= f64::from(said.log_prob);
            self.loss -= f64::from(full.probabilities(row)[*target as usize]).ln();
            self.divergence += f64::from(said.divergence);
            self.most = self.most.max(f64::from(said.divergence));
            self.same += usize::from(said.top.first().is_some_and(|(id, _)| *id == full.most_likely(row)));
        }
        self.tokens += scored;
        Ok(loss)
    }

    pub(super) fn report(&self) -> FullPrecision {
        let tokens = self.tokens.max(1) as f64;
        let loss = self.loss / tokens;
        FullPrecision {
            loss,
            perplexity: loss.exp(),
            divergence: self.divergence / tokens,
            most: self.most,
            same: self.same as f64 / tokens,
        }
    }
}
