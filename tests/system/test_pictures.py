"""What video does to pictures is what ffmpeg's filters make of the whole film, also at the seams of chunks."""
import re
import subprocess

import pytest
from processor import SAMPLES, ffprobe, frame_times, run
from test_resume import ffmpeg

# Lossless, so that each picture can be compared.
EXACT = {"preset": "ultrafast", "crf": 0, "audio": "none"}


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """593 frames of 50 a second that all differ: four chunks, cut at no round time."""
    made = tmp_path_factory.mktemp("film") / "film.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=192x108:r=50:d=11.86", "-preset", "ultrafast", "-bf", 2, "-g", 50, made)
    return made


def sums(path, filters="null", *words):
    """MD5 of each picture; they keep their times."""
    done = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-map", "0:v", "-vf", filters, *words, "-vsync",
                           "passthrough", "-f", "framemd5", "-"], capture_output=True, text=True, check=True)
    return [line.split(",")[5].strip() for line in done.stdout.splitlines() if not line.startswith("#")]


def made(tmp_path, film, **params):
    done = run("video", tmp_path, input=str(film), output="out.mp4", **EXACT, **params)
    assert done.code == 0 and done.result["checkpoints"]["made"] > 1, done.error
    return done.result


SCALE = "scale={}:{}:flags=bicubic:out_range=tv,format=yuv420p"


def test_crop(tmp_path, film):
    made(tmp_path, film, crop="100x60+11+7")
    assert sums(tmp_path / "out.mp4") == sums(film, "crop=100:60:11:7:exact=1," + SCALE.format(100, 60))


def test_crop_comes_before_scale(tmp_path, film):
    made(tmp_path, film, crop="100x60+11+7", width=50)
    assert sums(tmp_path / "out.mp4") == sums(film, "crop=100:60:11:7:exact=1," + SCALE.format(50, 30))


@pytest.mark.parametrize("fps,rate", [(25, "25/1"), (29.97, "30000/1001"), (60, "60/1"), (37, "37/1")])
def test_a_constant_rate(tmp_path, film, fps, rate):
    """The frames of one long run, in the same slots."""
    result = made(tmp_path, film, fps=fps)
    out = tmp_path / "out.mp4"
    assert sums(out) == sums(film, SCALE.format(192, 108) + f",fps={rate}")
    distances = [b - a for a, b in zip(frame_times(out), frame_times(out)[1:])]
    assert len(set(distances)) == 1
    assert ffprobe(out, "-show_streams")["streams"][0]["avg_frame_rate"] == rate
    assert result["frames_in"] == 593 and result["frames_out"] == len(distances) + 1


@pytest.mark.long
@pytest.mark.parametrize("fps", [1, 7])
@pytest.mark.parametrize("seconds", [12.4, 13.3])
def test_a_rate_far_below(tmp_path, fps, seconds):
    """A slot takes a frame of up to half a slot behind it, and so behind the seam."""
    source = tmp_path / "long.mp4"
    ffmpeg("-f", "lavfi", "-i", f"testsrc2=s=64x36:r=50:d={seconds}", "-preset", "ultrafast", "-g", 50, source)
    made(tmp_path, source, fps=fps)
    assert sums(tmp_path / "out.mp4") == sums(source, SCALE.format(64, 36) + f",fps={fps}")


def test_chunks_without_a_picture(tmp_path):
    """240 a second to 1: many a chunk has no slot."""
    source = tmp_path / "fast.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x36:r=240:d=6.3", "-preset", "ultrafast", "-g", 60, source)
    assert made(tmp_path, source, fps=1)["frames_out"] == 6
    assert sums(tmp_path / "out.mp4") == sums(source, SCALE.format(64, 36) + ",fps=1")


def test_no_picture_is_left(tmp_path):
    source = tmp_path / "one.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x36:r=25:d=0.04", source)
    done = run("video", tmp_path, input="one.mp4", output="out.mp4", fps=10)
    assert done.code == 64 and "params.fps is so low" in done.error
    assert [p.name for p in tmp_path.iterdir()] == ["one.mp4"]


@pytest.mark.parametrize("container,words", [("ts", ["-bf", "3"]), ("mkv", ["-bf", "3"]), ("flv", ["-bf", "3"])])
def test_other_containers_are_cut(tmp_path, container, words):
    source = tmp_path / f"film.{container}"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x36:r=50:d=12", "-c:v", "libx264", "-g", 40, *words, source)
    made(tmp_path, source)
    assert sums(tmp_path / "out.mp4") == sums(source, SCALE.format(64, 36))


def test_what_an_edit_list_hides_makes_no_hole(tmp_path, film):
    """A stream copy that was cut within a group of pictures: the first picture shown is at 0."""
    cut = tmp_path / "cut.mp4"
    ffmpeg("-ss", 1.7, "-i", film, "-c", "copy", cut)
    done = run("video", tmp_path, input="cut.mp4", output="out.mp4", **EXACT)
    assert done.code == 0, done.error
    assert sums(tmp_path / "out.mp4") == sums(cut, SCALE.format(192, 108))
    stream = ffprobe(tmp_path / "out.mp4", "-show_streams")["streams"][0]
    assert float(stream["start_time"]) == 0


