/* GLib ends a program by a signal when it gets no memory; here it is our end (alloc.h). */
#ifndef BATCHD_COMMON_GLIB_MEMORY_H
#define BATCHD_COMMON_GLIB_MEMORY_H

/* To be called once, before GLib is used. */
void glib_must_have_memory(void);

/* To be called before GLib is asked for something that it needs memory for. GLib formats what it
 * has to say of a failed allocation in memory of its own and would call itself for ever when there
 * is none: so the want of it is found here, by us. */
void glib_needs_memory(void);

#endif
