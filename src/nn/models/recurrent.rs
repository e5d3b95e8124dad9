//! Recurrent language models: embeddings, layers that hand a state from token to token, a head. LSTM (Hochreiter and Schmidhuber 1997)
//! and plain tanh networks (Elman 1990), as PyTorch's `nn.LSTM` and `nn.RNN` compute them; nothing is dropped between layers.
//!
//! B batch, T tokens, E embedding width, H units a layer, V vocabulary.

use crate::nn::batch::tokens::Places;
use crate::nn::hooks::Hooks;
use crate::nn::layers::linear::Linear;
use crate::nn::layers::recurrence::{Before, LayerValues, RecurrentLayer};
use crate::nn::layers::vector_cache::VectorCache;
use crate::nn::layers::weight::Weight;
use crate::nn::models::decoder::{Decoder, Pass};
use crate::types::{RecurrentCell, Site};
use burn::module::Module;
use burn::tensor::{Device, Distribution, Int, Tensor};

/// Embeddings and heads that have learned nothing are not larger.
pub(in crate::nn) const TABLE: f64 = 0.1;

/// The shape of a recurrent model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecurrentConfig {
    /// What each unit computes.
    pub cell: RecurrentCell,
    /// Vocabulary size V.
    pub vocabulary: usize,
    /// Tokens that are read at once at most. Its state goes on without end; what it was trained on did not.
    pub context: usize,
    /// Width E of the embeddings.
    pub embedding: usize,
    /// Units H of a layer.
    pub hidden: usize,
    /// Layers.
    pub layers: usize,
    /// True when the head is the token embedding; E is then H.
    pub tied: bool,
}

impl RecurrentConfig {
    /// Random weights. Seed the device first for repeatable ones.
    #[must_use]
    pub fn init(&self, device: &Device) -> Recurrent {
        self.init_with(device, &mut |shape, most| Tensor::random(shape, Distribution::Uniform(-most, most), device))
    }

    /// Random weights, each matrix drawn by its shape from U(−most, most): 1/√H in the layers, as PyTorch draws them, 0.1 for embeddings
    /// and head (Zaremba et al. 2014); biases of zeros, those of forget gates 1 (Jozefowicz et al. 2015).
    #[must_use]
    pub fn init_with(&self, device: &Device, draw: &mut dyn FnMut([usize; 2], f64) -> Tensor<2>) -> Recurrent {
        let most = 1.0 / (self.hidden as f64).sqrt();
        let rows = self.cell.gates() * self.hidden;
        let token_embedding = draw([self.vocabulary, self.embedding], TABLE).into();
        let mut blocks = Vec::with_capacity(self.layers);
        for layer in 0..self.layers {
            let inputs = if layer == 0 { self.embedding } else { self.hidden };
            blocks.push(RecurrentLayer {
                input: Linear::new(draw([rows, inputs], most), Some(self.first_bias(device))),
                recurrent: Linear::new(draw([rows, self.hidden], most), Some(Tensor::zeros([rows], device))),
            });
        }
        let head = (!self.tied).then(|| draw([self.vocabulary, self.hidden], TABLE));
        let head = head.map(|weight| Linear::new(weight, Some(Tensor::zeros([self.vocabulary], device))));
        Recurrent { token_embedding, blocks, head, context: self.context }
    }

    /// Zeros, but ones for the forget gates of an LSTM: what is in its cells stays there until it has learned otherwise.
    fn first_bias(&self, device: &Device) -> Tensor<1> {
        let zeros = |count: usize| Tensor::zeros([count], device);
        match self.cell {
            RecurrentCell::Tanh => zeros(self.hidden),
            RecurrentCell::Lstm => {
                Tensor::cat(vec![zeros(self.hidden), Tensor::ones([self.hidden], device), zeros(2 * self.hidden)], 0)
            }
        }
    }

    /// Numbers that are learned.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        let [v, e, h, l] = [self.vocabulary, self.embedding, self.hidden, self.layers].map(|n| n as u64);
        let rows = (self.cell.gates() as u64).saturating_mul(h);
        let first = rows.saturating_mul(e + h + 2);
        let others = rows.saturating_mul(2 * h + 2).saturating_mul(l.saturating_sub(1));
        let head = if self.tied { 0 } else { v.saturating_mul(h + 1) };
        v.saturating_mul(e).saturating_add(first).saturating_add(others).saturating_add(head)
    }

    /// The same with as many units, and embeddings as wide, as bring its numbers nearest to `parameters`.
    #[must_use]
    pub fn sized(&self, parameters: u64) -> Self {
        nearest(parameters, |width| Self { embedding: width, hidden: width, ..self.clone() }, Self::parameters)
    }
}

