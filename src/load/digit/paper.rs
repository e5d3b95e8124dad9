//! What of a photograph is paper: a frame round it, uneven light on it, and what reaches into it from outside.

/// A gray picture, row-major.
#[derive(Clone, Debug)]
pub(super) struct Shades {
    pub width: usize,
    pub height: usize,
    pub values: Vec<u8>,
}

/// Light is looked at on a grid of about so many cells along the longer side.
const CELLS: usize = 70;
/// Light on paper that differs by less than this, of 255, needs no correction.
const UNEVEN: u8 = 48;
/// Paper in the shade is at least this bright, of that in the light; what is darker may be ink.
const DARKEST_SHADE: f32 = 0.35;
/// Between cells two apart light changes by less than this share of its range; an edge of ink or of a frame does not.
const STEEPEST_LIGHT: f32 = 0.35;

impl Shades {
    /// The values along the four sides.
    pub(super) fn border(&self) -> Vec<u8> {
        let (width, height) = (self.width, self.height);
        let rows = (0..width).flat_map(|x| [(x, 0), (x, height - 1)]);
        let columns = (0..height).flat_map(|y| [(0, y), (width - 1, y)]);
        rows.chain(columns).map(|(x, y)| self.values[y * width + x]).collect()
    }

    /// The paper inside a frame that runs along most of the sides, none where there is no such frame. `dark` tells a dark
    /// shade from a bright one.
    ///
    /// What a frame encloses is nearly a rectangle, most of the picture, and in it a little has the frame's own shade: the
    /// digit. A bright 0 on a black board encloses board, too, but is no rectangle and not so large.
    pub(super) fn inside_frame(&self, dark: impl Fn(u8) -> bool) -> Option<Self> {
        let border = self.border();
        let count = border.iter().filter(|&&shade| dark(shade)).count();
        let is_dark = count * 2 > border.len();
        let like_frame: Vec<bool> = self.values.iter().map(|&shade| dark(shade) == is_dark).collect();
        let outside: Vec<Area> = areas(&like_frame, self.width);
        let mut is_inside = vec![true; self.values.len()];
        for area in outside.iter().filter(|area| area.touched(self.width, self.height) > 0) {
            area.pixels.iter().for_each(|&at| is_inside[at] = false);
        }
        let inside = areas(&is_inside, self.width).into_iter().max_by_key(|area| area.pixels.len())?;
        let [left, top, right, bottom] = inside.bounds(self.width);
        let (wide, high, size) = (right + 1 - left, bottom + 1 - top, inside.pixels.len());
        let enclosed = inside.pixels.iter().filter(|&&at| like_frame[at]).count();
        let is_paper = size * 2 >= self.values.len() && size * 100 >= wide * high * 85;
        let holds_digit = enclosed * 500 >= size && enclosed * 10 <= size * 3;
        // Its edge is blurred.
        let margin = 1 + wide.max(high) / 100;
        if !(is_paper && holds_digit) || wide.min(high) <= 4 * margin {
            return None;
        }
        // Paper that lies aslant leaves corners: each row goes on with the shade its paper ends with.
        let mut ends = vec![None; self.height];
        for (x, y) in inside.pixels.iter().map(|at| (at % self.width, at / self.width)) {
            let (first, last) = ends[y].get_or_insert((x, x));
            (*first, *last) = ((*first).min(x), (*last).max(x));
        }
        let pixel = |x: usize, y: usize| {
            let (first, last) = ends[y].unwrap_or((left, right));
            let x = if first + 2 * margin < last { x.clamp(first + margin, last - margin) } else { x };
            self.values[y * self.width + x]
        };
        let values = (top + margin..=bottom - margin)
            .flat_map(|y| (left + margin..=right - margin).map(move |x| (x, y)))
            .map(|(x, y)| pixel(x, y))
            .collect();
        Some(Self { width: wide - 2 * margin, height: high - 2 * margin, values })
    }

    /// True for dark ink on paper that is brighter in the middle than along the sides, where ink would seem to be what is
    /// bright: without such ink what is left is smooth, and without bright ink it would not be.
    pub(super) fn is_lit_paper(&self) -> bool {
        let paper = self.light(true);
        let (dim, lit) = paper.range();
        let steepest = paper.steepest();
        let is_light = lit - dim >= f32::from(UNEVEN) && steepest < STEEPEST_LIGHT * (lit - dim);
        is_light && 2.0 * steepest < self.light(false).steepest()
    }

    /// Pixels along the side of a cell in which light is looked at.
    fn cell(&self) -> usize {
        self.width.max(self.height).div_ceil(CELLS).max(1)
    }

