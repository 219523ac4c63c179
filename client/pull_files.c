#include "pull_files.h"

#include "base/json.h"
#include "base/limits.h"

#include <ctype.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const pull_names[] = {
    "config.json",
    "tokenizer*.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "modules.json",
    "sentence_bert_config.json",
    "sentence_*_config.json",
    "config_sentence_transformers.json",
};
enum { PULL_NAME_COUNT = sizeof pull_names / sizeof *pull_names };

static const char pull_weights[] = "model.safetensors";
static const char pull_index[] = "model.safetensors.index.json";
static const char pull_shards[] = "model-[0-9]*-of-[0-9]*.safetensors";

bool pull_path_safe(TextView path)
{
    if (path.size == 0 || path.size >= PULL_PATH_BYTES_MAX) return false;
    for (size_t index = 0; index < path.size; index++) {
        unsigned char byte = (unsigned char)path.bytes[index];
        if (byte < 0x20 || byte == 0x7F || byte == '\\') return false;
    }
    for (size_t begin = 0; begin <= path.size;) {
        const char *slash = memchr(path.bytes + begin, '/', path.size - begin);
        size_t end = slash ? (size_t)(slash - path.bytes) : path.size;
        size_t size = end - begin;
        bool dots =
            (size == 1 && path.bytes[begin] == '.') || (size == 2 && memcmp(path.bytes + begin, "..", 2) == 0);
        if (size == 0 || dots) return false;
        begin = end + 1;
    }
    return true;
}

/* The name within the top folder or a module's ("1_Pooling/", sentence-transformers' numbering); NULL elsewhere.
 */
static const char *pull_path_name(const char *path)
{
    const char *slash = strchr(path, '/');
    if (!slash) return path;
    if (strchr(slash + 1, '/')) return NULL;
    size_t digits = strspn(path, "0123456789");
    return digits > 0 && path[digits] == '_' ? slash + 1 : NULL;
}

bool pull_path_needed(const char *path)
{
    const char *name = pull_path_name(path);
    for (size_t index = 0; name && index < PULL_NAME_COUNT; index++) {
        if (fnmatch(pull_names[index], name, 0) == 0) return true;
    }
    return false;
}

uint64_t pull_path_bytes_max(const char *path)
{
    size_t size = strlen(path);
    static const char suffix[] = ".safetensors";
    bool weights = size >= sizeof suffix && strcmp(path + size - (sizeof suffix - 1), suffix) == 0;
    return weights ? SAFETENSORS_FILE_BYTES_MAX : JSON_BYTES_MAX;
}

bool pull_repository_valid(const char *repository)
{
    size_t slash_count = 0;
    for (const char *byte = repository; *byte; byte++) {
        if (*byte == '/') slash_count++;
        if (!isalnum((unsigned char)*byte) && !strchr("-_./", *byte)) return false;
    }
    return slash_count <= 1 && strlen(repository) < PULL_PATH_BYTES_MAX && pull_path_safe(text_view(repository));
}

/* ---- The listing ---- */

void pull_files_free(PullFiles *files)
{
    free(files->files);
    *files = (PullFiles){0};
}

static bool pull_text(const JsonValue *value, char *out_text, size_t capacity)
{
    TextView text;
    if (!json_string(value, &text) || text.size >= capacity || memchr(text.bytes, '\0', text.size)) return false;
    memcpy(out_text, text.bytes, text.size);
    out_text[text.size] = '\0';
    return true;
}

static bool pull_hexadecimal(const char *text, size_t size_min)
{
    size_t size = strlen(text);
    return size >= size_min && strspn(text, "0123456789abcdef") == size;
}

/* What of the weights a repository has. transformers prefers the single file, then the index with its shards. */
typedef struct PullWeights {
    bool single;
    bool index;
} PullWeights;

static bool pull_wanted(const PullWeights *weights, const char *path)
{
    if (strcmp(path, pull_weights) == 0) return true;
    bool sharded = !weights->single && weights->index;
    if (strcmp(path, pull_index) == 0 || fnmatch(pull_shards, path, FNM_PATHNAME) == 0) return sharded;
    const char *name = pull_path_name(path);
    if (name && name != path && strcmp(name, pull_weights) == 0) return true;
    return pull_path_needed(path);
}

static Status pull_read_file(const JsonValue *sibling, const char *path, PullFile *out_file, Error *out_error)
{
    PullFile file = {0};
    snprintf(file.path, sizeof file.path, "%s", path);
    const JsonValue *large = json_member(sibling, "lfs");
    const JsonValue *size = json_member(json_type(large) == JSON_OBJECT ? large : sibling, "size");
    int64_t bytes = 0;
    if (json_type(size) != JSON_NULL) {
        if (!json_integer(size, 0, INT64_MAX, &bytes)) {
            return error_set(out_error, STATUS_CORRUPT, "the hub's listing has no honest size for %s", path);
        }
        file.size_known = true;
        file.size = (uint64_t)bytes;
    }
    if (file.size > pull_path_bytes_max(path)) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                         "%s has %" PRIu64 " bytes; at most %" PRIu64 " are taken", path, file.size,
                         pull_path_bytes_max(path));
    }
    if (pull_text(json_member(large, "sha256"), file.sha256, sizeof file.sha256) &&
        !pull_hexadecimal(file.sha256, SHA256_HEX_BYTES - 1)) {
        file.sha256[0] = '\0';
    }
    *out_file = file;
    return STATUS_OK;
}

