"""Surrogates and summaries of deploy/models/sentiment; copies are made and classified here anew, by their texts."""

import itertools
import math
import random
import re

import grpc
import numpy
import pytest
from builds import SANITIZED
from conftest import refused

TEXT = "A dull, lifeless mess of a film that is never funny."
SAMPLES = 100 if SANITIZED else 1000


@pytest.fixture(scope="module")
def server(start_server):
    with start_server(model=False) as running:
        yield running


def options_of(pb, *methods, **spec):
    numbers = [pb.ExplanationMethod.Value(f"EXPLANATION_METHOD_{method}") for method in methods]
    return pb.Options(explanation=pb.ExplanationSpec(methods=numbers, **spec))


def explain(stub, pb, text, *methods, **spec):
    """The predicted label and the explanation."""
    request = pb.ClassifyRequest(inputs=[pb.Text(text=text)],
                                 options=options_of(pb, *methods, sample_count=SAMPLES, **spec))
    [answer] = stub.Classify(request, timeout=120).classifications
    [explanation] = answer.explanations
    return answer.labels[0].label, explanation


def pieces_of(text):
    return re.findall(r"\w+|\W+", text)


def words_of(text):
    return list(dict.fromkeys(re.findall(r"\w+", text)))


def copy_of(text, left_out):
    return "".join(piece for piece in pieces_of(text) if piece not in left_out)


def probabilities(stub, pb, texts, label):
    request = pb.ClassifyRequest(inputs=[pb.Text(text=text) for text in texts])
    answers = stub.Classify(request, timeout=120).classifications
    return numpy.array([{one.label: one.score for one in answer.labels}[label] for answer in answers])


def lime_weights(stub, pb, text, label):
    """Ridge regression on all copies of a text, each as often as lime draws it on the average of SAMPLES draws."""
    words = words_of(text)
    kept = numpy.array(list(itertools.product([0, 1], repeat=len(words))), float)
    left_out = len(words) - kept.sum(1)
    draws = [1 if n == 0 else (SAMPLES - 1) / (len(words) * math.comb(len(words), int(n))) for n in left_out]
    scores = probabilities(stub, pb, [copy_of(text, {w for w, k in zip(words, row) if not k}) for row in kept], label)
    weights = draws * numpy.exp(-8 * (1 - numpy.sqrt(kept.mean(1))) ** 2)
    centred = kept - numpy.average(kept, axis=0, weights=weights)
    products = (centred.T * weights) @ centred + numpy.eye(len(words))
    return words, numpy.linalg.solve(products, centred.T @ (weights * scores))


def test_a_linear_surrogate_is_limes(stub, pb):
    text = "Dull but never truly bad film"
    label, explanation = explain(stub, pb, text, "SURROGATE_LINEAR", seed=3)
    [linear] = explanation.surrogates
    words, expected = lime_weights(stub, pb, text, label)
    assert sorted(linear.features) == sorted(words)
    weights = dict(zip(linear.features, linear.weights))
    assert [abs(weight) for weight in linear.weights] == sorted((abs(w) for w in linear.weights), reverse=True)
    # Draws scatter a weight by the copies' spread, about 0.3, over the root of a fraction of their number.
    numpy.testing.assert_allclose([weights[word] for word in words], expected, atol=1.5 / math.sqrt(SAMPLES))
    assert 0 < linear.fidelity <= 1
    assert linear.sample_count == SAMPLES - 1 + SAMPLES // 4


def test_ten_words_of_many_have_weights(stub, pb):
    _, explanation = explain(stub, pb, TEXT, "SURROGATE_LINEAR")
    [linear] = explanation.surrogates
    assert len(set(linear.features)) == len(linear.weights) == 10
    assert set(linear.features) < set(words_of(TEXT))
    assert linear.features[0] in ("dull", "lifeless", "mess", "funny", "never") and linear.weights[0] > 0


