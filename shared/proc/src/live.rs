//! The environment a running process has now, not only the one it was started with.
//!
//! `/proc/PID/environ` is what exec was given. uwsgi's `--env PRODUCTION=1`, gunicorn's `--env` and
//! a wsgi.py that sets os.environ come later, through setenv(3), and are not in it: asking there
//! says "not set" of exactly the mistake that was mended. The C library keeps the present
//! environment in `environ`; where that variable lies is in the program's or the library's symbols,
//! and its content in `/proc/PID/mem`. All of it is only read, by offsets that are checked; what
//! does not fit is `None`.

use nix::fcntl::OFlag;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The longest table of variables, name and value that are followed.
const MOST: usize = 8192;
const LONGEST: usize = 1 << 20;

/// What is known of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Live {
    /// The variable is set; the length of its value in bytes.
    Set(usize),
    /// It is not set.
    NotSet,
    /// The process may not be looked into, or is not one of the C library's.
    Hidden,
}

/// Looks for a variable in a process.
pub fn variable(pid: i32, name: &str) -> Live {
    let Ok(memory) = File::open(format!("/proc/{pid}/mem")) else {
        return Live::Hidden;
    };
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    let Some(address) = environ(pid, &maps) else {
        return Live::Hidden;
    };
    find(&memory, address, name).unwrap_or(Live::Hidden)
}

/// Every variable that the process has now, in the order of its own table, with its value; `None`
/// where the process may not be looked into. Values are secrets: they are compared, never reported.
#[must_use]
pub fn environment(pid: i32) -> Option<Vec<(OsString, OsString)>> {
    let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let table = pointer(&memory, environ(pid, &maps)?)?;
    let mut found = Vec::new();
    if table == 0 {
        return Some(found);
    }
    for i in 0..MOST as u64 {
        let entry = pointer(&memory, table.checked_add(i * 8)?)?;
        if entry == 0 {
            return Some(found);
        }
        let text = string(&memory, entry)?;
        let at = text
            .iter()
            .position(|byte| *byte == b'=')
            .unwrap_or(text.len());
        let value = text.get(at + 1..).unwrap_or_default().to_vec();
        found.push((
            OsString::from_vec(text[..at].to_vec()),
            OsString::from_vec(value),
        ));
    }
    None
}

/// The text at an address, up to its NUL.
fn string(memory: &File, at: u64) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let mut buffer = [0; 512];
    while text.len() < LONGEST {
        // The last string may end where the mapping does: a short read.
        let n = memory
            .read_at(&mut buffer, at.checked_add(text.len() as u64)?)
            .ok()?;
        match buffer.get(..n)?.iter().position(|byte| *byte == 0) {
            Some(end) => {
                text.extend_from_slice(&buffer[..end]);
                return Some(text);
            }
            None if n == 0 => return None,
            None => text.extend_from_slice(&buffer[..n]),
        }
    }
    None
}

/// Where `environ` lies. A program that names it may have its own copy (R_X86_64_COPY), which the
/// library then uses, too: so the program is asked before the library.
fn environ(pid: i32, maps: &str) -> Option<u64> {
    let program = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    let library = |path: &&Mapping| {
        let name = path
            .path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("");
        name.starts_with("libc.so") || name.starts_with("libc-") || name.starts_with("ld-musl")
    };
    let mappings: Vec<Mapping> = maps
        .lines()
        .filter_map(Mapping::parse)
        .filter(|mapping| mapping.offset == 0)
        .collect();
    let programs = mappings.iter().find(|mapping| mapping.path == program);
    let libraries = mappings.iter().find(library);
    let mut candidates = [programs, libraries].into_iter().flatten();
    candidates.find_map(|mapping| {
        let bytes = image(pid, mapping, mapping.path == program)?;
        symbol(&bytes, &["environ", "__environ", "_environ"]).map(|(value, fixed)| {
            if fixed {
                value
            } else {
                mapping.start.wrapping_add(value)
            }
        })
    })
}

/// The beginning of a file in memory.
struct Mapping {
    range: String,
    start: u64,
    offset: u64,
    path: PathBuf,
}

impl Mapping {
    /// `55d0c0e00000-55d0c0e2c000 r--p 00000000 fd:01 1234  /usr/bin/uwsgi-core`.
    fn parse(line: &str) -> Option<Mapping> {
        let mut words = line.split_ascii_whitespace();
        let (range, _, offset) = (words.next()?, words.next()?, words.next()?);
        let path = line.find('/').map(|at| PathBuf::from(&line[at..]))?;
        let start = u64::from_str_radix(range.split('-').next()?, 16).ok()?;
        Some(Mapping {
            range: range.to_string(),
            start,
            offset: u64::from_str_radix(offset, 16).ok()?,
            path,
        })
    }
}

