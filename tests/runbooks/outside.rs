//! What lies beyond the host, at 192.0.2.10: the site's repositories (git's own daemon) and a
//! package index made of the wheels. Taking the address away is how the network goes: every
//! connection then fails as on a host whose uplink is cut. The machine's end ends both.

use crate::stage::Stage;

/// The two servers.
pub struct Outside<'a> {
    stage: &'a Stage,
}

/// `server NAME PORT COMMAND…`: starts it and waits until it listens.
const SERVER: &str = r#"
server() {
    pid=/run/outside-$1.pid port=$2
    shift 2
    setsid sh -c 'echo $$ >"$0"; exec "$@"' "$pid" "$@" </dev/null >/dev/null 2>&1 &
    n=0
    until bash -c ": <>/dev/tcp/192.0.2.10/$port" 2>/dev/null; do
        n=$((n + 1))
        [ "$n" -lt 400 ]
        sleep 0.05
    done
}
"#;

const INDEX: &str =
    "server index 8400 python3 -m http.server --directory /srv/index --bind 192.0.2.10 8400\n";
const GIT: &str = "server git 9418 git daemon --reuseaddr --base-path=/srv/upstream --export-all --listen=192.0.2.10\n";

/// A directory for each project, as the index of PyPI has it; the server lists its wheels.
const PROJECTS: &str = r#"
mkdir -p /srv/upstream
for wheel in /srv/wheels/*.whl; do
    name=$(basename "$wheel" | sed 's/-[0-9].*//' | tr 'A-Z_.' 'a-z--')
    mkdir -p "/srv/index/$name"
    ln -s "$wheel" "/srv/index/$name/"
done
"#;

impl Stage {
    /// Serves the repositories of /srv/upstream as git://192.0.2.10/NAME and the wheels as
    /// http://192.0.2.10:8400/.
    pub fn outside(&self) -> Outside<'_> {
        let outside = Outside { stage: self };
        outside.reconnect();
        self.sh(&[PROJECTS, SERVER, GIT, INDEX].concat());
        outside
    }
}

impl Outside<'_> {
    /// The network goes.
    pub fn cut_off(&self) {
        self.stage
            .must(&["ip", "address", "del", "192.0.2.10/32", "dev", "lo"]);
    }

    /// And is back.
    pub fn reconnect(&self) {
        self.stage
            .must(&["ip", "address", "add", "192.0.2.10/32", "dev", "lo"]);
    }

    /// Only the package index goes.
    pub fn index_goes(&self) {
        self.stage.sh("kill $(cat /run/outside-index.pid)");
    }

    /// And is back.
    pub fn index_returns(&self) {
        self.stage.sh(&[SERVER, INDEX].concat());
    }
}
