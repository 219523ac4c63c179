#include "explain/occlusion.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { FEATURE_COUNT_MAX = 200 };

static const float whole_score = 0.5F;

/* Each feature adds its number. */
static float score_of(const uint8_t *kept, uint32_t feature_count)
{
    float score = whole_score;
    for (uint32_t i = 0; i < feature_count; i++) score -= kept[i] ? 0 : (float)(i + 1);
    return score;
}

static void occlusion_asks_about_each_feature_once(void **state)
{
    (void)state;
    static const uint32_t counts[] = {0, 1, 2, 63, 64, 65, 128, FEATURE_COUNT_MAX};
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        uint32_t count = counts[c];
        Arena arena;
        arena_init(&arena, occlusion_bytes(count));
        Study *study = occlusion_open(count, &arena);
        assert_non_null(study);
        study->text.whole.score = whole_score;
        StudyRound round;
        uint32_t asked = 0;
        study->next(study, NULL, &round);
        while (round.copy_count > 0) {
            assert_in_range(round.copy_count, 1, STUDY_ROUND_COPIES_MAX);
            for (uint32_t i = 0; i < round.copy_count; i++) {
                const uint8_t *kept = round.kept + (size_t)i * count;
                uint32_t left_out = 0;
                for (uint32_t k = 0; k < count; k++) left_out += !kept[k];
                assert_int_equal(left_out, 1);
                round.answers[i].score = score_of(kept, count);
            }
            asked += round.copy_count;
            StudyRound last = round;
            study->next(study, &last, &round);
        }
        assert_int_equal(asked, count);
        for (uint32_t i = 0; i < count; i++) assert_float_equal(occlusion_scores(study)[i], (float)(i + 1), 1e-4F);
        arena_free(&arena);
    }
}

static void occlusion_fails_without_memory(void **state)
{
    (void)state;
    for (size_t budget = 0; budget < 600; budget += 50) {
        Arena arena;
        arena_init(&arena, budget);
        assert_null(occlusion_open(50, &arena));
        arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(occlusion_asks_about_each_feature_once),
        cmocka_unit_test(occlusion_fails_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
