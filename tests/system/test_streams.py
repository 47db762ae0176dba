"""What a video has beside its picture comes over: sound in several tracks, subtitles, chapters, titles; and what
cannot is told. The inputs are made by ffmpeg, the outputs judged by ffprobe and ffmpeg."""
import json
import struct
import subprocess

import pytest
from processor import SAMPLES, Run, ffprobe, frames, run
from test_resume import logged, noted
from test_video import sha256, wait_for

FAST = {"preset": "ultrafast", "crf": 35, "width": 160}
CLIP = SAMPLES / "bbb_180p24_8s.mp4"
TITLES = """;FFMETADATA1
title=The film
artist=Somebody
[CHAPTER]
TIMEBASE=1/1000
START=0
END=3000
title=First
[CHAPTER]
TIMEBASE=1/1000
START=3000
END=8000
title=Second
"""
CUES = [(500, 1500, "Hello <i>you</i>"), (3000, 4250, "Grüße\nin two lines"), (4250, 5000, "at once")]
OVERLAPPING = [(1000, 4000, "long"), (2000, 3000, "short"), (2000, 5000, "same start"), (6000, 7000, "alone")]


def ffmpeg(*words):
    return subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, words)], check=True,
                          capture_output=True, text=True).stdout


def stamp(ms):
    return f"{ms // 3600000:02}:{ms // 60000 % 60:02}:{ms // 1000 % 60:02},{ms % 1000:03}"


def srt(path, cues):
    path.write_text("".join(f"{number}\n{stamp(start)} --> {stamp(end)}\n{text}\n\n"
                            for number, (start, end, text) in enumerate(cues, 1)))
    return path


def cues(path, number=0):
    """(start, end, text) in ms of one track of subtitles, as ffmpeg reads them."""
    found = []
    for block in ffmpeg("-i", path, "-map", f"0:s:{number}", "-f", "srt", "-").strip().split("\n\n"):
        _, times, *text = block.split("\n")
        start, end = (int(part[-3:]) + 1000 * sum(int(n) * 60 ** (2 - i) for i, n in enumerate(part[:-4].split(":")))
                      for part in times.split(" --> "))
        found.append((start, end, "\n".join(text)))
    return found


def near(some, others, ms=1):
    """Containers of whole milliseconds round."""
    return len(some) == len(others) and all(
        abs(a[0] - b[0]) <= ms and abs(a[1] - b[1]) <= ms and a[2] == b[2] for a, b in zip(some, others))


def streams(path, kind=None):
    every = ffprobe(path, "-show_streams")["streams"]
    return [one for one in every if kind in (None, one["codec_type"])]


def words(one):
    """Language and title, wherever the container keeps it."""
    tags = one.get("tags", {})
    title = tags.get("title", tags.get("handler_name"))
    return tags.get("language"), title


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    folder = tmp_path_factory.mktemp("film")
    (folder / "titles").write_text(TITLES)
    (folder / "font.ttf").write_bytes(b"\0\1\0\0" + b"font" * 100)
    ffmpeg("-i", CLIP, "-f", "lavfi", "-i", "sine=d=8:f=300", "-f", "lavfi", "-i", "sine=d=8:f=600",
           "-i", srt(folder / "a.srt", CUES), "-i", srt(folder / "b.srt", OVERLAPPING), "-i", folder / "titles",
           "-map", "0:v", "-map", "1", "-map", "2", "-map", "3", "-map", "4", "-map_metadata", 5, "-map_chapters", 5,
           "-vf", "scale=160:90", "-preset", "ultrafast", "-c:a:0", "aac", "-c:a:1", "libvorbis", "-c:s:0", "srt",
           "-c:s:1", "ass", "-metadata:s:a:0", "language=ger", "-metadata:s:a:0", "title=Ton",
           "-metadata:s:a:1", "language=eng", "-metadata:s:a:1", "title=Commentary", "-metadata:s:s:0",
           "language=ger", "-metadata:s:s:1", "language=eng", "-disposition:a:1", "comment", "-disposition:s:1",
           "forced", "-attach", folder / "font.ttf", "-metadata:s:t", "mimetype=application/x-truetype-font", folder / "film.mkv")
    return folder / "film.mkv"


FORMS = {"mp4": ("h264", ["aac", "aac"], ["mov_text", "mov_text"]), "mov": ("h264", ["aac", "aac"], ["mov_text"] * 2),
         "mkv": ("h264", ["aac", "vorbis"], ["subrip", "ass"]), "webm": ("vp9", ["opus", "vorbis"], ["webvtt"] * 2)}


