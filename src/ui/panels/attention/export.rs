//! What leaves the panel for a file: the view that is shown as a picture or a table, patterns as arrays.

use super::contexts::Contexts;
use super::look::Colours;
use super::plane::Plane;
use super::tokens::TokensView;
use super::ways::Way;
use super::{Shown, lines, steps};
use crate::chart::{
    Array, ArrayFormat, ArrayValues, AttentionFigure, AttributionFigure, ChartError, ContextsFigure, Format,
    HeadGridFigure, LensFigure, LineFigure, StepsFigure, WordOrderFigure, arrays_file, attention_figure,
    attribution_figure, contexts_figure, head_grid_figure, lens_figure, line_figure, steps_figure, word_order_figure,
};
use crate::types::{InspectReport, PromptToken, Site, UserError, excerpt};
use crate::ui::Cx;
use crate::ui::files::FileRequest;
use std::path::Path;
use std::sync::Arc;

/// How much of a report is written into a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// What the stage shows.
    View,
    AllHeads,
}

/// What kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Figure(Format),
    Arrays(ArrayFormat),
}

impl Kind {
    pub const ALL: [Self; 5] = [
        Self::Figure(Format::Svg),
        Self::Figure(Format::Png),
        Self::Figure(Format::Csv),
        Self::Arrays(ArrayFormat::Npz),
        Self::Arrays(ArrayFormat::Safetensors),
    ];

    /// What the view can be written as: pictures, a table and arrays; of the atlas and of word order no arrays.
    pub fn of_view(way: Way) -> Vec<Self> {
        let offered = |kind: &Self| match way {
            Way::Map | Way::Lines | Way::Steps | Way::Contexts | Way::Layers | Way::Parts | Way::Causes => true,
            Way::Atlas | Way::Order => matches!(kind, Self::Figure(_)),
        };
        Self::ALL.into_iter().filter(offered).collect()
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Figure(format) => format.name(),
            Self::Arrays(format) => format.name(),
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Figure(format) => format.extension(),
            Self::Arrays(format) => format.extension(),
        }
    }
}

/// What can be exported: the palette's id, what, and how.
pub(super) const EXPORTS: [(&str, Extent, Kind); 10] = [
    ("export-svg", Extent::View, Kind::Figure(Format::Svg)),
    ("export-png", Extent::View, Kind::Figure(Format::Png)),
    ("export-csv", Extent::View, Kind::Figure(Format::Csv)),
    ("export-npz", Extent::View, Kind::Arrays(ArrayFormat::Npz)),
    ("export-safetensors", Extent::View, Kind::Arrays(ArrayFormat::Safetensors)),
    ("export-all-svg", Extent::AllHeads, Kind::Figure(Format::Svg)),
    ("export-all-png", Extent::AllHeads, Kind::Figure(Format::Png)),
    ("export-all-csv", Extent::AllHeads, Kind::Figure(Format::Csv)),
    ("export-all-npz", Extent::AllHeads, Kind::Arrays(ArrayFormat::Npz)),
    ("export-all-safetensors", Extent::AllHeads, Kind::Arrays(ArrayFormat::Safetensors)),
];

/// Of which model and prompt something is.
pub(super) struct About {
    pub model: String,
    pub prompt: String,
}

impl About {
    pub fn of(cx: &Cx<'_>, shown: &Shown) -> Self {
        let made = cx.state.job(shown.job).and_then(|job| job.made.as_ref());
        let model = made.map_or_else(|| "model".to_owned(), |made| made.model.clone());
        let prompt = match &shown.report.picture {
            Some(picture) => format!("a picture of {} × {} patches", picture.grid[0], picture.grid[1]),
            None => excerpt(&shown.report.tokens),
        };
        Self { model, prompt }
    }

    /// The same as pairs, with what is shown of it.
    pub fn pairs(&self, what: &str, tokens: &[PromptToken]) -> Vec<(String, String)> {
        let text: String = tokens.iter().map(|token| token.text.as_str()).collect();
        let pairs = [("model", self.model.as_str()), ("prompt", &text), ("what", what)];
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec()
    }
}

