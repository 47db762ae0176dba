/* batchctl backup. */
#include "client/verbs.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/crc32c.h"
#include "common/fd.h"
#include "common/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file on its way: FILE.partial until it is whole and on disk. */
struct arriving {
    char *partial; /* owned */
    int fd;
    uint64_t bytes;
    uint32_t sum;
    int failed; /* errno; 0: none */
};

static int take_part(void *arg, const json_t *part)
{
    struct arriving *arriving = arg;
    CLEANUP_FREE char *data = NULL;
    size_t bytes = 0;
    if (json_value_data(json_object_get(part, "data"), &data, &bytes) < 0) {
        arriving->failed = EPROTO;
        return 1;
    }
    if (fd_write_all(arriving->fd, data, bytes) < 0) {
        arriving->failed = errno;
        return 1;
    }
    arriving->bytes += bytes;
    arriving->sum = crc32c(arriving->sum, data, bytes);
    return 0;
}

/* With what it says that it sent: the name is there from then on, and stays over a power loss. */
static int put_in_place(const struct cli *cli, const struct arriving *arriving, const char *file,
                        const json_t *reply)
{
    const char *slash = strrchr(file, '/');
    CLEANUP_FREE char *folder = slash == NULL   ? xstrdup(".")
                                : slash == file ? xstrdup("/")
                                                : xmemdup(file, (size_t)(slash - file));
    char size[32];
    if (json_integer_value(json_object_get(reply, "bytes")) != (json_int_t)arriving->bytes ||
        json_integer_value(json_object_get(reply, "crc32c")) != (json_int_t)arriving->sum)
        return cli_fail(EXIT_PROTOCOL, NULL, "what arrived is not what batchd sent");
    CLEANUP_CLOSE int folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder_fd < 0 || fsync(arriving->fd) < 0 || rename(arriving->partial, file) < 0)
        return cli_fail(EXIT_REFUSED, NULL, "%s: %s", file, strerrordesc_np(errno));
    if (fsync(folder_fd) < 0) /* what it replaced does not come back, so it is not removed */
        return cli_fail(EXIT_REFUSED, NULL, "%s is whole, but a power loss may take it: %s", file,
                        strerrordesc_np(errno));
    format_size(arriving->bytes, size, sizeof(size));
    if (cli->json)
        cli_print_json(reply);
    else if (!cli->quiet)
        (void)printf("%s: %s, checked\n", file, size);
    return EXIT_DONE;
}

static void on_signal(int number)
{
    (void)number; /* poll comes back: the call is over, and what there is of the file goes */
}

static void end_by_signals(void)
{
    const struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
}

static int receive(struct cli *cli, struct arriving *arriving, const char *file)
{
    struct error err;
    int code = cli_connect(cli);
    if (code != 0)
        return code;
    CLEANUP_JSON json_t *reply =
        batchd_stream(cli->client, "io.batchd.Server.Backup", NULL, take_part, arriving, &err);
    if (arriving->failed != 0)
        return cli_fail(EXIT_REFUSED, NULL, "%s: %s", arriving->partial,
                        strerrordesc_np(arriving->failed));
    return reply == NULL ? cli_fail_error(cli, &err) : put_in_place(cli, arriving, file, reply);
}

/* What a killed one left is replaced, but never followed. */
static int open_partial(const char *path)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = open(path, flags, 0600);
    if (fd < 0 && errno == EEXIST && unlink(path) == 0)
        fd = open(path, flags, 0600);
    return fd;
}

static int run(struct cli *cli, int argc, char **argv)
{
    int operand = cli_operands(cli, argc, argv);
    if (operand < 0)
        return EXIT_USAGE;
    if (argc - operand != 1)
        return cli_fail(EXIT_USAGE, cli->verb->example, "backup takes one FILE");
    const char *file = argv[operand];
    struct stat status;
    if (file[0] == '\0' || (stat(file, &status) == 0 && S_ISDIR(status.st_mode)))
        return cli_fail(EXIT_REFUSED, cli->verb->example,
                        "\"%s\" is %s: backup takes the name of a file", file,
                        file[0] == '\0' ? "empty" : "a folder");
    CLEANUP_FREE char *partial = xasprintf("%s.partial", file);
    CLEANUP_CLOSE int fd = open_partial(partial);
    struct arriving arriving = {.partial = partial, .fd = fd};
    if (fd < 0)
        return cli_fail(EXIT_REFUSED, NULL, "%s: %s", partial, strerrordesc_np(errno));
    end_by_signals();
    int code = receive(cli, &arriving, file);
    if (code != EXIT_DONE)
        (void)unlink(partial);
    return code;
}

static const struct cli_option options[] = {{NULL, 0, NULL, NULL}};
const struct verb verb_backup = {.name = "backup",
                                 .arguments = "FILE",
                                 .help = "Write a checked copy of the store while batchd runs",
                                 .example = "batchctl backup /backup/batchd.db",
                                 .options = options,
                                 .run = run};
