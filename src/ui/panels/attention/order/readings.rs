//! All readings of the text, a row each: what the model says next, and one number for each kind of change.

use super::{colour, words};
use crate::analysis::Order;
use crate::types::{ChangedOrder, Reordering, WordOrderReport};
use crate::ui::Themed;
use crate::ui::theme::{CHIP_RADIUS, Type, space};
use crate::ui::widgets::{explain, one_line, percent, visible_text};
use egui::{Align2, Color32, Rect, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

const ROW: f32 = 26.0;

const SAYS_HELP: &str = "The likeliest next token: behind the last token of the text or, for an encoder, in the place of the mask that is \
     followed.";
const FIRST_HELP: &str = "The probability of the token that is the likeliest as written.";
const KL_HELP: &str = "Kullback-Leibler divergence of what the model says now from what it says of the text as written, in nats: 0 where \
     both are the same. Σ p ln(p/q).";
const COSINE_HELP: &str = "Cosine of the angle between the vectors of the token that is followed, as written and now, behind the last \
     block.";
const POOLED_HELP: &str = "The same between the vectors of the whole text, as it is pooled.";
const HEADS_HELP: &str = "Mean over all heads of the total variation between their weights as written and now, each token found where it \
     went: 0 where heads attend to the same tokens, 1 where to none of them.";

/// The columns that there are, in their order.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Says,
    First,
    Kl,
    Cosine,
    Pooled,
    Heads,
}

impl Column {
    fn all(report: &WordOrderReport) -> Vec<Self> {
        let is_asked = report.said.is_some();
        let has = |column: &Self| match column {
            Self::Says | Self::First | Self::Kl => is_asked,
            Self::Cosine => true,
            Self::Pooled => report.changes.iter().any(|change| change.pooled.is_some()),
            Self::Heads => report.changes.iter().any(|change| !change.heads.is_empty()),
        };
        let all = [Self::Says, Self::First, Self::Kl, Self::Cosine, Self::Pooled, Self::Heads];
        all.into_iter().filter(has).collect()
    }

    fn title(self, report: &WordOrderReport) -> (String, &'static str) {
        match self {
            Self::Says => ("Says next".to_owned(), SAYS_HELP),
            Self::First => {
                let first = report.said.as_ref().and_then(|said| said.first());
                (first.map_or_else(String::new, |first| format!("P(‘{}’)", visible_text(&first.text))), FIRST_HELP)
            }
            Self::Kl => ("KL, nats".to_owned(), KL_HELP),
            Self::Cosine => ("Cosine".to_owned(), COSINE_HELP),
            Self::Pooled => ("Whole text".to_owned(), POOLED_HELP),
            Self::Heads => ("Heads".to_owned(), HEADS_HELP),
        }
    }

    /// What stands in it: of the text as written, or of a change.
    fn words(self, report: &WordOrderReport, change: Option<&ChangedOrder>) -> String {
        let Some(change) = change else {
            let first = report.said.as_ref().and_then(|said| said.first());
            return match self {
                Self::Says => first.map_or_else(String::new, |first| visible_text(&first.text)),
                Self::First => first.map_or_else(String::new, |first| percent(first.probability)),
                Self::Kl | Self::Cosine | Self::Pooled | Self::Heads => "–".to_owned(),
            };
        };
        let said = change.said.as_ref();
        let number = |value: Option<f32>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
        match self {
            Self::Says => {
                said.and_then(|said| said.top.first()).map_or_else(String::new, |(first, _)| visible_text(&first.text))
            }
            Self::First => said.and_then(|said| said.written.first()).map_or_else(String::new, |share| percent(*share)),
            Self::Kl => said.map_or_else(String::new, |said| words::nats(said.kl)),
            Self::Cosine => number(change.cosines.last().copied()),
            Self::Pooled => number(change.pooled),
            Self::Heads => number(words::mean_distance(change)),
        }
    }
}

/// Where columns begin.
struct Sheet {
    columns: Vec<Column>,
    name: f32,
    says: f32,
    number: f32,
}

impl Sheet {
    fn of(report: &WordOrderReport, width: f32) -> Self {
        let columns = Column::all(report);
        let says_first = columns.contains(&Column::Says);
        let numbers = columns.len() - usize::from(says_first);
        let name = (width * 0.3).clamp(150.0, 210.0);
        let says = if says_first { (width * 0.2).clamp(80.0, 200.0) } else { 0.0 };
        let number = ((width - name - says) / numbers.max(1) as f32).clamp(48.0, 110.0);
        Self { columns, name, says, number }
    }

