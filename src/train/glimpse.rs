//! What a network in training says of one sequence, in words.

use super::text_loss::{Chosen, chosen_logits};
use crate::load::Tokenizer;
use crate::nn::output::sample::{log_softmax, top_candidates};
use crate::nn::{CausalLm, Hooks};
use crate::types::{GlimpseToken, Guess, Seen};
use burn::tensor::{Device, Tensor};

/// Tokens that are looked at: more fills no window.
pub(super) const LONGEST: usize = 96;
/// Likeliest tokens told of each guess.
const TOP: usize = 5;

/// What rows of scores, `[M, V]`, say where `truth`, M tokens, stands; none when the device does not give them back.
pub(super) fn guesses(logits: &Tensor<2>, truth: &[u32], tokenizer: &Tokenizer) -> Option<Vec<Guess>> {
    let [_, vocabulary] = logits.dims();
    let logits = logits.try_to_vec_as::<f32>().ok()?;
    let rows = logits.chunks_exact(vocabulary).zip(truth);
    Some(rows.map(|(row, truth)| guess(row, *truth, tokenizer)).collect())
}

fn guess(logits: &[f32], truth: u32, tokenizer: &Tokenizer) -> Guess {
    let log_probabilities = log_softmax(logits);
    let top = top_candidates(&log_probabilities, TOP);
    Guess {
        is_right: top.first().is_some_and(|(id, _)| *id == truth),
        top: top.into_iter().map(|(id, log)| (tokenizer.token_text(id), log.exp() as f32)).collect(),
        loss: -log_probabilities[truth as usize] as f32,
    }
}

/// A sequence that is read from its beginning on: `chosen[t]` says whether token t + 1 is asked for after those before it.
pub(super) fn causal(
    net: &CausalLm,
    sequence: &[u32],
    chosen: &[bool],
    tokenizer: &Tokenizer,
    device: &Device,
) -> Option<Vec<GlimpseToken>> {
    let sequence = &sequence[..sequence.len().min(LONGEST + 1)];
    let chosen = &chosen[..sequence.len().checked_sub(1)?];
    if !chosen.contains(&true) {
        return None;
    }
    let Chosen { logits, .. } = chosen_logits(net, &[sequence], &[chosen.to_vec()], &mut Hooks::off(), device);
    let truth: Vec<u32> = (0..chosen.len()).filter(|t| chosen[*t]).map(|t| sequence[t + 1]).collect();
    let mut guesses = guesses(&logits, &truth, tokenizer)?.into_iter();
    let token = |(place, id): (usize, &u32)| {
        let is_asked = place > 0 && chosen[place - 1];
        GlimpseToken {
            truth: tokenizer.token_text(*id),
            seen: if is_asked { Seen::Hidden } else { Seen::Itself },
            guess: if is_asked { guesses.next() } else { None },
        }
    };
    Some(sequence.iter().enumerate().map(token).collect())
}