@pytest.mark.parametrize("ending", FORMS)
def test_every_track_comes_over(tmp_path, film, ending):
    codec, sounds, texts = FORMS[ending]
    out = tmp_path / f"out.{ending}"
    done = run("video", tmp_path, input=str(film), output=out.name, codec=codec, **FAST)
    assert (done.code, done.error) == (0, "") and frames(out) == 194
    audio, subtitles = streams(out, "audio"), streams(out, "subtitle")
    assert [one["codec_name"] for one in audio] == sounds
    assert [one["codec_name"] for one in subtitles] == texts
    assert [words(one) for one in audio] == [("ger", "Ton"), ("eng", "Commentary")]
    assert [words(one)[0] for one in subtitles] == ["ger", "eng"]
    assert subtitles[1]["disposition"]["forced"] == (ending in ("mp4", "mkv", "webm"))
    shift = round(1000 * float(streams(out, "video")[0]["start_time"])) - round(
        1000 * float(streams(film, "video")[0]["start_time"]))  # WebM: Opus begins before 0
    assert 0 <= shift < 10
    shown = [(a + shift, b + shift, text) for a, b, text in cues(film)]
    assert near(cues(out), shown) and near(cues(film), [(a + 23, b + 23, text) for a, b, text in CUES], 25)
    about = ffprobe(out, "-show_chapters", "-show_format")
    assert about["format"]["tags"]["title"] == "The film"
    assert [(one["tags"]["title"], round(float(one["start_time"]))) for one in about["chapters"]] == [
        ("First", 0), ("Second", 3)]
    decoded = subprocess.run(["ffmpeg", "-v", "warning", "-i", out, "-map", "0:v", "-map", "0:a", "-f", "null", "-"],
                             capture_output=True, text=True, check=True)
    assert decoded.stderr == ""
    told = done.result["media"]["output"]["streams"]
    assert [(one["from"], one["how"]) for one in told[:5]] == [(0, "encode")] + [
        (number, "copy" if now == was else "encode" if number < 3 else "convert")
        for number, (now, was) in enumerate(zip(sounds + texts, ["aac", "vorbis", "subrip", "ass"]), 1)]


def test_interpolate_carries_them_too(tmp_path, film):
    ffmpeg("-t", 1, "-i", film, "-map", 0, "-c", "copy", "-map_chapters", 0, tmp_path / "in.mkv")
    done = run("interpolate", tmp_path, input="in.mkv", output="out.mkv", factor=2, method="blend", preset="ultrafast",
               subtitle_tracks="ger")
    assert done.code == 0 and done.result["warnings"] == [], done.error
    assert [words(one) for one in streams(tmp_path / "out.mkv", "audio")] == [("ger", "Ton"), ("eng", "Commentary")]
    assert [one["codec_name"] for one in streams(tmp_path / "out.mkv", "subtitle")] == ["subrip"]
    assert len(ffprobe(tmp_path / "out.mkv", "-show_chapters")["chapters"]) == 2


def test_attachments_stay_in_matroska_and_are_missed_elsewhere(tmp_path, film):
    done = run("video", tmp_path, input=str(film), output="out.mkv", **FAST)
    assert done.result["warnings"] == [] == done.result["media"]["output"]["left_out"]
    font = streams(tmp_path / "out.mkv", "attachment")[0]
    assert font["tags"] == {"filename": "font.ttf", "mimetype": "application/x-truetype-font"}
    assert font["extradata_size"] == (film.parent / "font.ttf").stat().st_size
    done = run("video", tmp_path, input=str(film), output="out.mp4", **FAST)
    assert done.code == 0 and logged(done) == done.result["warnings"] == [
        "stream 5 (attachment ttf, und) is left out: mp4 takes no attachments"]
    assert [(one["index"], one["type"]) for one in done.result["media"]["output"]["left_out"]] == [(5, "attachment")]


