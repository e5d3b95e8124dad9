//! Pairs of texts that belong together: sentences of a text, each with the one behind it, or with itself.

use super::start::Frame;
use crate::load::Tokenizer;
use crate::nn::Random;
use crate::train::data::token_ids::TokenParts;
use crate::train::stream::Stream;
use crate::types::ContrastiveTask;
use std::collections::BTreeSet;

/// Tokens of the shortest sentence that is worth telling from others.
const SHORTEST: usize = 6;
/// Tokens that are read at a time.
const STRETCH: usize = 1 << 16;
/// What ends a sentence, and what may stand behind that.
const ENDS: [&str; 3] = [".", "!", "?"];
const CLOSES: [&str; 6] = ["\"", "'", "”", "’", ")", "]"];

/// Which tokens end a sentence, and which may stand behind its end.
pub(super) struct SentenceEnds {
    ends: BTreeSet<u32>,
    closes: BTreeSet<u32>,
}

impl SentenceEnds {
    /// Those of a tokenizer.
    pub(super) fn of(tokenizer: &Tokenizer, frame: &Frame) -> Self {
        let (mut ends, mut closes) = (BTreeSet::new(), BTreeSet::new());
        for id in frame.ordinary.iter() {
            let text = tokenizer.lossy_token_text(*id);
            let text = text.trim().trim_start_matches("##");
            if ENDS.contains(&text) {
                ends.insert(*id);
            } else if CLOSES.contains(&text) {
                closes.insert(*id);
            }
        }
        Self { ends, closes }
    }
}

/// A sentence: where it is among the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sentence {
    start: u64,
    len: u32,
    /// The next one of the list stands right behind it.
    is_followed: bool,
}

/// The sentences of a text that are long enough, in order.
#[derive(Default)]
pub(super) struct Sentences {
    ids: TokenParts,
    all: Vec<Sentence>,
    /// Tokens that are read of each.
    room: usize,
    /// The epoch the order was drawn for.
    epoch: Option<usize>,
    order: Vec<u32>,
}

/// The tokens of two texts that belong together, framed.
pub(super) type Pair = [Vec<u32>; 2];

impl Sentences {
    /// Those of a text; of each, `room` tokens are read.
    pub(super) fn new(ids: TokenParts, ends: &SentenceEnds, frame: &Frame, room: usize) -> Self {
        let mut finder = Finder { all: Vec::new(), start: 0, is_ended: false, last_kept: false };
        for first in (0..ids.len()).step_by(STRETCH) {
            let some = ids.copy(first..ids.len().min(first + STRETCH));
            some.into_iter().zip(first..).for_each(|(id, place)| finder.take(id, place, ends, frame));
        }
        finder.end(ids.len());
        Self { all: finder.all, ids, room, epoch: None, order: Vec::new() }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The tokens of one, as far as they are read.
    pub(super) fn sentence(&self, place: usize) -> Vec<u32> {
        let Sentence { start, len, .. } = self.all[place];
        self.ids.copy(start as usize..start as usize + self.room.min(len as usize))
    }

    /// The pairs of a batch, counted from 1: every sentence comes first once an epoch, in an order drawn anew each epoch.
    pub(super) fn batch(
        &mut self,
        task: &ContrastiveTask,
        frame: &Frame,
        size: usize,
        seed: u64,
        number: usize,
    ) -> Vec<Pair> {
        let mut random = Random::new(seed, Stream::Views.at(number as u64));
        let (count, first) = (self.all.len(), (number - 1) * size);
        (first..first + size)
            .map(|place| {
                let epoch = place / count;
                if self.epoch != Some(epoch) {
                    self.order = Random::new(seed, Stream::PairOrder.at(epoch as u64)).permutation(count);
                    self.epoch = Some(epoch);
                }
                self.pair(self.order[place % count] as usize, task, frame, &mut random)
            })
            .collect()
    }

    /// A sentence with the next one or with itself, words left out of both.
    pub(super) fn pair(&self, place: usize, task: &ContrastiveTask, frame: &Frame, random: &mut Random) -> Pair {
        let with_next = random.unit() < task.neighbours && self.all[place].is_followed;
        let second = if with_next { place + 1 } else { place };
        [place, second].map(|place| frame.around(&thinned(&self.sentence(place), task.deletion, frame, random)))
    }
}

/// Finds sentences while tokens go by.
struct Finder {
    all: Vec<Sentence>,
    start: usize,
    /// The sentence is over, and what closes it may still come.
    is_ended: bool,
    /// The sentence right before this one is in the list.
    last_kept: bool,
}

impl Finder {
    fn take(&mut self, id: u32, place: usize, ends: &SentenceEnds, frame: &Frame) {
        if frame.is_border(id) {
            self.end(place);
            (self.start, self.last_kept) = (place + 1, false);
        } else if ends.ends.contains(&id) {
            self.is_ended = true;
        } else if self.is_ended && !ends.closes.contains(&id) {
            self.end(place);
        }
    }

