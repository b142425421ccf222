//! Engines that earlier checks of this user built, and kernels compiled for them, in a folder outside of every repository.
//!
//! Beside them lies a secret; an entry is such a file followed by a keyed hash (HMAC-SHA256) of its name and bytes.
//! Invariant: an entry that was not written with the secret, or was changed since, is as good as none, and is told.

use crate::case::sha256_hex;
use crate::engine::{self, EngineHeader};
use crate::error::{Failure, Result};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fs::{DirBuilder, File};
use std::io::{Error, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Of these sizes together the newest entries are kept.
const KEPT_BYTES: u64 = 2 << 30;
const SECRET_BYTES: usize = 32;
const MAC_BYTES: usize = 32;
/// The block of SHA-256, which HMAC is defined with.
const BLOCK_BYTES: usize = 64;
/// What a check that was killed left half-written is removed after this.
const LEFTOVER_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// What files begin with while they are written.
const UNFINISHED: &str = ".writing-";

/// The header of an engine and the parts of its payload.
type CachedEngine = (EngineHeader, Vec<Vec<u8>>);

/// The cache, opened.
pub struct Cache {
    dir: PathBuf,
    secret: [u8; SECRET_BYTES],
}

/// Where this user's caches are: `XDG_CACHE_HOME` if it is absolute, else `.cache` in the home folder.
pub fn home() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))
}

/// Makes the cache below `home` where it is not there, and returns its folder.
pub fn make(home: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(home).map_err(|e| Failure::io("create the folder", home, &e))?;
    let ours = home.join("cargo-trt-perf");
    let dir = ours.join("engines");
    for folder in [&ours, &dir] {
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(e) if e.kind() != ErrorKind::AlreadyExists => {
                return Err(Failure::io("create the folder", folder, &e));
            }
            _ => ensure_private(folder)?,
        }
    }
    let secret = dir.join("secret");
    if secret.symlink_metadata().is_err() {
        write_secret(&dir, &secret).map_err(|e| Failure::io("write", &secret, &e))?;
    }
    Cache::open(&dir).map(|cache| cache.dir)
}

/// Whole or not there, and never in place of one that another check has just written.
fn write_secret(dir: &Path, path: &Path) -> Result<(), Error> {
    let mut secret = [0; SECRET_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut secret)?;
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(dir)?;
    file.write_all(&secret)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Err(e) if e.error.kind() != ErrorKind::AlreadyExists => Err(e.error),
        _ => Ok(()),
    }
}

/// Fails where somebody else may have written in a folder, or may write in it.
fn ensure_private(path: &Path) -> Result<()> {
    let found = path.symlink_metadata().map_err(|e| Failure::io("look at", path, &e))?;
    let refuse = |why: &str| {
        Err(Failure::usage(format!("{} {why}", path.display()))
            .next("remove it; the next check makes it again, or say --no-cache"))
    };
    if found.is_symlink() {
        return refuse("is a symbolic link");
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return refuse("belongs to another user");
    }
    if found.mode() & 0o077 != 0 {
        return refuse("may be used by others");
    }
    Ok(())
}

/// A file, and not what a link leads to.
fn open_file(path: &Path) -> Result<File, Error> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(Error::other("it is no regular file")) }
}

impl Cache {
    /// Opens a cache that is there.
    pub fn open(dir: &Path) -> Result<Self> {
        ensure_private(dir)?;
        let path = dir.join("secret");
        ensure_private(&path)?;
        let mut bytes = Vec::new();
        let read = |file: File, bytes: &mut Vec<u8>| file.take(SECRET_BYTES as u64 + 1).read_to_end(bytes);
        open_file(&path)
            .and_then(|file| read(file, &mut bytes))
            .map_err(|e| Failure::io("read the secret", &path, &e))?;
        let secret = bytes.try_into().map_err(|_| {
            Failure::usage(format!("{} is not {SECRET_BYTES} bytes long", path.display()))
                .next("remove that folder; the next check makes it again, or say --no-cache")
        })?;
        Ok(Self { dir: dir.to_owned(), secret })
    }

    fn entry(&self, inputs_hash: &str) -> PathBuf {
        engine::path(&self.dir, inputs_hash)
    }

    /// The engine with these inputs, if it is here. `Err`: why what is here is not used.
    pub fn take(&self, inputs_hash: &str) -> Result<Option<CachedEngine>, String> {
        let path = self.entry(inputs_hash);
        let refused = |why: String| not_used(&path, &why);
        let Some(bytes) = self.read(&path, inputs_hash)? else { return Ok(None) };
        let found = engine::parse(&bytes).map_err(|why| refused(format!("it {why}")))?;
        if found.0.inputs_hash != inputs_hash {
            return Err(refused("it is another engine".into()));
        }
        Ok(Some(found))
    }

