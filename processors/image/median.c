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

/* C. A. R. Hoare's FIND: parts the values until the middle one is in its place. */
static int middle_of(int *value, int count)
{
    int want = count / 2;
    for (int low = 0, high = count - 1; low < high;) {
        int pivot = value[want], i = low, j = high;
        while (i <= j) {
            while (value[i] < pivot)
                i++;
            while (value[j] > pivot)
                j--;
            if (i <= j) {
                int kept = value[i];
                value[i++] = value[j];
                value[j--] = kept;
            }
        }
        low = j < want ? i : low;
        high = want < i ? j : high;
    }
    return value[want];
}

#define SIDE_MAX (2 * MEDIAN_RADIUS_MAX + 1)

/* What the samples of a row are made from: the rows around it, which begin `radius` pixels earlier.
 */
struct window {
    const VipsPel *rows[SIDE_MAX];
    int side;
    int bands;
};

static inline int sample(const VipsPel *row, int at, gboolean deep)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): make_part sets each of the window's */
    return deep ? ((const guint16 *)row)[at] : row[at];
}

static inline int median_at(const struct window *window, int at, gboolean deep)
{
    int value[SIDE_MAX * SIDE_MAX] = {0};
    for (int x = 0; x < window->side; x++) {
        for (int y = 0; y < window->side; y++)
            value[x * window->side + y] = sample(window->rows[y], at + x * window->bands, deep);
    }
    return middle_of(value, window->side * window->side);
}

/* The same for 3 x 3, where all that is known beforehand makes it fast. */
static inline int median_3x3_at(const struct window *window, int at, gboolean deep)
{
    int column[3][3];
    for (int x = 0; x < 3; x++) {
        for (int y = 0; y < 3; y++)
            column[x][y] = sample(window->rows[y], at + x * window->bands, deep);
    }
    return median_of_columns((const int(*)[3])column);
}

static inline void make_row(const struct window *window, VipsPel *made, int count, gboolean deep)
{
    for (int at = 0; at < count; at++) {
        int value =
            window->side == 3 ? median_3x3_at(window, at, deep) : median_at(window, at, deep);
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

/* vips's call for a part of the picture; `from` is a region of the one with a margin.
 * NOLINTNEXTLINE(readability-non-const-parameter): the type is vips's */
static int make_part(VipsRegion *to, void *from, void *image, void *radius, gboolean *stop)
{
    VipsRegion *wide = from;
    VipsRect need = to->valid;
    struct window window = {.side = 2 * GPOINTER_TO_INT(radius) + 1, .bands = to->im->Bands};
    (void)image, (void)stop;
    need.width += window.side - 1;
    need.height += window.side - 1;
    if (vips_region_prepare(wide, &need) < 0)
        return -1;
    for (int y = 0; y < to->valid.height; y++) {
        for (int i = 0; i < window.side; i++)
            window.rows[i] = row_at(wide, need.left, need.top + y + i);
        VipsPel *made = row_at(to, to->valid.left, to->valid.top + y);
        if (to->im->BandFmt == VIPS_FORMAT_USHORT)
            make_row(&window, made, to->valid.width * window.bands, TRUE);
        else
            make_row(&window, made, to->valid.width * window.bands, FALSE);
    }
    return 0;
}

int median(VipsImage **image, int radius)
{
    VipsImage *wide = NULL;
    CLEANUP_IMAGE VipsImage *made = vips_image_new();
    if (vips_embed(*image, &wide, radius, radius, (*image)->Xsize + 2 * radius,
                   (*image)->Ysize + 2 * radius, "extend", VIPS_EXTEND_COPY, NULL) < 0)
        return -1;
    vips_object_local(made, wide); /* which it now owns */
    if (vips_image_pipelinev(made, VIPS_DEMAND_STYLE_FATSTRIP, wide, NULL) < 0)
        return -1;
    made->Xsize = (*image)->Xsize;
    made->Ysize = (*image)->Ysize;
    if (vips_image_generate(made, vips_start_one, make_part, vips_stop_one, wide,
                            GINT_TO_POINTER(radius)) < 0)
        return -1;
    image_replace(image, TAKE_PTR(made));
    return 0;
}
