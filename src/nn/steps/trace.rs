//! One pass that keeps what one query's arithmetic needs, and the steps from its token to the scores.
//!
//! What a pass had is read back from it. What lies between two sites (a normalised stream, a query before its rotation) is made by
//! the model's own layers of what was read back; the next site tells whether it is right.
//!
//! T tokens, S tokens attended to, D model width, H heads, G key-value heads, K head width, V vocabulary.

use super::parts::{BlockParts, Exit, Norm, Transformer, host, vector};
use crate::nn::batch::encoder::EncoderBatch;
use crate::nn::hooks::{Hooks, SiteValue};
use crate::nn::layers::activation::gelu;
use crate::types::{AddedByBlock, PromptToken, Site, SiteSet, StepKind, StepValues, StepsReport};
use burn::tensor::Tensor;

/// What a pass reads.
pub enum StepsReads {
    /// The ids of the tokens.
    Tokens,
    /// Prepared pixels, `[1, U, height, width]` with U colour channels.
    Pixels(Box<Tensor<4>>),
}

/// Whose arithmetic is wanted.
pub struct StepsInput {
    /// The tokens, or names of the patches.
    pub tokens: Vec<PromptToken>,
    /// What is read.
    pub reads: StepsReads,
    /// The block.
    pub layer: usize,
    /// The head.
    pub head: usize,
    /// The token that looks.
    pub query: usize,
    /// The token that is looked at.
    pub key: usize,
}

/// Bytes that the values of a pass take which are kept until it is over.
#[must_use]
pub fn steps_bytes(model: Transformer<'_>, tokens: usize) -> usize {
    let (entry, block) = (model.entry(), model.block(0));
    let (width, hidden) = (entry.tokens.dims()[1], block.mlp_in.weight.dims()[0]);
    let patterns = 2 * block.rows.heads * tokens;
    let streams = (2 * model.layers() + 12) * width + 3 * hidden;
    patterns.saturating_add(streams).saturating_mul(tokens).saturating_mul(size_of::<f32>())
}

/// The steps of one query in one head. The likeliest tokens are left for somebody who knows their texts.
///
/// # Panics
/// When the model has no such block, head or token, or T exceeds its context.
#[must_use]
pub fn steps(model: Transformer<'_>, input: StepsInput) -> StepsReport {
    let layers = model.layers();
    let mut hooks = Hooks::off().keeping(kept(input.layer, layers));
    read(model, &input, &mut hooks);
    let pass = Pass { hooks, query: input.query, steps: Vec::new() };
    Tracer { block: model.block(input.layer), model, layers, input, pass, added: Vec::new() }.report()
}

/// The sites that tell of one head in one block, and of what its stream came from and became.
fn kept(layer: usize, layers: usize) -> SiteSet {
    let last = layers - 1;
    let of_all = (0..layers).flat_map(|l| [Site::AttnOut(l), Site::MlpOut(l)]);
    let of_some = [0, layer.saturating_sub(1), layer, last].into_iter();
    let of_some = of_some.flat_map(|l| [Site::ResidPre(l), Site::ResidMid(l), Site::ResidPost(l)]);
    let of_block = Site::all(layers).filter(|site| site.layer().is_none_or(|l| l == layer));
    of_all.chain(of_some).chain(of_block).collect()
}

/// The pass. Scores are made at the query alone where each token has its own.
fn read(model: Transformer<'_>, input: &StepsInput, hooks: &mut Hooks) {
    let ids: Vec<u32> = input.tokens.iter().map(|token| token.id).collect();
    match (model, &input.reads) {
        (Transformer::Decoder(lm), StepsReads::Tokens) => {
            let _noted = lm.logits_at(lm.ids(&ids), &[input.query], hooks);
        }
        (Transformer::Encoder(encoder), StepsReads::Tokens) => {
            let hidden = encoder.forward(&EncoderBatch::one(&ids), hooks).hidden; // [1, T, D]
            let _noted = encoder.logits(hidden.narrow(1, input.query, 1), hooks);
        }
        (Transformer::Vision(vit), StepsReads::Pixels(pixels)) => {
            let _noted = vit.forward((**pixels).clone(), hooks);
        }
        _ => panic!("a model that reads text was given a picture, or the other way round"),
    }
}

/// What was kept of a pass, and the steps found so far.
struct Pass {
    hooks: Hooks,
    query: usize,
    steps: Vec<StepValues>,
}

