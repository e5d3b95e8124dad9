//! Products with a weight matrix, shared among threads.

use super::inner::{self, Level};
use super::panel::{Element, PANEL, Panel, TILE_ROWS};
use rayon::prelude::*;

/// Multiplications below which a second thread costs more than it helps.
const SHARE_FROM: usize = 1 << 16;

/// y = x Wᵀ + b: `x` `[rows, inputs]`, `weight` `[outputs, inputs]`, `bias` `[outputs]` → `[rows, outputs]`, all row-major.
pub(super) fn product<E: Element>(
    level: Level,
    x: &[f32],
    weight: &[E],
    bias: Option<&[f32]>,
    [rows, inputs, outputs]: [usize; 3],
) -> Vec<f32> {
    assert!(x.len() == rows * inputs && weight.len() == outputs * inputs && bias.is_none_or(|b| b.len() == outputs));
    let mut y = vec![0.0; rows * outputs];
    if inputs == 0 || rows == 0 {
        return y;
    }
    match rows {
        1 => one_row(level, x, weight, &mut y),
        _ => many_rows(level, x, weight, bias, inputs, &mut y),
    }
    if let (1, Some(bias)) = (rows, bias) {
        for (y, b) in y.iter_mut().zip(bias) {
            *y += b;
        }
    }
    y
}

/// Every weight is read once and in order: bound by memory. `y` is `[outputs]`.
fn one_row<E: Element>(level: Level, x: &[f32], weight: &[E], y: &mut [f32]) {
    let inputs = x.len();
    let stretch = |(y, weight): (&mut [f32], &[E])| {
        for (y, row) in y.iter_mut().zip(weight.chunks_exact(inputs)) {
            *y = inner::dot(level, row, x);
        }
    };
    let outputs = y.len();
    if outputs * inputs < SHARE_FROM {
        return stretch((y, weight));
    }
    // Several stretches a thread, so that a thread the system holds up does not hold up the others.
    let share = outputs.div_ceil(4 * rayon::current_num_threads());
    y.par_chunks_mut(share).zip(weight.par_chunks(share * inputs)).for_each(stretch);
}

/// Each thread turns 32 rows of weights at a time into a panel that stays in its cache, and runs all rows of `x` past it.
fn many_rows<E: Element>(level: Level, x: &[f32], weight: &[E], bias: Option<&[f32]>, inputs: usize, y: &mut [f32]) {
    let outputs = weight.len() / inputs;
    let rows = x.len() / inputs;
    let y = Columns { start: y.as_mut_ptr(), rows, outputs };
    let one_panel = |panel: &mut Panel, (index, weights): (usize, &[E])| {
        inner::pack(level, weights, inputs, panel);
        let (column, width) = (index * PANEL, weights.len() / inputs);
        let mut of_bias = [0.0; PANEL];
        if let Some(bias) = bias {
            of_bias[..width].copy_from_slice(&bias[column..column + width]);
        }
        for (block, x) in x.chunks(TILE_ROWS * inputs).enumerate() {
            y.fill(level, panel, x, inputs, &of_bias, [block * TILE_ROWS, column], width);
        }
    };
    let panels = weight.par_chunks(PANEL * inputs).enumerate();
    if weight.len() * rows < SHARE_FROM {
        let mut panel = Panel::new(inputs);
        weight.chunks(PANEL * inputs).enumerate().for_each(|work| one_panel(&mut panel, work));
    } else {
        panels.for_each_init(|| Panel::new(inputs), one_panel);
    }
}

/// A matrix that several threads fill, each its own columns.
struct Columns {
    start: *mut f32,
    rows: usize,
    outputs: usize,
}

#[expect(unsafe_code, reason = "threads write disjoint columns of one matrix")]
// SAFETY: the pointer is only written through `fill`, whose callers take disjoint columns.
unsafe impl Sync for Columns {}

impl Columns {
    /// Writes the products of some rows of `x` with a panel to the rows from `row` on, columns `column` to
    /// `column + width`. Threads must not share columns: `many_rows` gives each panel to one thread.
    #[expect(clippy::too_many_arguments, reason = "the innermost step; a struct for it would be made for nothing else")]
    #[expect(unsafe_code, reason = "threads write disjoint columns of one matrix")]
    fn fill(
        &self,
        level: Level,
        panel: &Panel,
        x: &[f32],
        inputs: usize,
        bias: &[f32; PANEL],
        [row, column]: [usize; 2],
        width: usize,
    ) {
        let rows = x.len() / inputs;
        assert!(row + rows <= self.rows && column + width <= self.outputs && width <= PANEL && rows <= TILE_ROWS);
        // SAFETY: inside the matrix by the check above; no other thread writes these columns, and nobody reads them yet.
        let to = unsafe { self.start.add(row * self.outputs + column) };
        if width == PANEL {
            // SAFETY: as above, and a whole panel fits.
            return unsafe { inner::tile(level, panel, x, inputs, bias, to, self.outputs) };
        }
        let mut tile = [[0.0f32; PANEL]; TILE_ROWS];
        // SAFETY: the tile has room for as many rows as one call makes.
        unsafe { inner::tile(level, panel, x, inputs, bias, tile.as_mut_ptr().cast(), PANEL) };
        for (row, values) in tile[..rows].iter().enumerate() {
            // SAFETY: as above.
            unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), to.add(row * self.outputs), width) };
        }
    }
}
