/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/quality/measurement.h"

#include "processors/media/rotation.h"

#include <string.h>

static int on_scores(void *arg, const struct frame_scores *scores, struct error *err)
{
    struct measurement *measurement = arg;
    (void)err;
    scores_add(&measurement->scores, scores);
    table_add(&measurement->table, scores);
    return 0;
}

static int open_sides(struct measurement *measurement, const char *const paths[SIDE_COUNT],
                      unsigned cpus, struct error *err)
{
    static const char *const labels[SIDE_COUNT] = {"reference", "distorted"};
    for (int side = 0; side < SIDE_COUNT; side++) {
        if (side_open(paths[side], labels[side], (cpus + 1) / 2, &measurement->sides[side], err) <
            0)
            return -1;
        measurement->comparison.matrices[side] =
            reader_display_matrix(&measurement->sides[side].reader);
        measurement->comparison.is_still[side] = measurement->sides[side].reader.is_still;
    }
    const int32_t *const *matrices = measurement->comparison.matrices;
    measurement->shift.unknown =
        strcmp(rotation_filters(matrices[REFERENCE]), rotation_filters(matrices[DISTORTED])) != 0;
    for (int side = 0; side < SIDE_COUNT; side++) {
        if (side_start(&measurement->sides[side], err) < 0)
            return -1;
    }
    return 0;
}

static int compare_all(struct measurement *measurement, struct error *err)
{
    struct pairing *pairing = &measurement->pairing;
    pairing_start(pairing);
    while (pairing_next(pairing)) {
        shift_add(&measurement->shift, pairing->frames);
        if (comparison_pair(&measurement->comparison, pairing->frames,
                            pairing->times_ns[REFERENCE] / 1000, err) < 0)
            return -1;
    }
    return comparison_finish(&measurement->comparison, err);
}

int measurement_run(struct measurement *measurement, const char *const paths[SIDE_COUNT],
                    unsigned cpus, struct error *err)
{
    struct side *sides = measurement->sides;
    measurement->scores.options = measurement->options;
    measurement->comparison.options = measurement->options;
    measurement->comparison.threads = cpus;
    measurement->comparison.take = on_scores;
    measurement->comparison.arg = measurement;
    measurement->pairing.rule = measurement->options->pairing;
    measurement->pairing.sides[REFERENCE] = &sides[REFERENCE];
    measurement->pairing.sides[DISTORTED] = &sides[DISTORTED];
    if (open_sides(measurement, paths, cpus, err) < 0 || compare_all(measurement, err) < 0)
        return -1;
    /* A damaged file explains why the numbers of frames differ, so it comes first; both may be. */
    struct error other = {0};
    const int reference = side_join(&sides[REFERENCE], err);
    const int distorted = side_join(&sides[DISTORTED], reference < 0 ? &other : err);
    if (reference < 0 || distorted < 0)
        return -1;
    return pairing_check(&measurement->pairing, err);
}

void measurement_done(struct measurement *measurement)
{
    for (int side = 0; side < SIDE_COUNT; side++)
        side_close(&measurement->sides[side]);
    pairing_done(&measurement->pairing);
    comparison_close(&measurement->comparison);
    scores_done(&measurement->scores);
    table_close(&measurement->table);
}
