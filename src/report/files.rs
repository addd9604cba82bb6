//! Which pages and pictures a report amounts to in a set of formats.

use super::{Format, Report, ReportError, figure::Picture, html, markdown};
use crate::parallel;

/// The files of `report` in `formats`, as (name, bytes): `REPORT.md`, `report.html`, and one picture a file. CSV and JSON hold more
/// than a report does: they are the [`Frame`](super::Frame)s of its question. Pictures in files of their own have their titles where
/// `titled`; those of a page always have. The same report gives the same bytes.
pub(super) fn files(report: &Report, formats: &[Format], titled: bool) -> Result<Vec<(String, Vec<u8>)>, ReportError> {
    let untitled: Vec<Picture> = if titled { Vec::new() } else { report.pictures().map(Picture::untitled).collect() };
    let pictures: Vec<&Picture> = if titled { report.pictures().collect() } else { untitled.iter().collect() };
    let mut files = Vec::new();
    for &format in formats {
        match format {
            Format::Csv | Format::Json => {}
            Format::Md => {
                let image = [Format::Png, Format::Svg].into_iter().find(|image| formats.contains(image));
                files.push(("REPORT.md".to_owned(), markdown::render(report, image).into_bytes()));
            }
            Format::Html => files.push(("report.html".to_owned(), html::render(report).into_bytes())),
            Format::Svg => {
                let svg = |picture: &Picture| picture.svg(report.synthetic).into_bytes();
                files.extend(pictures.iter().map(|picture| (format!("{}.svg", picture.file_stem()), svg(picture))));
            }
            Format::Png | Format::Pdf => {
                // Drawing is the one slow part; each picture stands alone, and their order is kept.
                let file = |picture: &&Picture| {
                    let name = format!("{}.{}", picture.file_stem(), format.name());
                    drawn(picture, format, report.synthetic).map(|bytes| (name, bytes))
                };
                files.extend(parallel::map(&pictures, file).into_iter().collect::<Result<Vec<_>, _>>()?);
            }
        }
    }
    Ok(files)
}

/// `picture` in pixels or as a page.
#[cfg(feature = "png")]
fn drawn(picture: &Picture, format: Format, synthetic: bool) -> Result<Vec<u8>, ReportError> {
    use super::{
        SYNTHETIC,
        figure::{pdf, png},
    };
    let scene = picture.scene(synthetic);
    let drawn = if format == Format::Pdf {
        pdf::render(scene, &picture.title, &picture.described(synthetic.then_some(SYNTHETIC)))
    } else {
        png::render(scene)
    };
    drawn.map_err(|reason| ReportError::Draw { picture: picture.id.clone(), format: format.name(), reason })
}

#[cfg(not(feature = "png"))]
fn drawn(_: &Picture, format: Format, _: bool) -> Result<Vec<u8>, ReportError> {
    Err(ReportError::NotBuilt { format: format.name() })
}

#[cfg(test)]
mod tests {
    use super::super::model::tests::sample;
    use super::*;

    #[cfg(feature = "png")]
    #[test]
    fn every_format_gives_its_files_and_the_same_ones_twice() {
        let report = sample();
        let files = files(&report, &Format::ALL, true).unwrap();
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["REPORT.md", "report.html", "cosine.svg", "cosine.png", "cosine.pdf"]);
        assert!(files.iter().all(|(_, bytes)| !bytes.is_empty()));
        assert_eq!(files, super::files(&report, &Format::ALL, true).unwrap());
        let untitled = super::files(&report, &Format::ALL, false).unwrap();
        let same: Vec<bool> = files.iter().zip(&untitled).map(|(a, b)| a == b).collect();
        assert_eq!(same, [true, true, false, false, false], "pages keep the titles of their pictures");
    }

    #[test]
    fn the_document_links_the_picture_files_that_exist() {
        let report = sample();
        let text = |formats: &[Format]| {
            let files = files(&report, formats, true).unwrap();
            String::from_utf8(files.into_iter().find(|(name, _)| name == "REPORT.md").unwrap().1).unwrap()
        };
        assert!(text(&[Format::Md, Format::Svg]).contains("](cosine.svg)"));
        assert!(!text(&[Format::Md]).contains("](cosine."));
    }
}
