//! What tokens cost: −log softmax of scores that are never written, since a vocabulary of them for every token takes more memory
//! than the caches hold.

use super::super::block_product::BlockProduct;
use super::super::inner;
use super::super::panel::PANEL;
use super::workspace::Buffer;
use super::{DecoderWeights, PassTokens, Remembered, bound, run};

/// Panels of the vocabulary that are scored before their sum is taken.
const PANELS: usize = 8;

/// The cost in nats, `[N]`, of the token that follows each of the N wanted ones.
///
/// # Panics
/// As [`super::logits`], and when a target is none of the vocabulary, or there is another number of them.
pub(in crate::nn) fn costs(
    weights: &DecoderWeights<'_>,
    tokens: &PassTokens<'_>,
    remembered: &[Remembered<'_>],
    targets: &[usize],
) -> Vec<f32> {
    let ([vocabulary, _], count) = (weights.unembedding.shape(), tokens.wanted.len());
    assert!(targets.len() == count && targets.iter().all(|target| *target < vocabulary), "a token that follows each");
    let parts = vocabulary.div_ceil(PANELS * PANEL);
    // Of each token, the scores of its target and the logs of the sums of all parts.
    let (mut found, mut logs) = (vec![0.0; count], vec![0.0; count * parts]);
    let (of_targets, of_parts) = (Buffer::of(&mut found, 1), Buffer::of(&mut logs, parts));
    run(weights, tokens, remembered, |pass, member| {
        let (level, x) = (pass.level, pass.normed_end(member, weights));
        let eights = pass.rounded(member, &weights.unembedding, x);
        let product = BlockProduct { level, x, eights, weight: &weights.unembedding, bias: None };
        let mut scores = vec![0.0; count * PANELS * PANEL];
        member.share(parts, |part| {
            let first = part * PANELS * PANEL;
            let width = (PANELS * PANEL).min(vocabulary - first);
            for panel in part * PANELS..((part + 1) * PANELS).min(product.pieces()) {
                product.piece(panel, &mut |at, numbers| {
                    let (row, column) = (at / vocabulary, at % vocabulary - first);
                    scores[row * width + column..][..numbers.len()].copy_from_slice(numbers);
                });
            }
            for (row, (scores, target)) in scores.chunks_exact_mut(width).zip(targets).enumerate() {
                if let Some(cap) = weights.cap {
                    bound(scores, cap);
                }
                // SAFETY: of each row, one thread writes what this part of the vocabulary says.
                #[expect(unsafe_code, reason = "threads write numbers of common buffers")]
                unsafe {
                    of_parts.part_mut(row * parts + part, 1)[0] = inner::log_sum_exp(level, scores);
                    if (first..first + width).contains(target) {
                        of_targets.part_mut(row, 1)[0] = scores[target - first];
                    }
                }
            }
        });
    });
    let level = super::super::extension::level();
    found.iter().zip(logs.chunks_exact(parts)).map(|(found, logs)| inner::log_sum_exp(level, logs) - found).collect()
}