    /// Puts what earlier checks compiled for an engine to `path`, where they kept a file of that name; whether they did.
    pub fn take_kernels(&self, path: &Path) -> Result<bool, String> {
        let (entry, name) = self.kernels(path);
        let Some(bytes) = self.read(&entry, &name)? else { return Ok(false) };
        std::fs::write(path, bytes).map_err(|e| format!("{} was not written: {e}", path.display()))?;
        Ok(true)
    }

    /// Keeps a copy of a file of kernels, and makes room for it.
    pub fn keep_kernels(&self, path: &Path) -> Result<()> {
        let (entry, name) = self.kernels(path);
        self.write(&entry, &name, path)
    }

    fn kernels(&self, path: &Path) -> (PathBuf, String) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (self.dir.join(&name), name)
    }

    /// The bytes of an entry that was written under this name. `Err`: why they are not used.
    fn read(&self, path: &Path, name: &str) -> Result<Option<Vec<u8>>, String> {
        let refused = |why: String| not_used(path, &why);
        let mut bytes = Vec::new();
        let read = open_file(path).and_then(|file| {
            let size = file.take(KEPT_BYTES + 1).read_to_end(&mut bytes)?;
            if size as u64 > KEPT_BYTES { Err(Error::from(ErrorKind::FileTooLarge)) } else { Ok(()) }
        });
        match read {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|e| refused(e.to_string()))?,
        }
        let mac = bytes.len().checked_sub(MAC_BYTES).map(|at| bytes.split_off(at)).unwrap_or_default();
        if mac != self.mac(name, &bytes) {
            return Err(refused("no check of this user wrote it (its keyed hash is wrong)".into()));
        }
        touch(path);
        Ok(Some(bytes))
    }

    /// Keeps a copy of an engine file, and makes room for it.
    pub fn keep(&self, inputs_hash: &str, engine: &Path) -> Result<()> {
        self.write(&self.entry(inputs_hash), inputs_hash, engine)
    }

    /// Keeps a copy of the file `from`, unless there would be room for nothing but it, and it would not be read.
    fn write(&self, path: &Path, name: &str, from: &Path) -> Result<()> {
        let size = from.metadata().map_err(|e| Failure::io("look at", from, &e))?.len();
        if size + MAC_BYTES as u64 > KEPT_BYTES {
            return Ok(());
        }
        let bytes = std::fs::read(from).map_err(|e| Failure::io("read", from, &e))?;
        let write = || -> Result<(), Error> {
            let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.dir)?;
            file.write_all(&bytes)?;
            file.write_all(&self.mac(name, &bytes))?;
            file.as_file().sync_all()?;
            file.persist(path).map_err(|e| e.error)?;
            Ok(())
        };
        write().map_err(|e| Failure::io("keep a copy in", path, &e))?;
        self.tidy(KEPT_BYTES);
        Ok(())
    }

    /// Removes all but the newest entries, and what was never finished. Only names that this file gives.
    fn tidy(&self, kept_bytes: u64) {
        keep_newest(&self.dir, kept_bytes, None);
        for (time, _, path) in files(&self.dir) {
            let unfinished = name_of(&path).starts_with(UNFINISHED);
            if unfinished && time.elapsed().is_ok_and(|age| age > LEFTOVER_AGE) {
                // Only space is lost where this fails.
                let _ = std::fs::remove_file(&path);
            }
        }
    }

    fn mac(&self, name: &str, bytes: &[u8]) -> [u8; MAC_BYTES] {
        // The first part has a fixed length, so that no byte of one part can pass for one of the other.
        hmac(&self.secret, &[sha256_hex(name.as_bytes()).as_bytes(), bytes])
    }
}

fn not_used(path: &Path, why: &str) -> String {
    format!("{} was not used: {why}", path.display())
}

/// Removes the oldest engines and kernels, so that the others have no more than `kept_bytes` together. What was used `since`
/// then stays, and does not count.
pub fn keep_newest(dir: &Path, kept_bytes: u64, since: Option<SystemTime>) {
    let mut found: Vec<_> = files(dir).filter(|(_, _, path)| is_entry(&name_of(path))).collect();
    found.sort_by(|a, b| b.cmp(a));
    let mut sum = 0;
    for (_, size, path) in found.into_iter().filter(|(time, ..)| since.is_none_or(|since| *time < since)) {
        sum += size;
        if sum > kept_bytes {
            // Only space is lost where this fails.
            let _ = std::fs::remove_file(&path);
        }
    }
}

