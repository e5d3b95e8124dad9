//! The conversations of before, and how one leaves the window.

use super::conversation::Conversation;
use crate::types::{ChatRole, ChatTurn};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Conversations that are kept.
const KEPT: usize = 100;

/// Conversations of before, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Talks {
    pub kept: Vec<Conversation>,
}

impl Talks {
    /// Puts a conversation away, if anything was said in it.
    pub(super) fn keep(&mut self, conversation: &Conversation) {
        if conversation.turns.iter().all(|turn| turn.text.trim().is_empty()) {
            return;
        }
        self.kept.retain(|kept| kept.turns != conversation.turns);
        self.kept.insert(0, conversation.clone());
        self.kept.truncate(KEPT);
    }

    /// Takes one out.
    pub(super) fn take(&mut self, place: usize) -> Option<Conversation> {
        (place < self.kept.len()).then(|| self.kept.remove(place))
    }
}

/// What a conversation is called: its first question.
pub(super) fn title(conversation: &Conversation) -> String {
    let said = |turn: &&ChatTurn| !turn.text.trim().is_empty();
    let asked = conversation.turns.iter().filter(said).find(|turn| turn.role == ChatRole::User);
    let first = asked.or_else(|| conversation.turns.iter().find(said));
    first.map_or_else(|| "Nothing was said".to_owned(), |turn| turn.text.trim().replace('\n', " "))
}

/// The turns as Markdown, a heading for each.
pub(super) fn markdown(turns: &[ChatTurn], model: &str) -> String {
    let mut text = format!("# Conversation with {model}\n");
    for turn in turns {
        let name = match turn.role {
            ChatRole::System => "System",
            ChatRole::User => "User",
            ChatRole::Assistant => "Assistant",
        };
        text += &format!("\n## {name}\n\n{}\n", turn.text.trim_end());
    }
    text
}

/// The turns as chat programs exchange them: `messages` with `role` and `content`.
pub(super) fn json(turns: &[ChatTurn], model: &str) -> String {
    let messages: Vec<_> = turns.iter().map(|turn| json!({ "role": turn.role.name(), "content": turn.text })).collect();
    let all = json!({ "model": model, "messages": messages });
    serde_json::to_string_pretty(&all).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk(text: &str) -> Conversation {
        let turns = vec![ChatTurn::new(ChatRole::System, "Be kind."), ChatTurn::new(ChatRole::User, text)];
        Conversation { turns, ..Conversation::default() }
    }

    #[test]
    fn a_conversation_is_kept_once_and_an_empty_one_never() {
        let mut talks = Talks::default();
        talks.keep(&talk("One\nmore"));
        talks.keep(&talk("Two"));
        talks.keep(&talk("One\nmore"));
        talks.keep(&Conversation::default());
        let titles: Vec<String> = talks.kept.iter().map(title).collect();
        assert_eq!(titles, ["One more", "Two"]);
        assert_eq!(talks.take(1), Some(talk("Two")));
        assert_eq!(talks.take(1), None);
    }

    #[test]
    fn what_leaves_the_window_holds_every_turn() {
        let turns = [ChatTurn::new(ChatRole::User, "A \"b\"?"), ChatTurn::new(ChatRole::Assistant, "C.\n")];
        assert_eq!(
            markdown(&turns, "sprout"),
            "# Conversation with sprout\n\n## User\n\nA \"b\"?\n\n## Assistant\n\nC.\n"
        );
        let read: serde_json::Value = serde_json::from_str(&json(&turns, "sprout")).unwrap();
        assert_eq!(read["messages"][0], serde_json::json!({ "role": "user", "content": "A \"b\"?" }));
        assert_eq!(read["messages"][1]["content"], "C.\n");
        assert_eq!(read["model"], "sprout");
    }
}
