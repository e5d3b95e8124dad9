//! Attention over the patches of a picture as a figure.

use super::ink::{AXIS, MUTED, PAPER, TEXT};
use super::page::{CAPTION, MARGIN, TITLE, begin, caption, frame};
use super::sheet::{Align, Draw, Sheet, TextLook, picture};
use super::text::width;
use super::ticks::number;
use super::{ChartError, Format, table};
use crate::types::{ColorMap, Picture, ScaleCurve};
use image::{Rgb, RgbImage};
use plotters::prelude::{DrawingBackend, RGBColor};

/// Weights laid over a picture, one for each patch it is cut into.
#[derive(Clone, Debug)]
pub struct OverlayFigure<'a> {
    /// What it shows, such as `vit, layer 3, head 5`.
    pub title: String,
    /// A line below the title: whose weights they are.
    pub caption: String,
    /// The picture as the model saw it.
    pub picture: &'a Picture,
    /// Rows and columns of patches.
    pub grid: [usize; 2],
    /// Names and weights of the tokens before the first patch, which have no place in the picture; for the table.
    pub special: Vec<(String, f32)>,
    /// The weights of the patches, row by row.
    pub weights: &'a [f32],
    /// The patch that looks, outlined.
    pub query: Option<usize>,
    /// Colours of the weights, the largest taking the upper end.
    pub map: ColorMap,
    /// How a weight's share of the largest becomes a place on the scale.
    pub curve: ScaleCurve,
    /// How much the weights cover the picture, in `0..=1`.
    pub strength: f32,
}

/// Draws or writes weights over a picture.
///
/// # Errors
/// [`ChartError::Empty`] without a picture, [`ChartError::Patches`] when weights and grid do not fit,
/// [`ChartError::NotFinite`] for a value no colour stands for, and the encoders' own.
pub fn overlay_figure(figure: &OverlayFigure<'_>, format: Format) -> Result<Vec<u8>, ChartError> {
    let seen = figure.picture;
    if seen.width * seen.height == 0 || seen.rgb.len() != 3 * seen.width * seen.height {
        return Err(ChartError::Empty("there is no picture"));
    }
    let expected = figure.grid[0] * figure.grid[1];
    if figure.weights.len() != expected || expected == 0 {
        return Err(ChartError::Patches { expected, found: figure.weights.len() });
    }
    if let Some((index, value)) = figure.weights.iter().enumerate().find(|(_, w)| !w.is_finite()) {
        return Err(ChartError::NotFinite { index, value: *value });
    }
    if format == Format::Csv {
        return table::overlay_table(&figure.special, figure.weights, figure.grid[1]);
    }
    picture(&Overlay::new(figure), format)
}

/// The longer side of the picture, at most; a unit is half a pixel of a PNG.
const SIDE: f64 = 480.0;
const TOP: f64 = MARGIN + TITLE + 8.0 + CAPTION + 12.0;
const LEGEND_WIDTH: f64 = 12.0;
const LEGEND_HEIGHT: f64 = 160.0;
/// Places on the scale that have a number.
const MARKS: [f64; 4] = [0.0, 0.25, 0.5, 1.0];

/// A figure with its layout.
struct Overlay<'a> {
    figure: &'a OverlayFigure<'a>,
    /// Largest weight.
    most: f32,
    /// Units a pixel of the picture.
    pixel: f64,
}

impl<'a> Overlay<'a> {
    fn new(figure: &'a OverlayFigure<'a>) -> Self {
        let longer = figure.picture.width.max(figure.picture.height) as f64;
        // Quarters of a unit lie on the fine raster, so that all pixels are of one size.
        let pixel = (4.0 * SIDE / longer).floor().max(1.0) / 4.0;
        let most = figure.weights.iter().fold(f32::MIN_POSITIVE, |most, w| most.max(*w));
        Self { figure, most, pixel }
    }

    fn sides(&self) -> (f64, f64) {
        (self.figure.picture.width as f64 * self.pixel, self.figure.picture.height as f64 * self.pixel)
    }

    /// The place of a weight on the scale, in `0..=1`.
    fn place(&self, weight: f32) -> f32 {
        self.figure.curve.place(weight / self.most)
    }

    /// The weight at a place of the scale.
    fn weight(&self, place: f64) -> f64 {
        f64::from(self.most * self.figure.curve.share_at(place as f32))
    }

