#include "rpc/codec_reflection.h"

#include "google/protobuf/descriptor.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "rpc/codec_unpack.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    REFLECTION_SERVICE_COUNT_MAX = 64,
    REFLECTION_NAME_BYTES_MAX = 512,
    REFLECTION_NOT_FOUND = 5, /* gRPC's codes, inside an answer */
    REFLECTION_INVALID_ARGUMENT = 3,
};

typedef Grpc__Reflection__V1__ServerReflectionRequest ReflectionRequest;
typedef Grpc__Reflection__V1__ServerReflectionResponse ReflectionResponse;
typedef Google__Protobuf__FileDescriptorProto ReflectionFile;

typedef struct ReflectionSymbol {
    char *name; /* "headlight.v1.EmbedRequest.model" */
    uint32_t file;
} ReflectionSymbol;

struct CodecReflection {
    Arena arena; /* of everything here; no budget: the files are our own */
    const Google__Protobuf__FileDescriptorSet *set;
    ProtobufCBinaryData *files; /* [set->n_file] each packed by itself */
    ReflectionSymbol *symbols;  /* [symbol_count] sorted by name */
    size_t symbol_count;
    size_t symbol_capacity;
    ProtobufCBinaryData services[REFLECTION_SERVICE_COUNT_MAX];
    size_t service_count;
};

struct CodecReflectionAnswer {
    ReflectionResponse response;
    Grpc__Reflection__V1__FileDescriptorResponse files;
    Grpc__Reflection__V1__ExtensionNumberResponse extensions;
    Grpc__Reflection__V1__ListServiceResponse services;
    Grpc__Reflection__V1__ErrorResponse error;
    char text[REFLECTION_NAME_BYTES_MAX];
};

/* ---- The index; a name that does not fit or memory that is out makes `add` false ---- */

static bool reflection_grow(CodecReflection *reflection)
{
    if (reflection->symbol_count < reflection->symbol_capacity) return true;
    size_t capacity = reflection->symbol_capacity ? 2 * reflection->symbol_capacity : 256;
    ReflectionSymbol *symbols = arena_allocate(&reflection->arena, capacity * sizeof *symbols);
    if (!symbols) return false;
    if (reflection->symbol_count) {
        memcpy(symbols, reflection->symbols, reflection->symbol_count * sizeof *symbols);
    }
    reflection->symbols = symbols;
    reflection->symbol_capacity = capacity;
    return true;
}

/* Adds "scope.name" and writes it to `out_name`, the scope of what is inside. */
static bool reflection_add(CodecReflection *reflection, uint32_t file, const char *scope, const char *name,
                           char out_name[REFLECTION_NAME_BYTES_MAX])
{
    int size = snprintf(out_name, REFLECTION_NAME_BYTES_MAX, "%s%s%s", scope, *scope ? "." : "", name);
    if (size < 0 || size >= REFLECTION_NAME_BYTES_MAX || !reflection_grow(reflection)) return false;
    char *copy = arena_copy_text(&reflection->arena, (TextView){out_name, (size_t)size});
    if (!copy) return false;
    reflection->symbols[reflection->symbol_count++] = (ReflectionSymbol){copy, file};
    return true;
}

/* The values of an enum belong to the scope around it, as in C++. */
static bool reflection_add_enum(CodecReflection *reflection, uint32_t file, const char *scope,
                                const Google__Protobuf__EnumDescriptorProto *type)
{
    char name[REFLECTION_NAME_BYTES_MAX];
    if (!reflection_add(reflection, file, scope, type->name, name)) return false;
    for (size_t i = 0; i < type->n_value; i++) {
        if (!reflection_add(reflection, file, scope, type->value[i]->name, name)) return false;
    }
    return true;
}

