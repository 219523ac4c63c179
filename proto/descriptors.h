/* The serialized google.protobuf.FileDescriptorSet of every .proto file here and of what they import. */
#pragma once

extern const unsigned char proto_descriptors_begin[];
extern const unsigned char proto_descriptors_end[];
