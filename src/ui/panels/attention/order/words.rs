//! What the orders are called, what they mean, and what is to be learned where it was measured.

use crate::analysis::Order;
use crate::types::{ChangedOrder, Reordering, Site, WordOrderReport};
use crate::ui::widgets::{percent, significant, visible_text};

pub(super) const NO_POSITIONS: &str = "This model is told no positions that could be switched off or swapped: order reaches it in \
     another way, by biases of scores that grow with the distance or by reading one token after the other. Its words can be shuffled.";

/// Differences are rounding where they are smaller than what they are measured in by this factor.
const ROUNDING: f32 = 1e-4;

/// What is done, and what is left as it is.
pub(super) fn meaning(how: Reordering, positions: Option<Site>, order: Order) -> String {
    let off = match positions {
        Some(Site::Rotary) => {
            "No query and no key is rotated, as if all tokens stood in one place: rotations tell distances alone, so it does not \
             matter in which."
        }
        _ => {
            "The embedding of the position is left out of every token (zero in its place). That is not the same as giving all \
             tokens one position, which would add the same vector to each; the model saw neither in training."
        }
    };
    let mask = match order {
        Order::LeftToRight => {
            " A token still sees only itself and those before it, as many as a window holds where there is one."
        }
        Order::BothWays | Order::Patches => "",
    };
    let tokens = "Whole words stand in other places. Tokens are moved as they are and not split anew, so a word that comes to the \
                  front keeps its blank.";
    let stays = match order {
        Order::LeftToRight => {
            " What the tokenizer put before the text stays, and the last word, behind which the model is asked what comes next."
        }
        Order::BothWays | Order::Patches => " What the tokenizer put around the text stays.",
    };
    match how {
        Reordering::PositionsOff => format!("{off}{mask}"),
        Reordering::Swapped => match order {
            Order::LeftToRight => {
                "Two tokens are told each other's positions. Both stay where they stand and see the tokens they \
                                   saw; if the words were swapped in the text, what each may see would change as well."
                    .to_owned()
            }
            Order::BothWays | Order::Patches => {
                "Two tokens are told each other's positions. In an encoder every token sees all \
                                                 others, so that is the same as swapping the two in the text."
                    .to_owned()
            }
        },
        Reordering::Shuffled => format!("{tokens}{stays}"),
        Reordering::ShuffledOff => {
            "Words in other places, and no positions: what is left of their order is what the mask lets a \
                                    token see."
                .to_owned()
        }
    }
}

/// A change as short as the line at the foot of the window needs it.
pub(super) fn brief(change: &ChangedOrder) -> String {
    let name = change.how.name().to_lowercase();
    match (&change.said, change.cosines.last()) {
        (Some(said), _) => format!("{name} · {} nats", nats(said.kl)),
        (None, Some(cosine)) => format!("{name} · cosine {cosine:.3}"),
        (None, None) => name,
    }
}

/// A change in one line.
pub(super) fn told(report: &WordOrderReport, change: &ChangedOrder) -> String {
    let mut words = vec![change.how.name().to_lowercase()];
    if let (Some(first), Some(said)) = (report.said.as_ref().and_then(|said| said.first()), &change.said) {
        let likeliest = said.top.first().map_or_else(String::new, |(token, _)| visible_text(&token.text));
        let now = said.written.first().copied().unwrap_or(0.0);
        words.push(format!("likeliest ‘{likeliest}’"));
        let first_text = visible_text(&first.text);
        words.push(format!("‘{first_text}’ {} of {}", percent(now), percent(first.probability)));
        words.push(format!("KL {} nats", nats(said.kl)));
    }
    if let Some(cosine) = change.cosines.last() {
        words.push(format!("cosine {cosine:.3}"));
    }
    if let Some(pooled) = change.pooled {
        words.push(format!("text vector {pooled:.3}"));
    }
    if let Some(mean) = mean_distance(change) {
        words.push(format!("heads {mean:.3}"));
    }
    words.join(", ")
}

/// Nats, as few digits as tell them.
pub(super) fn nats(kl: f64) -> String {
    if kl < 5e-5 { "0".to_owned() } else { significant(kl) }
}

/// How much heads changed on the average.
pub(super) fn mean_distance(change: &ChangedOrder) -> Option<f32> {
    let all = change.heads.iter().flatten();
    let (sum, count) = all.fold((0.0f64, 0usize), |(sum, count), distance| (sum + f64::from(*distance), count + 1));
    (count > 0).then(|| (sum / count as f64) as f32)
}

/// What is to be learned, of what was measured alone.
pub(super) fn learned(report: &WordOrderReport, order: Order) -> Vec<String> {
    let token = visible_text(&report.tokens[report.token].text);
    let mut sentences = Vec::new();
    sentences.extend(swapped(report));
    if is_one_order(report) {
        sentences.push("There is no other order of this text: fewer than two different words can move.".to_owned());
        return sentences;
    }
    let Some(without) = &report.without else { return sentences };
    let is_same = without.all <= ROUNDING * without.largest.max(1.0);
    match order {
        Order::BothWays | Order::Patches if is_same => sentences.push(format!(
            "Self-attention sees a set: without positions every token has the very same vectors in the shuffled text as in the text \
             as written. The largest difference is {}, of numbers up to {}.",
            small(without.all),
            small(without.largest)
        )),
        Order::BothWays | Order::Patches => {}
        Order::LeftToRight => sentences.extend(of_mask(report, &token)),
    }
    sentences
}

