//! The table of runs under the plot, with all their settings, and the curves in words.

use super::FineTunePanel;
use super::view::{NamedRun, RunKey, best_accuracy, standing, summary};
use crate::chart::{number, number_grouped};
use crate::types::{LossKind, TrainSpec, TrainTask};
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{caption, icon_button, keyed, seconds};
use crate::ui::{Cx, State};
use egui::{Grid, RichText, Role, ScrollArea, Sense, Ui, Vec2, WidgetInfo, vec2};
use lucide_icons::Icon;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::path::{Path, PathBuf};

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Column {
    Run,
    State,
    Steps,
    Best,
    Accuracy,
    Time,
    Model,
    Data,
    Batch,
    Rate,
    Context,
    Seed,
    Trained,
    Begun,
}

/// The column the table is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Order {
    pub by: Column,
    pub descending: bool,
}

/// What stands in a cell.
#[derive(Clone, Debug, PartialEq)]
enum Cell {
    Words(String),
    /// A number and how it is written.
    Number(f64, String),
    Nothing,
}

impl Column {
    const ALL: [Self; 14] = [
        Self::Run,
        Self::State,
        Self::Steps,
        Self::Best,
        Self::Accuracy,
        Self::Time,
        Self::Model,
        Self::Data,
        Self::Batch,
        Self::Rate,
        Self::Context,
        Self::Seed,
        Self::Trained,
        Self::Begun,
    ];

    fn title(self) -> &'static str {
        match self {
            Self::Run => "Run",
            Self::State => "State",
            Self::Steps => "Steps",
            Self::Best => "Best validation",
            Self::Accuracy => "Accuracy",
            Self::Time => "Time",
            Self::Model => "Began with",
            Self::Data => "Data",
            Self::Batch => "Batch",
            Self::Rate => "Rate",
            Self::Context => "Context",
            Self::Seed => "Seed",
            Self::Trained => "Trained",
            Self::Begun => "Begun",
        }
    }

    fn cell(self, state: &State, run: &NamedRun<'_>) -> Cell {
        let planned = run.spec.map(|spec| spec.steps).or_else(|| run.imported?.planned);
        match self {
            Self::Run => Cell::Words(run.name.clone()),
            Self::State => Cell::Words(standing(state, run).to_owned()),
            Self::Steps => {
                let done = run.steps() as u64;
                let all = planned.map(|all| format!(" / {}", number_grouped(all as u64))).unwrap_or_default();
                Cell::Number(done as f64, format!("{}{all}", number_grouped(done)))
            }
            Self::Best => run.best().map_or(Cell::Nothing, |(step, loss)| {
                Cell::Number(loss, format!("{} @ {}", number(loss), number_grouped(step as u64)))
            }),
            Self::Accuracy => best_accuracy(run.points)
                .map_or(Cell::Nothing, |share| Cell::Number(share, format!("{:.2} %", share * 100.0))),
            Self::Time => run.seconds().map_or(Cell::Nothing, |length| Cell::Number(length, seconds(length))),
            Self::Model => Cell::Words(run.model()),
            Self::Begun => {
                run.record.map_or(Cell::Nothing, |record| Cell::Number(record.begun_s as f64, date(record.begun_s)))
            }
            of_settings => run.spec.map_or(Cell::Nothing, |spec| of_settings.of(spec)),
        }
    }

    /// What the settings say.
    fn of(self, spec: &TrainSpec) -> Cell {
        let count = |n: u64| Cell::Number(n as f64, number_grouped(n));
        match self {
            Self::Data => Cell::Words(data_name(&spec.task)),
            Self::Batch => match spec.accumulate {
                1 => count(spec.batch_size as u64),
                n => Cell::Number(
                    (spec.batch_size * n) as f64,
                    format!("{} × {n}", number_grouped(spec.batch_size as u64)),
                ),
            },
            Self::Rate => Cell::Number(spec.learning_rate, super::controls::rate_words(spec.learning_rate)),
            Self::Context => match &spec.task {
                TrainTask::Text(task) => count(task.context as u64),
                TrainTask::FewShot(task) => count(task.context as u64),
                TrainTask::Memory(task) => count(task.context as u64),
                TrainTask::Masked(task) => count(task.context as u64),
                TrainTask::Contrastive(task) => count(task.context as u64),
                TrainTask::Classify(task) => task.context.map_or(Cell::Nothing, |context| count(context as u64)),
                TrainTask::Digits(_) => Cell::Nothing,
            },
            Self::Seed => Cell::Number(spec.seed as f64, spec.seed.to_string()),
            Self::Trained => Cell::Words(match (&spec.lora, &spec.task) {
                (Some(lora), _) => format!("LoRA, rank {}", lora.rank),
                (None, TrainTask::Classify(task)) if spec.groups.is_empty() => task.learns.words(),
                _ if spec.groups.is_empty() => "all weights".to_owned(),
                _ => "by groups".to_owned(),
            }),
            _ => Cell::Nothing,
        }
    }
}

