//! `report.json`: the whole report, in full digits. A number that is absent is `null` with its reason beside it.

use super::{Report, ReportError};

/// `report` as indented JSON, with fields in a fixed order and a line break at its end.
pub fn render(report: &Report) -> Result<Vec<u8>, ReportError> {
    let mut bytes = serde_json::to_vec_pretty(report).map_err(|source| ReportError::Json { source })?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::model::tests::sample;
    use super::*;

    #[test]
    fn the_whole_report_is_written_and_nothing_is_nan() {
        let text = String::from_utf8(render(&sample()).unwrap()).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["synthetic"], true);
        assert_eq!(value["provenance"]["models"][0]["files"][0]["size"], 1234);
        assert_eq!(value["sections"][0]["blocks"][2]["type"], "table");
        assert_eq!(value["sections"][0]["blocks"][2]["rows"][1][1]["number"]["value"]["undefined"], "ZeroNorm");
        assert_eq!(
            value["sections"][0]["blocks"][3]["kind"]["heatmap"]["matrix"]["cells"][0][1]["value"],
            serde_json::Value::Null
        );
        assert!(!text.contains("NaN") && text.ends_with("}\n"));
    }

    #[test]
    fn the_same_report_gives_the_same_bytes() {
        assert_eq!(render(&sample()).unwrap(), render(&sample()).unwrap());
    }
}
