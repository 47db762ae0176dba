"""Videos that are damaged or cut off: never taken for whole ones, and the result counts what there is. What
decodes is counted by ffprobe, what there was by the whole file."""
import json
import os
import random
import re
import subprocess

import pytest
from processor import SAMPLES, SHARED, frames, run

CLIP = SAMPLES / "bbb_480p24_8s.mp4"
WHOLE = 194
COPIES = {"mp4": ("index", 0), "mkv": ("duration", 1), "avi": ("header", 0), "frag.mp4": ("index", 0)}


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """The clip in several containers, the index in front where there is one."""
    folder = tmp_path_factory.mktemp("copies")
    for kind in COPIES:
        flags = {"mp4": ["-movflags", "+faststart"], "frag.mp4": ["-movflags", "frag_keyframe+empty_moov"]}
        subprocess.run(["ffmpeg", "-v", "error", "-i", CLIP, "-c", "copy", *flags.get(kind, []), folder / f"clip.{kind}"],
                       check=True)
    return folder


def cut(source, target, part):
    data = source.read_bytes()
    target.write_bytes(data[:int(len(data) * part)])
    return target


def damage_of(done, label="input"):
    assert done.code == 65 and done.result["partial"] is True and done.result["outputs"] == [], done.error
    assert done.result["error"]["message"] in done.error
    assert set(done.result["damage"]) == {label}
    return done.result["damage"][label]


@pytest.mark.parametrize("part", [0.2, 0.7])
@pytest.mark.parametrize("kind", COPIES)
def test_what_is_left_of_a_file_is_counted(tmp_path, copies, kind, part):
    source = cut(copies / f"clip.{kind}", tmp_path / f"cut.{kind}", part)
    there = frames(source)
    done = run("video", tmp_path, mode="probe", input=str(source))
    found = damage_of(done)
    by, about = COPIES[kind]
    assert 0 < there < WHOLE and there == done.result["frames_in"] == found["frames_decoded"] + found["frames_flawed"]
    assert found["expected_by"] == by and abs(found["frames_expected"] - WHOLE) <= about
    assert found["frames_lost"] == found["frames_expected"] - there
    assert there - 4 <= found["first_fault"]["frames_before"] <= there
    assert abs(found["first_fault"]["time_us"] / 1e6 - there / 24) < 0.2
    assert f"{there} of {found['frames_expected']} frames decode" in done.error
    assert done.result["media"]["input"]["frames"] == there and done.result["inputs"][0]["bytes"] == os.path.getsize(source)


