//! Whether the indexes of a site fit into an isolate together; what an isolate can hold is the core's arithmetic.

use crate::problem::Problem;
use edgeloom::index::budget::MAX_ISOLATE_BYTES;

/// Whether an index fits in beside the others.
///
/// # Errors
/// It does not; says by how much.
pub fn check(name: &str, bytes: usize, others: usize) -> Result<(), Problem> {
    let all = bytes.saturating_add(others);
    if all <= MAX_ISOLATE_BYTES {
        return Ok(());
    }
    let detail = format!(
        "'{name}' takes {bytes} bytes and all other indexes of the site {others}, together {all}; an isolate has room for {MAX_ISOLATE_BYTES}. hint: fewer items or dimensions, or no floats beside the bytes"
    );
    Err(Problem::new(422, "Too large for an isolate", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_the_arithmetic() {
        assert!(check("a", MAX_ISOLATE_BYTES, 0).is_ok());
        let problem = check("a", MAX_ISOLATE_BYTES, 3).unwrap_err();
        let detail = edgeloom::json::value(&problem)["detail"].to_string();
        assert!(detail.contains(&format!("of the site 3, together {};", MAX_ISOLATE_BYTES + 3)), "{detail}");
    }
}
