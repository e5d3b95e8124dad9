//! What becomes of a word in two texts, in words.

use crate::types::ContextsReport;

/// Where the two vectors of `word` part, such as `‘bank’: the cosine of its two vectors is 1.00 at the embedding and 0.62 behind the
/// last block; it falls most in block 3, from 0.93 to 0.81.`
#[must_use]
pub fn contexts_words(report: &ContextsReport, word: &str) -> String {
    let cosines: Vec<f32> = report.layers.iter().map(|layer| layer.cosine).collect();
    let (Some(first), Some(last)) = (cosines.first(), report.layers.last()) else {
        return format!("‘{word}’ was not compared.");
    };
    let steepest = (1..cosines.len()).filter(|at| cosines[*at] < cosines[at - 1]);
    let fall = |at: usize| cosines[at - 1] - cosines[at];
    let steepest = steepest.max_by(|a, b| fall(*a).total_cmp(&fall(*b)));
    let falls = steepest.map_or_else(
        || "it falls nowhere".to_owned(),
        |at| format!("it falls most in block {}, from {:.2} to {:.2}", at - 1, cosines[at - 1], cosines[at]),
    );
    let nearest = |which: usize| last.tokens[which].first().map(|(token, _)| token.text.trim());
    let ends = match (nearest(0), nearest(1)) {
        (Some(first), Some(second)) => {
            format!(" At the end the first is nearest to ‘{first}’, the second to ‘{second}’.")
        }
        _ => String::new(),
    };
    let last = last.cosine;
    format!(
        "‘{word}’: the cosine of its two vectors is {first:.2} at the embedding and {last:.2} behind the last block; {falls}.{ends}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{ContextLayer, PromptToken};

    fn report(cosines: &[f32]) -> ContextsReport {
        let token = |text: &str| (PromptToken { id: 0, text: text.into(), span: 0..0 }, 0.5);
        let layer = |cosine: &f32| ContextLayer {
            cosine: *cosine,
            tokens: [vec![token(" shore")], vec![token(" money")]],
            positions: [Vec::new(), Vec::new()],
        };
        ContextsReport { texts: [Vec::new(), Vec::new()], places: [0, 0], layers: cosines.iter().map(layer).collect() }
    }

    #[test]
    fn the_block_in_which_a_word_parts_most_is_named() {
        assert_eq!(
            contexts_words(&report(&[1.0, 0.9, 0.5, 0.6]), "bank"),
            "‘bank’: the cosine of its two vectors is 1.00 at the embedding and 0.60 behind the last block; it falls most in \
             block 1, from 0.90 to 0.50. At the end the first is nearest to ‘shore’, the second to ‘money’."
        );
    }

    #[test]
    fn a_word_that_nothing_parts_falls_nowhere() {
        assert!(contexts_words(&report(&[1.0, 1.0]), "bank").contains("it falls nowhere"));
        assert_eq!(contexts_words(&report(&[]), "bank"), "‘bank’ was not compared.");
    }
}
