//! Where the words of a text begin and end: runs of letters and digits, in lower case. Scripts that are written without spaces
//! count each character as a word; their pairs then are what words are elsewhere.

/// The words of a text, in their order.
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        let stands_alone = is_ideograph(c);
        if stands_alone || !is_part(c) {
            words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
        }
        if stands_alone {
            words.push(c.to_string());
        } else if is_part(c) {
            word.extend(c.to_lowercase());
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// Letters, digits, and the accents that may follow a letter on their own.
fn is_part(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '\u{300}'..='\u{36f}')
}

/// Han, Hiragana, Katakana, and the South-East Asian scripts without spaces.
const fn is_ideograph(c: char) -> bool {
    matches!(c,
        '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}' | '\u{e01}'..='\u{e2e}' | '\u{e81}'..='\u{eae}' | '\u{1000}'..='\u{102a}'
        | '\u{1780}'..='\u{17b3}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_of_letters_and_digits_in_lower_case() {
        assert_eq!(
            words("The Shoe's size: 42,5 — GRÜSSE"),
            ["the", "shoe", "s", "size", "42", "5", "grüsse"]
        );
        assert_eq!(words(" \n…"), [""; 0]);
        assert_eq!(words("東京のshop"), ["東", "京", "の", "shop"]);
        assert_eq!(words("cafe\u{301} au lait"), ["cafe\u{301}", "au", "lait"]);
    }
}
