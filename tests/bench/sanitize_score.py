#!/usr/bin/env python3
"""What the sanitizer repairs and what it leaves alone, on other texts than its rules were written with.

    sanitize_score.py SANITIZE_STREAM [--root DIR] [--pairs FILE] [--attacks N] [--seed N] [--misses DIR]
                      [--corpora NAME ...] [--predictions N]

Attacks: N texts of fortunes and manual pages, attacked with budgets 1 to 5 a word (sanitize_attacks.py), cleaned and
compared with what they were. Honest text: the corpora of sanitize_corpora.py from the packages installed under --root;
of each, the share of words that cleaning changes and what would be refused. --pairs is Unicode's intentional.txt.
--misses keeps every text that was not as it should be, a file for each row of the tables.

Predictions: N clear sentences of deploy/models/reviews that deploy/models/sentiment was not trained on, attacked in
every word and classified by headlightd under report and under clean: how often the label is the sentence's own, and
how often it is the one that the model gives to the sentence as it was. Needs a built tree and grpcio-tools.
"""
import argparse
import collections
import json
import pathlib
import random
import re
import struct
import subprocess
import sys

import sanitize_attacks
import sanitize_corpora

BUDGETS = range(1, 6)
TEXTS_AT_ONCE = 64
SHARES = {"a word": 0.0, "half": 0.5, "all words": 1.0}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stream")
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path("/"))
    parser.add_argument("--pairs", type=pathlib.Path)
    parser.add_argument("--attacks", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--misses", type=pathlib.Path)
    parser.add_argument("--predictions", type=int, default=0)
    parser.add_argument("--corpora", nargs="*", choices=list(sanitize_corpora.CORPORA),
                        default=list(sanitize_corpora.CORPORA))
    arguments = parser.parse_args()
    if arguments.misses:
        arguments.misses.mkdir(parents=True, exist_ok=True)
    if arguments.attacks:
        score_attacks(arguments)
    if arguments.predictions:
        score_predictions(arguments)
    if arguments.corpora:
        score_corpora(arguments)


def run(stream, texts, *options):
    """What sanitize_stream says of each text: a list of dictionaries."""
    encoded = [text.encode(errors="surrogatepass") for text in texts]
    frames = b"".join(struct.pack("<I", len(text)) + text for text in encoded)
    output = subprocess.run([stream, *options], input=frames, stdout=subprocess.PIPE, check=True).stdout
    results = [json.loads(line) for line in output.decode().split("\n")[:-1]]
    assert len(results) == len(texts), f"{len(texts)} texts, {len(results)} results"
    for text, result in zip(encoded, results):
        for code, begin, end, *_ in result.get("findings", []):
            assert 0 <= begin <= end <= len(text), f"{code} at {begin}..{end} of {len(text)} bytes"
            text[begin:end].decode()
    return results


def base_texts(arguments):
    """Honest texts of some length that cleaning leaves alone."""
    names = ("fortunes", "manual pages")
    texts = [" ".join(text.split()) for name in names for text in sanitize_corpora.read(name, arguments.root)]
    texts = sorted({text for text in texts if 20 <= len(text) <= 200 and re.search(r"\w{4}", text)})
    texts = random.Random(arguments.seed).sample(texts, min(len(texts), 2 * arguments.attacks))
    results = run(arguments.stream, texts, "clean")
    return [text for text, result in zip(texts, results) if not result["changed"]][:arguments.attacks]


def attacks_of(arguments):
    attacks = dict(sanitize_attacks.ATTACKS)
    if arguments.pairs:
        attacks["homoglyphs"] = sanitize_attacks.homoglyphs(sanitize_attacks.read_pairs(arguments.pairs))
    return attacks


def score_attacks(arguments):
    attacks = attacks_of(arguments)
    texts = base_texts(arguments)
    print(f"Of {len(texts)} texts, attacked in one word, half of them, and all: repaired exactly, in percent")
    print(f"{'attack':15}" + "".join(f"  budget {budget}" for budget in BUDGETS) + "   unreported  unsteady")
    for name, attack in attacks.items():
        cells, unreported, unsteady, misses = [], 0, 0, []
        for budget in BUDGETS:
            pairs = list(attacked(arguments, texts, attack, name, budget))
            results = run(arguments.stream, [hostile for hostile, _ in pairs], "clean")
            again = run(arguments.stream, [result["text"] for result in results], "clean")
            wrong = [(*pair, result) for pair, result in zip(pairs, results) if result["text"] != pair[1]]
            unreported += sum(not result["totals"] for result in results)
            unsteady += sum(result["changed"] for result in again)
            cells.append(100 * (1 - len(wrong) / max(1, len(pairs))))
            misses += wrong
        print(f"{name:15}" + "".join(f"{cell:10.2f}" for cell in cells) + f"{unreported:13}{unsteady:10}", flush=True)
        keep(arguments, f"attack-{name}", ({"clean": clean, "hostile": hostile, "ours": result["text"],
                                            "totals": result["totals"]} for hostile, clean, result in misses))


def score_predictions(arguments):
    import serving

    model = serving.ROOT / "deploy" / "models" / "sentiment"
    sys.path.insert(0, str(model.parent))
    from sentiment_reviews import is_clear, label_of, read_reviews, split_of

    reviews = [review for review in read_reviews() if split_of(review.text) == "test" and is_clear(review)]
    reviews = random.Random(arguments.seed).sample(reviews, min(len(reviews), arguments.predictions))
    process, address = serving.start_server("--sanitize", "report", model=model)
    try:
        serving.wait_serving(address)
        score_labels(arguments, reviews, label_of, classifier(serving, address))
    finally:
        serving.stop_server(process)


def classifier(serving, address):
    """classify(texts, policy): the first label of each text."""
    import grpc

    messages, services = serving.stubs()
    stub = services.InferenceStub(grpc.insecure_channel(address))

    def classify(texts, policy):
        options = messages.Options(sanitize=getattr(messages, f"SANITIZE_POLICY_{policy}"))
        labels = []
        for begin in range(0, len(texts), TEXTS_AT_ONCE):
            inputs = [messages.Text(text=text) for text in texts[begin:begin + TEXTS_AT_ONCE]]
            response = stub.Classify(messages.ClassifyRequest(inputs=inputs, options=options))
            labels += [found.labels[0].label for found in response.classifications]
        return labels

    return classify


def score_labels(arguments, reviews, label_of, classify):
    texts, truth = [review.text for review in reviews], [label_of(review) for review in reviews]
    clean = classify(texts, "REPORT")
    print(f"Of {len(texts)} sentences, {equal(clean, truth):.2f} % classified rightly; "
          "attacked in all words, in percent")
    print(f"{'attack':15}{'budget':>7}{'right: report':>15}{'clean':>8}{'as before: report':>19}{'clean':>8}")
    for name, attack in attacks_of(arguments).items():
        for budget in (1, 3, 5):
            generator = random.Random(f"{arguments.seed} {name} {budget}")
            hostile = [sanitize_attacks.attack_words(generator, text, attack, budget, 1.0) or text
                       for text in texts]
            reported, cleaned = (classify(hostile, policy) for policy in ("REPORT", "CLEAN"))
            print(f"{name:15}{budget:7}{equal(reported, truth):15.2f}{equal(cleaned, truth):8.2f}"
                  f"{equal(reported, clean):19.2f}{equal(cleaned, clean):8.2f}", flush=True)


def equal(some, others):
    return 100 * sum(one == other for one, other in zip(some, others)) / len(others)


def attacked(arguments, texts, attack, name, budget):
    generator = random.Random(f"{arguments.seed} {name} {budget}")
    for text in texts:
        share = generator.choice(list(SHARES.values()))
        hostile = sanitize_attacks.attack_words(generator, text, attack, budget, share)
        if hostile:
            yield hostile, text


def score_corpora(arguments):
    print(f"{'honest text':20}{'texts':>9}{'words':>11}{'changed':>9}{'percent':>10}{'refused':>9}   findings")
    for name in arguments.corpora:
        texts = sanitize_corpora.read(name, arguments.root)
        results = run(arguments.stream, list(texts), "clean")
        findings, words, changed, refused, misses = collections.Counter(), 0, 0, 0, []
        for (text, group), result in zip(texts.items(), results):
            words += len(text.split())
            findings.update(result["totals"].keys())
            refused += result["refused"]
            if result["changed"] or result["refused"]:
                changed += max(changed_words(text, result["text"]), int(result["changed"]))
                misses.append({"group": group, "text": text, "ours": result["text"], "totals": result["totals"]})
        print(f"{name:20}{len(texts):9}{words:11}{changed:9}{100 * changed / max(1, words):10.4f}{refused:9}   "
              + " ".join(f"{code}:{count}" for code, count in findings.most_common()), flush=True)
        keep(arguments, f"honest-{name.replace(' ', '-')}", misses)


def changed_words(before, after):
    removed = collections.Counter(before.split()) - collections.Counter(after.split())
    return removed.total()


def keep(arguments, name, misses):
    if arguments.misses:
        with open(arguments.misses / f"{name}.jsonl", "w", encoding="utf-8") as file:
            for miss in misses:
                file.write(json.dumps(miss, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
