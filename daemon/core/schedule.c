#include "daemon/core/schedule.h"

#include "common/alloc.h"
#include "common/words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char *const overlap_words[OVERLAP_COUNT] = {
    [OVERLAP_SKIP] = "skip", [OVERLAP_QUEUE] = "queue", [OVERLAP_REPLACE] = "replace"};
static const char *const catch_up_words[CATCH_UP_COUNT] = {
    [CATCH_UP_NONE] = "none", [CATCH_UP_ONE] = "one"};

void schedule_done(struct schedule *schedule)
{
    free(schedule->skipped_why);
    free(schedule->name);
    free(schedule->at);
    free(schedule->zone);
    *schedule = (struct schedule){0};
}

struct schedule schedule_copy(const struct schedule *schedule)
{
    struct schedule copy = *schedule;
    copy.skipped_why = xstrdup(schedule->skipped_why);
    copy.name = xstrdup(schedule->name);
    copy.at = xstrdup(schedule->at);
    copy.zone = xstrdup(schedule->zone);
    return copy;
}

int schedule_check_name(const char *name, struct error *err)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    if (isalnum((unsigned char)name[0]) && name[strspn(name, allowed)] == '\0' &&
        strlen(name) <= SCHEDULE_NAME_MAX)
        return 0;
    return error_set_field(err, "name",
                           "name \"%.60s\" must have 1 to %u letters, digits, dots, underscores "
                           "and hyphens and begin with a letter or digit",
                           name, SCHEDULE_NAME_MAX);
}

const char *schedule_overlap_word(enum schedule_overlap overlap)
{
    return (unsigned)overlap < OVERLAP_COUNT ? overlap_words[overlap] : "?";
}

int schedule_overlap_parse(const char *word, enum schedule_overlap *ret, struct error *err)
{
    const int found = words_find(overlap_words, OVERLAP_COUNT, word);
    if (found >= 0) {
        *ret = (enum schedule_overlap)found;
        return 0;
    }
    return error_set_field(err, "overlap", "overlap \"%.40s\" must be skip, queue or replace",
                           word);
}

const char *schedule_catch_up_word(enum schedule_catch_up catch_up)
{
    return (unsigned)catch_up < CATCH_UP_COUNT ? catch_up_words[catch_up] : "?";
}

int schedule_catch_up_parse(const char *word, enum schedule_catch_up *ret, struct error *err)
{
    const int found = words_find(catch_up_words, CATCH_UP_COUNT, word);
    if (found >= 0) {
        *ret = (enum schedule_catch_up)found;
        return 0;
    }
    return error_set_field(err, "catch_up", "catch_up \"%.40s\" must be none or one", word);
}
