//! Virtual environments and wheels of a test's own: everything comes out of a wheelhouse that the
//! test fills, so nothing is fetched.

use crate::{Tool, scratch, test_venv, tool};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Makes a wheel by the rules, RECORD and all: NAME VERSION DIRECTORY METADATA-LINES, then
/// FILE=CONTENT for each file, or FILE=@PATH for a content that is too long for an argument.
const MAKE_WHEEL: &str = r"
import base64, hashlib, sys, zipfile
name, version, directory, metadata = sys.argv[1:5]
info = f'{name}-{version}.dist-info'
files = dict(pair.split('=', 1) for pair in sys.argv[5:])
files[f'{info}/METADATA'] = f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}\n'
files[f'{info}/WHEEL'] = 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n'
record = []
with zipfile.ZipFile(f'{directory}/{name}-{version}-py3-none-any.whl', 'w') as wheel:
    for path, text in files.items():
        data = open(text[1:], 'rb').read() if text.startswith('@') else text.encode()
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()
        record.append(f'{path},sha256={digest},{len(data)}')
        wheel.writestr(path, data)
    wheel.writestr(f'{info}/RECORD', '\n'.join(record + [f'{info}/RECORD,,']) + '\n')
";

/// Makes a wheel again of what is installed: NAME DIRECTORY, run by the Python that has it.
const PACK_WHEEL: &str = r"
import importlib.metadata, sys, zipfile
dist = importlib.metadata.distribution(sys.argv[1])
info = dist._path.name
stem = info.removesuffix('.dist-info')
tag = [line.split(': ')[1] for line in dist.read_text('WHEEL').splitlines() if line.startswith('Tag: ')][0]
left_out = {f'{info}/{name}' for name in ('RECORD', 'INSTALLER', 'REQUESTED', 'direct_url.json')}
record = []
with zipfile.ZipFile(f'{sys.argv[2]}/{stem}-{tag}.whl', 'w') as wheel:
    for file in dist.files:
        if not str(file).startswith('..') and not str(file).endswith('.pyc') and str(file) not in left_out:
            wheel.write(file.locate(), str(file))
            record.append(f'{file},sha256={file.hash.value},{file.size}')
    wheel.writestr(f'{info}/RECORD', '\n'.join(record + [f'{info}/RECORD,,']) + '\n')
";

/// A directory with a wheelhouse, a requirements file and an environment named `venv`.
#[derive(Debug)]
pub struct Venvs {
    dir: TempDir,
}

impl Default for Venvs {
    fn default() -> Self {
        Venvs::new()
    }
}

impl Venvs {
    /// An empty one; `uv` is on the PATH of whatever it runs.
    pub fn new() -> Venvs {
        let dir = scratch();
        for name in ["wheels", "bin", "home"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        std::os::unix::fs::symlink(test_venv().join("bin/uv"), dir.path().join("bin/uv")).unwrap();
        Venvs { dir }
    }

    /// With `alpha` 1.0 and 2.0, which need `beta`, and `beta` 1.0: enough for most tests.
    pub fn with_alpha() -> Venvs {
        let venvs = Venvs::new();
        for version in ["1.0", "2.0"] {
            let entry = format!(
                "alpha-{version}.dist-info/entry_points.txt=[console_scripts]\nalpha = alpha:main\n"
            );
            let module = format!(
                "alpha/__init__.py=import beta\nversion = '{version}'\ndef main():\n    print(version)\n"
            );
            venvs.wheel(
                "alpha",
                version,
                "Requires-Dist: beta>=1",
                &[&module, &entry],
            );
        }
        venvs.wheel("beta", "1.0", "", &["beta.py=value = 1\n"]);
        venvs
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The environment.
    pub fn venv(&self) -> PathBuf {
        self.path().join("venv")
    }

    /// The environment's site directory.
    pub fn site(&self) -> PathBuf {
        let lib = std::fs::read_dir(self.venv().join("lib"))
            .unwrap()
            .flatten();
        let python = lib
            .map(|entry| entry.path())
            .find(|path| path.to_string_lossy().contains("/python3"))
            .unwrap();
        python.join("site-packages")
    }

    /// Where the wheels are.
    pub fn wheelhouse(&self) -> PathBuf {
        self.path().join("wheels")
    }

    /// Makes a wheel: further METADATA lines, and `path=content` for each file.
    pub fn wheel(&self, name: &str, version: &str, metadata: &str, files: &[&str]) {
        let made = Command::new("/usr/bin/python3")
            .args(["-c", MAKE_WHEEL, name, version])
            .arg(self.wheelhouse())
            .arg(metadata)
            .args(files)
            .status()
            .unwrap();
        assert!(made.success(), "the wheel of {name} {version}");
    }

    /// Makes wheels of what the test environment has, with everything that they need named.
    pub fn repack(&self, names: &[&str]) {
        for name in names {
            let made = Command::new(test_venv().join("bin/python"))
                .args(["-I", "-c", PACK_WHEEL, name])
                .arg(self.wheelhouse())
                .status();
            assert!(made.unwrap().success(), "the wheel of {name}");
        }
    }

    /// Writes a file here; its path comes back.
    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Writes `requirements.txt`.
    pub fn requirements(&self, content: &str) -> PathBuf {
        self.write("requirements.txt", content)
    }

    /// venv-sync here, with nothing of the caller's own environment that could matter.
    pub fn tool(&self, arguments: &[&str]) -> Tool {
        let mut tool = tool("venv-sync").args(arguments).dir(self.path());
        self.surround(tool.command());
        tool
    }

    /// `venv-sync COMMAND venv -r requirements.txt`, and more.
    pub fn sync(&self, command: &str, more: &[&str]) -> Tool {
        self.tool(&[command, "venv", "-r", "requirements.txt"])
            .args(more)
    }

    /// `apply` from the wheelhouse.
    pub fn apply(&self, more: &[&str]) -> Tool {
        self.sync(
            "apply",
            &["--wheelhouse", "wheels", "--python", "/usr/bin/python3"],
        )
        .args(more)
    }

    /// Another program here.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path());
        self.surround(&mut command);
        command
    }

    fn surround(&self, command: &mut Command) {
        let path = format!("{}:/usr/bin:/bin", self.path().join("bin").display());
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.path().join("home"))
            .env("LANG", "C.UTF-8")
            .env("UV_CACHE_DIR", self.path().join("home/uv-cache"))
            .env("UV_OFFLINE", "1")
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
    }

    /// A plain environment, made by uv, with these requirements out of the wheelhouse.
    pub fn make_plain(&self, requirements: &[&str]) {
        let run = |arguments: &[&str]| {
            let done = self.command("uv").args(arguments).output().unwrap();
            assert!(
                done.status.success(),
                "uv {arguments:?}: {}",
                String::from_utf8_lossy(&done.stderr)
            );
        };
        run(&["venv", "--python", "/usr/bin/python3", "venv"]);
        if !requirements.is_empty() {
            let install = [
                "pip",
                "install",
                "--python",
                "venv/bin/python",
                "--no-index",
                "--find-links",
                "wheels",
            ];
            run(&[&install[..], requirements].concat());
        }
    }

    /// What the environment's own Python prints.
    pub fn python(&self, code: &str) -> String {
        let done = self
            .command(self.venv().join("bin/python"))
            .args(["-c", code])
            .output()
            .unwrap();
        format!(
            "{}{}",
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr)
        )
        .trim()
        .to_owned()
    }
}
