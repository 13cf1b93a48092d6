//! The few things that configuration asks of the file system.
//!
//! A trait, so that loading can be tested and fuzzed without a disk, and its one real
//! implementation. This is the only file of this part that touches files.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use crate::base::glob;
use std::os::unix::ffi::OsStrExt;

pub trait Files {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    fn read_stdin(&self) -> io::Result<Vec<u8>>;

    /// Names in a directory; none if it cannot be read.
    fn names_in(&self, directory: &Path) -> Vec<OsString>;

    /// The absolute path of a directory that the process may work in.
    fn directory(&self, path: &Path) -> io::Result<PathBuf>;

    /// Whether a log could be appended there; creates the file.
    fn try_append(&self, path: &Path) -> io::Result<()>;

    /// The path from the root, whether or not there is such a file.
    fn absolute(&self, path: &Path) -> PathBuf;
}

/// The machine's own.
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn read_stdin(&self) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        io::stdin().lock().read_to_end(&mut text)?;
        Ok(text)
    }

    fn names_in(&self, directory: &Path) -> Vec<OsString> {
        let entries = std::fs::read_dir(directory).into_iter().flatten();
        entries
            .filter_map(|entry| Some(entry.ok()?.file_name()))
            .collect()
    }

    fn directory(&self, path: &Path) -> io::Result<PathBuf> {
        if path.as_os_str().is_empty() {
            return Err(io::Error::from_raw_os_error(libc::ENOENT));
        }
        // Looking at `.` inside asks the same permission as changing there would.
        std::fs::metadata(path.join("."))?;
        std::fs::canonicalize(path)
    }

    fn try_append(&self, path: &Path) -> io::Result<()> {
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .map(drop)
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
    }
}

/// Paths that match a pattern with wildcards in any component, sorted, as `glob(3)` finds them in
/// a working directory, whose own name is no pattern.
pub fn matching(files: &dyn Files, from: &Path, pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![from.to_path_buf()];
    for component in pattern.components() {
        let Component::Normal(name) = component else {
            found.iter_mut().for_each(|path| path.push(component));
            continue;
        };
        found = found
            .iter()
            .flat_map(|path| step(files, path, name))
            .collect();
    }
    found.sort();
    found
}

fn step(files: &dyn Files, path: &Path, pattern: &OsStr) -> Vec<PathBuf> {
    if !glob::is_pattern(pattern.as_bytes()) {
        return vec![path.join(pattern)];
    }
    let is_hidden = |name: &OsStr| name.as_bytes().starts_with(b".");
    let mut names = files.names_in(path);
    names.retain(|name| {
        (is_hidden(pattern) || !is_hidden(name))
            && glob::matches(pattern.as_bytes(), name.as_bytes(), false)
    });
    names.iter().map(|name| path.join(name)).collect()
}

/// Puts `text` in the place of a file, all or nothing: temporary file, fsync, rename, fsync of the
/// directory. The file keeps its permissions.
pub fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let temporary = temporary_path(path);
    let result = write_new(&temporary, path, text).and_then(|()| {
        std::fs::rename(&temporary, path)?;
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
    });
    if result.is_err() {
        // The error that is reported is the first one; a leftover file would only add to it.
        let _ = std::fs::remove_file(&temporary);
    }
    result
}

fn temporary_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    PathBuf::from(name)
}

fn write_new(temporary: &Path, like: &Path, text: &[u8]) -> io::Result<()> {
    // A leftover of a process of the same number that was killed in the middle.
    let _ = std::fs::remove_file(temporary);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(temporary)?;
    file.write_all(text)?;
    if let Ok(old) = std::fs::metadata(like) {
        file.set_permissions(old.permissions())?;
    }
    file.sync_all()
}