impl Cell {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Words(a), Self::Words(b)) => a.cmp(b),
            (Self::Number(a, _), Self::Number(b, _)) => a.total_cmp(b),
            (Self::Nothing, Self::Nothing) => Ordering::Equal,
            // What is not known stands last.
            (Self::Nothing, _) => Ordering::Greater,
            (_, Self::Nothing) => Ordering::Less,
            (Self::Words(_), Self::Number(..)) => Ordering::Less,
            (Self::Number(..), Self::Words(_)) => Ordering::Greater,
        }
    }
}

/// Date and time of day where this computer is.
fn date(at_s: u64) -> String {
    let Ok(time) = jiff::Timestamp::from_second(at_s.try_into().unwrap_or_default()) else { return String::new() };
    time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
}

fn data_name(task: &TrainTask) -> String {
    let name = |path: &Path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let names = |paths: &[PathBuf]| paths.iter().map(|path| name(path)).collect::<Vec<_>>().join(", ");
    match task {
        TrainTask::Digits(task) => name(&task.data),
        TrainTask::Classify(task) => name(&task.data),
        TrainTask::Text(task) => names(&task.data),
        TrainTask::FewShot(task) => names(&task.tasks),
        TrainTask::Masked(task) => names(&task.data),
        TrainTask::Contrastive(task) => names(&task.data),
        TrainTask::Memory(task) => format!("questions of {}", task.of.name()),
    }
}

