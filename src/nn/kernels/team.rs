//! Threads that work together on one computation and stay awake between its parts.
//!
//! Waking a thread costs the system more than many a part of a token takes. So whoever has finished a part spins for a moment
//! before it sleeps, and within a region all members go through the parts together, from barrier to barrier.
#![expect(unsafe_code, reason = "the closure of a region is lent to other threads until all of them are done with it")]

use super::stalls::{Stalls, Work};
use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{self, Thread};
use std::time::Instant;

/// Looks at a flag before a thread lets others have its processor, about 50 µs.
const SPINS: usize = 1 << 10;
/// Times a thread gives its processor away before it sleeps.
const YIELDS: usize = 1 << 6;

static TEAM: LazyLock<Team> = LazyLock::new(Team::new);
static STALLS: Stalls = Stalls::none();

/// How many threads work together: one for whoever computes inside a pool of one thread, which is how somebody asks for one core.
pub(super) fn size() -> usize {
    rayon::current_num_threads()
}

/// Calls `work` with 0, 1, … up to, but not including, `count`, each once, on whichever thread is free. On the thread that asks
/// alone where the team is at work for somebody else, or rests.
pub(super) fn for_each(count: usize, work: impl Fn(usize) + Sync) {
    let Some(team) = (if count > 1 { free_team() } else { None }) else {
        return (0..count).for_each(work);
    };
    let next = AtomicUsize::new(0);
    team.run(&|_| {
        let mut done = Work::begin();
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= count {
                break done;
            }
            work(i);
            done.count();
        }
    });
}

/// Calls `work` on every thread of the team at once. It goes through its parts by [`Member::share`].
pub(super) fn region(work: impl Fn(&Member<'_>) + Sync) {
    let team = free_team();
    let parts = Parts::new(team.as_ref().map_or(1, |owned| owned.team.threads.len() + 1));
    let member = |_| work(&Member { parts: &parts, part: Cell::new(0) });
    match team {
        // A member that panics never comes to the next barrier; the others must not wait for it.
        Some(team) => team.run(&|index| {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| member(index))) {
                parts.is_broken.store(true, Ordering::Release);
                resume_unwind(panic);
            }
            // All came to the last barrier together.
            Work::begin()
        }),
        None => member(0),
    }
}

/// The whole team, where it is free and wanted, and the system lets it run.
fn free_team() -> Option<Owned> {
    if size() > 1 && !STALLS.team_rests() { TEAM.lock() } else { None }
}

/// A thread inside a region.
pub(super) struct Member<'a> {
    parts: &'a Parts,
    /// Parts it has gone through.
    part: Cell<usize>,
}

/// What the members of a region share.
struct Parts {
    members: usize,
    arrived: AtomicUsize,
    done: AtomicUsize,
    /// The next piece of the part that is worked on, and of the one behind it.
    next: [AtomicUsize; 2],
    is_broken: AtomicBool,
}

impl Parts {
    fn new(members: usize) -> Self {
        Self {
            members,
            arrived: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            next: Default::default(),
            is_broken: AtomicBool::new(false),
        }
    }
}

impl Member<'_> {
    /// A part: `work` is called with 0, 1, … up to, but not including, `count`, each once, on whichever thread is free. All
    /// members must come here; nobody goes on before all is done, and what was written is seen by everybody.
    pub(super) fn share(&self, count: usize, mut work: impl FnMut(usize)) {
        let part = self.part.get();
        self.part.set(part + 1);
        let next = &self.parts.next[part % 2];
        let mut done = Work::begin();
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= count {
                break;
            }
            work(i);
            done.count();
        }
        self.wait(part, &done);
    }

    fn wait(&self, part: usize, work: &Work) {
        let parts = self.parts;
        if parts.arrived.fetch_add(1, Ordering::AcqRel) + 1 == parts.members {
            parts.next[part % 2].store(0, Ordering::Relaxed);
            parts.arrived.store(0, Ordering::Relaxed);
            parts.done.store(part + 1, Ordering::Release);
            return;
        }
        let is_done = || {
            assert!(!parts.is_broken.load(Ordering::Acquire), "another thread of this computation has failed");
            parts.done.load(Ordering::Acquire) > part
        };
        // At its first barrier others may still be waking up.
        spin_until(is_done, Some(work).filter(|_| part > 0));
    }
}

