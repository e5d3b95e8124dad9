//! A head's scores in words, for captions and for those who do not see the picture.

use super::{AtlasHead, AtlasScore};

/// A share below this is nothing that a head is known for.
const HABIT: f32 = 0.3;

/// What a head does most, such as `head 4.7 gives 83 % to the previous token`.
#[must_use]
pub fn head_words(head: &AtlasHead) -> String {
    if head.is_broken() {
        return broken(head);
    }
    // The diagonals are induction once more.
    let shares = AtlasScore::ALL.into_iter().filter(|score| score.is_share() && !score.needs_probe());
    let most = shares.filter_map(|score| Some((score, head.value(score)?)));
    match most.reduce(|best, other| if other.1 > best.1 { other } else { best }) {
        Some((score, value)) if value >= HABIT => score_words(head, score),
        Some((score, value)) => {
            let entropy = score_words(head, AtlasScore::Entropy);
            format!("{entropy}; most of it goes {}, with {}", goal(score), share(value))
        }
        None => score_words(head, AtlasScore::Entropy),
    }
}

/// One score of a head, such as `head 4.7 gives 83 % to the previous token`.
#[must_use]
pub fn score_words(head: &AtlasHead, score: AtlasScore) -> String {
    let name = format!("head {}.{}", head.layer, head.head);
    let Some(value) = head.value(score) else {
        return format!("{name} has no score for {}: {}", score.name().to_lowercase(), score.why_missing());
    };
    if value.is_nan() {
        return broken(head);
    }
    match score {
        AtlasScore::Entropy => {
            format!("{name} spreads its attention as even shares of {:.1} tokens would ({value:.2} nats)", value.exp())
        }
        AtlasScore::Distance if value < 0.0 => format!("{name} looks {:.1} tokens ahead on average", -value),
        AtlasScore::Distance => format!("{name} looks {value:.1} tokens back on average"),
        AtlasScore::AbsoluteDistance => format!("{name} looks {value:.1} tokens away on average"),
        AtlasScore::DistanceVariance => {
            format!(
                "{name} looks at distances with a variance of {value:.1}, {:.1} tokens around their mean",
                value.sqrt()
            )
        }
        _ => format!("{name} gives {} {}", share(value), goal(score)),
    }
}

fn broken(head: &AtlasHead) -> String {
    format!("head {}.{} has weights that are not numbers (NaN)", head.layer, head.head)
}

/// Where a share of attention goes.
fn goal(score: AtlasScore) -> &'static str {
    match score {
        AtlasScore::Previous => "to the previous token",
        AtlasScore::Own => "to the token itself",
        AtlasScore::Sink => "to the first token",
        AtlasScore::Next => "to the next token",
        AtlasScore::Separator => "to separators",
        AtlasScore::Duplicate => "to earlier occurrences of the same token",
        AtlasScore::Induction => "to what came after earlier occurrences of the same token",
        AtlasScore::InductionDiagonal => "to the diagonal that continues what was said before",
        AtlasScore::InductionRepeats => "to what came after the same token the first time",
        AtlasScore::Entropy | AtlasScore::Distance | AtlasScore::AbsoluteDistance | AtlasScore::DistanceVariance => {
            "nowhere in particular"
        }
    }
}

/// A share as whole percent.
fn share(value: f32) -> String {
    let percent = 100.0 * value;
    if percent > 0.0 && percent < 0.5 { "less than 1 %".to_owned() } else { format!("{percent:.0} %") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{HeadAtlas, Order, Sequence};
    use crate::types::{Capture, InspectReport, PromptToken, Site};

    fn head(order: Order, row: fn(usize, usize) -> f32) -> AtlasHead {
        let ids: Vec<u32> = (0..5).collect();
        let sequence = Sequence { ids: ids.clone(), order, separators: Vec::new(), twice: None };
        let values = (0..5).flat_map(|q| (0..5).map(move |k| row(q, k))).collect();
        let report = InspectReport {
            tokens: ids.iter().map(|id| PromptToken { id: *id, text: String::new(), span: 0..1 }).collect(),
            captures: vec![Capture { site: Site::Pattern(4), shape: vec![1, 5, 5], values }],
            picture: None,
            left_out: None,
        };
        HeadAtlas::of(&report, &sequence, &|| true).unwrap().heads.remove(0)
    }

    #[test]
    fn a_head_is_told_by_what_it_does_most() {
        let previous = head(Order::LeftToRight, |q, k| match (q, k) {
            (0, 0) => 1.0,
            (q, k) if k + 1 == q => 0.83,
            (q, k) if k == q => 0.17,
            _ => 0.0,
        });
        assert_eq!(head_words(&previous), "head 4.0 gives 83 % to the previous token");
        let even = head(Order::BothWays, |_, _| 0.2);
        let words = "head 4.0 spreads its attention as even shares of 5.0 tokens would (1.61 nats); most of it goes to the \
                     previous token, with 20 %";
        assert_eq!(head_words(&even), words);
    }

    #[test]
    fn each_score_says_what_it_means() {
        let ahead = head(Order::BothWays, |q, k| if k == (q + 1).min(4) { 1.0 } else { 0.0 });
        assert_eq!(score_words(&ahead, AtlasScore::Distance), "head 4.0 looks 0.8 tokens ahead on average");
        assert_eq!(score_words(&ahead, AtlasScore::Next), "head 4.0 gives 100 % to the next token");
        let none = "head 4.0 has no score for induction: no token comes twice";
        assert_eq!(score_words(&ahead, AtlasScore::Induction), none);
    }

    #[test]
    fn weights_that_are_no_numbers_are_told_as_such() {
        let broken = head(Order::LeftToRight, |_, _| f32::NAN);
        assert_eq!(head_words(&broken), "head 4.0 has weights that are not numbers (NaN)");
        assert_eq!(score_words(&broken, AtlasScore::Own), head_words(&broken));
    }
}
