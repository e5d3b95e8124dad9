//! What was typed counts before the command behind it, and what is typed behind a command goes where that led.
//!
//! A slow frame gathers what happens in a tenth of a second: the last letters of a prompt and the shortcut that runs it, or a shortcut and
//! the first letters for the field it opens. The window takes shortcuts before any field has its letters, and the toolkit moves the keyboard
//! before, too: the letters would be left out, lost, or given to another field. So each of them has a frame of its own.

use egui::{Context, Event, ImeEvent, Key, Modifiers, Plugin, RawInput};

/// Holds back what is to be met in a later frame.
#[derive(Debug, Default)]
pub(super) struct InTurn {
    held: Vec<Event>,
}

impl Plugin for InTurn {
    fn debug_name(&self) -> &'static str {
        "typing and commands in turn"
    }

    fn input_hook(&mut self, ctx: &Context, input: &mut RawInput) {
        self.held.append(&mut input.events);
        let later = self.held.split_off(first_part(&self.held));
        input.events = std::mem::replace(&mut self.held, later);
        if !self.held.is_empty() {
            ctx.request_repaint();
        }
    }
}

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Text that a field takes.
    Typing,
    /// A key that may move the keyboard or begin something. Held down, it comes many times, which is one turn.
    Key(Key, Modifiers),
    /// A press of a button of the mouse.
    Pointer,
}

/// So many events are met in one frame: those of one turn, and what comes between them.
fn first_part(events: &[Event]) -> usize {
    let first = events.iter().find_map(turn);
    events.iter().position(|event| turn(event).is_some_and(|turn| Some(turn) != first)).unwrap_or(events.len())
}

/// None for what may come in any frame.
fn turn(event: &Event) -> Option<Turn> {
    match event {
        Event::Text(_) | Event::Paste(_) | Event::Ime(ImeEvent::Commit(_)) => Some(Turn::Typing),
        Event::PointerButton { pressed: true, .. } => Some(Turn::Pointer),
        Event::Key { key, pressed: true, modifiers, .. } => {
            // Ctrl and Alt together write letters on many keyboards.
            let is_shortcut = modifiers.command && !modifiers.alt;
            let moves = matches!(key, Key::Tab | Key::Escape | Key::F2 | Key::F6);
            (is_shortcut || moves).then_some(Turn::Key(*key, *modifiers))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key: Key, modifiers: Modifiers) -> Event {
        Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers }
    }

    /// The frames in which events are met that came in one.
    fn frames(events: Vec<Event>) -> Vec<usize> {
        let (ctx, mut plugin) = (Context::default(), InTurn::default());
        let mut input = RawInput { events, ..RawInput::default() };
        let mut lengths = Vec::new();
        loop {
            plugin.input_hook(&ctx, &mut input);
            lengths.push(input.events.len());
            input.events.clear();
            if plugin.held.is_empty() {
                return lengths;
            }
        }
    }

    #[test]
    fn letters_and_commands_are_met_in_turn_and_in_order() {
        let letter = |text: &str| Event::Text(text.to_owned());
        let run = || key(Key::Enter, Modifiers::COMMAND);
        assert_eq!(frames(vec![letter("a"), letter("b"), run()]), [2, 1]);
        assert_eq!(frames(vec![key(Key::K, Modifiers::COMMAND), letter("a"), run(), letter("b")]), [1, 1, 1, 1]);
        assert_eq!(frames(vec![letter("5"), key(Key::Tab, Modifiers::NONE), letter("7")]), [1, 1, 1]);
        // What edits a text, and letters by Ctrl and Alt, are part of typing.
        let at = key(Key::Q, Modifiers::CTRL | Modifiers::COMMAND | Modifiers::ALT);
        assert_eq!(frames(vec![letter("a"), key(Key::Backspace, Modifiers::NONE), at, letter("@")]), [4]);
        assert_eq!(frames(vec![run(), key(Key::K, Modifiers::COMMAND)]), [1, 1]);
        assert_eq!(frames(vec![key(Key::Z, Modifiers::COMMAND); 3]), [3], "what is held down is not put off");
        assert_eq!(frames(Vec::new()), [0]);
    }
}
