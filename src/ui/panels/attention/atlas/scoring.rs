//! Scores of a report, computed once and away from the frame: hundreds of heads of a long text take a second.

use crate::analysis::{HeadAtlas, Sequence};
use crate::types::{InspectReport, JobId};
use crate::ui::Cx;
use crate::ui::reader::Reader;
use std::rc::Rc;
use std::sync::Arc;

/// The newest report, and the scores of the last that was scored.
#[derive(Default)]
pub(super) struct Scoring {
    asked: Option<JobId>,
    done: Option<(JobId, Rc<HeadAtlas>)>,
    reader: Reader<Option<HeadAtlas>>,
}

impl Scoring {
    /// Has a report scored, unless it is.
    pub fn follow(
        &mut self,
        job: JobId,
        report: &Arc<InspectReport>,
        sequence: Sequence,
        context: &egui::Context,
        cx: &mut Cx<'_>,
    ) {
        if self.asked != Some(job) {
            self.asked = Some(job);
            let (report, context) = (report.clone(), context.clone());
            let work = move |is_wanted: &dyn Fn() -> bool| Ok(HeadAtlas::of(&report, &sequence, is_wanted));
            if let Err(error) = self.reader.start(work, move || context.request_repaint()) {
                cx.fail(error);
            }
        }
        match self.reader.poll() {
            Some(Ok(Some(atlas))) => self.done = Some((job, Rc::new(atlas))),
            Some(Err(error)) => cx.fail(error),
            Some(Ok(None)) | None => {}
        }
    }

    /// True while scores are computed.
    pub fn is_busy(&self) -> bool {
        self.reader.is_busy()
    }

    /// The scores there are, and the job they are of.
    pub fn done(&self) -> Option<(JobId, Rc<HeadAtlas>)> {
        self.done.clone()
    }
}
