"""Small checkpoints with a head, made of the one in tests/golden/pipeline/queries, and what they must answer.

The reference is BERT in numpy, by its equations; no torch is needed. Texts are words of the small vocabulary, so that
tokens are words.
"""

import json
import math
import random
import shutil

import numpy

HEADS = {
    "classify": "BertForSequenceClassification",
    "tag": "BertForTokenClassification",
    "fill_mask": "BertForMaskedLM",
    "answer": "BertForQuestionAnswering",
}
POSITION_COUNT = 64
WORDS = "the of to and in is it query passage search document cat dog server answers question long short".split()
LABELS = ["joy", "anger", "fear", "surprise \u732b"]
TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


def read_tensors(path):
    data = path.read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:begin])
    header.pop("__metadata__", None)
    return {name: numpy.frombuffer(data[begin + at["data_offsets"][0] : begin + at["data_offsets"][1]], "<f4")
            .reshape(at["shape"]).copy() for name, at in header.items()}


def write_tensors(path, tensors):
    header, parts, at = {}, [], 0
    for name, tensor in tensors.items():
        part = numpy.ascontiguousarray(tensor, "<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [at, at + len(part)]}
        parts.append(part)
        at += len(part)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(parts))


class TaskModel:
    """A checkpoint of `head` ("classify", "tag", ...) with `labels` in `folder`; its layers `repeat` times."""

    def __init__(self, base, folder, head, labels=(), seed=0, repeat=1, change=None):
        self.folder, self.labels = folder, list(labels)
        self.attentions = []  # [heads][queries][keys] of each layer, of the text that was encoded last
        folder.mkdir(parents=True)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(base / name, folder / name)
        self.config = json.loads((base / "config.json").read_text())
        layer_count = self.config["num_hidden_layers"]
        self.config |= {"architectures": [HEADS[head]], "num_hidden_layers": layer_count * repeat}
        if labels:
            self.config["id2label"] = {str(i): label for i, label in enumerate(labels)}
            self.config["label2id"] = {label: i for i, label in enumerate(labels)}
        self.vocabulary = json.loads((base / "tokenizer.json").read_text())["model"]["vocab"]
        self.tensors = {f"bert.{name}": tensor for name, tensor in read_tensors(base / "model.safetensors").items()}
        for layer in range(layer_count, layer_count * repeat):
            self.tensors |= {name.replace("layer.0.", f"layer.{layer}."): tensor
                             for name, tensor in list(self.tensors.items()) if ".layer.0." in name}
        self.add_head(head, numpy.random.default_rng(seed))
        if change:
            change(self)
        (folder / "config.json").write_text(json.dumps(self.config))
        write_tensors(folder / "model.safetensors", self.tensors)

    def add_linear(self, generator, name, rows, columns):
        self.tensors[f"{name}.weight"] = generator.normal(0, 1 / math.sqrt(columns), (rows, columns)).astype("f4")
        self.tensors[f"{name}.bias"] = generator.normal(0, 0.1, rows).astype("f4")

    def add_head(self, head, generator):
        size = self.config["hidden_size"]
        if head == "classify":
            self.add_linear(generator, "bert.pooler.dense", size, size)
        if head == "fill_mask":
            self.add_linear(generator, "cls.predictions.transform.dense", size, size)
            self.tensors["cls.predictions.transform.LayerNorm.weight"] = generator.normal(1, 0.1, size).astype("f4")
            self.tensors["cls.predictions.transform.LayerNorm.bias"] = generator.normal(0, 0.1, size).astype("f4")
            self.tensors["cls.predictions.bias"] = generator.normal(0, 0.1, self.config["vocab_size"]).astype("f4")
        elif head == "answer":
            self.add_linear(generator, "qa_outputs", 2, size)
        else:
            self.add_linear(generator, "classifier", len(self.labels), size)

    # ---- The reference

    def linear(self, rows, name):
        return rows @ self.tensors[f"{name}.weight"].astype("f8").T + self.tensors[f"{name}.bias"]

    def norm(self, rows, name):
        centred = rows - rows.mean(axis=-1, keepdims=True)
        scale = numpy.sqrt((centred**2).mean(axis=-1, keepdims=True) + self.config["layer_norm_eps"])
        return centred / scale * self.tensors[f"{name}.weight"] + self.tensors[f"{name}.bias"]

    def attend(self, rows, name):
        head_count = self.config["num_attention_heads"]
        query, key, value = (self.linear(rows, f"{name}.self.{part}").reshape(len(rows), head_count, -1)
                             for part in ("query", "key", "value"))
        scores = softmax(numpy.einsum("qhd,khd->hqk", query, key) / math.sqrt(query.shape[2]))
        self.attentions.append(scores)
        return numpy.einsum("hqk,khd->qhd", scores, value).reshape(len(rows), -1)

    def encode(self, text, pair=None):
        """(tokens, type ids, hidden rows) of words between [CLS] and [SEP]."""
        tokens = ["[CLS]", *text.split(), "[SEP]"]
        types = [0] * len(tokens)
        if pair is not None:
            tokens += [*pair.split(), "[SEP]"]
            types += [1] * (len(tokens) - len(types))
        ids = [self.vocabulary[token] for token in tokens]
        tables = [self.tensors[f"bert.embeddings.{name}_embeddings.weight"].astype("f8")
                  for name in ("word", "position", "token_type")]
        rows = tables[0][ids] + tables[1][: len(ids)] + tables[2][types]
        rows = self.norm(rows, "bert.embeddings.LayerNorm")
        self.attentions = []
        for layer in range(self.config["num_hidden_layers"]):
            name = f"bert.encoder.layer.{layer}"
            mixed = self.linear(self.attend(rows, f"{name}.attention"), f"{name}.attention.output.dense")
            rows = self.norm(rows + mixed, f"{name}.attention.output.LayerNorm")
            inner = gelu(self.linear(rows, f"{name}.intermediate.dense"))
            rows = self.norm(rows + self.linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")
        return tokens, types, rows

    def class_logits(self, text, pair=None):
        _, _, rows = self.encode(text, pair)
        return self.linear(numpy.tanh(self.linear(rows[0], "bert.pooler.dense")), "classifier")

    def token_logits(self, text):
        _, _, rows = self.encode(text)
        return self.linear(rows, "classifier")

    def mask_probabilities(self, text):
        """One row a mask, over the vocabulary."""
        tokens, _, rows = self.encode(text)
        rows = rows[[i for i, token in enumerate(tokens) if token == "[MASK]"]]
        rows = self.norm(gelu(self.linear(rows, "cls.predictions.transform.dense")),
                         "cls.predictions.transform.LayerNorm")
        table = self.tensors["bert.embeddings.word_embeddings.weight"].astype("f8")
        return softmax(rows @ table.T + self.tensors["cls.predictions.bias"])

    def answers(self, question, context, allow_no_answer=False, candidate_count=12, word_count_max=15):
        """(words, score), the best first; candidates of the same words count together, and [CLS] is no answer."""
        tokens, types, rows = self.encode(question, context)
        first, words = types.index(1), context.split()
        starts, ends = softmax(self.linear(rows, "qa_outputs")[[0, *range(first, len(tokens) - 1)]].T)
        scores = numpy.triu(numpy.outer(starts[1:], ends[1:]))
        scores -= numpy.triu(scores, word_count_max)
        answers = {"": starts[0] * ends[0]} if allow_no_answer else {}
        for place in numpy.argsort(-scores, axis=None)[:candidate_count]:
            begin, end = numpy.unravel_index(place, scores.shape)
            text = " ".join(words[begin : end + 1])
            if scores[begin, end] > 0:
                answers[text] = answers.get(text, 0) + scores[begin, end]
        return sorted(answers.items(), key=lambda answer: -answer[1])


def softmax(values):
    powers = numpy.exp(values - values.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def sigmoid(values):
    return 1 / (1 + numpy.exp(-values))


def gelu(values):
    return values * (1 + numpy.vectorize(math.erf)(values / math.sqrt(2))) / 2


# ---- The models of the tests


def poison(model):
    """A text with this word has no finite answer."""
    model.tensors["bert.embeddings.word_embeddings.weight"][model.vocabulary["passage"]] = numpy.nan


def one_score(model):
    model.tensors["classifier.weight"] *= 5  # or the scores lie close together


def make_model(base, folder, name):
    """One of them by its name."""
    if name == "classify":
        return TaskModel(base, folder, "classify", LABELS, change=poison)
    if name == "deep":
        return TaskModel(base, folder, "classify", LABELS, repeat=64)
    if name == "rerank":
        return TaskModel(base, folder, "classify", ["score"], seed=1, change=one_score)
    return TaskModel(base, folder, name, TAGS if name == "tag" else ())


def sentence(seed, count):
    return " ".join(random.Random(seed).choices(WORDS, k=count))


def texts_of(pb, *texts):
    return [pb.Text(text=text) for text in texts]
