//! Looks at all files that the program may write, again and again, until they take up too much of the disk.
//!
//! Some cannot be seen: behind a directory that is closed to everybody, or without a name and only mapped into memory. That is
//! why there is also a look at what the disk has left, beside those at the other limits.

use std::{
    collections::HashSet,
    ffi::OsString,
    fs::{self, Metadata},
    os::unix::{ffi::OsStringExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::{
    super::{limits::FILE_BYTES_BEYOND, view},
    OwnLimits, Resource,
};

/// Between two looks. Where a look takes long, so many times as long: a repository may have hundreds of thousands of files.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const TIMES: u32 = 10;
/// The unit in which the kernel says what a file takes up.
const BLOCK: u64 = 512;

/// Returns when a limit is exceeded, with what there is too much of.
pub(super) fn until_over(limits: &OwnLimits) -> Resource {
    let scene = Scene::of_the_sandbox();
    let mut pause = SHORTEST_PAUSE;
    loop {
        thread::sleep(pause);
        let begin = Instant::now();
        if let Some(resource) = Look::at(&scene, limits).over() {
            return resource;
        }
        pause = SHORTEST_PAUSE.max(begin.elapsed() * TIMES);
    }
}

/// Where files may be.
struct Scene {
    /// What the program may write to.
    places: Vec<PathBuf>,
    /// What else is shown, also within a place.
    mounts: HashSet<PathBuf>,
    /// `/proc`
    processes: PathBuf,
}

impl Scene {
    fn of_the_sandbox() -> Self {
        let table = fs::read("/proc/self/mountinfo").unwrap_or_default();
        Self {
            places: [view::TREE, view::HOME, view::TMP].map(PathBuf::from).into(),
            mounts: mounts(&table),
            processes: "/proc".into(),
        }
    }
}

struct Look<'a> {
    scene: &'a Scene,
    limits: &'a OwnLimits,
    bytes: u64,
    /// Files that may come up again.
    counted: HashSet<(u64, u64)>,
}

impl<'a> Look<'a> {
    fn at(scene: &'a Scene, limits: &'a OwnLimits) -> Self {
        Self { scene, limits, bytes: 0, counted: HashSet::new() }
    }

    /// What there is too much of. Stops as soon as that is known.
    fn over(&mut self) -> Option<Resource> {
        let Scene { places, processes, .. } = self.scene;
        let named = places.iter().find_map(|place| self.below(place));
        named.or_else(|| self.without_a_name(processes))
    }

    fn below(&mut self, place: &Path) -> Option<Resource> {
        let mut directories = vec![place.to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                // One that is gone meanwhile counts no more. A link is not followed.
                let Ok(found) = entry.metadata() else { continue };
                if found.is_dir() {
                    let path = entry.path();
                    if self.scene.mounts.contains(&path) {
                        continue;
                    }
                    directories.push(path);
                }
                if let Some(resource) = self.add(&found) {
                    return Some(resource);
                }
            }
        }
        None
    }

    /// Files that were removed while a process had them open.
    fn without_a_name(&mut self, processes: &Path) -> Option<Resource> {
        let entries = fs::read_dir(processes).into_iter().flatten().flatten();
        let numbers = entries.filter(|entry| entry.file_name().as_encoded_bytes()[0].is_ascii_digit());
        for process in numbers {
            for open in fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten() {
                // The path that the file had. One in memory had another.
                let Ok(path) = fs::read_link(open.path()) else { continue };
                if self.scene.places.iter().any(|place| path.starts_with(place))
                    && let Ok(found) = fs::metadata(open.path())
                    && found.is_file()
                    && found.nlink() == 0
                    && let Some(resource) = self.add(&found)
                {
                    return Some(resource);
                }
            }
        }
        None
    }

    fn add(&mut self, found: &Metadata) -> Option<Resource> {
        let may_come_again = !found.is_dir() && found.nlink() != 1;
        if may_come_again && !self.counted.insert((found.dev(), found.ino())) {
            return None;
        }
        self.bytes = self.bytes.saturating_add(found.blocks().saturating_mul(BLOCK));
        // Only what was kept from growing further has this length. What was not written in here may be larger.
        if found.is_file() && found.len() == self.limits.file_bytes.saturating_add(FILE_BYTES_BEYOND) {
            return Some(Resource::FileSize);
        }
        (self.bytes > self.limits.disk_bytes).then_some(Resource::Disk)
    }
}

