//! The chat mode of the prompt panel: turns that are edited in place, a field for the next one, and an answer that streams into
//! the conversation.

mod branches;
mod composer;
mod controls;
mod conversation;
mod receives;
mod stage;
mod talks;
mod turns;
mod written;

pub(super) use controls::{controls, default_words};
pub(in super::super) use conversation::Conversation;
pub(super) use stage::stage;

use super::output::{Output, Shown};
use crate::types::{Ability, ChatFormat, ChatPrompt, ChatRole, ChatTurn, FewShotPrompt, JobId, UserError};
use crate::ui::files::FileRequest;
use crate::ui::{Cx, History, State, full_name};
use branches::Branches;
pub(super) use conversation::Ask;
use conversation::Edit;
use receives::Receives;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use talks::Talks;
use written::Answers;

/// What survives a restart beside the conversation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(in super::super) struct Beside {
    /// What stands in the field at the foot.
    draft: String,
    talks: Talks,
    branches: Branches,
    /// True when the tokens under the turns are folded away.
    is_folded: bool,
}

impl Beside {
    /// What a first session begins with.
    pub(in super::super) fn first() -> Self {
        Self { draft: "Who are you?".to_owned(), ..Self::default() }
    }
}

/// How a conversation leaves the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Export {
    Markdown,
    Json,
}

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
    draft: String,
    history: History<Conversation>,
    talks: Talks,
    branches: Branches,
    answers: Answers,
    receives: Receives,
    answer: Option<Answer>,
    below: Below,
    /// True when the card under the turns is folded away.
    is_folded: bool,
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
    /// True when the field at the foot gets it.
    wants_composer: bool,
}

impl Chat {
    pub(super) fn new(conversation: Conversation, beside: Beside) -> Self {
        let Beside { draft, talks, branches, is_folded } = beside;
        Self {
            history: History::new(conversation.clone()),
            conversation,
            output: Output::default(),
            draft,
            talks,
            branches,
            answers: Answers::default(),
            receives: Receives::default(),
            answer: None,
            below: Below::default(),
            is_folded,
            selected: None,
            scroll_to: None,
            follows_end: false,
            height: 0.0,
            focus: None,
            wants_composer: false,
        }
    }

    /// What survives a restart beside the conversation.
    pub(super) fn beside(&self) -> Beside {
        Beside {
            draft: self.draft.clone(),
            talks: self.talks.clone(),
            branches: self.branches.clone(),
            is_folded: self.is_folded,
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
            if let (Some(answer), Some(shown)) = (&self.answer, &shown) {
                self.answers.add(&self.conversation, answer.turn, &answer.before, shown);
                self.branches.grow(&self.conversation.turns, answer.turn, &answer.before);
                self.branches.keep(&self.conversation.turns, answer.turn);
            }
        }
        if !is_running {
            self.history.observe(&self.conversation, cx.state.now_s);
            self.look_at_what_stands(cx.state);
            if is_shown {
                self.receives.update(&self.pending(), cx);
            }
        }
    }

    /// The tokens on show are those of an answer that stands in the conversation, whatever was undone or gone back to. One
    /// whose turn was edited stays, as old, until its turn is gone.
    fn look_at_what_stands(&mut self, state: &State) {
        let standing = self.answers.in_sight(&self.conversation);
        let standing = standing.map(|(turn, written)| (turn, written.was.clone(), written.shown.clone()));
        match standing {
            Some((turn, before, shown)) => {
                if self.output.shown.as_ref().is_none_or(|on_show| on_show.job != shown.job) {
                    self.output.shown = Some(shown);
                    self.output.selected = None;
                }
                self.answer = Some(Answer { turn, before, is_open: false });
            }
            None => {
                let turn = self.answer.as_ref().and_then(|answer| self.conversation.turns.get(answer.turn));
                let has_failed = self.output.shown.as_ref().is_some_and(|shown| state.error(shown.job).is_some());
                if turn.is_none_or(|turn| turn.role != ChatRole::Assistant) && !has_failed {
                    self.output.shown = None;
                }
            }
        }
    }

    /// True when the tokens on show are not those of the turn any more.
    fn is_edited(&self) -> bool {
        let on_show = self.output.shown.as_ref().map(|shown| shown.job);
        let standing = self.answers.in_sight(&self.conversation).map(|(_, written)| written.shown.job);
        self.writing().is_none() && on_show.is_some() && on_show != standing
    }

