//! File systems of a test's own: small ones, ones that lose their power, ones that cannot sync.
//!
//! ```text
//!   tmpfs   of so many bytes: writes fail when it is full
//!   ext4    in a file; its power can be cut: what was not on disk is gone when it is mounted again
//!   thin    an ext4 that is larger than the tmpfs its file is in: writes go well, fsync fails
//! ```
//!
//! All take the right to mount. Without it there is `None`, and the test says that it is skipped.

use crate::support::server::Folder;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `_IOR('X', 125, __u32)`: the file system fails everything from now on.
const EXT4_IOC_SHUTDOWN: libc::c_ulong = 0x8004_587d;
/// Nothing more is written, the journal neither.
const NO_LOG_FLUSH: u32 = 2;

/// A mounted file system; unmounted and forgotten with its value.
pub struct Volume {
    folder: Folder,
    image: Option<PathBuf>,
    mounted: Vec<PathBuf>,
}

fn run(program: &str, args: &[&str]) -> Option<()> {
    let output = Command::new(program).args(args).output().ok()?;
    output.status.success().then_some(())
}

fn shown(path: &Path) -> &str {
    path.to_str().expect("folders of tests have plain names")
}

/// How a new file system writes what is zero.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Zeros {
    AreHoles,
    AreWritten,
}

impl Volume {
    fn new() -> Volume {
        let volume = Volume {
            folder: Folder::create(),
            image: None,
            mounted: Vec::new(),
        };
        std::fs::create_dir(volume.path()).expect("a writable folder");
        volume
    }

    /// A tmpfs of this size, as mount has it.
    pub fn tmpfs(size: &str) -> Option<Volume> {
        let mut volume = Volume::new();
        let to = volume.path();
        volume.mount(&["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"], to)?;
        Some(volume)
    }

    /// An ext4 in a file.
    pub fn ext4() -> Option<Volume> {
        let mut volume = Volume::new();
        let image = volume.folder.path().join("image");
        volume.format(image, Zeros::AreHoles)?;
        Some(volume)
    }

    /// An ext4 whose file has no room for all of it. With holes it may end when it finds none for
    /// its journal; without, it lives on, but is no good for what has to be on disk in the last
    /// moment: a loop device takes a short write for a whole one.
    pub fn thin(size: &str, zeros: Zeros) -> Option<Volume> {
        let mut volume = Volume::new();
        let outer = volume.folder.path().join("outer");
        std::fs::create_dir(&outer).ok()?;
        let options = format!("size={size}");
        volume.mount(&["-t", "tmpfs", "-o", &options, "tmpfs"], outer.clone())?;
        volume.format(outer.join("image"), zeros)?;
        Some(volume)
    }

    /// Makes an ext4 and mounts it. All of its own tables are there from the beginning.
    fn format(&mut self, image: PathBuf, zeros: Zeros) -> Option<()> {
        const BYTES: u64 = 256 << 20;
        const TABLES: &str = "nodiscard,lazy_itable_init=0,lazy_journal_init=0";
        File::create(&image).and_then(|it| it.set_len(BYTES)).ok()?;
        let written: &[&str] = match zeros {
            Zeros::AreHoles => &["mkfs.ext4"],
            // Bitmaps that say nothing as well.
            Zeros::AreWritten => &[
                "UNIX_IO_NOZEROOUT=1",
                "mkfs.ext4",
                "-O",
                "^metadata_csum,^uninit_bg",
            ],
        };
        let args = ["-q", "-m", "0", "-J", "size=4", "-N", "512", "-E", TABLES];
        run("env", &[written, &args, &[shown(&image)]].concat())?;
        self.image = Some(image);
        self.mount_image()
    }

    fn mount_image(&mut self) -> Option<()> {
        let (image, to) = (self.image.clone()?, self.path());
        self.mount(&["-o", "loop", shown(&image)], to)
    }

    fn mount(&mut self, what: &[&str], to: PathBuf) -> Option<()> {
        run("mount", &[what, &[shown(&to)]].concat())?;
        self.mounted.push(to);
        Some(())
    }

    /// Where it is mounted.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }

    /// Gives a thin one more room.
    pub fn widen(&self, size: &str) {
        let outer = self.folder.path().join("outer");
        let options = format!("remount,size={size}");
        run("mount", &["-o", &options, shown(&outer)]).expect("a tmpfs that can grow");
    }

    /// From now on writes wait, until it thaws. False where that is not possible.
    pub fn freeze(&self) -> bool {
        run("fsfreeze", &["-f", shown(&self.path())]).is_some()
    }

    pub fn thaw(&self) {
        run("fsfreeze", &["-u", shown(&self.path())]).expect("it was frozen");
    }

    /// From now on nothing gets to disk any more.
    pub fn cut_power(&self) {
        let root = File::open(self.path()).expect("it is mounted");
        let how = NO_LOG_FLUSH;
        // SAFETY: this ioctl reads one u32 through its argument, which outlives the call.
        let result = unsafe { libc::ioctl(root.as_raw_fd(), EXT4_IOC_SHUTDOWN, &raw const how) };
        assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    }

    /// The machine starts again: what there is on disk is all there is.
    pub fn start_again(&mut self) {
        let path = self.mounted.pop().expect("it is mounted");
        crate::support::wait_until("nobody uses it any more", || {
            run("umount", &[shown(&path)]).is_some()
        });
        self.mount_image().expect("it was mounted before");
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        for path in self.mounted.iter().rev() {
            // A test that failed may have left it frozen, and a server that uses it.
            let _ = run("fsfreeze", &["-u", shown(path)]);
            let _ = run("umount", &["-l", shown(path)]);
        }
    }
}
