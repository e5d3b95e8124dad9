//! What the inspector tells beside what a pass has at its sites: what heads write for each token and attention through all
//! layers are what PyTorch makes of transformers' values, and a word in two texts is parted where contexts come in.
//!
//! `tests/golden/make_writes.py` wrote the golden values.

#[path = "parity/reference.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod reference;
mod support;

use fovea::analysis::{self, AtlasScore, Order};
use fovea::engine::{
    AttributeSpec, Command, ContextsSpec, InspectSpec, LensSpec, Outcome, PatchHow, PatchSpec, PromptInput, StepsSpec,
    SweepSpec, WordOrderSpec, Work, WritesSpec,
};
use fovea::load::read_picture;
use fovea::types::{
    Ability, ContextsReport, DeviceChoice, Edit, FitSpec, HeadWrites, InspectReport, JobId, ModelId, PatchAlong,
    PatchSite, Removal, Site, SiteFilter, UserError,
};
use reference::{Difference, Reference, golden_dir};
use std::sync::Arc;
use support::script::{Script, ids};

const TEXTS: [&str; 11] =
    ["gpt2", "gpt-neox", "llama", "llama-tied", "mistral", "qwen2", "qwen3", "gemma2", "bert", "roberta", "distilbert"];
/// Both sides round to 24 bits; a length is the root of a sum of products of them, which doubles what is lost.
const TOLERANCE: f32 = 4e-5;

fn run(script: &mut Script, model: ModelId, work: Work) -> Result<Outcome, UserError> {
    let job = JobId::next();
    script.send(Command::start(job, model, work));
    script.end(job)
}

fn writes(script: &mut Script, model: ModelId, prompt: PromptInput, edits: Vec<Edit>) -> Arc<HeadWrites> {
    let measured = run(script, model, Work::MeasureWrites(WritesSpec { prompt, edits }));
    let Ok(Outcome::WritesMeasured(writes)) = measured else { panic!("{measured:?}") };
    writes
}

fn patterns(script: &mut Script, model: ModelId, prompt: PromptInput) -> Arc<InspectReport> {
    let spec = InspectSpec { prompt, sites: SiteFilter::patterns(), edits: Vec::new() };
    let inspected = run(script, model, Work::Inspect(spec));
    let Ok(Outcome::Inspected(report)) = inspected else { panic!("{inspected:?}") };
    report
}

fn check(name: &str, script: &mut Script, prompt: &PromptInput) {
    let golden = Reference::open(&golden_dir("writes.safetensors"));
    let model = script.open(&golden_dir(name)).id;
    let (writes, report) = (writes(script, model, prompt.clone(), Vec::new()), patterns(script, model, prompt.clone()));
    let close = |found: &[f32], wanted: &str| {
        if let Some(difference) = Difference::beyond(found, golden.values(wanted), TOLERANCE) {
            panic!("{wanted}: {difference}");
        }
    };
    let (layers, heads) = (writes.layers.len(), writes.heads(0));
    assert_eq!(writes.tokens.len(), report.tokens.len());
    for layer in 0..layers {
        let lengths: Vec<f32> = (0..heads).flat_map(|head| writes.lengths(layer, head).unwrap()).collect();
        close(&lengths, &format!("{name}.{layer}.lengths"));
        let of_heads: Vec<(usize, &[f32])> =
            (0..heads).map(|head| (head, report.pattern(layer, head).unwrap())).collect();
        close(&writes.weighed_together(layer, &of_heads).unwrap(), &format!("{name}.{layer}.together"));
    }
    close(&analysis::rollout_map(&report, layers, heads, &|| true).unwrap(), &format!("{name}.rollout"));
}

#[test]
fn every_family_writes_what_pytorch_says() {
    let mut script = Script::start(DeviceChoice::Cpu);
    for name in TEXTS {
        let ids = Reference::read(name).sequence(0);
        check(name, &mut script, &PromptInput::Ids(ids));
    }
    let picture = read_picture(&golden_dir("vit").join("picture-0.png")).unwrap();
    check("vit", &mut script, &PromptInput::Picture(picture));
}

#[test]
fn what_is_edited_is_what_is_written() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&golden_dir("llama")).id;
    let prompt = PromptInput::Ids(Reference::read("llama").sequence(0));
    let half: Edit = "blocks.0.attn.v = scale 0.5".parse().unwrap();
    let (whole, halved) =
        (writes(&mut script, model, prompt.clone(), Vec::new()), writes(&mut script, model, prompt, vec![half]));
    for (before, after) in whole.lengths(0, 2).unwrap().iter().zip(halved.lengths(0, 2).unwrap()) {
        assert!((0.5 * before - after).abs() < 1e-5 * before, "{before} became {after}");
    }
}

