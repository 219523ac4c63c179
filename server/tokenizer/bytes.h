/* The byte alphabet of GPT-2: each byte is a printable character. */
#pragma once

#include "tokenizer/normalized.h"

/* Writes the character of `byte`, one or two bytes of UTF-8; returns the size. `out_bytes` has room for 4. */
size_t bytes_write(unsigned char byte, char *out_bytes);
/* The byte that `code_point` stands for; false: none. */
bool bytes_of(uint32_t code_point, unsigned char *out_byte);
/* Appends the characters of from[begin, end), each with the origin of the character that its byte is part of. */
void bytes_map(const Normalized *from, uint32_t begin, uint32_t end, Normalized *to);
