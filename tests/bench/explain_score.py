#!/usr/bin/env python3
"""How faithful explanations are, asked of the server about sentences that its model was not trained on.

    explain_score.py [--sentences N] [--seed N] [PART ...]

PART: "faithfulness" (comprehensiveness and sufficiency of each attribution, beside raw attention and chance), "lime"
(rank correlation of the linear surrogate with PyPI's lime at as many samples), "tree" (agreement), "anchor"
(precision), "completeness" (of integrated gradients); default: all. Sentences: the clear ones of the test split of
deploy/models/reviews, model: deploy/models/sentiment. What explanations claim is measured anew on copies that are
drawn and made here; those of tokens are classified by torch. Intervals: 95 %, of 10,000 bootstrap samples of the
sentences.

Needs a built tree, grpcio-tools, numpy, torch, transformers and lime. HEADLIGHTD and HEADLIGHT name other
programs than those of build/.
"""
import argparse
import collections
import concurrent.futures
import math
import random
import re
import sys

import grpc
import numpy as np
import torch
import transformers

import serving

MODEL = serving.ROOT / "deploy" / "models" / "sentiment"
sys.path.insert(0, str(serving.ROOT / "deploy" / "models"))
from sentiment_reviews import is_clear, read_reviews, split_of  # noqa: E402

PARTS = ("faithfulness", "completeness", "lime", "tree", "anchor")
ATTRIBUTIONS = ("VALUE_NORM", "ROLLOUT", "OCCLUSION", "GRADIENT_INPUT", "INTEGRATED_GRADIENTS")
COPIES_AT_ONCE = 256
FRESH_COPIES = 1000
CHANCE_ORDERS = 10
EXPLAIN_SECONDS = 600
REQUESTS_AT_ONCE = 4


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=200)
    parser.add_argument("--samples", type=int, default=1000, help="of surrogates and of lime")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    arguments = parser.parse_args()
    sentences = [review.text for review in read_reviews() if split_of(review.text) == "test" and is_clear(review)]
    random.Random(arguments.seed).shuffle(sentences)
    process, address = serving.start_server(model=MODEL)
    try:
        serving.wait_serving(address)
        bench = Bench(arguments, sentences[:arguments.sentences], address)
        for part in arguments.parts or PARTS:
            getattr(bench, f"score_{part}")()
    finally:
        serving.stop_server(process)


class Truth:
    """The model as torch runs it, of ids; of texts, Classify's answers, which tests hold to torch's."""

    def __init__(self, messages, stub):
        self.messages = messages
        self.stub = stub
        config = transformers.AutoConfig.from_pretrained(MODEL)
        self.labels = [config.id2label[i] for i in range(config.num_labels)]
        self.mask_id = transformers.AutoTokenizer.from_pretrained(MODEL).mask_token_id
        self.model = transformers.AutoModelForSequenceClassification.from_pretrained(MODEL).eval()
        torch.set_num_threads(1)

    def of_ids(self, rows):
        """[rows][labels]: the probabilities of sequences of ids."""
        found = []
        for begin in range(0, len(rows), COPIES_AT_ONCE):
            part = [torch.tensor(row) for row in rows[begin:begin + COPIES_AT_ONCE]]
            ids = torch.nn.utils.rnn.pad_sequence(part, batch_first=True)
            mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in part], batch_first=True)
            with torch.no_grad():
                found.append(self.model(input_ids=ids, attention_mask=mask).logits.softmax(-1).numpy())
        return np.concatenate(found)

    def of_texts(self, texts):
        answers = []
        for begin in range(0, len(texts), COPIES_AT_ONCE):
            inputs = [self.messages.Text(text=text) for text in texts[begin:begin + COPIES_AT_ONCE]]
            answers += self.stub.Classify(self.messages.ClassifyRequest(inputs=inputs)).classifications
        scores = [{one.label: one.score for one in answer.labels} for answer in answers]
        return np.array([[of[label] for label in self.labels] for of in scores])


class Words:
    """A text as PyPI's lime sees it: words, each once, and what stands between."""

    def __init__(self, text):
        self.pieces = re.findall(r"\w+|\W+", text)
        self.words = list(dict.fromkeys(piece for piece in self.pieces if re.match(r"\w", piece)))

    def copies(self, kept):
        """The text for each row of kept[copies][words]."""
        places = {word: place for place, word in enumerate(self.words)}
        return ["".join(piece for piece in self.pieces if piece not in places or row[places[piece]])
                for row in kept]

    def neighbours(self, generator, count):
        """Without n words, n any number, which are drawn."""
        kept = np.ones((count, len(self.words)), bool)
        for row in kept:
            row[generator.choice(len(row), generator.integers(1, len(row) + 1), replace=False)] = False
        return kept

    def halves(self, generator, count, held=()):
        """With each word by the toss of a coin, and those held."""
        kept = generator.random((count, len(self.words))) < 0.5
        kept[:, [self.words.index(word) for word in held]] = True
        return kept


