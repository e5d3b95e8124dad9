//! Tokens as chips that flow like text.

use crate::ui::Themed;
use crate::ui::theme::{CHIP_RADIUS, Theme, Type};
use egui::text::{LayoutJob, TextFormat, TextWrapping};
use egui::{Color32, Galley, Key, Pos2, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo};
use std::sync::Arc;

const CHIP_HEIGHT: f32 = 22.0;
const CHIP_PADDING: f32 = 2.0;
const GAP: Vec2 = Vec2::new(1.0, 4.0);
/// Letters of a chip at most: it has one line, and a line that is megabytes long cannot be painted.
const MOST_LETTERS: usize = 120;
/// "Shift out", the control character word tokenizers fold capitals with.
const SHIFT: char = '\u{E}';

/// One token as it is shown.
#[derive(Clone, Copy, Debug)]
pub struct Chip<'a> {
    /// The token's own text.
    pub text: &'a str,
    /// Behind it; transparent shows nothing.
    pub fill: Color32,
    /// True outlines it in the accent.
    pub selected: bool,
    /// A line under it, such as for a token the person chose.
    pub underline: Option<Color32>,
}

/// What the pointer and the keyboard did to a strip.
#[derive(Clone, Debug, Default)]
pub struct StripResponse {
    /// Token under the pointer.
    pub hovered: Option<usize>,
    /// Token that was clicked, or reached by the arrow keys.
    pub clicked: Option<usize>,
    /// Where each token stands.
    pub places: Vec<Rect>,
}

/// Shows `count` tokens. `name` is what a screen reader tells; `tooltip` is painted for the token under the pointer.
pub fn token_strip<'a>(
    ui: &mut Ui,
    name: &str,
    count: usize,
    chip: impl Fn(usize) -> Chip<'a>,
    mut tooltip: impl FnMut(&mut Ui, usize),
) -> StripResponse {
    let theme = ui.theme();
    let width = ui.available_width();
    let mut placed = place(ui, width, count, &chip);
    let height = placed.last().map_or(CHIP_HEIGHT, Rect::bottom);
    let (area, whole) = ui.allocate_exact_size(Vec2::new(width, height), Sense::focusable_noninteractive());
    let selected = (0..count).find(|i| chip(*i).selected);
    whole.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::Group, true, name);
        info.current_text_value = Some((0..count).map(|i| chip(i).text).collect());
        info
    });
    let covered = ui.memory(|m| m.top_modal_layer().is_some());
    let mut out = StripResponse { hovered: None, clicked: arrows(ui, &whole, selected, count), places: Vec::new() };
    if whole.has_focus() {
        let line = Stroke::new(1.0, theme.accent());
        ui.painter().rect_stroke(area.expand(3.0), CHIP_RADIUS, line, StrokeKind::Outside);
    }
    for (index, rect) in placed.iter_mut().enumerate() {
        *rect = rect.translate(area.min.to_vec2());
        let rect = *rect;
        if !ui.is_rect_visible(rect) {
            continue;
        }
        let chip = chip(index);
        let response = ui.interact(rect, whole.id.with(index), Sense::CLICK);
        response.widget_info(|| {
            WidgetInfo::selected(Role::ListItem, true, chip.selected, format!("Token {index}: {:?}", chip.text))
        });
        let mut words = shown_text(theme, chip.text);
        // A chip is no wider than the strip; the tooltip has the whole text.
        words.wrap = TextWrapping::truncate_at_width(rect.width() - 2.0 * CHIP_PADDING + 1.0);
        let galley = ui.painter().layout_job(words);
        paint(ui, rect, galley, &chip, response.hovered());
        if response.hovered() {
            out.hovered = Some(index);
        }
        if response.clicked() {
            out.clicked = Some(index);
        }
        // A tooltip that stays open must not lie over a dialog.
        if !covered {
            response.on_hover_ui(|ui| tooltip(ui, index));
        }
    }
    out.places = placed;
    out
}

