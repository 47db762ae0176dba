"""The processor "interpolate" on real pictures, made small: one long run of FFmpeg's own program is the judge."""
import hashlib
import json
import os
import re
import signal
import subprocess
from fractions import Fraction

import pytest
from processor import SAMPLES, Run, ffprobe, frame_times, frames, left_behind, run

CLIP = str(SAMPLES / "bbb_180p24_8s.mp4")
COUNT = 194
EXACT = {"crf": 0, "preset": "ultrafast"}  # without loss, so that frames can be told apart
FOUR = {"cpus": 4}  # as many chunks: seams at 48, 97 and 145


def ffmpeg(*words):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, words)], check=True)


def sums(path, filters="null"):
    done = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-an", "-vf", filters, "-f", "framemd5", "-"],
                          capture_output=True, text=True, check=True)
    return [line.split(",")[-1].strip() for line in done.stdout.splitlines() if line[0] != "#"]


def long_run(path, rate, words="mi_mode=mci:me=ds"):
    """All slots up to the end of the last frame, and one at the end itself."""
    return sums(path, f"tpad=stop=2:stop_mode=clone,minterpolate=fps={rate}:{words}")[:-1]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "small.mp4"
    ffmpeg("-i", CLIP, "-vf", "scale=160:90", "-c:a", "copy", "-c:v", "libx264", "-crf", 12, path)
    return str(path)


def made(folder, source, cpus=2, **params):
    done = run("interpolate", folder, cpus=cpus, input=str(source), output="out.mp4", **params)
    assert (done.code, done.error) == (0, "")
    assert done.result["frames_out"] == frames(folder / "out.mp4")
    assert not [name for name in os.listdir(folder) if "batchd" in name]
    return done.result


@pytest.mark.long
def test_chunks_are_equal_to_one_long_run(tmp_path, small):
    result = made(tmp_path, small, factor=2, **EXACT, **FOUR)
    assert (result["frames_in"], result["frames_out"]) == (COUNT, 2 * COUNT)
    assert result["checkpoints"] == {"reused": 0, "made": 4}
    assert sums(tmp_path / "out.mp4") == long_run(small, 48)
    assert frame_times(tmp_path / "out.mp4") == [Fraction(n, 48) for n in range(2 * COUNT)]


@pytest.mark.parametrize("codec,name,audio,expected", [
    pytest.param("h265", "out.mov", "copy", ["hevc", "aac"], marks=pytest.mark.long),  # libx265 leaks
    ("av1", "out.mkv", "encode", ["av1", "aac"]),
    ("vp9", "out.webm", "copy", ["vp9", "opus"]), ("h264", "out.mp4", "none", ["h264"])])
def test_codecs_sound_and_containers(tmp_path, small, codec, name, audio, expected):
    done = run("interpolate", tmp_path, cpus=4, input=small, output=name, codec=codec, audio=audio,
               factor=2, method="blend", preset="ultrafast")
    assert (done.code, done.error) == (0, "")
    found = ffprobe(tmp_path / name, "-show_streams")["streams"]
    assert [stream["codec_name"] for stream in found] == expected
    assert done.result["frames_out"] == frames(tmp_path / name) == 2 * COUNT
    assert done.result["checkpoints"]["made"] >= 4


@pytest.mark.long
def test_blending_too(tmp_path, small):
    result = made(tmp_path, small, factor=2, method="blend", **EXACT, **FOUR)
    assert result["checkpoints"]["made"] == 4
    assert sums(tmp_path / "out.mp4") == long_run(small, 48, "mi_mode=blend")


@pytest.mark.parametrize("asked,rate", [
    ({"fps": 60}, Fraction(60)), ({"fps": 59.94}, Fraction(60000, 1001)), ({"factor": 3}, Fraction(72)),
    ({"fps": 29.97}, Fraction(30000, 1001)), ({"fps": 24.5}, Fraction(49, 2))])
