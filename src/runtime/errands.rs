//! Errands: what a core must not wait for, done on threads beside the cores.
//!
//! ```text
//!   core                         thread of the pool
//!   run(errand) ---------------> talks to another server, with time-outs
//!   sleeps, serves others        Mailbox::post(letter), rings the core's doorbell
//!   Mailbox::take() <----------- letter
//! ```
//!
//! Threads are started as errands come, and leave when there has been nothing to do for a while, so
//! a server that runs none has none. More errands than threads wait in order. What it does not do:
//! know what the errands are; time-outs are theirs.

use super::ring::Doorbell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// Something to be done elsewhere.
pub type Errand = Box<dyn FnOnce() + Send>;

/// As many errands run at a time. They wait for others far more than they work.
const THREADS_MAX: usize = 64;
/// How long a thread waits for its next errand.
const LINGER: Duration = Duration::from_secs(10);

/// A pool of threads for errands.
#[derive(Default)]
pub struct Errands {
    queue: Mutex<Queue>,
    bell: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Errand>,
    idle: usize,
    threads: usize,
}

impl Errands {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has an errand done as soon as a thread is free; `leave` is called by a thread that leaves.
    /// If no thread can be had at all, the errand is dropped.
    pub fn run(self: &Arc<Errands>, errand: Errand, leave: fn()) {
        let mut queue = self.lock();
        queue.waiting.push_back(errand);
        if queue.idle >= queue.waiting.len() || queue.threads >= THREADS_MAX {
            return self.bell.notify_one();
        }
        queue.threads += 1;
        let pool = self.clone();
        let work = move || {
            roam();
            pool.work();
            leave();
        };
        let name = String::from("errands");
        if std::thread::Builder::new().name(name).spawn(work).is_err() {
            queue.threads -= 1;
            if queue.threads == 0 {
                queue.waiting.clear();
            }
        }
    }

    fn work(&self) {
        while let Some(errand) = self.next() {
            errand();
        }
    }

    /// The next errand; none when nothing has come for a while.
    fn next(&self) -> Option<Errand> {
        let mut queue = self.lock();
        queue.idle += 1;
        let is_empty = |queue: &mut Queue| queue.waiting.is_empty();
        let waited = self.bell.wait_timeout_while(queue, LINGER, is_empty);
        queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        queue.idle -= 1;
        let errand = queue.waiting.pop_front();
        queue.threads -= usize::from(errand.is_none());
        errand
    }
}

/// Lets this thread run on all CPUs of the process: it has come from a core, which is pinned.
pub fn roam() {
    // SAFETY: a set of CPUs is plain data, and both calls stay within its size. The main thread,
    // whose number is that of the process, is never pinned.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(libc::getpid(), size_of_val(&set), &mut set) == 0 {
            libc::sched_setaffinity(0, size_of_val(&set), &set);
        }
    }
}

/// Where letters for a core lie until it looks. Looking costs no lock while there are none.
pub struct Mailbox<T> {
    letters: Mutex<Vec<T>>,
    has_letters: AtomicBool,
    bell: OnceLock<Doorbell>,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        Mailbox {
            letters: Mutex::default(),
            has_letters: AtomicBool::new(false),
            bell: OnceLock::new(),
        }
    }
}

impl<T> Mailbox<T> {
    /// Lets letters wake their core; without this it finds them when it looks.
    pub fn attach(&self, bell: Doorbell) {
        // A core has one ring for its life.
        let _ = self.bell.set(bell);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a letter in and wakes the core.
    pub fn post(&self, letter: T) {
        self.lock().push(letter);
        self.has_letters.store(true, Ordering::Release);
        if let Some(bell) = self.bell.get() {
            bell.ring();
        }
    }

    /// The letters that have come since the last time.
    #[inline]
    pub fn take(&self) -> Vec<T> {
        match self.has_letters.swap(false, Ordering::AcqRel) {
            true => std::mem::take(&mut self.lock()),
            false => Vec::new(),
        }
    }

    /// Whether letters have come since the last time.
    #[inline]
    pub fn has_letters(&self) -> bool {
        self.has_letters.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn errands_that_wait_for_each_other_run_side_by_side() {
        let pool = Arc::new(Errands::default());
        let (send, receive) = channel();
        let barrier = Arc::new(std::sync::Barrier::new(THREADS_MAX));
        for _ in 0..THREADS_MAX {
            let (send, barrier) = (send.clone(), barrier.clone());
            let errand = move || {
                barrier.wait();
                send.send(()).unwrap();
            };
            pool.run(Box::new(errand), || {});
        }
        for _ in 0..THREADS_MAX {
            receive.recv_timeout(Duration::from_secs(20)).unwrap();
        }
        assert!(pool.lock().threads <= THREADS_MAX);
    }

    #[test]
    fn more_errands_than_threads_are_all_done() {
        let pool = Arc::new(Errands::default());
        let mailbox = Arc::new(Mailbox::default());
        for number in 0..1000 {
            let mailbox = mailbox.clone();
            pool.run(Box::new(move || mailbox.post(number)), || {});
        }
        let mut all = Vec::new();
        let start = std::time::Instant::now();
        while all.len() < 1000 && start.elapsed() < Duration::from_secs(20) {
            all.extend(mailbox.take());
            std::thread::yield_now();
        }
        all.sort_unstable();
        assert!(all.into_iter().eq(0..1000));
    }
}
