"""The processor "video" on real files: by hand, and as jobs of a daemon. ffprobe judges the outputs."""
import hashlib
import json
import os
import signal
import subprocess
import time

import pytest
from processor import SAMPLES, SHARED, Run, ffprobe, frame_times, frames, left_behind, run

VIDEOS = {"bbb_480p24_8s.mp4": 194, "bear_vp9_161x121.webm": 30, "roadtrip_vp9_10bit.webm": 72,
          "sample_av1_aac.mp4": 30, "sample_mpeg2_mp2.ts": 3, "sample_rotate_reflect.mp4": 30}
FAST = {"preset": "ultrafast", "crf": 35}


def shared(path):
    if not (SHARED / path).exists():
        pytest.skip(f"{SHARED} is not there")
    return str(SHARED / path)


def sha256(path):
    return hashlib.sha256(open(path, "rb").read()).hexdigest()


@pytest.mark.parametrize("name,count", VIDEOS.items())
def test_probe_counts_by_decoding(tmp_path, name, count):
    done = run("video", tmp_path, mode="probe", input=str(SAMPLES / name))
    assert (done.code, done.error) == (0, "")
    assert done.result["frames_in"] == count == frames(SAMPLES / name)
    assert done.result["inputs"] == [{"path": str(SAMPLES / name), "sha256": sha256(SAMPLES / name),
                                      "bytes": os.path.getsize(SAMPLES / name)}]
    assert done.result["schema"] == 1 and done.result["processor"] == "video"
    assert done.result["outputs"] == [] and done.result["partial"] is False


@pytest.mark.long
@pytest.mark.parametrize("name,count", VIDEOS.items())
@pytest.mark.parametrize("audio", ["copy", "encode", "none"])
def test_transcode_keeps_every_frame_at_its_time(tmp_path, name, count, audio):
    out = tmp_path / "out.mp4"
    done = run("video", tmp_path, input=str(SAMPLES / name), output="out.mp4", audio=audio, **FAST)
    assert (done.code, done.error) == (0, "")
    assert done.result["frames_in"] == done.result["frames_out"] == count == frames(out)
    assert frame_times(out) == frame_times(SAMPLES / name)
    assert done.result["outputs"] == [
        {"path": str(out), "sha256": sha256(out), "bytes": os.path.getsize(out)}]
    had = any(s["codec_type"] == "audio"
              for s in ffprobe(SAMPLES / name, "-show_streams")["streams"])
    kinds = {s["codec_type"]: s["codec_name"] for s in ffprobe(out, "-show_streams")["streams"]}
    assert kinds["video"] == "h264" and ("audio" in kinds) == (had and audio != "none")
    if had and audio == "encode":
        assert kinds["audio"] == "aac"
    assert not left_behind(tmp_path)


@pytest.mark.parametrize("asked,shown", [
    ({}, (160, 120)), ({"width": 80}, (80, 60)), ({"height": 240}, (320, 240)),
    ({"width": 64, "height": 64}, (64, 64))])
def test_sizes_are_even_and_keep_the_shape(tmp_path, asked, shown):
    source = str(SAMPLES / "bear_vp9_161x121.webm")
    done = run("video", tmp_path, input=source, output="out.mp4", **asked, **FAST)
    assert done.code == 0, done.error
    stream = ffprobe(tmp_path / "out.mp4", "-show_streams")["streams"][0]
    assert (stream["width"], stream["height"]) == shown


@pytest.mark.parametrize("rotation,size,turned", [("apply", (180, 270), None),
                                                  ("keep", (270, 180), "displaymatrix")])
