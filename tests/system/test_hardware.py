"""Encoders of a GPU: one is used only if it works here, and the result says which one made the output and why
no other did. Of a GPU that works there is none in these tests: tests/unit/test_hardware.c has that end."""
import json
import os
import pathlib

import pytest
from processor import SAMPLES, Run, ffprobe, frames, run
from test_resume import SETTINGS, clip, noted  # noqa: F401
from test_video import wait_for

SOURCE = str(SAMPLES / "bear_vp9_161x121.webm")
FAST = {"preset": "ultrafast", "crf": 35}
NODES = [node for pattern in ("nvidia*", "dri") for node in pathlib.Path("/dev").glob(pattern)]
pytestmark = pytest.mark.skipif(bool(NODES), reason=f"there may be a GPU that works: {NODES}")
ENCODERS = {"h264": ("libx264", ["h264_nvenc", "h264_vaapi", "h264_qsv"]),
            "h265": ("libx265", ["hevc_nvenc", "hevc_vaapi", "hevc_qsv"]),
            "av1": ("libsvtav1", ["av1_nvenc", "av1_vaapi", "av1_qsv"]),
            "vp9": ("libvpx-vp9", ["vp9_vaapi", "vp9_qsv"])}


def begin(folder, source, attempt=1, **more):
    return Run("video", {"input": str(source), "output": "out.mp4", "audio": "copy", **SETTINGS, **more}, folder,
               attempt=attempt)


@pytest.mark.parametrize("codec", [pytest.param("h265", marks=pytest.mark.long),  # libx265 leaks
                                   "h264", "av1", "vp9"])
def test_without_one_it_is_made_in_software_and_that_is_said(tmp_path, codec):
    done = run("video", tmp_path, input=SOURCE, output="out.mkv", hardware="auto", codec=codec, **FAST)
    assert done.code == 0, done.error
    software, tried = ENCODERS[codec]
    made = done.result["media"]["output"]
    assert made["encoder"] == software and made["hardware"]["asked"] == "auto" and made["hardware"]["used"] is False
    assert [one["encoder"] for one in made["hardware"]["refused"]] == tried
    logs = [line["text"] for line in done.lines if line["type"] == "log"]
    for one in made["hardware"]["refused"]:
        assert f"{one['encoder']} is not used: {one['why']}" in logs
    assert frames(tmp_path / "out.mkv") == 30 and done.result["sandbox"]["gpu"] is True


def test_the_drivers_own_words_are_told(tmp_path):
    done = run("video", tmp_path, input=SOURCE, output="out.mp4", hardware="auto", **FAST)
    why = {one["encoder"]: one["why"] for one in done.result["media"]["output"]["hardware"]["refused"]}
    assert "libcuda.so.1" in why["h264_nvenc"] and "/dev/dri" in why["h264_vaapi"] and "MFX" in why["h264_qsv"]


def test_it_is_the_file_of_one_that_asked_for_none(tmp_path):
    made = {}
    for hardware in ("never", "auto"):
        done = run("video", tmp_path, input=SOURCE, output=f"{hardware}.mp4", hardware=hardware, **FAST)
        made[hardware] = done.result["outputs"][0]["sha256"]
    assert made["never"] == made["auto"]


@pytest.mark.long
def test_what_was_made_by_the_same_choice_is_gone_on_with(tmp_path, clip):
    one = begin(tmp_path, clip, hardware="auto")
    wait_for(lambda: noted(tmp_path) >= 2)
    one.process.kill()
    one.end()
    two = begin(tmp_path, clip, 2, hardware="auto").end()
    assert two.code == 0 and two.result["checkpoints"]["reused"] >= 2
    whole = run("video", tmp_path, input=str(clip), output="whole.mp4", job=2, audio="copy", **SETTINGS)
    assert two.result["outputs"][0]["sha256"] == whole.result["outputs"][0]["sha256"]


def test_where_it_is_required_the_job_fails(tmp_path):
    (tmp_path / "out.mp4").write_text("what was there")
    done = run("video", tmp_path, input=SOURCE, output="out.mp4", hardware="require", **FAST)
    error = done.result["error"]
    assert done.code == error["exit_code"] == 64 and error["field"] == "params.hardware"
    assert "no hardware encoder of h264 works here" in error["message"] and "libcuda.so.1" in error["message"]
    assert (tmp_path / "out.mp4").read_text() == "what was there" and os.listdir(tmp_path) == ["out.mp4"]


def test_interpolate_knows_it_too(tmp_path):
    done = run("interpolate", tmp_path, input=SOURCE, output="out.mp4", factor=2, method="blend", hardware="auto",
               preset="ultrafast")
    assert done.code == 0, done.error
    made = done.result["media"]["output"]
    assert made["encoder"] == "libx264" and len(made["hardware"]["refused"]) == 3 and done.result["sandbox"]["gpu"]
    refused = run("interpolate", tmp_path, input=SOURCE, output="no.mp4", factor=2, hardware="require")
    assert refused.code == 64 and refused.result["error"]["field"] == "params.hardware"


def test_none_is_tried_unasked(tmp_path):
    done = run("video", tmp_path, input=SOURCE, output="out.mp4", **FAST)
    made = done.result["media"]["output"]
    assert made["encoder"] == "libx264" and made["hardware"] == {"asked": "never", "used": False, "refused": []}
    assert done.result["sandbox"]["gpu"] is False
    assert ffprobe(tmp_path / "out.mp4", "-show_streams")["streams"][0]["codec_name"] == "h264"


@pytest.mark.parametrize("mode,output", [("probe", {}), ("thumbnail", {"output": "out.jpg"})])
def test_the_gpu_is_closed_to_what_does_not_encode(tmp_path, mode, output):
    done = run("video", tmp_path, input=SOURCE, mode=mode, hardware="require", **output)
    assert done.code == 0 and done.result["sandbox"]["gpu"] is False


def test_another_word_is_refused(daemon):
    done = daemon.ctl("submit", "--type", "video", "--param", f"input={SOURCE}", "--param", "output=out.mp4",
                      "--param", "hardware=yes", "--json")
    assert done.returncode == 1 and "params.hardware" in done.stderr
    assert json.loads(daemon.ctl("list", "--json").stdout) == []
