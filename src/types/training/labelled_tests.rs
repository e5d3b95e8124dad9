//! Splits and what is told of them.

use super::*;

fn rows(pairs: &[(&str, &str)]) -> LabelledRows {
    let rows = pairs.iter().map(|(text, label)| [(*text).to_owned(), (*label).to_owned()]).collect();
    LabelledRows { rows, ..LabelledRows::default() }
}

/// `n` texts, a third of them of class b.
fn thirds(n: usize) -> LabelledRows {
    let rows = (0..n).map(|i| [format!("text {i}"), if i % 3 == 0 { "b" } else { "a" }.to_owned()]).collect();
    LabelledRows { rows, ..LabelledRows::default() }
}

#[test]
fn classes_are_split_in_proportion_and_the_same_way_again() {
    let split = |seed| Labelled::split([Some(thirds(300)), None, None], [0.1, 0.2], seed).unwrap();
    let data = split(7);
    assert_eq!(data.labels, ["a", "b"]);
    assert_eq!(data.counts(), [[140, 20, 40], [70, 10, 20]]);
    let mut all: Vec<usize> = data.parts.concat();
    all.sort_unstable();
    assert_eq!(all, (0..300).collect::<Vec<_>>(), "each example is in one part");
    assert_eq!(data, split(7));
    assert_ne!(data.parts, split(8).parts);
}

#[test]
fn a_share_is_learned_from_and_the_same_is_held_out() {
    let all = Labelled::split([Some(thirds(300)), None, None], [0.1, 0.2], 7).unwrap();
    let of = |share| {
        let mut data = all.clone();
        data.learn_from(share, 7);
        data
    };
    assert_eq!(of(1.0), all);
    let tenth = of(0.1);
    assert_eq!(tenth.counts(), [[14, 20, 40], [7, 10, 20]]);
    assert_eq!(tenth.parts[1..], all.parts[1..]);
    assert!(tenth.parts[0].iter().all(|place| all.parts[0].contains(place)));
    assert_eq!(tenth, of(0.1));
    assert_eq!(of(0.0001).counts(), [[1, 20, 40], [1, 10, 20]], "every class is met");
}

#[test]
fn texts_that_are_the_same_stay_together() {
    let mut data = thirds(60);
    data.rows.extend(data.rows.clone());
    data.rows.push(["text 1".to_owned(), "b".to_owned()]);
    let all = [Some(data), None, None];
    let data = Labelled::split(all.clone(), [0.2, 0.2], 3).unwrap();
    let report = LabelledReport::of(&all, &data);
    assert_eq!((report.duplicates, report.contradictions, report.overlaps), (60, 1, [0, 0, 0]));
    let words = report.warnings().join(" ");
    assert!(words.contains("60 texts come before") && words.contains("1 text comes with different labels"), "{words}");
}

#[test]
fn parts_of_their_own_are_not_split_and_overlaps_are_told() {
    let test = rows(&[("text 1", "a"), ("text 3", "b"), ("new", "a")]);
    let all = [Some(thirds(30)), None, Some(test)];
    let data = Labelled::split(all.clone(), [0.0, 0.5], 1).unwrap();
    assert_eq!(data.counts(), [[20, 0, 2], [10, 0, 1]]);
    assert_eq!(LabelledReport::of(&all, &data).overlaps, [0, 2, 0]);
}

#[test]
fn numbers_are_in_the_order_of_numbers() {
    let data = Labelled::split([Some(rows(&[("x", "10"), ("y", "2"), ("z", "-1")])), None, None], [0.0; 2], 0).unwrap();
    assert_eq!(data.labels, ["-1", "2", "10"]);
}

#[test]
fn what_cannot_be_learned_is_said() {
    let why = |data: LabelledRows, test: Option<LabelledRows>, shares: [f64; 2]| {
        Labelled::split([Some(data), None, test], shares, 0).unwrap_err().to_string()
    };
    assert!(why(rows(&[("x", "a"), ("y", "a")]), None, [0.0; 2]).contains("one label only: \"a\""));
    let test = rows(&[("x", "maybe"), ("y", "never"), ("z", "maybe")]);
    let told = why(thirds(9), Some(test), [0.0; 2]);
    assert!(told.contains("\"maybe\" (2 examples), and 1 others") && told.contains("test part"), "{told}");
    let free = (0..40).map(|i| [format!("{i}"), format!("label {i}")]).collect();
    assert!(why(LabelledRows { rows: free, ..LabelledRows::default() }, None, [0.0; 2]).contains("no class"));
    assert!(why(thirds(9), None, [0.5, 0.5]).contains("share"));
}

#[test]
fn a_class_of_few_is_learned_from_first() {
    let few = rows(&[("1", "a"), ("2", "a"), ("3", "a"), ("4", "a"), ("only", "b")]);
    let data = Labelled::split([Some(few), None, None], [0.4, 0.4], 5).unwrap();
    assert_eq!(data.counts(), [[1, 1, 2], [1, 0, 0]]);
}
