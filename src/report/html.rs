//! `report.html`: one file that opens from a disk. Styles, script and pictures stand inside; nothing is asked of a network,
//! and everything can be read without the script, which only sorts tables.

use std::{fmt::Write as _, sync::LazyLock};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha2::{Digest, Sha256};

use super::{
    Block, Cell, Report, Table, csv,
    escape::{file_stem, without_loopback, xml},
    figure::Picture,
    inline::{Span, plain, spans},
    labels::Labels,
    number::round_trip,
};

const STYLE: &str = include_str!("assets/report.css");
const SCRIPT: &str = include_str!("assets/report.js");
/// The page may run its own script, known by its hash, and its own style, and reach nothing.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = BASE64_STANDARD.encode(Sha256::digest(format!("\n{SCRIPT}")));
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'"
    )
});

/// `report` as a self-contained HTML page.
pub fn render(report: &Report) -> String {
    let mut out = String::with_capacity(1 << 16);
    let title = xml(&report.title);
    let language = report.language;
    let labels = Labels::of(language);
    let _ = writeln!(out, "<!doctype html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\">");
    let _ = writeln!(out, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    let _ = writeln!(out, "<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">", *POLICY);
    let synthetic = if report.synthetic { format!(" ({})", labels.synthetic_title) } else { String::new() };
    let _ = writeln!(out, "<title>{title}{synthetic}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>");
    if report.synthetic {
        let _ = writeln!(out, "<div class=\"banner\" role=\"note\">{}</div>", labels.synthetic);
    }
    let _ = writeln!(out, "<header>\n<h1>{title}</h1>\n<p class=\"question\">{}</p>", prose(&report.question));
    if !report.summary.is_empty() {
        out.push_str("<div class=\"answer\">\n");
        blocks(&mut out, &report.summary, report);
        out.push_str("</div>\n");
    }
    let _ = writeln!(out, "<nav aria-label=\"{}\"><ul>", labels.contents);
    for section in &report.sections {
        let _ = writeln!(out, "<li><a href=\"#{}\">{}</a></li>", file_stem(&section.id), xml(&section.title));
    }
    let _ = writeln!(out, "<li><a href=\"#provenance\">{}</a></li>\n</ul></nav>\n</header>\n<main>", labels.provenance);
    for section in &report.sections {
        let _ = writeln!(out, "<section>\n<h2 id=\"{}\">{}</h2>", file_stem(&section.id), xml(&section.title));
        blocks(&mut out, &section.blocks, report);
        out.push_str("</section>\n");
    }
    let _ = writeln!(out, "<section>\n<h2 id=\"provenance\">{}</h2>", labels.provenance);
    let _ = writeln!(out, "<p>{}</p>\n</section>", prose(&report.provenance.sentence(language)));
    let _ = writeln!(out, "</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>");
    without_loopback(&out, &report.provenance.command_line).into_owned()
}

fn blocks(out: &mut String, blocks: &[Block], report: &Report) {
    for block in blocks {
        match block {
            Block::Prose { text } => {
                let _ = writeln!(out, "<p>{}</p>", prose(text));
            }
            Block::Note { text } => {
                let _ = writeln!(out, "<div class=\"note\">{}</div>", prose(text));
            }
            Block::Table(content) => table(out, content, Labels::of(report.language)),
            Block::Picture(content) => picture(out, content, report),
        }
    }
}

fn prose(markup: &str) -> String {
    let span = |span| match span {
        Span::Text(text) => xml(text),
        Span::Code(name) => format!("<code>{}</code>", xml(name)),
        Span::Strong(text) => format!("<strong>{}</strong>", xml(text)),
    };
    spans(markup).into_iter().map(span).collect()
}

fn table(out: &mut String, table: &Table, labels: &Labels) {
    let label = xml(&plain(&table.caption));
    let _ = writeln!(out, "<figure>");
    if !table.caption.is_empty() {
        let _ = writeln!(out, "<figcaption>{}</figcaption>", prose(&table.caption));
    }
    // Focusable, so that a wide table can be scrolled from the keyboard.
    let _ = writeln!(out, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\">\n<table>");
    // A list of facts has no headings, and is not sorted.
    if table.columns.iter().any(|column| !column.title.is_empty()) {
        out.push_str("<thead><tr>\n");
        for column in &table.columns {
            let class = if column.numeric { " class=\"n\"" } else { "" };
            let _ = writeln!(out, "<th scope=\"col\"{class}>{}</th>", xml(&column.title));
        }
        out.push_str("</tr></thead>\n");
    }
    out.push_str("<tbody>\n");
    for row in &table.rows {
        out.push_str("<tr>");
        for (index, column) in table.columns.iter().enumerate() {
            cell(out, row.get(index), column.numeric);
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table>\n</div>\n");
    undefined(out, table, labels);
    out.push_str("</figure>\n");
}

fn cell(out: &mut String, cell: Option<&Cell>, numeric: bool) {
    let class = if numeric { " class=\"n\"" } else { "" };
    let _ = match cell {
        None => write!(out, "<td{class}></td>"),
        Some(Cell::Text(text)) => write!(out, "<td{class}>{}</td>", xml(text)),
        Some(cell @ (Cell::Flag(_) | Cell::Reasons(_))) => write!(out, "<td{class}>{}</td>", xml(&csv::field(cell))),
        Some(Cell::Code(name)) => write!(out, "<td{class}><code>{}</code></td>", xml(name)),
        Some(Cell::Number { value, digits }) => match value.get() {
            Ok(value) => write!(
                out,
                "<td{class} data-v=\"{0}\" title=\"{0}\">{1}</td>",
                round_trip(value),
                xml(&digits.format(value))
            ),
            Err(reason) => write!(out, "<td{class}><abbr title=\"undefined: {}\">—</abbr></td>", xml(reason)),
        },
    };
}

/// Every undefined cell by its reason, for who cannot rest a pointer on it.
fn undefined(out: &mut String, table: &Table, labels: &Labels) {
    let reasons = table.undefined();
    let count: usize = reasons.iter().map(|(_, cells)| cells.len()).sum();
    if count == 0 {
        return;
    }
    let _ = writeln!(out, "<details><summary>— {count} {}</summary>\n<ul>", labels.undefined);
    for (reason, cells) in reasons {
        let place = |&(row, column): &(usize, usize)| {
            let name = match table.rows[row].first() {
                Some(Cell::Text(text) | Cell::Code(text)) => text.clone(),
                _ => format!("row {}", row + 1),
            };
            format!("{} ({})", xml(&name), xml(&table.columns[column].title))
        };
        let places: Vec<String> = cells.iter().map(place).collect();
        let _ = writeln!(out, "<li>{}: {}</li>", xml(reason), places.join("; "));
    }
    out.push_str("</ul></details>\n");
}

fn picture(out: &mut String, picture: &Picture, report: &Report) {
    let banner = report.synthetic.then(|| Labels::of(report.language).synthetic);
    let scene = picture.scene(report.synthetic);
    // A wide picture shrinks with the page, but not until nothing can be read: then it scrolls.
    let width = scene.width;
    let _ = writeln!(
        out,
        "<figure id=\"{}\">\n<div class=\"scroll picture\" style=\"--width:{width}px\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">\n{}</div>",
        file_stem(&picture.id),
        xml(&picture.title),
        picture.svg_element(&scene, banner)
    );
    // The words inside pictures are English.
    if report.language != "en" {
        let _ = writeln!(out, "<figcaption>{}</figcaption>", xml(&picture.alt));
    }
    out.push_str("</figure>\n");
}

#[cfg(test)]
mod tests {
    use super::super::model::tests::sample;
    use super::*;

    #[test]
    fn the_page_asks_nothing_of_a_network() {
        let page = render(&sample());
        assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("//"), "{page}");
        assert!(!page.contains("@import") && !page.contains("url(") && !page.contains(" src="));
    }

    #[test]
    fn the_page_holds_no_address_of_this_machine_but_the_endpoint_that_was_asked() {
        let mut report = sample();
        report.question = "127.0.0.1:4321 cannot be reached".into();
        assert!(render(&report).contains("this machine cannot be reached"));
        report.provenance.command_line.extend(["--endpoint".into(), "http://127.0.0.1:4321".into()]);
        assert!(render(&report).contains("127.0.0.1:4321 cannot be reached"));
    }

    #[test]
    fn no_script_but_the_pages_own_may_run() {
        let page = render(&sample());
        let script = page.split_once("<script>").unwrap().1.split_once("</script>").unwrap().0;
        let hash = BASE64_STANDARD.encode(Sha256::digest(script));
        assert!(page.contains(&format!("script-src 'sha256-{hash}'")), "{hash}");
        assert!(!page.contains("script-src 'unsafe-inline'"));
    }

    #[test]
    fn a_script_in_a_models_name_stays_text() {
        let page = render(&sample());
        assert_eq!(page.matches("<script>").count(), 1, "the page's own");
        assert!(page.contains("owner/&lt;script&gt;alert(1)&lt;/script&gt;"));
    }

    #[test]
    fn an_undefined_cell_is_a_dash_with_its_reason_and_is_listed() {
        let page = render(&sample());
        assert!(page.contains("<abbr title=\"undefined: ZeroNorm\">—</abbr>"));
        assert!(page.contains("<li>ZeroNorm: owner/&lt;script&gt;alert(1)&lt;/script&gt; (cosine)</li>"));
    }

    #[test]
    fn a_number_is_rounded_for_reading_and_whole_for_sorting() {
        assert!(render(&sample()).contains("data-v=\"0.987654321\" title=\"0.987654321\">0.9877</td>"));
    }

    #[test]
    fn a_synthetic_page_says_so_in_banner_title_and_picture() {
        let page = render(&sample());
        assert!(page.contains("<title>Two models (synthetic)</title>"));
        assert_eq!(
            page.matches("Synthetic replica, not the real weights").count(),
            4,
            "banner, picture, and its two descriptions"
        );
        let real = Report { synthetic: false, ..sample() };
        assert!(!render(&real).contains("ynthetic"));
    }

    #[test]
    fn the_page_holds_no_time_of_day() {
        assert!(!render(&sample()).contains("2026-01-02"));
    }
}
