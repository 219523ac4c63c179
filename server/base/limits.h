/* Every limit that is a constant, with its reason. Limits a user may set are in options.def. */
#pragma once

#include <assert.h>
#include <stdint.h>

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

/* Files of a checkpoint. The largest tokenizer.json in use (XLM-R's) is 17 MB; a config is a few KB. */
#define JSON_BYTES_MAX (64 * MIB)
#define JSON_DEPTH_MAX 64
/* A node takes 80 bytes, so at most 320 MB. The largest tokenizer.json known to us has 1.8 million: 256k pieces and
 * 515k merges of two. */
#define JSON_VALUE_COUNT_MAX 4194304
/* The safetensors library allows 100 MB of header; the shards of 70 B parameters need less than 1 MB. */
#define SAFETENSORS_HEADER_BYTES_MAX JSON_BYTES_MAX
#define SAFETENSORS_TENSOR_COUNT_MAX 65536
#define SAFETENSORS_FILE_BYTES_MAX (64 * GIB)
#define SHARD_COUNT_MAX 1024
/* Instruction-tuned embedders come with a few dozen prompts. */
#define PROMPT_COUNT_MAX 1024
#define PROMPT_BYTES_MAX (1 * MIB)
/* A folder of a module within a checkpoint, such as "1_Pooling". */
#define MODULE_PATH_BYTES_MAX 256
/* Modules between a checkpoint's pooling and its vectors; published ones have up to three. */
#define VECTOR_STEP_COUNT_MAX 8
#define PATH_BYTES_MAX 4096
/* Files and folders of one checkpoint: SHARD_COUNT_MAX shards and what lies beside them. */
#define CHECKPOINT_FILES_MAX 4096

/* Sizes of a model that we accept: larger than any published encoder, small enough that no product overflows. */
#define MODEL_HIDDEN_SIZE_MAX 16384
#define MODEL_LAYER_COUNT_MAX 256
#define MODEL_HEAD_COUNT_MAX 256
#define MODEL_INTERMEDIATE_SIZE_MAX 131072
#define MODEL_VOCABULARY_SIZE_MAX 4194304
#define MODEL_POSITION_COUNT_MAX 1048576
/* DeBERTa's table of relative positions, whose projections every layer keeps: 256 or 512 in what is published. */
#define MODEL_RELATIVE_SPAN_MAX 4096
/* The largest base of a rotary embedding in use is 10 million. */
#define MODEL_ROTARY_THETA_MAX 1e12
#define MODEL_CONVOLUTION_SIZE_MAX 63
/* BigBird's blocks of random keys: 3 in what is published. */
#define MODEL_BLOCK_REPEATS_MAX 1024
/* Tokens of a text that see all others and are seen by all: a question's few dozen, headings, borders of sentences.
 * Each costs as much as a dozen rows of dense attention. */
#define GLOBAL_TOKEN_COUNT_MAX 512
#define MODEL_TYPE_COUNT_MAX 1024
/* Rotary embeddings: dimensions of a head that turn, and the table of the first positions (32,768 of a head of 128);
 * beyond it, cosines are computed as they are needed. */
#define ROTARY_SIZE_MAX 1024
#define ROTARY_TABLE_BYTES_MAX (16 * MIB)
#define MODEL_LABEL_COUNT_MAX 65536
/* Floats of a vector, unless it is sparse: all kinds of pooling of the widest model fit. */
#define VECTOR_SIZE_MAX 131072
/* The name of a label; sentences serve as labels in some checkpoints. */
#define LABEL_BYTES_MAX 1024

/* Bytes of a tokenizer's tokens that no other token starts with, and some gaps: XLM-R has 1.2 million. At 20 bytes
 * each, as much memory as the largest JSON. */
#define TRIE_UNIT_COUNT_MAX 16777216u

/* One text. Offsets are 32 bit; 16 MiB of text is 4 million tokens, far beyond any model. */
#define TEXT_BYTES_MAX (16 * MIB)
/* What normalizers may make of a text. NFKC makes 33 bytes of the three of U+FDFA, and a file's Replace as much as it
 * likes; an honest text grows by half, and the byte alphabet doubles it. */
#define NORMALIZED_GROWTH_MAX 8
#define NORMALIZED_BASE_BYTES (64 * KIB)

/* What the sanitizer works on at once: a line, or a piece of a longer one. Its working text takes 16 bytes a
 * character, twice, and the structure of directions 25: 4 MiB. */
