//! How many tokens a second networks of one size read and learn, against the length of a sequence and the number of sequences side by
//! side: what it means that a network computes all places at once.

mod plot;

use super::tab::Tab;
use crate::chart::{Format, number_grouped, pace_figure};
use crate::engine::{Command, Work};
use crate::types::{
    Ability, Init, JobId, LlamaShape, ModelId, PaceNetwork, PacePass, PaceProcessor, PaceReport, PaceSpec, UserError,
};
use crate::ui::files::FileRequest;
use crate::ui::lenient;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{
    Stamp, caption, empty_state, field, hint, integer_field, job_error, job_progress, primary_button, section,
    segmented, stage_header,
};
use crate::ui::{Action, Cx, State, Themed};
use egui::{Align, Checkbox, Layout, RichText, ScrollArea, TextEdit, Ui, vec2};
use lucide_icons::Icon;
use plot::Curve;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Seconds that each point is repeated for at least.
const REPEAT_S: f64 = 0.2;
const SEED: u64 = 1;

/// What is filled in. It survives a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Form {
    hidden: usize,
    layers: usize,
    lengths: String,
    batches: String,
    batch_length: usize,
}

impl Default for Form {
    fn default() -> Self {
        Self {
            hidden: 128,
            layers: 4,
            lengths: "16, 32, 64, 128, 256, 512".to_owned(),
            batches: "1, 2, 4, 8, 16, 32".to_owned(),
            batch_length: 64,
        }
    }
}

impl Form {
    /// What is to be measured, with these open models beside.
    ///
    /// # Errors
    /// What was typed and is no number, in words.
    fn spec(&self, open: &[ModelId]) -> Result<PaceSpec, String> {
        let (lengths, batches) = (numbers(&self.lengths, "length")?, numbers(&self.batches, "number of sequences")?);
        let longest = lengths.iter().copied().max().unwrap_or(0).max(self.batch_length);
        let mut networks = PaceNetwork::beside(LlamaShape {
            hidden: self.hidden,
            layers: self.layers,
            heads: 4,
            kv_heads: 4,
            intermediate: (self.hidden * 8 / 3).next_multiple_of(8),
            max_positions: longest,
            vocabulary: 2048,
            init: Init::Normal,
        });
        networks.extend(open.iter().map(|model| PaceNetwork::Open(*model)));
        Ok(PaceSpec { networks, lengths, batches, batch_length: self.batch_length, seconds: REPEAT_S, seed: SEED })
    }
}

fn numbers(text: &str, what: &str) -> Result<Vec<usize>, String> {
    let parts = text.split([',', ' ']).map(str::trim).filter(|part| !part.is_empty());
    let number = |part: &str| {
        let parsed = part.parse().ok().filter(|number| (1..=65_536).contains(number));
        parsed.ok_or_else(|| format!("{part:?} is no {what} from 1 to 65,536."))
    };
    let found = parts.map(number).collect::<Result<Vec<usize>, String>>()?;
    if found.is_empty() { Err(format!("Write at least one {what}.")) } else { Ok(found) }
}

/// The part of the panel in which speeds are measured.
pub(super) struct Pace {
    form: Form,
    /// Open models that are measured as well.
    also: BTreeSet<ModelId>,
    pass: PacePass,
    job: Option<JobId>,
    shown: Option<Arc<PaceReport>>,
    /// The result on show as it is kept, and the job it was written for.
    kept: Option<Arc<str>>,
    kept_of: Option<JobId>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            form: Form::default(),
            also: BTreeSet::new(),
            pass: PacePass::Read,
            job: None,
            shown: None,
            kept: None,
            kept_of: None,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(default)]
struct Saved {
    form: Form,
    pass: PacePass,
    /// The newest result, as a text of its own: sessions are compared twice a second, which is quick for a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<String>,
}

impl Default for Saved {
    fn default() -> Self {
        Self { form: Form::default(), pass: PacePass::Read, result: None }
    }
}

