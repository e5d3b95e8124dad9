//! A text in other orders is read as PyTorch reads it, and what must stay the same does.
//!
//! `tests/golden/make_order.py` wrote what transformers makes of each order. A failure names the model, the change and the number.

mod support;

use fovea::engine::{Command, Outcome, PromptInput, WordOrderSpec, Work};
use fovea::types::{ChangedOrder, DeviceChoice, JobId, ModelInfo, Reordering, UserError, WordOrderReport};
use serde_json::Value;
use std::sync::Arc;
use support::root;
use support::script::Script;

const DECODERS: [&str; 10] =
    ["gpt2", "gpt-neox", "gpt-neox-sequential", "llama", "llama-tied", "llama3", "mistral", "qwen2", "qwen3", "gemma2"];
const ENCODERS: [&str; 4] = ["bert", "bert-bare", "roberta", "distilbert"];

/// In a block of these a token sees the last few alone.
const WINDOWED: [&str; 2] = ["mistral", "gemma2"];

/// The reference is in F64. Logits agree within 2 · 10⁻⁵ of their size (tests/parity.rs), which is what cosines, shares and
/// distances inherit.
const TOLERANCE: f64 = 2e-5;
/// What must be nothing but rounding, of numbers of the size of 1 to 10.
const ROUNDING: f32 = 1e-5;

fn ask(script: &mut Script, model: &ModelInfo, spec: WordOrderSpec) -> Result<Arc<WordOrderReport>, UserError> {
    let job = JobId::next();
    script.send(Command::start(job, model.id, Work::ChangeOrder(spec)));
    script.end(job).map(|outcome| match outcome {
        Outcome::OrderChanged(report) => report,
        other => panic!("{other:?}"),
    })
}

fn open(script: &mut Script, name: &str) -> ModelInfo {
    script.open(&root().join("tests/golden").join(name))
}

fn spec(ids: &[u32], token: usize, swap: [usize; 2], order: &[usize]) -> WordOrderSpec {
    WordOrderSpec { prompt: PromptInput::Ids(ids.to_vec()), token, swap: Some(swap), order: order.to_vec() }
}

fn golden() -> Value {
    serde_json::from_str(&std::fs::read_to_string(root().join("tests/golden/order.json")).unwrap()).unwrap()
}

fn list<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

/// The specification that the golden file was made with.
fn golden_spec(of_model: &Value) -> WordOrderSpec {
    let [ids, order] = [&of_model["ids"], &of_model["order"]];
    spec(&list::<Vec<u32>>(ids), list(&of_model["token"]), list(&of_model["swap"]), &list::<Vec<usize>>(order))
}

/// Numbers that were compared, and the largest difference.
#[derive(Default)]
struct Compared {
    count: usize,
    worst: f64,
}

impl Compared {
    fn with(&mut self, ours: f64, theirs: f64, of: &str) {
        let difference = (ours - theirs).abs();
        assert!(difference < TOLERANCE, "{of} is {ours} instead of {theirs}");
        (self.count, self.worst) = (self.count + 1, self.worst.max(difference));
    }

    fn change(&mut self, ours: &ChangedOrder, theirs: &Value, of: &str) {
        let cosines: Vec<f64> = list(&theirs["cosines"]);
        assert_eq!(ours.cosines.len(), cosines.len(), "{of}: states");
        for (state, (ours, theirs)) in ours.cosines.iter().zip(cosines).enumerate() {
            self.with(f64::from(*ours), theirs, &format!("{of}: the cosine of state {state}"));
        }
        let heads: Vec<Vec<f64>> = list(&theirs["heads"]);
        assert_eq!(ours.heads.iter().map(Vec::len).collect::<Vec<_>>(), heads.iter().map(Vec::len).collect::<Vec<_>>());
        for (layer, (ours, theirs)) in ours.heads.iter().zip(heads).enumerate() {
            for (head, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                self.with(f64::from(*ours), theirs, &format!("{of}: the distance of head {layer}.{head}"));
            }
        }
        match (ours.pooled, theirs["pooled"].as_f64()) {
            (Some(ours), Some(theirs)) => self.with(f64::from(ours), theirs, &format!("{of}: the text's cosine")),
            (ours, theirs) => assert_eq!(ours.is_some(), theirs.is_some(), "{of}: the text's cosine"),
        }
        let Some(kl) = theirs["kl"].as_f64() else {
            assert!(ours.said.is_none(), "{of} says something without a head");
            return;
        };
        let said = ours.said.as_ref().unwrap_or_else(|| panic!("{of} says nothing"));
        self.with(said.kl, kl, &format!("{of}: the divergence"));
        let top: Vec<(u32, f64, f64)> = list(&theirs["top"]);
        assert_eq!(said.top.len(), top.len());
        for ((candidate, before), theirs) in said.top.iter().zip(top) {
            assert_eq!(candidate.id, theirs.0, "{of}: the likeliest");
            self.with(f64::from(candidate.probability), theirs.1, &format!("{of}: token {}", theirs.0));
            self.with(f64::from(*before), theirs.2, &format!("{of}: token {} as written", theirs.0));
        }
        let written: Vec<f64> = list(&theirs["written"]);
        assert_eq!(said.written.len(), written.len());
        for (ours, theirs) in said.written.iter().zip(written) {
            self.with(f64::from(*ours), theirs, &format!("{of}: what was the likeliest"));
        }
    }
}

