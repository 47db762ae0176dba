/* What a video or a picture was and became, in a line each, as `batchctl show` says it. */
#ifndef BATCHD_CLIENT_SHOW_MEDIA_H
#define BATCHD_CLIENT_SHOW_MEDIA_H

#include "common/json.h"

/* `media` of a result (batchd-result(7)); may be NULL. */
void show_media(const json_t *media);

#endif
