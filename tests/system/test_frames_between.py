"""What "interpolate" puts between frames is, sample by sample, what one long run of FFmpeg's minterpolate puts there."""
import os
import subprocess

import pytest
from processor import SAMPLES, ffprobe, frames, run

CLIP = SAMPLES / "bbb_180p24_8s.mp4"
COFFEE = SAMPLES / "coffee.png"
SHAKEN = "crop=250:180:(in_w-250)*(0.5+0.5*sin(n*1.3)):(in_h-180)*(0.5+0.5*cos(n*1.7))"


def ffmpeg(*words):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, words)], check=True)


def sums(path, filters="null"):
    """As they are stored: players turn pictures."""
    done = subprocess.run(["ffmpeg", "-v", "error", "-noautorotate", "-i", path, "-an", "-vf", filters, "-f", "framemd5", "-"],
                          capture_output=True, text=True, check=True)
    return [line.split(",")[-1].strip() for line in done.stdout.splitlines() if line[0] != "#"]


def between(folder, source, rate, method="motion", cpus=2):
    """Sums of the frames and the job's result; the output is without loss."""
    done = run("interpolate", folder, cpus=cpus, input=str(source), output="out.mkv", fps=rate, method=method, crf=0,
               preset="ultrafast", audio="none")
    assert (done.code, done.error) == (0, "")
    assert done.result["frames_out"] == frames(folder / "out.mkv")
    return sums(folder / "out.mkv"), done.result


def judge(source, rate, method="motion"):
    mode = "mi_mode=blend" if method == "blend" else "mi_mode=mci:me=ds"
    return sums(source, "scale=trunc(iw/2)*2:trunc(ih/2)*2:flags=bicubic:out_range=tv,format=yuv420p,"
                        f"tpad=stop=2:stop_mode=clone,minterpolate=fps={rate}:{mode}")


def same(ours, theirs):
    """Theirs may have one at the end itself, or a few behind it."""
    assert len(ours) <= len(theirs) <= len(ours) + 2
    assert [n for n, (a, b) in enumerate(zip(ours, theirs)) if a != b] == []


def made(folder, words, filters):
    ffmpeg(*words, "-an", "-vf", filters + ",setsar=1", "-c:v", "libx264", "-crf", 5, "-preset", "fast",
           folder / "in.mp4")
    return folder / "in.mp4"


MOVING = ["-ss", 3, "-t", 0.5, "-i", CLIP]
SOURCES = {
    "no blocks left over": (MOVING, "scale=192:112", 48),
    "blocks left over": (MOVING, "scale=190:106", 60),
    "the smallest": (MOVING, "scale=32:32", 47.5),
    "a strip": (MOVING, "scale=34:158", 60),
    "4:2:2": (MOVING, "scale=160:90,format=yuv422p", 48),
    "4:4:4": (MOVING, "scale=160:90,format=yuv444p", 59.94),
    "10 bits": (MOVING, "scale=160:90,format=yuv420p10", 36),
    "a still picture": (["-loop", 1, "-framerate", 24, "-t", 0.5, "-i", COFFEE], "scale=200:134,format=yuv420p", 60),
    "shaken, with cuts": (["-loop", 1, "-framerate", 24, "-t", 1, "-i", COFFEE], SHAKEN + ",format=yuv420p", 60),
    "noise": (["-f", "lavfi", "-t", 0.5, "-i", "nullsrc=s=96x80:r=24,geq=random(1)*255:128:128"], "format=yuv420p", 50),
    "jumps": (["-i", CLIP], "scale=160:90,select='not(mod(n,9))',setpts=N/24/TB", 100),
}


# The judge takes ten times as long as what it judges.
ALWAYS = ("blocks left over", "a strip", "4:2:2", "10 bits")


@pytest.mark.parametrize("method", ["motion", pytest.param("blend", marks=pytest.mark.long)])
@pytest.mark.parametrize("name", [name if name in ALWAYS else pytest.param(name, marks=pytest.mark.long) for name in SOURCES])
def test_frames_are_those_of_minterpolate(tmp_path, name, method):
    words, filters, rate = SOURCES[name]
    source = made(tmp_path, words, filters)
    ours, result = between(tmp_path, source, rate, method)
    same(ours, judge(source, rate, method))
    assert (result["metrics"]["scene_cuts"] > 0) is (name in ("shaken, with cuts", "noise"))


@pytest.mark.long
def test_cuts_beside_a_seam_are_those_of_one_long_run(tmp_path):
    """What changes much with each frame is no cut: a chunk knows how much it did before."""
    words = ["-loop", 1, "-framerate", 24, "-t", 5, "-i", COFFEE]
    source = made(tmp_path, words, "scale=300:-2," + SHAKEN.replace("250", "120").replace("180", "90") + ",format=yuv420p")
    ours, result = between(tmp_path, source, 48, "blend", cpus=4)
    assert result["checkpoints"]["made"] > 1
    same(ours, judge(source, 48, "blend"))
    once, whole = between(tmp_path, source, 48, "blend", cpus=1)
    assert (ours, whole["checkpoints"]["made"]) == (once, 1)
    assert result["metrics"]["scene_cuts"] == whole["metrics"]["scene_cuts"] > 0


def pts(path, kind):
    return [int(one["pts"]) for one in ffprobe(path, f"-show_{kind}s", "-select_streams", "v:0")[f"{kind}s"]]


