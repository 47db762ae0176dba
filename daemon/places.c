#include "daemon/places.h"

#include "common/alloc.h"
#include "common/cleanup.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* Environment, read once at start, in one thread. */
static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* $NAME/rest, else $HOME/fallback/rest. */
static char *xdg(const char *name, const char *fallback, const char *rest)
{
    const char *base = environment(name);
    const char *home = environment("HOME");
    if (base != NULL && base[0] == '/')
        return xasprintf("%s/%s", base, rest);
    return xasprintf("%s/%s/%s", home == NULL ? "/" : home, fallback, rest);
}

static int make_folder(const char *path, struct error *err)
{
    CLEANUP_FREE char *partial = xstrdup(path);
    for (char *slash = strchr(partial + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(partial, 0755) < 0 && errno != EEXIST)
            return error_set_errno(err, "cannot make %s", partial);
        *slash = '/';
    }
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return error_set_errno(err, "cannot make %s", path);
    return 0;
}

/* Replaces *ret when there is a path. */
static int set_absolute(const char *path, char **ret, struct error *err)
{
    if (path == NULL)
        return 0;
    CLEANUP_FREE char *here = path[0] == '/' ? xstrdup("") : getcwd(NULL, 0);
    if (here == NULL)
        return error_set_errno(err, "the current folder, to which \"%s\" belongs, cannot be told",
                               path);
    free(*ret);
    *ret = path[0] == '/' ? xstrdup(path) : xasprintf("%s/%s", here, path);
    return 0;
}

static void find_state(const struct places_options *options, struct places *ret)
{
    if (options->state != NULL) {
        ret->socket_path = xasprintf("%s/batchd.sock", ret->state_dir);
    } else if (ret->system) {
        ret->state_dir = xstrdup("/var/lib/batchd");
        ret->socket_path = xstrdup("/run/batchd/batchd.sock");
        ret->config_path = xstrdup("/etc/batchd/config.toml");
    } else {
        ret->state_dir = xdg("XDG_STATE_HOME", ".local/state", "batchd");
        ret->socket_path = environment("XDG_RUNTIME_DIR") != NULL
                               ? xdg("XDG_RUNTIME_DIR", "", "batchd/batchd.sock")
                               : xasprintf("%s/batchd.sock", ret->state_dir);
        ret->config_path = xdg("XDG_CONFIG_HOME", ".config", "batchd/config.toml");
    }
}

/* The worker beside this program when it is run from a build folder, else the installed one. */
static void find_programs(struct places *ret)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(self, '/');
    if (slash != NULL)
        *slash = '\0';
    CLEANUP_FREE char *beside = xasprintf("%s/batchd-worker", self);
    bool here = access(beside, X_OK) == 0;
    ret->worker_binary =
        here ? xstrdup(beside) : xstrdup(BATCHD_PREFIX "/libexec/batchd/batchd-worker");
    ret->gpu_binary = here ? xasprintf("%s/batchd-gpu", self)
                           : xstrdup(BATCHD_PREFIX "/libexec/batchd/batchd-gpu");
    ret->processor_dirs = xcalloc(1, sizeof(char *));
    if (ret->system)
        places_add_processors(ret, "/etc/batchd/processors.d");
    places_add_processors(ret, BATCHD_PREFIX "/libexec/batchd/processors");
    if (!ret->system) {
        CLEANUP_FREE char *own = xdg("XDG_DATA_HOME", ".local/share", "batchd/processors");
        places_add_processors(ret, own);
    }
    if (here) {
        CLEANUP_FREE char *built = xasprintf("%s/processors", self);
        places_add_processors(ret, built);
    }
}

int places_find(const struct places_options *options, struct places *ret, struct error *err)
{
    struct places found = {.system = options->system ||
                                     (geteuid() == 0 && !options->user && options->state == NULL)};
    if (set_absolute(options->state, &found.state_dir, err) < 0)
        return -1;
    find_state(options, &found);
    found.config_required = options->config != NULL;
    if (set_absolute(options->socket, &found.socket_path, err) < 0 ||
        set_absolute(options->config, &found.config_path, err) < 0) {
        places_done(&found);
        return -1;
    }
    find_programs(&found);
    CLEANUP_FREE char *socket_dir = xstrdup(found.socket_path);
    *strrchr(socket_dir, '/') = '\0';
    if (make_folder(found.state_dir, err) < 0 || make_folder(socket_dir, err) < 0) {
        places_done(&found);
        return -1;
    }
    *ret = found;
    return 0;
}

void places_add_processors(struct places *places, const char *dir)
{
    size_t count = 0;
    while (places->processor_dirs[count] != NULL)
        count++;
    places->processor_dirs = xreallocarray(places->processor_dirs, count + 2, sizeof(char *));
    memmove(places->processor_dirs + 1, places->processor_dirs, (count + 1) * sizeof(char *));
    places->processor_dirs[0] = xstrdup(dir);
}

void places_done(struct places *places)
{
    free(places->state_dir);
    free(places->socket_path);
    free(places->config_path);
    free(places->worker_binary);
    free(places->gpu_binary);
    for (size_t i = 0; places->processor_dirs != NULL && places->processor_dirs[i] != NULL; i++)
        free(places->processor_dirs[i]);
    free(places->processor_dirs);
    *places = (struct places){0};
}
