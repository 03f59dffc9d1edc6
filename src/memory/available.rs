//! How much memory the process may still use: the minimum of the machine's, the process's and its containers' limits.

use crate::files;
use crate::kernels::system;
use std::path::{Path, PathBuf};

/// The least of all limits.
#[derive(Debug, PartialEq, Eq)]
pub struct Available {
    /// How much is left of it.
    pub bytes: usize,
    /// Which limit it is, for a message.
    pub by: String,
}

/// What is available; `None` where nothing can be known of it.
pub fn available() -> Option<Available> {
    match system::memory() {
        Some(memory) => Some(Available { bytes: memory.available, by: MACHINE.to_string() }),
        None => below(Path::new("/")),
    }
}

/// The text for the machine's own limit.
const MACHINE: &str = "the machine has";

/// The same, of a system whose files lie in `root`.
fn below(root: &Path) -> Option<Available> {
    let own = [machine(root), limit(root, "address space", "VmSize:"), limit(root, "data size", "VmData:")];
    own.into_iter().flatten().chain(containers(root)).min_by_key(|available| available.bytes)
}

fn read(path: PathBuf) -> Option<String> {
    files::read_text(&path).ok()
}

/// The number behind a key, of a text with a line for each.
fn number(text: &str, key: &str) -> Option<usize> {
    text.lines().find_map(|line| line.strip_prefix(key)).and_then(|rest| rest.split_whitespace().next()?.parse().ok())
}

/// What the machine has left without killing a process: page caches and free swap count as free.
fn machine(root: &Path) -> Option<Available> {
    let text = read(root.join("proc/meminfo"))?;
    let kib = number(&text, "MemAvailable:")?.saturating_add(number(&text, "SwapFree:").unwrap_or(0));
    Some(Available { bytes: kib.saturating_mul(1024), by: MACHINE.to_string() })
}

/// What is left of a limit of the process (`setrlimit`), if there is one.
fn limit(root: &Path, name: &str, used: &str) -> Option<Available> {
    let most = number(&read(root.join("proc/self/limits"))?, &format!("Max {name}"))?; // "unlimited" is no number
    let used = number(&read(root.join("proc/self/status"))?, used)?.saturating_mul(1024);
    Some(Available { bytes: most.saturating_sub(used), by: format!("the process's limit on its {name} leaves") })
}

/// What is left of each container's limit, the process's own and those that this one is in.
fn containers(root: &Path) -> impl Iterator<Item = Available> {
    let mounts = read(root.join("proc/self/mountinfo")).unwrap_or_default();
    let own = read(root.join("proc/self/cgroup")).unwrap_or_default();
    let mut found = Vec::new();
    for (mount, inside, version) in mounts.lines().filter_map(mount) {
        // 0::/path, and of version 1 a line a hierarchy: 5:cpu,memory:/path
        let path = own.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let (controllers, path) = (fields.next()?, fields.next()?);
            let is = match version {
                Version::One => controllers.split(',').any(|controller| controller == "memory"),
                Version::Two => controllers.is_empty(),
            };
            is.then_some(path)
        });
        // A container sees only its part of the tree, and may see itself at the root.
        let path = path.and_then(|path| Path::new(path).strip_prefix(inside).ok()).filter(|path| {
            path.components()
                .all(|part| matches!(part, std::path::Component::Normal(_) | std::path::Component::RootDir))
        });
        let mount = Path::new(mount.trim_start_matches('/'));
        let group = path.map_or(mount.to_path_buf(), |path| mount.join(path.strip_prefix("/").unwrap_or(path)));
        let groups = group.ancestors().take_while(|group| group.starts_with(mount));
        found.extend(groups.filter_map(|group| version.left(root, group)));
    }
    found.into_iter()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// Where a tree of control groups that limit memory is mounted, which part of it, and of what version it is.
fn mount(line: &str) -> Option<(&str, &str, Version)> {
    // 30 23 0:26 /inside /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw
    let (before, after) = line.split_once(" - ")?;
    let mut fields = before.split(' ').skip(3);
    let (inside, mount) = (fields.next()?, fields.next()?);
    let mut fields = after.split(' ');
    let version = match (fields.next()?, fields.nth(1)?) {
        ("cgroup2", _) => Version::Two,
        ("cgroup", options) if options.split(',').any(|option| option == "memory") => Version::One,
        _ => return None,
    };
    Some((mount, inside, version))
}

