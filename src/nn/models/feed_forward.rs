//! The neural probabilistic language model (Bengio et al. 2003): the embeddings of the last n tokens side by side, a tanh layer, scores;
//! if wanted with direct connections from the embeddings to the scores. y = b + W x + U tanh(d + H x). With what came later, where it is
//! wanted: more layers, other activations, normalisation, residual connections, dropout.
//!
//! B batch, T tokens, n window, E embedding width, F units, V vocabulary.

use crate::nn::batch::tokens::{Places, Tokens};
use crate::nn::hooks::Hooks;
use crate::nn::layers::hidden::HiddenLayer;
use crate::nn::layers::linear::Linear;
use crate::nn::layers::norm::LayerNorm;
use crate::nn::layers::vector_cache::VectorCache;
use crate::nn::layers::weight::Weight;
use crate::nn::models::decoder::{Decoder, Pass};
use crate::nn::models::recurrent::{TABLE, nearest};
use crate::types::{HiddenLayers, Nonlinearity, Site};
use burn::module::Module;
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};

/// The shape of a feed-forward model.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedForwardConfig {
    /// Vocabulary size V.
    pub vocabulary: usize,
    /// Tokens that are read at once at most; each is predicted from the n before it.
    pub context: usize,
    /// Tokens n that a prediction sees.
    pub window: usize,
    /// Width E of the embeddings.
    pub embedding: usize,
    /// Units F of a layer.
    pub hidden: usize,
    /// What its layers are made of.
    pub layers: HiddenLayers,
    /// True with connections from the embeddings to the scores.
    pub direct: bool,
    /// True when the head is the token embedding; E is then F.
    pub tied: bool,
}

impl FeedForwardConfig {
    /// Random weights. Seed the device first for repeatable ones.
    #[must_use]
    pub fn init(&self, device: &Device) -> FeedForward {
        self.init_with(device, &mut |shape, most| Tensor::random(shape, Distribution::Uniform(-most, most), device))
    }

    /// Random weights, each matrix drawn by its shape from U(−most, most): 1/√in in the layers, 0.1 for embeddings and head; biases of
    /// zeros. Direct connections are zeros and grow.
    #[must_use]
    pub fn init_with(&self, device: &Device, draw: &mut dyn FnMut([usize; 2], f64) -> Tensor<2>) -> FeedForward {
        let (v, f, seen) = (self.vocabulary, self.hidden, self.window * self.embedding);
        let zeros = |count| Some(Tensor::zeros([count], device));
        let token_embedding = draw([v, self.embedding], TABLE).into();
        let norm = || self.layers.norm.then(|| LayerNorm::identity(f, EPSILON, device));
        let mut layer = |read: usize| Linear::new(draw([f, read], 1.0 / (read as f64).sqrt()), zeros(f));
        let hidden = layer(seen);
        let deeper = (1..self.layers.count).map(|_| HiddenLayer { linear: layer(f), norm: norm() }).collect();
        let head = (!self.tied).then(|| draw([v, f], TABLE));
        FeedForward {
            token_embedding,
            hidden,
            norm: norm(),
            deeper,
            direct: self.direct.then(|| Linear::new(Tensor::zeros([v, seen], device), None)),
            head: head.map(|weight| Linear::new(weight, zeros(v))),
            context: self.context,
            activation: self.layers.activation,
            dropout: self.layers.dropout,
            residual: self.layers.residual,
        }
    }

    /// Numbers that are learned.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        let [v, n, e, f] = [self.vocabulary, self.window, self.embedding, self.hidden].map(|n| n as u64);
        let seen = n.saturating_mul(e);
        let direct = if self.direct { v.saturating_mul(seen) } else { 0 };
        let head = if self.tied { 0 } else { v.saturating_mul(f + 1) };
        let norm = if self.layers.norm { 2 } else { 0 };
        let deeper = f.saturating_mul(f + 1 + norm).saturating_mul(self.layers.count.saturating_sub(1) as u64);
        let layers = f.saturating_mul(seen + 1 + norm).saturating_add(deeper);
        v.saturating_mul(e).saturating_add(layers).saturating_add(direct).saturating_add(head)
    }

    /// The same with as many units, and embeddings as wide, as bring its numbers nearest to `parameters`.
    #[must_use]
    pub fn sized(&self, parameters: u64) -> Self {
        nearest(parameters, |width| Self { embedding: width, hidden: width, ..self.clone() }, Self::parameters)
    }
}

