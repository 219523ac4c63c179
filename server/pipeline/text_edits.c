#include "pipeline/text_edits.h"

#include "unicode/utf8.h"

typedef struct TextEditor {
    const Sanitized *from;
    Arena *arena;
    char *bytes;
    size_t size;
    OffsetMap map;
} TextEditor;

/* A character at a time: one that cleaning made of several comes from all of them. */
static bool editor_copy(TextEditor *editor, uint32_t begin, uint32_t end)
{
    const char *bytes = editor->from->text.bytes;
    uint32_t code_point;
    memcpy(editor->bytes + editor->size, bytes + begin, end - begin);
    editor->size += end - begin;
    for (uint32_t at = begin, size; at < end; at += size) {
        size = (uint32_t)utf8_decode(bytes + at, &code_point);
        ByteRange origin = sanitizer_original_range(editor->from->map, (ByteRange){at, at + size});
        bool copied = origin.end - origin.begin == size;
        if (!offset_map_append(&editor->map, editor->arena, size, origin, copied)) return false;
    }
    return true;
}

static bool editor_replace(TextEditor *editor, const TextEdit *edit)
{
    ByteRange origin = sanitizer_original_range(editor->from->map, edit->range);
    if (edit->replacement.size == 0) return true;
    memcpy(editor->bytes + editor->size, edit->replacement.bytes, edit->replacement.size);
    editor->size += edit->replacement.size;
    return offset_map_append(&editor->map, editor->arena, (uint32_t)edit->replacement.size, origin, false);
}

static bool editor_run(TextEditor *editor, const TextEdit *edits, uint32_t count)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!editor_copy(editor, at, edits[i].range.begin) || !editor_replace(editor, &edits[i])) return false;
        at = edits[i].range.end;
    }
    return editor_copy(editor, at, (uint32_t)editor->from->text.size);
}

Status text_edits_apply(const TextEdit *edits, uint32_t count, uint32_t original_size, Arena *arena,
                        Sanitized *sanitized, Error *out_error)
{
    size_t size = sanitized->text.size;
    for (uint32_t i = 0; i < count; i++) size += edits[i].replacement.size;
    TextEditor editor = {.from = sanitized, .arena = arena, .map = {.original_size = original_size}};
    OffsetMap *map = arena_allocate(arena, sizeof *map);
    editor.bytes = arena_allocate(arena, size);
    if (!map || !editor.bytes || !editor_run(&editor, edits, count)) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                         "the request's memory does not hold the repaired text");
    }
    *map = editor.map;
    sanitized->text = (TextView){editor.bytes, editor.size};
    sanitized->map = map;
    sanitized->changed = true;
    return STATUS_OK;
}
