//! The chat mode of the prompt panel: turns that are edited in place, and an answer that streams into one of them.

mod controls;
mod conversation;
mod receives;
mod stage;
mod turns;

pub(super) use controls::{controls, default_words};
pub(in super::super) use conversation::Conversation;
pub(super) use stage::stage;

use super::output::{Output, Shown};
use crate::types::{ChatFormat, ChatPrompt, ChatTurn, FewShotPrompt, JobId};
use crate::ui::{Cx, History, State};
pub(super) use conversation::Ask;
use conversation::Edit;
use receives::Receives;
use std::collections::BTreeSet;

/// What the card under the turns shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Below {
    #[default]
    Receives,
    Answer,
}

/// The turn the latest answer was written into.
#[derive(Clone, Debug)]
struct Answer {
    turn: usize,
    /// What stood in it before.
    before: String,
    /// True while the tokens that come go into the turn.
    is_open: bool,
}

/// Everything the chat mode knows.
pub(super) struct Chat {
    pub conversation: Conversation,
    pub output: Output,
    history: History<Conversation>,
    receives: Receives,
    answer: Option<Answer>,
    below: Below,
    /// Token of the written text that was clicked.
    selected: Option<usize>,
    /// The turn to bring into sight.
    scroll_to: Option<usize>,
    /// True while the end of the conversation is kept in sight, since the model writes there.
    follows_end: bool,
    /// Height of all turns in the last frame.
    height: f32,
    /// The turn whose text gets the focus.
    focus: Option<usize>,
}

impl Chat {
    pub(super) fn new(conversation: Conversation) -> Self {
        Self {
            history: History::new(conversation.clone()),
            conversation,
            output: Output::default(),
            receives: Receives::default(),
            answer: None,
            below: Below::default(),
            selected: None,
            scroll_to: None,
            follows_end: false,
            height: 0.0,
            focus: None,
        }
    }

    /// Follows the answer, and keeps the view of what the model receives up to date. `is_shown` is false in another mode.
    pub(super) fn tick(&mut self, is_shown: bool, cx: &mut Cx<'_>) {
        let shown = self.output.shown.clone();
        let is_running = shown.as_ref().is_some_and(|shown| cx.state.is_active(shown.job));
        let was_open = self.writing().is_some();
        if let Some(shown) = &shown {
            self.follow(shown, cx.state);
        }
        if was_open && self.writing().is_none() {
            self.history.part(&self.conversation, cx.state.now_s);
        }
        if !is_running {
            self.history.observe(&self.conversation, cx.state.now_s);
            if is_shown {
                self.receives.update(&self.conversation, cx);
            }
        }
    }

    /// Writes what the model said so far into its turn.
    fn follow(&mut self, shown: &Shown, state: &State) {
        let Some(answer) = self.answer.as_mut().filter(|answer| answer.is_open) else { return };
        let Some(turn) = self.conversation.turns.get_mut(answer.turn) else { return };
        // A template may trim the words it is to continue; what the model goes on from is what it was given.
        let read: String = shown.prompt(state).iter().map(|token| token.text.as_str()).collect();
        if !read.is_empty() && !read.ends_with(&answer.before) {
            answer.before.truncate(answer.before.trim_end().len());
        }
        let written: String = shown.tokens(state).map(|token| token.text.as_str()).collect();
        if !written.is_empty() || !read.is_empty() {
            turn.text = format!("{}{written}", answer.before);
        }
        if !state.is_active(shown.job) {
            answer.is_open = false;
            if state.error(shown.job).is_some() && turn.text.is_empty() {
                self.conversation.turns.remove(answer.turn);
                self.answer = None;
            }
        }
    }

    /// The turn that the model writes at the moment.
    fn writing(&self) -> Option<usize> {
        self.answer.as_ref().filter(|answer| answer.is_open).map(|answer| answer.turn)
    }

    /// The turn that holds the latest answer.
    fn answered(&self) -> Option<usize> {
        self.answer.as_ref().map(|answer| answer.turn)
    }

    fn apply(&mut self, edit: Edit, now_s: f64) {
        self.history.part(&self.conversation, now_s);
        self.conversation.apply(edit);
        let turn = self.answer.as_ref().and_then(|answer| conversation::moved(answer.turn, edit));
        self.answer = self.answer.take().zip(turn).map(|(answer, turn)| Answer { turn, ..answer });
        self.focus = match edit {
            Edit::Insert { at, .. } => Some(at),
            Edit::Move { to, .. } => Some(to),
            Edit::Delete(_) | Edit::SetRole(..) => None,
        };
        self.scroll_to = self.focus;
    }

    /// Goes on writing into the same turn: an alternative was chosen.
    pub(super) fn reopen(&mut self) {
        if let Some(answer) = &mut self.answer {
            answer.is_open = true;
        }
    }

    /// True unless the template is known to give no text.
    pub(super) fn can_be_asked(&self, cx: &Cx<'_>) -> bool {
        self.receives.failure(cx).is_none()
    }

    /// The jobs whose answers must be kept.
    pub(super) fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.receives.shows(shown);
    }

    pub(super) fn undo(&mut self) {
        self.answer = None;
        self.history.undo(&mut self.conversation);
    }

    pub(super) fn redo(&mut self) {
        self.answer = None;
        self.history.redo(&mut self.conversation);
    }

    /// Opens the turn that the model is to write, and gives the prompt for it. What stands there and behind it goes.
    pub(super) fn open(&mut self, ask: Ask, cx: &mut Cx<'_>) -> ChatPrompt {
        self.history.part(&self.conversation, cx.state.now_s);
        let prompt = self.conversation.prompt(ask);
        let (turn, gone) = self.conversation.open(ask);
        if gone > 0 {
            let turns = if gone == 1 { "turn" } else { "turns" };
            cx.toast(format!("Took away {gone} later {turns}; Ctrl+Z brings them back"));
        }
        let before = self.conversation.turns[turn].text.clone();
        self.answer = Some(Answer { turn, before, is_open: true });
        self.scroll_to = Some(turn);
        self.follows_end = turn + 1 == self.conversation.turns.len();
        self.output.selected = None;
        prompt
    }

    fn add_examples(&mut self, prompt: &FewShotPrompt, now_s: f64) {
        self.history.part(&self.conversation, now_s);
        self.conversation.add_examples(prompt);
        self.answer = None;
        self.scroll_to = Some(0);
    }

    fn new_conversation(&mut self, now_s: f64) {
        self.history.part(&self.conversation, now_s);
        let turns = vec![ChatTurn::default()];
        self.conversation = Conversation { turns, format: self.conversation.format.clone() };
        self.answer = None;
        self.focus = Some(0);
    }

    fn write_lines(&mut self, wanted: bool) {
        self.conversation.format = if wanted { ChatFormat::Lines } else { ChatFormat::Model };
    }
}
