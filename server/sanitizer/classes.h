/* What each code point may be to the families, as bits: one load where ICU would take 100 ns a property. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef enum CharacterClass {
    /* A line with one of these is worked on. */
    CLASS_CONTROL = 1 << 0,   /* C0 but tab, line feed and return; DEL, C1, annotations */
    CLASS_BIDI = 1 << 1,      /* embeddings, overrides, isolates and what ends them */
    CLASS_INVISIBLE = 1 << 2, /* Default_Ignorable_Code_Point, and U+FEFF, but what CLASS_BIDI has */
    CLASS_COMPAT = 1 << 3,    /* letters and digits of a compatible form */
    CLASS_RESERVED = 1 << 4,  /* private, unassigned, noncharacters */
    /* These matter beside others of their kind only. */
    CLASS_MARK = 1 << 5, /* Mn, Me */
    CLASS_WORD = 1 << 6, /* \w: letters, marks, digits, _ */
    CLASS_LATIN = 1 << 7,
    CLASS_GREEK = 1 << 8,
    CLASS_CYRILLIC = 1 << 9,
    CLASS_OTHER_SCRIPT = 1 << 10,  /* a letter of any other script that has letters like those of another one */
    CLASS_CONFUSABLE = 1 << 11,    /* a letter, digit or sign that looks like a letter of another script */
    CLASS_RIGHT_TO_LEFT = 1 << 12, /* unicode_is_right_to_left */
    CLASS_OVERLAY = 1 << 13,       /* marks that no letter of its own has: strokes, lines, rings around */
    CLASS_RETURN = 1 << 14,        /* carriage return */
    /* What is honest behind what: most of what does not show in real text. */
    CLASS_BEFORE_NON_JOINER = 1 << 15, /* a letter that joins others */
    CLASS_BEFORE_SELECTOR = 1 << 16,   /* a sign that can be an emoji */
    CLASS_NON_JOINER = 1 << 17,        /* ZWNJ */
    CLASS_SELECTOR = 1 << 18,          /* the emoji selector */
    CLASS_OF_ARABIC = 1 << 19,         /* letters of Arabic that other languages in its script write otherwise */
    /* Of an item, beside its classes: it is not what the original has there. */
    CLASS_MADE = 1 << 20,
} CharacterClass;

/* A letter that no other script has the like of has its script a second time, so far up. */
#define CLASS_EVIDENCE_SHIFT 20

/* From CLASS_BEFORE_... to what may stand behind it. */
#define CLASS_BEHIND_SHIFT 2

#define CLASSES_SUSPECT \
    (CLASS_CONTROL | CLASS_BIDI | CLASS_INVISIBLE | CLASS_COMPAT | CLASS_RESERVED | CLASS_OVERLAY)
#define CLASSES_SCRIPTS (CLASS_LATIN | CLASS_GREEK | CLASS_CYRILLIC | CLASS_OTHER_SCRIPT)
#define CLASSES_EVIDENCE (CLASSES_SCRIPTS << CLASS_EVIDENCE_SHIFT)

enum { CLASS_BLOCK_SIZE = 256, CLASS_BLOCK_COUNT = 0x110000 / CLASS_BLOCK_SIZE };

/* Blocks that are the same are one. */
typedef struct ClassTable {
    const uint32_t *blocks[CLASS_BLOCK_COUNT];
} ClassTable;

/* The table; made at the first call, which takes some milliseconds. Any thread. Never fails: it is static. */
const ClassTable *classes_table(void);

/* 1 in the 16 bits of the script that a letter is evidence of, in the order of CLASSES_SCRIPTS, so that sums count. */
static inline uint64_t classes_evidence(uint32_t classes)
{
    /* Puts bit k to 16 k. */
    return (classes & CLASSES_EVIDENCE) / (CLASS_LATIN << CLASS_EVIDENCE_SHIFT) * UINT64_C(0x200040008001) &
           UINT64_C(0x1000100010001);
}

/* Whether a code point that does not show stands where it is honest whatever else the line has, as long as the next one
 * shows: `before` are the classes of the one before it. */
static inline bool classes_is_honest(uint32_t before, uint32_t classes)
{
    return (before << CLASS_BEHIND_SHIFT & classes & (CLASS_NON_JOINER | CLASS_SELECTOR)) != 0;
}

static inline unsigned classes_of(const ClassTable *table, uint32_t code_point)
{
    return table->blocks[code_point / CLASS_BLOCK_SIZE][code_point % CLASS_BLOCK_SIZE];
}
