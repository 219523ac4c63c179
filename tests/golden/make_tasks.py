#!/usr/bin/env python3
"""Makes tests/golden/tasks: small random checkpoints with heads, whole with tokenizers, and what transformers'
pipelines answer with them (eager, fp32, a text at a time). Needs torch and transformers; the tests need only what this
wrote.

    make_tasks.py [--answers PYTHON] [ARCHITECTURE[/CASE] ...]

transformers 5 has no pipeline for question answering: PYTHON is an interpreter with transformers 4.57, whose pipeline
answers. Without it such cases stay as they are.

<architecture>/<case>/cases.json: {task: [{what is asked ..., "expected": what is answered}]}. Positions in texts are of
bytes. "global_token_indices", in some of Longformer's, are the positions that attend globally instead of the
head's own.
"""
import argparse
import contextlib
import dataclasses
import json
import pathlib
import subprocess
import zlib

import torch
import transformers

from architectures import ARCHITECTURES, make_config
from reference import in_double, randomize, reset_attention, round_weights, save_checkpoint, write_json
from small_tokenizers import TOKENIZERS, make_tokenizer

HERE = pathlib.Path(__file__).parent / "tasks"
SIZES = (16, 2, 2, 20)
LONGEST, WINDOW = 160, 48  # tokens of texts, and of the windows of question answering
LABELS = ("negative", "neutral", "positive", "caf\u00e9")
TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
PLAIN_TAGS = ("O", "PER", "LOC", "MISC")
SHARPNESS = 0.6
FAIR = 5e-6  # the furthest that fp32 may be from double precision, for numbers up to 1

TEXTS = (
    "The cat sat on the mat.", "Ada Lovelace wrote the first program for a machine in London.",
    "a", "  Two   spaces,\tcaf\u00e9s\nand M\u00fcnchen; \u732b \U0001f600!",
    "It was a very good film with a terrible ending",
)
LONG = "Who wrote it? Charles Babbage, by the door of the old house in Lyon. " * 2
PAIRS = (("Where is the house?", "The house is in Lyon, by the rain."), ("a", "b"), (TEXTS[3], TEXTS[1]))
QUESTIONS = (
    ("Who wrote the first program?", "Ada Lovelace wrote the first program for a machine in London."),
    ("Where?", "  Caf\u00e9s in Paris   serve coffee; M\u00fcnchen \u732b \U0001f600 does not."),
    ("What is long?", ("The quick answer is short; a long answer is longer than the question. "
                       "Clara Schumann wrote the music, and the cat sat by the door in Lyon. ") * 2),
    ("Is it?", "It is."),
)

FILLS = (("The {} sat on the mat.", 5), ("{}", 3), ("Ada {} wrote the {} program.", 5), (LONG + "It was {}.", 1),
         ("caf\u00e9s {}{}, {}", 20))


@dataclasses.dataclass(frozen=True)
class Asked:
    """What is asked of a checkpoint of which size."""
    sizes: tuple = SIZES
    longest: int = LONGEST
    window: int = WINDOW
    settings: dict = dataclasses.field(default_factory=dict)
    fair: float = FAIR
    texts: tuple = TEXTS + (LONG,)
    tagged: tuple = TEXTS
    pairs: tuple = PAIRS
    questions: tuple = QUESTIONS
    fills: tuple = FILLS  # (text with {} for masks, top_k)
    globals_: tuple = (0, 2)  # attend globally instead of a head's own; every text has these positions


