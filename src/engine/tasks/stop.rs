//! Finds stop strings in a text that comes in pieces, wherever the pieces are cut.

/// What a piece of text led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Passed {
    /// Text that certainly belongs to the output.
    pub text: String,
    /// The stop string that was met, if one was; the text ends before it.
    pub stop: Option<String>,
}

/// Holds back only as much text as could be the beginning of a stop string.
#[derive(Clone, Debug)]
pub(super) struct StopStrings {
    strings: Vec<String>,
    held: String,
}

impl StopStrings {
    /// Empty strings are ignored: they would stop before the first token.
    pub(super) fn new(strings: &[String]) -> Self {
        let strings = strings.iter().filter(|string| !string.is_empty()).cloned().collect();
        Self { strings, held: String::new() }
    }

    /// True where nothing is looked for.
    pub(super) fn is_empty(&self) -> bool {
        self.strings.is_empty()
    }

    /// Takes the next piece. Of several stop strings the one that is complete first counts, and of those the longest, so
    /// that it does not matter how the text is cut.
    pub(super) fn push(&mut self, piece: &str) -> Passed {
        self.held.push_str(piece);
        let found = self.strings.iter().filter_map(|stop| Some((self.held.find(stop)?, stop)));
        if let Some((start, stop)) = found.min_by_key(|(start, stop)| (start + stop.len(), *start)) {
            let stop = stop.clone();
            let text = self.held[..start].to_owned();
            self.held.clear();
            return Passed { text, stop: Some(stop) };
        }
        let text = self.held.drain(..self.first_possible_start()).collect();
        Passed { text, stop: None }
    }

    /// What is still held back, once the text is complete.
    pub(super) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Where the earliest stop string could begin that the text's end has not completed.
    fn first_possible_start(&self) -> usize {
        let is_begun = |&start: &usize| self.strings.iter().any(|stop| stop.starts_with(&self.held[start..]));
        let starts = self.held.char_indices().map(|(start, _)| start);
        starts.into_iter().find(is_begun).unwrap_or(self.held.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn passed(text: &str, stop: Option<&str>) -> Passed {
        Passed { text: text.into(), stop: stop.map(str::to_owned) }
    }

    #[test]
    fn a_stop_string_is_found_across_pieces() {
        let mut stops = StopStrings::new(&["\n\n".into(), "END".into()]);
        assert_eq!(stops.push("one\n"), passed("one", None));
        assert_eq!(stops.push("two E"), passed("\ntwo ", None));
        assert_eq!(stops.push("N"), passed("", None));
        assert_eq!(stops.push("D three"), passed("", Some("END")));
    }

    #[test]
    fn what_was_held_back_in_vain_comes_out() {
        let mut stops = StopStrings::new(&["abc".into()]);
        assert_eq!(stops.push("xab"), passed("x", None));
        assert_eq!(stops.push("d"), passed("abd", None));
        assert_eq!(stops.push("a"), passed("", None));
        assert_eq!(stops.finish(), "a");
    }

    #[test]
    fn the_stop_string_that_is_complete_first_counts() {
        let mut stops = StopStrings::new(&["b".into(), "ab".into(), "xabc".into()]);
        assert_eq!(stops.push("xabc"), passed("x", Some("ab")));
    }

    #[test]
    fn an_empty_stop_string_stops_nothing() {
        assert_eq!(StopStrings::new(&[String::new()]).push("text"), passed("text", None));
    }

    proptest! {
        /// Whatever the cuts: the output is the text up to the stop string that is complete first.
        #[test]
        fn cuts_do_not_matter(pieces in prop::collection::vec("[abä]{0,4}", 0..12), stops in prop::collection::vec("[abä]{1,3}", 0..3)) {
            let whole = pieces.concat();
            let complete = stops.iter().filter_map(|stop| whole.find(stop.as_str()).map(|start| (start + stop.len(), start)));
            let end = complete.min().map(|(_, start)| start);
            let mut matcher = StopStrings::new(&stops);
            let mut out = String::new();
            let mut stopped = false;
            for piece in &pieces {
                let passed = matcher.push(piece);
                out.push_str(&passed.text);
                if passed.stop.is_some() {
                    stopped = true;
                    break;
                }
            }
            if !stopped {
                out.push_str(&matcher.finish());
            }
            prop_assert_eq!(stopped, end.is_some());
            prop_assert_eq!(out.as_str(), &whole[..end.unwrap_or(whole.len())]);
        }
    }
}
