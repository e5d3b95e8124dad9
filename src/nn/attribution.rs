//! What the score of a token, or of a class, is made of: direct logit attribution, in F64 on the host.
//!
//! D model width, H heads, K head width, V vocabulary, L classes. R rows of the stream are scored: the last token, or of a picture the
//! special tokens, each by a head of its own; the score is the mean over them.

use crate::nn::layers::linear::in_f32;
use crate::nn::layers::norm::RmsNorm;
use crate::nn::layers::weight::Weight;
use crate::nn::steps::parts::{Exit, Norm, Transformer, host, row};
use crate::nn::{CausalLm, DecoderState, Hooks, SiteEdit, Vit};
use crate::types::{AddedPart, Site, SiteSet};
use burn::tensor::Tensor;

/// A pass at the end of which something is scored.
#[derive(Clone)]
pub enum ScoredPass<'a> {
    /// The next token behind ids `[T]`.
    Tokens(&'a CausalLm, &'a [u32]),
    /// The classes of a picture `[1, U, H, W]` with U colour channels.
    Picture(&'a Vit, Box<Tensor<4>>),
}

/// What was found.
pub struct Attributed {
    /// In the order in which they are added.
    pub parts: Vec<(AddedPart, f64)>,
    /// What the model says of it.
    pub scored: Scored,
}

/// What a model says of a token or a class above another one, or above the mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// The scores of the model: of the one, and of the other one or the mean over all.
    pub scores: [f64; 2],
    /// The difference of both before the cap, if there is one.
    pub score: f64,
}

/// A pass that was made, and what it left for taking its scores apart.
pub struct Passed<'a> {
    pass: ScoredPass<'a>,
    /// All scores, `[V]`.
    pub logits: Vec<f64>,
    hooks: Hooks,
}

/// All scores of a pass, `[V]`.
///
/// # Panics
/// As [`Passed::new`].
#[must_use]
pub fn logits(pass: &ScoredPass<'_>, edits: Vec<SiteEdit>) -> Vec<f64> {
    run(pass, edits, SiteSet::default()).0
}

/// What scores say of one above another one, or without it above the mean of all.
///
/// # Panics
/// When one of them is not there.
#[must_use]
pub fn scored(pass: &ScoredPass<'_>, logits: &[f64], one: u32, against: Option<u32>) -> Scored {
    let other = |logits: &[f64]| match against {
        Some(against) => logits[against as usize],
        None => logits.iter().sum::<f64>() / logits.len() as f64,
    };
    let uncapped: Vec<f64> = match pass.model().exit() {
        (_, Exit::Tokens { cap: Some(cap), .. }) => logits.iter().map(|logit| cap * (logit / cap).atanh()).collect(),
        _ => logits.to_vec(),
    };
    let scores = [logits[one as usize], other(logits)];
    Scored { scores, score: uncapped[one as usize] - other(&uncapped) }
}

impl<'a> Passed<'a> {
    /// Makes it.
    ///
    /// # Panics
    /// When there are no ids or more than the context holds, or the model of a picture has no classes.
    #[must_use]
    pub fn new(pass: ScoredPass<'a>, edits: Vec<SiteEdit>) -> Self {
        let layers = pass.model().layers();
        let sites = pass.sites().into_iter().filter(|site| is_read(*site, layers)).collect();
        let (logits, hooks) = run(&pass, edits, sites);
        Self { pass, logits, hooks }
    }

    /// The parts of the score of a token or a class, above that of another one or, without one, above the mean over all.
    ///
    /// # Panics
    /// When one of them is not there.
    #[must_use]
    pub fn attribute(self, one: u32, against: Option<u32>) -> Attributed {
        let Self { pass, logits, mut hooks } = self;
        let parts = parts(&pass, &mut hooks, one, against);
        Attributed { parts, scored: scored(&pass, &logits, one, against) }
    }
}

