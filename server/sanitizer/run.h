/* What the families share: a line of the text as code points that know where they came from.
 *
 * A family is one function that looks at run->items[0, count), adds findings and says what becomes of the items. It
 * looks at no other line (scan.h), takes nothing from where items came from, and leaves alone what it finds once it is
 * clean. The families run in order, again and again until none changes anything. Findings and rewriting are separate:
 * under SANITIZE_REPORT the same happens and the result is thrown away, so report says exactly what clean repairs. */
#pragma once

#include "base/limits.h"
#include "sanitizer/classes.h"
#include "sanitizer/confusables.h"
#include "sanitizer/sanitizer.h"
#include "unicode/bidi.h"

/* One code point of the working text. */
typedef struct Item {
    uint32_t code_point;
    uint32_t classes; /* classes_of it */
    ByteRange origin; /* of the original text */
} Item;

/* What a scan says of a line. */
typedef struct LineNote {
    uint16_t size;
    bool suspect;  /* a family works on it */
    bool doubtful; /* if its words say so */
    /* Or if they say so and one of these is not the text's main one: CLASSES_SCRIPTS / CLASS_LATIN. */
    uint8_t scripts;
} LineNote;

/* Lines beyond are looked at twice: six bytes each, and texts of millions of lines are rare. */
enum { LINES_NOTED_MAX = 1 << 20 };

/* What a text's letters that only one script has say of its words. Nothing else outside of their line is asked, so as
 * long as this stays the same, lines that do are judged as before. */
typedef struct TextScripts {
    bool has[SCRIPT_COUNT];                      /* SCRIPT_ARMENIAN: any other script */
    bool more[SCRIPT_ARMENIAN][SCRIPT_ARMENIAN]; /* more of the first than of the second */
    bool latin_prevails;                         /* over Greek, more than four to one */
    uint8_t most;                                /* the WordScript of most, Armenian left aside; SCRIPT_NONE */
} TextScripts;

typedef struct SanitizeRun {
    const SanitizeOptions *options;
    TextView text;               /* the original */
    TextView source;             /* what this round began with */
    const OffsetMap *source_map; /* from it to the original; NULL: it is the original */
    unsigned round;              /* rounds before this one; what is not repaired is found in the first only */
    const ClassTable *table;
    uint64_t looked_for, repaired; /* what the options make of rules, a bit each */
    Sanitized *out;
    /* Of the scan: letters of the whole text that only one script has (Latin, Greek, Cyrillic, of another script), as
     * many as there are now; what they said before this round; what lines may be, and where it goes on. */
    uint64_t letters[SCRIPT_COUNT];
    TextScripts scripts;
    /* Of words_survey, of the line: letters of its words of one script each; whether it has an o, anything of a
     * formula, and more Latin than formulas have. */
    uint32_t unmixed[SCRIPT_COUNT + 1];
    bool has_o, has_formula, has_prose;
    uint64_t line_letters[SCRIPT_COUNT + 1]; /* of words_count_line */
    bool line_counted;
    LineNote *notes; /* [note_capacity]: of the first lines; malloc's */
    uint32_t note_capacity;
    uint32_t line_at;
    uint32_t line_index;
    /* The working text, and where a pass writes it anew. malloc's, for one line after the other. */
    Item *items;
    uint32_t count;
    uint32_t capacity;
    unsigned seen; /* the classes of all items that it has, or had before a pass */
    Item *spare;
    uint32_t spare_count;
    uint32_t spare_capacity;
    uint32_t size_max; /* bytes that the line may grow to */
    bool whole;        /* the line is all of the text */
    bool changed;      /* by the passes so far */
    bool gone;         /* some items are */
    /* What became of the line may bear on others, or on itself: feeds, or that it would have grown too much. */
    bool spreads;
    bool settled;  /* no line of this round need be looked at again */
    bool failed;   /* no memory */
    void *scratch; /* run_scratch */
    size_t scratch_size;
    UnicodeBidi *bidi;           /* NULL until it is needed */
    Finding pending[RULE_COUNT]; /* the last of each rule, which may still grow; count 0: none */
    bool any_pending;
} SanitizeRun;

