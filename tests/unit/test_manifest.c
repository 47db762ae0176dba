/* The one checker of processors' manifests and of the parameters of a job. */
#include "common/cleanup.h"
#include "common/manifest.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "{\"name\":\"demo\",\"version\":\"1\",\"summary\":\"s\",\"exec\":\"run\",\"params\":["

static const char demo[] = HEAD
    "{\"name\":\"input\",\"type\":\"path\",\"required\":true},"
    "{\"name\":\"list\",\"type\":\"paths\",\"access\":\"write\"},"
    "{\"name\":\"crf\",\"type\":\"int\",\"min\":0,\"max\":51,\"default\":23},"
    "{\"name\":\"width\",\"type\":\"int\",\"min\":16},"
    "{\"name\":\"ratio\",\"type\":\"number\",\"max\":1.5},"
    "{\"name\":\"fast\",\"type\":\"bool\",\"default\":false},"
    "{\"name\":\"mode\",\"type\":\"string\",\"enum\":[\"slow\",\"medium\"],\"default\":\"slow\"},"
    "{\"name\":\"sums\",\"type\":\"words\",\"enum\":[\"psnr\",\"ssim\"]},"
    "{\"name\":\"note\",\"type\":\"string\"}]}";

static const struct {
    const char *values, *field, *text;
} refusals[] = {
    {"{}", "params.input", "params.input is missing; it is required"},
    {"{\"inptu\":\"a\"}", "params.inptu",
     "params.inptu is no parameter of demo; did you mean input?"},
    {"{\"input\":\"a\",\"zzzzzz\":1}", "params.zzzzzz",
     "params.zzzzzz is no parameter of demo; batchctl processors show demo"},
    {"{\"input\":\"\"}", "params.input",
     "params.input is \"\"; it must be a path of 1 to 2047 bytes"},
    {"{\"input\":\"a\\u0000b\"}", "params.input",
     "params.input is \"a\\u0000b\"; it must be a path of 1 to 2047 bytes"},
    {"{\"input\":7}", "params.input", "params.input is 7; it must be a path of 1 to 2047 bytes"},
    {"{\"input\":\"a\",\"list\":[]}", "params.list",
     "params.list is []; it must be a path of 1 to 2047 bytes or a list of 1 to 10000 such paths"},
    {"{\"input\":\"a\",\"crf\":52}", "params.crf", "params.crf is 52; it must be from 0 to 51"},
    {"{\"input\":\"a\",\"crf\":-1}", "params.crf", "params.crf is -1; it must be from 0 to 51"},
    {"{\"input\":\"a\",\"crf\":23.5}", "params.crf", "params.crf is 23.5; it must be an integer"},
    {"{\"input\":\"a\",\"crf\":\"23\"}", "params.crf",
     "params.crf is \"23\"; it must be an integer"},
    {"{\"input\":\"a\",\"crf\":null}", "params.crf", "params.crf is null; it must be an integer"},
    {"{\"input\":\"a\",\"width\":15}", "params.width",
     "params.width is 15; it must be at least 16"},
    {"{\"input\":\"a\",\"ratio\":2}", "params.ratio", "params.ratio is 2; it must be at most 1.5"},
    {"{\"input\":\"a\",\"ratio\":true}", "params.ratio",
     "params.ratio is true; it must be a number"},
    {"{\"input\":\"a\",\"fast\":1}", "params.fast", "params.fast is 1; it must be true or false"},
    {"{\"input\":\"a\",\"mode\":\"mediun\"}", "params.mode",
     "params.mode is \"mediun\"; it must be one of slow, medium; did you mean medium?"},
    {"{\"input\":\"a\",\"mode\":\"ultra\"}", "params.mode",
     "params.mode is \"ultra\"; it must be one of slow, medium"},
    {"{\"input\":\"a\",\"sums\":\"psnr,ssmi\"}", "params.sums",
     "params.sums is \"ssmi\"; it must be one of psnr, ssim; did you mean ssim?"},
    {"{\"input\":\"a\",\"sums\":\"\"}", "params.sums",
     "params.sums is \"\"; it must be one of psnr, ssim"},
    {"{\"input\":\"a\",\"sums\":[]}", "params.sums",
     "params.sums is []; it must be a list of words, or a text with commas between"},
    {"{\"input\":\"a\",\"sums\":[\"psnr\",1]}", "params.sums",
     "params.sums is 1; it must be a string without NUL"},
    {"{\"input\":\"a\",\"sums\":1}", "params.sums",
     "params.sums is 1; it must be a list of words, or a text with commas between"},
    {"{\"input\":\"a\",\"note\":{}}", "params.note",
     "params.note is {}; it must be a string without NUL"},
};

