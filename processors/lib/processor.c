#include "processors/lib/processor.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "processors/lib/manifest.h"
#include "processors/lib/pattern.h"
#include "processors/lib/preview.h"
#include "processors/lib/report.h"
#include "processors/lib/request.h"
#include "processors/lib/sandbox.h"
#include "processors/lib/serve.h"
#include "processors/lib/served_job.h"
#include "processors/lib/staging.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define RESULT_SCHEMA 1
#define SETTING_BYTES_MAX ((size_t)4096)
#define UTF8_BYTES_MAX 4

int processor_exit_code(const struct error *err)
{
    switch (err->code) {
    case ERROR_INVALID:
        return EX_USAGE;
    case ERROR_DAMAGED:
    case ERROR_LIMIT:
        return EX_DATAERR;
    case ERROR_NOT_FOUND:
    case ERROR_DENIED:
        return EX_NOINPUT;
    case ERROR_CONFLICT:
        return EX_CANTCREAT;
    case ERROR_IO:
        return EX_IOERR;
    case ERROR_BUSY:
    case ERROR_DRAINING:
        return EX_TEMPFAIL;
    case ERROR_NONE:
    case ERROR_UNREACHABLE:
    case ERROR_PROTOCOL:
    case ERROR_INTERNAL:
    case ERROR_CODE_COUNT:
        break;
    }
    return EX_SOFTWARE;
}

/* One line: whatever a library put into the text, control characters do not reach the terminal. */
static int fail(const struct processor *processor, struct error *err)
{
    for (char *c = err->text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
    }
    (void)fprintf(stderr, "%s: %s\n", processor->name, err->text);
    return processor_exit_code(err);
}

/* How many bytes the character has that begins there; 0: it is none of UTF-8. */
static size_t character_bytes(const char *text)
{
    for (size_t bytes = 1; bytes <= UTF8_BYTES_MAX && text[bytes - 1] != '\0'; bytes++) {
        CLEANUP_JSON json_t *one = json_stringn(text, bytes);
        if (one != NULL)
            return bytes;
    }
    return 0;
}

json_t *processor_error(const struct error *err)
{
    CLEANUP_FREE char *text = xstrdup(err->text);
    json_t *error = json_object();
    for (char *c = text; *c != '\0';) { /* a file's name, or a character that was cut through */
        const size_t bytes = character_bytes(c);
        *c = bytes == 0 ? '?' : *c;
        c += bytes == 0 ? 1 : bytes;
    }
    json_put_text(error, "message", text);
    json_put_text(error, "field", err->field[0] == '\0' ? NULL : err->field);
    json_put_int(error, "exit_code", processor_exit_code(err));
    return error;
}

/* The members that every result has. */
static void name_result(const struct processor *processor, json_t *result)
{
    json_put_int(result, "schema", RESULT_SCHEMA);
    json_put_text(result, "processor", processor->name);
    json_put_text(result, "version", processor->version);
}

/* The parameters as they were used. A long list stands as its number: batchd keeps 64 KiB of what a
 * job tells, and the names of its files are in inputs. */
static json_t *view_settings(const struct request *request)
{
    json_t *settings = json_object();
    const char *name;
    json_t *value;
    json_object_foreach(request->params, name, value) {
        bool is_long =
            json_is_array(value) && json_dumpb(value, NULL, 0, JSON_COMPACT) > SETTING_BYTES_MAX;
        json_put(settings, name,
                 is_long ? json_pack("{sI}", "count", (json_int_t)json_array_size(value))
                         : json_incref(value));
    }
    return settings;
}

static void complete_result(const struct processor *processor, const struct request *request,
                            json_t *result, int64_t elapsed_us)
{
    name_result(processor, result);
    if (processor->add_versions != NULL) {
        json_t *versions = json_object();
        processor->add_versions(versions);
        json_put(result, "versions", versions);
    }
    json_put(result, "settings", view_settings(request));
    json_put_int(result, "elapsed_us", elapsed_us);
    if (json_object_get(result, "partial") == NULL)
        json_put(result, "partial", json_false());
}

json_t *processor_failure(const struct processor *processor, json_t *done, const struct error *err)
{
    json_t *result = done == NULL ? json_object() : json_incref(done);
    json_put(result, "error", processor_error(err));
    name_result(processor, result);
    return result;
}

