//! Work that looks into attention: a network that reads text without any is refused in plain words before it begins.

use super::store::Body;
use super::{Step, Task, TaskContext};
use crate::engine::Outcome;
use crate::types::{Ability, ModelId, ModelInfo, UserError};
use std::path::PathBuf;

/// Another task, of a model with attention.
pub(crate) struct Attends {
    model: ModelId,
    /// The work, at the start of a sentence.
    name: &'static str,
    inner: Box<dyn Task>,
}

impl Attends {
    /// To do the work of `inner`, which needs attention.
    pub(crate) fn new(model: ModelId, name: &'static str, inner: Box<dyn Task>) -> Self {
        Self { model, name, inner }
    }
}

impl Task for Attends {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        if let Ok(Body::Text(model)) = cx.models.body(self.model)
            && !model.info.can(Ability::Attend)
        {
            return Err(no_attention(&model.info, self.name));
        }
        self.inner.step(cx)
    }

    fn cancel(&mut self, cx: &mut TaskContext<'_>) -> Result<Outcome, UserError> {
        self.inner.cancel(cx)
    }

    fn let_go(&mut self) {
        self.inner.let_go();
    }

    fn reads_again(&self) -> Option<PathBuf> {
        self.inner.reads_again()
    }
}

/// A network without attention was asked for what needs it.
pub(super) fn no_attention(info: &ModelInfo, name: &str) -> UserError {
    let how = match info.shape.without_attention().and_then(|layers| layers.sees) {
        Some(tokens) => format!("predicts a token from the {tokens} before it"),
        None => "hands a state from token to token".to_owned(),
    };
    UserError::new(
        format!("{} has no attention.", info.name),
        format!(
            "{name} looks at heads and blocks of a transformer. {} is no transformer ({}): it {how}, and no token looks at another.",
            info.name,
            info.architecture.family()
        ),
        "See how far it remembers (`fovea memory`, `fovea forget`) or what it keeps (`fovea states`), or choose a transformer.",
    )
}
