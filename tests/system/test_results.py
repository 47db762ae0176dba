"""Every result is one by processors/result.schema.json, and batchd-result(7) says the same in words. What
processors tell in other tests is looked at by tests/lib/processor.py."""
import copy
import json
import re
import shutil

import pytest
import results
from daemon import ROOT
from processor import SAMPLES, run

SCHEMA = json.loads((ROOT / "processors/result.schema.json").read_text())


def test_the_manual_names_the_members_of_the_schema():
    text = (ROOT / "man/batchd-result.7.in").read_text()
    lists = text.split(".Sh MEMBERS")[1].split(".Ss Media")[0]
    named = {word for line in re.findall(r"^\.It Li (.*)$", lists, re.M) for word in line.split(" , ")}
    assert named == set(SCHEMA["properties"])
    example = json.loads(re.search(r"\.Bd -literal\n(.*?)\.Ed", text, re.S)[1])
    assert set(example) <= set(SCHEMA["properties"]) and set(results.validator().schema["required"]) <= set(example)


GOOD = {"schema": 1, "processor": "video", "version": "1", "elapsed_us": 1, "partial": False, "outputs": [],
        "inputs": [{"path": "a", "bytes": 1, "sha256": "0" * 64}],
        "media": {"input": {"container": "mp4", "duration_us": 1, "frames": 1, "audio": None,
                            "streams": [{"index": 0, "type": "video", "codec": "h264"}],
                            "video": {"codec": "h264", "width": 2, "height": 2, "rate": "25/1"}}},
        "files": [{"ok": True}, {"ok": False, "error": {"message": "no"}}], "checkpoints": {"reused": 0, "made": 1}}


def test_a_good_one_is_good():
    results.check(GOOD)
    results.check({"schema": 1, "processor": "video", "version": "1", "error": {"message": "no such file"}})
    results.check({**GOOD, "new_member": 1, "partial": True, "error": {"message": "half of it", "field": None}})
    results.check({**GOOD, "inputs": [{"path": {"b64": "/w=="}, "bytes": 0, "sha256": "f" * 64}]})


@pytest.mark.parametrize("path, value, words", (
    ("schema", 2, "1 was expected"), ("processor", "../x", "does not match"), ("version", None, "not of type"),
    ("elapsed_us", None, "valid under"), ("inputs.0.sha256", "0" * 63, "does not match"),
    ("inputs.0.bytes", -1, "minimum"), ("inputs.0.path", "", "too short"), ("partial", True, "'error' is a required"),
    ("frames_in", 1.5, "not of type"), ("media.input.video.width", 0, "minimum"),
    ("media.input.frames", "9", "not of type"), ("media.format", "png", "'width' is a required"),
    ("files.1.error", None, "not of type"), ("checkpoints.made", -1, "minimum"),
    ("versions", {"a": 1}, "not of type"), ("settings", [], "not of type"), ("error", {"message": ""}, "too short"),
    ("counts", {"files": "x"}, "not of type"),
))
def test_a_wrong_one_is_told(path, value, words):
    bad = copy.deepcopy(GOOD)
    *ways, last = [int(way) if way.isdigit() else way for way in path.split(".")]
    at = bad
    for way in ways:
        at = at[way]
    at[last] = value
    if value is None and path == "elapsed_us":
        del bad["elapsed_us"]
    assert words in results.fault(bad)


@pytest.mark.parametrize("name, params", (
    ("video", {"mode": "probe", "input": "sample_rotate_reflect.mp4"}),
    ("video", {"input": "bear_vp9_161x121.webm", "output": "out.mp4", "preset": "ultrafast"}),
    ("video", {"input": "absent.mp4", "output": "out.mp4"}), ("video", {"mode": "odd", "input": "a"}),
    ("image", {"input": "coffee.png", "output": "out.jpg", "width": 50}),
    ("image", {"input": "sample_mpeg2_mp2.ts", "output": "out.png"}),
    ("quality", {"reference": "bear_vp9_161x121.webm", "distorted": "bear_vp9_161x121.webm"}),
    ("quality", {"reference": "bear_vp9_161x121.webm", "distorted": "sample_av1_aac.mp4"}),
))
def test_what_processors_say(tmp_path, name, params):
    for source in {SAMPLES / params[name] for name in ("input", "reference", "distorted") if name in params}:
        if source.exists():
            shutil.copy(source, tmp_path)
    done = run(name, tmp_path, **params)
    assert done.result is not None or done.code != 0
    if done.code == 0:
        assert {"inputs", "outputs", "frames_in", "frames_out", "media"} <= set(done.result)
