//! The terms of one number of a step: what came in, times its weight, and the number that follows, in F64.

use super::functions;
use super::parts::{BlockParts, Entry, Exit, Norm, Table, Transformer, entry_of, row};
use crate::nn::layers::linear::Linear;
use crate::types::{StepKind, StepsReport, Term, TermsReport};

/// How a number follows from the sum of its terms.
enum Then {
    /// It is the sum.
    Nothing,
    /// c · tanh(sum / c).
    Cap(f64),
    /// This over the sum.
    Share(f64),
    /// The activation of the sum.
    Activation(functions::Function),
}

/// A sum on its way to a report.
struct Draft {
    formula: String,
    terms: Vec<Term>,
    then: Then,
    facts: Vec<(&'static str, f64)>,
}

impl Draft {
    fn new(formula: impl Into<String>, terms: Vec<Term>) -> Self {
        Self { formula: formula.into(), terms, then: Then::Nothing, facts: Vec::new() }
    }

    fn then(self, then: Then) -> Self {
        Self { then, ..self }
    }

    fn facts(self, facts: Vec<(&'static str, f64)>) -> Self {
        Self { facts, ..self }
    }
}

/// The terms of one number; `None` where the model has no such step, or the step no such number.
#[must_use]
pub fn terms(model: Transformer<'_>, report: &StepsReport, kind: StepKind, index: usize) -> Option<TermsReport> {
    let value = *report.values_of(kind).get(index)?;
    let draft = Explainer { block: model.block(report.layer), model, report, index }.draft(kind);
    let sum: f64 = draft.terms.iter().map(|term| term.value).sum();
    let made = match draft.then {
        _ if draft.terms.is_empty() => f64::from(value),
        Then::Nothing => sum,
        Then::Cap(cap) => cap * (sum / cap).tanh(),
        Then::Share(part) => part / sum,
        Then::Activation(function) => function.of(sum),
    };
    let (count, magnitude) = (draft.terms.len(), draft.terms.iter().map(|term| term.value.abs()).sum());
    let mut terms = draft.terms;
    terms.sort_by(|a, b| b.value.abs().total_cmp(&a.value.abs()));
    terms.truncate(TermsReport::MOST);
    let (formula, facts) = (draft.formula, draft.facts);
    Some(TermsReport { kind, index, value, formula, terms, count, sum, magnitude, made, facts })
}

fn one(name: impl Into<String>, value: f64) -> Term {
    Term { name: name.into(), factors: None, value, from: None }
}

fn product(name: impl Into<String>, number: f64, weight: f64) -> Term {
    Term { name: name.into(), factors: Some([number, weight]), value: number * weight, from: None }
}

/// Says of which number of the steps a term comes.
fn of(kind: StepKind, index: usize, term: Term) -> Term {
    Term { from: Some((kind, index)), ..term }
}

/// Each number of a step times its weight, and the bias.
fn products(
    (kind, numbers): (StepKind, &[f32]),
    weights: &[f32],
    name: impl Fn(usize) -> String,
    bias: Option<f64>,
) -> Vec<Term> {
    let pairs = numbers.iter().zip(weights).enumerate();
    let term = |(i, (number, weight)): (usize, (&f32, &f32))| {
        of(kind, i, product(name(i), f64::from(*number), f64::from(*weight)))
    };
    pairs.map(term).chain(bias.map(|bias| one("bias", bias))).collect()
}

struct Explainer<'a> {
    model: Transformer<'a>,
    block: BlockParts<'a>,
    report: &'a StepsReport,
    index: usize,
}

impl Explainer<'_> {
    fn draft(&self, kind: StepKind) -> Draft {
        use StepKind as K;
        let (block, i) = (&self.block, self.index);
        match kind {
            K::Pixels => Draft::new("a pixel of the patch, prepared as the model wants it", Vec::new()),
            K::Embed => self.embedding(),
            K::TokenType => self.table_entry("row 0 of the table of token types", self.model.entry().types, 0),
            K::Position => self.position(),
            K::EmbedSum => self.added_up("the vectors, added", &[K::Embed, K::TokenType, K::Position]),
            K::Entered => match self.model.entry().norm {
                Some(norm) => self.normed(norm, &[K::EmbedSum]),
                None => self.added_up("the vectors, added", &[K::Embed, K::TokenType, K::Position]),
            },
            K::Stream => self.stream(K::Entered, 0, self.report.layer),
            K::NormAttn => self.normed_by(block.norm_attn, &[K::Stream, K::Entered]),
            K::KeyNormAttn => self.normed_by(block.norm_attn, &[K::KeyStream]),
            K::KeyStream => Draft::new("choose the key's token as the one that looks to see what made it", Vec::new()),
            K::QueryProjected => self.query_projection(),
            K::KeyProjected => self.key_projection(block.rows.key(self.report.kv_head)),
            K::Value => self.key_projection(block.rows.value(self.report.kv_head)),
            K::QueryNormed => self.normed_by(self.head_norm(0), &[K::QueryProjected]),
            K::KeyNormed => self.normed_by(self.head_norm(1), &[K::KeyProjected]),
            K::Query => match self.unrotated(&[K::QueryNormed, K::QueryProjected]) {
                Some(before) => self.rotated(before, 0),
                None => self.query_projection(),
            },
            K::Key => match self.unrotated(&[K::KeyNormed, K::KeyProjected]) {
                Some(before) => self.rotated(before, 1),
                None => self.key_projection(block.rows.key(self.report.kv_head)),
            },
            K::Product => self.dot(),
            K::Scaled => Draft::new(
                "q·k times the scale",
                vec![of(K::Product, i, product("q·k", self.number(K::Product, i), self.report.scale))],
            ),
            K::Capped => {
                let cap = block.scoring.softcap.unwrap_or(1.0);
                Draft::new(
                    format!("{cap} · tanh(scaled / {cap})"),
                    vec![of(K::Scaled, i, one("scaled", self.number(K::Scaled, i)))],
                )
                .then(Then::Cap(cap))
            }
            K::Scores => self.score(),
            K::Pattern => self.softmax(),
            K::Weighted => self.weighted(),
            K::HeadOutput => self.head_output(),
            K::AttnProj => self.of_all_heads(),
            K::AttnOut => match block.norm_attn_out {
                Some(norm) => self.normed(norm, &[K::AttnProj]),
                None => self.of_all_heads(),
            },
            K::AttnSum => self.added_up("stream and attention, added", &[self.stream_in(), K::AttnOut]),
            K::Mid => match block.norm_mid {
                Some(norm) => self.normed(norm, &[K::AttnSum]),
                None => self.added_up("stream and attention, added", &[self.stream_in(), K::AttnOut]),
            },
            K::NormMlp if block.parallel => self.normed_by(block.norm_mlp, &[K::Stream, K::Entered]),
            K::NormMlp => self.normed_by(block.norm_mlp, &[K::Mid]),
            K::MlpPre => self.neuron(i),
            K::MlpUp => self.neuron(self.report.values_of(K::MlpUp).len() + i),
            K::MlpPost => self.activated(),
            K::MlpProj => self.of_all_neurons(),
            K::MlpOut => match block.norm_mlp_out {
                Some(norm) => self.normed(norm, &[K::MlpProj]),
                None => self.of_all_neurons(),
            },
            K::MlpSum => self.added_up("stream and MLP, added", &[K::Mid, K::MlpOut]),
            K::Post => match block.norm_post {
                Some(norm) => self.normed(norm, &[K::MlpSum]),
                None if block.parallel => {
                    self.added_up("stream, attention and MLP, added", &[self.stream_in(), K::AttnOut, K::MlpOut])
                }
                None => self.added_up("stream and MLP, added", &[K::Mid, K::MlpOut]),
            },
            K::Last => self.stream(K::Post, self.report.layer + 1, self.report.layers),
            K::LnFinal => self.normed_by(self.model.exit().0, &[K::Last, K::Post]),
            K::ClassInput => Draft::new("the special tokens after the last norm", Vec::new()),
            K::HeadDense | K::HeadActivated | K::HeadNorm | K::Logits => self.head(kind),
        }
    }

