//! Draw a digit and watch a network read it.
//!
//! The panel owns the sheet and what is picked; the networks' answers live in the state. An answer is asked for whenever
//! the picture or the network has changed, one at a time, so that drawing is never held up by a slow network.

mod canvas;
mod controls;
mod inspector;
mod maps;
mod network;
mod probabilities;
mod sketch;

use crate::engine::{Work, read_digit_image};
use crate::types::{Ability, Architecture, Classification, DigitImage, JobId, LayerWeights, ModelId};
use crate::ui::Themed;
use crate::ui::lenient;
use crate::ui::reader::Reader;
use crate::ui::theme::space;
use crate::ui::widgets::unit_picture::{self, Picture, image, ink, paint};
use crate::ui::widgets::{Stamp, caption, empty_state, icon_button, job_error, job_progress, secondary_button};
use crate::ui::{Action, Ask, Cx, Intent, OpenModel, Panel, PanelId, State};
use canvas::{Canvas, Pen};
use egui::{Frame, Layout, Margin, RichText, TextureOptions, Ui, Vec2};
use inspector::{Inspector, Subject};
use lucide_icons::Icon;
use maps::MapGallery;
use network::Network;
use serde::{Deserialize, Serialize};
use sketch::{Sheet, Sketch};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

const OPEN_PICTURE: &str = "open picture";
const PICTURE_ENDINGS: [&str; 4] = ["png", "jpg", "jpeg", "webp"];

/// An answer that takes longer is waited for with the old one dimmed; dimming for less would flicker, in seconds.
const LATE_S: f64 = 0.15;
/// Width beside the canvas that the input and the probabilities need.
const BESIDE: f32 = 250.0;

/// A neuron or feature map that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Pick {
    /// Layer, from 0 at the input side.
    layer: usize,
    /// Neuron or map within the layer.
    index: usize,
}

/// What an answer is an answer to: the sheet, the network and its weights.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Question {
    revision: u64,
    model: ModelId,
    weights: u64,
}

