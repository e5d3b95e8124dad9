//! Memory for what lies between the parts of a pass, kept from one pass to the next: fresh memory costs an interruption a page.
#![expect(unsafe_code, reason = "threads write parts of one buffer")]

use std::cell::RefCell;
use std::marker::PhantomData;
use std::ops::Range;

/// Numbers in a cache line.
const LINE: usize = 16;
/// Numbers above which memory is given back behind a pass.
const KEPT: usize = 16 << 20;

thread_local! {
    static WORKSPACE: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Calls `work` with buffers of these rows and widths, which hold any numbers.
pub(super) fn with<const N: usize, R>(sizes: [[usize; 2]; N], work: impl FnOnce([Buffer<'_>; N]) -> R) -> R {
    // Taken, not borrowed: a pass inside a pass would get memory of its own.
    let mut memory = WORKSPACE.take();
    let needed = sizes.iter().map(|[rows, width]| (rows * width).next_multiple_of(LINE)).sum::<usize>();
    if memory.len() < needed {
        memory.resize(needed, 0.0);
    }
    let mut rest = &mut memory[..];
    let buffers = sizes.map(|[rows, width]| {
        let (buffer, behind) = std::mem::take(&mut rest).split_at_mut((rows * width).next_multiple_of(LINE));
        rest = behind;
        Buffer::of(buffer, width)
    });
    let result = work(buffers);
    if memory.len() <= KEPT {
        WORKSPACE.set(memory);
    }
    result
}

/// Numbers that all threads of a region read and write.
pub(super) struct Buffer<'a> {
    start: *mut f32,
    len: usize,
    /// What the numbers are counted in: the width of a row, or how many rows a head has room for.
    pub(super) size: usize,
    whole: PhantomData<&'a mut [f32]>,
}

// SAFETY: the pointer is only used through the functions below, whose callers promise not to share what they write.
unsafe impl Sync for Buffer<'_> {}

impl<'a> Buffer<'a> {
    pub(super) fn of(numbers: &'a mut [f32], size: usize) -> Self {
        Self { start: numbers.as_mut_ptr(), len: numbers.len(), size, whole: PhantomData }
    }

    /// The same numbers for another part of the same computation.
    pub(super) fn again(&self, size: usize) -> Self {
        Self { size, ..*self }
    }

    /// # Safety
    /// Nobody writes these numbers while they are read.
    pub(super) unsafe fn part(&self, at: usize, len: usize) -> &[f32] {
        assert!(at <= self.len && len <= self.len - at, "{len} numbers at {at} of {}", self.len);
        // SAFETY: inside the memory by the check above; the caller promises the rest.
        unsafe { std::slice::from_raw_parts(self.start.add(at), len) }
    }

    /// # Safety
    /// Nobody else uses these numbers meanwhile.
    #[expect(clippy::mut_from_ref, reason = "what makes it safe is promised by the caller")]
    pub(super) unsafe fn part_mut(&self, at: usize, len: usize) -> &mut [f32] {
        assert!(at <= self.len && len <= self.len - at, "{len} numbers at {at} of {}", self.len);
        // SAFETY: inside the memory by the check above; the caller promises the rest.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(at), len) }
    }

    /// # Safety
    /// As [`Self::part`].
    pub(super) unsafe fn row(&self, row: usize, width: usize) -> &[f32] {
        // SAFETY: by the caller's promise.
        unsafe { self.part(row * width, width) }
    }

    /// # Safety
    /// As [`Self::part_mut`].
    #[expect(clippy::mut_from_ref, reason = "what makes it safe is promised by the caller")]
    pub(super) unsafe fn row_mut(&self, row: usize, width: usize) -> &mut [f32] {
        // SAFETY: by the caller's promise.
        unsafe { self.part_mut(row * width, width) }
    }

    /// # Safety
    /// As [`Self::part`].
    pub(super) unsafe fn rows(&self, rows: Range<usize>, width: usize) -> &[f32] {
        // SAFETY: by the caller's promise.
        unsafe { self.part(rows.start * width, rows.len() * width) }
    }

    /// Where some rows are, for threads that write pieces of them.
    pub(super) fn pointer(&self, rows: Range<usize>, width: usize) -> *mut f32 {
        let (at, len) = (rows.start * width, rows.len() * width);
        assert!(at <= self.len && len <= self.len - at, "{len} numbers at {at} of {}", self.len);
        self.start.wrapping_add(at)
    }
}
