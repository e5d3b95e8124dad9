//! Runs that lie in the data folder: listed, their curves read and deleted away from the UI thread.

use super::view::NamedRun;
use crate::engine::{delete_run, kept_runs, read_curve, read_imported, read_samples, read_snapshots};
use crate::hub::free_space;
use crate::types::{ImportedCurve, KeptRun, RunSample, RunSnapshot, TrainPoint, UserError};
use crate::ui::reader::Reader;
use crate::ui::{Cx, State};
use egui::Context;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was read.
#[derive(Clone, Default)]
pub(super) struct Listed {
    /// The newest first.
    pub runs: Vec<KeptRun>,
    curves: BTreeMap<PathBuf, Told>,
    /// Curves of other programs by their files.
    pub imported: BTreeMap<PathBuf, ImportedCurve>,
    /// Folders whose runs the person has deleted.
    deleted: BTreeSet<PathBuf>,
}

impl Listed {
    /// The learning curve of a run, once it was asked for and read.
    pub fn curve(&self, folder: &Path) -> &[TrainPoint] {
        self.curves.get(folder).map_or(&[], |told| &told.points)
    }

    /// True for a run of before whose curve has not been read.
    pub fn is_being_read(&self, run: &NamedRun<'_>) -> bool {
        run.training.is_none() && run.kept.is_some_and(|kept| !self.curves.contains_key(&kept.folder))
    }

    /// What it wrote on the way.
    pub fn samples(&self, folder: &Path) -> &[RunSample] {
        self.curves.get(folder).map_or(&[], |told| &told.samples)
    }

    /// True for a run that was deleted, of which this session may still know.
    pub fn is_deleted(&self, folder: &Path) -> bool {
        self.deleted.contains(folder)
    }

    /// What was noted at the steps that were chosen.
    pub fn snapshots(&self, folder: &Path) -> &[RunSnapshot] {
        self.curves.get(folder).map_or(&[], |told| &told.snapshots)
    }
}

/// What a run told of itself.
#[derive(Clone, Default)]
struct Told {
    points: Vec<TrainPoint>,
    samples: Vec<RunSample>,
    snapshots: Vec<RunSnapshot>,
}

/// A run's folder, and what it told.
type Read = (PathBuf, Told);
/// A file of another program, and what is in it.
type Imported = (PathBuf, Result<ImportedCurve, UserError>);

/// What is known of them.
#[derive(Default)]
pub(super) struct KeptRuns {
    /// Lent for a frame as a whole.
    pub listed: Arc<Listed>,
    /// Bytes there is room for, where the platform tells.
    pub free: Option<u64>,
    /// Curves that are to be read, the next one last.
    wanted: Vec<PathBuf>,
    list: Reader<(Vec<KeptRun>, Option<u64>)>,
    curve: Reader<Read>,
    /// Folders that are to be deleted, in the order in which it was asked for, and the one that is being deleted.
    to_delete: VecDeque<PathBuf>,
    deleting: Option<PathBuf>,
    deletion: Reader<()>,
    /// Files of other programs that are to be read, the next one last.
    wanted_files: Vec<PathBuf>,
    file: Reader<Imported>,
    /// Runs of this session that had begun or ended when the list was read.
    listed_at: Option<(usize, usize)>,
}

impl KeptRuns {
    /// Takes in what was read, and reads what is missing.
    pub fn tick(&mut self, ctx: &Context, cx: &mut Cx<'_>) {
        if let Some(answer) = self.list.poll() {
            match answer {
                Ok((runs, free)) => {
                    Arc::make_mut(&mut self.listed).runs = runs;
                    self.free = free;
                }
                Err(error) => cx.fail(error),
            }
        }
        match self.curve.poll() {
            Some(Ok((folder, read))) => drop(Arc::make_mut(&mut self.listed).curves.insert(folder, read)),
            Some(Err(error)) => cx.fail(error),
            None => {}
        }
        if let Some(answer) = self.deletion.poll() {
            self.deletion_ended(answer, cx);
        }
        match self.file.poll() {
            Some(Ok((path, Ok(curve)))) => drop(Arc::make_mut(&mut self.listed).imported.insert(path, curve)),
            Some(Ok((_, Err(error))) | Err(error)) => cx.fail(error),
            None => {}
        }
        self.read(ctx, cx);
    }

