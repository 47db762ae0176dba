/* What a parameter of a manifest may be, by what others are: "when" of a parameter is a list of
 *   {"with": {"codec": ["vp9", "av1"]}, "given": true, "suffixes": [".mkv", ".webm"]}
 * and the first entry counts of which all parameters in `with` have that value, or one of that
 * list. `given`: it is required, or it must be absent; `suffixes`: what its value, a path, must end
 * with. Part of common/manifest.h, which has checked all values by themselves. */
#ifndef BATCHD_COMMON_MANIFEST_RULES_H
#define BATCHD_COMMON_MANIFEST_RULES_H

#include "common/json.h"

/* Of one parameter; `values` are all of them, defaults filled in. -1 with ERROR_INVALID. */
int manifest_rules_check(const json_t *param, const json_t *values, struct error *err);

/* Whether the list itself can be read; `params` are all parameters. -1 with ERROR_INVALID. */
int manifest_rules_valid(const json_t *param, const json_t *params, struct error *err);

#endif
