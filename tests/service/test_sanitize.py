"""The sanitizer through the server: policies, reports, refusals."""

import importlib
import pathlib
import re

import grpc
import pytest
from conftest import refused
from task_models import sentence
from test_metrics import Page, get, port_of

ATTACKS = pathlib.Path(__file__).resolve().parents[1] / "unit" / "sanitizer" / "attacks.txt"
SPECIAL = "a cat [SEP] in it"
OFF, REPORT, CLEAN, REJECT = (f"SANITIZE_POLICY_{name}" for name in ("OFF", "REPORT", "CLEAN", "REJECT"))
MODERATE, HIGH, STRICT = (f"SANITIZE_LEVEL_{name}" for name in ("MODERATE", "HIGH", "STRICT"))


def codes(findings):
    return [finding.code for finding in findings]


def totals(report):
    return {total.code: total.count for total in report.totals}


@pytest.fixture(scope="module")
def report_of(generated, pb):
    """The report in an error's details; None where there is none."""
    status_pb2 = importlib.import_module("google.rpc.status_pb2")

    def read(error):
        report, status = pb.SanitizeReport(), status_pb2.Status()
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                status.ParseFromString(value)
        found = [detail for detail in status.details if detail.Is(report.DESCRIPTOR)]
        return report if found and found[0].Unpack(report) else None

    return read


def requests(pb, served, text, options):
    """{name: (call, its reports)} of every task with `text` in it."""
    one, two = [pb.Text(text=text)], {"question": "who is it", "context": text}
    embed, classify = served("classify").stub.Embed, served("classify").stub.Classify
    tag, rerank = served("tag").stub.TagTokens, served("rerank").stub.Rerank
    fill, answer = served("fill_mask").stub.FillMask, served("answer").stub.Answer
    return {
        "embed": lambda: [e.sanitization for e in embed(pb.EmbedRequest(inputs=one, options=options)).embeddings],
        "classify": lambda: [c.sanitization for c in classify(
            pb.ClassifyRequest(inputs=one, options=options)).classifications],
        "tag": lambda: [t.sanitization for t in tag(pb.TagTokensRequest(inputs=one, options=options)).taggings],
        "rerank": lambda: [r.sanitization for r in rerank(
            pb.RerankRequest(query="a dog", texts=[text], options=options)).ranks],
        "fill": lambda: [f.sanitization for f in fill(pb.FillMaskRequest(
            inputs=[pb.Text(text=text + " [MASK]")], options=options)).results],
        "answer": lambda: [answer(pb.AnswerRequest(**two, options=options)).sanitization],
    }


@pytest.mark.parametrize("task", ["embed", "classify", "tag", "rerank", "fill", "answer"])
def test_every_task_reports_and_refuses(served, pb, report_of, details, task):
    call = requests(pb, served, SPECIAL, None)[task]
    [report] = call()
    findings = report.pair_findings if task in ("rerank", "answer") else report.findings
    assert report.policy == pb.SANITIZE_POLICY_REPORT and report.level == pb.SANITIZE_LEVEL_HIGH
    [special] = [finding for finding in findings if finding.code == "TOK_SPECIAL"]
    assert (special.byte_begin, special.byte_end) == (6, 11) and special.severity == pb.SEVERITY_HIGH
    assert totals(report)["TOK_SPECIAL"] == 1 and not report.changed and not report.HasField("cleaned_text")
    reject = pb.Options(sanitize=REJECT)
    error = refused(requests(pb, served, SPECIAL, reject)[task])
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and "TOK_SPECIAL" in error.details()
    assert SPECIAL not in error.details()
    fields = {"rerank": "texts[0]", "answer": "context"}
    assert details(error)[0] == [fields.get(task, "inputs[0].text")]
    report = report_of(error)
    assert "TOK_SPECIAL" in codes(report.pair_findings if task in fields else report.findings)
    assert report.policy == pb.SANITIZE_POLICY_REJECT


def test_a_request_only_tightens(start_server, make_stub, pb):
    def policy(stub, asked, level=0):
        options = pb.Options(sanitize=asked, sanitize_level=level)
        report = stub.Embed(pb.EmbedRequest(inputs=[pb.Text(text="a cat")], options=options)).embeddings[0].sanitization
        return pb.SanitizePolicy.Name(report.policy), pb.SanitizeLevel.Name(report.level)

    with start_server("--sanitize", "clean", "--sanitize-level", "strict") as server, server.channel() as channel:
        stub = make_stub(channel)
        assert policy(stub, OFF, MODERATE) == policy(stub, REPORT) == policy(stub, 0) == (CLEAN, STRICT)
        assert policy(stub, REJECT, HIGH) == (REJECT, STRICT)
    with start_server("--sanitize", "off", "--sanitize-level=moderate") as server, server.channel() as channel:
        stub = make_stub(channel)
        assert policy(stub, 0) == (OFF, MODERATE)
        assert policy(stub, REPORT, HIGH) == (REPORT, HIGH)


