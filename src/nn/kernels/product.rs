//! Products of matrices, shared among threads.

use super::inner::{self, Level};
use super::output::{for_each_chunk, written};
use super::panel::{Left, Onto, PANEL, TILE_ROWS};
use super::rows::WeightRows;
use super::{block_product, scratch, team};

/// Multiplications below which a second thread costs more than it helps.
const SHARE_FROM: usize = 1 << 16;
/// Depth of a panel: a panel and the rows that are run past it stay in the first-level cache.
const DEPTH: usize = 256;
/// Panels side by side: together they stay in the second-level cache.
const PANELS: usize = 8;
/// Pieces of work for each thread: several, so that a thread the system holds up does not hold up the others.
const PIECES: usize = 3;
/// Tiles that a piece is at least high, before it is made narrower instead.
const TALL: usize = 8;

/// A left matrix of `rows` × `depth`.
#[derive(Clone, Copy, Debug)]
pub(super) enum LeftMatrix<'a> {
    /// `[rows][depth]`.
    Rows(&'a [f32]),
    /// `[depth][rows]`.
    Columns(&'a [f32]),
}

/// A right matrix of `depth` × `columns`.
#[derive(Clone, Copy)]
pub(super) enum RightMatrix<'a> {
    /// `[depth][columns]`.
    Rows(&'a [f32]),
    /// `[columns][depth]`: weights as they are kept.
    Columns(&'a WeightRows<'a>),
    /// `[depth][columns]`: weights as they are kept, in no blocks, for products with their other side.
    Stored(&'a WeightRows<'a>),
}

/// y = x Wᵀ + b: `x` `[rows, inputs]`, `weight` `[outputs, inputs]`, `bias` `[outputs]` → `[rows, outputs]`, all row-major.
pub(super) fn product(level: Level, x: &[f32], weight: &WeightRows<'_>, bias: Option<&[f32]>, rows: usize) -> Vec<f32> {
    let [outputs, inputs] = weight.shape();
    if rows != 1 && block_product::serves(level, weight) {
        return block_product::product(level, x, weight, bias, rows);
    }
    if rows != 1 {
        let (x, weight) = (LeftMatrix::Rows(x), RightMatrix::Columns(weight));
        return multiply(level, x, weight, bias, [rows, inputs, outputs]);
    }
    assert!(x.len() == inputs && bias.is_none_or(|b| b.len() == outputs));
    let mut y = vec![0.0; outputs];
    if inputs > 0 {
        one_row(level, x, weight, &mut y);
    }
    if let Some(bias) = bias {
        for (y, b) in y.iter_mut().zip(bias) {
            *y += b;
        }
    }
    y
}

/// Every weight is read once and in order: bound by memory. `y` is `[outputs]`.
fn one_row(level: Level, x: &[f32], weight: &WeightRows<'_>, y: &mut [f32]) {
    let (inputs, outputs, x) = (x.len(), y.len(), weight.factor(level, x));
    if outputs * inputs < SHARE_FROM {
        return weight.times(level, 0..outputs, &x, y);
    }
    let share = stretch(weight);
    for_each_chunk([y], share, |i, [y]| weight.times(level, i * share..i * share + y.len(), &x, y));
}

/// Rows that a thread takes at a time of a product with one vector. Two stretches a thread, so that one which the system holds up
/// does not hold up the other for long; no more, since a processor fetches ahead best what is long: Zen 4 reads weights at 0.6 of
/// its rate in stretches of 16 KiB, at 0.9 in those of 64 KiB.
pub(super) fn stretch(weight: &WeightRows<'_>) -> usize {
    const LEAST: usize = 1 << 14;
    const MOST: usize = 1 << 21;
    let ([outputs, _], all) = (weight.shape(), weight.bytes().max(1));
    let bytes = (all / (2 * team::size())).clamp(LEAST, MOST);
    (bytes * outputs).div_ceil(all).clamp(1, outputs.max(1))
}

/// left · right + bias → `[rows][columns]`.
pub(super) fn multiply(
    level: Level,
    left: LeftMatrix<'_>,
    right: RightMatrix<'_>,
    bias: Option<&[f32]>,
    [rows, depth, columns]: [usize; 3],
) -> Vec<f32> {
    // SAFETY: the pieces cover every row and column, and each writes all of its numbers.
    #[expect(unsafe_code, reason = "the products are written once, not after zeros")]
    unsafe {
        written(rows * columns, |y| {
            let product = Product::new(level, left, right, bias, [rows, depth, columns], y.as_mut_ptr().cast());
            if rows * depth * columns < SHARE_FROM {
                return (0..product.pieces()).for_each(|i| product.piece(i));
            }
            team::for_each(product.pieces(), |i| product.piece(i));
        })
    }
}

/// One product under way.
///
/// The output is cut into pieces, and whoever makes one lays out the part of the right matrix it needs in panels that stay
/// in his cache, a stretch of the depth at a time, and runs the rows of the left matrix past them.
pub(super) struct Product<'a> {
    level: Level,
    left: LeftMatrix<'a>,
    right: RightMatrix<'a>,
    bias: Option<&'a [f32]>,
    depth: usize,
    output: Output,
    /// Pieces downwards and across.
    grid: [usize; 2],
}

