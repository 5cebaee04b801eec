//! Proof by other people's code: whatever stands in the fields, a browser's tree builder (`html5ever`) and
//! address parser (`url`) find only what the template's author wrote.

use super::rich::{TAGS, accepts_attribute, verify};
use super::*;
use html5ever::tendril::TendrilSink as _;
use html5ever::{LocalName, QualName, local_name, ns, parse_fragment};
use markup5ever_rcdom::{Handle, NodeData, RcDom};
use proptest::prelude::*;
use std::time::{Duration, Instant};
use wire::Field;

fn text(value: &str) -> Field {
    Field::Text(value.into())
}

fn image(src: &str, alt: &str) -> Field {
    Field::Image(wire::Image { src: src.into(), alt: alt.into(), width: Some(640), height: None })
}

/// Every position a plain value may have.
const TEMPLATE: &str = "\
<section class=\"card {{text}}\" data-note='{{text}}'><!-- note --><h2 title = \"{{text}}\">{{text}}</h2>\
<p>before {{text}} after</p><a href=\"/search?q={{text}}&amp;page=1#{{text}}\">{{ text }}</a>\
<img src=\"{{image.src}}\" alt='{{image.alt}}' width=\"{{image.width}}\" height=\"{{image.height}}\"></section>";

fn render(template: &str, fields: &[(&str, Field)]) -> Result<String, BlockError> {
    let fields = fields.iter().map(|(name, field)| ((*name).to_owned(), field.clone())).collect();
    let block = Block::compile(&wire::Block {
        id: "x".into(),
        template: template.into(),
        fields,
        ..wire::Block::default()
    })?;
    let mut out = String::new();
    block.markup().with_token(None, &mut out);
    Ok(out)
}

/// An element as a browser sees it: depth, name, attributes.
type Element = (usize, String, Vec<(String, String)>);

/// What a browser makes of HTML set into a `div`: its elements and all its text.
fn browse(html: &str) -> (Vec<Element>, String) {
    let context = QualName::new(None, ns!(html), LocalName::from("div"));
    let dom = parse_fragment(RcDom::default(), Default::default(), context, Vec::new(), true).one(html);
    let (mut elements, mut text) = (Vec::new(), String::new());
    // The document holds one `html` element, which holds the fragment.
    let root = dom.document.children.borrow().first().cloned().unwrap();
    walk(&root, 0, &mut elements, &mut text);
    elements.remove(0);
    (elements, text)
}

fn walk(node: &Handle, depth: usize, elements: &mut Vec<Element>, text: &mut String) {
    match &node.data {
        NodeData::Element { name, attrs, .. } => {
            let attributes = attrs.borrow();
            let attributes = attributes
                .iter()
                .map(|attribute| (attribute.name.local.to_string(), attribute.value.to_string()));
            elements.push((depth, name.local.to_string(), attributes.collect()));
            assert_ne!(name.local, local_name!("script"));
        }
        NodeData::Text { contents } => text.push_str(&contents.borrow()),
        NodeData::Document => {}
        other => panic!("unexpected node {other:?}"),
    }
    for child in node.children.borrow().iter() {
        walk(child, depth + 1, elements, text);
    }
}

/// Names only: the structure without the values.
fn structure(elements: &[Element]) -> Vec<(usize, &str, Vec<&str>)> {
    elements
        .iter()
        .map(|(depth, name, attributes)| {
            (*depth, name.as_str(), attributes.iter().map(|(name, _)| name.as_str()).collect())
        })
        .collect()
}

fn value<'a>(elements: &'a [Element], element: &str, attribute: &str) -> &'a str {
    let (_, _, attributes) = elements.iter().find(|(_, name, _)| name == element).unwrap();
    attributes.iter().find(|(name, _)| name == attribute).map(|(_, value)| value.as_str()).unwrap()
}

/// What is left of a text: control characters HTML can't carry are replaced.
fn carried(text: &str) -> String {
    let kept = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\x0c');
    text.chars().map(|c| if kept(c) { c } else { '\u{fffd}' }).collect()
}

