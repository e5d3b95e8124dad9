//! Perfect heads have the scores that their definitions promise.

use super::*;
use crate::analysis::induction_score;
use crate::types::{Capture, PromptToken};

/// A text, `[CLS]` and `[SEP]` around it where it is an encoder's.
fn sequence(ids: &[u32], order: Order) -> Sequence {
    Sequence { ids: ids.to_vec(), order, separators: vec![99], twice: None }
}

/// One head whose query looks at one key alone.
fn looking(sequence: &Sequence, key: impl Fn(usize) -> usize) -> AtlasHead {
    let tokens = sequence.ids.len();
    let mut pattern = vec![0.0; tokens * tokens];
    for query in 0..tokens {
        pattern[query * tokens + key(query)] = 1.0;
    }
    scored(sequence, pattern)
}

fn scored(sequence: &Sequence, pattern: Vec<f32>) -> AtlasHead {
    atlas(sequence, &[pattern]).heads.remove(0)
}

fn atlas(sequence: &Sequence, heads: &[Vec<f32>]) -> HeadAtlas {
    let tokens = sequence.ids.iter().map(|id| PromptToken { id: *id, text: String::new(), span: 0..1 }).collect();
    let shape = vec![heads.len(), sequence.ids.len(), sequence.ids.len()];
    let capture = Capture { site: Site::Pattern(3), shape, values: heads.concat().into() };
    let report = InspectReport { tokens, captures: vec![capture], picture: None, left_out: None };
    HeadAtlas::of(&report, sequence, &|| true).unwrap()
}

/// Random tokens twice, behind `front` others.
fn probe(front: usize, half: usize) -> Sequence {
    let around = Surroundings { front: (900..900 + front as u32).collect(), behind: Vec::new() };
    let context = front + 2 * half;
    Sequence::of_probe(&Probe::new(1000, context, &around, 1).unwrap(), Order::LeftToRight)
}

#[test]
fn a_head_that_does_one_thing_has_one_there() {
    use AtlasScore::{Distance, DistanceVariance, Duplicate, Entropy, Next, Own, Previous, Separator, Sink};
    let text = sequence(&[1, 2, 1, 2, 3, 99], Order::BothWays);
    let is = |head: &AtlasHead, score, value| assert_eq!(head.value(score), Some(value), "{score:?}");
    is(&looking(&text, |q| q.saturating_sub(1)), Previous, 1.0);
    is(&looking(&text, |q| q), Own, 1.0);
    is(&looking(&text, |_| 0), Sink, 1.0);
    is(&looking(&text, |q| (q + 1).min(5)), Next, 1.0);
    is(&looking(&text, |_| 5), Separator, 1.0);
    is(&looking(&text, |q| if q == 2 || q == 3 { q - 2 } else { q }), Duplicate, 1.0);
    let itself = looking(&text, |q| q);
    for none in [Previous, Next, Duplicate, Entropy, Distance, DistanceVariance] {
        is(&itself, none, 0.0);
    }
}

#[test]
fn a_perfect_induction_head_has_one_by_both_definitions_and_less_on_the_whole_diagonal() {
    use AtlasScore::{Induction, InductionDiagonal, InductionRepeats};
    let (half, count) = (7, 7.0);
    for (front, extra) in [(0, 1.0), (1, 2.0)] {
        let text = probe(front, half);
        // Where a token comes for the first time it rests on itself, or on the first token.
        let itself = looking(&text, |q| if q < front + half { q } else { q - (half - 1) });
        let first = looking(&text, |q| if q < front + half { 0 } else { q - (half - 1) });
        for head in [&itself, &first] {
            assert_eq!((head.value(Induction), head.value(InductionRepeats)), (Some(1.0), Some(1.0)));
        }
        let on_diagonal = |head: &AtlasHead| head.value(InductionDiagonal).unwrap();
        assert!((on_diagonal(&itself) - count / (count + extra)).abs() < 1e-6, "front {front}");
        assert!((on_diagonal(&first) - (count + 1.0) / (count + extra)).abs() < 1e-6, "A[S−1, 0] is one of its cells");
        let all = atlas(&text, &[vec![0.0; text.ids.len() * text.ids.len()]]);
        let divided = [Induction, InductionDiagonal, InductionRepeats].map(|score| all.denominator(score));
        assert_eq!(divided, [half, half + 1 + front, half]);
    }
}

#[test]
fn every_earlier_occurrence_counts() {
    // 7 7 7: the last looks at the two behind the first and the second, one of which is itself.
    let text = sequence(&[7, 7, 7], Order::LeftToRight);
    let pattern = vec![1.0, 0.0, 0.0, 0.5, 0.5, 0.0, 0.125, 0.375, 0.5];
    let head = scored(&text, pattern.clone());
    assert_eq!(head.value(AtlasScore::Induction), Some((0.5 + 0.375 + 0.5) / 2.0));
    assert_eq!(head.value(AtlasScore::Duplicate), Some((0.5 + 0.125 + 0.375) / 2.0));
    assert_eq!(head.value(AtlasScore::Induction), induction_score(&text.ids, &pattern), "the lab means the same");
}

