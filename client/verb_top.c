/* batchctl top: what runs and what waits, live. */
#include "client/job_table.h"
#include "client/screen.h"
#include "client/status_lines.h"
#include "client/times.h"
#include "client/verbs.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"

#include <string.h>

#define INTERVAL_MS 2000
/* Of those that wait so many are asked for: no screen has more rows. */
#define WAITING_MAX 200
/* A daemon that does not answer for so long is told of; meanwhile keys are not heard. */
#define ANSWER_MS 3000
#define TABLE_COLUMNS "id,state,priority,queue,user,time,cpus,cpu,memory,used,name,result"

struct view {
    struct cli *cli;
    struct column_list columns;
    FILE *file;
};

/* ---- what is asked ---- */

/* A daemon that went away is looked for anew. NULL with err. */
static json_t *ask(struct cli *cli, const char *method, json_t *parameters, struct error *err)
{
    if (cli->client == NULL)
        cli->client =
            batchd_connect(cli->socket, cli->timeout_ms > 0 ? cli->timeout_ms : ANSWER_MS, err);
    if (cli->client == NULL) {
        json_decref(parameters);
        return NULL;
    }
    json_t *reply = batchd_call(cli->client, method, parameters, err);
    if (reply == NULL && err->code != ERROR_CONFLICT) { /* it was no error reply */
        batchd_close(cli->client);
        cli->client = NULL;
    }
    return reply;
}

/* Status, with the jobs that wait as one more member; NULL with err. */
static json_t *fetch(struct cli *cli, struct error *err)
{
    json_t *parameters = json_object();
    cli_put_states(parameters, "pending");
    json_put_int(parameters, "limit", WAITING_MAX);
    CLEANUP_JSON json_t *list = ask(cli, "io.batchd.Jobs.List", parameters, err);
    if (list == NULL)
        return NULL;
    json_t *status = ask(cli, "io.batchd.Server.Status", NULL, err);
    if (status != NULL)
        json_put(status, "waiting", json_incref(json_object_get(list, "jobs")));
    return status;
}

/* ---- what is shown ---- */

/* In a container more may be available than there is in all. */
static void print_bar(FILE *file, const char *name, double part)
{
    static const char full[] = "||||||||||||||||||||||||||||||||||||||||";
    const int room = (int)sizeof(full) - 1;
    const double share = part < 0 ? 0 : part > 1 ? 1 : part;
    const int used = (int)(share * room + 0.5);
    (void)fprintf(file, "%-7s[%.*s%*s] %3.0f%%\n", name, used, full, room - used, "", 100 * share);
}

/* Processors and memory, where they are known. */
static void print_bars(FILE *file, const json_t *machine)
{
    const json_t *cpu = json_object_get(machine, "cpu");
    const json_t *memory = json_object_get(machine, "memory");
    const double total = json_number_value(json_object_get(memory, "total_bytes")) -
                         json_number_value(json_object_get(memory, "huge_bytes"));
    const double left = json_number_value(json_object_get(memory, "available_bytes"));
    if (json_is_object(cpu))
        print_bar(file, "cpus", json_number_value(json_object_get(cpu, "busy")));
    if (total > 0)
        print_bar(file, "memory", 1 - left / total);
}

static void print_jobs(const struct view *view, const char *title, const json_t *jobs)
{
    if (json_array_size(jobs) == 0)
        return;
    (void)fprintf(view->file, "\n%s:\n", title);
    job_table_print(view->cli, view->file, jobs, &view->columns, false, true);
}

static void print_view(const struct view *view, const json_t *status)
{
    status_lines_print(view->file, status);
    print_bars(view->file, json_object_get(status, "machine"));
    print_jobs(view, "running", json_object_get(status, "running"));
    print_jobs(view, "waiting", json_object_get(status, "waiting"));
    print_jobs(view, "failed in the last day", json_object_get(status, "failures"));
}

/* ---- once, or again and again ---- */

static int print_once(struct view *view)
{
    struct error err;
    CLEANUP_JSON json_t *status = fetch(view->cli, &err);
    if (status == NULL)
        return cli_fail_error(view->cli, &err);
    if (view->cli->json)
        cli_print_json(status);
    else
        print_view(view, status);
    return 0;
}

/* While the daemon is away that is shown instead. */
static void draw(struct view *view, const struct screen *screen)
{
    CLEANUP_FREE char *text = NULL;
    size_t bytes = 0;
    struct error err;
    CLEANUP_FREE char *now = times_clock(clock_wall_us());
    CLEANUP_JSON json_t *status = fetch(view->cli, &err);
    view->file = open_memstream(&text, &bytes);
    if (view->file == NULL)
        out_of_memory();
    (void)fprintf(view->file, "%s, every %d s; q ends\n", now, INTERVAL_MS / 1000);
    if (status == NULL)
        (void)fprintf(view->file, "%s\n", err.text);
    else
        print_view(view, status);
    if (fclose(view->file) != 0)
        out_of_memory();
    screen_show(screen, text);
}

/* Until it is time to look again. True: it is to end. Other keys do nothing: each look costs the
 * daemon something. */
static bool wait_or_end(struct screen *screen)
{
    const int64_t until = clock_monotonic_us() + INTERVAL_MS * US_PER_MS;
    enum screen_event event;
    char key = '\0';
    do {
        const int64_t left = until - clock_monotonic_us();
        event = screen_wait(screen, left > 0 ? (int)(left / US_PER_MS) : 0, &key);
    } while (event == SCREEN_KEY && key != 'q' && key != 'Q');
    return event == SCREEN_END || event == SCREEN_KEY;
}

static void follow(struct view *view, struct screen *screen)
{
    do {
        draw(view, screen);
    } while (!wait_or_end(screen));
}

static int run_top(struct cli *cli, int argc, char **argv)
{
    bool once = false;
    bool failed = false;
    int operand = 1;
    const char *value = NULL;
    struct view view = {.cli = cli, .file = stdout};
    while (cli_next(cli, argc, argv, &value, &failed, &operand) != NULL)
        once = true;
    if (failed)
        return EXIT_USAGE;
    if (operand < argc)
        return cli_fail(EXIT_USAGE, NULL, "top takes no \"%s\"", argv[operand]);
    if (columns_choose(TABLE_COLUMNS, &view.columns) != 0)
        return EXIT_OWN_FAILURE;
    if (once || cli->json)
        return print_once(&view);
    struct screen *screen = screen_open();
    if (screen == NULL)
        return cli_fail(EXIT_USAGE, "batchctl top --once", "top is for a terminal");
    follow(&view, screen);
    screen_close(screen);
    return 0;
}

static const struct cli_option top_options[] = {
    {"once", 0, NULL, "print it once and end"},
    {NULL, 0, NULL, NULL},
};
const struct verb verb_top = {.name = "top",
                              .arguments = "",
                              .help = "What runs and what waits, live",
                              .example = "batchctl top",
                              .options = top_options,
                              .run = run_top};
