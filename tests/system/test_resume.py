"""A transcode in chunks is gone on with after any end, and its file is the one of an undisturbed run."""
import json
import os
import random
import re
import signal
import subprocess
import time

import pytest
from processor import SAMPLES, Run, ffprobe, frame_times, frames, left_behind, run
from test_video import sha256, wait_for

SETTINGS = {"preset": "ultrafast", "crf": 30, "width": 160}
REORDERED = dict(SETTINGS, preset="superfast")  # with pictures that are decoded before they are shown


def ffmpeg(*words):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, words)], check=True)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """776 frames with sound: four chunks on two processors."""
    made = tmp_path_factory.mktemp("clip") / "clip.mp4"
    ffmpeg("-stream_loop", 3, "-i", SAMPLES / "bbb_180p24_8s.mp4", "-f", "lavfi", "-i",
           "sine=d=32.3:r=48000", "-map", "0:v", "-map", "1:a", "-preset", "superfast", "-g", 60,
           "-c:a", "aac", made)
    return made


@pytest.fixture(scope="module")
def undisturbed(clip, tmp_path_factory):
    """The checksum of what a run that nothing disturbs makes, by sound."""
    folder = tmp_path_factory.mktemp("undisturbed")
    sums = {}
    for audio in ("copy", "encode"):
        done = run("video", folder, input=str(clip), output=f"{audio}.mp4", audio=audio, **SETTINGS)
        assert done.code == 0, done.error
        sums[audio] = sha256(folder / f"{audio}.mp4")
        assert done.result["checkpoints"] == {"reused": 0, "made": 4 + (audio == "encode")}
    return sums


def work_folder(folder, job=1):
    return folder / f".out.mp4.batchd-{job}.work"


def begin(folder, clip, attempt=1, audio="copy", **more):
    return Run("video", {"input": str(clip), "output": "out.mp4", "audio": audio, **SETTINGS}, folder,
               attempt=attempt, **more)


def noted(folder):
    log = work_folder(folder) / "done.log"
    return len(log.read_bytes().splitlines()) if log.exists() else 0


def logged(one):
    return [line["text"] for line in one.lines if line["type"] == "log"]


@pytest.mark.long
@pytest.mark.parametrize("audio", ["copy", "encode"])
def test_killed_at_random_moments(tmp_path, clip, undisturbed, audio):
    """Each attempt is killed a little later; what was noted is not made again."""
    chance = random.Random(6)
    attempt, noted_before, kills = 0, 0, 0
    while True:
        attempt += 1
        one = begin(tmp_path, clip, attempt, audio)
        if kills < 8:
            wait = chance.uniform(0, 0.4)
            deadline = time.monotonic() + wait
            while time.monotonic() < deadline and one.process.poll() is None:
                time.sleep(0.005)  # the moment of the kill
            one.process.kill()
            kills += 1
        one.end()
        if one.code == 0:
            break
        assert one.code == -signal.SIGKILL, one.error
        assert not (tmp_path / "out.mp4").exists()
        assert noted(tmp_path) >= noted_before
        noted_before = noted(tmp_path)
    assert one.result["checkpoints"]["reused"] >= noted_before
    assert sha256(tmp_path / "out.mp4") == undisturbed[audio]
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]


def test_killed_while_it_is_joined(tmp_path, clip, undisturbed):
    """The chunks are all there; the output has begun to be written."""
    one = begin(tmp_path, clip)
    part = tmp_path / ".out.mp4.batchd-1-1.part/out.mp4"
    while one.process.poll() is None and not (part.exists() and part.stat().st_size > 0):
        pass
    one.process.kill()
    assert one.end().code == -signal.SIGKILL and noted(tmp_path) == 4
    two = begin(tmp_path, clip, 2).end()
    assert two.code == 0 and two.result["checkpoints"] == {"reused": 4, "made": 0}
    assert sha256(tmp_path / "out.mp4") == undisturbed["copy"]
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]


def killed_with(folder, clip, count, audio="copy"):
    """An attempt that was killed when so many units were noted."""
    one = begin(folder, clip, audio=audio)
    wait_for(lambda: noted(folder) >= count)
    one.process.kill()
    one.end()
    return noted(folder)


def test_killed_between_the_chunk_and_its_line(tmp_path, clip, undisturbed):
    count = killed_with(tmp_path, clip, 2)
    log = work_folder(tmp_path) / "done.log"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
    two = begin(tmp_path, clip, 2).end()
    assert two.code == 0 and two.result["checkpoints"] == {"reused": count - 1, "made": 5 - count}
    assert sha256(tmp_path / "out.mp4") == undisturbed["copy"]


