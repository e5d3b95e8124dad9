//! From ink to the image a digit network reads: strokes to coverage, coverage to a centred 28×28 image.
//!
//! MNIST's digits were cropped to their ink, scaled so that the longer side is 20 pixels, and placed in 28×28 so that the
//! centre of mass is at pixel index 14, 14 (LeCun et al. 1998). A network trained on them reads other images well only after
//! the same steps.

use crate::types::{CANVAS_SIDE, DIGIT_SIDE, DigitImage, Drawing, Stroke};

/// Longer side of the ink in a centred image, in pixels.
const INK_SIDE: usize = 20;
/// Pixel index of the centre of mass in a centred image.
const CENTRE: f32 = 14.0;
/// Coverage below this is the soft edge of a stroke and does not count when the ink is cropped.
const CROP_THRESHOLD: f32 = 0.5;
/// Points closer than this to the last one kept add nothing but time, in canvas units.
const SHORTEST_STEP: f32 = 3.0;
/// Length of the straight pieces a curve is drawn with, in canvas units.
const PIECE: f32 = 6.0;

/// A grid of ink intensities in `0..=1`, row-major, 1 is full ink.
#[derive(Clone, Debug, PartialEq)]
pub struct Ink {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

impl Ink {
    /// A grid from its values.
    ///
    /// # Panics
    ///
    /// If there are not `width * height` values.
    #[must_use]
    pub fn new(width: usize, height: usize, values: Vec<f32>) -> Self {
        assert_eq!(values.len(), width * height, "an ink grid of {width}×{height} needs that many values");
        Self { width, height, values }
    }

    /// Columns and rows.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// The intensities, row-major.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// What is drawn on the canvas, one grid cell per canvas unit, edges anti-aliased. Strokes act in their order, so an
    /// eraser removes only what was drawn before it.
    #[must_use]
    pub fn rasterise(drawing: &Drawing) -> Self {
        let side = CANVAS_SIDE as usize;
        let mut ink = Self { width: side, height: side, values: vec![0.0; side * side] };
        for stroke in &drawing.strokes {
            ink.draw(stroke);
        }
        ink
    }

    fn draw(&mut self, stroke: &Stroke) {
        let radius = (stroke.width / 2.0).max(0.5);
        let path = smooth_path(&stroke.points);
        if let [only] = path.as_slice() {
            self.draw_capsule(*only, *only, radius, stroke.eraser);
        }
        for ends in path.windows(2) {
            self.draw_capsule(ends[0], ends[1], radius, stroke.eraser);
        }
    }

    /// One straight piece with round ends. Maximum and minimum make overlapping pieces blend without seams.
    fn draw_capsule(&mut self, a: [f32; 2], b: [f32; 2], radius: f32, eraser: bool) {
        let reach = radius + 0.5;
        let cells = |low: f32, high: f32, count: usize| {
            let first = (low - reach).floor().clamp(0.0, count as f32) as usize;
            let end = (high + reach).ceil().clamp(0.0, count as f32) as usize;
            first..end
        };
        let along = [b[0] - a[0], b[1] - a[1]];
        let length_squared = along[0] * along[0] + along[1] * along[1];
        let inverse = if length_squared > 0.0 { 1.0 / length_squared } else { 0.0 };
        let columns = cells(a[0].min(b[0]), a[0].max(b[0]), self.width);
        for row in cells(a[1].min(b[1]), a[1].max(b[1]), self.height) {
            let y = row as f32 + 0.5 - a[1];
            let line = &mut self.values[row * self.width..(row + 1) * self.width];
            for column in columns.clone() {
                let x = column as f32 + 0.5 - a[0];
                let t = ((x * along[0] + y * along[1]) * inverse).clamp(0.0, 1.0);
                let (dx, dy) = (x - t * along[0], y - t * along[1]);
                let distance_squared = dx * dx + dy * dy;
                if distance_squared >= reach * reach {
                    continue;
                }
                let coverage = (reach - distance_squared.sqrt()).min(1.0);
                let cell = &mut line[column];
                *cell = if eraser { cell.min(1.0 - coverage) } else { cell.max(coverage) };
            }
        }
    }

