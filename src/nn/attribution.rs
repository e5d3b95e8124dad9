//! What the score of a token is made of: direct logit attribution, in F64 on the host.
//!
//! D model width, H heads, K head width, V vocabulary.

use crate::nn::layers::linear::in_f32;
use crate::nn::layers::norm::RmsNorm;
use crate::nn::steps::parts::{Exit, Norm, host, row};
use crate::nn::{CausalLm, DecoderState, Hooks, SiteEdit};
use crate::types::{AddedPart, Site, SiteSet};
use burn::tensor::Tensor;

/// What was found at one token.
pub struct Attributed {
    /// In the order in which they are added.
    pub parts: Vec<(AddedPart, f64)>,
    /// The scores of the model: of the token, and of the other one or the mean over the vocabulary.
    pub scores: [f64; 2],
    /// The difference of both before the cap, if there is one.
    pub score: f64,
}

/// The parts of the score of `token` at the last of the ids `[T]`, above that of another token or, without one, above the mean over
/// the vocabulary.
///
/// # Panics
/// When there are no ids or more than the context holds, or a token is not in the vocabulary.
#[must_use]
pub fn attribute(lm: &CausalLm, ids: &[u32], token: u32, against: Option<u32>, edits: Vec<SiteEdit>) -> Attributed {
    let (last, before) = ids.split_last().expect("a token at which the score is told");
    let mut state: DecoderState = lm.new_state();
    if !before.is_empty() {
        let _ = lm.forward_cached(lm.ids(before), &mut state, &mut Hooks::off().editing(edits.clone()));
    }
    // The last token alone: of all others nothing is kept.
    let sites: SiteSet = lm.sites().into_iter().filter(|site| is_read(*site, lm.layers())).collect();
    let mut hooks = Hooks::off().keeping(sites).editing(edits);
    let logits = doubles(lm.forward_cached(lm.ids(&[*last]), &mut state, &mut hooks));
    let z: Vec<_> = (0..lm.layers()).map(|layer| hooks.take_kept(Site::Z(layer))).collect();
    let mut stream = |site: Site| hooks.take_kept(site).map(|value| doubles(value.tensor::<3>()));

    let reader = Reader::new(lm, token, against, &stream(Site::ResidPost(lm.layers() - 1)).unwrap_or_default());
    let mut parts = Vec::new();
    // What enters the first block less the position is the embedding, whatever the model makes of it before.
    let entering = stream(Site::ResidPre(0)).unwrap_or_default();
    let position = stream(Site::PosEmbed);
    let embedding = position.as_ref().map_or_else(|| entering.clone(), |position| less(&entering, position));
    parts.push((AddedPart::Embedding, reader.of(&embedding)));
    if let Some(position) = position {
        parts.push((AddedPart::Position, reader.of(&position)));
    }
    for layer in 0..lm.layers() {
        let block = lm.block_parts(layer);
        let written = stream(Site::AttnOut(layer)).unwrap_or_default();
        // Where a normalisation stands behind attention, it scales what each head writes by what it makes of all of them.
        let (joined, behind) = match block.norm_attn_out {
            None => (written, None),
            Some(norm) => {
                let joined = stream(Site::AttnProj(layer)).unwrap_or_default();
                let scale = scale_of(norm, &joined);
                (joined, Some(scale))
            }
        };
        let scaled = |x: Vec<f64>| match &behind {
            None => x,
            Some(scale) => x.iter().zip(scale).map(|(x, scale)| x * scale).collect(),
        };
        let mut shared = joined;
        if let Some(z) = &z[layer] {
            let heads = doubles(lm.head_output(layer, z.tensor::<4>())); // [1, H, 1, D]
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

    let cap = reader.cap;
    let other = |logits: &[f64]| match against {
        Some(against) => logits[against as usize],
        None => logits.iter().sum::<f64>() / logits.len() as f64,
    };
    let scores = [logits[token as usize], other(&logits)];
    let uncapped: Vec<f64> = match cap {
        Some(cap) => logits.iter().map(|logit| cap * (logit / cap).atanh()).collect(),
        None => logits,
    };
    Attributed { parts, scores, score: uncapped[token as usize] - other(&uncapped) }
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
    /// γ u / s: the direction of the score as the last normalisation scales it, `[D]`.
    direction: Vec<f64>,
    /// True where the mean of a part is taken off first.
    is_centred: bool,
    bias_of_norm: Option<f64>,
    cap: Option<f64>,
}

impl Reader {
    /// `end` is the stream behind the last block, `[D]`.
    fn new(lm: &CausalLm, token: u32, against: Option<u32>, end: &[f64]) -> Self {
        let (norm, exit) = lm.exit();
        let Exit::Tokens { weight, cap } = exit else { unreachable!("a causal model scores tokens") };
        let of = |token: u32| row(weight, token as usize).into_iter().map(f64::from).collect::<Vec<_>>();
        let other = against.map_or_else(|| doubles(in_f32(weight.val()).mean_dim(0)), of);
        let u = less(&of(token), &other);
        let (gain, bias, is_centred) = match norm {
            Some(Norm::Layer(norm)) => (doubles(norm.gain.val()), Some(doubles(norm.bias.val())), true),
            Some(Norm::Rms(norm)) => (gain_of(norm), None, false),
            None => (vec![1.0; u.len()], None, false),
        };
        let s = norm.map_or(1.0, |norm| spread(norm, end));
        Self {
            direction: u.iter().zip(&gain).map(|(u, gain)| u * gain / s).collect(),
            is_centred,
            bias_of_norm: bias.map(|bias| bias.iter().zip(&u).map(|(bias, u)| bias * u).sum()),
            cap,
        }
    }

    fn of(&self, part: &[f64]) -> f64 {
        let mean = if self.is_centred { part.iter().sum::<f64>() / part.len() as f64 } else { 0.0 };
        self.direction.iter().zip(part).map(|(direction, x)| direction * (x - mean)).sum()
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
