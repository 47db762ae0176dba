/* Contrast-limited adaptive histogram equalisation after K. Zuiderveld (Graphics Gems IV, 1994):
 * the picture is divided into tiles, each has a curve made of its own histogram, and a pixel's
 * value is interpolated between the curves of the four tiles whose centres are nearest. Two passes
 * over the picture's memory, whatever the tiles' size. */
#include "processors/image/clahe.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "processors/image/picture.h"

#include <math.h>

/* The tile's side: an eighth of the shorter side, so that the effect is the same at every size.
 * Fewer pixels than 32 x 32 make no histogram; more than 128 tiles in a row only take memory. */
#define TILE_PART 8
#define TILE_MIN 32
#define TILES_MAX 128
#define VALUES 256       /* that a histogram tells apart */
#define LABS_WHITE 32767 /* L* = 100 in vips's 16-bit Lab */

/* Where a row or column lies between two tiles' centres. */
struct place {
    int tile, next; /* the same at the edges */
    float weight;   /* of next */
};

#define CURVE (VALUES + 1)

struct tiles {
    int across, down;
    float *curve;         /* owned; CURVE numbers for each tile: of each value, the last twice */
    struct place *column; /* owned; of each column of the picture */
};

static void tiles_done(struct tiles *tiles)
{
    free(tiles->curve);
    free(tiles->column);
}

static int count_tiles(int length, int side)
{
    int count = (length + side / 2) / side;
    return VIPS_CLIP(1, count, TILES_MAX);
}

static struct place place_of(int at, int length, int count)
{
    float centre = ((float)at + 0.5F) * (float)count / (float)length - 0.5F;
    int tile = centre < 0 ? 0 : (int)centre;
    int next = centre < 0 || tile + 1 == count ? tile : tile + 1;
    return (struct place){.tile = tile, .next = next, .weight = centre - (float)tile};
}

/* ---- the two passes, over samples of any band ---- */

/* One band of a picture in memory. */
struct plane {
    VipsImage *image; /* borrowed */
    float white;
    bool deep; /* 16 bits a sample, of which none is negative */
};

static VipsPel *row_of(const struct plane *plane, int y)
{
    size_t samples = (size_t)plane->image->Xsize * (size_t)plane->image->Bands;
    return plane->image->data + (size_t)y * samples * (plane->deep ? 2 : 1);
}

static float sample(const struct plane *plane, const VipsPel *row, int x)
{
    size_t at = (size_t)x * (size_t)plane->image->Bands;
    float value = plane->deep ? ((const guint16 *)row)[at] : row[at];
    return fminf(value * ((VALUES - 1) / plane->white), VALUES - 1);
}

static void put_sample(const struct plane *plane, VipsPel *row, int x, float value)
{
    size_t at = (size_t)x * (size_t)plane->image->Bands;
    float scaled = value * (plane->white / (VALUES - 1)) + 0.5F;
    if (plane->deep)
        ((guint16 *)row)[at] = (guint16)scaled;
    else
        row[at] = (guint8)scaled;
}

static void count_values(const struct plane *plane, const VipsRect *tile, unsigned *counts)
{
    for (int y = tile->top; y < tile->top + tile->height; y++) {
        const VipsPel *row = row_of(plane, y);
        for (int x = tile->left; x < tile->left + tile->width; x++)
            counts[(int)(sample(plane, row, x) + 0.5F)]++;
    }
}

/* No value counts for more than makes a slope of `slope - 1`; what is cut off is spread over all,
 * which adds a slope of up to 1. Half of a value's own count lies below it, so that the grey of a
 * flat tile stays where it is. */
