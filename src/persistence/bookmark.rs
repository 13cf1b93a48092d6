//! Where in a history of replication a dataset is: a bookmark in its file.
//!
//! A process that loads it goes on where the one before was: a replica with its master's stream, a
//! master with the name that its replicas know. A snapshot says it in the three pairs of Redis; a
//! log in a line at its very end, which means nothing any more when something stands behind it.

use super::snapshot::Pairs;
use crate::keyspace::DbIndex;

/// Length of a history's name.
const ID_LEN: usize = 40;

/// A place in a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bookmark {
    pub id: String,
    /// Bytes of its stream so far.
    pub offset: u64,
    /// The database that the stream has selected.
    pub db: DbIndex,
}

impl Bookmark {
    /// What a snapshot says of it.
    pub fn pairs(&self) -> Pairs {
        vec![
            ("repl-stream-db", self.db.0.to_string().into_bytes()),
            ("repl-id", self.id.clone().into_bytes()),
            ("repl-offset", self.offset.to_string().into_bytes()),
        ]
    }

    /// As one line says it.
    pub fn text(&self) -> String {
        format!("{} {} {}", self.id, self.offset, self.db.0)
    }

    /// Reads what [`Bookmark::text`] has written.
    pub fn parse(text: &str) -> Option<Bookmark> {
        let mut words = text.split(' ');
        let (id, offset, db) = (words.next()?, words.next()?, words.next()?);
        let bookmark = Bookmark {
            id: id.to_owned(),
            offset: offset.parse().ok()?,
            db: DbIndex(db.parse().ok()?),
        };
        let is_whole = words.next().is_none() && is_name(id.as_bytes());
        is_whole.then_some(bookmark)
    }

    /// Of what a snapshot has said, if that was enough. Redis: a database of -1 is none.
    pub fn of(id: &[u8], offset: i64, db: u32) -> Option<Bookmark> {
        Some(Bookmark {
            id: is_name(id).then(|| String::from_utf8_lossy(id).into_owned())?,
            offset: u64::try_from(offset).ok()?,
            db: DbIndex(db),
        })
    }
}

fn is_name(id: &[u8]) -> bool {
    id.len() == ID_LEN && id.iter().all(u8::is_ascii_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let id = "0123456789abcdef0123456789abcdef01234567";
        let bookmark = Bookmark::of(id.as_bytes(), 1234, 5).unwrap();
        let text = bookmark.text();
        assert_eq!(Bookmark::parse(&text), Some(bookmark));
        for wrong in [&text[1..], &format!("{text} 1"), "", "a b c"] {
            assert_eq!(Bookmark::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Bookmark::of(id.as_bytes(), -1, 0), None);
        assert_eq!(Bookmark::of(&id.as_bytes()[1..], 1, 0), None);
    }
}
