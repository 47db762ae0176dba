"""The processor "quality" on real files, against FFmpeg's own program and its psnr and ssim filters."""
import csv
import json
import math
import re
import signal
import subprocess

import pytest
from daemon import OUT
from processor import SAMPLES, SHARED, Run, ffprobe, left_behind, run

CLIP = str(SAMPLES / "bbb_180p24_8s.mp4")
LARGE = str(SAMPLES / "bbb_480p24_8s.mp4")  # the same frames
COUNT = 194


def ffmpeg(*words):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, words)], check=True)


def judged(name, reference, distorted, before="null"):
    """Values of FFmpeg's filter for each frame, and those of its last line."""
    graph = f"[0:v]{before}[d];[d][1:v]{name},metadata=print:file=-"
    done = subprocess.run(["ffmpeg", "-v", "info", "-nostats", "-i", distorted, "-i", reference,
                           "-lavfi", graph, "-f", "null", "-"],
                          capture_output=True, text=True, check=True)
    key = {"psnr": "psnr.psnr_avg", "ssim": "ssim.All"}[name]
    each = [float(value) for value in re.findall(rf"lavfi\.{key}=(\S+)", done.stdout)]
    word = {"psnr": "average", "ssim": "All"}[name]
    return each, float(re.findall(rf"{word}:(\S+)", done.stderr)[-1])


def same(found, wanted):
    return (found is None and math.isinf(wanted)) or found == pytest.approx(wanted, abs=1e-4)


