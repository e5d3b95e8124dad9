//! The documents of texts, as far as they are read: what stands between separators, without the white space around it.

use std::collections::VecDeque;

/// A piece of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Some of its text; the first has no white space before it, the last none behind it.
    Text(String),
    /// It is over. Only documents that hold something are told of.
    End,
}

/// Splits a text that comes in stretches.
pub(crate) struct Documents {
    separators: Vec<String>,
    /// Text that was not given: white space and beginnings of separators, which may turn out to end the document.
    waiting: String,
    parts: VecDeque<Part>,
    is_inside: bool,
}

impl Documents {
    /// With these texts between documents; empty ones separate nothing.
    pub(crate) fn new(separators: &[String]) -> Self {
        let separators = separators.iter().filter(|separator| !separator.is_empty()).cloned().collect();
        Self { separators, waiting: String::new(), parts: VecDeque::new(), is_inside: false }
    }

    /// Where the next stretch of text is added, before [`Self::take_in`].
    pub(crate) fn stretch(&mut self) -> &mut String {
        &mut self.waiting
    }

    /// Splits what was added.
    pub(crate) fn take_in(&mut self) {
        while let Some((at, length)) = self.next_separator() {
            let rest = self.waiting.split_off(at + length);
            self.waiting.truncate(at);
            self.end();
            self.waiting = rest;
        }
        // The longest end that could still belong to a separator, and the white space before it.
        let longest = self.separators.iter().map(String::len).max().unwrap_or(0);
        let tail = (1..longest.min(self.waiting.len() + 1)).rev().find(|&tail| {
            let from = self.waiting.len() - tail;
            self.waiting.is_char_boundary(from)
                && self.separators.iter().any(|separator| separator.starts_with(&self.waiting[from..]))
        });
        let sure = &self.waiting[..self.waiting.len() - tail.unwrap_or(0)];
        let rest = self.waiting.split_off(sure.trim_end().len());
        let text = std::mem::replace(&mut self.waiting, rest);
        self.give(&text);
    }

    /// The text is over, and with it its last document.
    pub(crate) fn finish(&mut self) {
        self.take_in();
        self.end();
    }

    /// The next part, if there is one.
    pub(crate) fn next_part(&mut self) -> Option<Part> {
        self.parts.pop_front()
    }

    /// Where the next separator is, and how long.
    fn next_separator(&self) -> Option<(usize, usize)> {
        let found =
            self.separators.iter().filter_map(|separator| Some((self.waiting.find(separator.as_str())?, separator)));
        // Of two at one place the shorter: the rest of the longer may not be here yet.
        found.map(|(at, separator)| (at, separator.len())).min()
    }

    fn give(&mut self, text: &str) {
        let text = if self.is_inside { text } else { text.trim_start() };
        if !text.is_empty() {
            self.is_inside = true;
            self.parts.push_back(Part::Text(text.to_owned()));
        }
    }

    fn end(&mut self) {
        let text = std::mem::take(&mut self.waiting);
        self.give(text.trim_end());
        if std::mem::take(&mut self.is_inside) {
            self.parts.push_back(Part::End);
        }
    }
}

/// A place to cut a text, at most `bytes` from its beginning, at which a tokenizer joins nothing on both sides: before a line
/// that begins with a letter, else before a word. `None` where there is none in the last half of those bytes.
pub(crate) fn cut(text: &str, bytes: usize) -> Option<usize> {
    let (from, to) = (text.floor_char_boundary(bytes / 2), text.floor_char_boundary(bytes));
    let is_word = |at: usize| text[at..].chars().next().is_some_and(char::is_alphabetic);
    // White space belongs together: a tokenizer may take two line breaks for one token.
    let behind_word = |at: usize| text[..at].chars().next_back().is_some_and(|letter| !letter.is_whitespace());
    let mut lines = text[from..to].rmatch_indices('\n').map(|(at, _)| from + at);
    let line = lines.find(|&at| behind_word(at) && is_word(at + 1)).map(|at| at + 1);
    let mut spaces = text[from..to].rmatch_indices(' ').map(|(at, _)| from + at);
    line.or_else(|| spaces.find(|&at| behind_word(at) && is_word(at + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: &str = "<|endoftext|>";

    /// The documents of a text that comes in stretches of so many characters.
    fn documents(text: &str, separators: &[&str], stretch: usize) -> Vec<String> {
        let separators: Vec<String> = separators.iter().map(|text| (*text).to_owned()).collect();
        let mut splitter = Documents::new(&separators);
        let (mut all, mut open) = (Vec::new(), String::new());
        let mut collect = |splitter: &mut Documents| {
            while let Some(part) = splitter.next_part() {
                match part {
                    Part::Text(text) => open.push_str(&text),
                    Part::End => all.push(std::mem::take(&mut open)),
                }
            }
        };
        let letters: Vec<char> = text.chars().collect();
        for piece in letters.chunks(stretch) {
            splitter.stretch().extend(piece);
            splitter.take_in();
            collect(&mut splitter);
        }
        splitter.finish();
        collect(&mut splitter);
        assert_eq!(open, "");
        all
    }

    #[test]
    fn documents_stand_between_separators_however_the_text_comes() {
        let text =
            "One.\n<|endoftext|>\nTwo <|end of it.\n<|endoftext|>\n\n<|endoftext|>Three. \n ä\n\n猫<|endoftext|> \n";
        for stretch in 1..text.len() {
            let expected = ["One.", "Two <|end of it.", "Three. \n ä\n\n猫"];
            assert_eq!(documents(text, &[END], stretch), expected, "{stretch}");
            let two = documents(text, &["\n<|end of", END, ""], stretch);
            assert_eq!(two, ["One.", "Two <|end of it.", "Three. \n ä\n\n猫"], "{stretch}");
            assert_eq!(documents("no separator", &[END, ""], stretch), ["no separator"]);
        }
        assert!(documents(" \n<|endoftext|>\n", &[END], 3).is_empty());
        assert_eq!(documents("a<|x|>b<|x|><|y|>c", &["<|x|>", "<|x|><|y|>"], 2), ["a", "b", "<|y|>c"]);
    }

    #[test]
    fn a_cut_is_before_a_line_or_a_word() {
        assert_eq!(cut("one line\nand another one", 16), Some(9));
        assert_eq!(cut("one of more lines\n\nand another", 22), Some(11), "white space is left whole");
        assert_eq!(cut("one two  three  four", 10), None);
        assert_eq!(cut("äöü äöü äöü", 13), Some(6));
        assert_eq!(cut("1234567890", 8), None);
    }
}
