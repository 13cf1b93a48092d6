//! The manifest: which files make up the log, in which order.
//!
//! ```text
//!   file appendonly.aof.3.base.rdb seq 3 type b
//!   file appendonly.aof.7.incr.aof seq 7 type i
//!   file appendonly.aof.2.base.rdb seq 2 type h      no longer needed, to be removed
//! ```
//!
//! As text it is Redis's own; a stock server reads ours, and we read its. Files are named by it and
//! by nothing else, so that a file of another run can never slip in.

use crate::config::words;

/// What a file of the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The dataset at a moment.
    Base,
    /// What was done since.
    Increment,
    /// No longer needed.
    History,
}

/// A file of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub name: String,
    pub sequence: u64,
    pub kind: Kind,
}

/// All files of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    pub base: Option<Part>,
    pub increments: Vec<Part>,
    pub history: Vec<Part>,
    base_sequence: u64,
    increment_sequence: u64,
}

/// No line of a manifest is longer, in Redis neither.
const LINE_BYTES_MAX: usize = 1024;

impl Manifest {
    /// Reads a manifest; an error is what Redis says, with the line.
    pub fn parse(text: &[u8]) -> Result<Manifest, (usize, &'static str)> {
        if text.is_empty() {
            return Err((0, "Found an empty AOF manifest"));
        }
        let mut manifest = Manifest::default();
        let mut increment_max = 0;
        for (number, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let refuse = |what| (number + 1, what);
            if line.starts_with(b"#") {
                continue;
            }
            if !line.ends_with(b"\n") || line.len() > LINE_BYTES_MAX {
                return Err(refuse("The AOF manifest file contains too long line"));
            }
            let part = part(words::trim(line)).ok_or(refuse("Invalid AOF manifest file format"))?;
            match part.kind {
                Kind::Base if manifest.base.is_some() => {
                    return Err(refuse("Found duplicate base file information"));
                }
                Kind::Base => {
                    manifest.base_sequence = part.sequence;
                    manifest.base = Some(part);
                }
                Kind::History => manifest.history.push(part),
                Kind::Increment => {
                    if part.sequence <= increment_max {
                        return Err(refuse("Found a non-monotonic sequence number"));
                    }
                    increment_max = part.sequence;
                    manifest.increments.push(part);
                }
            }
        }
        manifest.increment_sequence = increment_max;
        Ok(manifest)
    }

    /// The manifest as text.
    pub fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        let parts = self
            .base
            .iter()
            .chain(&self.history)
            .chain(&self.increments);
        for part in parts {
            let kind = match part.kind {
                Kind::Base => 'b',
                Kind::Increment => 'i',
                Kind::History => 'h',
            };
            text.extend_from_slice(b"file ");
            text.extend_from_slice(&words::plain_or_quoted(part.name.as_bytes()));
            text.extend_from_slice(format!(" seq {} type {kind}\n", part.sequence).as_bytes());
        }
        text
    }

    /// A new base; the one before becomes history. Its name is returned.
    pub fn add_base(&mut self, prefix: &str, is_rdb: bool) -> String {
        self.base_sequence += 1;
        let (sequence, end) = (self.base_sequence, if is_rdb { "rdb" } else { "aof" });
        let name = format!("{prefix}.{sequence}.base.{end}");
        let part = Part {
            name: name.clone(),
            sequence,
            kind: Kind::Base,
        };
        let old = self.base.replace(part);
        self.history.extend(old.map(Part::outdated));
        name
    }

    /// A new increment behind the others. Its name is returned.
    pub fn add_increment(&mut self, prefix: &str) -> String {
        self.increment_sequence += 1;
        let sequence = self.increment_sequence;
        let name = format!("{prefix}.{sequence}.incr.aof");
        self.increments.push(Part {
            name: name.clone(),
            sequence,
            kind: Kind::Increment,
        });
        name
    }

    /// All increments but the last ones, as many as these, are history.
    pub fn keep_increments(&mut self, count: usize) {
        let old = self.increments.len().saturating_sub(count);
        let old = self.increments.drain(..old).map(Part::outdated);
        self.history.extend(old);
    }

    /// A log of a single file, as servers before 7.0 had it, becomes the base.
    pub fn of_single(name: &str) -> Manifest {
        Manifest {
            base: Some(Part {
                name: name.to_owned(),
                sequence: 1,
                kind: Kind::Base,
            }),
            base_sequence: 1,
            ..Manifest::default()
        }
    }

    /// The files to be read, in order.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.base.iter().chain(&self.increments)
    }
}

impl Part {
    fn outdated(self) -> Part {
        Part {
            kind: Kind::History,
            ..self
        }
    }
}

fn part(line: &[u8]) -> Option<Part> {
    let words = words::split(line)?;
    if words.len() < 6 || words.len() % 2 != 0 {
        return None;
    }
    let (mut name, mut sequence, mut kind) = (None, 0, None);
    for pair in words.chunks_exact(2) {
        let value = String::from_utf8(pair[1].clone()).ok()?;
        match pair[0].to_ascii_lowercase().as_slice() {
            b"file" if is_file_name(&value) => name = Some(value),
            b"file" => return None,
            b"seq" => sequence = value.parse().ok()?,
            b"type" => {
                kind = Some(match value.as_str() {
                    "b" => Kind::Base,
                    "i" => Kind::Increment,
                    "h" => Kind::History,
                    _ => return None,
                });
            }
            // Of a later version.
            _ => {}
        }
    }
    let (name, kind) = (name?, kind?);
    (sequence > 0).then_some(Part {
        name,
        sequence,
        kind,
    })
}

/// A name that stays in the directory.
fn is_file_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('/') && name != "." && name != ".."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut manifest = Manifest::default();
        assert_eq!(manifest.add_base("a b", true), "a b.1.base.rdb");
        manifest.add_increment("x");
        manifest.add_increment("x");
        manifest.add_base("x", false);
        manifest.keep_increments(1);
        let text = manifest.text();
        assert_eq!(
            String::from_utf8_lossy(&text),
            "file x.2.base.aof seq 2 type b\nfile \"a b.1.base.rdb\" seq 1 type h\n\
             file x.1.incr.aof seq 1 type h\nfile x.2.incr.aof seq 2 type i\n"
        );
        assert_eq!(Manifest::parse(&text), Ok(manifest));
    }

    #[test]
    fn nonsense_is_refused_with_its_line() {
        for (text, expected) in [
            ("", (0, "Found an empty AOF manifest")),
            ("file a seq 1\n", (1, "Invalid AOF manifest file format")),
            (
                "file ../a seq 1 type b\n",
                (1, "Invalid AOF manifest file format"),
            ),
            (
                "file a seq x type b\n",
                (1, "Invalid AOF manifest file format"),
            ),
            (
                "# hello\nfile a seq 1 type b\nfile b seq 2 type b\n",
                (3, "Found duplicate base file information"),
            ),
            (
                "file a seq 2 type i\nfile b seq 2 type i\n",
                (2, "Found a non-monotonic sequence number"),
            ),
            (
                "file a seq 1 type b",
                (1, "The AOF manifest file contains too long line"),
            ),
        ] {
            assert_eq!(Manifest::parse(text.as_bytes()), Err(expected), "{text}");
        }
        let unknown = b"file a seq 1 type b owner me\n";
        assert!(Manifest::parse(unknown).is_ok());
    }
}
