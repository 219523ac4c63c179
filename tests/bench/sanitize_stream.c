/* The sanitizer as a filter, for tests/bench/sanitize_score.py and for whoever wants to see what it makes of a corpus:
 *     sanitize_stream off|report|clean|reject [moderate|high|strict [CODE...]]
 * Standard input is texts, each behind its size (4 bytes, little endian); standard output is a line of JSON a text:
 *     {"text":"...","changed":false,"refused":false,
 *      "findings":[["CODE",begin,end,count,"action","detail"]],"totals":{"CODE":count}}
 * or {"error":"..."} where sanitizer_run fails. */
#include "base/limits.h"
#include "sanitizer/sanitizer.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int stream_index(const char *name, const char *const names[], int count)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) return i;
    }
    fprintf(stderr, "sanitize_stream: %s is unknown\n", name);
    exit(2);
}

static SanitizeOptions stream_options(int argument_count, char **arguments)
{
    static const char *const policies[] = {"off", "report", "clean", "reject"};
    static const char *const levels[] = {"moderate", "high", "strict"};
    const char *codes[RULE_COUNT];
    for (int rule = 0; rule < RULE_COUNT; rule++) codes[rule] = rules_info((SanitizeRule)rule)->code;
    SanitizeOptions options = {.policy = SANITIZE_CLEAN, .level = SANITIZE_HIGH};
    if (argument_count > 1) options.policy = (SanitizePolicy)stream_index(arguments[1], policies, 4);
    if (argument_count > 2) options.level = (SanitizeLevel)stream_index(arguments[2], levels, 3);
    for (int i = 3; i < argument_count; i++)
        options.enabled |= 1ull << stream_index(arguments[i], codes, RULE_COUNT);
    return options;
}

static void stream_put_string(TextView text)
{
    putchar('"');
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.bytes[i];
        if (byte < 0x20 || byte == '"' || byte == '\\') {
            printf("\\u%04x", byte);
        } else {
            putchar(byte);
        }
    }
    putchar('"');
}

static void stream_put(const Sanitized *sanitized, const SanitizeOptions *options)
{
    printf("{\"text\":");
    stream_put_string(sanitized->text);
    printf(",\"changed\":%s,\"refused\":%s,\"findings\":[", sanitized->changed ? "true" : "false",
           sanitizer_refuses(sanitized, options) ? "true" : "false");
    for (uint32_t i = 0; i < sanitized->finding_count; i++) {
        const Finding *finding = &sanitized->findings[i];
        printf("%s[\"%s\",%u,%u,%u,\"%s\",", i ? "," : "", rules_info(finding->rule)->code, finding->range.begin,
               finding->range.end, finding->count, rules_action_name(finding->action));
        stream_put_string((TextView){finding->detail, finding->detail_size});
        putchar(']');
    }
    printf("],\"totals\":{");
    const char *comma = "";
    for (int rule = 0; rule < RULE_COUNT; rule++) {
        if (sanitized->totals[rule] == 0) continue;
        printf("%s\"%s\":%u", comma, rules_info((SanitizeRule)rule)->code, sanitized->totals[rule]);
        comma = ",";
    }
    printf("}}\n");
}

static void stream_text(TextView text, const SanitizeOptions *options, Arena *arena)
{
    Sanitized sanitized;
    Error error;
    if (sanitizer_run(text, options, arena, &sanitized, &error) == STATUS_OK) {
        stream_put(&sanitized, options);
    } else {
        printf("{\"error\":");
        stream_put_string(text_view(error.message));
        printf("}\n");
    }
    arena_free(arena);
}

int main(int argument_count, char **arguments)
{
    const SanitizeOptions options = stream_options(argument_count, arguments);
    Arena arena;
    arena_init(&arena, 1 * GIB);
    unsigned char head[4];
    while (fread(head, 1, sizeof head, stdin) == sizeof head) {
        size_t size = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
        char *bytes = size <= 256 * MIB ? malloc(size + 1) : NULL;
        if (!bytes || fread(bytes, 1, size, stdin) != size) return 1;
        stream_text((TextView){bytes, size}, &options, &arena);
        free(bytes);
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
