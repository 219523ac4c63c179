#include "base/text.h"

#include <stdio.h>

enum { NAME_BYTES_MAX = 64, DISTANCE_MAX = 3 };

/* One row of the table. */
static size_t text_distance(TextView a, TextView b)
{
    size_t row[NAME_BYTES_MAX + 1];
    for (size_t j = 0; j <= b.size; j++) row[j] = j;
    for (size_t i = 1; i <= a.size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.size; j++) {
            size_t replaced = diagonal + (a.bytes[i - 1] != b.bytes[j - 1]);
            size_t shorter = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = replaced < shorter ? replaced : shorter;
        }
    }
    return row[b.size];
}

bool text_is_nearer(TextView name, TextView candidate, size_t *distance)
{
    if (name.size > NAME_BYTES_MAX || candidate.size > NAME_BYTES_MAX) return false;
    size_t own = text_distance(name, candidate);
    if (own > DISTANCE_MAX || own >= name.size || own >= *distance) return false;
    *distance = own;
    return true;
}

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
