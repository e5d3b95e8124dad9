//! Which head of many is worth the first look.

use crate::types::InspectReport;

/// Queries that are looked at in each head, at most: all heads of a long sequence take a few milliseconds.
const MOST_QUERIES: usize = 32;

/// The head, as layer and head, whose rows are least like the two that say nothing: an even share for every key the query
/// sees, and everything on the first token (an attention sink, Xiao et al. 2023).
///
/// A row's score is the lesser of its total variation distances from these two, `½ Σ |p − q|`, in `0..=1`; a head's score
/// is the mean over at most [`MOST_QUERIES`] queries spread evenly over the sequence, without the first, which is both. Of
/// equal heads it is the first. `None` for a sequence of one token, or where nothing was captured.
#[must_use]
pub fn first_head(report: &InspectReport, layers: usize, heads: usize) -> Option<(usize, usize)> {
    let tokens = report.tokens.len();
    let mut best: Option<(f32, (usize, usize))> = None;
    for (layer, head) in (0..layers).flat_map(|layer| (0..heads).map(move |head| (layer, head))) {
        let Some(pattern) = report.pattern(layer, head).filter(|p| tokens > 1 && p.len() == tokens * tokens) else {
            continue;
        };
        let score = structure(pattern, tokens);
        if best.is_none_or(|(most, _)| score > most) {
            best = Some((score, (layer, head)));
        }
    }
    best.map(|(_, head)| head)
}

fn structure(pattern: &[f32], tokens: usize) -> f32 {
    let step = (tokens - 1).div_ceil(MOST_QUERIES);
    let queries = (1..tokens).step_by(step);
    let count = queries.len() as f32;
    let score = |query: usize| {
        let row = &pattern[query * tokens..][..tokens];
        // A softmax leaves something for every key a query sees, and a mask exactly nothing.
        let seen = row.iter().filter(|w| **w > 0.0).count().max(query + 1);
        let even = 1.0 / seen as f32;
        let from_even: f32 = row.iter().map(|w| (w - even).max(0.0)).sum();
        from_even.min(1.0 - row[0])
    };
    queries.map(score).sum::<f32>() / count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Capture, PromptToken, Site};

    const TOKENS: usize = 40;

    /// A weight by query and key.
    type Weight = fn(usize, usize) -> f32;

    /// One layer a capture, one head a rule: the weight of a key for a query.
    fn report(layers: &[&[Weight]]) -> InspectReport {
        let tokens = (0..TOKENS).map(|i| PromptToken { id: i as u32, text: "t".into(), span: 0..0 }).collect();
        let all = || (0..TOKENS).flat_map(|query| (0..TOKENS).map(move |key| (query, key)));
        let captures = layers.iter().enumerate().map(|(layer, rules)| Capture {
            site: Site::Pattern(layer),
            shape: vec![rules.len(), TOKENS, TOKENS],
            values: rules.iter().flat_map(|rule| all().map(move |(query, key)| rule(query, key))).collect(),
        });
        InspectReport { tokens, captures: captures.collect(), picture: None, left_out: None }
    }

    fn even(query: usize, key: usize) -> f32 {
        if key <= query { 1.0 / (query + 1) as f32 } else { 0.0 }
    }

    fn sink(_: usize, key: usize) -> f32 {
        if key == 0 { 1.0 } else { 0.0 }
    }

    fn previous(query: usize, key: usize) -> f32 {
        if key == query.saturating_sub(1) { 1.0 } else { 0.0 }
    }

    fn a_little_of_previous(query: usize, key: usize) -> f32 {
        0.7 * sink(query, key) + 0.3 * previous(query, key)
    }

    #[test]
    fn a_head_that_looks_back_comes_before_even_ones_and_sinks() {
        let report = report(&[&[even, sink], &[a_little_of_previous, previous], &[sink, even]]);
        assert_eq!(first_head(&report, 3, 2), Some((1, 1)));
        assert_eq!(first_head(&report, 1, 2), Some((0, 0)), "where no head says anything it is the first");
    }

    #[test]
    fn what_was_not_captured_is_not_chosen() {
        let report = report(&[&[even, a_little_of_previous]]);
        assert_eq!(first_head(&report, 30, 2), Some((0, 1)));
        assert_eq!(first_head(&InspectReport { captures: Vec::new(), ..report }, 1, 2), None);
    }
}
