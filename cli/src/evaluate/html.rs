//! A report as one page that needs nothing from anywhere: it can be sent by mail and opened without a network.

use super::Report;
use super::part::Part;

/// The page's own look; follows the reader's choice of dark and light.
const STYLE: &str = include_str!("style.css");

/// Text for a page or an attribute.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            c => out.push(c),
        }
    }
    out
}

/// The page.
pub fn page(report: &Report) -> String {
    let mut body = format!("<h1>What the log says</h1>\n<p>{}</p>\n", escaped(&report.head()));
    report
        .warnings
        .iter()
        .for_each(|warning| body += &format!("<p class=\"warning\">{}</p>\n", escaped(warning)));
    for slot in &report.slots {
        body += &format!("<h2>{} for {}</h2>\n", escaped(&slot.slot), escaped(&slot.goal));
        slot.parts.iter().for_each(|part| body += &section(part));
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>What the log says</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )
}

fn section(part: &Part) -> String {
    let mut out = format!("<section><h3>{}</h3>\n", escaped(&part.title));
    part.warnings
        .iter()
        .for_each(|warning| out += &format!("<p class=\"warning\">{}</p>\n", escaped(warning)));
    let (shown, more) = part.shown_rows();
    if !shown.is_empty() {
        let heads: String = part.heads.iter().map(|head| format!("<th>{}</th>", escaped(head))).collect();
        let rows: String = shown.iter().map(|row| line(part, row)).collect();
        out += &format!(
            "<div class=\"scroll\"><table><thead><tr>{heads}</tr></thead>\n<tbody>{rows}</tbody></table></div>\n"
        );
    }
    for (svg, what) in &part.charts {
        out += &format!("<figure>{svg}<figcaption>{}</figcaption></figure>\n", escaped(what));
    }
    more.iter().chain(&part.notes).for_each(|note| out += &format!("<p>{}</p>\n", escaped(note)));
    out + "</section>\n"
}

/// A line of a table; the head stands at each cell as well, for screens that are too narrow for columns.
fn line(part: &Part, row: &[String]) -> String {
    let cell = |(head, cell): (&&str, &String)| {
        format!("<td data-head=\"{}\">{}</td>", escaped(head), escaped(cell))
    };
    let cells: String = part.heads.iter().zip(row).map(cell).collect();
    format!("<tr>{cells}</tr>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_a_log_becomes_markup() {
        let hostile = "<img src=x onerror='a()'>&\"";
        let part = Part {
            heads: vec!["\"><script>"],
            rows: vec![vec![hostile.into()]],
            notes: vec![hostile.into()],
            warnings: vec![hostile.into()],
            ..Part::default()
        };
        let html = section(&part);
        assert!(!html.contains("<img") && !html.contains("<script") && !html.contains("onerror='"), "{html}");
        assert!(html.contains("&lt;img src=x onerror=&#39;a()&#39;&gt;&amp;&quot;"), "{html}");
    }
}
