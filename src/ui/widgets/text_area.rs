//! A field for text of several lines: it grows to ten lines and scrolls then, and shows a part at a time of a text that is too
//! long to be laid out as a whole.

use crate::types::bytes_in_words;
use crate::ui::glyphs::right_to_left;
use crate::ui::theme::{Themed, Type, space};
use crate::ui::widgets::icon_button;
use egui::{
    Color32, FontId, Id, Label, Margin, Rect, Response, RichText, ScrollArea, StrokeKind, TextBuffer, TextEdit, Ui,
    Widget,
};
use lucide_icons::Icon;
use std::ops::Range;

/// Bytes of a part. What is shown is laid out anew at every key, and a letter takes a hundred bytes on the screen.
const PART: usize = 32 << 10;
/// A text longer than this is shown in parts.
const LONGEST: usize = 2 * PART;
/// Lines before the field scrolls.
const MOST_ROWS: usize = 10;

/// A field for text of several lines.
pub struct TextArea<'a> {
    text: &'a mut String,
    look: Look<'a>,
}

struct Look<'a> {
    rows: usize,
    most_rows: Option<usize>,
    hint: &'a str,
    font: FontId,
    ink: Option<Color32>,
    id: Option<Id>,
    is_read_only: bool,
    margin: Option<Margin>,
    breaks_with_shift: bool,
    title: Option<&'a str>,
}

impl<'a> TextArea<'a> {
    /// A field with room for so many lines.
    pub fn new(text: &'a mut String, rows: usize) -> Self {
        let look = Look {
            rows,
            most_rows: Some(MOST_ROWS.max(rows)),
            hint: "",
            font: Type::Body.sans(),
            ink: None,
            id: None,
            is_read_only: false,
            margin: None,
            breaks_with_shift: false,
            title: None,
        };
        Self { text, look }
    }

    /// What an empty field says.
    #[must_use]
    pub fn hint(mut self, hint: &'a str) -> Self {
        self.look.hint = hint;
        self
    }

    /// Letters of one width.
    #[must_use]
    pub fn mono(mut self) -> Self {
        self.look.font = Type::Body.mono();
        self
    }

    /// The colour of its letters.
    #[must_use]
    pub fn ink(mut self, ink: Color32) -> Self {
        self.look.ink = Some(ink);
        self
    }

    /// A name that stays where fields come and go around it.
    #[must_use]
    pub fn id(mut self, id: Id) -> Self {
        self.look.id = Some(id);
        self
    }

    /// Whether nothing can be typed into it.
    #[must_use]
    pub fn read_only(mut self, is_read_only: bool) -> Self {
        self.look.is_read_only = is_read_only;
        self
    }

    /// Room around the text.
    #[must_use]
    pub fn margin(mut self, margin: Margin) -> Self {
        self.look.margin = Some(margin);
        self
    }

    /// The Enter key alone breaks no line, so that it can mean something else; with Shift it does.
    #[must_use]
    pub fn breaks_with_shift(mut self) -> Self {
        self.look.breaks_with_shift = true;
        self
    }

    /// Can be opened large, under this title.
    #[must_use]
    pub fn can_be_large(mut self, title: &'a str) -> Self {
        self.look.title = Some(title);
        self
    }

    /// Grows as far as its text does.
    #[must_use]
    pub fn unlimited(mut self) -> Self {
        self.look.most_rows = None;
        self
    }
}

impl Widget for TextArea<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        let Self { text, look } = self;
        let id = look.id.unwrap_or_else(|| ui.next_auto_id());
        if text.len() > LONGEST {
            return in_parts(text, &look, id, ui);
        }
        let response = look.show(text, id, ui);
        if let Some(title) = look.title {
            super::enlarge(ui, &response, text, title, &look.font);
        }
        response
    }
}

impl Look<'_> {
    fn show(&self, text: &mut String, id: Id, ui: &mut Ui) -> Response {
        let mut layouter =
            |ui: &Ui, text: &dyn TextBuffer, width: f32| right_to_left::laid_out(ui, text.as_str(), &self.font, width);
        let is_right_to_left = right_to_left::is_in(text);
        let edit = TextEdit::multiline(text).id(id).desired_rows(self.rows).hint_text(super::hint(self.hint));
        let edit = edit.font(self.font.clone()).desired_width(f32::INFINITY).interactive(!self.is_read_only);
        let edit = if let Some(ink) = self.ink { edit.text_color(ink) } else { edit };
        let edit = if let Some(margin) = self.margin { edit.margin(margin) } else { edit };
        let edit = if self.breaks_with_shift {
            edit.return_key(egui::KeyboardShortcut::new(egui::Modifiers::SHIFT, egui::Key::Enter))
        } else {
            edit
        };
        let edit = if is_right_to_left { edit.layouter(&mut layouter) } else { edit };
        let Some(most) = self.most_rows else { return ui.add(edit) };
        let margin = self.margin.unwrap_or(Margin::symmetric(4, 2)).sum().y;
        let tallest = ui.fonts_mut(|fonts| fonts.row_height(&self.font)) * most as f32 + margin;
        let memory = id.with("is taller than it may be");
        let was_tall: bool = ui.data(|data| data.get_temp(memory)).unwrap_or_default();
        let (response, height) = if was_tall {
            let area = ScrollArea::vertical().id_salt(id).max_height(tallest).show(ui, |ui| ui.add(edit));
            outline(&area.inner, area.inner_rect, ui);
            (area.inner, area.content_size.y)
        } else {
            let response = ui.add(edit);
            let height = response.rect.height();
            (response, height)
        };
        let is_tall = height > tallest + 1.0;
        if is_tall != was_tall {
            ui.data_mut(|data| data.insert_temp(memory, is_tall));
            ui.request_discard("a field begins or ends to scroll");
        }
        response
    }
}