static json_t *load(const char *text)
{
    struct error err = {0};
    json_t *manifest = manifest_load(text, strlen(text), &err);
    ck_assert_msg(manifest != NULL, "%s", err.text);
    return manifest;
}

START_TEST(wrong_values_are_named)
{
    struct error err = {0};
    CLEANUP_JSON json_t *manifest = load(demo);
    CLEANUP_JSON json_t *values = json_loads(refusals[_i].values, JSON_ALLOW_NUL, NULL);
    json_t *checked = NULL;
    ck_assert_ptr_nonnull(values);
    ck_assert_int_eq(manifest_check(manifest, values, &checked, &err), -1);
    ck_assert_int_eq(err.code, ERROR_INVALID);
    ck_assert_str_eq(err.text, refusals[_i].text);
    ck_assert_str_eq(err.field, refusals[_i].field);
    ck_assert_ptr_null(checked);
}
END_TEST

START_TEST(right_values_pass_with_defaults)
{
    static const char given[] =
        "{\"input\":\"a\",\"list\":[\"a\",\"b\"],\"crf\":51,\"ratio\":1.5,\"fast\":true,\"mode\":\"medium\"}";
    struct error err = {0};
    CLEANUP_JSON json_t *manifest = load(demo);
    CLEANUP_JSON json_t *values = json_loads(given, 0, NULL);
    CLEANUP_JSON json_t *least = json_loads("{\"input\":\"a\"}", 0, NULL);
    CLEANUP_JSON json_t *wanted =
        json_loads("{\"input\":\"a\",\"crf\":23,\"fast\":false,\"mode\":\"slow\"}", 0, NULL);
    CLEANUP_JSON json_t *checked = NULL;
    CLEANUP_JSON json_t *filled = NULL;
    ck_assert_int_eq(manifest_check(manifest, values, &checked, &err), 0);
    ck_assert(json_equal(checked, values));
    ck_assert_int_eq(manifest_check(manifest, least, &filled, &err), 0);
    ck_assert(json_equal(filled, wanted));
}
END_TEST

START_TEST(words_become_a_list)
{
    static const char *const given[] = {"{\"input\":\"a\",\"sums\":\"psnr, ssim\"}",
                                        "{\"input\":\"a\",\"sums\":[\"psnr\",\"ssim\"]}"};
    struct error err = {0};
    CLEANUP_JSON json_t *manifest = load(demo);
    CLEANUP_JSON json_t *wanted = json_pack("[s,s]", "psnr", "ssim");
    for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
        CLEANUP_JSON json_t *values = json_loads(given[i], 0, NULL);
        CLEANUP_JSON json_t *checked = NULL;
        ck_assert_int_eq(manifest_check(manifest, values, &checked, &err), 0);
        ck_assert(json_equal(json_object_get(checked, "sums"), wanted));
    }
}
END_TEST

#define WHEN                                                                                    \
    "parameter a: when must be a list as [{\"with\": {\"mode\": [\"fast\"]}, \"given\": true, " \
    "\"suffixes\": [\".png\"]}], with names of parameters, and suffixes for type path"