/// The file that is mapped: through the kernel's own links to it, since the path may by now lead to
/// something else. Without the right to those (a user's own process), by the path as the process
/// sees it.
fn image(pid: i32, mapping: &Mapping, program: bool) -> Option<Vec<u8>> {
    let link = match program {
        true => PathBuf::from(format!("/proc/{pid}/exe")),
        false => PathBuf::from(format!("/proc/{pid}/map_files/{}", mapping.range)),
    };
    let inside = Path::new(&format!("/proc/{pid}/root")).join(mapping.path.strip_prefix("/").ok()?);
    // Never waits for the other end of a FIFO.
    let open = |path: &Path| {
        OpenOptions::new()
            .read(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open(path)
            .ok()
    };
    let file = open(&link).or_else(|| open(&inside))?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(64 << 20).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let slice = bytes.get(at..at.checked_add(N)?)?;
    Some(
        slice
            .iter()
            .rev()
            .fold(0, |all, byte| all << 8 | u64::from(*byte)),
    )
}

fn place(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(number::<8>(bytes, at)?).ok()
}

/// The value of a symbol that is defined in a 64-bit little-endian ELF file, and whether it is an
/// address as it stands (ET_EXEC).
fn symbol(elf: &[u8], names: &[&str]) -> Option<(u64, bool)> {
    const SHT_DYNSYM: u64 = 11;
    if elf.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let fixed = number::<2>(elf, 16)? == 2;
    let (sections, size, count) = (
        place(elf, 0x28)?,
        number::<2>(elf, 0x3a)?,
        number::<2>(elf, 0x3c)?,
    );
    let header = |i: u64| Some(sections + usize::try_from(i.checked_mul(size)?).ok()?);
    for i in 0..count {
        let at = header(i)?;
        if number::<4>(elf, at + 4)? != SHT_DYNSYM {
            continue;
        }
        let (table, length) = (place(elf, at + 0x18)?, place(elf, at + 0x20)?);
        let strings = place(elf, header(number::<4>(elf, at + 0x28)?)? + 0x18)?;
        for entry in (0..length / 24).map(|n| table + n * 24) {
            let name = strings.checked_add(usize::try_from(number::<4>(elf, entry)?).ok()?)?;
            let defined = number::<2>(elf, entry + 6)? != 0;
            if defined && names.iter().any(|wanted| named(elf, name, wanted)) {
                return Some((number::<8>(elf, entry + 8)?, fixed));
            }
        }
    }
    None
}

fn named(elf: &[u8], at: usize, name: &str) -> bool {
    elf.get(at..at + name.len()) == Some(name.as_bytes()) && elf.get(at + name.len()) == Some(&0)
}

fn pointer(memory: &File, at: u64) -> Option<u64> {
    let mut bytes = [0; 8];
    memory.read_exact_at(&mut bytes, at).ok()?;
    Some(u64::from_le_bytes(bytes))
}

fn find(memory: &File, address: u64, name: &str) -> Option<Live> {
    let table = pointer(memory, address)?;
    if table == 0 {
        // clearenv(3) leaves a null pointer.
        return Some(Live::NotSet);
    }
    for i in 0..MOST as u64 {
        let entry = pointer(memory, table.checked_add(i * 8)?)?;
        if entry == 0 {
            return Some(Live::NotSet);
        }
        let mut head = vec![0; name.len() + 1];
        // The last string may end where the mapping does.
        let n = memory.read_at(&mut head, entry).ok()?;
        if n == head.len() && head.starts_with(name.as_bytes()) && head.last() == Some(&b'=') {
            return length(memory, entry.checked_add(n as u64)?).map(Live::Set);
        }
    }
    None
}

/// How long the text at an address is.
fn length(memory: &File, at: u64) -> Option<usize> {
    let mut total = 0;
    let mut buffer = [0; 4096];
    while total < LONGEST {
        let n = memory
            .read_at(&mut buffer, at.checked_add(total as u64)?)
            .ok()?;
        match buffer.get(..n)?.iter().position(|byte| *byte == 0) {
            Some(end) => return Some(total + end),
            None if n == 0 => return None,
            None => total += n,
        }
    }
    Some(total)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn broken_files_are_no_symbols() {
        for bytes in [
            &b""[..],
            b"\x7fELF\x02\x01",
            &[0x7f, b'E', b'L', b'F', 2, 1, 0xff, 0xff],
        ] {
            assert_eq!(symbol(bytes, &["environ"]), None);
        }
        let mut real = fs::read("/proc/self/exe").unwrap();
        // Every header field wrong in turn: nothing is read that is not there.
        for at in (16..64).chain(0x28..0x40) {
            let kept = real[at];
            real[at] = 0xff;
            let _ = symbol(&real, &["environ"]);
            real[at] = kept;
        }
    }

    #[test]
    fn the_environment_is_the_one_of_now() {
        let mut child = std::process::Command::new("/bin/sleep")
            .arg("60")
            .env_clear()
            .env("A", "1=2")
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        while crate::arguments(pid).unwrap() != ["/bin/sleep", "60"] {
            std::thread::yield_now();
        }
        let mut found = environment(pid);
        for _ in 0..200 {
            if found.is_some() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
            found = environment(pid);
        }
        assert_eq!(found, Some(vec![("A".into(), "1=2".into())]));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn maps_name_their_files() {
        let mapping =
            Mapping::parse("7f00-7f10 r--p 00000000 fd:01 77   /usr/lib/my libc.so.6").unwrap();
        assert_eq!(
            (mapping.start, mapping.path),
            (0x7f00, PathBuf::from("/usr/lib/my libc.so.6"))
        );
        assert!(Mapping::parse("7f00-7f10 rw-p 00000000 00:00 0 [heap]").is_none());
    }
}