    /// The image a network trained on MNIST reads: cropped to the ink, longer side 20 pixels by area averaging, centre of
    /// mass at pixel index 14, 14 to the nearest pixel. `None` when there is no ink.
    #[must_use]
    pub fn centred(&self) -> Option<DigitImage> {
        let (columns, rows) = self.extent()?;
        let longer = columns.len().max(rows.len());
        let scaled = |cells: usize| (cells * INK_SIDE + longer / 2).checked_div(longer).unwrap_or(0).clamp(1, INK_SIDE);
        let (width, height) = (scaled(columns.len()), scaled(rows.len()));
        let across = area_weights(columns.start, columns.len(), width);
        let down = area_weights(rows.start, rows.len(), height);

        let mut small = vec![0.0_f32; width * height];
        for (y, row_weights) in down.iter().enumerate() {
            for (x, column_weights) in across.iter().enumerate() {
                let mut sum = 0.0;
                for &(row, row_weight) in row_weights {
                    let line = &self.values[row * self.width..(row + 1) * self.width];
                    let of_line: f32 = column_weights.iter().map(|&(column, weight)| weight * line[column]).sum();
                    sum += row_weight * of_line;
                }
                small[y * width + x] = sum.clamp(0.0, 1.0);
            }
        }
        Some(place_by_mass(&small, width, height))
    }

    /// Columns and rows that hold ink; faint ink counts when there is no other.
    fn extent(&self) -> Option<(std::ops::Range<usize>, std::ops::Range<usize>)> {
        let darkest = self.values.iter().copied().fold(0.0_f32, f32::max);
        if darkest <= 0.02 {
            return None;
        }
        let threshold = CROP_THRESHOLD.min(darkest / 2.0);
        let inked = |v: &f32| *v >= threshold;
        let (mut left, mut right) = (self.width, 0);
        let (mut top, mut bottom) = (self.height, 0);
        for (y, line) in self.values.chunks_exact(self.width).enumerate() {
            let Some(first) = line.iter().position(inked) else { continue };
            let last = line.iter().rposition(inked).unwrap_or(first);
            left = left.min(first);
            right = right.max(last + 1);
            top = top.min(y);
            bottom = y + 1;
        }
        (left < right).then_some((left..right, top..bottom))
    }
}

impl Drawing {
    /// The 28×28 image of the drawing as a network trained on MNIST reads it; `None` when there is no ink.
    #[must_use]
    pub fn to_digit_image(&self) -> Option<DigitImage> {
        if self.strokes.iter().all(|stroke| stroke.eraser) {
            return None;
        }
        Ink::rasterise(self).centred()
    }
}

impl DigitImage {
    /// True when there is no ink at all.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.0.iter().all(|&v| v <= 0.0)
    }

    /// Centre of mass as pixel indices (column, row), `None` for a blank image.
    #[must_use]
    pub fn centre_of_mass(&self) -> Option<(f32, f32)> {
        mass_centre(&self.0, DIGIT_SIDE)
    }
}

/// For each of `out` target pixels, the source cells it covers and their shares; shares sum to 1.
fn area_weights(start: usize, cells: usize, out: usize) -> Vec<Vec<(usize, f32)>> {
    let step = cells as f32 / out as f32;
    (0..out)
        .map(|i| {
            let (low, high) = (i as f32 * step, (i + 1) as f32 * step);
            let last = (high.ceil() as usize).min(cells);
            (low as usize..last)
                .map(|cell| {
                    let overlap = high.min(cell as f32 + 1.0) - low.max(cell as f32);
                    (start + cell, overlap.max(0.0) / step)
                })
                .collect()
        })
        .collect()
}

fn mass_centre(values: &[f32], width: usize) -> Option<(f32, f32)> {
    let (mut mass, mut x_sum, mut y_sum) = (0.0, 0.0, 0.0);
    for (i, &v) in values.iter().enumerate() {
        mass += v;
        x_sum += v * (i % width) as f32;
        y_sum += v * (i / width) as f32;
    }
    (mass > 0.0).then(|| (x_sum / mass, y_sum / mass))
}

/// Whole pixels only, as in MNIST: a shift by a fraction would blur. Ink never leaves the image.
fn place_by_mass(small: &[f32], width: usize, height: usize) -> DigitImage {
    let (x, y) = mass_centre(small, width).unwrap_or((width as f32 / 2.0, height as f32 / 2.0));
    let offset = |centre: f32, size: usize| (CENTRE - centre).round().clamp(0.0, (DIGIT_SIDE - size) as f32) as usize;
    let (left, top) = (offset(x, width), offset(y, height));
    let mut image = vec![0.0; DIGIT_SIDE * DIGIT_SIDE];
    for (row, line) in small.chunks_exact(width).enumerate() {
        let at = (top + row) * DIGIT_SIDE + left;
        image[at..at + width].copy_from_slice(line);
    }
    DigitImage(image.into())
}

