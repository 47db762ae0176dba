/* What this machine can do at most, to set batchd's figures against:
 *
 *   limits spawn JOBS SPAWNERS PROGRAM   posix_spawn and reap, by so many processes
 *   limits commits DIR COUNT             SQLite, WAL and FULL, a row of 400 bytes per commit
 *
 * Prints the seconds that the work took, start-up left out. */
#include <errno.h>
#include <spawn.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

__attribute__((noreturn)) static void die(const char *what)
{
    (void)fprintf(stderr, "limits: %s: %s\n", what, strerrordesc_np(errno));
    exit(1);
}

static void spawn_share(const char *program, long count)
{
    char *argv[] = {strdup(program), NULL};
    for (long i = 0; i < count; i++) {
        pid_t pid;
        int status;
        errno = posix_spawn(&pid, program, NULL, NULL, argv, environ);
        if (errno != 0 || waitpid(pid, &status, 0) != pid || status != 0)
            die(program);
    }
    free(argv[0]);
}

/* All spawners wait for one pipe to close, so that none has a head start. */
static void spawn(long jobs, long spawners, const char *program)
{
    int gate[2];
    if (pipe(gate) < 0)
        die("pipe");
    for (long i = 0; i < spawners; i++) {
        pid_t pid = fork();
        if (pid < 0)
            die("fork");
        if (pid == 0) {
            char byte;
            (void)close(gate[1]);
            if (read(gate[0], &byte, 1) < 0)
                die("read");
            spawn_share(program, jobs / spawners + (i < jobs % spawners));
            _exit(0);
        }
    }
    (void)usleep(100000); /* all are at the gate; not part of the figure */
    double start = now();
    (void)close(gate[1]);
    for (long i = 0; i < spawners; i++) {
        int status;
        if (wait(&status) < 0 || status != 0)
            die("a spawner");
    }
    printf("%.6f\n", now() - start);
}

static void execute(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        die(sqlite3_errmsg(db));
}

static void commits(const char *folder, long count)
{
    static char text[400];
    char path[4096];
    sqlite3 *db;
    sqlite3_stmt *insert;
    (void)snprintf(path, sizeof(path), "%s/limits.db", folder);
    memset(text, 'x', sizeof(text));
    if (sqlite3_open(path, &db) != SQLITE_OK)
        die(path);
    execute(db, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                "CREATE TABLE job(id INTEGER PRIMARY KEY, state INTEGER, at INTEGER, text TEXT);"
                "CREATE INDEX job_state ON job(state, id);");
    if (sqlite3_prepare_v2(db, "INSERT INTO job(state,at,text) VALUES(0,?1,?2)", -1, &insert,
                           NULL) != SQLITE_OK)
        die(sqlite3_errmsg(db));
    double start = now();
    for (long i = 0; i < count; i++) {
        (void)sqlite3_bind_int64(insert, 1, i);
        (void)sqlite3_bind_text(insert, 2, text, sizeof(text), SQLITE_STATIC);
        if (sqlite3_step(insert) != SQLITE_DONE)
            die(sqlite3_errmsg(db));
        (void)sqlite3_reset(insert);
    }
    printf("%.6f\n", now() - start);
    (void)sqlite3_finalize(insert);
    (void)sqlite3_close(db);
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "spawn") == 0)
        spawn(strtol(argv[2], NULL, 10), strtol(argv[3], NULL, 10), argv[4]);
    else if (argc == 4 && strcmp(argv[1], "commits") == 0)
        commits(argv[2], strtol(argv[3], NULL, 10));
    else
        return 2;
    return 0;
}