#define SANITIZE_LINE_BYTES_MAX (64 * KIB)

/* Regular expressions of tokenizers: the longest published one has 500 bytes. One search for a match takes a second
 * at most, and a hostile one ends. */
#define PATTERN_BYTES_MAX 8192u
#define PATTERN_STEPS_MAX 1000000
#define PATTERN_HEAP_BYTES_MAX (64 * MIB)

/* A text of more tokens is a long one: its work is shared among workers, and few of them run at a time, so that only
 * those few need room for it. Well above the batches that short texts form, and the lengths that most models take. */
#define LONG_TOKENS 1024u

/* One message on the wire; the default of gRPC is 4 MiB. Replies may be larger: 1,024 vectors of 4,096 floats. */
#define MESSAGE_BYTES_MAX_DEFAULT (4 * MIB)
#define MESSAGE_BYTES_MAX_LIMIT (64 * MIB)
/* An unpacked message may take 1 MiB and 16 times its wire size: enough for honest ones, too little for an
 * amplification (empty strings cost 28 bytes a wire byte). */
#define REQUEST_ARENA_BASE_BYTES (1 * MIB)
#define REQUEST_ARENA_FACTOR 16
/* protobuf-c recurses once a level, with no limit of its own; our deepest request has 4. */
#define MESSAGE_DEPTH_MAX 16

/* A query is tokenized again with each text of a Rerank, all together at most as many bytes as one text may have:
 * with 1,024 texts a query of 16 KiB. That keeps a worker for seconds, not minutes. */
#define QUERY_BYTES_MAX TEXT_BYTES_MAX

/* Chunks of one text, or windows of one context: 16 MiB of dense text in chunks of 256 tokens. What a request's
 * chunks take together, the queue and --request-memory bound. */
#define CHUNK_COUNT_MAX 16384

/* Results of one mask or one context; the defaults are transformers'. Who reads more reads the tail. */
#define FILL_TOP_K_DEFAULT 5
#define FILL_TOP_K_MAX 1024
#define ANSWER_TOP_K_DEFAULT 1
#define ANSWER_TOP_K_MAX 1024

/* Texts and chunks that are explained in steps at a time. Each holds its request's memory until it is done, and ten
 * steps a second of a core are many. */
#define EXPLAIN_JOBS_MAX 4096

/* Masked copies of a text that vote on its label; each costs as much as the text. */
#define VOTE_COUNT_MAX 16

/* Explanations. Copies of a text for one surrogate: PyPI's lime takes 5,000. Steps of integrated gradients: 300 is the
 * most that is recommended. Each costs as much as the text. */
#define EXPLAIN_TOP_K_DEFAULT 8
#define EXPLAIN_SAMPLE_COUNT_MAX 100000u
#define EXPLAIN_SAMPLE_COUNT_DEFAULT 1000u
#define EXPLAIN_STEP_COUNT_MAX 1000
/* Features of a surrogate: words of a text, or runs of them where it has more. Its linear model solves a system of
 * that size, and a thousand samples say nothing of so many. */
#define EXPLAIN_FEATURE_COUNT_MAX 256u

#define MODEL_NAME_BYTES_MAX 256
/* Models of one process: more would wait for each other on any machine's cores. */
#define MODEL_COUNT_MAX 256
/* Changes of the models that wait for each other: each takes seconds, so more would time out. */
#define MODEL_CHANGES_MAX 64
#define INPUT_COUNT_MAX_LIMIT 65536

static_assert(VECTOR_SIZE_MAX / 6 >= MODEL_HIDDEN_SIZE_MAX, "there are six kinds of pooling");
static_assert(JSON_BYTES_MAX < UINT32_MAX, "positions in a JSON file are 32 bit");
static_assert(NORMALIZED_BASE_BYTES + NORMALIZED_GROWTH_MAX * TEXT_BYTES_MAX < INT32_MAX, "ICU counts in int32_t");
static_assert(TEXT_BYTES_MAX >= MESSAGE_BYTES_MAX_DEFAULT, "a text of a default message always fits");
static_assert(MODEL_HIDDEN_SIZE_MAX * (uint64_t)MODEL_INTERMEDIATE_SIZE_MAX * 4 < (uint64_t)1 << 40,
              "a weight's byte size fits size_t with room to spare");
