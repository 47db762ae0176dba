"""Files whose times are none that can be, made on purpose: each is refused with a reason or read without them; no sum
of theirs overflows (the sanitizers tell), nothing is left behind. What is made of the harmless ones is whole."""
import os
import struct
import subprocess

import pytest
from hostile import SANITIZED
from processor import SAMPLES, frames, run

CLIP = SAMPLES / "bbb_480p24_8s.mp4"
FAST = {"preset": "ultrafast", "crf": 40}
EXTREMES = [2**63 - 1, -2**63, 2**62, 10**18]
MASTERS = {"18538067", "1f43b675", "a0", "1043a770", "45b9", "b6", "1549a966"}
TIME, LENGTH, START, END = "e7", "9b", "91", "92"  # of clusters, of cues, of chapters


def ffmpeg(*words):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, words)], check=True)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A second of picture, two tracks of sound, a cue, two chapters."""
    folder = tmp_path_factory.mktemp("film")
    (folder / "a.srt").write_text("1\n00:00:00,200 --> 00:00:00,900\nword\n")
    (folder / "titles").write_text(";FFMETADATA1\n" + "".join(
        f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={at}\nEND={at + 500}\ntitle=one\n" for at in (0, 500)))
    ffmpeg("-t", 1, "-i", CLIP, "-f", "lavfi", "-i", "sine=d=1", "-i", folder / "a.srt", "-i", folder / "titles", "-map", "0:v",
           "-map", "1", "-map", "1", "-map", "2", "-map_chapters", 3, "-vf", "scale=64:36", "-g", 6, "-bf", 2, "-preset", "ultrafast", "-c:a:0", "aac",
           "-c:a:1", "flac", "-c:s", "srt", "-cluster_time_limit", 300, folder / "film.mkv")
    ffmpeg("-i", folder / "film.mkv", "-map", "0:v", "-map", "0:a:0", "-map", "0:s", "-c", "copy", "-c:s", "mov_text", folder / "film.mp4")
    return folder


def number(data, at, keep_marker):
    """One of EBML's numbers of variable length: its value, where it ends."""
    length = 9 - data[at].bit_length()
    value = int.from_bytes(data[at:at + length], "big")
    return value if keep_marker else value & ~(1 << 7 * length), at + length


def rebuilt(data, change):
    """Each element anew; change(id, content) may give another content."""
    made, at = b"", 0
    while at < len(data):
        kind, begin = number(data, at, True)
        size, body = number(data, begin, False)
        name, content = f"{kind:x}", data[body:body + size]
        content = rebuilt(content, change) if name in MASTERS else change(name, content)
        made += data[at:begin] + struct.pack(">Q", 1 << 56 | len(content)) + content
        at = body + size
    return made


def with_times(source, target, name, value, nth):
    """The nth element of that name has that value, or all (nth None)."""
    met = []

    def change(kind, content):
        if kind != name:
            return content
        met.append(1)
        return struct.pack(">Q", value % 2**64) if nth in (None, len(met) - 1) else content
    target.write_bytes(rebuilt(source.read_bytes(), change))
    assert met


def checked(tmp_path, name, asked, source):
    """It ends well, or with a reason; in a time and with memory that a second of video takes."""
    before = set(os.listdir(tmp_path))
    done = run(name, tmp_path, input=source, **asked)
    assert done.code in (0, 65) and "runtime error" not in done.error and "Sanitizer" not in done.error, (asked, done.error)
    assert (done.code == 0) == (done.error == "") and "a bug" not in done.error, (asked, done.error)
    made = set(os.listdir(tmp_path)) - before
    assert made == ({asked["output"]} if done.code == 0 and "output" in asked else set())
    if done.code == 0 and asked.get("mode") != "probe":
        assert frames(tmp_path / asked["output"]) == done.result["frames_out"]
    for file in made:
        (tmp_path / file).unlink()
    return done


WAYS = {"probe": ("video", {"mode": "probe"}), "mkv": ("video", {"output": "out.mkv", **FAST}),
        "mp4": ("video", {"output": "out.mp4", "audio": "encode", **FAST}),
        "double": ("interpolate", {"output": "out.mkv", "factor": 2, "method": "blend", "preset": "ultrafast"}),
        "thumbnail": ("video", {"mode": "thumbnail", "output": "out.png"})}


def each_with_each(places, values):
    """Each place with one value or more, and each value; the others are for who has time."""
    return [pytest.param(place, value, marks=[] if (i - j) % len(values) == 0 else [pytest.mark.longest])
            for i, place in enumerate(places) for j, value in enumerate(values)]


@pytest.mark.parametrize("place,value", each_with_each([(TIME, 2), (TIME, None), (LENGTH, 0), (START, 1), (END, 0)], EXTREMES))
def test_matroska(tmp_path, film, place, value):
    name, nth = place
    with_times(film / "film.mkv", tmp_path / "in.mkv", name, value, nth)
    for processor, asked in WAYS.values():
        done = checked(tmp_path, processor, asked, "in.mkv")
        if name in (LENGTH, START, END) and asked.get("mode") != "thumbnail":
            assert done.code == 0 and done.result["frames_in"] == 24, done.error


