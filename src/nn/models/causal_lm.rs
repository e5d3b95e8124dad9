//! A causal language model of any supported architecture: one face for what [`crate::nn::models::decoder`] does with each.
//!
//! B batch, T tokens, D model width, H heads, K head width, V vocabulary.

use crate::nn::batch::padding::Padding;
use crate::nn::batch::portions::portions;
use crate::nn::batch::tree::TokenTree;
use crate::nn::fused;
use crate::nn::hooks::Hooks;
use crate::nn::kernels;
use crate::nn::layers::cache::KvCache;
use crate::nn::layers::linear::in_f32;
use crate::nn::layers::vector_cache::VectorCache;
use crate::nn::models::decoder::{Decoder, State, Wanted};
use crate::nn::steps::parts::{BlockParts, Entry, Exit, Norm};
use crate::nn::{FeedForward, Gemma2, Gpt2, GptNeox, Llama, Recurrent};
use crate::types::{Random, Site};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::ops::Range;

/// A causal language model of any supported architecture.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "a handful of them exist; nothing copies them in a loop")]
pub enum CausalLm {
    /// GPT-2.
    Gpt2(Gpt2),
    /// GPT-NeoX, Pythia.
    GptNeox(GptNeox),
    /// Llama, Mistral, Qwen 2, Qwen 3.
    Llama(Llama),
    /// Gemma 2.
    Gemma2(Gemma2),
    /// LSTM, or a plain tanh network.
    Recurrent(Recurrent),
    /// A feed-forward network over the last tokens.
    FeedForward(FeedForward),
}

/// The same expression for whichever architecture it is.
macro_rules! whichever {
    ($lm:expr, $it:ident => $value:expr) => {
        match $lm {
            Self::Gpt2($it) => $value,
            Self::GptNeox($it) => $value,
            Self::Llama($it) => $value,
            Self::Gemma2($it) => $value,
            Self::Recurrent($it) => $value,
            Self::FeedForward($it) => $value,
        }
    };
}

/// The same expression for whichever architecture of transformer blocks it is.
macro_rules! whichever_blocks {
    ($lm:expr, $it:ident => $value:expr) => {
        match $lm {
            Self::Gpt2($it) => $value,
            Self::GptNeox($it) => $value,
            Self::Llama($it) => $value,
            Self::Gemma2($it) => $value,
            Self::Recurrent(_) | Self::FeedForward(_) => {
                unreachable!("it has no blocks; who asks for them asks for `Ability::Attend` first")
            }
        }
    };
}

/// What a model remembers of the tokens it has read. Belongs to the task that reads, never to the model, and to the edits
/// it was filled under.
#[derive(Debug)]
pub enum DecoderState {
    /// Keys and values of a transformer.
    KeyValue(KvCache),
    /// Vectors of a network without attention.
    Vectors(VectorCache),
}

impl DecoderState {
    /// Tokens read so far.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::KeyValue(cache) => State::len(cache),
            Self::Vectors(cache) => State::len(cache),
        }
    }

    /// True before the first token.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets everything after the first `len` tokens, so that another continuation can start there.
    pub fn truncate(&mut self, len: usize) {
        match self {
            Self::KeyValue(cache) => cache.truncate(len),
            Self::Vectors(cache) => cache.truncate(len),
        }
    }
}

/// The same expression for whichever architecture it is, with the state that belongs to it.
macro_rules! with_state {
    ($lm:expr, $state:expr, ($it:ident, $own:ident) => $value:expr) => {
        match ($lm, $state) {
            (Self::Gpt2($it), DecoderState::KeyValue($own)) => $value,
            (Self::GptNeox($it), DecoderState::KeyValue($own)) => $value,
            (Self::Llama($it), DecoderState::KeyValue($own)) => $value,
            (Self::Gemma2($it), DecoderState::KeyValue($own)) => $value,
            (Self::Recurrent($it), DecoderState::Vectors($own)) => $value,
            (Self::FeedForward($it), DecoderState::Vectors($own)) => $value,
            _ => unreachable!("a state belongs to the task that reads with one model, which keeps its architecture"),
        }
    };
}

impl CausalLm {
    /// Next-token scores at every position: ids `[B, T]` → logits `[B, T, V]`. Differentiable when the weights are on an
    /// autodiff device.
    ///
    /// # Panics
    /// When T exceeds the context.
    #[must_use]
    pub fn forward(&self, ids: Tensor<2, Int>, hooks: &mut Hooks) -> Tensor<3> {
        self.whole(ids, Wanted::All, hooks)
    }

