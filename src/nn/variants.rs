//! Passes that differ from another in one value: what they have in common with it is computed once.
//!
//! B sequences, T tokens, D model width, V vocabulary, L classes.

use crate::nn::{Change, EncoderBatch, Hooks, SiteEdit, SiteGradients, SiteValue, Transformer};
use crate::types::{Site, SiteSet};
use burn::module::Module;
use burn::tensor::{Bool, Tensor, TensorData};

/// What a transformer reads.
#[derive(Clone, Debug)]
pub enum Read {
    /// Tokens.
    Tokens(Vec<u32>),
    /// Prepared pixels, `[1, U, H, W]` with U colour channels.
    Picture(Box<Tensor<4>>),
}

/// Where the variants of a pass part from it: the block, and the edits of the pass itself.
pub struct Fork<'a> {
    /// The first block that is computed anew.
    pub layer: usize,
    /// The stream that enters it, `[1, T, D]`.
    pub entering: Tensor<3>,
    /// The edits that hold in the pass and in all its variants.
    pub edits: &'a [SiteEdit],
    /// The token at which scores are wanted; of a picture they are of the whole.
    pub position: usize,
}

impl Transformer<'_> {
    /// The sites it has, in the order a pass meets them.
    #[must_use]
    pub fn sites(self) -> Vec<Site> {
        match self {
            Self::Decoder(lm) => lm.sites(),
            Self::Encoder(encoder) => encoder.sites(),
            Self::Vision(vit) => vit.sites(),
        }
    }

    /// The residual stream behind the last block, `[1, T, D]`.
    ///
    /// # Panics
    /// When T exceeds the context, or a picture is read by a model of texts.
    #[must_use]
    pub fn stream(self, read: &Read, hooks: &mut Hooks) -> Tensor<3> {
        match (self, read) {
            (Self::Decoder(lm), Read::Tokens(ids)) => lm.stream(lm.ids(ids), hooks),
            (Self::Encoder(encoder), Read::Tokens(ids)) => encoder.forward(&EncoderBatch::one(ids), hooks).hidden,
            (Self::Vision(vit), Read::Picture(pixels)) => vit.stream((**pixels).clone(), hooks),
            _ => panic!("tokens are read by models of texts, pictures by vision transformers"),
        }
    }

    /// The scores of one token, `[B, T, D]` → `[B, V]`, or of the whole picture, `[B, L]`. The hooks must be those of the pass that
    /// the stream comes from. `None` without a head.
    #[must_use]
    pub fn scores_at(self, x: Tensor<3>, position: usize, hooks: &mut Hooks) -> Option<Tensor<2>> {
        let [batch, t, _] = x.dims();
        if let Self::Vision(vit) = self {
            return vit.scores(x, hooks);
        }
        hooks.go_on_with(|| (0..batch).map(|row| row * t + position).collect(), batch);
        let x = x.narrow(1, position, 1); // [B, 1, D]
        let scores = match self {
            Self::Decoder(lm) => lm.unembed(x, hooks),
            Self::Encoder(encoder) => encoder.logits(x, hooks)?,
            Self::Vision(_) => unreachable!("it was answered above"),
        };
        Some(scores.squeeze_dim(1))
    }

    /// Tokens that a query of a block sees, itself among them; `None` for as many as there are.
    #[must_use]
    pub fn window(self, layer: usize) -> Option<usize> {
        self.block(layer).window
    }

    /// Blocks.
    #[must_use]
    pub fn blocks(self) -> usize {
        self.layers()
    }

    /// The scores, `[B, V]` or `[B, L]`, of B sequences that part from a pass in the changes given, none of them before the block of
    /// the fork. `None` without a head.
    ///
    /// # Panics
    /// When a change is of a site before that block.
    #[must_use]
    pub fn variants(self, fork: &Fork<'_>, changes: Vec<SiteEdit>, batch: usize) -> Option<Tensor<2>> {
        let layer = fork.layer;
        let is_met = |site: Site| site.layer().is_none_or(|of| of >= layer) && site != Site::ResidPre(layer);
        let early =
            |site: Site| matches!(site, Site::Q(_) | Site::K(_) | Site::V(_) | Site::Scores(_) | Site::Pattern(_));
        let [_, t, d] = fork.entering.dims();
        let mut x = fork.entering.clone();
        // Queries, keys and values of one block must be of as many sequences.
        if !fork.edits.is_empty() || changes.iter().any(|change| early(change.site)) {
            x = x.expand([batch, t, d]);
        }
        let held = fork.edits.iter().filter(|edit| is_met(edit.site)).cloned();
        let mut hooks = Hooks::off().editing(held.chain(changes).collect());
        let x = match self {
            Self::Decoder(lm) => lm.resume(layer, x, batch, &mut hooks),
            Self::Encoder(encoder) => encoder.resume(layer, x, batch, &mut hooks),
            Self::Vision(vit) => vit.resume(layer, x, batch, &mut hooks),
        };
        self.scores_at(x, fork.position, &mut hooks)
    }

    /// The gradients, with respect to values inside, of how far the score of the first answer is above that of the second. Weights get
    /// none. `None` without a head.
    #[must_use]
    pub fn gradients(self, read: &Read, edits: Vec<SiteEdit>, sites: SiteSet, asked: &Asked) -> Option<SiteGradients> {
        let hooks = Hooks::off().editing(edits).with_gradients(sites);
        match self {
            Self::Decoder(lm) => Transformer::Decoder(&lm.clone().no_grad().train()).differentiated(read, hooks, asked),
            Self::Encoder(net) => {
                Transformer::Encoder(&net.clone().no_grad().train()).differentiated(read, hooks, asked)
            }
            Self::Vision(vit) => {
                let Read::Picture(pixels) = read else { panic!("a vision transformer reads pictures") };
                let read = Read::Picture(Box::new(Tensor::from_inner((**pixels).clone().inner())));
                Transformer::Vision(&vit.clone().no_grad().train()).differentiated(&read, hooks, asked)
            }
        }
    }

    fn differentiated(self, read: &Read, mut hooks: Hooks, asked: &Asked) -> Option<SiteGradients> {
        let stream = self.stream(read, &mut hooks);
        let scores = self.scores_at(stream, asked.position, &mut hooks)?;
        let [first, second] = asked.answers.map(|answer| scores.clone().narrow(1, answer as usize, 1));
        Some(hooks.gradients(&(first - second).flatten(0, 1)))
    }
}

