#include "picture.h"

#include <inttypes.h>

enum { PICTURE_CONTEXT_BYTES = 60 }; /* shown on either side of a mark */

typedef enum PictureMark { PICTURE_PLAIN, PICTURE_REMOVED, PICTURE_ADDED, PICTURE_FOUND } PictureMark;

static const struct {
    const char *colour, *open, *close;
} picture_marks[] = {
    [PICTURE_PLAIN] = {"", "", ""},
    [PICTURE_REMOVED] = {"\x1B[31m", "[-", "-]"},
    [PICTURE_ADDED] = {"\x1B[32m", "{+", "+}"},
    [PICTURE_FOUND] = {"\x1B[33m", "[!", "!]"},
};

typedef struct PictureClass {
    uint32_t first, last;
    bool always; /* spelled out everywhere; else only where something is marked, for honest text may hold it */
} PictureClass;

/* What shows nothing, or what other characters show, or moves the cursor: controls, Unicode's
 * Default_Ignorable_Code_Point and format characters, line separators, private use, noncharacters. */
static const PictureClass picture_unseen[] = {
    {0x00, 0x1F, true},        {0x7F, 0x9F, true},        {0xA0, 0xA0, false},       {0xAD, 0xAD, false},
    {0x34F, 0x34F, false},     {0x61C, 0x61C, false},     {0x115F, 0x1160, false},   {0x17B4, 0x17B5, false},
    {0x180B, 0x180F, false},   {0x2000, 0x200D, false},   {0x200E, 0x200F, false},   {0x2028, 0x202E, true},
    {0x202F, 0x202F, false},   {0x205F, 0x2064, false},   {0x2065, 0x206F, true},    {0x3164, 0x3164, false},
    {0xE000, 0xF8FF, true},    {0xFE00, 0xFE0F, false},   {0xFEFF, 0xFEFF, true},    {0xFFA0, 0xFFA0, false},
    {0xFFF0, 0xFFFB, true},    {0xFFFE, 0xFFFF, true},    {0x1BCA0, 0x1BCA3, false}, {0x1D173, 0x1D17A, false},
    {0xE0000, 0xE001F, true},  {0xE0020, 0xE007F, false}, {0xE0080, 0xE00FF, true},  {0xE0100, 0xE01EF, false},
    {0xE01F0, 0x10FFFF, true},
};

static bool picture_hides(uint32_t point, bool marked)
{
    for (size_t row = 0; row < sizeof picture_unseen / sizeof *picture_unseen; row++) {
        const PictureClass *class = &picture_unseen[row];
        if (point <= class->last) return point >= class->first && (marked || class->always);
    }
    return false;
}

static uint32_t picture_point(const char *bytes, size_t size)
{
    const unsigned char *at = (const unsigned char *)bytes;
    uint32_t point = size == 1 ? at[0] : at[0] & (0x7Fu >> size);
    for (size_t byte = 1; byte < size; byte++) point = point << 6 | (at[byte] & 0x3F);
    return point;
}

static void picture_print_characters(FILE *stream, TextView text, bool marked)
{
    for (size_t at = 0; at < text.size;) {
        size_t size = text_utf8_size(text.bytes + at, text.size - at);
        uint32_t point = size ? picture_point(text.bytes + at, size) : 0;
        if (size == 0) {
            fprintf(stream, "<%02X>", (unsigned char)text.bytes[at]);
        } else if (picture_hides(point, marked)) {
            fprintf(stream, "<U+%04" PRIX32 ">", point);
        } else {
            fwrite(text.bytes + at, 1, size, stream);
        }
        at += size ? size : 1;
    }
}

/* Moves a cut to where a character begins. */
static size_t picture_border(TextView text, size_t at)
{
    while (at > 0 && at < text.size && ((unsigned char)text.bytes[at] & 0xC0) == 0x80) at--;
    return at;
}

/* Of a long text only about `head` bytes at its beginning and `tail` at its end. */
static void picture_print_ends(FILE *stream, TextView text, size_t head, size_t tail, bool marked)
{
    if (text.size <= head + tail + PICTURE_CONTEXT_BYTES) {
        picture_print_characters(stream, text, marked);
        return;
    }
    size_t end = picture_border(text, head), begin = picture_border(text, text.size - tail);
    picture_print_characters(stream, (TextView){text.bytes, end}, marked);
    fputs(" ... ", stream);
    picture_print_characters(stream, (TextView){text.bytes + begin, text.size - begin}, marked);
}

/* What stands between marks; `first` and `last`: before the first, after the last. */
static void picture_print_plain(FILE *stream, TextView text, bool first, bool last)
{
    picture_print_ends(stream, text, first ? 0 : PICTURE_CONTEXT_BYTES, last ? 0 : PICTURE_CONTEXT_BYTES, false);
}

static void picture_print_marked(FILE *stream, TextView text, PictureMark mark, bool colours)
{
    if (text.size == 0) return;
    fputs(colours ? picture_marks[mark].colour : picture_marks[mark].open, stream);
    picture_print_ends(stream, text, 2 * PICTURE_CONTEXT_BYTES, 2 * PICTURE_CONTEXT_BYTES, true);
    fputs(colours ? "\x1B[0m" : picture_marks[mark].close, stream);
}

void picture_print_text(FILE *stream, TextView text)
{
    picture_print_characters(stream, text, true);
}

static TextView picture_part(TextView text, ByteRange range)
{
    return (TextView){text.bytes + range.begin, range.end - range.begin};
}

void picture_print_diff(FILE *stream, TextView before, TextView after, const DiffPiece *pieces, size_t count,
                        bool colours)
{
    for (size_t index = 0; index < count; index++) {
        TextView old = picture_part(before, pieces[index].before);
        if (pieces[index].same) {
            picture_print_plain(stream, old, index == 0, index + 1 == count);
            continue;
        }
        picture_print_marked(stream, old, PICTURE_REMOVED, colours);
        picture_print_marked(stream, picture_part(after, pieces[index].after), PICTURE_ADDED, colours);
    }
}

void picture_print_found(FILE *stream, TextView text, const ByteRange *ranges, size_t count, bool colours)
{
    size_t at = 0;
    for (size_t index = 0; index < count; index++) {
        size_t begin = ranges[index].begin > at ? ranges[index].begin : at;
        if (ranges[index].end <= begin) continue;
        picture_print_plain(stream, (TextView){text.bytes + at, begin - at}, at == 0, false);
        at = ranges[index].end;
        picture_print_marked(stream, (TextView){text.bytes + begin, at - begin}, PICTURE_FOUND, colours);
    }
    picture_print_plain(stream, (TextView){text.bytes + at, text.size - at}, at == 0, true);
}