impl Pass {
    /// One token of a site `[T, ..]`.
    fn of_token(&mut self, site: Site, token: usize) -> Option<Vec<f32>> {
        let value: Tensor<3> = self.hooks.take_kept(site)?.tensor();
        Some(host(value.narrow(1, token, 1)))
    }

    /// One token of a site and another one's, which may be the same.
    fn of_tokens(&mut self, site: Site, tokens: [usize; 2]) -> Option<[Vec<f32>; 2]> {
        let value: Tensor<3> = self.hooks.take_kept(site)?.tensor();
        Some(tokens.map(|token| host(value.clone().narrow(1, token, 1))))
    }

    /// All tokens of one head of a site `[H, T, ..]`, or all heads of one token.
    fn of_heads(&mut self, site: Site) -> Tensor<4> {
        self.hooks.take_kept(site).as_ref().map(SiteValue::tensor).expect("every block has heads")
    }

    fn push(&mut self, kind: StepKind, site: impl Into<Option<Site>>, values: Vec<f32>) {
        self.steps.push(StepValues { kind, site: site.into(), values: values.into() });
    }

    /// A step that the pass had at the query's token.
    fn push_site(&mut self, kind: StepKind, site: Site) {
        if let Some(values) = self.of_token(site, self.query) {
            self.push(kind, site, values);
        }
    }

    fn values(&self, kind: StepKind) -> Option<&[f32]> {
        self.steps.iter().find(|step| step.kind == kind).map(|step| &*step.values)
    }

    /// The first of these steps that there is.
    fn first(&self, kinds: &[StepKind]) -> Vec<f32> {
        let found = kinds.iter().find_map(|kind| self.values(*kind));
        found.expect("the stream has a value everywhere").to_vec()
    }
}

/// Where the stream entering the block is found.
const STREAM: [StepKind; 2] = [StepKind::Stream, StepKind::Entered];
/// Where the stream is found that the MLP reads: that of attention where both read the same.
const MLP_READS: [StepKind; 3] = [StepKind::Mid, StepKind::Stream, StepKind::Entered];

struct Tracer<'a> {
    model: Transformer<'a>,
    block: BlockParts<'a>,
    layers: usize,
    input: StepsInput,
    pass: Pass,
    added: Vec<AddedByBlock>,
}