impl Version {
    /// What is left in a group; `None` if it has no limit.
    fn left(self, root: &Path, group: &Path) -> Option<Available> {
        let [most, used, inactive, active] = match self {
            Version::One => {
                ["memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ", "total_active_file "]
            }
            Version::Two => ["memory.max", "memory.current", "inactive_file ", "active_file "],
        };
        let text = |name: &str| read(root.join(group).join(name));
        let most: usize = text(most)?.trim().parse().ok()?; // "max" is no number
        let used: usize = text(used)?.trim().parse().ok()?;
        let cached = text("memory.stat").map_or(0, |text| {
            [inactive, active].iter().filter_map(|key| number(&text, key)).fold(0, usize::saturating_add)
        });
        let bytes = most.saturating_sub(used.saturating_sub(cached));
        Some(Available { bytes, by: format!("the limit of the control group /{} leaves", group.to_string_lossy()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is available in a system of such files.
    fn of(files: &[(&str, &str)]) -> Option<(usize, String)> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        below(root.path()).map(|found| (found.bytes, found.by))
    }

    const MEMINFO: (&str, &str) =
        ("proc/meminfo", "MemTotal:  9000 kB\nMemFree:  10 kB\nMemAvailable:   8000 kB\nSwapFree:  1000 kB\n");
    const TWO: (&str, &str) = (
        "proc/self/mountinfo",
        "23 1 0:21 / /proc rw - proc proc rw\n30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n",
    );

    #[test]
    fn the_machine_and_the_process() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[MEMINFO]), Some((9000 << 10, "the machine has".into())));
        let status = ("proc/self/status", "Name:\tx\nVmSize:\t     300 kB\nVmData:\t 100 kB\n");
        let limits = |space: &str, data: &str| {
            let text = format!(
                "Limit           Soft Limit  Hard Limit  Units\nMax data size   {data}  unlimited  bytes\n\
                 Max address space         {space}           unlimited            bytes\n"
            );
            of(&[MEMINFO, status, ("proc/self/limits", &text)]).unwrap()
        };
        assert_eq!(limits("unlimited", "unlimited").0, 9000 << 10);
        assert_eq!(
            limits("1024000", "unlimited"),
            (700 << 10, "the process's limit on its address space leaves".into())
        );
        assert_eq!(limits("1024000", "512000"), (400 << 10, "the process's limit on its data size leaves".into()));
        assert_eq!(limits("1024", "unlimited").0, 0, "more is in use than a limit set later allows");
    }

    #[test]
    #[cfg(unix)]
    fn the_smallest_of_nested_groups() {
        let group = |name: &str, max: &'static str, current: &'static str| {
            let folder = format!("sys/fs/cgroup{name}");
            [(format!("{folder}/memory.max"), max), (format!("{folder}/memory.current"), current)]
        };
        let mut files = vec![
            MEMINFO,
            TWO,
            ("proc/self/cgroup", "0::/outer/inner/leaf\n"),
            ("sys/fs/cgroup/outer/memory.stat", "anon 1\nfile 900\ninactive_file 300\nactive_file 200\nshmem 7\n"),
        ];
        let groups = [
            group("/outer", "5000000", "1000000"),
            group("/outer/inner", "6000000\n", "900000\n"),
            group("/outer/inner/leaf", "max\n", "800000\n"),
            group("/other", "1", "1"),
        ];
        files.extend(groups.iter().flatten().map(|(path, text)| (path.as_str(), *text)));
        assert_eq!(
            of(&files),
            Some((5_000_000 - 1_000_000 + 500, "the limit of the control group /sys/fs/cgroup/outer leaves".into()))
        );
    }

    #[test]
    fn the_first_version_beside_the_second() {
        let text = "30 23 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n\
                    31 23 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                    36 23 0:31 /docker/abc /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory\n";
        let files = |path: &'static str| {
            of(&[
                MEMINFO,
                ("proc/self/mountinfo", text),
                ("proc/self/cgroup", path),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "3000000\n"),
                ("sys/fs/cgroup/memory/memory.usage_in_bytes", "2000000\n"),
                (
                    "sys/fs/cgroup/memory/memory.stat",
                    "inactive_file 1\ntotal_inactive_file 100\ntotal_active_file 10\n",
                ),
                ("sys/fs/cgroup/memory/in/memory.limit_in_bytes", "9223372036854771712\n"),
                ("sys/fs/cgroup/memory/in/memory.usage_in_bytes", "2000000\n"),
            ])
        };
        let expected = Some((1_000_110, "the limit of the control group /sys/fs/cgroup/memory leaves".to_string()));
        // In the visible part, at the root of a namespace, and elsewhere.
        for path in ["4:memory:/docker/abc/in\n", "0::/x\n9:cpu,memory:/\n", "4:memory:/../../elsewhere\n"] {
            assert_eq!(files(path), expected, "{path}");
        }
        assert_eq!(of(&[MEMINFO, TWO, ("proc/self/cgroup", "nonsense\n0::\n")]).unwrap().0, 9000 << 10);
    }

    #[test]
    #[cfg(any(target_os = "linux", windows))]
    fn this_machine_says_something() {
        let found = available().unwrap();
        assert!(found.bytes > 1 << 20, "{found:?}");
    }
}
