//! Products of several rows with weights of which some are in blocks.

use super::eights::{self, Rows};
use super::inner::{self, BLOCK_ROWS, Level, PANEL_GROUP};
use super::output::{Shared, for_each_chunk, written};
use super::panel::{Left, Onto, PANEL, TILE_ROWS};
use super::rows::{Format, WeightRows};
use super::{scratch, team};

/// True where such a product is made of whole numbers; elsewhere weights are widened first.
pub(super) fn serves(level: Level, weight: &WeightRows<'_>) -> bool {
    weight.has_blocks() && inner::tiles_blocks(level)
}

/// y = x Wᵀ + b: `x` `[rows, inputs]`, `bias` `[outputs]` → `[rows, outputs]`, all row-major.
pub(super) fn product(level: Level, x: &[f32], weight: &WeightRows<'_>, bias: Option<&[f32]>, rows: usize) -> Vec<f32> {
    let [outputs, inputs] = weight.shape();
    assert!(x.len() == rows * inputs && bias.is_none_or(|bias| bias.len() == outputs));
    let words = eights::words(inputs);
    let mut eights = vec![0.0; rows * words];
    for_each_chunk([&mut eights], words, |row, [words]| {
        eights::write_row(level, &x[row * inputs..(row + 1) * inputs], words);
    });
    // SAFETY: the pieces cover every row and column, and each writes all of its numbers.
    #[expect(unsafe_code, reason = "the products are written once, not after zeros")]
    unsafe {
        written(rows * outputs, |y| {
            let y = Shared::new(y);
            let product = BlockProduct { level, x, eights: &eights, weight, bias };
            team::for_each(product.pieces(), |i| {
                product.piece(i, &mut |at, numbers| {
                    y.stretch(at, numbers.len()).write_copy_of_slice(numbers);
                });
            });
        })
    }
}

/// One product under way.
pub(super) struct BlockProduct<'a> {
    pub(super) level: Level,
    /// `[rows, inputs]`.
    pub(super) x: &'a [f32],
    /// The same as numbers of eight bits: rows as [`eights::write_row`] writes them.
    pub(super) eights: &'a [f32],
    pub(super) weight: &'a WeightRows<'a>,
    pub(super) bias: Option<&'a [f32]>,
}

impl BlockProduct<'_> {
    /// How many pieces there are to make: some columns of all rows each.
    pub(super) fn pieces(&self) -> usize {
        self.weight.shape()[0].div_ceil(PANEL)
    }

    /// Makes one of them. `write` is given stretches of the result, row-major, and where they begin.
    pub(super) fn piece(&self, i: usize, write: &mut dyn FnMut(usize, &[f32])) {
        let [outputs, inputs] = self.weight.shape();
        let columns = i * PANEL..((i + 1) * PANEL).min(outputs);
        let mut bias = [0.0; PANEL];
        if let Some(of) = self.bias {
            bias[..columns.len()].copy_from_slice(&of[columns.clone()]);
        }
        let words = eights::words(inputs);
        let groups = inputs / eights::GROUP;
        match self.weight.format_of(columns.clone()) {
            Some(Format::Blocks(kind)) if inner::tiles_blocks(self.level) => {
                scratch::with([groups * PANEL_GROUP], |[panel]| {
                    let (rows, row) = self.weight.blocks(kind, columns.clone());
                    inner::lay_out_blocks(self.level, kind, rows, row, panel);
                    let mut tile = [[0.0; PANEL]; BLOCK_ROWS];
                    for (i, left) in self.eights.chunks(BLOCK_ROWS * words).enumerate() {
                        let left = Rows::new(left, inputs);
                        inner::block_tile(self.level, kind, &left, panel, &mut tile);
                        for (row, sums) in tile[..left.count()].iter_mut().enumerate() {
                            inner::add(self.level, sums, &bias);
                            write((i * BLOCK_ROWS + row) * outputs + columns.start, &sums[..columns.len()]);
                        }
                    }
                });
            }
            _ => scratch::with([inputs * PANEL, inputs * PANEL], |[panel, wide]| {
                self.weight.lay_out(self.level, columns.clone(), [0, inputs], panel, wide);
                let mut tile = [[0.0f32; PANEL]; TILE_ROWS];
                for (i, values) in self.x.chunks(TILE_ROWS * inputs).enumerate() {
                    let rows = values.len() / inputs;
                    let left = Left::Rows { values, rows, stride: inputs };
                    // SAFETY: the tile has room for as many rows as one call makes.
                    #[expect(unsafe_code, reason = "a tile is written through a pointer")]
                    unsafe {
                        inner::tile(self.level, left, panel, Onto::Bias(&bias), tile.as_mut_ptr().cast(), PANEL);
                    }
                    for (row, sums) in tile[..rows].iter().enumerate() {
                        write((i * TILE_ROWS + row) * outputs + columns.start, &sums[..columns.len()]);
                    }
                }
            }),
        }
    }
}