/* Nesting is as deep as our own files make it. */
static bool reflection_add_message(CodecReflection *reflection, uint32_t file, const char *scope,
                                   const Google__Protobuf__DescriptorProto *type)
{
    char name[REFLECTION_NAME_BYTES_MAX];
    char inner[REFLECTION_NAME_BYTES_MAX];
    if (!reflection_add(reflection, file, scope, type->name, name)) return false;
    for (size_t i = 0; i < type->n_field; i++) {
        if (!reflection_add(reflection, file, name, type->field[i]->name, inner)) return false;
    }
    for (size_t i = 0; i < type->n_oneof_decl; i++) {
        if (!reflection_add(reflection, file, name, type->oneof_decl[i]->name, inner)) return false;
    }
    for (size_t i = 0; i < type->n_enum_type; i++) {
        if (!reflection_add_enum(reflection, file, name, type->enum_type[i])) return false;
    }
    for (size_t i = 0; i < type->n_nested_type; i++) {
        if (!reflection_add_message(reflection, file, name, type->nested_type[i])) return false;
    }
    return true;
}

static bool reflection_add_service(CodecReflection *reflection, uint32_t file, const char *scope,
                                   const Google__Protobuf__ServiceDescriptorProto *service)
{
    char name[REFLECTION_NAME_BYTES_MAX];
    char inner[REFLECTION_NAME_BYTES_MAX];
    if (!reflection_add(reflection, file, scope, service->name, name)) return false;
    for (size_t i = 0; i < service->n_method; i++) {
        if (!reflection_add(reflection, file, name, service->method[i]->name, inner)) return false;
    }
    return true;
}

static bool reflection_add_file(CodecReflection *reflection, uint32_t index, const ReflectionFile *file)
{
    const char *package = file->package ? file->package : "";
    for (size_t i = 0; i < file->n_message_type; i++) {
        if (!reflection_add_message(reflection, index, package, file->message_type[i])) return false;
    }
    for (size_t i = 0; i < file->n_enum_type; i++) {
        if (!reflection_add_enum(reflection, index, package, file->enum_type[i])) return false;
    }
    for (size_t i = 0; i < file->n_service; i++) {
        if (!reflection_add_service(reflection, index, package, file->service[i])) return false;
    }
    ProtobufCBinaryData *packed = &reflection->files[index];
    packed->len = google__protobuf__file_descriptor_proto__get_packed_size(file);
    packed->data = arena_allocate(&reflection->arena, packed->len);
    if (!packed->data) return false;
    (void)google__protobuf__file_descriptor_proto__pack(file, packed->data);
    return true;
}

static int reflection_compare(const void *a, const void *b)
{
    return strcmp(((const ReflectionSymbol *)a)->name, ((const ReflectionSymbol *)b)->name);
}

Status codec_reflection_open(const uint8_t *set, size_t size, CodecReflection **out_reflection, Error *out_error)
{
    CodecReflection *reflection = calloc(1, sizeof *reflection);
    if (!reflection) return error_set(out_error, STATUS_NO_MEMORY, "no memory for reflection");
    arena_init(&reflection->arena, SIZE_MAX);
    ProtobufCMessage *message;
    Status status = codec_unpack(&google__protobuf__file_descriptor_set__descriptor, set, size, &reflection->arena,
                                 &message, out_error);
    if (status != STATUS_OK) goto fail;
    reflection->set = (const Google__Protobuf__FileDescriptorSet *)message;
    reflection->files =
        arena_allocate_zeroed(&reflection->arena, reflection->set->n_file, sizeof *reflection->files);
    bool added = reflection->files != NULL;
    for (size_t i = 0; added && i < reflection->set->n_file; i++) {
        added = reflection_add_file(reflection, (uint32_t)i, reflection->set->file[i]);
    }
    if (!added) {
        status = error_set(out_error, STATUS_NO_MEMORY, "no memory to index the descriptors");
        goto fail;
    }
    qsort(reflection->symbols, reflection->symbol_count, sizeof *reflection->symbols, reflection_compare);
    *out_reflection = reflection;
    return STATUS_OK;

fail:
    codec_reflection_close(reflection);
    return status;
}

void codec_reflection_close(CodecReflection *reflection)
{
    if (!reflection) return;
    arena_free(&reflection->arena);
    free(reflection);
}

