/* Finding added tokens: leftmost, then longest, as the library's Aho-Corasick automaton does. */
#include "tokenizer/added.h"

#include "tokenizer/characters.h"
#include "unicode/utf8.h"

#include <assert.h>
#include <stdlib.h>

void added_close(AddedTokens *added)
{
    free(added->tokens);
    free(added->plain.tokens);
    free(added->normalized.tokens);
    free(added->bytes);
    *added = (AddedTokens){0};
}

const AddedToken *added_find(const AddedTokens *added, uint32_t id)
{
    uint32_t low = 0, high = added->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (added->tokens[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < added->count && added->tokens[low].id == id ? &added->tokens[low] : NULL;
}

/* What a token is found by. */
static TextView added_pattern(const AddedToken *token)
{
    return token->normalized ? token->text : token->content;
}

static int added_compare(const void *left, const void *right)
{
    const AddedToken *a = *(const AddedToken *const *)left, *b = *(const AddedToken *const *)right;
    TextView x = added_pattern(a), y = added_pattern(b);
    int order = memcmp(x.bytes, y.bytes, x.size < y.size ? x.size : y.size);
    if (order == 0) order = (x.size > y.size) - (x.size < y.size);
    return order ? order : (a->id > b->id) - (a->id < b->id);
}

/* Of tokens with the same pattern the library keeps one by chance; here it is the one with the smallest id. A
 * pattern that normalization left empty is never found. */
static Status added_index_set(AddedSet *set, const AddedTokens *added, bool normalized, Error *out_error)
{
    set->tokens = malloc((added->count + 1) * sizeof(AddedToken *));
    if (!set->tokens) return error_set(out_error, STATUS_NO_MEMORY, "no memory for %u added tokens", added->count);
    for (uint32_t i = 0; i < added->count; i++) {
        const AddedToken *token = &added->tokens[i];
        if (token->normalized == normalized && added_pattern(token).size) set->tokens[set->count++] = token;
    }
    qsort(set->tokens, set->count, sizeof(AddedToken *), added_compare);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        if (kept && text_equal(added_pattern(set->tokens[kept - 1]), added_pattern(set->tokens[i]))) continue;
        set->tokens[kept++] = set->tokens[i];
    }
    set->count = kept;
    set->all_special = true;
    for (uint32_t i = 0; i < kept; i++) {
        set->first[(unsigned char)added_pattern(set->tokens[i]).bytes[0] + 1]++;
        if (!set->tokens[i]->ever_special) set->all_special = false;
    }
    for (int i = 0; i < 256; i++) set->first[i + 1] += set->first[i];
    return STATUS_OK;
}

Status added_index(AddedTokens *added, Error *out_error)
{
    Status status = added_index_set(&added->plain, added, false, out_error);
    if (!status) status = added_index_set(&added->normalized, added, true, out_error);
    return status;
}

AddedScan added_scan(const AddedSet *set, TextView text, AddedParse parse)
{
    /* A match that is refused has no effect, so that special tokens that are all refused are as good as none. */
    bool useless = set->count == 0 || (set->all_special && !parse.all && parse.id == VOCABULARY_NONE);
    return (AddedScan){.set = set, .text = text, .parse = parse, .search = useless ? (uint32_t)text.size : 0};
}

/* The first of tokens[low, high) whose byte at `depth` is at least `byte`; shorter ones are in front. */
static uint32_t added_bound(const AddedSet *set, uint32_t low, uint32_t high, uint32_t depth, unsigned byte)
{
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        TextView pattern = added_pattern(set->tokens[middle]);
        if (pattern.size <= depth || (unsigned char)pattern.bytes[depth] < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The longest pattern that starts at `at`, or NULL. */
static const AddedToken *added_match_at(const AddedSet *set, TextView text, uint32_t at)
{
    unsigned byte = (unsigned char)text.bytes[at];
    uint32_t low = set->first[byte], high = set->first[byte + 1];
    const AddedToken *longest = NULL;
    for (uint32_t depth = 1; low < high; depth++) {
        if (added_pattern(set->tokens[low]).size == depth) longest = set->tokens[low++];
        if (at + depth >= text.size) break;
        byte = (unsigned char)text.bytes[at + depth];
        low = added_bound(set, low, high, depth, byte);
        high = added_bound(set, low, high, depth, byte + 1);
    }
    return longest;
}

bool added_find_special(const AddedSet *set, TextView text, uint32_t from, const AddedToken **out_token,
                        ByteRange *out_range)
{
    for (uint32_t at = from; at < text.size; at++) {
        unsigned byte = (unsigned char)text.bytes[at];
        if (set->first[byte] == set->first[byte + 1]) continue;
        const AddedToken *token = added_match_at(set, text, at);
        if (!token || !token->special) continue;
        *out_token = token;
        *out_range = (ByteRange){at, at + (uint32_t)added_pattern(token).size};
        return true;
    }
    return false;
}

static const AddedToken *added_search(const AddedScan *scan, uint32_t *out_at)
{
    const uint32_t *first = scan->set->first;
    for (uint32_t at = scan->search; at < scan->text.size; at++) {
        unsigned byte = (unsigned char)scan->text.bytes[at];
        if (first[byte] == first[byte + 1]) continue;
        const AddedToken *token = added_match_at(scan->set, scan->text, at);
        if (token) {
            *out_at = at;
            return token;
        }
    }
    return NULL;
}

static bool added_stands_alone(TextView text, ByteRange range)
{
    uint32_t code_point;
    if (range.begin > 0) {
        utf8_decode(text.bytes + utf8_previous(text.bytes, range.begin), &code_point);
        if (characters_flags(code_point) & CHARACTER_WORD) return false;
    }
    if (range.end == text.size) return true;
    utf8_decode(text.bytes + range.end, &code_point);
    return !(characters_flags(code_point) & CHARACTER_WORD);
}

/* To the left not beyond what has been handed out: what the token before took stays there. */
static uint32_t added_strip_left(const AddedScan *scan, uint32_t begin)
{
    uint32_t code_point;
    while (begin > scan->begin) {
        uint32_t previous = (uint32_t)utf8_previous(scan->text.bytes, begin);
        utf8_decode(scan->text.bytes + previous, &code_point);
        if (!(characters_flags(code_point) & CHARACTER_WHITE_SPACE)) break;
        begin = previous;
    }
    return begin > scan->begin ? begin : scan->begin;
}

static uint32_t added_strip_right(AddedScan *scan, uint32_t end)
{
    if (end >= scan->space.begin && end < scan->space.end) return scan->space.end;
    uint32_t code_point;
    scan->space.begin = end;
    while (end < scan->text.size) {
        size_t size = utf8_decode(scan->text.bytes + end, &code_point);
        if (!(characters_flags(code_point) & CHARACTER_WHITE_SPACE)) break;
        end += (uint32_t)size;
    }
    scan->space.end = end;
    return end;
}

bool added_next(AddedScan *scan, AddedPiece *out_piece)
{
    while (!scan->pending) {
        uint32_t at = 0;
        const AddedToken *token = added_search(scan, &at);
        if (!token) break;
        ByteRange range = {at, at + (uint32_t)added_pattern(token).size};
        scan->search = range.end; /* also behind a match that is refused */
        if (token->ever_special && !scan->parse.all && token->id != scan->parse.id) continue;
        if (token->single_word && !added_stands_alone(scan->text, range)) continue;
        if (token->lstrip) range.begin = added_strip_left(scan, range.begin);
        if (token->rstrip) range.end = added_strip_right(scan, range.end);
        uint32_t begin = scan->begin;
        scan->begin = range.end;
        if (range.begin >= range.end) continue; /* all of it was taken; the library drops it too, or panics */
        scan->pending = token;
        scan->pending_range = range;
        if (begin < range.begin) {
            *out_piece = (AddedPiece){NULL, {begin, range.begin}};
            return true;
        }
    }
    if (scan->pending) {
        *out_piece = (AddedPiece){scan->pending, scan->pending_range};
        scan->pending = NULL;
        return true;
    }
    if (scan->begin >= scan->text.size) return false;
    *out_piece = (AddedPiece){NULL, {scan->begin, (uint32_t)scan->text.size}};
    scan->begin = (uint32_t)scan->text.size;
    scan->search = scan->begin;
    return true;
}
