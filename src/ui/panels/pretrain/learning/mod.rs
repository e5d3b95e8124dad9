//! Learning from text without labels, watched: several networks on one text, their curves beside what counting reaches, and what the one
//! in training is asked at this moment.

mod controls;
mod counting;
mod details;
mod figure;
mod form;
mod net;
mod now;
mod race;
mod table;

use super::tab::Tab;
use crate::chart::Format;
use crate::engine::Command;
use crate::types::{Ability, BaselinesReport, JobId};
use crate::ui::lenient;
use crate::ui::panels::curves::{self, LossPlot, Move};
use crate::ui::theme::space;
use crate::ui::widgets::{caption, empty_state, icon_button, in_the_middle, job_error, segmented, stage_header};
use crate::ui::{Action, Cx, State};
use controls::TEXT_FILE;
use counting::Counting;
use egui::{ScrollArea, Sides, Ui, vec2};
use figure::{InBits, Look, Measure, Time, figure};
use form::{Form, Learns, Source};
use lucide_icons::Icon;
use now::Now;
use race::{KeptRunner, Race, Runner};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Seconds between two looks at what a network is asked.
const LOOK_EVERY_S: f64 = 0.6;
/// The shipped model that writes stories.
const WRITER: &str = "sprout";
/// Longest text of runs that is kept with the session, in bytes.
const KEPT: usize = 4_000_000;

/// The part of the panel in which networks learn from text.
#[derive(Default)]
pub(super) struct Learning {
    form: Form,
    look: Look,
    race: Race,
    plot: LossPlot,
    in_bits: InBits,
    now: Now,
    counting: Counting,
    selected: Option<usize>,
    /// When the run under way was looked at last, in seconds.
    looked_s: Option<f64>,
    was_busy: bool,
    /// The runs on show as they are kept.
    kept: Option<Arc<str>>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Saved {
    form: Form,
    look: Look,
    /// The runs on show, as a text of its own: the session is compared with what was saved last twice a second, which is quick for a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    runs: Option<String>,
}

/// What is kept of the runs on show.
#[derive(Default, Serialize, Deserialize)]
struct KeptRuns {
    runs: Vec<KeptRunner>,
    counted: Vec<(Learns, BaselinesReport)>,
}

impl Learning {
    /// What is missing before networks can learn.
    fn missing(&self, cx: &Cx<'_>) -> Option<String> {
        let no_writer = self.form.source == Source::Stories && writer(cx.state).is_none();
        let no_writer =
            no_writer.then(|| "Sprout, which writes the stories, is not there. Choose a text file.".to_owned());
        self.form.missing().or(no_writer)
    }

    /// Begins, or tells how long it would take.
    fn begin(&mut self, cx: &mut Cx<'_>, only_tell: bool) {
        if let Some(missing) = self.missing(cx) {
            cx.toast(missing);
            return;
        }
        let stories = writer(cx.state)
            .filter(|_| self.form.source == Source::Stories)
            .map(|model| self.form.stories(&model, &texts_folder(cx.state)));
        // What is begun is drawn, whatever was looked at before.
        self.selected = None;
        self.race.start(cx, &self.form, stories, only_tell);
        self.plot.go(Move::Fit);
    }

    /// What the runs learn that are drawn: the one that was chosen, else the newest.
    fn learns(&self) -> Learns {
        let chosen = self.selected.and_then(|place| self.race.runners.get(place));
        chosen.or(self.race.runners.last()).map_or(self.form.learns, |runner| runner.learns)
    }

    /// Asks what the network in training sees, while somebody looks.
    fn look_at_it(&mut self, cx: &mut Cx<'_>) {
        let job = self.race.running().and_then(|place| self.race.runners[place].job);
        let Some(job) = job.filter(|job| cx.state.is_active(*job)) else { return };
        if self.looked_s.is_none_or(|looked_s| cx.state.now_s - looked_s >= LOOK_EVERY_S) {
            self.looked_s = Some(cx.state.now_s);
            cx.send(Command::Glimpse { job });
        }
        cx.wake_in(LOOK_EVERY_S, true);
    }

