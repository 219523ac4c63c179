/* `headlight pull`: a checkpoint from a model hub into a folder. */
#include "command.h"
#include "interrupt.h"
#include "output.h"
#include "pull_fetch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char pull_hub[] = "https://huggingface.co";

typedef struct PullSettings {
    Settings common;
    const char *revision;
    const char *output;
    const char *endpoint;
} PullSettings;

static const Option pull_options[] = {
    {"revision", "NAME", NULL, OPTION_TEXT, offsetof(PullSettings, revision), "main", 0, 0, NULL,
     "The branch, tag or commit to take."},
    {"output", "DIR", NULL, OPTION_TEXT, offsetof(PullSettings, output), NULL, 0, 0, NULL,
     "Where the files go; without it models/NAME, where NAME is the repository's without its owner."},
    {"endpoint", "URL", "HF_ENDPOINT", OPTION_TEXT, offsetof(PullSettings, endpoint), pull_hub, 0, 0, NULL,
     "The model hub."},
};

/* A growing answer in memory. */
typedef struct PullText {
    char *bytes;
    size_t size, capacity;
} PullText;

static Status pull_text_begin(void *context, uint64_t offset, Error *out_error)
{
    (void)offset, (void)out_error;
    ((PullText *)context)->size = 0;
    return STATUS_OK;
}

static Status pull_text_write(void *context, const void *bytes, size_t size, Error *out_error)
{
    PullText *text = context;
    if (size > PULL_LISTING_BYTES_MAX - text->size) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "the hub's listing is longer than %d bytes",
                         PULL_LISTING_BYTES_MAX);
    }
    if (text->size + size > text->capacity) {
        size_t capacity = 2 * (text->size + size);
        char *grown = realloc(text->bytes, capacity);
        if (!grown) return error_set(out_error, STATUS_NO_MEMORY, "out of memory");
        text->bytes = grown;
        text->capacity = capacity;
    }
    memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
    return STATUS_OK;
}

static Status pull_list(Hub *hub, const PullSettings *settings, const char *repository, PullFiles *out_files,
                        Error *out_error)
{
    char url[HUB_URL_BYTES];
    Status status = hub_listing_url(hub, repository, settings->revision, url, out_error);
    PullText text = {0};
    HubSink sink = {pull_text_begin, pull_text_write, &text};
    for (uint64_t attempt = 1; status == STATUS_OK; attempt++) {
        status = hub_get(hub, url, 0, &sink, out_error);
        if (status != STATUS_UNAVAILABLE || attempt > settings->common.retry_count) break;
        status = hub_wait(hub, attempt, out_error, out_error);
    }
    if (status == STATUS_OK) status = pull_files_parse((TextView){text.bytes, text.size}, out_files, out_error);
    free(text.bytes);
    return status;
}

static uint64_t pull_total_bytes(const PullFiles *files)
{
    uint64_t total = 0;
    for (size_t index = 0; index < files->count; index++) total += files->files[index].size;
    return total;
}

/* Everything is fetched before anything is renamed: a folder changes from the old checkpoint to the new one at
 * once, or nearly so. */
static Status pull_files(PullFetch *fetch, const PullSettings *settings, PullFiles *files, Error *out_error)
{
    PullPlace *places = calloc(files->count, sizeof *places);
    if (!places) return error_set(out_error, STATUS_NO_MEMORY, "out of memory");
    Progress progress;
    progress_begin(&progress, settings->common.quiet, pull_total_bytes(files));
    fetch->progress = &progress;
    Status status = STATUS_OK;
    for (size_t index = 0; index < files->count && status == STATUS_OK; index++) {
        PullFile *file = &files->files[index];
        progress.name = file->path;
        status = pull_fetch(fetch, file, &places[index], out_error);
        if (status != STATUS_OK) break;
        fetch->done_before_bytes += file->size;
        progress_set(&progress, fetch->done_before_bytes);
        progress_clear(&progress);
        output_note(settings->common.quiet, "%s, %" PRIu64 " bytes%s", file->path, file->size,
                    places[index].complete ? ", was there" : "");
    }
    progress_clear(&progress);
    for (size_t index = 0; index < files->count && status == STATUS_OK; index++) {
        status = pull_fetch_finish(&places[index], out_error);
    }
    free(places);
    return status;
}

