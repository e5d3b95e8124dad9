//! A page to draw on: the same calls give vector or pixels.
//!
//! plotters places everything on whole units. A page has finer ones than the figure (ten a unit in SVG, four in PNG), so
//! curves stay smooth; the PNG is then averaged down to two pixels a unit, which also smooths its edges.

use super::text::{RASTER_EM, font, for_pixels};
use super::{ChartError, Format};
use plotters::prelude::{BitMapBackend, Color, DrawingBackend, RGBColor, SVGBackend};
use plotters::style::TextStyle;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Page units a figure unit.
const VECTOR_FINENESS: u32 = 10;
const RASTER_FINENESS: u32 = 4;
/// Pixels a figure unit in a PNG.
const RASTER_SCALE: u32 = 2;
/// plotters writes an SVG font size as its own size over this.
const VECTOR_EM: f64 = 1.24;

/// Where a line of text stands relative to its point.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    /// Starts at the point.
    Start,
    /// Centred on the point.
    Middle,
    /// Ends at the point.
    End,
}

/// How a line of text looks.
#[derive(Clone, Copy)]
pub(super) struct TextLook {
    pub size: f64,
    pub bold: bool,
    pub color: RGBColor,
    pub align: Align,
    /// Runs from bottom to top.
    pub upward: bool,
}

/// Something that can be drawn on a page of any kind.
pub(super) trait Draw {
    /// Width and height in figure units.
    fn size(&self) -> (u32, u32);
    /// What the figure shows, for those who do not see it.
    fn description(&self) -> (String, String);
    /// Draws it.
    fn draw<B: DrawingBackend>(&self, sheet: &mut Sheet<'_, B>) -> Result<(), ChartError>;
}

/// A page and the number of its units in one figure unit.
pub(super) struct Sheet<'a, B> {
    backend: &'a mut B,
    fineness: u32,
    vector: bool,
}

impl<B: DrawingBackend> Sheet<'_, B> {
    fn at(&self, x: f64, y: f64) -> (i32, i32) {
        let fine = f64::from(self.fineness);
        ((x * fine).round() as i32, (y * fine).round() as i32)
    }

    /// A filled rectangle.
    pub fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, color: RGBColor) -> Result<(), ChartError> {
        let (x0, y0) = self.at(x, y);
        let (mut x1, mut y1) = self.at(x + width, y + height);
        if !self.vector {
            // Pixels include their last row and column, vectors end at it.
            (x1, y1) = ((x1 - 1).max(x0), (y1 - 1).max(y0));
        }
        self.backend.draw_rect((x0, y0), (x1, y1), &color.filled(), true).map_err(drawing)
    }

    /// A line through `points`, `width` units thick, with `alpha` opacity.
    pub fn line(&mut self, points: &[[f64; 2]], width: f64, color: RGBColor, alpha: f64) -> Result<(), ChartError> {
        let mut path: Vec<_> = points.iter().map(|p| self.at(p[0], p[1])).collect();
        path.dedup();
        if path.len() < 2 {
            return Ok(());
        }
        let stroke = (width * f64::from(self.fineness)).round().max(1.0) as u32;
        self.backend.draw_path(path, &color.mix(alpha).stroke_width(stroke)).map_err(drawing)
    }

    /// A filled dot.
    pub fn dot(&mut self, x: f64, y: f64, radius: f64, color: RGBColor) -> Result<(), ChartError> {
        let at = self.at(x, y);
        let radius = (radius * f64::from(self.fineness)).round() as u32;
        self.backend.draw_circle(at, radius, &color.filled(), true).map_err(drawing)
    }

    /// A line of text, centred on `y` by the height of its digits (on `x` when it runs upward).
    pub fn text(&mut self, text: &str, x: f64, y: f64, look: TextLook) -> Result<(), ChartError> {
        let horizontal = match look.align {
            Align::Start => HPos::Left,
            Align::Middle => HPos::Center,
            Align::End => HPos::Right,
        };
        let em = look.size;
        // Digits and capitals of Noto Sans are 0.714 em high: the baseline belongs half of that below the middle.
        let baseline = 0.357 * em;
        let (size, anchor, shift) = if self.vector {
            // plotters puts the baseline half an ex (0.268 em) below the middle.
            (em * VECTOR_EM, VPos::Center, baseline - 0.268 * em)
        } else {
            // plotters puts the baseline half the font's height below the top.
            (em * RASTER_EM, VPos::Top, baseline - em * RASTER_EM / 2.0)
        };
        let mut face = font(size * f64::from(self.fineness), look.bold);
        let (dx, dy) = if look.upward { (shift, 0.0) } else { (0.0, shift) };
        if look.upward {
            face = face.transform(plotters::style::FontTransform::Rotate270);
        }
        let style = TextStyle::from(face).color(&look.color).pos(Pos::new(horizontal, anchor));
        let at = self.at(x + dx, y + dy);
        let text = if self.vector { text.to_owned() } else { for_pixels(text) };
        self.backend.draw_text(&text, &style, at).map_err(drawing)
    }
}

