//! What readers of TOML and JSON say of a value of a wrong type, in words of the product: they name types as Rust does.

/// What is expected, as a reader names it and as people do.
const KINDS: [(&str, &str); 15] = [
    ("u8", "a whole number from 0 to 255"),
    ("u16", "a whole number from 0 to 65,535"),
    ("a nonzero u16", "a whole number from 1 to 65,535"),
    ("u32", "a whole number from 0 to 4,294,967,295"),
    ("u64", "a whole number from 0 on"),
    ("usize", "a whole number from 0 on"),
    ("i64", "a whole number"),
    ("f64", "a number"),
    ("f32", "a number"),
    ("a string", "a text"),
    ("a borrowed string", "a text"),
    ("a boolean", "true or false"),
    ("a sequence", "a list"),
    ("a map", "a table"),
    ("map", "a table"),
];

/// What was found, by the first word that a reader says of it. A number or a truth value speaks for itself.
const FOUND: [(&str, &str); 7] = [
    ("string ", "the text "),
    ("integer ", ""),
    ("floating point ", ""),
    ("boolean ", ""),
    ("sequence", "a list"),
    ("map", "a table"),
    ("null", "nothing"),
];

/// The message in plain words; one that is of something else stays as it is.
pub fn plain(message: &str) -> String {
    let told = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
    let Some((found, expected)) = told.and_then(|told| told.rsplit_once(", expected ")) else {
        return message.replacen("unknown variant", "unknown word", 1);
    };
    // Of a line of JSON readers tell the column.
    let (expected, place) = expected.find(" at line ").map_or((expected, ""), |at| expected.split_at(at));
    let is_table = expected.starts_with("struct ") || expected.starts_with("internally tagged");
    let kind = KINDS.iter().find(|(name, _)| *name == expected).map(|(_, kind)| *kind);
    let kind = kind.unwrap_or(if is_table { "a table" } else { expected });
    let named = FOUND.iter().find_map(|(word, plain)| Some((plain, found.strip_prefix(word)?)));
    let found = named.map_or_else(|| found.into(), |(plain, rest)| format!("{plain}{rest}").replace('`', ""));
    format!("expected {kind}, found {found}{place}")
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn types_have_the_names_that_people_give_them() {
        let cases = [
            (
                r#"invalid type: string "four", expected u8"#,
                r#"expected a whole number from 0 to 255, found the text "four""#,
            ),
            ("invalid value: integer `-4`, expected u8", "expected a whole number from 0 to 255, found -4"),
            ("invalid type: integer `5`, expected a string", "expected a text, found 5"),
            ("invalid type: boolean `true`, expected struct Holdout", "expected a table, found true"),
            ("invalid type: map, expected a sequence", "expected a list, found a table"),
            (
                "invalid type: null, expected f64 at line 1 column 20",
                "expected a number, found nothing at line 1 column 20",
            ),
            (
                r#"invalid type: string "a, expected b", expected f64"#,
                r#"expected a number, found the text "a, expected b""#,
            ),
            ("unknown variant `wild`, expected `a` or `b`", "unknown word `wild`, expected `a` or `b`"),
            ("missing field `id`", "missing field `id`"),
        ];
        for (message, expected) in cases {
            assert_eq!(plain(message), expected);
        }
    }
}