    fn number(&self, kind: StepKind, index: usize) -> f64 {
        self.report.values_of(kind).get(index).map_or(f64::NAN, |value| f64::from(*value))
    }

    /// The first of these steps that there is, with its numbers.
    fn first(&self, kinds: &[StepKind]) -> (StepKind, &[f32]) {
        let found = kinds.iter().find_map(|kind| self.report.step(*kind));
        found.map_or((kinds[0], &[]), |step| (step.kind, &*step.values))
    }

    fn stream_in(&self) -> StepKind {
        self.first(&[StepKind::Stream, StepKind::Entered]).0
    }

    fn token_name(&self, place: usize) -> String {
        let text = self.report.tokens.get(place).map_or("", |token| token.text.as_str());
        format!("{place} ‘{text}’")
    }

    fn added_up(&self, formula: &str, kinds: &[StepKind]) -> Draft {
        let there = kinds.iter().filter_map(|kind| Some((*kind, *self.report.values_of(*kind).get(self.index)?)));
        Draft::new(
            formula,
            there.map(|(kind, value)| of(kind, self.index, one(kind.title(), f64::from(value)))).collect(),
        )
    }

    fn table_entry(
        &self,
        formula: impl Into<String>,
        table: Option<&burn::module::Param<burn::tensor::Tensor<2>>>,
        of_row: usize,
    ) -> Draft {
        let terms = table.map(|table| one("the table's entry", f64::from(Table::Param(table).row(of_row)[self.index])));
        Draft::new(formula, terms.into_iter().collect())
    }

