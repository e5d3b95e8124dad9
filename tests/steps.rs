//! Every number of the arithmetic of a token is the sum of the terms that are told of it, in every family; what the steps say was
//! in the pass is what PyTorch has there; and the steps lead from the embedding to the model's own scores.

#[path = "parity/reference.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod reference;
mod support;

use burn::tensor::Device;
use fovea::analysis::rotated_product;
use fovea::engine::{Command, Outcome, PromptInput, StepsSpec, TermsSpec, Work};
use fovea::load::{
    EncoderModel, TextModel, VisionModel, open_encoder_model, open_text_model, open_vision_model, read_picture,
};
use fovea::nn::{EncoderBatch, Hooks, StepsInput, StepsReads, Transformer, steps, terms};
use fovea::types::{
    Axis, Capture, DeviceChoice, JobId, PromptToken, Site, StepKind, StepsReport, TermsReport, UserError,
};
use reference::{Reference, golden_dir};
use std::collections::BTreeSet;
use std::sync::Arc;
use support::script;

const DECODERS: [&str; 10] =
    ["gpt2", "gpt-neox", "gpt-neox-sequential", "llama", "llama-tied", "llama3", "mistral", "qwen2", "qwen3", "gemma2"];
const ENCODERS: [&str; 4] = ["bert", "bert-bare", "roberta", "distilbert"];
const PICTURES: [&str; 2] = ["vit", "deit"];

/// A pass rounds to 24 bits after every operation; the terms are added in F64. Relative to the largest number of the step, or to the
/// sum of the magnitudes of the terms where they cancel.
const ROUNDING: f64 = 1e-5;

/// A tiny model of a family, with what it reads.
enum Tiny {
    Text(Box<TextModel>),
    Encoder(Box<EncoderModel>),
    Vision(Box<VisionModel>, Vec<f32>),
}

struct Family {
    name: &'static str,
    model: Tiny,
    reference: Reference,
    tokens: Vec<PromptToken>,
    heads: usize,
    layers: usize,
}

impl Family {
    fn open(name: &'static str) -> Self {
        let (dir, device, reference) = (golden_dir(name), Device::flex(), Reference::read(name));
        let (model, info, ids) = if PICTURES.contains(&name) {
            let model = open_vision_model(&dir, &device, &mut |_, _| {}).unwrap();
            let picture = read_picture(&dir.join("picture-0.png")).unwrap();
            let pixels = model.preprocessor.pixels(&model.preprocessor.seen(&picture));
            let info = model.info.clone();
            let ids = (0..model.config.tokens() as u32).collect();
            (Tiny::Vision(Box::new(model), pixels), info, ids)
        } else if ENCODERS.contains(&name) {
            let model = open_encoder_model(&dir, &device, &mut |_, _| {}).unwrap();
            let info = model.info.clone();
            (Tiny::Encoder(Box::new(model)), info, reference.ids("ids"))
        } else {
            let model = open_text_model(&dir, &device, &mut |_, _| {}).unwrap();
            let info = model.info.clone();
            (Tiny::Text(Box::new(model)), info, reference.sequence(0))
        };
        let token = |id: u32| PromptToken { id, text: format!("<{id}>"), span: 0..0 };
        let blocks = info.shape.blocks().unwrap();
        let (tokens, heads, layers) = (ids.into_iter().map(token).collect(), blocks.heads, blocks.layers);
        Self { name, model, reference, tokens, heads, layers }
    }

    fn all() -> impl Iterator<Item = Self> {
        DECODERS.into_iter().chain(ENCODERS).chain(PICTURES).map(Self::open)
    }

