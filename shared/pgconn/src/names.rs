//! Whether a certificate is for a host, by libpq's rules, which are not OpenSSL's: the common name
//! counts only where no alternative name has the host's type, and `*.` stands for one label.

use std::net::IpAddr;

use openssl::nid::Nid;
use openssl::x509::X509Ref;

/// `Ok` if the certificate names the host, else the name that was found instead.
pub fn certificate_is_for(certificate: &X509Ref, host: &str) -> Result<(), Option<String>> {
    let address: Option<IpAddr> = host.parse().ok();
    let mut common_name_counts = true;
    let mut first = None;
    for name in certificate.subject_alt_names().into_iter().flatten() {
        if let Some(name) = name.dnsname() {
            common_name_counts &= address.is_some();
            if name_matches(name, host) {
                return Ok(());
            }
            first.get_or_insert_with(|| name.to_owned());
        } else if let Some(bytes) = name.ipaddress() {
            common_name_counts &= address.is_none();
            let found = address_of(bytes);
            if address.is_some() && found == address {
                return Ok(());
            }
            if let Some(found) = found {
                first.get_or_insert_with(|| found.to_string());
            }
        }
    }
    if common_name_counts {
        let entry = certificate
            .subject_name()
            .entries_by_nid(Nid::COMMONNAME)
            .next();
        if let Some(name) = entry.and_then(|entry| entry.data().to_string().ok()) {
            if name_matches(&name, host) {
                return Ok(());
            }
            first.get_or_insert(name);
        }
    }
    Err(first)
}

fn address_of(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(IpAddr::from(v4));
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}

fn name_matches(pattern: &str, host: &str) -> bool {
    if pattern.contains('\0') {
        return false;
    }
    if pattern.eq_ignore_ascii_case(host) {
        return true;
    }
    let Some(parent) = pattern
        .strip_prefix('*')
        .filter(|parent| parent.starts_with('.'))
    else {
        return false;
    };
    let label = host.len().checked_sub(parent.len()).and_then(|end| {
        let tail = host.get(end..)?;
        tail.eq_ignore_ascii_case(parent).then(|| &host[..end])
    });
    parent.len() > 1 && label.is_some_and(|label| !label.is_empty() && !label.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_one_label_on_the_left() {
        assert!(name_matches("*.example.org", "db.Example.org"));
        assert!(name_matches("DB.example.org", "db.example.org"));
        for (pattern, host) in [
            ("*.example.org", "a.b.example.org"),
            ("*.example.org", ".example.org"),
            ("*.example.org", "example.org"),
            ("d*.example.org", "db.example.org"),
            ("*", "db"),
            ("*.", "db."),
        ] {
            assert!(!name_matches(pattern, host), "{pattern} {host}");
        }
    }
}
