//! `REPORT.md`: the report as GitHub renders it. Pictures are links to the files beside it.

use std::fmt::Write as _;

use super::{
    Block, Cell, Format, Report, Table, csv,
    escape::{
        file_stem, markdown as text, markdown_code as code, markdown_label as label, markdown_paragraph,
        without_loopback,
    },
    figure::Picture,
    inline::{Span, spans},
    labels::Labels,
};

/// Sections from which a list of contents is worth its room.
const CONTENTS_FROM: usize = 5;

/// `report` as GitHub-flavoured Markdown. `image` is the format whose files stand beside it, PNG or SVG; without one,
/// pictures are told in words.
pub fn render(report: &Report, image: Option<Format>) -> String {
    let labels = Labels::of(report.language);
    let mut out = format!("# {}\n\n", text(&report.title));
    if report.synthetic {
        let _ = writeln!(out, "> [!WARNING]\n> **{}.**\n", labels.synthetic);
    }
    let _ = writeln!(out, "{}\n", prose(&report.question));
    blocks(&mut out, &report.summary, report, image);
    if report.sections.len() >= CONTENTS_FROM {
        for section in &report.sections {
            let _ = writeln!(out, "- [{}](#{})", label(&section.title), file_stem(&section.id));
        }
        out.push('\n');
    }
    for section in &report.sections {
        // GitHub derives anchors from headings, which may repeat; an anchor of our own does not.
        let _ = writeln!(out, "<a id=\"{}\"></a>\n\n## {}\n", file_stem(&section.id), text(&section.title));
        blocks(&mut out, &section.blocks, report, image);
    }
    let _ = writeln!(out, "## {}\n", labels.provenance);
    let _ = writeln!(out, "{}\n", prose(&report.provenance.sentence(report.language)));
    without_loopback(&out, &report.provenance.command_line).into_owned()
}

fn blocks(out: &mut String, blocks: &[Block], report: &Report, image: Option<Format>) {
    for block in blocks {
        match block {
            Block::Prose { text } => {
                let _ = writeln!(out, "{}\n", prose(text));
            }
            Block::Note { text } => {
                let _ = writeln!(out, "> [!NOTE]\n> {}\n", prose(text));
            }
            Block::Table(content) => table(out, content, Labels::of(report.language)),
            Block::Picture(content) => picture(out, content, report.language, image),
        }
    }
}

fn prose(markup: &str) -> String {
    let span = |span| match span {
        Span::Text(plain) => text(plain),
        Span::Code(name) => code(name, false),
        Span::Strong(strong) => format!("**{}**", text(strong)),
    };
    markdown_paragraph(&spans(markup).into_iter().map(span).collect::<String>())
}

fn table(out: &mut String, table: &Table, labels: &Labels) {
    if !table.caption.is_empty() {
        let _ = writeln!(out, "{}\n", prose(&table.caption));
    }
    let headings: Vec<String> = table.columns.iter().map(|column| text(&column.title)).collect();
    let rules: Vec<&str> = table.columns.iter().map(|column| if column.numeric { "--:" } else { ":--" }).collect();
    let _ = writeln!(out, "| {} |\n| {} |", headings.join(" | "), rules.join(" | "));
    for row in &table.rows {
        let cells: Vec<String> =
            (0..table.columns.len()).map(|column| row.get(column).map(cell).unwrap_or_default()).collect();
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    out.push('\n');
    let undefined = table.undefined();
    if !undefined.is_empty() {
        let list: Vec<String> =
            undefined.iter().map(|(reason, cells)| format!("{} ({})", text(reason), cells.len())).collect();
        let _ = writeln!(out, "— {}: {}.\n", labels.undefined, list.join(", "));
    }
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Text(plain) => text(plain),
        Cell::Code(name) => code(name, true),
        Cell::Number { value, digits } => value.value().map_or_else(|| "—".to_owned(), |value| digits.format(value)),
        Cell::Flag(_) | Cell::Reasons(_) => text(&csv::field(cell)),
    }
}

fn picture(out: &mut String, picture: &Picture, language: &str, image: Option<Format>) {
    let alt = if picture.alt.is_empty() { &picture.title } else { &picture.alt };
    match image {
        Some(format) => {
            let _ = writeln!(out, "![{}]({}.{format})\n", label(alt), picture.file_stem());
            // The words inside pictures are English.
            if language != "en" {
                let _ = writeln!(out, "{}\n", prose(alt));
            }
        }
        None => {
            let _ = writeln!(out, "*{}: {}. {}*\n", Labels::of(language).picture, text(&picture.title), text(alt));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Section, model::tests::sample};
    use super::*;

    #[test]
    fn a_report_reads_as_markdown() {
        insta::assert_snapshot!(render(&sample(), Some(Format::Png)), @r#"
        # Two models

        > [!WARNING]
        > **Synthetic replica, not the real weights.**

        Are they **related**?

        <a id="cosine"></a>

        ## Cosine &amp; null

        The **null** of `input_layernorm` is high.

        > [!NOTE]
        > Read \*both\* &lt;columns&gt;.

        Pairs, with `cos_sim`

        | model | cosine |
        | :-- | --: |
        | ``a\|b`c`` | 0.9877 |
        | owner/&lt;script&gt;alert(1)&lt;/script&gt; | — |

        — undefined: ZeroNorm (1).

        ![two models](cosine.png)

        ## Provenance

        hub-audit 0.1.0, seed 0. `report.json` has the command line, the time, the traffic of the run, the files read with their sizes and hashes, and every tensor that was left out.
        "#);
    }

    #[test]
    fn many_sections_have_a_list_of_contents() {
        let mut report = sample();
        assert!(!render(&report, None).contains("](#"));
        report.sections =
            (0..5).map(|i| Section { id: format!("s{i}"), title: format!("S {i}"), blocks: Vec::new() }).collect();
        assert_eq!(render(&report, None).matches("](#s").count(), 5);
    }

    #[test]
    fn a_label_with_brackets_stays_one_link() {
        let mut report = sample();
        report.sections[0].title = "layers[0](x)".into();
        report.sections = vec![report.sections[0].clone(); CONTENTS_FROM];
        assert!(render(&report, None).contains("- [layers&#91;0&#93;(x)](#cosine)\n"));
    }

    #[test]
    fn nothing_differs_between_two_times_of_day() {
        let (mut early, mut late) = (sample(), sample());
        early.provenance.generated_at = None;
        late.provenance.generated_at = Some("2030-01-01T00:00:00Z".into());
        assert_eq!(render(&early, None), render(&late, None));
    }
}