def test_slots_from_the_first_frame_to_the_end_of_the_last(tmp_path, small, asked, rate):
    result = made(tmp_path, small, method="blend", preset="ultrafast", **asked, **FOUR)
    times = frame_times(tmp_path / "out.mp4")
    assert times == [n / rate for n in range(len(times))]
    length = Fraction(COUNT, 24)
    assert (len(times) - 1) / rate < length <= len(times) / rate
    assert result["media"]["output"]["video"]["variable_rate"] is False
    found = ffprobe(tmp_path / "out.mp4", "-show_streams")["streams"][0]
    assert Fraction(found["avg_frame_rate"]) == rate


def test_a_variable_rate_becomes_a_constant_one(tmp_path):
    """Frames are where they were shown; the slots between them are even."""
    source = tmp_path / "variable.mp4"
    ffmpeg("-i", CLIP, "-an", "-t", 3, "-vf", "scale=160:90,select='not(between(mod(n,9),4,6))'",
           "-fps_mode", "passthrough", "-c:v", "libx264", "-crf", 10, source)
    was = frame_times(source)
    assert len({b - a for a, b in zip(was, was[1:])}) == 2
    made(tmp_path, source, fps=20, method="blend", **EXACT)  # 16 a second in the mean
    made(tmp_path, source, fps=48, **EXACT)
    times = frame_times(tmp_path / "out.mp4")
    assert times == [Fraction(n, 48) for n in range(len(times))]
    assert times[-1] >= was[-1] and times[-1] - was[-1] < Fraction(1, 6)
    before, after = sums(source), sums(tmp_path / "out.mp4")
    assert all(after[int(time * 48)] == before[n] for n, time in enumerate(was))


def test_pictures_may_change_their_size(tmp_path):
    """In the middle of a file: all become as large as the first, and what lies between them is made of those."""
    for name, size in (("a.ts", "160:90"), ("b.ts", "96:54")):
        ffmpeg("-ss", 3, "-t", 1, "-i", CLIP, "-an", "-vf", f"scale={size},setsar=1", "-c:v", "libx264", "-crf", 5,
               tmp_path / name)
    ffmpeg("-i", f"concat:{tmp_path}/a.ts|{tmp_path}/b.ts", "-c", "copy", tmp_path / "in.ts")
    result = made(tmp_path, tmp_path / "in.ts", factor=2, **EXACT)
    found = result["media"]["output"]["video"]
    assert (result["frames_in"], result["frames_out"], found["width"], found["height"]) == (48, 96, 160, 90)
    was, after = sums(tmp_path / "in.ts", "scale=160:90:flags=bicubic"), sums(tmp_path / "out.mp4")
    assert [n for n, one in enumerate(was) if after[2 * n] != one] == []


def test_matroska_says_the_new_rate(tmp_path, small):
    done = run("interpolate", tmp_path, input=small, output="out.mkv", fps=50, method="blend",
               preset="ultrafast")
    assert done.code == 0, done.error
    assert ffprobe(tmp_path / "out.mkv", "-show_streams")["streams"][0]["r_frame_rate"] == "50/1"
    assert done.result["frames_out"] == frames(tmp_path / "out.mkv") == 405


def test_sound_is_copied(tmp_path, small):
    made(tmp_path, small, factor=2, method="blend", preset="ultrafast")

    def sound(path):
        words = ["ffmpeg", "-v", "error", "-i", path, "-map", "0:a", "-c", "copy", "-f", "framemd5", "-"]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        return re.sub(r"#.*\n", "", done.stdout)

    assert sound(tmp_path / "out.mp4") == sound(small)


def lead(path):
    """By how much the sound begins first, in seconds; half a slot may be gained or lost."""
    streams = ffprobe(path, "-show_streams")["streams"]
    starts = {stream["codec_type"]: float(stream["start_time"]) for stream in streams}
    return starts["video"] - starts["audio"]


@pytest.mark.long
@pytest.mark.parametrize("name,words", [("early.mp4", ["-itsoffset", 0]), ("late.mp4", ["-itsoffset", 0.3]),
                                        ("stream.ts", ["-itsoffset", 0.1])])