def test_rotation_is_applied_or_kept(tmp_path, rotation, size, turned):
    done = run("video", tmp_path, input=str(SAMPLES / "sample_rotate_reflect.mp4"),
               output="out.mp4", width=180, rotation=rotation, **FAST)
    assert done.code == 0, done.error
    stream = ffprobe(tmp_path / "out.mp4", "-show_streams")["streams"][0]
    assert (stream["width"], stream["height"]) == size
    assert ("side_data_list" in stream) == (turned is not None)
    probe = run("video", tmp_path, mode="probe", input="out.mp4").result["media"]["input"]["video"]
    source = done.result["media"]["input"]["video"]
    assert source["rotation"] != 0 and source["mirrored"]
    assert (probe["shown_width"], probe["shown_height"]) == (180, 270)
    assert (probe["rotation"], probe["mirrored"]) == (
        (source["rotation"], True) if turned else (0, False))


@pytest.mark.long
def test_turned_pictures_are_those_that_a_player_shows(tmp_path):
    """ffmpeg turns by the display matrix too: the first pictures must be alike."""
    source = str(SAMPLES / "sample_rotate_reflect.mp4")
    assert run("video", tmp_path, input=source, output="out.mp4", crf=10).code == 0
    done = subprocess.run(["ffmpeg", "-v", "info", "-i", source, "-i", tmp_path / "out.mp4",
                           "-lavfi", "psnr", "-f", "null", "-"], capture_output=True, text=True,
                          check=True)
    assert float(done.stderr.split("average:")[1].split()[0]) > 35


@pytest.mark.long
def test_progress_rises_to_the_end(tmp_path):
    done = run("video", tmp_path, input=str(SAMPLES / "bbb_480p24_8s.mp4"), output="out.mp4",
               preset="faster")
    seen = [line["fraction"] for line in done.lines if line["type"] == "progress"]
    assert seen == sorted(seen) and 0 <= seen[0] < 0.5 and 0.9 <= seen[-1] <= 1
    assert len({fraction for fraction in seen if 0.05 < fraction < 0.85}) >= 3


@pytest.mark.long
def test_one_thread_gives_the_same_file_twice(tmp_path):
    sums = set()
    for name in ("a.mp4", "b.mp4"):
        run("video", tmp_path, cpus=2, input=str(SAMPLES / "bbb_480p24_8s.mp4"), output=name, **FAST)
        sums.add(sha256(tmp_path / name))
    assert len(sums) == 1


@pytest.mark.parametrize("params,code,words", [
    ({"input": "x.mp4"}, 64, ["params.output", "missing"]),
    ({"input": "x.mp4", "output": "y.mp4", "crf": 52}, 64, ["params.crf is 52", "h264", "from 0 to 51"]),
    ({"input": "x.mp4", "output": "y.mp4", "width": 161}, 64, ["params.width is 161", "even"]),
    ({"input": "x.mp4", "output": "y.mp4", "preset": "fsat"}, 64, ['"fsat"', "did you mean fast?"]),
    ({"input": "x.mp4", "outptu": "y.mp4"}, 64, ["params.outptu", "did you mean output?"]),
    ({"input": "x.mp4", "output": "x.mp4"}, 64, ["x.mp4", "is the input"]),
    ({"input": "x.mp4", "output": "y.mp4", "mode": "probe"}, 64, ["params.output", "probe"]),
    ({"input": "absent.mp4", "output": "y.mp4"}, 66, ["absent.mp4", "No such file"]),
    ({"input": "x.mp4", "output": "none/y.mp4"}, 73, ["none/y.mp4"]),
    ({"input": "x.mp4", "output": "folder.mp4"}, 73, ["folder.mp4", "not a regular file"]),
    ({"input": "folder.mp4", "output": "y.mp4"}, 64, ["folder.mp4", "regular file"]),
])
def test_wrong_parameters_are_named(tmp_path, params, code, words):
    (tmp_path / "folder.mp4").mkdir()
    data = (SAMPLES / "bear_vp9_161x121.webm").read_bytes()
    (tmp_path / "x.mp4").write_bytes(data)
    done = run("video", tmp_path, **params)
    assert done.code == code, done.error
    for word in words:
        assert word in done.error
    assert done.result["error"]["message"] in done.error
    assert (tmp_path / "x.mp4").read_bytes() == data
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder.mp4", "x.mp4"]


