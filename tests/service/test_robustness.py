"""What models are attacked with: the disguises that a recipe of deploy/models trains on, and the search of
tests/bench/robustness.py, which has to be a real attack for what withstands it to mean anything."""

import random
import sys

import numpy as np
import pytest
from builds import ROOT

sys.path[:0] = [str(ROOT / "deploy" / "models"), str(ROOT / "tests" / "bench")]
import disguises  # noqa: E402
import robustness  # noqa: E402
from sentiment_reviews import is_clear, label_of, read_reviews, split_of  # noqa: E402

TEXT = "a dull film of no use , with performances that are hardly worth mentioning at all"
SENTENCES = 24


@pytest.fixture(scope="module")
def server(start_server):
    with start_server("--sanitize", "off", model=False) as running:
        yield running


def counting(margins):
    """margins, and the texts that it was asked about."""
    asked = []

    def of(texts):
        asked.extend(texts)
        return margins(texts)

    return of, asked


def test_disguises_change_words_of_three_letters_in_their_places():
    chance = random.Random(1)
    words, changed = TEXT.split(), 0
    for _ in range(400):
        disguised = disguises.disguised(chance, TEXT).split()
        assert len(disguised) == len(words)
        assert all(one == other for one, other in zip(words, disguised) if len(one) < 3)
        changed += sum(one != other for one, other in zip(words, disguised))
    able = 400 * sum(map(disguises.is_able, words))
    assert 0.3 < changed / able < 0.55  # half of them, less those that an edit happens to leave alone
    assert disguises.disguised(random.Random(2), TEXT) == disguises.disguised(random.Random(2), TEXT)


@pytest.mark.parametrize("edit", disguises.EDITS)
def test_an_edit_is_of_one_letter_or_keeps_their_number(edit):
    made = {edit(random.Random(seed), "wonderful") for seed in range(50)}
    assert len(made - {"wonderful"}) >= 3
    difference = {disguises.drop: -1, disguises.insert: 1}.get(edit, 0)
    assert {len(word) for word in made} == {len("wonderful") + difference}
    if edit is disguises.shuffle:
        assert all(word[0] == "w" and word[-1] == "l" and sorted(word) == sorted("wonderful") for word in made)


@pytest.mark.parametrize("edit", [robustness.TYPING_ERROR, robustness.HIDDEN, robustness.repeat, robustness.split])
def test_the_benchmarks_edits_take_any_word_that_is_attacked(edit):
    for word in ("bad", "don't", "a-b-c", "ÄÖÜ", "1960s", "wonderful"):
        assert len({edit(random.Random(seed), word, 1) for seed in range(20)} - {word}) >= 1, word


def test_a_search_finds_the_word_that_an_answer_hangs_on():
    margins, asked = counting(lambda texts: [1.0 if "dull" in text else -1.0 for text in texts])
    found = robustness.search(random.Random(3), TEXT, robustness.TYPING_ERROR, margins, 100)
    changed = [(one, other) for one, other in zip(TEXT.split(), found.split()) if one != other]
    assert [one for one, _ in changed] == ["dull"]  # nothing else, and nothing more once the label has turned
    assert len(asked) <= 1 + len(TEXT.split()) + robustness.CANDIDATES


@pytest.mark.parametrize("query_count", [1, 2, 5, 12, 13, 40])
def test_a_search_keeps_to_its_queries_and_to_its_share_of_the_words(query_count):
    honest = set(TEXT.split())
    margins, asked = counting(lambda texts: [1 + len(honest & set(text.split())) for text in texts])
    found = robustness.search(random.Random(4), TEXT, robustness.TYPING_ERROR, margins, query_count)
    assert len(asked) <= query_count
    changed = sum(one != other for one, other in zip(TEXT.split(), found.split(), strict=True))
    assert changed <= int(robustness.WORDS_SHARE * len(TEXT.split()))
    assert (changed > 0) == (query_count > 12)  # of which all rank the words


def test_an_answer_that_is_wrong_already_is_left_alone():
    assert robustness.search(random.Random(5), TEXT, robustness.TYPING_ERROR, lambda texts: [-1.0] * len(texts),
                             100) == TEXT


def test_intervals_hold_the_mean_and_narrow_with_the_number_of_texts():
    for count in (100, 10_000):
        low, high = robustness.interval(1, np.arange(count) % 5 == 0)
        assert low < 20 < high
        assert abs((high - low) / (2 * 196 * (0.16 / count) ** 0.5) - 1) < 0.15
    assert list(robustness.interval(1, np.zeros(50))) == [0, 0]


def test_the_search_breaks_the_served_model_and_cleaning_undoes_what_is_hidden(stub, pb):
    reviews = [review for review in read_reviews() if split_of(review.text) == "test" and is_clear(review)][:SENTENCES]
    texts, truth = [review.text for review in reviews], [label_of(review) for review in reviews]
    judges = {policy: robustness.Judge(pb, stub, "sentiment", policy) for policy in ("off", "clean")}
    before = judges["off"].right(texts, truth)
    hostile = [robustness.search(random.Random(6), text, robustness.HIDDEN, judges["off"].margins(label, True), 100)
               for text, label in zip(texts, truth)]
    assert before.sum() - judges["off"].right(hostile, truth).sum() >= SENTENCES / 3
    assert (judges["clean"].right(hostile, truth) == before).all()
