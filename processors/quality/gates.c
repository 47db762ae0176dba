/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/quality/gates.h"

#include "common/json.h"

static bool is_passed(const struct scores *scores, enum metric metric)
{
    return scores_mean(scores, metric) >= scores->options->min[metric]; /* INFINITY too */
}

json_t *gates_facts(const struct scores *scores)
{
    json_t *gates = json_array();
    for (int metric = 0; metric < METRIC_COUNT; metric++) {
        if (!scores->options->has_min[metric])
            continue;
        json_t *gate = json_object();
        json_put_text(gate, "metric", metric_names[metric]);
        json_put(gate, "min", json_real(scores->options->min[metric]));
        json_put(gate, "mean", scores_number(scores_mean(scores, (enum metric)metric)));
        json_put(gate, "passed", json_boolean(is_passed(scores, (enum metric)metric)));
        (void)json_array_append_new(gates, gate);
    }
    return gates;
}

int gates_check(const struct scores *scores, struct error *err)
{
    for (int metric = 0; metric < METRIC_COUNT; metric++) {
        if (scores->options->has_min[metric] && !is_passed(scores, (enum metric)metric))
            return error_set(err, ERROR_LIMIT,
                             "mean %s is %.6g; params.min_%s is %g, it must not be lower",
                             metric_names[metric], scores_mean(scores, (enum metric)metric),
                             metric_names[metric], scores->options->min[metric]);
    }
    return 0;
}