/// That a mask tells orders apart, from the second block on.
fn of_mask(report: &WordOrderReport, token: &str) -> Option<String> {
    let without = report.without.as_ref()?;
    let (first, last) = (*without.token.get(1)?, *without.token.last()?);
    let is_told = last > ROUNDING * without.largest.max(1.0);
    if !report.has_same_before() || report.token == 0 {
        return is_told.then(|| {
            format!(
                "Positions are off, and this model still tells the two orders apart: the vector of ‘{token}’ differs by up to {} \
                 behind the last block. Its mask, by which a token sees only those before it, is a trace of the order.",
                small(last)
            )
        });
    }
    let is_same_at_first = first <= ROUNDING * last.max(1.0) && first < last;
    match (is_told, is_same_at_first && without.token.len() > 2) {
        (true, true) => Some(format!(
            "Positions are off, and this model still tells orders apart, by its mask. Behind the first block ‘{token}’ has the same \
             vector (within {}), for it has seen the same tokens; behind the last it differs by up to {}, for those tokens had seen \
             different ones.",
            small(first),
            small(last)
        )),
        (true, false) => Some(format!(
            "Positions are off, and this model still tells the two orders apart, by its mask: the vector of ‘{token}’ differs by up to {} \
             behind the last block.",
            small(last)
        )),
        (false, _) => None,
    }
}

/// What a swap alone did.
fn swapped(report: &WordOrderReport) -> Option<String> {
    let change = report.change(Reordering::Swapped)?;
    let [a, b] = report.swap?.map(|at| visible_text(&report.tokens[at].text));
    if report.swap.is_some_and(|[a, b]| a == b) {
        return Some(format!("‘{a}’ is swapped with itself, which changes nothing."));
    }
    if let Some(pooled) = change.pooled {
        return Some(format!(
            "Told each other's positions, ‘{a}’ and ‘{b}’ leave the vector of the whole text with a cosine of {pooled:.3} to that as \
             written."
        ));
    }
    let said = change.said.as_ref()?;
    let first = report.said.as_ref()?.first()?;
    let now = said.written.first()?;
    let first_text = visible_text(&first.text);
    Some(format!(
        "Told each other's positions, ‘{a}’ and ‘{b}’ take ‘{first_text}’ from {} to {} ({} nats).",
        percent(first.probability),
        percent(*now),
        nats(said.kl)
    ))
}

/// True where shuffling left the text as it is.
pub(super) fn is_one_order(report: &WordOrderReport) -> bool {
    report.order.iter().enumerate().all(|(place, token)| place == *token)
}

/// A difference, in two digits.
fn small(value: f32) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if value.is_finite() && value.abs() < 1e-3 { format!("{value:.1e}") } else { significant(f64::from(value)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Candidate, ChangedAnswer, PromptToken, WithoutOrder};

    fn report(token: usize, order: &[usize], without: Option<WithoutOrder>) -> WordOrderReport {
        let texts = [" a", " dog", " bites", " men"];
        let token_of = |at: usize| PromptToken { id: at as u32, text: texts[at].into(), span: 0..0 };
        let candidate = Candidate { id: 9, text: " now".into(), probability: 0.5 };
        let said = ChangedAnswer { kl: 0.25, written: vec![0.125], top: vec![(candidate.clone(), 0.5)] };
        let swapped = ChangedOrder {
            how: Reordering::Swapped,
            said: Some(said),
            cosines: vec![1.0, 0.5],
            pooled: None,
            heads: vec![vec![0.25, 0.75]],
        };
        WordOrderReport {
            tokens: (0..4).map(token_of).collect(),
            token,
            swap: Some([1, 3]),
            order: order.to_vec(),
            positions: Some(Site::Rotary),
            said: Some(vec![candidate]),
            changes: vec![swapped],
            without,
            left_out: None,
        }
    }

    fn without(token: [f32; 3], all: f32) -> Option<WithoutOrder> {
        Some(WithoutOrder { token: token.to_vec(), all, largest: 4.0 })
    }

    #[test]
    fn a_change_is_told_in_one_line() {
        let report = report(3, &[0, 1, 2, 3], None);
        let line = told(&report, &report.changes[0]);
        assert_eq!(
            line,
            "two swapped, likeliest ‘·now’, ‘·now’ 12.5 % of 50.0 %, KL 0.250 nats, cosine 0.500, heads 0.500"
        );
    }

    #[test]
    fn an_encoder_is_said_to_see_a_set_only_where_the_vectors_are_the_same() {
        let seen = learned(&report(3, &[1, 0, 2, 3], without([0.0; 3], 4e-7)), Order::BothWays);
        assert!(seen[1].contains("sees a set") && seen[1].contains("4.0e-7, of numbers up to 4"), "{seen:?}");
        let other = learned(&report(3, &[1, 0, 2, 3], without([0.0; 3], 0.5)), Order::BothWays);
        assert_eq!(other.len(), 1, "{other:?}");
    }

    #[test]
    fn a_decoder_is_said_to_know_order_by_its_mask_only_where_it_was_measured() {
        let of = |token, order: &[usize], vectors| {
            let all = learned(&report(token, order, without(vectors, 0.5)), Order::LeftToRight);
            all.get(1).cloned().unwrap_or_default()
        };
        let same = of(3, &[1, 0, 2, 3], [0.0, 2e-7, 0.31]);
        assert!(same.contains("Behind the first block ‘·men’ has the same vector (within 2.0e-7)"), "{same}");
        let other = of(1, &[0, 2, 1, 3], [0.0, 0.2, 0.31]);
        assert!(other.contains("a trace of the order") && !other.contains("first block"), "{other}");
        assert_eq!(of(3, &[1, 0, 2, 3], [0.0, 0.0, 1e-6]), "", "nothing is told where nothing differs");
    }

    #[test]
    fn a_text_with_one_order_says_so() {
        let words = learned(&report(3, &[0, 1, 2, 3], without([0.0; 3], 0.0)), Order::LeftToRight);
        assert!(words[1].contains("no other order"), "{words:?}");
    }
}
