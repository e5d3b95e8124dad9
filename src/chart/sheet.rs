//! A page to draw on: the same calls give vector or pixels.
//!
//! plotters places everything on whole units. A page has finer ones than the figure (ten a unit in SVG, four in PNG), so
//! curves stay smooth; the PNG is then averaged down to two pixels a unit, which also smooths its edges.

use super::ink::PAPER;
use super::text::{RASTER_EM, font, for_pixels};
use super::{ChartError, Format};
use image::RgbImage;
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

/// A figure that was written as PNG, as width and height and a row-major sequence of red, green and blue: for the clipboard.
///
/// # Errors
/// [`ChartError::Encode`] for what is no PNG.
pub fn png_pixels(png: &[u8]) -> Result<([usize; 2], Vec<u8>), ChartError> {
    let image = image::load_from_memory(png).map_err(|error| ChartError::Encode(error.to_string()))?.to_rgb8();
    Ok(([image.width() as usize, image.height() as usize], image.into_raw()))
}

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
    /// Elements of a vector page that plotters cannot write. They lie on the paper, below everything else.
    beneath: String,
}

impl<B: DrawingBackend> Sheet<'_, B> {
    fn at(&self, x: f64, y: f64) -> (i32, i32) {
        let fine = f64::from(self.fineness);
        ((x * fine).round() as i32, (y * fine).round() as i32)
    }

    /// A filled rectangle.
    pub fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, color: RGBColor) -> Result<(), ChartError> {
        let (from, to) = (self.at(x, y), self.at(x + width, y + height));
        self.backend.draw_rect(from, to, &color.filled(), true).map_err(drawing)
    }

    /// A picture whose pixels are `pixel` units wide and high, on the bare paper.
    pub fn picture(&mut self, x: f64, y: f64, pixel: f64, picture: &RgbImage) -> Result<(), ChartError> {
        if !self.vector {
            for (column, row, colour) in picture.enumerate_pixels() {
                let [r, g, b] = colour.0;
                let (x, y) = (x + f64::from(column) * pixel, y + f64::from(row) * pixel);
                self.rect(x, y, pixel, pixel, RGBColor(r, g, b))?;
            }
            return Ok(());
        }
        // Whatever shows the page smooths pictures it enlarges, and would blur the borders of patches.
        let scale = (pixel * f64::from(RASTER_SCALE)).ceil().max(1.0) as u32;
        let size = [picture.width() * scale, picture.height() * scale];
        let large = RgbImage::from_fn(size[0], size[1], |x, y| *picture.get_pixel(x / scale, y / scale));
        let fine = pixel * f64::from(self.fineness);
        let place = self.at(x, y);
        self.beneath.push_str(&format!(
            "\n<image x=\"{}\" y=\"{}\" width=\"{:.0}\" height=\"{:.0}\" href=\"data:image/png;base64,{}\"/>",
            place.0,
            place.1,
            f64::from(picture.width()) * fine,
            f64::from(picture.height()) * fine,
            base64(&png(&large)?),
        ));
        Ok(())
    }

    /// A line through `points`, `width` units thick, as if drawn with `alpha` opacity on bare paper.
    pub fn line(&mut self, points: &[[f64; 2]], width: f64, color: RGBColor, alpha: f64) -> Result<(), ChartError> {
        let mut path: Vec<_> = points.iter().map(|p| self.at(p[0], p[1])).collect();
        path.dedup();
        if path.len() < 2 {
            return Ok(());
        }
        let stroke = (width * f64::from(self.fineness)).round().max(1.0) as u32;
        if self.vector {
            return self.backend.draw_path(path, &color.mix(alpha).stroke_width(stroke)).map_err(drawing);
        }
        // plotters' own wide pixel lines have joints that shoot out at sharp turns: draw each piece with round ends. They
        // overlap, so the colour is mixed beforehand.
        let color = faded(color, alpha);
        for ends in path.windows(2) {
            self.piece(ends[0], ends[1], stroke, color)?;
        }
        Ok(())
    }

    /// The area inside `points`, seen through with `alpha` opacity.
    pub fn area(&mut self, points: &[[f64; 2]], color: RGBColor, alpha: f64) -> Result<(), ChartError> {
        let corners: Vec<_> = points.iter().map(|p| self.at(p[0], p[1])).collect();
        self.backend.fill_polygon(corners, &color.mix(alpha).filled()).map_err(drawing)
    }

    /// A dashed line through `points`.
    pub fn dashed(&mut self, points: &[[f64; 2]], width: f64, color: RGBColor) -> Result<(), ChartError> {
        for dash in dashes(points, 5.0, 3.5) {
            self.line(&dash, width, color, 1.0)?;
        }
        Ok(())
    }

    fn piece(&mut self, from: (i32, i32), to: (i32, i32), stroke: u32, color: RGBColor) -> Result<(), ChartError> {
        let (dx, dy) = (f64::from(to.0 - from.0), f64::from(to.1 - from.1));
        let length = dx.hypot(dy);
        let half = f64::from(stroke) / 2.0;
        let (nx, ny) = (-dy / length * half, dx / length * half);
        let corner = |(x, y): (i32, i32), side: f64| {
            ((f64::from(x) + nx * side).round() as i32, (f64::from(y) + ny * side).round() as i32)
        };
        let corners = [corner(from, 1.0), corner(to, 1.0), corner(to, -1.0), corner(from, -1.0)];
        self.backend.fill_polygon(corners, &color.filled()).map_err(drawing)?;
        let radius = (half - 0.5).round() as u32;
        if radius > 0 {
            for end in [from, to] {
                self.backend.draw_circle(end, radius, &color.filled(), true).map_err(drawing)?;
            }
        }
        Ok(())
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

fn faded(color: RGBColor, alpha: f64) -> RGBColor {
    let mix =
        |channel: u8, paper: u8| (f64::from(paper) + (f64::from(channel) - f64::from(paper)) * alpha).round() as u8;
    RGBColor(mix(color.0, PAPER.0), mix(color.1, PAPER.1), mix(color.2, PAPER.2))
}

/// The pieces of a line that are drawn when it is dashed: `on` units drawn, `off` left out, and so on.
pub(super) fn dashes(points: &[[f64; 2]], on: f64, off: f64) -> Vec<Vec<[f64; 2]>> {
    let mut dashes = Vec::new();
    let mut dash: Vec<[f64; 2]> = points.first().copied().into_iter().collect();
    let mut drawn = true;
    let mut left = on;
    for ends in points.windows(2) {
        let ([mut x, mut y], to) = (ends[0], ends[1]);
        loop {
            let rest = (to[0] - x).hypot(to[1] - y);
            if rest < left {
                left -= rest;
                if drawn {
                    dash.push(to);
                }
                break;
            }
            x += (to[0] - x) / rest * left;
            y += (to[1] - y) / rest * left;
            if drawn {
                dash.push([x, y]);
                dashes.push(std::mem::take(&mut dash));
            } else {
                dash.push([x, y]);
            }
            drawn = !drawn;
            left = if drawn { on } else { off };
        }
    }
    if dash.len() > 1 {
        dashes.push(dash);
    }
    dashes
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
    let beneath = {
        let mut backend = SVGBackend::with_string(&mut drawn, (fine_width, fine_height));
        let (fineness, beneath) = (VECTOR_FINENESS, String::new());
        let mut sheet = Sheet { backend: &mut backend, fineness, vector: true, beneath };
        figure.draw(&mut sheet)?;
        let beneath = sheet.beneath;
        backend.present().map_err(drawing)?;
        beneath
    };
    // plotters gives the page its fine size; it should be shown at the figure's size and say what it is.
    let body = drawn.split_once('>').map_or("", |(_, body)| body);
    // Every figure begins with its paper.
    let (paper, body) = body.split_once("/>").unwrap_or((body, ""));
    let body = format!("{paper}/>{beneath}{body}");
    // Neighbouring cells share an edge exactly; smoothed edges would let the paper shine through.
    let body = body.replace("<rect ", "<rect shape-rendering=\"crispEdges\" ");
    let (title, description) = figure.description();
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {fine_width} {fine_height}\" stroke-linejoin=\"round\" role=\"img\">\n<title>{}</title>\n<desc>{}</desc>{body}",
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
        let (fineness, beneath) = (RASTER_FINENESS, String::new());
        figure.draw(&mut Sheet { backend: &mut backend, fineness, vector: false, beneath })?;
        backend.present().map_err(drawing)?;
    }
    let small = averaged(&buffer, fine_width as usize, (RASTER_FINENESS / RASTER_SCALE) as usize);
    let image = RgbImage::from_raw(width * RASTER_SCALE, height * RASTER_SCALE, small)
        .ok_or_else(|| ChartError::Encode("the picture has the wrong size".to_owned()))?;
    png(&image)
}

