"""Whether a processor's result is one by processors/result.schema.json."""
import functools
import json

import jsonschema

from daemon import ROOT


@functools.cache
def validator():
    schema = json.loads((ROOT / "processors/result.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def fault(result):
    """What is wrong with it, None: nothing."""
    error = jsonschema.exceptions.best_match(validator().iter_errors(result))
    return None if error is None else f"{error.json_path}: {error.message}"


def check(result):
    wrong = fault(result)
    assert wrong is None, f"the result is none by result.schema.json: {wrong}\n{json.dumps(result, indent=1)}"
    for error in [result.get("error"), *(one.get("error") for one in result.get("files", []))]:
        field = (error or {}).get("field")  # of ours: each says params.
        assert field is None or field.startswith("params.") or field == "cwd", error
