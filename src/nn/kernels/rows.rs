//! Rows of weights as they lie in memory: in one element type or several, of one tensor or of several under each other.
#![expect(unsafe_code, reason = "bytes read as the elements they hold")]

use super::eights::Eights;
use super::inner::{self, Level};
use super::output::{CHUNK, for_each_chunk};
use super::panel::{Element, PANEL};
use crate::nn::blocks::BlockType;
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use std::ops::Range;

/// How the bytes of a row are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Single precision.
    F32,
    /// Half precision.
    F16,
    /// The upper half of single precision.
    Bf16,
    /// Quantised, some weights together.
    Blocks(BlockType),
}

impl Format {
    /// Bytes of a row of so many weights; `None` where they do not fill their blocks, or there are too many to count.
    #[must_use]
    pub fn row_bytes(self, inputs: usize) -> Option<usize> {
        match self {
            Self::F32 => inputs.checked_mul(4),
            Self::F16 | Self::Bf16 => inputs.checked_mul(2),
            Self::Blocks(kind) => kind.row_bytes(inputs),
        }
    }

    /// Addresses at which an element may lie are multiples of this.
    #[must_use]
    pub fn alignment(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Blocks(_) => 1,
        }
    }
}

/// Some rows of one format that lie one behind the other.
#[derive(Clone, Copy)]
pub(in crate::nn) struct RowPiece<'a> {
    /// Where they begin in the matrix.
    first: usize,
    count: usize,
    format: Format,
    bytes: &'a [u8],
}

impl<'a> RowPiece<'a> {
    /// `count` rows from `first` on.
    pub(in crate::nn) fn new(first: usize, count: usize, format: Format, bytes: &'a [u8]) -> Self {
        Self { first, count, format, bytes }
    }

    /// The elements of rows, counted in the piece, of a format that is no blocks.
    fn elements<E: Element>(&self, rows: Range<usize>, inputs: usize) -> &'a [E] {
        assert!(E::FORMAT == self.format);
        // SAFETY: any bits are a number of these types.
        let (before, elements, _) = unsafe { self.bytes.align_to::<E>() };
        assert!(before.is_empty(), "elements where they can be read");
        &elements[rows.start * inputs..rows.end * inputs]
    }

    fn blocks(&self, kind: BlockType, rows: Range<usize>, inputs: usize) -> &'a [u8] {
        let row = inputs / kind.elements() * kind.bytes();
        &self.bytes[rows.start * row..rows.end * row]
    }

    /// Columns `from..to` of some rows, counted in the piece, in F32.
    fn widen(&self, rows: Range<usize>, inputs: usize, [from, to]: [usize; 2], out: &mut [f32]) {
        for (row, out) in rows.zip(out.chunks_exact_mut((to - from).max(1))) {
            let of_row = row..row + 1;
            match self.format {
                Format::F32 => out.copy_from_slice(&self.elements::<f32>(of_row, inputs)[from..to]),
                Format::F16 => self.elements::<f16>(of_row, inputs)[from..to].convert_to_f32_slice(out),
                Format::Bf16 => self.elements::<bf16>(of_row, inputs)[from..to].convert_to_f32_slice(out),
                Format::Blocks(kind) => {
                    let block = |column: usize| column / kind.elements() * kind.bytes();
                    kind.dequantise(&self.blocks(kind, of_row, inputs)[block(from)..block(to)], out);
                }
            }
        }
    }

    /// Products of some rows, counted in the piece, with one vector.
    fn times(&self, level: Level, rows: Range<usize>, x: &Factor<'_>, y: &mut [f32]) {
        let inputs = x.numbers.len();
        match self.format {
            Format::F32 => inner::dots(level, self.elements::<f32>(rows, inputs), x.numbers, y),
            Format::F16 => inner::dots(level, self.elements::<f16>(rows, inputs), x.numbers, y),
            Format::Bf16 => inner::dots(level, self.elements::<bf16>(rows, inputs), x.numbers, y),
            Format::Blocks(kind) => {
                let row = kind.row_bytes(inputs).expect("whole blocks in a row");
                let eights = x.eights.as_ref().expect("made for weights in blocks");
                inner::block_dots(level, kind, self.blocks(kind, rows, inputs), row, eights.stretches(), y);
            }
        }
    }
}

