//! Memory that every thread keeps for its intermediate values: asking the system anew for each call would cost more than
//! many a calculation.

use std::cell::RefCell;

/// Numbers in a cache line.
const LINE: usize = 16;

thread_local! {
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Calls `work` with buffers of these lengths, each beginning at a cache line and holding any values.
///
/// # Panics
/// When `work` asks for buffers itself: there is one set a thread.
pub(super) fn with<const N: usize, R>(lengths: [usize; N], work: impl FnOnce([&mut [f32]; N]) -> R) -> R {
    let padded = lengths.map(|length| length.next_multiple_of(LINE));
    SCRATCH.with_borrow_mut(|scratch| {
        let needed = padded.iter().sum::<usize>() + LINE;
        if scratch.len() < needed {
            scratch.resize(needed, 0.0);
        }
        let start = scratch.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
        let mut rest = &mut scratch[start..];
        let mut index = 0;
        work(lengths.map(|length| {
            let (buffer, behind) = std::mem::take(&mut rest).split_at_mut(padded[index]);
            rest = behind;
            index += 1;
            &mut buffer[..length]
        }))
    })
}
