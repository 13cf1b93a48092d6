//! What cores ask and tell each other about clients: the control plane's messages.
//!
//! A question goes to every core, its own included; the answers come together where the client
//! that caused it lives, and become one reply.

use super::class::{Class, Filter};
use crate::keyspace::ShardId;
use crate::resp::Writer;
use crate::router::ReplyTo;
use std::sync::Arc;

/// What a core is asked.
#[derive(Clone, Debug)]
pub enum Question {
    /// A line for every MONITOR of this core.
    Monitor(Arc<[u8]>),
    /// The lines of CLIENT LIST, of all clients or of one class.
    List(Option<Class>),
    /// The same of clients with these numbers, by their positions.
    ListNumbers(Arc<[i64]>),
    /// Close these clients; how many were there?
    Kill(Arc<Filter>),
    /// Begin no command that is paused now.
    Pause,
    /// Let paused clients try again.
    Unpause,
    /// Bring your figures on the board up to this moment.
    Publish,
    /// Do nothing for so many microseconds (DEBUG SLEEP).
    Sleep(u64),
}

/// What a core answers.
#[derive(Clone, Debug)]
pub enum Answer {
    Text(Vec<u8>),
    Count(u64),
    /// Lines, and by what to sort them.
    Lines(Vec<(u64, Vec<u8>)>),
}

/// Makes one reply of the answers of all cores.
pub type Finish = Box<dyn FnOnce(Vec<Answer>, &mut Writer<'_>) + Send>;

/// A message of the control plane.
#[derive(Clone, Debug)]
pub enum Order {
    /// Answer this, under this number.
    Ask {
        from: ShardId,
        number: u64,
        question: Question,
    },
    /// The answer to a question of yours.
    Answer { number: u64, answer: Answer },
    /// For your information.
    Tell(Question),
}

/// A question whose answers are coming in.
pub struct Asked {
    pub to: ReplyTo,
    pub missing: usize,
    pub answers: Vec<Answer>,
    pub finish: Finish,
}
