#!/usr/bin/env python3
"""Our tokenizers against the `tokenizers` library, in one run: one thread each, taking turns, processor time.

    tokenizer_ratio.py TOKENIZER_BENCH [--folder DIR] [--rounds N] [--only NAME ...]

Trains tokenizers as published checkpoints have them on what a Debian system has to read: manual pages and
documentation for the English ones, the translations in /usr/share/locale for the multilingual ones. The library
encodes line by line and in batches, with its caches as they ship, and its faster way counts. --folder keeps the texts
and tokenizers for another run.
"""
import os

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import argparse
import collections
import gettext
import gzip
import io
import math
import pathlib
import random
import re
import subprocess
import tempfile
import time

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

TRAIN_BYTES = 12_000_000
BENCH_BYTES = 1_000_000
UNIGRAM_CHARACTERS = 1_500_000
UNIGRAM_SIZE, COUNTED_UNIGRAM_SIZE = 16000, 250002
UNIGRAM_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
WORD_CHARACTERS, PIECE_CHARACTERS = 16, 6  # of counted pieces, as words and in them
LLAMA = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
         r"|\s+(?!\S)|\s+")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench")
    parser.add_argument("--folder", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or pathlib.Path(temporary)
        print("tokenizer                      open ms   ours MB/s  library MB/s   ratio   (line by line, batch)")
        for name, (language, make) in TOKENIZERS.items():
            if arguments.only is None or name in arguments.only:
                measure(arguments, folder, name, language, make)


def measure(arguments, folder, name, language, make):
    text = texts(folder, language)
    directory = folder / name
    if not (directory / "tokenizer.json").exists():
        directory.mkdir(parents=True, exist_ok=True)
        make(text["train"]).save(str(directory / "tokenizer.json"))
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    lines = text["bench"].read_text(encoding="utf-8").splitlines()
    size = text["bench"].stat().st_size
    ours, opens, one, batch = 0, [], 0, 0
    for _ in range(arguments.rounds):
        run = subprocess.run([arguments.bench, str(directory), str(text["bench"]), "1"], check=True,
                             capture_output=True, text=True).stdout
        numbers = re.match(r"open ([\d.]+) ms, ([\d.]+) MB/s", run)
        opens.append(float(numbers[1]))
        ours = max(ours, float(numbers[2]))
        one = max(one, size / 1e6 / timed(lambda: [tokenizer.encode(line) for line in lines]))
        batch = max(batch, size / 1e6 / timed(lambda: tokenizer.encode_batch(lines)))
    best = max(one, batch)
    print(f"{name:30} {min(opens):7.0f} {ours:11.1f} {best:13.2f} {ours / best:7.1f}   ({one:.2f}, {batch:.2f})",
          flush=True)


def timed(work):
    start = time.process_time()
    work()
    return time.process_time() - start


def texts(folder, language):
    """{"train": path, "bench": path}; no line of one is in the other."""
    paths = {part: folder / f"{language}.{part}.txt" for part in ("train", "bench")}
    if not all(path.exists() for path in paths.values()):
        folder.mkdir(parents=True, exist_ok=True)
        lines, size = {}, 0
        for line in {"english": english_lines, "all": all_lines}[language](random.Random(1)):
            if line not in lines:
                lines[line] = size
                size += len(line.encode()) + 1
            if size > TRAIN_BYTES + BENCH_BYTES:
                break
        for part, chosen in (("bench", [line for line in lines if lines[line] < BENCH_BYTES]),
                             ("train", [line for line in lines if lines[line] >= BENCH_BYTES])):
            paths[part].write_text("\n".join(chosen) + "\n", encoding="utf-8")
    return paths


def english_lines(chance):
    """Paragraphs of manual pages and documentation."""
    paths = sorted([*pathlib.Path("/usr/share/man").glob("man*/*.gz"), *pathlib.Path("/usr/share/doc").rglob("*.gz"),
                    *pathlib.Path("/usr/share/doc").rglob("*.txt")])
    chance.shuffle(paths)
    for path in paths:
        try:
            data = gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()
            text = data.decode()
        except (OSError, EOFError, UnicodeDecodeError):
            continue
        text = re.sub(r"\\f[A-Z]|\\[&%]|\\", "", re.sub(r"^[.'].*$", "", text, flags=re.MULTILINE))
        for paragraph in re.split(r"\n\s*\n", text):
            line = " ".join(paragraph.split())
            if 40 <= len(line) <= 2000:
                yield line


def all_lines(chance):
    """Translated messages of all languages."""
    paths = sorted(pathlib.Path("/usr/share/locale").rglob("*.mo"))
    chance.shuffle(paths)
    for path in paths:
        try:
            with path.open("rb") as file:
                catalog = gettext.GNUTranslations(file)._catalog
        except (OSError, ValueError, IndexError):
            continue
        for message in catalog.values():
            line = " ".join(message.split())
            if 20 <= len(line) <= 2000:
                yield line


def train(tokenizer, trainer, path):
    tokenizer.train([str(path)], trainer)
    return tokenizer


def make_wordpiece(path):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    train(tokenizer, trainers.WordPieceTrainer(vocab_size=30522, special_tokens=special, show_progress=False), path)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def make_byte_bpe(path):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return finish_byte_bpe(tokenizer, path)


def make_llama_bpe(path):
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(LLAMA), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    return finish_byte_bpe(tokenizer, path)


def finish_byte_bpe(tokenizer, path):
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    train(tokenizer, trainers.BpeTrainer(vocab_size=50265, special_tokens=special, show_progress=False,
                                         initial_alphabet=pre_tokenizers.ByteLevel.alphabet()), path)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def charsmap():
    """The map that SentencePiece writes into every model of its default normalization."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(["a b c d e f g"]), model_writer=model,
                                             vocab_size=11, minloglevel=2)
    return sentencepiece_model_pb2.ModelProto.FromString(model.getvalue()).normalizer_spec.precompiled_charsmap


def unigram(vocab=None):
    """XLM-R's pipeline."""
    tokenizer = Tokenizer(models.Unigram(vocab, unk_id=3) if vocab else models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Precompiled(charsmap()),
                                                 normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def make_trained_unigram(path):
    """Of a part of the texts: the library's trainer takes minutes for more."""
    tokenizer = unigram()
    trainer = trainers.UnigramTrainer(vocab_size=UNIGRAM_SIZE, special_tokens=UNIGRAM_SPECIAL, unk_token="<unk>",
                                      show_progress=False, max_piece_length=16)
    tokenizer.train_from_iterator(path.read_text(encoding="utf-8")[:UNIGRAM_CHARACTERS].splitlines(), trainer)
    return tokenizer


def make_counted_unigram(path):
    """Words and parts of them by how much text they cover, with the logarithms of their shares as scores."""
    tokenizer = unigram()
    words = collections.Counter("▁" + word for word in path.read_text(encoding="utf-8").split())
    counts, letters = collections.Counter(), collections.Counter()
    for word, count in words.items():
        word = tokenizer.normalizer.normalize_str(word)
        if PIECE_CHARACTERS < len(word) <= WORD_CHARACTERS:
            counts[word] += count
        for begin in range(len(word)):
            letters[word[begin]] += count
            for end in range(begin + 2, min(len(word), begin + PIECE_CHARACTERS) + 1):
                counts[word[begin:end]] += count
    room = COUNTED_UNIGRAM_SIZE - len(UNIGRAM_SPECIAL) - len(letters)
    chosen = sorted(counts, key=lambda piece: -counts[piece] * len(piece))[:room]
    total = sum(letters.values())
    vocab = [(token, 0.0) for token in UNIGRAM_SPECIAL]
    vocab += [(piece, math.log(count / total)) for piece, count in letters.items()]
    vocab += [(piece, math.log(counts[piece] / total)) for piece in chosen]
    return unigram(vocab)


TOKENIZERS = {
    "wordpiece-30k": ("english", make_wordpiece),
    "wordpiece-30k-multilingual": ("all", make_wordpiece),
    "bpe-50k-gpt2": ("english", make_byte_bpe),
    "bpe-50k-gpt2-multilingual": ("all", make_byte_bpe),
    "bpe-50k-llama3": ("english", make_llama_bpe),
    "unigram-16k": ("english", make_trained_unigram),
    "unigram-250k-multilingual": ("all", make_counted_unigram),
}

if __name__ == "__main__":
    main()