impl Pace {
    fn running(&self, state: &State) -> Option<JobId> {
        self.job.filter(|job| state.is_active(*job))
    }

    fn open(&self, state: &State) -> Vec<ModelId> {
        self.also.iter().copied().filter(|model| state.models.contains_key(model)).collect()
    }

    fn start(&mut self, cx: &mut Cx<'_>) {
        if self.running(cx.state).is_some() {
            return;
        }
        match self.form.spec(&self.open(cx.state)) {
            Err(words) => cx.toast(words),
            Ok(spec) => {
                let job = JobId::next();
                cx.send(Command::start(job, None, Work::Pace(Box::new(spec))));
                self.job = Some(job);
            }
        }
    }

    fn take_in(&mut self, state: &State) {
        let Some(job) = self.job else { return };
        let Some(report) = state.so_far::<PaceReport>(job).or_else(|| state.report(job)) else { return };
        self.shown = Some(Arc::clone(report));
        if !state.is_active(job) && self.kept_of != Some(job) {
            self.kept_of = Some(job);
            self.kept = serde_json::to_string(&**report).ok().map(Arc::from);
        }
    }

    fn export(&self, cx: &mut Cx<'_>, format: Format) {
        let Some(report) = self.shown.clone() else { return };
        let file = FileRequest::save(format!("Export {}", format.name()), format!("pace.{}", format.extension()))
            .filter(format.name(), &[format.extension()]);
        cx.save_as(file, move |path| {
            let bytes = pace_figure(&report, format)?;
            std::fs::write(path, bytes).map_err(|e| {
                let what = format!("{} was not written.", path.display());
                UserError::new(what, e.to_string(), "Choose a folder you may write to, on a disk with room.")
            })
        });
    }

    fn legend(ui: &mut Ui, report: &PaceReport) {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(space::M, space::XS);
            for (place, network) in report.networks.iter().enumerate() {
                let words = format!("{} · {}", network.name, number_grouped(network.parameters));
                // Whole in its row, as what stands for one thing.
                let words = RichText::new(words).font(Type::Caption.sans()).color(ui.theme().category(place));
                let response = ui.add(egui::Label::new(words).extend());
                response.on_hover_text(format!("{}, numbers that it is made of", network.architecture));
            }
            for processor in report.processors() {
                let words = match processor {
                    PaceProcessor::OneCore => "dotted: one core".to_owned(),
                    PaceProcessor::AllCores => format!("solid: all {} threads", report.threads),
                    PaceProcessor::Gpu => "dashed: GPU".to_owned(),
                };
                let words = RichText::new(words).font(Type::Caption.sans()).color(ui.theme().caption());
                ui.add(egui::Label::new(words).extend());
            }
        });
    }
}

/// What the figures say of length, in a sentence for each network.
fn told(report: &PaceReport, pass: PacePass) -> Vec<String> {
    let Some(processor) = report.processors().last().copied() else { return Vec::new() };
    let of_network = |(place, network): (usize, &crate::types::PacedNetwork)| {
        let curve = report.by_length(place, pass, processor);
        let [(short, slow), .., (long, fast)] = curve.as_slice() else { return None };
        let batches = report.by_batch(place, pass, processor);
        let beside = match batches.as_slice() {
            [(_, one), .., (many, all)] => {
                format!("; {many} sequences side by side bring {:.1} × the tokens of one", all / one)
            }
            _ => String::new(),
        };
        Some(format!(
            "{}: a sequence of {long} tokens brings {:.1} × the tokens a second of one of {short}{beside}.",
            network.name,
            fast / slow
        ))
    };
    report.networks.iter().enumerate().filter_map(of_network).collect()
}

