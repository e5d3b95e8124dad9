//! The left column: the model, the data, the ways, how much is measured; run and stop.

use super::form::{self, Form, NOISES};
use super::{DATA_FILE, DATA_FOLDER, MODEL_FOLDER, WaysPanel};
use crate::chart::number_grouped;
use crate::engine::{AdaptWork, Work};
use crate::types::{Ability, LabelNoise, LabelledKind, LabelledReport, ModelId, Way};
use crate::ui::files::FileRequest;
use crate::ui::panels::labelled;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{
    caption, danger_button, error_card, field, hint, integer_field, menu, path_field, percent_field, primary_button,
    secondary_button, section,
};
use crate::ui::{Answer, Cx, Themed, full_name};
use egui::{Align, Checkbox, Layout, RichText, TextEdit, Ui};
use lucide_icons::Icon;
use std::path::PathBuf;
use std::time::Duration;

const SIZES_HELP: &str = "Numbers of examples that each way learns from, with commas between them; all stands for all there are. Those of \
     a smaller number are the first of a larger one's.";
const SEEDS_HELP: &str = "Each seed draws other examples, in an order of its own, and other new weights. The band of a curve is a 95 % \
     interval over them (Student's t); one seed has none.";
const TEST_ROWS_HELP: &str =
    "Examples of the test part that are measured on at most; the same for every way, number and seed.";
const SHARE_HELP: &str = "Share of the data that no way learns from.";

/// What was chosen as the model.
enum Choice {
    Use(ModelId),
    Open(PathBuf),
    Folder,
}

impl WaysPanel {
    pub(super) fn show_controls(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        section(ui, "Model", |ui| model(ui, cx));
        section(ui, "Data", |ui| self.data(ui, cx));
        section(ui, "Ways", |ui| ui.scope(|ui| ways(&mut self.form, ui, cx)));
        section(ui, "Measure", |ui| measure(&mut self.form, ui));
        super::more::show(&mut self.form, ui, cx);
    }

    /// The labelled texts or pictures, and what they hold.
    fn data(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let kind = Self::kind(cx.state);
        match kind {
            LabelledKind::Texts => self.texts(ui, cx),
            LabelledKind::Pictures => {
                let hint = "folders by class, or MNIST files";
                if path_field(ui, "Labelled pictures", hint, Icon::Folder, &mut self.form.pictures) {
                    cx.pick(DATA_FOLDER, labelled::folder());
                }
            }
        }
        let [_, test] = self.form.data_of(kind);
        let has_no_test = test.trim().is_empty();
        ui.columns_const(|[left, right]| {
            left.add_enabled_ui(has_no_test, |ui| {
                percent_field(ui, "Test share", SHARE_HELP, &mut self.form.test_percent);
            });
            let name = match kind {
                LabelledKind::Texts => "Test texts at most",
                LabelledKind::Pictures => "Test pictures at most",
            };
            integer_field(right, name, TEST_ROWS_HELP, &mut self.form.test_rows, 1..=1_000_000);
        });
        let Some(source) = self.form.source(kind) else {
            let words = match kind {
                LabelledKind::Texts => "One column of texts, one of labels. A file can also be dropped here.",
                LabelledKind::Pictures => {
                    "A folder for each class, or images in MNIST's format. A folder can also be dropped here."
                }
            };
            caption(ui, words);
            return;
        };
        self.data.follow(source, labelled::REST_S, cx, |source| (None::<ModelId>, Work::ReadLabelled(source.clone())));
        if self.data.is_due() {
            ui.ctx().request_repaint_after(Duration::from_millis(100));
        }
        match self.data.answer::<LabelledReport>(cx.state) {
            Answer::Failed(error) => error_card(ui, error),
            Answer::New(report) | Answer::Old(report) => {
                labelled::told(ui, report);
                if report.kind != kind {
                    let words = format!("These are {}, and the model reads {}.", report.kind.plural(), kind.plural());
                    ui.label(RichText::new(words).font(Type::Caption.sans()).color(ui.theme().warning()));
                }
            }
            Answer::Waiting => {
                caption(ui, "Reading the data.");
            }
            Answer::Nothing => {}
        }
    }

