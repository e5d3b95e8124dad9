//! What each way costs, and what the figures say.

use super::super::spec::{AdaptPrompt, AdaptSpec, AdaptTraining, FeaturePooling};
use super::*;
use crate::types::{LabelledKind, LabelledSource};

fn point(way: Way, size: usize, seed: u64, correct: usize) -> AdaptPoint {
    AdaptPoint {
        way,
        noise: LabelNoise::True,
        size,
        seed,
        used: size,
        said: vec![0; 100],
        correct,
        macro_f1: 0.5,
        log_prob: -0.5,
        adapt_s: if way == Way::Embeddings { 0.02 } else { 3.0 },
        query_ms: 2.0,
        tokens_a_query: 10.0,
        learned: 7,
        bytes: 28,
        peak_bytes: Some(1000 * seed),
    }
}

fn report(points: Vec<AdaptPoint>) -> AdaptReport {
    let data = LabelledSource {
        data: "x.csv".into(),
        validation: None,
        test: None,
        text: None,
        label: None,
        validation_share: 0.0,
        test_share: 0.2,
        seed: 1,
    };
    let spec = AdaptSpec {
        data,
        ways: Way::ALL.to_vec(),
        sizes: vec![1, 16],
        seeds: vec![1, 2],
        noises: vec![LabelNoise::True],
        test: 100,
        pooling: FeaturePooling::Mean,
        prompt: AdaptPrompt::default(),
        training: AdaptTraining::default(),
    };
    AdaptReport {
        spec,
        kind: LabelledKind::Texts,
        labels: vec!["a".into(), "b".into()],
        parameters: 1_000_000,
        operations: None,
        examples: 16,
        test: vec![("text".into(), 0); 100],
        base_rate: 0.5,
        bits_per_byte: None,
        points,
        notes: Vec::new(),
        elapsed_s: 1.0,
    }
}

#[test]
fn prices_are_those_of_the_largest_size() {
    let report = report(vec![point(Way::Full, 1, 1, 50), point(Way::Full, 16, 1, 70), point(Way::Full, 16, 2, 90)]);
    let assumed = PriceAssumptions { watts: 20.0, read: 2.0, written: 10.0, queries: 500 };
    let prices = report.prices(&assumed);
    let [price] = prices[..] else { panic!("{prices:?}") };
    assert_eq!((price.way, price.size, price.learned, price.bytes), (Way::Full, 16, 7, 28));
    assert_eq!(price.peak_bytes, Some(2000));
    assert_eq!(price.operations, 2e7);
    // 3 s and 500 · 2 ms at 20 W; 500 · (10 tokens at 2 and one at 10 a million).
    assert_eq!(price.joules, [60.0, 20.0]);
    assert!((price.hosted.unwrap() - 0.015).abs() < 1e-12);
    // What reads no tokens has operations of its own, and no price by tokens.
    let [price] = AdaptReport { operations: Some(123.0), ..report }.prices(&assumed)[..] else { panic!() };
    assert_eq!((price.operations, price.hosted), (123.0, None));
}

#[test]
fn sentences_are_made_of_the_figures() {
    assert_eq!(report(vec![point(Way::Full, 16, 1, 70)]).says(), None);
    let mut points = Vec::new();
    for (way, right) in [(Way::Full, [80, 82]), (Way::Embeddings, [70, 72]), (Way::Scratch, [50, 52])] {
        points.extend([1, 2].map(|seed| point(way, 16, seed, right[seed as usize - 1])));
    }
    let words = report(points.clone()).says().unwrap();
    assert!(words.starts_with("With 16 examples, ‘All weights’ is right most often, in 81.0 % ± 12.7"), "{words}");
    assert!(
        words.contains("‘Embeddings, logistic regression’ is 10.0 points behind, which these seeds do not tell"),
        "{words}"
    );
    assert!(words.contains("Pre-training was worth 30.0 points."), "{words}");
    let alike = points.iter().map(|point| AdaptPoint { correct: 60 + point.seed as usize, ..point.clone() });
    let words = report(alike.collect()).says().unwrap();
    assert!(words.contains("What pre-training was worth, these seeds do not tell."), "{words}");
    let words = report(points.clone()).says().unwrap();
    assert!(words.contains("The quickest to adapt is ‘Embeddings, logistic regression’, 20 ms"), "{words}");
    // Curves of the points: a mean over seeds, and none of what is no number.
    let curve = adapt_curve(&points, Way::Full, LabelNoise::True, AdaptMetric::Accuracy);
    assert_eq!((curve.len(), curve[0].size, curve[0].seeds), (1, 16, 2));
    points[0].log_prob = f64::NAN;
    assert_eq!(adapt_curve(&points, Way::Full, LabelNoise::True, AdaptMetric::LogProb)[0].seeds, 1);
}
