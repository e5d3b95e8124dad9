//! Heads as a map of layers and heads, and beside each layer the bars of its MLP and its bias; above and below what is of no layer.

use super::bars::{NUMBER, colour, signed_bar};
use crate::types::{AddedPart, AttributionReport, ScaleCurve};
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{caption, legend, significant};
use egui::{Align2, Rect, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};

/// Room for the names of rows, and for the numbers of heads above.
const NAMES: f32 = 74.0;
const HEAD: f32 = 16.0;
/// Least and largest side of a cell, and width of a bar without its number.
const CELL: [f32; 2] = [6.0, 30.0];
const ROW: [f32; 2] = [13.0, 28.0];
/// Height from which each row is called a layer, and not only numbered.
const NAMED: f32 = 16.0;
const BAR: [f32; 2] = [36.0, 140.0];
/// The legend below.
const LEGEND: f32 = 44.0;
/// What stands beside it.
const WORD: f32 = 48.0;

/// A row, from the first addition to the last.
#[derive(Clone, Copy)]
enum Row {
    Layer(usize),
    Single(AddedPart),
}

/// What is drawn.
pub(super) struct Map<'a> {
    report: &'a AttributionReport,
    rows: Vec<Row>,
    heads: usize,
    has_biases: bool,
    /// The largest of the heads, and of all others.
    most: [f64; 2],
    /// How shares of the largest head become colours.
    curve: ScaleCurve,
    height: f32,
}

impl<'a> Map<'a> {
    /// Of a report, in so much height, if that is possible.
    pub fn new(report: &'a AttributionReport, curve: ScaleCurve, height: f32) -> Self {
        let [layers, heads] = report.shape();
        let has = |part: &AddedPart| report.value(*part).is_some();
        let single = |parts: &[AddedPart]| parts.iter().copied().filter(has).map(Row::Single).collect::<Vec<_>>();
        let mut rows = single(&[AddedPart::Embedding, AddedPart::Position]);
        rows.extend((0..layers).map(Row::Layer));
        rows.extend(single(&[AddedPart::NormBias, AddedPart::HeadBias]));
        let largest = |of_heads: bool| {
            let parts = report.parts.iter().filter(|(part, _)| matches!(part, AddedPart::Head { .. }) == of_heads);
            parts.fold(0.0f64, |most, (_, value)| most.max(value.abs()))
        };
        let height = ((height - HEAD - LEGEND) / rows.len().max(1) as f32).clamp(ROW[0], ROW[1]).floor();
        let has_biases = report.parts.iter().any(|(part, _)| matches!(part, AddedPart::AttentionBias(_)));
        Self { report, rows, heads, has_biases, most: [largest(true), largest(false)], curve, height }
    }

    fn bars(&self) -> f32 {
        if self.has_biases { 2.0 } else { 1.0 }
    }

    /// What it takes at least.
    pub fn least_width(&self) -> f32 {
        NAMES + CELL[0].max(self.height.min(18.0)) * self.heads as f32 + self.bars() * (space::M + BAR[0] + NUMBER)
    }

    /// What it takes at most.
    pub fn most_width(&self) -> f32 {
        NAMES + self.most_cell() * self.heads as f32 + self.bars() * (space::M + BAR[1] + NUMBER)
    }

    fn most_cell(&self) -> f32 {
        CELL[1].min(self.height * 1.5)
    }

    /// Shows it; gives the part that was clicked.
    pub fn show(&self, ui: &mut Ui, chosen: Option<AddedPart>) -> Option<AddedPart> {
        let room = ui.available_width() - NAMES - self.bars() * (space::M + NUMBER);
        let cell = ((room - self.bars() * BAR[0]) / self.heads.max(1) as f32).clamp(CELL[0], self.most_cell());
        let cell = cell.floor();
        // Cells that are narrow are not high either.
        let height = self.height.min((1.5 * cell).max(ROW[0])).floor();
        let bar = ((room - cell * self.heads as f32) / self.bars()).clamp(BAR[0], BAR[1]) + NUMBER;
        let size = vec2(
            NAMES + cell * self.heads as f32 + self.bars() * (space::M + bar),
            HEAD + height * self.rows.len() as f32,
        );
        let (area, _) = ui.allocate_exact_size(size, Sense::hover());
        let left = area.left() + NAMES;
        let mlps = left + cell * self.heads as f32 + space::M;
        let columns = Columns { left, cell, mlps, biases: mlps + bar + space::M, bar, height };
        self.names_above(ui, area.top() + HEAD / 2.0, &columns);
        let mut clicked = None;
        for (place, row) in self.rows.iter().enumerate() {
            let top = area.top() + HEAD + height * place as f32;
            clicked = self.row(ui, *row, top, &columns, chosen).or(clicked);
        }
        // Over all cells, so that none of them covers it.
        let at = |layer| self.rows.iter().position(|row| matches!(row, Row::Layer(of) if *of == layer));
        if let Some(AddedPart::Head { layer, head }) = chosen
            && let Some(place) = at(layer).filter(|_| head < self.heads)
        {
            let corner = pos2(left + cell * head as f32, area.top() + HEAD + height * place as f32);
            let (rect, theme) = (Rect::from_min_size(corner, vec2(cell, height)), ui.theme());
            ui.painter().rect_stroke(rect, 2, Stroke::new(2.0, theme.accent()), StrokeKind::Outside);
            ui.painter().rect_stroke(rect, 1, Stroke::new(1.0, theme.ground()), StrokeKind::Inside);
        }
        ui.add_space(space::XS);
        ui.horizontal(|ui| {
            ui.add_space(NAMES);
            let theme = ui.theme();
            let mark = |share: f32| {
                let place = self.curve.place(share.abs()) * share.signum();
                (0.5 + place / 2.0, significant(f64::from(share) * self.most[0]))
            };
            let width = (ui.available_width() - WORD).clamp(120.0, 280.0);
            let mut marks = vec![mark(-1.0), mark(-0.25), (0.5, "0".to_owned()), mark(0.25), mark(1.0)];
            if width < 260.0 {
                // Numbers must not touch.
                marks.retain(|(place, _)| [0.0, 0.5, 1.0].contains(place));
            }
            legend(ui, width, |place| colour(theme, f64::from(2.0 * place - 1.0)), &marks);
            caption(ui, "heads");
        });
        clicked
    }

