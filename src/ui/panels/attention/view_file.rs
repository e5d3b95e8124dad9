//! A view as a file: what was read by which model, and everything that decides what is seen of it. Opened again, it shows the
//! same.

use super::look::Colours;
use super::plane::{Measure, Over};
use super::tokens::TokensView;
use super::ways::Way;
use super::{Shown, causes, layers, look, order, parts};
use crate::engine::{Command, InspectSpec, PromptInput, Work};
use crate::types::{
    Ability, ColorMap, Edit, Grouping, JobId, ModelId, NamedSpan, ScaleCurve, ScaleEnd, SiteFilter, UserError,
    WeightScale,
};
use crate::ui::asked_model::{AskedModel, Found, Hashes, short};
use crate::ui::files::FileRequest;
use crate::ui::reader::Reader;
use crate::ui::theme::{RADIUS, space};
use crate::ui::widgets::{caption, secondary_button};
use crate::ui::{Cx, Selection, Themed};
use egui::{Context, Frame, Stroke, Ui};
use lucide_icons::Icon;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The palette's entries.
pub(super) const SAVE: &str = "save-view";
pub(super) const OPEN: &str = "open-view";

const FORMAT: &str = "fovea-view";
const VERSION: u32 = 1;
const EXTENSION: &str = "fovea-view.json";
/// Bytes that a view may have: a million ids fit.
const MOST_BYTES: u64 = 32 << 20;

/// A view of one inspection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ViewFile {
    format: String,
    version: u32,
    model: AskedModel,
    /// What was given to the model, where that was a text.
    #[serde(default)]
    text: Option<String>,
    /// The ids it read.
    ids: Vec<u32>,
    /// The seed of the run that wrote them, if a run did.
    #[serde(default)]
    seed: Option<u64>,
    #[serde(default)]
    edits: Vec<String>,
    view: Looked,
}

/// What is seen, and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Looked {
    layer: usize,
    head: usize,
    token: Option<usize>,
    until: Option<usize>,
    way: Way,
    over: Over,
    measure: Measure,
    grouping: Grouping,
    picked: Vec<(usize, usize)>,
    named: Vec<NamedSpan>,
    pins: Vec<(usize, usize)>,
    direction: look::Direction,
    least: f32,
    only_chosen: bool,
    map: ColorMap,
    curve: ScaleCurve,
    ends_at: ScaleEnd,
    without_first: bool,
    order: order::Kept,
    layers: layers::Kept,
    parts: parts::Kept,
    causes: causes::Kept,
}

impl Looked {
    fn of(view: &TokensView, colours: &Colours, selection: &Selection) -> Self {
        let (seen, scale) = (view.planes.seen, colours.scale);
        Self {
            layer: selection.layer,
            head: selection.head,
            token: selection.token,
            until: view.until,
            way: view.way,
            over: seen.over,
            measure: seen.measure,
            grouping: seen.grouping,
            picked: view.planes.picked.iter().copied().collect(),
            named: view.planes.named.clone(),
            pins: view.pins.cells.clone(),
            direction: view.direction,
            least: view.lines.least,
            only_chosen: view.lines.only_focus,
            map: colours.map,
            curve: scale.curve,
            ends_at: scale.end,
            without_first: scale.without_first,
            order: view.order.kept.clone(),
            layers: view.layers.kept.clone(),
            parts: view.parts.kept.clone(),
            causes: view.causes.kept.clone(),
        }
    }

    fn apply(self, ids: &[u32], view: &mut TokensView, colours: &mut Colours, selection: &mut Selection) {
        view.begin_with(ids);
        (selection.layer, selection.head, selection.token) = (self.layer, self.head, self.token);
        (view.until, view.way, view.direction) = (self.until, self.way, self.direction);
        let seen = &mut view.planes.seen;
        (seen.over, seen.measure, seen.grouping) = (self.over, self.measure, self.grouping);
        seen.version += 1;
        view.planes.picked = self.picked.into_iter().collect();
        view.planes.named = self.named.into_iter().filter(|span| span.tokens.end <= ids.len()).collect();
        (view.pins.cells, view.order.kept, view.layers.kept) = (self.pins, self.order, self.layers);
        (view.parts.kept, view.causes.kept) = (self.parts, self.causes);
        (view.lines.least, view.lines.only_focus) = (self.least.clamp(0.01, 1.0), self.only_chosen);
        colours.map = self.map;
        colours.scale = WeightScale { curve: self.curve, end: self.ends_at, without_first: self.without_first };
    }
}