def test_a_model_may_have_a_tighter_policy(start_server, make_stub, pb, small_model):
    flags = ("--model", f"strict={small_model}", "--sanitize", "strict=reject", "--sanitize-level", "strict=strict",
             "--sanitize-enable", "strict=LEET,TYPO_WORD")
    with start_server(*flags, model=small_model) as server, server.channel() as channel:
        stub = make_stub(channel)
        request = pb.EmbedRequest(inputs=[pb.Text(text=SPECIAL)])
        assert stub.Embed(request).embeddings[0].sanitization.policy == pb.SANITIZE_POLICY_REPORT
        request.model = "strict"
        assert "refused at the level strict" in refused(lambda: stub.Embed(request)).details()


@pytest.mark.parametrize("flags, words", [
    (("--sanitize", "none"), "--sanitize none: there is no 'none'"),
    (("--sanitize-level", "low"), "--sanitize-level low"),
    (("--sanitize-enable", "leet"), "there is no 'leet': there are FLOOD_REPEAT, SPLIT_WORD, LEET"),
    (("--sanitize", "nobody=clean"), "names 'nobody': there is no such model"),
])
def test_a_wrong_policy_ends_the_start(start_server, flags, words):
    with start_server(*flags, wait=False, exit_code=1) as server:
        server.process.wait(60)
        assert words in server.log


def test_a_code_that_cannot_be_enabled_is_answered_with_those_that_can(stub, pb):
    request = pb.SanitizeRequest(inputs=[pb.Text(text="a")], sanitize_enable=["typo_word"])
    error = refused(lambda: stub.Sanitize(request))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "'typo_word'" in error.details() and "LEET, TYPO_WORD, VOTE_UNSTABLE" in error.details()


def test_sanitize_does_what_it_is_asked_for(stub, pb):
    def sanitize(model="", **options):
        return stub.Sanitize(pb.SanitizeRequest(
            model=model, inputs=[pb.Text(text=SPECIAL, pair="a dog")], **options)).reports[0]

    model = stub.ListModels(pb.ListModelsRequest()).models[0].name
    report = sanitize()
    assert report.policy == pb.SANITIZE_POLICY_REPORT and not report.HasField("cleaned_text") and not report.findings
    report = sanitize(model)
    assert codes(report.findings) == ["TOK_SPECIAL"] and not report.pair_findings
    report = sanitize(model, policy=CLEAN, sanitize_level=MODERATE)
    assert (report.cleaned_text, report.cleaned_pair) == (SPECIAL, "a dog")
    assert report.level == pb.SANITIZE_LEVEL_MODERATE
    report = sanitize(model, policy=OFF)
    assert report.policy == pb.SANITIZE_POLICY_OFF and not report.findings and not report.HasField("cleaned_text")
    error = refused(lambda: sanitize(model, policy=REJECT))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert refused(lambda: sanitize("nobody")).code() == grpc.StatusCode.NOT_FOUND


def test_sanitize_takes_large_texts_on_a_worker(stub, pb):
    text = "a cat in it. " * 10000
    report = stub.Sanitize(pb.SanitizeRequest(inputs=[pb.Text(text=text)], policy=CLEAN)).reports[0]
    assert report.cleaned_text == text and not report.findings


def test_what_is_cut_is_reported(stub, pb, small_model):
    """The small model takes 24 tokens."""
    text = sentence(3, 40)

    def report(policy):
        options = pb.Options(length_policy=policy)
        result = stub.Embed(pb.EmbedRequest(inputs=[pb.Text(text=text)], options=options)).embeddings[0]
        [finding] = [f for f in result.sanitization.findings if f.code == "LEN_TRUNCATED"]
        return finding, result.usage

    right, usage = report("LENGTH_POLICY_TRUNCATE_RIGHT")
    assert right.byte_end == len(text) and 0 < right.byte_begin and text[right.byte_begin - 1] == " "
    assert right.action == "truncated" and right.count == usage.text_token_count - usage.token_count
    left, _ = report("LENGTH_POLICY_TRUNCATE_LEFT")
    assert left.byte_begin == 0 and left.byte_end < len(text) and text[left.byte_end - 1:left.byte_end + 1].strip()
    whole, usage = report("LENGTH_POLICY_CHUNK")
    assert (whole.byte_begin, whole.byte_end, whole.action) == (0, len(text), "none")
    assert whole.count == usage.text_token_count and whole.severity == pb.SEVERITY_INFO