#[test]
fn an_even_head_has_the_entropy_of_what_it_sees_and_its_distances_are_pooled() {
    let (tokens, text) = (5usize, sequence(&[1, 2, 3, 4, 5], Order::LeftToRight));
    let rows = (0..tokens).flat_map(|q| (0..tokens).map(move |k| if k <= q { 1.0 / (q + 1) as f32 } else { 0.0 }));
    let head = scored(&text, rows.collect());
    let entropy = (1..=5).map(|n| f64::from(n).ln()).sum::<f64>() / 5.0;
    assert!((f64::from(head.value(AtlasScore::Entropy).unwrap()) - entropy).abs() < 1e-6);
    // Distances by hand: row q has 0 to q, each with 1 / (q + 1).
    let places: Vec<(f64, f64)> =
        (0..5).flat_map(|q| (0..=q).map(move |d| (f64::from(d), 0.2 / f64::from(q + 1)))).collect();
    let mean: f64 = places.iter().map(|(d, w)| d * w).sum();
    let variance: f64 = places.iter().map(|(d, w)| w * (d - mean).powi(2)).sum();
    assert!((f64::from(head.value(AtlasScore::Distance).unwrap()) - mean).abs() < 1e-6);
    assert!((f64::from(head.value(AtlasScore::DistanceVariance).unwrap()) - variance).abs() < 1e-5);
}

#[test]
fn an_encoder_looks_ahead_below_zero_and_away_above() {
    let text = sequence(&[1, 2, 3, 4], Order::BothWays);
    // 0 → 3, 1 → 2, 2 → 1, 3 → 0: distances −3, −1, 1, 3.
    let head = looking(&text, |q| 3 - q);
    let of = |score| head.value(score).unwrap();
    assert_eq!((of(AtlasScore::Distance), of(AtlasScore::AbsoluteDistance)), (0.0, 2.0));
    assert_eq!(of(AtlasScore::DistanceVariance), 5.0);
    let ahead = looking(&text, |q| (q + 1).min(3));
    assert_eq!(ahead.value(AtlasScore::Distance), Some(-0.75));
}

#[test]
fn what_cannot_be_averaged_is_not_zero() {
    let one = looking(&sequence(&[5], Order::LeftToRight), |_| 0);
    assert_eq!((one.value(AtlasScore::Previous), one.value(AtlasScore::Sink)), (None, None));
    assert_eq!((one.value(AtlasScore::Own), one.value(AtlasScore::Entropy)), (Some(1.0), Some(0.0)));
    let other = looking(&sequence(&[5, 6], Order::LeftToRight), |q| q);
    let missing = [AtlasScore::Duplicate, AtlasScore::Induction, AtlasScore::InductionDiagonal, AtlasScore::Next];
    assert!(missing.iter().all(|score| other.value(*score).is_none()));
    let encoder = looking(&sequence(&[5, 6], Order::BothWays), |q| q);
    assert_eq!(encoder.value(AtlasScore::Separator), None, "no separator was read");
    let patches = atlas(&sequence(&[0, 0, 0], Order::Patches), &[vec![1.0 / 3.0; 9]]);
    assert_eq!(patches.scores(), [AtlasScore::Sink, AtlasScore::Own, AtlasScore::Entropy]);
}

#[test]
fn a_head_that_holds_nan_is_broken_and_others_are_not() {
    let text = sequence(&[1, 2], Order::LeftToRight);
    let both = atlas(&text, &[vec![1.0, 0.0, f32::NAN, 0.5], vec![1.0, 0.0, 0.5, 0.5]]);
    assert_eq!(both.heads.iter().map(AtlasHead::is_broken).collect::<Vec<_>>(), [true, false]);
    assert!(both.head(3, 0).unwrap().value(AtlasScore::DistanceVariance).unwrap().is_nan());
    assert_eq!(both.head(3, 1).unwrap().value(AtlasScore::Own), Some(0.75));
    assert_eq!(both.head(2, 1), None);
}

#[test]
fn who_is_not_wanted_any_more_stops() {
    let text = sequence(&[1], Order::LeftToRight);
    let report = InspectReport {
        tokens: Vec::new(),
        captures: vec![Capture { site: Site::Pattern(0), shape: vec![1, 1, 1], values: vec![1.0].into() }],
        picture: None,
        left_out: None,
    };
    assert_eq!(HeadAtlas::of(&report, &text, &|| false), None);
    assert_eq!(HeadAtlas::of(&report, &text, &|| true).unwrap().heads.len(), 1);
}
