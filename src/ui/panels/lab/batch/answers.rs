//! The list of answers: wrong ones first, with a filter.

use super::super::setup::Example;
use crate::types::{Answer, BatchReport, JobId, TaskTable};
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{caption, one_line, segmented};
use egui::{Align2, Role, ScrollArea, Sense, TextEdit, Ui, Vec2, WidgetInfo, pos2};
use lucide_icons::Icon;
use std::fmt::Write;
use std::sync::Arc;

const ROW: f32 = 26.0;
const MARK: f32 = 22.0;
const NUMBER: f32 = 64.0;

/// Which answers are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Which {
    #[default]
    All,
    Wrong,
    Right,
}

/// What the list remembers.
#[derive(Default)]
pub(super) struct List {
    filter: String,
    which: Which,
    /// A cell of the confusion table: only its answers are listed.
    pub cell: Option<(usize, usize)>,
    /// Places in the order of the list, and what they were found for.
    found: Option<(Key, Vec<usize>)>,
    /// The count of rows that would be asked, and what it was counted for.
    pub rest: Option<(Basis, usize)>,
}

/// What the rows to be asked depend on.
type Basis = (Arc<TaskTable>, Vec<Example>);
/// What a list of answers depends on.
type Key = (JobId, String, Which, Option<(usize, usize)>);

impl List {
    pub fn show(&mut self, ui: &mut Ui, job: JobId, report: &BatchReport, labels: &[String]) {
        ui.horizontal(|ui| {
            let kinds = [(Which::All, "All"), (Which::Wrong, "Wrong"), (Which::Right, "Right")];
            segmented(ui, &mut self.which, &kinds);
            let field = TextEdit::singleline(&mut self.filter)
                .hint_text(crate::ui::widgets::hint("Filter"))
                .desired_width(160.0);
            let _ = ui.add(field).accessible_name("Filter answers");
            if let Some((right, said)) = self.cell {
                let words = format!("{} for {} ×", labels[said], labels[right]);
                if crate::ui::widgets::ghost_button(ui, None, &words).clicked() {
                    self.cell = None;
                }
            }
        });
        let found = self.found(job, report, labels);
        if found.is_empty() {
            caption(ui, "No answer passes the filter.");
            return;
        }
        head(ui);
        let area = ScrollArea::vertical().id_salt("answers").auto_shrink(false);
        ui.spacing_mut().item_spacing.y = 0.0;
        area.show_rows(ui, ROW, found.len(), |ui, places| {
            for answer in places.filter_map(|place| report.answers.get(*found.get(place)?)) {
                one(ui, answer, labels);
            }
        });
    }

    /// Places of the answers that pass the filter: wrong ones first, the least likely first among each.
    fn found(&mut self, job: JobId, report: &BatchReport, labels: &[String]) -> Vec<usize> {
        let key = (job, self.filter.clone(), self.which, self.cell);
        if let Some((of, found)) = &self.found
            && *of == key
        {
            return found.clone();
        }
        let found = order(&report.answers, labels, &self.filter, self.which, self.cell);
        self.found = Some((key, found.clone()));
        found
    }
}

fn order(
    answers: &[Answer],
    labels: &[String],
    filter: &str,
    which: Which,
    cell: Option<(usize, usize)>,
) -> Vec<usize> {
    let wanted = filter.to_lowercase();
    let fits = |answer: &Answer| {
        let kind = match which {
            Which::All => true,
            Which::Wrong => !answer.correct,
            Which::Right => answer.correct,
        };
        let in_cell = cell.is_none_or(|(right, said)| {
            labels.get(right) == Some(&answer.expected) && labels.get(said) == Some(&answer.predicted)
        });
        let texts = [&answer.input, &answer.expected, &answer.predicted];
        kind && in_cell && (wanted.is_empty() || texts.iter().any(|text| text.to_lowercase().contains(&wanted)))
    };
    let mut found: Vec<usize> = (0..answers.len()).filter(|place| fits(&answers[*place])).collect();
    found.sort_by(|a, b| {
        let (a, b) = (&answers[*a], &answers[*b]);
        a.correct.cmp(&b.correct).then(a.log_prob.total_cmp(&b.log_prob))
    });
    found
}

fn columns(width: f32) -> [f32; 3] {
    let rest = width - MARK - NUMBER - space::M;
    [rest * 0.5, rest * 0.25, rest * 0.25]
}

