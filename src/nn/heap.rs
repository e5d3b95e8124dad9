//! Memory that was given back to the allocator and not to the system.
//!
//! Whoever computes in steps makes and drops the same large tensors in each. The system's allocator gives such blocks back to the
//! system at once, and each comes again as pages that are cleared first: 6 % of a step that trains 135 million numbers on two cores.
//! So while somebody [holds](hold) them, blocks that are dropped wait for whoever asks for their size next.
#![expect(unsafe_code, reason = "an allocator hands out memory, and a function of the C library is called")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

#[global_allocator]
static HEAP: Heap = Heap::new();

/// Bytes from which a block is kept. The C library of Linux keeps smaller ones itself, and finds memory of one size for another there.
const LARGE: usize = 32 << 20;
/// Blocks that are kept at most.
const MOST_BLOCKS: usize = 64;
/// Of every large block, so that one serves for all types of numbers. What asks for more is no tensor.
const ALIGNMENT: usize = 16;

/// Keeps large blocks of memory for their next use until it is dropped.
#[derive(Debug)]
pub(crate) struct Held(());

/// Keeps large blocks that are dropped until this and every other such value is gone. The program never holds more than an eighth over
/// what it used at once.
pub(crate) fn hold() -> Held {
    HEAP.begin();
    Held(())
}

impl Drop for Held {
    fn drop(&mut self) {
        HEAP.end();
    }
}

/// Gives the system what the allocator keeps of freed memory, where it keeps much. Reading a model leaves tens of megabytes of
/// what its files were taken apart into.
pub fn trim_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes a number and may be called at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// The allocator of the system, and large blocks that wait for their next use.
struct Heap {
    /// Bytes of large blocks in use.
    used: AtomicUsize,
    /// The most of it since somebody holds them.
    most_used: AtomicUsize,
    kept: Mutex<Kept>,
}

struct Kept {
    holders: usize,
    /// The first `count` wait, the one that waits longest in front.
    blocks: [Block; MOST_BLOCKS],
    count: usize,
    bytes: usize,
}

#[derive(Clone, Copy)]
struct Block {
    start: *mut u8,
    size: usize,
}

// SAFETY: a block that waits belongs to nobody else.
unsafe impl Send for Block {}

/// What is asked of the system for a block: large ones in steps of at most an eighth, so that sizes which differ a little share blocks.
fn rounded(layout: Layout) -> Layout {
    let size = layout.size();
    if !is_large(layout) {
        return layout;
    }
    let step = 1 << (size.ilog2() - 3);
    // Where there is no such size, the system says no to the one that was asked for.
    let rounded = size.checked_next_multiple_of(step).unwrap_or(size);
    Layout::from_size_align(rounded, ALIGNMENT).unwrap_or(layout)
}

fn is_large(layout: Layout) -> bool {
    layout.size() >= LARGE && layout.align() <= ALIGNMENT
}

impl Kept {
    /// The block of this size that was used last.
    fn take(&mut self, size: usize) -> Option<*mut u8> {
        let place = self.blocks[..self.count].iter().rposition(|block| block.size == size)?;
        Some(self.remove(place).start)
    }

    fn remove(&mut self, place: usize) -> Block {
        let block = self.blocks[place];
        self.blocks.copy_within(place + 1..self.count, place);
        self.count -= 1;
        self.bytes -= block.size;
        block
    }

    /// Gives the blocks that wait longest to the system until this is so.
    fn let_go_until(&mut self, is_so: impl Fn(&Self) -> bool) {
        while self.count > 0 && !is_so(self) {
            let Block { start, size } = self.remove(0);
            // SAFETY: it was asked of the system with this size, as `rounded` has it, and nobody uses it.
            unsafe { System.dealloc(start, Layout::from_size_align_unchecked(size, ALIGNMENT)) };
        }
    }
}