    fn whole(&self, ids: Tensor<2, Int>, wanted: Wanted<'_>, hooks: &mut Hooks) -> Tensor<3> {
        if let Some(scores) = fused::scores(self, &ids, None, wanted, hooks) {
            return scores;
        }
        whichever!(self, model => model.logits(ids, None, None, wanted, hooks))
    }

    /// What tokens cost, in nats, without their scores being kept: of a sequence, `places` in rising order and the token that
    /// follows each. Nothing where this is not computed so; [`Self::logits_at`] then tells.
    ///
    /// # Panics
    /// When the sequence exceeds the context, a place the sequence, or a target the vocabulary.
    #[must_use]
    pub fn costs_at(&self, ids: &[u32], places: &[usize], targets: &[u32]) -> Option<Vec<f32>> {
        fused::costs(self, ids, places, targets)
    }

    /// As [`Self::forward`] for sequences of different length, filled up to T with any id: ids `[B, T]` → logits
    /// `[B, T, V]`. What is said at padded positions means nothing. See [`Padding`] for positions.
    ///
    /// # Panics
    /// When T exceeds the context, or the padding is that of another batch.
    #[must_use]
    pub fn forward_padded(&self, ids: Tensor<2, Int>, padding: &Padding, hooks: &mut Hooks) -> Tensor<3> {
        assert_eq!(ids.dims(), padding.shape(), "the padding of another batch");
        whichever!(self, model => model.padded(ids, padding, hooks))
    }

    /// The forward pass for the sake of its hooks alone: ids `[B, T]`. Scores are computed only when they are wanted.
    ///
    /// # Panics
    /// When T exceeds the context.
    pub fn trace(&self, ids: Tensor<2, Int>, hooks: &mut Hooks) {
        whichever!(self, model => model.trace(ids, hooks));
    }

    /// Next-token scores after the last of T new tokens: ids `[B, T]` → logits `[B, V]`. The state remembers the tokens, so
    /// a prompt can be read in pieces and each further token costs one position.
    ///
    /// # Panics
    /// When the remembered and the new tokens exceed the context.
    #[must_use]
    pub fn forward_cached(&self, ids: Tensor<2, Int>, state: &mut DecoderState, hooks: &mut Hooks) -> Tensor<2> {
        self.continued(ids, state, Wanted::Last, hooks).squeeze_dim(1)
    }

    /// As [`Self::forward_cached`], with the scores after each of the new tokens: ids `[B, T]` → logits `[B, T, V]`.
    ///
    /// # Panics
    /// When the remembered and the new tokens exceed the context.
    #[must_use]
    pub fn forward_cached_whole(&self, ids: Tensor<2, Int>, state: &mut DecoderState, hooks: &mut Hooks) -> Tensor<3> {
        self.continued(ids, state, Wanted::All, hooks)
    }

    fn continued(
        &self,
        ids: Tensor<2, Int>,
        state: &mut DecoderState,
        wanted: Wanted<'_>,
        hooks: &mut Hooks,
    ) -> Tensor<3> {
        if let DecoderState::KeyValue(cache) = state
            && let Some(scores) = fused::scores(self, &ids, Some(cache), wanted, hooks)
        {
            return scores;
        }
        with_state!(self, state, (model, own) => model.logits(ids, None, Some(own), wanted, hooks))
    }

    /// Next-token scores at some positions only, as learning from answers alone needs them: ids `[B, T]` and places of N of
    /// the B·T positions, row-major → logits `[N, V]`. Differentiable as [`Self::forward`] is. The projection to the
    /// vocabulary, which is most of a small model's work, is made for these positions alone.
    ///
    /// # Panics
    /// When T exceeds the context, or a place B·T.
    #[must_use]
    pub fn logits_at(&self, ids: Tensor<2, Int>, places: &[usize], hooks: &mut Hooks) -> Tensor<2> {
        self.whole(ids, Wanted::Some(places), hooks).squeeze_dim(0)
    }

