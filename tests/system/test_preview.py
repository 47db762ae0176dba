"""Small pictures of what a job is at: a line names one every few seconds, show has the newest while the job runs.
The clock of the processor goes fifty times as fast here (libfaketime), so that these seconds are short."""
import hashlib
import json
import os
import signal
import subprocess

import counting
import pytest
from clock import LIBRARY
from daemon import Daemon, wait_until
from processor import SAMPLES, Run, names, run
from test_colour import hdr_of, mean

CLIP = str(SAMPLES / "roadtrip_vp9_10bit.webm")
FAST_CLOCK = {"LD_PRELOAD": str(LIBRARY), "FAKETIME": "+0 x50", "DONT_FAKE_MONOTONIC": "0",
              "ASAN_OPTIONS": "verify_asan_link_order=0"}


def begin(name, tmp_path, **params):
    return Run(name, params, tmp_path, env=dict(FAST_CLOCK, BATCHD_CHECKPOINT_DIR=str(tmp_path / "kept")))


def shown(lines):
    return [line["path"] for line in lines if line["type"] == "preview"]


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name,more,size", [
    ("video", {"preset": "superfast", "width": 480, "height": 480}, "320x320"),
    ("interpolate", {"factor": 2, "method": "blend", "preset": "fast"}, "320x180")])
def test_a_picture_is_shown_while_it_is_made(tmp_path, name, more, size):
    one = begin(name, tmp_path, input=CLIP, output="out.mp4", **more)
    lines = []
    while not shown(lines):
        lines.append(json.loads(one.news.readline()))
    os.kill(one.process.pid, signal.SIGSTOP)
    told = subprocess.run(["identify", "-format", "%m %wx%h %k", *shown(lines)], capture_output=True, text=True,
                          check=True).stdout.split()
    os.kill(one.process.pid, signal.SIGCONT)
    assert told[:2] == ["JPEG", size] and int(told[2]) > 500  # colours: it shows something
    assert shown(lines) == [str(tmp_path / "kept/work/preview.jpg")]
    one.end()
    assert one.code == 0, one.error
    assert set(shown(one.lines)) <= {str(tmp_path / "kept/work/preview.jpg")}
    assert 1 + len(shown(one.lines)) <= 1 + one.result["elapsed_us"] / 5e6
    assert names(tmp_path) == ["kept", "out.mp4"] and not list(tmp_path.glob("kept/work/preview*"))


def test_of_hdr_it_has_the_colours_of_ordinary_light(tmp_path):
    """As a thumbnail has; without that they are pale: (120, 74, 61)."""
    hdr_of(tmp_path / "one.mp4", (200, 30, 40), "smpte2084", 203)
    subprocess.run(["ffmpeg", "-v", "error", "-stream_loop", "300", "-i", tmp_path / "one.mp4", "-c", "copy", tmp_path / "in.mp4"],
                   check=True)
    one = begin("video", tmp_path, input="in.mp4", output="out.mp4", preset="slower")
    lines = []
    while not shown(lines):
        lines.append(json.loads(one.news.readline()))
    os.kill(one.process.pid, signal.SIGSTOP)
    found = mean(shown(lines)[0])
    one.process.kill()
    assert found == pytest.approx((200, 30, 40), abs=12)


def test_it_changes_no_byte_of_the_output(tmp_path):
    settings = {"input": CLIP, "preset": "ultrafast"}
    with_some = begin("video", tmp_path, output="a.mp4", **settings).end()
    assert shown(with_some.lines) and run("video", tmp_path, output="b.mp4", **settings).code == 0
    assert sha256(tmp_path / "a.mp4") == sha256(tmp_path / "b.mp4")
    assert names(tmp_path) == ["a.mp4", "b.mp4", "kept"]


def test_of_pictures_the_output_is_named(tmp_path):
    (tmp_path / "out").mkdir()
    one = begin("image", tmp_path, input=str(SAMPLES / "*.jpg"), output="out", clahe=True, scale=3).end()
    assert one.code == 0, one.error
    assert shown(one.lines) and set(shown(one.lines)) <= {file["path"] for file in one.result["outputs"]}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processors")
    counting.install(folder)
    with Daemon(config=f'[workers]\nmax = 2\n[processors]\npath = "{folder}"\n') as running:
        yield running


def test_show_names_the_newest_while_it_runs(daemon, tmp_path):
    script = ("say({'type': 'preview', 'path': '/one'}, {'type': 'preview', 'path': '/two'},"
              " {'type': 'preview', 'path': '/' + 'x' * 5000}, {'type': 'progress', 'fraction': 0.5})\n"
              "while not os.path.exists('on'): time.sleep(0.01)")
    ident = daemon.call("io.batchd.Jobs.Submit", type="count", params={"steps": 1, "script": script},
                        cwd=str(tmp_path))["id"]
    wait_until(lambda: daemon.job(ident)["progress"] is not None)
    assert daemon.job(ident)["preview"] == {"path": "/two"}
    assert "preview: /two\n" in daemon.ctl("show", str(ident)).stdout
    (tmp_path / "on").touch()
    assert daemon.wait(ident)[0]["state"] == "completed"
    assert daemon.job(ident)["preview"] is None and "preview:" not in daemon.ctl("show", str(ident)).stdout
