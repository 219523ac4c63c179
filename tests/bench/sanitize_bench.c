/* How fast texts are sanitized, on one thread:
 *     sanitize_bench [FILE]
 * For each kind of text MB/s under report and under clean, and how much longer ten times the text takes. FILE is one
 * more kind: the whole of it as one text. Processor time, so that what else the machine does disturbs little. */
#include "base/file.h"
#include "base/limits.h"
#include "sanitizer/sanitizer.h"
#include "unicode/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BENCH_BYTES = 1 << 20 };
#define BENCH_SECONDS 0.3

static const char ENGLISH[] =
    "The quick brown fox jumps over the lazy dog, and 42 others watch it (see page 7).\n";
static const char MIXED[] =
    "The caf\u00e9 na\u00efvely charges 5 \u20ac \u2013 \u201cquite a lot\u201d, said the fa\u00e7ade.\n"
    "\u0412\u0441\u0435 \u043b\u044e\u0434\u0438 \u0440\u043e\u0436\u0434\u0430\u044e\u0442\u0441\u044f "
    "\u0441\u0432\u043e\u0431\u043e\u0434\u043d\u044b\u043c\u0438 \u0438 "
    "\u0440\u0430\u0432\u043d\u044b\u043c\u0438.\n"
    "\u3059\u3079\u3066\u306e\u4eba\u9593\u306f\u3001\u751f\u307e\u308c\u306a\u304c\u3089\u306b\u3057\u3066"
    "\u81ea\u7531\u3067\u3042\u308a\u3001\n"
    "\u0938\u092d\u0940 \u092e\u0928\u0941\u0937\u094d\u092f\u094b\u0902 \u0915\u094b \u0917\u094c\u0930\u0935\n"
    "\u0647\u0631 \u0627\u0646\u0633\u0627\u0646\u06cc \u0645\u06cc\u200c\u062a\u0648\u0627\u0646\u062f\n"
    "\u03cc\u03bb\u03bf\u03b9 \u03bf\u03b9 \u03ac\u03bd\u03b8\u03c1\u03c9\u03c0\u03bf\u03b9\n"
    "well done \U0001F44D\U0001F3FD \u2764\uFE0F and on it goes, in plain words for a while, as texts do.\n";

/* What stands between the letters of an attack. */
static const struct {
    const char *name;
    const char *before; /* each letter */
    const char *behind;
} ATTACKS[] = {
    {"zero width", "\u200b", ""},
    {"tags", "\U000E0061", ""},
    {"selectors", "\U000E0120", ""},
    {"deletions", "x\b", ""},
    {"overrides", "\u202e", "\u202c"},
    {"swaps", "\u202d\u2066\u202e\u2066x\u2069\u2066", "\u2069\u202c\u2069\u202c"},
    {"marks", "", "\u0301\u0302\u0303\u0304\u0305\u0306"},
    {"Cyrillic o", "", "\u043e"},
    {"fullwidth", "\uff41", ""},
};

static double bench_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* The seconds of the best run. */
static double bench_seconds(TextView text, SanitizePolicy policy)
{
    static Sanitized sanitized;
    SanitizeOptions options = {policy, SANITIZE_HIGH, 0};
    double start = bench_now(), best = 1e9;
    do {
        Arena arena;
        Error error;
        arena_init(&arena, 1 * GIB);
        double pass = bench_now();
        if (sanitizer_run(text, &options, &arena, &sanitized, &error)) {
            fprintf(stderr, "%s\n", error.message);
            exit(1);
        }
        pass = bench_now() - pass;
        if (pass < best) best = pass;
        arena_free(&arena);
    } while (bench_now() - start < BENCH_SECONDS);
    return best;
}

static void bench_row(const char *name, TextView text)
{
    TextView tenth = {text.bytes, text.size / 10};
    while (tenth.size && ((unsigned char)text.bytes[tenth.size] & 0xC0) == 0x80) tenth.size--;
    double report = bench_seconds(text, SANITIZE_REPORT), clean = bench_seconds(text, SANITIZE_CLEAN);
    double small = bench_seconds(tenth, SANITIZE_CLEAN);
    printf("%-12s report %8.1f MB/s   clean %8.1f MB/s   10 x: %5.2f\n", name, (double)text.size / report / 1e6,
           (double)text.size / clean / 1e6, clean / small);
}

/* `unit` over and over. */
static TextView bench_repeat(char *bytes, const char *unit)
{
    size_t size = strlen(unit), at = 0;
    for (; at + size <= BENCH_BYTES; at += size) memcpy(bytes + at, unit, size);
    return (TextView){bytes, at};
}

int main(int argument_count, char **arguments)
{
    char *bytes = malloc(BENCH_BYTES), *file = NULL, unit[4096];
    size_t size;
    if (!bytes) return 1;
    bench_row("ASCII", bench_repeat(bytes, ENGLISH));
    bench_row("mixed", bench_repeat(bytes, MIXED));
    for (size_t i = 0; i < sizeof ATTACKS / sizeof ATTACKS[0]; i++) {
        char *at = unit;
        for (const char *letter = ENGLISH; *letter; letter++) {
            at += sprintf(at, *letter == ' ' || *letter == '\n' ? "%.0s%c%.0s" : "%s%c%s", ATTACKS[i].before,
                          *letter, ATTACKS[i].behind);
        }
        bench_row(ATTACKS[i].name, bench_repeat(bytes, unit));
    }
    if (argument_count > 1 && file_read(arguments[1], TEXT_BYTES_MAX, &file, &size, NULL) == STATUS_OK) {
        bench_row("file", (TextView){file, size});
    }
    free(file);
    free(bytes);
    return 0;
}
