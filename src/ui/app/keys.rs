//! Keyboard shortcuts of the whole window. They are taken before any widget sees them.

use super::App;
use super::closing::Closing;
use super::palette::Palette;
use egui::{Key, KeyboardShortcut, Modifiers};

const SHIFT_CTRL: Modifiers = Modifiers::COMMAND.plus(Modifiers::SHIFT);

const RUN: KeyboardShortcut = KeyboardShortcut::new(Modifiers::COMMAND, Key::Enter);
const PALETTE: KeyboardShortcut = KeyboardShortcut::new(Modifiers::COMMAND, Key::K);
const OPEN: KeyboardShortcut = KeyboardShortcut::new(Modifiers::COMMAND, Key::O);
const OPEN_FILE: KeyboardShortcut = KeyboardShortcut::new(SHIFT_CTRL, Key::O);
const UNDO: KeyboardShortcut = KeyboardShortcut::new(Modifiers::COMMAND, Key::Z);
const REDO: KeyboardShortcut = KeyboardShortcut::new(Modifiers::COMMAND, Key::Y);
const REDO_TOO: KeyboardShortcut = KeyboardShortcut::new(SHIFT_CTRL, Key::Z);
const NEXT_REGION: KeyboardShortcut = KeyboardShortcut::new(Modifiers::NONE, Key::F6);
const LAST_REGION: KeyboardShortcut = KeyboardShortcut::new(Modifiers::SHIFT, Key::F6);
const INSPECTOR: KeyboardShortcut = KeyboardShortcut::new(Modifiers::COMMAND, Key::I);

const DIGITS: [Key; 9] =
    [Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5, Key::Num6, Key::Num7, Key::Num8, Key::Num9];

impl App {
    pub(super) fn keys(&mut self, ctx: &egui::Context) {
        let pressed = |shortcut: &KeyboardShortcut| ctx.input_mut(|i| i.consume_shortcut(shortcut));
        // Esc answers a question that is asked, or closes what is told, and ends nothing behind it.
        if self.path_entry.is_some() || self.about.is_some() || self.closing == Closing::Asked {
            return;
        }
        if pressed(&PALETTE) {
            self.palette = if self.palette.is_some() { None } else { Some(Palette::default()) };
        }
        if self.palette.is_some() {
            return;
        }
        for (place, key) in DIGITS.into_iter().enumerate() {
            if place < self.panels.len() && pressed(&KeyboardShortcut::new(Modifiers::COMMAND, key)) {
                self.shown = place;
            }
        }
        if pressed(&OPEN_FILE) {
            self.ask_for_model_file();
        } else if pressed(&OPEN) {
            self.ask_for_model();
        }
        if pressed(&INSPECTOR) {
            self.inspector_open = !self.inspector_open;
        }
        if pressed(&LAST_REGION) {
            self.next_region(ctx, true);
        } else if pressed(&NEXT_REGION) {
            self.next_region(ctx, false);
        }
        if pressed(&RUN) {
            self.on_shown(|panel, cx| panel.run(cx));
        }
        let typing = ctx.memory(egui::Memory::focused).is_some_and(|f| egui::TextEdit::load_state(ctx, f).is_some());
        if typing && !self.panels[self.shown].undoes_typing() {
            // The text field has an undo of its own.
        } else if pressed(&REDO) || pressed(&REDO_TOO) {
            self.on_shown(|panel, cx| panel.redo(cx));
        } else if pressed(&UNDO) {
            self.on_shown(|panel, cx| panel.undo(cx));
        }
        // Esc first leaves a text field or closes a menu; only then it stops the job. The toolkit has taken the keyboard from the
        // field by now, so what counts is who had it in the last frame.
        let is_free = !self.had_focus && !egui::Popup::is_any_open(ctx);
        if is_free && ctx.input_mut(|i| i.consume_key(Modifiers::NONE, Key::Escape)) {
            self.give_up_short_job();
        }
    }

    /// Notes at the end of a frame whether something has the keyboard.
    pub(super) fn note_focus(&mut self, ctx: &egui::Context) {
        self.had_focus = ctx.memory(|memory| memory.focused().is_some());
    }
}
