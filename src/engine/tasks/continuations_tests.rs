//! Batches after a cached beginning against one uncached pass a sequence.

use super::*;
use crate::load::open_text_model;
use crate::types::Random;
use burn::tensor::Device;
use std::path::Path;

/// Both sides round to 24 bits in a different order of summation, which leaves about 10⁻⁶ of the largest score (20 at most
/// here); a mask or a position that is wrong changes log-probabilities by 10⁻² or more.
const TOLERANCE: f64 = 1e-4;

pub(in crate::engine::tasks) fn golden(name: &str) -> TextModel {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    open_text_model(&dir, &Device::flex(), &mut |_, _| {}).unwrap()
}

/// One sequence by itself, in one pass without a cache.
pub(in crate::engine::tasks) fn alone(model: &TextModel, sequence: &Sequence) -> Scored {
    scored_in_one_pass(model, sequence, &mut Hooks::off())
}

fn scored_in_one_pass(model: &TextModel, sequence: &Sequence, hooks: &mut Hooks) -> Scored {
    let v = model.lm.vocabulary();
    let logits = model.lm.forward(model.lm.ids(&sequence.ids), hooks);
    let logits: Vec<f32> = logits.into_data().iter().collect();
    let first = sequence.ids.len() - sequence.scored;
    let row = |at: usize| &logits[(at - 1) * v..at * v];
    Scored {
        log_probs: (first..sequence.ids.len())
            .map(|at| sample::log_softmax(row(at))[sequence.ids[at] as usize])
            .collect(),
        best: (first..sequence.ids.len()).map(|at| sample::most_likely(row(at))).collect(),
    }
}

fn assert_same(ours: &Scored, theirs: &Scored, of: &str) {
    assert_eq!((ours.log_probs.len(), &ours.best), (theirs.log_probs.len(), &theirs.best), "{of}");
    for (ours, theirs) in ours.log_probs.iter().zip(&theirs.log_probs) {
        assert!((ours - theirs).abs() < TOLERANCE, "{of}: {ours} is not {theirs}");
    }
}

fn run(model: &TextModel, sequences: Vec<Sequence>) -> (Continuations, usize) {
    let mut continuations = Continuations::new(model, sequences, &[]).unwrap();
    let mut steps = 0;
    while !continuations.is_done() {
        continuations.step(model).unwrap();
        steps += 1;
    }
    (continuations, steps)
}

/// Whatever the sequences have in common and however long they are.
#[test]
fn batches_after_a_cache_equal_one_pass_a_sequence() {
    let mut random = Random::new(11, 0);
    for name in ["gpt2", "llama", "gpt-neox", "mistral", "gemma2"] {
        let model = golden(name);
        let mut draw = |count: usize| -> Vec<u32> { (0..count).map(|_| random.below(63) as u32).collect() };
        for round in 0..12 {
            let (shared, many) = (draw(round), 1 + round * 3 % 8);
            let sequence = |i: usize| {
                let prompt = [shared.clone(), draw(1 + (round + i) % 5)].concat();
                Sequence::new(&prompt, &draw(1 + (round * i) % 4))
            };
            let sequences: Vec<Sequence> = (0..many).map(sequence).collect();
            let (read, _) = run(&model, sequences.clone());
            for (sequence, scored) in sequences.iter().zip(read.scores()) {
                assert_same(scored, &alone(&model, sequence), &format!("{name}, round {round}"));
            }
        }
    }
}

#[test]
fn what_is_scored_is_never_part_of_the_beginning() {
    let common = |sequences: &[Sequence]| common_beginning(sequences).to_vec();
    let same = Sequence::new(&[1, 2, 3], &[4]);
    assert_eq!(common(&[same.clone(), same.clone()]), [1, 2], "the token before the answer is read with it");
    assert_eq!(common(&[same.clone(), Sequence::new(&[1, 9, 3], &[4])]), [1]);
    assert_eq!(common(&[same.clone(), Sequence::new(&[1, 2], &[3, 4])]), [1]);
    assert_eq!(common(&[same, Sequence::new(&[7], &[1])]), [0; 0]);
    assert_eq!(common(&[]), [0; 0]);
}

