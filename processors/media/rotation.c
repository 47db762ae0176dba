/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "processors/media/rotation.h"

#include <libavutil/display.h>
#include <math.h>
#include <string.h>

int rotation_of(const int32_t *matrix, bool *ret_mirrored)
{
    int32_t plain[9];
    *ret_mirrored = false;
    if (matrix == NULL)
        return 0;
    memcpy(plain, matrix, sizeof(plain));
    double area = (double)plain[0] * plain[4] - (double)plain[1] * plain[3];
    *ret_mirrored = area < 0;
    if (*ret_mirrored)
        av_display_matrix_flip(plain, 1, 0);
    double angle = av_display_rotation_get(plain);
    if (isnan(angle))
        return 0;
    int turned = (int)lround(-angle) % 360; /* libavutil counts counter-clockwise */
    return turned < 0 ? turned + 360 : turned;
}

/* 16.16 fixed point: below a thousandth it is a rounding error of a quarter turn. */
static bool is_zero(int32_t value)
{
    return value >= -65 && value <= 65;
}

/* Shown x' = a x + c y, y' = b x + d y: with [0] a, [1] b, [3] c, [4] d. */
bool rotation_is_quarters(const int32_t *matrix)
{
    if (matrix == NULL)
        return true;
    const bool straight = !is_zero(matrix[0]) && !is_zero(matrix[4]);
    const bool across = !is_zero(matrix[1]) && !is_zero(matrix[3]);
    return straight != across && (straight ? is_zero(matrix[1]) && is_zero(matrix[3])
                                           : is_zero(matrix[0]) && is_zero(matrix[4]));
}

const char *rotation_filters(const int32_t *matrix)
{
    static const char *const filters[2][4] = {
        {"", "transpose=clock,", "hflip,vflip,", "transpose=cclock,"},
        {"hflip,", "transpose=clock,hflip,", "vflip,", "transpose=cclock,hflip,"}};
    bool mirrored = false;
    const int rotation = rotation_of(matrix, &mirrored);
    return rotation_is_quarters(matrix) ? filters[mirrored][(rotation + 45) / 90 % 4] : "";
}

bool rotation_is_sideways(const int32_t *matrix)
{
    return matrix != NULL && rotation_is_quarters(matrix) && is_zero(matrix[0]);
}
