//! Opens the weights of a run's snapshot, in the place of another snapshot of the run that is open.

use super::open::read;
use super::{LoadedModel, Step, Task, TaskContext, adapter};
use crate::engine::{Event, Outcome, SnapshotSpec};
use crate::load;
use crate::nn::trim_heap;
use crate::train::{read_record, snapshot_folder};
use crate::types::{AdapterSetting, ModelId, UserError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Opens a snapshot under the name of a model, which has other weights from then on.
pub(crate) struct ShowSnapshot {
    model: ModelId,
    spec: SnapshotSpec,
}

impl ShowSnapshot {
    /// To open what `spec` names as `model`.
    pub(crate) fn new(model: ModelId, spec: SnapshotSpec) -> Self {
        Self { model, spec }
    }

    /// The adapter of a step, on the model the run began with: the one that is open where it is that, else read anew.
    fn adapted(&self, folder: &Path, cx: &mut TaskContext<'_>) -> Result<LoadedModel, UserError> {
        let base = self.base()?;
        let learned = Arc::new(load::read_adapter(folder)?);
        let mut loaded = match cx.models.remove(self.model) {
            Some(open) if open.info().path == base && open.info().adapter.is_some() => open,
            _ => self.read(&base, cx)?,
        };
        adapter::put(&mut loaded, &learned, AdapterSetting::default(), cx.device)?;
        Ok(loaded)
    }

    /// The folder of the weights the run began with.
    fn base(&self) -> Result<PathBuf, UserError> {
        let record = read_record(&self.spec.run).and_then(|record| record.start);
        record.map(|start| start.weights).filter(|weights| load::holds_model(weights)).ok_or_else(|| {
            UserError::new(
                format!("Step {} of {} cannot be shown.", self.spec.step, self.spec.run.display()),
                "It is an adapter, and the model the run began with is not where it was.",
                "Put that model back, or open it and then the snapshot's folder.",
            )
        })
    }

    fn read(&self, path: &Path, cx: &mut TaskContext<'_>) -> Result<LoadedModel, UserError> {
        let (job, label) = (cx.job, format!("Opening {}", path.display()));
        let loaded = read(self.model, path, cx.device, &mut |done, total| {
            (cx.emit)(Event::Progress { job, label: label.clone(), done, total, unit: "bytes" });
        })?;
        Ok(loaded)
    }
}

impl Task for ShowSnapshot {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let step = self.spec.step;
        let folder = snapshot_folder(&self.spec.run, step);
        let is_adapter = load::holds_adapter(&folder);
        if !is_adapter && !load::holds_model(&folder) {
            return Err(UserError::new(
                format!("The weights of step {step} are not there."),
                format!("{} was moved or deleted, or was never written.", folder.display()),
                "Choose another step; what was noted of this one stays.",
            ));
        }
        let loaded = if is_adapter { self.adapted(&folder, cx)? } else { self.read(&folder, cx)? };
        (cx.emit)(loaded.event());
        cx.models.insert(self.model, loaded);
        trim_heap();
        Ok(Step::Done(Outcome::SnapshotShown { model: self.model }))
    }
}
