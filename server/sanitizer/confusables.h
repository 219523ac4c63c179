/* Letters that look like a letter of another script, by Unicode's data (confusables.def). Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Scripts whose words can be repaired; in the order of confusables.def, and of CLASS_LATIN and on. */
typedef enum WordScript {
    SCRIPT_LATIN,
    SCRIPT_GREEK,
    SCRIPT_CYRILLIC,
    SCRIPT_ARMENIAN,
    SCRIPT_COUNT,
    SCRIPT_NONE = SCRIPT_COUNT, /* of any other script, or of none */
} WordScript;

typedef struct Confusable {
    uint32_t source;
    uint16_t targets[SCRIPT_COUNT]; /* the usual letter of that script that looks so; 0: none */
    uint8_t scripts;                /* a bit for each script that it has a target in */
    uint8_t loose;                  /* the same: alike in some fonts, or both stand in honest words */
} Confusable;

/* The click of Khoisan languages that looks like an exclamation mark. */
enum { CONFUSABLE_CLICK = 0x1C3 };

enum { CONFUSABLE_SOURCE_MAX = 0x1FFFF };

/* confusables.def, behind a row of what looks like nothing else; and by source the index of its row. */
extern const Confusable confusables_rows[];
extern uint16_t confusables_indices[CONFUSABLE_SOURCE_MAX + 1];

/* The row of `code_point`; NULL: it looks like nothing else. */
const Confusable *confusables_find(uint32_t code_point);
/* The same, or a row without targets: for each letter, once classes_table() or confusables_find has been called. */
static inline const Confusable *confusables_row_of(uint32_t code_point)
{
    return &confusables_rows[confusables_indices[code_point <= CONFUSABLE_SOURCE_MAX ? code_point : 0]];
}
/* Whether it can be taken for a letter of another one of Latin, Greek and Cyrillic whatever the font. */
bool confusables_is_close(uint32_t code_point, WordScript own);
/* The number of rows, and each of them: for tests. */
uint32_t confusables_count(void);
const Confusable *confusables_row(uint32_t index);
