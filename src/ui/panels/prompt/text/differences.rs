//! How the tokens of two texts stand to each other: by token where one model wrote both, by what they say where two did.

use crate::analysis::align;
use crate::types::{GeneratedToken, JobId};

/// The differences of two texts.
#[derive(Default)]
pub(super) struct Differences {
    /// Of which jobs, and how many tokens they had.
    of: Option<([JobId; 2], [usize; 2])>,
    /// By text, which tokens have no equal in the other.
    pub marks: [Vec<bool>; 2],
    /// The first tokens at which they differ.
    pub first: Option<[usize; 2]>,
    /// True where they are the same from end to end.
    pub is_same: bool,
}

impl Differences {
    /// Brings them up to date; aligned anew only where there are more tokens.
    pub fn update(&mut self, jobs: [JobId; 2], tokens: [&[&GeneratedToken]; 2], by_text: bool) {
        let of = Some((jobs, tokens.map(<[_]>::len)));
        if self.of == of {
            return;
        }
        self.of = of;
        if by_text {
            let texts = tokens.map(|tokens| tokens.iter().map(|token| token.name()).collect::<Vec<_>>());
            (self.first, self.marks) = (parting_of_texts(&texts), marks_of_texts(&texts));
            self.is_same = texts[0].concat() == texts[1].concat();
        } else {
            let ids = tokens.map(|tokens| tokens.iter().map(|token| token.id).collect::<Vec<_>>());
            (self.first, self.marks) = (parting(&ids[0], &ids[1]).map(|at| [at, at]), marks(&ids[0], &ids[1]));
            self.is_same = ids[0] == ids[1];
        }
    }
}

/// The first place at which two lists differ, as far as both go.
fn parting<T: PartialEq>(a: &[T], b: &[T]) -> Option<usize> {
    a.iter().zip(b).position(|(a, b)| a != b)
}

/// By list, which items have no equal in the other.
fn marks<T: PartialEq>(a: &[T], b: &[T]) -> [Vec<bool>; 2] {
    let mut marks = [vec![true; a.len()], vec![true; b.len()]];
    for (in_a, in_b) in align(a, b) {
        if let (Some(in_a), Some(in_b)) = (in_a, in_b)
            && a[in_a] == b[in_b]
        {
            (marks[0][in_a], marks[1][in_b]) = (false, false);
        }
    }
    marks
}

/// The tokens in which the first letter stands that is another, as far as both texts go.
fn parting_of_texts(texts: &[Vec<&str>; 2]) -> Option<[usize; 2]> {
    let whole = [texts[0].concat(), texts[1].concat()];
    let at = parting(whole[0].as_bytes(), whole[1].as_bytes())?;
    Some(texts.each_ref().map(|tokens| {
        let mut end = 0;
        let holds = |token: &&str| {
            end += token.len();
            at < end
        };
        tokens.iter().position(holds).unwrap_or(0)
    }))
}

/// By text, which tokens belong to a word that has no equal in the other: two models may cut a word in other places.
fn marks_of_texts(texts: &[Vec<&str>; 2]) -> [Vec<bool>; 2] {
    let whole = [texts[0].concat(), texts[1].concat()];
    let words = whole.each_ref().map(|text| words(text));
    let of_words = marks(&words[0], &words[1]);
    [0, 1].map(|side| {
        // Which bytes belong to words without an equal.
        let mut ends = Vec::new();
        let mut end = 0;
        for (word, mark) in words[side].iter().zip(&of_words[side]) {
            end += word.len();
            ends.push((end, *mark));
        }
        let mut start = 0;
        let mut mark = |token: &&str| {
            let (from, to) = (start, start + token.len());
            start = to;
            let first = ends.partition_point(|(end, _)| *end <= from);
            let last = ends.partition_point(|(end, _)| *end < to);
            ends.get(first..=last.min(ends.len().saturating_sub(1)))
                .is_some_and(|words| from < to && words.iter().any(|(_, mark)| *mark))
        };
        texts[side].iter().map(&mut mark).collect()
    })
}

/// Words with the white space before them, and marks by themselves.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut start, mut has_letters) = (0, false);
    for (at, c) in text.char_indices() {
        let is_letter = c.is_alphanumeric() || c == '\'';
        // A word ends before white space, and before and behind a mark.
        if has_letters && !is_letter {
            words.push(&text[start..at]);
            (start, has_letters) = (at, false);
        }
        if is_letter {
            has_letters = true;
        } else if !c.is_whitespace() {
            words.push(&text[start..at + c.len_utf8()]);
            start = at + c.len_utf8();
        }
    }
    if start < text.len() {
        words.push(&text[start..]);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_equal_is_marked_and_the_first_difference_is_by_place() {
        let (a, b) = ([1, 2, 3, 4, 5], [1, 9, 3, 5, 6]);
        assert_eq!(parting(&a, &b), Some(1));
        assert_eq!(marks(&a, &b), [vec![false, true, false, true, false], vec![false, true, false, false, true]]);
        assert_eq!((parting(&a, &a[..3]), marks(&a[..1], &a[..1])), (None, [vec![false], vec![false]]));
    }

    #[test]
    fn texts_are_cut_into_words_and_marks() {
        assert_eq!(words("It's a cat. \n\"No!\""), ["It's", " a", " cat", ".", " \n\"", "No", "!", "\""]);
        assert_eq!(words("  é "), ["  é", " "]);
        assert!(words("").is_empty());
    }

    #[test]
    fn tokens_of_other_tokenizers_are_compared_by_what_they_say() {
        let texts = [vec![" a", " little", " cat", " sat"], vec![" a li", "ttle", " d", "og sat"]];
        let marks = marks_of_texts(&texts);
        assert_eq!(
            marks,
            [vec![false, false, true, false], vec![false, false, true, true]],
            "a token may be of two words"
        );
        assert_eq!(parting_of_texts(&texts), Some([2, 2]));
        let same = [vec![" a", "b"], vec![" ab"]];
        assert_eq!((parting_of_texts(&same), marks_of_texts(&same)), (None, [vec![false; 2], vec![false]]));
        let longer = [vec![" ab"], vec![" a", "b", "", " c"]];
        assert_eq!(parting_of_texts(&longer), None);
        assert_eq!(marks_of_texts(&longer)[1], [false, false, false, true]);
        let none = [vec![], vec![" a"]];
        assert_eq!(marks_of_texts(&none), [vec![], vec![true]]);
    }
}
