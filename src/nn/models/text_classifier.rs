//! A head that puts whole texts into classes, on the body of a decoder or of an encoder.
//!
//! B texts, D model width, L classes.

use crate::nn::layers::linear::Linear;
use crate::nn::models::causal_lm::CausalLm;
use crate::nn::models::text_encoder::TextEncoder;
use crate::types::Random;
use burn::module::Module;
use burn::tensor::{Device, Tensor, activation};

/// Scores of classes from one vector of a text. BERT's reads what the pooler gives, RoBERTa's and DistilBERT's have a layer of their
/// own before the last one, a decoder's is one layer without a bias.
#[derive(Module, Debug)]
pub struct ClassHead {
    /// `[D, D]`, where there is one.
    pub dense: Option<Linear>,
    /// `[L, D]`.
    pub out: Linear,
    /// What stands behind `dense`: max(0, x), as in DistilBERT, or tanh, as in RoBERTa.
    pub rectifies: bool,
}

impl ClassHead {
    /// Scores, `[B, D]` → `[B, L]`.
    #[must_use]
    pub fn forward(&self, vectors: Tensor<2>) -> Tensor<2> {
        let mut x: Tensor<3> = vectors.unsqueeze_dim(1); // [B, 1, D]
        if let Some(dense) = &self.dense {
            let y = dense.forward(x);
            x = if self.rectifies { activation::relu(y) } else { y.tanh() };
        }
        self.out.forward(x).squeeze_dim(1)
    }

    /// Classes L.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.out.weight.dims()[0]
    }
}

/// What reads a text.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "a handful of them exist; nothing copies them in a loop")]
pub enum TextBody {
    /// A decoder, of which the vector of the last token is taken. What it has for next tokens is not used.
    Decoder(CausalLm),
    /// An encoder, of which the vector of the first token is taken.
    Encoder(TextEncoder),
}

/// A classifier of texts.
#[derive(Module, Debug)]
pub struct TextClassifier {
    /// What reads.
    pub body: TextBody,
    /// What decides.
    pub head: ClassHead,
}

impl TextClassifier {
    /// Scores of B texts of any lengths, `[B, L]`. Differentiable.
    ///
    /// # Panics
    /// When there is no text, one has no token or exceeds the context.
    #[must_use]
    pub fn forward(&self, texts: &[&[u32]], padding_id: Option<u32>) -> Tensor<2> {
        self.decide(self.vectors(texts, padding_id))
    }

    /// The same while the classifier learns: what its body drops out is drawn from `random`.
    ///
    /// # Panics
    /// As [`Self::forward`].
    #[must_use]
    pub fn learn(&self, texts: &[&[u32]], padding_id: Option<u32>, random: Random) -> Tensor<2> {
        let vectors = match &self.body {
            TextBody::Decoder(lm) => decoder_vectors(lm, texts, padding_id, Some(random)),
            TextBody::Encoder(_) => self.vectors(texts, padding_id),
        };
        self.decide(vectors)
    }

    /// What the body makes of the texts: one vector of each, `[B, D]`, before pooler and head.
    ///
    /// # Panics
    /// As [`Self::forward`].
    #[must_use]
    pub fn vectors(&self, texts: &[&[u32]], padding_id: Option<u32>) -> Tensor<2> {
        match &self.body {
            TextBody::Decoder(lm) => decoder_vectors(lm, texts, padding_id, None),
            TextBody::Encoder(encoder) => encoder.first_vectors(texts, padding_id.unwrap_or(0)),
        }
    }

    /// Scores of such vectors, `[B, D]` → `[B, L]`.
    #[must_use]
    pub fn decide(&self, vectors: Tensor<2>) -> Tensor<2> {
        match &self.body {
            TextBody::Decoder(_) => self.head.forward(vectors),
            TextBody::Encoder(encoder) => self.head.forward(encoder.pooled(vectors)),
        }
    }

    /// Where the weights are.
    #[must_use]
    pub fn device(&self) -> Device {
        match &self.body {
            TextBody::Decoder(lm) => lm.device(),
            TextBody::Encoder(encoder) => encoder.device(),
        }
    }
}

/// The vectors of the last tokens that are no padding: texts may end in it themselves, where a tokenizer ends each with the token
/// that also pads.
fn decoder_vectors(lm: &CausalLm, texts: &[&[u32]], padding_id: Option<u32>, random: Option<Random>) -> Tensor<2> {
    let last = |ids: &&[u32]| match padding_id {
        Some(padding) => ids.iter().rposition(|id| *id != padding).unwrap_or(0),
        None => ids.len().saturating_sub(1),
    };
    lm.vectors_at(texts, &texts.iter().map(last).collect::<Vec<_>>(), random)
}
