//! What a template may be made of: elements, attributes, and which of those take holes. Lists of what is
//! allowed, because a list of what is forbidden is wrong as soon as browsers learn something new.

use super::fault::Fault;
use super::url::{LINK_SCHEMES, RESOURCE_SCHEMES};

/// Elements of HTML a template may use. Missing on purpose: everything that runs code, loads documents or
/// changes the page around the block, and what browsers read as something else than markup (`textarea`,
/// `noscript`, `xmp` …). `iframe`, `style` and `meta` are here with limits of their own.
const HTML: [&str; 104] = [
    "a",
    "abbr",
    "address",
    "area",
    "article",
    "aside",
    "audio",
    "b",
    "bdi",
    "bdo",
    "blockquote",
    "br",
    "button",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "data",
    "datalist",
    "dd",
    "del",
    "details",
    "dfn",
    "dialog",
    "div",
    "dl",
    "dt",
    "em",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hgroup",
    "hr",
    "i",
    "iframe",
    "img",
    "input",
    "ins",
    "kbd",
    "label",
    "legend",
    "li",
    "main",
    "map",
    "mark",
    "menu",
    "meta",
    "meter",
    "nav",
    "ol",
    "optgroup",
    "option",
    "output",
    "p",
    "picture",
    "pre",
    "progress",
    "q",
    "rp",
    "rt",
    "ruby",
    "s",
    "samp",
    "search",
    "section",
    "select",
    "small",
    "source",
    "span",
    "strong",
    "style",
    "sub",
    "summary",
    "sup",
    "svg",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "time",
    "tr",
    "track",
    "u",
    "ul",
    "var",
    "video",
    "wbr",
    "big",
    "center",
    "font",
    "strike",
    "tt",
];

/// Elements allowed inside `svg`: shapes and text, nothing that animates attributes or holds HTML.
const SVG: [&str; 24] = [
    "circle",
    "clippath",
    "defs",
    "desc",
    "ellipse",
    "feblend",
    "fegaussianblur",
    "feoffset",
    "filter",
    "g",
    "line",
    "lineargradient",
    "mask",
    "path",
    "pattern",
    "polygon",
    "polyline",
    "radialgradient",
    "rect",
    "stop",
    "symbol",
    "text",
    "tspan",
    "use",
];

/// Elements without content and without end tag.
const VOID: [&str; 10] = ["area", "br", "col", "hr", "img", "input", "meta", "source", "track", "wbr"];

/// Start tags that make a browser close an open `p`.
const BLOCK: [&str; 37] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "center",
    "dd",
    "details",
    "dialog",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hgroup",
    "hr",
    "li",
    "main",
    "menu",
    "nav",
    "ol",
    "p",
    "pre",
    "search",
    "section",
    "summary",
    "table",
    "ul",
];

/// Attributes that take holes on every element, besides `aria-…` and `data-…`: words for people and plain
/// numbers. Not `id` and `name`, with which content could shadow the page's variables.
const HOLES: [&str; 18] = [
    "abbr",
    "alt",
    "class",
    "content",
    "datetime",
    "dir",
    "download",
    "height",
    "hreflang",
    "label",
    "lang",
    "max",
    "min",
    "placeholder",
    "span",
    "title",
    "value",
    "width",
];

/// Attributes that hold an address.
const ADDRESS: [&str; 10] =
    ["action", "background", "cite", "classid", "data", "formaction", "href", "longdesc", "poster", "src"];

/// Whether an element is known; custom elements (with a hyphen) are the site's own and are trusted with
/// literal attributes.
pub(super) fn is_html(name: &str) -> bool {
    HTML.contains(&name) || name.contains('-')
}

/// Whether an element is allowed inside `svg`.
pub(super) fn is_svg(name: &str) -> bool {
    SVG.contains(&name)
}

/// Whether an element has no content and no end tag.
pub(super) fn is_void(name: &str) -> bool {
    VOID.contains(&name)
}

/// Whether a start tag makes a browser close an open `p`.
pub(super) fn closes_paragraph(name: &str) -> bool {
    BLOCK.contains(&name)
}

/// How the value of an attribute is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text, with holes.
    Text,
    /// Text without holes.
    Literal,
    /// An address with one of these schemes, or relative; with holes.
    Address(&'static [&'static str]),
    /// Such an address without holes, because the browser runs or shows what it loads.
    LiteralAddress(&'static [&'static str]),
}

/// How to treat an attribute of an element; both names in lower case.
///
/// | attribute | holes |
/// |---|---|
/// | words for people: `title`, `alt`, `aria-…`, `data-…` | yes |
/// | links: `href` of `a` and `area` | yes; `mailto:` and `tel:` too |
/// | pictures, sounds, where a form goes | yes; `https:`, `http:` or relative |
/// | other addresses: `src` of `iframe`, `href` within `svg` | no: a browser runs what it loads |
/// | all others: `id`, `style`, `rel` … | no |
/// | `on…`, `srcdoc` | the attribute is refused |
///
/// # Errors
/// The attribute runs code, or the element doesn't take it.
pub(super) fn attribute_kind(element: &str, name: &str) -> Result<Kind, Fault> {
    if name.starts_with("on") || name == "srcdoc" {
        return Err(Fault::Handler { name: name.into() });
    }
    // Only microdata: `http-equiv`, `name` and `charset` change the page.
    if element == "meta" && !matches!(name, "itemprop" | "content") {
        return Err(Fault::AttributeNotAllowed { element: element.into(), name: name.into() });
    }
    Ok(match (element, name) {
        ("a" | "area", "href") => Kind::Address(&LINK_SCHEMES),
        ("img" | "source" | "audio" | "video" | "track" | "input", "src")
        | ("video", "poster")
        | ("blockquote" | "q" | "ins" | "del", "cite")
        | ("form", "action")
        | ("button" | "input", "formaction") => Kind::Address(&RESOURCE_SCHEMES),
        _ if ADDRESS.contains(&name) => Kind::LiteralAddress(&RESOURCE_SCHEMES),
        _ if HOLES.contains(&name) || name.starts_with("aria-") || name.starts_with("data-") => Kind::Text,
        _ => Kind::Literal,
    })
}
