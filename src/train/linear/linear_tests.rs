//! Small models on vectors against scikit-learn's.

use super::super::Prototypes;
use super::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    vectors: Vec<Vec<f32>>,
    classes: Vec<usize>,
    asked: Vec<Vec<f32>>,
    coefficients: Vec<Vec<f64>>,
    intercepts: Vec<f64>,
    log_shares: Vec<Vec<f64>>,
    cosines: Vec<Vec<f64>>,
    said: Vec<usize>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../../../tests/golden/linear.json")).unwrap()
}

fn vectors(rows: &[Vec<f32>]) -> Vectors {
    Vectors { width: rows[0].len(), numbers: rows.concat() }
}

fn rows(classes: &[usize]) -> Vec<(usize, usize)> {
    classes.iter().copied().enumerate().collect()
}

fn most(shares: &[f64]) -> usize {
    (0..shares.len()).max_by(|a, b| shares[*a].total_cmp(&shares[*b])).unwrap()
}

#[test]
fn coefficients_and_shares_are_those_of_scikit_learn() {
    for case in cases() {
        let classes = case.classes.iter().max().unwrap() + 1;
        let learned = Logistic::learn(&vectors(&case.vectors), &rows(&case.classes), classes);
        let found = learned.coefficients();
        assert_eq!(found.len(), case.coefficients.len());
        for (found, (weights, intercept)) in found.iter().zip(case.coefficients.iter().zip(&case.intercepts)) {
            for (found, expected) in found.iter().zip(weights.iter().chain([intercept])) {
                assert!((found - expected).abs() < 1e-4, "{found} and {expected}");
            }
        }
        for (asked, expected) in case.asked.iter().zip(&case.log_shares) {
            for (found, expected) in learned.log_shares(asked).iter().zip(expected) {
                assert!((found - expected).abs() < 1e-4 * expected.abs().max(1.0), "{found} and {expected}");
            }
        }
        let said: Vec<usize> = case.vectors.iter().map(|row| most(&learned.log_shares(row))).collect();
        assert_eq!(said, case.said);
    }
}

#[test]
fn prototypes_are_the_nearest_by_cosine() {
    for case in cases() {
        let classes = case.classes.iter().max().unwrap() + 1;
        let learned = Prototypes::learn(&vectors(&case.vectors), &rows(&case.classes), classes);
        assert_eq!(learned.learned(), classes * case.vectors[0].len());
        for (asked, cosines) in case.asked.iter().zip(&case.cosines) {
            let shares = learned.log_shares(asked);
            assert_eq!(most(&shares), most(cosines));
            for (a, b) in shares.iter().zip(cosines) {
                let (a, b) = (a - shares[0], b - cosines[0]);
                assert!((a - b).abs() < 1e-9, "{a} and {b}");
            }
        }
    }
}

#[test]
fn classes_without_an_example_are_possible_and_never_the_likeliest() {
    let vectors = vectors(&[vec![1.0, 0.0], vec![0.0, 1.0], vec![0.5, 0.5]]);
    for rows in [vec![(0, 2)], vec![(0, 2), (1, 3)], vec![(0, 2), (1, 3), (2, 0)]] {
        let [logistic, prototypes] = [
            Logistic::learn(&vectors, &rows, 5).log_shares(vectors.row(0)),
            Prototypes::learn(&vectors, &rows, 5).log_shares(vectors.row(0)),
        ];
        for shares in [logistic, prototypes] {
            let sum: f64 = shares.iter().map(|share| share.exp()).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{shares:?}");
            assert_eq!(most(&shares), 2);
            assert!((shares[4].exp() - 1.0 / (rows.len() + 5) as f64).abs() < 1e-12);
        }
    }
}

#[test]
fn many_rows_on_several_threads_give_the_same_numbers_again() {
    let case = cases().remove(3);
    let learn = || Logistic::learn(&vectors(&case.vectors), &rows(&case.classes), 2);
    assert_eq!(learn(), learn());
}

#[test]
fn the_end_is_reached_where_values_no_longer_tell() {
    // Vectors of length 1 in many dimensions, as encoders give them: the sum of costs is large beside the last differences.
    let mut random = crate::types::Random::new(5, 0);
    let rows: Vec<Vec<f32>> = (0..200)
        .map(|_| {
            let row: Vec<f32> = (0..96).map(|_| random.normal()).collect();
            let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
            row.iter().map(|x| x / length).collect()
        })
        .collect();
    let classes: Vec<usize> = rows.iter().map(|row| usize::from(row[0] + 0.3 * row[1] > 0.0)).collect();
    let asked = std::cell::Cell::new(0);
    let of: Vec<(&[f32], usize)> = rows.iter().zip(&classes).map(|(row, class)| (&row[..], *class)).collect();
    let at = |x: &[f64]| {
        asked.set(asked.get() + 1);
        loss(x, &of, 1, 96)
    };
    let found = lbfgs::minimise(vec![0.0; 97], TOLERANCE, at);
    assert!(loss(&found, &of, 1, 96).1.iter().all(|g| g.abs() <= TOLERANCE));
    assert!(asked.get() < 100, "asked {} times", asked.get());
}
