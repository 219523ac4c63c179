"""What a cleaned text gives is the clean text's, bit for bit, and its ranges are those of the text as it was sent."""

import pytest

CLEAN = "the cat and the dog of the long server answers the question in search of a short query"
HOSTILE = CLEAN.replace("cat", "c\u200bat").replace("server", "\u2060ser\u200bver").replace("answers", "answ\u0435rs")
HIDDEN = {ord("\u200b"): None, ord("\u2060"): None, ord("\u0435"): "e"}


@pytest.fixture(name="options")
def fixture_options(pb):
    return pb.Options(sanitize="SANITIZE_POLICY_CLEAN", return_cleaned_text=True)


def pairs(pb, call, request, hostile, clean, options):
    """The reply to each of the two texts."""
    assert hostile.translate(HIDDEN) == clean
    return call(request(hostile, options)), call(request(clean, pb.Options()))


def same_spans(sent, plain, text):
    """Spans of the hostile text that show what those of the clean text do."""
    assert len(sent) == len(plain) > 0
    for one, other in zip(sent, plain):
        assert one.score == other.score
        shown = text.encode()[one.byte_begin:one.byte_end].decode()
        assert (one.text, shown.translate(HIDDEN)) == (shown, other.text)
    assert any(one.text != other.text for one, other in zip(sent, plain))


def test_vectors_labels_ranks_and_fills_are_the_clean_texts(served, pb, options):
    def embed(text, options):
        return pb.EmbedRequest(inputs=[pb.Text(text=text)], options=options)

    sent, plain = pairs(pb, served("classify").stub.Embed, embed, HOSTILE, CLEAN, options)
    assert sent.embeddings[0].values == plain.embeddings[0].values
    assert sent.embeddings[0].sanitization.cleaned_text == CLEAN

    def classify(text, options):
        return pb.ClassifyRequest(inputs=[pb.Text(text=text)], options=options)

    sent, plain = pairs(pb, served("classify").stub.Classify, classify, HOSTILE, CLEAN, options)
    assert sent.classifications[0].labels == plain.classifications[0].labels

    def rerank(text, options):
        return pb.RerankRequest(query=text, texts=[text, "a dog"], options=options, return_text=True)

    sent, plain = pairs(pb, served("rerank").stub.Rerank, rerank, HOSTILE, CLEAN, options)
    assert [rank.score for rank in sent.ranks] == [rank.score for rank in plain.ranks]
    assert {rank.text for rank in sent.ranks} == {HOSTILE, "a dog"}

    def fill(text, options):
        return pb.FillMaskRequest(inputs=[pb.Text(text=text + " [MASK]")], options=options)

    sent, plain = pairs(pb, served("fill_mask").stub.FillMask, fill, HOSTILE, CLEAN, options)
    assert sent.results[0].masks == plain.results[0].masks


@pytest.mark.parametrize("aggregation", ["none", "simple", "first", "average", "max"])
def test_entities_are_ranges_of_what_was_sent(served, pb, options, aggregation):
    def tag(text, options):
        return pb.TagTokensRequest(inputs=[pb.Text(text=text)], options=options, aggregation=aggregation)

    sent, plain = pairs(pb, served("tag").stub.TagTokens, tag, HOSTILE, CLEAN, options)
    same_spans(sent.taggings[0].entities, plain.taggings[0].entities, HOSTILE)


def test_answers_are_ranges_of_what_was_sent(served, pb, options):
    def answer(text, options):
        return pb.AnswerRequest(question="is it the dog", context=text, options=options, top_k=8)

    sent, plain = pairs(pb, served("answer").stub.Answer, answer, HOSTILE, CLEAN, options)
    same_spans(sent.answers, plain.answers, HOSTILE)


def test_chunks_are_ranges_of_what_was_sent(served, pb, options):
    hostile, clean = " ".join([HOSTILE] * 4), " ".join([CLEAN] * 4)
    cut = pb.Options(length_policy="LENGTH_POLICY_CHUNK", chunking=pb.Chunking(token_count=24))
    cut_and_cleaned = pb.Options()
    cut_and_cleaned.CopyFrom(cut)
    cut_and_cleaned.MergeFrom(options)

    def embed(text, options):
        return pb.EmbedRequest(inputs=[pb.Text(text=text)], options=options, return_chunk_embeddings=True)

    stub = served("classify").stub
    sent = stub.Embed(embed(hostile, cut_and_cleaned)).embeddings[0]
    plain = stub.Embed(embed(clean, cut)).embeddings[0]
    assert sent.values == plain.values and sent.chunks == plain.chunks
    assert len(sent.chunk_spans) == len(plain.chunk_spans) > 1
    for one, other in zip(sent.chunk_spans, plain.chunk_spans):
        shown = hostile.encode()[one.byte_begin:one.byte_end].decode()
        assert shown.translate(HIDDEN).strip() == clean[other.byte_begin:other.byte_end].strip()
