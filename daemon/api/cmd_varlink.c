/* org.varlink.service.GetInfo {} -> {vendor, product, version, url, interfaces}
 * org.varlink.service.GetInterfaceDescription {interface} -> {description}
 * The interface files (common/varlink) are built into the program: they are the schema. */
#include "daemon/api/interfaces.h"
#include "daemon/api/verb.h"

#include <string.h>

static void run_info(struct api_call *call)
{
    json_t *reply = json_object();
    json_t *names = json_array();
    for (size_t i = 0; interfaces[i].name != NULL; i++)
        (void)json_array_append_new(names, json_string(interfaces[i].name));
    json_put_text(reply, "vendor", "batchd");
    json_put_text(reply, "product", "batchd");
    json_put_text(reply, "version", BATCHD_VERSION);
    json_put_text(reply, "url", "");
    json_put(reply, "interfaces", names);
    reply_done(call, reply);
}

static void run_description(struct api_call *call)
{
    const char *name = NULL;
    struct error err;
    if (json_get_string(call->params, "interface", true, &name, &err) < 0) {
        reply_failure(call, &err);
        return;
    }
    for (size_t i = 0; interfaces[i].name != NULL; i++) {
        if (strcmp(interfaces[i].name, name) == 0) {
            json_t *reply = json_object();
            json_put_text(reply, "description", interfaces[i].text);
            reply_done(call, reply);
            return;
        }
    }
    json_t *extra = json_object();
    json_put_text(extra, "interface", name);
    reply_error(call, "org.varlink.service.InterfaceNotFound", extra, "no such interface", NULL);
}

static const char *const no_fields[] = {NULL};
static const char *const description_fields[] = {"interface", NULL};
const struct api_verb verb_varlink_info = {
    .method = "org.varlink.service.GetInfo", .fields = no_fields, .run = run_info};
const struct api_verb verb_varlink_description = {.method =
                                                      "org.varlink.service.GetInterfaceDescription",
                                                  .fields = description_fields,
                                                  .run = run_description};