    fn read(&mut self, ctx: &Context, cx: &mut Cx<'_>) {
        let now = moment(cx.state);
        if let Some(dir) = cx.state.runs_dir.clone().filter(|_| self.listed_at != Some(now) && !self.list.is_busy()) {
            self.listed_at = Some(now);
            let wake = ctx.clone();
            let work = move |_: &dyn Fn() -> bool| Ok((kept_runs(&dir), free_space(&dir)));
            if let Err(error) = self.list.start(work, move || wake.request_repaint()) {
                cx.fail(error);
            }
        }
        if !self.curve.is_busy()
            && let Some(folder) = self.wanted.pop()
        {
            let wake = ctx.clone();
            let work = move |_: &dyn Fn() -> bool| {
                let read = Told {
                    points: read_curve(&folder),
                    samples: read_samples(&folder),
                    snapshots: read_snapshots(&folder),
                };
                Ok((folder, read))
            };
            if let Err(error) = self.curve.start(work, move || wake.request_repaint()) {
                cx.fail(error);
            }
        }
        // One after the other: an answer that is not heard would leave a run on the disk that is in no list.
        if self.deleting.is_none()
            && let Some(folder) = self.to_delete.pop_front()
        {
            let wake = ctx.clone();
            let gone = folder.clone();
            self.deleting = Some(folder);
            let work = move |_: &dyn Fn() -> bool| delete_run(&gone);
            if let Err(error) = self.deletion.start(work, move || wake.request_repaint()) {
                self.deletion_ended(Err(error), cx);
            }
        }
        if !self.file.is_busy()
            && let Some(path) = self.wanted_files.pop()
        {
            let wake = ctx.clone();
            let work = move |_: &dyn Fn() -> bool| {
                let read = read_imported(&path);
                Ok((path, read))
            };
            if let Err(error) = self.file.start(work, move || wake.request_repaint()) {
                cx.fail(error);
            }
        }
    }

    /// Asks for the curve in a file of another program.
    pub fn want_imported(&mut self, path: &Path) {
        if !self.wanted_files.iter().any(|wanted| wanted == path) {
            self.wanted_files.push(path.to_owned());
        }
    }

    /// Forgets such a curve.
    pub fn take_out(&mut self, path: &Path) {
        self.wanted_files.retain(|wanted| wanted != path);
        Arc::make_mut(&mut self.listed).imported.remove(path);
    }

    /// The files of other programs whose curves are there, or are being read.
    pub fn imported(&self) -> Vec<PathBuf> {
        self.listed.imported.keys().chain(&self.wanted_files).cloned().collect()
    }

    /// Asks for a learning curve.
    pub fn want_curve(&mut self, folder: &Path) {
        if !self.listed.curves.contains_key(folder) && !self.wanted.iter().any(|wanted| wanted == folder) {
            self.wanted.push(folder.to_owned());
        }
    }

    /// Deletes a run, which is gone from the list at once, and back if that fails.
    pub fn delete(&mut self, folder: PathBuf, ctx: &Context) {
        Arc::make_mut(&mut self.listed).deleted.insert(folder.clone());
        self.to_delete.push_back(folder);
        ctx.request_repaint();
    }

    fn deletion_ended(&mut self, answer: Result<(), UserError>, cx: &mut Cx<'_>) {
        self.listed_at = None;
        let Some(folder) = self.deleting.take() else { return };
        let listed = Arc::make_mut(&mut self.listed);
        match answer {
            Ok(()) => drop(listed.curves.remove(&folder)),
            Err(error) => {
                listed.deleted.remove(&folder);
                cx.fail(error);
            }
        }
    }
}

/// Runs that have begun, and runs that have ended.
fn moment(state: &State) -> (usize, usize) {
    let begun = state.trainings().filter(|training| training.record.is_some()).count();
    (begun, state.trainings().filter(|training| !state.is_active(training.job)).count())
}
