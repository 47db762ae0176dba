/* SHA-256 by GLib. */
#ifndef BATCHD_PROCESSORS_IMAGE_DIGEST_H
#define BATCHD_PROCESSORS_IMAGE_DIGEST_H

struct digest;

extern const struct digest digest_glib;

#endif
