//! What is compared, and which examples a seed draws.

use super::*;
use crate::types::LabelledKind;
use std::collections::BTreeSet;

/// Ten texts of a, six of b and four of c to learn from.
fn data() -> Labelled {
    let of = |label: usize, n: usize| (0..n).map(move |i| (format!("{label} {i}"), label));
    let examples: Vec<(String, usize)> = of(0, 10).chain(of(1, 6)).chain(of(2, 4)).collect();
    let parts = [(0..examples.len()).collect(), Vec::new(), Vec::new()];
    Labelled { kind: LabelledKind::Texts, labels: ["a", "b", "c"].map(str::to_owned).to_vec(), examples, parts }
}

fn spec() -> AdaptSpec {
    AdaptSpec {
        data: LabelledSource {
            data: "films.csv".into(),
            validation: None,
            test: None,
            text: None,
            label: None,
            validation_share: 0.0,
            test_share: 0.2,
            seed: 1,
        },
        ways: vec![Way::Embeddings],
        sizes: vec![4, 1, 16, 64, 32],
        seeds: vec![1],
        noises: vec![LabelNoise::True],
        test: 5,
        pooling: FeaturePooling::default(),
        prompt: AdaptPrompt::default(),
        training: AdaptTraining::default(),
    }
}

#[test]
fn examples_go_round_the_classes_and_small_draws_begin_large_ones() {
    let data = data();
    for seed in 1..20 {
        let three = draw_examples(&data, 3, seed, LabelNoise::True);
        assert_eq!(three.iter().map(|(_, class)| *class).collect::<BTreeSet<_>>().len(), 3);
        let all = draw_examples(&data, 100, seed, LabelNoise::True);
        assert_eq!(all.len(), 20);
        assert_eq!(all[..3], three);
        assert!(all.iter().all(|(place, class)| data.examples[*place].1 == *class));
    }
}

#[test]
fn shuffled_labels_are_as_many_of_each_and_a_fifth_is_wrong() {
    let data = data();
    let (mut moved, counts) =
        (0, |drawn: &[(usize, usize)]| [0, 1, 2].map(|c| drawn.iter().filter(|d| d.1 == c).count()));
    let wrong =
        |drawn: &[(usize, usize)]| drawn.iter().filter(|(place, class)| data.examples[*place].1 != *class).count();
    for seed in 1..20 {
        let shuffled = draw_examples(&data, 20, seed, LabelNoise::Shuffled);
        assert_eq!(counts(&shuffled), [10, 6, 4]);
        moved += wrong(&shuffled);
        assert_eq!(wrong(&draw_examples(&data, 20, seed, LabelNoise::FifthWrong)), 4);
        assert_eq!(wrong(&draw_examples(&data, 2, seed, LabelNoise::FifthWrong)), 0);
    }
    assert!(moved > 150, "{moved} of 380 moved");
}

#[test]
fn sizes_end_with_what_there_is() {
    assert_eq!(spec().sizes_of(20), [1, 4, 16, 20]);
    assert_eq!(spec().test_places(&[3, 5, 7]), [3, 5, 7]);
    let places: Vec<usize> = (10..40).collect();
    let chosen = spec().test_places(&places);
    assert!(chosen.len() == 5 && chosen.iter().all(|place| places.contains(place)));
    assert_eq!(chosen, spec().test_places(&places));
}

#[test]
fn steps_follow_the_examples_within_bounds() {
    let training = AdaptTraining::default();
    assert_eq!(training.steps(1), (1, 20));
    assert_eq!(training.steps(64), (8, 80));
    assert_eq!(training.steps(10_000), (8, 400));
    let rates = [13_000, 5_000_000, 135_000_000].map(|parameters| training.rate(Way::Full, parameters));
    assert_eq!(rates, [2e-3, 5e-4, 5e-5]);
    let own = AdaptTraining { rates: vec![(Way::Full, 0.1)], ..training };
    assert_eq!(own.rate(Way::Full, 1), 0.1);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    assert!(spec().check().is_ok());
    type Change = fn(&mut AdaptSpec);
    let changes: [(Change, &str); 6] = [
        (|spec| spec.ways.clear(), "no way"),
        (|spec| spec.seeds.clear(), "nothing to measure"),
        (|spec| spec.sizes.push(0), "0 examples"),
        (|spec| spec.test = 0, "measure on"),
        (|spec| spec.training.rates.push((Way::Head, f64::NAN)), "learn like that"),
        (|spec| spec.prompt.template = "{input}".to_owned(), "template"),
    ];
    for (change, expected) in changes {
        let mut spec = spec();
        change(&mut spec);
        let what = spec.check().unwrap_err().what;
        assert!(what.contains(expected), "{what}");
    }
}