def test_a_stream_is_sanitized_message_by_message(served, pb):
    one = served("classify")
    messages = [pb.EmbedRequest(inputs=[pb.Text(text=text)]) for text in ("a cat", SPECIAL, "a dog")]
    found = [codes(reply.embeddings[0].sanitization.findings) for reply in one.stub.EmbedStream(iter(messages))]
    assert ["TOK_SPECIAL" in one for one in found] == [False, True, False]


def test_the_query_of_rerank_is_reported_with_each_text(served, pb):
    reply = served("rerank").stub.Rerank(pb.RerankRequest(query=SPECIAL, texts=["a cat", "a dog", "in it"]))
    assert len(reply.ranks) == 3
    for rank in reply.ranks:
        assert "TOK_SPECIAL" in codes(rank.sanitization.findings) and not rank.sanitization.pair_findings


def test_findings_are_counted(start_server, make_stub, pb):
    with start_server("--metrics-listen", "127.0.0.1:0") as server, server.channel() as channel:
        stub = make_stub(channel)
        for policy in (REPORT, REJECT):
            request = pb.EmbedRequest(inputs=[pb.Text(text=SPECIAL)], options=pb.Options(sanitize=policy))
            if policy == REJECT:
                refused(lambda: stub.Embed(request))
            else:
                stub.Embed(request)
        page = Page(get(port_of(server), "/metrics")[1])
        assert page("sanitizer_findings_total", code="TOK_SPECIAL") == 2
        assert page("sanitized_texts_total", policy="report") == page("sanitized_texts_total", policy="reject") == 1
        assert page("sanitized_requests_refused_total") == 1 and page("sanitized_texts_changed_total") == 0
        assert page("request_memory_bytes") == 0


def test_time_is_told(served, pb):
    reply = served("classify").stub.Embed(pb.EmbedRequest(inputs=[pb.Text(text="a cat")]))
    assert 0 < reply.timing.sanitize_ns < reply.timing.total_ns


def hide(text):
    """`text` with zero-width spaces inside its words."""
    return " ".join(word[:1] + "\u200b" + word[1:] if len(word) > 1 else word for word in text.split(" "))


def test_a_cleaned_text_has_the_bits_of_the_clean_one(served, pb):
    stub = served("tag").stub
    texts = [sentence(seed, 12) for seed in range(20)]

    def embed(inputs):
        request = pb.EmbedRequest(inputs=[pb.Text(text=text) for text in inputs],
                                  options=pb.Options(sanitize=CLEAN, return_cleaned_text=True))
        return stub.Embed(request).embeddings

    for text, dirty, clean in zip(texts, embed([hide(text) for text in texts]), embed(texts)):
        assert dirty.values == clean.values
        assert dirty.sanitization.changed and dirty.sanitization.cleaned_text == text
        assert not clean.sanitization.changed and clean.sanitization.cleaned_text == text


def attacked():
    """(hostile text, clean text) of attacks of all kinds (tests/bench/sanitize_attacks.py)."""
    read = lambda text: re.sub(r"\\u\{([0-9A-F]+)\}", lambda match: chr(int(match[1], 16)), text)
    return [tuple(map(read, line.split("\t"))) for line in ATTACKS.read_text(encoding="utf-8").splitlines()]


def test_whatever_the_attack_a_cleaned_text_has_the_bits_of_the_clean_one(served, pb):
    def embed(texts):
        request = pb.EmbedRequest(inputs=[pb.Text(text=text) for text in texts], options=pb.Options(sanitize=CLEAN))
        return served("tag").stub.Embed(request).embeddings

    hostile, clean = zip(*attacked())
    for text, dirty, honest in zip(clean, embed(hostile), embed(clean)):
        assert dirty.sanitization.changed and dirty.values == honest.values, text


def test_what_is_found_in_a_cleaned_text_is_quoted_as_it_was_sent(served, pb):
    options = pb.Options(sanitize=CLEAN)
    for seed in range(10):
        text = sentence(seed, 12)
        hidden = hide(text)
        tags = [served("tag").stub.TagTokens(pb.TagTokensRequest(
            inputs=[pb.Text(text=one)], aggregation="none", options=options)).taggings[0].entities
            for one in (text, hidden)]
        assert [(e.label, e.score) for e in tags[0]] == [(e.label, e.score) for e in tags[1]]
        for clean, dirty in zip(*tags):
            assert dirty.text == hidden.encode()[dirty.byte_begin:dirty.byte_end].decode()
            assert dirty.text.replace("\u200b", "") == clean.text
        spans = [served("answer").stub.Answer(pb.AnswerRequest(
            question="who is it", context=one, top_k=5, options=options)).answers for one in (text, hidden)]
        assert [span.score for span in spans[0]] == [span.score for span in spans[1]]
        for clean, dirty in zip(*spans):
            assert dirty.text == hidden.encode()[dirty.byte_begin:dirty.byte_end].decode()
            assert dirty.text.replace("\u200b", "") == clean.text


