#include "client/text.h"

#include "common/alloc.h"

#include <stddef.h>
#include <string.h>

/* How many bytes of a control character are here; 0 of another. C1 is U+0080 to U+009F; a terminal
 * takes U+009B for ESC [. */
static size_t control_bytes(const unsigned char *at)
{
    if (*at < 0x20 || *at == 0x7f)
        return 1;
    return at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f ? 2 : 0;
}

char *text_tame(char *text)
{
    char *to = text;
    for (const char *from = text; from != NULL && *from != '\0';) {
        size_t control = control_bytes((const unsigned char *)from);
        *to++ = control > 0 ? '?' : *from;
        from += control > 0 ? control : 1;
    }
    if (to != NULL)
        *to = '\0';
    return text;
}

char *text_quoted(const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "%+,-./:=@_^";
    if (word[0] != '\0' && word[strspn(word, plain)] == '\0')
        return xstrdup(word);
    char *text = xmalloc(4 * strlen(word) + 3);
    char *to = text;
    *to++ = '\'';
    for (; *word != '\0'; word++) {
        if (*word == '\'')
            to = stpcpy(to, "'\\''");
        else
            *to++ = *word;
    }
    *to++ = '\'';
    *to = '\0';
    return text;
}