    /// The sentence ends before `place`, where the next one begins.
    fn end(&mut self, place: usize) {
        let len = place - self.start;
        let is_kept = len >= SHORTEST;
        if is_kept {
            if let Some(before) = self.all.last_mut() {
                before.is_followed = self.last_kept;
            }
            self.all.push(Sentence { start: self.start as u64, len: len as u32, is_followed: false });
        }
        (self.start, self.last_kept, self.is_ended) = (place, is_kept, false);
    }
}

/// A text without a share of its words, each left out by itself; at least one stays.
fn thinned(text: &[u32], share: f64, frame: &Frame, random: &mut Random) -> Vec<u32> {
    let mut words: Vec<&[u32]> = Vec::new();
    let mut start = 0;
    for place in 1..=text.len() {
        if place == text.len() || !frame.goes_on(text[place]) {
            words.push(&text[start..place]);
            start = place;
        }
    }
    let kept: Vec<&[u32]> = words.iter().copied().filter(|_| random.unit() >= share).collect();
    if kept.is_empty() { words[random.below(words.len())].to_vec() } else { kept.concat() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 5 ends a sentence, 6 closes it, 3 parts documents; multiples of ten go on with a word.
    fn sentences(ids: &[u32], room: usize) -> (Sentences, Frame) {
        let frame = Frame::test(&[2], &[3], 4, 5..200);
        let ends = SentenceEnds { ends: [5].into(), closes: [6].into() };
        (Sentences::new(ids.iter().copied().collect(), &ends, &frame, room), frame)
    }

    fn task(neighbours: f64, deletion: f64) -> ContrastiveTask {
        let text = format!("data = []\ncontext = 20\nneighbours = {neighbours}\ndeletion = {deletion}\n");
        toml::from_str(&text).unwrap()
    }

    #[test]
    fn sentences_end_behind_what_closes_them_and_with_their_document() {
        let long = |from: u32| (from..from + 6).collect::<Vec<u32>>();
        let text =
            [long(11), vec![5, 6], long(21), vec![5], vec![31, 5], long(41), vec![5], long(51), vec![3], long(61)];
        let (found, _) = sentences(&text.concat(), 100);
        let all: Vec<Vec<u32>> = (0..found.len()).map(|place| found.sentence(place)).collect();
        let whole = |from, behind: &[u32]| [long(from), behind.to_vec()].concat();
        assert_eq!(all, [whole(11, &[5, 6]), whole(21, &[5]), whole(41, &[5]), whole(51, &[]), whole(61, &[])]);
        // A short one was left out between the second and the third; a document ends behind the fourth.
        let followed: Vec<bool> = found.all.iter().map(|sentence| sentence.is_followed).collect();
        assert_eq!(followed, [true, false, true, false, false]);
    }

    #[test]
    fn a_pair_is_a_sentence_with_its_neighbour_or_with_itself() {
        let text: Vec<u32> = (0..20).flat_map(|i| (11..18).map(move |k| k + 7 * i).chain([5])).collect();
        let (mut found, frame) = sentences(&text, 5);
        let framed = |place: usize, found: &Sentences| frame.around(&found.sentence(place));
        let pairs = found.batch(&task(1.0, 0.0), &frame, 20, 3, 1);
        let mut firsts = Vec::new();
        for [first, second] in &pairs {
            let place = (0..20).find(|place| framed(*place, &found) == *first).unwrap();
            firsts.push(place);
            assert_eq!(*second, framed((place + 1).min(19), &found), "the last one has no neighbour");
            assert_eq!(first.len(), 7, "five tokens between [CLS] and [SEP]");
        }
        firsts.sort_unstable();
        assert_eq!(firsts, (0..20).collect::<Vec<_>>(), "each once an epoch");
        assert_eq!(sentences(&text, 5).0.batch(&task(1.0, 0.0), &frame, 20, 3, 1), pairs);
        let same = found.batch(&task(0.0, 0.0), &frame, 20, 3, 2);
        assert!(same.iter().all(|[first, second]| first == second));
    }

    #[test]
    fn words_are_left_out_whole_and_one_stays() {
        let frame = Frame::test(&[2], &[3], 4, 5..200);
        // 20 and 30 go on with 11.
        let text = [11, 20, 30, 12, 13, 14];
        let mut counts = [0; 4];
        for stream in 0..2000 {
            let left = thinned(&text, 0.5, &frame, &mut Random::new(1, stream));
            let words =
                [&[11, 20, 30][..], &[12], &[13], &[14]].map(|word| left.windows(word.len()).any(|w| w == word));
            assert!(!left.is_empty() && left.contains(&20) == words[0] && left.contains(&11) == words[0], "{left:?}");
            counts.iter_mut().zip(words).for_each(|(count, is_there)| *count += i32::from(is_there));
        }
        assert!(counts.iter().all(|count| (*count - 1031).abs() < 120), "{counts:?}");
    }
}
