"""Cues of subtitles that are odd cost themselves, not the job: each that does not come over is counted. The inputs are
made by ffmpeg, which copies what it could not convert."""
import pytest
from processor import run
from test_streams import CLIP, FAST, cues, ffmpeg, near, srt

FIRST, LAST = (500, 1500, "first"), (6000, 7000, "last")
LONG = "\n".join(["y" * 99] * 700)  # 70,000 bytes
DAYS_MS = 25 * 24 * 3600 * 1000  # 31 bits of milliseconds are 24.8 of them


def film(folder, *shown):
    ffmpeg("-i", CLIP, "-i", srt(folder / "a.srt", shown), "-map", "0:v", "-map", "1", "-vf", "scale=64:36",
           "-preset", "ultrafast", "-c:s", "copy", folder / "in.mkv")


def convert(folder, name, **more):
    codec = "vp9" if name.endswith("webm") else "h264"
    done = run("video", folder, input="in.mkv", output=name, codec=codec, **FAST, **more)
    assert done.code == 0, done.error
    return done.result["warnings"]


@pytest.mark.parametrize("odd,name,form", [
    ((2000, 3000, LONG), "out.mp4", "mov_text"), ((2000, 3000, LONG * 20), "out.webm", "webvtt"),
    ((DAYS_MS, DAYS_MS + 1000, "far"), "out.mp4", "mov_text")])
def test_a_cue_that_cannot_be_converted(tmp_path, odd, name, form):
    """MP4 takes 65,535 bytes of one, and 31 bits for the time from one to the next."""
    film(tmp_path, *sorted([FIRST, odd, LAST]))
    assert convert(tmp_path, name) == [f"cues of stream 1 left out, too large or too far off for {form}: 1"]
    assert near(cues(tmp_path / name), [FIRST, LAST])


def test_what_fits_comes_over(tmp_path):
    film(tmp_path, FIRST, (2000, 3000, LONG), LAST)
    assert convert(tmp_path, "out.webm") == []
    assert [len(text) for _, _, text in cues(tmp_path / "out.webm")] == [5, len(LONG), 4]


def test_one_that_is_too_long_among_others(tmp_path):
    """Those that are shown with it stay."""
    film(tmp_path, (1000, 4000, "beside"), (2000, 3000, LONG), LAST)
    assert convert(tmp_path, "out.mp4") == ["cues of stream 1 left out, too large or too far off for mov_text: 1"]
    assert near(cues(tmp_path / "out.mp4"), [
        (1000, 2000, "beside"), (2000, 3000, "beside"), (3000, 4000, "beside"), LAST])


def test_more_at_a_time_than_are_shown(tmp_path):
    film(tmp_path, *[(1000 + number, 4000, f"c{number}") for number in range(20)], LAST)
    assert convert(tmp_path, "out.mp4") == ["cues of stream 1 that end early, since 16 at a time are shown: 4"]
    assert cues(tmp_path / "out.mp4")[-2][2].split("\n") == [f"c{number}" for number in range(4, 20)]


def test_many_cues_take_no_more_memory_than_they_have_bytes(tmp_path, monkeypatch):
    """2,000 of a few bytes at one time wait for the next picture; the job has 584 MiB of private memory at most."""
    monkeypatch.setenv("BATCHD_MEMORY_BYTES", str(200 << 20))
    film(tmp_path, *[(500, 900, f"c{number}") for number in range(2000)])
    assert convert(tmp_path, "out.webm") == []
    assert len(cues(tmp_path / "out.webm")) == 2000