impl Tracer<'_> {
    fn report(mut self) -> StepsReport {
        let positions = self.positions();
        self.enter(&positions);
        self.added = self.added();
        let rotated_by = self.rotated_by();
        self.query_and_key();
        let (keys, values) = self.keys_and_values();
        self.scores(&keys);
        let z = self.output();
        self.mlp();
        self.exit();
        let (rows, absent) = (self.block.rows, self.absent());
        let StepsInput { tokens, layer, head, query, key, .. } = self.input;
        let group = rows.heads / rows.kv_heads;
        StepsReport {
            tokens,
            layer,
            head,
            kv_head: head / group,
            group,
            layers: self.layers,
            query,
            key,
            steps: self.pass.steps,
            absent,
            keys: keys.into(),
            values: values.into(),
            z: z.into(),
            added: self.added,
            rotated_by,
            frequencies: self.block.rope.map_or_else(Vec::new, |rope| rope.per_position().to_vec()),
            positions: positions.into(),
            scale: self.block.scoring.scale(rows.width),
            top: Vec::new(),
        }
    }

    /// The learned vectors of all positions, where there are any.
    fn positions(&mut self) -> Vec<f32> {
        let value = self.pass.hooks.take_kept(Site::PosEmbed);
        value.map_or_else(Vec::new, |value| host(value.tensor::<3>()))
    }

    /// Embeddings, and the stream up to the block.
    fn enter(&mut self, positions: &[f32]) {
        let (entry, query) = (self.model.entry(), self.input.query);
        if let (Some(_), Transformer::Vision(vit), StepsReads::Pixels(pixels)) =
            (entry.patches, self.model, &self.input.reads)
        {
            let special = entry.tokens.dims()[0];
            if query < special {
                let vector = entry.tokens.row(query);
                self.pass.push(StepKind::Embed, None, vector);
            } else {
                let patches = vit.cut((**pixels).clone()); // [1, R·C, U·P·P]
                self.pass.push(StepKind::Pixels, None, host(patches.narrow(1, query - special, 1)));
                let embedded = self.pass.of_token(Site::Embed, query - special).expect("patches have vectors");
                self.pass.push(StepKind::Embed, Site::Embed, embedded);
            }
        } else {
            self.pass.push_site(StepKind::Embed, Site::Embed);
        }
        self.pass.push_site(StepKind::TokenType, Site::TokenTypeEmbed);
        if !positions.is_empty() {
            let width = positions.len() / self.input.tokens.len();
            let own = positions[query * width..(query + 1) * width].to_vec();
            self.pass.push(StepKind::Position, Site::PosEmbed, own);
        }
        if entry.norm.is_some() {
            let parts = [StepKind::Embed, StepKind::TokenType, StepKind::Position].map(|kind| self.pass.values(kind));
            let sum = sum_of(parts.into_iter().flatten());
            self.pass.push(StepKind::EmbedSum, None, sum);
        }
        let (layer, tokens) = (self.input.layer, [query, self.input.key]);
        let [entered, of_key] = self.pass.of_tokens(Site::ResidPre(0), tokens).expect("blocks read a stream");
        self.pass.push(StepKind::Entered, Site::ResidPre(0), entered);
        let of_key = if layer == 0 {
            of_key
        } else {
            let [stream, of_key] = self.pass.of_tokens(Site::ResidPre(layer), tokens).expect("blocks read a stream");
            self.pass.push(StepKind::Stream, Site::ResidPre(layer), stream);
            of_key
        };
        self.norm(StepKind::NormAttn, self.block.norm_attn, &STREAM);
        self.pass.push(StepKind::KeyStream, Site::ResidPre(layer), of_key);
        self.norm(StepKind::KeyNormAttn, self.block.norm_attn, &[StepKind::KeyStream]);
    }

    /// What a normalisation makes of the first of these steps that there is.
    fn norm(&mut self, kind: StepKind, norm: Option<Norm<'_>>, of: &[StepKind]) {
        if let Some(norm) = norm {
            let values = norm.of(&self.pass.first(of));
            self.pass.push(kind, None, values);
        }
    }

    /// What every block gave to the query's stream.
    fn added(&mut self) -> Vec<AddedByBlock> {
        let (query, layer, last) = (self.input.query, self.input.layer, self.layers - 1);
        let normalises_behind = self.block.norm_post.is_some();
        let of = |l: usize| {
            let attn = self.pass.of_token(Site::AttnOut(l), query).expect("blocks attend");
            let mlp = self.pass.of_token(Site::MlpOut(l), query).expect("blocks have an MLP");
            let is_needed = normalises_behind && l != layer && (l + 1 == layer || l == last);
            let mid = if is_needed { self.pass.of_token(Site::ResidMid(l), query) } else { None };
            AddedByBlock { attn, mlp, mid: mid.unwrap_or_default() }
        };
        (0..self.layers).map(of).collect()
    }

    fn rotated_by(&mut self) -> Option<[f32; 2]> {
        let positions: Tensor<2> = self.pass.hooks.take_kept(Site::Rotary)?.tensor(); // [1, T]
        let positions = host(positions);
        Some([positions[self.input.query], positions[self.input.key]])
    }

    /// The query, and the chosen key and value, from the normalised stream on.
    fn query_and_key(&mut self) {
        let (layer, head, rows) = (self.input.layer, self.input.head, self.block.rows);
        let kv_head = head / (rows.heads / rows.kv_heads);
        let part = |all: &[f32], start: usize| all[start..start + rows.width].to_vec();
        let of_query = self.block.qkv.of(&self.pass.first(&[StepKind::NormAttn, StepKind::Stream, StepKind::Entered]));
        let of_key = self.block.qkv.of(&self.pass.first(&[StepKind::KeyNormAttn, StepKind::KeyStream]));
        let [norm_q, norm_k] = self.block.head_norms.map_or([None, None], |norms| norms.map(|n| Some(Norm::Rms(n))));
        let is_projection = self.block.rope.is_none() && norm_q.is_none();
        let query = self.pass.of_heads(Site::Q(layer)).narrow(1, head, 1).narrow(2, self.input.query, 1);
        if !is_projection {
            self.pass.push(StepKind::QueryProjected, None, part(&of_query, rows.query(head)));
            self.norm(StepKind::QueryNormed, norm_q, &[StepKind::QueryProjected]);
        }
        self.pass.push(StepKind::Query, Site::Q(layer), host(query));
        if !is_projection {
            self.pass.push(StepKind::KeyProjected, None, part(&of_key, rows.key(kv_head)));
            self.norm(StepKind::KeyNormed, norm_k, &[StepKind::KeyProjected]);
        }
    }

    /// Keys and values of the head, `[S, K]`; the chosen ones are steps.
    fn keys_and_values(&mut self) -> (Vec<f32>, Vec<f32>) {
        let (layer, rows, key) = (self.input.layer, self.block.rows, self.input.key);
        let kv_head = self.input.head / (rows.heads / rows.kv_heads);
        let keys = host(self.pass.of_heads(Site::K(layer)).narrow(1, kv_head, 1));
        let values = host(self.pass.of_heads(Site::V(layer)).narrow(1, kv_head, 1));
        let of_key = |all: &[f32]| all[key * rows.width..(key + 1) * rows.width].to_vec();
        self.pass.push(StepKind::Key, Site::K(layer), of_key(&keys));
        self.pass.push(StepKind::Value, Site::V(layer), of_key(&values));
        (keys, values)
    }

    /// Products, scores and weights of the query.
    fn scores(&mut self, keys: &[f32]) {
        let (layer, head) = (self.input.layer, self.input.head);
        let (scoring, width) = (self.block.scoring, self.block.rows.width);
        let query = self.pass.first(&[StepKind::Query]);
        let product = |key: &[f32]| query.iter().zip(key).map(|(q, k)| f64::from(*q) * f64::from(*k)).sum::<f64>();
        let products: Vec<f64> = keys.chunks_exact(width).map(product).collect();
        let scaled: Vec<f64> = products.iter().map(|product| product * scoring.scale(width)).collect();
        let in_f32 = |values: &[f64]| values.iter().map(|value| *value as f32).collect();
        self.pass.push(StepKind::Product, None, in_f32(&products));
        self.pass.push(StepKind::Scaled, None, in_f32(&scaled));
        if let Some(cap) = scoring.softcap {
            let capped = scaled.iter().map(|score| (cap * (score / cap).tanh()) as f32).collect();
            self.pass.push(StepKind::Capped, None, capped);
        }
        for (kind, site) in [(StepKind::Scores, Site::Scores(layer)), (StepKind::Pattern, Site::Pattern(layer))] {
            let row = self.pass.of_heads(site).narrow(1, head, 1).narrow(2, self.input.query, 1);
            self.pass.push(kind, site, host(row));
        }
    }

    /// From the weighted values to the stream; gives those of all heads.
    fn output(&mut self) -> Vec<f32> {
        let (layer, head, rows) = (self.input.layer, self.input.head, self.block.rows);
        let z = self.pass.of_heads(Site::Z(layer)).narrow(2, self.input.query, 1); // [1, H, 1, K]
        let given = self.block.attn_out.of_each_head(z.clone()).narrow(1, head, 1); // [1, 1, 1, D]
        let z = host(z);
        self.pass.push(StepKind::Weighted, Site::Z(layer), z[head * rows.width..(head + 1) * rows.width].to_vec());
        self.pass.push(StepKind::HeadOutput, None, host(given));
        self.pass.push_site(StepKind::AttnProj, Site::AttnProj(layer));
        let attn = self.added[layer].attn.clone();
        self.pass.push(StepKind::AttnOut, Site::AttnOut(layer), attn);
        if self.block.norm_mid.is_some() {
            let sum = sum_of([&*self.pass.first(&STREAM), &*self.pass.first(&[StepKind::AttnOut])]);
            self.pass.push(StepKind::AttnSum, None, sum);
        }
        self.pass.push_site(StepKind::Mid, Site::ResidMid(layer));
        z
    }

    /// The MLP, and the stream up to the end of the last block.
    fn mlp(&mut self) {
        let layer = self.input.layer;
        self.norm(StepKind::NormMlp, self.block.norm_mlp, &MLP_READS);
        self.pass.push_site(StepKind::MlpPre, Site::MlpPre(layer));
        if self.block.gated {
            let both = self.block.mlp_in.of(&self.pass.first(&[StepKind::NormMlp, StepKind::Mid]));
            self.pass.push(StepKind::MlpUp, None, both[both.len() / 2..].to_vec());
        }
        self.pass.push_site(StepKind::MlpPost, Site::MlpPost(layer));
        self.pass.push_site(StepKind::MlpProj, Site::MlpProj(layer));
        let mlp = self.added[layer].mlp.clone();
        self.pass.push(StepKind::MlpOut, Site::MlpOut(layer), mlp);
        if self.block.norm_post.is_some() {
            let sum = sum_of([&*self.pass.first(&[StepKind::Mid]), &*self.pass.first(&[StepKind::MlpOut])]);
            self.pass.push(StepKind::MlpSum, None, sum);
        }
        self.pass.push_site(StepKind::Post, Site::ResidPost(layer));
        if layer + 1 < self.layers {
            self.pass.push_site(StepKind::Last, Site::ResidPost(self.layers - 1));
        }
    }
    /// Last normalisation, head and scores.
    fn exit(&mut self) {
        let (_, exit) = self.model.exit();
        let final_norms: Option<Tensor<3>> = self.pass.hooks.take_kept(Site::LnFinal).map(|value| value.tensor());
        if let Some(normed) = &final_norms {
            // Where scores are made at the query alone, so is their normalisation.
            let place = if normed.dims()[1] == 1 { 0 } else { self.input.query };
            self.pass.push(StepKind::LnFinal, Site::LnFinal, host(normed.clone().narrow(1, place, 1)));
        }
        match exit {
            Exit::None => return,
            Exit::Tokens { .. } => {}
            Exit::Masked { head, .. } => {
                let dense = head.dense.of(&self.pass.first(&[StepKind::Last, StepKind::Post]));
                let activated = host(gelu(vector(&dense, &head.dense.weight.device())));
                let normed = Norm::Layer(&head.norm).of(&activated);
                self.pass.push(StepKind::HeadDense, None, dense);
                self.pass.push(StepKind::HeadActivated, None, activated);
                self.pass.push(StepKind::HeadNorm, None, normed);
            }
            Exit::Classes(heads) => {
                let normed = final_norms.expect("a vision transformer ends with a normalisation");
                self.pass.push(StepKind::ClassInput, Site::LnFinal, host(normed.narrow(1, 0, heads.len())));
            }
        }
        if let Some(logits) = self.pass.hooks.take_kept(Site::Logits) {
            let count: usize = logits.shape().iter().product();
            let logits: Tensor<3> = Tensor::reshape(logits.tensor::<3>(), [1, 1, count]);
            self.pass.push(StepKind::Logits, Site::Logits, host(logits));
        }
    }

    /// What others have here and this model has not.
    fn absent(&self) -> Vec<(StepKind, &'static str)> {
        let (entry, (last_norm, exit), block) = (self.model.entry(), self.model.exit(), &self.block);
        let all = [
            (
                entry.positions.is_none(),
                StepKind::Position,
                "No learned positions: queries and keys are rotated by theirs.",
            ),
            (
                block.norm_attn.is_none(),
                StepKind::NormAttn,
                "Not normalised before attention: each half of a block ends with it.",
            ),
            (
                block.rope.is_none(),
                StepKind::QueryProjected,
                "Not rotated: the position was added to the token's vector.",
            ),
            (block.parallel, StepKind::Mid, "Attention and MLP read the same stream; nothing lies between them."),
            (
                block.norm_mlp.is_none(),
                StepKind::NormMlp,
                "Not normalised before the MLP: the stream was, behind attention.",
            ),
            (last_norm.is_none(), StepKind::LnFinal, "No last norm: the last block ends with one."),
            (
                matches!(exit, Exit::None),
                StepKind::Logits,
                "No head: the pass ends with one vector a token, which scores nothing.",
            ),
        ];
        all.into_iter().filter(|(is_absent, ..)| *is_absent).map(|(_, kind, words)| (kind, words)).collect()
    }
}

/// The sum of vectors, as a pass adds them.
fn sum_of<'v>(vectors: impl IntoIterator<Item = &'v [f32]>) -> Vec<f32> {
    let add = |sum: Vec<f32>, x: &[f32]| sum.iter().zip(x).map(|(a, b)| a + b).collect();
    let mut vectors = vectors.into_iter();
    let first = vectors.next().map(<[f32]>::to_vec).unwrap_or_default();
    vectors.fold(first, add)
}