static void make_curve(const unsigned *counts, unsigned pixels, int slope, float *curve)
{
    float most = (float)(slope - 1) * (float)pixels / VALUES;
    float excess = 0;
    float below = 0;
    for (int i = 0; i < VALUES; i++)
        excess += fmaxf(0, (float)counts[i] - most);
    for (int i = 0; i < VALUES; i++) {
        float count = fminf(most, (float)counts[i]) + excess / VALUES;
        curve[i] = (below + count / 2) * (VALUES - 1) / (float)pixels;
        below += count;
    }
    curve[VALUES] = curve[VALUES - 1];
}

static float *curve_of(const struct tiles *tiles, int down, int across)
{
    return tiles->curve + CURVE * (down * (ptrdiff_t)tiles->across + across);
}

static void make_curves(const struct plane *plane, int slope, struct tiles *tiles)
{
    int width = plane->image->Xsize, height = plane->image->Ysize;
    for (int i = 0; i < tiles->across * tiles->down; i++) {
        unsigned counts[VALUES] = {0};
        gint64 across = i % tiles->across, down = i / tiles->across;
        int left = (int)(across * width / tiles->across), top = (int)(down * height / tiles->down);
        int right = (int)((across + 1) * width / tiles->across);
        int bottom = (int)((down + 1) * height / tiles->down);
        VipsRect tile = {left, top, right - left, bottom - top};
        count_values(plane, &tile, counts);
        make_curve(counts, (unsigned)(tile.width * tile.height), slope, curve_of(tiles, 0, i));
    }
}

static float on_curve(const float *at, float part)
{
    return at[0] + (at[1] - at[0]) * part;
}

static void equalise_row(const struct plane *plane, const struct tiles *tiles, int y)
{
    VipsPel *row = row_of(plane, y);
    struct place down = place_of(y, plane->image->Ysize, tiles->down);
    for (int x = 0; x < plane->image->Xsize; x++) {
        const struct place *at = &tiles->column[x];
        float is = sample(plane, row, x);
        int value = (int)is;
        float part = is - (float)value;
        float above = on_curve(curve_of(tiles, down.tile, at->tile) + value, part);
        float below = on_curve(curve_of(tiles, down.next, at->tile) + value, part);
        float after = on_curve(curve_of(tiles, down.tile, at->next) + value, part);
        float under = on_curve(curve_of(tiles, down.next, at->next) + value, part);
        above += (after - above) * at->weight;
        below += (under - below) * at->weight;
        put_sample(plane, row, x, above + (below - above) * down.weight);
    }
}

static void equalise(const struct plane *plane, int slope)
{
    int width = plane->image->Xsize, height = plane->image->Ysize;
    int side = VIPS_MAX(VIPS_MIN(width, height) / TILE_PART, TILE_MIN);
    if ((gint64)width * height < VALUES) /* too few pixels to say what is common there */
        return;
    CLEANUP(tiles_done)
    struct tiles tiles = {.across = count_tiles(width, side), .down = count_tiles(height, side)};
    tiles.curve = xcalloc((size_t)tiles.across * (size_t)tiles.down, CURVE * sizeof(*tiles.curve));
    tiles.column = xcalloc((size_t)width, sizeof(*tiles.column));
    for (int x = 0; x < width; x++)
        tiles.column[x] = place_of(x, width, tiles.across);
    make_curves(plane, slope, &tiles);
    for (int y = 0; y < height; y++)
        equalise_row(plane, &tiles, y);
}

/* ---- pictures ---- */

/* Into memory of our own, which is then written to. */
static int own(VipsImage **image)
{
    VipsImage *made = vips_image_copy_memory(*image);
    if (made == NULL)
        return -1;
    image_replace(image, made);
    return 0;
}

int clahe(VipsImage **image, int slope)
{
    if (own(image) < 0)
        return -1;
    struct plane light = {.image = *image,
                          .white = (*image)->Type == VIPS_INTERPRETATION_LABS
                                       ? LABS_WHITE
                                       : (float)image_white(*image),
                          .deep = (*image)->BandFmt != VIPS_FORMAT_UCHAR};
    equalise(&light, slope);
    return 0;
}
