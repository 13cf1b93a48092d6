//! Small files: what start-up and configuration read and write, blocking.
//!
//! A file that replaces another appears whole or not at all: written beside it, synced, renamed,
//! and the directory synced. A failed sync is an error, never tried again, as a second one may
//! report success for data that is lost.
//!
//! What it does not do: know what is in the files.
use crate::base::planted::{Bug, is_planted};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Replace a file's contents, keeping its permissions.
pub fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let beside = name_beside(path)?;
    let done = write_synced(&beside, contents)
        .and_then(|()| match fs::metadata(path) {
            Ok(old) => fs::set_permissions(&beside, old.permissions()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        })
        .and_then(|()| fs::rename(&beside, path));
    if done.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&beside);
        return done;
    }
    sync_folder(folder_of(path))
}

/// Waits until the names in a folder are on disk.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    match is_planted(Bug::NoFolderSync) {
        true => Ok(()),
        false => File::open(path)?.sync_all(),
    }
}

/// A file that is read once, from its beginning to its end.
#[derive(Debug)]
pub struct Incoming {
    file: File,
    len: u64,
}

impl Incoming {
    /// Opens a file; `None` if there is none.
    pub fn open(path: &Path) -> io::Result<Option<Incoming>> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let len = file.metadata()?.len();
        Ok(Some(Incoming { file, len }))
    }

    /// How long it was when it was opened, in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it was empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds up to so many of the next bytes; says how many, 0 at the end.
    pub fn read(&mut self, to: &mut Vec<u8>, max: usize) -> io::Result<usize> {
        (&mut self.file).take(max as u64).read_to_end(to)
    }
}

/// A file that is written once, to be read and then forgotten: it goes away with its value.
#[derive(Debug)]
pub struct Spool {
    file: File,
    path: PathBuf,
    len: u64,
}

impl Spool {
    /// A file that is not there yet.
    pub fn create(path: &Path) -> io::Result<Spool> {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        Ok(Spool {
            file,
            path: path.to_path_buf(),
            len: 0,
        })
    }

    /// Writes on.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes it has.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // Nobody can do anything about a file that stays.
        let _ = remove(&self.path);
    }
}

/// The first words of a small file that the kernel writes, such as a sysctl.
pub fn read_trimmed(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_string())
}

/// Make a folder the one that relative paths start from.
pub fn change_into(folder: &Path) -> io::Result<()> {
    std::env::set_current_dir(folder)
}

/// Remove a file; one that is not there is fine.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Set a file's permission bits.
pub fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
}

fn name_beside(path: &Path) -> io::Result<PathBuf> {
    let no_name = || io::Error::from_raw_os_error(libc::EISDIR);
    let mut name = path.file_name().ok_or_else(no_name)?.to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    Ok(path.with_file_name(name))
}

pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

fn write_synced(path: &Path, contents: &[u8]) -> io::Result<()> {
    // A process with this number may have been killed here before.
    remove(path)?;
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(contents)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_mode() {
        let folder = std::env::temp_dir().join(format!("ringshard-file-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("nodes.conf");
        replace(&path, b"one").unwrap();
        set_mode(&path, 0o600).unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(
            fs::read_dir(&folder).unwrap().count(),
            1,
            "nothing is left beside it"
        );
        assert!(replace(&folder.join("missing/nodes.conf"), b"x").is_err());
        remove(&path).unwrap();
        remove(&path).unwrap();
        fs::remove_dir(&folder).unwrap();
    }
}
