#include "sanitizer/scan.h"

#include "unicode/utf8.h"

enum { SCAN_MARKS_MAX = 4 };

/* Whether [begin, end), one line, has something to look at: a suspect code point, a word of two scripts, or stacked
 * marks. */
static bool scan_line(SanitizeRun *run, ByteRange line)
{
    unsigned seen = 0, word = 0, marks = 0;
    bool suspect = false;
    for (uint32_t at = line.begin; at < line.end;) {
        uint32_t code_point;
        at += (uint32_t)utf8_decode(run->text.bytes + at, &code_point);
        unsigned classes = classes_of(run->table, code_point);
        seen |= classes;
        word = classes & CLASS_WORD ? word | (classes & CLASSES_SCRIPTS) : 0;
        suspect |= (word & (word - 1)) != 0;
        marks = classes & CLASS_MARK ? marks + 1 : 0;
        suspect |= marks > SCAN_MARKS_MAX;
        run->letters[0] += (classes & CLASS_LATIN) != 0;
        run->letters[1] += (classes & CLASS_GREEK) != 0;
        run->letters[2] += (classes & CLASS_CYRILLIC) != 0;
        run->letters[3] += (classes & CLASS_OTHER_SCRIPT) != 0;
    }
    return suspect || (seen & CLASSES_SUSPECT) != 0;
}

bool scan_text(SanitizeRun *run, Arena *arena, SuspectLine **out_lines)
{
    SuspectLine **end = out_lines;
    *out_lines = NULL;
    for (uint32_t at = 0; at < run->text.size;) {
        const char *feed = memchr(run->text.bytes + at, '\n', run->text.size - at);
        ByteRange line = {at, feed ? (uint32_t)(feed - run->text.bytes) + 1 : (uint32_t)run->text.size};
        at = line.end;
        if (!scan_line(run, line)) continue;
        *end = arena_allocate(arena, sizeof **end);
        if (!*end) return false;
        **end = (SuspectLine){line, NULL};
        end = &(*end)->next;
    }
    return true;
}