/// Asks where to, then makes a file of this kind and writes it on the dialog's thread.
pub(super) fn save(
    cx: &mut Cx<'_>,
    kind: Kind,
    name: &str,
    make: impl FnOnce(Kind) -> Result<Vec<u8>, ChartError> + Send + 'static,
) {
    let file = format!("{name}.{}", kind.extension());
    let request = FileRequest::save(format!("Export {}", kind.name()), file).filter(kind.name(), &[kind.extension()]);
    cx.save_as(request, move |path| write(path, &make(kind).map_err(UserError::from)?));
}

/// Asks where to, then draws and writes on the dialog's thread.
pub(super) fn view(view: &TokensView, colours: &Colours, cx: &mut Cx<'_>, shown: &Shown, kind: Kind) {
    let Some(plane) = view.planes.last().filter(|plane| plane.key.job == shown.job) else { return };
    let (about, what) = (About::of(cx, shown), plane.title());
    let file = format!("attention-{}-{}", about.model, slug(&what));
    match kind {
        Kind::Figure(format) => {
            let picture = Picture::of(view, colours, plane, &about, cx.selection.token);
            save(cx, kind, &file, move |_| picture.draw(format));
        }
        Kind::Arrays(format) => {
            let (values, side) = (plane.values().to_vec(), plane.side());
            let spans: Vec<i64> = plane.units.iter().map(|unit| unit.tokens.start as i64).collect();
            let (pairs, ids) = (about.pairs(&what, &shown.report.tokens), ids(&shown.report));
            save(cx, kind, &file, move |_| {
                let arrays = [
                    Array { name: "values".into(), shape: vec![side, side], values: ArrayValues::Floats(&values) },
                    Array { name: "first_tokens".into(), shape: vec![side], values: ArrayValues::Integers(&spans) },
                    Array { name: "ids".into(), shape: vec![ids.len()], values: ArrayValues::Integers(&ids) },
                ];
                arrays_file(&arrays, &pairs, format)
            });
        }
    }
}

/// The same for the weights of all heads at once.
pub(super) fn all_heads(colours: &Colours, cx: &mut Cx<'_>, shown: &Shown, kind: Kind) {
    let about = About::of(cx, shown);
    let file = format!("attention-{}-all-heads.{}", about.model, kind.extension());
    let title = format!("Export all heads as {}", kind.name());
    let request = FileRequest::save(title, file).filter(kind.name(), &[kind.extension()]);
    let report = Arc::clone(&shown.report);
    match kind {
        Kind::Figure(format) => {
            let (title, caption) = (format!("{}, all heads", about.model), about.prompt);
            let (map, scale, layers, heads) = (colours.map, colours.scale, shown.layers, shown.heads);
            cx.save_as(request, move |path| {
                let row = |layer| (0..heads).map(|head| report.pattern(layer, head)).collect();
                let tokens = report.tokens.iter().map(|t| t.text.clone()).collect();
                let layers = (0..layers).map(row).collect();
                let figure = HeadGridFigure { title, caption, tokens, layers, map, scale };
                write(path, &head_grid_figure(&figure, format).map_err(UserError::from)?)
            });
        }
        Kind::Arrays(format) => {
            let pairs = about.pairs("all heads", &report.tokens);
            cx.save_as(request, move |path| {
                let ids = ids(&report);
                let patterns = report.captures.iter().filter(|capture| matches!(capture.site, Site::Pattern(_)));
                let mut arrays: Vec<Array<'_>> = patterns
                    .map(|capture| Array {
                        name: capture.site.to_string(),
                        shape: capture.shape.clone(),
                        values: ArrayValues::Floats(&capture.values),
                    })
                    .collect();
                arrays.push(Array { name: "ids".into(), shape: vec![ids.len()], values: ArrayValues::Integers(&ids) });
                write(path, &arrays_file(&arrays, &pairs, format).map_err(UserError::from)?)
            });
        }
    }
}

fn ids(report: &InspectReport) -> Vec<i64> {
    report.tokens.iter().map(|token| i64::from(token.id)).collect()
}

/// What is on show, owned, so that another thread can draw it.
pub(super) enum Picture {
    Map { figure: AttentionFigure<'static>, values: Vec<f32> },
    Lines(LineFigure),
    Steps(StepsFigure),
    Contexts(ContextsFigure),
    Order(WordOrderFigure),
    Layers(LensFigure),
    Parts(AttributionFigure),
    Causes(super::causes::Drawing),
}

impl Picture {
    /// True where a view can be copied as a picture.
    pub fn is_of(way: Way) -> bool {
        match way {
            Way::Map
            | Way::Lines
            | Way::Steps
            | Way::Contexts
            | Way::Order
            | Way::Layers
            | Way::Parts
            | Way::Causes => true,
            Way::Atlas => false,
        }
    }

