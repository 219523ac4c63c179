#include "base/text.h"

#include <stdbool.h>
#include <stdio.h>

static const char list_end[] = "...";

void text_clean(char *text)
{
    for (char *at = text, *end = text + strlen(text); at < end;) {
        size_t size = text_utf8_size(at, (size_t)(end - at));
        if (size == 0 || (unsigned char)*at < 0x20 || *at == 0x7F) *at = '?';
        at += size ? size : 1;
    }
}

void text_list_add(char *list, size_t capacity, TextView name)
{
    size_t used = strlen(list), end = sizeof list_end - 1;
    const char *between = used ? ", " : "";
    if (used >= end && memcmp(list + used - end, list_end, end) == 0) return;
    bool fits = used + strlen(between) + name.size + sizeof ", " - 1 + sizeof list_end <= capacity;
    if (!fits) name = text_view(list_end);
    snprintf(list + used, capacity - used, "%s%.*s", between, (int)name.size, name.bytes);
}