@pytest.mark.parametrize("name", VIDEOS)
def test_a_file_cut_off_anywhere_is_never_done(tmp_path, name):
    """Cuts that lose frames must be seen; only what lies behind the last frame may be missing."""
    data = (SAMPLES / name).read_bytes()
    for part in (0.03, 0.3, 0.5, 0.77, 0.9):
        (tmp_path / "cut").write_bytes(data[:int(len(data) * part)])
        done = run("video", tmp_path, input="cut", output="out.mp4", **FAST)
        assert done.code == 65 or (done.code == 0 and done.result["frames_out"] == VIDEOS[name]), (
            part, done.code, done.error)
        assert done.code == 0 or not (tmp_path / "out.mp4").exists()
        assert part > 0.7 or done.code == 65
    assert not left_behind(tmp_path)


def test_a_cut_between_two_packets_is_seen(tmp_path):
    """Nothing that is read is damaged then: only the index tells what is missing."""
    whole = SAMPLES / "bbb_480p24_8s.mp4"
    packets = ffprobe(whole, "-show_entries", "packet=pos")["packets"]
    places = sorted(int(packet["pos"]) for packet in packets)
    for place in (places[len(places) // 2], places[-1]):
        (tmp_path / "cut").write_bytes(whole.read_bytes()[:place])
        done = run("video", tmp_path, mode="probe", input="cut")
        assert done.code == 65 and "lies behind its end" in done.error, (place, done.error)


@pytest.mark.parametrize("name,words", {
    "empty.mp4": "is empty", "encrypted_1packet.webm": "is encrypted",
    "invalid-bitstream.webm": "does not decode", "truncated_mid_cluster.webm": "cut off after 4",
    "truncated_no_moov.mp4": "moov atom not found", "truncated.jpg": "is no video",
    "decompression_bomb.gif": "damaged", "huge_17000x17000.avif": "picture size",
    "corrupt-header.jpg": "is no video", "crash-1152ec2d.tif": "is no video"}.items())
@pytest.mark.parametrize("mode", ["probe", "transcode"])
def test_broken_files_end_with_a_reason(tmp_path, name, words, mode):
    output = {} if mode == "probe" else {"output": "out.mp4"}
    done = run("video", tmp_path, mode=mode, input=shared(f"broken/{name}"), **output)
    assert done.code == 65 and words in done.error, (done.code, done.error)
    assert done.result["error"]["message"] in done.error and not list(tmp_path.iterdir())


def test_a_header_that_lies_about_the_duration(tmp_path):
    source = shared("broken/lying_duration_fragmented.mp4")
    done = run("video", tmp_path, input=source, output="out.mp4", preset="slow")
    assert done.code == 0 and done.result["frames_out"] == 30 == frames(tmp_path / "out.mp4")
    assert done.result["duration_us"] == 1001000
    seen = [line["fraction"] for line in done.lines if line["type"] == "progress"]
    assert [f for f in seen if 0.1 < f < 0.85]  # by the header's 143165 s: 0.00001


MADE = {
    "cover.mp4": ["-c:v", "libx264", "-c:a", "aac", "-map", "2", "-c:v:1", "png",
                  "-disposition:v:1", "attached_pic"],
    "reordered.avi": ["-c:v", "mpeg4", "-bf", "2", "-c:a", "mp3"],
    "program-stream.mpg": ["-c:v", "mpeg2video", "-c:a", "ac3"],
    "vorbis.ogv": ["-c:v", "libtheora", "-c:a", "libvorbis"],
    "several-frames-a-packet.wmv": ["-c:v", "wmv2", "-c:a", "wmav2"],
    "raw.mov": ["-c:v", "mjpeg", "-c:a", "pcm_s16le"],
}


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("audio", ["copy", "encode"])
def test_other_containers(tmp_path, name, audio):
    """Made by ffmpeg: sound that MP4 does not take, times that are missing, a cover picture."""
    made = tmp_path / name
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=162x90:r=25:d=2", "-f",
                    "lavfi", "-i", "sine=d=2.2", "-i", SAMPLES / "pngsuite_tbgn2c16.png", "-map", "0",
                    "-map", "1", *MADE[name], made], check=True)
    done = run("video", tmp_path, input=name, output="out.mp4", audio=audio, **FAST)
    assert done.code == 0 and done.result["frames_out"] == 50 == frames(tmp_path / "out.mp4"), (
        done.error)
    times = frame_times(tmp_path / "out.mp4")
    assert times == [number * (times[1] - times[0]) for number in range(50)] or name[-3:] == "wmv"
    sound = done.result["media"]["output"]["audio"]
    assert abs(sound["samples"] / sound["sample_rate"] - 2.2) < 0.1


