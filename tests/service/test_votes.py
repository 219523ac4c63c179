"""Masked copies of a text that vote on its label."""

import grpc
from conftest import refused

TEXTS = ["the cat of the server", "search the long document and the short question", "is it in the long query",
         "dog dog cat answers to it", "a query of long answers in and of it",
         "the question is short and the answers long"]


def classify(served, pb, votes, policy=None, texts=TEXTS, **options):
    options = pb.Options(vote_count=votes, sanitize=policy, **options)
    request = pb.ClassifyRequest(inputs=[pb.Text(text=text) for text in texts], options=options)
    return list(served("classify").stub.Classify(request).classifications)


def labels(classification):
    return [(label.label, label.score) for label in classification.labels]


def unstable(classification):
    return [finding for finding in classification.sanitization.findings if finding.code == "VOTE_UNSTABLE"]


def test_votes_are_reported_and_change_nothing(served, pb):
    plain, voted = classify(served, pb, 0), classify(served, pb, 16)
    assert [labels(c) for c in plain] == [labels(c) for c in voted]
    assert not any(unstable(c) for c in plain)
    found = [unstable(c) for c in voted]
    assert any(found), "of random weights some label hangs on a word"
    for text, findings in zip(TEXTS, found):
        for finding in findings:
            assert (finding.byte_begin, finding.byte_end, finding.action) == (0, len(text), "none")
            assert 4 < finding.count <= 16


def test_the_majority_answers_under_clean(served, pb):
    plain = classify(served, pb, 0)
    voted = classify(served, pb, 16, "SANITIZE_POLICY_CLEAN")
    for before, after in zip(plain, voted):
        mapped = [finding for finding in unstable(after) if finding.action == "mapped"]
        assert (before.labels[0].label != after.labels[0].label) == bool(mapped)
        if mapped:
            assert mapped[0].detail == after.labels[0].label
        else:
            assert labels(before) == labels(after)


def test_chunks_vote_together(served, pb):
    long = " ".join(TEXTS * 8)
    options = {"length_policy": "LENGTH_POLICY_CHUNK", "chunking": pb.Chunking(token_count=16)}
    plain = classify(served, pb, 0, texts=[long], **options)
    voted = classify(served, pb, 5, texts=[long], **options)
    assert labels(plain[0]) == labels(voted[0])
    assert voted[0].usage.chunk_count == plain[0].usage.chunk_count > 1
    again = classify(served, pb, 5, texts=[long], **options)
    assert unstable(again[0]) == unstable(voted[0])


def test_only_labels_are_voted_on(served, pb):
    options, inputs = pb.Options(vote_count=2), [pb.Text(text="a cat")]
    stub = served("classify").stub
    error = refused(lambda: stub.Embed(pb.EmbedRequest(inputs=inputs, options=options)))
    assert (error.code(), "votes" in error.details()) == (grpc.StatusCode.INVALID_ARGUMENT, True)
    error = refused(lambda: classify(served, pb, 17))
    assert (error.code(), "at most 16" in error.details()) == (grpc.StatusCode.INVALID_ARGUMENT, True)
