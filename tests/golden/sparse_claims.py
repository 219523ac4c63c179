#!/usr/bin/env python3
"""Proves, against transformers, what the sparse patterns of Longformer, BigBird and ModernBERT mean: who sees whom in a
layer, as a dense definition of a few lines says it, and the rules around it (positions, default globals, fallbacks).
server/attention and server/encoder rely on each claim. Needs torch and transformers; run by hand after an update:

    sparse_claims.py [CLAIM ...]
"""
import math
import sys

import torch
import transformers
from transformers.models.longformer import modeling_longformer

from architectures import build, make_config
from reference import hidden_states, in_double, randomize

NEAR = 2e-5
CLAIMS = []


def claim(function):
    CLAIMS.append(function)
    return function


def near(found, expected, what):
    worst = float((found - expected).abs().max())
    assert worst <= NEAR, f"{what}: differs by {worst:.2e}"


def heads_of(rows, count):
    """[tokens][hidden] as [heads][tokens][head size]."""
    return rows.view(rows.shape[0], count, -1).transpose(0, 1)


def attend(queries, keys, values, bias, count):
    """Softmax attention with `bias` [queries][keys] added to all heads' scores: -inf hides a key."""
    q, k, v = (heads_of(rows, count) for rows in (queries, keys, values))
    weights = torch.softmax(q @ k.transpose(1, 2) / math.sqrt(q.shape[-1]) + bias, -1)
    return (weights.to(v.dtype) @ v).transpose(0, 1).flatten(1)


def hiding(visible):
    return torch.zeros(visible.shape, dtype=torch.float64).masked_fill(~visible, -math.inf)


def distances(tokens):
    rows = torch.arange(tokens)
    return (rows[:, None] - rows[None]).abs()


def longformer_context(attention, hidden, globals_):
    """Rows see the window, both ends included, and the globals, each key once; rows of globals see all, by projections
    of their own."""
    count = attention.num_heads
    visible = distances(len(hidden)) <= attention.one_sided_attn_window_size
    visible[:, globals_] = True
    context = attend(attention.query(hidden), attention.key(hidden), attention.value(hidden), hiding(visible), count)
    if globals_:
        context[globals_] = attend(attention.query_global(hidden[globals_]), attention.key_global(hidden),
                                   attention.value_global(hidden), 0.0, count)
    return context


def bigbird_bias(tokens, block, repeats):
    """Query blocks but the first and the last see the first block (1 + repeats times), their neighbours, themselves and
    the last; those two see all. All blocks start at multiples of `block`, so the last may be short."""
    blocks = torch.arange(tokens) // block
    last = int(blocks[-1])
    middle = (blocks > 0) & (blocks < last)
    visible = ((blocks[:, None] - blocks[None]).abs() <= 1) | (blocks == 0) | (blocks == last) | ~middle[:, None]
    return hiding(visible) + math.log(1 + repeats) * (middle[:, None] & (blocks == 0))


def bigbird_context(attention, hidden, block, repeats):
    sparse = len(hidden) > (5 + 2 * repeats) * block
    bias = bigbird_bias(len(hidden), block, repeats) if sparse else 0.0
    return attend(attention.query(hidden), attention.key(hidden), attention.value(hidden), bias,
                  attention.num_attention_heads)


def small(architecture, sizes, positions, seed=0, **settings):
    _, base = build(architecture, sizes, settings, (), positions)
    randomize(base, torch.Generator().manual_seed(seed), 0.6)
    return base.double()


def draw_ids(model, tokens, seed=1):
    return torch.randint(5, model.config.vocab_size, (tokens,), generator=torch.Generator().manual_seed(seed)).tolist()


def layers_seen(model, modules, ids, **arguments):
    """(input rows, output rows) of each attention module in one forward pass, and the last hidden state."""
    seen, hooks = [], []
    for module in modules:
        hooks.append(module.register_forward_hook(
            lambda module, given, keywords, out: seen.append((module, (given or (keywords["hidden_states"],))[0][0],
                                                              out[0][0])), with_kwargs=True))
    with in_double():
        hidden = hidden_states(model, ids, None, **arguments)
    for hook in hooks:
        hook.remove()
    return seen, hidden


