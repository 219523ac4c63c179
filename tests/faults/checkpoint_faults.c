/* Links headlight_model. Every allocation and file call of opening, reading and hashing a checkpoint fails in
 * turn. */
#include "model/checkpoint.h"
#include "unit/model/scratch.h"
#include "walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* `context` is the checkpoint's folder. */
static Status open_and_use(void *context, Error *out_error)
{
    static const uint64_t shape[] = {4};
    const Scratch *scratch = context;
    char hex[SHA256_HEX_BYTES];
    const atomic_bool never = false;
    Checkpoint *checkpoint = NULL;
    Tensor tensor;
    float values[4];
    Status status = checkpoint_open(scratch->path, &checkpoint, out_error);
    if (status != STATUS_OK) {
        assert_null(checkpoint);
        return status;
    }
    status = checkpoint_tensor(checkpoint, "embeddings.LayerNorm.weight", 1, shape, &tensor, out_error);
    if (status == STATUS_OK) {
        tensor_read(&tensor, 0, 4, values);
        checkpoint_release(checkpoint, &tensor);
        status = checkpoint_hash(checkpoint, &never, hex, out_error);
    }
    checkpoint_close(checkpoint);
    return status;
}

static void checkpoint_survives_every_failing_call(void **state)
{
    (void)state;
    Scratch scratch;
    scratch_open(&scratch);
    scratch_write_checkpoint(&scratch);
    scratch_write_sentence_files(&scratch);
    walk_faults("checkpoint of one file", open_and_use, &scratch, WALK_STRICT);
    scratch_close(&scratch);
}

static void checkpoint_in_shards_survives_every_failing_call(void **state)
{
    (void)state;
    const ScratchTensor first = {"embeddings.LayerNorm.weight", "F32", 1, {4}, NULL, 16};
    const ScratchTensor second = {"embeddings.LayerNorm.bias", "F16", 1, {4}, NULL, 8};
    Scratch scratch;
    scratch_open(&scratch);
    scratch_write_text(&scratch, "config.json", scratch_config);
    scratch_write_text(&scratch, "tokenizer_config.json", "{\"model_max_length\": 16}");
    scratch_write_tensors(&scratch, "model-00001-of-00002.safetensors", &first, 1);
    scratch_write_tensors(&scratch, "model-00002-of-00002.safetensors", &second, 1);
    scratch_write_text(&scratch, "model.safetensors.index.json",
                       "{\"weight_map\":{\"embeddings.LayerNorm.weight\":\"model-00001-of-00002.safetensors\","
                       "\"embeddings.LayerNorm.bias\":\"model-00002-of-00002.safetensors\"}}");
    walk_faults("checkpoint of two shards", open_and_use, &scratch, WALK_STRICT);
    scratch_close(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checkpoint_survives_every_failing_call),
        cmocka_unit_test(checkpoint_in_shards_survives_every_failing_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
