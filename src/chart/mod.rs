//! Figures for export: an attention heat map, lines between tokens, the heat maps of all heads, attention over a picture, heads
//! as points of a plane, a word in two texts, a text in other orders, the steps of a token, what layers would say, what a score is made of, maps of what was changed, learning curves, and curves of accuracy
//! against the number of examples, as SVG, PNG or CSV; and arrays of numbers.
//!
//! Must not know: the window, the engine, tensors. Everything is drawn through plotters' `DrawingBackend`, so that the
//! vector and the pixel version are the same drawing. What the live plot shares with the exported one (smoothing, ticks,
//! number format, the choice of lines, the envelope that keeps every spike) lives here too, so the two cannot disagree.

mod adapt;
mod arrays;
mod attribution;
mod contexts;
mod curve;
mod envelope;
mod head_grid;
mod heat_map;
mod ink;
mod kshot;
mod layer_map;
mod lens;
mod line_view;
mod lines;
mod losses;
mod marks;
mod memory;
mod overlay;
mod pace;
mod page;
mod scatter;
mod search;
mod sheet;
mod steps;
mod steps_lists;
mod steps_values;
mod table;
mod text;
mod ticks;
mod word_order;

pub use adapt::{AdaptFigure, adapt_figure};
pub use arrays::{Array, ArrayFormat, ArrayValues, arrays_file, npy_header};
pub use attribution::{AttributionFigure, attribution_arrays, attribution_figure};
pub use contexts::{ContextsFigure, contexts_arrays, contexts_figure};
pub use curve::curve_figure;
pub use envelope::envelope;
pub use head_grid::{HeadGridFigure, head_grid_figure};
pub use heat_map::{AttentionFigure, attention_figure};
pub use kshot::{KShotBand, KShotFigure, KShotMetric, KShotSeries, kshot_bands, kshot_figure, kshot_place};
pub use layer_map::{LayerMapCell, LayerMapFigure};
pub use lens::{LensFigure, lens_arrays, lens_figure};
pub use line_view::{LineFigure, line_figure};
pub use lines::{
    CurveFigure, CurveLevel, CurveLine, LineKind, Metric, RunCurve, RunMarks, StepSize, TimeAxis, curve_lines, smooth,
    spread_labels,
};
pub use losses::losses_table;
pub use marks::{Mark, curve_marks, left_out_words};
pub use memory::{MemoryCurve, memory_figure};
pub use overlay::{OverlayFigure, overlay_figure};
pub use pace::pace_figure;
pub use scatter::{ScatterFigure, ScatterPoint, scatter_figure};
pub use search::{
    patch_arrays, patch_columns, patch_figure, patch_map, patch_words, sweep_arrays, sweep_figure, sweep_map,
    sweep_words,
};
pub use sheet::png_pixels;
pub use steps::{StepsFigure, StepsPart, steps_figure};
pub use steps_values::steps_arrays;
pub use table::{HeadScores, answers_table, head_scores_table};
pub use text::visible;
pub use ticks::{Tick, linear_ticks, log_ticks, number, number_grouped};
pub use word_order::{WordOrderFigure, word_order_figure};

use crate::types::UserError;
use std::path::Path;

/// The file formats a figure can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Vector picture with real text.
    Svg,
    /// Pixel picture at two pixels a unit.
    Png,
    /// The numbers.
    Csv,
}

impl Format {
    /// All formats, in the order they are offered.
    pub const ALL: [Self; 3] = [Self::Svg, Self::Png, Self::Csv];

    /// The file name extension, without the dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Png => "png",
            Self::Csv => "csv",
        }
    }

    /// The name on a button.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Svg => "SVG",
            Self::Png => "PNG",
            Self::Csv => "CSV",
        }
    }

    /// The format a file name asks for.
    ///
    /// # Errors
    /// When the extension is none of `svg`, `png` and `csv`.
    pub fn from_path(path: &Path) -> Result<Self, ChartError> {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        Self::ALL
            .into_iter()
            .find(|f| f.extension() == extension)
            .ok_or_else(|| ChartError::UnknownFormat { name: path.display().to_string() })
    }
}

/// Why a figure could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// There is nothing to draw.
    #[error("there is nothing to draw: {0}")]
    Empty(&'static str),
    /// The numbers do not fit the labels.
    #[error("{tokens} tokens need a pattern of {expected} values, but it has {found}")]
    Shape {
        /// Number of tokens T.
        tokens: usize,
        /// T × T.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// The weights do not fit the picture's patches.
    #[error("{expected} patches need as many weights, but there are {found}")]
    Patches {
        /// Patches of the picture.
        expected: usize,
        /// Weights given.
        found: usize,
    },
    /// A value is NaN or infinite.
    #[error("value {index} is {value}, which no colour stands for")]
    NotFinite {
        /// Position in the row-major values.
        index: usize,
        /// The value.
        value: f32,
    },
    /// A table has more rows than anything opens.
    #[error("the table would have {rows} rows, and {most} are the most")]
    TooManyRows {
        /// Rows it would have.
        rows: usize,
        /// Rows it may have.
        most: usize,
    },
    /// The file name has no known extension.
    #[error("'{name}' ends in none of .svg, .png and .csv")]
    UnknownFormat {
        /// The name as given.
        name: String,
    },
    /// The drawing backend refused.
    #[error("drawing failed: {0}")]
    Draw(String),
    /// The picture or table could not be encoded.
    #[error("encoding failed: {0}")]
    Encode(String),
}

impl From<ChartError> for UserError {
    fn from(error: ChartError) -> Self {
        let why = error.to_string();
        let next = match error {
            ChartError::Empty(_) => "Let it run until it has a result, then draw it again.",
            ChartError::Shape { .. } => "Run the prompt again, so that tokens and pattern belong together.",
            ChartError::TooManyRows { .. } => "Export one head, or all heads as a picture, or take a shorter text.",
            ChartError::Patches { .. } => "Open the picture again, so that picture and attention belong together.",
            ChartError::NotFinite { .. } => "Look at the weights: a NaN in a model spreads to every later value.",
            ChartError::UnknownFormat { .. } => "Choose a file name that ends in .svg, .png or .csv.",
            ChartError::Draw(_) | ChartError::Encode(_) => "Try another format.",
        };
        Self::new("The figure could not be made.", why, next)
    }
}
