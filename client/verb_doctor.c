/* batchctl doctor: what the daemon finds when it looks at the machine and at itself; that it
 * answers at all is looked at here. */
#include "client/reply.h"
#include "client/text.h"
#include "client/verbs.h"

#include "common/alloc.h"
#include "common/cleanup.h"

#include <string.h>

static void print_more(const json_t *check, const char *label, const char *key)
{
    CLEANUP_FREE char *text = text_tame(xstrdup(reply_text(check, key)));
    if (text[0] != '\0')
        (void)printf("%-9s%s: %s\n", "", label, text);
}

/* "warning  start: boot and logout   ...", then what follows and what to do. */
static void print_check(const json_t *check)
{
    CLEANUP_FREE char *name =
        xasprintf("%s: %s", reply_text(check, "group"), reply_text(check, "name"));
    CLEANUP_FREE char *found = text_tame(xstrdup(reply_text(check, "found")));
    (void)printf("%-8s %-23s %s\n", reply_text(check, "state"), text_tame(name), found);
    print_more(check, "so", "consequence");
    print_more(check, "fix", "fix");
}

static void print_report(const struct cli *cli, const json_t *report)
{
    const json_t *check;
    size_t i;
    if (cli->json) {
        cli_print_json(report);
        return;
    }
    json_array_foreach(json_object_get(report, "checks"), i, check) {
        if (!cli->quiet || strcmp(reply_text(check, "state"), "ok") != 0)
            print_check(check);
    }
}

static json_t *make_answers(bool answers)
{
    json_t *check = json_object();
    json_put_text(check, "group", "daemon");
    json_put_text(check, "name", "answers");
    json_put_text(check, "state", answers ? "ok" : "failed");
    json_put_text(check, "found", answers ? "batchd takes calls" : "batchd is not reachable");
    json_put_text(check, "consequence",
                  answers ? NULL : "jobs are not taken and none starts; those that run go on");
    json_put_text(check, "fix",
                  answers ? NULL
                          : "systemctl start batchd.socket, or one's own: batchd --user; with "
                            "--socket or BATCHD_SOCKET it is looked for elsewhere");
    return check;
}

/* There is nobody to ask about the rest. */
static void report_absence(const struct cli *cli)
{
    CLEANUP_JSON json_t *report = json_object();
    json_t *checks = json_array();
    (void)json_array_append_new(checks, make_answers(false));
    json_put_text(report, "worst", "failed");
    json_put(report, "checks", checks);
    print_report(cli, report);
}

static int run(struct cli *cli, int argc, char **argv)
{
    const int operand = cli_operands(cli, argc, argv);
    if (operand < 0)
        return EXIT_USAGE;
    if (operand < argc)
        return cli_fail(EXIT_USAGE, NULL, "doctor takes no \"%s\"", argv[operand]);
    int code = cli_connect(cli);
    if (code != 0) {
        report_absence(cli);
        return code;
    }
    CLEANUP_JSON json_t *report = cli_call(cli, "io.batchd.Server.Doctor", NULL, &code);
    if (report == NULL)
        return code;
    (void)json_array_insert_new(json_object_get(report, "checks"), 0, make_answers(true));
    print_report(cli, report);
    return strcmp(reply_text(report, "worst"), "failed") == 0 ? EXIT_REFUSED : EXIT_DONE;
}

static const struct cli_option no_options[] = {{NULL, 0, NULL, NULL}};
const struct verb verb_doctor = {
    .name = "doctor",
    .arguments = "",
    .help =
        "What is weak or broken here, what follows and what to do; exit 1 when something is broken",
    .example = "batchctl doctor",
    .options = no_options,
    .run = run};