impl ViewFile {
    fn read(path: &Path) -> Result<Self, UserError> {
        let refuse = |why: String| {
            UserError::new(
                format!("{} is no view that can be opened.", path.display()),
                why,
                "Choose a file that was written by ‘Save this view’.",
            )
        };
        let bytes = std::fs::metadata(path).map_err(|error| refuse(error.to_string()))?.len();
        if bytes > MOST_BYTES {
            return Err(refuse(format!("It has {bytes} bytes, and a view has {MOST_BYTES} at most.")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let value: serde_json::Value = serde_json::from_str(text).map_err(|error| refuse(error.to_string()))?;
        match value["format"].as_str() {
            Some(FORMAT) => {}
            Some(other) => return Err(refuse(format!("Its format is called ‘{other}’."))),
            None => return Err(refuse("It does not say what format it has.".to_owned())),
        }
        // A later one may hold what this Fovea has no words for.
        match value["version"].as_u64() {
            Some(version) if version > u64::from(VERSION) => {
                Err(refuse(format!("It is of version {version}, and this Fovea knows {VERSION}.")))
            }
            _ => serde_json::from_value(value).map_err(|error| refuse(error.to_string())),
        }
    }

    /// What has to be asked of the model to have the same report.
    fn spec(&self) -> Result<InspectSpec, UserError> {
        let edits: Result<Vec<Edit>, _> = self.edits.iter().map(|edit| edit.parse()).collect();
        let edits = edits.map_err(|error| {
            UserError::new(
                "An edit of the view cannot be read.",
                format!("{error}"),
                "Open it with the Fovea that wrote it, or write the edit anew.",
            )
        })?;
        let prompt = self.text.clone().map_or_else(|| PromptInput::Ids(self.ids.clone()), PromptInput::Text);
        Ok(InspectSpec { prompt, sites: SiteFilter::patterns(), edits })
    }
}

/// Views on their way to a file and back.
#[derive(Default)]
pub(super) struct ViewFiles {
    /// A view that is to be written once the hash of its model is known.
    saving: Option<(ModelId, ViewFile)>,
    reading: Reader<ViewFile>,
    /// A view that was read, until its model is there.
    wanted: Option<ViewFile>,
    hashes: Hashes,
}

impl ViewFiles {
    /// Begins to write what is on show.
    pub fn save(&mut self, view: &TokensView, colours: &Colours, cx: &mut Cx<'_>, shown: &Shown) {
        let job = cx.state.job(shown.job);
        let spec = job.and_then(|job| if let Work::Inspect(spec) = &*job.work { Some(spec) } else { None });
        let open = job.and_then(|job| cx.state.models.get(&job.model?));
        let (Some(spec), Some(open)) = (spec, open) else {
            cx.toast("The model that read this is not open any more");
            return;
        };
        let text = if let PromptInput::Text(text) = &spec.prompt { Some(text.clone()) } else { None };
        let seed = cx.selection.run.and_then(|run| Some(cx.state.run(run)?.spec().sampling.seed));
        let file = ViewFile {
            format: FORMAT.to_owned(),
            version: VERSION,
            model: AskedModel::of(open),
            text,
            ids: shown.report.tokens.iter().map(|token| token.id).collect(),
            seed: seed.filter(|_| matches!(spec.prompt, PromptInput::Ids(_))),
            edits: spec.edits.iter().map(ToString::to_string).collect(),
            view: Looked::of(view, colours, cx.selection),
        };
        self.saving = Some((open.info.id, file));
    }

    /// Asks for a view to be opened.
    pub fn ask(cx: &mut Cx<'_>) {
        cx.pick(OPEN, FileRequest::open("Open a view").filter("View", &["json"]));
    }

    /// Begins to read a view.
    pub fn open(&mut self, path: &Path, ctx: Option<&Context>, cx: &mut Cx<'_>) {
        let (path, ctx) = (path.to_owned(), ctx.cloned());
        let wake = move || ctx.iter().for_each(Context::request_repaint);
        if let Err(error) = self.reading.start(move |_| ViewFile::read(&path), wake) {
            cx.fail(error);
        }
    }

    /// True for a file that may be a view.
    pub fn reads(path: &Path) -> bool {
        path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
    }

    /// Goes on with what was begun. Gives the inspection of a view that was opened.
    pub fn tick(&mut self, view: &mut TokensView, colours: &mut Colours, cx: &mut Cx<'_>) -> Option<JobId> {
        self.write(cx);
        match self.reading.poll() {
            Some(Ok(file)) => self.wanted = Some(file),
            Some(Err(error)) => cx.fail(error),
            None => {}
        }
        match self.wanted.as_ref()?.model.find(cx.state, Ability::Attend) {
            Found::Open(open) => {
                let model = open.info.id;
                self.show(model, view, colours, cx)
            }
            Found::Unhashed(open) => {
                let model = open.info.id;
                self.hashes.ask(model, cx);
                None
            }
            Found::Other(_) | Found::Closed => None,
        }
    }

    fn write(&mut self, cx: &mut Cx<'_>) {
        let Some((model, file)) = &mut self.saving else { return };
        let Some(open) = cx.state.models.get(model) else {
            self.saving = None;
            return;
        };
        if open.sha256.is_none() {
            self.hashes.ask(*model, cx);
            return;
        }
        file.model.sha256.clone_from(&open.sha256);
        let name = format!("attention-{}-layer{}-head{}.{EXTENSION}", file.model.name, file.view.layer, file.view.head);
        let request = FileRequest::save("Save this view", name).filter("View", &["json"]);
        let text = serde_json::to_string_pretty(&file);
        self.saving = None;
        cx.save_as(request, move |path| {
            let text = text.map_err(|error| {
                UserError::new(
                    "The view could not be written.",
                    error.to_string(),
                    "Try again; if it happens again, report it.",
                )
            })?;
            super::export::write(path, text.as_bytes())
        });
    }

    fn show(&mut self, model: ModelId, view: &mut TokensView, colours: &mut Colours, cx: &mut Cx<'_>) -> Option<JobId> {
        let file = self.wanted.take()?;
        let spec = match file.spec() {
            Ok(spec) => spec,
            Err(error) => {
                cx.fail(error);
                return None;
            }
        };
        let job = JobId::next();
        cx.activate(model);
        cx.send(Command::start(job, model, Work::Inspect(spec)));
        file.view.apply(&file.ids, view, colours, cx.selection);
        Some(job)
    }

    /// What is missing to show a view that was read, and what can be done.
    pub fn notice(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let Some(file) = &self.wanted else { return };
        let name = file.model.title();
        let (words, other, folder) = match file.model.find(cx.state, Ability::Attend) {
            Found::Open(_) => return,
            Found::Unhashed(open) => {
                (format!("Looking whether {} has the weights this view was made with.", open.info.name), None, None)
            }
            Found::Other(open) => {
                let hash = file.model.short_hash().unwrap_or_default();
                let now = open.sha256.as_deref().map_or("", short);
                let words = format!(
                    "This view was made with other weights of {name} ({hash}…) than those that are open ({now}…). With these \
                     the numbers are others."
                );
                (words, Some(open.info.id), file.model.folder(cx.state))
            }
            Found::Closed => {
                let words = format!("This view was made with {name}, which is not open.");
                (words, None, file.model.folder(cx.state))
            }
        };
        let theme = ui.theme();
        let (mut shows, mut opens, mut leaves) = (false, false, false);
        let frame = Frame::new().fill(theme.raised()).stroke(Stroke::new(1.0, theme.warning())).corner_radius(RADIUS);
        frame.inner_margin(space::S).show(ui, |ui| {
            ui.set_width(ui.available_width());
            caption(ui, words);
            ui.horizontal_wrapped(|ui| {
                if folder.is_some() {
                    opens =
                        secondary_button(ui, Some(Icon::FolderOpen), &format!("Open {}", file.model.name)).clicked();
                }
                shows = other.is_some() && secondary_button(ui, None, "Show it with these").clicked();
                leaves = secondary_button(ui, None, "Leave it").clicked();
            });
        });
        ui.add_space(space::S);
        if let Some(path) = folder.filter(|_| opens) {
            cx.open_model(path);
        }
        if shows && let Some(open) = other.and_then(|model| cx.state.models.get(&model)) {
            let model = AskedModel::of(open);
            self.wanted.iter_mut().for_each(|file| file.model = model.clone());
        }
        if leaves {
            self.wanted = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> ViewFile {
        ViewFile {
            format: FORMAT.into(),
            version: VERSION,
            model: AskedModel { name: "sprout".into(), sha256: Some("ab".into()), ..AskedModel::default() },
            text: None,
            ids: vec![5, 6, 7],
            seed: Some(3),
            edits: vec!["blocks.0.attn.z[1] = zero".into()],
            view: Looked { layer: 2, head: 1, token: Some(1), least: 0.25, ..Looked::default() },
        }
    }

    #[test]
    fn a_view_is_read_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        std::fs::write(&path, format!("\u{feff}{}", serde_json::to_string_pretty(&file()).unwrap())).unwrap();
        let read = ViewFile::read(&path).unwrap();
        assert_eq!(read, file());
        let spec = read.spec().unwrap();
        assert_eq!((spec.prompt, spec.edits.len()), (PromptInput::Ids(vec![5, 6, 7]), 1));
    }

    #[test]
    fn what_is_no_view_is_refused_with_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        let refused = |text: &str| {
            std::fs::write(&path, text).unwrap();
            ViewFile::read(&path).unwrap_err()
        };
        assert!(refused("{").what.contains("is no view"));
        let text = |file: &ViewFile| serde_json::to_string(file).unwrap();
        assert!(refused(&text(&ViewFile { format: "other".into(), ..file() })).why.contains("‘other’"));
        assert!(refused(&text(&ViewFile { version: 9, ..file() })).why.contains("version 9"));
        assert!(ViewFile { edits: vec!["nonsense".into()], ..file() }.spec().is_err());
        assert!(ViewFile::read(&dir.path().join("none.json")).is_err());
    }
}
