"""Long texts: a text has the same bits alone and in any company, whatever the number of workers that share its work."""

import concurrent.futures
import json
import shutil
from pathlib import Path

import pytest
from builds import SANITIZED


TASKS = Path(__file__).resolve().parents[1] / "golden" / "tasks"
POSITIONS = 3000
ARCHITECTURES = [name for name in ("bert", "modernbert", "longformer", "big_bird") if (TASKS / name).exists()]
WORDS = "The cat sat on the mat, and the dog lay by the door of the old house in Lyon. ".split(" ")
LONG = (1030, 1300) if SANITIZED else (1030, 1300, 2200, 2900)  # tokens, all beyond what a batch holds
SHORT = (3, 20, 70, 300)


def stretch(base, folder):
    """A copy of a small checkpoint for texts of POSITIONS tokens: its position table is repeated."""
    shutil.copytree(base, folder)
    config = json.loads((folder / "config.json").read_text())
    after_padding = config["model_type"] == "longformer"
    config["max_position_embeddings"] = POSITIONS + after_padding * (config["pad_token_id"] + 1)
    (folder / "config.json").write_text(json.dumps(config))
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"model_max_length": POSITIONS}))
    data = (base / "model.safetensors").read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    header, parts, at = json.loads(data[8:begin]), [], 0
    header.pop("__metadata__", None)
    for name, tensor in header.items():
        part = data[begin + tensor["data_offsets"][0] : begin + tensor["data_offsets"][1]]
        if name.endswith("position_embeddings.weight"):
            size = len(part) // tensor["shape"][0] * config["max_position_embeddings"]
            part = (part * (size // len(part) + 1))[:size]
            tensor["shape"][0] = config["max_position_embeddings"]
        tensor["data_offsets"] = [at, at + len(part)]
        parts.append(part)
        at += len(part)
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + b"".join(parts))
    return folder


@pytest.fixture(scope="module")
def stretched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stretched")
    return {name: stretch(TASKS / name / "classify", folder / name) for name in ARCHITECTURES}


def make_texts(stub, pb):
    """One text for each length of SHORT and LONG, of exactly so many tokens less what the last word has."""
    reply = stub.Tokenize(pb.TokenizeRequest(inputs=[pb.Text(text=" ".join(WORDS * 200))]))
    ends = [token.byte_end for token in reply.tokenizations[0].tokens if token.byte_end]
    whole = " ".join(WORDS * 200)
    return [whole[:ends[min(length, len(ends)) - 3]] for length in SHORT + LONG]


def bits_of(stub, pb, texts, **options):
    """What Embed and Classify answer, a text after the other: floats compare by their bits."""
    inputs = [pb.Text(text=text) for text in texts]
    asked = {"inputs": inputs, "options": pb.Options(**options)}
    vectors = stub.Embed(pb.EmbedRequest(**asked)).embeddings
    logits = stub.Classify(pb.ClassifyRequest(raw_scores=True, **asked)).classifications
    return [(tuple(vector.values), tuple(sorted((label.label, label.score) for label in row.labels)))
            for vector, row in zip(vectors, logits)]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_bits_of_a_long_text_depend_on_no_company_workers_or_policy(name, stretched, start_server, make_stub, pb):
    flags = "--max-input-tokens", str(POSITIONS)
    with start_server("--workers", "1", *flags, model=stretched[name]) as server, server.channel() as channel:
        stub = make_stub(channel)
        texts = make_texts(stub, pb)
        alone = [bits_of(stub, pb, [text])[0] for text in texts]
        used = stub.Embed(pb.EmbedRequest(inputs=[pb.Text(text=texts[-1])])).embeddings[0].usage
        assert used.token_count >= LONG[-1] - 3 and used.chunk_count == 1
    with start_server("--workers", "3", *flags, model=stretched[name]) as server, server.channel() as channel:
        stub = make_stub(channel)
        assert bits_of(stub, pb, texts) == alone
        assert bits_of(stub, pb, texts, length_policy=pb.LENGTH_POLICY_CHUNK) == alone  # one chunk each
        with concurrent.futures.ThreadPoolExecutor(len(texts)) as pool:
            asked = [[text, *texts[:index % 4]] for index, text in enumerate(texts)]
            for given, found in zip(asked, pool.map(lambda given: bits_of(stub, pb, given), asked)):
                assert found == [alone[texts.index(text)] for text in given]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_short_texts_pass_long_ones_and_long_ones_end_all_the_same(workers, stretched, start_server, make_stub, pb):
    flags = "--max-input-tokens", str(POSITIONS), "--workers", workers
    with start_server(*flags, model=stretched["modernbert"]) as server, server.channel() as channel:
        stub = make_stub(channel)
        texts = make_texts(stub, pb)
        long = pb.EmbedRequest(inputs=[pb.Text(text=texts[-1])] * 40)
        short = pb.EmbedRequest(inputs=[pb.Text(text=texts[0])])
        with server.channel() as other:
            stream = make_stub(other).Embed.future(long)
            for _ in range(5):
                assert len(stub.Embed(short).embeddings) == 1
            assert not stream.done()  # the short ones came later and are answered
            floods = [stub.Embed.future(short) for _ in range(500)]
            assert len(stream.result(timeout=120).embeddings) == 40
            assert all(len(flood.result(timeout=120).embeddings) == 1 for flood in floods)
