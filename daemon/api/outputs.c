#include "daemon/api/outputs.h"

#include "common/alloc.h"
#include "common/staged_path.h"
#include "daemon/api/verb.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Each costs an attempt a few calls, and a check a process. */
#define OUTPUTS_MAX 64U
#define CHECKS_MAX 16U
/* Where it is written its path is longer by the ids (staged_path.h), and PATH_MAX is 4096 with the
 * NUL. */
#define OUTPUT_BYTES_MAX 3800U
#define CHECK_BYTES_MAX 4096U

struct list {
    const char *field;
    unsigned most;
    size_t bytes_max;
    char ***words;
    uint32_t *count;
};

static int decode_list(const json_t *params, const struct list *list, struct error *err)
{
    json_t *array = NULL;
    json_t *value;
    size_t i;
    if (json_get_array(params, list->field, false, &array, err) < 0)
        return -1;
    if (json_array_size(array) > list->most)
        return error_set_field(err, list->field, "%s has %zu elements; at most %u are allowed",
                               list->field, json_array_size(array), list->most);
    *list->words = xcalloc(json_array_size(array) + 1, sizeof(char *));
    json_array_foreach(array, i, value) {
        if (json_value_text(value, list->field, list->bytes_max, &(*list->words)[i], err) < 0)
            return -1;
        ++*list->count;
    }
    return 0;
}

static bool is_array(const json_t *params)
{
    static const char *const fields[] = {"array", "values", "values_id"};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const json_t *value = json_object_get(params, fields[i]);
        if (value != NULL && !json_is_null(value))
            return true;
    }
    return false;
}

/* Of two of the same one would be lost, and what is in a folder cannot come after the folder. */
static int check_apart(const char *path, const char *other, struct error *err)
{
    size_t length = strlen(other);
    if (strcmp(path, other) == 0)
        return error_set_field(err, "outputs", "output \"%.100s\" is given twice", path);
    if (strncmp(path, other, length) == 0 && path[length] == '/')
        return error_set_field(err, "outputs",
                               "output \"%.100s\" must not be in \"%.100s\", which is one, too",
                               path, other);
    return 0;
}

static int check_outputs(const json_t *params, const struct job_run *run, struct error *err)
{
    for (uint32_t i = 0; i < run->output_count; i++) {
        const char *path = run->outputs[i];
        if (!staged_path_possible(path))
            return error_set_field(
                err, "outputs", "output \"%.100s\" must end in the name of a file or folder", path);
        if (is_array(params) && strstr(path, STAGED_INDEX) == NULL)
            return error_set_field(err, "outputs",
                                   "output \"%.100s\" of an array must have %s where each "
                                   "task's index comes",
                                   path, STAGED_INDEX);
        for (uint32_t k = 0; k < run->output_count; k++) {
            if (k != i && check_apart(path, run->outputs[k], err) < 0)
                return -1;
        }
    }
    return 0;
}

int outputs_decode(const json_t *params, struct job_run *run, struct error *err)
{
    const struct list outputs = {"outputs", OUTPUTS_MAX, OUTPUT_BYTES_MAX, &run->outputs,
                                 &run->output_count};
    const struct list checks = {"checks", CHECKS_MAX, CHECK_BYTES_MAX, &run->checks,
                                &run->check_count};
    if (decode_list(params, &outputs, err) < 0 || decode_list(params, &checks, err) < 0)
        return -1;
    if (run->check_count > 0 && run->output_count == 0)
        return error_set_field(err, "checks", "checks go with outputs; none is given");
    for (uint32_t i = 0; i < run->check_count; i++) {
        if (run->checks[i][0] == '\0')
            return error_set_field(err, "checks",
                                   "a check is empty; it must be exists, nonempty or a command");
    }
    return check_outputs(params, run, err);
}

int checkpoint_signal_decode(const json_t *params, struct job_run *run, struct error *err)
{
    static const int refused[] = {SIGKILL, SIGSTOP, SIGCONT, SIGTERM, SIGTSTP};
    int number = 0;
    int found = take_signal(params, "checkpoint_signal", false, &number, err);
    if (found <= 0)
        return found;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (number == refused[i])
            return error_set_field(err, "checkpoint_signal",
                                   "checkpoint_signal %s has a meaning of its own; USR1 has none",
                                   sigabbrev_np(number));
    }
    run->checkpoint_signal = (uint32_t)number;
    return 0;
}

static void put_list(json_t *object, const char *name, char *const *words, uint32_t count)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < count; i++)
        (void)json_array_append_new(array, json_from_bytes(words[i], strlen(words[i])));
    json_put(object, name, array);
}

void outputs_view(const struct job_run *run, json_t *object)
{
    put_list(object, "outputs", run->outputs, run->output_count);
    put_list(object, "checks", run->checks, run->check_count);
    json_put_text(object, "checkpoint_signal",
                  run->checkpoint_signal == 0 ? NULL : sigabbrev_np((int)run->checkpoint_signal));
}