static const struct {
    const char *manifest, *text;
} broken[] = {
    {"[]", "it must be a JSON object"},
    {"{\"name\":\"x\"}", "version must be a string that is not empty"},
    {"{\"name\":\"x\",\"version\":\"1\",\"summary\":\"s\",\"exec\":\"../sh\",\"params\":[]}",
     "exec is \"../sh\"; it must name a file beside the manifest"},
    {"{\"name\":\"x\",\"version\":\"1\",\"summary\":\"s\",\"exec\":\"x\"}",
     "params must be a list of at most 64 parameters"},
    {HEAD "{\"type\":\"int\"}]}", "a parameter has no name of 1 to 48 bytes"},
    {HEAD "{\"name\":\"a\",\"type\":\"integer\"}]}",
     "parameter a: type must be string, words, path, paths, int, number or bool"},
    {HEAD "{\"name\":\"a\",\"type\":\"int\",\"defualt\":1}]}", NULL},
    {HEAD "{\"name\":\"a\",\"type\":\"int\",\"min\":1,\"default\":0}]}",
     "default: params.a is 0; it must be at least 1"},
    {HEAD "{\"name\":\"a\",\"type\":\"int\",\"min\":\"1\"}]}",
     "parameter a: min and max must be numbers"},
    {HEAD "{\"name\":\"a\",\"type\":\"string\",\"enum\":[1]}]}",
     "parameter a: enum must be a list of strings, for type string or words"},
    {HEAD "{\"name\":\"a\",\"type\":\"path\",\"access\":\"append\"}]}",
     "parameter a: access must be read or write, for type path or paths"},
    {HEAD "{\"name\":\"a\",\"type\":\"path\",\"access\":1}]}",
     "parameter a: access must be read or write, for type path or paths"},
    {HEAD "{\"name\":\"a\",\"type\":\"string\",\"access\":\"write\"}]}",
     "parameter a: access must be read or write, for type path or paths"},
    {HEAD "],\"serve\":1}", "serve must be true or false"},
    {HEAD "],\"sandbox\":null}", "sandbox must be true or false"},
    {HEAD "{\"name\":\"a\",\"type\":\"path\",\"suffixes\":[\".png\"]}]}",
     "parameter a: suffixes must be a list as [\".png\"], of one that is written"},
    {HEAD "{\"name\":\"a\",\"type\":\"path\",\"access\":\"write\",\"suffixes\":[\"png\"]}]}",
     "parameter a: suffixes must be a list as [\".png\"], of one that is written"},
    {HEAD "{\"name\":\"a\",\"type\":\"path\",\"when\":{}}]}", WHEN},
    {HEAD "{\"name\":\"a\",\"type\":\"path\",\"when\":[1]}]}", WHEN},
    {HEAD "{\"name\":\"a\",\"type\":\"path\",\"when\":[{\"given\":true}]}]}", WHEN},
    {HEAD "{\"name\":\"a\",\"type\":\"path\",\"when\":[{\"with\":{\"b\":\"x\"}}]}]}", WHEN},
    {HEAD "{\"name\":\"a\",\"type\":\"path\",\"when\":[{\"with\":{\"a\":1}}]}]}", WHEN},
    {HEAD "{\"name\":\"a\",\"type\":\"path\",\"when\":[{\"with\":{\"a\":[]}}]}]}", WHEN},
    {HEAD "{\"name\":\"a\",\"type\":\"path\",\"when\":[{\"with\":{},\"given\":1}]}]}", WHEN},
    {HEAD "{\"name\":\"a\",\"type\":\"path\",\"when\":[{\"with\":{},\"gives\":true}]}]}", WHEN},
    {HEAD "{\"name\":\"a\",\"type\":\"path\",\"when\":[{\"with\":{},\"suffixes\":[]}]}]}", WHEN},
    {HEAD "{\"name\":\"a\",\"type\":\"path\",\"when\":[{\"with\":{},\"suffixes\":[\"png\"]}]}]}",
     WHEN},
    {HEAD "{\"name\":\"a\",\"type\":\"int\",\"when\":[{\"with\":{},\"suffixes\":[\".png\"]}]}]}",
     WHEN},
    {HEAD "{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"a\",\"type\":\"string\"}]}",
     "parameter a is given twice"},
};

