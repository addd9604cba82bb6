"""Makes the bundled fonts and `advances.txt` from DejaVu Sans 2.37 (Debian `fonts-dejavu-core`).

Run in this folder: `python subset.py /usr/share/fonts/truetype/dejavu`; needs fonttools.
"""

import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

RANGES = [
    (0x0020, 0x007E),  # ASCII
    (0x00A0, 0x024F),  # Latin-1, Latin Extended-A and -B
    (0x0300, 0x036F),  # combining marks
    (0x0370, 0x03FF),  # Greek
    (0x0400, 0x052F),  # Cyrillic
    (0x1E00, 0x1EFF),  # Latin Extended Additional
    (0x2010, 0x2027),  # dashes, quotation marks, bullet, ellipsis
    (0x2030, 0x203A),
    (0x2070, 0x208E),  # superscripts, subscripts
    (0x20A0, 0x20BF),  # currencies
    (0x2116, 0x2116),
    (0x2122, 0x2122),
    (0x2190, 0x2194),  # arrows
    (0x2202, 0x2202),
    (0x2206, 0x2206),
    (0x2208, 0x2208),
    (0x2211, 0x2212),
    (0x2219, 0x221A),
    (0x221E, 0x221E),
    (0x2248, 0x2248),
    (0x2260, 0x2260),
    (0x2264, 0x2265),
    (0x25B2, 0x25B2),
    (0x25BC, 0x25BC),
]


def main(folder: str) -> None:
    tables = []
    for style, face in (("DejaVuSans", "regular"), ("DejaVuSans-Bold", "bold")):
        font = TTFont(Path(folder) / f"{style}.ttf")
        options = subset.Options(layout_features=["ccmp", "mark", "mkmk"], hinting=False, name_IDs=[0, 1, 2, 4, 5, 6, 13, 14], notdef_outline=True)
        subsetter = subset.Subsetter(options)
        subsetter.populate(unicodes=[c for low, high in RANGES for c in range(low, high + 1)])
        subsetter.subset(font)
        # Marks are placed by the font. Kerning would make widths depend on pairs; dropped, so that a width is a sum of advances.
        if "kern" in font:
            del font["kern"]
        font["head"].modified = font["head"].created
        font.recalcTimestamp = False
        font.save(f"{style}.subset.ttf")
        assert font["head"].unitsPerEm == 2048
        cmap, widths = font.getBestCmap(), font["hmtx"].metrics
        runs: list[tuple[int, list[int]]] = []
        for code in sorted(cmap):
            if runs and runs[-1][0] + len(runs[-1][1]) == code:
                runs[-1][1].append(widths[cmap[code]][0])
            else:
                runs.append((code, [widths[cmap[code]][0]]))
        tables.append((face, runs))

    # One run of code points a line: the first, and the advances from there on in 1/2048 em.
    with open("advances.txt", "w", encoding="utf-8") as out:
        for face, runs in tables:
            out.write(f"{face}\n")
            for start, row in runs:
                out.write(f"{start:04X} {' '.join(map(str, row))}\n")


main(sys.argv[1])