    fn transformer(&self) -> Transformer<'_> {
        match &self.model {
            Tiny::Text(model) => Transformer::Decoder(&model.lm),
            Tiny::Encoder(model) => Transformer::Encoder(&model.encoder),
            Tiny::Vision(model, _) => Transformer::Vision(&model.vit),
        }
    }

    fn steps(&self, layer: usize, head: usize, query: usize, key: usize) -> StepsReport {
        let reads = match &self.model {
            Tiny::Vision(model, pixels) => StepsReads::Pixels(Box::new(model.input(pixels.clone()))),
            _ => StepsReads::Tokens,
        };
        steps(self.transformer(), StepsInput { tokens: self.tokens.clone(), reads, layer, head, query, key })
    }

    fn terms(&self, report: &StepsReport, kind: StepKind, index: usize) -> TermsReport {
        terms(self.transformer(), report, kind, index).unwrap_or_else(|| panic!("{}: {kind} {index}", self.name))
    }

    /// Every layer and head with a first, a middle and the last query; the key is another token where a query may see one.
    fn places(&self) -> impl Iterator<Item = [usize; 4]> {
        let last = self.tokens.len() - 1;
        let (layers, heads) = (self.layers, self.heads);
        let queries = move |layer, head| [0, last / 2, last].map(|query| [layer, head, query, query * (head + 1) / 5]);
        (0..layers).flat_map(move |layer| (0..heads).flat_map(move |head| queries(layer, head)))
    }

    fn is_causal(&self) -> bool {
        matches!(self.model, Tiny::Text(_))
    }

    /// All sites of the same pass, as `fovea inspect` reads them.
    fn captures(&self) -> Vec<Capture> {
        let ids: Vec<u32> = self.tokens.iter().map(|token| token.id).collect();
        let recording = |sites: Vec<Site>| Hooks::off().recording(sites.into_iter().collect(), None);
        let hooks = match &self.model {
            Tiny::Text(model) => {
                let mut hooks = recording(model.lm.sites());
                model.lm.trace(model.lm.ids(&ids), &mut hooks);
                hooks
            }
            Tiny::Encoder(model) => {
                let mut hooks = recording(model.encoder.sites());
                model.encoder.trace(&EncoderBatch::one(&ids), &mut hooks);
                hooks
            }
            Tiny::Vision(model, pixels) => {
                let mut hooks = recording(model.vit.sites());
                let _ = model.vit.forward(model.input(pixels.clone()), &mut hooks);
                hooks
            }
        };
        hooks.into_captures().0
    }
}

/// The largest magnitude of a step's numbers, hidden scores apart.
fn largest(values: &[f32]) -> f64 {
    let seen = values.iter().filter(|value| **value != f32::MIN);
    seen.fold(f64::MIN_POSITIVE, |most, value| most.max(f64::from(value.abs())))
}

#[test]
fn every_number_of_every_step_is_the_sum_of_its_terms() {
    let given = [StepKind::Pixels, StepKind::KeyStream, StepKind::ClassInput];
    for family in Family::all() {
        let (mut worst, mut numbers, mut kinds) = (0.0f64, 0, BTreeSet::new());
        for (turn, [layer, head, query, key]) in family.places().enumerate() {
            let report = family.steps(layer, head, query, key);
            for step in &report.steps {
                kinds.insert(step.kind);
                let scale = largest(&step.values);
                for index in (turn % 5..step.values.len()).step_by(5) {
                    let made = family.terms(&report, step.kind, index);
                    assert_eq!(made.value, step.values[index]);
                    assert_eq!(made.count == 0, given.contains(&step.kind), "{}: {} has terms", family.name, step.kind);
                    let scale = if made.value == f32::MIN { f64::from(f32::MAX) } else { scale.max(made.magnitude) };
                    let off = made.remainder().abs() / scale;
                    assert!(
                        off <= ROUNDING,
                        "{}: layer {layer}, head {head}, token {query}: {} {index} is {} and its terms make {}",
                        family.name,
                        step.kind,
                        made.value,
                        made.made
                    );
                    assert!(made.terms.is_sorted_by(|a, b| a.value.abs() >= b.value.abs()), "the largest stand first");
                    for (from, term) in made.terms.iter().filter_map(|term| Some((term.from?, term))) {
                        let number = f64::from(report.values_of(from.0)[from.1]);
                        let [came, _] = term.factors.unwrap_or([term.value, 1.0]);
                        // What a softmax, an activation or a projection made of the number is another one.
                        let is_made_of = matches!(
                            (step.kind, from.0),
                            (StepKind::Pattern, _)
                                | (StepKind::MlpPost, _)
                                | (StepKind::AttnOut | StepKind::AttnProj, StepKind::HeadOutput)
                        );
                        assert!(is_made_of || came == number, "{}: {} of {from:?}", family.name, step.kind);
                    }
                    let product = |[number, weight]: [f64; 2]| number * weight;
                    assert!(made.terms.iter().all(|t| t.factors.is_none_or(|f| (product(f) - t.value).abs() < 1e-9)));
                    (worst, numbers) = (worst.max(off), numbers + 1);
                }
            }
        }
        println!("support: {}: {numbers} numbers of {} steps, remainder at most {worst:.1e}", family.name, kinds.len());
    }
}