# case: (task, class suffix, settings)
CASES = {
    "classify": ("classify", "ForSequenceClassification", {"labels": LABELS}),
    "tag": ("tag", "ForTokenClassification", {"labels": TAGS}),
    "fill": ("fill_mask", "ForMaskedLM", {}),
    "answer": ("answer", "ForQuestionAnswering", {}),
}
MORE = {
    "bert": {
        "classify_many": ("classify", "ForSequenceClassification",
                          {"labels": LABELS, "problem_type": "multi_label_classification"}),
        "classify_regression": ("classify", "ForSequenceClassification",
                                {"labels": ("score",), "problem_type": "regression"}),
        "classify_one": ("classify", "ForSequenceClassification", {"labels": ("relevant",)}),
        "tag_plain": ("tag", "ForTokenClassification", {"labels": PLAIN_TAGS}),
        "fill_untied": ("fill_mask", "ForMaskedLM", {"tie_word_embeddings": False}),
    },
    "roberta": {"classify_many": ("classify", "ForSequenceClassification",
                                  {"labels": LABELS, "problem_type": "multi_label_classification"}),
                "tag_plain": ("tag", "ForTokenClassification", {"labels": PLAIN_TAGS})},
    "xlm-roberta": {"classify_regression": ("classify", "ForSequenceClassification",
                                            {"labels": ("score", "other"), "problem_type": "regression"})},
    "albert": {"classify_one": ("classify", "ForSequenceClassification", {"labels": ("relevant",)})},
    "deberta-v2": {"fill_new_head": ("fill_mask", "ForMaskedLM", {"legacy": False})},
    "modernbert": {"classify_mean": ("classify", "ForSequenceClassification",
                                     {"labels": LABELS, "classifier_pooling": "mean", "classifier_bias": True,
                                      "classifier_activation": "silu", "norm_bias": True})},
    "eurobert": {"classify_mean": ("classify", "ForSequenceClassification",
                                   {"labels": LABELS, "classifier_pooling": "mean"}),
                 "classify_first": ("classify", "ForSequenceClassification",
                                    {"labels": LABELS, "classifier_pooling": "bos"})},
}
SMALL = {"electra": {"embedding_size": 12}, "albert": {"embedding_size": 12, "num_hidden_groups": 2},
         "modernbert": {"local_attention": 16}, "eurobert": {"num_key_value_heads": 1},
         "longformer": {"attention_window": [4, 8]}}


def make_model(architecture, name, tokenizer, asked, seed):
    task, suffix, settings = CASES.get(name) or MORE[architecture][name]
    settings = SMALL.get(architecture, {}) | settings | asked.settings
    settings["vocab_size"] = tokenizer.get_vocab_size() + 2
    labels = settings.pop("labels", None)
    if labels:
        settings |= {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}
    config = make_config(architecture, asked.sizes, settings, asked.longest)
    model = getattr(transformers, ARCHITECTURES[architecture][0] + suffix)(config).eval()
    model.base_model.register_forward_pre_hook(lambda base, _: reset_attention(base))
    stored = "f16" if seed % 2 else "bf16"
    draw_weights(model, tokenizer, torch.Generator().manual_seed(seed), stored, asked)
    return task, model, stored


def draw_weights(model, tokenizer, generator, stored, asked=Asked()):
    """Random weights with which fp32 is a fair judge: less sharp attention until it agrees with double precision."""
    texts = [torch.tensor([tokenizer.encode(text).ids[:asked.longest]]) for text in asked.texts]
    for attempt in range(40):
        randomize(model, generator, SHARPNESS * 0.85 ** attempt)
        round_weights(model, stored)
        with torch.no_grad():
            narrow = [everything(model, ids) for ids in texts]
            with in_double():
                wide = [everything(model.double(), ids) for ids in texts]
            model.float()
        if max(float(((a - b) / (1 + b.abs())).abs().max()) for a, b in zip(narrow, wide)) < asked.fair:
            return
    raise ValueError("always too sharp for fp32")


def everything(model, ids):
    """All that the model says of a text, in a row: hidden states, and the head's logits."""
    globals_ = {"global_attention_mask": torch.arange(ids.shape[1])[None] % 7 == 0}
    output = model(ids, output_hidden_states=True, **globals_ if model.config.model_type == "longformer" else {})
    logits = [output[name].flatten() for name in ("logits", "start_logits", "end_logits") if name in output]
    return torch.cat([output.hidden_states[-1].flatten()] + logits)


def bytes_at(text, start, end):
    return {"byte_begin": len(text[:start].encode()), "byte_end": len(text[:end].encode())}


def classify_cases(model, tokenizer, asked):
    pipe = transformers.pipeline("text-classification", model=model, tokenizer=tokenizer)
    for text, pair in [(text, None) for text in asked.texts] + list(asked.pairs):
        given = {"text": text} if pair is None else {"text": text, "text_pair": pair}
        scores, raw = (pipe(given, top_k=None, **options) for options in ({}, {"function_to_apply": "none"}))
        yield {"text": text, "pair": pair, "expected": scores, "raw": raw}


def embed_cases(model, tokenizer, asked):
    """The mean of the last hidden state, as sentence-transformers embeds with a checkpoint that has no modules.json."""
    for text in asked.texts:
        with torch.no_grad():
            hidden = model.base_model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        yield {"text": text, "expected": hidden.mean(0).tolist()}