def test_a_damaged_chunk_is_made_anew_alone(tmp_path, clip, undisturbed):
    count = killed_with(tmp_path, clip, 3)
    damaged = json.loads((work_folder(tmp_path) / "done.log").read_text().splitlines()[1][9:])["unit"]
    chunk = work_folder(tmp_path) / f"{damaged}.nut"
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)
    two = begin(tmp_path, clip, 2).end()
    assert two.code == 0 and two.result["checkpoints"] == {"reused": count - 1, "made": 5 - count}
    assert any(f"chunk {damaged} is not what was written" in text for text in logged(two))
    assert sha256(tmp_path / "out.mp4") == undisturbed["copy"]


@pytest.mark.long
@pytest.mark.parametrize("change,member", [
    (lambda clip: os.utime(clip), "source"),
    (lambda clip: clip.write_bytes(clip.read_bytes() + b"\0" * 8), "source"),
    ({"crf": 31}, "settings"), ({"height": 90}, "settings")])
def test_another_source_or_setting_begins_anew(tmp_path, clip, change, member):
    """No file of two."""
    mine = tmp_path / "clip.mp4"
    mine.write_bytes(clip.read_bytes())
    killed_with(tmp_path, mine, 2)
    settings = dict(SETTINGS, **change) if isinstance(change, dict) else SETTINGS
    if not isinstance(change, dict):
        change(mine)
    two = Run("video", {"input": str(mine), "output": "out.mp4", **settings}, tmp_path, attempt=2).end()
    assert two.code == 0 and two.result["checkpoints"] == {"reused": 0, "made": 4}, two.error
    assert any(f"begins anew: {member} " in text for text in logged(two))
    fresh = run("video", tmp_path, job=9, input=str(mine), output="fresh.mp4", **settings)
    assert fresh.code == 0 and sha256(tmp_path / "fresh.mp4") == sha256(tmp_path / "out.mp4")


@pytest.mark.long
def test_other_processors_change_nothing(tmp_path, clip, undisturbed):
    """The plan is kept: a chunk is what it was planned to be, however many are made at a time."""
    killed_with(tmp_path, clip, 1)
    two = begin(tmp_path, clip, 2, cpus=1).end()
    assert two.code == 0 and two.result["checkpoints"]["reused"] >= 1
    assert sha256(tmp_path / "out.mp4") == undisturbed["copy"]


@pytest.mark.parametrize("audio,unit", [("copy", 2), ("encode", 4)])
def test_a_chunk_that_cannot_be_written_is_no_reason_to_do_without_chunks(tmp_path, clip, audio, unit):
    """The film as a whole would be made instead, without anything to go on with."""
    (work_folder(tmp_path) / f"{unit}.nut.part").mkdir(parents=True)
    one = begin(tmp_path, clip, audio=audio).end()
    assert one.code == 74 and "output cannot be opened: Is a directory" in one.error
    assert not any("as a whole" in text for text in logged(one)) and not (tmp_path / "out.mp4").exists()


def test_sigterm_keeps_what_is_done(tmp_path, clip, undisturbed):
    one = begin(tmp_path, clip)
    wait_for(lambda: noted(tmp_path) >= 1)
    one.process.send_signal(signal.SIGTERM)
    assert one.end().code == 75 and not left_behind(tmp_path) and not (tmp_path / "out.mp4").exists()
    two = begin(tmp_path, clip, 2).end()
    assert two.code == 0 and two.result["checkpoints"]["reused"] >= 1
    assert sha256(tmp_path / "out.mp4") == undisturbed["copy"]


def test_two_at_a_time_do_not_mix(tmp_path, clip, undisturbed):
    one = begin(tmp_path, clip)
    wait_for(lambda: noted(tmp_path) >= 1)
    one.process.send_signal(signal.SIGSTOP)
    for attempt in (1, 2):
        two = begin(tmp_path, clip, attempt).end()
        assert two.code == 75 and "another run is at work" in two.error
    one.process.send_signal(signal.SIGCONT)
    assert one.end().code == 0 and sha256(tmp_path / "out.mp4") == undisturbed["copy"]


def key_times(clip):
    packets = ffprobe(clip, "-select_streams", "v:0", "-show_entries", "packet=pts,flags")["packets"]
    return [packet["pts"] for packet in packets if "K" in packet["flags"]], sorted(p["pts"] for p in packets)