/// Where something is mounted, from lines such as `36 35 98:0 /root /workspace rw,noatime - ext4 /dev/sda rw`.
fn mounts(table: &[u8]) -> HashSet<PathBuf> {
    let lines = table.split(|byte| *byte == b'\n');
    lines.filter_map(|line| line.split(|byte| *byte == b' ').nth(4)).map(unescaped).collect()
}

/// The kernel writes a space as `\040`, and other characters that would divide fields alike.
fn unescaped(field: &[u8]) -> PathBuf {
    let mut path = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, behind)) = rest.split_first() {
        let digits = rest.get(1..4).and_then(|digits| str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()).filter(|_| *first == b'\\') {
            Some(byte) => {
                path.push(byte);
                rest = &rest[4..];
            }
            None => {
                path.push(*first);
                rest = behind;
            }
        }
    }
    OsString::from_vec(path).into()
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::unix::fs::symlink};

    use tempfile::TempDir;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn limits() -> OwnLimits {
        OwnLimits {
            memory_bytes: None,
            processes: 1,
            file_bytes: 4 * MIB,
            disk_bytes: 8 * MIB,
            cpu_seconds: 1,
        }
    }

    fn write(file: &Path, bytes: u64) {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, vec![b'x'; usize::try_from(bytes).unwrap()]).unwrap();
    }

    /// A place with nothing in it, and no processes.
    fn scene(place: &TempDir) -> Scene {
        let places = vec![place.path().canonicalize().unwrap()];
        Scene { places, mounts: HashSet::new(), processes: "/nowhere".into() }
    }

    #[test]
    fn a_file_counts_once_whatever_leads_to_it() {
        let (place, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(&place.path().join("a/b/file"), MIB);
        fs::hard_link(place.path().join("a/b/file"), place.path().join("again")).unwrap();
        write(&elsewhere.path().join("other"), 3 * MIB);
        symlink(elsewhere.path(), place.path().join("link")).unwrap();
        write(&place.path().join("shown/other"), 3 * MIB);
        let mut scene = scene(&place);
        scene.mounts.insert(scene.places[0].join("shown"));
        let limits = limits();
        let mut look = Look::at(&scene, &limits);

        assert_eq!(look.over(), None);

        assert!((1..2 * MIB).contains(&look.bytes), "{}", look.bytes);
    }

    #[test]
    fn many_files_are_too_much_together_and_one_that_was_kept_from_growing_by_itself() {
        let place = tempfile::tempdir().unwrap();
        let (scene, limits) = (scene(&place), limits());
        let over = || Look::at(&scene, &limits).over();
        for number in 0..9 {
            write(&place.path().join(number.to_string()), MIB);
        }
        assert_eq!(over(), Some(Resource::Disk));
        for number in 0..9 {
            fs::remove_file(place.path().join(number.to_string())).unwrap();
        }
        assert_eq!(over(), None);

        let large = File::create(place.path().join("large")).unwrap();
        large.set_len(limits.file_bytes).unwrap();
        assert_eq!(over(), None, "so much is allowed");
        large.set_len(limits.file_bytes + FILE_BYTES_BEYOND).unwrap();
        assert_eq!(over(), Some(Resource::FileSize));
    }

    #[test]
    fn a_file_without_a_name_counts_while_it_is_open() {
        let (place, processes) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir(processes.path().join("7")).unwrap();
        symlink("/proc/self/fd", processes.path().join("7/fd")).unwrap();
        let scene = Scene { processes: processes.path().to_owned(), ..scene(&place) };
        let limits = limits();
        write(&place.path().join("file"), 9 * MIB);
        let open = File::open(place.path().join("file")).unwrap();
        fs::remove_file(place.path().join("file")).unwrap();

        assert_eq!(Look::at(&scene, &limits).over(), Some(Resource::Disk));
        drop(open);
        assert_eq!(Look::at(&scene, &limits).over(), None);
    }

    #[test]
    fn mounts_are_read_as_the_kernel_writes_them() {
        let table = b"36 35 98:0 / /workspace rw,noatime - ext4 /dev/sda rw\n\
                      37 35 0:40 / /tmp/with\\040space\\134 ro - tmpfs tmpfs ro\n";
        let expected = ["/workspace", "/tmp/with space\\"].map(PathBuf::from);
        assert_eq!(mounts(table), HashSet::from(expected));
    }
}
