//! Work shared among threads, and memory for its results: written once and never filled with zeros before.
#![expect(unsafe_code, reason = "memory that holds nothing until it is written")]

use super::team;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// Elements a thread takes at a time where each costs little. Less than two such stretches stay on the thread that asks:
/// waking another one would take longer.
pub(super) const CHUNK: usize = 1 << 14;

/// A vector of `len` numbers that `work` writes.
///
/// # Safety
/// `work` writes every one of them.
pub(super) unsafe fn written(len: usize, work: impl FnOnce(&mut [MaybeUninit<f32>])) -> Vec<f32> {
    let mut values = Vec::with_capacity(len);
    in_large_pages(values.spare_capacity_mut());
    work(&mut values.spare_capacity_mut()[..len]);
    // SAFETY: the capacity is there, and the caller promises the rest.
    unsafe { values.set_len(len) };
    values
}

/// Numbers from which on memory is asked for in large pages.
const LARGE: usize = 1 << 20;

/// Asks the system to give memory that is still to be touched in large pages, where it has any: one interruption for 2 MiB in the
/// place of one for 4 KiB. Where patterns of 512 tokens are
/// kept, attention takes four fifths of the time.
pub(super) fn in_large_pages(memory: &mut [MaybeUninit<f32>]) {
    #[cfg(target_os = "linux")]
    if memory.len() >= LARGE {
        const PAGE: usize = 1 << 12;
        let (start, len) = (memory.as_mut_ptr().cast::<libc::c_void>(), size_of_val(memory));
        let skipped = start.align_offset(PAGE);
        // SAFETY: whole pages inside the memory. The advice changes how they are backed, not what they hold; it may be refused.
        unsafe { libc::madvise(start.wrapping_byte_add(skipped), (len - skipped) / PAGE * PAGE, libc::MADV_HUGEPAGE) };
    }
}

/// A vector of `len` numbers that `work` writes, `chunk` at a time: it is told where they begin. What it returns comes in
/// order.
///
/// # Safety
/// `work` writes every number it is given.
pub(super) unsafe fn written_in_chunks<R: Send>(
    len: usize,
    chunk: usize,
    work: impl Fn(usize, &mut [MaybeUninit<f32>]) -> R + Sync,
) -> (Vec<f32>, Vec<R>) {
    let mut returned = Vec::new();
    let all = |out: &mut [MaybeUninit<f32>]| {
        if len <= chunk {
            return returned.push(work(0, out));
        }
        let out = Shared::new(out);
        returned = in_order(len.div_ceil(chunk), |i| {
            // SAFETY: each chunk is its own.
            work(i * chunk, unsafe { out.stretch(i * chunk, chunk.min(len - i * chunk)) })
        });
    };
    // SAFETY: the chunks cover everything, and the caller promises that each is written whole.
    (unsafe { written(len, all) }, returned)
}

/// What `work` makes of each stretch of `chunk` numbers, in order.
pub(super) fn map_chunks<R: Send>(x: &[f32], chunk: usize, work: impl Fn(&[f32]) -> R + Send + Sync) -> Vec<R> {
    if x.len() <= chunk {
        return vec![work(x)];
    }
    in_order(x.len().div_ceil(chunk), |i| work(&x[i * chunk..((i + 1) * chunk).min(x.len())]))
}

/// What `work` makes of 0, 1, … up to, but not including, `count`, on all threads.
pub(super) fn in_order<R: Send>(count: usize, work: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let mut made: Vec<Option<R>> = (0..count).map(|_| None).collect();
    let places = Places(made.as_mut_ptr());
    team::for_each(count, |i| {
        let made = work(i);
        // SAFETY: every number comes once, and below the count.
        unsafe { places.put(i, made) };
    });
    made.into_iter().flatten().collect()
}

/// Calls `work` on all threads with every stretch of `chunk` numbers, the same of each array, and its number.
///
/// # Panics
/// When the arrays differ in length.
pub(super) fn for_each_chunk<const N: usize>(
    arrays: [&mut [f32]; N],
    chunk: usize,
    work: impl Fn(usize, [&mut [f32]; N]) + Sync,
) {
    let len = arrays.first().map_or(0, |array| array.len());
    assert!(arrays.iter().all(|array| array.len() == len), "arrays of one length");
    let arrays = arrays.map(Shared::of);
    team::for_each(len.div_ceil(chunk.max(1)), |i| {
        let at = i * chunk;
        // SAFETY: each chunk is its own, and the numbers are there.
        work(i, std::array::from_fn(|array| unsafe { arrays[array].numbers(at, chunk.min(len - at)) }));
    });
}

/// Room for results, each written by one thread.
struct Places<R>(*mut Option<R>);

// SAFETY: the pointer is only used through `put`, whose callers take places of their own.
unsafe impl<R: Send> Sync for Places<R> {}

impl<R> Places<R> {
    /// # Safety
    /// The place is there, and nobody else uses it.
    unsafe fn put(&self, place: usize, made: R) {
        // SAFETY: by the caller's promise.
        unsafe { *self.0.add(place) = Some(made) };
    }
}

/// A result that several threads write, each stretches of its own.
pub(super) struct Shared<'a> {
    start: *mut MaybeUninit<f32>,
    len: usize,
    whole: PhantomData<&'a mut [MaybeUninit<f32>]>,
}

// SAFETY: the pointer is only used through `stretch`, whose callers promise not to share what they get.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    /// To share this memory.
    pub(super) fn new(memory: &'a mut [MaybeUninit<f32>]) -> Self {
        Self { start: memory.as_mut_ptr(), len: memory.len(), whole: PhantomData }
    }

    /// To share numbers that are there already.
    pub(super) fn of(numbers: &'a mut [f32]) -> Self {
        Self { start: numbers.as_mut_ptr().cast(), len: numbers.len(), whole: PhantomData }
    }

    /// As [`Self::stretch`], of memory that holds numbers.
    ///
    /// # Safety
    /// As there; and these have been written.
    #[expect(clippy::mut_from_ref, reason = "what makes it safe is promised by the caller")]
    pub(super) unsafe fn numbers(&self, at: usize, len: usize) -> &mut [f32] {
        assert!(at <= self.len && len <= self.len - at);
        // SAFETY: inside the memory by the check above; the caller promises the rest.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(at).cast(), len) }
    }

    /// `len` numbers from `at` on.
    ///
    /// # Safety
    /// No two stretches that live at the same time overlap.
    #[expect(clippy::mut_from_ref, reason = "what makes it safe is promised by the caller")]
    pub(super) unsafe fn stretch(&self, at: usize, len: usize) -> &mut [MaybeUninit<f32>] {
        assert!(at <= self.len && len <= self.len - at);
        // SAFETY: inside the memory by the check above; the caller promises the rest.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(at), len) }
    }
}
