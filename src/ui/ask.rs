//! A question that follows what is on screen: asked when it changes, the older one ended, and asked again where its answer
//! was let go.

use super::state::{Job, Reported};
use super::{Cx, State};
use crate::engine::{Command, Work};
use crate::types::{JobId, ModelId, UserError};
use std::collections::BTreeSet;
use std::sync::Arc;

/// One question at a time, and its job.
pub struct Ask<Q> {
    asked: Option<Asked<Q>>,
    /// The question before it that was answered: better than nothing until the answer comes.
    before: Option<Asked<Q>>,
    /// What is to be asked once it has not changed for a moment, and since when, in seconds.
    wanted: Option<(Q, f64)>,
}

struct Asked<Q> {
    job: JobId,
    question: Q,
    /// When, in seconds: before the next frame the state does not know the job.
    at_s: f64,
}

/// What there is to show.
pub enum Answer<'a, R> {
    /// Nothing was asked, or it was stopped.
    Nothing,
    /// The first answer is on its way.
    Waiting,
    /// An answer to the question before, while the newest is on its way.
    Old(&'a Arc<R>),
    /// The answer to the newest question.
    New(&'a Arc<R>),
    /// Why the newest question was not answered.
    Failed(&'a UserError),
}

impl<Q> Default for Ask<Q> {
    fn default() -> Self {
        Self { asked: None, before: None, wanted: None }
    }
}

impl<Q: PartialEq> Ask<Q> {
    /// The newest question's job.
    pub fn job(&self) -> Option<JobId> {
        self.asked.as_ref().map(|asked| asked.job)
    }

    /// The newest question that was asked.
    pub fn question(&self) -> Option<&Q> {
        self.asked.as_ref().map(|asked| &asked.question)
    }

    /// The job that is under way.
    pub fn running(&self, state: &State) -> Option<JobId> {
        self.job().filter(|job| state.is_active(*job))
    }

    /// Why the newest question was not answered.
    pub fn error<'a>(&self, state: &'a State) -> Option<&'a UserError> {
        state.error(self.job()?)
    }

    /// True while a change waits to be asked about.
    pub fn is_due(&self) -> bool {
        self.wanted.is_some()
    }

    /// What there is to show.
    pub fn answer<'a, R: Reported>(&self, state: &'a State) -> Answer<'a, R> {
        let Some(asked) = &self.asked else { return Answer::Nothing };
        if let Some(report) = state.report(asked.job) {
            return Answer::New(report);
        }
        if let Some(error) = state.error(asked.job) {
            return Answer::Failed(error);
        }
        let before = self.before.as_ref().and_then(|before| state.report(before.job));
        match before {
            Some(report) => Answer::Old(report),
            None if state.job(asked.job).is_none_or(Job::is_active) => Answer::Waiting,
            None => Answer::Nothing,
        }
    }

    /// What the newest question's job has so far of its answer, while it is under way.
    pub fn so_far<'a, R: Reported>(&self, state: &'a State) -> Option<&'a Arc<R>> {
        state.so_far(self.running(state)?)
    }

    /// Asks at once, and ends the question before. `start` says of whom, if of anybody, and what.
    pub fn ask<M: Into<Option<ModelId>>>(
        &mut self,
        question: Q,
        cx: &mut Cx<'_>,
        start: impl FnOnce(&Q) -> (M, Work),
    ) -> JobId {
        self.forget(cx);
        let (job, (model, work)) = (JobId::next(), start(&question));
        cx.send(Command::start(job, model, work));
        self.asked = Some(Asked { job, question, at_s: cx.state.now_s });
        job
    }

    /// Asks once the question has not changed for so long, the first time at once; not while it is being answered, nor where
    /// the answer is there.
    pub fn follow<M: Into<Option<ModelId>>>(
        &mut self,
        question: Q,
        debounce_s: f64,
        cx: &mut Cx<'_>,
        start: impl FnOnce(&Q) -> (M, Work),
    ) {
        let now_s = cx.state.now_s;
        if self.question() == Some(&question) && !self.is_gone(cx.state) {
            self.wanted = None;
            return;
        }
        let since_s = match &self.wanted {
            Some((wanted, since_s)) if *wanted == question => *since_s,
            _ => now_s,
        };
        if self.asked.is_none() || now_s - since_s >= debounce_s {
            self.ask(question, cx, start);
        } else {
            self.wanted = Some((question, since_s));
        }
    }

    /// Asks again when it is followed next, even if nothing changed.
    pub fn forget(&mut self, cx: &mut Cx<'_>) {
        self.wanted = None;
        let is_gone = self.is_gone(cx.state);
        let Some(asked) = self.asked.take() else { return };
        match cx.state.job(asked.job) {
            Some(job) if !job.is_active() => {
                if job.outcome.is_some() && !job.stopping {
                    self.before = Some(asked);
                }
            }
            None if is_gone => {}
            // It is under way, or was given out in this very frame.
            _ => cx.cancel(asked.job),
        }
    }

    /// The jobs whose answers must be kept.
    pub fn shows(&self, shown: &mut BTreeSet<JobId>) {
        shown.extend([&self.asked, &self.before].into_iter().flatten().map(|asked| asked.job));
    }

    /// True once the answer was let go: the state knew the job and does not know it any more.
    fn is_gone(&self, state: &State) -> bool {
        self.asked.as_ref().is_some_and(|asked| state.now_s > asked.at_s && state.job(asked.job).is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Event, Outcome, PromptInput};
    use crate::types::TokenizeReport;
    use crate::ui::{Edits, Request, Selection, Theme};

    /// One frame in which a text is followed, and whatever was asked for is done.
    fn frame(ask: &mut Ask<String>, state: &mut State, text: &str, debounce_s: f64) -> Vec<Command> {
        let (mut selection, mut edits, mut requests) = (Selection::default(), Edits::default(), Vec::new());
        let theme = Theme::dark();
        let mut cx = Cx::new(state, (&mut selection, &mut edits), theme, &mut requests);
        let start = |text: &String| (ModelId(1), Work::Tokenize(PromptInput::Text(text.clone())));
        ask.follow(text.to_owned(), debounce_s, &mut cx, start);
        let sent = requests.into_iter().map(|request| match request {
            Request::Send(command) => command,
            _ => panic!("nothing but commands"),
        });
        let sent: Vec<Command> = sent.collect();
        sent.iter().for_each(|command| state.sent(command));
        let mut shown = BTreeSet::new();
        ask.shows(&mut shown);
        state.keep(&shown);
        state.now_s += 0.1;
        sent
    }

    fn answer(state: &mut State, job: JobId, count: usize) {
        let report = TokenizeReport { special: vec![0; count], ..TokenizeReport::default() };
        state.apply(Event::Done { job, outcome: Outcome::Tokenized(Arc::new(report)) });
    }

    fn shown(ask: &Ask<String>, state: &State) -> Option<(usize, bool)> {
        match ask.answer::<TokenizeReport>(state) {
            Answer::New(report) => Some((report.special.len(), true)),
            Answer::Old(report) => Some((report.special.len(), false)),
            _ => None,
        }
    }

    #[test]
    fn a_question_is_asked_once_and_the_answer_before_stands_until_the_next_comes() {
        let (mut ask, mut state) = (Ask::default(), State::default());
        assert_eq!(frame(&mut ask, &mut state, "a", 0.0).len(), 1);
        assert!(frame(&mut ask, &mut state, "a", 0.0).is_empty(), "it is on its way");
        assert!(matches!(ask.answer::<TokenizeReport>(&state), Answer::Waiting));
        answer(&mut state, ask.job().unwrap(), 1);
        assert!(frame(&mut ask, &mut state, "a", 0.0).is_empty() && shown(&ask, &state) == Some((1, true)));
        assert_eq!(frame(&mut ask, &mut state, "ab", 0.0).len(), 1);
        assert_eq!(shown(&ask, &state), Some((1, false)));
        answer(&mut state, ask.job().unwrap(), 2);
        assert_eq!(shown(&ask, &state), Some((2, true)));
    }

    #[test]
    fn what_there_is_so_far_is_told_until_the_answer_comes() {
        let (mut ask, mut state) = (Ask::default(), State::default());
        frame(&mut ask, &mut state, "a", 0.0);
        let job = ask.job().unwrap();
        let so_far = |ask: &Ask<String>, state: &State| ask.so_far::<TokenizeReport>(state).map(|r| r.special.len());
        assert_eq!(so_far(&ask, &state), None);
        for count in [1, 2] {
            let report = TokenizeReport { special: vec![0; count], ..TokenizeReport::default() };
            state.apply(Event::SoFar { job, outcome: Outcome::Tokenized(Arc::new(report)) });
            assert_eq!(so_far(&ask, &state), Some(count));
            assert!(matches!(ask.answer::<TokenizeReport>(&state), Answer::Waiting), "it is not the answer");
        }
        answer(&mut state, job, 3);
        assert_eq!((so_far(&ask, &state), shown(&ask, &state)), (None, Some((3, true))));
    }

    #[test]
    fn a_question_that_changes_ends_the_one_under_way() {
        let (mut ask, mut state) = (Ask::default(), State::default());
        frame(&mut ask, &mut state, "a", 0.0);
        let first = ask.job().unwrap();
        let sent = frame(&mut ask, &mut state, "ab", 0.0);
        assert!(matches!(sent[..], [Command::Cancel { job }, Command::Start { .. }] if job == first), "{sent:?}");
    }

    #[test]
    fn changes_are_waited_out_but_for_the_first() {
        let (mut ask, mut state) = (Ask::default(), State::default());
        assert_eq!(frame(&mut ask, &mut state, "a", 0.25).len(), 1);
        answer(&mut state, ask.job().unwrap(), 1);
        // A letter every tenth of a second: nothing is asked while they come.
        for text in ["ab", "abc", "abcd"] {
            assert!(frame(&mut ask, &mut state, text, 0.25).is_empty() && ask.is_due());
        }
        assert!(frame(&mut ask, &mut state, "abcd", 0.25).is_empty());
        assert!(frame(&mut ask, &mut state, "abcd", 0.25).is_empty());
        assert_eq!(frame(&mut ask, &mut state, "abcd", 0.25).len(), 1);
        assert!(!ask.is_due());
    }

    #[test]
    fn an_answer_that_was_let_go_is_asked_for_again() {
        let (mut ask, mut state) = (Ask::default(), State::default());
        frame(&mut ask, &mut state, "a", 0.0);
        answer(&mut state, ask.job().unwrap(), 1);
        state.keep(&BTreeSet::new());
        assert!(shown(&ask, &state).is_none());
        assert_eq!(frame(&mut ask, &mut state, "a", 0.0).len(), 1);
    }
}