/// The panel.
#[derive(Default)]
pub struct DigitsPanel {
    sketch: Sketch,
    pen: Pen,
    canvas: Canvas,
    image: Option<DigitImage>,
    image_revision: Option<u64>,
    input: Picture,
    gallery: MapGallery,
    picked: Option<(ModelId, Pick)>,
    inspector: Inspector,
    opening: Reader<DigitImage>,
    reading: Ask<Question>,
    context: Option<egui::Context>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Saved {
    sheet: Sheet,
    pen: Pen,
}

impl DigitsPanel {
    fn model<'a>(&self, state: &'a State) -> Option<&'a OpenModel> {
        state.active(Ability::ReadDigits)
    }

    /// The picture as the network reads it, made anew only when the sheet has changed.
    fn refresh_image(&mut self) {
        let revision = self.sketch.revision();
        if self.image_revision != Some(revision) {
            self.image = self.sketch.sheet().image();
            self.image_revision = Some(revision);
        }
    }

    /// Asks the network whenever there is something new and the last question has been answered.
    fn ask(&mut self, cx: &mut Cx<'_>) {
        if self.reading.running(cx.state).is_some() {
            return;
        }
        self.refresh_image();
        let (Some(image), Some(model)) = (&self.image, self.model(cx.state)) else { return };
        let weights = unit_picture::stamp_of(&model.weights);
        let question = Question { revision: self.sketch.revision(), model: model.info.id, weights };
        let model = model.info.id;
        let image = image.clone();
        self.reading.follow(question, 0.0, cx, |_| (model, Work::Classify(image)));
    }

    /// The answer to what is on the sheet; an older one while a newer is on its way.
    fn answer<'a>(&self, state: &'a State) -> Option<&'a Arc<Classification>> {
        self.image.as_ref()?;
        self.model(state)?.classification.as_ref()
    }

    /// With what the answer was made. It is old while the network has been at a newer drawing for a while.
    fn stamp(&self, state: &State) -> Option<Stamp> {
        let job = self.reading.job()?;
        let is_late = state.job(job).is_some_and(|job| job.is_active() && state.now_s - job.started_s > LATE_S);
        let stamp = Stamp::in_use(state, job, Ability::ReadDigits)?;
        Some(stamp.old_where(is_late, "The drawing was changed since; the network is at it."))
    }

    fn open_picture(&mut self, path: &Path, cx: &mut Cx<'_>) {
        let context = self.context.clone();
        let file = path.to_owned();
        let wake = move || {
            if let Some(context) = context {
                context.request_repaint();
            }
        };
        if let Err(error) = self.opening.start(move |_| read_digit_image(&file), wake) {
            cx.fail(error);
        }
    }

    /// Puts an image on the sheet.
    fn take(&mut self, image: &DigitImage) {
        let opened = Some(image.0.to_vec());
        self.sketch.replace(Sheet { opened, ..Sheet::default() });
    }

    fn ask_for_picture(&self, cx: &mut Cx<'_>) {
        let file =
            crate::ui::files::FileRequest::open("Open a picture of a digit").filter("Pictures", &PICTURE_ENDINGS);
        cx.pick(OPEN_PICTURE, file);
    }

    /// Canvas, input and probabilities in a row.
    fn top_row(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let theme = ui.theme();
        // The drawing does not move when the inspector opens: there is room for it from the start.
        let window = ui.ctx().content_rect();
        let room = window.right() - ui.max_rect().left() - (window.width() * 0.24).clamp(220.0, 380.0);
        let side = (room * 0.48).min(room - BESIDE).min(ui.available_height() * 0.40).clamp(176.0, 360.0).floor();
        let small = (side * 0.45).clamp(84.0, 140.0).floor();
        let rest = (ui.available_width() - side - small - 2.0 * space::L).clamp(120.0, 400.0).floor();
        let stamp = self.stamp(cx.state);
        if self.reading.running(cx.state).is_some() {
            ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64(LATE_S));
        }
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = space::L;
            ui.vertical(|ui| {
                ui.set_width(side);
                ui.spacing_mut().item_spacing.y = space::XS;
                caption(ui, "Canvas");
                self.canvas.show(ui, &mut self.sketch, self.pen, side);
                self.canvas_tools(ui, side);
            });
            self.refresh_image();
            ui.vertical(|ui| {
                ui.set_width(small);
                caption(ui, "Input, 28 × 28");
                self.input_picture(ui, cx, small);
                if let Some(digit) = self.answer(cx.state).and_then(|a| probabilities::most_likely(&a.probabilities)) {
                    caption(ui, "Reads it as");
                    let large = egui::FontId::new(48.0, crate::ui::theme::bold());
                    let digit = RichText::new(digit.to_string()).font(large).color(theme.body());
                    Stamp::over(stamp.as_ref(), ui, |ui| ui.label(digit));
                    if let Some(stamp) = &stamp {
                        stamp.show(ui);
                    }
                }
            });
            ui.vertical(|ui| {
                ui.set_width(rest);
                let answer = self.answer(cx.state).map(|a| a.probabilities.as_slice());
                Stamp::over(stamp.as_ref(), ui, |ui| probabilities::show(ui, answer));
                if self.model(cx.state).is_some_and(|m| m.info.architecture == Architecture::DigitMlp) {
                    ui.add_space(space::S);
                    network::legends(ui);
                }
            });
        });
    }

    fn canvas_tools(&mut self, ui: &mut Ui, width: f32) {
        ui.allocate_ui_with_layout(Vec2::new(width, 28.0), Layout::left_to_right(egui::Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = space::XS;
            ui.add_enabled_ui(self.sketch.can_undo(), |ui| {
                if icon_button(ui, Icon::Undo2, "Undo (Ctrl+Z)").clicked() {
                    self.sketch.undo();
                }
            });
            ui.add_enabled_ui(self.sketch.can_redo(), |ui| {
                if icon_button(ui, Icon::Redo2, "Redo (Ctrl+Y)").clicked() {
                    self.sketch.redo();
                }
            });
            ui.with_layout(Layout::right_to_left(egui::Align::Center), |ui| {
                if self.sketch.sheet().is_empty() {
                    if secondary_button(ui, None, "Show an example").clicked() {
                        self.sketch.replace(sketch::example());
                    }
                } else if secondary_button(ui, Some(Icon::Eraser), "Clear").clicked() {
                    self.sketch.clear();
                }
            });
        });
    }

    fn input_picture(&mut self, ui: &mut Ui, cx: &Cx<'_>, side: f32) {
        let theme = ui.theme();
        let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), egui::Sense::hover());
        ui.painter().rect_filled(rect, 0.0, theme.ground());
        if let Some(texture) = self.input_texture(ui.ctx(), cx) {
            paint(ui.painter(), texture, rect, None);
        }
        let stroke = egui::Stroke::new(1.0, theme.line());
        ui.painter().rect_stroke(rect, 0.0, stroke, egui::StrokeKind::Outside);
        let words = if self.image.is_some() { "The 28 by 28 input" } else { "The 28 by 28 input, empty" };
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, words));
        response.on_hover_text(controls::HOW_IT_IS_READ);
    }

    fn input_texture(&mut self, ctx: &egui::Context, cx: &Cx<'_>) -> Option<egui::TextureId> {
        let image_values = self.image.as_ref()?;
        let stamp = self.sketch.revision();
        Some(self.input.texture(ctx, stamp, TextureOptions::NEAREST, || {
            image(crate::types::DIGIT_SIDE, &image_values.0, |v| ink(cx.theme, v))
        }))
    }

    /// The inside of the network, below the canvas.
    fn inside(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let Some(model) = self.model(cx.state) else {
            self.without_model(ui, cx);
            return;
        };
        let (id, architecture) = (model.info.id, model.info.architecture);
        let weights: Arc<Vec<LayerWeights>> = model.weights.clone();
        let answer = self.answer(cx.state).cloned();
        let mut picked = self.picked.filter(|(m, _)| *m == id).map(|(_, p)| p);
        match architecture {
            Architecture::DigitMlp => {
                let input = self.input_texture(ui.ctx(), cx);
                caption(ui, "What each neuron receives and passes on. Click one to see its weights.");
                Network { weights: &weights, answer: answer.as_deref(), input }.show(ui, &mut picked);
            }
            _ => match answer {
                Some(answer) => {
                    caption(
                        ui,
                        "What each layer finds in the drawing, after ReLU. Click a map to enlarge it and see its kernel.",
                    );
                    self.gallery.show(ui, &answer, &mut picked);
                }
                None => {
                    let sentence = "Draw above, and the feature maps of every convolution appear here.";
                    empty_state(ui, Icon::Layers, "Nothing to look at yet", sentence, None);
                }
            },
        }
        self.picked = picked.map(|p| (id, p));
    }

    fn without_model(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let opening = cx.state.opening().map(|job| job.id);
        if let Some(job) = opening {
            job_progress(ui, cx, job);
            return;
        }
        let first = controls::preferred(&cx.state.shipped).cloned();
        let sentence = "A network reads what you draw, while you draw. Open one, or train your own in a minute.";
        let action = if first.is_some() { "Open the shipped network" } else { "Train a network" };
        if empty_state(ui, Icon::Network, "No network is open", sentence, Some(action)) {
            match first {
                Some(model) => cx.open_model(model.path),
                None => cx.go_to(PanelId::FineTune),
            }
        }
    }
}

