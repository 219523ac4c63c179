#!/usr/bin/env python3
"""Answers questions with the pipeline of transformers 4.57; make_tasks.py runs it:

    answer.py CHECKPOINT < questions.json > answers.json
"""
import json
import sys

import torch
import transformers

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(sys.argv[1])
model = transformers.AutoModelForQuestionAnswering.from_pretrained(sys.argv[1], attn_implementation="eager",
                                                                   dtype=torch.float32).eval()
if model.config.model_type == "big_bird":  # a short text would make it dense for the next
    model.bert.register_forward_pre_hook(lambda base, _: base.set_attention_type(base.config.attention_type))
pipe = transformers.pipeline("question-answering", model=model, tokenizer=tokenizer)
answers = [pipe(**question) for question in json.load(sys.stdin)]
json.dump([answer if isinstance(answer, list) else [answer] for answer in answers], sys.stdout)
