//! A picture and where a vision transformer looks in it: attention over patches, laid over the picture.

mod export;
mod heads;
mod side;
mod stage;

pub(super) use export::export;
pub(super) use side::{controls, inspector};
pub(super) use stage::show as stage;

use super::Shown;
use super::look::Look;
use crate::analysis;
use crate::engine::read_picture;
use crate::types::{JobId, Picture, PictureReport};
use crate::ui::Cx;
use crate::ui::files::FileRequest;
use crate::ui::reader::Reader;
use crate::ui::widgets::TextureCache;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The tag of the question for a picture.
pub(super) const OPEN_PICTURE: &str = "open picture";
const ENDINGS: [&str; 4] = ["png", "jpg", "jpeg", "webp"];

/// Which attention is laid over the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Source {
    /// That of the chosen head.
    #[default]
    Head,
    /// The mean over the heads of the chosen layer.
    Layer,
    /// Through all layers: attention rollout.
    Rollout,
}

/// One map of weights over patches.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct MapKey {
    job: JobId,
    source: Source,
    layer: usize,
    head: usize,
    query: usize,
    look: Look,
}

/// What only pictures need.
pub(super) struct PictureView {
    /// The picture that is shown to the model, and how many came before it.
    picture: Option<(u64, Picture)>,
    reading: Reader<Picture>,
    /// The file it came from, if it is one.
    pub path: Option<PathBuf>,
    /// A file of the last session, still to be read.
    pub to_read: Option<PathBuf>,
    pub source: Source,
    /// How much the weights cover the picture, in `0..=1`.
    pub strength: f32,
    context: Option<egui::Context>,
    maps: TextureCache<MapKey>,
    /// The same, as they are laid over the picture.
    cover: TextureCache<MapKey>,
    seen: TextureCache<JobId>,
    /// The weights on show, computed once: they take some milliseconds.
    weights: Option<(MapKey, Rc<Vec<f32>>)>,
    /// Token under the pointer, as of the last frame.
    hovered: Option<usize>,
}

impl Default for PictureView {
    fn default() -> Self {
        Self {
            picture: None,
            reading: Reader::default(),
            path: None,
            to_read: None,
            source: Source::Head,
            strength: 0.65,
            context: None,
            maps: TextureCache::default(),
            cover: TextureCache::default(),
            seen: TextureCache::default(),
            weights: None,
            hovered: None,
        }
    }
}

impl PictureView {
    /// The picture for the model, and its number.
    pub fn picture(&self) -> Option<(u64, &Picture)> {
        self.picture.as_ref().map(|(number, picture)| (*number, picture))
    }

    pub fn is_reading(&self) -> bool {
        self.reading.is_busy() || self.to_read.is_some()
    }

    fn take(&mut self, picture: Picture) {
        let number = self.picture.as_ref().map_or(0, |(number, _)| number + 1);
        self.picture = Some((number, picture));
    }

    /// Takes what is on the drawing canvas.
    fn take_drawing(&mut self, cx: &Cx<'_>) {
        if let Some(drawing) = &cx.selection.drawing {
            self.take(Picture::gray(crate::types::DIGIT_SIDE, &drawing.0));
            self.path = None;
        }
    }

    pub fn ask_for_file(cx: &mut Cx<'_>) {
        cx.pick(OPEN_PICTURE, FileRequest::open("Open a picture").filter("Pictures", &ENDINGS));
    }

    /// True for files that are read as pictures.
    pub fn reads(path: &Path) -> bool {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        ENDINGS.contains(&ending.as_str())
    }

    pub fn open(&mut self, path: &Path, cx: &mut Cx<'_>) {
        let context = self.context.clone();
        let file = path.to_owned();
        let wake = move || {
            if let Some(context) = context {
                context.request_repaint();
            }
        };
        match self.reading.start(move |_| read_picture(&file), wake) {
            Ok(()) => self.path = Some(path.to_owned()),
            Err(error) => cx.fail(error),
        }
    }

    /// Takes in a picture that was read meanwhile.
    pub fn tick(&mut self, cx: &mut Cx<'_>) {
        if let Some(path) = self.to_read.take_if(|_| self.context.is_some()) {
            // What was moved away since the last session is no error of now.
            if path.is_file() {
                self.open(&path, cx);
            }
        }
        match self.reading.poll() {
            Some(Ok(picture)) => self.take(picture),
            Some(Err(error)) => {
                self.path = None;
                cx.fail(error);
            }
            None => {}
        }
    }

    /// The weights of a map over all tokens.
    fn weights(&mut self, key: MapKey, shown: &Shown) -> Option<Rc<Vec<f32>>> {
        if let Some((of, weights)) = &self.weights
            && *of == key
        {
            return Some(weights.clone());
        }
        let weights = Rc::new(weights_of(key, shown)?);
        self.weights = Some((key, weights.clone()));
        Some(weights)
    }
}

fn weights_of(key: MapKey, shown: &Shown) -> Option<Vec<f32>> {
    let tokens = shown.report.tokens.len();
    match key.source {
        Source::Head => {
            let pattern = shown.report.pattern(key.layer, key.head)?;
            Some(pattern[key.query * tokens..(key.query + 1) * tokens].to_vec())
        }
        Source::Layer => analysis::mean_of_heads(&shown.report, key.layer, shown.heads, key.query),
        Source::Rollout => analysis::rollout(&shown.report, shown.layers, shown.heads, key.query),
    }
}

/// What a token of a picture is called.
fn name_of(token: usize, report: &PictureReport) -> String {
    match token.checked_sub(report.special_tokens) {
        Some(patch) => format!("patch in row {}, column {}", patch / report.grid[1] + 1, patch % report.grid[1] + 1),
        None if token == 0 => "CLS".to_owned(),
        None => "DIST".to_owned(),
    }
}
