//! A text encoder of any supported architecture, and the batches it reads.
//!
//! B batch, T tokens, D model width, V vocabulary.

use crate::nn::hooks::{Hooks, TokenRows};
use crate::nn::layers::bidirectional::PaddingMask;
use crate::nn::layers::encoder_block::{EncoderBlock, EncoderShape, blocks_from};
use crate::nn::layers::linear::in_f32;
use crate::nn::layers::masked_lm::MaskedLmHead;
use crate::nn::layers::weight::Weight;
use crate::nn::models::bert::{Bert, BertConfig};
use crate::nn::models::distilbert::{DistilBert, DistilBertConfig};
use crate::nn::models::roberta::{Roberta, RobertaConfig};
use crate::nn::steps::parts::{BlockParts, Entry, Exit, Norm, Table};
use crate::types::{Architecture, Site};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};

/// Sequences of one length. Shorter ones are filled up with padding, at either end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncoderBatch {
    rows: Vec<Vec<u32>>,
    types: Option<Vec<Vec<u32>>>,
    is_token: Vec<Vec<bool>>,
}

impl EncoderBatch {
    /// One sequence, all of it tokens of type 0.
    #[must_use]
    pub fn one(ids: &[u32]) -> Self {
        Self { rows: vec![ids.to_vec()], types: None, is_token: vec![vec![true; ids.len()]] }
    }

    /// Sequences of any lengths, filled up at their end with `padding_id`.
    ///
    /// # Panics
    /// When there is no sequence.
    #[must_use]
    pub fn padded(sequences: &[Vec<u32>], padding_id: u32) -> Self {
        let longest = sequences.iter().map(Vec::len).max().expect("a batch has a sequence");
        let fill = |ids: &Vec<u32>| ids.iter().copied().chain(std::iter::repeat(padding_id)).take(longest).collect();
        let flags = |ids: &Vec<u32>| (0..longest).map(|i| i < ids.len()).collect();
        let (rows, is_token) = (sequences.iter().map(fill).collect(), sequences.iter().map(flags).collect());
        Self { rows, types: None, is_token }
    }

    /// Rows as they are, with flags that are true for tokens and false for padding.
    ///
    /// # Panics
    /// When rows or flags differ in length.
    #[must_use]
    pub fn with_mask(rows: Vec<Vec<u32>>, is_token: Vec<Vec<bool>>) -> Self {
        let lengths = rows.iter().map(Vec::len).chain(is_token.iter().map(Vec::len));
        assert!(rows.len() == is_token.len() && lengths.collect::<std::collections::BTreeSet<_>>().len() == 1);
        Self { rows, types: None, is_token }
    }

    /// The same with a type for every token.
    ///
    /// # Panics
    /// When the shape is another.
    #[must_use]
    pub fn with_types(mut self, types: Vec<Vec<u32>>) -> Self {
        assert!(types.iter().map(Vec::len).eq(self.rows.iter().map(Vec::len)), "one type for every token");
        self.types = Some(types);
        self
    }

    /// B and T.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        (self.rows.len(), self.rows.first().map_or(0, Vec::len))
    }

    /// For each row, true for tokens and false for padding.
    #[must_use]
    pub fn is_token(&self) -> &[Vec<bool>] {
        &self.is_token
    }

    /// `[B, T]`.
    pub(in crate::nn) fn ids(&self, device: &Device) -> Tensor<2, Int> {
        self.tensor(self.rows.iter().flatten().copied(), device)
    }

    /// `[B, T]`.
    pub(in crate::nn) fn types(&self, device: &Device) -> Tensor<2, Int> {
        match &self.types {
            Some(types) => self.tensor(types.iter().flatten().copied(), device),
            None => self.tensor(self.rows.iter().flatten().map(|_| 0), device),
        }
    }

    /// Positions counted from behind `padding_id` over the tokens that have another id; those with it have that very
    /// position. `[B, T]`.
    pub(in crate::nn) fn positions_behind(&self, padding_id: u32, device: &Device) -> Tensor<2, Int> {
        let places = self.rows.iter().flat_map(|row| {
            row.iter().scan(padding_id, move |last, &id| {
                let is_padding = id == padding_id;
                *last += u32::from(!is_padding);
                Some(if is_padding { padding_id } else { *last })
            })
        });
        self.tensor(places, device)
    }

    fn tensor(&self, values: impl Iterator<Item = u32>, device: &Device) -> Tensor<2, Int> {
        let (b, t) = self.size();
        let values: Vec<i32> = values.map(|value| value as i32).collect();
        Tensor::from_data(TensorData::new(values, [b, t]), device)
    }
}