/// Looks until something is so, at first without a pause. What a thread did before tells whether it took too long.
fn spin_until(is_so: impl Fn() -> bool, work: Option<&Work>) {
    for _ in 0..SPINS {
        if is_so() {
            return;
        }
        std::hint::spin_loop();
    }
    let from = Instant::now();
    while !is_so() {
        thread::yield_now();
    }
    if let Some(work) = work {
        STALLS.waited(from, work);
    }
}

struct Team {
    /// Held by whoever the team works for.
    owner: Mutex<()>,
    shared: Arc<Shared>,
    threads: Vec<Thread>,
}

struct Shared {
    /// Counts the jobs.
    begun: AtomicU64,
    job: UnsafeCell<Option<Job>>,
    /// Helpers that have not finished it.
    busy: AtomicUsize,
    /// Of each helper: true while it sleeps or is about to.
    sleeps: Vec<AtomicBool>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// What all threads call with their number.
type Job = *const (dyn Fn(usize) -> Work + Sync);

// SAFETY: the job is written by the owner while no helper works, and read by helpers after they have seen `begun` change; what
// it points to is `Sync` and outlives the job, because the owner waits for `busy` to be zero.
unsafe impl Sync for Shared {}
// SAFETY: as above.
unsafe impl Send for Shared {}

impl Team {
    fn new() -> Self {
        let helpers = size().saturating_sub(1);
        let shared = Arc::new(Shared {
            begun: AtomicU64::new(0),
            job: UnsafeCell::new(None),
            busy: AtomicUsize::new(0),
            sleeps: (0..helpers).map(|_| AtomicBool::new(false)).collect(),
            panic: Mutex::new(None),
        });
        let start = |index: usize| {
            let shared = Arc::clone(&shared);
            let name = format!("compute {}", index + 1);
            thread::Builder::new().name(name).spawn(move || shared.help(index)).map(|handle| handle.thread().clone())
        };
        // A system that gives no more threads leaves the team smaller than it was to be, which a region could not bear.
        let threads: Vec<Thread> = (0..helpers).map_while(|index| start(index).ok()).collect();
        Self { owner: Mutex::new(()), shared, threads }
    }

