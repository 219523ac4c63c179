"""Makes minilm/: 1,000 texts of 2 to 256 tokens and their unit vectors by transformers (fp32, eager, batch of one).

    python tests/golden/make_minilm.py models/all-MiniLM-L6-v2

Needs torch and transformers; the tests only read what this writes. texts.jsonl holds one JSON string a line,
vectors.f32 the vectors as little-endian float32, [text][384].
"""

import json
import pathlib
import random
import sys

import numpy
import torch
from transformers import AutoModel, AutoTokenizer

TEXT_COUNT = 1000
TOKEN_COUNT_MAX = 256
SEED = 20240607

SENTENCES = """The quick brown fox jumps over the lazy dog.
A server answers before its client grows impatient, or it says when to come back.
Le café était fermé, mais la pâtisserie d'à côté sentait le beurre et la vanille.
Die Straßenbahn hält um 7:45 Uhr; danach fährt nur noch der Nachtbus.
El niño corrió detrás del balón hasta que empezó a llover a cántaros.
Утром мы пошли на рынок, купили яблоки, хлеб и немного мёда.
Η θάλασσα ήταν ήρεμη και το φως έπεφτε πάνω στα βράχια.
今日はとても寒いので、温かいお茶を飲みました。
我们在图书馆读书，然后去公园散步。
오늘은 날씨가 좋아서 산책을 했습니다.
ذهبنا إلى السوق واشترينا الخبز والزيتون.
הספרייה נפתחת בשעה תשע בבוקר.
आज मौसम बहुत अच्छा है और हम घूमने जा रहे हैं।
วันนี้อากาศดีมากเราไปเดินเล่นกัน
Bugün hava çok güzel, İstanbul'da vapura bindik.
Zażółć gęślą jaźń, a potem idź spać.
Tôi thích uống cà phê sữa đá vào buổi sáng.
for (int i = 0; i < count; i++) sum += weights[i] * x[i]; /* O(n) */
SELECT name, price FROM items WHERE price > 9.99 ORDER BY name DESC LIMIT 10;
Error 0x80070005: access is denied; see https://example.org/a?b=c&d=%20 for help.
Contact: jane.doe+news@example.com, tel. +1 (555) 010-9999, room #42-B.
😀 party at 8pm 🎉🎉 bring 👨‍👩‍👧‍👦 and 🏳️‍🌈 flags 👍🏽!!!
∀x ∈ ℝ: ∃y > x, hence ∑ 1/n² = π²/6 ≈ 1.6449…
Supercalifragilisticexpialidocious pneumonoultramicroscopicsilicovolcanoconiosis
The patient's blood pressure rose to 150/95 mmHg after 20 mg of the drug.
Shares fell 3.2% on Tuesday, their worst day since March 2020, analysts said.
"Don't," she whispered -- "you'll wake the others" -- and closed the door.
naïve coöperation façade résumé Zürich Ångström fiancée
MACHINE LEARNING IS NOT MAGIC; IT IS STATISTICS WITH GOOD MARKETING.
a an the of to in and is it you that he was for on are with as I his they be""".split("\n")


def random_text(rng, target_tokens, tokenizer):
    """A text whose length is near `target_tokens`, special tokens included; never above TOKEN_COUNT_MAX."""
    kind = rng.random()
    words = []
    while len(tokenizer(" ".join(words))["input_ids"]) < target_tokens:
        if kind < 0.7:
            words += rng.choice(SENTENCES).split(" ")
        elif kind < 0.85:
            words += rng.choice(rng.choice(SENTENCES).split(" ")).split()
        else:
            low, high = rng.choice([(0x20, 0x7E), (0xA1, 0x24F), (0x370, 0x5FF), (0x900, 0xDFF), (0x2000, 0x2BFF)])
            words.append("".join(chr(rng.randint(low, high)) for _ in range(rng.randint(1, 9))))
    while len(tokenizer(" ".join(words))["input_ids"]) > min(target_tokens, TOKEN_COUNT_MAX) and len(words) > 1:
        words.pop()
    return " ".join(words)


def embed(model, tokenizer, text):
    inputs = tokenizer(text, return_tensors="pt")
    with torch.no_grad():
        hidden = model(**inputs).last_hidden_state[0]
    return torch.nn.functional.normalize(hidden.mean(dim=0), dim=0).numpy()


def main():
    directory = sys.argv[1]
    tokenizer = AutoTokenizer.from_pretrained(directory, model_max_length=10**9)
    model = AutoModel.from_pretrained(directory, attn_implementation="eager", dtype=torch.float32).eval()
    rng = random.Random(SEED)
    lengths = [2 + i * (TOKEN_COUNT_MAX - 2) // (TEXT_COUNT - 1) for i in range(TEXT_COUNT)]
    texts = [random_text(rng, length, tokenizer) for length in lengths]
    texts = [text for text in texts if len(tokenizer(text)["input_ids"]) <= TOKEN_COUNT_MAX]
    texts += ["", " ", "a", "\u200b", "[SEP]"][: max(0, TEXT_COUNT - len(texts))]
    vectors = numpy.stack([embed(model, tokenizer, text) for text in texts])
    out = pathlib.Path(__file__).parent / "minilm"
    out.mkdir(exist_ok=True)
    (out / "texts.jsonl").write_text("".join(json.dumps(text, ensure_ascii=False) + "\n" for text in texts))
    vectors.astype("<f4").tofile(out / "vectors.f32")
    counts = [len(tokenizer(text)["input_ids"]) for text in texts]
    print(f"{len(texts)} texts of {min(counts)} to {max(counts)} tokens")


if __name__ == "__main__":
    main()
