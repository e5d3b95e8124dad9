//! What a text model wrote at a step, where one of its heads looks on a text, and what a word is near to.

use super::{Inside, Seen};
use crate::types::{ColorMap, InspectReport, ModelId, NeighboursReport, RunSnapshot};
use crate::ui::ask::Answer;
use crate::ui::state::OpenModel;
use crate::ui::theme::{RADIUS, Type, rgb, space};
use crate::ui::widgets::{
    ColorTable, TextArea, TextureCache, caption, error_card, field, hint, pooled_image, secondary_button, section,
    share_bar, visible_text,
};
use crate::ui::{Cx, Intent, Themed};
use egui::{DragValue, Frame, Grid, Rect, RichText, Role, Sense, TextEdit, Ui, Vec2, WidgetInfo, pos2, vec2};
use lucide_icons::Icon;
use std::sync::Arc;

/// Of the map of a head.
const SIDE: f32 = 200.0;
const MAP: f32 = 240.0;

/// Pictures of heads: of which report, layer, head and theme.
pub(super) type Maps = TextureCache<(usize, usize, usize, bool)>;

/// What was written from the run's prompts.
pub(super) fn samples(ui: &mut Ui, snapshot: &RunSnapshot) {
    if snapshot.samples.is_empty() {
        return;
    }
    section(ui, "What it writes", |ui| {
        for sample in &snapshot.samples {
            let theme = ui.theme();
            Frame::new().fill(theme.ground()).corner_radius(RADIUS).inner_margin(space::S).show(ui, |ui| {
                ui.set_width(ui.available_width());
                let mut job = egui::text::LayoutJob::default();
                let written = sample.text.strip_prefix(&sample.prompt);
                let (prompt, written) =
                    written.map_or(("", sample.text.as_str()), |rest| (sample.prompt.as_str(), rest));
                for (text, ink) in [(prompt, theme.caption()), (written, theme.body())] {
                    let format = egui::TextFormat { font_id: Type::Body.sans(), color: ink, ..Default::default() };
                    job.append(text, 0.0, format);
                }
                ui.add(egui::Label::new(job).wrap().selectable(true));
            });
        }
    });
}

impl Inside {
    /// One head on the text that is filled in.
    pub(super) fn attention(&mut self, ui: &mut Ui, cx: &mut Cx<'_>, seen: &Seen<'_>, open: &OpenModel) {
        let Some(blocks) = open.info.shape.blocks() else { return };
        let (layers, heads) = (blocks.layers, blocks.heads);
        let (mut layer, mut head) = self.head.unwrap_or_else(|| highest(seen.snapshots));
        (layer, head) = (layer.min(layers.saturating_sub(1)), head.min(heads.saturating_sub(1)));
        let model = open.info.id;
        section(ui, "Where a head looks", |ui| {
            field(ui, "Text", "What the model reads at each step.", |ui| {
                let area = TextArea::new(&mut self.choices.text, 2).hint("a text that the model reads");
                ui.add(area.margin(egui::Margin::symmetric(8, 6)))
            });
            ui.horizontal(|ui| {
                let name = caption(ui, "Layer");
                let drag = DragValue::new(&mut layer).range(0..=layers.saturating_sub(1)).speed(0.05);
                let chosen = ui.add(drag).labelled_by(name.id);
                let name = caption(ui, "Head");
                let drag = DragValue::new(&mut head).range(0..=heads.saturating_sub(1)).speed(0.05);
                let chosen = chosen | ui.add(drag).labelled_by(name.id);
                if chosen.changed() {
                    self.head = Some((layer, head));
                }
                if self.head.is_none() && seen.snapshots.iter().any(|snapshot| snapshot.heads.is_some()) {
                    caption(ui, "highest for induction in the end");
                }
            });
            match self.attention.answer::<InspectReport>(cx.state) {
                Answer::New(report) => {
                    let report = Arc::clone(report);
                    self.map(ui, &report, (layer, head));
                }
                Answer::Old(report) => {
                    let report = Arc::clone(report);
                    ui.scope(|ui| {
                        ui.multiply_opacity(0.6);
                        self.map(ui, &report, (layer, head));
                    });
                }
                Answer::Failed(error) => error_card(ui, error),
                Answer::Waiting | Answer::Nothing => {
                    caption(ui, "Reading the text.");
                }
            }
            self.open_in_attention(ui, cx, model, (layer, head));
        });
    }