#[test]
fn a_model_without_attention_and_an_empty_prompt_are_refused() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let digits = script.open(&support::root().join("models/digits-mlp")).id;
    let spec = |prompt| Work::MeasureWrites(WritesSpec { prompt, edits: Vec::new() });
    assert!(run(&mut script, digits, spec(PromptInput::Text("a".into()))).is_err());
    let model = script.open(&golden_dir("vit")).id;
    let error = run(&mut script, model, spec(PromptInput::Text("a".into()))).unwrap_err();
    assert!(error.what.contains("reads pictures"), "{error}");
    let model = script.open(&golden_dir("gpt2")).id;
    assert!(run(&mut script, model, spec(PromptInput::Ids(Vec::new()))).is_err());
}

fn contexts(
    script: &mut Script,
    model: ModelId,
    texts: [&str; 2],
    word: &str,
) -> Result<Arc<ContextsReport>, UserError> {
    let spec = ContextsSpec { texts: texts.map(str::to_owned), word: word.to_owned() };
    match run(script, model, Work::CompareContexts(spec))? {
        Outcome::ContextsCompared(report) => Ok(report),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_word_begins_as_itself_and_is_parted_by_its_contexts() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let sprout = script.open(&support::root().join("models/sprout"));
    let texts = ["The dog saw the ball", "Lily has a big red ball"];
    let report = contexts(&mut script, sprout.id, texts, "ball").unwrap();
    assert_eq!(report.layers.len(), sprout.shape.layers() + 1);
    assert_eq!(report.places, [0, 1].map(|which| report.texts[which].len() - 1));
    let (first, last) = (&report.layers[0], report.layers.last().unwrap());
    // Rotary positions are not added: the same token enters as the same vector, which is nearest to itself.
    assert!((first.cosine - 1.0).abs() < 1e-5 && last.cosine < 0.999, "{} {}", first.cosine, last.cosine);
    for which in [0, 1] {
        let (token, cosine) = &first.tokens[which][0];
        let (itself, other) = (&report.texts[which][report.places[which]], report.places[1 - which]);
        assert_eq!((token.id, token.text.trim()), (itself.id, "ball"));
        assert!((cosine - 1.0).abs() < 1e-5 && first.positions[which][0].0 == other, "{cosine}");
    }
    assert!(!report.is_read_alike());
}

#[test]
fn what_stands_behind_a_word_changes_it_only_where_a_model_looks_both_ways() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let sprout = script.open(&support::root().join("models/sprout")).id;
    let report = contexts(&mut script, sprout, ["The ball is red.", "The ball is gone now."], "ball").unwrap();
    assert!(report.is_read_alike());
    assert!(report.layers.iter().all(|layer| (layer.cosine - 1.0).abs() < 1e-5));
    let bert = script.open(&golden_dir("bert")).id;
    let report = contexts(&mut script, bert, ["a b c", "a b d e"], "b").unwrap();
    assert!(report.layers.last().unwrap().cosine < 0.9999, "{:?}", report.layers.last().unwrap().cosine);
}

#[test]
fn a_word_that_a_text_has_not_is_named_with_its_text() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let sprout = script.open(&support::root().join("models/sprout")).id;
    let error = contexts(&mut script, sprout, ["The ball is red.", "A dog ran."], "ball").unwrap_err();
    assert!(error.what.contains("‘ball’ is not in the second text"), "{error}");
    assert!(contexts(&mut script, sprout, ["", "A ball"], "ball").is_err());
}

/// Models that read from left to right, both ways, and pictures: one of each stands for its column.
const KINDS: [(&str, Order); 3] = [("gemma2", Order::LeftToRight), ("bert", Order::BothWays), ("vit", Order::Patches)];

/// The rows of the table in the README that says what can be seen of which kind of model.
fn told() -> Vec<[String; 4]> {
    let text = std::fs::read_to_string(support::root().join("README.md")).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with("| what can be seen |")).skip(2);
    let cells = |line: &str| -> [String; 4] {
        let cells: Vec<String> = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        cells.try_into().unwrap_or_else(|cells| panic!("four cells, not {cells:?}"))
    };
    rows.take_while(|line| line.starts_with('|')).map(cells).collect()
}

