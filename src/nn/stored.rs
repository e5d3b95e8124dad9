//! Matrices whose rows stay in the bytes of a file.

use crate::nn::kernels::rows::{Format, RowPiece, WeightRows};
use std::sync::Arc;

/// Bytes that somebody else holds, such as a mapped file.
#[derive(Clone)]
pub struct HeldBytes {
    owner: Arc<dyn AsRef<[u8]> + Send + Sync>,
    start: usize,
    len: usize,
}

impl HeldBytes {
    /// `len` bytes from `start` on, or nothing where there are fewer.
    #[must_use]
    pub fn new(owner: Arc<dyn AsRef<[u8]> + Send + Sync>, start: usize, len: usize) -> Option<Self> {
        let whole = (*owner).as_ref().len();
        (start <= whole && len <= whole - start).then_some(Self { owner, start, len })
    }

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &(*self.owner).as_ref()[self.start..self.start + self.len]
    }

    /// The same where elements of this many bytes can be read from memory directly: here, or as a copy.
    fn aligned(self, to: usize) -> Self {
        if self.as_slice().as_ptr().align_offset(to) == 0 {
            return self;
        }
        let len = self.len;
        Self { owner: Arc::new(Words::of(self.as_slice())), start: 0, len }
    }
}

/// Bytes that begin where any element may begin.
struct Words(Vec<u64>);

impl Words {
    fn of(bytes: &[u8]) -> Self {
        let word = |bytes: &[u8]| {
            let mut word = [0; size_of::<u64>()];
            word[..bytes.len()].copy_from_slice(bytes);
            u64::from_ne_bytes(word)
        };
        Self(bytes.chunks(size_of::<u64>()).map(word).collect())
    }
}

impl AsRef<[u8]> for Words {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: every byte of a number is a byte.
        #[expect(unsafe_code, reason = "numbers as the bytes they were made of")]
        unsafe {
            self.0.align_to().1
        }
    }
}

/// Some rows that lie one behind the other, all in one format.
#[derive(Clone)]
pub struct StoredPiece {
    /// How a row is to be read.
    pub format: Format,
    /// Rows.
    pub rows: usize,
    /// Of all rows, row-major, little-endian.
    pub bytes: HeldBytes,
}

/// A matrix `[out, in]` of pieces under each other. A clone shares the bytes.
#[derive(Clone)]
pub struct StoredRows {
    pieces: Arc<[StoredPiece]>,
    shape: [usize; 2],
}

impl std::fmt::Debug for StoredRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let formats: Vec<Format> = self.pieces.iter().map(|piece| piece.format).collect();
        f.debug_struct("StoredRows").field("shape", &self.shape).field("formats", &formats).finish_non_exhaustive()
    }
}

impl StoredRows {
    /// Pieces with rows of `inputs` elements.
    ///
    /// # Panics
    /// When a row is no whole number of blocks, or a piece has more or fewer bytes than its rows take.
    #[must_use]
    pub fn new(pieces: Vec<StoredPiece>, inputs: usize) -> Self {
        let check = |piece: StoredPiece| {
            let row = piece.format.row_bytes(inputs).expect("whole blocks in a row");
            assert_eq!(piece.bytes.len, row * piece.rows, "bytes of {} rows of {inputs} elements", piece.rows);
            StoredPiece { bytes: piece.bytes.aligned(piece.format.alignment()), ..piece }
        };
        let pieces: Arc<[StoredPiece]> = pieces.into_iter().map(check).collect();
        let outputs = pieces.iter().map(|piece| piece.rows).sum();
        Self { pieces, shape: [outputs, inputs] }
    }

    /// `[out, in]`.
    #[must_use]
    pub fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// Bytes of all rows.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.bytes.len as u64).sum()
    }

    /// The format of all rows, if they have one.
    #[must_use]
    pub fn format(&self) -> Option<Format> {
        let first = self.pieces.first()?.format;
        self.pieces.iter().all(|piece| piece.format == first).then_some(first)
    }

    /// The pieces, from the first row on.
    #[must_use]
    pub fn pieces(&self) -> &[StoredPiece] {
        &self.pieces
    }

    /// The values of some rows in F32, row-major.
    ///
    /// # Panics
    /// When there are fewer rows.
    #[must_use]
    pub fn values(&self, rows: std::ops::Range<usize>) -> Vec<f32> {
        let mut values = vec![0.0; rows.len() * self.shape[1]];
        self.view().widen(rows, [0, self.shape[1]], &mut values);
        values
    }

    /// As kernels read it.
    pub(in crate::nn) fn view(&self) -> WeightRows<'_> {
        let mut pieces = Vec::with_capacity(self.pieces.len());
        let mut first = 0;
        for piece in self.pieces.iter() {
            pieces.push(RowPiece::new(first, piece.rows, piece.format, piece.bytes.as_slice()));
            first += piece.rows;
        }
        WeightRows::new(pieces, self.shape)
    }
}