/* The sibling's name; false when it is none of ours or not even a name. An unsafe one is an attack and ends it
 * all. */
static Status pull_read_path(const JsonValue *sibling, char path[PULL_PATH_BYTES_MAX], bool *out_usable,
                             Error *out_error)
{
    TextView text;
    *out_usable = false;
    if (!json_string(json_member(sibling, "rfilename"), &text)) {
        return error_set(out_error, STATUS_CORRUPT, "the hub's listing has a file without a name");
    }
    if (text.size >= PULL_PATH_BYTES_MAX) return STATUS_OK; /* none of ours is that long */
    if (!pull_path_safe(text)) {
        return error_set(out_error, STATUS_CORRUPT, "the hub's listing has a name that leaves the folder: %.*s",
                         (int)text.size, text.bytes);
    }
    memcpy(path, text.bytes, text.size);
    path[text.size] = '\0';
    *out_usable = true;
    return STATUS_OK;
}

static int pull_compare(const void *a, const void *b)
{
    const PullFile *x = a, *y = b;
    bool x_last = strcmp(x->path, "config.json") == 0, y_last = strcmp(y->path, "config.json") == 0;
    return x_last != y_last ? x_last - y_last : strcmp(x->path, y->path);
}

static Status pull_check(const PullFiles *files, const PullWeights *weights, Error *out_error)
{
    bool configured = files->count > 0 && strcmp(files->files[files->count - 1].path, "config.json") == 0;
    for (size_t index = 1; index < files->count; index++) {
        if (strcmp(files->files[index - 1].path, files->files[index].path) == 0) {
            return error_set(out_error, STATUS_CORRUPT, "the hub's listing has %s twice",
                             files->files[index].path);
        }
    }
    if (!configured)
        return error_set(out_error, STATUS_NOT_FOUND, "the repository has no config.json: it is no checkpoint");
    if (weights->single || weights->index) return STATUS_OK;
    return error_set(out_error, STATUS_NOT_FOUND,
                     "the repository has no model.safetensors; choose one that has, or convert its weights");
}

static Status pull_collect(const JsonValue *siblings, PullFiles *files, Error *out_error)
{
    PullWeights weights = {0};
    for (int pass = 0; pass < 2; pass++) {
        for (const JsonValue *sibling = json_first(siblings); sibling; sibling = json_next(sibling)) {
            char path[PULL_PATH_BYTES_MAX];
            bool usable;
            Status status = pull_read_path(sibling, path, &usable, out_error);
            if (status != STATUS_OK) return status;
            if (!usable) continue;
            if (pass == 0) {
                weights.single |= strcmp(path, pull_weights) == 0;
                weights.index |= strcmp(path, pull_index) == 0;
            } else if (pull_wanted(&weights, path)) {
                status = pull_read_file(sibling, path, &files->files[files->count], out_error);
                if (status != STATUS_OK) return status;
                files->count++;
            }
        }
    }
    qsort(files->files, files->count, sizeof *files->files, pull_compare);
    return pull_check(files, &weights, out_error);
}

Status pull_files_parse(TextView listing, PullFiles *out_files, Error *out_error)
{
    JsonDocument *document = NULL;
    PullFiles files = {0};
    Status status = json_document_parse(listing, &document, out_error);
    if (status != STATUS_OK) return error_prefix(out_error, "the hub's listing");
    const JsonValue *root = json_document_root(document);
    const JsonValue *siblings = json_member(root, "siblings");
    size_t count = json_size(siblings);
    if (!pull_text(json_member(root, "sha"), files.commit, sizeof files.commit) ||
        !pull_hexadecimal(files.commit, 7) || json_type(siblings) != JSON_ARRAY) {
        status = error_set(out_error, STATUS_CORRUPT,
                           "the answer is no listing of a repository; is HF_ENDPOINT a model hub?");
    } else if (count > PULL_FILES_MAX) {
        status = error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                           "the repository has %zu files; at most %d are looked at", count, PULL_FILES_MAX);
    } else if (!(files.files = calloc(count + 1, sizeof *files.files))) {
        status = error_set(out_error, STATUS_NO_MEMORY, "out of memory");
    } else {
        status = pull_collect(siblings, &files, out_error);
    }
    json_document_close(document);
    if (status != STATUS_OK) {
        pull_files_free(&files);
        return status;
    }
    *out_files = files;
    return STATUS_OK;
}
