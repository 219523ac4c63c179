#include "model/tensor.h"

#include <assert.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors data is used in place");

static float tensor_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* IEEE 754 binary16: sign 1, exponent 5 (bias 15), fraction 10. Binary32 has bias 127 and fraction 23. */
static float tensor_from_f16(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t exponent = half >> 10 & 0x1F;
    uint32_t fraction = half & 0x3FF;
    if (exponent == 0x1F) return tensor_float(sign | 0x7F800000 | fraction << 13);
    if (exponent != 0) return tensor_float(sign | (exponent + 127 - 15) << 23 | fraction << 13);
    float magnitude = (float)fraction * 0x1p-24F; /* subnormal here, normal as binary32 */
    return sign ? -magnitude : magnitude;
}

static uint16_t tensor_load_16(const unsigned char *bytes)
{
    uint16_t bits;
    memcpy(&bits, bytes, sizeof bits);
    return bits;
}

void tensor_read(const Tensor *tensor, uint64_t index, uint64_t count, float *out_values)
{
    assert(index <= tensor->element_count && count <= tensor->element_count - index);
    const unsigned char *bytes = tensor->data;
    switch (tensor->type) {
    case TENSOR_F32:
        if (count > 0) memcpy(out_values, bytes + 4 * index, 4 * count);
        return;
    case TENSOR_F16:
        for (uint64_t i = 0; i < count; i++)
            out_values[i] = tensor_from_f16(tensor_load_16(bytes + 2 * (index + i)));
        return;
    case TENSOR_BF16:
        for (uint64_t i = 0; i < count; i++) {
            out_values[i] = tensor_float((uint32_t)tensor_load_16(bytes + 2 * (index + i)) << 16);
        }
        return;
    }
}
