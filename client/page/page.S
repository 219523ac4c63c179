/* The files of the page of `headlight explain`, for page.c; the scripts stand one behind the other. */
    .section .rodata
    .global page_html_begin
    .global page_html_end
page_html_begin:
    .incbin PAGE_HTML
page_html_end:
    .byte 0
    .global page_style_begin
    .global page_style_end
page_style_begin:
    .incbin PAGE_CSS
page_style_end:
    .byte 0
    .global page_script_begin
    .global page_script_end
page_script_begin:
    .incbin PAGE_DATA_JS
    .incbin PAGE_TEXT_JS
    .incbin PAGE_ATTENTION_JS
    .incbin PAGE_SURROGATES_JS
    .incbin PAGE_PAGE_JS
page_script_end:
    .byte 0
    .section .note.GNU-stack, "", %progbits