def test_of_very_many_that_are_left_out_some_are_listed(tmp_path, film):
    """A result is one line of 64 KiB at most: the rest is counted, and in the log."""
    source = tmp_path / "many.mkv"
    font = [word for _ in range(45) for word in ("-attach", film.parent / "font.ttf")]
    ffmpeg("-i", SAMPLES / "bear_vp9_161x121.webm", "-map", "0:v", "-c", "copy", *font, "-metadata:s:t",
           "mimetype=application/x-truetype-font", source)
    done = run("video", tmp_path, input=str(source), output="out.mp4", **FAST)
    assert done.code == 0, done.error
    media = done.result["media"]["output"]
    assert [one["index"] for one in media["left_out"]] == list(range(1, 41)) and media["left_out_more"] == 5
    assert len(logged(done)) == 45 and done.result["warnings"] == logged(done)[:40] + ["there are more, in the log"]


def test_copied_sound_is_the_same(tmp_path, film):
    assert run("video", tmp_path, input=str(film), output="out.mkv", **FAST).code == 0
    for number in (0, 1):
        words_of = [ffmpeg("-i", path, "-map", f"0:a:{number}", "-c", "copy", "-f", "streamhash", "-")
                    for path in (film, tmp_path / "out.mkv")]
        assert words_of[0] == words_of[1] != ""


def pitch(path, number):
    """Of a track with one tone, in Hz: how often it rises through zero in its middle 4 seconds."""
    pcm = subprocess.run(["ffmpeg", "-v", "error", "-ss", "2", "-i", path, "-t", "4", "-map", f"0:a:{number}", "-ac", "1",
                          "-ar", "8000", "-f", "s16le", "-"], capture_output=True, check=True).stdout
    samples = struct.unpack(f"<{len(pcm) // 2}h", pcm)
    return sum(a < 0 <= b for a, b in zip(samples, samples[1:])) / (len(samples) / 8000)


def test_encoded_sound_is_each_its_own(tmp_path, film):
    done = run("video", tmp_path, input=str(film), output="out.mp4", audio="encode", **FAST)
    assert done.code == 0, done.error
    assert [pitch(tmp_path / "out.mp4", number) for number in (0, 1)] == pytest.approx([300, 600], abs=2)


SOUNDS = {"aac": "aac aac", "libmp3lame": "mp3 mp3", "ac3": "ac3 ac3", "eac3": "eac3 eac3", "libopus": "opus aac",
          "alac": "alac alac", "flac": "flac aac", "truehd": "aac aac"}


@pytest.mark.parametrize("codec", SOUNDS)
def test_sound_of_each_codec_in_mp4_and_mov(tmp_path, codec):
    """Copied where they take it, whole to the last packet."""
    ffmpeg("-t", 1, "-i", CLIP, "-f", "lavfi", "-i", "sine=f=500:d=1:r=48000", "-map", "0:v", "-map", 1, "-ac", 2, "-c:v", "copy",
           "-strict", -2, "-c:a", codec, tmp_path / "in.mkv")
    for ending, becomes in zip(("mp4", "mov"), SOUNDS[codec].split()):
        out = tmp_path / f"out.{ending}"
        done = run("video", tmp_path, input="in.mkv", output=out.name, **FAST)
        assert done.code == 0, done.error
        assert [one["codec_name"] for one in streams(out, "audio")] == [becomes]
        told = done.result["media"]["output"]["audio"]
        assert told["samples"] / told["sample_rate"] == pytest.approx(1, abs=0.09)


@pytest.mark.parametrize("source,target", [("mp4", "mkv"), ("mp4", "webm"), ("ogg", "mkv"), ("mkv", "mp4"), ("mkv", "mkv"),
                                           ("ts", "mkv"), ("aac.mp4", "webm")])
def test_opus_says_what_is_heard_of_it(tmp_path, source, target):
    """What its encoder needed in front, MP4 and Ogg tell with a packet, Matroska in the headers alone: as many samples
    are told as ffmpeg decodes."""
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=160x90:r=25:d=1", "-f", "lavfi", "-i", "sine=d=1", "-c:v",
           "libtheora" if source == "ogg" else "libx264", "-c:a", "aac" if "aac" in source else "libopus",
           tmp_path / f"in.{source}")
    done = run("video", tmp_path, input=f"in.{source}", output=f"out.{target}", codec="vp9" if target == "webm" else "h264",
               **FAST)
    assert done.code == 0, done.error
    sound = done.result["media"]["output"]["audio"]
    heard = subprocess.run(["ffmpeg", "-v", "error", "-i", tmp_path / f"out.{target}", "-map", "0:a", "-ac", "1", "-f",
                            "s16le", "-"], check=True, capture_output=True).stdout
    assert sound["codec"] == "opus" and sound["samples"] == len(heard) // 2


