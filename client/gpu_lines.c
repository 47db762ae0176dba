#include "client/gpu_lines.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/parse.h"

#include <stdbool.h>

/* Of one GPU so many are named. */
#define JOBS_SHOWN 4U

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void print_memory(FILE *file, const json_t *gpu)
{
    const json_t *used = json_object_get(gpu, "memory_used_bytes");
    const json_t *total = json_object_get(gpu, "memory_total_bytes");
    char used_text[32], total_text[32];
    if (!json_is_integer(total))
        return;
    format_size((uint64_t)json_integer_value(total), total_text, sizeof(total_text));
    format_size((uint64_t)json_integer_value(used), used_text, sizeof(used_text));
    (void)fprintf(file, ", %s of %s in use", json_is_integer(used) ? used_text : "?", total_text);
}

/* " (2.0G, 37%)": its memory there, and how busy it keeps it, as far as that is known. */
static void print_use(FILE *file, const json_t *process)
{
    const json_t *memory = json_object_get(process, "memory_bytes");
    const json_t *busy = json_object_get(process, "busy_percent");
    const bool both = json_is_integer(memory) && json_is_integer(busy);
    char text[32];
    if (!json_is_integer(memory) && !json_is_integer(busy))
        return;
    format_size((uint64_t)json_integer_value(memory), text, sizeof(text));
    (void)fprintf(file, " (%s%s", json_is_integer(memory) ? text : "", both ? ", " : "");
    if (json_is_integer(busy))
        (void)fprintf(file, "%lld%%", json_integer_value(busy));
    (void)fputc(')', file);
}

/* Jobs by name, a process each, other processes in number. */
static void print_processes(FILE *file, const json_t *processes)
{
    size_t i;
    const json_t *one;
    unsigned jobs = 0;
    unsigned others = 0;
    json_array_foreach((json_t *)(uintptr_t)processes, i, one) {
        const char *job = text_of(one, "job");
        others += job == NULL;
        jobs += job != NULL;
        if (job == NULL || jobs > JOBS_SHOWN)
            continue;
        (void)fprintf(file, "%s%s", jobs == 1 ? ", job " : " ", job);
        print_use(file, one);
    }
    if (jobs > JOBS_SHOWN)
        (void)fputs(" ...", file);
    if (others > 0)
        (void)fprintf(file, ", %u other process%s", others, others == 1 ? "" : "es");
}

static void print_gpu(FILE *file, const json_t *gpu)
{
    const json_t *busy = json_object_get(gpu, "busy_percent");
    const json_t *temperature = json_object_get(gpu, "temperature");
    const char *name = text_of(gpu, "name");
    const char *pci = text_of(gpu, "pci");
    const char *fault = text_of(gpu, "fault");
    (void)fprintf(file, "gpu %lld: %s", json_integer_value(json_object_get(gpu, "index")),
                  name == NULL ? text_of(gpu, "vendor") : name);
    if (pci != NULL)
        (void)fprintf(file, " (%s)", pci);
    if (json_is_integer(busy))
        (void)fprintf(file, ", %lld%% busy", json_integer_value(busy));
    print_memory(file, gpu);
    if (json_is_integer(temperature))
        (void)fprintf(file, ", %lld C", json_integer_value(temperature));
    print_processes(file, json_object_get(gpu, "processes"));
    if (fault != NULL)
        (void)fprintf(file, ": no job is given it: %s", fault);
    (void)fputc('\n', file);
}

void gpu_lines_print(FILE *file, const json_t *machine)
{
    size_t i;
    const json_t *gpu;
    const char *trouble = text_of(machine, "gpus_trouble");
    json_array_foreach(json_object_get(machine, "gpus"), i, gpu)
        print_gpu(file, gpu);
    if (trouble != NULL)
        (void)fprintf(file, "gpus: %s\n", trouble);
}
