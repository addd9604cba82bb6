//! The fonts of a PDF: each face that its text is set in, cut to the glyphs that are used, with the letters that these stand for.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
};

use flate2::{Compression, write::ZlibEncoder};
use pdf_writer::{
    Dict, Filter, Finish, Name, Pdf, Rect, Ref, Str,
    types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap},
};
use resvg::usvg::{
    Group, Node, Tree,
    fontdb::{FaceInfo, ID},
};
use skrifa::{
    FontRef, GlyphId, MetadataProvider, Tag,
    instance::{LocationRef, Size},
};
use subsetter::GlyphRemapper;

use crate::digest::sha256_hex;

const IDENTITY: SystemInfo<'_> = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };

/// The objects of a font.
const OBJECTS: i32 = 5;

/// The glyphs of a face that are used, with the text that each was set for.
type Glyphs = BTreeMap<u16, String>;

/// Faces in the order in which they are first used; without a font where a face cannot be embedded.
pub(super) struct Fonts(Vec<(ID, Option<Font>)>);

/// An embedded part of a face.
pub(super) struct Font {
    /// What the page calls it.
    name: String,
    reference: Ref,
    pub(super) units_per_em: f32,
    codes: GlyphRemapper,
    /// By code, in thousandths of the size.
    widths: Vec<f32>,
}

impl Fonts {
    /// Embeds the fonts of all text in `tree`, as objects from `first` on.
    pub(super) fn embed(tree: &Tree, pdf: &mut Pdf, first: Ref) -> Self {
        let mut used = Vec::new();
        collect(tree.root(), &mut used);
        let fonts = tree.fontdb();
        let mut reference = first.get();
        let embedded = used.into_iter().map(|(id, glyphs)| {
            let at = Ref::new(reference);
            reference += OBJECTS;
            let face = fonts.face(id);
            (id, face.and_then(|face| fonts.with_face_data(id, |data, _| Font::embed(pdf, at, face, data, &glyphs))?))
        });
        Self(embedded.collect())
    }

    /// Names them to the page.
    pub(super) fn list(&self, mut names: Dict<'_>) {
        for font in self.0.iter().filter_map(|(_, font)| font.as_ref()) {
            names.pair(font.name(), font.reference);
        }
    }

    /// The font of a face, if it could be embedded.
    pub(super) fn get(&self, id: ID) -> Option<&Font> {
        self.0.iter().find(|(of, _)| *of == id)?.1.as_ref()
    }
}

