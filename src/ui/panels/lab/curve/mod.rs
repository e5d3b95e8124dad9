//! Accuracy against the number of examples: measured live, for several variants of the prompt and several models.

mod form;
mod list;
mod plot;
mod words;

use super::desk::Desk;
use super::file::menu_width;
use crate::chart::{Format, KShotFigure, KShotMetric, KShotSeries, kshot_figure};
use crate::engine::{Command, Work};
use crate::types::{Edit, JobId, KShotPoint, KShotReport, KShotSpec, ModelId, UserError};
use crate::ui::files::FileRequest;
use crate::ui::theme::space;
use crate::ui::widgets::closable_error;
use crate::ui::widgets::{caption, empty_state, ghost_button, icon_button, job_progress, segmented, stage_header};
use crate::ui::{Cx, Phase, State};
use egui::{Ui, vec2};
pub(super) use form::Form;
use lucide_icons::Icon;
use plot::CurvePlot;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Curves that are kept; more hues could not be told apart.
const KEPT: usize = 24;
/// Room for the list of curves under the plot.
const LIST_HEIGHT: f32 = 168.0;

/// One measured curve, or one that is being measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Curve {
    /// What it shows: variant, and the model where there are several.
    pub name: String,
    pub task: String,
    pub model: String,
    /// Which of the categorical hues.
    pub hue: usize,
    pub points: Vec<KShotPoint>,
    /// What should be known before the figures are trusted.
    pub notes: Vec<String>,
    pub hidden: bool,
    /// Points it will have.
    pub wanted: usize,
    /// Share of right answers of somebody who guesses; `None` where there is no set of labels.
    pub chance: Option<f64>,
    /// With which edits it was measured.
    #[serde(default)]
    pub edits: Vec<Edit>,
    #[serde(skip)]
    pub job: Option<JobId>,
}

impl Curve {
    fn series(&self) -> KShotSeries<'_> {
        KShotSeries { name: &self.name, hue: self.hue, points: &self.points }
    }
}

/// A curve that waits for its turn: one after the other, so that each is there soon.
struct Waiting {
    model: ModelId,
    spec: KShotSpec,
    curve: Curve,
}

/// The tab.
#[derive(Default)]
pub(super) struct CurveTab {
    pub form: Form,
    pub curves: Vec<Curve>,
    waiting: VecDeque<Waiting>,
    accuracy_or_log: KShotMetric,
    plot: CurvePlot,
}

impl CurveTab {
    /// The curve that is being measured.
    pub fn running(&self, state: &State) -> Option<JobId> {
        self.curves.iter().filter_map(|curve| curve.job).find(|job| state.is_active(*job))
    }

    /// Takes in points, and begins the next curve once one has ended.
    pub fn tick(&mut self, cx: &mut Cx<'_>) {
        let mut stopped = false;
        for curve in self.curves.iter_mut().filter(|curve| curve.job.is_some()) {
            let Some(job) = curve.job else { continue };
            if let Some(run) = cx.state.kshot(job)
                && curve.points.len() != run.points.len()
            {
                curve.points.clone_from(&run.points);
            }
            if let Some(report) = cx.state.report::<KShotReport>(job) {
                curve.notes.clone_from(&report.notes);
            }
            let Some(state) = cx.state.job(job) else { continue };
            if !state.is_active() {
                stopped |= state.stopping || matches!(state.phase, Phase::Cancelled | Phase::Failed(_));
                // An error stays beside its curve.
                if !matches!(state.phase, Phase::Failed(_)) {
                    curve.job = None;
                }
            }
        }
        if stopped {
            self.waiting.clear();
        }
        if self.running(cx.state).is_none() {
            self.next(cx);
        }
    }

    fn next(&mut self, cx: &mut Cx<'_>) {
        let Some(Waiting { model, spec, mut curve }) = self.waiting.pop_front() else { return };
        let job = JobId::next();
        cx.send(Command::start(job, model, Work::KShot(spec)));
        curve.job = Some(job);
        self.curves.push(curve);
        if self.curves.len() > KEPT {
            self.curves.remove(0);
        }
    }

    /// A name that no other curve has: with the task where there are several, and a number where all else is the same.
    fn free_name(&self, curve: &Curve) -> String {
        let others = || self.curves.iter().chain(self.waiting.iter().map(|waiting| &waiting.curve));
        let is_alone = others().all(|other| other.task == curve.task);
        let name = if is_alone { curve.name.clone() } else { format!("{}: {}", curve.task, curve.name) };
        let is_free = |name: &String| others().all(|other| other.name != *name);
        let numbered = |n: usize| if n == 1 { name.clone() } else { format!("{name} ({n})") };
        (1..).map(numbered).find(is_free).unwrap_or_default()
    }

    /// The lowest hue that no curve has.
    fn free_hue(&self) -> usize {
        let used = |hue: &usize| {
            let waiting = self.waiting.iter().map(|waiting| waiting.curve.hue);
            self.curves.iter().map(|curve| curve.hue).chain(waiting).any(|h| h == *hue)
        };
        (0..).find(|hue| !used(hue)).unwrap_or_default()
    }

