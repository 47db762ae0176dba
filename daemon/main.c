/* batchd: options and wiring. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/glib_memory.h"
#include "common/json.h"
#include "common/log.h"
#include "daemon/config.h"
#include "daemon/places.h"
#include "daemon/service.h"
#include "daemon/sockets.h"
#include "daemon/state_folder.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static const char help[] =
    "Usage: batchd [OPTIONS]\n"
    "The batch-job daemon: takes jobs durably and runs them. See batchd(8).\n"
    "\n"
    "  --user               the person's own daemon (the default when not root)\n"
    "  --system             the machine's daemon (the default for root)\n"
    "  --state DIR          keep everything in DIR, socket included\n"
    "  --socket PATH        listen here\n"
    "  --config FILE        read these settings instead of the usual file\n"
    "  --foreground         stay in the foreground (always so; kept for service files)\n"
    "  --log-level L        error, warning, info or debug\n"
    "  --check-config       read the settings, say what is wrong, exit 0 or 78\n"
    "  --check-store        check the database, exit 0 or 65\n"
    "  --print-config[=example]  print the settings in force, or a commented example\n"
    "  --version            print the version\n"
    "  -h, --help           print this\n";

enum choice {
    CHOICE_USER = 256,
    CHOICE_SYSTEM,
    CHOICE_STATE,
    CHOICE_SOCKET,
    CHOICE_CONFIG,
    CHOICE_FOREGROUND,
    CHOICE_LOG_LEVEL,
    CHOICE_CHECK_CONFIG,
    CHOICE_CHECK_STORE,
    CHOICE_PRINT_CONFIG,
    CHOICE_VERSION
};

static const struct option long_options[] = {
    {"user", no_argument, NULL, CHOICE_USER},
    {"system", no_argument, NULL, CHOICE_SYSTEM},
    {"state", required_argument, NULL, CHOICE_STATE},
    {"socket", required_argument, NULL, CHOICE_SOCKET},
    {"config", required_argument, NULL, CHOICE_CONFIG},
    {"foreground", no_argument, NULL, CHOICE_FOREGROUND},
    {"log-level", required_argument, NULL, CHOICE_LOG_LEVEL},
    {"check-config", no_argument, NULL, CHOICE_CHECK_CONFIG},
    {"check-store", no_argument, NULL, CHOICE_CHECK_STORE},
    {"print-config", optional_argument, NULL, CHOICE_PRINT_CONFIG},
    {"version", no_argument, NULL, CHOICE_VERSION},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct arguments {
    struct program program;
    struct places_options places;
    const char *log_level;
    bool check_config, check_store, print_config, print_example, print_version, print_help;
};

static int take_option(int choice, struct arguments *ret)
{
    switch (choice) {
    case CHOICE_USER:
        ret->places.user = true;
        return 0;
    case CHOICE_SYSTEM:
        ret->places.system = true;
        return 0;
    case CHOICE_STATE:
        ret->places.state = optarg;
        return 0;
    case CHOICE_SOCKET:
        ret->places.socket = optarg;
        return 0;
    case CHOICE_CONFIG:
        ret->places.config = optarg;
        return 0;
    case CHOICE_FOREGROUND:
        return 0;
    case CHOICE_LOG_LEVEL:
        ret->log_level = optarg;
        return 0;
    case CHOICE_CHECK_CONFIG:
        ret->check_config = true;
        return 0;
    case CHOICE_CHECK_STORE:
        ret->check_store = true;
        return 0;
    case CHOICE_PRINT_CONFIG:
        ret->print_config = true;
        ret->print_example = optarg != NULL && strcmp(optarg, "example") == 0;
        return optarg == NULL || ret->print_example ? 0 : -1;
    case CHOICE_VERSION:
        ret->print_version = true;
        return 0;
    case 'h':
        ret->print_help = true;
        return 0;
    default:
        return -1;
    }
}

static int parse_arguments(int argc, char **argv, struct arguments *ret)
{
    int choice;
    while ((choice = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
        if (take_option(choice, ret) < 0)
            return -1;
    }
    if (optind < argc)
        log_error("unexpected argument \"%s\"", argv[optind]);
    return optind < argc ? -1 : 0;
}

static void print_problem(void *arg, const struct error *problem)
{
    (void)arg;
    log_error("%s", problem->text);
}

static int set_log_level(const struct arguments *arguments, const struct config *config)
{
    enum log_level level;
    const char *word =
        arguments->log_level != NULL ? arguments->log_level : config->daemon_log_level;
    if (log_level_parse(word, &level) < 0) {
        log_error("--log-level %s: it must be error, warning, info or debug", word);
        return -1;
    }
    log_set_level(level);
    return 0;
}

/* CLI.md, "Places". */
static int exit_status(const struct error *err)
{
    switch (err->code) {
    case ERROR_BUSY:
    case ERROR_DRAINING:
        return EX_TEMPFAIL;
    case ERROR_DAMAGED:
        return EX_DATAERR;
    case ERROR_INVALID:
        return EX_CONFIG;
    case ERROR_NOT_FOUND:
    case ERROR_UNREACHABLE:
        return EX_UNAVAILABLE;
    case ERROR_NONE:
    case ERROR_DENIED:
    case ERROR_CONFLICT:
    case ERROR_LIMIT:
    case ERROR_PROTOCOL:
    case ERROR_IO:
    case ERROR_INTERNAL:
    case ERROR_CODE_COUNT:
        break;
    }
    return EX_IOERR;
}

