//! Files in memory for tests of configuration: a shelf instead of a disk.
//!
//! Directories exist unless they are called `missing`; standard input is the file `/stdin`. Nothing
//! here is compiled into the server.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::cli;
use super::disk::Files;
use super::load::{Loaded, load};

/// A few files in `/etc`, where the process also stands at first.
#[derive(Default)]
pub struct Shelf(pub HashMap<PathBuf, Vec<u8>>);

impl Shelf {
    pub fn with(files: &[(&str, &str)]) -> Self {
        let file = |(name, text): &(&str, &str)| (PathBuf::from(*name), text.as_bytes().to_vec());
        Shelf(files.iter().map(file).collect())
    }
}

impl Files for Shelf {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let path = self.absolute(path);
        self.0
            .get(&path)
            .cloned()
            .ok_or(io::Error::from_raw_os_error(libc::ENOENT))
    }

    fn read_stdin(&self) -> io::Result<Vec<u8>> {
        self.read(Path::new("/stdin"))
    }

    fn names_in(&self, directory: &Path) -> Vec<OsString> {
        let directory = self.absolute(directory);
        let inside = self
            .0
            .keys()
            .filter(|path| path.parent() == Some(&*directory));
        inside
            .filter_map(|path| Some(path.file_name()?.to_os_string()))
            .collect()
    }

    fn directory(&self, path: &Path) -> io::Result<PathBuf> {
        if path.as_os_str().is_empty() || path.as_os_str().as_bytes().ends_with(b"missing") {
            return Err(io::Error::from_raw_os_error(libc::ENOENT));
        }
        Ok(self.absolute(path))
    }

    fn try_append(&self, path: &Path) -> io::Result<()> {
        self.directory(path.parent().unwrap_or(Path::new("/")))
            .map(drop)
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        let joined = Path::new("/etc").join(path);
        joined
            .components()
            .filter(|part| part.as_os_str() != ".")
            .collect()
    }
}

/// Loads what a command line says.
pub fn run(args: &[&str], shelf: &Shelf) -> Result<Loaded, String> {
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    load(&cli::sources(&args, shelf), shelf).map_err(|error| error.to_string())
}