Status codec_reflection_add_service(CodecReflection *reflection, TextView name, Error *out_error)
{
    for (size_t i = 0; i < reflection->service_count; i++) {
        ProtobufCBinaryData known = reflection->services[i];
        if (text_equal((TextView){(const char *)known.data, known.len}, name)) return STATUS_OK;
    }
    assert(reflection->service_count < REFLECTION_SERVICE_COUNT_MAX);
    char *copy = arena_copy_text(&reflection->arena, name);
    if (!copy) return error_set(out_error, STATUS_NO_MEMORY, "no memory for reflection");
    reflection->services[reflection->service_count++] = (ProtobufCBinaryData){name.size, (uint8_t *)copy};
    return STATUS_OK;
}

/* ---- Answers ---- */

/* The file named `name`; set->n_file: none. */
static size_t reflection_find_file(const CodecReflection *reflection, const char *name)
{
    size_t index = 0;
    while (index < reflection->set->n_file && strcmp(reflection->set->file[index]->name, name) != 0) index++;
    return index;
}

static size_t reflection_find_symbol(const CodecReflection *reflection, const char *name)
{
    ReflectionSymbol key = {.name = (char *)name};
    const ReflectionSymbol *symbol = bsearch(&key, reflection->symbols, reflection->symbol_count,
                                             sizeof *reflection->symbols, reflection_compare);
    return symbol ? symbol->file : reflection->set->n_file;
}

static void reflection_refuse(CodecReflectionAnswer *answer, int code, const char *what, const char *name)
{
    grpc__reflection__v1__error_response__init(&answer->error);
    snprintf(answer->text, sizeof answer->text, "%s%s", what, name);
    answer->error.error_code = code;
    answer->error.error_message = (ProtobufCBinaryData){strlen(answer->text), (uint8_t *)answer->text};
    answer->response.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
    answer->response.error_response = &answer->error;
}

/* A file and all that it imports, itself first, each once. */
static void reflection_collect(const CodecReflection *reflection, size_t file, CodecReflectionAnswer *answer)
{
    const ProtobufCBinaryData *packed = &reflection->files[file];
    Grpc__Reflection__V1__FileDescriptorResponse *files = &answer->files;
    for (size_t i = 0; i < files->n_file_descriptor_proto; i++) {
        if (files->file_descriptor_proto[i].data == packed->data) return;
    }
    files->file_descriptor_proto[files->n_file_descriptor_proto++] = *packed;
    for (size_t i = 0; i < reflection->set->file[file]->n_dependency; i++) {
        size_t import = reflection_find_file(reflection, reflection->set->file[file]->dependency[i]);
        if (import < reflection->set->n_file) reflection_collect(reflection, import, answer);
    }
}

static bool reflection_answer_file(const CodecReflection *reflection, size_t file, const char *name, Arena *arena,
                                   CodecReflectionAnswer *answer)
{
    if (file == reflection->set->n_file) {
        reflection_refuse(answer, REFLECTION_NOT_FOUND, "not found: ", name);
        return true;
    }
    grpc__reflection__v1__file_descriptor_response__init(&answer->files);
    answer->files.file_descriptor_proto =
        arena_allocate_zeroed(arena, reflection->set->n_file, sizeof *answer->files.file_descriptor_proto);
    if (!answer->files.file_descriptor_proto) return false;
    reflection_collect(reflection, file, answer);
    answer->response.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
    answer->response.file_descriptor_response = &answer->files;
    return true;
}

/* None of our messages has extensions: known types have an empty list. */
static void reflection_answer_extensions(const CodecReflection *reflection, ProtobufCBinaryData type,
                                         const char *name, CodecReflectionAnswer *answer)
{
    if (reflection_find_symbol(reflection, name) == reflection->set->n_file) {
        reflection_refuse(answer, REFLECTION_NOT_FOUND, "not found: ", name);
        return;
    }
    grpc__reflection__v1__extension_number_response__init(&answer->extensions);
    answer->extensions.base_type_name = type;
    answer->response.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ALL_EXTENSION_NUMBERS_RESPONSE;
    answer->response.all_extension_numbers_response = &answer->extensions;
}