    /// What is left of a picture without ink; of bright ink, of its negative.
    fn light(&self, ink_is_dark: bool) -> Grid {
        let grid = Grid::new(self, self.cell(), |shade| if ink_is_dark { shade } else { 255 - shade });
        grid.closed(grid.width.max(grid.height) / 6)
    }

    /// How much each pixel stands out from the paper around it, where the light on the paper is uneven; none where it is
    /// even, or where what differs is no light.
    pub(super) fn in_even_light(&self, ink_is_dark: bool) -> Option<Vec<u8>> {
        let bright = |shade: u8| if ink_is_dark { shade } else { 255 - shade };
        let (side, paper) = (self.cell(), self.light(ink_is_dark));
        let (dim, lit) = paper.range();
        let range = lit - dim;
        let is_shade = ink_is_dark && dim >= DARKEST_SHADE * lit;
        if range < f32::from(UNEVEN) || !(is_shade || paper.steepest() < STEEPEST_LIGHT * range) {
            return None;
        }
        let strength = |at: usize| {
            let (shade, paper) =
                (f32::from(bright(self.values[at])), paper.between(at % self.width, at / self.width, side).max(32.0));
            // Paper gives back a share of the light that falls on it; chalk adds to a board that is nearly black.
            let stands_out = if ink_is_dark { 255.0 * (1.0 - shade / paper) } else { paper - shade };
            stands_out.clamp(0.0, 255.0) as u8
        };
        Some((0..self.values.len()).map(strength).collect())
    }
}

/// Takes out ink that reaches in from the sides over a long stretch, or round a corner: a frame's, a table's, a shadow's.
/// Something as large as a digit must stand free of the sides; else it is the digit that touches them. True when there was
/// such ink.
pub(super) fn take_out_frame(strengths: &mut [u8], width: usize, threshold: u8) -> bool {
    let height = strengths.len() / width;
    let ink: Vec<bool> = strengths.iter().map(|&v| v > threshold).collect();
    let (touching, free): (Vec<Area>, Vec<Area>) =
        areas(&ink, width).into_iter().partition(|area| area.touched(width, height) > 0);
    let is_digit = |area: &Area| {
        let [left, top, right, bottom] = area.bounds(width);
        (right - left).max(bottom - top) * 5 >= width.max(height) && area.pixels.len() * 400 >= strengths.len()
    };
    if !free.iter().any(is_digit) {
        return false;
    }
    let is_frame = |area: &&Area| {
        let long = area.touched(width, height) * 4 >= width.min(height);
        long || area.sides(width, height) > 1
    };
    let frames: Vec<&Area> = touching.iter().filter(is_frame).collect();
    // Its blurred edge goes with it.
    let blur = 1 + width.max(height) / 150;
    for &at in frames.iter().flat_map(|area| &area.pixels) {
        let (x, y) = (at % width, at / width);
        for y in y.saturating_sub(blur)..=(y + blur).min(height - 1) {
            strengths[y * width + x.saturating_sub(blur)..=y * width + (x + blur).min(width - 1)].fill(0);
        }
    }
    !frames.is_empty()
}

/// Pixels that hang together, over corners as well.
struct Area {
    pixels: Vec<usize>,
}

impl Area {
    /// Left, top, right and bottom.
    fn bounds(&self, width: usize) -> [usize; 4] {
        self.pixels.iter().fold([usize::MAX, usize::MAX, 0, 0], |[left, top, right, bottom], &at| {
            let (x, y) = (at % width, at / width);
            [left.min(x), top.min(y), right.max(x), bottom.max(y)]
        })
    }

    /// Pixels on the sides of the picture.
    fn touched(&self, width: usize, height: usize) -> usize {
        let is_at_side = |&&at: &&usize| {
            let (x, y) = (at % width, at / width);
            x == 0 || y == 0 || x + 1 == width || y + 1 == height
        };
        self.pixels.iter().filter(is_at_side).count()
    }

    /// How many of the four sides it touches.
    fn sides(&self, width: usize, height: usize) -> usize {
        let [left, top, right, bottom] = self.bounds(width);
        [left == 0, top == 0, right + 1 == width, bottom + 1 == height].iter().filter(|touches| **touches).count()
    }
}