@pytest.mark.long
def test_packets_that_show_nothing_lie_behind_seams(tmp_path):
    """VP8's alternate references; a chunk needs the frame behind it."""
    pan = "scale=600:-2,crop=120:90:floor(240*abs(mod(n\\,96)/48-1))*2:100"
    for number in (1, 2):  # the first measures: the second hides pictures then
        ffmpeg("-loop", 1, "-framerate", 24, "-t", 9, "-i", COFFEE, "-vf", pan, "-c:v", "libvpx", "-b:v", "600k", "-cpu-used", 4,
               "-auto-alt-ref", 1, "-lag-in-frames", 16, "-g", 48, "-pass", number, "-passlogfile", tmp_path / "log",
               tmp_path / "ties.webm")
    ffmpeg("-i", tmp_path / "ties.webm", "-c", "copy", "-bsf:v", "setts=ts=PTS-eq(PTS\\,NEXT_PTS)", tmp_path / "all.webm")
    packets, shown = pts(tmp_path / "all.webm", "packet"), pts(tmp_path / "all.webm", "frame")
    hidden = {n for n, time in enumerate(packets) if time not in shown}
    count = max(range(192, 225), key=lambda count: len({count * i // 4 for i in (1, 2, 3)} & hidden))
    assert any(count * i // 4 in hidden for i in (1, 2, 3))
    ffmpeg("-i", tmp_path / "all.webm", "-c", "copy", "-frames:v", count, tmp_path / "in.webm")
    ours, result = between(tmp_path, tmp_path / "in.webm", 48, "blend", cpus=4)
    once, whole = between(tmp_path, tmp_path / "in.webm", 48, "blend", cpus=1)
    assert result["checkpoints"]["made"] == 4 and whole["checkpoints"]["made"] == 1
    assert [n for n, (a, b) in enumerate(zip(ours, once, strict=True)) if a != b] == []
    assert result["metrics"]["scene_cuts"] == whole["metrics"]["scene_cuts"]


@pytest.mark.parametrize("method", ["motion", "blend"])
def test_fine_times_and_uneven_steps(tmp_path, method):
    """In nanoseconds, some 51, 51 and 17 ms: what is in between is neither of both."""
    uneven = "scale=160:90,settb=1/1000000000,setpts='floor(N/3)*119000017+mod(N,3)*51000007'"
    ffmpeg("-ss", 3, "-t", 2, "-i", CLIP, "-an", "-vf", uneven, "-fps_mode", "passthrough", "-enc_time_base", "1:1000000000",
           "-video_track_timescale", 1000000000, "-c:v", "libx264", "-bf", 0, "-crf", 5, tmp_path / "in.mp4")
    done = run("interpolate", tmp_path, cpus=2, input="in.mp4", output="out.mkv", factor=2, method=method, crf=0, preset="ultrafast")
    assert done.code == 0, done.error
    ours, source = sums(tmp_path / "out.mkv"), sums(tmp_path / "in.mp4")
    assert len(ours) == pytest.approx(2 * len(source), abs=3)
    assert len(set(ours) - set(source)) > 0.9 * (len(ours) - len(source))


@pytest.mark.long
@pytest.mark.parametrize("name", ["bear_vp9_161x121.webm", "roadtrip_vp9_10bit.webm", "sample_rotate_reflect.mp4"])
def test_real_files_as_they_are(tmp_path, name):
    """The first frames of each."""
    source = tmp_path / f"in.{name.rsplit('.', 1)[1]}"
    ffmpeg("-i", SAMPLES / name, "-an", "-c", "copy", "-t", 0.2, source)
    ours, _ = between(tmp_path, source, 75)
    same(ours, judge(source, 75))


@pytest.mark.parametrize("size", ["2:2", "14:10", "20:100", "100:30"])
def test_pictures_that_minterpolate_refuses_fade(tmp_path, size):
    """Less than 32 wide or high there is no room for a search; what a larger picture has around it changes nothing."""
    large = made(tmp_path, MOVING, f"scale={size},pad=128:128")
    ffmpeg("-i", large, "-vf", f"crop={size}:0:0", "-c:v", "ffv1", tmp_path / "small.mov")
    ours, _ = between(tmp_path, tmp_path / "small.mov", 60)
    same(ours, sums(large, f"tpad=stop=2:stop_mode=clone,minterpolate=fps=60:mi_mode=blend:scd=none,crop={size}:0:0"))


@pytest.mark.long
def test_memory_and_time_are_less_than_those_of_ffmpeg(tmp_path):
    """minterpolate keeps some 290 bytes a pixel, and is used here with its picture alone; ours encode, too."""
    source = made(tmp_path, ["-t", 1, "-i", SAMPLES / "bbb_480p24_8s.mp4"], "null")
    done = run("interpolate", tmp_path, cpus=2, input=str(source), output="out.mp4", factor=2, preset="ultrafast")
    assert done.code == 0, done.error
    peer = subprocess.Popen(["ffmpeg", "-v", "error", "-threads", "1", "-i", source, "-vf", "minterpolate=fps=48:me=ds",
                             "-f", "null", "-"])
    _, status, usage = os.wait4(peer.pid, 0)
    peer.returncode = os.waitstatus_to_exitcode(status)
    assert peer.returncode == 0
    assert done.rss_kb < 1.2 * usage.ru_maxrss
    assert done.cpu_seconds < usage.ru_utime / 1.8