/// Asserts that a plain value changes nothing but the places of its holes, where it reads as it was written.
fn assert_inert(payload: &str) {
    let fields = |payload: &str| [("text", text(payload)), ("image", image("/i.png", payload))];
    let html = render(TEMPLATE, &fields(payload)).unwrap();
    assert!(html.is_ascii(), "{html}");
    let (elements, shown) = browse(&html);
    let plain = render(TEMPLATE, &fields("plain")).unwrap();
    assert_eq!(structure(&elements), structure(&browse(&plain).0), "{payload:?}");
    let text = carried(payload);
    assert_eq!(shown, format!("{text}before {text} after{text}"));
    assert_eq!(value(&elements, "section", "class"), format!("card {text}"));
    assert_eq!(value(&elements, "section", "data-note"), text);
    assert_eq!(value(&elements, "h2", "title"), text);
    assert_eq!(value(&elements, "img", "alt"), text);
    let link = base().join(value(&elements, "a", "href")).unwrap();
    let pairs: Vec<_> = link.query_pairs().collect();
    assert_eq!((link.host_str(), link.path()), (Some("shop.example"), "/search"));
    assert_eq!(pairs, [("q".into(), payload.into()), ("page".into(), "1".into())]);
}

fn base() -> ::url::Url {
    ::url::Url::parse("https://shop.example/dir/page?x=1").unwrap()
}

/// Asserts that an address is refused, or is harmless for a browser; says whether it was accepted.
fn assert_safe_address(payload: &str) -> bool {
    const LINK: &str = "<a href=\"{{link}}\" title='{{link}}'>{{link}}</a><q cite=\"/x?{{link}}\"></q>";
    let Ok(html) = render(LINK, &[("link", Field::Url(payload.into()))]) else { return false };
    assert!(html.is_ascii(), "{html}");
    let (elements, _) = browse(&html);
    let names: Vec<_> = structure(&elements);
    assert_eq!(names, [(1, "a", vec!["href", "title"]), (1, "q", vec!["cite"])], "{payload:?}");
    let href = value(&elements, "a", "href");
    if let Ok(target) = base().join(href) {
        assert!(LINK_SCHEMES.contains(&target.scheme()), "{payload:?} {target}");
        if super::url::is_same_site(href) {
            assert_eq!(target.origin(), base().origin(), "{payload:?} {target}");
        }
    }
    assert_eq!(base().join(value(&elements, "q", "cite")).unwrap().path(), "/x");
    if let Ok(html) = render("<img src=\"{{image.src}}\">", &[("image", image(payload, ""))]) {
        let (elements, _) = browse(&html);
        assert_eq!(structure(&elements), [(1, "img", vec!["src"])]);
        if let Ok(target) = base().join(value(&elements, "img", "src")) {
            assert!(RESOURCE_SCHEMES.contains(&target.scheme()), "{payload:?} {target}");
        }
    }
    true
}

/// Asserts that rich text is refused, or is for a browser what it is for us; says whether it was accepted.
fn assert_safe_rich(payload: &str) -> bool {
    let rendered = render("<div>{{rich}}</div>", &[("rich", Field::Rich(payload.into()))]);
    assert_eq!(rendered.is_ok(), verify(payload).is_ok(), "{payload:?}");
    let Ok(html) = rendered else { return false };
    assert!(html.is_ascii());
    let inner = html.strip_prefix("<div>").and_then(|html| html.strip_suffix("</div>")).unwrap();
    assert_eq!(verify(inner), Ok(()), "the canonical form is accepted: {inner:?}");
    let (elements, _) = browse(inner);
    // In canonical HTML each `<` opens or closes an element: the browser finds those, nested in the same way.
    let (mut written, mut depth) = (Vec::new(), 1);
    for tag in inner.split('<').skip(1).filter_map(|tag| tag.split([' ', '>']).next()) {
        if tag.starts_with('/') {
            depth -= 1;
        } else {
            written.push((depth, tag));
            depth += usize::from(tag != "br");
        }
    }
    let found: Vec<_> = elements.iter().map(|(depth, name, _)| (*depth, name.as_str())).collect();
    assert_eq!(found, written, "{payload:?}");
    for (_, element, attributes) in &elements {
        assert!(TAGS.contains(&element.as_str()));
        for (name, value) in attributes {
            assert!(accepts_attribute(element, name, value), "{element} {name}={value:?}");
            if name == "href"
                && let Ok(target) = base().join(value)
            {
                assert!(LINK_SCHEMES.contains(&target.scheme()), "{payload:?} {target}");
            }
        }
    }
    true
}