/// Says that an engine is used, and so one of the newest. Where that fails it is built anew some day.
pub fn touch(path: &Path) {
    let _ = File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
}

/// When each file of a folder was changed, and its size.
fn files(dir: &Path) -> impl Iterator<Item = (SystemTime, u64, PathBuf)> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let found = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
        Some((found.modified().ok()?, found.len(), entry.path()))
    })
}

fn name_of(path: &Path) -> Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}

fn is_entry(name: &str) -> bool {
    let hash = [".engine", ".kernels"].into_iter().find_map(|end| name.strip_suffix(end));
    hash.is_some_and(|h| h.len() == 64 && h.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// HMAC-SHA256 (RFC 2104) of `parts` in a row, for keys up to the size of a block.
fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; MAC_BYTES] {
    let pad = |with: u8| -> [u8; BLOCK_BYTES] {
        std::array::from_fn(|i| key.get(i).copied().unwrap_or_default() ^ with)
    };
    let mut inner = Sha256::new_with_prefix(pad(0x36));
    parts.iter().for_each(|part| inner.update(part));
    Sha256::new_with_prefix(pad(0x5c)).chain_update(inner.finalize()).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::hex;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn the_keyed_hash_is_that_of_rfc_4231() {
        for (key, parts, expected) in [
            (
                &[0x0b; 20][..],
                &[&b"Hi "[..], b"There"][..],
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                &[b"what do ya want for nothing?"],
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
        ] {
            assert_eq!(hex(hmac(key, parts)), expected);
        }
    }

    #[test]
    fn only_the_newest_entries_are_kept_and_nothing_of_others_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let cache = Cache::open(&make(home.path()).unwrap()).unwrap();
        let name = |n: u8| format!("{}.engine", hex([n; 32]));
        for n in 1..=3 {
            let path = cache.dir.join(name(n));
            std::fs::write(&path, [0; 100]).unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(n));
            File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
        }
        std::fs::write(cache.dir.join("notes.engine"), [0; 100]).unwrap();
        cache.tidy(250);
        let left = |name: &str| cache.dir.join(name).exists();
        assert!(
            !left(&name(1)) && left(&name(2)) && left(&name(3)) && left("notes.engine") && left("secret")
        );
    }

    #[test]
    fn what_has_no_room_leaves_the_others_alone() {
        let (home, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let cache = Cache::open(&make(home.path()).unwrap()).unwrap();
        let [small, large] = ["small", "large"].map(|name| work.path().join(name));
        std::fs::write(&small, "engine").unwrap();
        File::create(&large).unwrap().set_len(KEPT_BYTES).unwrap();
        let [first, second] = [1, 2].map(|n: u8| hex([n; 32]));
        cache.keep(&first, &small).unwrap();
        cache.keep(&second, &large).unwrap();
        assert!(cache.entry(&first).exists() && !cache.entry(&second).exists());
    }

    #[test]
    fn kernels_come_back_under_their_name_and_changed_ones_do_not() {
        let (home, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let cache = Cache::open(&make(home.path()).unwrap()).unwrap();
        let path = work.path().join(format!("{}.kernels", hex([1; 32])));
        assert_eq!(cache.take_kernels(&path), Ok(false));
        std::fs::write(&path, "compiled").unwrap();
        cache.keep_kernels(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(cache.take_kernels(&path), Ok(true));
        assert_eq!(std::fs::read(&path).unwrap(), b"compiled");

        let name = path.file_name().unwrap().to_str().unwrap();
        let (entry, other) = (cache.dir.join(name), format!("{}.kernels", hex([2; 32])));
        std::fs::copy(&entry, cache.dir.join(&other)).unwrap();
        let why = cache.take_kernels(&work.path().join(other)).unwrap_err();
        assert!(why.contains("its keyed hash is wrong"), "{why}");
    }

    #[test]
    fn a_cache_that_others_can_write_or_that_is_a_link_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let dir = make(home.path()).unwrap();
        assert_eq!(make(home.path()), Ok(dir.clone()), "the second time it is there");
        let mode =
            |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        mode(&dir, 0o770);
        assert!(make(home.path()).unwrap_err().message.contains("may be used by others"));
        mode(&dir, 0o700);
        std::fs::write(dir.join("secret"), "short").unwrap();
        assert!(make(home.path()).unwrap_err().message.contains("32 bytes"));
        std::fs::remove_dir_all(&dir).unwrap();
        symlink(tempfile::tempdir().unwrap().path(), &dir).unwrap();
        assert!(make(home.path()).unwrap_err().message.contains("is a symbolic link"));
    }
}