@pytest.mark.parametrize("codec", ["dca", "pcm_s24le", "truehd", "flac", "eac3"])
def test_sound_of_discs(tmp_path, codec):
    """As films on discs have it; WebM takes none of them."""
    ffmpeg("-t", 1, "-i", CLIP, "-f", "lavfi", "-i", "sine=f=500:d=8:r=48000", "-map", "0:v", "-map", 1, "-ac", 2, "-c:v", "copy",
           "-strict", -2, "-c:a", codec, tmp_path / "in.mkv")
    done = run("video", tmp_path, input="in.mkv", output="out.webm", codec="vp9", **FAST)
    assert done.code == 0, done.error
    assert streams(tmp_path / "out.webm", "audio")[0]["codec_name"] == "opus"
    assert pitch(tmp_path / "out.webm", 0) == pytest.approx(500, abs=2)


def test_cues_that_overlap_are_all_shown_in_mp4(tmp_path, film):
    """MP4 shows one at a time: each moment has what is on screen then."""
    assert run("video", tmp_path, input=str(film), output="out.mp4", **FAST).code == 0
    begin = cues(film, 1)[0][0] - 1000
    assert near([(a - begin, b - begin, text) for a, b, text in cues(tmp_path / "out.mp4", 1)], [
        (1000, 2000, "long"), (2000, 3000, "long\nshort\nsame start"), (3000, 4000, "long\nsame start"),
        (4000, 5000, "same start"), (6000, 7000, "alone")], 11)  # ASS has hundredths


@pytest.mark.parametrize("asked,languages,texts", [
    ({"audio_tracks": "best"}, ["ger"], 2), ({"audio_tracks": "2"}, ["eng"], 2), ({"audio_tracks": "ENG"}, ["eng"], 2),
    ({"audio_tracks": "eng, 1", "subtitle_tracks": "2"}, ["ger", "eng"], 1), ({"audio": "none"}, [], 2),
    ({"subtitles": "none"}, ["ger", "eng"], 0), ({"audio": "encode", "subtitle_tracks": "ger"}, ["ger", "eng"], 1)])
def test_which_tracks(tmp_path, film, asked, languages, texts):
    done = run("video", tmp_path, input=str(film), output="out.mkv", **asked, **FAST)
    assert done.code == 0, done.error
    assert [words(one)[0] for one in streams(tmp_path / "out.mkv", "audio")] == languages
    assert len(streams(tmp_path / "out.mkv", "subtitle")) == texts
    assert done.result["warnings"] == []  # it was asked for
    if asked.get("audio") == "encode":
        assert [one["codec_name"] for one in streams(tmp_path / "out.mkv", "audio")] == ["aac", "aac"]


@pytest.mark.parametrize("name,value", [("audio_tracks", "3"), ("audio_tracks", "1,fre"), ("subtitle_tracks", "0"),
                                        ("audio_tracks", "")])
def test_a_track_that_is_not_there(tmp_path, film, name, value):
    done = run("video", tmp_path, input=str(film), output="out.mkv", **{name: value}, **FAST)
    assert done.code == 64 and f'params.{name} has "{value.split(",")[-1]}"' in done.error
    assert "2 tracks: ger, eng" in done.error and done.result["error"]["field"] == f"params.{name}"


def test_tags_are_left_behind_on_request(tmp_path, film):
    assert run("video", tmp_path, input=str(film), output="out.mkv", metadata="none", **FAST).code == 0
    about = ffprobe(tmp_path / "out.mkv", "-show_chapters", "-show_format")
    assert not about["chapters"] and set(about["format"]["tags"]) == {"encoder"}
    assert words(streams(tmp_path / "out.mkv", "audio")[1]) == ("eng", "Commentary")


def test_subtitles_that_are_pictures(tmp_path, film):
    """Blu-ray's: Matroska takes them, MP4 does not, and that is told."""
    def segment(time, kind, data=b""):
        return b"PG" + struct.pack(">IIBH", time, 0, kind, len(data)) + data
    sup = tmp_path / "a.sup"
    sup.write_bytes(b"".join(segment(90000 * second, 0x16, bytes.fromhex("00a0005a10000180000000")) +
                             segment(90000 * second, 0x80) for second in (1, 2, 5)))
    ffmpeg("-i", film, "-i", sup, "-map", "0:v", "-map", "0:a", "-map", 1, "-c", "copy", tmp_path / "in.mkv")
    hashes = []
    for name in ("out.mkv", "out.mp4"):
        done = run("video", tmp_path, input="in.mkv", output=name, **FAST)
        assert done.code == 0, done.error
        hashes.append(streams(tmp_path / name, "subtitle"))
    assert [one["codec_name"] for one in hashes[0]] == ["hdmv_pgs_subtitle"] and not hashes[1]
    assert ffmpeg("-i", tmp_path / "in.mkv", "-map", "0:s", "-c", "copy", "-f", "streamhash", "-") == ffmpeg(
        "-i", tmp_path / "out.mkv", "-map", "0:s", "-c", "copy", "-f", "streamhash", "-")
    assert len(done.result["warnings"]) == 1 and "pictures and no text" in done.result["warnings"][0]