def test_a_tree_is_of_the_texts_words(stub, pb):
    _, explanation = explain(stub, pb, TEXT, "SURROGATE_TREE")
    [tree] = explanation.surrogates
    assert tree.nodes[0].sample_count == SAMPLES

    def depth_of(index):
        node = tree.nodes[index]
        if not node.condition:
            assert (node.if_true, node.if_false) == (-1, -1)
            return 0
        assert re.fullmatch("contains '(.*)'", node.condition).group(1) in words_of(TEXT)
        children = tree.nodes[node.if_true], tree.nodes[node.if_false]
        assert sum(child.sample_count for child in children) == node.sample_count
        mean = sum(child.sample_count * child.value for child in children) / node.sample_count
        assert node.value == pytest.approx(mean, abs=1e-5)
        return 1 + max(depth_of(node.if_true), depth_of(node.if_false))

    assert 1 <= depth_of(0) <= 3
    assert 0.5 < tree.fidelity <= 1


def test_a_rule_holds_the_label(stub, pb):
    label, explanation = explain(stub, pb, TEXT, "ANCHOR_RULE")
    [anchor] = explanation.surrogates
    held = {re.fullmatch("contains '(.*)'", condition).group(1) for condition in anchor.rule}
    assert held and held < set(words_of(TEXT))
    assert anchor.coverage == 0.5 ** len(held)
    draws = random.Random(5)
    copies = [copy_of(TEXT, {word for word in words_of(TEXT) if word not in held and draws.random() < 0.5})
              for _ in range(SAMPLES // 4)]
    precision = numpy.mean(probabilities(stub, pb, copies, label) > 0.5)
    spread = math.sqrt(0.05 / len(copies))  # of either, where the rule is right in 95 of 100
    assert abs(precision - anchor.fidelity) < 4 * spread
    assert precision > 0.95 - 4 * spread


def test_the_same_seed_gives_the_same_surrogates(stub, pb):
    methods = ("SURROGATE_LINEAR", "SURROGATE_TREE", "ANCHOR_RULE", "SUMMARY")
    first, again, other = (explain(stub, pb, TEXT, *methods, seed=seed)[1] for seed in (1, 1, 2))
    assert first == again
    assert first.surrogates[0] != other.surrogates[0]
    assert [one.method for one in first.surrogates] == [pb.ExplanationMethod.Value(f"EXPLANATION_METHOD_{name}")
                                                        for name in methods[:3]]


@pytest.mark.parametrize("text", ["", "?!", "bad", "bad bad bad", "烂片 真的 无聊", "नीरस फिल्म"])
def test_texts_of_few_words_or_none_are_explained(stub, pb, text):
    _, explanation = explain(stub, pb, text, "SURROGATE_LINEAR", "SURROGATE_TREE", "ANCHOR_RULE", "SUMMARY",
                             removal=pb.REMOVAL_MASK)
    linear, tree, anchor = explanation.surrogates
    assert len(linear.features) == len(linear.weights) <= len(text)
    assert len(tree.nodes) >= 1
    assert all(math.isfinite(one.fidelity) for one in explanation.surrogates)
    assert explanation.summary.startswith("The label is ")


def test_a_summary_has_the_numbers_of_what_it_is_made_of(stub, pb):
    text = "wonderful but dull"
    label, explanation = explain(stub, pb, text, "OCCLUSION", "SUMMARY", faithfulness=True)
    [attribution] = explanation.attributions
    words = {token.text: score for token, score in zip(explanation.tokens, attribution.scores) if not token.special}
    score = probabilities(stub, pb, [text], label)[0]
    assert explanation.summary.startswith(f'The label is "{label}" with a score of {score:.3f}. By occlusion, most ')
    named = re.findall(r'"(\w+)" \(([-+][\d.]+)\)', explanation.summary)
    assert named and all(f"{words[word]:+.3f}" == number for word, number in named)
    faithful = attribution.faithfulness
    assert f"falls by {faithful.comprehensiveness:.3f}, and with those alone by {faithful.sufficiency:.3f}," in \
        explanation.summary


def test_a_summary_alone_returns_nothing_else(stub, pb):
    _, explanation = explain(stub, pb, TEXT, "SUMMARY")
    assert "By occlusion" in explanation.summary
    assert not explanation.attributions and not explanation.surrogates


def test_words_of_a_pair_say_which_text_they_are_of(stub, pb):
    request = pb.ClassifyRequest(inputs=[pb.Text(text="a dull film", pair="a funny film")], options=options_of(
        pb, "SURROGATE_LINEAR", "SURROGATE_TREE", "ANCHOR_RULE", "OCCLUSION", "SUMMARY", sample_count=SAMPLES))
    [answer] = stub.Classify(request, timeout=120).classifications
    linear, tree, rule = answer.explanations[0].surrogates
    words = [(0, "a"), (0, "dull"), (0, "film"), (1, "a"), (1, "funny"), (1, "film")]
    assert sorted(zip(linear.segments, linear.features)) == sorted(words)
    conditions = {f"{('text', 'pair')[segment]} contains '{word}'" for segment, word in words}
    assert {node.condition for node in tree.nodes} <= conditions | {""}
    assert list(rule.rule) == [f"{('text', 'pair')[segment]} contains '{word}'"
                               for segment, word in zip(rule.segments, rule.features)]
    assert re.search(r'"\w+" in the (text|pair) \([-+]', answer.explanations[0].summary)


def test_a_label_that_is_not_the_answer_is_not_called_so(stub, pb):
    label, _ = explain(stub, pb, TEXT, "OCCLUSION")
    other = {"positive": "negative", "negative": "positive"}[label]
    _, explanation = explain(stub, pb, TEXT, "ANCHOR_RULE", "SUMMARY", target_label=other)
    assert explanation.summary.startswith(f'The label "{other}" is not the answer, with a score of 0.')
    assert "that score stays on its side of the middle" in explanation.summary


@pytest.mark.parametrize("method", ["SURROGATE_LINEAR", "SURROGATE_TREE", "ANCHOR_RULE"])
def test_a_surrogate_takes_no_more_than_is_said(stub, pb, method):
    """Of one long word: a rule names it twice."""
    for text in "dull" * 200, "wonderful" * 90:
        with pytest.raises(grpc.RpcError) as error:
            explain(stub, pb, text, method, max_bytes=1)
        needed = int(re.search(r"would take (\d+) bytes", error.value.details())[1])
        _, explanation = explain(stub, pb, text, method, max_bytes=needed)
        assert explanation.ByteSize() < needed


def test_vectors_have_surrogates_in_their_own_direction(stub, pb):
    request = pb.EmbedRequest(inputs=[pb.Text(text="search the long document")],
                              options=options_of(pb, "SURROGATE_LINEAR", "SUMMARY", sample_count=SAMPLES))
    [embedding] = stub.Embed(request, timeout=120).embeddings
    [explanation] = embedding.explanations
    [linear] = explanation.surrogates
    assert sorted(linear.features) == ["document", "long", "search", "the"]
    assert "The label" not in explanation.summary and "A linear model of copies" in explanation.summary


def test_words_of_a_query_and_of_a_text_are_apart(served, pb):
    request = pb.RerankRequest(query="the cat", texts=["the dog"],
                               options=options_of(pb, "SURROGATE_LINEAR", sample_count=SAMPLES))
    [rank] = served("rerank").stub.Rerank(request, timeout=120).ranks
    [linear] = rank.explanations[0].surrogates
    assert sorted(linear.features) == ["cat", "dog", "the", "the"]


def test_each_chunk_of_a_long_text_has_surrogates_of_its_own(stub, pb):
    text = " ".join(["wonderful film of a kind"] * 20 + ["dull mess of a film"] * 20)
    request = pb.ClassifyRequest(inputs=[pb.Text(text=text)],
                                 options=options_of(pb, "SURROGATE_LINEAR", sample_count=50))
    [answer] = stub.Classify(request, timeout=120).classifications
    assert len(answer.explanations) == answer.usage.chunk_count > 1
    for explanation in answer.explanations:
        shown = "".join(token.text for token in explanation.tokens)
        assert explanation.surrogates[0].features
        assert all(word in shown for word in explanation.surrogates[0].features)


def test_too_many_samples_are_refused(stub, pb):
    request = pb.ClassifyRequest(inputs=[pb.Text(text=TEXT)],
                                 options=options_of(pb, "SURROGATE_TREE", sample_count=100001))
    error = refused(lambda: stub.Classify(request, timeout=60))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and "sample_count" in error.details()
