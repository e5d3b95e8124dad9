//! Finding heads by a few words.

use super::{AtlasHead, AtlasScore, HeadAtlas};

/// A share that a name alone asks for.
const ENOUGH: f32 = 0.3;

/// What heads are looked for: every condition must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeadFilter {
    conditions: Vec<Condition>,
    /// What could not be understood, in words.
    pub unclear: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Condition {
    Layer(usize),
    Head(usize),
    Above(AtlasScore, f32),
    Below(AtlasScore, f32),
}

impl HeadFilter {
    /// Reads words such as `layer 5`, `head 3`, `5.3` (layer and head), `>0.4 previous`, `entropy <1`, and `induction`, which by
    /// itself asks for more than 0.3. A score is named by the beginning of a word of its name or of its id; of several the first
    /// in `scores` is meant.
    #[must_use]
    pub fn parse(text: &str, scores: &[AtlasScore]) -> Self {
        let mut filter = Self::default();
        let words = spaced(&text.to_lowercase());
        let mut words = words.iter().map(String::as_str).peekable();
        // A bound waits for the name that follows; one that follows its name is taken with it.
        let mut bound: Option<(char, f32)> = None;
        while let Some(word) = words.next() {
            if let Some(found) = read_bound(word) {
                bound = Some(found);
            } else if let Some((layer, head)) = read_place(word) {
                filter.conditions.extend([Condition::Layer(layer), Condition::Head(head)]);
            } else if word == "layer" || word == "head" {
                let Some(number) = words.next_if(|next| next.parse::<usize>().is_ok()) else { continue };
                let number = number.parse().unwrap_or_default();
                filter.conditions.push(if word == "layer" {
                    Condition::Layer(number)
                } else {
                    Condition::Head(number)
                });
            } else if let Some(score) = named(word, scores) {
                let behind = words.next_if(|next| bound.is_none() && read_bound(next).is_some());
                let bound = bound.take().or_else(|| behind.and_then(read_bound));
                match bound {
                    Some(('<', value)) => filter.conditions.push(Condition::Below(score, value)),
                    Some((_, value)) => filter.conditions.push(Condition::Above(score, value)),
                    None if score.is_share() => filter.conditions.push(Condition::Above(score, ENOUGH)),
                    None => {
                        let name = score.name().to_lowercase();
                        filter.unclear = Some(format!("‘{name}’ needs a bound, as in ‘{name} >2’."));
                    }
                }
            } else if !matches!(word, ">" | "<" | "token" | "and") {
                filter.unclear = Some(format!("‘{word}’ is no score of this table, no layer and no head."));
            }
        }
        filter
    }

    /// True where nothing is asked but which layer and which head.
    #[must_use]
    pub fn is_of_places(&self) -> bool {
        self.conditions.iter().all(|condition| matches!(condition, Condition::Layer(_) | Condition::Head(_)))
    }

    /// True of a place that is looked for, whatever its head does.
    #[must_use]
    pub fn takes_place(&self, layer: usize, head: usize) -> bool {
        self.conditions.iter().all(|condition| match condition {
            Condition::Layer(wanted) => layer == *wanted,
            Condition::Head(wanted) => head == *wanted,
            Condition::Above(..) | Condition::Below(..) => true,
        })
    }

    /// Layer and head of all that are looked for: what has most of the first score that is named stands first, or what has least
    /// where that is bounded from above; without scores by layer and head.
    #[must_use]
    pub fn found(&self, atlas: &HeadAtlas) -> Vec<(usize, usize)> {
        let mut heads: Vec<&AtlasHead> = atlas.heads.iter().filter(|head| self.takes(head)).collect();
        let leading = self.conditions.iter().find_map(|condition| match condition {
            Condition::Above(score, _) => Some((*score, true)),
            Condition::Below(score, _) => Some((*score, false)),
            Condition::Layer(_) | Condition::Head(_) => None,
        });
        if let Some((score, is_falling)) = leading {
            let value = |head: &AtlasHead| head.value(score).unwrap_or(f32::NAN);
            heads.sort_by(|a, b| {
                let rising = value(a).total_cmp(&value(b));
                if is_falling { rising.reverse() } else { rising }
            });
        }
        heads.into_iter().map(|head| (head.layer, head.head)).collect()
    }

    /// True of a head that is looked for.
    #[must_use]
    pub fn takes(&self, head: &AtlasHead) -> bool {
        self.conditions.iter().all(|condition| match condition {
            Condition::Layer(layer) => head.layer == *layer,
            Condition::Head(number) => head.head == *number,
            Condition::Above(score, least) => head.value(*score).is_some_and(|value| value > *least),
            Condition::Below(score, most) => head.value(*score).is_some_and(|value| value < *most),
        })
    }
}

