//! Batches after a cached beginning against one uncached pass a sequence.

use super::*;
use crate::load::open_text_model;
use crate::nn::Tape;
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
    let v = model.info.vocabulary;
    let logits = model.lm.forward(model.lm.ids(&sequence.ids), &mut Tape::off());
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
    let mut continuations = Continuations::new(model, sequences);
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
    let context = model.info.context;
    let prompt: Vec<u32> = (0..context as u32).collect();
    let (read, steps) = run(&model, vec![Sequence::new(&prompt, &[5])]);
    assert_eq!((read.scores().len(), steps), (1, 2), "the beginning, then the last token of the prompt");
    // Two tokens each that no other has.
    let many: Vec<Sequence> = (0..TREE).map(|i| Sequence::new(&[i as u32 / 60, i as u32 % 60], &[2])).collect();
    assert_eq!(run(&model, many.clone()).1, 2, "{} tokens, some of them shared", 2 * TREE);
    // A model too large for large trees reads a few sequences at a time, a long one all the same.
    model.info.parameters = u64::MAX;
    assert_eq!(run(&model, many).1, 9);
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
    let mut continuations = Continuations::new(&model, vec![Sequence::new(&[1], &[2])]);
    assert!(continuations.step(&model).unwrap_err().what.contains("not numbers"));
}