impl Heap {
    const fn new() -> Self {
        let nothing = Block { start: std::ptr::null_mut(), size: 0 };
        let kept = Kept { holders: 0, blocks: [nothing; MOST_BLOCKS], count: 0, bytes: 0 };
        Self { used: AtomicUsize::new(0), most_used: AtomicUsize::new(0), kept: Mutex::new(kept) }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Kept) -> T) -> T {
        work(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn begin(&self) {
        self.with(|kept| {
            if kept.holders == 0 {
                self.most_used.store(self.used.load(Ordering::Relaxed), Ordering::Relaxed);
            }
            kept.holders += 1;
        });
    }

    fn end(&self) {
        self.with(|kept| {
            kept.holders -= 1;
            let holders = kept.holders;
            kept.let_go_until(|_| holders > 0);
        });
    }

    /// A block of the size of a rounded layout: one that waits, else what the system gives, which may be none.
    fn take_or(&self, layout: Layout, of_system: impl FnOnce() -> *mut u8) -> (*mut u8, bool) {
        let waiting = self.with(|kept| kept.take(layout.size()));
        let start = waiting.unwrap_or_else(of_system);
        if !start.is_null() {
            self.count(layout.size());
        }
        (start, waiting.is_some())
    }

    /// The block in another one, as far as it fits.
    ///
    /// # Safety
    /// As of [`GlobalAlloc::realloc`].
    unsafe fn moved(&self, start: *mut u8, from: Layout, to: Layout) -> *mut u8 {
        // SAFETY: as promised; the two blocks are not one.
        unsafe {
            let moved = self.alloc(to);
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(start, from.size().min(to.size()));
                self.dealloc(start, from);
            }
            moved
        }
    }

    /// So many bytes more are in use.
    fn count(&self, size: usize) {
        let now = self.used.fetch_add(size, Ordering::Relaxed) + size;
        self.most_used.fetch_max(now, Ordering::Relaxed);
    }

    /// Whether a block, of the size of a rounded layout, waits from now on. In either case it is no longer in use.
    fn keep(&self, start: *mut u8, layout: Layout) -> bool {
        let size = layout.size();
        let now = self.used.fetch_sub(size, Ordering::Relaxed) - size;
        self.with(|kept| {
            if kept.holders == 0 {
                return false;
            }
            let most = self.most_used.load(Ordering::Relaxed);
            let room = (most + most / 8).saturating_sub(now);
            kept.let_go_until(|kept| kept.bytes + size <= room && kept.count < MOST_BLOCKS);
            if kept.bytes + size > room {
                return false;
            }
            kept.blocks[kept.count] = Block { start, size };
            kept.count += 1;
            kept.bytes += size;
            true
        })
    }
}