def test_ranks_return_the_text_as_it_was_sent(served, pb):
    texts = [hide(sentence(seed, 8)) for seed in range(5)]
    reply = served("rerank").stub.Rerank(pb.RerankRequest(
        query=hide("a dog in it"), texts=texts, return_text=True,
        options=pb.Options(sanitize=CLEAN, return_cleaned_text=True)))
    for rank in reply.ranks:
        assert rank.text == texts[rank.index]
        report = rank.sanitization
        assert report.cleaned_text == "a dog in it" and report.cleaned_pair == sentence(rank.index, 8)
        assert codes(report.findings) and codes(report.pair_findings)


def test_a_report_changes_no_bit(served, pb):
    stub = served("tag").stub
    hidden = hide(sentence(1, 12))
    values = [list(stub.Embed(pb.EmbedRequest(inputs=[pb.Text(text=hidden)], options=pb.Options(
        sanitize=policy))).embeddings[0].values) for policy in (REPORT, OFF)]
    assert values[0] == values[1]


def test_many_findings_are_counted_and_the_gravest_listed(stub, pb):
    text = "wo\u200brd " * 500 + "fl\U000e0041\U000e0042ag"
    report = stub.Sanitize(pb.SanitizeRequest(inputs=[pb.Text(text=text)])).reports[0]
    assert len(report.findings) == 32 and report.findings[0].code == "INV_TAG"
    assert report.findings[0].detail == "AB"
    assert totals(report)["INV_ZERO_WIDTH"] == 500


def test_many_hostile_texts_fit_the_request_memory(start_server, make_stub, pb):
    """However many findings: they are told within the limits, or the request is refused with a reason."""
    with start_server("--request-memory", "16MiB") as server, server.channel() as channel:
        stub = make_stub(channel)
        for count, words in ((1, 300_000), (200, 1000), (1000, 3)):
            text = "wo\u200brd " * words
            try:
                reply = stub.Sanitize(pb.SanitizeRequest(inputs=[pb.Text(text=text)] * count, policy=CLEAN))
                assert all(report.cleaned_text == "word " * words for report in reply.reports)
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, error
        assert stub.Sanitize(pb.SanitizeRequest(inputs=[pb.Text(text="a cat")])).reports


def test_malformed_text_is_repaired_only_where_texts_are_cleaned(served, pb, report_of, details):
    """No client library sends it; a hostile client does."""
    one = served("tag")

    def call(method, request, reply):
        wire = request.SerializeToString().replace(b"@@", b"\xC3\x28")
        path = "/headlight.v1.Inference/" + method
        return one.channel.unary_unary(path, response_deserializer=reply.FromString)(wire)

    text = pb.Text(text="the cat @@ is in it", pair="a @@ dog")
    for policy in (OFF, REPORT, REJECT):
        request = pb.TagTokensRequest(inputs=[pb.Text(text=text.text)], options=pb.Options(sanitize=policy))
        error = refused(lambda: call("TagTokens", request, pb.TagTokensResponse))
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and details(error)[0] == ["inputs[0].text"]
        assert "UTF-8" in error.details()
        error = refused(lambda: call("Sanitize", pb.SanitizeRequest(inputs=[text], policy=policy), pb.SanitizeResponse))
        assert details(error)[0] == ["inputs[0].text"]
    report = call("Sanitize", pb.SanitizeRequest(inputs=[text], policy=CLEAN), pb.SanitizeResponse).reports[0]
    assert report.cleaned_text == "the cat \ufffd( is in it" and report.cleaned_pair == "a \ufffd( dog"
    [finding] = report.findings
    assert (finding.code, finding.byte_begin, finding.byte_end) == ("ENC_INVALID_UTF8", 8, 9)
    request = pb.TagTokensRequest(inputs=[pb.Text(text=text.text)], aggregation="none",
                                  options=pb.Options(sanitize=CLEAN))
    entities = call("TagTokens", request, pb.TagTokensResponse).taggings[0].entities
    assert entities
    for entity in entities:
        assert entity.text == "the cat ?( is in it"[entity.byte_begin:entity.byte_end]


def test_deletions_and_overrides_are_read_as_they_are_seen(served, pb):
    stub = served("tag").stub
    seen = "the cat is in it"
    for sent in ("the cax\bt is in it", "the \u202etac\u202c is in it"):
        request = pb.EmbedRequest(inputs=[pb.Text(text=sent), pb.Text(text=seen)],
                                  options=pb.Options(sanitize=CLEAN, return_cleaned_text=True))
        dirty, clean = stub.Embed(request).embeddings
        assert dirty.sanitization.cleaned_text == seen and dirty.values == clean.values