def spoil(source, target, places):
    """Bytes of the video's packets are changed; returns the times of these."""
    data, chance = bytearray(source.read_bytes()), random.Random(7)
    told = json.loads(subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_packets", "-of", "json", source],
        capture_output=True, check=True).stdout)["packets"]
    told = [packet for packet in told if int(packet["size"]) > 200]
    hit = [told[int(len(told) * place)] for place in places]
    for packet in hit:
        begin, size = int(packet["pos"]), int(packet["size"])
        for at in range(begin + size // 2, begin + size // 2 + 60):
            data[at] ^= chance.randrange(1, 256)
    target.write_bytes(data)
    return [float(packet["pts_time"]) for packet in hit]


def test_frames_that_were_made_up_are_told_from_those_that_were_not(tmp_path, copies):
    times = spoil(copies / "clip.mp4", tmp_path / "bad.mp4", (0.3, 0.5, 0.8))
    done = run("video", tmp_path, mode="probe", input="bad.mp4")
    found = damage_of(done)
    assert (found["frames_flawed"], found["frames_decoded"], found["frames_lost"]) == (3, WHOLE - 3, 0)
    assert f"{WHOLE} of {WHOLE} frames decode, 3 of them in parts" in done.error
    assert found["faults"] >= 3 and abs(found["first_fault"]["time_us"] / 1e6 - min(times)) < 0.05
    data, whole = (tmp_path / "bad.mp4").read_bytes(), (copies / "clip.mp4").read_bytes()
    first = next(i for i, byte in enumerate(data) if byte != whole[i])
    assert 0 < first - found["first_fault"]["byte"] < 20000


@pytest.mark.parametrize("codec", ["mjpeg", "mpeg2video"])
def test_what_a_decoder_only_says_is_counted(tmp_path, codec):
    """That of MJPEG marks no frame: it logs a line, and hands out what it has."""
    subprocess.run(["ffmpeg", "-v", "error", "-t", "2", "-i", CLIP, "-an", "-vf", "scale=320:-2", "-c:v", codec,
                    tmp_path / "good.mkv"], check=True)
    times = spoil(tmp_path / "good.mkv", tmp_path / "bad.mkv", (0.3, 0.8))
    found = damage_of(run("video", tmp_path, mode="probe", input="bad.mkv"))
    assert (found["frames_flawed"], found["frames_decoded"], found["frames_lost"]) == (2, 46, 0)
    assert abs(found["first_fault"]["time_us"] / 1e6 - min(times)) < 0.05


def test_packets_that_are_refused_are_lost_frames(tmp_path):
    spoil(SAMPLES / "sample_av1_aac.mp4", tmp_path / "bad.mp4", (0.5,))
    found = damage_of(run("video", tmp_path, mode="probe", input="bad.mp4"))
    there = frames(tmp_path / "bad.mp4")
    assert found["frames_decoded"] == there < 30 == found["frames_expected"] and found["frames_lost"] == 30 - there
    assert found["packets_refused"] >= found["frames_lost"]


@pytest.mark.long
@pytest.mark.parametrize("name,more", [("video", {"preset": "ultrafast"}), ("interpolate", {"factor": 2, "method": "blend"}),
                                       ("interpolate", {"factor": 2, "method": "motion"})])
@pytest.mark.parametrize("spoiled", [False, True])
def test_no_output_is_made_of_what_is_left(tmp_path, copies, name, more, spoiled):
    source = tmp_path / "bad.mkv"
    if spoiled:
        spoil(copies / "clip.mkv", source, (0.7,))
    else:
        cut(copies / "clip.mkv", source, 0.5)
    (tmp_path / "out.mp4").write_text("what was there")
    done = run(name, tmp_path, input="bad.mkv", output="out.mp4", **more)
    found = damage_of(done)
    assert found["frames_decoded"] + found["frames_flawed"] == frames(source)
    assert (tmp_path / "out.mp4").read_text() == "what was there"
    assert sorted(os.listdir(tmp_path)) == ["bad.mkv", "out.mp4"]


@pytest.fixture(scope="module")
def two_sounds(tmp_path_factory):
    """The second of two tracks of sound is damaged in two packets; the time of the first of these."""
    folder = tmp_path_factory.mktemp("sounds")
    subprocess.run(["ffmpeg", "-v", "error", "-i", CLIP, *(word for tone in (300, 500) for word in (
        "-f", "lavfi", "-i", f"sine=f={tone}:d=8")), "-map", "0:v", "-map", "1", "-map", "2", "-c:v", "copy", "-c:a:0", "aac", "-c:a:1",
        "flac", folder / "two.mkv"], check=True)
    packets = json.loads(subprocess.run(["ffprobe", "-v", "error", "-select_streams", "a:1", "-show_packets", "-of", "json",
                                         folder / "two.mkv"], capture_output=True, check=True).stdout)["packets"]
    data = bytearray((folder / "two.mkv").read_bytes())
    hit = [packets[int(len(packets) * place)] for place in (0.4, 0.6)]
    for packet in hit:
        for at in range(int(packet["pos"]) + 12, int(packet["pos"]) + int(packet["size"])):
            data[at] ^= 0x55
    (folder / "bad.mkv").write_bytes(data)
    return folder / "bad.mkv", float(hit[0]["pts_time"])


@pytest.mark.parametrize("asked", [{"mode": "probe"}, {"output": "out.mkv"}, {"output": "out.mkv", "audio": "encode"},
                                   {"output": "out.webm", "codec": "vp9"}])
def test_a_second_track_of_sound_that_is_damaged(tmp_path, two_sounds, asked):
    """Copied, encoded or only looked at: it is found in the input, and counted as all damage is."""
    source, time = two_sounds
    more = {} if "mode" in asked else {"preset": "ultrafast", "width": 160}
    done = run("video", tmp_path, input=str(source), **asked, **more)
    found = damage_of(done)
    assert (found["frames_decoded"], found["frames_flawed"], found["packets_refused"]) == (WHOLE, 0, 2)
    assert abs(found["first_fault"]["time_us"] / 1e6 - time) < 0.05
    assert "a packet of stream 2 (flac) does not decode" in found["first_fault"]["what"] and "output" not in done.error
    assert [line["text"] for line in done.lines if line["type"] == "log"].count(
        "input is not whole; what there is of it is counted") == 1
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("asked", [{"audio_tracks": "1"}, {"audio": "none"}])
def test_a_track_that_nobody_wants_may_be_damaged(tmp_path, two_sounds, asked):
    done = run("video", tmp_path, input=str(two_sounds[0]), output="out.mkv", preset="ultrafast", width=160, **asked)
    assert (done.code, done.error) == (0, "") and frames(tmp_path / "out.mkv") == WHOLE


@pytest.mark.parametrize("case", ["encrypted", "sound alone"])
def test_what_is_refused_is_not_called_damaged(tmp_path, case):
    words = ["-map", "0:v", "-encryption_scheme", "cenc-aes-ctr", "-encryption_key", "7" * 32, "-encryption_kid", "a" * 32]
    subprocess.run(["ffmpeg", "-v", "error", "-i", CLIP, *(words if case == "encrypted" else ["-vn"]), "-c", "copy",
                    tmp_path / "in.mp4"], check=True)
    for asked in ({"mode": "probe"}, {"output": "out.mp4"}):
        done = run("video", tmp_path, input="in.mp4", **asked)
        assert done.code == 65 and ("is encrypted" if case == "encrypted" else "holds no video stream") in done.error
        assert "damage" not in done.result and not [line for line in done.lines if line["type"] == "log"]


@pytest.mark.parametrize("name,codec", [("in.ts", "aac"), ("in.mkv", "libmp3lame"), ("in.mp4", "libmp3lame")])
@pytest.mark.parametrize("to", ["mp4", "mkv"])
def test_samples_told_are_those_that_decode(tmp_path, name, codec, to):
    """Sound that is copied is decoded in the input; AAC of a transport stream takes another form, and each container has
    its own way to say what is trimmed."""
    subprocess.run(["ffmpeg", "-v", "error", "-t", "2", "-i", CLIP, "-f", "lavfi", "-i", "sine=d=2:r=48000", "-map", "0:v",
                    "-map", "1:a", "-c:v", "copy", "-c:a", codec, tmp_path / name], check=True)
    done = run("video", tmp_path, input=name, output=f"out.{to}", preset="ultrafast", width=160)
    assert done.code == 0, done.error
    for side, file in (("input", name), ("output", f"out.{to}")):
        told = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "a:0", "-show_entries", "frame=nb_samples", "-of",
                               "csv=p=0", tmp_path / file], capture_output=True, text=True, check=True).stdout
        assert done.result["media"][side]["audio"]["samples"] == sum(int(one.strip(",")) for one in told.split())


