"""Rollout and gradients through the server: rollout against numpy over the attention of the same answer, gradients by
what they must add up to; tests/unit holds both to torch."""

import numpy
import pytest

from builds import ROOT
from conftest import refused
from test_explain import LONG, TEXT, asked, classify, explained, matrix, options

MODERNBERT = ROOT / "tests" / "golden" / "tasks" / "modernbert" / "classify"


def scores_of(explanation, method):
    (attribution,) = [each for each in explanation.attributions if each.method == method]
    return numpy.array(attribution.scores, numpy.float64), attribution


def rolled_out(explanation, row):
    """`row` is taken down through the mean of each layer's heads."""
    count = len(explanation.tokens)
    layers = {}
    for head in explanation.attention:
        layers.setdefault(head.layer, []).append(matrix(head, count))
    for layer in sorted(layers, reverse=True):
        row = 0.5 * row + 0.5 * row @ numpy.mean(layers[layer], axis=0)
    return row


@pytest.mark.parametrize("one", ["classify", "rerank", "tag", "answer", "embed"])
def test_rollout_is_that_of_the_attention_beside_it(served, pb, one):
    methods = [pb.EXPLANATION_METHOD_ATTENTION, pb.EXPLANATION_METHOD_ROLLOUT]
    explanation = explained(served, pb, one, methods=methods, rows=pb.ATTENTION_ROWS_ALL)
    count = len(explanation.tokens)
    first = one in ("classify", "rerank")
    row = numpy.eye(count)[0] if first else numpy.full(count, 1 / count)
    scores, _ = scores_of(explanation, pb.EXPLANATION_METHOD_ROLLOUT)
    assert scores == pytest.approx(rolled_out(explanation, row), abs=1e-5)
    assert scores.sum() == pytest.approx(1, abs=1e-5)


def test_rollout_begins_at_the_masks(served, pb):
    methods = [pb.EXPLANATION_METHOD_ATTENTION, pb.EXPLANATION_METHOD_ROLLOUT]
    explanation = explained(served, pb, "fill_mask", methods=methods, rows=pb.ATTENTION_ROWS_ALL)
    row = numpy.array([token.text == "[MASK]" for token in explanation.tokens], numpy.float64)
    assert row.sum() == 1
    scores, _ = scores_of(explanation, pb.EXPLANATION_METHOD_ROLLOUT)
    assert scores == pytest.approx(rolled_out(explanation, row), abs=1e-5)


@pytest.mark.parametrize("one", ["classify", "rerank", "embed"])
def test_integrated_gradients_are_complete(served, pb, one):
    method = pb.EXPLANATION_METHOD_INTEGRATED_GRADIENTS
    errors = []
    for step_count in (1, 0, 400):
        explanation = explained(served, pb, one, methods=[method], step_count=step_count)
        scores, attribution = scores_of(explanation, method)
        errors.append(attribution.completeness_error)
        assert len(scores) == len(explanation.tokens)
        assert all(scores[i] == 0 for i, token in enumerate(explanation.tokens) if token.special)
        assert abs(scores).max() > 0
    assert max(errors[1:]) <= 0.001, errors


def test_gradients_of_a_label_are_those_of_its_own_logit(served, pb):
    methods = [pb.EXPLANATION_METHOD_GRADIENT_INPUT, pb.EXPLANATION_METHOD_INTEGRATED_GRADIENTS]
    one = served("classify")
    by_label = {}
    for label in ("joy", "anger"):
        explanation = classify(one, pb, methods=methods, target_label=label)
        for method in methods:
            scores, attribution = scores_of(explanation, method)
            assert attribution.target_label == label
            assert attribution.HasField("completeness_error") == (method == methods[1])
            by_label[label, method] = scores
    for method in methods:
        assert abs(by_label["joy", method] - by_label["anger", method]).max() > 1e-6


def test_gradients_are_the_same_each_time_and_beside_other_methods(served, pb):
    method = pb.EXPLANATION_METHOD_INTEGRATED_GRADIENTS
    alone, _ = scores_of(explained(served, pb, "classify", methods=[method]), method)
    more = [pb.EXPLANATION_METHOD_ROLLOUT, pb.EXPLANATION_METHOD_VALUE_NORM, method]
    again, _ = scores_of(explained(served, pb, "classify", methods=more), method)
    assert list(alone) == list(again)


def test_each_chunk_has_its_own_gradients(served, pb):
    method = pb.EXPLANATION_METHOD_GRADIENT_INPUT
    request = pb.ClassifyRequest(inputs=[pb.Text(text=LONG)], options=options(pb, methods=[method]))
    result = served("classify").stub.Classify(request).classifications[0]
    assert len(result.explanations) > 1
    for explanation in result.explanations:
        scores, _ = scores_of(explanation, method)
        assert len(scores) == len(explanation.tokens)


def test_gradients_are_refused_where_there_are_none(served, pb):
    for method in (pb.EXPLANATION_METHOD_GRADIENT_INPUT, pb.EXPLANATION_METHOD_INTEGRATED_GRADIENTS):
        error = refused(lambda: asked(served, pb, "tag", options(pb, methods=[method])))
        assert "ROLLOUT" in error.details()


def test_an_architecture_without_gradients_names_those_that_have_them(start_server, make_stub, pb):
    with start_server(model=MODERNBERT) as server, server.channel() as channel:
        stub = make_stub(channel)
        spec = options(pb, methods=[pb.EXPLANATION_METHOD_GRADIENT_INPUT])
        request = pb.ClassifyRequest(inputs=[pb.Text(text=TEXT)], options=spec)
        error = refused(lambda: stub.Classify(request))
        assert "modernbert" in error.details() and "roberta" in error.details()
        request.options.explanation.methods[:] = [pb.EXPLANATION_METHOD_ROLLOUT]
        (explanation,) = stub.Classify(request).classifications[0].explanations
        assert sum(explanation.attributions[0].scores) == pytest.approx(1, abs=1e-5)
