//! About how long many queries will take, by what a model did before in this session.

use super::desk::Desk;
use crate::engine::{Command, Work};
use crate::types::{BatchReport, JobId, KShotReport, ModelId, ScoreReport};
use crate::ui::theme::space;
use crate::ui::widgets::{caption, ghost_button, seconds};
use crate::ui::{Cx, State};
use egui::Ui;
use lucide_icons::Icon;

/// What takes less needs no number, in seconds.
const SHORT_S: f64 = 2.0;
const HELP: &str =
    "By the queries this model answered before in this session, longer ones in proportion to their length.";

/// What is known of how long a query takes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pace {
    /// Seconds for a query.
    query_s: f64,
    /// True where each prompt was read for itself: many that share their examples take less.
    is_bound: bool,
}

/// Mean length of texts in bytes, at least 1.
fn mean_bytes<'a>(texts: impl Iterator<Item = &'a [String; 2]>) -> f64 {
    let (mut bytes, mut count) = (0, 0);
    for [input, output] in texts {
        (bytes, count) = (bytes + input.len() + output.len(), count + 1);
    }
    (f64::from(bytes as u32) / f64::from(count.max(1) as u32)).max(1.0)
}

/// The pace of a model at rows of so many bytes: by the newest batch or curve, else by the longest prompt that was scored.
fn pace(model: ModelId, bytes: f64, state: &State) -> Option<Pace> {
    let of =
        |s: f64, queries: usize, then: f64| Pace { query_s: s / queries.max(1) as f64 * bytes / then, is_bound: false };
    let batches = state.reports::<BatchReport>().filter_map(|(job, report)| {
        let Work::Batch(spec) = &*job.work else { return None };
        let n = report.answers.len();
        let is_of = job.model == Some(model) && n > 0;
        is_of.then(|| (job.id, of(report.elapsed_ms / 1000.0, n, mean_bytes(spec.queries.iter()))))
    });
    let curves = state.reports::<KShotReport>().filter_map(|(job, report)| {
        let n: usize = report.points.iter().map(|point| point.queries).sum();
        let is_of = job.model == Some(model) && n > 0;
        is_of.then(|| (job.id, of(report.elapsed_ms / 1000.0, n, mean_bytes(report.spec.table.rows.iter()))))
    });
    if let Some((_, pace)) = batches.chain(curves).max_by_key(|(job, _)| *job) {
        return Some(pace);
    }
    let scores = state.reports::<ScoreReport>().filter(|(job, _)| job.model == Some(model));
    let longest = scores.max_by_key(|(_, report)| report.prompt_tokens)?.1;
    Some(Pace { query_s: longest.elapsed_ms / 1000.0, is_bound: true })
}

/// How long so many queries of each model take, in words; `None` where nothing is known of a model.
fn words(asked: &[(ModelId, usize)], bytes: f64, state: &State) -> Option<String> {
    let (mut sum_s, mut is_bound) = (0.0, false);
    for (model, queries) in asked {
        let pace = pace(*model, bytes, state)?;
        sum_s += pace.query_s * *queries as f64;
        is_bound |= pace.is_bound;
    }
    Some(match (sum_s < SHORT_S, is_bound) {
        (true, _) => format!("under {SHORT_S} s"),
        (false, true) => format!("at most about {}", seconds(sum_s)),
        (false, false) => format!("about {}", seconds(sum_s)),
    })
}

/// Says how much is asked and about how long that takes; where that is not known, offers to time one query.
pub(super) fn show(what: &str, asked: &[(ModelId, usize)], desk: &Desk, ui: &mut Ui, cx: &mut Cx<'_>) {
    if asked.is_empty() {
        caption(ui, what);
        return;
    }
    let bytes = mean_bytes(desk.setup.table.rows.iter());
    if let Some(words) = words(asked, bytes, cx.state) {
        caption(ui, format!("{what} · {words}")).on_hover_text(HELP);
        return;
    }
    let is_timing = cx.state.active_jobs().any(|job| matches!(&*job.work, Work::Score(_)));
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        caption(ui, format!("{what} · how long is not known yet")).on_hover_text(HELP);
        let few = desk.plan.as_ref().and_then(|plan| plan.sides.get(desk.side)?.cards.last());
        let Some(few) = few.filter(|_| !is_timing) else { return };
        if ghost_button(ui, Some(Icon::Timer), "Time one query").clicked() {
            for (model, _) in asked.iter().filter(|(model, _)| pace(*model, bytes, cx.state).is_none()) {
                cx.send(Command::start(JobId::next(), *model, Work::Score(few.request.clone())));
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Event, Outcome};
    use crate::types::{Answer, BatchSpec};
    use std::sync::Arc;

    fn done(state: &mut State, model: ModelId, work: Work, outcome: Outcome) {
        let job = JobId::next();
        state.sent(&Command::start(job, model, work));
        state.apply(Event::Done { job, outcome });
    }

    #[test]
    fn how_long_it_takes_is_told_by_what_the_model_did_before() {
        let (model, mut state) = (ModelId::next(), State::default());
        assert_eq!(words(&[(model, 100)], 10.0, &state), None, "nothing is made up");
        let report = ScoreReport { candidates: Vec::new(), prompt_tokens: 40, elapsed_ms: 200.0 };
        let request = crate::types::ScoreRequest::default();
        done(&mut state, model, Work::Score(request), Outcome::Scored(Arc::new(report)));
        assert_eq!(words(&[(model, 100)], 10.0, &state).as_deref(), Some("at most about 20 s"));
        assert_eq!(words(&[(model, 5)], 10.0, &state).as_deref(), Some("under 2 s"));
        assert_eq!(words(&[(model, 5), (ModelId::next(), 5)], 10.0, &state), None);
        let answer = Answer {
            input: String::new(),
            expected: String::new(),
            predicted: String::new(),
            correct: true,
            log_prob: 0.0,
            shares: Vec::new(),
        };
        let report = BatchReport { answers: vec![answer; 10], cut: 0, elapsed_ms: 500.0 };
        let spec = BatchSpec { queries: vec![["12345678".into(), "ab".into()]], ..BatchSpec::default() };
        done(&mut state, model, Work::Batch(spec), Outcome::Batched(Arc::new(report)));
        assert_eq!(words(&[(model, 100)], 10.0, &state).as_deref(), Some("about 5 s"));
        assert_eq!(words(&[(model, 100)], 20.0, &state).as_deref(), Some("about 10 s"), "longer rows take longer");
    }
}
