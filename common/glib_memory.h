/* GLib ends a program by a signal when it gets no memory; here it is our end (alloc.h). When there
 * is not enough to say even that, it is still a signal: GLib's way to say it wants memory too. */
#ifndef BATCHD_COMMON_GLIB_MEMORY_H
#define BATCHD_COMMON_GLIB_MEMORY_H

/* To be called once, before GLib is used. */
void glib_must_have_memory(void);

#endif