/// Into how many pieces an output of so many tiles and panels is cut, downwards and across. Whoever makes a piece lays out
/// its panels anew, so pieces are as tall as the threads allow; their number is a multiple of the threads, so that all end
/// at once.
fn pieces(tiles: usize, panels: usize, threads: usize) -> [usize; 2] {
    let (mut down, mut across) = (1, panels.div_ceil(PANELS));
    while threads > 1 && (down * across < PIECES * threads || !(down * across).is_multiple_of(threads)) {
        if tiles / down >= 2 * TALL {
            down += 1;
        } else if across < panels {
            across += 1;
        } else {
            break;
        }
    }
    [down, across]
}

impl<'a> Product<'a> {
    /// To write left · right + bias, `[rows][columns]`.
    ///
    /// # Safety
    /// So many numbers can be written behind `y` while the product lives, and nobody else touches them.
    #[expect(unsafe_code, reason = "threads write disjoint pieces of one matrix")]
    pub(super) unsafe fn new(
        level: Level,
        left: LeftMatrix<'a>,
        right: RightMatrix<'a>,
        bias: Option<&'a [f32]>,
        [rows, depth, columns]: [usize; 3],
        y: *mut f32,
    ) -> Self {
        let (LeftMatrix::Rows(of_left) | LeftMatrix::Columns(of_left)) = left;
        let of_right = match right {
            RightMatrix::Rows(values) => values.len(),
            RightMatrix::Columns(weight) | RightMatrix::Stored(weight) => weight.shape().iter().product(),
        };
        assert!(of_left.len() == rows * depth && of_right == depth * columns);
        assert!(bias.is_none_or(|bias| bias.len() == columns));
        let is_shared = rows * depth * columns >= SHARE_FROM;
        let (tiles, panels) = (rows.div_ceil(TILE_ROWS), columns.div_ceil(PANEL));
        let grid = pieces(tiles, panels, if is_shared { team::size() } else { 1 });
        let output = Output { start: y, rows, columns };
        Self { level, left, right, bias, depth, output, grid }
    }

    /// How many pieces there are to make.
    pub(super) fn pieces(&self) -> usize {
        self.grid[0] * self.grid[1]
    }

    /// Makes one of them.
    pub(super) fn piece(&self, i: usize) {
        let Output { rows, columns, .. } = self.output;
        let ([down, across], tiles, panels) = (self.grid, rows.div_ceil(TILE_ROWS), columns.div_ceil(PANEL));
        let rows_of = |i: usize| (i * tiles / down * TILE_ROWS).min(rows);
        let columns_of = |i: usize| (i * panels / across * PANEL).min(columns);
        let (i, j) = (i / across, i % across);
        self.write([rows_of(i), rows_of(i + 1)], [columns_of(j), columns_of(j + 1)]);
    }

    /// Writes the rows and columns from the first up to, but not including, the second of each pair.
    fn write(&self, rows: [usize; 2], columns: [usize; 2]) {
        if self.depth == 0 {
            return self.output.fill(rows, columns, self.bias);
        }
        let panels = (columns[1] - columns[0]).div_ceil(PANEL);
        let longest = DEPTH.min(self.depth);
        let wide = if matches!(self.right, RightMatrix::Columns(_)) { longest * PANEL } else { 0 };
        scratch::with([panels * longest * PANEL, wide], |[buffer, wide]| {
            for start in (0..self.depth).step_by(DEPTH) {
                let stretch = [start, (start + DEPTH).min(self.depth)];
                let length = stretch[1] - start;
                let buffer = &mut buffer[..panels * length * PANEL];
                for (i, panel) in buffer.chunks_exact_mut(length * PANEL).enumerate() {
                    let first = columns[0] + i * PANEL;
                    self.lay_out(stretch, [first, (first + PANEL).min(columns[1])], panel, wide);
                }
                for row in (rows[0]..rows[1]).step_by(TILE_ROWS) {
                    let count = TILE_ROWS.min(rows[1] - row);
                    let left = match self.left {
                        LeftMatrix::Rows(values) => {
                            let values = &values[row * self.depth + start..];
                            Left::Rows { values, rows: count, stride: self.depth }
                        }
                        LeftMatrix::Columns(values) => {
                            let of_rows = self.output.rows;
                            Left::Columns { values: &values[start * of_rows + row..], rows: count, stride: of_rows }
                        }
                    };
                    for (i, panel) in buffer.chunks_exact(length * PANEL).enumerate() {
                        let first = columns[0] + i * PANEL;
                        let width = PANEL.min(columns[1] - first);
                        self.output.add(self.level, left, panel, self.bias, start == 0, [row, count], [first, width]);
                    }
                }
            }
        });
    }