@pytest.mark.long
def test_a_variable_rate_becomes_constant(tmp_path):
    source = tmp_path / "variable.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x54:r=50:d=14", "-vf", "select='gt(mod(n\\,9)\\,2)'", "-vsync", "vfr",
           "-preset", "ultrafast", source)
    made(tmp_path, source, fps=25)
    assert sums(tmp_path / "out.mp4") == sums(source, SCALE.format(96, 54) + ",fps=25")


@pytest.mark.parametrize("mode,told", [("auto", True), ("on", True), ("off", False)])
def test_deinterlace(tmp_path, mode, told):
    source = tmp_path / "fields.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=192x108:r=50:d=12", "-vf", "tinterlace=interleave_top,setfield=tff",
           "-flags", "+ilme+ildct", "-x264-params", "tff=1", "-preset", "ultrafast", source)
    result = made(tmp_path, source, deinterlace=mode)
    wanted = "bwdif=mode=send_frame:deint=all," if told else ""
    assert sums(tmp_path / "out.mp4") == sums(source, wanted + SCALE.format(192, 108))
    assert result["media"]["output"]["deinterlaced"] is told


def test_what_is_progressive_is_not_deinterlaced(tmp_path, film):
    assert made(tmp_path, film)["media"]["output"]["deinterlaced"] is False
    assert sums(tmp_path / "out.mp4") == sums(film, SCALE.format(192, 108))


def psnr(path, other):
    done = subprocess.run(["ffmpeg", "-v", "info", "-i", path, "-i", other, "-lavfi", "psnr", "-f", "null", "-"],
                          capture_output=True, text=True, check=True)
    return float(re.search(r"average:(inf|[0-9.]+)", done.stderr)[1])


@pytest.mark.long
def test_denoise(tmp_path):
    """Closer to what was there before the noise; and near to one long run's."""
    still, noisy, long_run = (tmp_path / f"{name}.mp4" for name in ("still", "noisy", "long"))
    ffmpeg("-loop", 1, "-i", SAMPLES / "rocket.jpg", "-t", 12, "-vf", "scale=192:108,format=yuv420p,fps=50", "-preset",
           "ultrafast", "-crf", 0, still)
    ffmpeg("-i", still, "-vf", "noise=alls=6:allf=t", "-preset", "ultrafast", "-crf", 0, noisy)
    made(tmp_path, noisy, denoise="medium")
    out = tmp_path / "out.mp4"
    assert psnr(out, still) > psnr(noisy, still) + 3
    ffmpeg("-i", noisy, "-vf", "hqdn3d=4:3:6:4.5," + SCALE.format(192, 108), "-preset", "ultrafast", "-crf", 0,
           long_run)
    assert sums(out) == sums(long_run)


@pytest.mark.parametrize("params,words", [
    ({"crop": "100x60"}, ["params.crop", '"100x60"', "WIDTHxHEIGHT+X+Y"]),
    ({"crop": "100x60+100+0"}, ["params.crop", "192x108"]),
    ({"crop": "0x60+1+0"}, ["params.crop"]), ({"fps": 0.5}, ["params.fps is 0.5", "from 1"]),
    ({"denoise": "much"}, ["params.denoise", '"much"'])])
def test_wrong_ones_are_named(tmp_path, film, params, words):
    done = run("video", tmp_path, input=str(film), output="out.mp4", **params)
    assert done.code == 64 and all(word in done.error for word in words), done.error


@pytest.mark.parametrize("at,frame", [(0, 0), (2.99, 149), (None, 59)])
@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_a_thumbnail_is_the_frame_of_that_time(tmp_path, film, at, frame, ending):
    params = {} if at is None else {"at": at}
    done = run("video", tmp_path, mode="thumbnail", input=str(film), output=f"out.{ending}", **params)
    assert done.code == 0 and done.result["media"]["at_us"] == frame * 20000, done.error
    ffmpeg("-i", film, "-vf", f"select=eq(n\\,{frame})", "-frames:v", 1, tmp_path / "wanted.png")
    assert psnr(tmp_path / f"out.{ending}", tmp_path / "wanted.png") > (38 if ending == "png" else 28)
    assert [p.name for p in sorted(tmp_path.iterdir())] == [f"out.{ending}", "wanted.png"]


def test_a_thumbnail_is_turned_cropped_and_scaled(tmp_path):
    source = str(SAMPLES / "sample_rotate_reflect.mp4")
    done = run("video", tmp_path, mode="thumbnail", input=source, output="out.png", width=90)
    assert (done.result["media"]["width"], done.result["media"]["height"]) == (90, 136)
    done = run("video", tmp_path, mode="thumbnail", input=source, output="out.png", crop="100x50+10+20")
    assert (done.result["media"]["width"], done.result["media"]["height"]) == (100, 50)


@pytest.mark.parametrize("params,words", [
    ({"output": "out.gif"}, ["params.output", ".png"]), ({}, ["params.output", "missing"]),
    ({"output": "out.png", "at": 13}, ["params.at is 13", "11.8"])])
def test_a_wrong_thumbnail_is_named(tmp_path, film, params, words):
    done = run("video", tmp_path, mode="thumbnail", input=str(film), **params)
    assert done.code == 64 and all(word in done.error for word in words), done.error
    assert not list(tmp_path.iterdir())