impl Font {
    pub(super) fn name(&self) -> Name<'_> {
        Name(self.name.as_bytes())
    }

    /// The code of a glyph, and how much of the size it takes along the line.
    pub(super) fn code(&self, glyph: u32) -> Option<(u16, f32)> {
        let code = self.codes.get(u16::try_from(glyph).ok()?)?;
        Some((code, self.widths.get(usize::from(code))? / 1000.0))
    }

    /// Embeds the `glyphs` of a face as the objects from `reference` on.
    fn embed(pdf: &mut Pdf, reference: Ref, info: &FaceInfo, data: &[u8], glyphs: &Glyphs) -> Option<Self> {
        let face = FontRef::from_index(data, info.index).ok()?;
        let mut codes = GlyphRemapper::new();
        for &glyph in glyphs.keys() {
            codes.remap(glyph);
        }
        let part = subsetter::subset(data, info.index, &codes).ok()?;
        // Of an OpenType font with cubic outlines PDF takes these alone.
        let cubic = FontRef::new(&part).ok()?.table_data(Tag::new(b"CFF "));
        let file = cubic.map_or(&*part, |table| table.as_bytes());

        let metrics = face.metrics(Size::unscaled(), LocationRef::default());
        let units_per_em = f32::from(metrics.units_per_em);
        let thousandths = |units: f32| (units / units_per_em * 1000.0).round();
        let advances = face.glyph_metrics(Size::unscaled(), LocationRef::default());
        let advance = |glyph| advances.advance_width(GlyphId::new(u32::from(glyph))).unwrap_or_default();
        let widths: Vec<f32> = codes.remapped_gids().map(|glyph| advance(glyph) / units_per_em * 1000.0).collect();

        // Each part of a face has a name of its own, by which a reader keeps it.
        let mark: String = sha256_hex(&part).bytes().take(6).map(|digit| char::from(b'A' + digit % 26)).collect();
        let base = format!("{mark}+{}", info.post_script_name);
        let [cid, descriptor, unicode, program] = [1, 2, 3, 4].map(|further| Ref::new(reference.get() + further));
        let mut font = pdf.type0_font(reference);
        let whole = if cubic.is_some() { format!("{base}-Identity-H") } else { base.clone() };
        font.base_font(Name(whole.as_bytes())).encoding_predefined(Name(b"Identity-H"));
        font.descendant_font(cid).to_unicode(unicode);
        font.finish();
        let mut font = pdf.cid_font(cid);
        font.base_font(Name(base.as_bytes())).system_info(IDENTITY).font_descriptor(descriptor).default_width(0.0);
        font.widths().consecutive(0, widths.iter().copied());
        if cubic.is_some() {
            font.subtype(CidFontType::Type0);
        } else {
            font.subtype(CidFontType::Type2).cid_to_gid_map_predefined(Name(b"Identity"));
        }
        font.finish();
        let mut about = pdf.font_descriptor(descriptor);
        about.name(Name(base.as_bytes())).flags(FontFlags::SYMBOLIC).italic_angle(metrics.italic_angle);
        about.ascent(thousandths(metrics.ascent)).descent(thousandths(metrics.descent));
        about.cap_height(thousandths(metrics.cap_height.unwrap_or(metrics.ascent)));
        let bounds = metrics.bounds.unwrap_or_default();
        let [left, bottom, right, top] = [bounds.x_min, bounds.y_min, bounds.x_max, bounds.y_max].map(thousandths);
        about.bbox(Rect::new(left, bottom, right, top));
        // No face tells the width of its stems; this is what others take by the weight.
        about.stem_v(10.0 + 0.244 * (f32::from(info.weight.0) - 50.0));
        if cubic.is_some() {
            about.font_file3(program)
        } else {
            about.font_file2(program)
        };
        about.finish();
        pdf.cmap(unicode, &letters(&face, &codes, glyphs));
        let compressed = deflate(file).ok()?;
        let mut stream = pdf.stream(program, &compressed);
        stream.filter(Filter::FlateDecode);
        if cubic.is_some() {
            stream.pair(Name(b"Subtype"), Name(b"CIDFontType0C"));
        }
        stream.finish();
        Some(Self { name: format!("F{}", reference.get()), reference, units_per_em, codes, widths })
    }
}

/// Which letters each code stands for, for who searches and copies.
fn letters(face: &FontRef<'_>, codes: &GlyphRemapper, glyphs: &Glyphs) -> Vec<u8> {
    let own: BTreeMap<GlyphId, u32> = face.charmap().mappings().map(|(letter, glyph)| (glyph, letter)).collect();
    let mut map = UnicodeCmap::new(Name(b"Letters"), IDENTITY);
    for (&glyph, text) in glyphs {
        let Some(code) = codes.get(glyph) else { continue };
        let own = own.get(&GlyphId::new(u32::from(glyph))).and_then(|&letter| char::from_u32(letter));
        match own {
            Some(letter) if text.chars().count() != 1 => map.pair(code, letter),
            _ if text.is_empty() => {}
            _ => map.pair_with_multiple(code, text.chars()),
        }
    }
    map.finish().into_vec()
}

fn collect(group: &Group, used: &mut Vec<(ID, Glyphs)>) {
    for node in group.children() {
        match node {
            Node::Group(group) => collect(group, used),
            Node::Text(text) => {
                // Of a letter with marks the last glyph carries the text of all.
                let mut before = 0;
                for glyph in text.layouted().iter().flat_map(|span| &span.positioned_glyphs) {
                    let own: String = glyph.text.chars().skip(before).collect();
                    before = if glyph.text.is_empty() { before + 1 } else { 0 };
                    let Ok(number) = u16::try_from(glyph.id.0) else { continue };
                    let at = used.iter().position(|(id, _)| *id == glyph.font).unwrap_or_else(|| {
                        used.push((glyph.font, Glyphs::new()));
                        used.len() - 1
                    });
                    let text = used[at].1.entry(number).or_default();
                    if !own.is_empty() {
                        *text = own;
                    }
                }
            }
            Node::Path(_) | Node::Image(_) => {}
        }
    }
}

/// `bytes` as the filter `FlateDecode` reads them.
pub(super) fn deflate(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = ZlibEncoder::new(Vec::new(), Compression::default());
    out.write_all(bytes)?;
    out.finish()
}