    /// Fills a panel with a stretch of the depth of some columns of the right matrix.
    fn lay_out(&self, [start, end]: [usize; 2], [first, last]: [usize; 2], panel: &mut [f32], wide: &mut [f32]) {
        match self.right {
            RightMatrix::Rows(values) => {
                let columns = self.output.columns;
                inner::copy_columns(self.level, &values[start * columns + first..], columns, last - first, panel);
            }
            RightMatrix::Columns(weight) => weight.lay_out(self.level, first..last, [start, end], panel, wide),
            RightMatrix::Stored(weight) => weight.copy_columns(self.level, start..end, [first, last], panel),
        }
    }
}

/// A matrix that several threads fill, each its own piece.
struct Output {
    start: *mut f32,
    rows: usize,
    columns: usize,
}

#[expect(unsafe_code, reason = "threads write disjoint pieces of one matrix")]
// SAFETY: the pointer is only written through the methods below, whose callers take disjoint pieces.
unsafe impl Sync for Output {}

impl Output {
    /// Writes the bias, or zeros.
    #[expect(unsafe_code, reason = "threads write disjoint pieces of one matrix")]
    fn fill(&self, rows: [usize; 2], columns: [usize; 2], bias: Option<&[f32]>) {
        assert!(rows[1] <= self.rows && columns[1] <= self.columns);
        for row in rows[0]..rows[1] {
            for column in columns[0]..columns[1] {
                let value = bias.map_or(0.0, |bias| bias[column]);
                // SAFETY: inside the matrix by the check above; no other thread writes this piece.
                unsafe { self.start.add(row * self.columns + column).write(value) };
            }
        }
    }

    /// Writes the products of some rows with a panel plus the bias, or adds them to what the stretch of the depth before
    /// them gave. Threads must not share pieces: `multiply` gives each to one thread.
    #[expect(clippy::too_many_arguments, reason = "the innermost step; a struct for it would be made for nothing else")]
    #[expect(unsafe_code, reason = "threads write disjoint pieces of one matrix")]
    fn add(
        &self,
        level: Level,
        left: Left<'_>,
        panel: &[f32],
        bias: Option<&[f32]>,
        is_first: bool,
        [row, rows]: [usize; 2],
        [column, width]: [usize; 2],
    ) {
        assert!(row + rows <= self.rows && column + width <= self.columns && width <= PANEL && rows <= TILE_ROWS);
        let mut of_bias = [0.0; PANEL];
        if let (Some(bias), true) = (bias, is_first) {
            of_bias[..width].copy_from_slice(&bias[column..column + width]);
        }
        let onto = if is_first { Onto::Bias(&of_bias) } else { Onto::Output };
        // SAFETY: inside the matrix by the check above; no other thread writes this piece, and nobody reads it yet.
        let to = unsafe { self.start.add(row * self.columns + column) };
        if width == PANEL {
            // SAFETY: as above, and a whole panel fits.
            return unsafe { inner::tile(level, left, panel, onto, to, self.columns) };
        }
        let mut tile = [[0.0f32; PANEL]; TILE_ROWS];
        if !is_first {
            for (row, values) in tile[..rows].iter_mut().enumerate() {
                // SAFETY: as above; the first stretch of the depth has written these numbers.
                unsafe { std::ptr::copy_nonoverlapping(to.add(row * self.columns), values.as_mut_ptr(), width) };
            }
        }
        // SAFETY: the tile has room for as many rows as one call makes.
        unsafe { inner::tile(level, left, panel, onto, tile.as_mut_ptr().cast(), PANEL) };
        for (row, values) in tile[..rows].iter().enumerate() {
            // SAFETY: as above.
            unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), to.add(row * self.columns), width) };
        }
    }
}
