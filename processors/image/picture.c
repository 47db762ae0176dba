#include "processors/image/picture.h"

int image_cast(VipsImage **image, VipsBandFormat format, bool shift, VipsInterpretation space)
{
    VipsImage *made = NULL;
    if (vips_cast(*image, &made, format, "shift", shift, NULL) < 0)
        return -1;
    image_replace(image, made);
    if (vips_copy(*image, &made, "interpretation", space, NULL) < 0)
        return -1;
    image_replace(image, made);
    return 0;
}
