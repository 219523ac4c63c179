#include "rpc/inference_explain.h"

void inference_explain_start(TaskCall *call)
{
    CodecFault fault = {.field = "options.explanation.methods"};
    error_set(&fault.error, STATUS_UNIMPLEMENTED, "this version has no methods that take steps of their own");
    inference_call_fail(&call->base, &fault);
}
