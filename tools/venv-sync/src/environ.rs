//! The variables that reach the installer, the builds that it starts, and post-checks: an
//! allow-list, since root's own variables are nobody else's, and a stray PYTHONPATH or PIP_TARGET
//! would send the installation elsewhere.

use std::collections::BTreeSet;
use std::ffi::OsString;

use base::error::Result;
use base::site::Environment;

/// Variables that are passed on by name.
const PASSED: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LANGUAGE",
    "TMPDIR",
    "TZ",
    "TERM",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SSL_CLIENT_CERT",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NETRC",
    "SSH_AUTH_SOCK",
    "CC",
    "CXX",
    "CPP",
    "LD",
    "AR",
    "AS",
    "FC",
    "NM",
    "RANLIB",
    "STRIP",
    "LIBS",
    "MAKE",
    "CPATH",
    "MAX_JOBS",
    "NPY_NUM_BUILD_JOBS",
    "SOURCE_DATE_EPOCH",
    "STATIC_DEPS",
    "BLAS",
    "LAPACK",
    "SWIG",
    "NINJA",
];
/// By what they begin with.
const PASSED_PREFIXES: &[&str] = &[
    "LC_",
    "XDG_",
    "PIP_",
    "UV_",
    "GIT_",
    "CARGO_",
    "RUSTUP_",
    "RUSTC",
    "RUSTFLAGS",
    "CMAKE",
    "PKG_CONFIG",
    "MYSQLCLIENT_",
    "SETUPTOOLS_",
    "PBR_",
    "HATCH_",
    "MATURIN_",
    "MESON",
    "CYTHON",
];
/// By what they end with: what the builds of common distributions read.
const PASSED_SUFFIXES: &[&str] = &[
    "FLAGS",
    "_CONFIG",
    "_LIBS",
    "_DIR",
    "_DIRS",
    "_HOME",
    "_ROOT",
    "_INCLUDE",
    "_INCLUDE_PATH",
    "_LIBRARY",
    "_LIBRARIES",
    "_LIBRARY_PATH",
    "LIBRARY_PATH",
    "_PATH",
];
/// But these would send the installation or Python elsewhere.
const WITHHELD: &[&str] = &[
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_USER",
    "PIP_PYTHON",
    "PIP_REQUIRE_VIRTUALENV",
    "PIP_DRY_RUN",
    "UV_PYTHON",
    "UV_TARGET",
    "UV_PREFIX",
    "UV_PROJECT_ENVIRONMENT",
    "UV_LINK_MODE",
    "UV_COMPILE_BYTECODE",
    "PIP_LOG",
    "PIP_SRC",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "OLDPWD",
];

/// Whether a variable of the caller reaches the installer. `named` are those that the files name.
pub fn is_passed(name: &str, named: &BTreeSet<String>) -> bool {
    if WITHHELD.contains(&name) || name.starts_with("PYTHON") || name.starts_with("VIRTUAL_ENV") {
        return false;
    }
    named.contains(name)
        || PASSED.contains(&name)
        || name.to_ascii_lowercase().ends_with("_proxy")
        || PASSED_PREFIXES.iter().any(|start| name.starts_with(start))
        || PASSED_SUFFIXES.iter().any(|end| name.ends_with(end))
}

/// The variables of this process that are passed on.
pub fn passed(named: &BTreeSet<String>) -> Vec<(OsString, OsString)> {
    let all = std::env::vars_os();
    all.filter(|(name, _)| name.to_str().is_some_and(|name| is_passed(name, named)))
        .collect()
}

/// The variables that a post-check sees: everything of the caller's but what bends Python.
pub fn of_caller() -> Vec<(OsString, OsString)> {
    let bends = |name: &str| {
        [
            "PYTHONHOME",
            "PYTHONPATH",
            "PYTHONSTARTUP",
            "VIRTUAL_ENV",
            "OLDPWD",
        ]
        .contains(&name)
    };
    let all = std::env::vars_os();
    all.filter(|(name, _)| !name.to_str().is_some_and(bends))
        .collect()
}

/// What `--env-file` gives to builds and post-checks.
#[derive(Clone, Debug, Default)]
pub enum Given {
    /// No option adds variables.
    #[default]
    Nothing,
    /// What stands in a file.
    File(Environment),
    /// What root read in a file for this process, which works as another user.
    ByRoot(Vec<(OsString, OsString)>),
}

impl Given {
    /// The variables, for programs of this user.
    ///
    /// # Errors
    /// `Kind::Input` where somebody can change the file who is trusted less than the user.
    pub fn variables(&self, uid: u32) -> Result<Vec<(OsString, OsString)>> {
        match self {
            Given::Nothing => Ok(Vec::new()),
            Given::ByRoot(variables) => Ok(variables.clone()),
            Given::File(environment) => {
                environment.require_user(uid)?;
                let all = environment.variables.iter();
                Ok(all
                    .map(|(name, value)| (name.into(), value.into()))
                    .collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_passed;

    #[test]
    fn build_variables_pass_and_what_bends_an_installation_does_not() {
        let named = ["TOKEN".to_owned()].into();
        for name in [
            "PATH",
            "PIP_INDEX_URL",
            "https_proxy",
            "TOKEN",
            "MYSQLCLIENT_CFLAGS",
            "PKG_CONFIG_PATH",
            "CPPFLAGS",
            "CXX",
            "LD_LIBRARY_PATH",
            "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_SITE",
            "GDAL_CONFIG",
            "PG_CONFIG",
            "LC_ALL",
        ] {
            assert!(is_passed(name, &named), "{name}");
        }
        for name in [
            "PYTHONPATH",
            "PYTHONHOME",
            "VIRTUAL_ENV",
            "PIP_TARGET",
            "UV_LINK_MODE",
            "SECRET_KEY",
            "DATABASE_URL",
            "OTHER",
        ] {
            assert!(!is_passed(name, &named), "{name}");
        }
    }
}