impl Tab for Pace {
    fn controls(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        section(ui, "Networks", |ui| {
            caption(
                ui,
                "A transformer, an LSTM, a plain RNN and a feed-forward net with as many numbers each. Weights are random: speed does not \
                 depend on them.",
            );
            ui.columns_const(|[left, right]| {
                integer_field(
                    left,
                    "Width",
                    "Of the transformer, whose size the others have.",
                    &mut self.form.hidden,
                    16..=2048,
                );
                integer_field(right, "Layers", "Blocks of the transformer.", &mut self.form.layers, 1..=48);
            });
            self.form.hidden = self.form.hidden.next_multiple_of(8);
            let open = cx.state.models.values().filter(|open| open.info.can(Ability::Continue));
            for open in open {
                let mut on = self.also.contains(&open.info.id);
                if ui.add(Checkbox::new(&mut on, format!("Also {}", open.info.name))).changed() {
                    if on {
                        self.also.insert(open.info.id);
                    } else {
                        self.also.remove(&open.info.id);
                    }
                }
            }
        });
        section(ui, "Measure", |ui| {
            list(ui, "Lengths of one sequence", "Tokens, with commas between them.", &mut self.form.lengths);
            list(ui, "Sequences side by side", "How many, with commas between them.", &mut self.form.batches);
            integer_field(
                ui,
                "Tokens of each of those",
                "Length of every sequence of a batch.",
                &mut self.form.batch_length,
                1..=4096,
            );
            if let Err(wrong) = self.form.spec(&[]) {
                ui.label(RichText::new(wrong).font(Type::Caption.sans()).color(ui.theme().warning()));
            }
        });
    }

    fn footer(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        if let Some(job) = self.running(cx.state) {
            job_progress(ui, cx, job);
            return;
        }
        if let Some(job) = self.job {
            job_error(ui, cx, job);
        }
        let spec = self.form.spec(&self.open(cx.state));
        ui.add_enabled_ui(spec.is_ok(), |ui| {
            ui.with_layout(Layout::top_down_justified(Align::Center), |ui| {
                if primary_button(ui, Icon::Play, "Measure").on_hover_text("Ctrl+Enter").clicked() {
                    self.start(cx);
                }
            });
        });
    }

