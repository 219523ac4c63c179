#include "sanitizer/scan.h"

#include "unicode/utf8.h"

enum { SCAN_MARKS_MAX = 4 };

/* What one line has to look at. */
typedef struct LineScan {
    bool suspect;       /* a suspect code point, a word of two scripts, or stacked marks */
    unsigned lookalike; /* scripts of whole words that may be taken for another script's */
} LineScan;

static LineScan scan_line(SanitizeRun *run, ByteRange line)
{
    LineScan scan = {false, 0};
    unsigned seen = 0, word = 0, plain = 0, marks = 0;
    for (uint32_t at = line.begin; at < line.end;) {
        uint32_t code_point;
        at += (uint32_t)utf8_decode(run->text.bytes + at, &code_point);
        unsigned classes = classes_of(run->table, code_point), scripts = classes & CLASSES_SCRIPTS;
        unsigned evidence = classes & CLASS_CONFUSABLE ? 0 : scripts;
        seen |= classes;
        if (!(classes & CLASS_WORD)) {
            scan.lookalike |= plain ? 0 : word;
            word = plain = 0;
        }
        word |= scripts;
        plain |= evidence;
        scan.suspect |= (word & (word - 1)) != 0;
        marks = classes & CLASS_MARK ? marks + 1 : 0;
        scan.suspect |= marks > SCAN_MARKS_MAX;
        run->letters[0] += (evidence & CLASS_LATIN) != 0;
        run->letters[1] += (evidence & CLASS_GREEK) != 0;
        run->letters[2] += (evidence & CLASS_CYRILLIC) != 0;
        run->letters[3] += (evidence & CLASS_OTHER_SCRIPT) != 0;
    }
    scan.lookalike |= plain ? 0 : word;
    scan.suspect |= (seen & CLASSES_SUSPECT) != 0;
    return scan;
}

/* The script of most letters that only one script has; 0: there are none. */
static unsigned scan_main_script(const SanitizeRun *run)
{
    unsigned most = 0;
    for (unsigned i = 1; i < 3; i++) most = run->letters[i] > run->letters[most] ? i : most;
    return run->letters[most] ? CLASS_LATIN << most : 0;
}

bool scan_text(SanitizeRun *run, Arena *arena, SuspectLine **out_lines)
{
    SuspectLine **end = out_lines;
    *out_lines = NULL;
    for (uint32_t at = 0; at < run->text.size;) {
        const char *feed = memchr(run->text.bytes + at, '\n', run->text.size - at);
        ByteRange line = {at, feed ? (uint32_t)(feed - run->text.bytes) + 1 : (uint32_t)run->text.size};
        at = line.end;
        LineScan scan = scan_line(run, line);
        if (!scan.suspect && !scan.lookalike) continue;
        *end = arena_allocate(arena, sizeof **end);
        if (!*end) return false;
        **end = (SuspectLine){line, scan.suspect ? ~0u : scan.lookalike, NULL};
        end = &(*end)->next;
    }
    /* What looks like another script is honest in the text's own. */
    unsigned main = scan_main_script(run);
    for (SuspectLine **next = out_lines; *next;) {
        if ((*next)->scripts & ~main)
            next = &(*next)->next;
        else
            *next = (*next)->next;
    }
    return true;
}
