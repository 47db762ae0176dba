/* Settings of queues, a line each: KEY=VALUE as in a configuration, retry rules and backoffs among
 * them, and names of queues. */
#include "tests/fuzz/fuzz.h"

#include "daemon/core/queue_settings.h"

static void check_line(char *line)
{
    char *value = strchr(line, '=');
    struct error err = {.code = ERROR_NONE};
    struct queue_settings settings, before, again;
    char written[QUEUE_TEXT_MAX], rewritten[QUEUE_TEXT_MAX];
    if (value == NULL) {
        if (queue_name_check(line, &err) < 0)
            MUST_NAME(&err, "queue");
        else
            MUST(strlen(line) <= QUEUE_NAME_MAX);
        return;
    }
    *value++ = '\0';
    const struct queue_key *key = queue_key_find(line);
    if (key == NULL)
        return;
    queue_settings_defaults(&settings);
    queue_settings_defaults(&before);
    again = before;
    if (queue_settings_set(&settings, key, value, &err) < 0) {
        MUST(err.code == ERROR_INVALID && err.field[0] != '\0');
        queue_settings_text(&settings, key, written);
        queue_settings_text(&before, key, rewritten);
        MUST(strcmp(written, rewritten) == 0); /* nothing was set */
        return;
    }
    queue_settings_text(&settings, key, written);
    if (queue_settings_set(&again, key, written, &err) < 0)
        (void)fprintf(stderr, "%s = \"%s\" is written \"%s\": %s\n", line, value, written,
                      err.text);
    MUST(err.code == ERROR_NONE);
    queue_settings_text(&again, key, rewritten);
    MUST(strcmp(written, rewritten) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    CLEANUP_FREE char *text = fuzz_text(data, bytes);
    for (char *line = text, *next; line != NULL; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        check_line(line);
    }
    return 0;
}
