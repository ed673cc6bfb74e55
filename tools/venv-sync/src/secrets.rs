//! What must not be shown: the credentials of indexes, wherever they come from.
//!
//! `base::mask` knows what a password in a URL looks like. An installer may print one in a form of
//! its own (percent-decoded, without its URL), so those that are known are also masked by their
//! very text.

/// The credentials that are known.
#[derive(Clone, Debug, Default)]
pub struct Secrets(Vec<String>);

/// The variables that hold an index's address or its credentials.
fn may_hold(name: &str) -> bool {
    let installer = name.starts_with("PIP_")
        || name.starts_with("UV_")
        || name.to_ascii_lowercase().ends_with("_proxy");
    installer
        && ["INDEX", "URL", "PROXY", "LINKS"]
            .iter()
            .any(|part| name.to_ascii_uppercase().contains(part))
        || base::mask::is_secret(name)
}

impl Secrets {
    /// Those in these addresses and in this process's environment.
    pub fn known(addresses: &[String]) -> Secrets {
        let mut secrets = Secrets::default();
        addresses
            .iter()
            .for_each(|address| secrets.of_text(address));
        for (name, value) in std::env::vars_os() {
            let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else {
                continue;
            };
            // The working directory, though it looks like the short form of a password.
            if matches!(name, "PWD" | "OLDPWD") {
                continue;
            }
            if base::mask::is_secret(name) {
                secrets.add(value);
            } else if may_hold(name) {
                secrets.of_text(value);
            }
        }
        secrets
    }

    /// Every password in the URLs of a text.
    fn of_text(&mut self, text: &str) {
        for word in text.split_whitespace() {
            let Some((_, rest)) = word.split_once("://") else {
                continue;
            };
            let Some((user, _)) = rest
                .split(['/', '?', '#'])
                .next()
                .and_then(|authority| authority.rsplit_once('@'))
            else {
                continue;
            };
            match user.split_once(':') {
                Some((_, password)) => self.add(password),
                None => self.add(user),
            }
        }
    }

    /// Too short a text would mask half of every message.
    fn add(&mut self, secret: &str) {
        let decoded = crate::requirements::link::decode_percent(secret);
        for secret in [secret.to_owned(), decoded] {
            if secret.len() >= 4 && !self.0.contains(&secret) {
                self.0.push(secret);
            }
        }
    }

    /// The text without them.
    pub fn mask(&self, text: &str) -> String {
        let mut out = base::mask::text(text);
        for secret in &self.0 {
            out = out.replace(secret.as_str(), base::mask::MASK);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::Secrets;

    #[test]
    fn a_password_is_masked_in_any_form() {
        let secrets = Secrets::known(&[
            "https://joe:p%40ssword@host/simple".to_owned(),
            "https://ghp_token@host/".to_owned(),
        ]);
        assert_eq!(
            secrets.mask("tried p@ssword and p%40ssword"),
            "tried *** and ***"
        );
        assert_eq!(
            secrets.mask("https://joe:other@host ghp_token"),
            "https://joe:***@host ***"
        );
    }
}
