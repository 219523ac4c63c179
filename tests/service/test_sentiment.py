"""headlightd without a model's name serves deploy/models/sentiment: as transformers computes it, as its card says."""

import hashlib
import json
import re
import shutil
import subprocess
import sys

import pytest
from builds import PROGRAM, ROOT, SANITIZED

sys.path.insert(0, str(ROOT / "deploy" / "models"))
from sentiment_reviews import is_clear, label_of, read_reviews, split_of  # noqa: E402

MODEL = ROOT / "deploy" / "models" / "sentiment"
BYTES_MAX = 8 * 1024 * 1024
ATOL = 1e-5
BATCH = 256


@pytest.fixture(scope="module")
def server(start_server):
    with start_server(model=False) as running:
        yield running


@pytest.fixture(scope="module")
def card():
    return (MODEL / "README.md").read_text(encoding="utf-8")


def classified(stub, pb, texts):
    """(label, probability of positive) for each text."""
    answers = []
    for begin in range(0, len(texts), BATCH):
        request = pb.ClassifyRequest(inputs=[pb.Text(text=text) for text in texts[begin:begin + BATCH]])
        for answer in stub.Classify(request, timeout=120).classifications:
            scores = {label.label: label.score for label in answer.labels}
            assert set(scores) == {"negative", "positive"}
            answers.append((answer.labels[0].label, scores["positive"]))
    return answers


def test_a_server_without_a_models_name_knows_praise_from_blame(stub, pb):
    assert [model.name for model in stub.ListModels(pb.ListModelsRequest()).models] == ["sentiment"]
    praise = ["A wonderful, moving film.", "Funny, charming and beautifully acted.", "One of the year's best films."]
    blame = ["A dull, lifeless mess.", "The worst movie I have seen.", "Boring, stupid and far too long."]
    labels = [label for label, _ in classified(stub, pb, praise + blame)]
    assert labels == ["positive"] * 3 + ["negative"] * 3


def test_probabilities_are_those_of_transformers(stub, pb):
    golden = json.loads((ROOT / "tests" / "golden" / "sentiment.json").read_text(encoding="utf-8"))
    assert golden["weights_sha256"] == hashlib.sha256((MODEL / "model.safetensors").read_bytes()).hexdigest()
    answers = classified(stub, pb, [case["text"] for case in golden["cases"]])
    for (_, positive), case in zip(answers, golden["cases"], strict=True):
        assert abs(positive - case["positive"]) < ATOL, case["text"]


def test_the_checkpoint_is_the_one_that_its_card_describes(card):
    hashes = dict(re.findall(r"^\| (\S+) \| ([0-9a-f]{64}) \|$", card, re.MULTILINE))
    assert set(hashes) == {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert set(hashes) | {"README.md"} == {path.name for path in MODEL.iterdir()}
    for name, digest in hashes.items():
        assert hashlib.sha256((MODEL / name).read_bytes()).hexdigest() == digest, name
    assert sum(path.stat().st_size for path in MODEL.iterdir()) <= BYTES_MAX


def test_the_accuracy_is_what_the_card_says(stub, pb, card):
    if SANITIZED:
        pytest.skip("arithmetic over 1,500 sentences")
    row = re.search(r"^\| this model \| ([\d.]+) %.*?\| ([\d.]+) %", card, re.MULTILINE)
    clear, everything = map(float, row.groups())
    test = [review for review in read_reviews() if split_of(review.text) == "test"]
    answers = classified(stub, pb, [review.text for review in test])
    right = [label == label_of(review) for (label, _), review in zip(answers, test, strict=True)]
    of_clear = [one for one, review in zip(right, test) if is_clear(review)]
    assert abs(100 * sum(right) / len(right) - everything) < 0.1
    assert abs(100 * sum(of_clear) / len(of_clear) - clear) < 0.1


def test_the_default_has_the_name_it_is_given(start_server, make_stub, pb):
    with start_server("--served-model-name", "mood", model=False) as running, running.channel() as channel:
        assert make_stub(channel).ListModels(pb.ListModelsRequest()).models[0].name == "mood"


def test_a_program_by_itself_says_where_it_looked_for_the_default(tmp_path):
    (tmp_path / "bin").mkdir()
    shutil.copy(PROGRAM, tmp_path / "bin" / "headlightd")
    run = subprocess.run([tmp_path / "bin" / "headlightd", "--listen", f"unix:{tmp_path}/socket"], timeout=60,
                         stdin=subprocess.DEVNULL, capture_output=True)
    assert run.returncode == 1
    said = (run.stdout + run.stderr).decode()
    assert str(tmp_path / "share/headlight/models/sentiment") in said and "--model" in said


def test_an_installed_program_finds_the_default_beside_it(tmp_path):
    shutil.copytree(MODEL, tmp_path / "share" / "headlight" / "models" / "sentiment")
    (tmp_path / "bin").mkdir()
    shutil.copy(PROGRAM, tmp_path / "bin" / "headlightd")
    run = subprocess.Popen([tmp_path / "bin" / "headlightd", "--listen", f"unix:{tmp_path}/socket"], cwd="/",
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert any(b"'sentiment'" in line for line in run.stdout)
    finally:
        run.terminate()
        assert run.wait(60) == 0