    fn open_in_attention(&mut self, ui: &mut Ui, cx: &mut Cx<'_>, model: ModelId, (layer, head): (usize, usize)) {
        let Some(job) = self.attention.job().filter(|job| cx.state.report::<InspectReport>(*job).is_some()) else {
            return;
        };
        let help =
            "Looks at all heads of this step in the Attention panel, which then goes along with the steps chosen here.";
        let button = ui.horizontal(|ui| secondary_button(ui, Some(Icon::Grid3x3), "Open in Attention")).inner;
        if button.on_hover_text(help).clicked() {
            cx.activate(model);
            (cx.selection.layer, cx.selection.head) = (layer, head);
            cx.intend(Intent::Inspect(job));
            // Once the panel has it, it is handed the next one whenever another step is chosen.
            cx.selection.inspection = Some(job);
            self.is_followed = true;
        }
    }

    fn map(&mut self, ui: &mut Ui, report: &Arc<InspectReport>, (layer, head): (usize, usize)) {
        let theme = ui.theme();
        let (Some(pattern), tokens) = (report.pattern(layer, head), report.tokens.len()) else {
            caption(ui, "The pattern of this head is too large to be kept beside the others.");
            return;
        };
        let ground = theme.ground();
        let key = (Arc::as_ptr(report) as usize, layer, head, theme.is_dark());
        let texture = self.maps.get_or_make(ui, &key, || {
            let table = ColorTable::new(|v| rgb(ColorMap::default().ink(v, [ground.r(), ground.g(), ground.b()])));
            pooled_image(pattern, tokens, tokens.div_ceil(SIDE as usize).max(1), &table)
        });
        let side = ui.available_width().min(MAP);
        let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), Sense::hover());
        let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        ui.painter().image(texture.id(), rect, whole, egui::Color32::WHITE);
        ui.painter().rect_stroke(rect, 0.0, egui::Stroke::new(1.0, theme.hairline()), egui::StrokeKind::Outside);
        let words = format!("Attention of layer {layer}, head {head} over {tokens} tokens");
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &words));
        caption(ui, "Rows look, columns are looked at; both from the first token on.");
        let Some(pointer) = response.hover_pos() else { return };
        let at = |from: f32, to: f32, x: f32| (((x - from) / (to - from) * tokens as f32) as usize).min(tokens - 1);
        let (query, key) = (at(rect.top(), rect.bottom(), pointer.y), at(rect.left(), rect.right(), pointer.x));
        let token = |place: usize| visible_text(report.tokens[place].piece());
        let value = pattern[query * tokens + key];
        response.on_hover_text_at_pointer(format!("“{}” looks at “{}”: {value:.3}", token(query), token(key)));
    }

    /// What a word is near to in the embeddings of the step.
    pub(super) fn neighbours(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        section(ui, "Nearest to a word", |ui| {
            let help = "The tokens whose embeddings point most nearly where that of the word does, by the cosine. A word within a text \
                        begins with a space.";
            field(ui, "Word", help, |ui| {
                let edit = TextEdit::singleline(&mut self.choices.word).hint_text(hint("a word")).desired_width(160.0);
                ui.add(edit.margin(egui::Margin::symmetric(8, 6)))
            });
            match self.neighbours.answer::<NeighboursReport>(cx.state) {
                Answer::New(report) => list(ui, report),
                Answer::Old(report) => {
                    ui.scope(|ui| {
                        ui.multiply_opacity(0.6);
                        list(ui, report);
                    });
                }
                Answer::Failed(error) => error_card(ui, error),
                Answer::Waiting | Answer::Nothing => {
                    caption(ui, "Comparing the embeddings.");
                }
            }
        });
    }
}

/// The head that is highest for induction in the last snapshot that has scores.
fn highest(snapshots: &[RunSnapshot]) -> (usize, usize) {
    let heads = snapshots.iter().rev().find_map(|snapshot| snapshot.heads.as_ref());
    let layers = heads.map_or(Vec::new(), |heads| heads.highest("induction_repeats"));
    let best = layers.iter().enumerate().max_by(|a, b| a.1.1.total_cmp(&b.1.1));
    best.map_or((0, 0), |(layer, (head, _))| (layer, *head))
}

fn list(ui: &mut Ui, report: &NeighboursReport) {
    let theme = ui.theme();
    if report.text.is_empty() || report.pieces > 1 {
        caption(ui, format!("Of the last of its tokens, “{}”.", visible_text(&report.text)));
    }
    Grid::new("neighbours").num_columns(3).min_row_height(18.0).spacing(vec2(space::S, 0.0)).show(ui, |ui| {
        for (_, text, cosine) in &report.near {
            ui.label(RichText::new(visible_text(text)).font(Type::Body.mono()).color(theme.body()));
            let (rect, _) = ui.allocate_exact_size(vec2(80.0, 6.0), Sense::hover());
            share_bar(ui.painter(), theme, rect, cosine.max(0.0), theme.accent());
            ui.label(RichText::new(format!("{cosine:.3}")).font(Type::Body.mono()).color(theme.caption()));
            ui.end_row();
        }
    });
}
