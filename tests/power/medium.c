/* Rules of what may be lost:
 *   - a write that was not synced since may be there, in part (pieces of 512 or 4096 bytes), or not
 * at all, whatever became of those before and after it; bytes outside of it are untouched
 *   - a file may be as long as it was at its last sync, or longer: with what was written, with
 * zeros or with rubbish where data did not arrive, or cut short anywhere in between
 *   - a truncation may have happened or not
 *   - names (a new file, a removed one) come in their order up to some point; before the folder was
 *     synced none need be there */
#include "tests/power/medium.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/queue.h>

struct bytes {
    uint8_t *data;
    size_t used, room;
};

/* A write or a truncation since the last sync. */
struct change {
    uint64_t offset;
    const uint8_t *data; /* NULL: a truncation */
    size_t bytes;
};

struct file {
    SLIST_ENTRY(file) next;
    uint64_t number;
    struct bytes synced;
    struct change *changes;
    size_t count, room;
};

#define NAMES_MAX 8U
#define NAME_BYTES 32U

struct name {
    char text[NAME_BYTES];
    struct file *file; /* NULL: no such file */
};

struct medium {
    SLIST_HEAD(, file) files; /* the newest of a number first */
    struct name names[NAMES_MAX];
    struct name changed[NAMES_MAX * 4]; /* since the folder's last sync, in order */
    size_t name_count, changed_count;
};

uint64_t medium_random(uint64_t *seed, uint64_t limit)
{
    uint64_t mixed = (*seed += UINT64_C(0x9e3779b97f4a7c15)); /* splitmix64 */
    mixed = (mixed ^ mixed >> 30U) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27U) * UINT64_C(0x94d049bb133111eb);
    return (mixed ^ mixed >> 31U) % limit;
}

struct medium *medium_new(void)
{
    return xcalloc(1, sizeof(struct medium));
}

void medium_free(struct medium *medium)
{
    while (medium != NULL && !SLIST_EMPTY(&medium->files)) {
        struct file *file = SLIST_FIRST(&medium->files);
        SLIST_REMOVE_HEAD(&medium->files, next);
        free(file->synced.data);
        free(file->changes);
        free(file);
    }
    free(medium);
}

/* ---- bytes of a file ---- */

static void set_size(struct bytes *bytes, size_t size)
{
    if (size > bytes->room) {
        bytes->room = size * 2;
        bytes->data = xreallocarray(bytes->data, bytes->room, 1);
    }
    if (size > bytes->used)
        memset(bytes->data + bytes->used, 0, size - bytes->used);
    bytes->used = size;
}

static void put(struct bytes *bytes, uint64_t offset, const uint8_t *data, size_t count)
{
    if (offset + count > bytes->used)
        set_size(bytes, offset + count);
    memcpy(bytes->data + offset, data, count);
}

/* ---- the record ---- */

static struct file *find(const struct medium *medium, uint64_t number)
{
    struct file *file = SLIST_FIRST(&medium->files);
    while (file != NULL && file->number != number)
        file = SLIST_NEXT(file, next);
    return file;
}

static void change(struct medium *medium, const struct trace_head *head, const uint8_t *data)
{
    struct file *file = find(medium, head->file);
    if (file == NULL)
        abort();
    if (file->count == file->room) {
        file->room = file->room * 2 + 16;
        file->changes = xreallocarray(file->changes, file->room, sizeof(*file->changes));
    }
    file->changes[file->count++] =
        (struct change){.offset = head->offset, .data = data, .bytes = head->bytes};
}

static void sync_file(struct file *file)
{
    for (size_t i = 0; file != NULL && i < file->count; i++) {
        const struct change *done = &file->changes[i];
        if (done->data == NULL)
            set_size(&file->synced, done->offset);
        else
            put(&file->synced, done->offset, done->data, done->bytes);
    }
    if (file != NULL)
        file->count = 0;
}

static void set_name(struct name *names, size_t *count, const struct name *name)
{
    size_t at = 0;
    while (at < *count && strcmp(names[at].text, name->text) != 0)
        at++;
    if (at == NAMES_MAX)
        abort();
    *count += at == *count;
    names[at] = *name;
}

static void change_name(struct medium *medium, const struct trace_head *head, const uint8_t *data)
{
    struct name name = {.file = NULL};
    if (head->bytes >= NAME_BYTES || medium->changed_count == NAMES_MAX * 4)
        abort();
    memcpy(name.text, data, head->bytes);
    if (head->kind == TRACE_CREATE) {
        name.file = xcalloc(1, sizeof(*name.file));
        name.file->number = head->file;
        SLIST_INSERT_HEAD(&medium->files, name.file, next);
    }
    medium->changed[medium->changed_count++] = name;
}

void medium_apply(struct medium *medium, const struct trace_head *head, const uint8_t *data)
{
    switch ((enum trace_kind)head->kind) {
    case TRACE_CREATE:
    case TRACE_UNLINK:
        change_name(medium, head, data);
        break;
    case TRACE_WRITE:
        change(medium, head, data);
        break;
    case TRACE_TRUNCATE:
        change(medium, head, NULL);
        break;
    case TRACE_SYNC:
        sync_file(find(medium, head->file));
        break;
    case TRACE_FOLDER:
        for (size_t i = 0; i < medium->changed_count; i++)
            set_name(medium->names, &medium->name_count, &medium->changed[i]);
        medium->changed_count = 0;
        break;
    case TRACE_SEND:
    case TRACE_CLOSED:
    case TRACE_BEGIN:
        break;
    }
}