fn png(image: &RgbImage) -> Result<Vec<u8>, ChartError> {
    let mut png = std::io::Cursor::new(Vec::new());
    image.write_to(&mut png, image::ImageFormat::Png).map_err(|e| ChartError::Encode(e.to_string()))?;
    Ok(png.into_inner())
}

/// Bytes as text (RFC 4648), for pictures inside a page.
fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let sign = SIGNS[(bits >> (18 - 6 * place) & 63) as usize] as char;
            out.push(if place <= three.len() { sign } else { '=' });
        }
    }
    out
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_cover_their_share_and_turn_corners() {
        let pieces = dashes(&[[0.0, 0.0], [10.0, 0.0], [10.0, 10.0]], 4.0, 2.0);
        assert_eq!(
            pieces,
            [
                vec![[0.0, 0.0], [4.0, 0.0]],
                vec![[6.0, 0.0], [10.0, 0.0]],
                vec![[10.0, 2.0], [10.0, 6.0]],
                vec![[10.0, 8.0], [10.0, 10.0]],
            ]
        );
        assert!(dashes(&[], 4.0, 2.0).is_empty());
    }

    #[test]
    fn bytes_become_the_text_of_the_standard() {
        // The test vectors of RFC 4648.
        let coded = ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|text| base64(text.as_bytes()));
        assert_eq!(coded, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]);
        assert_eq!(base64(&[251, 255, 191]), "+/+/");
    }

    #[test]
    fn averaging_keeps_flat_colours_and_mixes_edges() {
        let two_by_two = [0, 0, 0, 255, 255, 255, 0, 0, 0, 255, 255, 255];
        assert_eq!(averaged(&two_by_two, 2, 2), [128, 128, 128]);
        assert_eq!(averaged(&[7; 12], 2, 2), [7, 7, 7]);
    }
}
