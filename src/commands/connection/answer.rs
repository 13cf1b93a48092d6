//! What one core answers to another about its clients.

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
