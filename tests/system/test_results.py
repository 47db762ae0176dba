"""Every result is one by processors/result.schema.json, and batchd-result(7) says the same in words. What
processors tell in other tests is looked at by tests/lib/processor.py."""
import copy
import json
import re
import shutil
import subprocess

import counting
import pytest
import results
from daemon import OUT, ROOT, Daemon
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
    ("interpolate", {"input": "bear_vp9_161x121.webm", "output": "out.mp4", "factor": 2, "method": "blend"}),
    ("image", {"input": ["coffee.png", "sample_mpeg2_mp2.ts"], "output": "."}),
))
def test_what_processors_say(tmp_path, name, params):
    given = [params[name] for name in ("input", "reference", "distorted") if name in params]
    for name_of_file in given[0] if isinstance(given[0], list) else given:
        if (SAMPLES / name_of_file).exists():
            shutil.copy(SAMPLES / name_of_file, tmp_path)
    done = run(name, tmp_path, **params)
    assert done.result is not None or done.code != 0
    if done.code == 0:
        assert {"inputs", "outputs", "frames_in", "frames_out", "media"} <= set(done.result)


def told(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=30).stdout


def test_versions_are_those_of_the_libraries(tmp_path):
    shutil.copy(SAMPLES / "bear_vp9_161x121.webm", tmp_path / "a.webm")
    shutil.copy(SAMPLES / "coffee.png", tmp_path)
    libraries = json.loads(told("ffprobe", "-v", "error", "-show_library_versions", "-of", "json"))["library_versions"]
    ffmpeg = {one["name"]: f"{one['major']}.{one['minor']}.{one['micro']}" for one in libraries}
    for done in (run("video", tmp_path, mode="probe", input="a.webm"),
                 run("interpolate", tmp_path, input="a.webm", output="b.mp4", factor=2, method="blend"),
                 run("quality", tmp_path, reference="a.webm", distorted="a.webm")):
        versions = done.result["versions"]
        release = versions.pop("ffmpeg")
        assert release in told("ffmpeg", "-version").splitlines()[0]
        assert {"libavcodec", "libavformat"} <= set(versions) and versions.items() <= ffmpeg.items()
    image = run("image", tmp_path, input="coffee.png", output="out.png").result
    assert image["versions"] == {"libvips": told("pkg-config", "--modversion", "vips").strip()}


def test_settings_are_the_parameters_with_their_defaults(tmp_path):
    shutil.copy(SAMPLES / "bear_vp9_161x121.webm", tmp_path / "a.webm")
    settings = run("video", tmp_path, mode="probe", input="a.webm").result["settings"]
    manifest = json.loads(told(OUT / "processors/video/video", "--manifest"))
    defaults = {param["name"]: param["default"] for param in manifest["params"] if "default" in param}
    assert settings == {**defaults, "mode": "probe", "input": "a.webm"}


def test_a_long_list_is_counted_and_what_is_told_stays_short(tmp_path):
    names = [f"{'n' * 80}{i:03}.png" for i in range(60)]
    for name in names:
        shutil.copy(SAMPLES / "pngsuite_tbgn2c16.png", tmp_path / name)
    (tmp_path / "out").mkdir()
    done = run("image", tmp_path, input=names, output="out")
    assert done.code == 0, done.error
    assert done.result["settings"]["input"] == {"count": 60} and done.result["settings"]["output"] == "out"
    assert run("image", tmp_path, input=names[:3], output="out").result["settings"]["input"] == names[:3]


def shown(daemon, ident):
    """The lines of show, by their labels."""
    lines = {}
    for line in daemon.ctl("show", str(ident)).stdout.splitlines():
        label, text = line.strip().split(": ", 1)
        lines.setdefault(label, []).append(text)
    return lines


def test_show_gives_a_terminal_nothing_but_text(tmp_path):
    """Not by the name of a figure either."""
    counting.install(tmp_path)
    evil = "x\x1b[2J\x9b1m"
    with Daemon(config=f'[processors]\npath = "{tmp_path}"\n') as one:
        result = {"processor": "count", evil: 1, "metrics": {evil: {evil: 2}}, "warnings": [evil], "damage": {evil: {}}}
        made = one.call("io.batchd.Jobs.Submit", type="count", cwd=str(tmp_path), params={
            "steps": 1, "interval": 9, "script": f"say({{'type': 'result', 'result': {result!r}}}); sys.exit(0)"})["id"]
        assert one.wait(made)[0]["state"] == "completed"
        text = one.ctl("show", str(made)).stdout
    assert text.count("x?[2J?1m") == 5 and not set("\x1b\x9b") & set(text)


def test_show_tells_it_in_words(daemon, tmp_path):
    film = SAMPLES / "bear_vp9_161x121.webm"
    for name in "abcdef":
        shutil.copy(SAMPLES / "camera_gray.png", tmp_path / f"{name}.png")
    (tmp_path / "bad.png").write_text("no picture")
    made = daemon.call("io.batchd.Jobs.Submit", type="video", params={"input": str(film), "output": "out.mp4"}, cwd=str(tmp_path))["id"]
    same = daemon.call("io.batchd.Jobs.Submit", type="quality", params={
        "reference": str(film), "distorted": str(film), "min_ssim": 0.99}, cwd=str(tmp_path))["id"]
    some = daemon.call("io.batchd.Jobs.Submit", type="image", params={"input": "*.png", "output": "small", "scale": 0.5},
                       cwd=str(tmp_path), retry={"max_attempts": 1})["id"]
    with_sound = daemon.call("io.batchd.Jobs.Submit", type="video", cwd=str(tmp_path), params={
        "mode": "probe", "input": str(SAMPLES / "bbb_480p24_8s.mp4")})["id"]
    daemon.wait(made, same, some, with_sound, seconds=120)
    assert shown(daemon, with_sound)["input has"] == ["h264 854x480, 24 frames/s; aac 5.1"]
    lines = shown(daemon, made)
    assert re.fullmatch(r"30 frames in, 30 frames out, length 1.00 s, made in [\d.]+ s", lines["result"][0])
    assert lines["output"] == [f"{tmp_path}/out.mp4 ({lines['output'][0].split('(')[1]}"]
    assert daemon.job(made)["result"]["outputs"][0]["sha256"][:16] in lines["output"][0]
    assert lines["input has"] == ["vp9 161x121, 29.97 frames/s"]
    assert lines["output has"] == ["h264 160x120, 29.97 frames/s"]
    lines = shown(daemon, same)
    assert lines["psnr"] == ["infinite"] and lines["ssim"][0].startswith("mean 1, min 1,") and lines["identical"] == ["true"]
    assert lines["gate"] == ["ssim 1, 0.99 asked: passed"] and '"min_ssim":0.99}' in lines["params"][0]
    assert lines["reference has"] == lines["distorted has"] == ["vp9 161x121, 29.97 frames/s"]
    still = daemon.call("io.batchd.Jobs.Submit", type="quality", cwd=str(tmp_path), params={
        "reference": "a.png", "distorted": "b.png"})["id"]
    daemon.wait(still, seconds=120)
    assert re.fullmatch(r"png \d+x\d+", shown(daemon, still)["reference has"][0])
    lines = shown(daemon, some)
    assert lines["files"] == ["6 done, 1 failed, 0 not tried"] and "partial" in lines["result"][0]
    assert len(lines["failed"]) == 1 and lines["failed"][0].startswith(f"{tmp_path}/bad.png: ")
    assert "input has" not in lines  # of several
    assert len(lines["output"]) == 5 and lines["output"][4] == "and 2 more"