    fn embedding(&self) -> Draft {
        let Entry { tokens, patches, factor, .. } = self.model.entry();
        let (place, i) = (self.report.query, self.index);
        if let (Some(patches), Some(pixels)) = (patches, self.report.step(StepKind::Pixels)) {
            let side = (pixels.values.len() as f64 / 3.0).sqrt() as usize;
            let name = |p: usize| {
                let (colour, at) = (["red", "green", "blue"][p / (side * side)], p % (side * side));
                format!("{colour}, row {}, column {}", at / side, at % side)
            };
            let terms = products((StepKind::Pixels, &pixels.values), &row(&patches.weight, i), name, bias(patches, i));
            return Draft::new("Σ pixel · weight + bias", terms);
        }
        let id = self.report.tokens.get(place).map_or(0, |token| token.id) as usize;
        let entry = f64::from(tokens.row(id)[i]);
        match factor {
            1.0 => Draft::new(format!("row {id} of the table of tokens"), vec![one("the table's entry", entry)]),
            _ => Draft::new(
                format!("row {id} of the table of tokens, times √D"),
                vec![product("the table's entry", entry, factor)],
            ),
        }
    }

    fn position(&self) -> Draft {
        let Entry { positions, behind, .. } = self.model.entry();
        let (tokens, query) = (&self.report.tokens, self.report.query);
        let place = match behind {
            // As RoBERTa counts: tokens that are no padding, from behind the padding's own place.
            Some(padding) if tokens[query].id == padding => padding as usize,
            Some(padding) => padding as usize + tokens[..=query].iter().filter(|token| token.id != padding).count(),
            None => query,
        };
        self.table_entry(format!("row {place} of the table of positions"), positions, place)
    }

    /// A stream that blocks `from..to` added to; where a block ends with a normalisation, what that made.
    fn stream(&self, before: StepKind, from: usize, to: usize) -> Draft {
        if let (Some(_), Some(last)) = (self.block.norm_post, self.report.added.get(to - 1)) {
            let sum: Vec<f32> = last.mid.iter().zip(&last.mlp).map(|(mid, mlp)| mid + mlp).collect();
            return match self.model.block(to - 1).norm_post {
                Some(norm) => self.normed_vector(norm, (None, &sum), &format!("stream and MLP of block {}", to - 1)),
                None => Draft::new("", Vec::new()),
            };
        }
        let blocks = self.report.added[from..to].iter().enumerate();
        let added = blocks.flat_map(|(l, added)| {
            let of =
                |what: &str, values: &[f32]| one(format!("block {} {what}", from + l), f64::from(values[self.index]));
            [of("attention", &added.attn), of("MLP", &added.mlp)]
        });
        let begin = of(before, self.index, one(before.title(), self.number(before, self.index)));
        Draft::new("the stream, and what each block on the way added", std::iter::once(begin).chain(added).collect())
    }

