/* One walk over the source. What both syntaxes read alike is copied; classes of characters are written out, because
 * the two differ in \s, \w, \h and in their version of Unicode; everything else is refused. */
#include "tokenizer/pattern_translate.h"

#include "tokenizer/pattern_set.h"
#include "unicode/utf8.h"

#include <stdlib.h>

enum { TRANSLATE_DEPTH_MAX = 64 };

typedef struct Translator {
    TextView source;
    size_t at;
    PatternSetText out;
    bool repeatable; /* what was just written may take a quantifier */
    char letter;     /* the ASCII letter that stands before the position as a literal, in lower case; or 0 */
    uint32_t depth;
    bool caseless[TRANSLATE_DEPTH_MAX + 1]; /* [depth]: (?i) is in force */
    Error *error;
} Translator;

static Status translate_refuse(const Translator *translator, size_t at, const char *what)
{
    size_t left = translator->source.size - at;
    return error_set(translator->error, STATUS_UNSUPPORTED,
                     "the regular expression has %s at byte %zu, which is not supported: \"%.*s\"", what, at,
                     (int)(left < 20 ? left : 20), translator->source.bytes + at);
}

/* The byte `ahead` of the position; 0 at the end. */
static char translate_peek(const Translator *translator, size_t ahead)
{
    size_t at = translator->at + ahead;
    return at < translator->source.size ? translator->source.bytes[at] : '\0';
}

static bool translate_accept(Translator *translator, const char *text)
{
    size_t size = strlen(text);
    if (translator->source.size - translator->at < size) return false;
    if (memcmp(translator->source.bytes + translator->at, text, size) != 0) return false;
    translator->at += size;
    return true;
}

static int hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9') return byte - '0';
    if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
    return byte >= 'A' && byte <= 'F' ? byte - 'A' + 10 : -1;
}

/* Hexadecimal digits at the position, `count_min` to `count_max` of them. */
static bool translate_hex(Translator *translator, unsigned count_min, unsigned count_max, uint32_t *out_value)
{
    unsigned count = 0;
    uint32_t value = 0;
    for (int digit; count < count_max && (digit = hex_digit(translate_peek(translator, 0))) >= 0; count++) {
        value = value << 4 | (uint32_t)digit;
        translator->at++;
    }
    *out_value = value;
    return count >= count_min && value < 0x110000 && (value < 0xD800 || value > 0xDFFF);
}

