//! A file in the making: it has a name of its own until all of it is on disk.
//!
//! Publishing syncs it, renames it and syncs its folder, so that after a loss of power there is the
//! old file or the new one. A draft that is dropped before leaves nothing behind; one of a process
//! that was killed is removed by the next one.

use super::file::sync_folder;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

/// A file in the making.
#[derive(Debug)]
pub struct Draft {
    file: File,
    /// `None` once it needs no removing.
    path: Option<PathBuf>,
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
}

impl Draft {
    /// A draft of the file at this path, in its folder.
    pub fn create(path: &Path) -> io::Result<Draft> {
        let name = format!("temp-{}.rdb", std::process::id());
        let path = folder_of(path).join(name);
        Ok(Draft {
            file: create(&path)?,
            path: Some(path),
        })
    }

    /// A file without a name in the same folder.
    pub fn beside(&self, number: usize) -> io::Result<Draft> {
        let own = self.path.as_deref().unwrap_or(Path::new(""));
        let name = format!("temp-{}-{number}.rdb", std::process::id());
        let path = folder_of(own).join(name);
        let file = create(&path)?;
        fs::remove_file(&path)?;
        Ok(Draft { file, path: None })
    }

    /// Adds bytes.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Adds all of another file.
    pub fn append(&mut self, other: &mut Draft) -> io::Result<()> {
        other.file.rewind()?;
        io::copy(&mut other.file, &mut self.file).map(drop)
    }

    /// Brings to disk what was written so far.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Makes it the file at this path, on disk.
    pub fn publish(mut self, path: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        let own = self
            .path
            .clone()
            .expect("only a draft with a name is published");
        fs::rename(own, path)?;
        self.path = None;
        sync_folder(&folder_of(path))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // It is of no use to anybody; that it stays does no harm.
            let _ = fs::remove_file(path);
        }
    }
}

/// Removes drafts in a folder whose processes are gone; returns their names.
pub fn remove_stale(folder: &Path) -> io::Result<Vec<String>> {
    let mut removed = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let is_stale = writer(&name).is_some_and(|pid| {
            pid != std::process::id() && !Path::new(&format!("/proc/{pid}")).exists()
        });
        if is_stale {
            fs::remove_file(folder.join(&name))?;
            removed.push(name);
        }
    }
    Ok(removed)
}

/// The process that a draft of this name belongs to.
fn writer(name: &str) -> Option<u32> {
    let number = name.strip_prefix("temp-")?.strip_suffix(".rdb")?;
    number.split('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let name = format!("ringshard-draft-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn it_takes_the_name_when_it_is_whole() {
        let folder = folder("whole");
        let path = folder.join("dump.rdb");
        fs::write(&path, b"old").unwrap();
        let mut draft = Draft::create(&path).unwrap();
        draft.write(b"new ").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        let mut side = draft.beside(3).unwrap();
        side.write(b"and more").unwrap();
        draft.append(&mut side).unwrap();
        draft.publish(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new and more");
        drop(Draft::create(&path).unwrap());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_dead_processes_left_is_removed() {
        let folder = folder("stale");
        let own = format!("temp-{}.rdb", std::process::id());
        for name in [
            "temp-4194305.rdb",
            "temp-4194305-2.rdb",
            &own,
            "temp-x.rdb",
            "dump.rdb",
        ] {
            fs::write(folder.join(name), b"").unwrap();
        }
        assert_eq!(remove_stale(&folder).unwrap().len(), 2);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 3);
        fs::remove_dir_all(&folder).unwrap();
    }
}