    /// Of all columns together.
    fn width(&self) -> f32 {
        let numbers = self.columns.len() - usize::from(self.says > 0.0);
        self.name + self.says + self.number * numbers as f32 + space::S
    }

    /// Left end and width of a column.
    fn place(&self, column: usize) -> (f32, f32) {
        let says = usize::from(self.says > 0.0);
        if column < says {
            return (self.name, self.says);
        }
        (self.name + self.says + self.number * (column - says) as f32, self.number)
    }
}

/// Shows the rows; a click puts one in focus.
pub(super) fn show(focus: &mut Reordering, ui: &mut Ui, report: &WordOrderReport, order: Order) {
    let sheet = Sheet::of(report, ui.available_width() - space::S);
    heading(ui, report, &sheet);
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        row(ui, report, &sheet, None, false);
        for change in &report.changes {
            let response = row(ui, report, &sheet, Some(change), *focus == change.how);
            if response.clicked() {
                *focus = change.how;
            }
            response.on_hover_text(words::meaning(change.how, report.positions, order));
        }
    });
}

fn heading(ui: &mut Ui, report: &WordOrderReport, sheet: &Sheet) {
    let (line, _) = ui.allocate_exact_size(vec2(sheet.width(), 20.0), Sense::hover());
    for (place, column) in sheet.columns.iter().enumerate() {
        let (left, width) = sheet.place(place);
        let (title, help) = column.title(report);
        let cell = Rect::from_min_size(pos2(line.left() + left, line.top()), vec2(width - 4.0, line.height()));
        let layout = match column {
            Column::Says => egui::Layout::left_to_right(egui::Align::Center),
            _ => egui::Layout::right_to_left(egui::Align::Center),
        };
        ui.scope_builder(egui::UiBuilder::new().max_rect(cell).layout(layout), |ui| {
            ui.set_clip_rect(ui.clip_rect().intersect(cell));
            explain(ui, &title, help);
        });
    }
}

fn row(
    ui: &mut Ui,
    report: &WordOrderReport,
    sheet: &Sheet,
    change: Option<&ChangedOrder>,
    on: bool,
) -> egui::Response {
    let theme = ui.theme();
    let sense = if change.is_some() { Sense::click() } else { Sense::hover() };
    let (rect, response) = ui.allocate_exact_size(vec2(sheet.width(), ROW), sense);
    let told = change.map_or_else(|| "as written".to_owned(), |change| words::told(report, change));
    let role = if change.is_some() { Role::RadioButton } else { Role::ListItem };
    response.widget_info(|| WidgetInfo::selected(role, true, on, &told));
    let painter = ui.painter().with_clip_rect(ui.clip_rect().intersect(rect));
    if on {
        painter.rect_filled(rect, CHIP_RADIUS, theme.accent_soft());
    } else if change.is_some() && response.hovered() {
        painter.rect_filled(rect, CHIP_RADIUS, theme.hover());
    }
    if response.has_focus() {
        painter.rect_stroke(rect, CHIP_RADIUS, Stroke::new(1.5, theme.accent()), egui::StrokeKind::Inside);
    }
    painter.hline(rect.x_range(), rect.bottom(), Stroke::new(1.0, theme.grid()));
    let y = rect.center().y;
    let (name, dot) =
        change.map_or(("As written", Color32::TRANSPARENT), |change| (change.how.name(), colour(theme, change.how)));
    painter.circle_filled(pos2(rect.left() + 10.0, y), 4.0, dot);
    let ink = if on { theme.accent_text() } else { theme.body() };
    let galley = one_line(&painter, name, Type::Body.sans(), ink, sheet.name - 24.0);
    painter.galley(pos2(rect.left() + 20.0, y - galley.size().y / 2.0), galley, ink);
    for (place, column) in sheet.columns.iter().enumerate() {
        let (left, width) = sheet.place(place);
        let left = rect.left() + left;
        let text = column.words(report, change);
        let galley = one_line(&painter, &text, Type::Body.mono(), ink, width - space::S);
        let x = match column {
            Column::Says => left,
            _ => left + width - 4.0 - galley.size().x,
        };
        let at = Align2::LEFT_CENTER.anchor_size(pos2(x, y), galley.size()).min;
        painter.galley(at, galley, ink);
    }
    response
}