static void pull_print(const PullSettings *settings, const char *repository, const char *directory,
                       const PullFiles *files)
{
    if (settings->common.format == OUTPUT_TEXT) {
        puts(directory);
        return;
    }
    fputs("{\"repository\":", stdout);
    output_json_text(stdout, text_view(repository));
    printf(",\"commit\":\"%s\",\"directory\":", files->commit);
    output_json_text(stdout, text_view(directory));
    fputs(",\"files\":[", stdout);
    for (size_t index = 0; index < files->count; index++) {
        const PullFile *file = &files->files[index];
        fputs(index ? ",{\"name\":" : "{\"name\":", stdout);
        output_json_text(stdout, text_view(file->path));
        printf(",\"size\":%" PRIu64 ",\"sha256\":\"%s\"}", file->size, file->sha256);
    }
    puts("]}");
}

static Status pull_repository(const PullSettings *settings, const char *repository, Error *out_error)
{
    const char *slash = strrchr(repository, '/');
    char directory[PATH_BYTES_MAX];
    int written = settings->output
                      ? snprintf(directory, sizeof directory, "%s", settings->output)
                      : snprintf(directory, sizeof directory, "models/%s", slash ? slash + 1 : repository);
    if (written <= 0 || written >= (int)sizeof directory) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "--output is empty or too long");
    }
    Hub *hub = NULL;
    PullFiles files = {0};
    PullFetch fetch = {.repository = repository,
                       .commit = files.commit,
                       .directory = directory,
                       .retry_count = settings->common.retry_count};
    Status status = hub_open(settings->endpoint, getenv("HF_TOKEN"), &hub, out_error);
    fetch.hub = hub;
    if (status == STATUS_OK) status = pull_list(hub, settings, repository, &files, out_error);
    if (status == STATUS_OK) status = pull_files(&fetch, settings, &files, out_error);
    if (status == STATUS_OK) pull_print(settings, repository, directory, &files);
    pull_files_free(&files);
    hub_close(hub);
    return status;
}

static int pull_run(const void *values, char *const *arguments, size_t argument_count)
{
    const PullSettings *settings = values;
    Error error;
    Status status = STATUS_OK;
    if (argument_count != 1 || !pull_repository_valid(arguments[0])) {
        status = error_set(&error, STATUS_INVALID_ARGUMENT,
                           "pull takes one repository, such as sentence-transformers/all-MiniLM-L6-v2");
    }
    if (status == STATUS_OK) status = pull_repository(settings, arguments[0], &error);
    if (status == STATUS_OK) status = output_flush(stdout, &error);
    return status == STATUS_OK ? EXIT_DONE : output_fail(&error);
}

const Command pull_command = {
    .name = "pull",
    .arguments = "REPOSITORY",
    .summary = "Download a checkpoint from a model hub",
    .details =
        "Takes what a server needs: configuration, tokenizer, sentence-transformers' modules and safetensors. "
        "Continues\n"
        "what was interrupted, checks hashes, and puts files in place when all are complete. Prints the folder.\n"
        "HF_TOKEN, when set, is sent to the hub's host alone.\n\n"
        "  headlight pull sentence-transformers/all-MiniLM-L6-v2\n"
        "  headlightd --model models/all-MiniLM-L6-v2",
    .options = pull_options,
    .option_count = sizeof pull_options / sizeof *pull_options,
    .settings_size = sizeof(PullSettings),
    .shared = COMMAND_OUTPUT | COMMAND_RETRIES,
    .run = pull_run,
};
