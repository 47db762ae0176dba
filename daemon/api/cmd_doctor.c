/* io.batchd.Server.Doctor {} -> {worst, checks: [{group, name, state, found, consequence, fix}]} */
#include "common/alloc.h"
#include "daemon/api/checks.h"
#include "daemon/api/verb.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

static const struct check_group *const groups[] = {
    &checks_processors, &checks_sandbox, &checks_workers, &checks_machine,
    &checks_store,      &checks_start,   &checks_gpus};

static const char *state_word(enum check_state state)
{
    static const char *const words[] = {[CHECK_OK] = "ok",
                                        [CHECK_UNKNOWN] = "unknown",
                                        [CHECK_WARNING] = "warning",
                                        [CHECK_FAILED] = "failed"};
    static_assert(sizeof(words) / sizeof(words[0]) == CHECK_STATE_COUNT, "a word for each");
    return words[state];
}

void finding_set(struct finding *finding, enum check_state state, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    finding->state = state;
    (void)vsnprintf(finding->found, sizeof(finding->found), format, args);
    va_end(args);
}

void finding_advise(struct finding *finding, const char *consequence, const char *fix, ...)
{
    va_list args;
    va_start(args, fix);
    (void)snprintf(finding->consequence, sizeof(finding->consequence), "%s", consequence);
    (void)vsnprintf(finding->fix, sizeof(finding->fix), fix, args);
    va_end(args);
}

static json_t *text_or_null(const char *text)
{
    return text[0] == '\0' ? json_null() : json_from_bytes(text, strlen(text));
}

static json_t *view_finding(const struct check_group *group, const struct check *check,
                            const struct finding *finding)
{
    json_t *object = json_object();
    json_put_text(object, "group", group->name);
    json_put_text(object, "name", check->name);
    json_put_text(object, "state", state_word(finding->state));
    json_put(object, "found", text_or_null(finding->found));
    json_put(object, "consequence", text_or_null(finding->consequence));
    json_put(object, "fix", text_or_null(finding->fix));
    return object;
}

static void run_doctor(struct api_call *call)
{
    enum check_state worst = CHECK_OK;
    json_t *reply = json_object();
    json_t *checks = json_array();
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        for (const struct check *check = groups[i]->checks; check->name != NULL; check++) {
            struct finding finding = {0};
            check->run(call->api, &finding);
            worst = finding.state > worst ? finding.state : worst;
            (void)json_array_append_new(checks, view_finding(groups[i], check, &finding));
        }
    }
    json_put_text(reply, "worst", state_word(worst));
    json_put(reply, "checks", checks);
    reply_done(call, reply);
}

static const char *const no_fields[] = {NULL};
const struct api_verb verb_doctor = {
    .method = "io.batchd.Server.Doctor", .fields = no_fields, .run = run_doctor};
