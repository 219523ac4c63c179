/* How fast texts are sanitized, on one thread:
 *     sanitize_bench [FILE...]
 * A row for each kind of text: MB/s under report and under clean, and how much longer the text takes than a tenth of
 * it does, as its tenths do on average. With FILEs, those are the kinds. Texts are words in a random order, since
 * processors learn texts that repeat, and so they would one tenth that is run ten times. Processor time of the best of
 * many runs, and runs that are compared take turns: what else the machine does disturbs little. */
#include "base/file.h"
#include "base/limits.h"
#include "sanitizer/sanitizer.h"
#include "unicode/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    BENCH_BYTES = 1 << 20,
    BENCH_WORDS_MAX = 64,
    BENCH_LINE_WORDS = 12,
    BENCH_LINE_BYTES_MAX = 1 << 14,
    BENCH_RUNS_MAX = 1000,
    BENCH_TENTHS = 10
};
#define BENCH_SECONDS 0.6

static const char ENGLISH[] =
    "the quick brown fox jumps over a lazy dog and 42 others watch it (see page 7), which is what people do on a "
    "day "
    "without anything else to look at: they wait, talk and wonder whether foxes can really jump so high.";

/* Honest text, by script. */
static const struct {
    const char *name, *words;
} LANGUAGES[] = {
    {"English", ENGLISH},
    {"accents",
     "le caf\u00e9 na\u00eff co\u00fbte 5 \u20ac \u2013 \u201eziemlich viel\u201c, f\u00fcr gr\u00f6\u00dfere "
     "H\u00e4user a\u00f1o \u017c\u00f3\u0142\u0107 \u0111\u01b0\u1ee3c p\u0159\u00edli\u0161 i\u015f"},
    {"Cyrillic",
     "\u0432\u0441\u0435 \u043b\u044e\u0434\u0438 \u0440\u043e\u0436\u0434\u0430\u044e\u0442\u0441\u044f "
     "\u0441\u0432\u043e\u0431\u043e\u0434\u043d\u044b\u043c\u0438 \u0438 "
     "\u0440\u0430\u0432\u043d\u044b\u043c\u0438 \u0432 \u0441\u0432\u043e\u0451\u043c"},
    {"Greek", "\u03cc\u03bb\u03bf\u03b9 \u03bf\u03b9 \u03ac\u03bd\u03b8\u03c1\u03c9\u03c0\u03bf\u03b9 "
              "\u03b3\u03b5\u03bd\u03bd\u03b9\u03bf\u03cd\u03bd\u03c4\u03b1\u03b9 \u03ba\u03b1\u03b9"},
    {"Persian",
     "\u0647\u0631 \u0627\u0646\u0633\u0627\u0646\u06cc \u0645\u06cc\u200c\u062a\u0648\u0627\u0646\u062f "
     "\u0622\u0632\u0627\u062f \u06a9\u062a\u0627\u0628\u200c\u0647\u0627 \u0648"},
    {"Hindi", "\u0938\u092d\u0940 \u092e\u0928\u0941\u0937\u094d\u092f\u094b\u0902 \u0915\u094b "
              "\u0917\u094c\u0930\u0935 \u0914\u0930 \u0905\u0927\u093f\u0915\u093e\u0930\u094b\u0902"},
    {"Thai", "\u0e21\u0e19\u0e38\u0e29\u0e22\u0e4c \u0e17\u0e31\u0e49\u0e07\u0e2b\u0e25\u0e32\u0e22 "
             "\u0e40\u0e01\u0e34\u0e14\u0e21\u0e32 \u0e21\u0e35\u0e2d\u0e34\u0e2a\u0e23\u0e30"},
    {"CJK", "\u3059\u3079\u3066\u306e \u4eba\u9593\u306f\u3001 \u751f\u307e\u308c\u306a\u304c\u3089 "
            "\u81ea\u7531\u3067\u3042\u308a\u3002 \ubaa8\ub4e0 \uc778\uac04\uc740 \u4eba\u4eba\u751f\u800c"},
    {"emoji",
     "well done \U0001F44D\U0001F3FD and on \u2764\uFE0F it goes, in plain words \U0001F600 for a while as "
     "texts do \U0001F468\u200D\U0001F469\u200D\U0001F467 you know"},
};

enum { LANGUAGE_COUNT = sizeof LANGUAGES / sizeof LANGUAGES[0] };

/* What attacks make of each letter of English: something before it, something behind it, or another letter. */
static const struct {
    const char *name, *before, *behind;
    uint32_t first; /* in place of a; 0: it stays */
} ATTACKS[] = {
    {"zero width", "\u200b", "", 0},
    {"tags", "\U000E0061", "", 0},
    {"selectors", "\U000E0120", "", 0},
    {"deletions", "x\b", "", 0},
    {"overrides", "\u202e", "\u202c", 0},
    {"swaps", "\u202d\u2066\u202e\u2066x\u2069\u2066", "\u2069\u202c\u2069\u202c", 0},
    {"marks", "", "\u0301\u0302\u0303\u0304\u0305\u0306", 0},
    {"homoglyphs", "", "\u043e", 0},
    {"fullwidth", "", "", 0xFF41},
    {"wide mixed", "\uff41", "", 0},
    {"bold", "", "", 0x1D41A},
};

/* SplitMix64 (Steele et al. 2014). */
static uint32_t bench_pick(uint32_t count)
{
    static uint64_t seed = 1;
    uint64_t x = seed += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return (uint32_t)((x ^ x >> 31) % count);
}

