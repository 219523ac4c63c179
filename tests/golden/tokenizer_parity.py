"""Compares tokenizers with the `tokenizers` library on random texts: BPE and Unigram models alone, most of them odd,
and the whole pipelines of published checkpoints, trained on the spot.

    tests/golden/tokenizer_parity.py [--texts N] [--seed N] [--only KIND ...] [--program PATH]

Of a pipeline, every text is encoded alone and decoded; a tenth also with a pair, truncated, and without looking for
special tokens. Half of the texts meet a tokenizer with further added tokens. Compared are ids, byte offsets, type ids,
and the decoded text. Where the library panics nothing is compared. Needs the PyPI packages tokenizers 0.23,
sentencepiece, numpy. Prints the first difference of each kind, if any, with the seed, and exits with 1 then.
"""

import os

os.environ["TOKENIZERS_PARALLELISM"] = "false"

import argparse
import json
import random
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy
from tokenizers import Tokenizer

sys.path.insert(0, str(Path(__file__).parent / "tokenizer"))
import configurations
import kinds
from corpus import Corpus, long_strings

FAILED, PANIC = 0xFFFFFFFF, None
PLAIN, PARSE, LEFT, SKIP, STRATEGY = 1, 2, 4, 8, 16  # as in tokenizer_encodings.c
STRATEGIES = ["longest_first", "only_first", "only_second"]
PARTS = 10  # of the texts of a pipeline
BATCH = 1000
LONG_SHARE = 0.004
ALPHABETS = ["ab", "abc", "aé中", "abcdefgh ", "▁xyz", "a\U0001f600ßb\n", "<unk>0xA9"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/tests/golden/tokenizer_encodings")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--texts", type=int, default=50000, help="of each kind")
    parser.add_argument("--texts-per-model", type=int, default=500, help="of a model alone")
    parser.add_argument("--only", nargs="*", help="these kinds")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    print(f"{'kind':20}{'texts':>11}{'encodings':>11}{'tokens':>11}{'panics':>11}{'different':>11}{'seconds':>9}")
    compared = {"models: BPE": lambda: compare_models(arguments, make_bpe),
                "models: Unigram": lambda: compare_models(arguments, make_unigram),
                **{kind: lambda make=make: compare_pipeline(arguments, make) for kind, make in kinds.makers().items()}}
    wrong = 0
    for kind, work in compared.items():
        if arguments.only is None or kind in arguments.only:
            start = time.monotonic()
            counts, problem = work()
            print(f"{kind:20}" + "".join(f"{count:11}" for count in counts) + f"{time.monotonic() - start:9.0f}",
                  flush=True)
            wrong += counts[-1]
            if problem:
                print("    " + problem)
    print(f"{wrong} encodings differ")
    return 1 if wrong else 0


def compare_models(arguments, make):
    chance = random.Random(f"{arguments.seed} {make.__name__}")
    counts, problem = numpy.zeros(5, int), None
    while counts[0] < arguments.texts:
        alphabet = chance.choice(ALPHABETS)
        content = json.dumps(make(chance, alphabet))
        texts = [make_text(chance, alphabet) for _ in range(arguments.texts_per_model)]
        more, found = compare(arguments.program, content, [Question(text, flags=PLAIN | PARSE) for text in texts])
        counts += [len(texts), *more]
        problem = problem or (found and f"{found}\n    {content[:2000]}")
    return counts, problem


