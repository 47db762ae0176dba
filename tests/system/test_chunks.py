"""How chunks are made: how many at a time, how much is read for each, and what is not mixed up between them."""
import os
import random
import shutil
import signal
import subprocess

import pytest
from daemon import ROOT
from hostile import SANITIZED
from preload import preloadable
from processor import Run, ffprobe, frame_times, frames, run
from test_resume import SETTINGS, begin, clip, ffmpeg, killed_with, logged, noted, undisturbed, work_folder  # noqa: F401
from test_video import sha256, wait_for

ENDINGS = ("mov", "mkv")
PACKET, SOUND_PID = 188, 0x101  # of MPEG-TS


def most_at_a_time(one, folder):
    """So many chunks were seen at once while it ran."""
    most = 0
    while one.process.poll() is None:
        try:
            most = max(most, sum(name.endswith(".nut.part") for name in os.listdir(work_folder(folder))))
        except FileNotFoundError:
            pass
    return most


@pytest.mark.long
@pytest.mark.parametrize("megabytes,lanes", [(None, 3), (220, 2)])
def test_as_many_as_memory_has_room_for(tmp_path, clip, undisturbed, megabytes, lanes):  # noqa: F811
    """A lane of pictures of 160x90 counts as 107 MB; how many there are changes no byte."""
    env = {} if megabytes is None else {"BATCHD_MEMORY_BYTES": str(megabytes * 1_000_000)}
    shutil.copytree(planned(tmp_path / "plan", clip), work_folder(tmp_path))
    one = begin(tmp_path, clip, 2, cpus=3, env=env)
    assert most_at_a_time(one, tmp_path) == lanes
    assert one.end().code == 0 and sha256(tmp_path / "out.mp4") == undisturbed["copy"], one.error


def planned(folder, source):
    """The work folder of a run that has planned its chunks, on two processors, and has none."""
    folder.mkdir()
    killed_with(folder, source, 1)
    for entry in work_folder(folder).iterdir():
        if entry.name != "plan.json":
            entry.unlink()
    return work_folder(folder)


def read_bytes(one):
    """All that a process has read, when it has ended and is not waited for yet."""
    os.waitid(os.P_PID, one.process.pid, os.WEXITED | os.WNOWAIT)
    with open(f"/proc/{one.process.pid}/io", encoding="utf-8") as file:
        return int(dict(line.split(": ") for line in file.read().splitlines())["rchar"])


def test_a_chunk_of_a_transport_stream_is_not_read_from_the_start(tmp_path):
    """Each byte is read for the checksum, for the index, and for the chunk that it belongs to; and some on the
    way to a key picture. Pictures are reordered, so that a key picture's packet has two times."""
    source = tmp_path / "film.ts"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x36:r=50:d=58", "-c:v", "libx264", "-preset", "superfast", "-bf", 3, "-g", 40,
           "-muxrate", "3M", source)
    one = Run("video", {"input": str(source), "output": "out.mp4", **SETTINGS, "width": 32}, tmp_path)
    got = read_bytes(one)
    assert one.end().code == 0 and one.result["checkpoints"]["made"] >= 12, one.error
    assert got < 6 * source.stat().st_size


def test_two_frames_within_a_millisecond(tmp_path):
    """Matroska cannot tell them apart; none is lost."""
    source = tmp_path / "fast.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x36:r=2500:d=0.2", "-preset", "ultrafast", "-g", 100, "-video_track_timescale", 2500,
           source)
    assert len({round(float(time) * 1000) for time in frame_times(source)}) < 500
    for ending in ("mkv", "mp4"):
        done = run("video", tmp_path, input="fast.mp4", output=f"out.{ending}", **SETTINGS)
        assert done.code == 0, done.error
        assert done.result["frames_in"] == done.result["frames_out"] == frames(tmp_path / f"out.{ending}") == 500