    /// The conversation with what stands in the field at the foot, as if it were sent.
    fn pending(&self) -> Conversation {
        let mut pending = self.conversation.clone();
        if !self.draft.trim().is_empty() {
            pending.turns.push(ChatTurn::new(ChatRole::User, self.draft.trim_end()));
        }
        pending
    }

    /// Says what stands in the field at the foot. False when nothing does.
    pub(super) fn say(&mut self, now_s: f64) -> bool {
        if self.draft.trim().is_empty() {
            return false;
        }
        self.history.part(&self.conversation, now_s);
        self.conversation = self.pending();
        self.draft.clear();
        self.wants_composer = true;
        true
    }

    /// True while something waits to be said.
    pub(super) fn has_draft(&self) -> bool {
        !self.draft.trim().is_empty()
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

    /// Goes on writing into the same turn: an alternative was chosen. What stood there is kept as another way.
    pub(super) fn reopen(&mut self, now_s: f64) {
        self.history.part(&self.conversation, now_s);
        if let Some(answer) = &mut self.answer {
            self.branches.keep(&self.conversation.turns, answer.turn);
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
        self.answers.shows(shown);
    }

    pub(super) fn undo(&mut self) -> bool {
        self.answer = None;
        self.history.undo(&mut self.conversation)
    }

    pub(super) fn redo(&mut self) -> bool {
        self.answer = None;
        self.history.redo(&mut self.conversation)
    }

    /// When the conversation was changed last.
    pub(super) fn touched_s(&self) -> f64 {
        self.history.touched_s()
    }

    /// Opens the turn that the model is to write, and gives the prompt for it. What stands there and behind it goes.
    pub(super) fn open(&mut self, ask: Ask, cx: &mut Cx<'_>) -> ChatPrompt {
        self.history.part(&self.conversation, cx.state.now_s);
        let prompt = self.conversation.prompt(ask);
        if let Ask::Answer(place) = ask {
            self.branches.keep(&self.conversation.turns, place);
        }
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

    /// Begins anew; the conversation goes to those of before.
    fn new_conversation(&mut self, now_s: f64) {
        self.history.part(&self.conversation, now_s);
        self.talks.keep(&self.conversation);
        self.conversation = Conversation { turns: Vec::new(), format: self.conversation.format.clone() };
        self.answer = None;
        self.wants_composer = true;
    }

    /// Goes back to a conversation of before; the one on show goes to them.
    fn go_back_to(&mut self, place: usize, now_s: f64) {
        let Some(conversation) = self.talks.take(place) else { return };
        self.history.part(&self.conversation, now_s);
        self.talks.keep(&self.conversation);
        self.conversation = conversation;
        self.answer = None;
        self.scroll_to = self.conversation.turns.len().checked_sub(1);
    }

    /// Goes another way at a turn.
    fn go(&mut self, turn: usize, to: usize, now_s: f64) {
        self.history.part(&self.conversation, now_s);
        self.branches.go(&mut self.conversation.turns, turn, to);
    }

    /// Asks for a file, and writes the conversation into it.
    pub(super) fn export(&self, export: Export, cx: &mut Cx<'_>) {
        let model =
            cx.state.active(Ability::Continue).map_or_else(|| "a model".to_owned(), |open| full_name(&open.info));
        let turns = &self.conversation.turns;
        let (name, extension, text) = match export {
            Export::Markdown => ("Markdown", "md", talks::markdown(turns, &model)),
            Export::Json => ("JSON", "json", talks::json(turns, &model)),
        };
        let file = FileRequest::save(format!("Export {name}"), format!("conversation.{extension}"));
        cx.save_as(file.filter(name, &[extension]), move |path| {
            crate::disk::write(path, text.as_bytes()).map_err(|e| {
                UserError::new(
                    format!("{} could not be written.", path.display()),
                    e.to_string(),
                    "Choose a folder you may write to, with enough room.",
                )
            })
        });
    }

    fn write_lines(&mut self, wanted: bool) {
        self.conversation.format = if wanted { ChatFormat::Lines } else { ChatFormat::Model };
    }
}
