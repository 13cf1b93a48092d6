//! What one core answers to another about its clients.
//!
//! The only place where a question of another core touches sessions here.

use super::monitor;
use crate::router::{Asker, Why};
use crate::session::{Answer, Closing, Core, Filter, Question, Session, SessionId};
use hashbrown::HashMap;

/// Answers a question, or obeys it; no answer yet if it will be sent to the asker later.
pub fn answer(core: &mut Core, question: &Question, asker: Option<Asker>) -> Option<Answer> {
    if let Question::Unblock(number, why) = question {
        return unblock(core, *number, *why, asker);
    }
    Some(answer_now(core, question))
}

fn answer_now(core: &mut Core, question: &Question) -> Answer {
    match question {
        Question::StopWaiting => stop_waiting(core),
        Question::Monitor(line) => monitor::deliver(core, line),
        Question::List(class) => {
            let now_ms = core.now_ms;
            let sessions = core.sessions.iter().map(|(_, session)| session);
            let clients = sessions.filter(|session| !session.is_runner && !session.is_loader);
            // A replica is one, however many connections it has.
            let is_listed =
                |session: &&Session, class| !session.is_flow() && session.class() == class;
            let listed = clients.filter(|it| class.is_none_or(|class| is_listed(it, class)));
            Answer::Lines(
                listed
                    .map(|session| (session.id, session.describe(now_ms)))
                    .collect(),
            )
        }
        Question::ListNumbers(numbers) => list_numbers(core, numbers),
        Question::Kill(filter) => kill(core, filter),
        Question::Pause | Question::GiveBack | Question::Unblock(..) => Answer::Count(0),
        Question::AbortEnding => Answer::Count(core.abort_ending().into()),
        Question::Unpause => {
            core.retry_paused();
            Answer::Count(0)
        }
        Question::Publish => {
            core.publish_all();
            Answer::Count(0)
        }
        Question::Channels(kind, pattern) => core.homed_names(*kind, pattern.as_ref()),
        Question::Listeners(kind, names) => core.listeners(*kind, names),
        Question::Stream(is_streaming) => {
            core.stream(*is_streaming);
            Answer::Count(0)
        }
        Question::Sleep(micros) => {
            crate::runtime::stall(std::time::Duration::from_micros(*micros));
            Answer::Count(0)
        }
    }
}

fn stop_waiting(core: &mut Core) -> Answer {
    let all: Vec<SessionId> = core.sessions.iter().map(|(id, _)| id).collect();
    let stopped = all
        .into_iter()
        .filter(|id| core.stop_waiting(*id, Why::Demoted, None));
    Answer::Count(stopped.count() as u64)
}

/// Lets a client of this core stop waiting.
fn unblock(core: &mut Core, number: u64, why: Why, asker: Option<Asker>) -> Option<Answer> {
    let found = (core.sessions.iter()).find(|(_, session)| session.id == number);
    let id = found.map(|(id, _)| id);
    if id.is_some_and(|id| core.release_waiter(id, why)) {
        return Some(Answer::Count(1));
    }
    match id.is_some_and(|id| core.stop_waiting(id, why, asker)) {
        true => None,
        false => Some(Answer::Count(0)),
    }
}

fn list_numbers(core: &Core, numbers: &[i64]) -> Answer {
    let sessions: HashMap<u64, SessionId> = core
        .sessions
        .iter()
        .map(|(id, session)| (session.id, id))
        .collect();
    let lines = numbers.iter().enumerate().filter_map(|(position, number)| {
        let id = sessions.get(&u64::try_from(*number).ok()?)?;
        let session = core.sessions.find(*id)?;
        Some((position as u64, session.describe(core.now_ms)))
    });
    Answer::Lines(lines.collect())
}

fn kill(core: &mut Core, filter: &Filter) -> Answer {
    let doomed: Vec<(SessionId, bool)> = core
        .sessions
        .iter()
        .filter(|(_, session)| session.closing != Closing::Now)
        .filter(|(_, session)| filter.matches(session, core.now_ms))
        .map(|(id, session)| (id, session.id == filter.asker))
        .collect();
    for (id, is_asker) in &doomed {
        match is_asker {
            true => core.close(*id, Closing::AfterReplies),
            false => core.kill(*id),
        }
    }
    Answer::Count(doomed.len() as u64)
}