/// What a gradient is of.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// The token at which scores are told; of a picture they are of the whole.
    pub position: usize,
    /// Two tokens, or two classes.
    pub answers: [u32; 2],
}

/// The change that gives each sequence values of its own at a site, `[B, ..]`.
#[must_use]
pub fn set<const D: usize>(site: Site, values: Tensor<D>) -> SiteEdit {
    SiteEdit::whole(site, Change::Set(Box::new(SiteValue::of_batch(values))))
}

/// Values `[B, ..]` of as many sequences as there are places: those of `base` `[1, ..]`, but at the place of each sequence along an axis
/// those of `other`.
#[must_use]
pub fn mixed<const D: usize>(base: &Tensor<D>, other: &Tensor<D>, axis: usize, places: &[usize]) -> Tensor<D> {
    let (mut whole, mut shape) = (base.dims(), [1; D]);
    let count = whole[axis];
    (whole[0], shape[0], shape[axis]) = (places.len(), places.len(), count);
    let flags: Vec<bool> = places.iter().flat_map(|place| (0..count).map(move |at| at == *place)).collect();
    let mask = Tensor::<D, Bool>::from_data(TensorData::new(flags, shape), &base.device());
    base.clone().expand(whole).mask_where(mask.expand(whole), other.clone().expand(whole))
}
