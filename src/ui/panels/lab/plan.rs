//! What would be asked now: the prompts and answers of every card, worked out again only when something changed.

use super::fit::{Counter, surely_fits};
use super::setup::{Card, Setup, Side};
use crate::types::{Ability, ModelId, RenderedPrompt, ScoreRequest};
use crate::ui::asked_model::Found;
use crate::ui::{Cx, OpenModel, State};

/// One card's question.
#[derive(Clone, Debug)]
pub(super) struct CardPlan {
    /// The prompt as it is sent.
    pub rendered: RenderedPrompt,
    /// Examples in it.
    pub shots: usize,
    pub request: ScoreRequest,
    /// Examples left out at the front because they do not fit.
    pub cut: usize,
}

/// One column's questions.
#[derive(Clone, Debug)]
pub(super) struct SidePlan {
    /// The open model, if it is open.
    pub model: Option<ModelId>,
    /// Which of its weights: see [`OpenModel::version`].
    pub version: u64,
    /// By [`Card::ALL`].
    pub cards: Vec<CardPlan>,
    /// True while it is not known yet whether all examples fit.
    pub is_counting: bool,
}

/// Why nothing can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    Model,
    /// That of the run that was brought back.
    RunModel,
    Query,
    Place,
    Answers,
}

impl Missing {
    pub fn words(self) -> &'static str {
        match self {
            Self::Model => "Open a text model first.",
            Self::RunModel => "The model of this run is not open: open it, or say that another one is asked.",
            Self::Query => "Type a query first.",
            Self::Place => "The template has no {input}, so the query is not in the prompt.",
            Self::Answers => "There are no answers to compare: choose where they come from, or type some.",
        }
    }
}

/// The model of a column, as far as a plan depends on it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Basis {
    model: ModelId,
    context: usize,
    version: u64,
}

/// Everything that would be asked now.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// What it was worked out from.
    setup: Setup,
    basis: Vec<Option<Basis>>,
    /// The answers that are compared, by their own names.
    pub answers: Vec<String>,
    pub sides: Vec<SidePlan>,
    pub missing: Option<Missing>,
}

/// The open text model that a side asks.
pub(super) fn model_of<'a>(side: &Side, state: &'a State) -> Option<&'a OpenModel> {
    if let Some(model) = &side.of_run {
        return match model.find(state, Ability::Continue) {
            Found::Open(open) => Some(open),
            Found::Unhashed(_) | Found::Other(_) | Found::Closed => None,
        };
    }
    match &side.model {
        None => state.active(Ability::Continue),
        Some(path) => state.models.values().find(|m| m.info.can(Ability::Continue) && m.info.path == *path),
    }
}

impl Plan {
    /// Brings the plan up to date. True when it changed.
    pub fn update(plan: &mut Option<Self>, setup: &Setup, counter: &mut Counter, cx: &mut Cx<'_>) -> bool {
        let model = |side: &Side| {
            let open = model_of(side, cx.state)?;
            Some(Basis { model: open.info.id, context: open.info.shape.context()?, version: open.version })
        };
        let basis: Vec<_> = setup.sides().iter().map(model).collect();
        let heard = counter.hear(cx);
        let is_new = plan.as_ref().is_none_or(|plan| plan.setup != *setup || plan.basis != basis);
        if is_new || heard {
            *plan = Some(Self::new(setup, basis, counter));
        }
        if let Some(plan) = plan {
            for (place, side) in plan.sides.iter().enumerate().filter(|(_, side)| side.is_counting) {
                if let Some(model) = side.model {
                    counter.ask(place, model, &setup.prompt(place, Card::Few, 0), cx);
                }
            }
        }
        is_new || heard
    }

    /// True when it was worked out from this setup.
    pub fn is_of(&self, setup: &Setup) -> bool {
        self.setup == *setup
    }

    fn new(setup: &Setup, basis: Vec<Option<Basis>>, counter: &Counter) -> Self {
        let answers = setup.answers();
        let side = |(place, basis): (usize, &Option<Basis>)| side_plan(setup, place, *basis, &answers, counter);
        let sides: Vec<SidePlan> = basis.iter().enumerate().map(side).collect();
        let missing = if sides.iter().all(|side| side.model.is_none()) {
            let is_of_run = setup.sides().iter().any(|side| side.of_run.is_some());
            Some(if is_of_run { Missing::RunModel } else { Missing::Model })
        } else if setup.query.trim().is_empty() {
            Some(Missing::Query)
        } else if setup.sides().iter().any(|side| !side.template.contains("{input}")) {
            Some(Missing::Place)
        } else if answers.is_empty() {
            Some(Missing::Answers)
        } else {
            None
        };
        Self { setup: setup.clone(), basis, answers, sides, missing }
    }
}

fn side_plan(setup: &Setup, place: usize, basis: Option<Basis>, answers: &[String], counter: &Counter) -> SidePlan {
    let side = &setup.sides[place];
    let whole = setup.prompt(place, Card::Few, 0);
    let longest = answers.iter().map(|answer| side.name(answer).len()).max().unwrap_or(0);
    let reserve = longest + if side.ending { whole.ending().len() } else { 0 };
    let fits = basis.is_none_or(|basis| surely_fits(whole.render().text.len(), reserve, basis.context));
    let counts = basis.filter(|_| !fits).and_then(|basis| Some((counter.get(basis.model, &whole)?, basis.context)));
    let card = |card: Card| {
        let takes = setup.prompt(place, card, 0).shots.iter().filter(|shot| shot.on).count();
        let cut = counts.map_or(0, |(counts, context)| counts.cut(takes, reserve, context));
        let request = setup.request(place, card, cut, answers);
        CardPlan { rendered: setup.prompt(place, card, cut).render(), shots: takes - cut, request, cut }
    };
    SidePlan {
        model: basis.map(|basis| basis.model),
        version: basis.map_or(0, |basis| basis.version),
        cards: Card::ALL.map(card).to_vec(),
        is_counting: !fits && counts.is_none(),
    }
}