    fn names_above(&self, ui: &Ui, y: f32, columns: &Columns) {
        let (theme, painter, font) = (ui.theme(), ui.painter(), Type::Caption.sans());
        // Every n-th number where they do not fit.
        let every = (18.0 / columns.cell).ceil() as usize;
        for head in (0..self.heads).step_by(every.max(1)) {
            let x = columns.left + columns.cell * (head as f32 + 0.5);
            painter.text(pos2(x, y), Align2::CENTER_CENTER, head, font.clone(), theme.caption());
        }
        let middle = (columns.bar - NUMBER) / 2.0;
        painter.text(pos2(columns.mlps + middle, y), Align2::CENTER_CENTER, "MLP", font.clone(), theme.caption());
        if self.has_biases {
            let at = pos2(columns.biases + middle, y);
            painter.text(at, Align2::CENTER_CENTER, "bias", font, theme.caption());
        }
    }

    fn row(&self, ui: &Ui, row: Row, top: f32, columns: &Columns, chosen: Option<AddedPart>) -> Option<AddedPart> {
        let theme = ui.theme();
        let name = match row {
            Row::Layer(layer) if columns.height < NAMED => layer.to_string(),
            Row::Layer(layer) => format!("layer {layer}"),
            Row::Single(AddedPart::NormBias) => "norm bias".to_owned(),
            Row::Single(AddedPart::HeadBias) => "score bias".to_owned(),
            Row::Single(part) => part.to_string(),
        };
        let at = pos2(columns.left - space::S, top + columns.height / 2.0);
        ui.painter().text(at, Align2::RIGHT_CENTER, name, Type::Caption.sans(), theme.caption());
        let bar = |left: f32| Rect::from_min_size(pos2(left, top), vec2(columns.bar, columns.height));
        match row {
            Row::Single(part) => self.bar(ui, bar(columns.mlps), part, chosen),
            Row::Layer(layer) => {
                let mut clicked = None;
                for head in 0..self.heads {
                    let corner = pos2(columns.left + columns.cell * head as f32, top);
                    let rect = Rect::from_min_size(corner, vec2(columns.cell, columns.height));
                    clicked = self.head(ui, rect, AddedPart::Head { layer, head }, chosen).or(clicked);
                }
                let clicked = self.bar(ui, bar(columns.mlps), AddedPart::Mlp(layer), chosen).or(clicked);
                self.bar(ui, bar(columns.biases), AddedPart::AttentionBias(layer), chosen).or(clicked)
            }
        }
    }

    fn head(&self, ui: &Ui, rect: Rect, part: AddedPart, chosen: Option<AddedPart>) -> Option<AddedPart> {
        let theme = ui.theme();
        let value = self.report.value(part)?;
        let response = ui.interact(rect, ui.scope_id().with(("part", part)), Sense::click());
        let words = format!("{part}: {value:+.4}");
        response.widget_info(|| WidgetInfo::selected(Role::Button, true, chosen == Some(part), &words));
        let share = if self.most[0] > 0.0 { value / self.most[0] } else { 0.0 };
        let share = f64::from(self.curve.place(share.abs() as f32)) * share.signum();
        let inner = rect.shrink(0.5);
        let ink = if value.is_finite() { colour(theme, share) } else { theme.warning() };
        ui.painter().rect_filled(inner, 1, ink);
        if response.hovered() || response.has_focus() {
            ui.painter().rect_stroke(inner, 1, Stroke::new(1.5, theme.accent()), StrokeKind::Outside);
        } else {
            ui.painter().rect_stroke(inner, 1, Stroke::new(1.0, theme.grid()), StrokeKind::Inside);
        }
        let response = response.on_hover_text(words);
        response.clicked().then_some(part)
    }

    fn bar(&self, ui: &Ui, rect: Rect, part: AddedPart, chosen: Option<AddedPart>) -> Option<AddedPart> {
        let theme = ui.theme();
        let value = self.report.value(part)?;
        let can_be = part.removal().is_some();
        let sense = if can_be { Sense::click() } else { Sense::hover() };
        let response = ui.interact(rect, ui.scope_id().with(("part", part)), sense);
        let words = format!("{part}: {value:+.4}");
        response.widget_info(|| {
            let role = if can_be { Role::Button } else { Role::ListItem };
            WidgetInfo::selected(role, true, chosen == Some(part), &words)
        });
        if chosen == Some(part) || can_be && (response.hovered() || response.has_focus()) {
            ui.painter().rect_filled(rect.expand2(vec2(4.0, 0.0)), 2, theme.hover());
        }
        signed_bar(ui, rect, value, self.most[1]);
        if chosen == Some(part) {
            let outline = Stroke::new(1.5, theme.accent());
            ui.painter().rect_stroke(rect.expand2(vec2(4.0, 0.0)), 2, outline, StrokeKind::Inside);
        }
        response.on_hover_text(words).clicked().then_some(part)
    }
}

/// Where columns begin, how wide they are, and how high a row is.
struct Columns {
    left: f32,
    cell: f32,
    mlps: f32,
    biases: f32,
    bar: f32,
    height: f32,
}
