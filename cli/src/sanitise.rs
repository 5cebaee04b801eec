//! Rich text made safe before it is published, and what that takes away. Which elements and attributes are
//! allowed is the core's decision: it verifies the same lists again when it compiles.

use crate::source::join;
use ammonia::{Builder, UrlRelative};
use edgeloom::block::LINK_SCHEMES;
use edgeloom::block::rich::{ATTRIBUTES, MAX_RICH_BYTES, RELS, TAGS, accepts_attribute};
use edgeloom::snapshot::wire::{Config, Field};
use similar::{ChangeTag, TextDiff};
use std::borrow::Cow;

/// Rounds of sanitising; two do nearly always. What still moves then is refused by the core.
const MAX_ROUNDS: usize = 8;

/// A rich text that is published otherwise than written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleaned {
    /// JSON pointer of the field.
    pub pointer: String,
    /// What goes (`- `) and what comes (`+ `), a line each.
    pub changes: Vec<String>,
}

/// Sanitises every rich text of a configuration in place; says which ones that changed.
pub fn sanitise(config: &mut Config) -> Vec<Cleaned> {
    let sanitiser = sanitiser();
    let mut cleaned = Vec::new();
    for (i, block) in config.blocks.iter_mut().enumerate() {
        for (name, field) in block.fields.iter_mut() {
            // The core refuses what is longer anyway.
            let Field::Rich(text) = field else { continue };
            if text.len() > MAX_RICH_BYTES {
                continue;
            }
            let safe = settled(&sanitiser, text);
            if safe != *text {
                let pointer = join(&format!("/blocks/{i}/fields"), name);
                cleaned.push(Cleaned { pointer, changes: changes(text, &safe) });
                *text = safe;
            }
        }
    }
    cleaned
}

/// Sanitises until nothing changes: without the table between them, two nested headings that were apart are
/// one inside the other, and the next parser would see a different tree.
fn settled(sanitiser: &Builder<'_>, text: &str) -> String {
    let mut safe = sanitiser.clean(text).to_string();
    for _ in 0..MAX_ROUNDS {
        let again = sanitiser.clean(&safe).to_string();
        if again == safe {
            break;
        }
        safe = again;
    }
    safe
}

fn sanitiser() -> Builder<'static> {
    let mut builder = Builder::empty();
    builder
        .tags(TAGS.into())
        .tag_attributes(ATTRIBUTES.map(|(element, names)| (element, names.iter().copied().collect())).into())
        // What stands in these is code, not content.
        .clean_content_tags(["script", "style"].into())
        .url_schemes(LINK_SCHEMES.into())
        .url_relative(UrlRelative::PassThrough)
        // Editors decide on `rel`; browsers imply `noopener` for a new tab.
        .link_rel(None)
        .attribute_filter(attribute);
    builder
}

fn attribute<'a>(element: &str, name: &str, value: &'a str) -> Option<Cow<'a, str>> {
    let value = match name {
        "rel" => {
            let known = value.split_ascii_whitespace().filter(|word| RELS.contains(word));
            let known = known.collect::<Vec<_>>().join(" ");
            (!known.is_empty()).then_some(Cow::Owned(known))?
        }
        _ => Cow::Borrowed(value),
    };
    accepts_attribute(element, name, &value).then_some(value)
}

fn changes(before: &str, after: &str) -> Vec<String> {
    let (old, new) = (tokens(before), tokens(after));
    TextDiff::from_slices(&old, &new)
        .iter_all_changes()
        .filter(|change| !change.value().trim().is_empty())
        .filter_map(|change| match change.tag() {
            ChangeTag::Delete => Some(format!("- {}", change.value().trim())),
            ChangeTag::Insert => Some(format!("+ {}", change.value().trim())),
            ChangeTag::Equal => None,
        })
        .collect()
}