    fn shown(&self) -> impl Iterator<Item = &Curve> + Clone {
        self.curves.iter().filter(|curve| !curve.hidden && !curve.points.is_empty())
    }

    /// The figure of the curves on show: the same one on screen and in a file.
    fn figure(&self) -> KShotFigure<'_> {
        let mut tasks: Vec<&str> = self.shown().map(|curve| curve.task.as_str()).collect();
        tasks.dedup();
        let metric = match self.accuracy_or_log {
            KShotMetric::Accuracy => "accuracy",
            KShotMetric::LogProb => "mean log-probability",
        };
        let title = format!("{}: {metric} by number of examples", tasks.join(", "));
        KShotFigure { title, series: self.shown().map(Curve::series).collect(), metric: self.accuracy_or_log }
    }
}

impl CurveTab {
    /// Measures the curves the form asks for.
    pub fn measure(&mut self, desk: &Desk, cx: &mut Cx<'_>) {
        if self.running(cx.state).is_some() {
            return;
        }
        match form::curves(&self.form, desk, cx.state, &cx.edits.on()) {
            Err(words) => cx.toast(words),
            Ok(wanted) => {
                // What went wrong before has another try.
                for curve in &mut self.curves {
                    curve.job = None;
                }
                for (model, spec, mut curve) in wanted {
                    curve.hue = self.free_hue();
                    curve.name = self.free_name(&curve);
                    self.waiting.push_back(Waiting { model, spec, curve });
                }
                self.next(cx);
            }
        }
    }

    pub fn export(&self, format: Format, cx: &mut Cx<'_>) {
        let curves: Vec<Curve> = self.shown().cloned().collect();
        if curves.is_empty() {
            let next = "Measure a curve, or show one in the list under the plot.";
            cx.fail(UserError::new("There is no curve to export.", "None that is shown has a point yet.", next));
            return;
        }
        let figure = self.figure();
        let (title, metric) = (figure.title.clone(), figure.metric);
        let extension = format.extension();
        let file = FileRequest::save(format!("Export {}", format.name()), format!("k-shot-curve.{extension}"));
        cx.save_as(file.filter(format.name(), &[extension]), move |path| {
            let figure = KShotFigure { title, series: curves.iter().map(Curve::series).collect(), metric };
            let bytes = kshot_figure(&figure, format).map_err(UserError::from)?;
            super::write(path, &bytes)
        });
    }

    /// The middle of the window.
    pub fn stage(&mut self, desk: &Desk, ui: &mut Ui, cx: &mut Cx<'_>) {
        form::show(&mut self.form, desk, ui, cx);
        ui.add_space(space::S);
        if let Some(job) = self.running(cx.state) {
            job_progress(ui, cx, job);
            let left = self.waiting.len();
            if left > 0 {
                caption(ui, format!("{left} more curves follow"));
            }
        }
        let task = &desk.setup.table.title;
        for curve in self.curves.iter_mut().filter(|curve| curve.task == *task) {
            if let Some(error) = curve.job.and_then(|job| cx.state.error(job))
                && closable_error(ui, error)
            {
                curve.job = None;
            }
        }
        if self.curves.is_empty() {
            let sentence = "The more examples, the better the answers? Each point asks many queries with other examples and counts \
                        the right answers.";
            if empty_state(ui, Icon::ChartLine, "Measure the curve", sentence, Some("Measure")) {
                self.measure(desk, cx);
            }
            return;
        }
        let title = match self.accuracy_or_log {
            KShotMetric::Accuracy => "Accuracy",
            KShotMetric::LogProb => "Mean ln P(right answer)",
        };
        let mut export = None;
        stage_header(ui, title, "", |ui| {
            let button = icon_button(ui, Icon::Download, "Export curves");
            egui::Popup::menu(&button).show(|ui| {
                let names = Format::ALL.map(|format| format!("Export {}", format.name()));
                ui.set_width(menu_width(ui, names.iter().map(String::as_str)));
                for (format, name) in Format::ALL.into_iter().zip(&names) {
                    if ghost_button(ui, None, name).clicked() {
                        export = Some(format);
                    }
                }
            });
            ui.add_space(space::XS);
            let metrics = [(KShotMetric::Accuracy, "Accuracy"), (KShotMetric::LogProb, "Log-probability")];
            segmented(ui, &mut self.accuracy_or_log, &metrics);
        });
        if let Some(format) = export {
            self.export(format, cx);
        }
        let list = LIST_HEIGHT.min(ui.available_height() * 0.42);
        let size = vec2(ui.available_width(), (ui.available_height() - list - space::S).max(140.0));
        let CurveTab { curves, accuracy_or_log, plot, .. } = self;
        plot.show(ui, curves, *accuracy_or_log, size);
        ui.add_space(space::XS);
        list::show(&mut self.curves, self.accuracy_or_log, ui, cx);
    }
}
