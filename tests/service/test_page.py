"""The page of `headlight explain --format html` in headless Chromium: what it shows, its switches, keys and pointer;
that it asks for nothing, and that no text becomes a part of it."""

import json
import re

import grpc
import numpy as np
import pytest
from browser import Browser
from builds import SANITIZED
from client_cli import fake_server, headlight, message, out
from explained import HEADS, LAYERS, attention_of, attribution, explained_parts, tokens_of

# What writes the page is tested by test_client_explain.py as well; this is about the page itself.
pytestmark = pytest.mark.skipif(SANITIZED, reason="the page is the same whoever wrote it")

METHODS = ["rollout", "value norm", "occlusion", "gradient input", "integrated gradients", "attention"]
ALL = ("rollout,value-norm,occlusion,gradient-input,integrated-gradients,attention,surrogate-linear,surrogate-tree,"
       "anchor-rule,summary")
TEXT = "A gripping film, \U0001F600 played with care; it is never dull."
HOSTILE = ["</script><script>window.evil = 1</script>", "<img src=x onerror=window.evil=1>", "<!--<script>",
           "&lt;b&gt;", "\u202eright to left", "zero\u200bwidth", "\u2028\u2029line", "]]>'\"`${window.evil=1}",
           "javascript:evil", "tab\tand\rreturn", "\ufeff\u00ad", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"]


@pytest.fixture(name="browser", scope="module")
def fixture_browser():
    with Browser() as browser:
        yield browser


@pytest.fixture(name="server", scope="module")
def fixture_server():
    for server in fake_server():
        server.list_models = lambda request, context: message("ListModelsResponse", models=[dict(
            name="m", architecture="bert", layer_count=LAYERS, head_count=HEADS, attention="dense",
            tasks=["embed", "classify"], is_default=True)])
        yield server


@pytest.fixture(name="show")
def fixture_show(browser, server, tmp_path):
    """Opens the page of some texts; at the end it must have been quiet."""
    def show(*arguments, chunks=1):
        path = tmp_path / "page.html"
        server.explain = lambda request, context: explained_parts(request, chunks)
        out(headlight("explain", "--format", "html", "--output", path, *arguments, server=server))
        browser.open(path)
        return browser

    browser.size(1280, 900)
    browser.theme("light")
    yield show
    assert browser.errors == [] and browser.requests == []
    assert browser.run("window.evil === undefined && performance.getEntriesByType('resource').length === 0")


def texts(browser, selector):
    return browser.run(f"[...document.querySelectorAll({json.dumps(selector)})].map((node) => node.textContent)")


def heats(browser, host="#text"):
    """Of each token on the page, its colour's strength with its sign."""
    return browser.run(f"[...document.querySelectorAll('{host} .token')].map((node) => parseInt("
                       "node.style.getPropertyValue('--heat') || '0') * (node.classList.contains('against') ? -1 : 1))")


def test_it_shows_the_answer_and_the_text(show):
    browser = show("--method", ALL, "--faithfulness", TEXT)
    assert browser.run("document.title").startswith("Headlight")
    assert texts(browser, "#labels .bar-row") == ["positive88 %", "negative13 %"]
    assert texts(browser, "#model") == ["m: bert, 2 layers of 3 heads, dense attention"]
    assert texts(browser, "#summary") == ["A counts most."]
    assert texts(browser, "#text .segment")[0].replace("[CLS] ", "").replace("[SEP] ", "") == TEXT
    assert texts(browser, "#methods label") == METHODS
    assert len(texts(browser, "#heads .thumb")) == LAYERS * HEADS
    shown = " ".join(texts(browser, "#surrogate-list"))
    assert "contains 'A'?yes" in shown and "then the answer is positive." in shown and "agreement 0.875" in shown


def test_a_rule_of_another_label_does_not_say_that_it_is_the_answer(show):
    browser = show("--method", "anchor-rule", "--target", "negative", TEXT)
    shown = texts(browser, "#surrogate-list")[0]
    assert "then the score of negative stays on its side of the middle." in shown and "the answer is" not in shown


def test_words_of_a_pair_say_which_text_they_are_of(show):
    browser = show("--method", "surrogate-linear", "--pairs", "a b\ta")
    names = texts(browser, "#surrogate-list .bar-row")
    assert [name.split("+")[0].split("0")[0].strip("-\u2212 ") for name in names] == \
        ["a in the text", "b in the text", "a in the pair"]


def test_methods_colour_the_text(show, server):
    browser = show("--method", ALL, "--faithfulness", TEXT)
    seen = []
    for name in METHODS:
        browser.run(f"[...document.querySelectorAll('#methods label')].find((label) => label.textContent === '{name}')"
                    ".querySelector('input').click()")
        found = heats(browser)
        seen.append(tuple(found))
        signed = browser.run("document.getElementById('legend').className") == "signed"
        assert signed == (min(found) < 0) == (name in ("occlusion", "gradient input", "integrated gradients"))
        assert ("completeness error" in texts(browser, "#facts")[0]) == (name == "integrated gradients")
        assert ("comprehensiveness0.500" in texts(browser, "#facts")[0]) == (name != "attention")
        assert len(texts(browser, "#strongest li")) == 10
    assert len(set(seen)) == len(METHODS)
    request = message("ExplainRequest", input=dict(text=TEXT))
    tokens = tokens_of(request.input)
    scores = attribution(request.options.explanation, "OCCLUSION", tokens)["scores"]
    top = max(abs(score) for score, token in zip(scores, tokens) if not token.get("special"))
    emoji = next(index for index, token in enumerate(tokens) if token["text"] == "\U0001F600")
    scores[emoji:emoji + 2] = [max(scores[emoji:emoji + 2], key=abs)]  # two tokens of one character are one mark
    expected = [100 * max(-1, min(1, score / top)) for score in scores]
    assert np.abs(np.array(seen[2]) - expected).max() <= 1.01


def test_keys_go_through_methods_and_tokens(show):
    browser = show("--method", ALL, TEXT)
    browser.run("document.querySelector('#methods input').focus()")
    browser.press("ArrowRight")
    assert browser.run("document.activeElement.value") == "value-norm"
    assert texts(browser, "#method-text")[0].startswith("How long")
    browser.press("Tab")
    assert browser.run("document.activeElement.textContent") == "[CLS]"
    browser.press("ArrowRight", "ArrowRight")
    assert browser.run("document.activeElement.textContent") == "gripping"
    assert texts(browser, "#detail")[0].startswith("gripping token 2, score ")
    browser.press("End")
    assert browser.run("document.activeElement.textContent") == "[SEP]"
    stops = set()
    for _ in range(40):
        browser.press("Tab")
        stops.add(browser.run("document.activeElement.id || document.activeElement.className"))
    assert {"token", "thumb", "map-field", "theme"} <= {stop.split()[0] for stop in stops if stop}


def test_a_head_and_a_row_are_shown(show):
    text = TEXT.replace("\U0001F600", "is")
    browser = show("--method", "attention", text)
    tokens = tokens_of(message("ExplainRequest", input=dict(text=text)).input)
    weights = attention_of(len(tokens))
    browser.run("document.querySelectorAll('#heads .thumb')[0].focus()")
    browser.press("ArrowDown", "ArrowRight")
    assert texts(browser, "#map-title") == ["Layer 1, head 1"]
    assert browser.run("document.querySelector('.thumb[aria-checked=true]').title") == "layer 1, head 1"
    browser.run("document.getElementById('map-field').focus()")
    browser.press("Home", "ArrowDown", "ArrowDown", "ArrowRight")
    assert texts(browser, "#row-title")[0].startswith("Of \u201Cgripping\u201D, token 2, ")
    assert texts(browser, "#row-bars .bar-name")[0] == "[CLS]"
    row = weights[1, 1, 2]
    shown = [int(re.sub(r"\D.*", "", text)) for text in texts(browser, "#row-bars .bar-value")]
    assert np.abs(shown[0] - 100 * row.max()) < 1
    count = len(tokens)
    browser.point("#map-field", (4 + 0.5) / count, (7 + 0.5) / count)
    assert "token 7, " in texts(browser, "#row-title")[0] and "token 4." in texts(browser, "#row-title")[0]
    found, row = heats(browser, "#row-text"), weights[1, 1, 7]
    assert found[1:-1] == pytest.approx(100 * row[1:-1] / row[1:-1].max(), abs=2) and found[0] == 100
    browser.run("[...document.querySelectorAll('#row-text .token')].find((node) => node.textContent === 'film,')"
                ".click()")
    assert texts(browser, "#row-title")[0].startswith("Of \u201Cfilm,\u201D, token 3")


def test_pictures_are_the_weights(show):
    browser = show("--method", "attention", TEXT)
    weights = attention_of(len(tokens_of(message("ExplainRequest", input=dict(text=TEXT)).input)))
    pixels = np.array(browser.run(
        "(({width, height}, context) => [...context.getImageData(0, 0, width, height).data])("
        "document.getElementById('map-canvas'), document.getElementById('map-canvas').getContext('2d'))"))
    pixels = pixels.reshape(*weights.shape[2:], 4)
    light = pixels[..., :3].sum(-1)
    seen = weights[0, 0] > 0.01 * weights[0, 0].max()
    order = np.argsort(weights[0, 0][seen])
    assert (np.diff(light[seen][order]) <= 6).all() and light.min() < 250 < 600 < light.max()


@pytest.mark.parametrize("flags", [["--rows", "pooled"], ["--rows", "3,5", "--form", "top-k"], ["--aggregate", "mean"],
                                   ["--form", "sparse", "--weights", "uint8"], ["--layers", "1", "--heads", "0,2"]])
def test_every_form_is_drawn(show, flags):
    browser = show("--method", "attention,value-norm", *flags, TEXT)
    assert len(texts(browser, "#heads .thumb")) == {"--aggregate": 2, "--layers": 2}.get(flags[0], 6)
    assert ("is not on this page" in texts(browser, "#row-rest")[0]) == ("--form" in flags)
    browser.run("document.getElementById('map-field').focus()")
    browser.press("ArrowDown", "ArrowRight", "PageDown", "End")
    if "pooled" in flags:
        assert texts(browser, "#row-title")[0].startswith("Of the row that the answer is read from, ")


def test_no_text_becomes_a_part_of_the_page(show):
    for text in HOSTILE:
        browser = show("--method", ALL, "--pairs", f"{text} film\t{text}")
        assert browser.run("document.querySelectorAll('img, #text b, #text script, #text a').length") == 0
        assert browser.run("document.scripts.length") == 2
    england = "\U0001F3F4\U000E0067\U000E0062\U000E007F"
    persian = "\u0645\u06cc\u200c\u062e\u0648"
    browser = show("--method", "value-norm", f"see \u202ethis\u202c zero\u200bwidth {persian} {england} a\U000E0067")
    assert texts(browser, "#text .unseen-character") == ["U+202E", "U+202C", "U+200B", "U+E0067"]


def test_themes_differ_and_keep_the_text_readable(show):
    browser = show("--method", ALL, TEXT)

    def colours():
        return browser.run("((style, token) => [style.backgroundColor, style.color, token.backgroundColor])("
                           "getComputedStyle(document.querySelector('.card')),"
                           "getComputedStyle([...document.querySelectorAll('#text .token')].find((node) =>"
                           "node.style.getPropertyValue('--heat') === '100%')))")

    light = colours()
    map_light = browser.run("document.getElementById('map-canvas').toDataURL()")
    browser.theme("dark")
    dark = colours()
    assert light != dark and map_light != browser.run("document.getElementById('map-canvas').toDataURL()")
    for card, ink, token in light, dark:
        assert contrast(card, ink) >= 7 and contrast(token, ink) >= 4.5
    browser.point("#theme", click=True)
    assert colours() == light
    browser.point("#theme", click=True)
    assert colours() == dark and texts(browser, "#theme") == ["Theme: dark"]


def contrast(one, other):
    """WCAG's ratio of two colours as a computed style has them."""
    def luminance(colour):
        numbers = [float(number) for number in re.findall(r"[\d.]+", colour.replace("color(srgb", ""))[:3]]
        scale = 1 if "srgb" in colour else 255
        linear = [(value / scale / 12.92) if value / scale <= 0.04045 else ((value / scale + 0.055) / 1.055) ** 2.4
                  for value in numbers]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_texts_and_chunks_are_chosen(show):
    browser = show("--method", "value-norm,attention", "one two", "three four five", chunks=2)
    assert texts(browser, "#choice option") == ["text 1, chunk 0", "text 1, chunk 1", "text 2, chunk 0",
                                                "text 2, chunk 1"]
    browser.run("document.getElementById('choice').value = '2';"
                "document.getElementById('choice').dispatchEvent(new Event('change'))")
    assert "three four five" in texts(browser, "#text")[0] and len(texts(browser, "#map-rows span")) == 5
    browser.run("[...document.querySelectorAll('#text .token')].at(-1).click()")
    assert "token 4" in texts(browser, "#detail")[0]
    browser.run("document.getElementById('choice').value = '0';"
                "document.getElementById('choice').dispatchEvent(new Event('change'))")
    assert "one two" in texts(browser, "#text")[0] and "token 4" not in texts(browser, "#detail")[0]


def test_a_pair_is_two_texts(show):
    browser = show("--method", "value-norm", "--pairs", "who is it?\tIt is Ada.")
    assert len(texts(browser, "#text .segment")) == 2 and "It is Ada." in texts(browser, "#text .segment")[1]


def test_a_page_without_methods_or_attention(show):
    browser = show("--method", "surrogate-linear", "a b")
    hidden = browser.run("['tokens', 'attention', 'surrogates'].map((name) => document.getElementById(name).hidden)")
    assert hidden == [True, True, False]
    show("--method", "rollout", "")


def test_it_asks_for_less_where_all_is_too_much(server, tmp_path):
    asked = []

    def explain(request, context):
        asked.append(request.options.explanation)
        try:
            yield from explained_parts(request)
        except ValueError as error:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))

    server.explain = explain
    text = " ".join(["word"] * 120)
    for limit, forms in (10**6, [(1, 0)]), (50_000, [(1, 0), (1, 1)]), (5_000, [(1, 0), (1, 1), (0, 0)]):
        asked.clear()
        out(headlight("explain", "--format", "html", "--max-bytes", limit, "--output", tmp_path / "p", text,
                      server=server))
        assert [(spec.rows, spec.form) for spec in asked] == forms
        assert all(spec.weight_format == 1 and list(spec.methods) == [0, 1, 2] for spec in asked)
    done = headlight("explain", "--format", "html", "--max-bytes", "5", text, server=server)
    assert done.returncode == 1 and b"rows POOLED takes" in done.stderr


def test_4096_tokens_are_quick_to_use(show):
    browser = show("--method", "attention,value-norm,occlusion", "--form", "top-k", "--rows", "all",
                   "--heads", "0,2", " ".join(f"word{number}" for number in range(4094)))
    assert browser.run("document.querySelectorAll('#text .token').length") == 4096
    assert not browser.run("document.getElementById('overview').hidden")
    browser.wait("document.querySelectorAll('#heads canvas')[3].width === 48")
    spent = browser.run("""new Promise((done) => {
        const begin = performance.now();
        document.querySelectorAll('#methods input')[1].click();
        for (let row = 0; row < 50; row++) page.attention.chooseRow(80 * row, 7);
        document.body.getBoundingClientRect();
        requestAnimationFrame(() => done(performance.now() - begin));
    })""")
    assert spent < 5000
    browser.point("#overview", x=0.5, click=True)
    assert re.match(r"word20[345]\d token 20[345]\d, score ", texts(browser, "#detail")[0])


def test_a_small_window_does_not_scroll_sideways(show):
    browser = show("--method", ALL, TEXT)
    for width in 360, 800:
        browser.size(width, 700)
        browser.frame()
        assert browser.run("document.documentElement.scrollWidth") <= width
