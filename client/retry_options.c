#include "client/retry_options.h"

#include "daemon/core/retry_rule.h"

#include <string.h>

bool retry_options_have(const char *name)
{
    return strcmp(name, "backoff") == 0 || strcmp(name, "jitter") == 0 ||
           strcmp(name, "retry-on") == 0;
}

static json_t *member(json_t *request)
{
    json_t *retry = json_object_get(request, "retry");
    if (retry == NULL) {
        retry = json_object();
        json_put(request, "retry", retry);
    }
    return retry;
}

static json_t *words_of(const char *text)
{
    json_t *list = json_array();
    for (const char *at = text; at != NULL;) {
        size_t length = strcspn(at, ",");
        (void)json_array_append_new(list, json_stringn(at, length));
        at = at[length] == '\0' ? NULL : at + length + 1;
    }
    return list;
}

/* Checked here, so that what is wrong is said in the option's words. */
int retry_options_take(json_t *request, const char *name, const char *value)
{
    struct retry_rule rule = {.max_attempts = 0};
    struct error err;
    bool backoff = strcmp(name, "backoff") == 0;
    bool jitter = strcmp(name, "jitter") == 0;
    int result = backoff  ? retry_backoff_parse(value, &rule.backoff, &err)
                 : jitter ? retry_jitter_parse(value, &rule.jitter, &err)
                          : retry_on_parse(value, &rule, &err);
    if (result < 0)
        return cli_fail(EXIT_USAGE, NULL, "--%s: %s", name, err.text);
    if (value[0] == '\0')
        return cli_fail(EXIT_USAGE, NULL, "--%s needs a value", name);
    json_t *retry = member(request);
    if (jitter) {
        json_put_text(retry, "jitter", value);
    } else if (backoff) {
        json_put_int(retry, "base_ms", (int64_t)rule.backoff.base_ms);
        json_put(retry, "factor", json_real(rule.backoff.factor_milli / 1000.0));
        json_put_int(retry, "cap_ms", (int64_t)rule.backoff.cap_ms);
    } else {
        json_put(retry, "on", words_of(value));
    }
    return 0;
}
