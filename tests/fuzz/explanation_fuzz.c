/* What a server sends, to headlight_client: parts of an explanation, each behind its size in two bytes, are taken or
 * refused; what was taken is printed in every form. */
#include "explanation_json.h"
#include "explanation_text.h"
#include "fuzz.h"
#include "page.h"

#include <stdlib.h>

/* Nobody reads what is printed. */
static void fuzz_silence(void)
{
    static bool silent;
    if (!silent && !freopen("/dev/null", "w", stdout)) abort();
    silent = true;
}

static void fuzz_print(const Explanations *explanations)
{
    TextView text = text_view("A gripping film."), pair = text_view("It is.");
    const PageAnswer answer = {.model = text_view("m"), .details = text_view(""), .location = text_view("text 1")};
    Explanation explanation;
    Error error;
    for (size_t position = 0; explanation_next(explanations, &position, &explanation);) {
        explanation_print_json(stdout, &explanation);
        bool printed = explanation_print_bertviz(&explanation, &error) == STATUS_OK &&
                       explanation_print_heat(&explanation, text, pair, true, &error) == STATUS_OK &&
                       explanation_print_heat(&explanation, text, pair, false, &error) == STATUS_OK &&
                       explanation_print_lines(&explanation, 0, &error) == STATUS_OK;
        (void)printed; /* what bertviz does not take is an error like any other */
        if (page_begin(&error) == STATUS_OK && page_add(&explanation, text, pair, &answer, &error) == STATUS_OK)
            page_end();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Explanations explanations = {0};
    Error error;
    fuzz_silence();
    for (size_t at = 0; at + 2 <= size;) {
        size_t part = (size_t)(data[at] | data[at + 1] << 8);
        at += 2;
        if (part > size - at) part = size - at;
        if (explanation_add(&explanations, data + at, part, &error) != STATUS_OK) break;
        at += part;
    }
    fuzz_print(&explanations);
    explanation_clear(&explanations);
    return 0;
}