def test_a_cue_that_is_no_text_is_told(tmp_path, film):
    data = film.read_bytes()
    place = data.index("Grüße".encode())
    (tmp_path / "in.mkv").write_bytes(data[:place] + b"Gr\xff\xff\xff" + data[place + 5:])
    done = run("video", tmp_path, input="in.mkv", output="out.mp4", subtitle_tracks="1", **FAST)
    assert done.code == 0 and "cues of stream 3 left out, since they cannot be read: 1" in done.result["warnings"]
    assert [text for _, _, text in cues(tmp_path / "out.mp4")] == [CUES[0][2], CUES[2][2]]


def test_from_mp4_to_the_others_and_back(tmp_path, film):
    """What MP4 fills the time between two cues with is no cue."""
    assert run("video", tmp_path, input=str(film), output="a.mp4", **FAST).code == 0
    for before, after in (("a.mp4", "b.mkv"), ("b.mkv", "c.mov"), ("c.mov", "d.mp4")):
        done = run("video", tmp_path, input=before, output=after, **FAST)
        assert done.code == 0, done.error
        assert not [one for one in done.result["warnings"] if "attachment" not in one]
    assert near(cues(tmp_path / "d.mp4"), cues(tmp_path / "a.mp4"))
    assert [words(one) for one in streams(tmp_path / "d.mp4", "audio")] == [("ger", "Ton"), ("eng", "Commentary")]
    chapters = ffprobe(tmp_path / "d.mp4", "-show_chapters")["chapters"]
    assert [one["tags"]["title"] for one in chapters] == ["First", "Second"]


