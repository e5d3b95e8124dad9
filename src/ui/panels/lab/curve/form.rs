//! What is measured: numbers of examples, seeds, queries, variants and models.

use super::super::desk::Desk;
use super::super::pace;
use super::Curve;
use crate::types::{Ability, Edit, KShotSpec, LabelTreatment, ModelId, Variant};
use crate::ui::edits::all_words;
use crate::ui::paths;
use crate::ui::theme::{CONTROL_HEIGHT, space};
use crate::ui::widgets::{self, caption};
use crate::ui::{Cx, OpenModel, State, full_name};
use egui::{DragValue, Ui};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Numbers of examples that can be measured.
const KS: [usize; 6] = [0, 1, 2, 4, 8, 16];
/// The seed that another order of examples is drawn with.
const ORDER_SEED: u64 = 1;

const K_HELP: &str = "Numbers of examples k. The examples of a smaller k are the first of a larger one's.";
const SEEDS_HELP: &str =
    "Each seed draws other examples and other queries. The band shows the lowest and the highest seed.";
const QUERIES_HELP: &str = "Queries asked for each point, from rows that are no examples. More make a point more certain: the \
     standard error of a share p is √(p(1−p)/n).";

/// How the prompts of a curve differ from the plain ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum Kind {
    Plain,
    Shuffled,
    Random,
    Silent,
    Reordered,
    Renamed,
}

impl Kind {
    const ALL: [Self; 6] = [Self::Plain, Self::Shuffled, Self::Random, Self::Silent, Self::Reordered, Self::Renamed];

    fn name(self) -> &'static str {
        match self {
            Self::Plain => "True labels",
            Self::Shuffled => "Shuffled labels",
            Self::Random => "Random labels",
            Self::Silent => "No instruction",
            Self::Reordered => "Other order",
            Self::Renamed => "Other names",
        }
    }

    fn help(self) -> &'static str {
        match self {
            Self::Plain => "The examples as they stand in the table.",
            Self::Shuffled => {
                "The examples' answers change places, so that most are wrong. Where accuracy hardly falls, the \
                 model takes the form of the examples and not their answers (Min et al. 2022)."
            }
            Self::Random => "Every example gets a random answer of the table (Min et al. 2022).",
            Self::Silent => "The same prompts without the instruction.",
            Self::Reordered => {
                "The same examples in another order: the order alone can change the answers (Lu et al. 2022)."
            }
            Self::Renamed => "Answers under the other names given at the left.",
        }
    }
}

/// The choices; they survive a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in super::super) struct Form {
    ks: BTreeSet<usize>,
    seeds: usize,
    queries: usize,
    kinds: BTreeSet<Kind>,
    /// Folders of models beside the one in use.
    #[serde(with = "paths::several")]
    models: BTreeSet<PathBuf>,
    /// A curve with the edits beside each, where any are on.
    edited: bool,
}

impl Default for Form {
    fn default() -> Self {
        let (ks, kinds) = (KS.into(), [Kind::Plain].into());
        Self { ks, seeds: 3, queries: 20, kinds, models: BTreeSet::new(), edited: true }
    }
}

/// The curves the form asks for: model, specification, and what is known of each before it is measured.
pub(super) fn curves(
    form: &Form,
    desk: &Desk,
    state: &State,
    on: &[Edit],
) -> Result<Vec<(ModelId, KShotSpec, Curve)>, String> {
    let side = desk.asked();
    let models = models(form, desk, state);
    if models.is_empty() {
        return Err("Open a text model first.".to_owned());
    }
    let table = side.table(&desk.setup.table);
    let rows = table.rows.len();
    let ks: Vec<usize> = form.ks.iter().copied().filter(|k| *k < rows).collect();
    if ks.is_empty() || form.kinds.is_empty() {
        return Err("Choose at least one number of examples and one variant.".to_owned());
    }
    let seeds: Vec<u64> = (0..form.seeds as u64).map(|i| side.seed.wrapping_add(i)).collect();
    let chance = (!table.labels.is_empty()).then(|| 1.0 / table.labels.len() as f64);
    let mut curves = Vec::new();
    for kind in form.kinds.iter().filter(|kind| **kind != Kind::Renamed || !side.names.is_empty()) {
        let labels = match kind {
            Kind::Shuffled => LabelTreatment::Shuffled,
            Kind::Random => LabelTreatment::Random,
            Kind::Renamed => LabelTreatment::Renamed { names: side.names.clone() },
            Kind::Plain | Kind::Silent | Kind::Reordered => LabelTreatment::True,
        };
        let variant = Variant {
            labels,
            without_instruction: *kind == Kind::Silent,
            reorder: (*kind == Kind::Reordered).then_some(ORDER_SEED),
            calibrate: side.calibrate,
        };
        for model in &models {
            let mut name = kind.name().to_owned();
            if models.len() > 1 {
                name = format!("{} · {name}", model.info.name);
            }
            let curve = Curve {
                name,
                task: table.title.clone(),
                model: full_name(&model.info),
                hue: 0,
                points: Vec::new(),
                notes: Vec::new(),
                hidden: false,
                wanted: ks.len() * seeds.len(),
                chance,
                edits: Vec::new(),
                job: None,
            };
            let mut beside = None;
            let (ks, seeds, queries) = (ks.clone(), seeds.clone(), form.queries);
            let spec = KShotSpec {
                table: table.clone(),
                ks,
                seeds,
                queries,
                variant: variant.clone(),
                draw: side.draw,
                edits: Vec::new(),
            };
            if form.edited && !on.is_empty() {
                let spec = KShotSpec { edits: on.to_vec(), ..spec.clone() };
                let curve = Curve { name: format!("{} · edited", curve.name), edits: on.to_vec(), ..curve.clone() };
                beside = Some((model.info.id, spec, curve));
            }
            curves.push((model.info.id, spec, curve));
            curves.extend(beside);
        }
    }
    Ok(curves)
}