/// What an encoder makes of a batch.
#[derive(Debug)]
pub struct EncoderOutput {
    /// One vector a token, `[B, T, D]`.
    pub hidden: Tensor<3>,
    /// What the pooler makes of the first token, `[B, D]`; `None` without a pooler.
    pub pooled: Option<Tensor<2>>,
}

/// A text encoder of any supported architecture.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "a handful of them exist; nothing copies them in a loop")]
pub enum TextEncoder {
    /// BERT.
    Bert(Bert),
    /// RoBERTa.
    Roberta(Roberta),
    /// DistilBERT.
    DistilBert(DistilBert),
}

impl TextEncoder {
    /// Reads a batch.
    ///
    /// # Panics
    /// When T exceeds the context.
    #[must_use]
    pub fn forward(&self, batch: &EncoderBatch, hooks: &mut Hooks) -> EncoderOutput {
        let padding = PaddingMask::new(batch.is_token(), &self.device());
        let (b, t) = batch.size();
        hooks.begin(|| TokenRows::whole([b, t], |token| batch.is_token[token / t][token % t]));
        match self {
            Self::Bert(model) => model.forward(batch, &padding, hooks),
            Self::Roberta(model) => model.forward(batch, &padding, hooks),
            Self::DistilBert(model) => model.forward(batch, &padding, hooks),
        }
    }

    /// The residual stream behind the last block of B whole sequences that enter block `first` with the stream `x`: `[1 or B, T, D]` →
    /// `[1 or B, T, D]`. What they have in common is computed once, up to the first change that tells them apart.
    #[must_use]
    pub fn resume(&self, first: usize, x: Tensor<3>, batch: usize, hooks: &mut Hooks) -> Tensor<3> {
        let [_, t, _] = x.dims();
        hooks.begin(|| TokenRows::whole([batch, t], |_| true));
        blocks_from(self.blocks(), first, x, &PaddingMask::none(), hooks)
    }

    /// The forward pass for the sake of its hooks alone: blocks and scores that nobody wants are not computed.
    ///
    /// # Panics
    /// When T exceeds the context.
    pub fn trace(&self, batch: &EncoderBatch, hooks: &mut Hooks) {
        hooks.alone(|hooks| {
            let hidden = self.forward(batch, hooks).hidden;
            if hooks.needs_output() {
                let _ = self.logits(hidden, hooks);
            }
        });
    }

    /// Scores of every token at every position, `[B, T, D]` → `[B, T, V]`; `None` without a masked-language-model head.
    #[must_use]
    pub fn logits(&self, hidden: Tensor<3>, hooks: &mut Hooks) -> Option<Tensor<3>> {
        Some(self.head()?.forward(hidden, self.token_embedding(), hooks))
    }

    /// The head that guesses masked tokens, if there is one.
    #[must_use]
    pub fn head(&self) -> Option<&MaskedLmHead> {
        match self {
            Self::Bert(model) => model.head.as_ref(),
            Self::Roberta(model) => model.head.as_ref(),
            Self::DistilBert(model) => model.head.as_ref(),
        }
    }

    fn token_embedding(&self) -> &Weight {
        match self {
            Self::Bert(model) => &model.token_embedding,
            Self::Roberta(model) => &model.token_embedding,
            Self::DistilBert(model) => &model.token_embedding,
        }
    }

    /// What each head of a block gives to the output of its attention, without the bias that all share: values weighted by
    /// attention `[B, H, T, K]` → `[B, H, T, D]`.
    #[must_use]
    pub fn head_output(&self, layer: usize, z: Tensor<4>) -> Tensor<4> {
        let blocks = match self {
            Self::Bert(model) => &model.blocks,
            Self::Roberta(model) => &model.blocks,
            Self::DistilBert(model) => &model.blocks,
        };
        blocks[layer].attn_out.of_each_head(z)
    }

    /// The embeddings of all tokens in F32, `[V, D]`.
    #[must_use]
    pub fn embeddings(&self) -> Tensor<2> {
        in_f32(self.token_embedding().val())
    }