/// Of shapes that grow with their width, the one whose numbers are nearest to those wanted; width 1 at least.
pub(in crate::nn) fn nearest<C>(wanted: u64, of_width: impl Fn(usize) -> C, count: impl Fn(&C) -> u64) -> C {
    let counted = |width: usize| count(&of_width(width));
    let mut above = 1;
    while counted(above) < wanted {
        above *= 2;
    }
    let mut below = above / 2;
    while above - below > 1 {
        let middle = usize::midpoint(below, above);
        if counted(middle) < wanted { below = middle } else { above = middle }
    }
    let is_nearer = below > 0 && wanted - counted(below) < counted(above).saturating_sub(wanted);
    of_width(if is_nearer { below } else { above })
}

/// A recurrent model.
#[derive(Module, Debug)]
pub struct Recurrent {
    /// `[V, E]`.
    pub token_embedding: Weight,
    /// Its layers, from input to output.
    pub blocks: Vec<RecurrentLayer>,
    /// `[V, H]` with a bias; `None` uses the token embedding.
    pub head: Option<Linear>,
    /// Tokens that are read at once at most.
    pub context: usize,
}

impl Recurrent {
    /// What each layer made of a sequence, from nothing on: ids `[1, T]`.
    ///
    /// # Panics
    /// When T exceeds the context.
    #[must_use]
    pub fn layer_values(&self, ids: Tensor<2, Int>) -> Vec<LayerValues> {
        let hooks = &mut Hooks::off();
        let tokens = crate::nn::batch::tokens::Tokens::new(ids.dims(), 0, None);
        let (end, context) = (tokens.end(), self.context);
        assert!(end <= context, "{end} tokens do not fit in a context of {context}");
        let mut x = self.embed(ids, &mut Pass { tokens, state: None, hooks });
        let mut values = Vec::new();
        for layer in &self.blocks {
            let made = layer.values(x, &tokens, None);
            x = made.hidden.clone();
            values.push(made);
        }
        values
    }

    /// What each unit computes.
    #[must_use]
    pub fn cell(&self) -> RecurrentCell {
        self.blocks.first().map_or(RecurrentCell::Lstm, RecurrentLayer::cell)
    }

    /// Bytes that every token reads: all but the table of which it reads a row.
    pub(in crate::nn) fn bytes_per_token(&self) -> u64 {
        let layers = self.blocks.iter().flat_map(|layer| [&layer.input, &layer.recurrent]).map(Linear::bytes);
        layers.sum::<u64>() + self.head.as_ref().map_or_else(|| self.token_embedding.bytes(), Linear::bytes)
    }

    /// What a layer goes on from behind the tokens that are remembered.
    fn before(state: &VectorCache, layer: usize, cell: RecurrentCell) -> Option<Before> {
        let last = |slot| state.last(slot, 1).map(|x| x.squeeze_dim::<2>(1)); // [B, H]
        let cells = if cell == RecurrentCell::Lstm { last(2 * layer + 1) } else { None };
        last(2 * layer).map(|hidden| Before { hidden, cells })
    }

    fn layer(&self, index: usize, x: Tensor<3>, pass: &mut Pass<'_, VectorCache>) -> Tensor<3> {
        let layer = &self.blocks[index];
        let Some(state) = &mut pass.state else { return layer.hidden(x, &pass.tokens) };
        let made = layer.values(x, &pass.tokens, Self::before(state, index, layer.cell()));
        // The branches of a tree are tried, and not gone on from.
        if !matches!(pass.tokens.places(), Some(Places::Tree(_))) {
            state.push(2 * index, made.hidden.clone());
            if let Some(cells) = made.cells {
                state.push(2 * index + 1, cells);
            }
        }
        made.hidden
    }
}

impl Decoder for Recurrent {
    type State = VectorCache;

    fn new_state(&self) -> VectorCache {
        VectorCache::new(2 * self.blocks.len())
    }

    fn context(&self) -> usize {
        self.context
    }

    fn embed(&self, ids: Tensor<2, Int>, pass: &mut Pass<'_, VectorCache>) -> Tensor<3> {
        pass.hooks.at(Site::Embed, self.token_embedding.look_up(ids)) // [B, T, E]
    }

    fn blocks_from(&self, first: usize, mut x: Tensor<3>, pass: &mut Pass<'_, VectorCache>) -> Tensor<3> {
        for index in first..self.blocks.len() {
            if pass.hooks.end_before(index) {
                break;
            }
            x = self.layer(index, x, pass);
            x = pass.hooks.at(Site::ResidPost(index), x); // [B, T, H]
        }
        x
    }

    fn normalise(&self, x: Tensor<3>, _: &mut Hooks) -> Tensor<3> {
        x
    }

    fn unembed(&self, x: Tensor<3>, hooks: &mut Hooks) -> Tensor<3> {
        let scores = match &self.head {
            Some(head) => head.forward(x),
            None => self.token_embedding.project(x),
        };
        hooks.at(Site::Logits, scores)
    }

    fn head_output(&self, _: usize, _: Tensor<4>) -> Tensor<4> {
        unreachable!("a recurrent network has no heads; who asks for them asks for `Ability::Attend` first")
    }

    fn sites(&self) -> Vec<Site> {
        let layers = (0..self.blocks.len()).map(Site::ResidPost);
        [Site::Embed].into_iter().chain(layers).chain([Site::Logits]).collect()
    }
}