@pytest.fixture(scope="module")
def deaf(tmp_path_factory):
    """1200 frames; all that its sound says between its headers is noise, so that no decoder knows even its rate."""
    path = tmp_path_factory.mktemp("deaf") / "deaf.ts"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x36:r=50:d=24", "-f", "lavfi", "-i", "sine=d=24", "-c:v", "libx264", "-preset",
           "ultrafast", "-g", 50, "-c:a", "aac", path)
    data, chance = bytearray(path.read_bytes()), random.Random(1)
    for at in range(0, len(data), PACKET):
        if (data[at + 1] & 0x1f) << 8 | data[at + 2] != SOUND_PID:
            continue
        place = at + 4 + (1 + data[at + 4] if data[at + 3] & 0x20 else 0)
        if data[at + 1] & 0x40:  # a PES packet begins
            place += 9 + data[place + 8]
        while place < at + PACKET:
            if data[place:place + 2] == b"\xff\xf1":  # the header of ADTS stays
                place += 7
            else:
                data[place] = chance.randrange(255)
                place += 1
    path.write_bytes(data)
    return path


def test_sound_that_does_not_decode_is_not_left_out_silently(tmp_path, deaf):
    for name, params in (("video", {"mode": "probe"}), ("video", {"output": "out.mp4"}),
                         ("interpolate", {"output": "out.mp4", "factor": 2, "method": "blend"})):
        done = run(name, tmp_path, input=str(deaf), **params)
        assert done.code == 65 and "stream 1 (aac) of which nothing decodes" in done.error, done.error
    assert not list(tmp_path.iterdir())


def test_what_decoders_guess_while_they_probe_is_no_damage(tmp_path, deaf):
    """Each chunk opens the file, and its probing decoders complain; others are being decoded meanwhile."""
    done = run("video", tmp_path, cpus=4, input=str(deaf), output="out.mp4", audio="none", **SETTINGS)
    assert done.code == 0 and done.result["frames_out"] == 1200, done.error
    assert not logged(done)


def test_another_build_of_the_encoder_begins_anew(tmp_path, clip):  # noqa: F811
    """Its chunks may not fit to those that are there."""
    loaded = subprocess.run(["ldd", "/usr/bin/ffmpeg"], capture_output=True, text=True, check=True).stdout
    library = next(line.split()[2] for line in loaded.splitlines() if "libx264" in line)
    (tmp_path / "other").mkdir()
    shutil.copy(library, tmp_path / "other")
    killed_with(tmp_path, clip, 2)
    two = begin(tmp_path, clip, 2, env={"LD_LIBRARY_PATH": str(tmp_path / "other")}).end()
    assert two.code == 0 and two.result["checkpoints"] == {"reused": 0, "made": 4}, two.error
    assert any("begins anew: encoders " in text for text in logged(two))