/* ---- an image ---- */

enum style { STYLE_NOTHING, STYLE_ALL, STYLE_FIRST, STYLE_LAST, STYLE_SOME, STYLE_COUNT };
static const char *const style_words[STYLE_COUNT] = {[STYLE_NOTHING] =
                                                         "nothing that was not synced",
                                                     [STYLE_ALL] = "all",
                                                     [STYLE_FIRST] = "the first",
                                                     [STYLE_LAST] = "the last",
                                                     [STYLE_SOME] = "some"};

struct choice {
    uint64_t seed;
    enum style style;
    uint64_t per_mille; /* STYLE_SOME: how many pieces are kept */
    size_t piece;       /* bytes that are written whole: 512, 4096, or a whole write */
    size_t cut;         /* STYLE_FIRST, STYLE_LAST: the change at which it begins or ends */
    struct medium_losses *losses;
};

static bool keeps(struct choice *choice, size_t at)
{
    switch (choice->style) {
    case STYLE_NOTHING:
        return false;
    case STYLE_ALL:
        return true;
    case STYLE_FIRST:
        return at < choice->cut || (at == choice->cut && medium_random(&choice->seed, 2) == 0);
    case STYLE_LAST:
        return at > choice->cut || (at == choice->cut && medium_random(&choice->seed, 2) == 0);
    case STYLE_SOME:
    case STYLE_COUNT:
        break;
    }
    return medium_random(&choice->seed, 1000) < choice->per_mille;
}

static void put_pieces(struct choice *choice, const struct change *change, size_t at,
                       struct bytes *ret)
{
    for (size_t done = 0; done < change->bytes;) {
        size_t bytes = change->bytes - done;
        if (choice->piece > 0) { /* pieces lie at multiples of their size in the file */
            size_t room = choice->piece - (change->offset + done) % choice->piece;
            bytes = bytes < room ? bytes : room;
        }
        choice->losses->pieces++;
        if (keeps(choice, at))
            put(ret, change->offset + done, change->data + done, bytes);
        else
            choice->losses->lost++;
        done += bytes;
    }
}

/* What was added since the last sync may be there as a length only, or not as long. */
static void vary_size(struct choice *choice, const struct file *file, struct bytes *ret)
{
    size_t longest = ret->used;
    for (size_t i = 0; i < file->count; i++) {
        size_t end = file->changes[i].offset + file->changes[i].bytes;
        longest = file->changes[i].data != NULL && end > longest ? end : longest;
    }
    switch (medium_random(&choice->seed, 6)) {
    case 0: /* the length arrived, the data did not */
        set_size(ret, longest);
        break;
    case 1: /* and what lay there before shows */
        for (size_t at = ret->used; at < longest; at++) {
            const uint8_t rubbish = (uint8_t)medium_random(&choice->seed, 256);
            put(ret, at, &rubbish, 1);
        }
        break;
    case 2: /* some of the data arrived, and not the length */
        if (ret->used > file->synced.used && choice->style != STYLE_ALL)
            set_size(ret, file->synced.used +
                              medium_random(&choice->seed, ret->used - file->synced.used));
        break;
    default:
        break;
    }
}

static void choose_file(struct choice *choice, const struct file *file)
{
    static const size_t pieces[] = {512, 512, 4096, 0};
    choice->style = (enum style)medium_random(&choice->seed, STYLE_COUNT * 2);
    if (choice->style >= STYLE_COUNT) /* the most telling one is taken more often */
        choice->style = STYLE_SOME;
    static const uint64_t shares[] = {20, 200, 500, 800, 980};
    choice->per_mille = shares[medium_random(&choice->seed, 5)];
    choice->piece = pieces[medium_random(&choice->seed, 4)];
    choice->cut = file->count == 0 ? 0 : medium_random(&choice->seed, file->count);
}

static int write_file(struct choice *choice, const struct file *file, const char *path)
{
    struct bytes bytes = {.data = NULL};
    choose_file(choice, file);
    if (file->count > 0)
        choice->losses->style = style_words[choice->style];
    put(&bytes, 0, file->synced.used > 0 ? file->synced.data : (const uint8_t *)"",
        file->synced.used);
    for (size_t i = 0; i < file->count; i++) {
        const struct change *change = &file->changes[i];
        if (change->data != NULL)
            put_pieces(choice, change, i, &bytes);
        else if (keeps(choice, i))
            set_size(&bytes, change->offset);
    }
    if (choice->style != STYLE_NOTHING && choice->style != STYLE_ALL)
        vary_size(choice, file, &bytes);
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int result = fd < 0 ? -1 : fd_write_all(fd, bytes.data, bytes.used);
    free(bytes.data);
    return result;
}

int medium_image(struct medium *medium, uint64_t seed, const char *folder,
                 struct medium_losses *ret)
{
    struct choice choice = {.seed = seed, .losses = ret};
    struct name names[NAMES_MAX];
    size_t count = medium->name_count;
    *ret = (struct medium_losses){.style = "none"};
    memcpy(names, medium->names, sizeof(names));
    size_t arrived = medium_random(&choice.seed, medium->changed_count + 1);
    for (size_t i = 0; i < arrived; i++)
        set_name(names, &count, &medium->changed[i]);
    for (size_t i = 0; i < count; i++) {
        CLEANUP_FREE char *path = xasprintf("%s/%s", folder, names[i].text);
        if (names[i].file != NULL && write_file(&choice, names[i].file, path) < 0)
            return -1;
    }
    return 0;
}
