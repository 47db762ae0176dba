#include "daemon/api/exposition.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>

#define NO_LABELS (&(const struct labels){.name = {NULL}})

/* Of a value, '\' '"' and line feeds; what is no UTF-8 was replaced where names are checked. */
static void put_value(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\\' || *text == '"')
            (void)fprintf(out, "\\%c", *text);
        else if (*text == '\n')
            (void)fputs("\\n", out);
        else
            (void)fputc(*text, out);
    }
}

/* With one more label behind the others, if `last` names one. */
static void put_labels(FILE *out, const struct labels *labels, const char *last,
                       const char *last_value)
{
    const char *before = "{";
    for (unsigned i = 0; i < 2 && labels->name[i] != NULL; i++) {
        (void)fprintf(out, "%s%s=\"", before, labels->name[i]);
        put_value(out, labels->value[i]);
        (void)fputc('"', out);
        before = ",";
    }
    if (last != NULL) {
        (void)fprintf(out, "%s%s=\"%s\"", before, last, last_value);
        before = ",";
    }
    (void)fputs(before[0] == ',' ? "} " : " ", out);
}

void exposition_family(FILE *out, const char *name, const char *type, const char *help)
{
    (void)fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void exposition_count(FILE *out, const char *name, const struct labels *labels, uint64_t value)
{
    (void)fputs(name, out);
    put_labels(out, labels, NULL, NULL);
    (void)fprintf(out, "%" PRIu64 "\n", value);
}

void exposition_number(FILE *out, const char *name, const struct labels *labels, double value)
{
    (void)fputs(name, out);
    put_labels(out, labels, NULL, NULL);
    if (isfinite(value))
        (void)fprintf(out, "%.15g\n", value);
    else
        (void)fputs("NaN\n", out);
}

void exposition_histogram(FILE *out, const char *name, const struct labels *labels,
                          const struct buckets *buckets, const double *bounds)
{
    uint64_t count = 0;
    char bound[32];
    bool last = false;
    for (unsigned i = 0; !last; i++) {
        last = i == BUCKETS_MAX || isinf(bounds[i]);
        count += buckets->counts[i];
        if (!last)
            (void)snprintf(bound, sizeof(bound), "%g", bounds[i]);
        (void)fprintf(out, "%s_bucket", name);
        put_labels(out, labels, "le", last ? "+Inf" : bound);
        (void)fprintf(out, "%" PRIu64 "\n", count);
    }
    (void)fprintf(out, "%s_sum", name);
    put_labels(out, labels, NULL, NULL);
    (void)fprintf(out, "%.15g\n%s_count", buckets->sum, name);
    put_labels(out, labels, NULL, NULL);
    (void)fprintf(out, "%" PRIu64 "\n", count);
}

void exposition_gauge(FILE *out, const char *name, const char *help, double value)
{
    exposition_family(out, name, "gauge", help);
    exposition_number(out, name, NO_LABELS, value);
}

void exposition_counter(FILE *out, const char *name, const char *help, double value)
{
    exposition_family(out, name, "counter", help);
    exposition_number(out, name, NO_LABELS, value);
}
