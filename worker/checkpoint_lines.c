#include "worker/checkpoint_lines.h"

#include "common/alloc.h"

#include <stdlib.h>
#include <string.h>

static const char start[] = "{\"type\":\"checkpoint\"";
static const char withdrawal[] = "{\"type\":\"checkpoint\",\"path\":null}";

void checkpoint_lines_reset(struct checkpoint_lines *lines)
{
    free(checkpoint_lines_take(lines));
    lines->used = 0;
    lines->withdrawn = false;
}

static void end_line(struct checkpoint_lines *lines)
{
    const size_t length = sizeof(start) - 1;
    lines->line[lines->used] = '\0';
    bool asks = lines->used > length && memcmp(lines->line, start, length) == 0 &&
                (lines->line[length] == ',' || lines->line[length] == '}');
    lines->used = 0;
    if (!asks)
        return;
    free(lines->waits);
    lines->withdrawn = strcmp(lines->line, withdrawal) == 0;
    lines->waits = lines->withdrawn ? NULL : xstrdup(lines->line);
}

void checkpoint_lines_add(struct checkpoint_lines *lines, const char *data, size_t bytes)
{
    while (bytes > 0) {
        const char *end = memchr(data, '\n', bytes);
        size_t length = end == NULL ? bytes : (size_t)(end - data);
        size_t room = CHECKPOINT_LINE_MAX - lines->used;
        size_t taken = length < room ? length : room;
        memcpy(lines->line + lines->used, data, taken);
        lines->used += taken;
        if (end == NULL)
            return;
        end_line(lines);
        data = end + 1;
        bytes -= length + 1;
    }
}

char *checkpoint_lines_take(struct checkpoint_lines *lines)
{
    char *line = lines->waits;
    lines->waits = NULL;
    return line;
}

void checkpoint_lines_return(struct checkpoint_lines *lines, char *line)
{
    if (lines->waits != NULL || lines->withdrawn)
        free(line);
    else
        lines->waits = line;
}