def test_sound_stays_with_the_picture(tmp_path, small, name, words):
    """A transport stream begins at 1.4 s, an output at 0."""
    ffmpeg(*words, "-i", small, "-i", small, "-map", "0:v", "-map", "1:a", "-c", "copy", "-t", 3,
           tmp_path / name)
    made(tmp_path, tmp_path / name, factor=2, method="blend", preset="ultrafast")
    assert lead(tmp_path / "out.mp4") == pytest.approx(lead(tmp_path / name), abs=1 / 96 + 1e-3)


@pytest.mark.long
def test_motion_is_nearer_to_what_was_there_than_blending(tmp_path):
    ffmpeg("-ss", 4, "-i", CLIP, "-an", "-t", 3, "-vf", "scale=320:180", "-c:v", "libx264", "-crf", 5,
           tmp_path / "all.mp4")
    ffmpeg("-i", tmp_path / "all.mp4", "-vf", "select='not(mod(n,2))'", "-fps_mode", "passthrough",
           "-r", 12, "-c:v", "libx264", "-crf", 5, tmp_path / "half.mp4")
    likeness = {}
    for method in ("motion", "blend"):
        made(tmp_path, tmp_path / "half.mp4", fps=24, method=method, **EXACT)
        judged = run("quality", tmp_path, reference="all.mp4", distorted="out.mp4", align="number")
        likeness[method] = judged.result["metrics"]["ssim"]["mean"]
    assert likeness["motion"] > likeness["blend"] + 0.002


def test_a_cut_between_scenes_is_kept(tmp_path):
    """Nothing is put between two scenes: each frame there is one of either."""
    parts = ("[0:v]trim=end_frame=20,scale=160:90,setsar=1,setpts=N/24/TB[a];"
             "[1:v]scale=160:90,setsar=1,format=yuv420p,setpts=N/24/TB[b];[a][b]concat")
    ffmpeg("-i", CLIP, "-loop", 1, "-framerate", 24, "-t", 1, "-i", SAMPLES / "coffee.png",
           "-filter_complex", parts, "-r", 24, "-c:v", "libx264", "-crf", 0, tmp_path / "cut.mp4")
    result = made(tmp_path, tmp_path / "cut.mp4", factor=4, **EXACT)
    assert result["metrics"]["scene_cuts"] == 1
    before, after = sums(tmp_path / "cut.mp4"), sums(tmp_path / "out.mp4")
    assert before[19] != before[20]
    assert set(after[19 * 4:20 * 4 + 1]) == {before[19], before[20]}


def test_the_display_matrix_goes_with_the_pictures(tmp_path):
    result = made(tmp_path, SAMPLES / "sample_rotate_reflect.mp4", factor=2, method="blend",
                  preset="ultrafast")
    source, output = (result["media"][name]["video"] for name in ("input", "output"))
    assert source["rotation"] == output["rotation"] != 0 and output["mirrored"]
    assert (source["shown_width"], source["shown_height"]) == (
        output["shown_width"], output["shown_height"])


@pytest.mark.parametrize("name,shape", [("bear_vp9_161x121.webm", (160, 120)),
                                        ("roadtrip_vp9_10bit.webm", (426, 240)),
                                        ("sample_mpeg2_mp2.ts", (640, 426))])
def test_odd_sizes_deep_pixels_and_few_frames(tmp_path, name, shape):
    result = made(tmp_path, SAMPLES / name, factor=2, method="blend", preset="ultrafast")
    video = result["media"]["output"]["video"]
    assert (video["width"], video["height"], video["pixel_format"]) == (*shape, "yuv420p")
    times = frame_times(SAMPLES / name)
    assert abs(result["frames_out"] - 2 * len(times)) <= 1


