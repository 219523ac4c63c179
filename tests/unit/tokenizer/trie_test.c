/* The trie against what it is defined as: every key that a text starts with, the shortest first. */
#include "tokenizer/trie.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { KEYS = 400, TEXTS = 2000, KEY_BYTES_MAX = 24, TEXT_BYTES = 40 };

static uint32_t random_below(uint64_t *state, uint32_t bound)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33) % bound;
}

/* Few letters, so that keys are prefixes of each other, and bytes of both ends of the alphabet. */
static char random_letter(uint64_t *state)
{
    static const char letters[] = {'a', 'b', (char)0xFF, (char)0x01, (char)0xE2};
    return letters[random_below(state, sizeof letters)];
}

static bool key_is_new(const TrieKey *keys, uint32_t count, TextView text)
{
    for (uint32_t i = 0; i < count; i++) {
        if (text_equal(keys[i].text, text)) return false;
    }
    return true;
}

static uint32_t make_keys(uint64_t *state, TrieKey *keys, char (*texts)[KEY_BYTES_MAX])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < KEYS; i++) {
        uint32_t size = 1 + random_below(state, random_below(state, 4) ? 6 : KEY_BYTES_MAX);
        for (uint32_t k = 0; k < size; k++) texts[i][k] = random_letter(state);
        TextView text = {texts[i], size};
        if (!key_is_new(keys, count, text)) continue;
        keys[count] = (TrieKey){.text = text, .id = i, .score = -(double)i};
        count++;
    }
    return count;
}

/* The shortest of the keys longer than `size` that `text` starts with; NULL: there is none. */
static const TrieKey *next_key(const TrieKey *keys, uint32_t count, TextView text, uint32_t size)
{
    const TrieKey *best = NULL;
    for (uint32_t i = 0; i < count; i++) {
        TextView key = keys[i].text;
        if (key.size <= size || key.size > text.size || memcmp(key.bytes, text.bytes, key.size) != 0) continue;
        if (!best || key.size < best->text.size) best = &keys[i];
    }
    return best;
}

static void check_text(const Trie *trie, const TrieKey *keys, uint32_t count, TextView text)
{
    TrieWalk walk = {0};
    uint32_t size = 0;
    for (;;) {
        const TrieKey *expected = next_key(keys, count, text, size);
        bool found = trie_next(trie, text, &walk);
        assert_int_equal(found, expected != NULL);
        if (!expected) break;
        assert_int_equal(walk.size, expected->text.size);
        assert_int_equal(trie->ids[walk.unit], expected->id);
        assert_true(trie->units[walk.unit].score == expected->score);
        size = walk.size;
    }
    assert_false(trie_next(trie, text, &walk));
}

static void trie_finds_every_key_that_a_text_starts_with(void **context)
{
    (void)context;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t state = seed;
        TrieKey keys[KEYS];
        char texts[KEYS][KEY_BYTES_MAX];
        uint32_t count = make_keys(&state, keys, texts);
        Trie trie;
        Error error;
        assert_int_equal(trie_open(&trie, keys, count, &error), STATUS_OK);
        for (uint32_t i = 0; i < count; i++) check_text(&trie, keys, count, keys[i].text);
        for (uint32_t i = 0; i < TEXTS; i++) {
            char text[TEXT_BYTES];
            uint32_t size = random_below(&state, TEXT_BYTES + 1);
            for (uint32_t k = 0; k < size; k++) text[k] = random_letter(&state);
            check_text(&trie, keys, count, (TextView){text, size});
        }
        trie_close(&trie);
    }
}

static void trie_without_keys_finds_nothing(void **context)
{
    (void)context;
    Trie trie;
    Error error;
    TrieKey key = {.text = {"", 0}};
    assert_int_equal(trie_open(&trie, &key, 0, &error), STATUS_OK);
    check_text(&trie, &key, 0, (TextView){"\xFF\x01", 2});
    check_text(&trie, &key, 0, (TextView){"", 0});
    trie_close(&trie);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trie_finds_every_key_that_a_text_starts_with),
        cmocka_unit_test(trie_without_keys_finds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