/// All stored payloads, or `None` where they are missing.
fn payloads() -> Option<Vec<String>> {
    const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data");
    let read = |name: &str| std::fs::read_to_string(format!("{DATA}/{name}")).ok();
    let Some(lines) = read("xss/payloads-even.txt") else {
        println!("skipped: no ../shared");
        return None;
    };
    let mut payloads: Vec<String> = lines.lines().map(str::to_owned).collect();
    let pairs: Vec<serde_json::Value> =
        serde_json::from_str(&read("xss/dompurify-expect-even.json")?).unwrap();
    payloads.extend(pairs.iter().map(|pair| pair["payload"].as_str().unwrap().to_owned()));
    let strings: Vec<String> = serde_json::from_str(&read("blns/blns.json")?).unwrap();
    payloads.extend(strings);
    Some(payloads)
}

#[test]
fn stored_payloads_are_inert_in_every_position() {
    let Some(payloads) = payloads() else { return };
    assert!(payloads.len() > 3_900);
    let (mut addresses, mut rich) = (0, 0);
    for payload in &payloads {
        assert_inert(payload);
        addresses += usize::from(assert_safe_address(payload));
        rich += usize::from(assert_safe_rich(payload));
    }
    println!("{} payloads; as address {addresses} accepted, as rich text {rich}", payloads.len());
    // Most read as relative paths once encoded; as rich text only plain words pass.
    assert!(addresses < payloads.len() && rich > 0 && rich < payloads.len() / 4);
}

#[test]
fn stored_payloads_as_templates_never_run() {
    let Some(payloads) = payloads() else { return };
    let mut accepted = 0;
    for payload in &payloads {
        let Ok(html) = render(payload, &[]) else { continue };
        accepted += 1;
        let (elements, _) = browse(&html);
        for (_, element, attributes) in &elements {
            for (name, value) in attributes {
                assert!(!name.starts_with("on") && name != "srcdoc", "{payload:?} {element} {name}");
                let value: String = value.chars().filter(|c| !c.is_control()).collect();
                let harmless = !value.trim().to_ascii_lowercase().starts_with("javascript:");
                assert!(
                    harmless || !matches!(name.as_str(), "href" | "src" | "action" | "formaction" | "data")
                );
            }
        }
    }
    println!("{accepted} of {} payloads are accepted as templates", payloads.len());
    assert!(accepted > 0);
}

/// Pieces of HTML and of tricks, to be put together at random.
fn soup() -> impl Strategy<Value = String> {
    let pieces = [
        "<p>",
        "</p>",
        "<b>",
        "</b>",
        "<a href=\"/x\">",
        "<a>",
        "</a>",
        "<ul>",
        "</ul>",
        "<li>",
        "</li>",
        "<br>",
        "<i>",
        "</i>",
        "<h2>",
        "</h2>",
        "<pre>",
        "</pre>",
        "<span lang=\"de\">",
        "</span>",
        "<blockquote>",
        "</blockquote>",
        "text",
        "\u{e9}",
        "&amp;",
        "&",
        "&nbsp;",
        "&#0;",
        "<",
        ">",
        "\"",
        "'",
        "=",
        " ",
        "/",
        "<!--",
        "-->",
        "<script>",
        "</script>",
        "<svg>",
        "</svg>",
        "<path d=\"M0\"/>",
        "<style>",
        "</style>",
        "javascript:",
        "href=",
        "{{text}}",
        "{{",
        "}}",
        "<div class=\"{{text}}\">",
        "</div>",
        "<table>",
        "<tr>",
        "<td>",
        "</td>",
        "</tr>",
        "</table>",
        "<img src=\"{{text}}\">",
        "\0",
        "\n",
        "<a title=\"x\" href=\"?a&b\">",
        "<h3>",
        "</h3>",
        "<code>",
        "</code>",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..14).prop_map(|pieces| pieces.concat())
}