/// The model the column asks, then those that were ticked.
fn models<'a>(form: &Form, desk: &Desk, state: &'a State) -> Vec<&'a OpenModel> {
    let active = desk.model(state);
    let others = state.models.values().filter(|m| m.info.can(Ability::Continue) && form.models.contains(&m.info.path));
    active.into_iter().chain(others.filter(|m| active.is_none_or(|a| a.info.id != m.info.id))).collect()
}

pub(super) fn show(form: &mut Form, desk: &Desk, ui: &mut Ui, cx: &mut Cx<'_>) {
    let has_names = desk.asked().names.values().any(|name| !name.is_empty());
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        widgets::explain(ui, "k", K_HELP);
        for k in KS {
            let mut on = form.ks.contains(&k);
            if ui.checkbox(&mut on, k.to_string()).on_hover_text(K_HELP).changed() {
                toggle(&mut form.ks, k, on);
            }
        }
        number(ui, &mut form.seeds, 1..=20, "seeds", SEEDS_HELP);
        number(ui, &mut form.queries, 1..=1000, "queries", QUERIES_HELP);
    });
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = space::M;
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Renamed || has_names) {
            let mut on = form.kinds.contains(&kind);
            if ui.checkbox(&mut on, kind.name()).on_hover_text(kind.help()).changed() {
                toggle(&mut form.kinds, kind, on);
            }
        }
    });
    let active = desk.model(cx.state).map(|m| m.info.id);
    let others: Vec<&OpenModel> =
        cx.state.models.values().filter(|m| m.info.can(Ability::Continue) && Some(m.info.id) != active).collect();
    if !others.is_empty() {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = space::M;
            caption(ui, "Also with").on_hover_text("Other open models get curves of their own.");
            for model in others {
                let mut on = form.models.contains(&model.info.path);
                if ui.checkbox(&mut on, model.info.name.as_str()).changed() {
                    toggle(&mut form.models, model.info.path.clone(), on);
                }
            }
        });
    }
    let on = cx.edits.on();
    if !on.is_empty() {
        ui.checkbox(&mut form.edited, format!("Beside each, a curve of the edited model: {}", all_words(&on)));
    }
    cost(form, desk, ui, cx);
}

/// How much would be asked, and about how long that takes.
fn cost(form: &Form, desk: &Desk, ui: &mut Ui, cx: &mut Cx<'_>) {
    let rows = desk.setup.table.rows.len();
    let most = form.ks.iter().copied().filter(|k| *k < rows).max().unwrap_or_default();
    let queries = form.queries.min(rows.saturating_sub(most));
    let points = form.ks.iter().filter(|k| **k < rows).count() * form.seeds;
    let times = if form.edited && cx.edits.any_on() { 2 } else { 1 };
    let each = times * form.kinds.len() * points * queries;
    let asked: Vec<_> = models(form, desk, cx.state).iter().map(|model| (model.info.id, each)).collect();
    let curves = times * form.kinds.len() * asked.len();
    let word = if curves == 1 { "curve" } else { "curves" };
    pace::show(&format!("{curves} {word} · {} queries", each * asked.len()), &asked, desk, ui, cx);
}

fn toggle<T: Ord>(set: &mut BTreeSet<T>, value: T, on: bool) {
    if on {
        set.insert(value);
    } else {
        set.remove(&value);
    }
}

fn number(ui: &mut Ui, value: &mut usize, range: std::ops::RangeInclusive<usize>, name: &str, help: &str) {
    let drag = DragValue::new(value).range(range).speed(0.1).suffix(format!(" {name}"));
    let _ = ui.add_sized([84.0, CONTROL_HEIGHT], drag).accessible_name(name).on_hover_text(help);
}