/// A vector that rows are multiplied with, as numbers of few bits, too, where weights are.
pub(super) struct Factor<'a> {
    numbers: &'a [f32],
    eights: Option<Eights>,
}

/// A weight `[out, in]`.
#[derive(Clone)]
pub(in crate::nn) struct WeightRows<'a> {
    pieces: Vec<RowPiece<'a>>,
    shape: [usize; 2],
}

impl<'a> WeightRows<'a> {
    /// Of pieces under each other.
    ///
    /// # Panics
    /// When they are not as many rows as the shape says, or a piece has too few bytes.
    pub(in crate::nn) fn new(pieces: Vec<RowPiece<'a>>, [outputs, inputs]: [usize; 2]) -> Self {
        let mut end = 0;
        for piece in &pieces {
            assert!(
                piece.first == end
                    && piece.format.row_bytes(inputs).map(|row| row * piece.count) == Some(piece.bytes.len())
            );
            end += piece.count;
        }
        assert_eq!(end, outputs, "rows of all pieces");
        Self { pieces, shape: [outputs, inputs] }
    }

    /// Of elements, row-major.
    pub(super) fn of<E: Element>(elements: &'a [E], [outputs, inputs]: [usize; 2]) -> Self {
        assert_eq!(elements.len(), outputs * inputs, "elements of a matrix");
        // SAFETY: any number is some bytes.
        let (_, bytes, _) = unsafe { elements.align_to::<u8>() };
        Self { pieces: vec![RowPiece::new(0, outputs, E::FORMAT, bytes)], shape: [outputs, inputs] }
    }

    /// `[out, in]`.
    pub(super) fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// Bytes of all rows.
    pub(super) fn bytes(&self) -> usize {
        self.pieces.iter().map(|piece| piece.bytes.len()).sum()
    }

    /// The pieces that hold some rows, and which of theirs these are.
    fn holding(&self, rows: Range<usize>) -> impl Iterator<Item = (&RowPiece<'a>, Range<usize>)> {
        self.pieces.iter().filter_map(move |piece| {
            let start = rows.start.max(piece.first);
            let end = rows.end.min(piece.first + piece.count);
            (start < end).then(|| (piece, start - piece.first..end - piece.first))
        })
    }

    /// Columns `from..to`, whole blocks of them, of some rows in F32, row-major.
    pub(in crate::nn) fn widen(&self, rows: Range<usize>, [from, to]: [usize; 2], out: &mut [f32]) {
        assert!(rows.end <= self.shape[0] && out.len() == rows.len() * (to - from));
        let mut rest = out;
        for (piece, rows) in self.holding(rows) {
            let (of_piece, behind) = rest.split_at_mut(rows.len() * (to - from));
            piece.widen(rows, self.shape[1], [from, to], of_piece);
            rest = behind;
        }
    }