/// Rich text that is right by construction as far as closing goes.
fn nested() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec!["x", "<br>", " ", "&lt;", "\u{e9}"]).prop_map(str::to_owned);
    leaf.prop_recursive(6, 40, 4, |inner| {
        (prop::sample::select(TAGS.to_vec()), prop::collection::vec(inner, 0..4)).prop_map(|(tag, inner)| {
            if tag == "br" { inner.concat() } else { format!("<{tag}>{}</{tag}>", inner.concat()) }
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    #[test]
    fn any_text_leaves_the_structure_as_it_is(payload in any::<String>()) {
        assert_inert(&payload);
    }

    #[test]
    fn any_soup_leaves_the_structure_as_it_is(payload in soup()) {
        assert_inert(&payload);
    }

    #[test]
    fn any_address_is_refused_or_harmless(
        payload in "[ \t\n\u{1}]?(java|JAVA|data|https|http|mailto|x|/|\\\\|\u{e9}){0,2}[\t\n]?(script)?[:/\\\\?#@.%\"'<&; a]{0,6}.{0,4}",
    ) {
        assert_safe_address(&payload);
    }

    #[test]
    fn any_rich_text_is_refused_or_what_it_seems(payload in prop_oneof![soup(), nested()]) {
        assert_safe_rich(&payload);
    }

    #[test]
    fn any_bytes_are_verified_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        assert_safe_rich(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_template_is_refused_or_ascii(template in prop_oneof![soup(), any::<String>()]) {
        if let Ok(html) = render(&template, &[("text", text("\u{e9}\"<b>"))]) {
            prop_assert!(html.is_ascii());
            browse(&html);
        }
    }

    #[test]
    fn any_number_is_written_plainly(value in any::<f64>()) {
        match render("{{n}}", &[("n", Field::Number(value))]) {
            Ok(html) => {
                prop_assert_eq!(html.parse::<f64>().unwrap(), value);
                prop_assert!(!html.contains(['e', 'E', '+']) && html != "-0");
            }
            Err(_) => prop_assert!(!value.is_finite()),
        }
    }
}

#[test]
fn nested_rich_text_is_often_accepted() {
    // Guards the property above against accepting nothing.
    for text in
        ["<p>a<b>b<i>c</i></b></p>", "<ul><li>a<ul><li><p>b</p></li></ul></li></ul>", "<h2><a>x</a></h2>"]
    {
        assert!(assert_safe_rich(text), "{text}");
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a test of time needs a clock")]
fn time_grows_with_length_only() {
    let shapes = [
        "<",
        "&",
        "&#",
        "&a",
        "<a ",
        "<a b=\"",
        "<!--",
        "<!-- -->",
        "<style></",
        "{{",
        "}}",
        "<b>",
        "</b>",
        "<b></b>",
        "\"",
        "<a b c ",
        "<i x=1 ",
        "<p>",
        "&#0000000000000000000000000000",
        "<a href=\"?a&amp;a#a\">",
        "\u{1f600}",
        "{{text}}",
    ];
    for shape in shapes {
        let long = shape.repeat(template::MAX_TEMPLATE_BYTES / shape.len());
        let start = Instant::now();
        let _ = verify(&long);
        let _ = render(&long, &[("text", text("x"))]);
        let _ = render(&format!("<style>{long}"), &[]);
        // Quadratic work would be 4 · 10^9 steps, more than 10 s in this build.
        assert!(start.elapsed() < Duration::from_secs(2), "{shape:?} took {:?}", start.elapsed());
    }
}
