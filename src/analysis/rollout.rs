//! Attention through all layers at once.

use crate::types::InspectReport;

/// How much each token takes part in what one token has become after the last layer, if attention and the residual stream
/// each pass on half of it: attention rollout (Abnar and Zuidema 2020), the mean of the heads in each layer. `None` when
/// some layer was not captured.
pub fn rollout(report: &InspectReport, layers: usize, heads: usize, query: usize) -> Option<Vec<f32>> {
    let tokens = report.tokens.len();
    let mut shares = vec![0.0f32; tokens];
    *shares.get_mut(query)? = 1.0;
    // Only one row of the product of all layers is wanted, so a vector is passed down instead of whole matrices.
    for layer in (0..layers).rev() {
        let mut below: Vec<f32> = shares.iter().map(|share| 0.5 * share).collect();
        for head in 0..heads {
            let pattern = report.pattern(layer, head)?;
            for (share, row) in shares.iter().zip(pattern.chunks_exact(tokens)) {
                let passed = 0.5 * share / heads as f32;
                for (sum, weight) in below.iter_mut().zip(row) {
                    *sum += passed * weight;
                }
            }
        }
        shares = below;
    }
    Some(shares)
}

/// The same for every token at once, `[T, T]`, query by token. `None` when some layer was not captured, or when it is not
/// wanted any more: it takes up to layers · T³ multiplications, a sixth of that where tokens see only those before them.
pub fn rollout_map(report: &InspectReport, layers: usize, heads: usize, wanted: &dyn Fn() -> bool) -> Option<Vec<f32>> {
    let tokens = report.tokens.len();
    let mut shares = vec![0.0f32; tokens * tokens];
    (0..tokens).for_each(|at| shares[at * tokens + at] = 1.0);
    // The first token of each row that has no share, nor any behind it.
    let mut ends: Vec<usize> = (1..=tokens).collect();
    for layer in 0..layers {
        let mut mixed = vec![0.0f32; tokens * tokens];
        for head in 0..heads {
            for (sum, weight) in mixed.iter_mut().zip(report.pattern(layer, head)?) {
                *sum += weight * (0.5 / heads as f32);
            }
        }
        (0..tokens).for_each(|at| mixed[at * tokens + at] += 0.5);
        let mut above = vec![0.0f32; tokens * tokens];
        let mut reached = vec![0; tokens];
        for query in 0..tokens {
            if !wanted() {
                return None;
            }
            let row = &mut above[query * tokens..(query + 1) * tokens];
            for (from, share) in mixed[query * tokens..(query + 1) * tokens].iter().enumerate() {
                if *share == 0.0 {
                    continue;
                }
                reached[query] = ends[from].max(reached[query]);
                let below = &shares[from * tokens..][..ends[from]];
                row.iter_mut().zip(below).for_each(|(sum, passed)| *sum += share * passed);
            }
        }
        (shares, ends) = (above, reached);
    }
    Some(shares)
}

/// The mean over heads of one row of the patterns of a layer.
pub fn mean_of_heads(report: &InspectReport, layer: usize, heads: usize, query: usize) -> Option<Vec<f32>> {
    let tokens = report.tokens.len();
    let mut sum = vec![0.0f32; tokens];
    for head in 0..heads {
        let row = &report.pattern(layer, head)?[query * tokens..(query + 1) * tokens];
        for (sum, weight) in sum.iter_mut().zip(row) {
            *sum += weight / heads as f32;
        }
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Capture, PromptToken, Site};

    fn report() -> InspectReport {
        let token = |id| PromptToken { id, text: String::new(), span: 0..0 };
        let capture = |layer: usize, values: [f32; 8]| Capture {
            site: Site::Pattern(layer),
            shape: vec![2, 2, 2],
            values: values.into(),
        };
        // Two heads of two tokens: one looks at itself, the other at its neighbour, or both at the first.
        let captures = vec![
            capture(0, [1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0]),
            capture(1, [1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0]),
        ];
        InspectReport { tokens: (0..2).map(token).collect(), captures, picture: None, left_out: None }
    }

    #[test]
    fn shares_follow_the_product_of_the_layers() {
        // Layer 0: ½ I + ½ [[½, ½], [½, ½]]; layer 1: ½ I + ½ [[1, 0], [1, 0]]. Row 1 of the product, by hand.
        let shares = rollout(&report(), 2, 2, 1).unwrap();
        assert_eq!(shares, [0.5, 0.5]);
        let shares = rollout(&report(), 2, 2, 0).unwrap();
        assert_eq!(shares, [0.75, 0.25]);
        assert_eq!(rollout(&report(), 3, 2, 0), None, "there is no third layer");
    }

    #[test]
    fn all_rows_are_what_each_is_alone_and_sum_to_one() {
        let report = report();
        let map = rollout_map(&report, 2, 2, &|| true).unwrap();
        for query in 0..2 {
            assert_eq!(map[2 * query..][..2], rollout(&report, 2, 2, query).unwrap(), "query {query}");
            assert_eq!(map[2 * query..][..2].iter().sum::<f32>(), 1.0);
        }
        assert_eq!(rollout_map(&report, 2, 2, &|| false), None);
        assert_eq!(rollout_map(&report, 3, 2, &|| true), None, "there is no third layer");
    }

    #[test]
    fn what_no_layer_sees_has_no_share() {
        let token = |id| PromptToken { id, text: String::new(), span: 0..0 };
        let values = [1.0, 0.0, 0.0, 0.5, 0.5, 0.0, 0.2, 0.3, 0.5];
        let capture = |layer| Capture { site: Site::Pattern(layer), shape: vec![1, 3, 3], values: values.into() };
        let captures = (0..3).map(capture).collect();
        let report = InspectReport { tokens: (0..3).map(token).collect(), captures, picture: None, left_out: None };
        let map = rollout_map(&report, 3, 1, &|| true).unwrap();
        for query in 0..3 {
            let alone = rollout(&report, 3, 1, query).unwrap();
            let row = &map[3 * query..][..3];
            assert!(row.iter().zip(&alone).all(|(a, b)| (a - b).abs() < 1e-6), "{row:?} {alone:?}");
            assert!(row[query + 1..].iter().all(|share| *share == 0.0), "the future has no share");
        }
    }

    #[test]
    fn heads_are_averaged() {
        assert_eq!(mean_of_heads(&report(), 0, 2, 1).unwrap(), [0.5, 0.5]);
        assert_eq!(mean_of_heads(&report(), 1, 2, 1).unwrap(), [1.0, 0.0]);
    }
}