@pytest.mark.parametrize("bad", [("reference",), ("distorted",), ("reference", "distorted")])
def test_quality_tells_of_each_side(tmp_path, copies, bad):
    files = dict.fromkeys(("reference", "distorted"), copies / "clip.mkv")
    for side in bad:
        files[side] = cut(files[side], tmp_path / side, 0.5)
    done = run("quality", tmp_path, **{side: str(path) for side, path in files.items()})
    assert done.code == 65 and done.result["partial"] is True and set(done.result["damage"]) == set(bad)
    for side in bad:
        found = done.result["damage"][side]
        assert found["frames_decoded"] + found["frames_flawed"] == frames(files[side])
    assert done.result["error"]["message"].startswith(f"{bad[0]} is ")
    assert len(done.result["inputs"]) == 2 and "metrics" not in done.result


def test_an_end_within_the_headers_is_no_error_of_the_disk(tmp_path, copies):
    """Which would be tried again."""
    for count in (60, 150, 300, 500):
        (tmp_path / "cut.mkv").write_bytes((copies / "clip.mkv").read_bytes()[:count])
        done = run("video", tmp_path, mode="probe", input="cut.mkv")
        assert done.code == 65 and "cut.mkv" in done.error, (count, done.error)


def test_how_far_a_container_could_be_read_is_told(tmp_path, copies):
    """By one who decodes nothing: a thumbnail needs the index alone. ffprobe knows the last packet's time."""
    source = cut(copies / "clip.mkv", tmp_path / "cut.mkv", 0.6)
    last = json.loads(subprocess.run(["ffprobe", "-v", "quiet", "-show_packets", "-of", "json", source],
                                     capture_output=True, check=True).stdout)["packets"][-1]
    done = run("video", tmp_path, mode="thumbnail", input="cut.mkv", output="out.png")
    told = re.search(r"input is damaged or cut off behind ([0-9.]+) s: the container", done.error)
    assert done.code == 65 and told and abs(float(told[1]) - float(last["pts_time"])) < 0.2, done.error