# Boxes of MP4, and where in their content numbers of 32 bits begin that are times or lengths.
BOXES = {b"elst": 8, b"stts": 8, b"ctts": 8, b"mdhd": 12, b"mvhd": 12, b"tkhd": 20, b"stsz": 4, b"stco": 8}


@pytest.mark.parametrize("box,value", each_with_each(BOXES, [2**31 - 1, 2**31, 2**32 - 1, 0]))
def test_mp4(tmp_path, film, box, value):
    whole = (film / "film.mp4").read_bytes()
    places = [at for at in range(len(whole)) if whole[at:at + 4] == box]
    assert places
    for nth, field in ((0, 0), (1, 1)):
        data = bytearray(whole)
        place = places[min(nth, len(places) - 1)] + 4 + BOXES[box] + 4 * field
        data[place:place + 4] = struct.pack(">I", value)
        (tmp_path / "in.mp4").write_bytes(data)
        for way in ("probe", "mkv", "mp4"):
            checked(tmp_path, *WAYS[way], "in.mp4")


@pytest.mark.long
def test_a_gap_is_filled_with_silence_piece_by_piece(tmp_path, film):
    """A thousand seconds made at once were 500 MB."""
    with_times(film / "film.mkv", tmp_path / "in.mkv", TIME, 10**6, 2)
    done = run("video", tmp_path, input="in.mkv", output="out.mp4", audio="encode", **FAST)
    assert done.code == 0 and done.rss_kb < (800 if SANITIZED else 200) * 1024, (done.error, done.rss_kb)
    sound = done.result["media"]["output"]["audio"]
    assert sound["samples"] / sound["sample_rate"] == pytest.approx(1000.5, abs=0.5)


def test_progress_goes_on_within_a_gap(tmp_path, film):
    """25,000 pictures are made of one that was read, and who asks is still told the time that is left."""
    with_times(film / "film.mkv", tmp_path / "in.mkv", TIME, 10**6, 2)
    done = run("video", tmp_path, input="in.mkv", output="out.mkv", audio="none", fps=25, **FAST)
    assert done.code == 0 and done.result["frames_out"] > 25000, done.error
    seen = [line["frames"] for line in done.lines if line["type"] == "progress"]
    assert max(map(seen.count, seen)) >= 3, seen


@pytest.mark.parametrize("asked,code,text", [
    ({"output": "out.mp4", "fps": 25}, 65, "input has no picture for 3899999999 s; at most 86400 s are filled"),
    ({"output": "out.mp4", "audio": "none"}, 64, "params.output is mp4, which shows no picture for longer than 33554 s"),
    ({"output": "out.mkv", "audio": "encode"}, 65, "input has no sound for 3899999999 s in stream"),
    ({"output": "out.mkv"}, 0, "")])
def test_a_gap_without_an_end(tmp_path, film, asked, code, text):
    """Told before the work, where the output cannot have it or it would be filled for ever; else it stays what it is."""
    with_times(film / "film.mkv", tmp_path / "in.mkv", TIME, 39 * 10**11, 2)
    done = run("video", tmp_path, input="in.mkv", **asked, **FAST)
    assert done.code == code and text in done.error, done.error
    assert code or frames(tmp_path / "out.mkv") == 24


@pytest.mark.parametrize("name,asked", [("video", {"fps": 30}), ("interpolate", {"factor": 2, "method": "blend"})])
def test_sound_of_a_low_rate_begins_early(tmp_path, name, asked):
    """The lead of AAC is 128 ms at 8 kHz, by which Matroska has all later."""
    ffmpeg("-t", 1, "-i", CLIP, "-f", "lavfi", "-i", "sine=d=1:r=8000", "-map", "0:v", "-map", "1", "-c:v", "copy", "-c:a", "aac", "-ar", 8000,
           tmp_path / "in.mp4")
    done = run(name, tmp_path, input="in.mp4", output="out.mkv", preset="ultrafast", **asked)
    assert done.code == 0 and frames(tmp_path / "out.mkv") == done.result["frames_out"], done.error


@pytest.mark.parametrize("name,asked", [("video", {"width": 64}), ("interpolate", {"factor": 2, "method": "blend"})])
@pytest.mark.parametrize("to", ["mkv", "mp4"])
def test_what_an_edit_list_cut_off_stays_off(tmp_path, name, asked, to):
    """Half a second of MP4's sound; Matroska would play it, and all pictures half a second later."""
    ffmpeg("-itsoffset", -0.5, "-t", 2, "-i", CLIP, "-f", "lavfi", "-itsoffset", -0.5, "-i", "sine=d=2", "-map", "0:v", "-map", "1", "-c:v",
           "copy", "-c:a", "aac", "-avoid_negative_ts", "disabled", tmp_path / "in.mp4")
    done = run(name, tmp_path, input="in.mp4", output=f"out.{to}", preset="ultrafast", **asked)
    assert done.code == 0 and frames(tmp_path / f"out.{to}") == done.result["frames_out"], done.error
    told = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "a:0", "-show_entries", "frame=nb_samples", "-of", "csv=p=0",
                           tmp_path / f"out.{to}"], capture_output=True, text=True, check=True).stdout
    samples = sum(int(one.strip(",")) for one in told.split())
    assert samples / 44100 == pytest.approx(1.6, abs=0.15) and done.result["media"]["output"]["audio"]["samples"] == samples
