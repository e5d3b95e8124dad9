//! The lens that layers are read through: none, or one that was fitted and lies in a file.

use crate::engine::Work;
use crate::types::{FitSpec, JacobianLens, JobId, ModelId};
use crate::ui::files::FileRequest;
use crate::ui::paths;
use crate::ui::widgets::{caption, ghost_button, job_error, job_progress, segmented};
use crate::ui::{Answer, Ask, Cx, State};
use egui::Ui;
use lucide_icons::Icon;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Tags of the questions for files.
pub(super) const FIT: &str = "fit-lens";
pub(super) const OPEN: &str = "open-lens";

const HELP: &str = "Plain: each state is read as it is (the logit lens). Fitted: it first goes where states of that layer go on average until \
     the end of the model, by a matrix for each layer that is fitted once (the Jacobian lens).";
const FIT_HELP: &str = "Fits a lens of this model on passages that it writes itself, and keeps it in a file: how the end of the stream \
     depends on each state, by gradients. Small models take a minute or a few; stopped, it keeps what it has.";

/// What survives a restart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    /// True where layers are read through the lens.
    pub is_on: bool,
    #[serde(with = "paths::one")]
    pub file: Option<PathBuf>,
}

/// What is remembered of it.
#[derive(Default)]
pub(super) struct Fitted {
    /// The model for which a file is asked.
    asked_for: Option<ModelId>,
    fit: Ask<(ModelId, PathBuf)>,
    opened: Ask<(ModelId, u64, PathBuf)>,
}

impl Fitted {
    /// The jobs whose answers must be kept.
    pub fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.fit.shows(shown);
        self.opened.shows(shown);
    }

    /// The lens that is to be read through, and the job that opened it; none where states are taken as they are, or it is not there
    /// yet.
    pub fn lens(&self, kept: &Kept, state: &State) -> Option<(JobId, Arc<JacobianLens>)> {
        match self.opened.answer::<JacobianLens>(state) {
            Answer::New(lens) if kept.is_on => Some((self.opened.job()?, Arc::clone(lens))),
            _ => None,
        }
    }

    /// True while a lens is wanted that is not there, nor refused.
    pub fn is_awaited(&self, kept: &Kept, state: &State) -> bool {
        kept.is_on && kept.file.is_some() && matches!(self.opened.answer::<JacobianLens>(state), Answer::Waiting)
    }

    /// The choice, and what is being fitted.
    pub fn show(&mut self, kept: &mut Kept, ui: &mut Ui, cx: &mut Cx<'_>, model: ModelId) {
        self.take_up(kept, cx, model);
        ui.horizontal_wrapped(|ui| {
            caption(ui, "Lens").on_hover_text(HELP);
            segmented(ui, &mut kept.is_on, &[(false, "Plain"), (true, "Fitted")]);
            if !kept.is_on {
                return;
            }
            match self.opened.answer::<JacobianLens>(cx.state) {
                Answer::New(lens) => {
                    caption(ui, lens.brief()).on_hover_text(lens.words());
                }
                _ if kept.file.is_none() => {
                    caption(ui, "None is open.");
                }
                _ => {}
            }
            let is_fitting = self.fit.running(cx.state).is_some();
            if !is_fitting && ghost_button(ui, Some(Icon::Activity), "Fit a lens").on_hover_text(FIT_HELP).clicked() {
                let name = cx.state.models.get(&model).map_or("model", |open| open.info.name.as_str());
                let request = FileRequest::save("Keep the lens as", format!("lens-{name}.safetensors"));
                cx.pick(FIT, request.filter("Lens", &["safetensors"]));
                self.asked_for = Some(model);
            }
            if ghost_button(ui, Some(Icon::FolderOpen), "Open a lens").clicked() {
                cx.pick(OPEN, FileRequest::open("Open a lens").filter("Lens", &["safetensors"]));
            }
        });
        for job in [self.fit.job(), self.opened.job().filter(|_| kept.is_on)].into_iter().flatten() {
            if !job_error(ui, cx, job) && cx.state.is_active(job) {
                job_progress(ui, cx, job);
            }
        }
    }

    /// Opens the file that is chosen, once what is being fitted lies in it.
    fn take_up(&mut self, kept: &mut Kept, cx: &mut Cx<'_>, model: ModelId) {
        if let Some((_, path)) = self.fit.question()
            && matches!(self.fit.answer::<JacobianLens>(cx.state), Answer::New(_))
        {
            (kept.is_on, kept.file) = (true, Some(path.clone()));
            self.fit = Ask::default();
            self.opened.forget(cx);
        }
        let (Some(file), Some(open)) = (kept.file.clone().filter(|_| kept.is_on), cx.state.models.get(&model)) else {
            return;
        };
        let question = (model, open.weights_version, file);
        self.opened.follow(question, 0.0, cx, |(model, _, file)| (*model, Work::OpenLens(file.clone())));
    }

    /// A file was chosen.
    pub fn picked(&mut self, kept: &mut Kept, tag: &str, path: &Path, cx: &mut Cx<'_>) {
        kept.is_on = true;
        if tag == OPEN {
            kept.file = Some(path.to_owned());
            return;
        }
        let Some(model) = self.asked_for.take() else { return };
        let Some(open) = cx.state.models.get(&model) else { return };
        let tokens = FitSpec::default().tokens.min(open.info.shape.context().unwrap_or(usize::MAX));
        let spec = FitSpec {
            count: FitSpec::customary(&open.info, tokens),
            tokens,
            out: Some(path.to_owned()),
            ..FitSpec::default()
        };
        self.fit.ask((model, path.to_owned()), cx, |_| (model, Work::FitLens(spec)));
    }
}