/// The pointer's path as a smooth curve through its points (centripetal spacing is not needed: points are evenly thinned).
/// Uniform Catmull-Rom (Catmull and Rom 1974), the end points doubled.
fn smooth_path(points: &[[f32; 2]]) -> Vec<[f32; 2]> {
    let mut kept: Vec<[f32; 2]> = Vec::with_capacity(points.len());
    for (i, &point) in points.iter().enumerate() {
        if !point[0].is_finite() || !point[1].is_finite() {
            continue;
        }
        let last_point = i + 1 == points.len();
        match kept.last() {
            Some(&before) if distance(before, point) < SHORTEST_STEP && !last_point => {}
            _ => kept.push(point),
        }
    }
    if kept.len() < 3 {
        return kept;
    }
    let mut path = vec![kept[0]];
    for i in 0..kept.len() - 1 {
        let before = kept[i.saturating_sub(1)];
        let (from, to) = (kept[i], kept[i + 1]);
        let after = kept[(i + 2).min(kept.len() - 1)];
        let pieces = (distance(from, to) / PIECE).ceil().clamp(1.0, 64.0) as usize;
        for piece in 1..=pieces {
            let t = piece as f32 / pieces as f32;
            path.push([0, 1].map(|axis| catmull_rom(before[axis], from[axis], to[axis], after[axis], t)));
        }
    }
    path
}

fn catmull_rom(before: f32, from: f32, to: f32, after: f32, t: f32) -> f32 {
    let linear = to - before;
    let square = 2.0 * before - 5.0 * from + 4.0 * to - after;
    let cube = 3.0 * (from - to) + after - before;
    from + 0.5 * t * (linear + t * (square + t * cube))
}

