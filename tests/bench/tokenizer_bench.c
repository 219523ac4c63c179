/* How fast a tokenizer opens and encodes, on one thread:
 *     tokenizer_bench DIRECTORY FILE [SECONDS]
 * Each line of FILE is a text. Prints the milliseconds to open, then of the best pass over the lines MB and tokens a
 * second, and the tokens of a pass. Processor time, so that what else the machine does disturbs little. */
#include "base/file.h"
#include "base/limits.h"
#include "tokenizer/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BENCH_SECONDS 2.0

static double bench_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Encodes every line; returns the tokens, or exits. */
static uint64_t bench_pass(const Tokenizer *tokenizer, TextView text, Arena *arena)
{
    const EncodeOptions options = {0};
    uint64_t tokens = 0;
    for (size_t at = 0; at < text.size;) {
        const char *line = text.bytes + at, *end = memchr(line, '\n', text.size - at);
        size_t size = end ? (size_t)(end - line) : text.size - at;
        Encoding encoding;
        Error error;
        if (tokenizer_encode(tokenizer, (TextView){line, size}, NULL, &options, arena, &encoding, &error)) {
            fprintf(stderr, "%s\n", error.message);
            exit(1);
        }
        tokens += encoding.count;
        arena_free(arena);
        at += size + 1;
    }
    return tokens;
}

int main(int argument_count, char **arguments)
{
    Tokenizer *tokenizer = NULL;
    char *bytes = NULL;
    size_t size = 0;
    Error error;
    if (argument_count < 3) return 2;
    double seconds = argument_count > 3 ? atof(arguments[3]) : BENCH_SECONDS, open_start = bench_now();
    if (tokenizer_open(arguments[1], &tokenizer, &error) || file_read(arguments[2], GIB, &bytes, &size, &error)) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    double open_seconds = bench_now() - open_start, start = bench_now(), best = 1e9;
    uint64_t tokens = 0;
    Arena arena;
    arena_init(&arena, 1 * GIB);
    do {
        double pass = bench_now();
        tokens = bench_pass(tokenizer, (TextView){bytes, size}, &arena);
        pass = bench_now() - pass;
        if (pass < best) best = pass;
    } while (bench_now() - start < seconds);
    printf("open %.1f ms, %.2f MB/s, %.0f tokens/s, %llu tokens\n", open_seconds * 1e3, (double)size / best / 1e6,
           (double)tokens / best, (unsigned long long)tokens);
    free(bytes);
    tokenizer_close(tokenizer);
    return 0;
}
