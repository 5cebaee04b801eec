//! Who asks: a bearer token, or the password of HTTP Basic. Without a token in the settings nobody gets in.

use crate::platform::Request;
use crate::problem::Problem;
use crate::request::header;
use crate::secret::Secrets;
use base64ct::{Base64UrlUnpadded, Encoding};

/// Longest header that is looked at.
const MAX_HEADER: usize = 1024;

/// Somebody with a valid token.
pub struct Login<'s> {
    /// Key id of the token.
    pub kid: &'s str,
}

/// The login of a request, if it has a valid one.
pub fn login<'s>(request: &Request, secrets: &'s Secrets) -> Option<Login<'s>> {
    let value = header(request, "authorization").filter(|value| value.len() <= MAX_HEADER)?;
    let token = presented(&value)?;
    secrets.holder(&token).map(|kid| Login { kid })
}

/// What was presented: the bearer token, or the password.
fn presented(value: &str) -> Option<String> {
    let (scheme, rest) = value.trim().split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_string());
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let pair = String::from_utf8(Base64UrlUnpadded::decode_vec(&url_alphabet(rest.trim())).ok()?).ok()?;
        return pair.split_once(':').map(|(_, password)| password.to_string());
    }
    None
}

/// Base64 in the alphabet that everything else here is in, so that there is one decoder.
fn url_alphabet(base64: &str) -> String {
    base64.trim_end_matches('=').replace('+', "-").replace('/', "_")
}

/// The answer to everybody else; `secrets` names the setting whose values are asked for.
pub fn unknown(secrets: &str, challenge: &str) -> Problem {
    let detail = format!("Send one of {secrets} as bearer token, or as password of HTTP Basic.");
    Problem::new(401, "Not authorised", detail).header("www-authenticate", challenge)
}

#[cfg(test)]
mod tests {
    use super::presented;

    #[test]
    fn both_schemes_hand_over_the_token() {
        assert_eq!(presented("Bearer a:b").as_deref(), Some("a:b"));
        assert_eq!(presented("bearer  x ").as_deref(), Some("x"));
        assert_eq!(presented("Basic dTpwOnc=").as_deref(), Some("p:w"));
        assert_eq!(presented("Basic dTrDv8O+w74/Pg==").as_deref(), Some("\u{ff}\u{fe}\u{fe}?>"));
        for other in ["", "Bearer", "Digest x", "Basic !", "Basic dQ=="] {
            assert_eq!(presented(other), None, "{other}");
        }
    }
}
