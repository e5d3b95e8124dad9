//! Memory that was given back to the allocator and not to the system.
#![cfg_attr(
    all(target_os = "linux", target_env = "gnu"),
    expect(unsafe_code, reason = "a function of the C library is called")
)]

/// Gives the system what the allocator keeps of freed memory, where it keeps much. Reading a model leaves tens of megabytes of
/// what its files were taken apart into.
pub fn trim_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes a number and may be called at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}