    /// Next-token scores at some tokens of a tree of sequences that follow what is remembered: ids `[T]`, `wanted` N tokens
    /// among them → logits `[N, V]`. The state, of one sequence or none, stays as it is.
    ///
    /// # Panics
    /// When the remembered tokens and the longest sequence exceed the context, or the tree has another number of tokens.
    #[must_use]
    pub fn forward_tree(
        &self,
        ids: &[u32],
        tree: &TokenTree,
        wanted: &[usize],
        state: &mut DecoderState,
        hooks: &mut Hooks,
    ) -> Tensor<2> {
        assert_eq!(ids.len(), tree.len(), "ids of another tree");
        let ids = self.ids(ids);
        with_state!(self, state, (model, own) => model.tree(ids, tree, wanted, own, hooks)).squeeze_dim(0)
    }

    /// The residual stream behind the last block: ids `[B, T]` → `[B, T, D]`.
    ///
    /// # Panics
    /// When T exceeds the context.
    #[must_use]
    pub fn stream(&self, ids: Tensor<2, Int>, hooks: &mut Hooks) -> Tensor<3> {
        whichever!(self, model => model.residual(ids, None, None, hooks))
    }

    /// The same for B sequences that enter block `first` with the stream `x`: `[1 or B, T, D]` → `[1 or B, T, D]`. What they have in
    /// common is computed once, up to the first change that tells them apart.
    #[must_use]
    pub fn resume(&self, first: usize, x: Tensor<3>, batch: usize, hooks: &mut Hooks) -> Tensor<3> {
        whichever!(self, model => model.resume(first, x, batch, hooks))
    }

    /// What a head for whole texts reads: behind the last normalisation, the vector at one place of each of B texts, `[B, D]`. Texts may
    /// be of any lengths. While the network learns, what it drops out is drawn from `random`. Differentiable as [`Self::forward`] is.
    ///
    /// # Panics
    /// When there is no text, one exceeds the context, or a place its text.
    #[must_use]
    pub fn vectors_at(&self, texts: &[&[u32]], places: &[usize], random: Option<Random>) -> Tensor<2> {
        let chosen = places.iter().zip(texts).map(|(place, ids)| {
            assert!(*place < ids.len(), "place {place} of a text of {} tokens", ids.len());
            *place..place + 1
        });
        self.vectors_of(texts, &chosen.collect::<Vec<_>>(), random)
    }

    /// Behind the last normalisation, the vector of every token of texts of any lengths, which lie behind each other, N tokens in all:
    /// `[N, D]`.
    ///
    /// # Panics
    /// When there is no text, or one exceeds the context.
    #[must_use]
    pub fn vectors(&self, texts: &[&[u32]]) -> Tensor<2> {
        self.vectors_of(texts, &texts.iter().map(|ids| 0..ids.len()).collect::<Vec<_>>(), None)
    }

    /// The vectors at some places of each text, which lie behind each other, N in all: `[N, D]`.
    fn vectors_of(&self, texts: &[&[u32]], chosen: &[Range<usize>], random: Option<Random>) -> Tensor<2> {
        assert!(!texts.is_empty(), "a batch has a text");
        let device = self.device();
        let rows = |rows: Vec<usize>| {
            let count = rows.len();
            let rows = rows.into_iter().map(|row| row as i32).collect::<Vec<_>>();
            Tensor::<1, Int>::from_data(TensorData::new(rows, [count]), &device)
        };
        let lengths: Vec<usize> = texts.iter().map(|ids| ids.len()).collect();
        // A GPU fills its cores with one large pass more easily than with several small ones.
        let is_cpu = kernels::serve_learning(&device);
        let portions = if is_cpu { portions(&lengths) } else { vec![(0..texts.len()).collect()] };
        let mut hooks = Hooks::off();
        if let Some(random) = random {
            hooks = hooks.learning(random);
        }
        let streams = portions.iter().map(|portion| {
            let longest = portion.iter().map(|text| lengths[*text]).max().unwrap_or(0);
            // A token sees what comes before it, so it makes no difference what fills a text up behind its end.
            let filled = |text: &usize| texts[*text].iter().copied().chain(std::iter::repeat(0)).take(longest);
            let ids: Vec<i32> = portion.iter().flat_map(filled).map(|id| id as i32).collect();
            let ids = Tensor::from_data(TensorData::new(ids, [portion.len(), longest]), &device);
            let wanted = portion.iter().enumerate();
            let wanted = wanted.flat_map(|(row, text)| chosen[*text].clone().map(move |place| row * longest + place));
            self.stream(ids, &mut hooks).flatten::<2>(0, 1).select(0, rows(wanted.collect()))
        });
        let mut x = Tensor::cat(streams.collect(), 0); // [N, D], the texts in the order of their portions
        // A single portion has them in order.
        if portions.len() > 1 {
            let mut starts = vec![0; texts.len()];
            portions.iter().flatten().fold(0, |start, text| {
                starts[*text] = start;
                start + chosen[*text].len()
            });
            x = x.select(0, rows(starts.iter().zip(chosen).flat_map(|(start, of)| *start..start + of.len()).collect()));
        }
        whichever!(self, model => Decoder::normalise(model, x.unsqueeze(), &mut hooks)).squeeze_dim(0)
    }