/// A feed-forward model.
#[derive(Module, Debug)]
pub struct FeedForward {
    /// `[V, E]`.
    pub token_embedding: Weight,
    /// From the embeddings of the last n tokens, the oldest first, `[F, n·E]`. What is before the first token is zero.
    pub hidden: Linear,
    /// Before the activation of that layer, if there is one.
    pub norm: Option<LayerNorm>,
    /// The layers behind it.
    pub deeper: Vec<HiddenLayer>,
    /// From the same to the scores, `[V, n·E]`, if there is one.
    pub direct: Option<Linear>,
    /// `[V, F]` with a bias; `None` uses the token embedding.
    pub head: Option<Linear>,
    /// Tokens that are read at once at most.
    pub context: usize,
    /// What is applied to each value of a layer.
    #[module(skip)]
    pub activation: Nonlinearity,
    /// Share of each layer's values that are zeros while it learns.
    pub dropout: f64,
    /// True when the layers behind the first add what they read.
    pub residual: bool,
}

/// Added to the variance that layers are normalised by, as in PyTorch.
pub const EPSILON: f64 = 1e-5;

impl FeedForward {
    /// Tokens n that a prediction sees.
    #[must_use]
    pub fn window(&self) -> usize {
        self.hidden.weight.dims()[1] / self.token_embedding.dims()[1].max(1)
    }

    /// Bytes that every token reads: all but the table of which it reads rows.
    pub(in crate::nn) fn bytes_per_token(&self) -> u64 {
        let head = self.head.as_ref().map_or_else(|| self.token_embedding.bytes(), Linear::bytes);
        let deeper: u64 = self.deeper.iter().map(|layer| layer.linear.bytes()).sum();
        self.hidden.bytes() + deeper + self.direct.as_ref().map_or(0, Linear::bytes) + head
    }

    /// The embeddings of the last n tokens of each side by side, `[B, T, E]` → `[B, T, n·E]`.
    fn windows(&self, x: Tensor<3>, pass: &mut Pass<'_, VectorCache>) -> Tensor<3> {
        let (n, [batch, length, width], device) = (self.window(), x.dims(), x.device());
        let earlier = n - 1;
        let past = pass.state.as_ref().filter(|_| earlier > 0).and_then(|state| state.last(0, earlier));
        let missing = earlier - past.as_ref().map_or(0, |past| past.dims()[1]);
        let nothing = (missing > 0).then(|| Tensor::zeros([batch, missing, width], &device));
        if let Some(state) = pass.state.as_mut().filter(|_| !matches!(pass.tokens.places(), Some(Places::Tree(_)))) {
            state.push(0, x.clone());
        }
        let all = Tensor::cat([nothing, past, Some(x)].into_iter().flatten().collect(), 1); // [B, n − 1 + T, E]
        if pass.tokens.places().is_some() {
            let rows = all.flatten::<2>(0, 1).select(0, sources(&pass.tokens, n, &device));
            return rows.reshape([batch, length, n * width]);
        }
        Tensor::cat((0..n).map(|at| all.clone().narrow(1, at, length)).collect(), 2) // [B, T, n·E]
    }

    /// What a layer makes of what it reads, `[B, T, in]` → `[B, T, F]`.
    fn made(&self, linear: &Linear, norm: Option<&LayerNorm>, x: Tensor<3>, hooks: &mut Hooks) -> Tensor<3> {
        let x = linear.forward(x);
        let x = match norm {
            Some(norm) => norm.forward(x),
            None => x,
        };
        hooks.drop_out(self.dropout, self.activation.apply(x))
    }

