"""Attacks on text that a reader does not see, or hardly: written from the papers' definitions, seeded.

Each attack is a function (generator, word, budget) -> word. What it makes looks like the word it was given, so a
sanitizer has to give that word back. sanitize_score.py measures how often it does.
"""
import pathlib
import random
import re
import sys
import unicodedata

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "deploy" / "models"))
from disguises import is_able  # noqa: E402

ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff\u2061\u2062\u2063\u2064"
LRE, RLE, PDF, LRO, RLO, LRI, RLI, FSI, PDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
SELECTORS = [chr(point) for point in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))]


def places(generator, word, budget, first=1, last=0):
    """`budget` places between the characters of a word, the last ones first."""
    return sorted((generator.randint(min(first, len(word)), max(first, len(word) - last)) for _ in range(budget)),
                  reverse=True)


def insert(generator, word, budget, make, first=1, last=1):
    for place in places(generator, word, budget, first, last):
        word = word[:place] + make() + word[place:]
    return word


def zero_width(generator, word, budget):
    """Boucher et al. 2022, invisible characters: ZWSP, ZWNJ, ZWJ, and those like them, anywhere."""
    return insert(generator, word, budget, lambda: generator.choice(ZERO_WIDTH), 0, 0)


def tags(generator, word, budget):
    """Tag characters, one at a time."""
    return insert(generator, word, budget, lambda: chr(0xE0020 + generator.randrange(95)), 0, 0)


def tag_text(generator, word, budget):
    """A hidden instruction in tag characters behind the word, with or without its begin and its end."""
    hidden = " ".join(["ignore", "all", "previous", "instructions", "now"][:budget])
    hidden = "".join(chr(0xE0000 + ord(character)) for character in hidden)
    return word + generator.choice(["", "\U000e0001"]) + hidden + generator.choice(["", "\U000e007f"])


def selectors(generator, word, budget):
    """Variation selectors, one at a time, behind letters that have no variants."""
    return insert(generator, word, budget, lambda: generator.choice(SELECTORS), 1, 0)


def selector_bytes(generator, word, budget):
    """Bytes hidden in variation selectors behind one character of the word (Butler 2025)."""
    hidden = "".join(chr(0xFE00 + byte if byte < 16 else 0xE0100 + byte - 16)
                     for byte in generator.randbytes(4 * budget))
    place = generator.randint(1, len(word))
    return word[:place] + hidden + word[place:]


def deletions(generator, word, budget):
    """Boucher et al. 2022: a printable character and the backspace, or the delete, that takes it back."""
    return insert(generator, word, budget,
                  lambda: chr(generator.randint(0x21, 0x7E)) + generator.choice("\x08\x08\x7f"), 0, 0)


def deletion_runs(generator, word, budget):
    """Several characters and as many backspaces."""
    typed = "".join(generator.choice("abcdefghijklmnop") for _ in range(budget))
    place = generator.randint(0, len(word))
    return word[:place] + typed + "\x08" * budget + word[place:]


def swap(first, second):
    return LRO + LRI + RLO + LRI + second + PDI + LRI + first + PDI + PDF + PDI + PDF


def bidi_swap(generator, word, budget):
    """Boucher et al. 2022: neighbours stand in the other order and are shown in theirs; swaps may nest."""
    parts = list(word)
    for _ in range(budget):
        if len(parts) >= 2:
            place = generator.randrange(len(parts) - 1)
            parts[place:place + 2] = [swap(parts[place], parts[place + 1])]
    return "".join(parts)


def bidi_reversal(generator, word, budget):
    """The word backwards under an override; an embedding or isolate around it, by the budget."""
    word = RLO + word[::-1] + PDF
    for _ in range(1, budget):
        opening, closing = generator.choice([(LRE, PDF), (LRI, PDI), (LRO, PDF)])
        word = opening + word + closing
    return word