    /// What is on show, if it is of this report.
    pub fn shown(
        view: &TokensView,
        contexts: &Contexts,
        colours: &Colours,
        cx: &Cx<'_>,
        shown: &Shown,
    ) -> Option<Self> {
        let about = About::of(cx, shown);
        match view.way {
            Way::Steps => steps::figure(&view.steps, cx, &about).map(Self::Steps),
            Way::Contexts => contexts.figure(cx).map(Self::Contexts),
            Way::Order => view.order.figure(cx, shown).map(Self::Order),
            Way::Layers => view.layers.figure(colours, cx, &about).map(Self::Layers),
            Way::Parts => view.parts.figure(colours, cx, &about).map(Self::Parts),
            Way::Causes => view.causes.figure(cx, &about).map(Self::Causes),
            Way::Map | Way::Lines | Way::Atlas => {
                let plane = view.planes.last().filter(|plane| plane.key.job == shown.job)?;
                Some(Self::of(view, colours, plane, &about, cx.selection.token))
            }
        }
    }

    fn of(view: &TokensView, colours: &Colours, plane: &Plane, about: &About, selected: Option<usize>) -> Self {
        let (title, map) = (format!("{}, {}", about.model, plane.title()), colours.map);
        let tokens = plane.units.iter().map(|unit| unit.name.clone()).collect();
        match view.way {
            Way::Lines => {
                let end = plane.largest;
                let caption = format!("{}; lines from {} on", about.prompt, plane.number(view.lines.least * end));
                Self::Lines(LineFigure { title, caption, tokens, lines: lines::shown(view, plane, selected), end, map })
            }
            _ => {
                let said = plane.said.as_ref().map_or_else(String::new, |said| format!("; {said}"));
                let (scale, caption) = (plane.scale(colours.scale), format!("{}{said}", about.prompt));
                let figure = AttentionFigure { title, caption, tokens, pattern: &[], map, scale };
                Self::Map { figure, values: plane.values().to_vec() }
            }
        }
    }

    /// Draws it.
    pub fn draw(&self, format: Format) -> Result<Vec<u8>, ChartError> {
        match self {
            Self::Map { figure, values } => {
                attention_figure(&AttentionFigure { pattern: values, ..figure.clone() }, format)
            }
            Self::Lines(figure) => line_figure(figure, format),
            Self::Steps(figure) => steps_figure(figure, format),
            Self::Contexts(figure) => contexts_figure(figure, format),
            Self::Order(figure) => word_order_figure(figure, format),
            Self::Layers(figure) => lens_figure(figure, format),
            Self::Parts(figure) => attribution_figure(figure, format),
            Self::Causes(drawing) => drawing.draw(format),
        }
    }
}

/// Words as a part of a file's name.
pub(super) fn slug(words: &str) -> String {
    let letters = words.chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect::<String>();
    letters.split_whitespace().collect::<Vec<_>>().join("-")
}

/// Writes a file.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), UserError> {
    crate::disk::write(path, bytes).map_err(|e| {
        UserError::new(
            format!("{} could not be written.", path.display()),
            e.to_string(),
            "Choose a folder you may write to, with enough room.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_offered_that_the_view_is_not() {
        for way in [Way::Map, Way::Lines, Way::Steps, Way::Contexts, Way::Layers, Way::Parts, Way::Causes] {
            assert_eq!(Kind::of_view(way), Kind::ALL, "{way:?}");
        }
        assert_eq!(Kind::of_view(Way::Order), Format::ALL.map(Kind::Figure));
        assert!(Kind::of_view(Way::Atlas).iter().all(|kind| matches!(kind, Kind::Figure(_))));
    }

    #[test]
    fn what_is_shown_becomes_a_part_of_a_file_s_name() {
        assert_eq!(slug("layer 3 · head 5"), "layer-3-head-5");
        assert_eq!(slug("rollout of all layers · lengths"), "rollout-of-all-layers-lengths");
    }
}