impl FineTunePanel {
    pub(super) fn run_table(&mut self, ui: &mut Ui, cx: &mut Cx<'_>, runs: &[NamedRun<'_>], kind: Option<&LossKind>) {
        if let Some(run) = runs.iter().find(|r| Some(&r.key) == self.selected.as_ref()) {
            caption(ui, summary(run));
        }
        ui.add_space(space::XS);
        let mut ordered: Vec<&NamedRun<'_>> = runs.iter().rev().collect();
        if let Some(Order { by, descending }) = self.view.order {
            ordered.sort_by(|a, b| {
                let (a, b) = (by.cell(cx.state, a), by.cell(cx.state, b));
                let is_last = a == Cell::Nothing || b == Cell::Nothing;
                if descending && !is_last { b.cmp(&a) } else { a.cmp(&b) }
            });
        }
        ScrollArea::both().id_salt("runs").auto_shrink([false, false]).show(ui, |ui| {
            let columns = Column::ALL.len() + 1;
            Grid::new("run table").num_columns(columns).min_row_height(24.0).spacing(vec2(space::L, 2.0)).show(
                ui,
                |ui| {
                    caption(ui, "");
                    for column in Column::ALL {
                        self.head(ui, column);
                    }
                    ui.end_row();
                    for run in ordered {
                        self.run_row(ui, cx, run, kind);
                        ui.end_row();
                    }
                },
            );
        });
    }

    /// A column's title, by which the table is sorted when it is clicked.
    fn head(&mut self, ui: &mut Ui, column: Column) {
        let theme = ui.theme();
        let order = self.view.order.filter(|order| order.by == column);
        let mark = order.map_or("", |order| if order.descending { " ↓" } else { " ↑" });
        let words = RichText::new(format!("{}{mark}", column.title())).font(Type::Caption.sans());
        let label = ui.add(egui::Label::new(words.color(theme.caption())).sense(Sense::click()));
        label.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Sort by {}", column.title())));
        if label.on_hover_cursor(egui::CursorIcon::PointingHand).clicked() {
            self.view.order = match order {
                None => Some(Order { by: column, descending: false }),
                Some(Order { descending: false, .. }) => Some(Order { by: column, descending: true }),
                Some(_) => None,
            };
        }
    }

    fn run_row(&mut self, ui: &mut Ui, cx: &mut Cx<'_>, run: &NamedRun<'_>, kind: Option<&LossKind>) {
        let theme = ui.theme();
        keyed(ui, ("eye of a run", &run.key), |ui| self.eye(ui, run, run.is_of(kind)));
        let on = self.selected.as_ref() == Some(&run.key);
        for column in Column::ALL {
            match column.cell(cx.state, run) {
                Cell::Words(words) if column == Column::Run => {
                    let text = RichText::new(&words).font(if on { Type::Body.bold() } else { Type::Body.sans() });
                    let ink = if on { theme.accent_text() } else { theme.body() };
                    let label = egui::Label::new(text.color(ink)).sense(Sense::click());
                    let label = keyed(ui, ("name of a run", &run.key), |ui| ui.add(label));
                    label.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, on, &words));
                    if label.on_hover_cursor(egui::CursorIcon::PointingHand).clicked() {
                        self.select(run);
                    }
                }
                Cell::Words(words) => {
                    let ink = if words == "failed" || words == "held" { theme.danger() } else { theme.body() };
                    ui.label(RichText::new(words).font(Type::Body.sans()).color(ink));
                }
                Cell::Number(_, words) => {
                    ui.label(RichText::new(words).font(Type::Body.mono()).color(theme.body()));
                }
                Cell::Nothing => {
                    ui.label(RichText::new("–").font(Type::Body.mono()).color(theme.caption()));
                }
            }
        }
    }

    /// Looks at a run: its details, and its curve.
    fn select(&mut self, run: &NamedRun<'_>) {
        self.selected = Some(run.key.clone());
        self.show(run);
    }

    fn show(&mut self, run: &NamedRun<'_>) {
        self.view.set_shown(run, true);
        if let (None, RunKey::Folder(folder)) = (run.training, &run.key) {
            self.kept.want_curve(folder);
        }
    }

    /// The run's hue, and whether its curves are drawn. A run of another kind than the ones on the plot has another axis.
    fn eye(&mut self, ui: &mut Ui, run: &NamedRun<'_>, is_of_kind: bool) {
        let theme = ui.theme();
        let shown = self.view.shows(run) && is_of_kind;
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = space::XS;
            let (rect, _) = ui.allocate_exact_size(Vec2::splat(10.0), Sense::hover());
            let hue = theme.category(run.hue);
            if shown {
                ui.painter().rect_filled(rect, 2.0, hue);
            } else {
                ui.painter().rect_stroke(rect, 2.0, egui::Stroke::new(1.0, hue), egui::StrokeKind::Inside);
            }
            let (icon, verb) = if shown { (Icon::Eye, "Hide") } else { (Icon::EyeOff, "Show") };
            let mut button = icon_button(ui, icon, &format!("{verb} {}", run.name));
            if !is_of_kind {
                let why =
                    "Its loss is of another kind than those on the plot and has an axis of its own: it is shown alone.";
                button = button.on_hover_text(why);
            }
            if button.clicked() {
                if !is_of_kind {
                    self.select(run);
                } else if shown {
                    self.view.set_shown(run, false);
                } else {
                    self.show(run);
                }
            }
        });
    }
}