static const char conditional[] = HEAD
    "{\"name\":\"mode\",\"type\":\"string\",\"enum\":[\"look\",\"make\"],\"default\":\"make\"},"
    "{\"name\":\"codec\",\"type\":\"string\",\"default\":\"a\"},"
    "{\"name\":\"out\",\"type\":\"path\",\"access\":\"write\",\"when\":["
    "{\"with\":{\"mode\":\"look\"},\"given\":false},"
    "{\"with\":{\"mode\":\"make\",\"codec\":[\"a\",\"b\"]},\"given\":true,"
    "\"suffixes\":[\".x\",\".y\",\".z\"]},"
    "{\"with\":{\"codec\":\"c\"},\"suffixes\":[\".w\"]}]}]}";

static const struct {
    const char *values, *text; /* NULL: it is taken */
} chosen[] = {
    {"{\"mode\":\"look\"}", NULL},
    {"{\"mode\":\"look\",\"out\":\"f.x\"}",
     "params.out is given; it is not allowed with mode look"},
    {"{}", "params.out is missing; it is required with mode make and codec a"},
    {"{\"out\":\"f.x\"}", NULL},
    {"{\"out\":\"d.d/f.Y\",\"codec\":\"b\"}", NULL},
    {"{\"out\":\"d.x/f\"}",
     "params.out is \"d.x/f\"; with mode make and codec a it must end in .x, .y or .z"},
    {"{\"out\":\"f.w\",\"codec\":\"b\"}",
     "params.out is \"f.w\"; with mode make and codec b it must end in .x, .y or .z; .w goes with codec c"},
    {"{\"out\":\"f.y\",\"codec\":\"c\"}",
     "params.out is \"f.y\"; with codec c it must end in .w; .y goes with codec a or b"},
    {"{\"codec\":\"c\"}", NULL},
    {"{\"codec\":\"d\",\"out\":\"f\"}", NULL},
};

START_TEST(what_one_may_be_depends_on_others)
{
    CLEANUP_JSON json_t *manifest = load(conditional);
    for (size_t i = 0; i < sizeof(chosen) / sizeof(chosen[0]); i++) {
        struct error err = {0};
        CLEANUP_JSON json_t *values = json_loads(chosen[i].values, 0, NULL);
        CLEANUP_JSON json_t *checked = NULL;
        ck_assert_int_eq(manifest_check(manifest, values, &checked, &err),
                         chosen[i].text == NULL ? 0 : -1);
        if (chosen[i].text == NULL)
            continue;
        ck_assert_str_eq(err.text, chosen[i].text);
        ck_assert_str_eq(err.field, "params.out");
    }
}
END_TEST

START_TEST(broken_manifests_are_refused)
{
    struct error err = {0};
    json_t *manifest = manifest_load(broken[_i].manifest, strlen(broken[_i].manifest), &err);
    ck_assert_ptr_null(manifest);
    ck_assert_int_eq(err.code, ERROR_INVALID);
    if (broken[_i].text != NULL)
        ck_assert_str_eq(err.text, broken[_i].text);
    else
        ck_assert_ptr_nonnull(strstr(err.text, "defualt"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("manifest");
    TCase *tests = tcase_create("all");
    tcase_add_loop_test(tests, wrong_values_are_named, 0,
                        (int)(sizeof(refusals) / sizeof(refusals[0])));
    tcase_add_test(tests, what_one_may_be_depends_on_others);
    tcase_add_test(tests, right_values_pass_with_defaults);
    tcase_add_test(tests, words_become_a_list);
    tcase_add_loop_test(tests, broken_manifests_are_refused, 0,
                        (int)(sizeof(broken) / sizeof(broken[0])));
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