static int fail(const struct error *err)
{
    log_error("%s", err->text);
    if (err->code == ERROR_DAMAGED)
        log_error("nothing was changed; restore a backup, or move the file away to begin anew");
    return exit_status(err);
}

static int serve(const struct arguments *arguments, const struct config *config,
                 struct places *places)
{
    struct error err;
    if (config->processors_path[0] != '\0')
        places_add_processors(places, config->processors_path);
    if (arguments->check_store)
        return state_folder_check_store(config, places, &err) < 0 ? fail(&err) : EX_OK;
    if (sockets_take(places, &err) < 0)
        return fail(&err);
    return service_run(config, places, &arguments->program, &err) < 0 ? fail(&err) : EX_OK;
}

static int run(const struct arguments *arguments)
{
    struct places places = {0};
    struct config config;
    struct error err;
    if (places_find(&arguments->places, &places, &err) < 0)
        return fail(&err);
    int status = EX_CONFIG;
    if (config_load(places.config_path, places.config_required, print_problem, NULL, &config,
                    &err) == 0) {
        if (set_log_level(arguments, &config) < 0)
            status = EX_USAGE;
        else if (arguments->print_config)
            config_print(stdout, &config, false);
        if (status != EX_USAGE)
            status = arguments->check_config || arguments->print_config
                         ? EX_OK
                         : serve(arguments, &config, &places);
        config_done(&config);
    } else {
        status = exit_status(&err);
    }
    places_done(&places);
    return status;
}

static int print_example(void)
{
    struct config config;
    config_defaults(&config);
    config_print(stdout, &config, true);
    config_done(&config);
    return EX_OK;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {
        .program = {.commit = BATCHD_COMMIT, .started_at = clock_wall_us()}};
    log_init("batchd", LOG_LEVEL_INFO);
    json_must_have_memory();
    glib_must_have_memory();
    if (parse_arguments(argc, argv, &arguments) < 0) {
        (void)fputs("batchd: see batchd --help\n", stderr);
        return EX_USAGE;
    }
    if (arguments.print_help || arguments.print_version) {
        (void)fputs(arguments.print_help ? help : "batchd " BATCHD_VERSION "\n", stdout);
        return EX_OK;
    }
    return arguments.print_example ? print_example() : run(&arguments);
}
