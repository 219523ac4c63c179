#include "sanitizer/scan.h"

#include "unicode/utf8.h"

#include <stdlib.h>

enum { SCAN_BLOCK = 64, SCAN_MARKS_MAX = 4 };

/* A letter's script, and that it is evidence of it. */
#define SCAN_SCRIPTS (CLASSES_SCRIPTS | CLASSES_EVIDENCE)

static_assert(SANITIZE_LINE_BYTES_MAX <= 1 << 16, "lines have sizes and counts of 16 bits");

/* Byte by byte without a branch, which compilers turn into vectors. A carriage return that ends no line is odd. */
static size_t scan_plain_blocks(TextView text)
{
    const unsigned char *bytes = (const unsigned char *)text.bytes;
    size_t at = 0;
    for (; at + SCAN_BLOCK < text.size; at += SCAN_BLOCK) {
        unsigned char odd = 0;
        for (size_t i = 0; i < SCAN_BLOCK; i++) {
            unsigned char byte = bytes[at + i], next = bytes[at + i + 1];
            odd |= (unsigned char)(((byte < 0x20) | (byte > 0x7E)) & (byte != '\t') & (byte != '\n') &
                                   ((byte != '\r') | (next != '\n')));
        }
        if (odd) break;
    }
    return at;
}

bool scan_is_plain(TextView text)
{
    for (size_t at = scan_plain_blocks(text); at < text.size; at++) {
        unsigned char byte = (unsigned char)text.bytes[at];
        bool ends = byte == '\n' || (byte == '\r' && (at + 1 == text.size || text.bytes[at + 1] == '\n'));
        if ((byte < 0x20 || byte > 0x7E) && byte != '\t' && !ends) return false;
    }
    return true;
}

/* The line that begins at `begin`. */
static ByteRange scan_line_at(TextView text, uint32_t begin)
{
    size_t left = text.size - begin, size = left < SANITIZE_LINE_BYTES_MAX ? left : SANITIZE_LINE_BYTES_MAX - 1;
    const char *bytes = text.bytes + begin;
    const char *feed = memchr(bytes, '\n', size);
    if (feed) return (ByteRange){begin, begin + (uint32_t)(feed - bytes) + 1};
    if (size == left) return (ByteRange){begin, (uint32_t)text.size};
    const char *blank = memrchr(bytes + size / 2, ' ', size - size / 2);
    size = blank ? (size_t)(blank - bytes) + 1 : utf8_previous(bytes, size);
    return (ByteRange){begin, begin + (uint32_t)size};
}

/* What the line's code points are, and how many letters only one script has, 16 bits for each of CLASSES_SCRIPTS. */
static LineNote scan_classes(const SanitizeRun *run, ByteRange line, uint64_t *out_letters)
{
    const char *at = run->source.bytes + line.begin, *end = run->source.bytes + line.end;
    const uint32_t *ascii = run->table->blocks[0];
    uint32_t seen = 0, stacked = 0;
    uint64_t letters = 0;
    while (at < end) {
        uint32_t latin = 0, marks = 0, before = 0, code_point;
        for (; at < end && !(*at & 0x80); at++) {
            seen |= ascii[(unsigned char)*at];
            latin += ascii[(unsigned char)*at] >> CLASS_EVIDENCE_SHIFT;
        }
        letters += latin / CLASS_LATIN;
        while (at < end && (*at & 0x80)) {
            at += utf8_decode(at, &code_point);
            uint32_t classes = classes_of(run->table, code_point);
            seen |= classes & ~(uint32_t)(classes_is_honest(before, classes) * CLASS_INVISIBLE);
            before = classes;
            letters += classes_evidence(classes);
            marks = (marks + 1) & -(uint32_t)((classes & CLASS_MARK) != 0);
            stacked |= marks > SCAN_MARKS_MAX;
        }
    }
    uint32_t scripts = seen & CLASSES_SCRIPTS;
    bool parted = (seen & CLASS_NON_JOINER) && (seen & CLASS_OF_ARABIC);
    *out_letters = letters;
    return (LineNote){
        .size = (uint16_t)(line.end - line.begin),
        .suspect = stacked || parted || (seen & CLASSES_SUSPECT) || (run->options->enabled & SPELLING_RULES),
        .doubtful = (scripts & (scripts - 1)) || (seen & CLASS_RETURN),
        .scripts = (uint8_t)(seen & CLASS_CONFUSABLE ? scripts / CLASS_LATIN : 0),
    };
}

