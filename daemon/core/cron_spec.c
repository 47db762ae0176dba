#include "daemon/core/cron_spec.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum field { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELD_COUNT };

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                          "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

static const struct {
    const char *what;
    unsigned min, max;
    const char *const *names; /* of min and up, or NULL */
} fields[FIELD_COUNT] = {
    [MINUTE] = {"minute", 0, 59, NULL},
    [HOUR] = {"hour", 0, 23, NULL},
    [DAY] = {"day of the month", 1, 31, NULL},
    [MONTH] = {"month", 1, 12, month_names},
    [WEEKDAY] = {"day of the week", 0, 7, weekday_names},
};

static const struct {
    const char *name, *text;
} named[] = {{"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
             {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
             {"@hourly", "0 * * * *"}};

/* One element of a list, while it is read. */
struct reader {
    enum field field;
    const char *at;      /* the rest of the element */
    const char *element; /* all of it, for the error */
    struct error *err;
};

static int refuse(const struct reader *reader, const char *rule)
{
    return error_set_field(reader->err, "at", "%s \"%.40s\" in at: %s", fields[reader->field].what,
                           reader->element, rule);
}

static int refuse_range(const struct reader *reader)
{
    char rule[96];
    (void)snprintf(rule, sizeof(rule), "it must be %u to %u%s", fields[reader->field].min,
                   fields[reader->field].max,
                   reader->field == MONTH     ? " or JAN to DEC"
                   : reader->field == WEEKDAY ? " or SUN to SAT (0 and 7 are Sunday)"
                                              : "");
    return refuse(reader, rule);
}

/* Digits only; 0 and the number, or -1 when there is none or it is absurd. */
static int take_digits(struct reader *reader, unsigned *ret)
{
    unsigned value = 0;
    const char *start = reader->at;
    for (; isdigit((unsigned char)*reader->at) && reader->at - start < 4; reader->at++)
        value = value * 10 + (unsigned)(*reader->at - '0');
    *ret = value;
    return reader->at > start && !isdigit((unsigned char)*reader->at) ? 0 : -1;
}

/* A number or a name. */
static int take_value(struct reader *reader, unsigned *ret)
{
    const char *const *names = fields[reader->field].names;
    for (unsigned i = 0; names != NULL && names[i] != NULL; i++) {
        if (strncasecmp(reader->at, names[i], 3) != 0)
            continue;
        reader->at += 3;
        *ret = fields[reader->field].min + i;
        return 0;
    }
    if (take_digits(reader, ret) < 0 || *ret < fields[reader->field].min ||
        *ret > fields[reader->field].max)
        return refuse_range(reader);
    return 0;
}

/* "FRI-SUN" ends on the seventh day, not on day 0. */
static int take_range(struct reader *reader, unsigned *first, unsigned *last, bool *ret_range)
{
    if (*reader->at == '*') {
        reader->at++;
        *first = fields[reader->field].min;
        *last = reader->field == WEEKDAY ? 6 : fields[reader->field].max;
        *ret_range = true;
        return 0;
    }
    if (take_value(reader, first) < 0)
        return -1;
    *last = *first;
    *ret_range = *reader->at == '-';
    if (!*ret_range)
        return 0;
    reader->at++;
    if (take_value(reader, last) < 0)
        return -1;
    if (reader->field == WEEKDAY && *last == 0 && *first > 0)
        *last = 7;
    return *first <= *last ? 0 : refuse(reader, "a range goes upwards; write two with a comma");
}

static int take_step(struct reader *reader, bool range, unsigned *ret)
{
    *ret = 1;
    if (*reader->at != '/')
        return 0;
    reader->at++;
    if (!range)
        return refuse(reader, "a step goes with * or a range, such as */5 or 10-50/5");
    if (take_digits(reader, ret) < 0 || *ret == 0 || *ret > fields[reader->field].max)
        return refuse(reader, "a step must be 1 or more, and within the field");
    return 0;
}

static int take_element(struct reader *reader, uint64_t *bits)
{
    unsigned first;
    unsigned last;
    unsigned step;
    bool range;
    if (take_range(reader, &first, &last, &range) < 0 || take_step(reader, range, &step) < 0)
        return -1;
    if (*reader->at != '\0')
        return refuse(reader, "it must be *, a number or a range, with commas between several");
    for (unsigned value = first; value <= last; value += step)
        *bits |= UINT64_C(1) << (reader->field == WEEKDAY && value == 7 ? 0 : value);
    return 0;
}

static int take_field(enum field field, char *text, uint64_t *bits, struct error *err)
{
    for (char *element = text; element != NULL;) {
        char *comma = strchr(element, ',');
        if (comma != NULL)
            *comma = '\0';
        struct reader reader = {.field = field, .at = element, .element = element, .err = err};
        if (take_element(&reader, bits) < 0)
            return -1;
        element = comma == NULL ? NULL : comma + 1;
    }
    return 0;
}

/* A day that no month in question has: only such specifications never match, since each day of the
 * week comes on each day of a year sooner or later. */
static bool may_match(const struct cron_spec *spec)
{
    static const uint8_t longest[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (!spec->any_day && !spec->any_weekday)
        return true;
    for (unsigned month = 1; month <= 12; month++) {
        uint32_t there = (uint32_t)(UINT64_C(1) << (longest[month - 1] + 1U)) - 2U;
        if ((spec->months >> month & 1U) != 0 && (spec->days & there) != 0)
            return true;
    }
    return false;
}

static int take_fields(char *const words[FIELD_COUNT], struct cron_spec *ret, struct error *err)
{
    uint64_t bits[FIELD_COUNT] = {0};
    bool star[FIELD_COUNT];
    for (unsigned field = 0; field < FIELD_COUNT; field++) {
        star[field] = words[field][0] == '*';
        if (take_field((enum field)field, words[field], &bits[field], err) < 0)
            return -1;
    }
    *ret = (struct cron_spec){.minutes = bits[MINUTE],
                              .hours = (uint32_t)bits[HOUR],
                              .days = (uint32_t)bits[DAY],
                              .months = (uint16_t)bits[MONTH],
                              .weekdays = (uint8_t)bits[WEEKDAY],
                              .any_day = star[DAY],
                              .any_weekday = star[WEEKDAY],
                              .real_time = star[MINUTE] || star[HOUR]};
    return 0;
}

/* What a name stands for; the text itself when it is no name; NULL after an error. */
static const char *meaning(const char *text, struct error *err)
{
    if (text[0] != '@')
        return text;
    for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
        if (strcasecmp(text, named[i].name) == 0)
            return named[i].text;
    }
    if (strcasecmp(text, "@reboot") == 0)
        (void)error_set_field(err, "at",
                              "at \"@reboot\" names no time; let a unit of systemd that the boot "
                              "starts submit the job");
    else
        (void)error_set_field(err, "at",
                              "at \"%.40s\" must be @hourly, @daily, @midnight, @weekly, "
                              "@monthly, @yearly or @annually",
                              text);
    return NULL;
}

int cron_spec_parse(const char *text, struct cron_spec *ret, struct error *err)
{
    char copy[CRON_TEXT_MAX + 1];
    char *words[FIELD_COUNT];
    unsigned count = 0;
    char *rest = NULL;
    struct cron_spec spec;
    const char *meant = meaning(text + strspn(text, " \t"), err);
    if (meant == NULL)
        return -1;
    if (strlen(meant) > CRON_TEXT_MAX)
        return error_set_field(err, "at", "at has %zu bytes; it may have %u", strlen(meant),
                               CRON_TEXT_MAX);
    (void)snprintf(copy, sizeof(copy), "%s", meant);
    for (char *word = strtok_r(copy, " \t", &rest); word != NULL;
         word = strtok_r(NULL, " \t", &rest)) {
        if (count < FIELD_COUNT)
            words[count] = word;
        count++;
    }
    if (count != FIELD_COUNT)
        return error_set_field(err, "at",
                               "at \"%.60s\" has %u fields; it must have five (minute, hour, day "
                               "of the month, month, day of the week) or be a name such as @daily",
                               text, count);
    if (take_fields(words, &spec, err) < 0)
        return -1;
    if (!may_match(&spec))
        return error_set_field(err, "at",
                               "at \"%.60s\" never comes: none of its months has such a day", text);
    *ret = spec;
    return 0;
}