    /// The scores that values of the residual stream stand for: last normalisation, head and cap, `[B, T, D]` → `[B, T, V]`.
    #[must_use]
    pub fn unembed(&self, x: Tensor<3>, hooks: &mut Hooks) -> Tensor<3> {
        whichever!(self, model => Decoder::unembed(model, x, hooks))
    }

    /// What each head of a block gives to the output of its attention, without the bias that all share: `attn.z`
    /// `[B, H, T, K]` → `[B, H, T, D]`. Their sum and that bias are `attn.proj` where the model has it, else `attn_out`.
    #[must_use]
    pub fn head_output(&self, layer: usize, z: Tensor<4>) -> Tensor<4> {
        whichever!(self, model => Decoder::head_output(model, layer, z))
    }

    /// The embeddings of all tokens in F32, `[V, D]`.
    #[must_use]
    pub fn embeddings(&self) -> Tensor<2> {
        in_f32(whichever!(self, model => model.token_embedding.val()))
    }

    /// The sites it has, in the order a pass meets them.
    #[must_use]
    pub fn sites(&self) -> Vec<Site> {
        whichever!(self, model => Decoder::sites(model))
    }

    /// Nothing remembered yet.
    #[must_use]
    pub fn new_state(&self) -> DecoderState {
        match self {
            Self::Recurrent(model) => DecoderState::Vectors(model.new_state()),
            Self::FeedForward(model) => DecoderState::Vectors(model.new_state()),
            _ => DecoderState::KeyValue(whichever_blocks!(self, model => model.new_state())),
        }
    }

    /// True when it is made of transformer blocks, which the methods below tell of.
    pub(in crate::nn) fn has_blocks(&self) -> bool {
        !matches!(self, Self::Recurrent(_) | Self::FeedForward(_))
    }

    /// What enters its first block.
    pub(in crate::nn) fn entry(&self) -> Entry<'_> {
        whichever_blocks!(self, model => model.entry())
    }

    /// What its last normalisation and its head are.
    pub(in crate::nn) fn exit(&self) -> (Option<Norm<'_>>, Exit<'_>) {
        whichever_blocks!(self, model => model.exit())
    }

    /// What a block is made of.
    pub(in crate::nn) fn block_parts(&self, layer: usize) -> BlockParts<'_> {
        whichever_blocks!(self, model => model.block_parts(layer))
    }

    /// Longest sequence in tokens.
    #[must_use]
    pub fn context(&self) -> usize {
        whichever!(self, model => Decoder::context(model))
    }

    /// Number of blocks, or of layers where it has none.
    #[must_use]
    pub fn layers(&self) -> usize {
        match self {
            Self::Recurrent(model) => model.blocks.len(),
            Self::FeedForward(model) => 1 + model.deeper.len(),
            _ => whichever_blocks!(self, model => model.blocks.len()),
        }
    }

    /// Vocabulary size V.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        whichever!(self, model => model.token_embedding.dims()[0])
    }

    /// Where the weights are; token ids must be made there too. The last normalisation tells, since it is a parameter also while other
    /// weights are fixed.
    #[must_use]
    pub fn device(&self) -> Device {
        match self {
            Self::Gpt2(model) => model.ln_final.gain.device(),
            Self::GptNeox(model) => model.ln_final.gain.device(),
            Self::Llama(model) => model.norm_final.gain.device(),
            Self::Gemma2(model) => model.norm_final.gain.device(),
            Self::Recurrent(model) => {
                model.blocks.first().map_or_else(Device::default, |layer| layer.recurrent.weight.device())
            }
            Self::FeedForward(model) => model.hidden.weight.device(),
        }
    }

    /// One sequence of token ids as a tensor beside the weights, `[1, T]`.
    #[must_use]
    pub fn ids(&self, ids: &[u32]) -> Tensor<2, Int> {
        let values: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
        Tensor::from_data(TensorData::new(values, [1, ids.len()]), &self.device())
    }
}