fn parts(pass: &ScoredPass<'_>, hooks: &mut Hooks, one: u32, against: Option<u32>) -> Vec<(AddedPart, f64)> {
    let (model, layers) = (pass.model(), pass.model().layers());
    let rows = pass.rows();
    let z: Vec<_> = (0..layers).map(|layer| hooks.take_kept(Site::Z(layer))).collect();
    // The rows that are scored, one after another, `[R, D]`.
    let mut stream = |site: Site| hooks.take_kept(site).map(|value| doubles(value.tensor::<3>().narrow(1, 0, rows)));

    let reader = Reader::new(model, one, against, &stream(Site::ResidPost(layers - 1)).unwrap_or_default());
    let mut parts = Vec::new();
    // What enters the first block less the position is the embedding, whatever the model makes of it before.
    let entering = stream(Site::ResidPre(0)).unwrap_or_default();
    let position = stream(Site::PosEmbed);
    let embedding = position.as_ref().map_or_else(|| entering.clone(), |position| less(&entering, position));
    parts.push((AddedPart::Embedding, reader.of(&embedding)));
    if let Some(position) = position {
        parts.push((AddedPart::Position, reader.of(&position)));
    }
    for (layer, z) in z.into_iter().enumerate() {
        let block = model.block(layer);
        let written = stream(Site::AttnOut(layer)).unwrap_or_default();
        // Where a normalisation stands behind attention, it scales what each head writes by what it makes of all of them.
        let (joined, behind) = match block.norm_attn_out {
            None => (written, None),
            Some(norm) => {
                let joined = stream(Site::AttnProj(layer)).unwrap_or_default();
                let scale = joined.chunks_exact(reader.width()).flat_map(|x| scale_of(norm, x)).collect::<Vec<_>>();
                (joined, Some(scale))
            }
        };
        let scaled = |x: Vec<f64>| match &behind {
            None => x,
            Some(scale) => x.iter().zip(scale).map(|(x, scale)| x * scale).collect(),
        };
        let mut shared = joined;
        if let Some(z) = z {
            let heads = doubles(pass.head_output(layer, z.tensor::<4>().narrow(2, 0, rows))); // [1, H, R, D]
            for (head, write) in heads.chunks_exact(shared.len()).enumerate() {
                shared = less(&shared, write);
                parts.push((AddedPart::Head { layer, head }, reader.of(&scaled(write.to_vec()))));
            }
        }
        if block.attn_out.bias.is_some() {
            parts.push((AddedPart::AttentionBias(layer), reader.of(&scaled(shared))));
        }
        let written = stream(Site::MlpOut(layer)).unwrap_or_default();
        parts.push((AddedPart::Mlp(layer), reader.of(&written)));
    }
    parts.extend(reader.bias_of_norm.map(|value| (AddedPart::NormBias, value)));
    parts.extend(reader.bias_of_head.map(|value| (AddedPart::HeadBias, value)));
    parts
}

/// Makes the pass; of tokens, nothing is kept but of the last.
fn run(pass: &ScoredPass<'_>, edits: Vec<SiteEdit>, sites: SiteSet) -> (Vec<f64>, Hooks) {
    match pass {
        ScoredPass::Tokens(lm, ids) => {
            let (last, before) = ids.split_last().expect("a token at which the score is told");
            let mut state: DecoderState = lm.new_state();
            if !before.is_empty() {
                let _ = lm.forward_cached(lm.ids(before), &mut state, &mut Hooks::off().editing(edits.clone()));
            }
            let mut hooks = Hooks::off().keeping(sites).editing(edits);
            let logits = lm.forward_cached(lm.ids(&[*last]), &mut state, &mut hooks);
            (doubles(logits), hooks)
        }
        ScoredPass::Picture(vit, pixels) => {
            let mut hooks = Hooks::off().keeping(sites).editing(edits);
            let logits = vit.forward(*pixels.clone(), &mut hooks).expect("a model that knows classes");
            (doubles(logits), hooks)
        }
    }
}

impl<'a> ScoredPass<'a> {
    fn model(&self) -> Transformer<'a> {
        match self {
            Self::Tokens(lm, _) => Transformer::Decoder(lm),
            Self::Picture(vit, _) => Transformer::Vision(vit),
        }
    }

    fn sites(&self) -> Vec<Site> {
        match self {
            Self::Tokens(lm, _) => lm.sites(),
            Self::Picture(vit, _) => vit.sites(),
        }
    }

    /// Rows R that are scored, of those that are kept the first.
    fn rows(&self) -> usize {
        match self {
            Self::Tokens(..) => 1,
            Self::Picture(vit, _) => vit.heads.len(),
        }
    }

    /// `[1, H, R, K]` → `[1, H, R, D]`.
    fn head_output(&self, layer: usize, z: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Tokens(lm, _) => lm.head_output(layer, z),
            Self::Picture(vit, _) => vit.head_output(layer, z),
        }
    }
}

fn is_read(site: Site, layers: usize) -> bool {
    match site {
        Site::PosEmbed | Site::Z(_) | Site::AttnProj(_) | Site::AttnOut(_) | Site::MlpOut(_) => true,
        Site::ResidPre(layer) => layer == 0,
        Site::ResidPost(layer) => layer + 1 == layers,
        _ => false,
    }
}