/// The areas of pixels that are true.
fn areas(mask: &[bool], width: usize) -> Vec<Area> {
    let height = mask.len() / width;
    let mut left = mask.to_vec();
    let mut areas = Vec::new();
    for start in 0..mask.len() {
        if !left[start] {
            continue;
        }
        left[start] = false;
        let (mut pixels, mut next) = (vec![start], 0);
        while next < pixels.len() {
            let (x, y) = (pixels[next] % width, pixels[next] / width);
            for y in y.saturating_sub(1)..=(y + 1).min(height - 1) {
                for x in x.saturating_sub(1)..=(x + 1).min(width - 1) {
                    if std::mem::take(&mut left[y * width + x]) {
                        pixels.push(y * width + x);
                    }
                }
            }
            next += 1;
        }
        areas.push(Area { pixels });
    }
    areas
}

/// Brightness in cells.
struct Grid {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

impl Grid {
    /// Means over squares of pixels.
    fn new(shades: &Shades, side: usize, bright: impl Fn(u8) -> u8) -> Self {
        let (width, height) = (shades.width.div_ceil(side), shades.height.div_ceil(side));
        let mean = |cell: usize| {
            let (left, top) = (cell % width * side, cell / width * side);
            let (right, bottom) = ((left + side).min(shades.width), (top + side).min(shades.height));
            let row = |y: usize| &shades.values[y * shades.width + left..y * shades.width + right];
            let sum: u32 = (top..bottom).flat_map(row).map(|&shade| u32::from(bright(shade))).sum();
            sum as f32 / ((right - left) * (bottom - top)) as f32
        };
        Self { width, height, values: (0..width * height).map(mean).collect() }
    }

    /// What is darker than all around it within `reach` cells is filled in: the closing of mathematical morphology (Serra
    /// 1982). Over the sides there is nothing to be filled from, so that light that fades towards them stays as it is.
    fn closed(&self, reach: usize) -> Self {
        let along = |lines: Vec<Vec<f32>>| -> Vec<Vec<f32>> { lines.iter().map(|line| dilated(line, reach)).collect() };
        let rows: Vec<Vec<f32>> = self.values.chunks(self.width).map(<[f32]>::to_vec).collect();
        let widest = transposed(&along(transposed(&along(rows))));
        let back = |lines: Vec<Vec<f32>>| -> Vec<Vec<f32>> { lines.iter().map(|line| eroded(line, reach)).collect() };
        let values = transposed(&back(transposed(&back(widest)))).concat();
        Self { width: self.width, height: self.height, values }
    }

    /// The darkest and the brightest, but for a fiftieth of the cells.
    fn range(&self) -> (f32, f32) {
        let mut sorted = self.values.clone();
        sorted.sort_by(f32::total_cmp);
        (sorted[sorted.len() / 50], sorted[sorted.len() - 1 - sorted.len() / 50])
    }

    /// The largest difference between cells two apart.
    fn steepest(&self) -> f32 {
        let across = self.values.chunks(self.width).flat_map(|row| row.iter().zip(row.iter().skip(2)));
        let down = self.values.iter().zip(self.values.iter().skip(2 * self.width));
        across.chain(down).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    }

    /// The value at a pixel, between those of the nearest four cells.
    fn between(&self, x: usize, y: usize, side: usize) -> f32 {
        let place = |at: usize, cells: usize| {
            let at = ((at as f32 + 0.5) / side as f32 - 0.5).clamp(0.0, (cells - 1) as f32);
            let low = at as usize;
            (low, (low + 1).min(cells - 1), at - low as f32)
        };
        let ((left, right, across), (top, bottom, down)) = (place(x, self.width), place(y, self.height));
        let row = |y: usize| {
            let (a, b) = (self.values[y * self.width + left], self.values[y * self.width + right]);
            a + (b - a) * across
        };
        row(top) + (row(bottom) - row(top)) * down
    }
}

/// The largest value within `reach`, also of places up to `reach` over both ends.
fn dilated(line: &[f32], reach: usize) -> Vec<f32> {
    let window = |at: usize| {
        let (from, to) = (at.saturating_sub(2 * reach), (at + 1).min(line.len()));
        line[from..to].iter().copied().fold(f32::MIN, f32::max)
    };
    (0..line.len() + 2 * reach).map(window).collect()
}

/// The smallest value within `reach` of a line that was [`dilated`].
fn eroded(line: &[f32], reach: usize) -> Vec<f32> {
    line.windows(2 * reach + 1).map(|window| window.iter().copied().fold(f32::MAX, f32::min)).collect()
}

fn transposed(lines: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let length = lines.first().map_or(0, Vec::len);
    (0..length).map(|at| lines.iter().map(|line| line[at]).collect()).collect()
}

#[cfg(test)]
#[path = "paper_tests.rs"]
mod tests;