@pytest.mark.parametrize("kind", ["ts", "vob", "ogv"])
@pytest.mark.parametrize("mode", [{"mode": "probe"}, {"output": "out.mp4", "preset": "ultrafast"}])
def test_recordings_that_were_put_together_are_told(tmp_path, kind, mode):
    """Of which the frames of the second lay on those of the first. What is told to do mends it."""
    subprocess.run(["ffmpeg", "-v", "error", "-i", SAMPLES / "bbb_180p24_8s.mp4", "-t", "3", *(
        {"ts": ["-c", "copy"], "vob": ["-c:v", "mpeg2video", "-c:a", "mp2"],
         "ogv": ["-c:v", "libtheora", "-q:v", "7", "-c:a", "libvorbis"]}[kind]), tmp_path / f"one.{kind}"], check=True)
    one = (tmp_path / f"one.{kind}").read_bytes()
    (tmp_path / f"two.{kind}").write_bytes(one + one)
    done = run("video", tmp_path, input=f"two.{kind}", **mode)
    found = damage_of(done)
    first = frames(tmp_path / f"one.{kind}")
    told = re.search(r"input was put together of several recordings: after (\d+) frames \(([0-9.]+) s\) time begins anew, "
                     r"([0-9.]+) s back; (ffmpeg [^;]* makes one (?:of the recordings )?whose times go on)$", done.error)
    assert told and first - 3 <= int(told[1]) <= first and all(abs(float(told[i]) - 3) < 0.15 for i in (2, 3)), done.error
    assert found["frames_decoded"] == 2 * first and found["first_fault"]["frames_before"] == int(told[1])
    assert found["first_fault"]["what"].endswith(told[4])
    new = "new.mkv" if kind == "ogv" else "new.ts"
    (tmp_path / "list").write_text(f"file one.{kind}\n" * 2)
    names = {"FILE": str(tmp_path / f"two.{kind}"), "LIST": str(tmp_path / "list"), new.replace("new", "NEW"): str(tmp_path / new)}
    subprocess.run([names.get(word, word) for word in told[4].split(" makes ")[0].split()], check=True, capture_output=True)
    done = run("video", tmp_path, input=new, **mode)
    assert done.code == 0 and done.result["frames_in"] == 2 * first, done.error
    wanted = 6 if kind == "ogv" else 2 * first / 24  # Theora shows some frames longer instead of a second time
    assert abs(done.result["duration_us"] / 1e6 - wanted) < 0.2


def test_where_nothing_decodes_there_is_no_part(tmp_path):
    source = SHARED / "broken/invalid-bitstream.webm"
    if not source.exists():
        pytest.skip(f"{SHARED} is not there")
    done = run("video", tmp_path, mode="probe", input=str(source))
    assert done.code == 65 and done.result["partial"] is False and done.result["frames_in"] == 0
    assert done.result["damage"]["input"]["frames_decoded"] == 0 < done.result["damage"]["input"]["packets_refused"]


def test_a_job_shows_what_there_is(daemon, tmp_path, copies):
    cut(copies / "clip.mkv", tmp_path / "cut.mkv", 0.5)
    done = daemon.ctl("submit", "--type", "video", "-C", str(tmp_path), "--param", "input=cut.mkv",
                      "--param", "mode=probe", "--wait")
    job = json.loads(daemon.ctl("show", "--json", done.stdout.strip()).stdout)
    assert (done.returncode, job["state"], job["outcome"]["class"]) == (65, "failed", "processor")
    found = job["result"]["damage"]["input"]
    assert f"damage: input: {found['frames_decoded']} frames decode, 0 flawed, {found['frames_lost']} lost of " in \
        daemon.ctl("show", done.stdout.strip()).stdout