def test_a_second_run_leaves_the_first_ones_files_alone(tmp_path, clip, undisturbed):  # noqa: F811
    """Also those that are staged: the first is just joining its chunks, or has its output in its place."""
    one = begin(tmp_path, clip)
    wait_for(lambda: noted(tmp_path) >= 1)
    one.process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, one.process.pid, os.WSTOPPED)
    there = sorted(os.listdir(work_folder(tmp_path))), sorted(os.listdir(tmp_path))
    two = begin(tmp_path, clip, 2).end()
    assert two.code == 75 and "another run is at work" in two.error
    assert (sorted(os.listdir(work_folder(tmp_path))), sorted(os.listdir(tmp_path))) == there
    one.process.send_signal(signal.SIGCONT)
    assert one.end().code == 0 and sha256(tmp_path / "out.mp4") == undisturbed["copy"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_container_has_every_frame_and_the_sound(tmp_path, clip, ending):  # noqa: F811
    done = run("video", tmp_path, input=str(clip), output=f"out.{ending}", **dict(SETTINGS, width=64))
    assert done.code == 0, done.error
    found = ffprobe(tmp_path / f"out.{ending}", "-show_streams", "-show_format")
    kinds = {stream["codec_type"]: stream["codec_name"] for stream in found["streams"]}
    assert kinds == {"video": "h264", "audio": "aac"}
    wanted = {"mkv": "matroska", "mov": "mov"}[ending]
    assert wanted in found["format"]["format_name"].split(",") and frames(tmp_path / f"out.{ending}") == 776
    slack = 0 if wanted == "mov" else 0.001
    assert all(abs(a - b) <= slack for a, b in zip(frame_times(tmp_path / f"out.{ending}"), frame_times(clip)))


@pytest.mark.parametrize("verify,codec,decoded", [("auto", "h264", 25), ("auto", "h265", 60), ("all", "h264", 60),
                                                  ("start", "h265", 25)])
def test_so_many_frames_are_decoded_again(tmp_path, verify, codec, decoded):
    """Of one chunk; tests/unit/test_chunk_check.c has what is found by it."""
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x48:r=25", "-frames:v", 60, "-c:v", "ffv1", tmp_path / "in.mkv")
    made = run("video", tmp_path, input="in.mkv", output="out.mkv", codec=codec, verify=verify, preset="ultrafast",
               cpus=1).result
    assert made["frames_out"] == frames(tmp_path / "out.mkv") == 60
    assert made["media"]["output"]["frames_decoded"] == decoded


@pytest.fixture(scope="module")
def counted_calls(tmp_path_factory):
    """Runs a processor and counts: pictures that decoders gave, calls of mallopt and malloc_trim."""
    library = tmp_path_factory.mktemp("counted") / "counted_calls.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-O1", "-o", library, ROOT / "tests/lib/counted_calls.c"],
                   check=True)
    preloaded = preloadable(library, f"/tmp/counted-{os.getpid()}.so")

    def count(folder, code=0, cpus=2, **params):
        env = {"LD_PRELOAD": preloaded, "COUNTED_CALLS": str(folder / "counted")}
        done = Run("video", {**SETTINGS, **params}, folder, cpus, env=env).end()
        assert done.code == code and (code != 0 or done.result["checkpoints"]["made"] == 4), done.error
        return map(int, (folder / "counted").read_text().split())
    yield count
    os.remove(preloaded)


@pytest.mark.skipif(SANITIZED, reason="the sanitizers have a memory of their own")
def test_before_a_chunk_only_what_it_is_made_of_is_decoded(tmp_path, counted_calls):
    """Four chunks of 120 frames with one key frame for all of them: 720 frames lead to their beginnings. Of
    those that no other is made of, two of three where there are any, none is decoded. Before the chunks what
    was read is given back to the system, and pictures are from then on."""
    pictures = {}
    for b_frames in (0, 2):
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=160x120:r=24:d=20", "-preset", "ultrafast", "-bf", b_frames, "-b_strategy", 0,
               "-x264-params", "b-pyramid=none:scenecut=0:keyint=480:min-keyint=480", tmp_path / "clip.mp4")
        pictures[b_frames], *memory = counted_calls(tmp_path, input="clip.mp4", output="out.mp4")
        assert memory == [1, 1]
    assert 450 <= pictures[0] - pictures[2] <= 500, pictures


@pytest.mark.skipif(SANITIZED, reason="the sanitizers have a memory of their own")
def test_a_chunk_that_is_damaged_behind_its_second_key_frame_is_made_once(tmp_path, counted_calls):
    """One that is damaged before that is tried once more, from an earlier one: what it refers to may lie there. Three chunks
    one after the other, key frames at 336, 384 and 432; where the damage is changes nothing of what else is decoded."""
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=160x120:r=24:d=20", "-preset", "ultrafast", "-x264-params",
           "scenecut=0:keyint=48:min-keyint=48", tmp_path / "clip.mp4")
    whole = (tmp_path / "clip.mp4").read_bytes()
    told = ffprobe(tmp_path / "clip.mp4", "-select_streams", "v:0", "-show_packets")["packets"]
    pictures = {}
    for frame in (375, 430, 470):
        data = bytearray(whole)
        begin, size = int(told[frame]["pos"]), int(told[frame]["size"])
        data[begin + 8:begin + size] = bytes(size - 8)
        (tmp_path / "bad.mp4").write_bytes(data)
        pictures[frame], *_ = counted_calls(tmp_path, 65, 1, input="bad.mp4", output="out.mp4")
    assert 35 <= pictures[470] - pictures[430] <= 45, pictures
    assert pictures[375] > pictures[430], pictures