/// What the steps say was in the pass: one token, or one head of it.
fn row_of(
    report: &StepsReport,
    kind: StepKind,
    site: Site,
    shape: &[usize],
    values: &[f32],
    before: usize,
) -> Vec<f32> {
    let is_kv = site.axes().contains(&Axis::KvHead);
    let token =
        if matches!(kind, StepKind::Key | StepKind::Value | StepKind::KeyStream) { report.key } else { report.query };
    let head = if is_kv { report.kv_head } else { report.head };
    match *shape {
        [_, tokens, width] => {
            let start = (head * tokens + token) * width;
            values[start..start + width].to_vec()
        }
        [_, _] if kind == StepKind::ClassInput => values[..report.values_of(kind).len()].to_vec(),
        [rows, width] => {
            let place = if rows == 1 { 0 } else { token - before };
            values[place * width..(place + 1) * width].to_vec()
        }
        _ => values.to_vec(),
    }
}

#[test]
fn what_a_step_says_was_in_the_pass_is_what_pytorch_has_there() {
    for family in Family::all() {
        let captures = family.captures();
        // Its golden pass reads two token types, which nothing in the window does; the same pass with one is compared instead.
        let has_golden = !family.reference.names().contains(&"types".to_owned());
        let before = match &family.model {
            Tiny::Vision(model, _) => model.config.special_tokens(),
            _ => 0,
        };
        let mut compared = BTreeSet::new();
        for [layer, head, query, key] in family.places() {
            let report = family.steps(layer, head, query, key);
            for step in &report.steps {
                let Some(site) = step.site.filter(|site| *site != Site::Rotary) else { continue };
                let (shape, values) = if has_golden {
                    family.reference.site(site)
                } else {
                    let capture = captures.iter().find(|capture| capture.site == site).unwrap();
                    (capture.shape.as_slice(), &*capture.values)
                };
                let before = if site == Site::Embed { before } else { 0 };
                let theirs = row_of(&report, step.kind, site, shape, values, before);
                assert_eq!(theirs.len(), step.values.len(), "{}: {} has another size", family.name, step.kind);
                let scale = largest(values);
                for (ours, theirs) in step.values.iter().zip(&theirs) {
                    let off = if ours == theirs { 0.0 } else { f64::from((ours - theirs).abs()) / scale };
                    assert!(off <= ROUNDING, "{}: {} is {ours}, not {theirs}", family.name, step.kind);
                }
                compared.insert(step.kind);
            }
        }
        let wanted = [StepKind::Entered, StepKind::Query, StepKind::Key, StepKind::Scores, StepKind::Pattern];
        assert!(wanted.into_iter().all(|kind| compared.contains(&kind)), "{}: {compared:?}", family.name);
        let scores = compared.contains(&StepKind::Logits);
        assert_eq!(
            scores,
            family.name != "bert-bare",
            "{}: the steps end with scores where there are any",
            family.name
        );
    }
}

