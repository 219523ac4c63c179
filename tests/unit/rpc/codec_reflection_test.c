/* Reflection answers from the descriptors that are built in, and echoes nothing that it does not understand. */
#include "rpc/codec_reflection.h"

#include "base/limits.h"
#include "descriptors.h"
#include "google/protobuf/descriptor.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef Grpc__Reflection__V1__ServerReflectionRequest Request;
typedef Grpc__Reflection__V1__ServerReflectionResponse Response;

static CodecReflection *reflection;

static int open_reflection(void **state)
{
    (void)state;
    size_t size = (size_t)(proto_descriptors_end - proto_descriptors_begin);
    Error error;
    if (codec_reflection_open(proto_descriptors_begin, size, &reflection, &error) != STATUS_OK) return 1;
    for (int twice = 0; twice < 2; twice++) {
        if (codec_reflection_add_service(reflection, text_view("headlight.v1.Inference"), &error) != STATUS_OK)
            return 1;
    }
    return 0;
}

static int close_reflection(void **state)
{
    (void)state;
    codec_reflection_close(reflection);
    return 0;
}

/* The answer to `wire`, unpacked; the caller frees. */
static Response *ask_wire(const uint8_t *wire, size_t size)
{
    Arena arena;
    Error error;
    CodecReflectionAnswer *answer;
    arena_init(&arena, REQUEST_ARENA_BASE_BYTES);
    assert_int_equal(codec_reflection_answer(reflection, wire, size, &arena, &answer, &error), STATUS_OK);
    size_t answer_size = codec_reflection_size(answer);
    uint8_t *packed = malloc(answer_size);
    codec_reflection_pack(answer, packed);
    arena_free(&arena);
    Response *response = grpc__reflection__v1__server_reflection_response__unpack(NULL, answer_size, packed);
    assert_non_null(response);
    free(packed);
    return response;
}

static Response *ask(Grpc__Reflection__V1__ServerReflectionRequest__MessageRequestCase what, const char *name)
{
    Request request = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
    request.message_request_case = what;
    request.file_by_filename = (ProtobufCBinaryData){strlen(name), (uint8_t *)name};
    uint8_t wire[1024];
    assert_true(grpc__reflection__v1__server_reflection_request__get_packed_size(&request) <= sizeof wire);
    return ask_wire(wire, grpc__reflection__v1__server_reflection_request__pack(&request, wire));
}

#define BY_NAME GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME
#define BY_SYMBOL GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL
#define EXTENSIONS GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE
#define LIST GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES

/* The name of the i-th file of an answer. */
static void assert_file(const Response *response, size_t i, const char *name)
{
    assert_int_equal(response->message_response_case,
                     GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE);
    assert_true(i < response->file_descriptor_response->n_file_descriptor_proto);
    ProtobufCBinaryData packed = response->file_descriptor_response->file_descriptor_proto[i];
    Google__Protobuf__FileDescriptorProto *file =
        google__protobuf__file_descriptor_proto__unpack(NULL, packed.len, packed.data);
    assert_string_equal(file->name, name);
    google__protobuf__file_descriptor_proto__free_unpacked(file, NULL);
}

static void forget(Response *response)
{
    grpc__reflection__v1__server_reflection_response__free_unpacked(response, NULL);
}

static void reflection_finds_every_kind_of_symbol(void **state)
{
    (void)state;
    static const char *const symbols[] = {
        "headlight.v1.Inference",          "headlight.v1.Inference.Embed", "headlight.v1.EmbedRequest",
        "headlight.v1.EmbedRequest.model", "headlight.v1.LengthPolicy",    "headlight.v1.LENGTH_POLICY_CHUNK",
        "headlight.v1.Text.maybe_pair",
    };
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        Response *response = ask(BY_SYMBOL, symbols[i]);
        assert_file(response, 0, "headlight/v1/headlight.proto");
        forget(response);
    }
    Response *response = ask(BY_SYMBOL, "google.rpc.BadRequest.FieldViolation.field");
    assert_file(response, 0, "google/rpc/error_details.proto");
    assert_file(response, 1, "google/protobuf/duration.proto"); /* what it imports comes along */
    forget(response);
}

static void reflection_says_what_is_not_there(void **state)
{
    (void)state;
    static const char *const names[] = {"",     ".",  "headlight", "headlight.v1.", "headlight.v1.Nothing",
                                        "\xFF", "a b"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        for (int what = BY_NAME; what <= BY_SYMBOL; what++) {
            Response *response = ask(what, names[i]);
            assert_int_equal(response->message_response_case,
                             GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE);
            assert_int_equal(response->error_response->error_code, 5);
            forget(response);
        }
    }
    Response *response = ask(EXTENSIONS, "headlight.v1.Text");
    assert_int_equal(response->all_extension_numbers_response->n_extension_number, 0);
    forget(response);
}

static void reflection_lists_each_service_once(void **state)
{
    (void)state;
    Response *response = ask(LIST, "");
    assert_int_equal(response->list_services_response->n_service, 1);
    assert_memory_equal(response->list_services_response->service[0]->name.data, "headlight.v1.Inference", 22);
    forget(response);
}

/* protobuf-c keeps unknown fields and sends them on, even those of number 0, which nobody reads. */
static void reflection_does_not_echo_unknown_fields(void **state)
{
    (void)state;
    Response *response = ask_wire((const uint8_t *)"\xf8\x07\x05\x3a\x01*", 6);
    assert_int_equal(response->original_request->base.n_unknown_fields, 0);
    forget(response);
    Arena arena;
    Error error;
    CodecReflectionAnswer *answer;
    arena_init(&arena, REQUEST_ARENA_BASE_BYTES);
    assert_int_equal(codec_reflection_answer(reflection, (const uint8_t *)"\xff", 1, &arena, &answer, &error),
                     STATUS_INVALID_ARGUMENT);
    arena_free(&arena);
}

static void reflection_refuses_a_damaged_set(void **state)
{
    (void)state;
    CodecReflection *none;
    Error error;
    assert_int_not_equal(codec_reflection_open((const uint8_t *)"\x0a\x05z", 3, &none, &error), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reflection_finds_every_kind_of_symbol),
        cmocka_unit_test(reflection_says_what_is_not_there),
        cmocka_unit_test(reflection_lists_each_service_once),
        cmocka_unit_test(reflection_does_not_echo_unknown_fields),
        cmocka_unit_test(reflection_refuses_a_damaged_set),
    };
    return cmocka_run_group_tests(tests, open_reflection, close_reflection);
}
