/* Links headlight_pipeline. Every allocation and file call from a folder to a vector fails in turn. */
#include "base/limits.h"
#include "pipeline/pipeline.h"
#include "walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { TOKEN_CAPACITY = 64, RESULT_SIZE_MAX = 512 };

static Status embed(const Pipeline *pipeline, PipelineWorkspace *workspace, Error *out_error)
{
    const PrepareOptions prepare_options = {.length_policy = LENGTH_TRUNCATE_RIGHT};
    const EmbedOptions embed_options = {.normalize = NORMALIZE_YES};
    float vector[RESULT_SIZE_MAX];
    Prepared prepared;
    Arena arena;
    assert_in_range(pipeline_vector_size(pipeline), 1, RESULT_SIZE_MAX);
    arena_init(&arena, 1 * MIB);
    Status status =
        pipeline_prepare(pipeline, text_view("a text"), NULL, &prepare_options, &arena, &prepared, out_error);
    if (status == STATUS_OK) {
        PipelineItem item = {.prepared = &prepared, .embed = &embed_options, .output = vector};
        PipelineItem *const items[] = {&item};
        pipeline_run(pipeline, workspace, NULL, items, 1);
        assert_int_equal(item.status, STATUS_OK);
    }
    arena_free(&arena);
    return status;
}

/* `context` is the PipelineOptions. */
static Status open_and_use(void *context, Error *out_error)
{
    Pipeline *pipeline = NULL;
    PipelineWorkspace *workspace = NULL;
    Status status = pipeline_open(context, &pipeline, out_error);
    if (status != STATUS_OK) {
        assert_null(pipeline);
        return status;
    }
    status = pipeline_workspace_open(pipeline, TOKEN_CAPACITY, 1, &workspace, out_error);
    if (status == STATUS_OK) status = embed(pipeline, workspace, out_error);
    pipeline_workspace_close(workspace);
    pipeline_close(pipeline);
    return status;
}

static void pipeline_survives_every_failing_call(void **state)
{
    (void)state;
    static const char *const directories[] = {
        TESTS_DATA "/golden/pipeline/queries",
        TESTS_DATA "/golden/pipeline/modules",
        TESTS_DATA "/golden/pipeline/sparse",
    };
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        PipelineOptions options = {.directory = directories[i], .kernels = kernels_select(KERNELS_ALL)};
        walk_faults(directories[i], open_and_use, &options, WALK_STRICT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipeline_survives_every_failing_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