    /// The picture with the weights over it.
    fn covered(&self) -> RgbImage {
        let Picture { width, height, rgb } = self.figure.picture;
        let [rows, columns] = self.figure.grid;
        RgbImage::from_fn(*width as u32, *height as u32, |x, y| {
            let (x, y) = (x as usize, y as usize);
            let patch = (y * rows / height) * columns + x * columns / width;
            let (colour, covering) = self.figure.map.cover(self.place(self.figure.weights[patch]));
            let share = covering * self.figure.strength.clamp(0.0, 1.0);
            let seen = &rgb[3 * (y * width + x)..][..3];
            Rgb([0, 1, 2].map(|i| (f32::from(seen[i]) * (1.0 - share) + f32::from(colour[i]) * share).round() as u8))
        })
    }

    fn legend_on<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        let (x, steps) = (MARGIN + self.sides().0 + 24.0, 128);
        for step in 0..steps {
            let place = (f64::from(step) + 0.5) / f64::from(steps);
            let y = TOP + (1.0 - (f64::from(step) + 1.0) / f64::from(steps)) * LEGEND_HEIGHT;
            let [r, g, b] = self.figure.map.at(place as f32);
            sheet.rect(x, y, LEGEND_WIDTH, LEGEND_HEIGHT / f64::from(steps), RGBColor(r, g, b))?;
        }
        frame(sheet, x, TOP, LEGEND_WIDTH, LEGEND_HEIGHT)?;
        let look = TextLook { size: CAPTION, bold: false, color: TEXT, align: Align::Start, upward: false };
        for place in MARKS {
            let y = TOP + (1.0 - place) * LEGEND_HEIGHT;
            sheet.line(&[[x + LEGEND_WIDTH, y], [x + LEGEND_WIDTH + 3.0, y]], 0.8, AXIS, 1.0)?;
            sheet.text(&number(self.weight(place)), x + LEGEND_WIDTH + 6.0, y, look)?;
        }
        sheet.text("attention", x, TOP - 8.0 - CAPTION / 2.0, TextLook { color: MUTED, ..look })
    }

    /// White with a dark line at either side, so that it is seen on any picture.
    fn outline<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>, patch: usize) -> Result<(), ChartError> {
        let [rows, columns] = self.figure.grid;
        let (width, height) = (self.sides().0 / columns as f64, self.sides().1 / rows as f64);
        let (x, y) = (MARGIN + (patch % columns) as f64 * width, TOP + (patch / columns) as f64 * height);
        let corners = [[x, y], [x + width, y], [x + width, y + height], [x, y + height], [x, y]];
        sheet.line(&corners, 3.0, TEXT, 1.0)?;
        sheet.line(&corners, 1.5, PAPER, 1.0)
    }
}

impl Draw for Overlay<'_> {
    fn size(&self) -> (u32, u32) {
        let marks = MARKS.map(|place| width(&number(self.weight(place)), CAPTION, false));
        let marks =
            marks.into_iter().fold(width("attention", CAPTION, false), |most, w| most.max(w + LEGEND_WIDTH + 6.0));
        let right = MARGIN + self.sides().0 + 24.0 + marks + MARGIN;
        let words = width(&self.figure.title, TITLE, true).max(width(&self.figure.caption, CAPTION, false));
        let bottom = TOP + self.sides().1.max(LEGEND_HEIGHT) + MARGIN;
        (right.max(words + 2.0 * MARGIN).ceil() as u32, bottom.ceil() as u32)
    }

    fn description(&self) -> (String, String) {
        let [rows, columns] = self.figure.grid;
        let strongest = (0..self.figure.weights.len()).max_by(|a, b| {
            let weight = |patch: &usize| self.figure.weights[*patch];
            weight(a).total_cmp(&weight(b))
        });
        let strongest = strongest.map_or_else(String::new, |patch| {
            let weight = number(f64::from(self.figure.weights[patch]));
            format!(" The strongest: row {}, column {} with {weight}.", patch / columns + 1, patch % columns + 1)
        });
        let words =
            format!("Attention over {rows} × {columns} patches of a picture, {}.{strongest}", self.figure.caption);
        (self.figure.title.clone(), words)
    }

    fn draw<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError> {
        let (width, height) = self.size();
        begin(sheet, (f64::from(width), f64::from(height)), &self.figure.title)?;
        caption(sheet, &self.figure.caption)?;
        sheet.picture(MARGIN, TOP, self.pixel, &self.covered())?;
        frame(sheet, MARGIN, TOP, self.sides().0, self.sides().1)?;
        if let Some(patch) = self.figure.query.filter(|patch| *patch < self.figure.weights.len()) {
            self.outline(sheet, patch)?;
        }
        self.legend_on(sheet)
    }
}

#[cfg(test)]
#[path = "overlay_tests.rs"]
mod tests;