    /// Where labelled texts are.
    fn texts(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        if path_field(ui, "Labelled texts", "CSV, TSV or JSONL", Icon::FileText, &mut self.form.data) {
            cx.pick(DATA_FILE, labelled::file());
        }
        let task = self.form.task();
        let mut chosen = None;
        field(ui, "Or a task that comes with Fovea", "Tasks with labels, and the way they write examples.", |ui| {
            let title = task.map_or("None", |task| task.title.as_str());
            menu(ui, "labelled task", title, ui.available_width(), |ui| {
                for entry in form::tasks() {
                    let on = task.is_some_and(|task| task.id == entry.id);
                    let words = format!("{} · {} rows", entry.title, entry.rows.len());
                    if ui.selectable_label(on, words).on_hover_text(entry.labels.join(", ")).clicked() {
                        chosen = Some(entry);
                    }
                }
            })
        });
        if let Some(task) = chosen {
            self.form.take_task(task);
        }
        if self.form.task().is_none() {
            ui.columns_const(|[left, right]| {
                let [text, label] = &mut self.form.columns;
                let help = "The column's name, or its number from 1. Left empty, it is found by its usual name.";
                for (ui, name, column) in [(left, "Text column", text), (right, "Label column", label)] {
                    field(ui, name, help, |ui| ui.add(TextEdit::singleline(column).hint_text(hint("found"))));
                }
            });
        }
    }

    /// Run, or stop what is under way.
    pub(super) fn run_and_stop(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let justified = Layout::top_down_justified(Align::Center);
        if let Some(job) = self.running(cx.state) {
            let stopping = cx.state.job(job).is_some_and(|job| job.stopping);
            ui.add_enabled_ui(!stopping, |ui| {
                ui.with_layout(justified, |ui| {
                    let help = "What was measured so far stays.";
                    if danger_button(ui, Icon::Square, "Stop").on_hover_text(help).clicked() {
                        cx.cancel(job);
                    }
                });
            });
            return;
        }
        let model = Self::model(cx.state).map(|open| &open.info);
        let spec = self.form.spec(model);
        let Some((model, spec)) = model.zip(spec.as_ref().ok()) else {
            let words = spec.err().unwrap_or_default();
            ui.label(RichText::new(words).font(Type::Caption.sans()).color(ui.theme().warning()));
            ui.add_enabled_ui(false, |ui| ui.with_layout(justified, |ui| primary_button(ui, Icon::Play, "Run")));
            return;
        };
        let known = self.known(cx.state, spec, model.id).len();
        let points = spec.ways.len() * spec.sizes.len() * spec.seeds.len() * spec.noises.len();
        let before =
            if known == 0 { String::new() } else { format!("; {} are measured", number_grouped(known as u64)) };
        let [points, asked] = [points, spec.test].map(|count| number_grouped(count as u64));
        let kind = Self::kind(cx.state).plural();
        caption(ui, format!("{points} points, each on the same {asked} {kind} at most{before}"));
        let verb = if known == 0 { "Run" } else { "Go on" };
        let (mut run, mut anew) = (false, false);
        ui.with_layout(justified, |ui| {
            run = primary_button(ui, Icon::Play, verb).on_hover_text("Ctrl+Enter").clicked();
            if known > 0 {
                let help = "Measures every point again.";
                anew = secondary_button(ui, Some(Icon::RotateCcw), "Begin anew").on_hover_text(help).clicked();
            }
        });
        if anew {
            let (model, spec) = (model.id, spec.clone());
            self.begin(cx, model, AdaptWork { spec, known: Vec::new() });
        } else if run {
            self.start(cx);
        }
    }
}

/// Which model is adapted: those that are open, and those that come with Fovea.
fn model(ui: &mut Ui, cx: &mut Cx<'_>) {
    let in_use = WaysPanel::model(cx.state).map(|open| (open.info.id, full_name(&open.info)));
    let name = in_use.as_ref().map_or("None is open", |(_, name)| name.as_str());
    let mut choice = None;
    let help = "The model in use, which every way adapts a copy of: it stays as it is.";
    field(ui, "Adapts", help, |ui| {
        menu(ui, "adapted model", name, ui.available_width(), |ui| {
            for open in cx.state.models.values().filter(|open| open.info.can(Ability::Adapt)) {
                let on = in_use.as_ref().is_some_and(|(id, _)| *id == open.info.id);
                if ui.selectable_label(on, full_name(&open.info)).clicked() {
                    choice = Some(Choice::Use(open.info.id));
                }
            }
            let is_open = |path: &PathBuf| cx.state.models.values().any(|open| open.info.path == *path);
            let shipped =
                cx.state.shipped.iter().filter(|model| model.kind.can(Ability::Adapt) && !is_open(&model.path));
            for model in shipped {
                if ui.selectable_label(false, format!("Open {}", model.name)).clicked() {
                    choice = Some(Choice::Open(model.path.clone()));
                }
            }
            if ui.selectable_label(false, "Open a model folder…").clicked() {
                choice = Some(Choice::Folder);
            }
        })
    });
    match choice {
        Some(Choice::Use(id)) => cx.activate(id),
        Some(Choice::Open(path)) => cx.open_model(path),
        Some(Choice::Folder) => cx.pick(MODEL_FOLDER, FileRequest::folder("Open a model folder")),
        None => {}
    }
}