@pytest.mark.long
def test_a_killed_run_is_gone_on_with(tmp_path, small):
    """Of three chunks, made one behind the other, the first is done; the rest is made, and the file is the one of an
    undisturbed run."""
    ffmpeg("-stream_loop", 2, "-i", small, "-c", "copy", tmp_path / "in.mp4")
    params = {"input": "in.mp4", "output": "out.mp4", "factor": 4, "preset": "fast"}
    made(tmp_path, "in.mp4", factor=4, preset="fast", cpus=1)
    wanted = hashlib.sha256((tmp_path / "out.mp4").read_bytes()).hexdigest()
    os.unlink(tmp_path / "out.mp4")
    job = Run("interpolate", params, tmp_path, cpus=1)
    for line in job.news:
        if json.loads(line)["type"] == "checkpoint":
            job.process.send_signal(signal.SIGKILL)
            break
    assert job.end().code == -signal.SIGKILL and not (tmp_path / "out.mp4").exists()
    again = Run("interpolate", params, tmp_path, cpus=1, attempt=2).end()
    assert again.code == 0, again.error
    assert again.result["checkpoints"]["reused"] >= 1
    assert sum(again.result["checkpoints"].values()) == 3
    assert hashlib.sha256((tmp_path / "out.mp4").read_bytes()).hexdigest() == wanted
    assert not [name for name in os.listdir(tmp_path) if "batchd" in name]


@pytest.mark.parametrize("params,code,words", [
    ({}, 64, ["params.fps is missing", "params.factor"]),
    ({"fps": 60, "factor": 2}, 64, ["params.factor is 2", "params.fps 60"]),
    ({"fps": 24}, 64, ["params.fps is 24", "more than the input's 24"]),
    ({"factor": 1}, 64, ["params.factor is 1", "from 2 to 16"]),
    ({"factor": 2, "method": "moton"}, 64, ['"moton"', "did you mean motion?"]),
    ({"factor": 2, "output": "out.webm"}, 64, ["h264", ".webm goes with codec vp9"]),
    ({"factor": 2, "crf": 60}, 64, ["params.crf is 60", "with codec h264", "from 0 to 51"]),
    ({"factor": 2, "output": "out.avi"}, 64, ["out.avi"]),
    ({"factor": 2, "input": "absent.mp4"}, 66, ["absent.mp4", "No such file"]),
    ({"factor": 2, "input": str(SAMPLES / "rocket.jpg")}, 65, ["rocket.jpg", "is no video"]),
])
def test_wrong_parameters_are_named(tmp_path, params, code, words):
    done = run("interpolate", tmp_path, **{"input": CLIP, "output": "out.mp4", **params})
    assert done.code == code, done.error
    for word in words:
        assert word in done.error
    assert not list(tmp_path.iterdir())


def test_deep_pixels_are_told(tmp_path):
    done = run("interpolate", tmp_path, input=str(SAMPLES / "roadtrip_vp9_10bit.webm"), output="out.mkv",
               preset="ultrafast", method="blend", factor=2)
    assert done.code == 0, done.error
    assert done.result["warnings"] == ["the input's 10 bits become 8: frames in between are made with no more"]


def test_half_a_file_is_never_done(tmp_path, small):
    (tmp_path / "cut.webm").write_bytes((SAMPLES / "bear_vp9_161x121.webm").read_bytes()[:20000])
    done = run("interpolate", tmp_path, input="cut.webm", output="out.mp4", factor=2, method="blend")
    assert done.code == 65 and "damaged or cut off" in done.error
    assert os.listdir(tmp_path) == ["cut.webm"]


def test_frames_without_a_time_are_refused_with_the_way_out(tmp_path, small):
    ffmpeg("-i", small, "-t", 1, "-an", "-c:v", "mpeg4", "-bf", 2, tmp_path / "in.avi")
    params = {"method": "blend", "factor": 2, "preset": "ultrafast"}
    done = run("interpolate", tmp_path, input="in.avi", output="out.mp4", **params)
    assert done.code == 65 and "without a time" in done.error and "video makes an MP4" in done.error
    assert run("video", tmp_path, input="in.avi", output="in.mp4", preset="ultrafast").code == 0
    assert made(tmp_path, tmp_path / "in.mp4", **params)["frames_out"] == 48


def test_sigterm_leaves_no_output(tmp_path, small):
    job = Run("interpolate", {"input": small, "output": "out.mp4", "factor": 8}, tmp_path)
    assert json.loads(job.news.readline())["type"] in ("progress", "log")
    job.process.send_signal(signal.SIGTERM)
    assert job.end().code == 75 and not (tmp_path / "out.mp4").exists() and not left_behind(tmp_path)
