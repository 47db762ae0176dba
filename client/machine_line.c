#include "client/machine_line.h"

#include "common/parse.h"

#include <stdbool.h>
#include <stdio.h>

static double real_at(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

/* In front of what follows: the line's name, or a comma. */
static void begin(bool *begun)
{
    (void)fputs(*begun ? ", " : "machine: ", stdout);
    *begun = true;
}

/* "12G of 24G memory available"; nothing where there is none, as of swap. */
static void print_amount(const json_t *amount, const char *left_key, const char *what, bool *begun)
{
    char total[32], left[32];
    const json_int_t bytes = json_integer_value(json_object_get(amount, "total_bytes"));
    if (bytes <= 0)
        return;
    format_size((uint64_t)bytes, total, sizeof(total));
    format_size((uint64_t)json_integer_value(json_object_get(amount, left_key)), left,
                sizeof(left));
    begin(begun);
    (void)printf("%s of %s %s", left, total, what);
}

/* Of the time some task waited; what waits less than half a percent is not worth a word. */
static void print_pressure(const json_t *pressure, bool *begun)
{
    const char *kind;
    const json_t *one;
    json_object_foreach((json_t *)(uintptr_t)pressure, kind, one) {
        if (real_at(one, "some") < 0.5)
            continue;
        begin(begun);
        (void)printf("%s pressure %.0f%%", kind, real_at(one, "some"));
    }
}

static void print_stops(const json_t *stops)
{
    size_t i;
    const json_t *one;
    json_array_foreach((json_t *)(uintptr_t)stops, i, one)
        (void)printf("machine: no job starts: %s is at %.0f%%, until it is at %.0f%%\n",
                     json_string_value(json_object_get(one, "figure")), real_at(one, "percent"),
                     real_at(one, "until"));
}

void machine_line_print(const json_t *machine)
{
    bool begun = false;
    const json_t *cpu = json_object_get(machine, "cpu");
    const json_t *load = json_object_get(machine, "load");
    if (json_is_object(cpu)) {
        begin(&begun);
        (void)printf("cpus %.0f%% busy", 100 * real_at(cpu, "busy"));
    }
    if (json_is_array(load)) {
        begin(&begun);
        (void)printf("load %.2f", json_number_value(json_array_get(load, 0)));
    }
    print_amount(json_object_get(machine, "memory"), "available_bytes", "memory available", &begun);
    print_amount(json_object_get(machine, "swap"), "free_bytes", "swap free", &begun);
    print_pressure(json_object_get(machine, "pressure"), &begun);
    if (begun)
        (void)putchar('\n');
    print_stops(json_object_get(machine, "stops"));
}
