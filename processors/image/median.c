#include "processors/image/median.h"

#include "processors/image/picture.h"

static int least(int a, int b)
{
    return a < b ? a : b;
}

static int most(int a, int b)
{
    return a > b ? a : b;
}

static int middle(int a, int b, int c)
{
    return most(least(a, b), least(most(a, b), c));
}

/* The middle of nine is the middle of three: of the columns' least the greatest, of their middles
 * the middle, of their greatest the least. The other six cannot be: each has at least five of the
 * nine on one side of it. */
static int median_of_columns(const int (*column)[3])
{
    int low = 0;
    int high = G_MAXINT;
    int mid[3];
    for (int i = 0; i < 3; i++) {
        const int *at = column[i];
        low = most(low, least(at[0], least(at[1], at[2])));
        high = least(high, most(at[0], most(at[1], at[2])));
        mid[i] = middle(at[0], at[1], at[2]);
    }
    return middle(low, middle(mid[0], mid[1], mid[2]), high);
}

static inline int sample(const VipsPel *row, int at, gboolean deep)
{
    return deep ? ((const guint16 *)row)[at] : row[at];
}

/* A row of `count` samples from the three above, at and below it, which begin a pixel earlier. */
static inline void make_row(const VipsPel *const rows[3], VipsPel *made, int count, int bands,
                            gboolean deep)
{
    for (int at = 0; at < count; at++) {
        int column[3][3];
        for (int x = 0; x < 3; x++) {
            for (int y = 0; y < 3; y++)
                column[x][y] = sample(rows[y], at + x * bands, deep);
        }
        int value = median_of_columns((const int(*)[3])column);
        if (deep)
            ((guint16 *)made)[at] = (guint16)value;
        else
            made[at] = (VipsPel)value;
    }
}

/* Where a row begins that lies whole in the region. */
static VipsPel *row_at(const VipsRegion *region, int left, int top)
{
    size_t pixel = VIPS_IMAGE_SIZEOF_ELEMENT(region->im) * (size_t)region->im->Bands;
    return region->data + (size_t)(top - region->valid.top) * (size_t)region->bpl +
           (size_t)(left - region->valid.left) * pixel;
}

/* vips's call for a part of the picture; `from` is a region of the one with a margin of a pixel.
 * NOLINTNEXTLINE(readability-non-const-parameter): the type is vips's */
static int make_part(VipsRegion *to, void *from, void *image, void *unused, gboolean *stop)
{
    VipsRegion *wide = from;
    VipsRect need = to->valid;
    int bands = to->im->Bands;
    (void)image, (void)unused, (void)stop;
    need.width += 2;
    need.height += 2;
    if (vips_region_prepare(wide, &need) < 0)
        return -1;
    for (int y = 0; y < to->valid.height; y++) {
        const VipsPel *rows[3];
        for (int i = 0; i < 3; i++)
            rows[i] = row_at(wide, need.left, need.top + y + i);
        VipsPel *made = row_at(to, to->valid.left, to->valid.top + y);
        if (to->im->BandFmt == VIPS_FORMAT_USHORT)
            make_row(rows, made, to->valid.width * bands, bands, TRUE);
        else
            make_row(rows, made, to->valid.width * bands, bands, FALSE);
    }
    return 0;
}

int median_3x3(VipsImage **image)
{
    VipsImage *wide = NULL;
    CLEANUP_IMAGE VipsImage *made = vips_image_new();
    if (vips_embed(*image, &wide, 1, 1, (*image)->Xsize + 2, (*image)->Ysize + 2, "extend",
                   VIPS_EXTEND_COPY, NULL) < 0)
        return -1;
    vips_object_local(made, wide); /* which it now owns */
    if (vips_image_pipelinev(made, VIPS_DEMAND_STYLE_FATSTRIP, wide, NULL) < 0)
        return -1;
    made->Xsize = (*image)->Xsize;
    made->Ysize = (*image)->Ysize;
    if (vips_image_generate(made, vips_start_one, make_part, vips_stop_one, wide, NULL) < 0)
        return -1;
    image_replace(image, TAKE_PTR(made));
    return 0;
}