/* Whether words of the line mix scripts, or are of letters alone that look like those of another script than the
 * text's, which are honest in its own; or whether a carriage return ends no line. Without branches but the
 * decoder's: where words end is not to be foreseen. */
static bool scan_words(const SanitizeRun *run, ByteRange line)
{
    const char *at = run->source.bytes + line.begin, *end = run->source.bytes + line.end;
    /* The scripts of the word so far, and further up those that it has evidence of. */
    uint32_t word = 0, odd = 0, lookalike = 0;
    while (at < end && !odd) {
        uint32_t code_point;
        at += utf8_decode(at, &code_point);
        uint32_t classes = classes_of(run->table, code_point);
        uint32_t goes_on = -(uint32_t)((classes & CLASS_WORD) != 0), ended = word & ~goes_on;
        lookalike |= ended & -(uint32_t)((ended & CLASSES_EVIDENCE) == 0);
        word = (word & goes_on) | (classes & SCAN_SCRIPTS);
        odd |= word & CLASSES_SCRIPTS & ((word & CLASSES_SCRIPTS) - 1);
        if (code_point == '\r') odd |= at < end && *at != '\n';
    }
    lookalike |= word & -(uint32_t)((word & CLASSES_EVIDENCE) == 0);
    return odd || (lookalike & ~run_main_class(run));
}

TextScripts scan_scripts(const SanitizeRun *run)
{
    const uint64_t *letters = run->letters;
    TextScripts scripts = {.most = SCRIPT_LATIN,
                           .latin_prevails = letters[SCRIPT_LATIN] / 4 > letters[SCRIPT_GREEK]};
    for (int script = 0; script < SCRIPT_COUNT; script++) scripts.has[script] = letters[script] != 0;
    for (uint8_t script = 0; script < SCRIPT_ARMENIAN; script++) {
        for (int other = 0; other < SCRIPT_ARMENIAN; other++)
            scripts.more[script][other] = letters[script] > letters[other];
        if (scripts.more[script][scripts.most]) scripts.most = script;
    }
    if (!letters[scripts.most]) scripts.most = SCRIPT_NONE;
    return scripts;
}

/* Makes room for one more note; false: there is no more. */
static bool scan_reserve_note(SanitizeRun *run, uint32_t index)
{
    if (index < run->note_capacity) return true;
    uint32_t capacity = run->note_capacity ? 2 * run->note_capacity : 64;
    LineNote *notes = capacity <= LINES_NOTED_MAX ? realloc(run->notes, capacity * sizeof *notes) : NULL;
    if (!notes) return false;
    run->notes = notes;
    run->note_capacity = capacity;
    return true;
}

void scan_text(SanitizeRun *run)
{
    memset(run->letters, 0, sizeof run->letters);
    run->line_at = run->line_index = 0;
    uint32_t index = 0;
    for (uint32_t at = 0; at < run->source.size; index++) {
        ByteRange line = scan_line_at(run->source, at);
        uint64_t letters;
        LineNote note = scan_classes(run, line, &letters);
        for (int i = 0; i < SCRIPT_COUNT; i++) run->letters[i] += letters >> 16 * i & 0xFFFF;
        if (scan_reserve_note(run, index)) run->notes[index] = note;
        at = line.end;
    }
    run->scripts = scan_scripts(run);
}

ByteRange scan_next(SanitizeRun *run)
{
    while (run->line_at < run->source.size) {
        ByteRange line = {run->line_at, 0};
        LineNote note;
        if (run->line_index < run->note_capacity) {
            note = run->notes[run->line_index++];
            line.end = line.begin + note.size;
        } else {
            uint64_t letters;
            line = scan_line_at(run->source, line.begin);
            note = scan_classes(run, line, &letters);
        }
        run->line_at = line.end;
        if (note.suspect) return line;
        bool strange = (note.scripts * CLASS_LATIN & ~run_main_class(run)) != 0;
        if ((note.doubtful || strange) && scan_words(run, line)) return line;
    }
    return (ByteRange){run->line_at, run->line_at};
}
