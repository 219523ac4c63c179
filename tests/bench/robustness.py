#!/usr/bin/env python3
"""What defences of a classifier are worth under attack, asked of the server about sentences it was not trained on.

    robustness.py FOLDER ... [--sentences N] [--searched N] [--queries N] [--seed N]

FOLDERs are checkpoints of deploy/models/train_sentiment.py, the undefended one first. Of each, and of each of POLICIES:
the accuracy on clear sentences of the test split of deploy/models/reviews, as they are, attacked at random in one word
or in all words of three letters and more, and attacked by a search that asks the model itself. Intervals: 95 %, of
10,000 bootstrap samples of the sentences; those of a defence are of its gain over the first checkpoint, in pairs.

The search ranks words by what the answer loses without each (as TextFooler does, Jin et al. 2020), then takes of each
in turn the edit that hurts most of a few (as DeepWordBug, Gao et al. 2018), until the label turns, --queries texts were
asked about, or WORDS_SHARE of the words are changed. It is told logits, but where the table says otherwise, and meets
the sanitizer that the model has. Needs a built tree, grpcio-tools and numpy.
"""
import argparse
import pathlib
import random
import sys

import grpc
import numpy as np

import sanitize_attacks
import serving

sys.path.insert(0, str(serving.ROOT / "deploy" / "models"))
from disguises import ALIKE, is_able, shuffle  # noqa: E402
from sentiment_reviews import is_clear, label_of, read_reviews, split_of  # noqa: E402

POLICIES = {
    "off": dict(),
    "clean": dict(sanitize="SANITIZE_POLICY_CLEAN"),
    "clean, with TYPO_WORD and LEET": dict(sanitize="SANITIZE_POLICY_CLEAN", sanitize_enable=["TYPO_WORD", "LEET"]),
}
KEYBOARD = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
LEET = str.maketrans("aeiost", "431057")
RESAMPLES = 10_000
TEXTS_AT_ONCE = 256
CANDIDATES = 8  # edits that are tried of a word
WORDS_SHARE = 0.3  # that a search may change; one word in any case


# ---- Edits: (generator, word, budget) -> word, as those of sanitize_attacks.py


def press_neighbour(generator, word, budget):
    """A key beside the right one."""
    rows = {letter: row for row in KEYBOARD for letter in row}
    places = [place for place, letter in enumerate(word) if letter.lower() in rows]
    if not places:
        return word
    place = generator.choice(places)
    row = rows[word[place].lower()]
    at = row.index(word[place].lower())
    return word[:place] + generator.choice(row[max(0, at - 1):at] + row[at + 1:at + 2]) + word[place + 1:]


def swap_inside(generator, word, budget):
    if len(word) < 4:
        return word
    place = generator.randrange(1, len(word) - 2)
    return word[:place] + word[place + 1] + word[place] + word[place + 2:]


def leave_out(generator, word, budget):
    place = generator.randrange(1, len(word) - 1)
    return word[:place] + word[place + 1:]


def shuffle_inside(generator, word, budget):
    return shuffle(generator, word)


def repeat(generator, word, budget):
    """Baaaad."""
    place = generator.randrange(len(word))
    return word[:place] + word[place] * 4 + word[place + 1:]


def split(generator, word, budget):
    place = generator.randrange(1, len(word))
    return word[:place] + " " + word[place:]


def leet(generator, word, budget):
    return word.translate(LEET)


def one_of(*edits):
    return lambda generator, word, budget: generator.choice(edits)(generator, word, budget)


TYPING_ERROR = one_of(press_neighbour, swap_inside, leave_out)
LOOK_ALIKES = sanitize_attacks.homoglyphs({letter: [other] for letter, other in ALIKE.items()})
HIDDEN = one_of(sanitize_attacks.zero_width, sanitize_attacks.deletions, sanitize_attacks.bidi_swap, LOOK_ALIKES)

