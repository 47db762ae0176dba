#include "step/notes.h"

#include "common/fd.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_BYTES 512U

void notes_init(void)
{
    (void)fcntl(NOTES_FD, F_SETFD, FD_CLOEXEC);
}

void notes_add(const char *format, ...)
{
    char line[LINE_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof(line) - 1, format, args);
    va_end(args);
    for (char *c = line; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
    }
    size_t length = strlen(line);
    line[length] = '\n';
    (void)fd_write_all(NOTES_FD, line, length + 1);
}