@claim
def longformer_layers_are_the_dense_definition():
    for windows, sizes in (([4], (24, 3, 1, 21)), ([8, 4], (40, 5, 2, 33)), (16, (64, 1, 2, 20))):
        model = small("longformer", sizes, 200, attention_window=windows)
        widest = windows if isinstance(windows, int) else max(windows)
        for tokens in (1, 2, widest, widest + 1, 2 * widest, 2 * widest + 1, 131):
            for globals_ in ([], [0], sorted({0, tokens // 2, tokens - 1}), list(range(tokens))):
                seen, _ = layers_seen(model, [layer.attention.self for layer in model.encoder.layer],
                                      draw_ids(model, tokens), globals_=globals_)
                for attention, hidden, context in seen:
                    near(context[:tokens], longformer_context(attention, hidden[:tokens], globals_),
                         f"windows {windows}, {tokens} tokens, globals {globals_[:4]}")


@claim
def longformer_padding_changes_nothing():
    model = small("longformer", (24, 3, 2, 21), 200, attention_window=8)
    ids = draw_ids(model, 13)
    alone = hidden_states(model, ids, None, globals_=[0, 4])
    mask = torch.tensor([[1] * 13 + [0] * 30])
    given = {"input_ids": torch.tensor([ids + [1] * 30]), "attention_mask": mask,
             "global_attention_mask": torch.zeros_like(mask).index_fill_(1, torch.tensor([0, 4]), 1)}
    with torch.no_grad():
        near(model(**given).last_hidden_state[0, :13], alone, "13 tokens and 30 pads")


@claim
def longformer_windows_that_transformers_cannot_run():
    """A window that does not divide the widest, to which it pads; and one of 2, where a slice of its goes wrong. Ours
    has no reason to refuse them."""
    for windows, complaint in (([4, 6], "multiple"), ([2], "expanded size")):
        model = small("longformer", (24, 3, len(windows), 21), 200, attention_window=windows)
        try:
            hidden_states(model, draw_ids(model, 5), None)
        except (AssertionError, RuntimeError) as error:
            assert complaint in str(error), error
        else:
            raise AssertionError(f"windows of {windows} were run")


@claim
def longformer_positions_skip_literal_padding():
    for padding in (1, 3):
        found = modeling_longformer.create_position_ids_from_input_ids(torch.tensor([[0, 9, padding, 7, 2]]), padding)
        assert found.tolist() == [[padding + 1, padding + 2, padding, padding + 3, padding + 4]]


@claim
def longformer_takes_as_many_tokens_as_positions_less_padding():
    model = small("longformer", (24, 3, 1, 21), 100, attention_window=8, pad_token_id=3)
    assert model.config.max_position_embeddings == 104
    hidden_states(model, draw_ids(model, 100), None)
    try:
        hidden_states(model, draw_ids(model, 101), None)
    except IndexError:
        return
    raise AssertionError("101 tokens were run")


def globals_seen(suffix, ids):
    """Which positions the head makes global by itself, or the text of its refusal."""
    settings = {"attention_window": 4, "num_labels": 2}
    model = getattr(transformers, f"Longformer{suffix}")(
        make_config("longformer", (24, 3, 1, 21), settings, 100)).eval()
    found = []
    model.base_model.encoder.register_forward_pre_hook(
        lambda module, given, keywords: found.append(keywords["attention_mask"]), with_kwargs=True)
    try:
        with torch.no_grad():
            model(input_ids=torch.tensor([ids]))
    except AssertionError as error:
        return str(error)
    return (found[0][0] > 0).nonzero().flatten().tolist()


@claim
def longformer_globals_by_head():
    ids = [0, 9, 8, 7, 2, 2, 6, 5, 4, 2]
    assert globals_seen("ForSequenceClassification", ids) == [0]
    for suffix in ("Model", "ForMaskedLM", "ForTokenClassification"):
        assert globals_seen(suffix, ids) == [], suffix


@claim
def longformer_questions_are_global_before_the_first_of_three_separators():
    suffix = "ForQuestionAnswering"
    assert globals_seen(suffix, [0, 9, 8, 7, 2, 2, 6, 5, 4, 2]) == [0, 1, 2, 3]
    assert globals_seen(suffix, [2, 9, 8, 7, 2, 2, 6]) == []
    for wrong in ([0, 9, 2, 6, 2], [0, 9, 2, 2, 6, 2, 2], [0, 9, 8]):
        assert "exactly three separator tokens" in globals_seen(suffix, wrong)


@claim
def longformer_heads_ignore_hidden_act():
    config = make_config("longformer", (24, 3, 1, 21), {"attention_window": 4, "hidden_act": "relu"}, 100)
    model = transformers.LongformerForMaskedLM(config).eval()
    rows = torch.randn(5, 24)
    head = model.lm_head
    near(head(rows), head.decoder(head.layer_norm(torch.nn.functional.gelu(head.dense(rows)))), "fill: exact GELU")
    model = transformers.LongformerForSequenceClassification(config).eval()
    near(model.classifier(rows[None]), model.classifier.out_proj(torch.tanh(model.classifier.dense(rows[:1]))), "tanh")


@claim
def bigbird_layers_are_the_dense_definition():
    for block, repeats, sizes in ((4, 1, (24, 3, 2, 21)), (8, 2, (40, 5, 1, 33)), (5, 3, (64, 1, 2, 20))):
        model = small("big_bird", sizes, 400, block_size=block, num_random_blocks=repeats)
        dense = (5 + 2 * repeats) * block
        for tokens in (1, block, dense - 1, dense, dense + 1, dense + block, dense + block + 1, 2 * dense + 1):
            seen, _ = layers_seen(model, [layer.attention for layer in model.encoder.layer], draw_ids(model, tokens))
            for attention, hidden, out in seen:
                context = bigbird_context(attention.self, hidden[:tokens], block, repeats)
                near(out[:tokens], attention.output(context, hidden[:tokens]), f"block {block}, {tokens} tokens")


@claim
def bigbird_at_published_sizes():
    """Blocks of 64, three random ones; 1,024 tokens take another path of the code."""
    model = small("big_bird", (16, 2, 1, 20), 1100, block_size=64, num_random_blocks=3)
    for tokens in (704, 705, 1023, 1024, 1025):
        (attention, hidden, out), = layers_seen(model, [model.encoder.layer[0].attention], draw_ids(model, tokens))[0]
        near(out[:tokens], attention.output(bigbird_context(attention.self, hidden[:tokens], 64, 3), hidden[:tokens]),
             f"{tokens} tokens")


@claim
def bigbird_without_the_multiplicity_is_far_off():
    model = small("big_bird", (24, 3, 1, 21), 400, block_size=4, num_random_blocks=3)
    (attention, hidden, out), = layers_seen(model, [model.encoder.layer[0].attention], draw_ids(model, 80))[0]
    once = attend(attention.self.query(hidden), attention.self.key(hidden), attention.self.value(hidden),
                  bigbird_bias(80, 4, 0), 3)
    difference = (out - attention.output(once, hidden)).abs().amax(1)
    assert float(difference[4:76].max()) > 0.1, "the copies of block 0 are not seen"
    assert float(difference[:4].max()) < NEAR and float(difference[76:].max()) < NEAR, "blocks 0 and n - 1 see it once"


@claim
def bigbird_stays_dense_after_a_short_text():
    model = small("big_bird", (24, 3, 1, 21), 400, block_size=4, num_random_blocks=1)
    ids = torch.tensor([draw_ids(model, 60)])
    with torch.no_grad():
        fresh = model(input_ids=ids).last_hidden_state
        model(input_ids=ids[:, :5])
        assert model.attention_type == "original_full"
        assert float((model(input_ids=ids).last_hidden_state - fresh).abs().max()) > 0.01
        model.set_attention_type("block_sparse")
        near(model(input_ids=ids).last_hidden_state, fresh, "set_attention_type brings it back")


@claim
def bigbird_depends_on_neighbours_in_a_batch():
    """Why ours is the batch of one: padding moves the last block, and chooses between dense and sparse."""
    model = small("big_bird", (24, 3, 1, 21), 400, block_size=4, num_random_blocks=1)
    ids = draw_ids(model, 60)
    padded, mask = torch.tensor([ids + [0] * 40]), torch.tensor([[1] * 60 + [0] * 40])
    with torch.no_grad():
        beside = model(input_ids=padded, attention_mask=mask).last_hidden_state[0, :60]
    assert float((beside - hidden_states(model, ids, None)).abs().max()) > 0.01


@claim
def bigbird_without_random_blocks_is_refused():
    """Only longer texts; where the text is short, all of it is dense."""
    model = small("big_bird", (24, 3, 1, 21), 400, block_size=4, num_random_blocks=0)
    hidden_states(model, draw_ids(model, 20), None)
    try:
        hidden_states(model, draw_ids(model, 21), None)
    except (RuntimeError, ValueError):
        return
    raise AssertionError("21 tokens were run")


@claim
def bigbird_pads_beyond_its_positions_and_fails():
    """Ours answers: the padding of the last block takes part in nothing."""
    model = small("big_bird", (24, 3, 1, 21), 62, block_size=4, num_random_blocks=1)
    hidden_states(model, draw_ids(model, 60), None)
    try:
        hidden_states(model, draw_ids(model, 61), None)
    except (RuntimeError, IndexError):
        return
    raise AssertionError("61 tokens of 62 positions were run")


@claim
def bigbird_rescales_word_embeddings_alone():
    model = small("big_bird", (24, 3, 1, 21), 40, rescale_embeddings=True)
    table, ids = model.embeddings, torch.tensor([[7, 8, 9]])
    with torch.no_grad():
        expected = table.LayerNorm(table.word_embeddings(ids) * 24 ** 0.5 + table.token_type_embeddings.weight[0]
                                   + table.position_embeddings.weight[:3])
        near(table(ids), expected, "embeddings")


@claim
def bigbird_classifies_by_its_own_activation():
    config = make_config("big_bird", (24, 3, 1, 21), {"hidden_act": "relu"}, 100)
    head = transformers.BigBirdForSequenceClassification(config).eval().classifier
    rows = torch.randn(5, 24)
    near(head(rows[None]), head.out_proj(torch.relu(head.dense(rows[:1]))), "no tanh")


@claim
def bigbird_answers_by_a_layer_of_its_own_and_segments_of_its_own():
    """Without token types, the question with its separator is segment 0 and the rest segment 1; question tokens but the
    first lose a million."""
    config = make_config("big_bird", (24, 3, 1, 21), {"sep_token_id": 6}, 100)
    model = transformers.BigBirdForQuestionAnswering(config).eval()
    ids = torch.tensor([[1, 9, 8, 6, 7, 9, 10, 6]])
    types = torch.tensor([[0, 0, 0, 0, 1, 1, 1, 1]])
    head = model.qa_classifier
    with torch.no_grad():
        rows = model.bert(input_ids=ids, token_type_ids=types).last_hidden_state[0]
        middle = head.output.dense(head.intermediate.intermediate_act_fn(head.intermediate.dense(rows)))
        logits = head.qa_outputs(head.output.LayerNorm(middle + rows))
        found = model(input_ids=ids)
        near(found.start_logits[0, [0, 4, 5, 6, 7]], logits[[0, 4, 5, 6, 7], 0], "starts")
        near(found.end_logits[0, [0, 4, 5, 6, 7]], logits[[0, 4, 5, 6, 7], 1], "ends")
        assert float(found.start_logits[0, 1:4].max()) < -9e5
        given = model(input_ids=ids, token_type_ids=torch.zeros_like(ids))
        assert float((given.start_logits - found.start_logits)[0, 4:].abs().max()) > 1e-3, "given types are kept"


@claim
def modernbert_layers_are_the_dense_definition():
    """local_attention // 2 to each side, both ends included, so 129 keys for 128 and 3 for 3."""
    for window, tokens in ((128, 200), (2, 50), (3, 50), (9, 50), (64, 1), (65, 64)):
        settings = {"layer_types": ["sliding_attention", "full_attention"], "local_attention": window}
        model = small("modernbert", (24, 3, 2, 21), 300, **settings)
        for (attention, hidden, out), local in zip(
                layers_seen(model, [layer.attn for layer in model.layers], draw_ids(model, tokens))[0], (True, False)):
            with torch.no_grad():
                q, k, v = attention.Wqkv(hidden).split(24, -1)
                kind = "sliding_attention" if local else "full_attention"
                cos, sin = model.rotary_emb(hidden[None], torch.arange(tokens)[None], kind)
                q, k = (rotated(rows, 3, cos[0].double(), sin[0].double()) for rows in (q, k))
                bias = hiding(distances(tokens) <= window // 2) if local else 0.0
                near(out, attention.Wo(attend(q, k, v, bias, 3)), f"window {window}, local {local}")


def rotated(rows, count, cos, sin):
    """transformers rotates in fp32 whatever the model's precision, hence float()."""
    rows = heads_of(rows, count).float().double()
    half = rows.shape[-1] // 2
    return (rows * cos + torch.cat((-rows[..., half:], rows[..., :half]), -1) * sin).transpose(0, 1).flatten(1)


@claim
def modernbert_layers_of_the_published_spelling():
    config = transformers.ModernBertConfig(num_hidden_layers=8, global_attn_every_n_layers=3)
    assert [kind == "full_attention" for kind in config.layer_types] == [i % 3 == 0 for i in range(8)]
    assert config.sliding_window == 64
    assert isinstance(transformers.ModernBertModel(make_config(
        "modernbert", (24, 3, 1, 21), {}, 40)).layers[0].attn_norm, torch.nn.Identity)


def main():
    torch.set_num_threads(1)
    failed = False
    for proved in CLAIMS:
        if len(sys.argv) > 1 and proved.__name__ not in sys.argv[1:]:
            continue
        try:
            with torch.no_grad():
                proved()
            print(f"{proved.__name__}: ok", flush=True)
        except Exception as error:  # pylint: disable=broad-except
            failed = True
            print(f"{proved.__name__}: {type(error).__name__}: {error}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