static inline bool run_looks_for(const SanitizeRun *run, SanitizeRule rule)
{
    return (run->looked_for >> rule & 1) != 0;
}

static inline bool run_repairs(const SanitizeRun *run, SanitizeRule rule)
{
    return (run->repaired >> rule & 1) != 0;
}

/* The class of the script of most letters; 0: there are none. */
static inline unsigned run_main_class(const SanitizeRun *run)
{
    return run->scripts.most == SCRIPT_NONE ? 0 : (unsigned)CLASS_LATIN << run->scripts.most;
}

/* An ideograph, or a syllable of Japanese or Korean. */
static inline bool run_is_east_asian(uint32_t code_point)
{
    return (code_point >= 0x3041 && code_point <= 0x9FFF) || (code_point >= 0xAC00 && code_point <= 0xD7A3) ||
           (code_point >= 0x20000 && code_point <= 0x3FFFF);
}

/* Adds a finding over items[begin, end) (not empty) of `count` code points. Ranges of one rule that touch become one,
 * unless they have details. The action is what SANITIZE_CLEAN does about it, or none. */
void run_find(SanitizeRun *run, SanitizeRule rule, uint32_t begin, uint32_t end, uint32_t count);
/* The same with what it decodes to or becomes; cut at FINDING_DETAIL_BYTES_MAX on a UTF-8 border. */
void run_find_detail(SanitizeRun *run, SanitizeRule rule, uint32_t begin, uint32_t end, uint32_t count,
                     TextView detail);

/* `size` bytes, uninitialized, until the next call; NULL: no memory, and the run has failed. */
void *run_scratch(SanitizeRun *run, size_t size);

/* Rewriting in place, one for one: the origin stays. */
void rewrite_replace(SanitizeRun *run, uint32_t index, uint32_t code_point);
/* Marks an item as gone; it stays where it is, as REWRITE_GONE, until the pass ends. */
void rewrite_drop(SanitizeRun *run, uint32_t index);
#define REWRITE_GONE UINT32_MAX

/* Writing anew: begin, then for each item that is to be there keep or put, in the new order, then end. What was not
 * kept is dropped. */
void rewrite_begin(SanitizeRun *run);
void rewrite_keep(SanitizeRun *run, uint32_t index);
void rewrite_put(SanitizeRun *run, uint32_t code_point, ByteRange origin);
void rewrite_end(SanitizeRun *run);

/* For the run loop: makes a line of run->source the working text (false: no memory), takes out what is gone after a
 * pass, and looks at all that is there before the next round of them. */
bool rewrite_load(SanitizeRun *run, ByteRange line);
void rewrite_sweep(SanitizeRun *run);
void rewrite_look_again(SanitizeRun *run);
/* Whether `line` is a whole one, and no piece of a longer one, whose pieces bear on each other. */
bool rewrite_is_line(const SanitizeRun *run, ByteRange line);
/* Whether what became of it is that too: then the other lines of the text are judged as before if run->scripts stay the
 * same, and so is this one when it is loaded anew. */
bool rewrite_stays_apart(const SanitizeRun *run, ByteRange line);
/* Hand the pending findings on, add one, free what families share. */
void run_flush(SanitizeRun *run);
void run_find_bytes(SanitizeRun *run, SanitizeRule rule, ByteRange range, uint32_t count, TextView detail);
void run_close(SanitizeRun *run); /* NULL is a no-op */

/* The families, in order. */
void deletions_pass(SanitizeRun *run);
void bidi_pass(SanitizeRun *run);
void invisible_pass(SanitizeRun *run);
void compat_pass(SanitizeRun *run);
void homoglyph_pass(SanitizeRun *run);
void marks_pass(SanitizeRun *run);
void spelling_pass(SanitizeRun *run);

/* Any line may have what these look for. */
#define SPELLING_RULES (1ull << RULE_SPLIT_WORD | 1ull << RULE_LEET)