impl Panel for DigitsPanel {
    fn id(&self) -> PanelId {
        PanelId::Digits
    }

    fn title(&self) -> &'static str {
        "Digits"
    }

    fn icon(&self) -> Icon {
        Icon::PenTool
    }

    fn help(&self) -> &'static str {
        "Draw a digit and watch a network read it."
    }

    fn needs(&self) -> Option<Ability> {
        Some(Ability::ReadDigits)
    }

    fn receive(&mut self, intent: Intent, _cx: &mut Cx<'_>) {
        if let Intent::Digit(image) = intent {
            self.take(&image);
        }
    }

    fn controls(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        self.networks(ui, cx);
        self.pen_controls(ui);
        self.picture_controls(ui, cx);
    }

    fn stage(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        self.context = Some(ui.ctx().clone());
        Frame::new().inner_margin(Margin::same(space::L as i8)).show(ui, |ui| {
            if let Some(job) = self.reading.job() {
                job_error(ui, cx, job);
            }
            self.top_row(ui, cx);
            ui.add_space(space::S);
            self.inside(ui, cx);
        });
        self.ask(cx);
    }

    fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.reading.shows(shown);
    }

    fn inspector_title(&self) -> Option<&'static str> {
        self.picked.map(|_| "Weights")
    }

    fn inspector(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let Some((model, pick)) = self.picked else { return };
        let Some(open) = cx.state.models.get(&model) else {
            self.picked = None;
            return;
        };
        let answer = if self.image.is_some() { open.classification.as_ref() } else { None };
        let subject = Subject { pick, weights: &open.weights, answer };
        self.inspector.show(ui, &subject);
    }

    fn tick(&mut self, cx: &mut Cx<'_>) {
        match self.opening.poll() {
            Some(Ok(image)) => self.take(&image),
            Some(Err(error)) => cx.fail(error),
            None => {}
        }
        self.refresh_image();
        if cx.selection.drawing != self.image {
            cx.selection.drawing.clone_from(&self.image);
        }
        if self.picked.is_some_and(|(model, _)| self.model(cx.state).is_none_or(|m| m.info.id != model)) {
            self.picked = None;
        }
    }

    fn undo(&mut self, _cx: &mut Cx<'_>) {
        self.sketch.undo();
    }

    fn redo(&mut self, _cx: &mut Cx<'_>) {
        self.sketch.redo();
    }

    fn picked(&mut self, tag: &'static str, path: &Path, cx: &mut Cx<'_>) {
        if tag == OPEN_PICTURE {
            self.open_picture(path, cx);
        }
    }

    fn dropped(&mut self, path: &Path, cx: &mut Cx<'_>) -> bool {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        let is_picture = PICTURE_ENDINGS.contains(&ending.as_str());
        if is_picture {
            self.open_picture(path, cx);
        }
        is_picture
    }

    fn actions(&self, _state: &State) -> Vec<Action> {
        let action = |id, title: &str, icon| Action { id, title: title.to_owned(), icon };
        vec![
            action("clear", "Clear the drawing", Icon::Eraser),
            action("example", "Show an example digit", Icon::Sparkles),
            action(OPEN_PICTURE, "Open a picture of a digit", Icon::Image),
        ]
    }

    fn act(&mut self, id: &'static str, cx: &mut Cx<'_>) {
        match id {
            "clear" => self.sketch.clear(),
            "example" => self.sketch.replace(sketch::example()),
            OPEN_PICTURE => self.ask_for_picture(cx),
            _ => {}
        }
    }

    fn save(&self) -> serde_json::Value {
        let saved = Saved { sheet: self.sketch.sheet().clone(), pen: self.pen };
        serde_json::to_value(saved).unwrap_or_default()
    }

    fn restore(&mut self, value: &serde_json::Value) -> bool {
        let (saved, is_whole): (Saved, bool) = lenient::read(value);
        self.sketch.restore(saved.sheet);
        if canvas::PEN_WIDTHS.contains(&saved.pen.width) {
            self.pen = saved.pen;
        }
        is_whole
    }
}
