//! What one core answers to another about its clients.
//!
//! A question of the control plane reaches every core; here each core's part is done, on its own
//! clients and nothing else.

use crate::session::{Answer, Core, Question};

/// Answers a question, or obeys it.
pub fn answer(core: &mut Core, question: &Question) -> Answer {
    match question {
        Question::Monitor(line) => {
            let monitors: Vec<_> = core
                .sessions
                .iter()
                .filter(|(_, session)| session.is_monitor)
                .map(|(id, _)| id)
                .collect();
            for id in &monitors {
                core.reply(*id, |writer| {
                    writer.output().buffer().extend_from_slice(line);
                });
            }
            Answer::Count(monitors.len() as u64)
        }
    }
}
