//! Vectors of texts by hashing (Weinberger et al. 2009, doi:10.1145/1553374.1553516): no model, no network, the same on every
//! machine. It knows which words are in a text and nothing of what they mean.
//!
//! Each word, and each pair of neighbouring words, has a place and a sign by the core's stable hash of its lower-cased letters. It adds
//!
//! ```text
//! sign · (1 + ln tf) · min(letters, 8)/8 · (1 for a word, 1/2 for a pair)
//! ```
//!
//! there; the sum is brought to unit length. There is no inverse document frequency: it would belong to one corpus, so that a piece
//! with newer items, or a query, could not be embedded later without that corpus at hand. Common words are short in every language
//! (Zipf 1935; Piantadosi et al. 2011, doi:10.1073/pnas.1012551108), so their length takes its part.

use super::words::words;
use edgeloom::seed::{Purpose, hash};
use std::collections::BTreeMap;

/// Dimension unless another one is asked for.
pub const DIMENSION: usize = 384;
/// From so many letters on a word counts in full.
const WHOLE_LETTERS: usize = 8;
/// What a pair counts beside a word: whoever shares a pair shares both words already.
const PAIR: f64 = 0.5;

/// The name of the model; another formula has to have another name.
pub fn model(dimension: usize) -> String {
    format!("hashing-{dimension}")
}

/// The vector of a text; all zeros where there is no word in it.
pub fn embed(text: &str, dimension: usize) -> Vec<f32> {
    let words = words(text);
    let mut counts: BTreeMap<[&str; 2], u32> = BTreeMap::new();
    for (word, next) in words.iter().zip(words.iter().skip(1).map(Some).chain([None])) {
        *counts.entry([word, ""]).or_default() += 1;
        if let Some(next) = next {
            *counts.entry([word, next]).or_default() += 1;
        }
    }
    let mut vector = vec![0.0_f64; dimension];
    // In the order of the words: a sum of floats depends on it.
    for ([first, second], tf) in counts {
        let bits = hash(Purpose::Feature, &[first.as_bytes(), second.as_bytes()]);
        let letters = first.chars().chain(second.chars()).take(WHOLE_LETTERS).count();
        let part = if second.is_empty() { 1.0 } else { PAIR };
        let weight = part * (1.0 + libm::log(f64::from(tf))) * letters as f64 / WHOLE_LETTERS as f64;
        // The upper half of a product of 128 bits is uniform on 0..dimension; the lowest bit has no part in the place.
        let place = usize::try_from((u128::from(bits) * dimension as u128) >> 64).unwrap_or(0);
        if let Some(sum) = vector.get_mut(place) {
            *sum += if bits & 1 == 0 { weight } else { -weight };
        }
    }
    let length = libm::sqrt(vector.iter().map(|number| number * number).sum());
    let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
    vector.iter().map(|number| (number * scale) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn likeness(a: &str, b: &str) -> f32 {
        embed(a, DIMENSION).iter().zip(embed(b, DIMENSION)).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn the_vector_of_a_text_never_changes() {
        // What an index was built with has to fit what is embedded later: these numbers may not be edited.
        let shown: Vec<String> = embed("Red shoes, red laces", 8).iter().map(|n| format!("{n:.6}")).collect();
        assert_eq!(
            shown.join(" "),
            "0.459434 0.583417 0.344576 0.000000 0.000000 0.000000 0.574293 0.000000"
        );
        let places: Vec<_> = embed("Wool", DIMENSION)
            .iter()
            .enumerate()
            .filter(|(_, n)| **n != 0.0)
            .map(|(at, n)| (at, *n))
            .collect();
        assert_eq!(places, [(159, -1.0)]);
    }

    #[test]
    fn half_of_the_words_take_away() {
        // 1,000 words: 500 with a standard deviation of 16; five of them are a false alarm with 6e-7 (fixed words).
        let takes_away = |n: &u32| embed(&format!("word{n}"), 64).iter().any(|number| *number < 0.0);
        let n = (0..1_000).filter(takes_away).count();
        assert!((420..=580).contains(&n), "{n}");
    }

    #[test]
    fn texts_that_share_words_are_alike_and_case_and_marks_do_not_matter() {
        let (a, b) = ("Waterproof hiking boots for winter", "Winter boots, waterproof");
        assert!(likeness(a, b) > 0.5, "{}", likeness(a, b));
        assert!(likeness(a, "A recipe of lentil soup for the evening").abs() < 0.2);
        assert!((likeness("Hiking BOOTS", "hiking — boots!") - 1.0).abs() < 1e-6);
        assert_eq!(embed("… ?", 16), [0.0; 16]);
    }

    #[test]
    fn common_words_count_less_than_rare_ones() {
        let of_rare = likeness("the waterproof of it", "waterproof");
        let of_common = likeness("the waterproof of it", "the of it");
        assert!(of_rare > of_common, "{of_rare} {of_common}");
    }
}
