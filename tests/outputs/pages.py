#!/usr/bin/env python3
"""Reads the PDF of each picture with pypdf: one page of the size of the SVG, with every line of its text. usage: pages.py FOLDER..."""
import sys
from pathlib import Path
from xml.etree import ElementTree

from pypdf import PdfReader


def lines(svg):
    """The lines of text of an SVG, without what only the pointer is told."""
    for text in svg.iter("{http://www.w3.org/2000/svg}text"):
        yield (text.text or "") + "".join(child.tail or "" for child in text)


def main():
    pages = count = 0
    for svg_path in sorted(path for folder in sys.argv[1:] for path in Path(folder).glob("*.svg")):
        svg = ElementTree.parse(svg_path).getroot()
        pdf = PdfReader(svg_path.with_suffix(".pdf"), strict=True)
        if len(pdf.pages) != 1:
            sys.exit(f"{svg_path}: {len(pdf.pages)} pages")
        page = pdf.pages[0]
        size = [float(svg.get("width")) * 0.75, float(svg.get("height")) * 0.75]
        if any(abs(a - float(b)) > 0.01 for a, b in zip(size, page.mediabox.upper_right)):
            sys.exit(f"{svg_path}: the page is {page.mediabox}, the picture {size}")
        read = "".join(page.extract_text().split())
        for line in lines(svg):
            count += 1
            if "".join(line.split()) not in read:
                sys.exit(f"{svg_path}: `{line}` is not in the text of the PDF:\n{read}")
        pages += 1
    if pages == 0:
        sys.exit("no pictures")
    print(f"{pages} pages of PDF: {count} lines of text as in the SVG")


if __name__ == "__main__":
    main()
