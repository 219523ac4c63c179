/* One normalizer after the other. */
#include "tokenizer/normalizer.h"

Status normalizer_run(const NormalizerList *normalizers, TextView text, ByteRange range, Normalized *out,
                      Error *out_error)
{
    if (normalizers->bert.enabled)
        bert_normalizer_run(&normalizers->bert, text, range, out);
    else
        normalized_start(out, text, range);
    if (!out->failed) return STATUS_OK;
    out->failed = false;
    return error_set(out_error, STATUS_NO_MEMORY, "no memory to normalize %u bytes of text",
                     range.end - range.begin);
}