/// Positions of all chips relative to the strip's corner, broken into rows.
fn place<'a>(ui: &Ui, width: f32, count: usize, chip: &impl Fn(usize) -> Chip<'a>) -> Vec<Rect> {
    let theme = ui.theme();
    let advance = ui.fonts_mut(|fonts| fonts.glyph_width(&Type::Body.mono(), '0'));
    let mut at = Pos2::ZERO;
    (0..count)
        .map(|index| {
            let text = chip(index).text;
            // In a monospace face the width of plain text is known; laying out thousands of chips that are scrolled out of
            // sight would cost a frame.
            let text_width = if text.is_ascii() {
                advance * text.len().min(MOST_LETTERS + 1) as f32
            } else {
                ui.painter().layout_job(shown_text(theme, text)).size().x
            };
            let size = Vec2::new((text_width.max(4.0) + 2.0 * CHIP_PADDING).min(width), CHIP_HEIGHT);
            if at.x > 0.0 && at.x + size.x > width {
                at = Pos2::new(0.0, at.y + CHIP_HEIGHT + GAP.y);
            }
            let rect = Rect::from_min_size(at, size);
            at.x += size.x + GAP.x;
            if text.ends_with('\n') {
                at = Pos2::new(0.0, at.y + CHIP_HEIGHT + GAP.y);
            }
            rect
        })
        .collect()
}

fn paint(ui: &Ui, rect: Rect, galley: Arc<Galley>, chip: &Chip<'_>, hovered: bool) {
    let theme = ui.theme();
    let painter = ui.painter();
    if chip.fill != Color32::TRANSPARENT {
        painter.rect_filled(rect, CHIP_RADIUS - 1, chip.fill);
    }
    if chip.selected {
        painter.rect_stroke(rect, CHIP_RADIUS - 1, Stroke::new(1.5, theme.accent()), StrokeKind::Outside);
    } else if hovered {
        painter.rect_stroke(rect, CHIP_RADIUS - 1, Stroke::new(1.0, theme.line()), StrokeKind::Outside);
    }
    if let Some(colour) = chip.underline {
        painter.hline(rect.x_range().shrink(1.0), rect.bottom() - 1.0, Stroke::new(2.0, colour));
    }
    let at = Pos2::new(rect.left() + CHIP_PADDING, rect.center().y - galley.size().y / 2.0);
    painter.galley(at, galley, theme.body());
}

fn arrows(ui: &Ui, whole: &Response, selected: Option<usize>, count: usize) -> Option<usize> {
    if !whole.has_focus() || count == 0 {
        return None;
    }
    let filter = egui::EventFilter { horizontal_arrows: true, ..Default::default() };
    ui.memory_mut(|m| m.set_focus_lock_filter(whole.id, filter));
    if whole.gained_focus() {
        // The keys are locked to a widget from its second frame with the focus on.
        ui.ctx().request_repaint();
    }
    ui.input(|i| {
        if i.key_pressed(Key::ArrowRight) {
            Some(selected.map_or(0, |s| (s + 1).min(count - 1)))
        } else if i.key_pressed(Key::ArrowLeft) {
            Some(selected.map_or(count - 1, |s| s.saturating_sub(1)))
        } else {
            None
        }
    })
}

/// Token text with white space made visible: a space as a thin dot, a line break as ↵, a tab as →. The mark that some
/// tokenizers write before a small letter in place of a capital one is ↑.
fn shown_text(theme: &Theme, text: &str) -> LayoutJob {
    let format = |color| TextFormat { font_id: Type::Body.mono(), color, ..Default::default() };
    let (ink, faint) = (format(theme.body()), format(theme.neutral(6)));
    let mut job = LayoutJob { break_on_newline: false, ..Default::default() };
    job.wrap.max_width = f32::INFINITY;
    let mut word = String::new();
    let is_cut = text.chars().nth(MOST_LETTERS).is_some();
    for c in text.chars().take(MOST_LETTERS).chain(is_cut.then_some('…')) {
        let mark = match c {
            ' ' => "·",
            '\n' => "↵",
            '\t' => "→",
            '\r' => "↲",
            SHIFT => "↑",
            _ => {
                word.push(c);
                continue;
            }
        };
        if !word.is_empty() {
            job.append(&word, 0.0, ink.clone());
            word.clear();
        }
        job.append(mark, 0.0, faint.clone());
    }
    if !word.is_empty() {
        job.append(&word, 0.0, ink);
    }
    job
}

/// A token's text in one line for a label, with white space made visible.
#[must_use]
pub fn visible_text(text: &str) -> String {
    text.replace(' ', "·").replace('\n', "↵").replace('\t', "→").replace(SHIFT, "↑")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chip_is_cut_where_its_line_would_be_endless() {
        let shown = |text: &str| shown_text(Theme::dark(), text).text;
        assert_eq!(shown("a b"), "a·b");
        let long = shown(&"word ".repeat(100_000));
        assert_eq!(long.chars().count(), MOST_LETTERS + 1);
        assert!(long.starts_with("word·word·") && long.ends_with('…'));
    }
}