def interval(values):
    values = np.asarray(values, float)
    draws = np.random.default_rng(0).integers(0, len(values), (10000, len(values)))
    low, high = np.quantile(values[draws].mean(1), [0.025, 0.975])
    return f"{values.mean():.3f} ({low:.3f} to {high:.3f})"


class Bench:
    def __init__(self, arguments, sentences, address):
        self.arguments = arguments
        self.sentences = sentences
        self.messages, services = serving.stubs()
        self.stub = services.InferenceStub(grpc.insecure_channel(address))
        self.truth = Truth(self.messages, self.stub)

    def explain(self, text, methods, **fields):
        """The predicted label and the explanation."""
        spec = self.messages.ExplanationSpec(
            methods=[self.messages.ExplanationMethod.Value(f"EXPLANATION_METHOD_{name}") for name in methods],
            seed=self.arguments.seed, sample_count=self.arguments.samples, **fields)
        request = self.messages.ClassifyRequest(inputs=[self.messages.Text(text=text)],
                                                options=self.messages.Options(explanation=spec))
        answer = self.stub.Classify(request, timeout=EXPLAIN_SECONDS).classifications[0]
        return answer.labels[0].label, answer.explanations[0]

    def surrogates(self, method):
        """(sentence, the predicted label, the surrogate) of each; several are made at a time."""
        with concurrent.futures.ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
            explained = pool.map(lambda text: self.explain(text, [method]), self.sentences)
            for text, (label, explanation) in zip(self.sentences, explained):
                yield text, self.truth.labels.index(label), explanation.surrogates[0]

    # ---- Attributions ----

    def score_faithfulness(self):
        """ERASER's two numbers (DeYoung et al. 2020), of torch's probabilities, and those that the server gives."""
        names = ("chance", "raw attention", *ATTRIBUTIONS)
        found = {removal: collections.defaultdict(list) for removal in ("MASK", "DELETE")}
        furthest = 0
        for text in self.sentences:
            for removal, columns in found.items():
                measured, claimed = self.measure(text, removal)
                for name in names:
                    columns[name].append(measured[name])
                differences = [np.subtract(measured[name], claimed[name]) for name in claimed]
                furthest = max(furthest, np.abs(differences).max())
        print(f"{len(self.sentences)} sentences; the server's own numbers are at most {furthest:.1e} off")
        for removal, columns in found.items():
            table(f"Faithfulness, {removal.lower()}", names, columns)

    def measure(self, text, removal):
        """{name: (comprehensiveness, sufficiency)} as measured here, and as the server says."""
        label, explanation = self.explain(
            text, ["ATTENTION", *ATTRIBUTIONS], faithfulness=True, form=self.messages.ATTENTION_FORM_DENSE,
            removal=self.messages.Removal.Value(f"REMOVAL_{removal}"))
        tokens = explanation.tokens
        own = [place for place, token in enumerate(tokens) if not token.special]
        attention = np.mean([head.weights for head in explanation.attention], axis=0)
        scores = {self.messages.ExplanationMethod.Name(one.method).removeprefix("EXPLANATION_METHOD_"): one
                  for one in explanation.attributions}
        orders = {name: [order_of(one.scores, own)] for name, one in scores.items()}
        orders["raw attention"] = [order_of(attention, own)]
        generator = random.Random(f"{self.arguments.seed} {text}")
        orders["chance"] = [generator.sample(own, len(own)) for _ in range(CHANCE_ORDERS)]
        copies = Copies([token.id for token in tokens], self.truth.mask_id if removal == "MASK" else None)
        for order in (order for of_name in orders.values() for order in of_name):
            copies.add(order)
        values = iter(self.truth.of_ids(copies.rows)[:, self.truth.labels.index(label)].reshape(-1, 2, len(SHARES)))
        whole = self.truth.of_ids([copies.ids])[0, self.truth.labels.index(label)]
        measured = {name: np.mean([whole - next(values).mean(1) for _ in of_name], axis=0)
                    for name, of_name in orders.items()}
        claimed = {name: (one.faithfulness.comprehensiveness, one.faithfulness.sufficiency)
                   for name, one in scores.items()}
        return measured, claimed

    def score_completeness(self):
        errors = [explanation.attributions[0].completeness_error for _, explanation in
                  (self.explain(text, ["INTEGRATED_GRADIENTS"]) for text in self.sentences)]
        small = np.mean(np.array(errors) <= 0.02)
        print(f"\nIntegrated gradients, 50 steps: completeness error {interval(errors)}, median "
              f"{np.median(errors):.4f}, greatest {max(errors):.4f}; {small:.1%} are at most 2 %")

    # ---- Surrogates ----

    def score_lime(self):
        from lime.lime_text import LimeTextExplainer
        from scipy.stats import spearmanr

        found, again, fidelity = [], [], []
        for place, (text, label, ours) in enumerate(self.surrogates("SURROGATE_LINEAR")):
            weights = dict(zip(ours.features, ours.weights))
            theirs = [dict(LimeTextExplainer(random_state=2 * place + run).explain_instance(
                text, self.truth.of_texts, labels=[label], num_samples=self.arguments.samples).as_list(label=label))
                for run in range(2)]
            fidelity.append(ours.fidelity)
            if len(weights) > 2:
                found.append(rank_correlation(spearmanr, weights, theirs[0]))
                again.append(rank_correlation(spearmanr, *theirs))
        print(f"\nLinear surrogate, {self.arguments.samples} samples, {len(found)} sentences: rank correlation of "
              f"words' weights (a word that only one names counts as 0)\n"
              f"  with PyPI's lime {interval(found)}, least {min(found):.2f}; of lime with itself from another seed "
              f"{interval(again)}, least {min(again):.2f}\n  R2 on its fresh samples {interval(fidelity)}")

    def score_tree(self):
        generator = np.random.default_rng(self.arguments.seed)
        found = collections.defaultdict(list)
        for text, label, tree in self.surrogates("SURROGATE_TREE"):
            words = Words(text)
            for name, draw in (("lime's copies", words.neighbours), ("halves", words.halves)):
                kept = draw(generator, FRESH_COPIES)
                said = self.truth.of_texts(words.copies(kept)).argmax(1) == label
                tree_says = [tree_value(tree.nodes, words, row) >= 0.5 for row in kept]
                found[name].append(np.mean(said == tree_says))
                found[f"the commoner label, {name}"].append(max(said.mean(), 1 - said.mean()))
            found["as it says itself"].append(tree.fidelity)
        print(f"\nTree, {self.arguments.samples} samples, {len(self.sentences)} sentences: agreement on {FRESH_COPIES} "
              "fresh copies")
        for name, values in found.items():
            print(f"  {name}: {interval(values)}, {np.mean(np.array(values) >= 0.85):.0%} of sentences at 0.85 or more")

    def score_anchor(self):
        generator = np.random.default_rng(self.arguments.seed)
        precision, claimed, sizes = [], [], collections.Counter()
        for text, label, anchor in self.surrogates("ANCHOR_RULE"):
            words = Words(text)
            kept = words.halves(generator, FRESH_COPIES, [word_of(condition) for condition in anchor.rule])
            precision.append(np.mean(self.truth.of_texts(words.copies(kept)).argmax(1) == label))
            claimed.append(anchor.fidelity)
            sizes[len(anchor.rule)] += 1
            assert math.isclose(anchor.coverage, 0.5 ** len(anchor.rule), rel_tol=1e-6)
        precise = np.mean(np.array(precision) >= 0.95)
        print(f"\nAnchor, {self.arguments.samples} samples, {len(self.sentences)} sentences: precision on "
              f"{FRESH_COPIES} fresh copies {interval(precision)},\n  least {min(precision):.3f}, {precise:.1%} of "
              f"sentences at 0.95 or more; as it says itself {interval(claimed)}\n  words of the rules: "
              + ", ".join(f"{size}: {count}" for size, count in sorted(sizes.items())))


SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)


class Copies:
    """Copies of a sequence for ERASER's shares, and what they are without each."""

    def __init__(self, ids, mask_id):
        self.ids = ids
        self.mask_id = mask_id
        self.rows = []

    def add(self, order):
        """Without the first tokens of `order` at each share, then with those alone."""
        tops = [set(order[:math.ceil(share * len(order))]) for share in SHARES]
        self.rows += [self.without(top) for top in tops]
        self.rows += [self.without(set(order) - top) for top in tops]

    def without(self, places):
        if self.mask_id is None:
            return [id for place, id in enumerate(self.ids) if place not in places]
        return [self.mask_id if place in places else id for place, id in enumerate(self.ids)]


def order_of(scores, places):
    return sorted(places, key=lambda place: (-scores[place], place))


def table(title, names, columns):
    print(f"\n{title}\n\n| | comprehensiveness | less raw attention's | sufficiency | less raw attention's |\n"
          "|---|---|---|---|---|")
    base = np.array(columns["raw attention"])
    for name in names:
        values = np.array(columns[name])
        cells = [cell for of in (0, 1) for cell in (interval(values[:, of]), interval(values[:, of] - base[:, of]))]
        print(f"| {name} | " + " | ".join(cells) + " |")


def rank_correlation(spearmanr, one, other):
    words = sorted(set(one) | set(other))
    return spearmanr([one.get(word, 0) for word in words], [other.get(word, 0) for word in words]).statistic


def word_of(condition):
    return re.fullmatch(r"contains '(.*)'", condition, re.DOTALL).group(1)


def tree_value(nodes, words, kept):
    node = nodes[0]
    while node.condition:
        node = nodes[node.if_true if kept[words.words.index(word_of(node.condition))] else node.if_false]
    return node.value


if __name__ == "__main__":
    main()
