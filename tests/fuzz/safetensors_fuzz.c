/* Links headlight_model. Any bytes as a safetensors file: what is accepted is found by name and read to its last
 * byte. */
#include "fuzz.h"
#include "model/safetensors.h"

#include <assert.h>
#include <stdlib.h>

static void safetensors_fuzz_read(const SafetensorsEntry *entry)
{
    Tensor tensor = {.element_count = entry->element_count, .data = entry->data};
    switch (entry->type) {
    case STORED_TYPE_F32:
        tensor.type = TENSOR_F32;
        break;
    case STORED_TYPE_F16:
        tensor.type = TENSOR_F16;
        break;
    case STORED_TYPE_BF16:
        tensor.type = TENSOR_BF16;
        break;
    default:
        return;
    }
    float *values = malloc((size_t)entry->element_count * sizeof *values + 1);
    assert(values);
    tensor_read(&tensor, 0, tensor.element_count, values);
    free(values);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    SafetensorsTable table = {0};
    const SafetensorsEntry *duplicate = NULL;
    Error error;
    if (safetensors_append(&table, "model.safetensors", 0, bytes, size, &error) == STATUS_OK) {
        Status status = safetensors_sort(&table, &duplicate);
        for (size_t i = 0; i < table.count; i++) {
            const SafetensorsEntry *entry = &table.entries[i];
            assert(entry->data >= bytes && entry->data + (entry->end - entry->begin) <= bytes + size);
            assert(status != STATUS_OK || safetensors_find(&table, entry->name) == entry);
            safetensors_fuzz_read(entry);
        }
    } else {
        assert(table.count == 0 && error.message[0]);
    }
    safetensors_free(&table);
    return 0;
}