    /// To work with the whole team; nothing while it works for somebody else, or where there is no second thread.
    fn lock(&'static self) -> Option<Owned> {
        if self.threads.is_empty() || self.threads.len() < self.shared.sleeps.len() {
            return None;
        }
        let guard = match self.owner.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(Owned { team: self, _guard: guard })
    }
}

/// The team at somebody's service.
struct Owned {
    team: &'static Team,
    _guard: MutexGuard<'static, ()>,
}

impl Owned {
    /// Calls `job` on all threads, this one as number 0, and waits for all of them. A panic of any becomes one here. The job tells what
    /// was done in it.
    fn run(&self, job: &(dyn Fn(usize) -> Work + Sync)) {
        let shared = &self.team.shared;
        // SAFETY: only the lifetime is changed, and this function does not return before every helper is done with it.
        let job_for_helpers: Job = unsafe { std::mem::transmute::<&(dyn Fn(usize) -> Work + Sync), Job>(job) };
        // SAFETY: no helper works, so none reads it.
        unsafe { *shared.job.get() = Some(job_for_helpers) };
        shared.busy.store(self.team.threads.len(), Ordering::Relaxed);
        // Sequentially consistent with `sleeps`: a helper that is not seen to sleep here sees the new job before it does.
        shared.begun.fetch_add(1, Ordering::SeqCst);
        let mut woken = false;
        for (sleeps, thread) in shared.sleeps.iter().zip(&self.team.threads) {
            if sleeps.load(Ordering::SeqCst) {
                thread.unpark();
                woken = true;
            }
        }
        let own = catch_unwind(AssertUnwindSafe(|| job(0)));
        // To wake may take long, and tells nothing of other programs.
        let work = own.as_ref().ok().filter(|_| !woken);
        spin_until(|| shared.busy.load(Ordering::Acquire) == 0, work);
        let of_helper = shared.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The panic that began it says more than that of a member who waited in vain.
        if let Some(panic) = of_helper.into_iter().chain(own.err()).next() {
            resume_unwind(panic);
        }
    }
}

impl Shared {
    /// What a helper does all its life.
    fn help(&self, index: usize) {
        let mut seen = 0;
        loop {
            seen = self.next_job(index, seen);
            // SAFETY: a job that has begun is there until `busy` is zero.
            let job = unsafe { *self.job.get() };
            if let Some(job) = job {
                // SAFETY: as above.
                let result = catch_unwind(AssertUnwindSafe(|| unsafe { (*job)(index + 1) }));
                if let Err(panic) = result {
                    self.panic.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(panic);
                }
            }
            self.busy.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Waits for another job than the one seen last.
    fn next_job(&self, index: usize, seen: u64) -> u64 {
        let is_new = || self.begun.load(Ordering::SeqCst) != seen;
        let mut looks = 0;
        while looks < SPINS + YIELDS {
            if is_new() {
                return self.begun.load(Ordering::SeqCst);
            }
            looks += 1;
            if looks < SPINS { std::hint::spin_loop() } else { thread::yield_now() }
        }
        self.sleeps[index].store(true, Ordering::SeqCst);
        while !is_new() {
            thread::park();
        }
        self.sleeps[index].store(false, Ordering::SeqCst);
        self.begun.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_is_done_once_and_seen_behind_the_barrier() {
        for count in [0, 1, 2, 7, 1000] {
            let calls: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
            for_each(count, |i| {
                calls[i].fetch_add(1, Ordering::Relaxed);
            });
            assert!(calls.iter().all(|calls| calls.load(Ordering::Relaxed) == 1));
        }
        let parts = 300;
        let sums: Vec<AtomicUsize> = (0..=parts).map(|_| AtomicUsize::new(0)).collect();
        region(|member| {
            for part in 1..=parts {
                member.share(5, |_| {
                    let before = sums[part - 1].load(Ordering::Relaxed);
                    assert_eq!(
                        before,
                        if part == 1 { 0 } else { 5 },
                        "part {part} began before the one ahead of it ended"
                    );
                    sums[part].fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        assert!(sums[1..].iter().all(|sum| sum.load(Ordering::Relaxed) == 5));
    }

    #[test]
    fn regions_inside_regions_and_beside_each_other_end() {
        let done = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        for_each(3, |_| {
                            for_each(2, |_| {
                                done.fetch_add(1, Ordering::Relaxed);
                            });
                        });
                    }
                });
            }
        });
        assert_eq!(done.into_inner(), 4 * 50 * 6);
    }

    #[test]
    fn who_asks_for_one_core_gets_one() {
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let threads = Mutex::new(Vec::new());
        let note = || threads.lock().unwrap().push(thread::current().id());
        alone.install(|| {
            note();
            for_each(100, |_| note());
            region(|member| member.share(100, |_| note()));
            assert_eq!(size(), 1);
        });
        let threads = threads.into_inner().unwrap();
        assert!(threads.len() == 201 && threads.iter().all(|id| *id == threads[0]), "{threads:?}");
    }

    #[test]
    fn a_panic_comes_back_and_the_team_goes_on() {
        for unlucky in 0..4 {
            let panic = catch_unwind(|| {
                region(|member| {
                    member.share(4, |i| assert!(i != unlucky, "piece {i}"));
                    member.share(4, |_| {});
                });
            });
            assert!(panic.is_err());
            let sum = AtomicUsize::new(0);
            for_each(10, |i| {
                sum.fetch_add(i, Ordering::Relaxed);
            });
            assert_eq!(sum.into_inner(), 45);
        }
    }
}
