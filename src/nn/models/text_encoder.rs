//! A text encoder of any supported architecture.
//!
//! B batch, T tokens, D model width, V vocabulary.

use crate::nn::batch::encoder::EncoderBatch;
use crate::nn::hooks::{Hooks, TokenRows};
use crate::nn::kernels;
use crate::nn::layers::bidirectional::PaddingMask;
use crate::nn::layers::encoder_block::{EncoderBlock, EncoderShape, blocks_from, pool_first};
use crate::nn::layers::linear::{Linear, in_f32};
use crate::nn::layers::masked_lm::MaskedLmHead;
use crate::nn::layers::weight::Weight;
use crate::nn::models::bert::{Bert, BertConfig};
use crate::nn::models::distilbert::{DistilBert, DistilBertConfig};
use crate::nn::models::roberta::{Roberta, RobertaConfig};
use crate::nn::steps::parts::{BlockParts, Entry, Exit, Norm, Table};
use crate::types::{Architecture, Site};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

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
        hooks.begin(|| TokenRows::whole([b, t], |token| batch.is_token()[token / t][token % t]));
        let x = blocks_from(self.blocks(), 0, self.enter(batch, hooks), &padding, hooks); // [B, T, D]
        let pooled = self.pooler().map(|pooler| pool_first(pooler, x.clone(), hooks));
        EncoderOutput { hidden: x, pooled }
    }

    /// One vector a token of texts of any lengths, which lie behind each other, N tokens in all: `[N, D]`. Nothing is computed for
    /// padding where our kernels serve; elsewhere texts are filled up with `padding_id` to the longest. Differentiable.
    ///
    /// # Panics
    /// When a text has more tokens than the context, or there is none.
    #[must_use]
    pub fn read(&self, texts: &[&[u32]], padding_id: u32) -> Tensor<2> {
        let (device, hooks) = (self.device(), &mut Hooks::off());
        if kernels::serve_learning(&device) {
            let batch = EncoderBatch::joined(texts);
            let others = PaddingMask::between(batch.lengths());
            return blocks_from(self.blocks(), 0, self.enter(&batch, hooks), &others, hooks).squeeze_dim(0);
        }
        let batch = EncoderBatch::padded(texts, padding_id);
        let hidden = self.forward(&batch, hooks).hidden; // [B, T, D]
        let [b, t, d] = hidden.dims();
        let rows = texts.iter().enumerate().flat_map(|(row, text)| row * t..row * t + text.len());
        let rows: Vec<i32> = rows.map(|row| row as i32).collect();
        let count = rows.len();
        hidden.reshape([b * t, d]).select(0, Tensor::from_data(TensorData::new(rows, [count]), &device))
    }

    /// What a head for whole texts reads: the first token's vector of each of B texts of any lengths, `[B, D]`. Differentiable.
    ///
    /// # Panics
    /// As [`Self::read`].
    #[must_use]
    pub fn first_vectors(&self, texts: &[&[u32]], padding_id: u32) -> Tensor<2> {
        let device = self.device();
        if !kernels::serve_learning(&device) {
            let hidden = self.forward(&EncoderBatch::padded(texts, padding_id), &mut Hooks::off()).hidden; // [B, T, D]
            return hidden.narrow(1, 0, 1).squeeze_dim(1);
        }
        let starts = texts.iter().scan(0, |end, ids| {
            let start = *end;
            *end += ids.len() as i32;
            Some(start)
        });
        let starts = TensorData::new(starts.collect::<Vec<i32>>(), [texts.len()]);
        self.read(texts, padding_id).select(0, Tensor::from_data(starts, &device))
    }

    /// The mean of each text's token vectors, special ones included, `[B, D]` of B texts of any lengths, as sentence-transformers pools
    /// them (Reimers and Gurevych 2019). Differentiable.
    ///
    /// # Panics
    /// As [`Self::read`].
    #[must_use]
    pub fn mean_vectors(&self, texts: &[&[u32]], padding_id: u32) -> Tensor<2> {
        let tokens: usize = texts.iter().map(|ids| ids.len()).sum();
        let mut shares = vec![0.0_f32; texts.len() * tokens];
        let mut start = 0;
        for (row, ids) in shares.chunks_exact_mut(tokens).zip(texts) {
            row[start..start + ids.len()].fill((ids.len() as f32).recip());
            start += ids.len();
        }
        let shares = Tensor::<2>::from_data(TensorData::new(shares, [texts.len(), tokens]), &self.device());
        shares.matmul(self.read(texts, padding_id)) // [B, D]
    }

    /// Scores of every token at some places alone, `[M, V]` of M places among the N tokens of [`Self::read`]; `None` without a
    /// masked-language-model head. Differentiable.
    ///
    /// # Panics
    /// As [`Self::read`], and when there is no place or one is beyond the texts.
    #[must_use]
    pub fn logits_at(&self, texts: &[&[u32]], padding_id: u32, places: &[usize]) -> Option<Tensor<2>> {
        let head = self.head()?;
        let rows: Vec<i32> = places.iter().map(|place| *place as i32).collect();
        let rows = Tensor::from_data(TensorData::new(rows, [places.len()]), &self.device());
        let chosen = self.read(texts, padding_id).select(0, rows).unsqueeze_dim(0); // [1, M, D]
        Some(head.forward(chosen, self.token_embedding(), &mut Hooks::off()).squeeze_dim(0)) // [M, V]
    }

    /// What the pooler makes of first tokens' vectors, `[B, D]` → `[B, D]`; the vectors themselves without a pooler.
    #[must_use]
    pub fn pooled(&self, first: Tensor<2>) -> Tensor<2> {
        match self.pooler() {
            Some(pooler) => pool_first(pooler, first.unsqueeze_dim(1), &mut Hooks::off()),
            None => first,
        }
    }

    fn enter(&self, batch: &EncoderBatch, hooks: &mut Hooks) -> Tensor<3> {
        match self {
            Self::Bert(model) => model.enter(batch, hooks),
            Self::Roberta(model) => model.enter(batch, hooks),
            Self::DistilBert(model) => model.enter(batch, hooks),
        }
    }

    fn pooler(&self) -> Option<&Linear> {
        match self {
            Self::Bert(model) => model.pooler.as_ref(),
            Self::Roberta(model) => model.pooler.as_ref(),
            Self::DistilBert(_) => None,
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
        self.blocks()[layer].attn_out.of_each_head(z)
    }

    /// The embeddings of all tokens in F32, `[V, D]`.
    #[must_use]
    pub fn embeddings(&self) -> Tensor<2> {
        in_f32(self.token_embedding().val())
    }

    /// Width D.
    #[must_use]
    pub fn width(&self) -> usize {
        self.token_embedding().dims()[1]
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

    /// Where the weights are. Positions tell, since they are a parameter also while other weights are fixed.
    #[must_use]
    pub fn device(&self) -> Device {
        match self {
            Self::Bert(model) => model.position_embedding.device(),
            Self::Roberta(model) => model.position_embedding.device(),
            Self::DistilBert(model) => model.position_embedding.device(),
        }
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