#[test]
fn a_full_context_can_be_scored_and_steps_are_bounded() {
    let mut model = golden("llama");
    let context = model.lm.context();
    let prompt: Vec<u32> = (0..context as u32).collect();
    let (read, steps) = run(&model, vec![Sequence::new(&prompt, &[5])]);
    assert_eq!((read.scores().len(), steps), (1, 2), "the beginning, then the last token of the prompt");
    // The first token is shared by sixty, the second by none.
    let many: Vec<Sequence> = (0..150).map(|i| Sequence::new(&[i / 60, i % 60], &[2])).collect();
    assert_eq!(run(&model, many.clone()).1, 2, "153 tokens, {TREE} a step");
    // A model too large for large trees reads a few sequences at a time, a long one all the same.
    model.info.parameters = u64::MAX;
    assert_eq!(run(&model, many).1, 5, "32 tokens a step");
    let long = (0..4).map(|i| Sequence::new(&[i; 31], &[2, 3])).collect();
    assert_eq!(run(&model, long).1, 4);
}

#[test]
fn a_tree_holds_every_token_once() {
    let answers = [[4, 5, 6], [4, 5, 7], [4, 8, 6]].map(|answer| Sequence::new(&[1, 2, 3], &answer));
    let other = Sequence::new(&[1, 9], &[4, 4]);
    let mut branches = Branches::default();
    assert!(answers.iter().chain([&other]).all(|sequence| branches.add(sequence, 1, TREE, 100)));
    // 2 3 4 5 and 8 after 4; 9 4. The last token of each is only predicted.
    assert_eq!(branches.ids, [2, 3, 4, 5, 8, 9, 4]);
    let rows: Vec<_> = branches.sequences.iter().map(|(_, rows)| rows.clone()).collect();
    assert_eq!(branches.predicting, [1, 2, 3, 4, 5, 6]);
    assert_eq!(rows, [vec![0, 1, 2], vec![0, 1, 2], vec![0, 1, 3], vec![4, 5]]);
    let full = Sequence::new(&[1, 2, 3], &[4, 5, 9]);
    assert!(branches.add(&full, 1, 7, 100), "nothing new has to be read");
    let new = Sequence::new(&[1, 8], &[1]);
    assert!(!branches.add(&new, 1, 7, 100) && branches.ids.len() == 7);
    assert!(!branches.add(&full, 1, 9, 8) && branches.sequences.len() == 5);
}

#[test]
fn scores_that_are_no_numbers_are_an_error() {
    let mut model = golden("llama");
    if let crate::nn::CausalLm::Llama(llama) = &mut model.lm {
        let gain = llama.norm_final.gain.val();
        llama.norm_final.gain = burn::module::Param::from_tensor(gain.mul_scalar(f32::NAN));
    }
    let mut continuations = Continuations::new(&model, vec![Sequence::new(&[1], &[2])], &[]).unwrap();
    assert!(continuations.step(&model).unwrap_err().what.contains("not numbers"));
}

/// One sequence by itself under edits placed in its prompt: one pass without a cache.
fn alone_under(model: &TextModel, sequence: &Sequence, edits: &[Edit]) -> Scored {
    let placed = Anatomy::of(model).place(edits, sequence.prompt().len()).unwrap();
    let mut hooks = Hooks::off().editing(fixed(model, sequence.prompt(), placed));
    scored_in_one_pass(model, sequence, &mut hooks)
}

