//! The prompt and another text side by side, token by token.

use super::surprise::{self, Reading};
use crate::analysis::align;
use crate::types::{JobId, ModelId, SurpriseReport, SurpriseToken};
use crate::ui::theme::{CHIP_RADIUS, Type, space};
use crate::ui::widgets::{self, TextArea, caption, field, visible_text};
use crate::ui::{Cx, State, Themed};
use egui::{Align2, Rect, RichText, Role, ScrollArea, Sense, Ui, Vec2, WidgetInfo, pos2};
use std::collections::BTreeSet;
use std::sync::Arc;

const ROW: f32 = 24.0;
/// Room for the difference of two surprises.
const DIFFERENCE: f32 = 72.0;

/// The other text, and how its tokens stand to those of the prompt.
#[derive(Default)]
pub(super) struct Comparing {
    pub is_open: bool,
    text: String,
    reading: Reading,
    aligned: Option<Aligned>,
}

/// Rows of two reports.
struct Aligned {
    reports: [Arc<SurpriseReport>; 2],
    rows: Vec<(Option<usize>, Option<usize>)>,
}

impl Comparing {
    pub(super) fn follow(&mut self, model: ModelId, cx: &mut Cx<'_>) {
        if self.is_open && !self.text.is_empty() {
            self.reading.follow(model, &self.text, cx);
        }
    }

    pub(super) fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.reading.shows(shown);
    }

    /// The card; `prompt` is the prompt's text and what came of it.
    pub(super) fn show(&mut self, prompt: (&str, &Reading), ui: &mut Ui, cx: &Cx<'_>) {
        let help = "Read by itself by the same model. Its tokens stand beside those of the prompt.";
        field(ui, "Another text", help, |ui| ui.add(TextArea::new(&mut self.text, 2).hint("A text to compare with")));
        widgets::row(ui, 2, |columns| {
            strong(&mut columns[0], "The prompt");
            prompt.1.sums(prompt.0, &mut columns[0], cx);
            strong(&mut columns[1], "The other text");
            if !self.text.is_empty() {
                self.reading.sums(&self.text, &mut columns[1], cx);
            }
        });
        ui.add_space(space::XS);
        if !self.align(prompt, cx.state) {
            return;
        }
        let Some(aligned) = &self.aligned else { return };
        let count = aligned.rows.len();
        let list = ScrollArea::vertical().id_salt("tokens side by side").auto_shrink(false);
        ui.spacing_mut().item_spacing.y = 1.0;
        list.show_rows(ui, ROW, count, |ui, range| {
            for place in range {
                let (a, b) = aligned.rows[place];
                let [left, right] = &aligned.reports;
                row(ui, a.map(|i| &left.tokens[i]), b.map(|i| &right.tokens[i]));
            }
        });
    }

    /// Aligns the newest reports, once. False while one is missing.
    fn align(&mut self, prompt: (&str, &Reading), state: &State) -> bool {
        let (Some(left), Some(right)) = (prompt.1.report(prompt.0, state), self.reading.report(&self.text, state))
        else {
            return false;
        };
        let is_new = |known: &Aligned| !Arc::ptr_eq(&known.reports[0], left) || !Arc::ptr_eq(&known.reports[1], right);
        if self.aligned.as_ref().is_none_or(is_new) {
            let ids = |report: &SurpriseReport| report.tokens.iter().map(|token| token.id).collect::<Vec<_>>();
            let rows = align(&ids(left), &ids(right));
            self.aligned = Some(Aligned { reports: [Arc::clone(left), Arc::clone(right)], rows });
        }
        true
    }
}

fn strong(ui: &mut Ui, words: &str) {
    let ink = ui.theme().body();
    ui.label(RichText::new(words).font(Type::Body.bold()).color(ink));
}

fn row(ui: &mut Ui, left: Option<&SurpriseToken>, right: Option<&SurpriseToken>) {
    let theme = ui.theme();
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), ROW), Sense::hover());
    let difference = difference(left, right);
    let name = format!("{} | {} | {difference}", told(left), told(right));
    response.widget_info(|| WidgetInfo::labeled(Role::ListItem, true, &name));
    let half = (rect.width() - DIFFERENCE) / 2.0;
    for (token, from) in [(left, rect.left()), (right, rect.left() + half)] {
        let cell =
            Rect::from_min_size(pos2(from, rect.top()), Vec2::new(half - space::S, ROW)).shrink2(Vec2::new(0.0, 1.0));
        let Some(token) = token else { continue };
        ui.painter().rect_filled(cell, CHIP_RADIUS, surprise::fill(theme, token, theme.surface()));
        let painter = ui.painter().with_clip_rect(ui.clip_rect().intersect(cell));
        let number = token.log_prob.map_or_else(|| "–".to_owned(), |log_prob| format!("{:.2}", -log_prob));
        let words =
            widgets::one_line(&painter, &visible_text(&token.text), Type::Body.mono(), theme.body(), half - 64.0);
        painter.galley(pos2(cell.left() + 4.0, cell.center().y - words.size().y / 2.0), words, theme.body());
        let at = pos2(cell.right() - 4.0, cell.center().y);
        painter.text(at, Align2::RIGHT_CENTER, number, Type::Caption.mono(), theme.body());
    }
    let at = pos2(rect.right() - 4.0, rect.center().y);
    ui.painter().text(at, Align2::RIGHT_CENTER, difference, Type::Caption.mono(), theme.caption());
    response.on_hover_ui(|ui| {
        for token in [left, right].into_iter().flatten() {
            caption(ui, visible_text(&token.text));
            surprise::tip(ui, token);
        }
    });
}

fn told(token: Option<&SurpriseToken>) -> String {
    token.map_or_else(
        || "nothing".to_owned(),
        |token| {
            let nats = token.log_prob.map_or_else(|| "–".to_owned(), |log_prob| format!("{:.2}", -log_prob));
            format!("{:?} {nats}", token.text)
        },
    )
}

/// How much more surprising the second is, in nats; nothing where one is missing.
fn difference(left: Option<&SurpriseToken>, right: Option<&SurpriseToken>) -> String {
    let nats = |token: Option<&SurpriseToken>| token.and_then(|token| token.log_prob).map(|log_prob| -log_prob);
    nats(left).zip(nats(right)).map_or_else(String::new, |(left, right)| format!("{:+.2}", right - left))
}