/// The words, with a bound as one of them however it was spaced: `> 0.4` and `previous>0.4` as well.
fn spaced(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.replace('>', " >").replace('<', " <").replace(',', " ").split_whitespace() {
        match words.last_mut() {
            Some(last) if last == ">" || last == "<" => last.push_str(word),
            _ => words.push(word.to_owned()),
        }
    }
    words
}

fn read_bound(word: &str) -> Option<(char, f32)> {
    let sign = word.chars().next().filter(|c| *c == '>' || *c == '<')?;
    Some((sign, word[1..].parse().ok()?))
}

/// `5.3` is head 3 of layer 5.
fn read_place(word: &str) -> Option<(usize, usize)> {
    let (layer, head) = word.split_once('.')?;
    Some((layer.parse().ok()?, head.parse().ok()?))
}

fn named(word: &str, scores: &[AtlasScore]) -> Option<AtlasScore> {
    let begins = |score: &&AtlasScore| {
        let id = score.id().split('_');
        score.id() == word || id.chain(score.name().split([' ', ','])).any(|w| w.to_lowercase().starts_with(word))
    };
    scores.iter().find(begins).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{HeadAtlas, Order, Sequence};
    use crate::types::{Capture, InspectReport, Site};

    /// Two layers of four heads on three tokens: head n looks back by n / 4, and at itself with the rest.
    fn heads() -> HeadAtlas {
        let rows = |share: f32| [1.0, 0.0, 0.0, share, 1.0 - share, 0.0, 0.0, share, 1.0 - share];
        let values: Vec<f32> = [0.0, 0.25, 0.5, 0.75].into_iter().flat_map(rows).collect();
        let capture =
            |layer| Capture { site: Site::Pattern(layer), shape: vec![4, 3, 3], values: values.to_vec().into() };
        let captures = vec![capture(0), capture(1)];
        let report = InspectReport { tokens: Vec::new(), captures, picture: None, left_out: None };
        let order = Order::LeftToRight;
        let sequence = Sequence { ids: vec![1, 2, 1], order, separators: Vec::new(), twice: None };
        HeadAtlas::of(&report, &sequence, &|| true).unwrap()
    }

    fn found(text: &str) -> Vec<(usize, usize)> {
        let atlas = heads();
        let filter = HeadFilter::parse(text, &atlas.scores());
        assert_eq!(filter.unclear, None, "{text}");
        atlas.heads.iter().filter(|head| filter.takes(head)).map(|head| (head.layer, head.head)).collect()
    }

    #[test]
    fn heads_are_found_by_layer_by_place_and_by_what_they_do() {
        assert_eq!(found("").len(), 8);
        assert_eq!(found("layer 1"), [(1, 0), (1, 1), (1, 2), (1, 3)]);
        assert_eq!(found("head 2"), [(0, 2), (1, 2)]);
        assert_eq!(found("1.3"), [(1, 3)]);
        assert_eq!(found("previous"), [(0, 2), (0, 3), (1, 2), (1, 3)], "more than 0.3");
        for text in [">0.6 previous", "previous >0.6", "previous token > 0.6", "Prev>0.6"] {
            assert_eq!(found(text), [(0, 3), (1, 3)], "{text}");
        }
        assert_eq!(found("layer 0, previous <0.1"), [(0, 0)]);
        assert_eq!(found("distance >0.4 <0.3 previous layer 1"), []);
        assert_eq!(
            found("induc"),
            [(0, 2), (0, 3), (1, 2), (1, 3)],
            "what came after the first token stands before the third"
        );
    }

    #[test]
    fn what_does_most_of_the_first_score_is_found_first() {
        let atlas = heads();
        let ordered = |text: &str| HeadFilter::parse(text, &atlas.scores()).found(&atlas);
        assert_eq!(ordered("previous layer 1"), [(1, 3), (1, 2)]);
        assert_eq!(
            ordered("<0.9 self layer 0"),
            [(0, 3), (0, 2), (0, 1)],
            "what has least of it, where that is asked for"
        );
        assert_eq!(ordered("head 2"), [(0, 2), (1, 2)]);
    }

    #[test]
    fn places_are_told_from_what_heads_do() {
        let parse = |text: &str| HeadFilter::parse(text, &heads().scores());
        assert!(parse("layer 5 head 3").is_of_places() && parse("5.3").is_of_places());
        assert!(!parse("5.3 previous").is_of_places());
        assert!(parse("5.3").takes_place(5, 3) && !parse("5.3").takes_place(5, 2));
    }

    #[test]
    fn words_that_mean_nothing_are_told_and_half_a_word_is_not() {
        let scores = heads().scores();
        let unclear = |text: &str| HeadFilter::parse(text, &scores).unclear;
        assert_eq!(unclear("flying"), Some("‘flying’ is no score of this table, no layer and no head.".into()));
        assert_eq!(unclear("entropy"), Some("‘entropy’ needs a bound, as in ‘entropy >2’.".into()));
        assert_eq!((unclear("layer"), unclear(">"), unclear(">0.")), (None, None, None));
    }
}
