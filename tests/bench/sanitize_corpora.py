"""Honest text of many languages, out of Debian's packages:

    unicode-data unicode-cldr-core iso-codes manpages-{de,fr,ja,ru,el,uk,...} fortunes-{de,ru,cs,...} hunspell-*

Each reader takes the root of a file system on which they are installed and yields (group, text).
"""
import gettext
import gzip
import pathlib
import re
import unicodedata
import xml.etree.ElementTree

NOT_PROSE = ("exemplarCharacters", "parseLenient", "cr", "pattern")  # of CLDR: sets and rules


def emoji(root):
    """Every sequence of emoji-test.txt: alone, in a sentence, and beside another."""
    before = "🙂"
    for line in (root / "usr/share/unicode/emoji/emoji-test.txt").read_text(encoding="utf-8").splitlines():
        points = line.split("#")[0].split(";")[0].split()
        if points:
            sequence = "".join(chr(int(point, 16)) for point in points)
            yield "emoji", sequence
            yield "emoji", f"Nice {sequence}, see you{sequence}!"
            yield "emoji", before + sequence + before
            before = sequence


def cldr_annotations(root):
    for folder in ("annotations", "annotationsDerived"):
        for path in sorted((root / "usr/share/unicode/cldr/common" / folder).glob("*.xml")):
            for element in xml.etree.ElementTree.parse(path).iter("annotation"):
                for text in (element.text or "").split("|"):
                    if text.strip() and "↑" not in text:
                        yield path.stem, text.strip()


def cldr_main(root):
    """Names of languages, countries, months and units."""
    for path in sorted((root / "usr/share/unicode/cldr/common/main").glob("*.xml")):
        for element in xml.etree.ElementTree.parse(path).iter():
            text = (element.text or "").strip()
            if text and "↑" not in text and element.tag not in NOT_PROSE:
                yield path.stem, text


def iso_codes(root):
    for path in sorted(root.glob("usr/share/locale/*/LC_MESSAGES/iso_*.mo")):
        with open(path, "rb") as file:
            try:
                catalog = gettext.GNUTranslations(file)._catalog
            except UnicodeDecodeError:
                continue
        for key, text in catalog.items():
            if key and text:
                yield path.parts[-3], text


def manual_pages(root):
    """Lines of translated manual pages, without their roff requests and fonts."""
    for path in sorted(root.glob("usr/share/man/*/man*/*.gz")):
        language = path.parts[-3]
        raw = gzip.decompress(path.read_bytes())
        try:
            page = raw.decode()
        except UnicodeDecodeError:
            continue
        for line in page.splitlines():
            line = re.sub(r"^[.'][A-Za-z]* ?", "", line) if not line.startswith(('.\\"', "'\\\"")) else ""
            line = re.sub(r"\\f(\[[^]]*\]|\([A-Za-z]{2}|.)|\\s[-+]?\d|\\&|\\c|\\/|\\,", "", line)
            line = line.replace("\\-", "-").replace("\\ ", " ").strip()
            if line:
                yield language, line


def fortunes(root):
    for path in sorted(root.glob("usr/share/games/fortunes/**/*")):
        if not path.is_file() or path.is_symlink() or path.suffix in (".dat", ".u8"):
            continue
        try:
            content = path.read_bytes().decode()
        except UnicodeDecodeError:
            continue
        group = path.relative_to(root / "usr/share/games/fortunes").parts[0]
        for text in re.split(r"^%.*$", content, flags=re.MULTILINE):
            if text.strip():
                yield group, text.strip("\n")


def fortunes_shown(root):
    """The same as a terminal shows them, without colours, overstruck letters and other control characters."""
    for group, text in fortunes(root):
        shown = []
        for character in re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text):
            if character == "\b":
                shown[-1:] = []
            elif unicodedata.category(character) != "Cc" or character in "\t\n":
                shown.append(character)
        yield group, "".join(shown)


def dictionaries(root):
    """Words of spelling dictionaries that are in UTF-8."""
    for path in sorted(root.glob("usr/share/hunspell/*.dic")):
        affixes = path.with_suffix(".aff")
        if path.is_symlink() or not affixes.exists() or not re.search(rb"^SET +UTF-8", affixes.read_bytes(), re.M):
            continue
        for line in path.read_bytes().decode(errors="replace").splitlines()[1:]:
            word = re.split(r"(?<!\\)/|\t", line)[0].strip()
            if word and "\ufffd" not in word:
                yield path.stem, word


CORPORA = {
    "emoji-test": emoji,
    "CLDR annotations": cldr_annotations,
    "CLDR names": cldr_main,
    "iso-codes": iso_codes,
    "manual pages": manual_pages,
    "fortunes": fortunes,
    "fortunes shown": fortunes_shown,
    "dictionaries": dictionaries,
}


def read(name, root):
    """{text: group}, each text once."""
    texts = {}
    for group, text in CORPORA[name](pathlib.Path(root)):
        texts.setdefault(text, group)
    return texts
