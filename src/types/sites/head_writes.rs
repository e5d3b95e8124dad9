//! What heads write into the residual stream.

use crate::types::PromptToken;
use std::sync::Arc;

/// What each head of a layer would write for a token if it looked at nothing else: f_h(t) = v_t W_O of that head, with the bias
/// of the values and without that of the output, which all heads share (Kobayashi et al. 2020, "Attention is Not Only a
/// Weight"). A normalisation behind attention comes after it.
///
/// What is kept are the products of any two heads' writes for one token; they give the length of any weighted sum of them:
/// ‖Σ_h a_h f_h(t)‖² = Σ_h Σ_h′ a_h a_h′ f_h(t)·f_h′(t).
#[derive(Clone, Debug, PartialEq)]
pub struct HeadWrites {
    /// The T tokens that were read.
    pub tokens: Vec<PromptToken>,
    /// f_h(t)·f_h′(t) of each layer, `[T, H, H]` row-major.
    pub layers: Vec<Arc<[f32]>>,
}

impl HeadWrites {
    /// Heads of a layer.
    #[must_use]
    pub fn heads(&self, layer: usize) -> usize {
        let of_a_token = self.layers.get(layer).map_or(0, |products| products.len() / self.tokens.len().max(1));
        of_a_token.isqrt()
    }

    /// ‖f_h(t)‖ for every token, `[T]`; `None` for a layer or head that is not there.
    #[must_use]
    pub fn lengths(&self, layer: usize, head: usize) -> Option<Vec<f32>> {
        let heads = self.heads(layer);
        let products = self.layers.get(layer).filter(|_| head < heads)?;
        let of_token = products.chunks_exact(heads * heads);
        Some(of_token.map(|products| products[head * heads + head].max(0.0).sqrt()).collect())
    }

    /// ‖A f_h(t)‖ of one head for a pattern A `[T, T]`, query by key.
    #[must_use]
    pub fn weighed(&self, layer: usize, head: usize, pattern: &[f32]) -> Option<Vec<f32>> {
        let lengths = self.lengths(layer, head)?;
        let rows = pattern.chunks_exact(lengths.len().max(1));
        Some(rows.flat_map(|row| row.iter().zip(&lengths).map(|(weight, length)| weight * length)).collect())
    }

    /// ‖Σ_h A_h f_h(t)‖ over some heads of a layer, given with their patterns `[T, T]`, query by key.
    #[must_use]
    pub fn weighed_together(&self, layer: usize, of_heads: &[(usize, &[f32])]) -> Option<Vec<f32>> {
        let (heads, tokens) = (self.heads(layer), self.tokens.len());
        let products = self.layers.get(layer)?;
        let fits = |(head, pattern): &(usize, &[f32])| *head < heads && pattern.len() == tokens * tokens;
        if of_heads.is_empty() || !of_heads.iter().all(fits) {
            return None;
        }
        let mut out = Vec::with_capacity(tokens * tokens);
        for cell in 0..tokens * tokens {
            let products = &products[cell % tokens * heads * heads..][..heads * heads];
            let mut square = 0.0;
            for (place, &(head, pattern)) in of_heads.iter().enumerate() {
                let weight = pattern[cell];
                if weight == 0.0 {
                    continue;
                }
                square += weight * weight * products[head * heads + head];
                // Each pair counts twice.
                for &(other, its) in &of_heads[..place] {
                    square += 2.0 * weight * its[cell] * products[head * heads + other];
                }
            }
            out.push(square.max(0.0).sqrt());
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One layer of two heads over two tokens. Token 0: writes (3, 0) and (0, 4); token 1: (1, 0) and (−1, 0).
    fn writes() -> HeadWrites {
        let token = |id| PromptToken { id, text: String::new(), span: 0..0 };
        let layers = vec![[9.0, 0.0, 0.0, 16.0, 1.0, -1.0, -1.0, 1.0].into()];
        HeadWrites { tokens: [0, 1].map(token).into(), layers }
    }

    #[test]
    fn a_head_s_writes_have_their_lengths() {
        let writes = writes();
        assert_eq!(writes.lengths(0, 1), Some(vec![4.0, 1.0]));
        assert_eq!(writes.weighed(0, 0, &[1.0, 0.0, 0.5, 0.5]), Some(vec![3.0, 0.0, 1.5, 0.5]));
        assert_eq!((writes.lengths(0, 2), writes.lengths(1, 0)), (None, None));
    }

    #[test]
    fn heads_that_write_against_each_other_cancel() {
        let (even, first) = ([1.0, 0.0, 0.5, 0.5], [1.0, 0.0, 1.0, 0.0]);
        let together = writes().weighed_together(0, &[(0, &even), (1, &even)]).unwrap();
        // Token 0: ‖(3, 4)‖; of token 1 nothing is left.
        assert_eq!(together, [5.0, 0.0, 2.5, 0.0]);
        let together = writes().weighed_together(0, &[(0, &even), (1, &first)]).unwrap();
        assert_eq!(together[3], 0.5, "alone, it is seen");
        assert_eq!(writes().weighed_together(0, &[]), None);
    }
}
