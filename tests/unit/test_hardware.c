/* An encoder is used only if a picture went through it here: the probe with encoders in software in
 * the place of those of a GPU says yes, with others no and why. */
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "processors/media/card.h"
#include "processors/media/encoder_probe.h"
#include "processors/media/gpu_encoder.h"
#include "processors/media/hardware.h"
#include "processors/media/media_log.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

static struct encoder_settings settings_of(const char *codec, const char *library)
{
    return (struct encoder_settings){.codec = codec,
                                     .library = library,
                                     .preset = "ultrafast",
                                     .crf = 30,
                                     .threads = 1,
                                     .width = 322,
                                     .height = 180,
                                     .format = AV_PIX_FMT_YUV420P,
                                     .time_base = {1, 24},
                                     .rate = {24, 1},
                                     .pixel_aspect = {1, 1},
                                     .primaries = AVCOL_PRI_UNSPECIFIED,
                                     .transfer = AVCOL_TRC_UNSPECIFIED,
                                     .space = AVCOL_SPC_UNSPECIFIED};
}

static const struct {
    const char *codec, *library;
    enum AVPixelFormat format;
} good[] = {{"h264", "libx264", AV_PIX_FMT_YUV420P},
            {"h264", "libx264", AV_PIX_FMT_NV12},
            {"h264", "libx264", AV_PIX_FMT_YUV420P10},
            {"vp9", "libvpx-vp9", AV_PIX_FMT_YUV420P}};

START_TEST(one_that_works_is_proven)
{
    struct error err = {0};
    struct encoder_settings settings = settings_of(good[_i].codec, good[_i].library);
    settings.format = good[_i].format;
    ck_assert_msg(encoder_probe(&settings, &err) == 0, "%s", err.text);
}
END_TEST

/* Its pictures are black and white. */
START_TEST(another_picture_is_refused)
{
    struct error err = {0};
    struct encoder_settings settings = settings_of("h264", "xbm");
    settings.format = AV_PIX_FMT_MONOWHITE;
    ck_assert_int_eq(encoder_probe(&settings, &err), -1);
    ck_assert_str_eq(err.text, "what it encodes is another picture");
}
END_TEST

START_TEST(one_that_does_not_open_is_refused_in_its_own_words)
{
    struct error err = {0};
    struct encoder_settings settings = settings_of("h264", "h261"); /* of 352x288 and 176x144 */
    ck_assert_int_eq(encoder_probe(&settings, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "it does not open: "));
    ck_assert_ptr_nonnull(strstr(err.text, "322x180"));
}
END_TEST

START_TEST(a_name_that_ffmpeg_lacks_is_refused)
{
    struct error err = {0};
    const struct encoder_settings settings = settings_of("h264", "h264_nothing");
    ck_assert_int_eq(encoder_probe(&settings, &err), -1);
    ck_assert_int_eq(err.code, ERROR_NOT_FOUND);
}
END_TEST

START_TEST(the_first_that_works_is_taken)
{
    static const char *const candidates[] = {"h264_nothing", "h261", "libx264", "mpeg4", NULL};
    struct encoder_settings settings = settings_of("h264", NULL);
    CLEANUP_JSON json_t *refused = json_array();
    bool busy = false;
    ck_assert(hardware_prove(candidates, &settings, refused, &busy));
    ck_assert_str_eq(settings.library, "libx264");
    ck_assert_uint_eq(json_array_size(refused), 2);
    const json_t *second = json_array_get(refused, 1);
    ck_assert_str_eq(json_string_value(json_object_get(second, "encoder")), "h261");
    ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(second, "why")), "322x180"));
    ck_assert(!busy);
}
END_TEST

START_TEST(where_none_works_the_settings_stay)
{
    static const char *const candidates[] = {"h264_nothing", "h261", NULL};
    struct encoder_settings settings = settings_of("h264", NULL);
    CLEANUP_JSON json_t *refused = json_array();
    bool busy = false;
    ck_assert(!hardware_prove(candidates, &settings, refused, &busy));
    ck_assert_ptr_null(settings.library);
    ck_assert_int_eq(settings.format, AV_PIX_FMT_YUV420P);
    ck_assert_str_eq(encoder_name(&settings), "libx264");
}
END_TEST

