/* Links headlight_model. Any bytes as model.safetensors.index.json beside two good shards. */
#include "fuzz.h"
#include "model/weights.h"
#include "unit/model/scratch.h"

static Scratch shards_fuzz_folder;

static void shards_fuzz_clean(void)
{
    scratch_close(&shards_fuzz_folder);
}

static void shards_fuzz_prepare(void)
{
    static const float values[2] = {1, 2};
    const ScratchTensor first = {"a", "F32", 1, {2}, values, sizeof values};
    const ScratchTensor second = {"b", "F32", 1, {2}, values, sizeof values};
    scratch_open(&shards_fuzz_folder);
    scratch_write_tensors(&shards_fuzz_folder, "model-1.safetensors", &first, 1);
    scratch_write_tensors(&shards_fuzz_folder, "model-2.safetensors", &second, 1);
    atexit(shards_fuzz_clean);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    Weights weights = {0};
    Error error = {.message = ""};
    if (!shards_fuzz_folder.path[0]) shards_fuzz_prepare();
    scratch_write(&shards_fuzz_folder, "model.safetensors.index.json", bytes, size);
    Status status = weights_open(shards_fuzz_folder.path, &weights, &error);
    assert(status == STATUS_OK ? weights.file_count >= 1 : error.message[0] != '\0');
    weights_close(&weights);
    return 0;
}