#[test]
fn every_number_of_every_order_is_that_of_pytorch() {
    let golden = golden();
    let mut script = Script::start(DeviceChoice::Cpu);
    assert_eq!(golden.as_object().unwrap().len(), DECODERS.len() + ENCODERS.len());
    for name in DECODERS.into_iter().chain(ENCODERS) {
        let of_model = &golden[name];
        let model = open(&mut script, name);
        let report = ask(&mut script, &model, golden_spec(of_model)).unwrap();
        let mut compared = Compared::default();
        match of_model["said"].as_array() {
            Some(_) => {
                let theirs: Vec<(u32, f64)> = list(&of_model["said"]);
                let ours = report.said.as_ref().unwrap();
                assert_eq!(ours.len(), theirs.len());
                for (ours, theirs) in ours.iter().zip(theirs) {
                    assert_eq!(ours.id, theirs.0, "{name}: the likeliest as written");
                    compared.with(f64::from(ours.probability), theirs.1, &format!("{name}: token {}", theirs.0));
                }
            }
            None => assert_eq!(report.said, None, "{name}"),
        }
        assert_eq!(report.changes.iter().map(|change| change.how).collect::<Vec<_>>(), Reordering::ALL, "{name}");
        for change in &report.changes {
            compared.change(change, &of_model[change.how.id()], &format!("{name}, {}", change.how.id()));
        }
        println!("{name}: {} numbers differ by at most {:.1e}", compared.count, compared.worst);
    }
}

#[test]
fn a_swap_with_itself_and_the_order_as_written_change_nothing_at_all() {
    let golden = golden();
    let mut script = Script::start(DeviceChoice::Cpu);
    for name in DECODERS.into_iter().chain(ENCODERS) {
        let of_model = golden_spec(&golden[name]);
        let as_written: Vec<usize> = (0..of_model.order.len()).collect();
        let model = open(&mut script, name);
        let same = WordOrderSpec { swap: Some([5, 5]), order: as_written, ..of_model };
        let report = ask(&mut script, &model, same).unwrap();
        for how in [Reordering::Swapped, Reordering::Shuffled] {
            let change = report.change(how).unwrap();
            assert!(change.cosines.iter().all(|cosine| *cosine == 1.0), "{name}, {how:?}: {:?}", change.cosines);
            assert!(change.heads.iter().flatten().all(|distance| *distance == 0.0), "{name}, {how:?}");
            assert!(change.said.as_ref().is_none_or(|said| said.kl == 0.0), "{name}, {how:?}");
        }
        let without = report.without.as_ref().unwrap();
        assert_eq!((without.all, without.token.iter().copied().fold(0.0, f32::max)), (0.0, 0.0), "{name}");
        // That positions are off is no order at all, and changes much.
        assert!(report.change(Reordering::PositionsOff).unwrap().heads.iter().flatten().any(|d| *d > 1e-4), "{name}");
    }
}

