//! The folder of the log: which files there are when a process starts.
//!
//! ```text
//!   dir/appendonlydir/appendonly.aof.manifest       names all others
//!   dir/appendonly.aof                              before Redis 7: moved into the folder
//! ```
//!
//! What the manifest does not name does not exist. A manifest that cannot be read, and a file of
//! it that is missing, end the start: nobody should find out later which keys were in it.

use super::manifest::Manifest;
use crate::config::Config;
use crate::rdb;
use crate::runtime::file;
use crate::runtime::log_file;
use std::path::{Path, PathBuf};

/// No manifest is longer: some thousand files.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;

/// Where the files are.
#[derive(Clone, Debug)]
pub struct Place {
    dir: PathBuf,
    pub folder: PathBuf,
    /// The name that all files begin with.
    pub prefix: String,
}

impl Place {
    /// As the configuration has it.
    pub fn new(config: &Config) -> Place {
        Place {
            dir: config.dir.clone(),
            folder: config.dir.join(&config.appenddirname),
            prefix: config.appendfilename.to_string_lossy().into_owned(),
        }
    }

    fn manifest_path(&self) -> PathBuf {
        self.folder.join(format!("{}.manifest", self.prefix))
    }

    /// The manifest there is; `None` if there is no log yet.
    pub fn find(&self) -> Result<Option<Manifest>, Vec<String>> {
        let found = read_manifest(&self.manifest_path())?;
        let old = self.dir.join(&self.prefix);
        let has_old = log_file::len_of(&old).ok().flatten().is_some() && !old.is_dir();
        match found {
            Some(manifest) if has_old && self.is_half_moved(&manifest) => {
                self.adopt(&old, manifest)
            }
            None if has_old => self.adopt(&old, Manifest::of_single(&self.prefix)),
            found => Ok(found),
        }
    }

    /// Whether a log of a single file was being moved when the process before ended.
    fn is_half_moved(&self, manifest: &Manifest) -> bool {
        let is_single = *manifest == Manifest::of_single(&self.prefix);
        is_single && matches!(log_file::len_of(&self.folder.join(&self.prefix)), Ok(None))
    }

    /// Takes over a log of a single file.
    fn adopt(&self, old: &Path, manifest: Manifest) -> Result<Option<Manifest>, Vec<String>> {
        let moved = log_file::make_folder(&self.folder)
            .and_then(|()| file::replace(&self.manifest_path(), &manifest.text()))
            .and_then(|()| log_file::rename(old, &self.folder.join(&self.prefix)));
        moved.map_err(|error| vec![format!("Can't move {}: {error}", old.display())])?;
        tracing::info!(
            "Successfully migrated an old-style AOF configuration ({}) into the AOF directory \
             ({}).",
            self.prefix,
            self.folder.display()
        );
        Ok(Some(manifest))
    }

    /// Begins a log of an empty dataset.
    pub fn create(&self, is_rdb: bool) -> Result<Manifest, Vec<String>> {
        let mut manifest = Manifest::default();
        let name = manifest.add_base(&self.prefix, is_rdb);
        tracing::info!("Creating AOF base file {name} on server start");
        let bytes = if is_rdb { empty_base() } else { Vec::new() };
        let created = log_file::make_folder(&self.folder)
            .and_then(|()| log_file::create(&self.folder.join(&name), &bytes));
        created.map_err(|error| vec![format!("Can't create the AOF base file {name}: {error}")])?;
        Ok(manifest)
    }

    /// Makes the folder unless it is there.
    pub fn make_folder(&self) -> Result<(), Vec<String>> {
        let made = log_file::make_folder(&self.folder);
        made.map_err(|error| vec![format!("Can't create {}: {error}", self.folder.display())])
    }

    /// Removes what an interrupted rewrite has left.
    pub fn sweep(&self) {
        let manifests = format!("{}.manifest.", self.prefix);
        let mut left = log_file::files_in(&self.folder, &manifests);
        left.retain(|path| path.extension().is_some_and(|end| end == "tmp"));
        left.extend(log_file::files_in(&self.folder, "temp-"));
        for path in left {
            // What cannot be removed is in nobody's way.
            let _ = file::remove(&path);
        }
    }
}

/// Reads a manifest; `None` if there is none.
pub fn read_manifest(path: &Path) -> Result<Option<Manifest>, Vec<String>> {
    let text = log_file::read_small(path, MANIFEST_BYTES_MAX)
        .map_err(|error| vec![format!("Fatal error: can't open the AOF manifest: {error}")])?;
    let Some(text) = text else {
        return Ok(None);
    };
    let refused = |(line, what): (usize, &str)| {
        let lines = text.split(|byte| *byte == b'\n');
        let shown = lines
            .into_iter()
            .nth(line.saturating_sub(1))
            .unwrap_or_default();
        vec![
            "*** FATAL AOF MANIFEST FILE ERROR ***".to_owned(),
            format!("Reading the manifest file, at line {line}"),
            format!(">>> '{}'", String::from_utf8_lossy(shown)),
            what.to_owned(),
        ]
    };
    Manifest::parse(&text).map(Some).map_err(refused)
}

/// A snapshot without keys, marked as the base of a log.
fn empty_base() -> Vec<u8> {
    let mut bytes = b"REDIS0010\xfa\x08aof-base\x011\xff".to_vec();
    bytes.extend_from_slice(&rdb::crc64(&bytes).to_le_bytes());
    bytes
}