def tag_cases(model, tokenizer, asked):
    pipe = transformers.pipeline("token-classification", model=model, tokenizer=tokenizer)
    for text in asked.tagged:
        for strategy in ("none", "simple", "first", "average", "max"):
            found = [{"label": entity.get("entity_group") or entity["entity"], "score": float(entity["score"]),
                      **bytes_at(text, entity["start"], entity["end"])}
                     for entity in pipe(text, aggregation_strategy=strategy)]
            yield {"text": text, "aggregation": strategy, "expected": found}


def fill_cases(model, tokenizer, asked):
    pipe = transformers.pipeline("fill-mask", model=model, tokenizer=tokenizer)
    for text, top in asked.fills:
        text = text.replace("{}", tokenizer.mask_token)
        found = pipe(text, top_k=top)
        masks = found if isinstance(found[0], list) else [found]
        yield {"text": text, "top_k": top, "expected": [
            [{"token_id": fill["token"], "token": fill["token_str"], "score": fill["score"]} for fill in fills]
            for fills in masks]}


def answer_cases(folder, python, asked):
    """Asked of the other interpreter, whose answers are in characters."""
    given = [{"question": question, "context": context, "top_k": top, "handle_impossible_answer": impossible}
             for question, context in asked.questions for top in (1, 4) for impossible in (False, True)]
    script = pathlib.Path(__file__).parent / "answer.py"
    output = subprocess.run([python, script, folder], input=json.dumps(given), text=True, check=True,
                            stdout=subprocess.PIPE).stdout
    for case, answers in zip(given, json.loads(output)):
        yield case | {"expected": [{"text": answer["answer"], "score": answer["score"],
                                    **bytes_at(case["context"], answer["start"], answer["end"])}
                                   for answer in answers]}


@contextlib.contextmanager
def globals_asked(model, positions):
    """These attend globally, whatever the head says."""
    def ask(_, arguments, named):
        mask = torch.zeros_like(named["attention_mask"])
        mask[:, list(positions)] = 1
        return arguments, named | {"global_attention_mask": mask}
    hook = model.base_model.register_forward_pre_hook(ask, with_kwargs=True)
    yield
    hook.remove()


def cases_of(maker, model, tokenizer, asked):
    cases = list(maker(model, tokenizer, asked))
    if model.config.model_type == "longformer":
        with globals_asked(model, asked.globals_):
            cases += [case | {"global_token_indices": asked.globals_}
                      for case in list(maker(model, tokenizer, asked))[::2]]
    return cases


def write_cases(folder, cases):
    """As few bytes as hold fp32."""
    def short(value):
        if isinstance(value, dict):
            return {name: short(item) for name, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [short(item) for item in value]
        return float(f"{value:.8g}") if isinstance(value, float) else value
    text = json.dumps(short(cases), ensure_ascii=False, separators=(",", ":"))
    (folder / "cases.json").write_text(text + "\n", encoding="utf-8")


def make(folder, name, python, asked=Asked(), draw=""):
    """Writes one checkpoint with its cases into `folder`, named <...>/<architecture>/<case>."""
    architecture = folder.parent.name
    tokenizer, tokenizer_config = make_tokenizer(architecture, asked.window if name == "answer" else asked.longest - 8)
    seed = zlib.crc32(f"{architecture}/{name}{draw}".encode())
    task, model, stored = make_model(architecture, name, tokenizer, asked, seed)
    save_checkpoint(model, folder, stored)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    write_json(folder / "tokenizer_config.json", tokenizer_config)
    fast = transformers.PreTrainedTokenizerFast.from_pretrained(folder)
    makers = {"classify": classify_cases, "tag": tag_cases, "fill_mask": fill_cases}
    if task == "answer":
        cases = {task: list(answer_cases(folder, python, asked))}
    else:
        cases = {task: cases_of(makers[task], model, fast, asked)}
    if name == "classify":
        cases["embed"] = cases_of(embed_cases, model, fast, asked)
    write_cases(folder, cases)
    print(f"{architecture}/{name}: {sum(path.stat().st_size for path in folder.iterdir())} bytes", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers")
    parser.add_argument("asked", nargs="*")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for architecture in TOKENIZERS:
        for name, (_, suffix, _) in (CASES | MORE.get(architecture, {})).items():
            known = hasattr(transformers, f"{ARCHITECTURES[architecture][0]}{suffix}")
            whole = f"{architecture}/{name}"
            if name == "answer" and (not options.answers or architecture == "jina_embeddings_v3"):  # 4.57 lacks it
                continue
            if known and (not options.asked or architecture in options.asked or whole in options.asked):
                make(HERE / architecture / name, name, options.answers)


if __name__ == "__main__":
    main()