def rank(values, percent):
    """Nearest rank, as statistics books have it."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


@pytest.fixture(scope="module")
def coded(tmp_path_factory):
    """A transcode that can be told from its source."""
    path = tmp_path_factory.mktemp("coded") / "coded.mp4"
    ffmpeg("-i", CLIP, "-an", "-c:v", "libx264", "-preset", "ultrafast", "-crf", 32, path)
    return str(path)


def measured(folder, reference, distorted, **params):
    done = run("quality", folder, reference=str(reference), distorted=str(distorted), **params)
    assert (done.code, done.error) == (0, "")
    return done.result["metrics"]


def test_values_are_those_of_ffmpeg(tmp_path, coded):
    metrics = measured(tmp_path, CLIP, coded, output="values.jsonl")
    rows = [json.loads(line) for line in open(tmp_path / "values.jsonl")]
    assert metrics["frames_compared"] == COUNT == len(rows) and metrics["identical"] is False
    assert [row["frame"] for row in rows] == list(range(COUNT))
    assert [row["time"] for row in rows] == pytest.approx([n / 24 for n in range(COUNT)], abs=1e-5)
    for name in ("psnr", "ssim"):
        each, mean = judged(name, CLIP, coded)
        assert all(same(row[name], value) for row, value in zip(rows, each, strict=True))
        found = metrics[name]
        assert same(found["mean"], mean) and same(found["min"], min(each))
        assert each[found["min_frame"]] == pytest.approx(min(each), abs=1e-4)
        assert same(found["p1"], rank(each, 1)) and same(found["p5"], rank(each, 5))
        assert found["min_time"] == pytest.approx(found["min_frame"] / 24, abs=1e-5)
        assert sorted(found["planes"]) == ["u", "v", "y"]


def test_equal_videos_are_said_to_be_identical(tmp_path):
    """Matroska rounds times to a millisecond; the frames stay the same."""
    ffmpeg("-i", CLIP, "-c", "copy", tmp_path / "same.mkv")
    metrics = measured(tmp_path, CLIP, tmp_path / "same.mkv", output="values.csv")
    assert metrics["identical"] is True and metrics["frames_compared"] == COUNT
    assert metrics["ssim"]["mean"] == metrics["ssim"]["min"] == 1
    assert metrics["psnr"]["mean"] is None and metrics["psnr"]["p1"] is None
    assert 0 < metrics["alignment"]["drift_ms_max"] <= 1
    rows = list(csv.DictReader(open(tmp_path / "values.csv")))
    assert [row["psnr"] for row in rows] == ["inf"] * COUNT
    assert {row["ssim"] for row in rows} == {"1.000000"}


def test_result_names_both_files_and_what_they_hold(tmp_path, coded):
    done = run("quality", tmp_path, reference=CLIP, distorted=coded, output="t.csv")
    result = done.result
    assert [entry["path"] for entry in result["inputs"]] == [CLIP, coded]
    assert [entry["path"] for entry in result["outputs"]] == [str(tmp_path / "t.csv")]
    assert result["frames_in"] == COUNT == result["media"]["distorted"]["frames"]
    assert result["media"]["reference"]["audio"] and not result["media"]["distorted"]["audio"]
    assert not left_behind(tmp_path)


@pytest.mark.parametrize("metric", ["psnr", "ssim"])
def test_one_metric_alone(tmp_path, coded, metric):
    metrics = measured(tmp_path, CLIP, coded, metrics=metric)
    assert same(metrics[metric]["mean"], judged(metric, CLIP, coded)[1])
    assert ("psnr" in metrics, "ssim" in metrics) == (metric == "psnr", metric == "ssim")


@pytest.mark.long
def test_blur_is_seen(tmp_path, coded):
    ffmpeg("-i", CLIP, "-an", "-vf", "gblur=3", "-c:v", "libx264", "-preset", "ultrafast", "-crf", 10,
           tmp_path / "blurred.mp4")
    found = measured(tmp_path, CLIP, tmp_path / "blurred.mp4")
    clear = measured(tmp_path, CLIP, coded)
    assert found["ssim"]["mean"] < clear["ssim"]["mean"] - 0.02


# ---- as shown: turning, depth, range ----


@pytest.mark.long
@pytest.mark.parametrize("name,least", [("sample_rotate_reflect.mp4", 0.99),
                                        ("roadtrip_vp9_10bit.webm", 0.98),
                                        ("sample_mpeg2_mp2.ts", 0.97)])
def test_a_transcode_by_video_is_compared_as_it_is_shown(tmp_path, name, least):
    """Turned by its display matrix, and with 8 bits instead of 10."""
    source = str(SAMPLES / name)
    assert run("video", tmp_path, input=source, output="out.mp4", crf=16).code == 0
    metrics = measured(tmp_path, source, tmp_path / "out.mp4")
    assert metrics["ssim"]["mean"] > least
    back = measured(tmp_path, tmp_path / "out.mp4", source)
    assert back["ssim"]["mean"] > least


@pytest.mark.long
def test_full_and_limited_range_are_brought_together(tmp_path):
    ffmpeg("-i", CLIP, "-an", "-t", 1, "-vf", "scale=out_range=pc,format=yuvj420p", "-c:v", "libx264",
           "-preset", "ultrafast", "-crf", 8, tmp_path / "full.mp4")
    ffmpeg("-i", CLIP, "-an", "-t", 1, "-c:v", "libx264", "-preset", "ultrafast", "-crf", 8,
           tmp_path / "limited.mp4")
    assert ffprobe(tmp_path / "full.mp4", "-show_streams")["streams"][0]["color_range"] == "pc"
    metrics = measured(tmp_path, tmp_path / "limited.mp4", tmp_path / "full.mp4")
    assert metrics["psnr"]["mean"] > 40


# ---- what does not lie against each other ----


def refused(folder, reference, distorted, **params):
    done = run("quality", folder, reference=str(reference), distorted=str(distorted), **params)
    assert done.code == 65 and "metrics" not in done.result, done.error
    assert not left_behind(folder)
    return done.error


def recode(path, filters, *words):
    ffmpeg("-i", CLIP, "-an", "-vf", filters, "-fps_mode", "passthrough", *words, "-c:v", "libx264",
           "-preset", "ultrafast", "-crf", 20, path)
    return path


@pytest.mark.long
def test_another_size_is_refused_or_scaled(tmp_path):
    half = recode(tmp_path / "half.mp4", "scale=160:90")
    assert "reference is 320x180 and distorted is 160x90" in refused(tmp_path, CLIP, half)
    metrics = measured(tmp_path, CLIP, half, align="scale")
    for name in ("psnr", "ssim"):
        assert same(metrics[name]["mean"],
                    judged(name, CLIP, str(half), "scale=320:180:flags=bicubic")[1])


@pytest.mark.long
def test_a_dropped_frame_is_refused_or_lies_where_it_was_dropped(tmp_path):
    dropped = recode(tmp_path / "dropped.mp4", "select='not(eq(n,100))'")
    error = refused(tmp_path, CLIP, dropped, output="t.csv")
    assert f"reference has {COUNT} frames" in error and f"distorted {COUNT - 1} in" in error
    metrics = measured(tmp_path, CLIP, dropped, align="time", output="t.csv")
    assert metrics["alignment"]["repeated"] == 1 and metrics["frames_compared"] == COUNT
    rows = [float(row["ssim"]) for row in csv.DictReader(open(tmp_path / "t.csv"))]
    assert metrics["ssim"]["min_frame"] == 100 == rows.index(min(rows))
    assert min(rows[:100] + rows[101:]) > 0.95


@pytest.mark.long
def test_a_shifted_video_is_not_taken_for_a_good_one(tmp_path):
    """One frame less in front and one more behind: as many frames, and each is the wrong one."""
    early = recode(tmp_path / "early.mp4",
                   "trim=start_frame=1,setpts=PTS-STARTPTS,tpad=stop=1:stop_mode=clone")
    late = recode(tmp_path / "late.mp4", f"tpad=start=2:start_mode=clone,trim=end_frame={COUNT}")
    for path, shift, words in ((early, -1, "1 frames earlier"), (late, 2, "2 frames later")):
        done = run("quality", tmp_path, reference=CLIP, distorted=str(path))
        assert done.code == 65 and words in done.error
        assert done.result["metrics"]["alignment"]["shift_frames"] == shift
    assert measured(tmp_path, CLIP, early, align="number")["alignment"]["shift_frames"] == -1
    deep = str(SAMPLES / "roadtrip_vp9_10bit.webm")
    ffmpeg("-i", deep, "-vf", "tpad=start=1:start_mode=clone,trim=end_frame=72,scale=212:120", "-an", "-c:v",
           "libx264", "-crf", 18, tmp_path / "deep.mkv")
    assert "1 frames later" in run("quality", tmp_path, reference=deep, distorted="deep.mkv",
                                   align="scale").error


@pytest.mark.long
def test_twice_the_rate_is_compared_by_time(tmp_path):
    double = recode(tmp_path / "double.mp4", "fps=48")
    assert f"distorted {2 * COUNT} in" in refused(tmp_path, CLIP, double)
    metrics = measured(tmp_path, CLIP, double, align="time")
    assert metrics["alignment"] == {"drift_ms_max": pytest.approx(0, abs=0.01), "repeated": 0,
                                    "passed_over": COUNT - 1, "shift_frames": 0}
    assert metrics["frames_compared"] == COUNT and metrics["ssim"]["min"] > 0.95
    other = measured(tmp_path, double, CLIP, align="time")
    assert other["frames_compared"] == 2 * COUNT and other["ssim"]["min"] > 0.95
    assert other["alignment"]["repeated"] == COUNT


@pytest.mark.long
def test_another_speed_is_refused_or_compared_by_number(tmp_path):
    fast = recode(tmp_path / "fast.mp4", "setpts=N/(25*TB)", "-r", 25)
    error = refused(tmp_path, CLIP, fast)
    assert "is shown" in error and "ms apart" in error and "align" in error
    assert "must last as long" in refused(tmp_path, CLIP, fast, align="time")
    assert measured(tmp_path, CLIP, fast, align="number")["ssim"]["min"] > 0.95


@pytest.mark.long
def test_a_shorter_video_is_refused_whatever_align_says(tmp_path):
    short = recode(tmp_path / "short.mp4", "trim=end_frame=150")
    for align in ("none", "scale", "time", "both", "number"):
        assert "distorted 150 in" in refused(tmp_path, CLIP, short, align=align)


@pytest.mark.long
@pytest.mark.parametrize("which", ["reference", "distorted"])
def test_a_damaged_file_is_named(tmp_path, coded, which):
    data = bytearray(open(coded, "rb").read())
    for place in range(len(data) // 2, len(data) // 2 + 4000):
        data[place] ^= 0x5a
    (tmp_path / "bad.mp4").write_bytes(data)
    files = {"reference": coded, "distorted": coded, which: str(tmp_path / "bad.mp4")}
    for _ in range(5):  # whichever thread is ahead
        error = refused(tmp_path, files["reference"], files["distorted"])
        assert f"{which} is damaged" in error


@pytest.mark.parametrize("which", ["reference", "distorted"])
def test_a_file_cut_off_is_named(tmp_path, which):
    whole = SAMPLES / "bear_vp9_161x121.webm"
    (tmp_path / "cut.webm").write_bytes(whole.read_bytes()[:20000])
    files = {"reference": whole, "distorted": whole, which: tmp_path / "cut.webm"}
    assert f"{which} is damaged or cut off" in refused(tmp_path, **files)


# ---- gates ----


def test_a_gate_that_is_reached(tmp_path, coded):
    gates = measured(tmp_path, CLIP, coded, min_ssim=0.5, min_psnr=20)["gates"]
    assert [(gate["metric"], gate["passed"]) for gate in gates] == [("psnr", True), ("ssim", True)]
    assert measured(tmp_path, CLIP, CLIP, min_psnr=200)["gates"][0]["passed"] is True


@pytest.mark.parametrize("metric,limit", [("ssim", 0.9999), ("psnr", 90)])
def test_a_gate_that_is_not_reached_fails_the_job_and_keeps_the_figures(tmp_path, coded, metric, limit):
    done = run("quality", tmp_path, reference=CLIP, distorted=coded, output="t.csv",
               **{f"min_{metric}": limit})
    assert done.code == 65
    mean = done.result["metrics"][metric]["mean"]
    assert f"mean {metric} is {mean:.6g}" in done.error and f"is {limit}" in done.error
    assert done.result["error"]["message"] in done.error
    assert done.result["metrics"]["gates"] == [
        {"metric": metric, "min": limit, "mean": mean, "passed": False}]
    assert done.result["metrics"]["frames_compared"] == COUNT
    assert len(open(tmp_path / "t.csv").readlines()) == COUNT + 1


# ---- parameters, ends, memory ----


def test_vmaf_is_never_another_number(tmp_path, coded):
    if " libvmaf " in subprocess.run(["ffmpeg", "-v", "error", "-filters"], capture_output=True,
                                     text=True, check=True).stdout:
        pytest.skip("this FFmpeg has libvmaf")
    for metrics in ("ssim,vmaf", ["ssim", "vmaf"]):
        found = measured(tmp_path, coded, coded, metrics=metrics)
        assert found["vmaf"] == "unavailable" and "psnr" not in found
        assert re.fullmatch(r"this FFmpeg \(Lavfi[0-9.]+\) has no filter libvmaf", found["vmaf_reason"])


@pytest.mark.parametrize("params,code,words", [
    ({"metrics": "psnr,mse"}, 64, ["params.metrics", '"mse"', "psnr, ssim"]),
    ({"metrics": ""}, 64, ["params.metrics", '""']),
    ({"metrics": "vmaf"}, 64, ["params.metrics", "unavailable"]),
    ({"min_vmaf": 90}, 64, ["params.min_vmaf is 90", "unavailable"]),
    ({"min_ssim": 1.1}, 64, ["params.min_ssim is 1.1", "from 0 to 1"]),
    ({"min_psnr": 30, "metrics": "ssim"}, 64, ["params.min_psnr is 30", "params.metrics"]),
    ({"align": "tiem"}, 64, ['"tiem"', "did you mean time?"]),
    ({"distorted": "absent.mp4"}, 66, ["absent.mp4", "No such file"]),
    ({"output": CLIP}, 64, ["is the input"]),
    ({"output": "none/t.csv"}, 73, ["none/t.csv"]),
    ({"reference": str(SAMPLES / "rocket.jpg")}, 65, ["reference is 640x427", "320x180"]),
])
def test_wrong_parameters_are_named(tmp_path, params, code, words):
    done = run("quality", tmp_path, **{"reference": CLIP, "distorted": CLIP, **params})
    assert done.code == code, done.error
    for word in words:
        assert word in done.error
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_no_table(tmp_path):
    done = Run("quality", {"reference": CLIP, "distorted": CLIP, "output": "t.csv"}, tmp_path,
               fsize=4096).end()
    assert done.code == 74 and "output" in done.error
    assert not list(tmp_path.iterdir())


def test_sigterm_leaves_nothing(tmp_path):
    job = Run("quality", {"reference": LARGE, "distorted": LARGE, "output": "t.csv"}, tmp_path)
    assert json.loads(job.news.readline())["type"] == "progress"
    job.process.send_signal(signal.SIGTERM)
    assert job.end().code == 75 and not list(tmp_path.iterdir())


@pytest.mark.long
def test_memory_does_not_grow_with_the_length(tmp_path):
    long = SHARED / "video/long_21766frames_180p_av1.mp4"
    if not long.exists():
        pytest.skip(f"{SHARED} is not there")
    ffmpeg("-i", long, "-an", "-c", "copy", "-t", 10, tmp_path / "short.mp4")
    sizes = []
    for path in (str(tmp_path / "short.mp4"), str(long)):
        done = run("quality", tmp_path, reference=path, distorted=path)
        assert done.code == 0 and done.result["metrics"]["identical"]
        sizes.append(done.rss_kb)
    if OUT.name != "san":  # a sanitizer keeps what was freed
        assert sizes[1] < sizes[0] + 8 * 1024