def compare_pipeline(arguments, make):
    plain = make().to_str()
    counts, problem = numpy.zeros(5, int), None
    for part in range(PARTS):
        chance = random.Random(f"{arguments.seed} {part}")
        tokenizer = Tokenizer.from_str(plain)
        if part % 2:
            tokenizer.add_tokens(more_tokens(chance, tokenizer.normalizer))
        texts = make_texts(chance, tokenizer, -(-arguments.texts // PARTS))
        questions = [question for number in range(len(texts)) for question in ask(chance, tokenizer, texts, number)]
        more, found = compare(arguments.program, tokenizer.to_str(), questions)
        counts += [len(texts), *more]
        problem = problem or found
    return counts, problem


def more_tokens(chance, normalizer):
    """Added tokens, but none of which the normalizer leaves nothing: these let the library loop or panic."""
    tokens = chance.sample(configurations.flag_tokens(), 8) + chance.sample(configurations.blank_tokens(), 3)
    return [token for token in tokens if not token.normalized or not normalizer or
            normalizer.normalize_str(token.content)]


def make_texts(chance, tokenizer, count):
    """Mostly short; the long ones are thousands of characters of one sort, or of all."""
    corpus = Corpus(chance.getrandbits(32), [token.content for token in tokenizer.get_added_tokens_decoder().values()])
    repeated = long_strings()
    texts = ["", " ", "\0"]
    while len(texts) < count:
        if chance.random() > LONG_SHARE:
            texts.append(corpus.string()[:chance.choice([8, 16, 24, 32, 80])])
        elif chance.random() < 0.5:
            text, times = chance.choice(repeated)
            texts.append(text * (times // chance.randint(2, 20)))
        else:
            texts.append("".join(corpus.string() for _ in range(chance.randint(20, 200))))
    return texts


class Question:
    """What to ask both sides; see tokenizer_encodings.c."""

    def __init__(self, text, pair=None, limit=0, flags=0):
        self.text, self.pair, self.limit, self.flags = text, pair, limit, flags

    def pack(self):
        text, pair = self.text.encode(), (self.pair or "").encode()
        size = FAILED if self.pair is None else len(pair)
        return struct.pack("<4I", len(text), size, self.limit, self.flags) + text + pair

    def setting(self):
        """What is set up once for a batch."""
        return self.limit, self.flags & ~SKIP, self.pair is None

    def __repr__(self):
        return f"{self.text!r}, pair {self.pair!r}, limit {self.limit}, flags {self.flags}"


def ask(chance, tokenizer, texts, number):
    """The questions about a text."""
    text, skip = texts[number], SKIP * (number % 2)
    yield Question(text, flags=PARSE | skip)
    if number % 10 == 0:
        pair = chance.choice(texts)
        yield Question(text, flags=skip | PLAIN * (number % 20 == 0))
        yield Question(text, pair, flags=skip | PARSE * (number % 20 == 0))
        if number % 20 or len(text) + len(pair) > 2000:  # the library needs quadratic time for what it cuts off
            return
        for second in (None, pair):
            limit = tokenizer.num_special_tokens_to_add(second is not None) + chance.randint(1, 24)
            strategy = chance.randrange(3) if second else 0
            yield Question(text, second, limit, skip | PARSE | LEFT * chance.randrange(2) | STRATEGY * strategy)


def compare(program, content, questions):
    """[encodings, tokens, panics of the library, encodings that differ], and the first difference or None."""
    questions = sorted(questions, key=Question.setting)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tokenizer.json").write_text(content, encoding="utf-8")
        run = subprocess.run([program, folder], input=b"".join(map(Question.pack, questions)), capture_output=True)
    if run.returncode:
        return [len(questions), 0, 0, len(questions)], f"exit {run.returncode}: {run.stderr.decode()}"
    at = tokens = panics = different = 0
    problem = None
    for question, expected in zip(questions, answer(Tokenizer.from_str(content), questions)):
        found, at = read(run.stdout, at)
        if expected is PANIC:
            panics += 1
            continue
        tokens += 0 if expected == FAILED else len(expected[0])
        if found != expected:
            different += 1
            problem = problem or f"{question}:\n    {found} instead of\n    {expected}"
    return [len(questions), tokens, panics, different], problem


def read(data, at):
    """([(id, begin, end, type id)], decoded text) or FAILED; and where the next answer begins."""
    count, = struct.unpack_from("<I", data, at)
    if count == FAILED:
        return FAILED, at + 4
    at += 4
    tokens = struct.unpack_from(f"<{4 * count}I", data, at)
    at += 16 * count
    size, = struct.unpack_from("<I", data, at)
    text = data[at + 4:at + 4 + size].decode()
    return (list(zip(tokens[::4], tokens[1::4], tokens[2::4], tokens[3::4])), text), at + 4 + size


def answer(library, questions):
    """What the library says, in batches of the same setting."""
    library.no_padding()
    begin = 0
    while begin < len(questions):
        setting, end = questions[begin].setting(), begin
        while end < min(len(questions), begin + BATCH) and questions[end].setting() == setting:
            end += 1
        yield from answer_batch(library, questions[begin:end])
        begin = end


def answer_batch(library, questions):
    limit, flags, _ = questions[0].setting()
    library.encode_special_tokens = not flags & PARSE
    library.no_truncation()
    if limit:
        library.enable_truncation(limit, strategy=STRATEGIES[flags // STRATEGY],
                                  direction="left" if flags & LEFT else "right")
    inputs = [q.text if q.pair is None else (q.text, q.pair) for q in questions]
    try:
        encodings = library.encode_batch(inputs, add_special_tokens=not flags & PLAIN)
    except BaseException as error:  # the library raises nothing more precise, and panics where added tokens overlap
        if isinstance(error, KeyboardInterrupt):
            raise
        if len(questions) == 1:
            return [FAILED if "Truncation error" in str(error) else PANIC]
        return [answer_batch(library, [question])[0] for question in questions]
    texts = {}
    for skip in (0, SKIP):
        chosen = [i for i, question in enumerate(questions) if question.flags & SKIP == skip]
        decoded = library.decode_batch([encodings[i].ids for i in chosen], skip_special_tokens=bool(skip))
        texts.update(zip(chosen, decoded))
    return [(tokens_of(questions[i], encoding), texts[i]) for i, encoding in enumerate(encodings)]


def tokens_of(question, encoding):
    starts = [byte_starts(question.text), byte_starts(question.pair or "")]
    return [(id, 0, 0, type_id) if sequence is None else (id, starts[sequence][begin], starts[sequence][end], type_id)
            for id, (begin, end), sequence, type_id
            in zip(encoding.ids, encoding.offsets, encoding.sequence_ids, encoding.type_ids)]


def byte_starts(text):
    if text.isascii():
        return range(len(text) + 1)
    starts = [0]
    for character in text:
        starts.append(starts[-1] + len(character.encode()))
    return starts


def make_text(chance, alphabet):
    foreign = chance.choice(["", "", "?é\U0001f600", "\0", "x"])
    letters = chance.choice([alphabet, alphabet + foreign, alphabet[:1]])
    length = chance.choice([1, 3, 10, 10, 30, 60, 200] + [3000] * (chance.random() < 0.02))
    return "".join(chance.choice(letters) for _ in range(chance.randint(1, length)))


def make_bpe(chance, alphabet):
    """Merges of random pairs, so that most tokens come about in several ways."""
    letters = [letter for letter in alphabet if chance.random() < 0.95] or ["a"]
    prefix, suffix = chance.choice(["", "", "##", "#"]), chance.choice(["", "", "</w>"])
    fallback = not prefix and not suffix and chance.random() < 0.4
    tokens = dict.fromkeys(chance.sample(letters, len(letters)))
    for letter in letters:
        tokens.update(dict.fromkeys([prefix + letter, letter + suffix, prefix + letter + suffix]))
    unknown = chance.choice([None, "<unk>", letters[0]])
    if unknown:
        tokens.setdefault(unknown)
    if fallback:
        tokens.update(dict.fromkeys(f"<0x{byte:02X}>" for byte in range(256) if byte != 0xC3 or chance.random() < 0.9))
    merges = []
    for _ in range(chance.choice([0, 3, 20, 100])):
        left, right = chance.choice(list(tokens)), chance.choice(list(tokens))
        if right.startswith(prefix) and len(right) > len(prefix) and len(left + right) < 60:
            merges.append((left, right))
            tokens.setdefault(left + right[len(prefix):])
    chance.shuffle(merges)
    if all(" " not in token for pair in merges for token in pair) and chance.random() < 0.5:
        merges = [" ".join(pair) for pair in merges]
    return wrap({
        "type": "BPE", "dropout": None, "unk_token": unknown, "fuse_unk": chance.random() < 0.5,
        "continuing_subword_prefix": prefix or chance.choice([None, ""]),
        "end_of_word_suffix": suffix or chance.choice([None, ""]), "byte_fallback": fallback,
        "ignore_merges": chance.random() < 0.3, "vocab": {token: id for id, token in enumerate(tokens)},
        "merges": merges})


def make_unigram(chance, alphabet):
    """Scores that often tie, alone and in sums."""
    letters = [letter for letter in alphabet if chance.random() < 0.9]
    pieces = dict.fromkeys(letters)
    for _ in range(chance.choice([0, 5, 50, 300])):
        pieces.setdefault("".join(chance.choice(alphabet) for _ in range(chance.randint(1, chance.choice([3, 6, 40])))))
    for known in chance.choice([[], ["<unk>"], ["<unk>", "?", "?é"]]):
        pieces.setdefault(known)
    if chance.random() < 0.4:
        pieces.update(dict.fromkeys(f"<0x{byte:02X}>" for byte in range(256) if byte != 0xC3 or chance.random() < 0.9))
    score = chance.choice([
        lambda: -chance.randint(0, 3), lambda: -chance.randint(0, 30) / 10, lambda: -chance.random() * 15,
        lambda: struct.unpack("f", struct.pack("f", -chance.random() * 15))[0],
        lambda: chance.uniform(-1, 1) * 10 ** chance.randint(-12, 12)])
    vocab = [[piece, score()] for piece in pieces] or [["a", 0]]
    vocab += [[piece, score()] for piece in chance.sample(list(pieces), chance.choice([0, 0, len(pieces) // 4]))]
    chance.shuffle(vocab)
    return wrap({"type": "Unigram", "unk_id": chance.randrange(len(vocab)), "vocab": vocab,
                 "byte_fallback": chance.random() < 0.5})


def wrap(model):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
            "pre_tokenizer": None, "post_processor": None, "decoder": None, "model": model}


if __name__ == "__main__":
    sys.exit(main())