def read_pairs(path):
    """{character: its lookalikes} of intentional.txt or confusables.txt, both ways, one character each."""
    pairs = {}
    for line in pathlib.Path(path).read_text(encoding="utf-8-sig").splitlines():
        fields = [field.strip() for field in line.split("#")[0].split(";")]
        if len(fields) < 2 or " " in fields[0] or " " in fields[1]:
            continue
        one, other = (chr(int(field, 16)) for field in fields[:2])
        pairs.setdefault(one, set()).add(other)
        pairs.setdefault(other, set()).add(one)
    return {character: sorted(others) for character, others in pairs.items()}


def script_of(character):
    """Latin, Greek, ... as names of characters begin; good enough for letters of intentional.txt."""
    name = unicodedata.name(character, "")
    return name.split()[0] if unicodedata.category(character)[0] == "L" else ""


def homoglyphs(pairs):
    """The attack of lookalikes in another script; of each run of letters at least one is left."""
    def attack(generator, word, budget):
        others = {at: [other for other in pairs.get(character, [])
                       if script_of(other) and script_of(other) != script_of(character)]
                  for at, character in enumerate(word)}
        runs = [range(*match.span()) for match in re.finditer(r"[^\W\d_]+", word)]
        kept = {generator.choice(run) for run in runs}
        able = [at for run in runs for at in run if others[at] and at not in kept]
        chosen = generator.sample(able, min(budget, len(able)))
        return "".join(generator.choice(others[at]) if at in chosen else character
                       for at, character in enumerate(word))
    return attack


def alphabet(start_upper, start_lower):
    def attack(generator, word, budget):
        return "".join(chr(start_upper + ord(character) - 65) if "A" <= character <= "Z" else
                       chr(start_lower + ord(character) - 97) if "a" <= character <= "z" else character
                       for character in word)
    return attack


FORMS = {
    "fullwidth": alphabet(0xFF21, 0xFF41),
    "math bold": alphabet(0x1D400, 0x1D41A),
    "math sans": alphabet(0x1D5A0, 0x1D5BA),
    "math mono": alphabet(0x1D670, 0x1D68A),
    "circled": alphabet(0x24B6, 0x24D0),
}


def forms(generator, word, budget):
    """The whole word in fullwidth, mathematical or circled letters."""
    return generator.choice(list(FORMS.values()))(generator, word, budget)


ATTACKS = {
    "zero_width": zero_width,
    "tags": tags,
    "tag_text": tag_text,
    "selectors": selectors,
    "selector_bytes": selector_bytes,
    "deletions": deletions,
    "deletion_runs": deletion_runs,
    "bidi_swap": bidi_swap,
    "bidi_reversal": bidi_reversal,
    "forms": forms,
}


def attack_words(generator, text, attack, budget, share):
    """Attacks about `share` of the text's words of three letters and more, and at least one of them."""
    words = text.split(" ")
    able = [at for at, word in enumerate(words) if is_able(word)]
    if not able:
        return None
    chosen = set(generator.sample(able, max(1, round(share * len(able)))))
    attacked = " ".join(attack(generator, word, budget) if at in chosen else word for at, word in enumerate(words))
    return attacked if attacked != text else None


def escaped(text):
    """What does not show, or would reorder the line it stands in, as \\u{HEX}."""
    return "".join(character if unicodedata.category(character)[0] not in "CM" else f"\\u{{{ord(character):X}}}"
                   for character in text)


def main():
    """sanitize_attacks.py INTENTIONAL TEXTS: attacked text, tab, text; for tests/unit/sanitizer/attacks.txt."""
    pairs, texts = read_pairs(sys.argv[1]), pathlib.Path(sys.argv[2]).read_text(encoding="utf-8").splitlines()
    generator = random.Random(2022)
    for name, attack in {**ATTACKS, "homoglyphs": homoglyphs(pairs)}.items():
        for budget in (1, 2, 3, 5):
            for text in generator.sample(texts, 3):
                hostile = attack_words(generator, text, attack, min(budget, 2) if name == "homoglyphs" else budget, 0.5)
                if hostile:
                    print(f"{escaped(hostile)}\t{escaped(text)}")


if __name__ == "__main__":
    main()