/* An escape that is one code point, behind its backslash. False: it is not one; the position stays. */
static bool translate_escaped(Translator *translator, uint32_t *out_code_point)
{
    static const char NAMES[] = "tnrfvae", VALUES[] = "\t\n\r\f\v\a\x1B";
    size_t start = translator->at;
    char byte = translate_peek(translator, 0);
    const char *name = byte ? strchr(NAMES, byte) : NULL;
    bool found = true;
    translator->at++;
    if (name) {
        *out_code_point = (unsigned char)VALUES[name - NAMES];
    } else if (byte == 'u') {
        found = translate_hex(translator, 4, 4, out_code_point);
    } else if (byte == 'x' && translate_accept(translator, "{")) {
        found = translate_hex(translator, 1, 8, out_code_point) && translate_accept(translator, "}");
    } else if (byte == 'x') {
        found = translate_hex(translator, 1, 2, out_code_point) && *out_code_point < 0x80;
    } else {
        *out_code_point = (unsigned char)byte;
        found = byte > ' ' && byte < 0x7F && !(byte >= '0' && byte <= '9') &&
                !((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z');
    }
    if (!found) translator->at = start;
    return found;
}

/* A set by an escape, behind its backslash: s, p{L} and so on. False: it is none; the position stays. */
static bool translate_set(Translator *translator, PatternSet *out_set)
{
    size_t start = translator->at;
    char byte = translate_peek(translator, 0);
    if (byte && strchr("sSdDwWhH", byte)) {
        translator->at++;
        *out_set = pattern_set_letter((char)(byte | 0x20));
        out_set->negated = byte < 'a';
        return true;
    }
    if (!translate_accept(translator, "p{") && !translate_accept(translator, "P{")) return false;
    bool negated = translate_accept(translator, "^");
    const char *name = translator->source.bytes + translator->at;
    const char *close = memchr(name, '}', translator->source.size - translator->at);
    if (close && pattern_set_named((TextView){name, (size_t)(close - name)}, out_set)) {
        out_set->negated = negated != (byte == 'P');
        translator->at += (size_t)(close - name) + 1;
        return true;
    }
    translator->at = start;
    return false;
}

static bool translate_caseless(const Translator *translator)
{
    return translator->caseless[translator->depth];
}

/* Sets in a class that ignores case would have to be closed under it. */
static Status translate_put_set(Translator *translator, size_t at, const PatternSet *set, bool in_class)
{
    if (translate_caseless(translator) && pattern_set_cased(set)) {
        return translate_refuse(translator, at, "a class by case where case is ignored");
    }
    if (!in_class) {
        pattern_set_put(&translator->out, set->negated ? "[^" : "[");
        pattern_set_write(&translator->out, set);
        pattern_set_put(&translator->out, "]");
    } else if (!set->negated) {
        pattern_set_write(&translator->out, set);
    } else if (!pattern_set_write_others(&translator->out, set)) {
        return translate_refuse(translator, at, "a negated class within a class");
    }
    return STATUS_OK;
}

/* One member of a class that may be an end of a range. */
static Status translate_member(Translator *translator, uint32_t *out_code_point)
{
    size_t at = translator->at;
    if (translate_accept(translator, "\\")) {
        if (translate_escaped(translator, out_code_point)) return STATUS_OK;
        return translate_refuse(translator, at, "an unknown escape");
    }
    translator->at += utf8_decode(translator->source.bytes + at, out_code_point);
    return STATUS_OK;
}

static Status translate_range(Translator *translator)
{
    size_t at = translator->at;
    uint32_t first, last;
    Status status = translate_member(translator, &first);
    if (status) return status;
    last = first;
    if (translate_peek(translator, 0) == '-' && translate_peek(translator, 1) != ']' &&
        translate_peek(translator, 1)) {
        translator->at++;
        if (translate_peek(translator, 0) == '[') return translate_refuse(translator, at, "a range to a class");
        status = translate_member(translator, &last);
        if (status) return status;
        if (last < first) return translate_refuse(translator, at, "an empty range");
    }
    if (translate_caseless(translator) && last >= 0x80) {
        return translate_refuse(translator, at, "a character beyond ASCII where case is ignored");
    }
    pattern_set_write_range(&translator->out, first, last);
    return STATUS_OK;
}

/* One item of a class, at the position. */
static Status translate_item(Translator *translator)
{
    size_t at = translator->at;
    PatternSet set;
    if (translate_peek(translator, 0) == '[') {
        TextView rest = {translator->source.bytes + at, translator->source.size - at};
        size_t size = pattern_set_bracketed(rest, &set);
        if (size == 0) return translate_refuse(translator, at, "a class within a class");
        translator->at += size;
        return translate_put_set(translator, at, &set, true);
    }
    if (translate_peek(translator, 0) == '&' && translate_peek(translator, 1) == '&') {
        return translate_refuse(translator, at, "an intersection of classes");
    }
    if (translate_accept(translator, "\\")) {
        if (translate_set(translator, &set)) return translate_put_set(translator, at, &set, true);
        translator->at--;
    }
    return translate_range(translator);
}

/* A class, behind its bracket. */
static Status translate_class(Translator *translator)
{
    size_t start = translator->at - 1;
    pattern_set_put(&translator->out, translate_accept(translator, "^") ? "[^" : "[");
    if (translate_peek(translator, 0) == ']')
        return translate_refuse(translator, start, "a class that starts with ]");
    while (!translate_accept(translator, "]")) {
        if (translator->at >= translator->source.size) {
            return error_set(translator->error, STATUS_CORRUPT, "the regular expression ends within a class");
        }
        Status status = translate_item(translator);
        if (status) return status;
    }
    pattern_set_put(&translator->out, "]");
    translator->repeatable = true;
    return STATUS_OK;
}

/* Where case is ignored, Oniguruma also lets one character stand for two ("ss" for U+00DF); PCRE2 does not. */
static bool translate_folds(char first, char second)
{
    static const char *const PAIRS[] = {"ss", "st", "ff", "fi", "fl"};
    for (size_t i = 0; i < sizeof PAIRS / sizeof PAIRS[0]; i++) {
        if (first == PAIRS[i][0] && second == PAIRS[i][1]) return true;
    }
    return false;
}

/* `previous`: the letter before it. */
static Status translate_literal(Translator *translator, size_t at, uint32_t code_point, char previous)
{
    char letter = code_point < 0x80 && (code_point | 0x20) >= 'a' && (code_point | 0x20) <= 'z'
                      ? (char)(code_point | 0x20)
                      : '\0';
    if (translate_caseless(translator)) {
        if (code_point >= 0x80) {
            return translate_refuse(translator, at, "a character beyond ASCII where case is ignored");
        }
        if (translate_folds(previous, letter)) {
            return translate_refuse(translator, at,
                                    "letters that one character may stand for where case is ignored");
        }
    }
    pattern_set_write_range(&translator->out, code_point, code_point);
    translator->letter = letter;
    translator->repeatable = true;
    return STATUS_OK;
}

/* Anchors whose meaning both share, and \b, which depends on \w. */
static bool translate_anchor(Translator *translator)
{
    static const struct {
        const char *name;
        const char *text;
    } ANCHORS[] = {{"A", "\\A"}, {"z", "\\z"}, {"Z", "\\Z"}};
    for (size_t i = 0; i < sizeof ANCHORS / sizeof ANCHORS[0]; i++) {
        if (!translate_accept(translator, ANCHORS[i].name)) continue;
        pattern_set_put(&translator->out, ANCHORS[i].text);
        return true;
    }
    bool between = translate_peek(translator, 0) == 'B';
    if (!between && translate_peek(translator, 0) != 'b') return false;
    translator->at++;
    PatternSet word = pattern_set_letter('w');
    static const char *const TEXTS[2][4] = {{"(?:(?<=[", "])(?![", "])|(?<![", "])(?=["},
                                            {"(?:(?<=[", "])(?=[", "])|(?<![", "])(?!["}};
    for (int i = 0; i < 4; i++) {
        pattern_set_put(&translator->out, TEXTS[between][i]);
        pattern_set_write(&translator->out, &word);
    }
    pattern_set_put(&translator->out, "]))");
    return true;
}

/* Behind a backslash outside a class. */
static Status translate_escape(Translator *translator, char previous)
{
    size_t at = translator->at - 1;
    uint32_t code_point;
    PatternSet set;
    translator->repeatable = false;
    if (translate_anchor(translator)) return STATUS_OK;
    translator->repeatable = true;
    if (translate_accept(translator, "R")) {
        pattern_set_put(&translator->out, "(?>\\r\\n|[\\x0A-\\x0D\\x85\\x{2028}\\x{2029}])");
        return STATUS_OK;
    }
    if (translate_set(translator, &set)) return translate_put_set(translator, at, &set, false);
    if (translate_escaped(translator, &code_point)) return translate_literal(translator, at, code_point, previous);
    return translate_refuse(translator, at, "an unknown escape or property");
}

/* Behind an opening parenthesis. */
static Status translate_group(Translator *translator)
{
    static const char *const STARTS[] = {"?:", "?=", "?!", "?<=", "?<!", "?>"};
    size_t at = translator->at - 1;
    bool caseless = translate_caseless(translator);
    const char *start = "(";
    if (translate_accept(translator, "?i:")) {
        caseless = true;
        start = "(?i:";
    } else if (at == 0 && translate_accept(translator, "?i)")) {
        translator->caseless[translator->depth] = true;
        translator->repeatable = false;
        pattern_set_put(&translator->out, "(?i)");
        return STATUS_OK;
    } else if (translate_peek(translator, 0) == '?') {
        size_t i = 0;
        while (i < sizeof STARTS / sizeof STARTS[0] && !translate_accept(translator, STARTS[i])) i++;
        if (i == sizeof STARTS / sizeof STARTS[0])
            return translate_refuse(translator, at, "an unknown kind of group");
        pattern_set_put(&translator->out, "(");
        start = STARTS[i];
    }
    pattern_set_put(&translator->out, start);
    if (translator->depth == TRANSLATE_DEPTH_MAX) return translate_refuse(translator, at, "too deep a nesting");
    translator->caseless[++translator->depth] = caseless;
    translator->repeatable = false;
    return STATUS_OK;
}

/* "{2}", "{2,}", "{,5}" or "{2,5}" at the position. False: a brace that is a literal; the position stays. */
static bool translate_interval(Translator *translator, uint32_t out_counts[2], bool *out_fixed)
{
    size_t start = translator->at;
    bool given[2] = {false, false}, comma = false;
    out_counts[0] = 0;
    out_counts[1] = UINT32_MAX;
    translator->at++;
    for (int i = 0; i < 2; i++) {
        for (char digit; (digit = translate_peek(translator, 0)) >= '0' && digit <= '9'; translator->at++) {
            uint32_t count = given[i] ? out_counts[i] : 0;
            out_counts[i] = count > UINT16_MAX ? count : count * 10 + (uint32_t)(digit - '0');
            given[i] = true;
        }
        if (i == 0) comma = translate_accept(translator, ",");
        if (!comma) break;
    }
    *out_fixed = !comma;
    if (!comma) out_counts[1] = out_counts[0];
    if (translate_accept(translator, "}") && (given[0] || given[1])) return true;
    translator->at = start;
    return false;
}

static Status translate_quantifier(Translator *translator)
{
    size_t at = translator->at;
    uint32_t counts[2] = {0, 0};
    bool fixed = false, interval = translate_peek(translator, 0) == '{';
    if (interval && !translate_interval(translator, counts, &fixed)) {
        translator->at++;
        return translate_literal(translator, at, '{', '\0');
    }
    if (!translator->repeatable)
        return translate_refuse(translator, at, "a repetition of nothing or of a repetition");
    if (interval) {
        char next = translate_peek(translator, 0);
        if (next == '+' || (fixed && next == '?')) return translate_refuse(translator, at, "a repeated interval");
        if (counts[0] > counts[1])
            return translate_refuse(translator, at, "an interval that ends before it starts");
        pattern_set_put_interval(&translator->out, counts[0], counts[1]);
    } else {
        pattern_set_put(&translator->out, (char[2]){translate_peek(translator, 0), '\0'});
        translator->at++;
    }
    if (translate_accept(translator, "?"))
        pattern_set_put(&translator->out, "?");
    else if (!interval && translate_accept(translator, "+"))
        pattern_set_put(&translator->out, "+");
    translator->repeatable = false;
    translator->letter = '\0';
    return STATUS_OK;
}

static Status translate_close(Translator *translator)
{
    if (translator->depth == 0) {
        return error_set(translator->error, STATUS_CORRUPT,
                         "the regular expression closes a group that is not open");
    }
    translator->depth--;
    translator->repeatable = true;
    pattern_set_put(&translator->out, ")");
    return STATUS_OK;
}

/* One element at the position. */
static Status translate_next(Translator *translator)
{
    size_t at = translator->at;
    char byte = translate_peek(translator, 0), previous = translator->letter;
    uint32_t code_point;
    if (byte == '*' || byte == '+' || byte == '?' || byte == '{') return translate_quantifier(translator);
    translator->letter = '\0';
    translator->at++;
    switch (byte) {
    case '\\':
        return translate_escape(translator, previous);
    case '[':
        return translate_class(translator);
    case '(':
        return translate_group(translator);
    case ')':
        return translate_close(translator);
    case '|':
    case '^':
    case '$':
    case '.':
        translator->repeatable = byte == '.';
        pattern_set_put(&translator->out, (char[2]){byte, '\0'});
        return STATUS_OK;
    default:
        translator->at = at + utf8_decode(translator->source.bytes + at, &code_point);
        return translate_literal(translator, at, code_point, previous);
    }
}

Status pattern_translate(TextView source, char **out_regex, Error *out_error)
{
    Translator translator = {.source = source, .error = out_error};
    Status status = STATUS_OK;
    pattern_set_put(&translator.out, "");
    while (!status && translator.at < source.size) status = translate_next(&translator);
    if (!status && translator.depth > 0) {
        status = error_set(out_error, STATUS_CORRUPT, "the regular expression ends within a group");
    }
    if (!status && translator.out.failed) {
        status =
            error_set(out_error, STATUS_NO_MEMORY, "no memory for a regular expression of %zu bytes", source.size);
    }
    if (!status)
        *out_regex = translator.out.text;
    else
        free(translator.out.text);
    return status;
}
