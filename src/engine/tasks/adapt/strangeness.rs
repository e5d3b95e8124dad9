//! How far texts are from what a model has read: the bits it needs for a byte of them.

use crate::load::TextModel;
use crate::train::text_loss::text_loss;
use crate::types::UserError;
use burn::tensor::Device;

/// Texts that are read; those behind them say little more.
const TEXTS: usize = 64;

/// Texts on their way.
pub(super) struct Strangeness {
    texts: Vec<String>,
    next: usize,
    nats: f64,
    bytes: usize,
}

impl Strangeness {
    /// Of some texts.
    pub(super) fn new(mut texts: Vec<String>) -> Self {
        texts.truncate(TEXTS);
        Self { texts, next: 0, nats: 0.0, bytes: 0 }
    }

    /// Texts that are read, and all.
    pub(super) fn progress(&self) -> [usize; 2] {
        [self.next, self.texts.len()]
    }

    /// Reads one; true once all are. A text stands behind the token that begins or ends one, where there is such a token; else its first
    /// token is not predicted, and its bytes do not count.
    ///
    /// # Errors
    /// When it cannot be split.
    pub(super) fn step(&mut self, model: &TextModel, device: &Device) -> Result<bool, UserError> {
        let Some(text) = self.texts.get(self.next) else { return Ok(true) };
        self.next += 1;
        let tokens = model.tokenizer.encode_whole(text)?;
        let before = model.bos.or(model.eos.first().copied());
        let ids: Vec<u32> = before.into_iter().chain(tokens.iter().map(|token| token.id)).collect();
        let ids = &ids[..ids.len().min(model.lm.context() + 1)];
        if ids.len() > 1 {
            let last = ids.len() - 1 - usize::from(before.is_some());
            let from = if before.is_some() { 0 } else { tokens[0].span.end };
            let mean = text_loss(&model.lm, &[ids], ids.len() - 1, device).into_scalar::<f32>();
            self.nats += f64::from(mean) * (ids.len() - 1) as f64;
            self.bytes += tokens[last].span.end - from;
        }
        Ok(self.next == self.texts.len())
    }

    /// Bits a byte; `None` where nothing could be read.
    pub(super) fn bits_per_byte(&self) -> Option<f64> {
        let bits = self.nats / std::f64::consts::LN_2 / self.bytes.max(1) as f64;
        (self.bytes > 0 && bits.is_finite()).then_some(bits)
    }
}