// SAFETY: blocks are those of the system's allocator, of the size that `rounded` makes of the one asked for, each time the same; one
// that waits is handed out once, to whoever asks for just its size and no more than its alignment.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !is_large(layout) {
            // SAFETY: as promised to this function.
            return unsafe { System.alloc(layout) };
        }
        let layout = rounded(layout);
        // SAFETY: as above; it is no smaller.
        self.take_or(layout, || unsafe { System.alloc(layout) }).0
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !is_large(layout) {
            // SAFETY: as promised to this function.
            return unsafe { System.alloc_zeroed(layout) };
        }
        let wanted = layout.size();
        let layout = rounded(layout);
        // SAFETY: as above.
        let (start, waited) = self.take_or(layout, || unsafe { System.alloc_zeroed(layout) });
        if waited {
            // SAFETY: the block has so many bytes and belongs to nobody else.
            unsafe { start.write_bytes(0, wanted) };
        }
        start
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        if is_large(layout) && self.keep(start, rounded(layout)) {
            return;
        }
        // SAFETY: it was asked of the system with this layout.
        unsafe { System.dealloc(start, rounded(layout)) };
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the new size is one a layout can have.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        if is_large(layout) != is_large(new) {
            // SAFETY: as promised to this function; both blocks have the bytes that are copied.
            return unsafe { self.moved(start, layout, new) };
        }
        let (old_size, new_size) = (rounded(layout).size(), rounded(new).size());
        if is_large(layout) && old_size == new_size {
            return start;
        }
        // The system moves large blocks without copying them.
        // SAFETY: it was asked of the system with this layout; the new size is no smaller than asked for.
        let moved = unsafe { System.realloc(start, rounded(layout), new_size) };
        if is_large(layout) && !moved.is_null() {
            self.used.fetch_sub(old_size, Ordering::Relaxed);
            self.count(new_size);
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, 4).unwrap()
    }

    /// A block of so many bytes, whose first and last are written.
    fn block(heap: &Heap, bytes: usize) -> *mut u8 {
        // SAFETY: the size is not zero; what is written is inside.
        unsafe {
            let start = heap.alloc(layout(bytes));
            assert!(!start.is_null());
            start.write(7);
            start.add(bytes - 1).write(7);
            start
        }
    }

    fn drop_block(heap: &Heap, start: *mut u8, bytes: usize) {
        // SAFETY: it was made with this layout.
        unsafe { heap.dealloc(start, layout(bytes)) };
    }

    fn waiting(heap: &Heap) -> (usize, usize) {
        heap.with(|kept| (kept.count, kept.bytes))
    }

    #[test]
    fn a_block_waits_for_its_size_while_somebody_holds_it_and_no_longer() {
        let heap = Heap::new();
        heap.begin();
        heap.begin();
        let first = block(&heap, 3 * LARGE);
        drop_block(&heap, first, 3 * LARGE);
        assert_eq!(waiting(&heap), (1, 3 * LARGE));
        let other = block(&heap, 5 * LARGE);
        // A few bytes less come to the same block.
        let again = block(&heap, 3 * LARGE - 100);
        assert_eq!(again, first);
        drop_block(&heap, again, 3 * LARGE - 100);
        drop_block(&heap, other, 5 * LARGE);
        heap.end();
        assert_eq!(waiting(&heap).0, 2);
        heap.end();
        assert_eq!(waiting(&heap), (0, 0));
        assert_eq!(heap.used.load(Ordering::Relaxed), 0);
        let last = block(&heap, 3 * LARGE);
        drop_block(&heap, last, 3 * LARGE);
        assert_eq!(waiting(&heap), (0, 0));
    }

    #[test]
    fn what_waits_is_cleared_for_whoever_asks_for_zeros() {
        let heap = Heap::new();
        heap.begin();
        let first = block(&heap, 2 * LARGE);
        drop_block(&heap, first, 2 * LARGE);
        // SAFETY: the size is not zero; the block is read inside.
        let zeros = unsafe {
            let start = heap.alloc_zeroed(layout(2 * LARGE));
            assert_eq!(start, first);
            let zeros = std::slice::from_raw_parts(start, 2 * LARGE).iter().all(|byte| *byte == 0);
            heap.dealloc(start, layout(2 * LARGE));
            zeros
        };
        assert!(zeros);
        heap.end();
    }

    #[test]
    fn blocks_of_many_sizes_do_not_pile_up() {
        let heap = Heap::new();
        heap.begin();
        for bytes in (1..20).map(|n| n * LARGE) {
            let start = block(&heap, bytes);
            drop_block(&heap, start, bytes);
            let (_, waiting) = waiting(&heap);
            assert!(waiting * 8 <= 9 * bytes.next_power_of_two(), "{waiting} bytes wait behind one of {bytes}");
        }
        heap.end();
    }

    #[test]
    fn what_the_system_refuses_is_not_counted() {
        let heap = Heap::new();
        heap.begin();
        // SAFETY: the size is not zero, and nothing is written.
        let start = unsafe { heap.alloc(layout(isize::MAX as usize - LARGE)) };
        assert!(start.is_null());
        assert_eq!([&heap.used, &heap.most_used].map(|count| count.load(Ordering::Relaxed)), [0, 0]);
        heap.end();
    }

    #[test]
    fn what_grows_keeps_its_contents_and_is_counted() {
        let heap = Heap::new();
        heap.begin();
        // SAFETY: sizes are not zero; what is read and written is inside.
        unsafe {
            let mut start = heap.alloc(layout(1000));
            start.write(9);
            let mut bytes = 1000;
            for next in [LARGE - 1, LARGE, LARGE + 1, 5 * LARGE, 4 * LARGE + 5, 400] {
                start = heap.realloc(start, layout(bytes), next);
                assert_eq!(start.read(), 9);
                bytes = next;
                start.add(bytes - 1).write(start.read());
                start.write(9);
                let counted = if bytes < LARGE { 0 } else { rounded(layout(bytes)).size() };
                assert_eq!(heap.used.load(Ordering::Relaxed), counted);
            }
            heap.dealloc(start, layout(bytes));
        }
        heap.end();
    }
}