/// Tags and the texts between them: the pieces an editor thinks in.
fn tokens(html: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = html;
    while !rest.is_empty() {
        let end = match rest.strip_prefix('<') {
            Some(tag) => tag.find('>').map_or(rest.len(), |close| close + 2),
            None => rest.find('<').unwrap_or(rest.len()),
        };
        let (piece, after) = rest.split_at(end);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgeloom::block::Fault;
    use edgeloom::block::rich::verify;
    use edgeloom::snapshot::wire::Block;
    use proptest::prelude::*;

    fn clean(text: &str) -> (String, Vec<Cleaned>) {
        let fields = [("body".to_string(), Field::Rich(text.into()))].into();
        let block = Block { id: "b".into(), template: String::new(), fields, ..Block::default() };
        let mut config = Config { blocks: vec![block], ..Config::default() };
        let cleaned = sanitise(&mut config);
        let Some(Field::Rich(text)) = config.blocks[0].fields.get("body") else { panic!("still rich text") };
        (text.clone(), cleaned)
    }

    #[test]
    fn safe_text_stays_as_it_is() {
        for text in [
            "<p>Up to <strong>30 %</strong> off<br>today</p>",
            "<a href=\"/sale?a=1&amp;b=2\" title=\"Sale\" rel=\"nofollow\" target=\"_blank\">more</a>",
            "<a href=\"mailto:shop@example.org\">write</a> <a href=\"tel:+49301234\">call</a>",
            "<ul><li>one</li><li>two</li></ul><blockquote>three</blockquote>",
            "plain words, &amp; and ü",
        ] {
            assert_eq!(clean(text), (text.to_string(), vec![]));
        }
    }

    #[test]
    fn code_and_foreign_schemes_go_and_are_listed() {
        let (text, cleaned) =
            clean("<p onclick=\"x()\">Hi</p><script>steal()</script><a href=\"javascript:x()\">go</a>");
        assert_eq!(text, "<p>Hi</p><a>go</a>");
        assert_eq!(cleaned[0].pointer, "/blocks/0/fields/body");
        assert_eq!(
            cleaned[0].changes,
            [
                "- <p onclick=\"x()\">",
                "+ <p>",
                "- <script>",
                "- steal()",
                "- </script>",
                "- <a href=\"javascript:x()\">",
                "+ <a>"
            ]
        );
    }

    #[test]
    fn a_word_of_rel_that_is_not_allowed_goes_alone() {
        assert_eq!(
            clean("<a href=\"/x\" rel=\"opener nofollow\">x</a>").0,
            "<a href=\"/x\" rel=\"nofollow\">x</a>"
        );
        assert_eq!(clean("<a href=\"/x\" rel=\"opener\">x</a>").0, "<a href=\"/x\">x</a>");
    }

    #[test]
    fn stored_attacks_come_out_inert_or_are_refused_by_the_core() {
        const PAYLOADS: &str =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/xss/payloads-even.txt");
        let Ok(payloads) = std::fs::read_to_string(PAYLOADS) else {
            println!("skipped: no ../shared");
            return;
        };
        let (mut n_payloads, mut n_refused) = (0, 0);
        for payload in payloads.lines() {
            let safe = clean(payload).0;
            let fault = verify(&safe).err().map(|located| located.fault);
            assert!(matches!(fault, None | Some(Fault::Inside { .. })), "{payload:?}: {safe:?}: {fault:?}");
            n_payloads += 1;
            n_refused += usize::from(fault.is_some());
        }
        println!("{n_payloads} payloads, {n_refused} refused after sanitising");
        assert!(n_payloads > 3_000 && n_refused * 100 < n_payloads);
    }

    /// Pieces of HTML in any order: allowed, forbidden, broken.
    fn soup() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            prop::sample::select(TAGS.to_vec()).prop_map(|tag| format!("<{tag}>")),
            prop::sample::select(TAGS.to_vec()).prop_map(|tag| format!("</{tag}>")),
            prop::sample::select(vec![
                "<script>",
                "</script>",
                "<svg>",
                "<math>",
                "<mtext>",
                "<style>",
                "<table><td>",
                "<template>",
                "<!--",
                "-->",
                "<![CDATA[",
                "]]>",
                "<img src=x onerror=x()>",
                "<select><option>",
                "&lt;",
                "&nbsp;",
                "&#x0;",
                "&",
                "<",
                "\0",
                "\u{b}",
                "<a href=\"//x.example\">",
                "<a href=\" /x\">",
                "<span lang=de dir=rtl style=x>",
                "<noscript>",
                "<plaintext>",
                "<textarea>",
                "<frameset>"
            ])
            .prop_map(String::from),
            "[ a-zü\r\n]{0,6}".prop_map(String::from),
        ];
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

        #[test]
        fn sanitised_text_does_not_change_again(text in soup()) {
            let once = clean(&text).0;
            prop_assert_eq!(clean(&once).0, once);
        }

        #[test]
        fn the_core_finds_nothing_forbidden_in_sanitised_text(text in soup()) {
            let safe = clean(&text).0;
            // Its rules for nesting are stricter than a browser's; `check` shows what they refuse.
            let fault = verify(&safe).err().map(|located| located.fault);
            prop_assert!(matches!(fault, None | Some(Fault::Inside { .. })), "{:?}: {:?}", safe, fault);
        }
    }
}
