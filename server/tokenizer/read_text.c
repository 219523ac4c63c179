/* vocab.txt: the vocabulary of the first BERT checkpoints, one token a line, and the settings beside it. */
#include "tokenizer/read.h"

Status read_vocabulary_text(Tokenizer *tokenizer, const char *directory, Error *out_error)
{
    (void)tokenizer;
    return error_set(out_error, STATUS_NOT_FOUND, "%s: there is no tokenizer.json", directory);
}