/* The reason also goes where the result would have gone, so that it is kept with the job; beside
 * what was done, if the processor tells of that. */
static void report_failure(const struct processor *processor, json_t *done, const struct error *err)
{
    struct error ignored;
    CLEANUP_JSON json_t *result = processor_failure(processor, done, err);
    if (done == NULL)
        report_error(result);
    else
        (void)report_result(result, &ignored);
}

static int print_manifest(const struct processor *processor)
{
    struct error err = {0};
    CLEANUP_FREE char *text = own_manifest_text(&err);
    if (text == NULL)
        return fail(processor, &err);
    return fputs(text, stdout) < 0 || fflush(stdout) != 0 ? EX_IOERR : EX_OK;
}

static void end_request(struct request *request)
{
    pattern_done(request);
    request_done(request);
}

static int run_job(const struct processor *processor, const struct processor_prepared *prepared,
                   json_t **ret_result, struct error *err)
{
    int64_t start = clock_monotonic_us();
    CLEANUP(end_request) struct request request = {0};
    if (request_read(STDIN_FILENO, prepared->manifest, &request, err) < 0)
        return -1;
    pattern_read(&request);
    staging_prepare(&request);
    preview_begin();
    const bool gpu = processor->uses_gpu != NULL && processor->uses_gpu(&request);
    CLEANUP_JSON json_t *held = sandbox_enter(&prepared->sandbox, &request, gpu);
    int failed = processor->run(&request, ret_result, err);
    if (*ret_result != NULL) {
        json_put(*ret_result, "sandbox", TAKE_PTR(held));
        complete_result(processor, &request, *ret_result, clock_monotonic_us() - start);
    }
    return failed;
}

static int usage(const struct processor *processor)
{
    (void)fprintf(
        stderr,
        "%s: takes no arguments but --version, --manifest and --serve; the job is one JSON line on "
        "stdin, {\"params\":{...},\"cwd\":\"/absolute\"}; with --serve each line is one\n",
        processor->name);
    return EX_USAGE;
}

static int do_job(const struct processor *processor, const struct processor_prepared *prepared)
{
    struct error err = {0};
    CLEANUP_JSON json_t *result = NULL;
    if (report_init(&err) < 0 || run_job(processor, prepared, &result, &err) < 0 ||
        report_result(result, &err) < 0) {
        staging_discard();
        int code = fail(processor, &err);
        report_failure(processor, result, &err);
        return code;
    }
    return EX_OK;
}

int processor_job(const struct processor *processor, const struct processor_prepared *prepared)
{
    int code = do_job(processor, prepared);
    staging_end();
    return code;
}

static void prepared_done(struct processor_prepared *prepared)
{
    sandbox_done(&prepared->sandbox);
    json_decref(prepared->manifest);
}

/* What each job would make anew. */
static int serve_all(const struct processor *processor, struct processor_prepared *prepared)
{
    const struct served_calls calls = {processor, prepared, processor_job, processor_failure};
    struct error ignored = {0}; /* each job says it */
    prepared->manifest = own_manifest_load(&ignored);
    if (processor->prepare != NULL)
        processor->prepare();
    /* What was freed would be copied with every process: as a whole, or where an allocation there
     * puts together the small pieces that were kept for later (fastbins). */
    (void)mallopt(M_MXFAST, 0);
    (void)malloc_trim(0);
    return serve(&calls);
}

int processor_main(int argc, char **argv, const struct processor *processor)
{
    CLEANUP(prepared_done) struct processor_prepared prepared = {0};
    bool serves = argc == 2 && strcmp(argv[1], "--serve") == 0;
    if (argc > 2)
        return usage(processor);
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return printf("%s %s\n", processor->name, processor->version) < 0 ? EX_IOERR : EX_OK;
    if (argc == 2 && strcmp(argv[1], "--manifest") == 0)
        return print_manifest(processor);
    if (argc == 2 && !serves)
        return usage(processor);
    /* A reader that is gone and a file size limit show as errors of write, not as a death. */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    staging_catch_signals();
    sandbox_prepare(&prepared.sandbox);
    return serves ? serve_all(processor, &prepared) : processor_job(processor, &prepared);
}