static double bench_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Runs once; returns the seconds, and lowers *best to them. */
static double bench_run(TextView text, SanitizePolicy policy, double *best)
{
    static Sanitized sanitized;
    SanitizeOptions options = {.policy = policy, .level = SANITIZE_HIGH};
    Arena arena;
    Error error;
    arena_init(&arena, 1 * GIB);
    double start = bench_now();
    if (sanitizer_run(text, &options, &arena, &sanitized, &error)) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    double seconds = bench_now() - start;
    if (seconds < *best) *best = seconds;
    arena_free(&arena);
    return seconds;
}

static int bench_compare(const void *a, const void *b)
{
    double one = *(const double *)a, other = *(const double *)b;
    return (one > other) - (one < other);
}

/* The tenths of the text, which end where code points do; what is left over is the last one's. */
static void bench_split(TextView text, TextView out_tenths[BENCH_TENTHS])
{
    size_t begin = 0;
    for (size_t i = 0; i < BENCH_TENTHS; i++) {
        size_t end = (i + 1) * text.size / BENCH_TENTHS;
        while (end > begin && end < text.size && ((unsigned char)text.bytes[end] & 0xC0) == 0x80) end--;
        out_tenths[i] = (TextView){text.bytes + begin, end - begin};
        begin = end;
    }
}

/* The ratio is the median of those of runs side by side. */
static void bench_row(const char *name, TextView text)
{
    TextView tenths[BENCH_TENTHS];
    bench_split(text, tenths);
    double report = 1e9, clean = 1e9, small = 1e9, start = bench_now(), ratios[BENCH_RUNS_MAX];
    int count = 0;
    while (count < BENCH_RUNS_MAX && (count < 3 || bench_now() - start < BENCH_SECONDS)) {
        bench_run(text, SANITIZE_REPORT, &report);
        double sum = 0;
        for (size_t i = 0; i < BENCH_TENTHS; i++) sum += bench_run(tenths[i], SANITIZE_CLEAN, &small);
        ratios[count++] = BENCH_TENTHS * bench_run(text, SANITIZE_CLEAN, &clean) / sum;
    }
    qsort(ratios, (size_t)count, sizeof ratios[0], bench_compare);
    printf("%-14s report %8.1f MB/s   clean %8.1f MB/s   10 x: %5.2f\n", name, (double)text.size / report / 1e6,
           (double)text.size / clean / 1e6, ratios[count / 2]);
}

/* Words of `words` in a random order, by lines. */
static size_t bench_write_line(char *out, const char *words)
{
    const char *starts[BENCH_WORDS_MAX];
    uint32_t count = 0;
    for (const char *at = words; at && count < BENCH_WORDS_MAX; at = strchr(at, ' ')) {
        at += *at == ' ';
        starts[count++] = at;
    }
    size_t size = 0;
    for (int i = 0; i < BENCH_LINE_WORDS; i++) {
        const char *word = starts[bench_pick(count)];
        size_t word_size = strcspn(word, " ");
        memcpy(out + size, word, word_size);
        size += word_size;
        out[size++] = i + 1 < BENCH_LINE_WORDS ? ' ' : '\n';
    }
    return size;
}

static size_t bench_attack_line(char *out, size_t attack)
{
    char line[1024];
    size_t size = 0, line_size = bench_write_line(line, ENGLISH);
    for (size_t i = 0; i < line_size; i++) {
        bool gap = line[i] == ' ' || line[i] == '\n', letter = line[i] >= 'a' && line[i] <= 'z';
        if (!gap) size += (size_t)sprintf(out + size, "%s", ATTACKS[attack].before);
        if (letter && ATTACKS[attack].first)
            size += utf8_write(ATTACKS[attack].first + (uint32_t)(line[i] - 'a'), out + size);
        else
            out[size++] = line[i];
        if (!gap) size += (size_t)sprintf(out + size, "%s", ATTACKS[attack].behind);
    }
    return size;
}

static void bench_generated(char *bytes)
{
    for (size_t kind = 0; kind <= LANGUAGE_COUNT; kind++) { /* the last is all of them, line by line */
        size_t size = 0;
        for (size_t next; size < BENCH_BYTES - BENCH_LINE_BYTES_MAX; size += next) {
            size_t language = kind < LANGUAGE_COUNT ? kind : bench_pick(LANGUAGE_COUNT);
            next = bench_write_line(bytes + size, LANGUAGES[language].words);
        }
        bench_row(kind < LANGUAGE_COUNT ? LANGUAGES[kind].name : "mixed", (TextView){bytes, size});
    }
    for (size_t kind = 0; kind < sizeof ATTACKS / sizeof ATTACKS[0]; kind++) {
        size_t size = 0;
        while (size < BENCH_BYTES - BENCH_LINE_BYTES_MAX) size += bench_attack_line(bytes + size, kind);
        bench_row(ATTACKS[kind].name, (TextView){bytes, size});
    }
}

static bool bench_file(const char *path)
{
    char *file;
    size_t size;
    if (file_read(path, TEXT_BYTES_MAX, &file, &size, NULL)) return false;
    const char *name = strrchr(path, '/');
    bench_row(name ? name + 1 : path, (TextView){file, size});
    free(file);
    return true;
}

int main(int argument_count, char **arguments)
{
    for (int i = 1; i < argument_count; i++) {
        if (!bench_file(arguments[i])) return 1;
    }
    if (argument_count > 1) return 0;
    char *bytes = malloc(BENCH_BYTES);
    if (!bytes) return 1;
    bench_generated(bytes);
    free(bytes);
    return 0;
}
