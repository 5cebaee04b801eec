//! Makes rich text safe, with a real HTML parser set up from the core's own lists. What counts as safe is the core's.

use crate::document::Document;
use crate::finding::Finding;
use ammonia::Builder;
use edgeloom::block::LINK_SCHEMES;
use edgeloom::block::rich::{ATTRIBUTES, TAGS, accepts_attribute, verify};
use edgeloom::snapshot::wire::{Config, Field};
use similar::{ChangeTag, TextDiff};
use std::collections::{HashMap, HashSet};

/// Pieces that are told one by one; the rest is counted.
const MAX_TOLD: usize = 4;

/// Makes all rich text of a configuration safe, and says what that changed.
pub fn sanitise(config: &mut Config, document: &Document) -> Vec<Finding> {
    let cleaner = cleaner();
    let mut findings = Vec::new();
    for (i, block) in config.blocks.iter_mut().enumerate() {
        for (name, field) in &mut block.fields {
            let Field::Rich(text) = field else { continue };
            let name = name.replace('~', "~0").replace('/', "~1");
            let pointer = format!("/blocks/{i}/fields/{name}/rich");
            let clean = clean(&cleaner, text);
            let finding = if let Err(at) = verify(&clean) {
                Finding::error(format_args!("this rich text can't be made safe: {}", at.fault))
            } else if clean != *text {
                Finding::advice(told(text, &clean))
            } else {
                continue;
            };
            findings.push(finding.at(&pointer, document.span(&pointer)));
            *text = clean;
        }
    }
    findings
}

fn cleaner() -> Builder<'static> {
    let attributes: HashMap<_, _> =
        ATTRIBUTES.iter().map(|(tag, names)| (*tag, names.iter().copied().collect::<HashSet<_>>())).collect();
    let mut builder = Builder::empty();
    builder
        .tags(TAGS.into_iter().collect())
        .tag_attributes(attributes)
        // Their text is no text of the page.
        .clean_content_tags(["script", "style"].into_iter().collect())
        .url_schemes(LINK_SCHEMES.into_iter().collect())
        .url_relative(ammonia::UrlRelative::PassThrough)
        .link_rel(None)
        .attribute_filter(|element, name, value| {
            accepts_attribute(element, name, value).then(|| value.into())
        });
    builder
}

fn clean(cleaner: &Builder<'_>, text: &str) -> String {
    // The one named reference the serialiser writes that the core does not take inside a value; `&` itself is
    // always written as a reference, so that nothing else can read like this.
    cleaner.clean(text).to_string().replace("&nbsp;", "\u{a0}")
}

/// What goes, piece by piece; what stays is the hint.
fn told(before: &str, after: &str) -> String {
    let (old, new) = (pieces(before), pieces(after));
    let diff = TextDiff::from_lines(old.as_str(), new.as_str());
    let gone = diff.iter_all_changes().filter(|change| change.tag() == ChangeTag::Delete);
    // An end tag goes with its start tag.
    let gone = gone
        .map(|change| change.value().trim())
        .filter(|piece| !piece.is_empty() && !piece.starts_with("</"));
    let mut gone: Vec<String> = gone.map(|piece| format!("`{piece}`")).collect();
    let n_more = gone.len().saturating_sub(MAX_TOLD);
    gone.truncate(MAX_TOLD);
    if n_more > 0 {
        gone.push(format!("and {n_more} more"));
    }
    let how = if gone.is_empty() {
        "written differently".to_string()
    } else {
        format!("without {}", gone.join(", "))
    };
    format!("this rich text is published {how}; hint: write it as it will be: {after}")
}

/// A line for each tag and each text between tags.
fn pieces(text: &str) -> String {
    text.replace('\n', " ").replace('<', "\n<").replace('>', ">\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn clean_by_default(text: &str) -> String {
        clean(&cleaner(), text)
    }

    #[test]
    fn what_is_safe_stays_as_it_is() {
        for text in [
            "<p>Tea &amp; more<br>é\u{a0}</p>",
            "<a href=\"/offers?a=1&amp;b=2\" rel=\"noopener\" target=\"_blank\">x</a>",
            "<span lang=\"de\">Tee</span>",
            "<ul><li>a</li></ul>",
        ] {
            assert_eq!(clean_by_default(text), text);
        }
    }

    #[test]
    fn what_could_run_or_load_goes() {
        for (text, kept) in [
            ("<script>x</script>a", "a"),
            ("<b onclick=x>a</b>", "<b>a</b>"),
            ("<a href=\"java\tscript:x\">a</a>", "<a>a</a>"),
            ("<a href=\"data:text/html,x\" style=x rel=opener>a</a>", "<a>a</a>"),
            ("<iframe src=x></iframe><img src=x onerror=x>a<!-- b -->", "a"),
            ("<svg><style><img src=x onerror=x></style></svg>a", "a"),
        ] {
            assert_eq!(clean_by_default(text), kept, "{text}");
        }
    }

    proptest! {
        // Pieces that parsers disagree on, in any order: what comes out the core takes, or it is a finding; and
        // cleaning again changes nothing that the core took (but a line end right after `<pre>`, which parsers drop).
        #[test]
        fn what_the_core_takes_is_settled(pieces in proptest::collection::vec(prop::sample::select(vec![
            "<b>", "</b>", "<p>", "</p>", "<a href=\"/x\">", "</a>", "<a href='javascript:x'>", "<svg>", "</svg>", "<math>",
            "<style>", "</style>", "<!--", "-->", "<li>", "<ul>", "&nbsp;", "&#0;", "&amp;nbsp;", "<", ">", "\"", "'", "x",
            "<table>", "<td>", "<span lang=\"a&nbsp;b\">", "<a title=\"&quot;&lt;\">", "<pre>", "<![CDATA[", "]]>", "<template>",
        ]), 0..12)) {
            let text = clean_by_default(&pieces.concat());
            if verify(&text).is_ok() {
                prop_assert_eq!(clean_by_default(&text), text);
            }
        }
    }
}
