//! The turns and what can be done to them; plain values.

use crate::types::{ChatEnding, ChatFormat, ChatPrompt, ChatRole, ChatTurn, FewShotPrompt};
use serde::{Deserialize, Serialize};

/// What survives a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(in super::super::super) struct Conversation {
    pub turns: Vec<ChatTurn>,
    pub format: ChatFormat,
}

impl Default for Conversation {
    fn default() -> Self {
        Self { turns: Vec::new(), format: ChatFormat::Model }
    }
}

/// Something done to the turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    Insert { at: usize, role: ChatRole },
    Delete(usize),
    Move { from: usize, to: usize },
    SetRole(usize, ChatRole),
}

/// What the model is to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Ask {
    /// A turn of the assistant at this place, in the place of one that stands there.
    Answer(usize),
    /// The rest of the assistant's turn at this place.
    Continue(usize),
}

impl Conversation {
    /// What Ctrl+Enter asks for: an answer to the last turn, or, if that is the assistant's, its rest.
    pub(in super::super) fn next(&self) -> Ask {
        match self.turns.last() {
            Some(last) if last.role == ChatRole::Assistant => {
                let place = self.turns.len() - 1;
                if last.text.is_empty() { Ask::Answer(place) } else { Ask::Continue(place) }
            }
            _ => Ask::Answer(self.turns.len()),
        }
    }

    /// What the model receives for it.
    pub(super) fn prompt(&self, ask: Ask) -> ChatPrompt {
        let (count, ending) = match ask {
            Ask::Answer(place) => (place, ChatEnding::GenerationPrompt),
            Ask::Continue(place) => (place + 1, ChatEnding::ContinueFinal),
        };
        ChatPrompt::new(&self.turns[..count.min(self.turns.len())], ending, self.format.clone())
    }

    /// Makes room for what is asked for: turns behind it go, and a new one begins empty. Gives its place and how many turns
    /// went.
    pub(super) fn open(&mut self, ask: Ask) -> (usize, usize) {
        let before = self.turns.len();
        let place = match ask {
            Ask::Answer(place) => {
                self.turns.truncate(place);
                self.turns.push(ChatTurn::new(ChatRole::Assistant, ""));
                place
            }
            Ask::Continue(place) => {
                self.turns.truncate(place + 1);
                place
            }
        };
        (place, before.saturating_sub(place + 1))
    }

    pub(super) fn apply(&mut self, edit: Edit) {
        match edit {
            Edit::Insert { at, role } => self.turns.insert(at.min(self.turns.len()), ChatTurn::new(role, "")),
            Edit::Delete(place) => drop(self.turns.remove(place)),
            Edit::Move { from, to } => {
                let turn = self.turns.remove(from);
                self.turns.insert(to, turn);
            }
            Edit::SetRole(place, role) => self.turns[place].role = role,
        }
    }

    /// The role a turn behind `place` has in most conversations.
    pub(super) fn role_after(&self, place: usize) -> ChatRole {
        match self.turns.get(place).map(|turn| turn.role) {
            Some(ChatRole::User) => ChatRole::Assistant,
            _ => ChatRole::User,
        }
    }

    /// Puts the examples of the plain prompt in front, each as a question and its answer, and the instruction as the system
    /// message if there is none.
    pub(super) fn add_examples(&mut self, prompt: &FewShotPrompt) {
        let has_system = self.turns.first().is_some_and(|turn| turn.role == ChatRole::System);
        if !has_system && !prompt.instruction.is_empty() {
            self.turns.insert(0, ChatTurn::new(ChatRole::System, &prompt.instruction));
        }
        let at = usize::from(self.turns.first().is_some_and(|turn| turn.role == ChatRole::System));
        let shots = prompt.shots.iter().filter(|shot| shot.on);
        let turns = shots.flat_map(|shot| {
            [ChatTurn::new(ChatRole::User, &shot.input), ChatTurn::new(ChatRole::Assistant, &shot.output)]
        });
        self.turns.splice(at..at, turns);
    }
}

