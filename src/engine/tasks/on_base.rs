//! Work of a model without its adapter: for each step the base takes the network's place, and gives it back.

use super::compare_side::no_adapter;
use super::{LoadedModel, Step, Task, TaskContext, not_open};
use crate::engine::Outcome;
use crate::types::{ModelId, UserError};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Another task, on the base.
pub(crate) struct OnBase {
    model: ModelId,
    inner: Box<dyn Task>,
}

impl OnBase {
    /// To do the work of `inner` with `model` as it is without its adapter.
    pub(crate) fn new(model: ModelId, inner: Box<dyn Task>) -> Self {
        Self { model, inner }
    }

    /// Does a part of the work. Whatever becomes of it, the model is as it was afterwards.
    fn as_base<T>(
        &mut self,
        cx: &mut TaskContext<'_>,
        work: impl FnOnce(&mut dyn Task, &mut TaskContext<'_>) -> Result<T, UserError>,
    ) -> Result<T, UserError> {
        cx.models.text(self.model)?;
        let Some(LoadedModel::Text(model)) = cx.models.get_mut(self.model) else { return Err(not_open()) };
        let Some(attached) = model.adapter.take() else { return Err(no_adapter(&model.info)) };
        let told = model.info.adapter.take();
        let used = std::mem::replace(&mut model.lm, attached.base.clone());
        let result = catch_unwind(AssertUnwindSafe(|| work(self.inner.as_mut(), cx)));
        if let Some(LoadedModel::Text(model)) = cx.models.get_mut(self.model) {
            (model.lm, model.adapter, model.info.adapter) = (used, Some(attached), told);
        }
        result.unwrap_or_else(|panicked| resume_unwind(panicked))
    }
}

impl Task for OnBase {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        self.as_base(cx, |task, cx| task.step(cx))
    }

    fn cancel(&mut self, cx: &mut TaskContext<'_>) -> Result<Outcome, UserError> {
        self.as_base(cx, |task, cx| task.cancel(cx))
    }
}