START_TEST(never_tries_none)
{
    struct encoder_settings settings = settings_of("h264", NULL);
    struct error err = {0};
    CLEANUP_JSON json_t *facts = NULL;
    ck_assert_int_eq(hardware_choose("never", &settings, &facts, &err), 0);
    ck_assert_uint_eq(json_array_size(json_object_get(facts, "refused")), 0);
    ck_assert(json_is_false(json_object_get(facts, "used")));
    ck_assert_str_eq(encoder_name(&settings), "libx264");
}
END_TEST

/* 0 is their default, some 20, and not the best. */
START_TEST(the_best_quality_of_vaapi_is_not_its_default)
{
    static const char *const names[] = {"h264_vaapi", "hevc_vaapi", "vp9_vaapi"};
    static const int crfs[][2] = {{0, 1}, {1, 1}, {23, 23}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (size_t k = 0; k < sizeof(crfs) / sizeof(crfs[0]); k++) {
            const bool wide = strcmp(names[i], "vp9_vaapi") == 0;
            AVCodecContext *context =
                avcodec_alloc_context3(avcodec_find_encoder_by_name(names[i]));
            ck_assert_ptr_nonnull(context->priv_data);
            context->pix_fmt = AV_PIX_FMT_NV12;
            (void)gpu_encoder_set(context, "medium", crfs[k][0]); /* there may be no device */
            ck_assert_int_eq(context->global_quality,
                             crfs[k][0] == 0 ? 1 : crfs[k][1] * (wide ? 4 : 1));
            avcodec_free_context(&context);
        }
    }
}
END_TEST

/* The kernel's files as they are on machines that have a GPU. */
static const char machines[] =
    "set -e; mkdir -p nvidia/proc/driver/nvidia/gpus/0000:01:00.0 drm/drivers/amdgpu/module\n"
    "mkdir -p nvidia/proc/driver/nvidia/gpus/0000:21:00.0 drm/sys/class/drm/renderD128/device none\n"
    "printf 'NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19\\nGCC version:"
    " 12\\n' >nvidia/proc/driver/nvidia/version\n"
    "cd nvidia/proc/driver/nvidia/gpus\n"
    "printf 'Model: \\t\\t NVIDIA T4\\nIRQ: 3\\n' >0000:01:00.0/information\n"
    "printf 'Model: \\t\\t NVIDIA L4\\n' >0000:21:00.0/information\n"
    "cd ../../../../../drm/sys/class/drm/renderD128/device\n"
    "echo 0x1002 >vendor; echo 0x744c >device; echo 0xc8 >revision\n"
    "ln -s ../../../../../drivers/amdgpu driver; echo 6.3.6 >driver/module/version\n";

START_TEST(the_card_and_its_driver_are_told)
{
    static const char *const told[][2] = {
        {"nvidia",
         "NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19; NVIDIA T4; NVIDIA L4; "},
        {"drm", "amdgpu 0x1002:0x744c.0xc8 6.3.6; "},
        {"none", ""}};
    char folder[] = "/tmp/batchd-card-XXXXXX";
    struct utsname kernel;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    CLEANUP_FREE char *make = xasprintf("cd %s\n%s", folder, machines);
    CLEANUP_FREE char *remove = xasprintf("rm -r %s", folder);
    ck_assert_int_eq(system(make), 0); /* NOLINT(cert-env33-c): a path of ours */
    ck_assert_int_eq(uname(&kernel), 0);
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
        CLEANUP_FREE char *root = xasprintf("%s/%s", folder, told[i][0]);
        CLEANUP_FREE char *is = card_of_kernel(root);
        CLEANUP_FREE char *expected =
            xasprintf("%s%s", told[i][1], told[i][1][0] == '\0' ? "" : kernel.release);
        ck_assert_str_eq(is, expected);
    }
    ck_assert_int_eq(system(remove), 0); /* NOLINT(cert-env33-c): a path of ours */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hardware");
    TCase *tests = tcase_create("all");
    media_log_init();
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, one_that_works_is_proven, 0, (int)(sizeof(good) / sizeof(good[0])));
    tcase_add_test(tests, another_picture_is_refused);
    tcase_add_test(tests, one_that_does_not_open_is_refused_in_its_own_words);
    tcase_add_test(tests, a_name_that_ffmpeg_lacks_is_refused);
    tcase_add_test(tests, the_first_that_works_is_taken);
    tcase_add_test(tests, where_none_works_the_settings_stay);
    tcase_add_test(tests, never_tries_none);
    tcase_add_test(tests, the_best_quality_of_vaapi_is_not_its_default);
    tcase_add_test(tests, the_card_and_its_driver_are_told);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