def test_it_is_cut_where_the_source_has_a_key_frame(tmp_path):
    """One near the even cut, the others far from it: nothing before it is decoded for the chunk behind it."""
    clip = tmp_path / "clip.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=128x96:r=24:d=25", "-g", 600, "-sc_threshold", 0, "-force_key_frames",
           f"{110 / 24},{310 / 24},{400 / 24}", clip)
    one = begin(tmp_path, clip)
    wait_for(lambda: (work_folder(tmp_path) / "plan.json").exists())
    one.process.kill()
    one.end()
    plan = json.loads((work_folder(tmp_path) / "plan.json").read_text())
    keys, times = key_times(clip)
    cuts = [times.index(cut) for cut in plan["plan"]["cuts"]]
    assert len(cuts) == 3 and times.index(keys[2]) == 310 and cuts[1] == 310, cuts
    assert cuts[0] != 110 and cuts[2] != 400, "they are too far"


@pytest.mark.long
def test_chunks_take_like_times(tmp_path):
    """A still half and a busy one: the busy one has most of the chunks."""
    clip = tmp_path / "clip.mp4"
    ffmpeg("-f", "lavfi", "-i", "color=gray:s=160x120:r=24:d=16", "-f", "lavfi", "-i",
           "testsrc2=s=160x120:r=24:d=16,noise=alls=60:allf=t", "-filter_complex", "[0:v][1:v]concat", "-preset", "ultrafast", "-g", 600, clip)
    one = begin(tmp_path, clip)
    wait_for(lambda: (work_folder(tmp_path) / "plan.json").exists())
    one.process.kill()
    one.end()
    plan = json.loads((work_folder(tmp_path) / "plan.json").read_text())
    times = key_times(clip)[1]
    cuts = [0] + [times.index(cut) for cut in plan["plan"]["cuts"]] + [len(times)]
    lengths = [b - a for a, b in zip(cuts, cuts[1:])]
    assert len(lengths) == 4 and lengths[0] > 1.4 * min(lengths[2:]) and max(lengths) <= 250, lengths


@pytest.mark.long
def test_the_disk_is_full(tmp_path, clip, undisturbed):
    """As far as a file may grow: the next attempt goes on."""
    limit = os.path.getsize(clip) // 40
    one = begin(tmp_path, clip, fsize=limit).end()
    assert one.code == 74 and "File too large" in one.error
    two = begin(tmp_path, clip, 2).end()
    assert two.code == 0 and sha256(tmp_path / "out.mp4") == undisturbed["copy"]


@pytest.mark.long
def test_every_frame_at_its_time_and_the_sound_as_long(tmp_path, clip):
    for audio in ("copy", "encode"):
        out = tmp_path / f"{audio}.mp4"
        done = run("video", tmp_path, input=str(clip), output=out.name, audio=audio, **REORDERED)
        assert done.result["frames_in"] == done.result["frames_out"] == frames(out) == frames(clip) == 776
        assert frame_times(out) == frame_times(clip)
        is_, was = ({stream["codec_type"]: stream for stream in ffprobe(path, "-show_streams")["streams"]}
                    for path in (out, clip))
        assert is_["video"]["duration"] == was["video"]["duration"]
        assert int(is_["video"]["has_b_frames"]) > 0
        longer = float(is_["audio"]["duration"]) - float(was["audio"]["duration"])
        assert abs(longer) <= 1024 / int(is_["audio"]["sample_rate"])


@pytest.mark.long
def test_a_source_that_is_exchanged_meanwhile(tmp_path, clip):
    """Also when it is back afterwards: nothing of the other is taken."""
    mine, other = tmp_path / "mine.mp4", tmp_path / "other.mp4"
    mine.write_bytes(clip.read_bytes())
    ffmpeg("-i", clip, "-vf", "negate", "-preset", "ultrafast", "-c:a", "copy", other)
    one = begin(tmp_path, mine)
    wait_for(lambda: (work_folder(tmp_path) / "plan.json").exists())
    mine.rename(tmp_path / "away.mp4")
    other.rename(mine)
    assert one.end().code == 75 and "was changed while it was read" in one.error, one.error
    (tmp_path / "away.mp4").rename(mine)
    two, fresh = begin(tmp_path, mine, 2).end(), run("video", tmp_path, job=9, input=str(mine), output="fresh.mp4",
                                                      **SETTINGS)
    assert two.code == fresh.code == 0 and sha256(tmp_path / "out.mp4") == sha256(tmp_path / "fresh.mp4")


