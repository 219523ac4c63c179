"""Strings that a tokenizer finds hard, made from a seed: languages, marks, controls, emoji, code points at random."""

import random
import unicodedata

LANGUAGES = """
The quick brown fox doesn't jump over the lazy dog; unaffable tokenization, e.g. 3.14% of $1,000.00!
Der Fußgängerübergang in Köln ist größer als gewöhnlich, sagte Frau Müller-Lüdenscheidt.
L’élève a mangé une crêpe à Noël, où ça ? Là-bas, naïve garçonne.
El niño comió piñas en España; ¿cuántas? ¡Muchísimas!
İstanbul'da ılık bir IŞIK, ığdır ve İZMİR; Iğdır'ın çağrısı.
Zażółć gęślą jaźń, Łódź. Příliš žluťoučký kůň úpěl ďábelské ódy.
Tiếng Việt: Nguyễn Huệ đã chiến thắng quân Thanh ở Ngọc Hồi.
Широкая электрификация южных губерний даст мощный толчок. Ёлка, йод, Їжак.
Ὅμηρος ὁ ποιητής: μῆνιν ἄειδε θεὰ Πηληϊάδεω Ἀχιλῆος. ΟΔΥΣΣΕΥΣ ΣΟΦΟΣ.
שָׁלוֹם עֲלֵיכֶם, מַה שְּׁלוֹמְךָ הַיּוֹם?
السَّلامُ عَلَيْكُم وَرَحْمَةُ اللهِ، كيف حالك؟ ١٢٣
فارسی می‌خواهم ۴۵۶ نیم‌فاصله
हिन्दी में क्षत्रिय और ज़मीन; किताबें पढ़ो।
বাংলা ভাষা খুব সুন্দর কো কৌ
தமிழ் மொழி கொ கோ கௌ யாதும் ஊரே
తెలుగు భాష తీయనిది ಕನ್ನಡ ಕೋ ೈೋ
മലയാളം കൊച്ചി സിംഹള ශ්‍රී ලංකාව
ภาษาไทยไม่มีช่องว่าง น้ำ กรุงเทพฯ
ພາສາລາວ ຂອບໃຈ ཡིག་ བོད་སྐད་ ཧཱུྃ
မြန်မာဘာသာ ភាសាខ្មែរ ក្រុង
한국어 각각 값이 없다. 가나다 뷁
日本語のテキスト、カタカナとひらがな。が か゚ ﾊﾟ
中文分词没有空格，请处理。𠀀𪜶𫝀 豈更車 丽
ქართული ენა ᲥᲐᲠᲗᲣᲚᲘ Հայերեն և
አማርኛ ትግርኛ ᏣᎳᎩ ꭰꭱ ᐃᓄᒃᑎᑐᑦ
👨‍👩‍👧‍👦 👍🏽 🏳️‍🌈 1️⃣ 🇩🇪🇫🇷 ☺︎ 😀😀
ﬁnance ﬂow ½ ⅷ ㎏ ℃ Å Ω K ſ ẞ ǆ Ǆ ǅ ŉ ΐ ᾳ
x̂ = Σ a_i·b^i ≤ ∞ → ∂f/∂x ∈ ℝ⁺ 𝒜𝓑 𝟘 ﬃ
https://example.org/a?b=c&d=%20#e user@host ~/.config C:\\dir <b>html</b> {"json": [1, 2]}
I'm, you've, can't, do not, it's n't ' quote ' , . ! ? we're
supercalifragilisticexpialidocious pneumonoultramicroscopicsilicovolcanoconiosis
"""

SPACES = "    \t\n\r\x0b\x0c\x1c\x85\xa0\u1680\u2000\u2009\u2028\u2029\u202f\u205f\u3000\u200b\ufeff\u180e"
CONTROLS = ("\0\x01\x07\x08\x0e\x1b\x1f\x7f\x80\x9f\xad\u200c\u200d\u200e\u202e\u2060\u2066\ufffd\ufffe"
            "\U000e0001\U000e0041")
MARKS = ("\u0300\u0301\u0308\u030a\u0316\u0323\u0327\u0328\u031b\u0334\u0338\u0344\u0345\u0340\u0343\u035c\u05b0\u05c1"
         "\u064b\u0651\u0655\u0670\u093c\u094d\u09be\u0bbe\u0bca\u0ccb\u0f39\u0f71\u0f73\u0f75\u0f81\u1037\u1734\u1885"
         "\u1dfa\u302a\u302e\u302f\u3099\ua9bd\U0001d165\U0001d16e\U0001d170\U000111c9\U00016ff0\U0001e8d0\u0d3b\u1715")
