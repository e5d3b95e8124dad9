//! Sequences with blanks (Devlin et al. 2019): which tokens are chosen, what stands in their place, and what filling them costs.

use super::start::Frame;
use crate::nn::{Random, TextEncoder, cross_entropy};
use crate::train::data::passages::Passages;
use crate::train::stream::Stream;
use burn::tensor::{Device, Int, Tensor, TensorData};

/// Of these, the share that the mask replaces; half of the rest are replaced by a random token, the others kept.
const MASKED: f64 = 0.8;

/// A sequence with blanks, and what stood there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Blanked {
    /// What the encoder reads.
    pub ids: Vec<u32>,
    /// Where the chosen tokens are, in rising order.
    pub places: Vec<usize>,
    /// What stood at each.
    pub truth: Vec<u32>,
}

/// What stands in the place of a chosen token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filling {
    /// As in learning: the mask at most of them, a random token or the same at the others, so that the encoder also attends to what is
    /// no mask.
    Mixed,
    /// The mask at all of them: a blank is a blank.
    Masks,
}

impl Blanked {
    /// A text, framed, with a share of its tokens chosen, at least one; what parts documents is never chosen.
    ///
    /// # Panics
    /// When the model has no mask.
    pub(super) fn of(text: &[u32], frame: &Frame, share: f64, filling: Filling, random: &mut Random) -> Self {
        let mask = frame.mask.expect("a model without a mask was refused before");
        let mut ids = frame.around(text);
        let may_be: Vec<usize> = (0..text.len()).filter(|place| !frame.is_border(text[*place])).collect();
        let count = ((may_be.len() as f64 * share).round() as usize).max(1).min(may_be.len());
        let order = random.permutation(may_be.len());
        let mut places: Vec<usize> =
            order[..count].iter().map(|place| frame.offset() + may_be[*place as usize]).collect();
        places.sort_unstable();
        let truth = places.iter().map(|place| ids[*place]).collect();
        for place in &places {
            let draw = random.unit();
            if filling == Filling::Masks || draw < MASKED {
                ids[*place] = mask;
            } else if draw < MASKED + (1.0 - MASKED) / 2.0 {
                ids[*place] = frame.ordinary[random.below(frame.ordinary.len())];
            }
        }
        Self { ids, places, truth }
    }

    /// The sequences of a batch, counted from 1, out of windows of the text, with a share of blanks.
    pub(super) fn batch(passages: &mut Passages, frame: &Frame, [size, number]: [usize; 2], share: f64) -> Vec<Self> {
        let mut random = Random::new(passages.seed(), Stream::Blanks.at(number as u64));
        let windows = passages.batch(size, number);
        // A window has one token more, which a decoder would predict.
        windows.iter().map(|ids| Self::of(&ids[..ids.len() - 1], frame, share, Filling::Mixed, &mut random)).collect()
    }
}

/// Scores of every token at each blank of some sequences, in order, `[M, V]`, and what is right there, `[M]`. Nothing is scored at any other
/// place.
///
/// # Panics
/// When the encoder has no head for blanks.
pub(super) fn scores(
    net: &TextEncoder,
    blanked: &[Blanked],
    padding: u32,
    device: &Device,
) -> (Tensor<2>, Tensor<1, Int>) {
    let texts: Vec<&[u32]> = blanked.iter().map(|one| &one.ids[..]).collect();
    let (mut places, mut start) = (Vec::new(), 0);
    for one in blanked {
        places.extend(one.places.iter().map(|place| start + place));
        start += one.ids.len();
    }
    let truth: Vec<i32> = blanked.iter().flat_map(|one| &one.truth).map(|id| *id as i32).collect();
    let count = truth.len();
    let logits = net.logits_at(&texts, padding, &places).expect("a model without a head was refused before");
    (logits, Tensor::from_data(TensorData::new(truth, [count]), device))
}

/// Mean cross-entropy of the blanks in nats, `[1]`.
///
/// # Panics
/// As [`scores`].
pub(super) fn loss(net: &TextEncoder, blanked: &[Blanked], padding: u32, device: &Device) -> Tensor<1> {
    let (logits, truth) = scores(net, blanked, padding, device);
    cross_entropy(logits, truth)
}

#[cfg(test)]
mod tests {
    use super::super::start::Frame;
    use super::*;
    use crate::types::BLANKS;

    #[test]
    fn a_sixth_and_less_is_chosen_and_most_of_it_masked() {
        let frame = Frame::test(&[2], &[3], 4, 5..200);
        let text: Vec<u32> = (0..100).map(|i| if i % 10 == 9 { 3 } else { 100 + i % 50 }).collect();
        let (mut masked, mut changed, mut kept) = (0, 0, 0);
        for stream in 0..400 {
            let one = Blanked::of(&text, &frame, BLANKS, Filling::Mixed, &mut Random::new(1, stream));
            assert_eq!(one.places.len(), 14, "15 % of 90 tokens, rounded");
            assert!(one.places.is_sorted_by(|a, b| a < b) && one.ids.len() == 102);
            let mut back = one.ids.clone();
            for (place, truth) in one.places.iter().zip(&one.truth) {
                assert_ne!(*truth, 3, "what parts documents is no blank");
                match one.ids[*place] {
                    4 => masked += 1,
                    id if id == *truth => kept += 1,
                    id => {
                        assert!((5..200).contains(&id));
                        changed += 1;
                    }
                }
                back[*place] = *truth;
            }
            assert_eq!(back, frame.around(&text), "nothing else was changed");
        }
        let share = |count: i32| f64::from(count) / 5600.0;
        assert!((share(masked) - 0.8).abs() < 0.02 && (share(changed) - 0.1).abs() < 0.02, "{masked} {changed} {kept}");
        let all = Blanked::of(&text, &frame, 0.4, Filling::Masks, &mut Random::new(1, 0));
        assert_eq!(all.places.len(), 36);
        assert!(all.places.iter().all(|place| all.ids[*place] == 4));
    }

    #[test]
    fn the_blanks_of_a_batch_follow_from_its_number() {
        let frame = Frame::test(&[2], &[3], 4, 5..200);
        let passages = || Passages::new((0..500).map(|i| 5 + i * 7 % 190).collect(), 20, 1);
        let mut once = passages();
        let before: Vec<_> = (1..9).map(|number| Blanked::batch(&mut once, &frame, [3, number], BLANKS)).collect();
        assert_eq!(Blanked::batch(&mut passages(), &frame, [3, 8], BLANKS), before[7]);
        assert_ne!(before[6], before[7]);
    }
}