/// What a part adds to the score.
struct Reader {
    /// Of each row, γ u / s: the direction of the score as the last normalisation scales it, `[R][D]`.
    directions: Vec<Vec<f64>>,
    /// True where the mean of a part is taken off first.
    is_centred: bool,
    bias_of_norm: Option<f64>,
    bias_of_head: Option<f64>,
}

impl Reader {
    /// `end` is the stream behind the last block, `[R, D]`.
    fn new(model: Transformer<'_>, one: u32, against: Option<u32>, end: &[f64]) -> Self {
        let (norm, exit) = model.exit();
        let above = |table: &Weight| {
            let of = |token: u32| row(table, token as usize).into_iter().map(f64::from).collect::<Vec<_>>();
            less(&of(one), &against.map_or_else(|| doubles(in_f32(table.val()).mean_dim(0)), of))
        };
        let (u, bias_of_head): (Vec<Vec<f64>>, Option<f64>) = match exit {
            Exit::Tokens { weight, .. } => (vec![above(weight)], None),
            Exit::Classes(heads) => {
                let share = |u: Vec<f64>| u.into_iter().map(|u| u / heads.len() as f64).collect();
                let biases = heads.iter().filter_map(|head| Some(doubles(head.bias.as_ref()?.val())));
                let mean = |bias: &[f64]| bias.iter().sum::<f64>() / bias.len() as f64;
                let above_of = |bias: Vec<f64>| {
                    bias[one as usize] - against.map_or_else(|| mean(&bias), |against| bias[against as usize])
                };
                let biases: Vec<f64> = biases.map(above_of).collect();
                let bias = (!biases.is_empty()).then(|| biases.iter().sum::<f64>() / heads.len() as f64);
                (heads.iter().map(|head| share(above(&head.weight))).collect(), bias)
            }
            Exit::None | Exit::Masked { .. } => unreachable!("a model that scores what comes next, or classes"),
        };
        let width = u.first().map_or(0, Vec::len);
        let (gain, bias, is_centred) = match norm {
            Some(Norm::Layer(norm)) => (doubles(norm.gain.val()), Some(doubles(norm.bias.val())), true),
            Some(Norm::Rms(norm)) => (gain_of(norm), None, false),
            None => (vec![1.0; width], None, false),
        };
        let directions = u.iter().zip(end.chunks_exact(width.max(1))).map(|(u, end)| {
            let s = norm.map_or(1.0, |norm| spread(norm, end));
            u.iter().zip(&gain).map(|(u, gain)| u * gain / s).collect()
        });
        Self {
            directions: directions.collect(),
            is_centred,
            bias_of_norm: bias.map(|bias| u.iter().flat_map(|u| bias.iter().zip(u)).map(|(bias, u)| bias * u).sum()),
            bias_of_head,
        }
    }

    fn width(&self) -> usize {
        self.directions.first().map_or(1, Vec::len)
    }

    /// Of what is added to each row, `[R, D]`.
    fn of(&self, part: &[f64]) -> f64 {
        let of_row = |(direction, part): (&Vec<f64>, &[f64])| {
            let mean = if self.is_centred { part.iter().sum::<f64>() / part.len() as f64 } else { 0.0 };
            direction.iter().zip(part).map(|(direction, x)| direction * (x - mean)).sum::<f64>()
        };
        self.directions.iter().zip(part.chunks_exact(self.width())).map(of_row).sum()
    }
}

/// What a normalisation divides a vector by.
fn spread(norm: Norm<'_>, x: &[f64]) -> f64 {
    let count = x.len() as f64;
    let (mean, epsilon) = match norm {
        Norm::Layer(norm) => (x.iter().sum::<f64>() / count, norm.epsilon),
        Norm::Rms(norm) => (0.0, norm.epsilon),
    };
    (x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count + epsilon).sqrt()
}

/// What a normalisation multiplies each number of a vector by.
fn scale_of(norm: Norm<'_>, x: &[f64]) -> Vec<f64> {
    let s = spread(norm, x);
    let gain = match norm {
        Norm::Layer(norm) => doubles(norm.gain.val()),
        Norm::Rms(norm) => gain_of(norm),
    };
    gain.into_iter().map(|gain| gain / s).collect()
}

fn gain_of(norm: &RmsNorm) -> Vec<f64> {
    doubles(norm.gain.val()).into_iter().map(|gain| gain + norm.base_gain).collect()
}

fn less(x: &[f64], y: &[f64]) -> Vec<f64> {
    x.iter().zip(y).map(|(x, y)| x - y).collect()
}

fn doubles<const D: usize>(x: Tensor<D>) -> Vec<f64> {
    host(x).into_iter().map(f64::from).collect()
}