fn head(ui: &mut Ui) {
    let theme = ui.theme();
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 20.0), Sense::hover());
    let mut left = rect.left() + MARK;
    let ink = theme.caption();
    for (title, width) in ["Query", "Right answer", "Model says"].into_iter().zip(columns(rect.width())) {
        ui.painter().text(pos2(left, rect.center().y), Align2::LEFT_CENTER, title, Type::Caption.sans(), ink);
        left += width;
    }
    let at = pos2(rect.right() - space::M, rect.center().y);
    ui.painter().text(at, Align2::RIGHT_CENTER, "ln P", Type::Caption.sans(), ink);
}

fn one(ui: &mut Ui, answer: &Answer, labels: &[String]) {
    let theme = ui.theme();
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), ROW), Sense::hover());
    let verdict = if answer.correct { "right" } else { "wrong" };
    let words = format!("{verdict}: {} → {}, the model says {}", answer.input, answer.expected, answer.predicted);
    response.widget_info(|| WidgetInfo::labeled(Role::ListItem, true, &words));
    if !ui.is_rect_visible(rect) {
        return;
    }
    if response.hovered() {
        ui.painter().rect_filled(rect, 2.0, theme.hover());
    }
    let y = rect.center().y;
    let (icon, ink) = if answer.correct { (Icon::Check, theme.success()) } else { (Icon::X, theme.danger()) };
    let at = pos2(rect.left() + 2.0, y);
    ui.painter().text(at, Align2::LEFT_CENTER, char::from(icon), Type::Caption.icon(), ink);
    let mut left = rect.left() + MARK;
    let texts = [&answer.input, &answer.expected, &answer.predicted];
    for (text, width) in texts.into_iter().zip(columns(rect.width())) {
        let galley = one_line(ui.painter(), text, Type::Body.sans(), theme.body(), width - space::S);
        ui.painter().galley(pos2(left, y - galley.size().y / 2.0), galley, theme.body());
        left += width;
    }
    let at = pos2(rect.right() - space::M, y);
    let number = format!("{:.2}", answer.log_prob);
    ui.painter().text(at, Align2::RIGHT_CENTER, number, Type::Caption.mono(), theme.caption());
    response.on_hover_ui(|ui| {
        ui.label(egui::RichText::new(&answer.input).font(Type::Body.sans()).color(theme.body()));
        for (label, share) in labels.iter().zip(&answer.shares) {
            caption(ui, format!("{label}: {}", crate::ui::widgets::percent(*share as f32)));
        }
    });
}

/// The answers as rows for a spreadsheet, in the order of the table.
pub(super) fn tsv(report: &BatchReport, labels: &[String]) -> String {
    let clean = |text: &str| text.replace(['\t', '\n', '\r'], " ");
    let mut out = "input\texpected\tpredicted\tcorrect\tlog_prob".to_owned();
    for label in labels {
        let _ = write!(out, "\tshare of {}", clean(label));
    }
    for answer in &report.answers {
        let (input, expected, predicted) = (clean(&answer.input), clean(&answer.expected), clean(&answer.predicted));
        let _ = write!(out, "\n{input}\t{expected}\t{predicted}\t{}\t{}", answer.correct, answer.log_prob);
        for share in &answer.shares {
            let _ = write!(out, "\t{share}");
        }
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers() -> Vec<Answer> {
        let answer = |input: &str, expected: &str, predicted: &str, log_prob| Answer {
            input: input.into(),
            expected: expected.into(),
            predicted: predicted.into(),
            correct: expected == predicted,
            log_prob,
            shares: vec![0.25, 0.75],
        };
        vec![
            answer("one", "a", "a", -0.1),
            answer("two", "a", "b", -1.0),
            answer("three", "b", "a", -3.0),
            answer("four", "b", "b", -0.5),
        ]
    }

    #[test]
    fn failures_come_first_and_the_least_likely_first_of_all() {
        let labels = ["a", "b"].map(str::to_owned);
        let found = |filter, which, cell| order(&answers(), &labels, filter, which, cell);
        assert_eq!(found("", Which::All, None), [2, 1, 3, 0]);
        assert_eq!(found("", Which::Wrong, None), [2, 1]);
        assert_eq!(found("", Which::Right, None), [3, 0]);
        assert_eq!(found("O", Which::All, None), [1, 3, 0]);
        assert_eq!(found("", Which::All, Some((0, 1))), [1]);
    }

    #[test]
    fn rows_for_a_spreadsheet_have_one_line_each() {
        let report = BatchReport { answers: answers()[..2].to_vec(), ..BatchReport::default() };
        let text = tsv(&report, &["a".to_owned(), "b\tc".to_owned()]);
        assert_eq!(
            text,
            "input\texpected\tpredicted\tcorrect\tlog_prob\tshare of a\tshare of b c\n\
             one\ta\ta\ttrue\t-0.1\t0.25\t0.75\ntwo\ta\tb\tfalse\t-1\t0.25\t0.75\n"
        );
    }
}