AT_RANDOM = {  # (edit, budget, share of the words, where 0 is one word)
    "a typing error in one word": (TYPING_ERROR, 1, 0.0),
    "a typing error in every word": (TYPING_ERROR, 1, 1.0),
    "two letters swapped in every word": (swap_inside, 1, 1.0),
    "inner letters shuffled in every word": (shuffle_inside, 1, 1.0),
    "a letter four times in every word (new)": (repeat, 1, 1.0),
    "every word split in two (new)": (split, 1, 1.0),
    "digits for letters in every word (new)": (leet, 1, 1.0),
    "look-alikes in every word": (LOOK_ALIKES, 2, 1.0),
    "zero-width characters in every word (new)": (sanitize_attacks.zero_width, 2, 1.0),
    "characters and backspaces in every word (new)": (sanitize_attacks.deletions, 1, 1.0),
}
SEEN = one_of(press_neighbour, swap_inside, leave_out, repeat, split)
SEARCHES = {  # (edit, whether it is told logits)
    "search: a letter mistyped, left out or swapped": (TYPING_ERROR, True),
    "search: typing errors": (SEEN, True),
    "search: typing errors, told probabilities": (SEEN, False),
    "search: characters that a reader does not see": (HIDDEN, True),
}
TRANSFERRED = "search: typing errors"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=pathlib.Path)
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--searched", type=int, default=300, help="of the sentences, by the searches")
    parser.add_argument("--queries", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    reviews = [review for review in read_reviews() if split_of(review.text) == "test" and is_clear(review)]
    random.Random(arguments.seed).shuffle(reviews)
    models = {folder.resolve().name: folder for folder in arguments.folders}
    first, *others = [f"{name}={folder}" for name, folder in models.items()]
    more = [flag for model in others for flag in ("--model", model)]
    process, address = serving.start_server("--sanitize", "off", *more, model=first)
    try:
        serving.wait_serving(address)
        messages, services = serving.stubs()
        stub = services.InferenceStub(grpc.insecure_channel(address))
        carried = {}
        for policy in POLICIES:
            judges = [Judge(messages, stub, name, policy) for name in models]
            print_table(arguments, judges, policy, reviews[:arguments.sentences], carried)
    finally:
        serving.stop_server(process)


class Judge:
    """A model behind a policy."""

    def __init__(self, messages, stub, name, policy):
        options = messages.Options(**POLICIES[policy])
        self.name = name
        self.ask = lambda texts, raw: stub.Classify(messages.ClassifyRequest(
            model=name, inputs=[messages.Text(text=text) for text in texts], options=options, raw_scores=raw))

    def scores(self, texts, raw=False):
        """{label: score} of each text."""
        found = []
        for begin in range(0, len(texts), TEXTS_AT_ONCE):
            answers = self.ask(texts[begin:begin + TEXTS_AT_ONCE], raw).classifications
            found += [{one.label: one.score for one in answer.labels} for answer in answers]
        return found

    def right(self, texts, truth):
        """Whether each text has its label [texts]."""
        return np.array([max(scores, key=scores.get) == label for scores, label in zip(self.scores(texts), truth)])

    def margins(self, label, raw):
        """A function of texts: by how much `label` is ahead of the other one, below 0 where it is not."""
        def of(texts):
            scores = self.scores(texts, raw)
            rest = [max(score for name, score in found.items() if name != label) for found in scores]
            # Of probabilities that of the label alone, as clients print it: a float that may have become 1.
            return [found[label] - (other if raw else 0.5) for found, other in zip(scores, rest)]
        return of


# ---- The search


def search(generator, text, edit, margins, query_count):
    """The text that margins(texts) is least of, as far as `query_count` of them tell; below 0 the search ends."""
    words = text.split(" ")
    able = [place for place, word in enumerate(words) if is_able(word)][:query_count - 1]
    without = [" ".join(words[:place] + words[place + 1:]) for place in able]
    least, *losses = margins([text, *without])
    left = query_count - 1 - len(able)
    ranked = [place for _, place in sorted(zip(losses, able))]
    for place in ranked[:max(1, int(WORDS_SHARE * len(words)))]:
        edits = sorted({edit(generator, words[place], 1) for _ in range(CANDIDATES)} - {words[place]})[:max(left, 0)]
        if least < 0 or not edits:
            continue
        left -= len(edits)
        copies = [[*words[:place], other, *words[place + 1:]] for other in edits]
        found = margins([" ".join(copy) for copy in copies])
        if min(found) < least:
            least, words = min(found), copies[found.index(min(found))]
    return " ".join(words)


# ---- The table


def print_table(arguments, judges, policy, reviews, carried):
    texts, truth = [review.text for review in reviews], [label_of(review) for review in reviews]
    print(f"Sanitizer: {policy}. {len(texts)} sentences, {min(len(texts), arguments.searched)} of them searched.\n")
    print("| attack | " + " | ".join(judge.name for judge in judges) + " |\n|---|" + "---|" * len(judges))
    print_row(arguments, "none", [judge.right(texts, truth) for judge in judges])
    for name, (edit, budget, share) in AT_RANDOM.items():
        generator = random.Random(f"{arguments.seed} {name}")
        hostile = [sanitize_attacks.attack_words(generator, text, edit, budget, share) or text for text in texts]
        print_row(arguments, name, [judge.right(hostile, truth) for judge in judges])
    texts, truth = texts[:arguments.searched], truth[:arguments.searched]
    for name, (edit, raw) in SEARCHES.items():
        hostile = [searched(arguments, judge, texts, truth, edit, raw) for judge in judges]
        print_row(arguments, name, [judge.right(found, truth) for judge, found in zip(judges, hostile)])
        # What the first table's search found, so that the sanitizer alone is judged.
        first = carried.setdefault(name, hostile[0])
        if first is not hostile[0]:
            print_row(arguments, f"{name}, as found under off", [judge.right(first, truth) for judge in judges])
        if name == TRANSFERRED:
            against = f"{name}, against {judges[0].name}"
            print_row(arguments, against, [judge.right(hostile[0], truth) for judge in judges])
    confidence = [np.mean([max(scores.values()) for scores in judge.scores(texts)]) for judge in judges]
    print("| (mean probability of the label, no attack) | " + " | ".join(f"{one:.3f}" for one in confidence) + " |\n",
          flush=True)


def searched(arguments, judge, texts, truth, edit, raw):
    generator = random.Random(arguments.seed)
    return [search(generator, text, edit, judge.margins(label, raw), arguments.queries)
            for text, label in zip(texts, truth)]


def print_row(arguments, name, rights):
    low, high = interval(arguments.seed, rights[0])
    cells = [f"{100 * rights[0].mean():.1f} ({low:.1f} to {high:.1f})"]
    for right in rights[1:]:
        low, high = interval(arguments.seed, right.astype(float) - rights[0])
        cells.append(f"{100 * right.mean():.1f} ({low:+.1f} to {high:+.1f})")
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def interval(seed, values):
    """95 % of the means, in percent, of bootstrap samples of values[texts] that are -1, 0 or 1."""
    kinds, counts = np.unique(values.astype(int), return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(values), counts / len(values), RESAMPLES)
    return np.percentile(100 * drawn @ kinds / len(values), [2.5, 97.5])


if __name__ == "__main__":
    main()