def test_variable_rate_is_kept(tmp_path):
    source = shared("video/phone_vfr_hevc_rot90.mp4")
    done = run("video", tmp_path, input=source, output="out.mp4", width=270, **FAST)
    assert done.code == 0 and done.result["frames_out"] == 53
    times = frame_times(tmp_path / "out.mp4")
    assert times == frame_times(source)
    assert len({b - a for a, b in zip(times, times[1:])}) > 1
    assert done.result["media"]["input"]["video"]["variable_rate"] is True


def wait_for(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)  # a poll with a deadline


def test_sigterm_leaves_no_output(tmp_path):
    one = Run("video", {"input": str(SAMPLES / "bbb_480p24_8s.mp4"), "output": "out.mp4",
                        "preset": "veryslow"}, tmp_path)
    wait_for(lambda: left_behind(tmp_path))
    one.process.send_signal(signal.SIGTERM)
    assert one.end().code == 75 and not left_behind(tmp_path) and not (tmp_path / "out.mp4").exists()


def test_next_attempt_sweeps_what_a_kill_left(tmp_path):
    params = {"input": str(SAMPLES / "bear_vp9_161x121.webm"), "output": "out.mp4"}
    slow = dict(params, input=str(SAMPLES / "bbb_480p24_8s.mp4"), preset="veryslow")
    one = Run("video", slow, tmp_path, job=7, attempt=1)
    wait_for(lambda: left_behind(tmp_path))
    one.process.kill()
    one.end()
    assert left_behind(tmp_path) == [".out.mp4.batchd-7-1.part"]
    assert Run("video", params, tmp_path, job=7, attempt=2).end().code == 0
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]


