#include "encoder/heads.h"

Status heads_load(Loader *loader, EncoderHeads *heads)
{
    loader_leave(loader);
    heads->count = 0;
    return STATUS_OK;
}
