/* io.batchd.Processors.List {} -> {processors: [{name, version, summary, program, problem}]}
 * io.batchd.Processors.Show {name} -> {processor: the manifest, with program in place of exec} */
#include "daemon/api/processors.h"
#include "daemon/api/verb.h"

static void run_list(struct api_call *call)
{
    json_t *reply = json_object();
    json_put(reply, "processors", processor_list(call->api->options.processor_dirs));
    reply_done(call, reply);
}

static void run_show(struct api_call *call)
{
    struct error err;
    const char *name = NULL;
    if (json_get_string(call->params, "name", true, &name, &err) < 0) {
        reply_failure(call, &err);
        return;
    }
    json_t *manifest = processor_show(call->api->options.processor_dirs, name, &err);
    if (manifest != NULL) {
        json_t *reply = json_object();
        json_put(reply, "processor", manifest);
        reply_done(call, reply);
    } else if (err.code == ERROR_NOT_FOUND) {
        (void)snprintf(err.field, sizeof(err.field), "name");
        reply_unknown(call, "NoSuchType", &err, "batchctl processors list");
    } else {
        reply_failure(call, &err);
    }
}

static const char *const list_fields[] = {NULL};
static const char *const show_fields[] = {"name", NULL};
const struct api_verb verb_processors_list = {
    .method = "io.batchd.Processors.List", .fields = list_fields, .run = run_list};
const struct api_verb verb_processors_show = {
    .method = "io.batchd.Processors.Show", .fields = show_fields, .run = run_show};