@pytest.mark.parametrize("ending", ["mp4", pytest.param("mkv", marks=pytest.mark.long)])
def test_a_variable_rate_has_no_seam(tmp_path, ending):
    """Three distances by turns, cut into chunks: the same distances come out."""
    source = tmp_path / "variable.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=160x90:r=50:d=26", "-vf",
           "select='not(eq(mod(n\\,7)\\,3))*not(eq(mod(n\\,11)\\,5))'", "-vsync", "vfr", "-preset",
           "ultrafast", "-bf", 2, source)
    assert len({b - a for a, b in zip(frame_times(source), frame_times(source)[1:])}) > 1
    done = run("video", tmp_path, input="variable.mp4", output=f"out.{ending}", **REORDERED)
    assert done.code == 0 and done.result["checkpoints"]["made"] > 2, done.error
    out, was = frame_times(tmp_path / f"out.{ending}"), frame_times(source)
    assert len(out) == len(was) == done.result["frames_out"]
    slack = 0 if ending == "mp4" else 0.001  # Matroska counts in milliseconds
    assert all(abs(float(a - b)) <= slack for a, b in zip(out, was))
    assert done.result["media"]["input"]["video"]["variable_rate"] is True


def ssim(source, other):
    done = subprocess.run(["ffmpeg", "-v", "info", "-i", source, "-i", other, "-lavfi",
                           "[0:v]scale=160:90:flags=bicubic[a];[1:v]scale=160:90[b];[a][b]ssim", "-f",
                           "null", "-"], capture_output=True, text=True, check=True)
    return float(re.search(r"All:([0-9.]+)", done.stderr)[1])


@pytest.mark.long
def test_as_good_as_in_one_run(tmp_path, clip):
    """The chunks cost no quality: SSIM against the source within 0.001 of that of one run of ffmpeg."""
    ffmpeg("-i", clip, "-vf", "scale=160:90:flags=bicubic", "-preset", "veryfast", "-crf", 23, "-g", 240,
           tmp_path / "one.mp4")
    done = run("video", tmp_path, input=str(clip), output="out.mp4", preset="veryfast", crf=23,
               width=160, height=90)
    assert done.code == 0 and done.result["checkpoints"]["made"] == 4
    assert abs(ssim(clip, tmp_path / "out.mp4") - ssim(clip, tmp_path / "one.mp4")) < 0.001


@pytest.mark.parametrize("codec", [pytest.param("h265", marks=pytest.mark.long),  # libx265 leaks
                                   pytest.param("av1", marks=pytest.mark.long),
                                   pytest.param("vp9", marks=pytest.mark.long)])
def test_other_codecs_are_gone_on_with_too(tmp_path, clip, codec):
    settings = dict(SETTINGS, codec=codec, crf=50 if codec != "h265" else 40, preset="ultrafast")
    params = {"input": str(clip), "output": "out.mp4", **settings}
    whole = Run("video", dict(params, output="whole.mp4"), tmp_path, job=2).end()
    assert whole.code == 0 and frame_times(tmp_path / "whole.mp4") == frame_times(clip), whole.error
    one = Run("video", params, tmp_path)
    wait_for(lambda: noted(tmp_path) >= 1)
    one.process.kill()
    one.end()
    two = Run("video", params, tmp_path, attempt=2).end()
    assert two.code == 0 and two.result["checkpoints"]["reused"] >= 1, two.error
    assert sha256(tmp_path / "out.mp4") == sha256(tmp_path / "whole.mp4")


@pytest.mark.long
def test_a_job_of_the_daemon_shows_it(daemon, tmp_path, clip):
    """Its worker is killed; the next attempt goes on, and show says so."""
    job = daemon.call("io.batchd.Jobs.Submit", type="video", cwd=str(tmp_path), params={
        "input": str(clip), "output": "out.mp4", "preset": "slower"})["id"]

    def at_work():
        shown = json.loads(daemon.ctl("show", "--json", str(job)).stdout)
        return shown["state"] == "running" and (shown.get("checkpoint") or {}).get("number", 0) >= 1

    wait_for(at_work, 60)
    os.kill(daemon.worker_pid(job), signal.SIGKILL)
    assert daemon.wait(job, seconds=120)[0]["state"] == "completed"
    shown = daemon.job(job)
    assert shown["result"]["checkpoints"]["reused"] >= 1 and shown["attempt"] == 2
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]


@pytest.mark.parametrize("codec", ["h264", pytest.param("h265", marks=pytest.mark.long), "vp9"])  # libx265 leaks
def test_bytes_do_not_depend_on_what_memory_held(tmp_path, codec):
    """A chunk that is made anew is made in memory that something else was in before."""
    sums = set()
    for value in ("1", "100"):  # malloc(3) gives memory that is full of it
        done = Run("video", {"input": str(SAMPLES / "bbb_480p24_8s.mp4"), "output": "out.mp4", "codec": codec,
                             "preset": "faster" if codec == "h264" else "ultrafast", "width": 320, "crf": 30}, tmp_path,
                   env={"MALLOC_PERTURB_": value}).end()
        assert done.code == 0, done.error
        sums.add(sha256(tmp_path / "out.mp4"))
    assert len(sums) == 1
