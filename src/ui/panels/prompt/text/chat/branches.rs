//! Other ways a conversation went on: what stood behind a turn before it was written anew.

use crate::types::ChatTurn;
use serde::{Deserialize, Serialize};

/// Ways that are kept.
const KEPT: usize = 100;

/// One way a conversation went on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Way {
    /// The turns before the fork.
    before: Vec<ChatTurn>,
    /// The turns behind it, at least one.
    behind: Vec<ChatTurn>,
}

/// All of them, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Branches {
    ways: Vec<Way>,
}

impl Branches {
    /// Keeps how the conversation goes on from this turn, in the place of an older state of the same way.
    pub(super) fn keep(&mut self, turns: &[ChatTurn], place: usize) {
        let (Some(before), Some(behind)) = (turns.get(..place), turns.get(place..)) else { return };
        let Some(first) = behind.first().filter(|turn| !turn.text.is_empty()) else { return };
        let same = self.ways.iter_mut().find(|way| way.before == before && way.behind[0] == *first);
        match same {
            Some(way) => way.behind = behind.to_vec(),
            None => self.ways.push(Way { before: before.to_vec(), behind: behind.to_vec() }),
        }
        if self.ways.len() > KEPT {
            self.ways.remove(0);
        }
    }

    /// A turn was continued: its way goes on with it.
    pub(super) fn grow(&mut self, turns: &[ChatTurn], place: usize, was: &str) {
        let (Some(before), Some(now)) = (turns.get(..place), turns.get(place)) else { return };
        let way = self.ways.iter_mut().find(|way| way.before == before && way.behind[0].text == was);
        if let Some(way) = way {
            way.behind = vec![now.clone()];
        }
    }

    /// Which way is on show at this turn (from 0), and how many there are.
    pub(super) fn at(&self, turns: &[ChatTurn], place: usize) -> (usize, usize) {
        let ways = self.of(turns, place);
        let on_show = ways.iter().position(|way| turns.get(place) == way.behind.first());
        // What stands there now may not be kept yet: it is the newest.
        on_show.map_or((ways.len(), ways.len() + 1), |at| (at, ways.len()))
    }

    /// Goes another way at this turn. What is on show is kept.
    pub(super) fn go(&mut self, turns: &mut Vec<ChatTurn>, place: usize, to: usize) {
        self.keep(turns, place);
        let Some(behind) = self.of(turns, place).get(to).map(|way| way.behind.clone()) else { return };
        turns.truncate(place);
        turns.extend(behind);
    }

    fn of(&self, turns: &[ChatTurn], place: usize) -> Vec<&Way> {
        self.ways.iter().filter(|way| turns.get(..place) == Some(&way.before[..])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ChatRole;

    fn talk(texts: &[&str]) -> Vec<ChatTurn> {
        let role = |i: usize| if i.is_multiple_of(2) { ChatRole::User } else { ChatRole::Assistant };
        texts.iter().enumerate().map(|(i, text)| ChatTurn::new(role(i), *text)).collect()
    }

    #[test]
    fn a_turn_written_anew_leaves_the_old_way_and_all_behind_it() {
        let (mut branches, mut turns) = (Branches::default(), talk(&["Who?", "An owl.", "Really?", "Yes."]));
        assert_eq!(branches.at(&turns, 1), (0, 1));
        branches.keep(&turns, 1);
        turns = talk(&["Who?", "A cat."]);
        assert_eq!(branches.at(&turns, 1), (1, 2));
        branches.go(&mut turns, 1, 0);
        assert_eq!(turns, talk(&["Who?", "An owl.", "Really?", "Yes."]));
        assert_eq!(branches.at(&turns, 1), (0, 2));
        branches.go(&mut turns, 1, 1);
        assert_eq!(turns, talk(&["Who?", "A cat."]));
        // Another question has no other ways.
        assert_eq!(branches.at(&talk(&["What?", "A cat."]), 1), (0, 1));
    }

    #[test]
    fn what_followed_meanwhile_is_kept_with_its_way() {
        let (mut branches, mut turns) = (Branches::default(), talk(&["Who?", "An owl."]));
        branches.keep(&turns, 1);
        turns = talk(&["Who?", "A cat.", "Really?", "No."]);
        branches.go(&mut turns, 1, 0);
        branches.go(&mut turns, 1, 1);
        assert_eq!(turns, talk(&["Who?", "A cat.", "Really?", "No."]));
    }

    #[test]
    fn a_turn_that_is_continued_stays_one_way() {
        let (mut branches, mut turns) = (Branches::default(), talk(&["Who?", "An"]));
        branches.keep(&turns, 1);
        turns[1].text += " owl.";
        branches.grow(&turns, 1, "An");
        branches.keep(&turns, 1);
        assert_eq!(branches.at(&turns, 1), (0, 1));
    }

    #[test]
    fn an_empty_turn_is_no_way() {
        let mut branches = Branches::default();
        branches.keep(&talk(&["Who?", ""]), 1);
        branches.keep(&talk(&["Who?"]), 1);
        assert_eq!(branches, Branches::default());
    }
}