def test_tracks_lie_side_by_side_in_the_file(tmp_path, film):
    """A player that reads on from anywhere finds all of them; the index comes first."""
    ffmpeg("-stream_loop", 3, "-i", film, "-map", "0:v", "-map", "0:a", "-c", "copy", tmp_path / "in.mkv")
    assert run("video", tmp_path, input="in.mkv", output="out.mp4", audio="encode", **FAST).code == 0
    packets = ffprobe(tmp_path / "out.mp4", "-show_entries", "packet=pos,dts_time,stream_index,size")["packets"]
    packets = sorted((p for p in packets if p["stream_index"] in (0, 1, 2)), key=lambda p: int(p["pos"]))
    last = {}
    for packet in packets:
        last[packet["stream_index"]] = float(packet["dts_time"])
        assert len(last) < 3 or max(last.values()) - min(last.values()) < 1.5
    data = (tmp_path / "out.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_killed_and_gone_on_with(tmp_path, film):
    """Two tracks are encoded as a whole beside the chunks; the file is the one of an undisturbed run."""
    ffmpeg("-stream_loop", 3, "-i", film, "-map", "0:v", "-map", "0:a", "-map", "0:s", "-c", "copy", "-fflags",
           "+genpts", tmp_path / "in.mkv")
    settings = {"input": str(tmp_path / "in.mkv"), "output": "out.mp4", "audio": "encode", "preset": "veryfast"}
    whole = tmp_path / "whole"
    whole.mkdir()
    undisturbed = Run("video", settings, whole).end()
    assert undisturbed.code == 0, undisturbed.error
    units = undisturbed.result["checkpoints"]["made"]
    work = tmp_path / ".out.mp4.batchd-1.work" / "done.log"
    one = Run("video", settings, tmp_path)
    wait_for(lambda: work.exists() and len(work.read_bytes().splitlines()) >= 2)
    one.process.kill()
    one.end()
    again = Run("video", settings, tmp_path, attempt=2).end()
    assert again.code == 0, again.error
    count = again.result["checkpoints"]
    assert count["reused"] >= 2 and count["reused"] + count["made"] == units >= 4
    assert sha256(tmp_path / "out.mp4") == sha256(whole / "out.mp4")


def test_a_cue_from_before_the_picture(tmp_path, film):
    """The sound begins at 2 s, the picture at 4 s, one cue at 1 s and is over by then, another is not."""
    ffmpeg("-itsoffset", 4, "-i", CLIP, "-itsoffset", 2, "-f", "lavfi", "-i", "sine=d=8", "-i",
           srt(tmp_path / "a.srt", [(500, 1500, "over"), (1600, 3000, "begun"), (5000, 6000, "later")]), "-i",
           film.parent / "titles", "-map", "0:v", "-map",
           1, "-map", 2, "-map_chapters", 3, "-c:v", "copy", "-c:a", "aac", "-c:s", "srt", "-avoid_negative_ts",
           "disabled", tmp_path / "in.mkv")
    done = run("video", tmp_path, input="in.mkv", output="out.mp4", **FAST)
    assert done.code == 0, done.error
    begin = float(streams(tmp_path / "in.mkv", "audio")[0]["start_time"])
    assert near(cues(tmp_path / "out.mp4"), [(0, round(1000 * (3 - begin)), "begun"),
                                             (round(1000 * (5 - begin)), round(1000 * (6 - begin)), "later")], 2)
    assert float(streams(tmp_path / "out.mp4", "video")[0]["start_time"]) == pytest.approx(4 - begin, abs=0.05)
    chapters = ffprobe(tmp_path / "out.mp4", "-show_chapters")["chapters"]
    assert [float(one["start_time"]) for one in chapters] == pytest.approx([0, 3 - begin], abs=0.01)


def test_probe_lists_streams_and_chapters(tmp_path, film):
    media = run("video", tmp_path, mode="probe", input=str(film)).result["media"]["input"]
    assert [(one["type"], one["codec"], one["language"], one["title"]) for one in media["streams"]] == [
        ("video", "h264", "und", None), ("audio", "aac", "ger", "Ton"), ("audio", "vorbis", "eng", "Commentary"),
        ("subtitle", "subrip", "ger", None), ("subtitle", "ass", "eng", None), ("attachment", "ttf", "und", None)]
    for told, found in zip(media["streams"], streams(film)):
        assert told["default"] == bool(found["disposition"]["default"])
        assert told["forced"] == bool(found["disposition"]["forced"])
        if told["type"] == "audio":
            assert (told["sample_rate"], told["channels"], told["layout"]) == (
                int(found["sample_rate"]), found["channels"], found["channel_layout"])
    assert media["title"] == "The film" and media["chapters"] == [
        {"start_us": 0, "end_us": 3000000, "title": "First"}, {"start_us": 3000000, "end_us": 8000000, "title": "Second"}]


def test_captions_within_the_pictures(tmp_path):
    """As broadcasts have them (ATSC A/53, part 4): H.264 keeps them, the others tell that they do not."""
    raw = tmp_path / "raw.h264"
    ffmpeg("-i", CLIP, "-t", 1, "-an", "-vf", "scale=160:90", "-c:v", "libx264", "-preset", "ultrafast", "-x264-params",
           "slices=1:threads=1", "-f", "h264", raw)
    triplets = bytes.fromhex("fc9420 fcc1c2")
    payload = b"\xb5\0\x31GA94\x03" + bytes([0xc0 | len(triplets) // 3, 0xff]) + triplets + b"\xff"
    sei = b"\0\0\0\1\6\4" + bytes([len(payload)]) + payload + b"\x80"
    units = raw.read_bytes().split(b"\0\0\1")
    with open(raw, "wb") as file:
        for unit in units[1:]:
            file.write((sei if unit[0] & 31 in (1, 5) else b"") + b"\0\0\0\1" + unit.rstrip(b"\0"))
    ffmpeg("-f", "h264", "-r", 24, "-i", raw, "-c", "copy", tmp_path / "in.mp4")
    def captions(path):
        found = ffprobe(path, "-show_frames", "-select_streams", "v:0")["frames"]
        return sum("ATSC A53 Part 4 Closed Captions" in str(one.get("side_data_list")) for one in found)
    assert captions(tmp_path / "in.mp4") == 24
    done = run("video", tmp_path, input="in.mp4", output="out.mp4", **FAST)
    assert done.code == 0 and done.result["warnings"] == [] and captions(tmp_path / "out.mp4") == 24
    done = run("video", tmp_path, input="in.mp4", output="out.mkv", codec="vp9", **FAST)
    assert done.code == 0 and captions(tmp_path / "out.mkv") == 0
    assert len(done.result["warnings"]) == 1 and "closed captions" in done.result["warnings"][0]
    for rate in (60, 40):
        done = run("interpolate", tmp_path, input="in.mp4", output="out.mp4", fps=rate, preset="ultrafast")
        assert done.code == 0 and done.result["frames_out"] == rate
        assert captions(tmp_path / "out.mp4") == 24  # each once, not with each frame that is made of it
    # The first frame lies between two of the output's, as where sound begins first.
    ffmpeg("-f", "lavfi", "-i", "sine=r=48000", "-itsoffset", 0.013, "-i", tmp_path / "in.mp4", "-map", "1:v", "-map", "0:a", "-t", 1.013,
           "-c:v", "copy", "-c:a", "aac", tmp_path / "in.mkv")
    done = run("interpolate", tmp_path, input="in.mkv", output="out.mp4", fps=60, preset="ultrafast")
    assert done.code == 0 and captions(tmp_path / "out.mp4") == 24


def test_another_programme_is_not_meant(tmp_path, film):
    """A transport stream has two, each with sound."""
    ffmpeg("-i", film, "-i", CLIP, "-map", "0:v", "-map", "0:a:0", "-map", "1:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac",
           "-c:v:1", "libx264", "-preset", "ultrafast", "-filter:v:1", "scale=80:46", "-program", "title=one:st=0:st=1",
           "-program", "title=two:st=2:st=3", tmp_path / "in.ts")
    done = run("video", tmp_path, input="in.ts", output="out.mp4", **FAST)
    assert done.code == 0, done.error
    assert [one["codec_type"] for one in streams(tmp_path / "out.mp4")] == ["video", "audio"]
    reasons = {one["type"]: one["reason"] for one in done.result["media"]["output"]["left_out"]}
    assert set(reasons) == {"audio", "video"} and "programme" in reasons["audio"]


@pytest.mark.parametrize("way", [["mp4", "mkv", "mp4", "mov"], ["mkv", "mp4", "webm"]])
def test_a_cover_stays(tmp_path, film, way):
    """Of MP4 a still beside the film, of Matroska a file attached; the same bytes, and no picture of the film."""
    still = SAMPLES / "coffee.png"
    if way[0] == "mp4":
        ffmpeg("-t", 1, "-i", film, "-i", still, "-map", "0:v", "-map", "0:a", "-map", 1, "-map_chapters", 0, "-c:v:0", "copy", "-c:a",
               "aac", "-c:v:1", "copy", "-disposition:v:1", "attached_pic", tmp_path / "0.mp4")
    else:
        ffmpeg("-t", 1, "-i", film, "-map", "0:v", "-map", "0:a", "-c", "copy", "-attach", still, "-metadata:s:t", "mimetype=image/png",
               "-metadata:s:t", "filename=front.png", tmp_path / "0.mkv")
    for number, (before, after) in enumerate(zip(way, way[1:])):
        codec = "vp9" if after == "webm" else "h264"
        done = run("video", tmp_path, input=f"{number}.{before}", output=f"{number + 1}.{after}", codec=codec, **FAST)
        assert done.code == 0, done.error
        told = [one for one in done.result["media"]["output"]["streams"] if one.get("cover")]
        if after in ("webm", "mov"):
            assert not told and "takes no such cover" in done.result["warnings"][0]
            continue
        assert done.result["warnings"] == [] and frames(tmp_path / f"{number + 1}.{after}") == done.result["frames_in"]
        assert [one["how"] for one in told] == ["attach" if after == "mkv" else "copy"]
        ffmpeg("-i", tmp_path / f"{number + 1}.{after}", "-map", f"0:{told[0]['index']}", "-c", "copy", "-f", "image2",
               "-update", 1, tmp_path / "still.png")
        assert (tmp_path / "still.png").read_bytes() == still.read_bytes()


def test_show_has_the_warnings(daemon, film, tmp_path):
    job = daemon.call("io.batchd.Jobs.Submit", type="video", cwd=str(tmp_path),
                      params={"input": str(film), "output": "out.mp4", **FAST})["id"]
    assert daemon.wait(job)[0]["state"] == "completed"
    assert "warning: stream 5 (attachment ttf, und) is left out" in daemon.ctl("show", str(job)).stdout