    fn stage(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let Some(report) = self.shown.clone().filter(|report| !report.points.is_empty()) else {
            let sentence = "A transformer reads all tokens of a sequence at once, a recurrent network one after another. Measure what that is \
                            worth on this computer: tokens a second against the length, and against how many sequences are read together.";
            let action = if self.running(cx.state).is_some() { None } else { Some("Measure") };
            if empty_state(ui, Icon::Gauge, "What does parallel mean?", sentence, action) {
                self.start(cx);
            }
            return;
        };
        let mut export = None;
        stage_header(ui, "Tokens a second", "", |ui| {
            ui.menu_button("Export", |ui| {
                for format in Format::ALL {
                    if ui.button(format!("Export {}", format.name())).clicked() {
                        export = Some(format);
                        ui.close();
                    }
                }
            });
        });
        if let Some(format) = export {
            self.export(cx, format);
        }
        segmented(ui, &mut self.pass, &[(PacePass::Read, "Reading"), (PacePass::Learn, "Learning")]);
        let measured = format!("{} of {} points", report.points.len(), report.planned);
        Stamp::kept("random weights", None).with(format!("seed {SEED}")).with(measured).show(ui);
        Self::legend(ui, &report);
        let curves = |by_length: bool| -> Vec<Curve> {
            let mut curves = Vec::new();
            for (place, network) in report.networks.iter().enumerate() {
                for processor in report.processors() {
                    let points = if by_length {
                        report.by_length(place, self.pass, processor)
                    } else {
                        report.by_batch(place, self.pass, processor)
                    };
                    let name = format!("{}, {}", network.name, processor.words());
                    curves.push(Curve { name, hue: place, processor, points });
                }
            }
            curves
        };
        let lines = told(&report, self.pass);
        let below = 26.0 * lines.len() as f32 + space::M;
        let size = vec2((ui.available_width() - space::M) / 2.0, (ui.available_height() - below).max(160.0));
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = space::M;
            plot::show(ui, "by length", "tokens of one sequence", &curves(true), size);
            let name = format!("sequences of {} tokens side by side", report.batch_length);
            plot::show(ui, "by batch", &name, &curves(false), size);
        });
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            for line in lines {
                caption(ui, line);
            }
        });
    }

    fn tick(&mut self, cx: &mut Cx<'_>) {
        self.take_in(cx.state);
    }

    fn current_job(&self) -> Option<JobId> {
        self.job
    }

    fn shows(&self, shown: &mut BTreeSet<JobId>) {
        shown.extend(self.job);
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        self.start(cx);
    }

    fn actions(&self, state: &State) -> Vec<Action> {
        let action = |id, title: &str, icon| Action { id, title: title.to_owned(), icon };
        match self.running(state) {
            Some(_) => vec![action("stop pace", "Stop measuring speeds", Icon::Square)],
            None => vec![action("start pace", "Measure how fast networks read and learn", Icon::Gauge)],
        }
    }

    fn act(&mut self, id: &'static str, cx: &mut Cx<'_>) -> bool {
        match (id, self.running(cx.state)) {
            ("start pace", _) => self.start(cx),
            ("stop pace", Some(job)) => cx.cancel(job),
            ("stop pace", None) => {}
            _ => return false,
        }
        true
    }

    fn save(&self) -> serde_json::Value {
        let result = self.kept.as_ref().map(ToString::to_string);
        serde_json::to_value(Saved { form: self.form.clone(), pass: self.pass, result }).unwrap_or_default()
    }

    fn restore(&mut self, value: &serde_json::Value) -> bool {
        if value.is_null() {
            return true;
        }
        let (saved, is_whole): (Saved, bool) = lenient::read(value);
        (self.form, self.pass) = (saved.form, saved.pass);
        let Some(text) = saved.result else { return is_whole };
        let Ok(report) = serde_json::from_str::<PaceReport>(&text) else { return false };
        self.shown = Some(Arc::new(report));
        self.kept = Some(text.into());
        is_whole
    }
}

fn list(ui: &mut Ui, label: &str, help: &str, text: &mut String) {
    field(ui, label, help, |ui| {
        let edit = TextEdit::singleline(text).hint_text(hint("16, 64, 256")).desired_width(f32::INFINITY);
        ui.add(edit.margin(egui::Margin::symmetric(8, 6)))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{PacePoint, PacedNetwork};

    #[test]
    fn what_is_no_number_is_named() {
        assert_eq!(numbers("1, 16  64,", "length"), Ok(vec![1, 16, 64]));
        assert!(numbers("16, many", "length").unwrap_err().contains("\"many\" is no length"));
        assert!(numbers("0", "length").is_err() && numbers(" ", "length").is_err());
    }

    #[test]
    fn figures_are_said_in_words() {
        let point = |batch, length, seconds| PacePoint {
            network: 0,
            pass: PacePass::Read,
            processor: PaceProcessor::AllCores,
            batch,
            length,
            seconds,
            passes: 3,
        };
        let network =
            PacedNetwork { name: "LSTM".to_owned(), architecture: "LSTM".to_owned(), parameters: 9, context: 512 };
        let report = PaceReport {
            networks: vec![network],
            points: vec![point(1, 16, 1.0), point(1, 512, 16.0), point(1, 64, 2.0), point(8, 64, 4.0)],
            threads: 2,
            batch_length: 64,
            planned: 4,
        };
        assert_eq!(
            told(&report, PacePass::Read),
            [
                "LSTM: a sequence of 512 tokens brings 2.0 × the tokens a second of one of 16; 8 sequences side by side bring 4.0 × the tokens \
              of one."
            ]
        );
        assert!(told(&report, PacePass::Learn).is_empty());
    }
}
