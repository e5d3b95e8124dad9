//! The parts of the prompt, each with its share of the attention: every example's input and output, and the rest.

use super::super::setup::Setup;
use crate::analysis::PartSums;
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{caption, one_line, percent, share_bar};
use egui::{Align2, Color32, Rect, Role, ScrollArea, Sense, Ui, Vec2, WidgetInfo, pos2};

const ROW: f32 = 24.0;
const NUMBER: f32 = 24.0;
const SHARE: f32 = 56.0;

/// One line of the list.
struct Line<'a> {
    number: Option<usize>,
    name: &'a str,
    /// What it is, for screen readers.
    kind: &'a str,
    share: f32,
    hue: Color32,
}

pub(super) fn show(ui: &mut Ui, setup: &Setup, side: usize, sums: &PartSums) {
    let theme = ui.theme();
    let side = &setup.sides[side];
    let [input, output, query, other] = [3, 2, 0, 7].map(|hue| theme.category(hue));
    let mut lines = Vec::new();
    let mut line = |number, name, kind, share, hue| lines.push(Line { number, name, kind, share, hue });
    if side.says_instruction && !side.instruction.is_empty() {
        line(None, side.instruction.as_str(), "Instruction", sums.instruction, theme.category(6));
    }
    for (row, example) in side.examples.iter().enumerate().filter(|(_, example)| example.on) {
        let (to_input, to_output) = sums.examples.get(row).copied().unwrap_or_default();
        let answer = side.name(example.wrong.as_ref().unwrap_or(&example.output));
        line(Some(row + 1), example.input.as_str(), "Input", to_input, input);
        line(None, answer, "Output", to_output, output);
    }
    line(None, setup.query.as_str(), "Query", sums.query, query);
    line(None, "template", "Template", sums.template, other);
    if sums.added > 0.0 {
        line(None, "first token", "Start", sums.added, other);
    }
    if sums.answer > 0.0 {
        line(None, "the answer itself", "Answer", sums.answer, other);
    }
    let most = lines.iter().map(|line| line.share).fold(0.0f32, f32::max).max(1e-6);
    let all: (f32, f32) = sums.examples.iter().fold((0.0, 0.0), |(i, o), (input, output)| (i + input, o + output));
    caption(ui, format!("Examples together: inputs {}, outputs {}", percent(all.0), percent(all.1)));
    ui.add_space(space::XS);
    ScrollArea::vertical().id_salt("parts").auto_shrink(false).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        for line in &lines {
            one(ui, line, most);
        }
    });
}

fn one(ui: &mut Ui, line: &Line<'_>, most: f32) {
    let theme = ui.theme();
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width() - space::S, ROW), Sense::hover());
    let share = percent(line.share);
    response.widget_info(|| {
        let number = line.number.map_or_else(String::new, |n| format!(" of example {n}"));
        WidgetInfo::labeled(Role::ListItem, true, format!("{}{number} {}: {share}", line.kind, line.name))
    });
    if !ui.is_rect_visible(rect) {
        return;
    }
    let painter = ui.painter();
    let y = rect.center().y;
    if let Some(number) = line.number {
        let at = pos2(rect.left(), y);
        painter.text(at, Align2::LEFT_CENTER, number, Type::Caption.mono(), theme.caption());
    }
    let text = (rect.width() - NUMBER - SHARE) * 0.52;
    let left = rect.left() + NUMBER;
    let galley = one_line(painter, line.name, Type::Body.sans(), theme.body(), text);
    painter.galley(pos2(left, y - galley.size().y / 2.0), galley, theme.body());
    let bar = Rect::from_min_max(pos2(left + text + space::S, y - 4.0), pos2(rect.right() - SHARE, y + 4.0));
    share_bar(painter, theme, bar, line.share / most, line.hue);
    painter.text(pos2(rect.right(), y), Align2::RIGHT_CENTER, &share, Type::Caption.mono(), theme.body());
    response.on_hover_text(format!("{}: {}\nBars are scaled to the largest part.", line.kind, line.name));
}
