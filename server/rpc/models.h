/* The Models service, by which a client changes what the registry holds. Loop thread. */
#pragma once

#include "registry/registry.h"
#include "rpc/call.h"
#include "rpc/codec_models.h"

enum { MODELS_METHOD_COUNT = 3 };
/* Fills in every method of headlight.v1.Models; `registry` outlives the calls. */
void models_methods(Registry *registry, RpcMethod out_methods[MODELS_METHOD_COUNT]);

/* What clients are told of a model; valid until the registry changes. */
CodecModel models_describe(const RegistryView *view);
