#include "sanitizer/scan.h"

#include "unicode/utf8.h"

enum { SCAN_BLOCK = 64, SCAN_MARKS_MAX = 4 };

/* What one line has to look at. */
typedef struct LineView {
    bool suspect;       /* a suspect code point, a word of two scripts, or stacked marks */
    unsigned lookalike; /* scripts of whole words that may be taken for another script's */
    uint64_t letters;   /* letters that only one script has, 16 bits for each of CLASSES_SCRIPTS */
} LineView;

/* 1 in the 16 bits of a script, by its class. */
static const uint64_t SCAN_LANES[] = {
    [CLASS_LATIN / CLASS_LATIN] = 1,
    [CLASS_GREEK / CLASS_LATIN] = 1ull << 16,
    [CLASS_CYRILLIC / CLASS_LATIN] = 1ull << 32,
    [CLASS_OTHER_SCRIPT / CLASS_LATIN] = 1ull << 48,
};

static_assert(SANITIZE_LINE_BYTES_MAX <= 1 << 16, "a line's letters are counted in 16 bits");

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

static LineView scan_line(const SanitizeRun *run, ByteRange line)
{
    LineView view = {0};
    unsigned seen = 0, word = 0, plain = 0, marks = 0, odd = 0;
    for (uint32_t at = line.begin; at < line.end;) {
        uint32_t code_point;
        at += (uint32_t)utf8_decode(run->source.bytes + at, &code_point);
        unsigned classes = classes_of(run->table, code_point), scripts = classes & CLASSES_SCRIPTS;
        unsigned evidence = classes & CLASS_CONFUSABLE ? 0 : scripts;
        seen |= classes;
        if (!(classes & CLASS_WORD)) {
            view.lookalike |= plain ? 0 : word;
            word = plain = 0;
        }
        word |= scripts;
        plain |= evidence;
        odd |= word & (word - 1);
        marks = classes & CLASS_MARK ? marks + 1 : 0;
        odd |= marks > SCAN_MARKS_MAX;
        if (code_point == '\r') odd |= at < line.end && run->source.bytes[at] != '\n';
        view.letters += SCAN_LANES[evidence / CLASS_LATIN];
    }
    view.lookalike |= plain ? 0 : word;
    view.suspect = odd || (seen & CLASSES_SUSPECT) || (run->options->enabled & SPELLING_RULES);
    return view;
}

/* The script of most letters that only one script has; 0: there are none. */
static unsigned scan_main_script(const SanitizeRun *run)
{
    unsigned most = 0;
    for (unsigned i = 1; i < 3; i++) most = run->letters[i] > run->letters[most] ? i : most;
    return run->letters[most] ? (unsigned)CLASS_LATIN << most : 0;
}

void scan_text(SanitizeRun *run)
{
    memset(run->letters, 0, sizeof run->letters);
    memset(run->suspects, 0, sizeof run->suspects);
    memset(run->lookalikes, 0, sizeof run->lookalikes);
    run->line_at = run->line_index = 0;
    uint32_t index = 0;
    for (uint32_t at = 0; at < run->source.size; index++) {
        ByteRange line = scan_line_at(run->source, at);
        LineView view = scan_line(run, line);
        for (int i = 0; i < 4; i++) run->letters[i] += view.letters >> 16 * i & 0xFFFF;
        uint64_t *notes = view.suspect ? run->suspects : view.lookalike ? run->lookalikes : NULL;
        if (notes && index < SUSPECT_LINES_NOTED) notes[index / 64] |= 1ull << index % 64;
        at = line.end;
    }
    run->main_script = scan_main_script(run);
}

ByteRange scan_next(SanitizeRun *run)
{
    while (run->line_at < run->source.size) {
        ByteRange line = scan_line_at(run->source, run->line_at);
        uint32_t index = run->line_index++;
        run->line_at = line.end;
        if (index < SUSPECT_LINES_NOTED) {
            if (run->suspects[index / 64] >> index % 64 & 1) return line;
            if (!(run->lookalikes[index / 64] >> index % 64 & 1)) continue;
        }
        LineView view = scan_line(run, line);
        /* What looks like another script is honest in the text's own. */
        if (view.suspect || (view.lookalike & ~run->main_script)) return line;
    }
    return (ByteRange){run->line_at, run->line_at};
}
