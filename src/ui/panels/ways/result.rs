//! The stage: curves, prices, and what they say.

use super::controls::short_noise;
use super::{WaysPanel, export, legend, prices};
use crate::types::{AdaptMetric, AdaptReport, JobId, LabelNoise, LabelledKind, Way};
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{
    Stamp, caption, empty_state, ghost_button, icon_button, in_the_middle, job_error, job_progress, segmented,
    stage_header,
};
use crate::ui::{Cx, Themed};
use egui::{Popup, RichText, ScrollArea, Ui, vec2};
use lucide_icons::Icon;
use std::sync::Arc;

const ANSWERS: &str = "Examples in the prompt, embeddings under a small model, or training: which of them is best with how many examples, \
     what does it cost, and what does it get wrong?";
/// Between what is shown and the bar that scrolls it.
const BESIDE_BAR: f32 = 8.0;
const BITS_HELP: &str = "How far these texts are from what the model has read: text like its own training data takes about as much as its \
     makers report for it, text that is far from that takes more.";
/// Width from which the choice of labels stands beside the metric.
const WIDE: f32 = 760.0;

impl WaysPanel {
    /// The middle of the window.
    pub(super) fn show_result(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let running = self.running(cx.state);
        let Some(report) = self.shown.as_ref().map(|shown| Arc::clone(&shown.report)) else {
            if let Some(job) = self.job {
                job_error(ui, cx, job);
            }
            match running {
                Some(job) => waiting(ui, cx, job),
                None => self.empty(ui, cx),
            }
            return;
        };
        self.header(ui, cx, &report);
        let stamp = self.stamp(cx.state);
        if let Some(stamp) = &stamp {
            stamp.show(ui);
        }
        if let Some(job) = self.job {
            job_progress(ui, cx, job);
            job_error(ui, cx, job);
        }
        ui.add_space(space::XS);
        let height = (ui.available_height() * 0.5).clamp(190.0, 460.0);
        let mut opened = None;
        ScrollArea::vertical().id_salt("ways result").auto_shrink(false).show(ui, |ui| {
            ui.set_max_width(ui.available_width() - BESIDE_BAR);
            Stamp::over(stamp.as_ref(), ui, |ui| {
                legend::show(&mut self.view, &report, ui);
                let size = vec2(ui.available_width(), height);
                let clicked = self.plot.show(ui, &report, &self.view, size);
                opened = clicked.map(|(size, way)| (way, Some(size)));
                ui.add_space(space::S);
                if let Some(way) = prices::show(&self.view, &report, ui) {
                    opened = Some((way, None));
                }
                ui.add_space(space::XS);
                prices::assumed(&mut self.view, ui);
                words(ui, &report);
            });
        });
        if let Some((way, size)) = opened {
            self.open_wrong(Some(way), size);
        }
    }

    fn header(&mut self, ui: &mut Ui, cx: &mut Cx<'_>, report: &AdaptReport) {
        let mut chosen = None;
        let measured = report.spec.noises.clone();
        let is_wide = ui.available_width() >= WIDE;
        let title = match self.view.metric {
            AdaptMetric::Accuracy => "Accuracy of each way",
            AdaptMetric::MacroF1 => "F1 of each way",
            AdaptMetric::LogProb => "ln P of each way",
        };
        stage_header(ui, title, "", |ui| {
            let button = icon_button(ui, Icon::Download, "Export the comparison");
            Popup::menu(&button).show(|ui| {
                ui.set_width(200.0);
                for (_, name, format) in export::ENTRIES {
                    if ghost_button(ui, None, name).clicked() {
                        chosen = Some(format);
                    }
                }
            });
            if icon_button(ui, Icon::ListX, "What the ways got wrong").clicked() {
                self.open_wrong(None, None);
            }
            ui.add_space(space::XS);
            let metrics =
                [(AdaptMetric::Accuracy, "Accuracy"), (AdaptMetric::MacroF1, "F1"), (AdaptMetric::LogProb, "ln P")];
            segmented(ui, &mut self.view.metric, &metrics);
            if is_wide {
                self.noises(ui, &measured);
            }
        });
        if !is_wide && measured.len() > 1 {
            ui.horizontal(|ui| self.noises(ui, &measured));
        }
        if let Some(format) = chosen {
            self.export(format, cx);
        }
    }

    /// Which treatment of labels is drawn, where there are several.
    fn noises(&mut self, ui: &mut Ui, measured: &[LabelNoise]) {
        if measured.len() < 2 {
            return;
        }
        if self.view.noise.is_some_and(|noise| !measured.contains(&noise)) {
            self.view.noise = measured.first().copied();
        }
        let each = measured.iter().map(|noise| (Some(*noise), short_noise(*noise)));
        let choices: Vec<(Option<LabelNoise>, &str)> = each.chain([(None, "All")]).collect();
        segmented(ui, &mut self.view.noise, &choices);
        caption(ui, "Labels")
            .on_hover_text("What was done to the labels of the examples. All: what is not true is dashed.");
    }

    /// Before the first result: what the panel answers, and the next thing to do.
    fn empty(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let model = Self::model(cx.state).map(|open| open.info.clone());
        let is_ready = self.form.spec(model.as_ref()).is_ok();
        let action = match (&model, is_ready, self.form.data.trim().is_empty()) {
            (Some(model), false, true) if super::form::reads(model) == LabelledKind::Texts => {
                Some("Compare on sentiment")
            }
            (Some(_), true, _) => Some("Run"),
            _ => None,
        };
        if empty_state(ui, Icon::Split, "Compare ways to adapt a model", ANSWERS, action) {
            if !is_ready {
                self.take_first_task();
            }
            self.start(cx);
        }
    }
}

/// While nothing is measured yet.
fn waiting(ui: &mut Ui, cx: &mut Cx<'_>, job: JobId) {
    job_progress(ui, cx, job);
    let size = ui.available_size();
    ui.allocate_ui(size, |ui| {
        ui.set_min_size(size);
        in_the_middle(ui, "Data is read first. Points appear here as they are measured.");
    });
}

/// What the figures say, and what should be known before they are trusted.
fn words(ui: &mut Ui, report: &AdaptReport) {
    let theme = ui.theme();
    ui.add_space(space::S);
    if let Some(says) = report.says() {
        ui.label(RichText::new(says).font(Type::Body.sans()).color(theme.body()));
    }
    let percent = format!("{:.1} %", report.base_rate * 100.0);
    let mut facts = format!(
        "{} examples to learn from, {} {} to measure on; the most common class is right in {percent}.",
        report.examples,
        report.test.len(),
        report.kind.plural()
    );
    if let Some(bits) = report.bits_per_byte {
        facts += &format!(" The model as it is needs {bits:.2} bits for a byte of these texts.");
    }
    let line = caption(ui, facts);
    if report.bits_per_byte.is_some() {
        line.on_hover_text(BITS_HELP);
    }
    for note in &report.notes {
        ui.label(RichText::new(note).font(Type::Caption.sans()).color(theme.warning()));
    }
}

impl WaysPanel {
    /// Opens what was wrong, of this way at so many examples; of all ways and the most where nothing is said.
    pub(super) fn open_wrong(&mut self, way: Option<Way>, size: Option<usize>) {
        if let Some(shown) = &self.shown {
            let noise = self.view.noises(&shown.report).first().copied().unwrap_or_default();
            self.wrong = super::wrong::Wrong::open(&shown.report, way, size, noise);
        }
    }
}