fn drawing<E: std::fmt::Display>(error: E) -> ChartError {
    ChartError::Draw(error.to_string())
}

/// Draws a figure as a picture.
pub(super) fn picture(figure: &impl Draw, format: Format) -> Result<Vec<u8>, ChartError> {
    match format {
        Format::Svg => vector(figure),
        Format::Png | Format::Csv => pixels(figure),
    }
}

fn vector(figure: &impl Draw) -> Result<Vec<u8>, ChartError> {
    let (width, height) = figure.size();
    let (fine_width, fine_height) = (width * VECTOR_FINENESS, height * VECTOR_FINENESS);
    let mut drawn = String::new();
    {
        let mut backend = SVGBackend::with_string(&mut drawn, (fine_width, fine_height));
        figure.draw(&mut Sheet { backend: &mut backend, fineness: VECTOR_FINENESS, vector: true })?;
        backend.present().map_err(drawing)?;
    }
    // plotters gives the page its fine size; it should be shown at the figure's size and say what it is.
    let body = drawn.split_once('>').map_or("", |(_, body)| body);
    // Neighbouring cells share an edge exactly; smoothed edges would let the paper shine through.
    let body = body.replace("<rect ", "<rect shape-rendering=\"crispEdges\" ");
    let (title, description) = figure.description();
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {fine_width} {fine_height}\" role=\"img\">\n<title>{}</title>\n<desc>{}</desc>{body}",
        escaped(&title),
        escaped(&description),
    );
    Ok(svg.into_bytes())
}

fn pixels(figure: &impl Draw) -> Result<Vec<u8>, ChartError> {
    let (width, height) = figure.size();
    let (fine_width, fine_height) = (width * RASTER_FINENESS, height * RASTER_FINENESS);
    let mut buffer = vec![0; fine_width as usize * fine_height as usize * 3];
    {
        let mut backend = BitMapBackend::with_buffer(&mut buffer, (fine_width, fine_height));
        figure.draw(&mut Sheet { backend: &mut backend, fineness: RASTER_FINENESS, vector: false })?;
        backend.present().map_err(drawing)?;
    }
    let small = averaged(&buffer, fine_width as usize, (RASTER_FINENESS / RASTER_SCALE) as usize);
    let image = image::RgbImage::from_raw(width * RASTER_SCALE, height * RASTER_SCALE, small)
        .ok_or_else(|| ChartError::Encode("the picture has the wrong size".to_owned()))?;
    let mut png = std::io::Cursor::new(Vec::new());
    image.write_to(&mut png, image::ImageFormat::Png).map_err(|e| ChartError::Encode(e.to_string()))?;
    Ok(png.into_inner())
}

/// Each `block` × `block` pixels of an RGB picture averaged to one.
fn averaged(pixels: &[u8], width: usize, block: usize) -> Vec<u8> {
    let row_bytes = width * 3;
    let area = (block * block) as u32;
    let mut out = Vec::with_capacity(pixels.len() / (block * block));
    for rows in pixels.chunks_exact(row_bytes * block) {
        for x in (0..width).step_by(block) {
            for channel in 0..3 {
                let sum: u32 = (0..block)
                    .flat_map(|dy| (0..block).map(move |dx| (dx, dy)))
                    .map(|(dx, dy)| u32::from(rows[dy * row_bytes + (x + dx) * 3 + channel]))
                    .sum();
                out.push(((sum + area / 2) / area) as u8);
            }
        }
    }
    out
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            c => out.push(c),
        }
        out
    })
}