/// The border of a field that scrolls: its own goes around all of its text.
fn outline(field: &Response, seen: Rect, ui: &Ui) {
    let visuals = ui.visuals();
    let stroke = if field.has_focus() { visuals.selection.stroke } else { ui.style().interact(field).bg_stroke };
    ui.painter().rect_stroke(seen, visuals.widgets.inactive.corner_radius, stroke, StrokeKind::Inside);
}

/// The part of a long text that is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Shown {
    range: Range<usize>,
    /// Length of the whole text when it was cut.
    whole: usize,
}

impl Shown {
    /// A part from a place on.
    fn from(text: &str, start: usize) -> Self {
        Self { range: start..border(text, start + PART), whole: text.len() }
    }

    /// The same part, or the nearest one of a text that was changed elsewhere.
    fn of(self, text: &str) -> Self {
        let is_cut = |at: usize| text.is_char_boundary(at);
        let fits = self.whole == text.len() && is_cut(self.range.start) && is_cut(self.range.end);
        let is_part = (1..=LONGEST).contains(&self.range.len());
        if fits && is_part { self } else { Self::from(text, border(text, self.range.start)) }
    }

    fn before(&self, text: &str) -> Self {
        let start = border(text, self.range.start.saturating_sub(PART));
        Self { range: start..self.range.start, whole: text.len() }
    }
}

/// The last line end before a place, or the place itself where lines are long.
fn border(text: &str, at: usize) -> usize {
    if at >= text.len() {
        return text.len();
    }
    let at = text.floor_char_boundary(at);
    let near = text.floor_char_boundary(at.saturating_sub(PART / 8));
    text[near..at].rfind('\n').map_or(at, |end| near + end + 1)
}

fn in_parts(text: &mut String, look: &Look<'_>, id: Id, ui: &mut Ui) -> Response {
    let shown: Shown = ui.data(|data| data.get_temp(id)).unwrap_or_default();
    let mut shown = shown.of(text);
    let mut part = text[shown.range.clone()].to_owned();
    let response = ui
        .vertical(|ui| {
            ui.spacing_mut().item_spacing.y = space::XS;
            // Each part has a cursor and steps to undo of its own.
            let response = look.show(&mut part, id.with(shown.range.start), ui);
            if response.changed() {
                text.replace_range(shown.range.clone(), &part);
                shown = Shown { range: shown.range.start..shown.range.start + part.len(), whole: text.len() };
            }
            steps(text, &mut shown, ui);
            response
        })
        .inner;
    ui.data_mut(|data| data.insert_temp(id, shown));
    response
}

/// Which part it is, and steps to others.
fn steps(text: &str, shown: &mut Shown, ui: &mut Ui) {
    let theme = ui.theme();
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS;
        let (has_before, has_after) = (shown.range.start > 0, shown.range.end < text.len());
        let mut step = |icon, name: &str, enabled: bool| {
            ui.add_enabled_ui(enabled, |ui| icon_button(ui, icon, name)).inner.clicked()
        };
        if step(Icon::ChevronFirst, "First part of the text", has_before) {
            *shown = Shown::from(text, 0);
        }
        if step(Icon::ChevronLeft, "Part before", has_before) {
            *shown = shown.before(text);
        }
        if step(Icon::ChevronRight, "Part after", has_after) {
            *shown = Shown::from(text, shown.range.end);
        }
        if step(Icon::ChevronLast, "Last part of the text", has_after) {
            *shown = Shown { range: border(text, text.len() - PART)..text.len(), whole: text.len() };
        }
        let size = |bytes: usize| bytes_in_words(bytes as u64);
        let words = format!("{} to {} of {}", size(shown.range.start), size(shown.range.end), size(text.len()));
        let words = RichText::new(words).font(Type::Caption.sans()).color(theme.caption());
        let help = "A long text is shown in parts; the model is given the whole.";
        ui.add(Label::new(words).truncate()).on_hover_text(help);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_each_other_and_begin_lines() {
        let text: String = (0..20_000).map(|i| format!("line {i}, größer\n")).collect();
        let mut shown = Shown::default().of(&text);
        let mut whole = String::new();
        loop {
            assert!((1..=PART).contains(&shown.range.len()));
            whole += &text[shown.range.clone()];
            if shown.range.end == text.len() {
                break;
            }
            assert!(text[..shown.range.end].ends_with('\n'));
            let next = Shown::from(&text, shown.range.end);
            assert_eq!(next.before(&text).range.end, next.range.start);
            shown = next;
        }
        assert_eq!(whole, text);
    }

    #[test]
    fn a_text_that_was_changed_elsewhere_is_cut_anew() {
        let text = "ä".repeat(LONGEST);
        let shown = Shown::from(&text, PART);
        assert_eq!(shown.clone().of(&text), shown);
        let other = "猫".repeat(LONGEST);
        let again = shown.clone().of(&other);
        assert!(other.is_char_boundary(again.range.start) && other.is_char_boundary(again.range.end));
        assert_eq!(shown.of("short").range, 5..5);
        // A part that grew too long by what was pasted into it.
        let grown = Shown { range: 0..LONGEST + 2, whole: text.len() };
        assert!(grown.of(&text).range.len() <= PART);
    }
}