    /// The sites it has, in the order a pass meets them.
    #[must_use]
    pub fn sites(&self) -> Vec<Site> {
        let (layers, has_types, has_pooler) = match self {
            Self::Bert(model) => (model.blocks.len(), true, model.pooler.is_some()),
            Self::Roberta(model) => (model.blocks.len(), true, model.pooler.is_some()),
            Self::DistilBert(model) => (model.blocks.len(), false, false),
        };
        let has = |site: &Site| match site {
            Site::TokenTypeEmbed => has_types,
            Site::Pooled => has_pooler,
            Site::Logits => self.head().is_some(),
            Site::Rotary | Site::AttnProj(_) | Site::MlpProj(_) | Site::LnFinal => false,
            _ => true,
        };
        Site::all(layers).filter(has).collect()
    }

    /// Where the weights are.
    #[must_use]
    pub fn device(&self) -> Device {
        self.token_embedding().device()
    }

    /// Its blocks.
    fn blocks(&self) -> &[EncoderBlock] {
        match self {
            Self::Bert(model) => &model.blocks,
            Self::Roberta(model) => &model.blocks,
            Self::DistilBert(model) => &model.blocks,
        }
    }

    /// How many they are.
    pub(in crate::nn) fn layers(&self) -> usize {
        self.blocks().len()
    }

    /// What a block is made of.
    pub(in crate::nn) fn block_parts(&self, layer: usize) -> BlockParts<'_> {
        self.blocks()[layer].parts()
    }

    /// What enters the first block.
    pub(in crate::nn) fn entry(&self) -> Entry<'_> {
        let (positions, behind, types, norm) = match self {
            Self::Bert(model) => (&model.position_embedding, None, Some(&model.type_embedding), &model.ln_embed),
            Self::Roberta(model) => {
                (&model.position_embedding, Some(model.padding_id), Some(&model.type_embedding), &model.ln_embed)
            }
            Self::DistilBert(model) => (&model.position_embedding, None, None, &model.ln_embed),
        };
        Entry {
            tokens: Table::Weight(self.token_embedding()),
            patches: None,
            factor: 1.0,
            positions: Some(positions),
            behind,
            types,
            norm: Some(Norm::Layer(norm)),
        }
    }

    /// What its head is.
    pub(in crate::nn) fn exit(&self) -> Exit<'_> {
        match self.head() {
            Some(head) => {
                let weight = head.decoder.as_ref().unwrap_or(self.token_embedding());
                Exit::Masked { head, weight }
            }
            None => Exit::None,
        }
    }
}

/// The shape of a text encoder.
#[derive(Clone, Debug, PartialEq)]
pub enum EncoderConfig {
    /// BERT.
    Bert(BertConfig),
    /// RoBERTa.
    Roberta(RobertaConfig),
    /// DistilBERT.
    DistilBert(DistilBertConfig),
}

impl EncoderConfig {
    /// Which architecture it is.
    #[must_use]
    pub fn architecture(&self) -> Architecture {
        match self {
            Self::Bert(_) => Architecture::Bert,
            Self::Roberta(_) => Architecture::Roberta,
            Self::DistilBert(_) => Architecture::DistilBert,
        }
    }

    /// What all three have.
    #[must_use]
    pub fn shape(&self) -> &EncoderShape {
        match self {
            Self::Bert(config) => &config.shape,
            Self::Roberta(config) => &config.shape,
            Self::DistilBert(config) => &config.shape,
        }
    }

    /// Longest sequence in tokens.
    #[must_use]
    pub fn context(&self) -> usize {
        match self {
            Self::Roberta(config) => config.context(),
            Self::Bert(_) | Self::DistilBert(_) => self.shape().positions,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_counted_over_tokens_that_are_no_padding() {
        let batch = EncoderBatch::with_mask(vec![vec![1, 1, 0, 7, 2], vec![0, 7, 2, 1, 1]], vec![vec![true; 5]; 2]);
        let places = batch.positions_behind(1, &Device::flex());
        let places: Vec<i32> = places.into_data().iter::<i32>().collect();
        assert_eq!(places, [1, 1, 2, 3, 4, 2, 3, 4, 1, 1]);
    }

    #[test]
    fn shorter_sequences_are_filled_up_at_their_end() {
        let batch = EncoderBatch::padded(&[vec![5, 6, 7], vec![8]], 9);
        assert_eq!(batch.size(), (2, 3));
        assert_eq!(batch.rows[1], [8, 9, 9]);
        assert_eq!(batch.is_token()[1], [true, false, false]);
    }
}
