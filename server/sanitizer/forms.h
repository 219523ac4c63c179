/* Compatible forms of letters and digits, by the habit that makes them. Any thread. */
#pragma once

#include <stdint.h>

typedef enum FormKind {
    FORM_NONE,
    FORM_WIDE,      /* fullwidth: at home beside ideographs */
    FORM_MATH,      /* bold, italic, script, double-struck, ...: at home alone, as a variable */
    FORM_ENCLOSED,  /* circled, squared, in parentheses: at home alone, as a mark or a picture */
    FORM_SMALL_CAP, /* and what phonetics writes alike */
    FORM_PHONETIC,  /* any other letter of phonetics that looks like an ASCII one */
    FORM_RAISED,    /* superscripts and subscripts: at home behind plain letters */
    FORM_ROMAN,     /* numerals */
    FORM_LIGATURE,  /* ff, fi, st, ... */
    FORM_KIND_COUNT,
} FormKind;

enum { FORM_LETTERS_MAX = 4 };

typedef struct Form {
    uint32_t letters[FORM_LETTERS_MAX]; /* or digits, that it stands for */
    uint8_t count;                      /* of them; 0: no form */
    uint8_t kind;                       /* FormKind */
} Form;

/* What `code_point` is: of FORM_NONE, which stands for nothing, if it is no form. */
const Form *forms_find(uint32_t code_point);
