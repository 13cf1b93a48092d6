//! The duty of a thread to tell what has become of its work, whatever becomes of the thread.
//!
//! Snapshots and their parts are written and read on threads beside the cores. Somebody waits for
//! each of them, and has to hear of it also if no thread could be started, or if one has ended
//! before its work has.

use std::mem;

/// What is told of work that was never done.
const NO_THREAD: &str = "no thread could be started";

/// Tells how work has ended, once.
pub(super) struct Duty<T, F: FnOnce(Result<T, String>)> {
    tell: Option<F>,
    outcome: Result<T, String>,
}

impl<T, F: FnOnce(Result<T, String>)> Duty<T, F> {
    pub(super) fn new(tell: F) -> Duty<T, F> {
        Duty {
            tell: Some(tell),
            outcome: Err(NO_THREAD.into()),
        }
    }

    /// The work is done.
    pub(super) fn end(mut self, outcome: Result<T, String>) {
        self.outcome = outcome;
    }
}

impl<T, F: FnOnce(Result<T, String>)> Drop for Duty<T, F> {
    fn drop(&mut self) {
        let outcome = mem::replace(&mut self.outcome, Err(String::new()));
        if let Some(tell) = self.tell.take() {
            tell(outcome);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn what_becomes_of_work_is_told_once() {
        let told = RefCell::new(Vec::new());
        let duty = || Duty::new(|outcome: Result<u8, String>| told.borrow_mut().push(outcome));
        duty().end(Ok(1));
        drop(duty());
        assert_eq!(*told.borrow(), [Ok(1), Err(NO_THREAD.to_string())]);
    }
}
