"""Compares BPE and Unigram models with the `tokenizers` library: random models, most of them odd, on random texts.

    tests/golden/tokenizer_parity.py [--program build/tests/golden/tokenizer_encodings] [--seed N] [--texts N]

Needs the PyPI package tokenizers 0.23. Prints the differences, if any, with the seed, and exits with 1 then.
"""

import argparse
import json
import random
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from tokenizers import Tokenizer

FAILED = 0xFFFFFFFF
ALPHABETS = ["ab", "abc", "aé中", "abcdefgh ", "▁xyz", "a\U0001f600ßb\n", "<unk>0xA9"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/tests/golden/tokenizer_encodings")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--texts", type=int, default=50000, help="of each kind of model")
    parser.add_argument("--texts-per-model", type=int, default=500)
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    wrong = 0
    for kind, make in (("BPE", make_bpe), ("Unigram", make_unigram)):
        texts = tokens = refused = 0
        chance = random.Random(f"{arguments.seed} {kind}")
        while texts < arguments.texts:
            alphabet = chance.choice(ALPHABETS)
            model = make(chance, alphabet)
            sample = [make_text(chance, alphabet) for _ in range(arguments.texts_per_model)]
            problem, count = compare(arguments.program, model, sample)
            texts, tokens, refused = texts + len(sample), tokens + count, refused + (count == 0)
            if problem:
                wrong += 1
                print(f"{kind}: {problem}", json.dumps(model, ensure_ascii=False), sep="\n    ")
        print(f"{kind}: {texts} texts, {tokens} tokens, {refused} models without any token")
    print(f"{wrong} models differ")
    return 1 if wrong else 0


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
    chance.shuffle(vocab)
    return wrap({"type": "Unigram", "unk_id": chance.randrange(len(vocab)), "vocab": vocab,
                 "byte_fallback": chance.random() < 0.5})


def wrap(model):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
            "pre_tokenizer": None, "post_processor": None, "decoder": None, "model": model}


def compare(program, model, texts):
    """What differs first, or None; and how many tokens there were."""
    content = json.dumps(model)
    library = Tokenizer.from_str(content)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tokenizer.json").write_text(content)
        sizes = [text.encode() for text in texts]
        data = b"".join(struct.pack("<I", len(text)) + text for text in sizes)
        run = subprocess.run([program, folder], input=data, capture_output=True)
    if run.returncode:
        return f"exit {run.returncode}: {run.stderr.decode()}", 0
    at = count = 0
    for text in texts:
        found, at = read(run.stdout, at)
        expected = encode(library, text)
        count += len(expected)
        if found != expected:
            return f"{text!r}: {found} instead of {expected}", count
    return None, count


def read(data, at):
    count, = struct.unpack_from("<I", data, at)
    if count == FAILED:
        return FAILED, at + 4
    numbers = struct.unpack_from(f"<{3 * count}I", data, at + 4)
    return list(zip(numbers[::3], numbers[1::3], numbers[2::3])), at + 4 + 12 * count


def encode(library, text):
    starts = [0]
    for character in text:
        starts.append(starts[-1] + len(character.encode()))
    encoding = library.encode(text, add_special_tokens=False)
    return [(id, starts[begin], starts[end]) for id, (begin, end) in zip(encoding.ids, encoding.offsets)]


if __name__ == "__main__":
    sys.exit(main())