#[test]
fn weights_of_a_query_sum_to_one_and_hidden_keys_have_none() {
    for family in Family::all() {
        let mut hidden = 0;
        for [layer, head, query, key] in family.places() {
            let report = family.steps(layer, head, query, key);
            let (weights, scores) = (report.values_of(StepKind::Pattern), report.values_of(StepKind::Scores));
            let sum: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
            assert!((sum - 1.0).abs() < 1e-6, "{}: weights sum to {sum}", family.name);
            for (place, (weight, score)) in weights.iter().zip(scores).enumerate() {
                let is_hidden = *score == f32::MIN;
                assert_eq!(is_hidden, *weight == 0.0, "{}: key {place} of query {query}", family.name);
                assert!(is_hidden || !family.is_causal() || place <= query, "{}: sees the future", family.name);
                hidden += usize::from(is_hidden && place <= query);
                assert!(family.is_causal() || !is_hidden, "{}: an encoder sees every token", family.name);
            }
        }
        // Windows of five tokens leave keys behind that stand before the query.
        let has_window = ["mistral", "qwen2", "gemma2"].contains(&family.name);
        assert_eq!(hidden > 0, has_window, "{}: {hidden} keys behind the window", family.name);
    }
}

#[test]
fn the_product_at_the_distance_of_two_tokens_is_that_of_the_pass() {
    for family in Family::all() {
        for [layer, head, query, key] in family.places().filter(|[.., query, key]| key <= query) {
            let report = family.steps(layer, head, query, key);
            let is_rotated = report.rotated_by.is_some();
            assert_eq!(is_rotated, !report.frequencies.is_empty(), "{}", family.name);
            assert_eq!(is_rotated, report.positions.is_empty(), "{}", family.name);
            if !is_rotated {
                let width = report.positions.len() / family.tokens.len();
                let own = &report.positions[query * width..(query + 1) * width];
                assert_eq!(own, report.values_of(StepKind::Position), "{}", family.name);
                continue;
            }
            let first =
                |kinds: [StepKind; 2]| kinds.map(|kind| report.values_of(kind)).into_iter().find(|x| !x.is_empty());
            let q = first([StepKind::QueryNormed, StepKind::QueryProjected]).unwrap();
            let k = first([StepKind::KeyNormed, StepKind::KeyProjected]).unwrap();
            let product = rotated_product(q, k, &report.frequencies, (query - key) as f64);
            let scale: f64 = q.iter().zip(k).map(|(q, k)| f64::from((q * k).abs())).sum();
            let off = (product - f64::from(report.values_of(StepKind::Product)[key])).abs() / scale;
            assert!(off <= ROUNDING, "{}: {off}", family.name);
        }
    }
}

/// A made-up change of a weight would show: the terms are of the model that is asked, not of the one that made the steps.
#[test]
fn terms_of_another_model_leave_a_remainder() {
    let (one, other) = (Family::open("llama"), Family::open("llama-tied"));
    let report = one.steps(0, 0, 3, 1);
    let own = one.terms(&report, StepKind::MlpOut, 0);
    let foreign = other.terms(&report, StepKind::MlpOut, 0);
    let (own, foreign) = (own.remainder().abs() / own.magnitude, foreign.remainder().abs() / foreign.magnitude);
    assert!(own < ROUNDING && foreign > 0.1, "{own} {foreign}");
}

#[test]
fn terms_say_what_comes_in_and_what_it_weighs() {
    let family = Family::open("gemma2");
    let last = family.tokens.len() - 1;
    let report = family.steps(1, 2, last, last - 1);
    let of = |kind, index| family.terms(&report, kind, index);
    let product = of(StepKind::Product, last - 1);
    assert_eq!(product.count, report.values_of(StepKind::Query).len());
    assert!(product.formula.contains(&family.tokens[last - 1].text), "{}", product.formula);
    let softmax = of(StepKind::Pattern, last);
    assert_eq!(softmax.count, last + 1);
    assert!(softmax.facts.iter().any(|(name, _)| *name == "max"));
    assert!((softmax.sum - softmax.terms.iter().map(|term| term.value).sum::<f64>()).abs() < 1e-12);
    let logit = of(StepKind::Logits, 7);
    assert!(logit.formula.contains("tanh") && logit.sum != logit.made, "Gemma 2 bounds its scores");
    let names: Vec<&str> = family.terms(&report, StepKind::NormAttn, 0).facts.iter().map(|fact| fact.0).collect();
    assert_eq!(names, ["mean square", "ε", "gain"]);
    let stream = of(StepKind::Stream, 5);
    assert_eq!(stream.count, 3, "the first block's attention and MLP on top of what entered it");
    assert_eq!(report.rotated_by, Some([last as f32, last as f32 - 1.0]));
    assert!(terms(family.transformer(), &report, StepKind::Position, 0).is_none(), "no learned positions");
    assert!(report.absent.iter().any(|(kind, _)| *kind == StepKind::Position));
}

