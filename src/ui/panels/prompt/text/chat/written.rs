//! The answers of which the tokens are known, and which of them a conversation holds.

use super::conversation::Conversation;
use crate::types::{ChatTurn, JobId};
use crate::ui::panels::prompt::text::output::Shown;
use std::collections::BTreeSet;

/// Answers that are kept.
const KEPT: usize = 20;

/// An answer that was written, with its tokens.
#[derive(Clone, Debug)]
pub(super) struct Written {
    /// The turns before it.
    before: Vec<ChatTurn>,
    /// What stood in its turn when it was begun.
    pub was: String,
    /// All that stood there in the end.
    text: String,
    pub shown: Shown,
}

/// Answers, oldest first.
#[derive(Default)]
pub(super) struct Answers {
    written: Vec<Written>,
}

impl Answers {
    /// Adds the answer that was written into this turn.
    pub(super) fn add(&mut self, conversation: &Conversation, turn: usize, was: &str, shown: &Shown) {
        let Some(now) = conversation.turns.get(turn) else { return };
        let before = conversation.turns[..turn].to_vec();
        self.written.retain(|written| written.shown.job != shown.job);
        self.written.push(Written { before, was: was.to_owned(), text: now.text.clone(), shown: shown.clone() });
        if self.written.len() > KEPT {
            self.written.remove(0);
        }
    }

    /// The newest answer that stands in this conversation word for word, behind the same turns, and in which turn.
    pub(super) fn in_sight(&self, conversation: &Conversation) -> Option<(usize, &Written)> {
        let stands = |written: &&Written| {
            let turns = &conversation.turns;
            let place = written.before.len();
            turns.get(..place) == Some(&written.before[..])
                && turns.get(place).is_some_and(|turn| turn.text == written.text)
        };
        self.written.iter().rev().find(stands).map(|written| (written.before.len(), written))
    }

    /// The jobs whose results must be kept.
    pub(super) fn shows(&self, shown: &mut BTreeSet<JobId>) {
        shown.extend(self.written.iter().map(|written| written.shown.job));
    }
}