    fn head_norm(&self, which: usize) -> Option<Norm<'_>> {
        self.block.head_norms.map(|norms| Norm::Rms(norms[which]))
    }

    fn normed_by(&self, norm: Option<Norm<'_>>, of: &[StepKind]) -> Draft {
        norm.map_or_else(|| Draft::new("", Vec::new()), |norm| self.normed(norm, of))
    }

    fn normed(&self, norm: Norm<'_>, of: &[StepKind]) -> Draft {
        let (kind, x) = self.first(of);
        self.normed_vector(norm, (Some(kind), x), kind.title())
    }

    fn normed_vector(&self, norm: Norm<'_>, (kind, x): (Option<StepKind>, &[f32]), name: &str) -> Draft {
        let (i, count) = (self.index, x.len() as f64);
        let number = f64::from(x[i]);
        let own = |weight: f64| Term { from: kind.map(|kind| (kind, i)), ..product(name, number, weight) };
        match norm {
            Norm::Layer(norm) => {
                let mean = x.iter().map(|x| f64::from(*x)).sum::<f64>() / count;
                let variance = x.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / count;
                let (gain, bias) = (entry_of(&norm.gain, i), entry_of(&norm.bias, i));
                let weight = gain / (variance + norm.epsilon).sqrt();
                let terms = vec![own(weight), product("minus the mean", -mean, weight), one("bias", bias)];
                Draft::new("(x − mean) / √(variance + ε) · gain + bias", terms).facts(vec![
                    ("mean", mean),
                    ("variance", variance),
                    ("ε", norm.epsilon),
                    ("gain", gain),
                ])
            }
            Norm::Rms(norm) => {
                let square = x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / count;
                let gain = entry_of(&norm.gain, i) + norm.base_gain;
                let terms = vec![own(gain / (square + norm.epsilon).sqrt())];
                Draft::new("x / √(mean square + ε) · gain", terms).facts(vec![
                    ("mean square", square),
                    ("ε", norm.epsilon),
                    ("gain", gain),
                ])
            }
        }
    }

    /// One output of a layer, by what comes in.
    fn projection(&self, layer: &Linear, output: usize, of: &[StepKind]) -> Draft {
        let (kind, x) = self.first(of);
        let terms = products((kind, x), &row(&layer.weight, output), |i| format!("component {i}"), bias(layer, output));
        Draft::new(format!("Σ weight · {}{}", kind.title(), bias_words(layer)), terms)
    }

    fn query_projection(&self) -> Draft {
        let output = self.block.rows.query(self.report.head) + self.index;
        self.projection(self.block.qkv, output, &[StepKind::NormAttn, StepKind::Stream, StepKind::Entered])
    }

    fn key_projection(&self, start: usize) -> Draft {
        self.projection(self.block.qkv, start + self.index, &[StepKind::KeyNormAttn, StepKind::KeyStream])
    }

    /// A vector before its rotation; `None` where it is not rotated and was not normalised.
    fn unrotated(&self, kinds: &[StepKind]) -> Option<StepKind> {
        kinds.iter().copied().find(|kind| self.report.step(*kind).is_some())
    }

    fn rotated(&self, before: StepKind, which: usize) -> Draft {
        let (x, i) = (self.report.values_of(before), self.index);
        let number = |at: usize| f64::from(x[at]);
        let as_it_is = || {
            Draft::new("as it was: this component is not rotated", vec![of(before, i, one(before.title(), number(i)))])
        };
        let (Some(rope), Some(positions)) = (self.block.rope, self.report.rotated_by) else { return as_it_is() };
        let (frequencies, position) = (rope.per_position(), f64::from(positions[which]));
        let half = frequencies.len();
        if i >= 2 * half {
            return as_it_is();
        }
        let (sin, cos) = (position * frequencies[i % half]).sin_cos();
        let (other, sign, words) = if i < half { (i + half, -1.0, "−") } else { (i - half, 1.0, "+") };
        let terms = vec![
            of(before, i, product(format!("component {i} · cos"), number(i), cos)),
            of(before, other, product(format!("component {other} · sin"), number(other), sign * sin)),
        ];
        Draft::new(format!("x[{i}] · cos(p·f) {words} x[{other}] · sin(p·f)"), terms).facts(vec![
            ("position p", position),
            ("frequency f", frequencies[i % half]),
            ("cos", cos),
            ("sin", sin),
        ])
    }

    fn dot(&self) -> Draft {
        let width = self.block.rows.width;
        let key = &self.report.keys[self.index * width..(self.index + 1) * width];
        let query = self.report.values_of(StepKind::Query);
        let terms = products((StepKind::Query, query), key, |i| format!("component {i}"), None);
        Draft::new(format!("Σ q[i] · k[i] for the key {}", self.token_name(self.index)), terms)
    }

    fn score(&self) -> Draft {
        let (kind, values) = self.first(&[StepKind::Capped, StepKind::Scaled]);
        let mut terms = vec![of(kind, self.index, one(kind.title(), f64::from(values[self.index])))];
        let is_hidden = self.report.values_of(StepKind::Scores)[self.index] == f32::MIN;
        if !is_hidden {
            return Draft::new("the mask leaves it as it is", terms);
        }
        terms.push(one("mask", f64::from(f32::MIN)));
        let words = match self.block.window {
            Some(width) if self.index <= self.report.query => {
                format!("hidden: the window of {width} tokens has left this key behind")
            }
            _ => "hidden: this key stands behind the query".to_owned(),
        };
        Draft::new(words, terms)
    }

    fn softmax(&self) -> Draft {
        let scores = self.report.values_of(StepKind::Scores);
        let most = scores.iter().fold(f32::NEG_INFINITY, |most, score| most.max(*score));
        let part = |score: f32| (f64::from(score) - f64::from(most)).exp();
        let term = |(key, score): (usize, &f32)| of(StepKind::Scores, key, one(self.token_name(key), part(*score)));
        let terms = scores.iter().enumerate().map(term).collect();
        let own = part(scores[self.index]);
        Draft::new("exp(score − max) over the sum of exp(score − max) of every key", terms)
            .then(Then::Share(own))
            .facts(vec![("score", f64::from(scores[self.index])), ("max", f64::from(most)), ("exp(score − max)", own)])
    }

    fn weighted(&self) -> Draft {
        let (width, pattern) = (self.block.rows.width, self.report.values_of(StepKind::Pattern));
        let of_key = |(key, weight): (usize, &f32)| {
            let value = self.report.values[key * width + self.index];
            of(StepKind::Pattern, key, product(self.token_name(key), f64::from(*weight), f64::from(value)))
        };
        Draft::new("Σ weight · value, key by key", pattern.iter().enumerate().map(of_key).collect())
    }

    fn head_output(&self) -> Draft {
        let (width, head) = (self.block.rows.width, self.report.head);
        let weights = row(&self.block.attn_out.weight, self.index);
        let z = self.report.values_of(StepKind::Weighted);
        let terms = products(
            (StepKind::Weighted, z),
            &weights[head * width..(head + 1) * width],
            |i| format!("component {i} of z"),
            None,
        );
        Draft::new("Σ z[i] · output weight", terms)
    }

    fn of_all_heads(&self) -> Draft {
        let (layer, width) = (self.block.attn_out, self.block.rows.width);
        let weights = row(&layer.weight, self.index);
        let heads = self.report.z.chunks_exact(width).zip(weights.chunks_exact(width)).enumerate();
        let of_head = |(head, (z, weights)): (usize, (&[f32], &[f32]))| {
            let given = z.iter().zip(weights).map(|(z, weight)| f64::from(*z) * f64::from(*weight)).sum();
            let term = one(format!("head {head}"), given);
            if head == self.report.head { of(StepKind::HeadOutput, self.index, term) } else { term }
        };
        let bias = bias(layer, self.index).map(|bias| one("bias", bias));
        Draft::new(format!("Σ what each head gives{}", bias_words(layer)), heads.map(of_head).chain(bias).collect())
    }

    fn neuron(&self, output: usize) -> Draft {
        self.projection(self.block.mlp_in, output, &[StepKind::NormMlp, StepKind::Mid])
    }

    fn activated(&self) -> Draft {
        let (function, before) = (self.block.function, self.number(StepKind::MlpPre, self.index));
        if !self.block.gated {
            let terms = vec![of(StepKind::MlpPre, self.index, one(StepKind::MlpPre.title(), before))];
            return Draft::new(format!("{}(x)", function.name()), terms).then(Then::Activation(function));
        }
        let gate = function.of(before);
        let up = self.number(StepKind::MlpUp, self.index);
        let terms =
            vec![of(StepKind::MlpPre, self.index, product(format!("{}(gate) · factor", function.name()), gate, up))];
        Draft::new(format!("{}(gate) · factor", function.name()), terms).facts(vec![("gate", before)])
    }

    fn of_all_neurons(&self) -> Draft {
        let layer = self.block.mlp_out;
        let neurons = self.report.values_of(StepKind::MlpPost);
        let terms = products(
            (StepKind::MlpPost, neurons),
            &row(&layer.weight, self.index),
            |i| format!("neuron {i}"),
            bias(layer, self.index),
        );
        Draft::new(format!("Σ neuron · weight{}", bias_words(layer)), terms)
    }

    fn head(&self, kind: StepKind) -> Draft {
        let i = self.index;
        match (self.model.exit().1, kind) {
            (Exit::Tokens { weight, cap }, _) => {
                let terms = products(
                    (StepKind::LnFinal, self.report.values_of(StepKind::LnFinal)),
                    &row(weight, i),
                    |i| format!("component {i}"),
                    None,
                );
                match cap {
                    Some(cap) => {
                        Draft::new(format!("{cap} · tanh(Σ Last norm · weight / {cap})"), terms).then(Then::Cap(cap))
                    }
                    None => Draft::new("Σ Last norm · weight", terms),
                }
            }
            (Exit::Masked { head, .. }, StepKind::HeadDense) => {
                self.projection(&head.dense, i, &[StepKind::Last, StepKind::Post])
            }
            (Exit::Masked { .. }, StepKind::HeadActivated) => {
                let before =
                    of(StepKind::HeadDense, i, one(StepKind::HeadDense.title(), self.number(StepKind::HeadDense, i)));
                Draft::new("GELU(x)", vec![before]).then(Then::Activation(functions::Function::Gelu))
            }
            (Exit::Masked { head, .. }, StepKind::HeadNorm) => {
                self.normed(Norm::Layer(&head.norm), &[StepKind::HeadActivated])
            }
            (Exit::Masked { head, weight }, _) => {
                let x = self.report.values_of(StepKind::HeadNorm);
                let bias = Some(entry_of(&head.bias, i));
                Draft::new(
                    "Σ Head, normalised · weight + bias",
                    products((StepKind::HeadNorm, x), &row(weight, i), |i| format!("component {i}"), bias),
                )
            }
            (Exit::Classes(heads), _) => self.class(heads),
            (Exit::None, _) => Draft::new("", Vec::new()),
        }
    }

    /// A class score: the mean of what each head makes of its special token.
    fn class(&self, heads: &[Linear]) -> Draft {
        let read = self.report.values_of(StepKind::ClassInput);
        let (width, share) = (read.len() / heads.len(), 1.0 / heads.len() as f64);
        let of_head = |(place, head): (usize, &Linear)| {
            let x = &read[place * width..(place + 1) * width];
            let name = |i: usize| match heads.len() {
                1 => format!("component {i}"),
                _ => format!("component {i} of {}", self.token_name(place)),
            };
            let terms =
                products((StepKind::ClassInput, x), &row(&head.weight, self.index), name, bias(head, self.index));
            let scaled = move |term: Term| Term {
                factors: term.factors.map(|[number, weight]| [number, weight * share]),
                value: term.value * share,
                from: term.from.map(|(kind, i)| (kind, place * width + i)),
                ..term
            };
            terms.into_iter().map(scaled).collect::<Vec<_>>()
        };
        Draft::new(
            "Σ special token after the last norm · weight + bias",
            heads.iter().enumerate().flat_map(of_head).collect(),
        )
    }
}

fn bias(layer: &Linear, output: usize) -> Option<f64> {
    layer.bias.as_ref().map(|bias| entry_of(bias, output))
}

fn bias_words(layer: &Linear) -> &'static str {
    if layer.bias.is_some() { " + bias" } else { "" }
}