    /// True when some rows are in blocks.
    pub(super) fn has_blocks(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece.format, Format::Blocks(_)))
    }

    /// The format of some rows, if they lie in one piece.
    pub(super) fn format_of(&self, rows: Range<usize>) -> Option<Format> {
        self.holding_all(rows).map(|(piece, _)| piece.format)
    }

    /// The piece that holds all of some rows, and which of its rows these are.
    fn holding_all(&self, rows: Range<usize>) -> Option<(&RowPiece<'a>, Range<usize>)> {
        let holds = |piece: &&RowPiece<'_>| piece.first <= rows.start && rows.end <= piece.first + piece.count;
        let piece = self.pieces.iter().find(holds)?;
        Some((piece, rows.start - piece.first..rows.end - piece.first))
    }

    /// The blocks of some rows that lie in one piece, and the bytes of a row.
    ///
    /// # Panics
    /// When they do not, or are no blocks of this kind.
    pub(super) fn blocks(&self, kind: BlockType, rows: Range<usize>) -> (&'a [u8], usize) {
        let (piece, rows) = self.holding_all(rows).expect("rows of one piece");
        assert!(piece.format == Format::Blocks(kind));
        let inputs = self.shape[1];
        (piece.blocks(kind, rows, inputs), kind.row_bytes(inputs).expect("whole blocks in a row"))
    }

    /// `x`, `[in]`, for products with these rows.
    pub(super) fn factor<'x>(&self, level: Level, x: &'x [f32]) -> Factor<'x> {
        Factor { numbers: x, eights: self.has_blocks().then(|| Eights::of(level, x)) }
    }

    /// Products of some rows with `x`, `[in]`.
    pub(super) fn times(&self, level: Level, rows: Range<usize>, x: &Factor<'_>, y: &mut [f32]) {
        assert!(x.numbers.len() == self.shape[1] && rows.end <= self.shape[0] && y.len() == rows.len());
        let mut rest = y;
        for (piece, rows) in self.holding(rows) {
            let (of_piece, behind) = rest.split_at_mut(rows.len());
            piece.times(level, rows, x, of_piece);
            rest = behind;
        }
    }

    /// Columns `from..to`, at most [`PANEL`] of them, of some rows that are in no blocks: → `[rows][PANEL]`. What is behind the columns
    /// stays as it is.
    pub(super) fn copy_columns(&self, level: Level, rows: Range<usize>, [from, to]: [usize; 2], panel: &mut [f32]) {
        let (inputs, width) = (self.shape[1], to - from);
        let mut rest = panel;
        for (piece, of_piece) in self.holding(rows) {
            let (panel, behind) = rest.split_at_mut(of_piece.len() * PANEL);
            match piece.format {
                Format::F32 => {
                    inner::copy_columns(level, &piece.elements::<f32>(of_piece, inputs)[from..], inputs, width, panel);
                }
                Format::F16 => {
                    inner::copy_columns(level, &piece.elements::<f16>(of_piece, inputs)[from..], inputs, width, panel);
                }
                Format::Bf16 => {
                    inner::copy_columns(level, &piece.elements::<bf16>(of_piece, inputs)[from..], inputs, width, panel);
                }
                Format::Blocks(_) => unreachable!("rows in no blocks"),
            }
            rest = behind;
        }
    }

    /// All of it in F32, row-major, made on all threads.
    pub(super) fn widened(&self) -> Vec<f32> {
        let [outputs, inputs] = self.shape;
        let mut wide = vec![0.0; outputs * inputs];
        let rows = (CHUNK / inputs.max(1)).max(1);
        for_each_chunk([&mut wide], rows * inputs.max(1), |i, [wide]| {
            self.widen(i * rows..i * rows + wide.len() / inputs.max(1), [0, inputs], wide);
        });
        wide
    }

    /// Columns `from..to` of up to [`PANEL`] rows, transposed so that they lie side by side: → `[to − from][PANEL]`. `wide` has
    /// room for as many numbers.
    pub(super) fn lay_out(
        &self,
        level: Level,
        rows: Range<usize>,
        [from, to]: [usize; 2],
        panel: &mut [f32],
        wide: &mut [f32],
    ) {
        let (inputs, length) = (self.shape[1], to - from);
        match self.holding_all(rows.clone()) {
            Some((piece, of_piece)) if piece.format == Format::F32 => {
                turn(level, piece.elements::<f32>(of_piece, inputs), inputs, [from, to], panel);
            }
            Some((piece, of_piece)) if piece.format == Format::F16 => {
                turn(level, piece.elements::<f16>(of_piece, inputs), inputs, [from, to], panel);
            }
            Some((piece, of_piece)) if piece.format == Format::Bf16 => {
                turn(level, piece.elements::<bf16>(of_piece, inputs), inputs, [from, to], panel);
            }
            _ => {
                let wide = &mut wide[..rows.len() * length];
                self.widen(rows, [from, to], wide);
                turn(level, wide, length, [0, length], panel);
            }
        }
    }
}

fn turn<E: Element>(level: Level, rows: &[E], stride: usize, [from, to]: [usize; 2], panel: &mut [f32]) {
    let last = rows.len() / stride - 1;
    debug_assert!(last < PANEL);
    inner::transpose_rows(level, &rows[from..last * stride + to], stride, to - from, panel);
}