#[test]
fn every_kind_of_model_has_what_the_readme_says_and_nothing_else() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let mut checked = 0;
    for row in told() {
        for (column, (name, order)) in KINDS.into_iter().enumerate() {
            let has = has(&mut script, &row[0], name, order);
            assert_eq!(row[column + 1] == "yes", has, "{} of {name}", row[0]);
            checked += 1;
        }
    }
    // The patterns, and all that is made of them, and every score.
    assert_eq!(checked, 3 * (12 + AtlasScore::ALL.len()));
}

/// True where the engine answers, or the score is defined.
fn has(script: &mut Script, what: &str, name: &str, order: Order) -> bool {
    if let Some(score) =
        AtlasScore::ALL.into_iter().find(|score| what == format!("score: {}", score.name().to_lowercase()))
    {
        return score.is_of(order);
    }
    let model = script.open(&golden_dir(name)).id;
    let prompt = match order {
        Order::Patches => PromptInput::Picture(read_picture(&golden_dir(name).join("picture-0.png")).unwrap()),
        _ => PromptInput::Ids(Reference::read(name).sequence(0)[..6].to_vec()),
    };
    let inspect = InspectSpec { prompt: prompt.clone(), sites: SiteFilter::patterns(), edits: Vec::new() };
    let work = match what {
        "patterns, averages and rollout" => Work::Inspect(inspect),
        "lengths of what heads write" => Work::MeasureWrites(WritesSpec { prompt, edits: Vec::new() }),
        "steps and their terms" => Work::Steps(StepsSpec { prompt, layer: 0, head: 0, query: 2, key: 1 }),
        "one word in two texts" => {
            let texts = ["a b", "c b"].map(str::to_owned);
            Work::CompareContexts(ContextsSpec { texts, word: "b".into() })
        }
        "a text in other orders" => {
            let order = vec![0, 3, 2, 1, 4, 5];
            Work::ChangeOrder(WordOrderSpec { prompt, token: 5, swap: Some([1, 2]), order })
        }
        "what each layer would say" => Work::Lens(LensSpec { prompt, target: None, fitted: None, edits: Vec::new() }),
        "a score taken apart" => {
            let (position, target, against) = (None, None, None);
            Work::Attribute(AttributeSpec { prompt, position, target, against, edits: Vec::new(), removed: None })
        }
        "layers read through a fitted lens" => Work::FitLens(FitSpec { count: 2, tokens: 24, ..FitSpec::default() }),
        "an answer without each part" => {
            let (position, target, removal) = (None, None, Removal::Zero);
            Work::Sweep(SweepSpec { prompt, position, target, removal, edits: Vec::new() })
        }
        "values of one prompt in another" => {
            let (source, answers) = match order {
                Order::Patches => {
                    let other = read_picture(&golden_dir(name).join("picture-1.png")).unwrap();
                    (PromptInput::Picture(other), ["0", "1"])
                }
                _ => (PromptInput::Ids(Reference::read(name).sequence(0)[1..7].to_vec()), ["a", "b"]),
            };
            Work::Patch(PatchSpec {
                source,
                destination: prompt,
                position: None,
                answers: answers.map(|answer| Some(answer.to_owned())),
                site: PatchSite::Z,
                along: PatchAlong::Heads,
                how: PatchHow::Measure,
                edits: Vec::new(),
            })
        }
        "next token" | "guesses for masks" => {
            let info = script.open(&golden_dir(name));
            return info.can(if what == "next token" { Ability::Continue } else { Ability::FillMasks });
        }
        other => panic!("nothing tells whether {name} has {other}"),
    };
    run(script, model, work).is_ok()
}

#[test]
fn the_first_site_that_is_no_number_is_found_though_nobody_captured_it() {
    let mut script = Script::start(DeviceChoice::Cpu);
    for (name, edit, site) in [
        ("gpt2", "blocks.0.mlp_out = scale 3e38", Site::MlpOut(0)),
        ("bert", "blocks.1.resid_mid@2 = scale 3e38", Site::ResidMid(1)),
    ] {
        let model = script.open(&golden_dir(name)).id;
        let mut find = |edits: Vec<Edit>| {
            let spec = InspectSpec { prompt: ids([1, 2, 3, 4, 5]), sites: SiteFilter::patterns(), edits };
            match run(&mut script, model, Work::FindBroken(spec)) {
                Ok(Outcome::BrokenFound(report)) => report.site,
                other => panic!("{name}: {other:?}"),
            }
        };
        assert_eq!(find(Vec::new()), None, "{name}");
        // Once is still a number, twice is none.
        assert_eq!(find(vec![edit.parse().unwrap(); 2]), Some(site), "{name}");
    }
}
