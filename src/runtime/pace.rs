//! What a thread asks of the scheduler: to run soon, or nothing in particular.
//!
//! A machine has other programs beside this one, often a second server, and its scheduler deals out
//! CPU time in slices of some milliseconds. To whoever waits for a reply that is the largest delay
//! there is. Linux lets every thread say how long its slices shall be (sched_setattr(2), since
//! 6.12). One with short slices gets a CPU before those with long ones while it takes less than its
//! share, and no more CPU time for it in all; what it costs is to be interrupted more often. So
//! cores ask for short ones only while they walk a snapshot beside serving clients, and while the
//! replicas that it was for catch up. Threads that do chores say the opposite: waking up, they
//! interrupt nobody (SCHED_BATCH, sched(7)). Neither needs a privilege.
//!
//! What an operator has chosen stays: niceness is kept, and a thread under another policy than the
//! ordinary one is left alone. So is everything by an older kernel or in a sandbox that refuses.

use std::mem::{size_of, zeroed};

/// How a thread works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Somebody waits for each of its steps.
    Prompt,
    /// Nobody waits but for all of it.
    Usual,
    /// Nobody waits, as long as the thread lives: it interrupts nobody who has the CPU.
    Unhurried,
}

/// In nanoseconds. The kernel takes a tenth of a millisecond to a hundred; its own are about three.
/// Shorter ones did not make the longest waits shorter.
const PROMPT_SLICE_NS: u64 = 500_000;
/// The kernel's own.
const USUAL_SLICE_NS: u64 = 0;

/// `struct sched_attr` as of its first version, which all kernels know.
#[repr(C)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    /// With an ordinary policy: the slice.
    runtime_ns: u64,
    deadline_ns: u64,
    period_ns: u64,
}

const SIZE: u32 = size_of::<Attributes>() as u32;

/// Tells the scheduler how this thread works from now on.
pub fn keep(pace: Pace) {
    let Some(mut attributes) = attributes() else {
        return;
    };
    if attributes.policy != libc::SCHED_OTHER as u32 {
        return;
    }
    (attributes.policy, attributes.runtime_ns) = match pace {
        Pace::Prompt => (libc::SCHED_OTHER as u32, PROMPT_SLICE_NS),
        Pace::Usual => (libc::SCHED_OTHER as u32, USUAL_SLICE_NS),
        // Such a thread has the same share, but waking up it interrupts nobody.
        Pace::Unhurried => (libc::SCHED_BATCH as u32, USUAL_SLICE_NS),
    };
    // SAFETY: the kernel reads as many bytes as the size says, which are there.
    unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
}

fn attributes() -> Option<Attributes> {
    // SAFETY: the kernel writes no more than the size given, and zeros are valid.
    unsafe {
        let mut attributes: Attributes = zeroed();
        let failed = libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, SIZE, 0);
        attributes.size = SIZE;
        (failed == 0).then_some(attributes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the kernel knows slices of single threads.
    fn knows_slices() -> bool {
        let release = crate::runtime::preflight::kernel_release();
        let mut numbers = release
            .split('.')
            .map(|word| word.parse::<u32>().unwrap_or(0));
        (numbers.next(), numbers.next()) >= (Some(6), Some(12))
    }

    #[test]
    fn a_thread_goes_back_and_forth_and_stays_as_nice_as_it_was() {
        let other = std::thread::spawn(|| {
            // SAFETY: changes nothing but this thread's niceness.
            unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 5) };
            for pace in [Pace::Prompt, Pace::Usual, Pace::Prompt] {
                keep(pace);
                let now = attributes().expect("every thread has attributes");
                assert_eq!((now.policy as i32, now.nice), (libc::SCHED_OTHER, 5));
                let is_prompt = now.runtime_ns == PROMPT_SLICE_NS;
                assert_eq!(is_prompt, pace == Pace::Prompt && knows_slices());
            }
        });
        other.join().expect("no panic");
    }

    #[test]
    fn what_an_operator_has_chosen_stays() {
        let other = std::thread::spawn(|| {
            let parameters = libc::sched_param { sched_priority: 0 };
            // SAFETY: lowers this thread alone, which everybody may.
            unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const parameters) };
            keep(Pace::Prompt);
            let now = attributes().expect("every thread has attributes");
            assert_eq!(now.policy as i32, libc::SCHED_IDLE);
        });
        other.join().expect("no panic");
    }
}