SPECIALS = ["[SEP]", "[CLS]", "[MASK]", "[PAD]", "[UNK]", "[sep]", "[ SEP ]", "[[SEP]]", "[SEP][SEP]", "##ing", "@@ed",
            "##"]


def bank():
    return [line for line in LANGUAGES.split("\n") if line]


class Corpus:
    """Makes strings; `tokens` are contents of added tokens that shall occur in them."""

    def __init__(self, seed, tokens=()):
        self.random = random.Random(seed)
        self.bank = bank()
        self.tokens = list(tokens)
        self.points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
        self.assigned = [c for c in self.points if unicodedata.category(chr(c)) not in ("Cn", "Co")]
        self.makers = [self.phrase, self.phrase, self.words, self.words, self.marked, self.soup, self.assigned_soup,
                       self.block, self.spaced, self.special, self.special, self.mixed, self.mixed, self.decomposed]

    def string(self):
        return self.random.choice(self.makers)()

    def pick(self, text, most):
        return "".join(self.random.choice(text) for _ in range(self.random.randint(1, most)))

    def phrase(self):
        line = self.random.choice(self.bank)
        begin = self.random.randrange(len(line))
        return line[begin:begin + self.random.randint(1, 40)]

    def words(self):
        found = [self.random.choice(self.random.choice(self.bank).split(" ")) for _ in range(self.random.randint(1, 6))]
        change = self.random.choice([str, str, str.upper, str.lower, str.title, str.swapcase])
        return change(self.random.choice([" ", " ", "  ", "-", ""]).join(found))

    def decomposed(self):
        return unicodedata.normalize(self.random.choice(["NFC", "NFD", "NFKC", "NFKD"]), self.words())

    def marked(self):
        text = self.random.choice(["", "a", "é", "ế", "각", "\U0001d15e", "ក", "İ", "中"])
        for _ in range(self.random.randint(1, 5)):
            text += self.pick(MARKS, 6) + self.random.choice(["", "", " ", "o", "Å", "\U0001d161", "ཱི", "か"])
        return text

    def soup(self):
        return "".join(chr(self.random.choice(self.points)) for _ in range(self.random.randint(1, 8)))

    def assigned_soup(self):
        return "".join(chr(self.random.choice(self.assigned)) for _ in range(self.random.randint(1, 8)))

    def block(self):
        start = self.random.choice(self.assigned)
        points = [start + self.random.randint(-40, 40) for _ in range(self.random.randint(2, 10))]
        return "".join(chr(c) for c in points if 0 <= c < 0x110000 and not 0xD800 <= c < 0xE000)

    def spaced(self):
        parts = [self.random.choice(self.words().split(" ")) for _ in range(self.random.randint(1, 4))]
        return "".join(self.pick(SPACES, 3) + part + self.pick(CONTROLS, 1) for part in parts) + self.pick(SPACES, 2)

    def special(self):
        known = SPECIALS + self.tokens + self.tokens
        text = ""
        for _ in range(self.random.randint(1, 5)):
            token = self.random.choice(known)
            change = self.random.choice([str, str, str, str.upper, str.lower, self.with_mark])
            text += change(token)
            text += self.random.choice(["", "", " ", "  ", "\t ", "x", "_", "é", "!", "\u3000", "中", "\u0301"])
        return text

    def with_mark(self, token):
        at = self.random.randint(0, len(token))
        return token[:at] + self.random.choice("\u0301\u0323\0\u200d ") + token[at:]

    def mixed(self):
        return "".join(self.random.choice(self.makers[:11])() for _ in range(self.random.randint(2, 3)))


def long_strings():
    """(string, how often) that are repeated to a long text."""
    return [("a", 5000), ("a ", 3000), ("é", 2500), ("中", 4000), ("\u0301\u0316", 900), ("a\u0301\u0327", 1500),
            ("!", 3000), ("각", 1500), ("İ", 1200), (" ", 4000), ("\0", 3000), ("[SEP]", 900),
            ("word \u0323\u0301", 1200), ("unaffable,", 1000), ("\U0001d15e", 700), ("👨‍👩‍👧", 500),
            (bank()[0] + "\n", 300), (bank()[22] + " ", 300), (bank()[10], 200),
            ("x" * 100 + " " + "y" * 101 + " ", 20), ("ⓐ" * 33 + " ", 90), ("\u0316\u0301\U0001d165", 1000)]
