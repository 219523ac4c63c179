/* The FileDescriptorSet of every .proto file, for the reflection service: see descriptors.h. */
    .section .rodata
    .global proto_descriptors_begin
    .global proto_descriptors_end
proto_descriptors_begin:
    .incbin DESCRIPTORS_PATH
proto_descriptors_end:
    .byte 0
    .section .note.GNU-stack, "", %progbits