/// The ways, those that the model cannot take greyed.
fn ways(form: &mut Form, ui: &mut Ui, cx: &Cx<'_>) {
    let model = WaysPanel::model(cx.state).map(|open| &open.info);
    ui.spacing_mut().item_spacing.y = space::XS;
    ui.spacing_mut().interact_size.y = 22.0;
    for way in Way::ALL {
        let hindered = model.and_then(|model| way.hindrance(model));
        let mut on = form.ways.contains(&way) && hindered.is_none();
        let response = ui.add_enabled(hindered.is_none(), Checkbox::new(&mut on, way.title()));
        let changed = response.changed();
        match &hindered {
            Some(why) => response.on_disabled_hover_text(why),
            None => response.on_hover_text(help(way)),
        };
        if changed && on {
            form.ways.insert(way);
        } else if changed {
            form.ways.remove(&way);
        }
    }
    // A greyed box alone does not say why.
    let mut reasons: Vec<String> =
        model.into_iter().flat_map(|model| Way::ALL.into_iter().filter_map(|way| way.hindrance(model))).collect();
    reasons.dedup();
    for why in reasons {
        caption(ui, why);
    }
}

/// What a way does, for the pointer.
pub(super) fn help(way: Way) -> &'static str {
    match way {
        Way::Examples => {
            "Examples stand in the prompt, and the likeliest label is the answer (Brown et al. 2020). Nothing is learned."
        }
        Way::Embeddings => {
            "A logistic regression (L2, C = 1) on the vector that the frozen model makes of each text or picture."
        }
        Way::Prototypes => "The class whose examples' mean vector is nearest by cosine; the model stays frozen.",
        Way::Head => "A new head learns on the frozen body.",
        Way::Lora => "A new head, and low-rank changes of the body's matrices (Hu et al. 2021).",
        Way::Full => "A new head and every weight learn.",
        Way::Scratch => "The same network from random weights: the difference is what pre-training was worth.",
    }
}

fn measure(form: &mut Form, ui: &mut Ui) {
    field(ui, "Numbers of examples", SIZES_HELP, |ui| {
        let edit = TextEdit::singleline(&mut form.sizes).desired_width(f32::INFINITY);
        ui.add(edit.hint_text(hint("1, 4, 16, all")).margin(egui::Margin::symmetric(8, 6)))
    });
    ui.columns_const(|[left, right]| {
        integer_field(left, "Seeds", SEEDS_HELP, &mut form.seeds, 1..=50);
        let help = "Which examples are held out for the test.";
        integer_field(right, "Seed of the split", help, &mut form.split_seed, 0..=u64::MAX);
    });
    caption(ui, "Labels of the examples").on_hover_text("Each treatment that is ticked is measured for itself.");
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = space::M;
        for (noise, on) in NOISES.into_iter().zip(&mut form.noises) {
            let help = match noise {
                LabelNoise::True => "As they are in the data.",
                LabelNoise::Shuffled => {
                    "They change places: as many of each as before, and nothing to be learned from them."
                }
                LabelNoise::FifthWrong => "A fifth of them is wrong.",
            };
            ui.checkbox(on, short_noise(noise)).on_hover_text(help);
        }
    });
}

/// A treatment of labels in a word or two.
pub(super) fn short_noise(noise: LabelNoise) -> &'static str {
    match noise {
        LabelNoise::True => "True",
        LabelNoise::Shuffled => "Shuffled",
        LabelNoise::FifthWrong => "20 % wrong",
    }
}

/// A way in a word or two, for curves and columns.
pub(super) fn short(way: Way) -> &'static str {
    match way {
        Way::Examples => "Examples",
        Way::Embeddings => "Embeddings",
        Way::Prototypes => "Nearest mean",
        Way::Head => "Head",
        Way::Lora => "LoRA",
        Way::Full => "All weights",
        Way::Scratch => "From random",
    }
}
