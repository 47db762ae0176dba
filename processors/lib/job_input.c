#include "processors/lib/job_input.h"

#include "common/alloc.h"
#include "common/cleanup.h"

#include <string.h>

void job_input_done(struct job_input *input)
{
    free(input->data);
    *input = (struct job_input){0};
}

/* The line that was taken makes room. */
static void drop_taken(struct job_input *input)
{
    if (input->taken > 0)
        memmove(input->data, input->data + input->taken, input->used - input->taken);
    input->used -= input->taken;
    input->taken = 0;
}

void job_input_read(struct job_input *input, int fd)
{
    const size_t room = JOB_INPUT_BYTES_MAX + 1;
    if (input->data == NULL)
        input->data = xmalloc(room);
    drop_taken(input);
    ssize_t got = read(fd, input->data + input->used, room - input->used);
    if (got > 0)
        input->used += (size_t)got;
    else if (got == 0)
        input->state = JOB_INPUT_END;
    else if (errno != EINTR && errno != EAGAIN)
        input->state = JOB_INPUT_FAILED;
}

bool job_input_take(struct job_input *input, const char **ret, size_t *ret_bytes)
{
    if (input->used == 0)
        return false;
    drop_taken(input);
    const char *end = memchr(input->data, '\n', input->used);
    if (end == NULL && input->used > JOB_INPUT_BYTES_MAX)
        input->state = JOB_INPUT_LONG;
    if (end == NULL && (input->state != JOB_INPUT_END || input->used == 0))
        return false;
    *ret = input->data;
    *ret_bytes = end == NULL ? input->used : (size_t)(end - input->data);
    input->taken = end == NULL ? input->used : *ret_bytes + 1;
    return true;
}

bool job_input_may_come(const struct job_input *input)
{
    return input->state == JOB_INPUT_OPEN;
}