def test_a_full_disk_is_said(tmp_path):
    """By the file size limit, which fails a write as a full disk does."""
    script = 'ulimit -f 20; exec "$0"'
    from daemon import OUT
    line = json.dumps({"params": {"input": str(SAMPLES / "bbb_480p24_8s.mp4"), "output": "out.mp4",
                                  **FAST}, "cwd": str(tmp_path)})
    done = subprocess.run(["sh", "-c", script, OUT / "processors/video/video"], input=line,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 74 and "File too large" in done.stderr, done.stderr
    assert not list(tmp_path.iterdir())


def test_job_through_the_daemon(daemon, tmp_path):
    done = daemon.ctl("submit", "--type", "video", "-C", str(tmp_path), "--param",
                      f"input={SAMPLES}/bbb_480p24_8s.mp4", "--param", "output=out.mp4", "--param",
                      "width=320", "--param", "preset=ultrafast", "--wait")
    assert done.returncode == 0, done.stderr
    job = json.loads(daemon.ctl("show", "--json", done.stdout.strip()).stdout)
    assert job["type"] == "video" and job["state"] == "completed"
    assert job["params"]["audio"] == "copy" and job["result"]["frames_out"] == 194
    assert job["result"]["outputs"][0]["sha256"] == sha256(tmp_path / "out.mp4")


def test_progress_of_a_running_job(daemon, tmp_path):
    job = daemon.call("io.batchd.Jobs.Submit", type="video", cwd=str(tmp_path), params={
        "input": str(SAMPLES / "bbb_480p24_8s.mp4"), "output": "out.mp4", "preset": "veryslow"})["id"]
    seen = []

    def progress():
        shown = json.loads(daemon.ctl("show", "--json", str(job)).stdout)
        if shown["progress"]:
            seen.append(shown["progress"])
        return seen and seen[-1]["fraction"] > 0

    wait_for(progress)
    assert set(seen[-1]) >= {"fraction", "frames"} and 0 < seen[-1]["fraction"] <= 1
    assert " %" in daemon.ctl("list").stdout
    daemon.ctl("cancel", str(job))
    assert daemon.wait(job)[0]["outcome"]["class"] == "cancelled"
    assert not list(tmp_path.iterdir())


def test_bad_data_is_of_class_processor(daemon, tmp_path):
    (tmp_path / "bad.mp4").write_bytes((SAMPLES / "bear_vp9_161x121.webm").read_bytes()[:9000])
    done = daemon.ctl("submit", "--type", "video", "-C", str(tmp_path), "--param", "input=bad.mp4",
                      "--param", "output=out.mp4", "--wait")
    assert done.returncode == 65 and "cut off" in done.stderr
    job = json.loads(daemon.ctl("show", "--json", done.stdout.strip()).stdout)
    assert job["outcome"]["class"] == "processor" and job["outcome"]["exit_code"] == 65
    assert "cut off" in job["result"]["error"]["message"]
    assert "cut off" in daemon.ctl("logs", str(job["id"])).stderr


def test_wrong_parameters_are_refused_at_submit(daemon):
    done = daemon.ctl("submit", "--type", "video", "--param", "input=a", "--param", "crf=99")
    assert done.returncode == 1
    assert done.stderr.startswith("batchctl: params.crf is 99; it must be from 0 to 63")
    assert not daemon.jobs()


@pytest.mark.parametrize("name,params,words", [
    ("video", {"output": "a.avi"}, '"a.avi"; with mode transcode and codec h264 it must end in .mp4, .m4v, .mov or .mkv'),
    ("video", {"output": "a.webm"}, ".webm goes with codec vp9 or av1"), ("video", {}, "missing; it is required"),
    ("video", {"output": "a.mov", "codec": "av1"}, "it must end in .mp4, .m4v, .mkv or .webm; .mov goes with codec h264"),
    ("video", {"output": "a.mp4", "mode": "thumbnail"}, "it must end in .jpg, .jpeg or .png; .mp4 goes with mode transcode"),
    ("video", {"output": "a.mp4", "mode": "probe"}, "given; it is not allowed with mode probe"),
    ("interpolate", {"output": "a.webm", "factor": 2}, "with codec h264 it must end in")])
def test_an_output_that_cannot_be_made_is_refused_at_submit(daemon, name, params, words):
    given = [word for key, value in {"input": "a", **params}.items() for word in ("--param", f"{key}={value}")]
    done = daemon.ctl("submit", "--type", name, *given)
    assert done.returncode == 1 and done.stderr.startswith("batchctl: params.output is ") and words in done.stderr
    assert not daemon.jobs()


@pytest.mark.parametrize("codec,endings", [("h264", "mp4 m4v mov mkv"), ("vp9", "mp4 m4v mkv webm")])
def test_the_endings_that_are_taken_can_be_made(tmp_path, codec, endings):
    for ending in endings.split():
        done = run("video", tmp_path, input=str(SAMPLES / "bear_vp9_161x121.webm"), output=f"out.{ending.upper()}", codec=codec,
                   preset="ultrafast")
        assert done.code == 0 and frames(tmp_path / f"out.{ending.upper()}") == 30, done.error