    /// What a value of the stream is made of: units, and, with direct connections, the embeddings they saw.
    fn taken_apart(&self, x: Tensor<3>) -> (Tensor<3>, Option<Tensor<3>>) {
        let [units, seen] = self.hidden.weight.dims();
        match self.direct {
            Some(_) => (x.clone().narrow(2, 0, units), Some(x.narrow(2, units, seen))),
            None => (x, None),
        }
    }
}

/// Of each token of a pass, the rows of what it sees, the oldest first: each sequence has n − 1 rows of what is remembered, zeros before
/// the first token, and its T tokens behind them.
fn sources(tokens: &Tokens<'_>, n: usize, device: &Device) -> Tensor<1, Int> {
    let (_, [batch, length]) = tokens.positions();
    let (earlier, row) = (n - 1, n - 1 + length);
    let mut found = Vec::with_capacity(batch * length * n);
    let mut before: Vec<Option<usize>> = vec![None; batch * length];
    let mut last: Vec<Option<usize>> = vec![None; batch];
    for token in 0..batch * length {
        let sequence = token / length;
        if tokens.is_real(token) {
            before[token] = match tokens.places() {
                Some(Places::Tree(tree)) => tree.parent(token),
                _ => last[sequence].replace(token),
            };
        }
        let (first, mut seen) = (sequence * row, vec![0; n]);
        // Behind the first token come those that are remembered, the last of them first.
        let (mut next, mut remembered) = (Some(token), earlier);
        for place in seen.iter_mut().rev() {
            *place = first
                + match next {
                    Some(of) => {
                        next = before[of];
                        earlier + of % length
                    }
                    None => {
                        remembered -= 1;
                        remembered
                    }
                };
        }
        found.extend(seen.into_iter().map(|row| row as i32));
    }
    Tensor::from_data(TensorData::new(found, [batch * length * n]), device)
}

impl Decoder for FeedForward {
    type State = VectorCache;

    fn new_state(&self) -> VectorCache {
        VectorCache::new(1)
    }

    fn context(&self) -> usize {
        self.context
    }

    fn embed(&self, ids: Tensor<2, Int>, pass: &mut Pass<'_, VectorCache>) -> Tensor<3> {
        pass.hooks.at(Site::Embed, self.token_embedding.look_up(ids)) // [B, T, E]
    }

    fn blocks_from(&self, first: usize, x: Tensor<3>, pass: &mut Pass<'_, VectorCache>) -> Tensor<3> {
        assert!(first == 0, "a feed-forward network is entered at its embeddings, which its scores may read, too");
        let windows = self.windows(x, pass);
        let made = self.made(&self.hidden, self.norm.as_ref(), windows.clone(), pass.hooks); // [B, T, F]
        let mut units = pass.hooks.at(Site::ResidPost(0), made);
        for (index, layer) in (1..).zip(&self.deeper) {
            if pass.hooks.end_before(index) {
                break;
            }
            let made = self.made(&layer.linear, layer.norm.as_ref(), units.clone(), pass.hooks);
            units = pass.hooks.at(Site::ResidPost(index), if self.residual { units + made } else { made });
        }
        if self.direct.is_some() { Tensor::cat(vec![units, windows], 2) } else { units }
    }

    fn normalise(&self, x: Tensor<3>, _: &mut Hooks) -> Tensor<3> {
        x
    }

    fn unembed(&self, x: Tensor<3>, hooks: &mut Hooks) -> Tensor<3> {
        let (units, windows) = self.taken_apart(x);
        let mut scores = match &self.head {
            Some(head) => head.forward(units),
            None => self.token_embedding.project(units),
        };
        if let (Some(direct), Some(windows)) = (&self.direct, windows) {
            scores = scores + direct.forward(windows);
        }
        hooks.at(Site::Logits, scores)
    }

    fn head_output(&self, _: usize, _: Tensor<4>) -> Tensor<4> {
        unreachable!("a feed-forward network has no heads; who asks for them asks for `Ability::Attend` first")
    }

    fn sites(&self) -> Vec<Site> {
        let layers = (0..=self.deeper.len()).map(Site::ResidPost);
        [Site::Embed].into_iter().chain(layers).chain([Site::Logits]).collect()
    }
}
