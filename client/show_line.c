#include "client/show_line.h"

#include "client/text.h"
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"

#include <stdio.h>

void show_text(const char *text)
{
    CLEANUP_FREE char *tame = text_tame(xstrdup(text));
    (void)fputs(tame, stdout);
}

void show_line(const char *label, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    CLEANUP_FREE char *tame = text_tame(xstrdup(label)); /* a name of a processor's figure, too */
    (void)printf("%12s: ", tame);
    show_text(text);
    (void)putchar('\n');
}

/* 15 digits are those that every number keeps. */
char *show_readable(const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    if (text == NULL)
        out_of_memory();
    return text;
}

void show_value(const char *label, const json_t *value)
{
    if (value == NULL || json_is_null(value) ||
        (json_is_array(value) && json_array_size(value) == 0) ||
        (json_is_object(value) && json_object_size(value) == 0))
        return;
    CLEANUP_FREE char *text =
        json_is_string(value) ? xstrdup(json_string_value(value)) : show_readable(value);
    show_line(label, text);
}
