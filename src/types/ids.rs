//! Names for jobs and open models, handed out by whoever starts them.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! id {
    ($name:ident, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub struct $name(pub u64);

        impl $name {
            /// A number no other id of this kind has had in this process.
            #[must_use]
            pub fn next() -> Self {
                static LAST: AtomicU64 = AtomicU64::new(0);
                Self(LAST.fetch_add(1, Ordering::Relaxed) + 1)
            }
        }
    };
}

id!(JobId, "One piece of work given to the engine: a generation, an inspection, a training run.");
id!(ModelId, "One model the engine holds, or is about to hold.");
