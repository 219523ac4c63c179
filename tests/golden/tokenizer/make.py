"""Makes what tests/unit/tokenizer compares with: strings.bin, <configuration>/tokenizer.json and expected.bin,
characters.bin, and with a checkpoint's folder also minilm/expected.bin.

    python tests/golden/tokenizer/make.py models/all-MiniLM-L6-v2

Needs the PyPI packages tokenizers 0.23 and sentencepiece. All numbers are little-endian.
    strings.bin     u32 count, then of each: u32 how often it is repeated, u32 size, UTF-8
    expected.bin    u16 a string (of a pipeline: PIPELINE_COUNT strings from PIPELINE_FIRST on): the lower half
                    of the CRC-32 over what the library gives for it; see cases()
    characters.bin  u32 a block of 256 code points: the CRC-32 over what the library makes of each; see character()
"""

import argparse
import json
import pathlib
import random
import shutil
import struct
import zlib

import numpy
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

import configurations
import pipelines
from corpus import Corpus, long_strings

FOLDER = pathlib.Path(__file__).parent
STRING_COUNT = 20000
SEED = 20240607
LONG_BYTES = 2000  # what is longer is not truncated: the library needs quadratic time for what it cuts off
PIPELINE_FIRST = 25  # behind the long strings, for which the library needs minutes where words are long
PIPELINE_COUNT = 500
FAILED = struct.pack("<I", 0xFFFFFFFF)
STRATEGIES = ["longest_first", "only_first", "only_second"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("minilm", nargs="?", help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--only", nargs="*", help="make these configurations alone, without characters.bin")
    arguments = parser.parse_args()
    strings = make_strings()
    write_strings(strings)
    some = range(PIPELINE_FIRST, PIPELINE_FIRST + PIPELINE_COUNT)
    for made, numbers in ((configurations.make_all(), range(len(strings))), (pipelines.make_all(), some)):
        for name, tokenizer in made.items():
            if arguments.only is None or name in arguments.only:
                write_tokenizer(FOLDER / name, tokenizer, strings, numbers)
    if arguments.minilm:
        folder = FOLDER / "minilm"
        folder.mkdir(exist_ok=True)
        write_expected(folder, Tokenizer.from_file(arguments.minilm + "/tokenizer.json"), strings, range(len(strings)))
    if arguments.only is None:
        (FOLDER / "characters.bin").write_bytes(characters())
    shutil.rmtree(FOLDER / "__pycache__", ignore_errors=True)


def make_strings():
    """[(string, how often it is repeated)]."""
    corpus = Corpus(SEED, configurations.added_contents())
    chooser = random.Random(SEED)
    strings = [("", 1), (" ", 1), ("\0", 1)] + long_strings()
    while len(strings) < STRING_COUNT:
        strings.append((corpus.string()[:chooser.choice([8, 16, 24, 32, 80])], 1))
    return strings


def write_strings(strings):
    parts = [struct.pack("<I", len(strings))]
    for string, repeat in strings:
        encoded = string.encode()
        parts.append(struct.pack("<II", repeat, len(encoded)) + encoded)
    (FOLDER / "strings.bin").write_bytes(b"".join(parts))


def write_tokenizer(folder, tokenizer, strings, numbers):
    folder.mkdir(exist_ok=True)
    compact = json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, separators=(",", ":"))
    (folder / "tokenizer.json").write_text(compact + "\n", encoding="utf-8")
    write_expected(folder, Tokenizer.from_str(compact), strings, numbers)


def write_expected(folder, tokenizer, strings, numbers):
    tokenizer.no_padding()
    whole = [string * repeat for string, repeat in strings]
    checks = numpy.array([cases(tokenizer, whole, number) & 0xFFFF for number in numbers], "<u2")
    (folder / "expected.bin").write_bytes(checks.tobytes())
    print(folder.name, (folder / "expected.bin").stat().st_size)


def cases(tokenizer, strings, number):
    """The check of string `number`: alone, in a pair, truncated, without special tokens, decoded."""
    text, pair = strings[number], strings[(number * 7 + 3) % len(strings)]
    short = max(len(text.encode()), len(pair.encode())) <= LONG_BYTES
    check = 0
    for with_pair, parse, special, room, left, strategy in [
            (False, False, True, 0, False, 0),
            (False, True, True, 0, False, 0),
            (True, False, True, 0, False, 0),
            (False, number % 3 == 0, True, 1 + number % 11, number % 2 == 1, 0),
            (True, number % 5 == 0, True, 1 + number % 23, number // 2 % 2 == 1, number % 3),
            (number % 2 == 1, False, False, 0, False, 0)]:
        if room and not short:
            continue
        added = tokenizer.num_special_tokens_to_add(with_pair) if special else 0
        limit = (added + room) if room else 0
        result = encode(tokenizer, text, pair if with_pair else None, parse, special, limit, left, strategy)
        check = zlib.crc32(result, check)
    ids = tokenizer.encode(text).ids if set_up(tokenizer, True, 0, False, 0) else []
    for skip in (False, True):
        decoded = tokenizer.decode(ids, skip_special_tokens=skip).encode()
        check = zlib.crc32(struct.pack("<I", len(decoded)) + decoded, check)
    return check


def set_up(tokenizer, parse, limit, left, strategy):
    tokenizer.encode_special_tokens = not parse
    tokenizer.no_truncation()
    if limit:
        tokenizer.enable_truncation(limit, strategy=STRATEGIES[strategy], direction="left" if left else "right")
    return True


def encode(tokenizer, text, pair, parse, special, limit, left, strategy):
    """u32 count, then u32 ids, begins and ends in bytes, type ids; or FAILED."""
    set_up(tokenizer, parse, limit, left, strategy)
    try:
        encoding = tokenizer.encode(text, pair, add_special_tokens=special)
    except Exception as error:  # the library raises nothing more precise
        if "Truncation error" not in str(error):
            raise
        return FAILED
    starts = [byte_starts(text), byte_starts(pair or "")]
    offsets = [(0, 0) if sequence is None else (starts[sequence][begin], starts[sequence][end])
               for (begin, end), sequence in zip(encoding.offsets, encoding.sequence_ids)]
    numbers = [len(encoding.ids), *encoding.ids, *(n for pair_ in offsets for n in pair_), *encoding.type_ids]
    return numpy.array(numbers, "<u4").tobytes()


def byte_starts(text):
    return numpy.cumsum([0] + [len(c.encode()) for c in text]).tolist()


def characters():
    """characters.bin."""
    ask = Questions()
    blocks = []
    for block in range(0, 0x110000, 256):
        points = [c for c in range(block, block + 256) if not 0xD800 <= c < 0xE000]
        blocks.append(zlib.crc32(b"".join(ask.character(c) for c in points)))
    return numpy.array(blocks, "<u4").tobytes()


class Questions:
    """What the library makes of one code point."""

    # A mark of each combining class of Unicode 9, by rising class.
    CLASSES = {1: 0x334, 7: 0x93C, 8: 0x3099, 9: 0x94D, 10: 0x5B0, 11: 0x5B1, 12: 0x5B2, 13: 0x5B3, 14: 0x5B4,
               15: 0x5B5, 16: 0x5B6, 17: 0x5B7, 18: 0x5B8, 19: 0x5B9, 20: 0x5BB, 21: 0x5BC, 22: 0x5BD, 23: 0x5BF,
               24: 0x5C1, 25: 0x5C2, 26: 0xFB1E, 27: 0x64B, 28: 0x64C, 29: 0x64D, 30: 0x64E, 31: 0x64F, 32: 0x650,
               33: 0x651, 34: 0x652, 35: 0x670, 36: 0x711, 84: 0xC55, 91: 0xC56, 103: 0xE38, 107: 0xE48,
               118: 0xEB8, 122: 0xEC8, 129: 0xF71, 130: 0xF72, 132: 0xF74, 202: 0x321, 214: 0x1DCE, 216: 0x31B,
               218: 0x302A, 220: 0x316, 222: 0x59A, 224: 0x302E, 226: 0x1D16D, 228: 0x5AE, 230: 0x300, 232: 0x302C,
               233: 0x35C, 234: 0x35D, 240: 0x345}

    def __init__(self):
        def one(**flag):
            return normalizers.BertNormalizer(**{"clean_text": False, "handle_chinese_chars": False,
                                                 "strip_accents": False, "lowercase": False, **flag}).normalize_str
        self.clean, self.chinese = one(clean_text=True), one(handle_chinese_chars=True)
        self.strip, self.lower = one(strip_accents=True), one(lowercase=True)
        self.decompose = normalizers.NFD().normalize_str
        self.words = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
        self.beside = Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]"))
        self.beside.add_tokens([AddedToken("QZ", single_word=True, normalized=False)])

    def combining_class(self, c):
        """By which marks stay in front of `c`."""
        if self.decompose("a\u0345" + c) == "a\u0345" + c and self.decompose("a" + c + "\u0334") == "a" + c + "\u0334":
            return 0
        stays = [0] + [number for number, mark in self.CLASSES.items()
                       if self.decompose("a" + chr(mark) + c) == "a" + chr(mark) + c]
        return stays[-1]

    def character(self, point):
        """u8 flags in the order of CharacterFlag from CONTROL to MARK, then WORD; u8 combining class; u8 count and u32
        each of the decomposition, and the same of the lower case."""
        c = chr(point)
        pieces = len(self.words("a" + c + "b"))
        decomposed, lower = self.decompose(c), self.lower(c)
        flags = [self.clean(c) == "", pieces == 2, self.chinese(c) != c, pieces == 3,
                 self.strip(c) == "" and decomposed == c, self.beside.encode("QZ" + c).ids[0] == 0]
        combining_class = self.combining_class(c) if decomposed == c else 0
        packed = struct.pack("<BB", sum(flag << bit for bit, flag in enumerate(flags)), combining_class)
        for result in (decomposed, lower):
            packed += struct.pack(f"<B{len(result)}I", len(result), *map(ord, result))
        return packed


if __name__ == "__main__":
    main()
