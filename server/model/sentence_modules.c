/* modules.json: which modules a checkpoint is made of, and in which folders they lie. */
#include "model/field.h"
#include "model/sentence.h"

typedef enum ModuleKind {
    MODULE_TRANSFORMER,
    MODULE_MASKED_TRANSFORMER,
    MODULE_POOLING,
    MODULE_SPARSE_POOLING,
    MODULE_DENSE,
    MODULE_LAYER_NORM,
    MODULE_NORMALIZE,
    MODULE_KIND_COUNT,
} ModuleKind;

/* Module classes have moved between the library's packages; their names have not. */
static const char *const module_names[MODULE_KIND_COUNT] = {
    "Transformer", "MLMTransformer", "Pooling", "SpladePooling", "Dense", "LayerNorm", "Normalize",
};
static const char module_package[] = "sentence_transformers.";

/* Copies `folder` when it is relative and never leaves the checkpoint: the file comes from a stranger. */
static Status module_copy_folder(const char *path, TextView folder, char out_folder[MODULE_PATH_BYTES_MAX],
                                 Error *out_error)
{
    bool safe = folder.size < MODULE_PATH_BYTES_MAX && (folder.size == 0 || folder.bytes[0] != '/') &&
                !memchr(folder.bytes, '\\', folder.size);
    for (size_t begin = 0; safe && begin < folder.size;) {
        const char *slash = memchr(folder.bytes + begin, '/', folder.size - begin);
        size_t end = slash ? (size_t)(slash - folder.bytes) : folder.size;
        safe = !text_equal((TextView){folder.bytes + begin, end - begin}, text_view(".."));
        begin = end + 1;
    }
    if (!safe) {
        return error_set(out_error, STATUS_CORRUPT,
                         "%s: the module path \"%.64s\" is refused: only folders within the checkpoint are read",
                         path, folder.bytes);
    }
    memcpy(out_folder, folder.bytes, folder.size);
    out_folder[folder.size] = '\0';
    return STATUS_OK;
}

static bool module_is(TextView type, const char *name)
{
    size_t package_size = strlen(module_package);
    size_t name_size = strlen(name);
    return type.size > package_size + name_size && memcmp(type.bytes, module_package, package_size) == 0 &&
           type.bytes[type.size - name_size - 1] == '.' &&
           memcmp(type.bytes + type.size - name_size, name, name_size) == 0;
}

static Status module_refuse(const char *path, TextView type, Error *out_error)
{
    return error_set(out_error, STATUS_UNSUPPORTED,
                     "%s: the module \"%.100s\" is not supported here; supported: a Transformer or "
                     "MLMTransformer, then Pooling or SpladePooling, then Dense, LayerNorm and Normalize of "
                     "sentence_transformers",
                     path, type.bytes);
}

static Status module_read(const char *path, const JsonValue *item, TextView *out_type, TextView *out_folder,
                          Error *out_error)
{
    FieldReader reader;
    *out_type = text_view("");
    *out_folder = text_view("");
    Status status = field_open(path, item, &reader, out_error);
    if (status == STATUS_OK) status = field_string(&reader, "type", out_type, out_error);
    if (status == STATUS_OK) status = field_string(&reader, "path", out_folder, out_error);
    return status;
}

/* The folder that a module of `kind` at place `index` takes; NULL: it must not stand there. */
static char *module_place(SentenceModules *modules, size_t index, ModuleKind kind)
{
    switch (kind) {
    case MODULE_TRANSFORMER:
    case MODULE_MASKED_TRANSFORMER:
        modules->masked = kind == MODULE_MASKED_TRANSFORMER;
        return index == 0 ? modules->transformer_folder : NULL;
    case MODULE_POOLING:
    case MODULE_SPARSE_POOLING:
        if (modules->masked && kind == MODULE_POOLING) return NULL;
        modules->has_pooling = index == 1;
        modules->sparse = kind == MODULE_SPARSE_POOLING;
        return index == 1 ? modules->pooling_folder : NULL;
    default:
        break;
    }
    if (modules->sparse && kind != MODULE_NORMALIZE) return NULL;
    if (!modules->has_pooling || kind == MODULE_KIND_COUNT || modules->step_count == VECTOR_STEP_COUNT_MAX)
        return NULL;
    VectorStep *step = &modules->steps[modules->step_count++];
    step->kind = kind == MODULE_DENSE        ? VECTOR_DENSE
                 : kind == MODULE_LAYER_NORM ? VECTOR_LAYER_NORM
                                             : VECTOR_NORMALIZE;
    return step->folder;
}

Status sentence_read_modules(const char *path, const JsonValue *root, SentenceModules *out_modules,
                             Error *out_error)
{
    if (json_type(root) != JSON_ARRAY) return error_set(out_error, STATUS_CORRUPT, "%s: expected a list", path);
    SentenceModules modules = {.step_count = 0};
    size_t index = 0;
    for (const JsonValue *item = json_first(root); item; item = json_next(item), index++) {
        TextView type;
        TextView folder;
        Status status = module_read(path, item, &type, &folder, out_error);
        if (status != STATUS_OK) return status;
        int kind = 0;
        while (kind < MODULE_KIND_COUNT && !module_is(type, module_names[kind])) kind++;
        char *place = module_place(&modules, index, (ModuleKind)kind);
        if (!place) return module_refuse(path, type, out_error);
        status = module_copy_folder(path, folder, place, out_error);
        if (status != STATUS_OK) return status;
    }
    if (index == 0) return error_set(out_error, STATUS_UNSUPPORTED, "%s: no Transformer module", path);
    *out_modules = modules;
    return STATUS_OK;
}