#[test]
fn edits_reach_trees_and_beginnings_as_they_do_one_pass_a_sequence() {
    let mut random = Random::new(12, 0);
    let lines: [&[&str]; 7] = [
        &["blocks.0.attn.z[1] = zero"],
        &["blocks.*.mlp_out@0,2 = scale -1"],
        &["blocks.1.resid_pre@-1 = scale 0.5", "blocks.0.attn.v[0]@-2..-1 = zero"],
        &["blocks.0.attn.z = mean", "blocks.1.attn.pattern@-1>0 = zero"],
        &["blocks.*.attn.scores@>0 = hide", "ln_final = scale 2"],
        &["blocks.1.mlp.pre@1..-2 = mean", "embed@-1 = scale 3"],
        // The last two tokens of each prompt have those of another; prompts of different lengths share positions, not values.
        &[
            "blocks.1.resid_pre@-2..-1 = from \"quick\"",
            "blocks.0.mlp_out = mean over [\"ab\", \"fox\"]",
            "blocks.0@0 = skip",
        ],
    ];
    for name in ["gpt2", "llama", "gpt-neox", "mistral", "gemma2"] {
        let model = golden(name);
        let mut draw = |count: usize| -> Vec<u32> { (0..count).map(|_| random.below(63) as u32).collect() };
        for (round, lines) in lines.iter().enumerate() {
            let edits: Vec<Edit> = lines.iter().map(|line| line.parse().unwrap()).collect();
            let shared = draw(4 + round);
            let prompts: Vec<Vec<u32>> = (0..3).map(|i| [shared.clone(), draw(i)].concat()).collect();
            // Prompts of different lengths in turns, each with several answers.
            let sequence = |i: usize| Sequence::new(&prompts[i % 3], &[i as u32, 7, 2][..1 + i % 3]);
            let sequences: Vec<Sequence> = (0..9).map(sequence).collect();
            let mut continuations = Continuations::new(&model, sequences.clone(), &edits).unwrap();
            while !continuations.is_done() {
                continuations.step(&model).unwrap();
            }
            for (sequence, scored) in sequences.iter().zip(continuations.scores()) {
                let of = format!("{name}, {lines:?}, {} tokens", sequence.ids.len());
                assert_same(scored, &alone_under(&model, sequence, &edits), &of);
                let unedited = alone(&model, sequence);
                let is_same = scored.log_probs.iter().zip(&unedited.log_probs).all(|(a, b)| (a - b).abs() < 1e-3);
                assert!(!is_same, "{of}: the edit changes nothing");
            }
        }
    }
}

#[test]
fn what_is_read_once_is_read_under_the_same_edits() {
    let model = golden("gpt2");
    let sequences = [Sequence::new(&[1, 2, 3, 4, 5], &[6]), Sequence::new(&[1, 2, 3, 4, 5, 6], &[7])];
    let beginning = |line: &str| {
        let edits = [line.parse().unwrap()];
        Continuations::new(&model, sequences.to_vec(), &edits).unwrap().beginning.len()
    };
    assert_eq!(beginning("embed = zero"), 4);
    assert_eq!(beginning("embed@1 = zero"), 4);
    // The third from the end is the third token of one prompt, and the fourth of the other.
    assert_eq!(beginning("embed@-3 = zero"), 2);
    assert_eq!(beginning("embed@-1 = zero"), 4, "the last token is never among them");
    assert_eq!(beginning("blocks.0.attn.pattern@>-4 = zero"), 1);
    assert_eq!(beginning("embed = mean"), 0, "each prompt has a mean of its own");
}

#[test]
fn an_edit_that_names_what_is_not_there_is_refused_by_name() {
    let model = golden("llama");
    let refused = |line: &str| {
        let edits = [line.parse().unwrap()];
        Continuations::new(&model, vec![Sequence::new(&[1, 2, 3], &[4])], &edits).err().unwrap()
    };
    for (line, named) in [
        ("blocks.7.attn.z = zero", "blocks.7.attn.z"),
        ("pos_embed = zero", "pos_embed"),
        ("blocks.0.attn.z[4] = zero", "head 4"),
        ("blocks.0.attn.k[2] = zero", "head 2"),
        ("blocks.0.mlp_out@3 = zero", "position 3"),
        ("blocks.0.mlp_out@-4 = zero", "position -4"),
        ("blocks.0.mlp_out@2..1 = zero", "position 2..1"),
        ("blocks.0.attn.pattern@0>5 = zero", "position 5"),
        ("rotary@0,-3 = swap", "rotary@0,-3"),
    ] {
        let error = refused(line);
        assert!(error.what.contains(named), "{line}: {error}");
    }
    assert!(refused("blocks.0.attn.k[2] = zero").why.contains("2 key-value heads"));
}