fn follow(
    script: &mut script::Script,
    model: fovea::types::ModelId,
    spec: StepsSpec,
) -> Result<Arc<StepsReport>, UserError> {
    let job = JobId::next();
    script.send(Command::start(job, model, Work::Steps(spec)));
    script.end(job).map(|outcome| match outcome {
        Outcome::Stepped(report) => report,
        other => panic!("{other:?}"),
    })
}

#[test]
fn the_engine_follows_a_token_and_finds_the_terms_of_a_number() {
    let mut script = script::Script::start(DeviceChoice::Cpu);
    let model = script.open(&golden_dir("llama")).id;
    let spec = StepsSpec { prompt: PromptInput::Ids(vec![5, 6, 7]), layer: 1, head: 3, query: 2, key: 1 };
    let report = follow(&mut script, model, spec.clone()).unwrap();
    assert!(report.top.len() == 10 && report.top.is_sorted_by(|a, b| a.probability >= b.probability));
    let logits = report.values_of(StepKind::Logits);
    let most = logits.iter().copied().fold(f32::MIN, f32::max);
    assert_eq!(logits[report.top[0].id as usize], most);
    let job = JobId::next();
    let wanted = TermsSpec { steps: report.clone(), kind: StepKind::Weighted, index: 4 };
    script.send(Command::start(job, model, Work::Terms(wanted)));
    let Outcome::TermsFound(found) = script.end(job).unwrap() else { panic!("no terms") };
    assert_eq!((found.count, found.value), (3, report.values_of(StepKind::Weighted)[4]));
    let job = JobId::next();
    let none = TermsSpec { steps: report, kind: StepKind::Position, index: 0 };
    script.send(Command::start(job, model, Work::Terms(none)));
    assert!(script.end(job).unwrap_err().what.contains("Position"));
    for (spec, word) in [
        (StepsSpec { head: 99, ..spec.clone() }, "head 99"),
        (StepsSpec { layer: 9, ..spec.clone() }, "layer 9"),
        (StepsSpec { query: 3, ..spec.clone() }, "position 3"),
        (StepsSpec { prompt: PromptInput::Ids(Vec::new()), ..spec }, "empty"),
    ] {
        let error = follow(&mut script, model, spec).unwrap_err();
        assert!(error.what.contains(word), "{error}");
    }
}

#[test]
fn a_prompt_of_one_token_has_all_its_steps() {
    let mut script = script::Script::start(DeviceChoice::Cpu);
    for name in ["gpt2", "gemma2", "bert"] {
        let model = script.open(&golden_dir(name)).id;
        let spec = StepsSpec { prompt: PromptInput::Ids(vec![5]), layer: 0, head: 0, query: 0, key: 0 };
        let report = follow(&mut script, model, spec).unwrap();
        assert_eq!(report.values_of(StepKind::Pattern), [1.0], "{name}");
        assert!(report.step(StepKind::Logits).is_some(), "{name}");
    }
}

#[test]
fn every_step_has_a_name_of_its_own_which_is_that_of_its_site() {
    for family in Family::all() {
        for [layer, head, query, key] in family.places() {
            let report = family.steps(layer, head, query, key);
            let names: Vec<String> = report.steps.iter().map(|step| report.name_of(step.kind)).collect();
            let distinct: BTreeSet<&String> = names.iter().collect();
            assert_eq!(distinct.len(), names.len(), "{}: {names:?}", family.name);
            for (step, name) in report.steps.iter().zip(&names) {
                let Some(site) = step.site else { continue };
                let own = name.trim_start_matches("key.").trim_start_matches("classes.");
                assert_eq!(own, site.to_string(), "{}: {}", family.name, step.kind);
            }
        }
    }
}
