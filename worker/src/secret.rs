//! Named secrets and who presents one; compared in constant time, kept as digests only.

use crate::platform::console_error;
use sha2::{Digest, Sha256};

/// Shorter ones can be guessed; they are not accepted at all.
const LEAST_CHARS: usize = 24;

/// Secrets by key id, as `kid:secret[,kid:secret]` gives them.
pub struct Secrets(Vec<(String, [u8; 32])>);

impl Secrets {
    /// Reads the list; an entry that can't be used is left out with a word in the log (never its value).
    pub fn read(name: &str, text: &str) -> Self {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let secrets = entries.filter_map(|entry| match entry.split_once(':') {
            Some((kid, secret)) if !kid.is_empty() && secret.len() >= LEAST_CHARS => {
                Some((kid.to_string(), digest(secret)))
            }
            _ => {
                console_error!(
                    "{name}: an entry is left out; hint: kid:value, at least {LEAST_CHARS} characters"
                );
                None
            }
        });
        Self(secrets.collect())
    }

    /// The key id of what was presented: `secret` or `kid:secret`.
    pub fn holder(&self, presented: &str) -> Option<&str> {
        let whole = digest(presented);
        let (kid, rest) = presented.split_once(':').unwrap_or(("", ""));
        let rest = digest(rest);
        let mut holder = None;
        // Every entry is compared, whatever matched before: the time tells nothing.
        for (own_kid, own) in &self.0 {
            let plain = equal(own, &whole);
            let named = equal(own, &rest) & (kid == own_kid);
            if plain | named {
                holder = Some(own_kid.as_str());
            }
        }
        holder
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn equal(a: &[u8; 32], b: &[u8; 32]) -> bool {
    let difference = a.iter().zip(b).fold(0, |all, (x, y)| all | (x ^ y));
    std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_with_and_without_its_key_id() {
        let secrets =
            Secrets::read("TEST", "new:not-a-secret-but-long-enough-1, old:not-a-secret-but-long-enough-2");
        assert_eq!(secrets.holder("not-a-secret-but-long-enough-2"), Some("old"));
        assert_eq!(secrets.holder("new:not-a-secret-but-long-enough-1"), Some("new"));
        for wrong in
            ["", ":", "new", "new:", "old:not-a-secret-but-long-enough-1", "not-a-secret-but-long-enough-"]
        {
            assert_eq!(secrets.holder(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn without_secrets_nobody_gets_in() {
        assert_eq!(Secrets::read("TEST", "").holder(""), None);
    }
}