static bool reflection_answer_services(const CodecReflection *reflection, Arena *arena,
                                       CodecReflectionAnswer *answer)
{
    size_t count = reflection->service_count;
    grpc__reflection__v1__list_service_response__init(&answer->services);
    Grpc__Reflection__V1__ServiceResponse *services = arena_allocate_zeroed(arena, count, sizeof *services);
    answer->services.service = arena_allocate_zeroed(arena, count, sizeof *answer->services.service);
    if (!services || !answer->services.service) return false;
    for (size_t i = 0; i < count; i++) {
        grpc__reflection__v1__service_response__init(&services[i]);
        services[i].name = reflection->services[i];
        answer->services.service[i] = &services[i];
    }
    answer->services.n_service = count;
    answer->response.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
    answer->response.list_services_response = &answer->services;
    return true;
}

/* `name` terminated, for look-ups; what no symbol can be (too long, NUL inside, not ASCII) becomes "?". */
static void reflection_name(ProtobufCBinaryData text, char out_name[REFLECTION_NAME_BYTES_MAX / 2])
{
    bool plain = text.len < REFLECTION_NAME_BYTES_MAX / 2;
    for (size_t i = 0; plain && i < text.len; i++) plain = text.data[i] > 0x20 && text.data[i] < 0x7F;
    snprintf(out_name, REFLECTION_NAME_BYTES_MAX / 2, "%.*s", plain ? (int)text.len : 1,
             plain && text.len ? (const char *)text.data
             : plain           ? ""
                               : "?");
}

static bool reflection_answer(const CodecReflection *reflection, const ReflectionRequest *request, Arena *arena,
                              CodecReflectionAnswer *answer)
{
    char name[REFLECTION_NAME_BYTES_MAX / 2];
    switch (request->message_request_case) {
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
        reflection_name(request->file_by_filename, name);
        return reflection_answer_file(reflection, reflection_find_file(reflection, name), name, arena, answer);
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
        reflection_name(request->file_containing_symbol, name);
        return reflection_answer_file(reflection, reflection_find_symbol(reflection, name), name, arena, answer);
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
        reflection_name(request->file_containing_extension->containing_type, name);
        reflection_refuse(answer, REFLECTION_NOT_FOUND, "no extension of ", name);
        return true;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
        reflection_name(request->all_extension_numbers_of_type, name);
        reflection_answer_extensions(reflection, request->all_extension_numbers_of_type, name, answer);
        return true;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
        return reflection_answer_services(reflection, arena, answer);
    default:
        reflection_refuse(answer, REFLECTION_INVALID_ARGUMENT, "the request asks nothing that is known here", "");
        return true;
    }
}

/* The answer repeats the question, but not what we do not understand: protobuf-c would send back what it cannot
 * read. */
static void reflection_forget_unknown(ReflectionRequest *request)
{
    request->base.n_unknown_fields = 0;
    if (request->message_request_case ==
        GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION) {
        request->file_containing_extension->base.n_unknown_fields = 0;
    }
}

Status codec_reflection_answer(const CodecReflection *reflection, const uint8_t *wire, size_t size, Arena *arena,
                               CodecReflectionAnswer **out_answer, Error *out_error)
{
    ProtobufCMessage *message;
    Status status = codec_unpack(&grpc__reflection__v1__server_reflection_request__descriptor, wire, size, arena,
                                 &message, out_error);
    if (status != STATUS_OK) return status;
    ReflectionRequest *request = (ReflectionRequest *)message;
    reflection_forget_unknown(request);
    CodecReflectionAnswer *answer = arena_allocate_zeroed(arena, 1, sizeof *answer);
    if (answer) {
        grpc__reflection__v1__server_reflection_response__init(&answer->response);
        answer->response.valid_host = request->host;
        answer->response.original_request = request;
    }
    if (!answer || !reflection_answer(reflection, request, arena, answer)) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "no memory for the answer");
    }
    *out_answer = answer;
    return STATUS_OK;
}

size_t codec_reflection_size(const CodecReflectionAnswer *answer)
{
    return grpc__reflection__v1__server_reflection_response__get_packed_size(&answer->response);
}

void codec_reflection_pack(void *answer, uint8_t *buffer)
{
    (void)grpc__reflection__v1__server_reflection_response__pack(&((CodecReflectionAnswer *)answer)->response,
                                                                 buffer);
}
