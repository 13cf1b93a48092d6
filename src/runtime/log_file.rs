//! Files that only grow: appended to, synced, and shortened after a failed write.
//!
//! A write is all or nothing as far as the file system lets it be: when the disk is full, what went
//! in of it is cut off again. A failed sync is an error and stays one: trying again may report
//! success for data that is lost. What it does not do: know what is in the files.

use super::file::{folder_of, sync_folder};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file that is appended to.
#[derive(Debug)]
pub struct LogFile {
    file: Arc<File>,
    len: u64,
}

/// A write that failed, and how many bytes of it could not be taken back.
#[derive(Debug)]
pub struct Torn {
    pub error: io::Error,
    pub left: usize,
}

impl LogFile {
    /// Opens a file to append to it; one that is not there yet is made, and is in its folder for
    /// good when this returns.
    pub fn open(path: &Path) -> io::Result<LogFile> {
        let is_new = !path.exists();
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        if is_new {
            sync_folder(folder_of(path))?;
        }
        let len = file.metadata()?.len();
        Ok(LogFile {
            file: Arc::new(file),
            len,
        })
    }

    /// Begins a file. What one of this name may hold belongs to an attempt that has failed.
    pub fn begin(path: &Path) -> io::Result<LogFile> {
        if path.exists() {
            truncate(path, 0)?;
        }
        LogFile::open(path)
    }

    /// How long it is, in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds bytes at the end, all of them or, if it can be helped, none.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Torn> {
        let mut written = 0;
        while written < bytes.len() {
            match (&*self.file).write(&bytes[written..]) {
                Ok(0) => return Err(self.torn(written, io::ErrorKind::WriteZero.into())),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.torn(written, error)),
            }
        }
        self.len += written as u64;
        Ok(())
    }

    fn torn(&mut self, written: usize, error: io::Error) -> Torn {
        let is_back = written == 0 || self.file.set_len(self.len).is_ok();
        let left = if is_back { 0 } else { written };
        self.len += left as u64;
        Torn { error, left }
    }

    /// Waits until all of it is on disk.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Whoever syncs it on another thread.
    pub fn syncer(&self) -> Syncer {
        Syncer(self.file.clone())
    }
}

/// A file to be synced on another thread.
#[derive(Clone, Debug)]
pub struct Syncer(Arc<File>);

impl Syncer {
    /// Waits until all of it is on disk.
    pub fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// Makes a folder unless it is there.
pub fn make_folder(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Ok(()) => sync_folder(folder_of(path)),
        failed => failed,
    }
}

/// Gives a file another name, for good when this returns.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder(folder_of(to))
}

/// Makes a file that consists of these bytes, which are on disk when this returns.
pub fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    sync_folder(folder_of(path))
}

/// Shortens a file.
pub fn truncate(path: &Path, len: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(len)?;
    file.sync_all()
}

/// All of a small file; `None` if there is none.
pub fn read_small(path: &Path, max: u64) -> io::Result<Option<Vec<u8>>> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
        Ok(found) if found.len() > max => Err(io::ErrorKind::FileTooLarge.into()),
        Ok(_) => fs::read(path).map(Some),
    }
}

/// The length of a file; `None` if there is none.
pub fn len_of(path: &Path) -> io::Result<Option<u64>> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(|found| Some(found.len())),
    }
}

/// How many zeros a file ends with. After a loss of power a file may be as long as it was going to
/// be, with zeros where nothing got to disk.
pub fn zeros_at_end(path: &Path) -> io::Result<u64> {
    const BLOCK: u64 = 64 * 1024;
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    let (mut end, mut block) = (len, Vec::new());
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        block.clear();
        file.seek(SeekFrom::Start(start))?;
        (&mut file).take(end - start).read_to_end(&mut block)?;
        if let Some(last) = block.iter().rposition(|byte| *byte != 0) {
            return Ok(len - (start + last as u64 + 1));
        }
        end = start;
    }
    Ok(len)
}

/// Files in a folder whose names begin like this.
pub fn files_in(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let matching = entries.filter(|it| it.file_name().to_string_lossy().starts_with(prefix));
    matching.map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_grows_and_says_how_long_it_is() {
        let folder = std::env::temp_dir().join(format!("ringshard-log-{}", std::process::id()));
        make_folder(&folder).unwrap();
        make_folder(&folder).unwrap();
        let path = folder.join("a.aof");
        let mut log = LogFile::open(&path).unwrap();
        assert!(log.is_empty());
        log.append(b"one").unwrap();
        log.sync().unwrap();
        let mut again = LogFile::open(&path).unwrap();
        again.append(b"two").unwrap();
        assert_eq!(again.len(), 6);
        truncate(&path, 4).unwrap();
        assert_eq!(read_small(&path, 9).unwrap().unwrap(), b"onet");
        assert_eq!(zeros_at_end(&path).unwrap(), 0);
        truncate(&path, 100_000).unwrap();
        assert_eq!(zeros_at_end(&path).unwrap(), 99_996);
        truncate(&path, 4).unwrap();
        assert!(read_small(&path, 3).is_err());
        rename(&path, &folder.join("b.aof")).unwrap();
        assert_eq!(len_of(&path).unwrap(), None);
        assert_eq!(files_in(&folder, "b.").len(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_write_that_does_not_fit_leaves_nothing_behind() {
        // /dev/full refuses every write.
        let mut log = LogFile {
            file: Arc::new(OpenOptions::new().append(true).open("/dev/full").unwrap()),
            len: 0,
        };
        let torn = log.append(b"bytes").unwrap_err();
        assert_eq!(
            (torn.left, torn.error.raw_os_error()),
            (0, Some(libc::ENOSPC))
        );
        assert!(log.is_empty());
    }
}