    fn choices(&mut self, ui: &mut Ui, learns: Learns) {
        let has_bits = figure::bits_per_nat(self.counting.report(learns)).is_some();
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(space::M, space::XS);
            let (measure, choices) = self.look.measure(learns);
            let is_waiting = *measure == Measure::BitsPerByte && !has_bits;
            segmented(ui, measure, &choices);
            segmented(ui, &mut self.look.time, &Time::ALL);
            ui.checkbox(&mut self.look.log_x, "Log x").on_hover_text("Equal distances are equal ratios.");
            let help = match learns {
                Learns::Next => {
                    "What counting reaches on the same held-out tokens: each equally likely (uniform), by how often it comes (unigram), \
                     after the token before (bigram), after the four before, backing off to fewer (5-gram); and what gzip needs for a byte."
                }
                Learns::Blanks => {
                    "What counting reaches on the same blanks: the most frequent token (unigram), and the likeliest between the same two \
                     neighbours, as the network sees them and with blanks among them told."
                }
            };
            ui.checkbox(&mut self.look.counting, "Counting").on_hover_text(help);
            if is_waiting {
                caption(ui, "Bits per byte are told once the text was counted.");
            }
        });
    }

    fn tools(&mut self, ui: &mut Ui) -> Option<Format> {
        let mut export = None;
        ui.menu_button("Export", |ui| {
            for format in Format::ALL {
                if ui.button(format!("Export {}", format.name())).clicked() {
                    export = Some(format);
                    ui.close();
                }
            }
        });
        for (icon, name, step) in [
            (Icon::Maximize, "Show everything", Move::Fit),
            (Icon::ZoomOut, "Zoom out", Move::Out),
            (Icon::ZoomIn, "Zoom in", Move::In),
        ] {
            if icon_button(ui, icon, name).clicked() {
                self.plot.go(step);
            }
        }
        export
    }

    fn curves(&mut self, ui: &mut Ui, cx: &mut Cx<'_>, learns: Learns) {
        // Height is dear here: the tools stand beside what made the curves.
        self.choices(ui, learns);
        let mut export = None;
        let made = stamp(&self.race, learns);
        Sides::new().shrink_left().truncate().show(ui, |ui| caption(ui, made), |ui| export = self.tools(ui));
        let counted = self.counting.report(learns);
        let figure = figure(cx.state, &self.race.runners, learns, &self.look, counted, &mut self.in_bits);
        let size = vec2(ui.available_width(), (ui.available_height() * 0.46).max(140.0));
        if figure.runs.iter().all(|run| run.points.is_empty()) {
            let runners = &self.race.runners;
            let is_hidden = |runner: &Runner| runner.hidden || runner.learns != learns;
            let words = match self.race.running() {
                _ if !runners.is_empty() && runners.iter().all(is_hidden) => {
                    "Every run is hidden. Show one in the table below."
                }
                Some(_) => "Reading the text. The first step appears here as soon as it is done.",
                None if self.race.is_writing() => "The stories are written first, once for all networks.",
                None => "Two steps of each network are tried first. Then the loss appears here, step by step.",
            };
            ui.allocate_ui(size, |ui| {
                ui.set_min_size(size);
                in_the_middle(ui, words);
            });
        } else {
            let stamp = curves::stamp(&figure, self.race.runners.iter().map(|runner| (runner.model, runner.hidden)));
            let summary = summary(&self.race, cx.state);
            self.plot.show(ui, &figure, stamp, size, &summary);
        }
        if let Some(format) = export {
            curves::export(cx, figure, "pre-training", format);
        }
    }

    /// The network whose sequence is shown: the one that was chosen, else the one that learns, else the last.
    fn looked_at<'a>(&'a self, state: &'a State) -> Option<&'a Runner> {
        let has_one = |place: &usize| {
            self.race.runners.get(*place).and_then(|r| r.training(state)).is_some_and(|t| t.glimpse.is_some())
        };
        let last = (0..self.race.runners.len()).rev().find(has_one);
        let place = self.selected.filter(has_one).or(self.race.running().filter(has_one)).or(last)?;
        self.race.runners.get(place)
    }

    fn show_now(&mut self, ui: &mut Ui, state: &State) {
        let looked_at = self.looked_at(state).and_then(|runner| {
            let glimpse = runner.training(state)?.glimpse.clone()?;
            Some((runner.name.clone(), runner.learns, glimpse))
        });
        let Some((name, learns, glimpse)) = looked_at else { return };
        ui.add_space(space::S);
        stage_header(ui, "What it is asked", &name, |_| {});
        self.now.show(ui, &glimpse, learns);
    }

    fn keep(&mut self, state: &State) {
        let mut runs: Vec<KeptRunner> = self.race.runners.iter().filter_map(|runner| runner.to_keep(state)).collect();
        let counted = self.counting.all();
        self.kept = loop {
            let text = serde_json::to_string(&KeptRuns { runs: runs.clone(), counted: counted.clone() }).ok();
            match text {
                Some(text) if text.len() <= KEPT => break Some(Arc::from(text)),
                Some(_) if runs.len() > 1 => drop(runs.remove(0)),
                _ => break None,
            }
        };
    }
}

/// The model that writes stories.
fn writer(state: &State) -> Option<PathBuf> {
    let shipped = state.shipped.iter().find(|model| model.name == WRITER && model.kind.can(Ability::Continue));
    shipped.map(|model| model.path.clone())
}

/// Where texts that were written are kept.
fn texts_folder(state: &State) -> PathBuf {
    let own = state.runs_dir.as_deref().and_then(Path::parent).map(|dir| dir.join("texts"));
    own.unwrap_or_else(|| std::env::temp_dir().join("fovea-texts"))
}

