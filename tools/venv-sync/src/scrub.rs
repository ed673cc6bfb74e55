//! An installer may write an index's or a repository's credentials into `direct_url.json`, where
//! every reader of the environment finds them. This module removes the credentials, and updates
//! RECORD.

use std::path::Path;

use base::atomic::{Access, Dir};
use base::error::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::requirements::link::without_password;

/// Takes the credentials out of every `direct_url.json` of a release.
pub fn direct_urls(release: &Path) -> Result<()> {
    let cannot =
        |error: pydist::Error| Error::failed(format!("cannot look into the new release: {error}"));
    let environment = pydist::Environment::open(release).map_err(cannot)?;
    for dist in environment.distributions().map_err(cannot)? {
        if dist.form == pydist::Form::DistInfo && dist.path.join("direct_url.json").exists() {
            distribution(&Dir::open(&dist.path)?)?;
        }
    }
    Ok(())
}

fn distribution(dir: &Dir) -> Result<()> {
    let Some(bytes) = dir.read("direct_url.json", 1 << 20)? else {
        return Ok(());
    };
    let Ok(mut json) = serde_json::from_slice::<serde_json::Value>(&bytes) else {
        return Ok(());
    };
    let Some(url) = json.get("url").and_then(|url| url.as_str()) else {
        return Ok(());
    };
    let plain = without_password(url);
    if plain == url {
        return Ok(());
    }
    json["url"] = plain.into();
    let new = json.to_string().into_bytes();
    dir.write("direct_url.json", &new, Access::mode(0o644))?;
    let Some(record) = dir.read("RECORD", pydist::files::RECORD_LIMIT as u64)? else {
        return Ok(());
    };
    let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(&new));
    let info = dir
        .path()
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let name = format!("{info}/direct_url.json");
    let lines = String::from_utf8_lossy(&record).into_owned();
    let lines = lines.lines().map(|line| match line.strip_prefix(&name) {
        Some(rest) if rest.starts_with(',') => format!("{name},sha256={digest},{}", new.len()),
        _ => line.to_owned(),
    });
    let lines: Vec<String> = lines.collect();
    dir.write(
        "RECORD",
        (lines.join("\n") + "\n").as_bytes(),
        Access::mode(0o644),
    )
}