/// Where a turn is after an edit; `None` when it went.
pub(super) fn moved(place: usize, edit: Edit) -> Option<usize> {
    match edit {
        Edit::Insert { at, .. } => Some(if at <= place { place + 1 } else { place }),
        Edit::Delete(gone) if gone == place => None,
        Edit::Delete(gone) => Some(if gone < place { place - 1 } else { place }),
        Edit::Move { from, to } if from == place => Some(to),
        Edit::Move { from, to } => {
            let without = if from < place { place - 1 } else { place };
            Some(if to <= without { without + 1 } else { without })
        }
        Edit::SetRole(..) => Some(place),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Shot;
    use proptest::prelude::*;

    fn talk() -> Conversation {
        let turns = ["u0", "a1", "u2", "a3"];
        let role = |i: usize| if i.is_multiple_of(2) { ChatRole::User } else { ChatRole::Assistant };
        let turns = turns.iter().enumerate().map(|(i, text)| ChatTurn::new(role(i), *text)).collect();
        Conversation { turns, format: ChatFormat::Model }
    }

    fn texts(conversation: &Conversation) -> Vec<&str> {
        conversation.turns.iter().map(|turn| turn.text.as_str()).collect()
    }

    #[test]
    fn the_last_turn_decides_what_is_asked() {
        let mut chat = talk();
        assert_eq!(chat.next(), Ask::Continue(3));
        chat.turns[3].text.clear();
        assert_eq!(chat.next(), Ask::Answer(3));
        chat.turns.pop();
        assert_eq!(chat.next(), Ask::Answer(3));
        assert_eq!(chat.prompt(chat.next()).ending, ChatEnding::GenerationPrompt);
        assert_eq!(Conversation { turns: Vec::new(), ..talk() }.next(), Ask::Answer(0));
    }

    #[test]
    fn an_answer_takes_the_place_of_what_stands_there_and_behind() {
        let mut chat = talk();
        assert_eq!(chat.prompt(Ask::Answer(1)).messages.len(), 1);
        assert_eq!(chat.open(Ask::Answer(1)), (1, 2));
        assert_eq!(texts(&chat), ["u0", ""]);
        let mut chat = talk();
        assert_eq!(chat.prompt(Ask::Continue(1)).messages.len(), 2);
        assert_eq!(chat.open(Ask::Continue(1)), (1, 2));
        assert_eq!(texts(&chat), ["u0", "a1"]);
        let mut chat = talk();
        assert_eq!(chat.open(Ask::Answer(4)), (4, 0));
        assert_eq!(texts(&chat), ["u0", "a1", "u2", "a3", ""]);
    }

    #[test]
    fn examples_become_turns_behind_the_system_message() {
        let shot = |input: &str, output: &str, on| Shot { input: input.into(), output: output.into(), on };
        let prompt = FewShotPrompt {
            instruction: "Translate.".into(),
            shots: vec![shot("rot", "red", true), shot("grau", "grey", false), shot("blau", "blue", true)],
            ..FewShotPrompt::default()
        };
        let mut chat = talk();
        chat.add_examples(&prompt);
        assert_eq!(texts(&chat)[..6], ["Translate.", "rot", "red", "blau", "blue", "u0"]);
        assert_eq!(chat.turns[0].role, ChatRole::System);
        chat.add_examples(&prompt);
        assert_eq!(texts(&chat)[..4], ["Translate.", "rot", "red", "blau"]);
    }

    proptest! {
        #[test]
        fn a_turn_is_followed_through_every_edit(place in 0..4usize, a in 0..4usize, b in 0..4usize, kind in 0..4u8) {
            let mut chat = talk();
            let followed = chat.turns[place].text.clone();
            let edit = match kind {
                0 => Edit::Insert { at: a, role: ChatRole::System },
                1 => Edit::Delete(a),
                2 => Edit::Move { from: a, to: b },
                _ => Edit::SetRole(a, ChatRole::System),
            };
            chat.apply(edit);
            match moved(place, edit) {
                Some(now) => prop_assert_eq!(&chat.turns[now].text, &followed),
                None => prop_assert!(!texts(&chat).contains(&followed.as_str())),
            }
        }
    }
}