/// With what the curves were made.
fn stamp(race: &Race, learns: Learns) -> String {
    let newest = race.runners.iter().rev().find(|runner| runner.learns == learns);
    let Some(spec) = newest.and_then(|runner| runner.spec.as_ref()) else { return String::new() };
    let (data, context) = match &spec.task {
        crate::types::TrainTask::Text(task) => (&task.data, task.context),
        crate::types::TrainTask::Masked(task) => (&task.data, task.context),
        _ => return String::new(),
    };
    let name = data.first().and_then(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
    let words = [
        name.unwrap_or_default(),
        format!("{} × {context} tokens a step", spec.batch_size),
        format!("seed {}", spec.seed),
    ];
    words.join(" · ")
}

/// The curves in words.
fn summary(race: &Race, state: &State) -> String {
    let of_run = |runner: &Runner| {
        let ends = table::ends(runner.points(state))?;
        let validation = ends.validation.map_or(String::new(), |loss| format!(", validation {loss:.2}"));
        Some(format!("{}: training {:.2}{validation}.", runner.name, ends.training))
    };
    race.runners.iter().filter(|runner| !runner.hidden).filter_map(of_run).collect::<Vec<_>>().join(" ")
}

impl Tab for Learning {
    fn controls(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        self.show_controls(ui, cx);
    }

    fn footer(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        self.show_footer(ui, cx);
    }

    fn stage(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        if self.race.runners.is_empty() {
            let sentence = "Labels come from the text itself: the next word, or a blank. Small networks start from random weights, and \
                            you see each guess, what stood there, and the moment at which they know more than counting does.";
            let missing = self.missing(cx);
            let action = if missing.is_none() && !self.race.is_busy() { Some("Start") } else { None };
            if empty_state(ui, Icon::Sprout, "Watch networks learn from nothing", sentence, action) {
                self.begin(cx, false);
            }
            return;
        }
        let learns = self.learns();
        self.look_at_it(cx);
        self.curves(ui, cx, learns);
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            let table = ScrollArea::horizontal().id_salt("networks that learn").auto_shrink([false, true]);
            if let Some(place) = table.show(ui, |ui| self.race.table(ui, cx, learns, self.selected)).inner {
                self.selected = if self.selected == Some(place) { None } else { Some(place) };
            }
            if let Some(job) = self.counting.job() {
                job_error(ui, cx, job);
            }
            self.show_now(ui, cx.state);
        });
    }

    fn inspector_title(&self) -> Option<&'static str> {
        self.selected.and_then(|place| self.race.runners.get(place)).map(|_| "Network")
    }

    fn inspector(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        if let Some(runner) = self.selected.and_then(|place| self.race.runners.get(place)) {
            details::show(ui, cx, runner);
        }
    }

    fn tick(&mut self, cx: &mut Cx<'_>) {
        let count = self.race.runners.len();
        self.race.tick(cx);
        self.counting.tick(cx, &self.race);
        if self.was_busy && !self.race.is_busy() || count != self.race.runners.len() {
            self.keep(cx.state);
        }
        self.was_busy = self.race.is_busy();
        if self.selected.is_some_and(|place| place >= self.race.runners.len()) {
            self.selected = None;
        }
    }

    fn current_job(&self) -> Option<JobId> {
        self.race.job()
    }

    fn shows(&self, shown: &mut BTreeSet<JobId>) {
        shown.extend(self.race.jobs());
        shown.extend(self.counting.job());
    }

    fn run(&mut self, cx: &mut Cx<'_>) {
        if self.race.asks() {
            self.race.go_on();
        } else {
            self.begin(cx, false);
        }
    }

    fn picked(&mut self, tag: &'static str, path: &Path, _cx: &mut Cx<'_>) -> bool {
        if tag == TEXT_FILE {
            self.form.file = path.display().to_string();
        }
        tag == TEXT_FILE
    }

    fn dropped(&mut self, path: &Path, _cx: &mut Cx<'_>) -> bool {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        let is_text = matches!(ending.as_str(), "txt" | "md" | "text");
        if is_text {
            (self.form.source, self.form.file) = (Source::File, path.display().to_string());
        }
        is_text
    }

    fn actions(&self, _state: &State) -> Vec<Action> {
        let action = |id, title: &str, icon| Action { id, title: title.to_owned(), icon };
        if self.race.is_busy() {
            vec![action("stop learning", "Stop the networks that learn", Icon::Square)]
        } else {
            vec![action("start learning", "Train networks from nothing", Icon::Play)]
        }
    }

    fn act(&mut self, id: &'static str, cx: &mut Cx<'_>) -> bool {
        match id {
            "start learning" => self.begin(cx, false),
            "stop learning" => self.race.stop(cx),
            _ => return false,
        }
        true
    }

    fn save(&self) -> serde_json::Value {
        let runs = self.kept.as_ref().map(ToString::to_string);
        serde_json::to_value(Saved { form: self.form.clone(), look: self.look.clone(), runs }).unwrap_or_default()
    }

    fn restore(&mut self, value: &serde_json::Value) -> bool {
        if value.is_null() {
            return true;
        }
        let (saved, is_whole): (Saved, bool) = lenient::read(value);
        (self.form, self.look) = (saved.form, saved.look);
        let Some(text) = saved.runs else { return is_whole };
        let Ok(KeptRuns { runs, counted }) = serde_json::from_str(&text) else { return false };
        self.race.runners = runs.into_iter().map(Runner::of_kept).collect();
        self.counting.take(counted);
        self.kept = Some(text.into());
        is_whole
    }
}
