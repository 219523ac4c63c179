# cmake -DINPUT=x.proto -DOUTPUT=y.proto -P counted_strings.cmake
# Writes the copy of a .proto file from which C code is made: every string field is told to be a ProtobufCBinaryData,
# for protobuf-c's `char *` would end a text at its first NUL byte. The wire stays the same; the published file stays
# clean. tests/unit/rpc/codec_unpack_test.c checks that no field was missed.
file(READ ${INPUT} text)
string(REGEX REPLACE "( string +[A-Za-z0-9_]+ *= *[0-9]+ *);" "\\1 [(pb_c_field).string_as_bytes = true];" text
       "${text}")
string(REGEX REPLACE "(\npackage [a-z0-9_.]+;\n)" "\\1\nimport \"protobuf-c/protobuf-c.proto\";\n" text "${text}")
if(NOT text MATCHES "import \"protobuf-c/protobuf-c.proto\"")
    message(FATAL_ERROR "${INPUT} has no package line")
endif()
file(WRITE ${OUTPUT} "${text}")