#[test]
fn an_encoder_without_positions_sees_a_set() {
    let golden = golden();
    let mut script = Script::start(DeviceChoice::Cpu);
    for name in ENCODERS {
        let model = open(&mut script, name);
        let report = ask(&mut script, &model, golden_spec(&golden[name])).unwrap();
        let without = report.without.as_ref().unwrap();
        assert!(without.all < ROUNDING && without.token.iter().all(|d| *d < ROUNDING), "{name}: {without:?}");
        let [off, both] = [Reordering::PositionsOff, Reordering::ShuffledOff].map(|how| report.change(how).unwrap());
        for (a, b) in off.heads.iter().flatten().zip(both.heads.iter().flatten()) {
            assert!((a - b).abs() < ROUNDING, "{name}: a head tells the orders apart");
        }
        // With positions it does not.
        assert!(report.change(Reordering::Shuffled).unwrap().cosines.last().is_some_and(|cosine| *cosine < 0.999));
    }
}

#[test]
fn a_block_without_positions_adds_up_what_its_last_token_sees_and_a_second_tells_the_order() {
    let golden = golden();
    let mut script = Script::start(DeviceChoice::Cpu);
    for name in DECODERS {
        let model = open(&mut script, name);
        let report = ask(&mut script, &model, golden_spec(&golden[name])).unwrap();
        assert!(report.has_same_before());
        let without = report.without.as_ref().unwrap();
        if WINDOWED.contains(&name) {
            assert!(without.token[1] > 100.0 * ROUNDING, "{name}: a window holds other tokens in another order");
            continue;
        }
        let [entering, first, second] = without.token[..] else { panic!("{name} has {} states", without.token.len()) };
        assert_eq!(entering, 0.0, "{name}: the same token");
        assert!(first < ROUNDING, "{name}: one block tells the order, by {first}");
        assert!(second > 100.0 * ROUNDING, "{name}: two blocks do not, {second}");
        assert!(without.all > second / 2.0 && without.largest > 0.0);
    }
}

#[test]
fn a_token_in_the_middle_sees_others_once_words_are_moved() {
    let golden = golden();
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = open(&mut script, "gpt2");
    let mut middle = golden_spec(&golden["gpt2"]);
    middle.token = 6;
    let report = ask(&mut script, &model, middle).unwrap();
    assert!(!report.has_same_before());
    assert!(report.without.as_ref().unwrap().token[1] > 100.0 * ROUNDING, "one block is enough");
    assert!(
        report.changes.iter().all(|change| change.said.is_some()),
        "what comes next is asked behind the last token"
    );
}

#[test]
fn an_encoder_says_something_of_a_mask_alone() {
    let golden = golden();
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = open(&mut script, "bert");
    let mut other = golden_spec(&golden["bert"]);
    other.token = 2;
    let report = ask(&mut script, &model, other).unwrap();
    assert!(report.said.is_none() && report.changes.iter().all(|change| change.said.is_none()));
    assert!(report.changes.iter().all(|change| change.cosines.len() == 3 && change.pooled.is_none()));
}

#[test]
fn orders_that_cannot_be_are_refused_with_the_reason() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = open(&mut script, "llama");
    let why = |script: &mut Script, spec| ask(script, &model, spec).unwrap_err().to_string();
    assert!(why(&mut script, spec(&[4, 5, 6], 2, [0, 1], &[0, 1, 1])).contains("token 1 twice"));
    assert!(why(&mut script, spec(&[4, 5, 6], 3, [0, 1], &[0, 1, 2])).contains("none at 3"));
    assert!(why(&mut script, spec(&[4, 5, 6], 2, [0, 7], &[0, 1, 2])).contains("none at 7"));
    assert!(why(&mut script, spec(&[], 0, [0, 0], &[])).contains("empty"));
    assert!(why(&mut script, spec(&[4, 64], 0, [0, 1], &[0, 1])).contains("64"));
}

#[test]
fn one_token_has_one_order() {
    let mut script = Script::start(DeviceChoice::Cpu);
    for name in ["gpt2", "llama", "bert"] {
        let model = open(&mut script, name);
        let alone = WordOrderSpec { prompt: PromptInput::Ids(vec![7]), token: 0, swap: None, order: vec![0] };
        let report = ask(&mut script, &model, alone).unwrap();
        let hows: Vec<Reordering> = report.changes.iter().map(|change| change.how).collect();
        assert_eq!(hows, [Reordering::PositionsOff, Reordering::Shuffled, Reordering::ShuffledOff], "{name}");
        assert_eq!(report.change(Reordering::Shuffled).unwrap().cosines.last(), Some(&1.0));
        assert!(report.changes.iter().flat_map(|change| change.heads.iter().flatten()).all(|d| *d == 0.0), "{name}");
    }
}
