#include "daemon/api/retry_members.h"

#include <stdio.h>
#include <string.h>

/* 1: *ret is the number, 0: it is not given. */
static int take_factor(const json_t *retry, double *ret, struct error *err)
{
    const json_t *value = json_object_get(retry, "factor");
    if (value == NULL || json_is_null(value))
        return 0;
    *ret = json_number_value(value);
    if (json_is_number(value) && *ret >= 1 && *ret <= RETRY_FACTOR_MAX)
        return 1;
    return error_set_field(err, "factor", "factor must be a number from 1 to %u", RETRY_FACTOR_MAX);
}

static int take_backoff(const json_t *retry, struct retry_backoff *ret, struct error *err)
{
    const int64_t most = (int64_t)RETRY_SPAN_MS_MAX;
    int64_t base = 0;
    int64_t cap = 0;
    double factor = 0;
    int has_base = json_get_int(retry, "base_ms", false, 0, most, &base, err);
    int has_factor = take_factor(retry, &factor, err);
    int has_cap = json_get_int(retry, "cap_ms", false, 1, most, &cap, err);
    if (has_base < 0 || has_factor < 0 || has_cap < 0)
        return -1;
    if (has_base == 0 && has_factor + has_cap > 0)
        return error_set_field(err, "base_ms", "factor and cap_ms go with base_ms");
    if (has_base == 0)
        return 0;
    if (has_cap > 0 && cap < base)
        return error_set_field(err, "cap_ms", "cap_ms %lld must not be below base_ms, %lld",
                               (long long)cap, (long long)base);
    return retry_backoff_set((uint64_t)base, factor, (uint64_t)cap, ret, err);
}

static int take_on(const json_t *retry, struct retry_rule *rule, struct error *err)
{
    json_t *on = NULL;
    const json_t *word;
    size_t i;
    int found = json_get_array(retry, "on", false, &on, err);
    if (found <= 0)
        return found;
    if (json_array_size(on) == 0)
        return retry_on_add(rule, "none", err);
    json_array_foreach(on, i, word) {
        if (!json_is_string(word))
            return error_set_field(err, "on", "on must have strings such as \"exit:75\"");
        if (retry_on_add(rule, json_string_value(word), err) < 0)
            return -1;
    }
    return 0;
}

static int take_object(const json_t *retry, struct retry_rule *rule, struct error *err)
{
    static const char *const known[] = {"max_attempts", "base_ms", "factor", "cap_ms",
                                        "jitter",       "on",      NULL};
    const char *jitter = NULL;
    int64_t attempts = rule->max_attempts;
    if (json_only_known(retry, known, err) < 0 ||
        json_get_int(retry, "max_attempts", false, 1, RETRY_ATTEMPTS_MAX, &attempts, err) < 0 ||
        take_backoff(retry, &rule->backoff, err) < 0 ||
        json_get_string(retry, "jitter", false, &jitter, err) < 0 ||
        (jitter != NULL && retry_jitter_parse(jitter, &rule->jitter, err) < 0) ||
        take_on(retry, rule, err) < 0)
        return -1;
    if (rule->max_attempts > 0 && (uint32_t)attempts != rule->max_attempts)
        return error_set_field(err, "max_attempts", "max_attempts is said twice: %u and %u",
                               rule->max_attempts, (uint32_t)attempts);
    rule->max_attempts = (uint32_t)attempts;
    return 0;
}

int retry_members_take(const json_t *params, struct retry_rule *ret, struct error *err)
{
    struct retry_rule rule = {.max_attempts = 0};
    json_t *retry = NULL;
    int64_t attempts = 0;
    bool rerun = false;
    int said = json_get_bool(params, "rerun_if_lost", false, &rerun, err);
    if (said < 0 ||
        json_get_int(params, "max_attempts", false, 1, RETRY_ATTEMPTS_MAX, &attempts, err) < 0)
        return -1;
    rule.max_attempts = (uint32_t)attempts;
    int found = json_get_object(params, "retry", false, &retry, err);
    if (found < 0)
        return -1;
    if (found > 0 && take_object(retry, &rule, err) < 0) {
        char inner[ERROR_FIELD_BYTES];
        (void)snprintf(inner, sizeof(inner), "%.50s", err->field);
        (void)snprintf(err->field, sizeof(err->field), "retry.%.50s", inner);
        return -1;
    }
    if (said > 0)
        rule.lost = rerun ? RETRY_LOST_RERUN : RETRY_LOST_FINAL;
    if (rule.lost == RETRY_LOST_FINAL && rule.on.scope == RETRY_SCOPE_NAMED &&
        (rule.on.classes & (1U << OUTCOME_LOST)) != 0)
        return error_set_field(err, "retry.on", "retry.on names lost, and rerun_if_lost is false");
    *ret = rule;
    return 0;
}

/* ---- view ---- */

static json_t *view_on(const struct retry_rule *rule)
{
    json_t *list = json_array();
    char text[RETRY_TEXT_MAX];
    char *rest = text;
    const char *word;
    retry_on_format(rule, text);
    if (strcmp(text, "none") == 0)
        return list;
    while ((word = strsep(&rest, ",")) != NULL)
        (void)json_array_append_new(list, json_string(word));
    return list;
}

json_t *retry_members_view(const struct retry_rule *rule)
{
    json_t *object = json_object();
    json_put_int(object, "max_attempts", rule->max_attempts);
    json_put_int(object, "base_ms", (int64_t)rule->backoff.base_ms);
    json_put(object, "factor", json_real(rule->backoff.factor_milli / 1000.0));
    json_put_int(object, "cap_ms", (int64_t)rule->backoff.cap_ms);
    json_put_text(object, "jitter", retry_jitter_word(rule->jitter));
    json_put(object, "on", view_on(rule));
    json_put(object, "rerun_if_lost", json_boolean(rule->lost == RETRY_LOST_RERUN));
    return object;
}