fn distance(a: [f32; 2], b: [f32; 2]) -> f32 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pen(points: &[[f32; 2]]) -> Stroke {
        Stroke { points: points.to_vec(), width: 20.0, eraser: false }
    }

    /// A seven: a bar and a slanted leg.
    fn seven(left: f32, top: f32, scale: f32) -> Drawing {
        let at = |x: f32, y: f32| [left + scale * x, top + scale * y];
        let mut stroke = pen(&[at(0.0, 0.0), at(50.0, 0.0), at(100.0, 0.0), at(75.0, 60.0), at(50.0, 140.0)]);
        stroke.width = 20.0 * scale;
        Drawing { strokes: vec![stroke] }
    }

    fn side_lengths(image: &DigitImage) -> (usize, usize) {
        let rows: Vec<usize> = (0..28).filter(|&y| (0..28).any(|x| image.0[y * 28 + x] > 0.0)).collect();
        let columns: Vec<usize> = (0..28).filter(|&x| (0..28).any(|y| image.0[y * 28 + x] > 0.0)).collect();
        (columns[columns.len() - 1] - columns[0] + 1, rows[rows.len() - 1] - rows[0] + 1)
    }

    /// Mean absolute difference of `a` and `b` shifted by whole pixels.
    fn mean_difference(a: &DigitImage, b: &DigitImage, right: i32, down: i32) -> f32 {
        let at = |image: &DigitImage, x: i32, y: i32| {
            if (0..28).contains(&x) && (0..28).contains(&y) { image.0[(y * 28 + x) as usize] } else { 0.0 }
        };
        let pixels = (0..28).flat_map(|y| (0..28).map(move |x| (x, y)));
        pixels.map(|(x, y)| (at(a, x, y) - at(b, x - right, y - down)).abs()).sum::<f32>() / 784.0
    }

    /// The same at the best of nine places: placing by whole pixels may put one image a pixel beside the other.
    fn least_difference(a: &DigitImage, b: &DigitImage) -> f32 {
        let shifts = (-1..=1).flat_map(|x| (-1..=1).map(move |y| (x, y)));
        shifts.map(|(x, y)| mean_difference(a, b, x, y)).fold(1.0, f32::min)
    }

    #[test]
    fn an_empty_or_fully_erased_canvas_has_no_image() {
        assert_eq!(Drawing::default().to_digit_image(), None);
        let mut drawing = seven(60.0, 60.0, 1.0);
        let mut rubber = drawing.strokes[0].clone();
        rubber.eraser = true;
        rubber.width = 60.0;
        drawing.strokes.push(rubber);
        assert_eq!(drawing.to_digit_image(), None);
    }

    #[test]
    fn the_image_has_the_statistics_of_mnist() {
        for drawing in [seven(20.0, 15.0, 1.0), seven(150.0, 100.0, 0.6), seven(40.0, 60.0, 1.3)] {
            let image = drawing.to_digit_image().unwrap();
            let (x, y) = image.centre_of_mass().unwrap();
            assert!((x - 14.0).abs() <= 0.5 && (y - 14.0).abs() <= 0.5, "centre of mass at {x}, {y}");
            let (width, height) = side_lengths(&image);
            assert_eq!(width.max(height), 20);
            assert!(image.0.iter().all(|v| (0.0..=1.0).contains(v)));
            // MNIST: 0.13 on average over the image.
            let mean = image.0.iter().sum::<f32>() / 784.0;
            assert!((0.05..0.25).contains(&mean), "mean intensity {mean}");
        }
    }

    #[test]
    fn where_it_is_drawn_does_not_matter() {
        let here = seven(30.0, 30.0, 1.0).to_digit_image().unwrap();
        let there = seven(131.0, 97.0, 1.0).to_digit_image().unwrap();
        let difference = mean_difference(&here, &there, 0, 0);
        assert!(difference < 1e-6, "mean difference {difference} after a shift by whole cells");
        // By a fraction of a cell, only anti-aliasing changes.
        let between = seven(30.4, 30.7, 1.0).to_digit_image().unwrap();
        let difference = least_difference(&here, &between);
        assert!(difference < 0.02, "mean difference {difference} after a shift by a fraction of a cell");
    }

    #[test]
    fn the_size_it_is_drawn_in_hardly_matters() {
        let large = seven(30.0, 30.0, 1.4).to_digit_image().unwrap();
        let small = seven(30.0, 30.0, 0.5).to_digit_image().unwrap();
        let difference = least_difference(&large, &small);
        assert!(difference < 0.02, "mean difference {difference}");
    }

    #[test]
    fn strokes_and_erasers_act_in_order() {
        let line = pen(&[[40.0, 140.0], [240.0, 140.0]]);
        let rubber = Stroke { points: vec![[140.0, 100.0], [140.0, 180.0]], width: 30.0, eraser: true };
        let middle = |strokes: &[&Stroke]| {
            let drawing = Drawing { strokes: strokes.iter().map(|s| (*s).clone()).collect() };
            Ink::rasterise(&drawing).values()[140 * 280 + 140]
        };
        assert_eq!(middle(&[&line]), 1.0);
        assert_eq!(middle(&[&line, &rubber]), 0.0);
        assert_eq!(middle(&[&rubber, &line]), 1.0);
    }

    #[test]
    fn a_curve_passes_through_its_points_and_is_smooth() {
        let corners = [[40.0, 140.0], [90.0, 60.0], [140.0, 140.0], [190.0, 60.0]];
        let path = smooth_path(&corners);
        for corner in corners {
            assert!(path.iter().any(|p| distance(*p, corner) < 1e-3), "{corner:?} is not on the path");
        }
        let turn = path.windows(3).map(|p| {
            let heading = |a: [f32; 2], b: [f32; 2]| (b[1] - a[1]).atan2(b[0] - a[0]);
            let turn = (heading(p[1], p[2]) - heading(p[0], p[1])).abs();
            turn.min(std::f32::consts::TAU - turn)
        });
        assert!(turn.fold(0.0, f32::max) < 0.8, "the curve has a corner");
    }

    #[test]
    fn area_shares_sum_to_one() {
        for (cells, out) in [(200, 20), (133, 20), (7, 20), (20, 20), (1, 1)] {
            for shares in area_weights(3, cells, out) {
                let sum: f32 = shares.iter().map(|(_, share)| share).sum();
                assert!((sum - 1.0).abs() < 1e-4, "{cells} cells to {out}: {sum}");
            }
        }
    }

    #[test]
    fn points_that_are_no_numbers_are_ignored() {
        let stroke = pen(&[[40.0, 40.0], [f32::NAN, 50.0], [90.0, 200.0]]);
        assert!(Drawing { strokes: vec![stroke] }.to_digit_image().is_some());
    }
}
