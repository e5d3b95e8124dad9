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
    use std::sync::Arc;

    fn report() -> InspectReport {
        let token = |id| PromptToken { id, text: String::new(), span: 0..0 };
        let capture = |layer: usize, values: [f32; 8]| Capture {
            site: Site::Pattern(layer),
            shape: vec![2, 2, 2],
            values: Arc::from(values),
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
    fn heads_are_averaged() {
        assert_eq!(mean_of_heads(&report(), 0, 2, 1).unwrap(), [0.5, 0.5]);
        assert_eq!(mean_of_heads(&report(), 1, 2, 1).unwrap(), [1.0, 0.0]);
    }
}
