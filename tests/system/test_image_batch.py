"""The image processor on several files: names, what fails beside what does not, and going on after a
kill. Pillow judges the outputs."""
import contextlib
import hashlib
import json
import os
import pathlib
import random
import signal
import subprocess
import time

import pytest
from PIL import Image, ImageChops, ImageOps, ImageStat
from processor import SHARED, Run, names
from rights import as_others

SUFFIXES = {"jpeg": ".jpg", "png": ".png", "webp": ".webp", "tiff": ".tif"}
PICTURES = (".jpg", ".png", ".tif", ".gif", ".avif")


def picture(path, colour="red", size=(60, 40)):
    path.parent.mkdir(exist_ok=True)
    gradient = Image.linear_gradient("L").resize(size)
    Image.merge("RGB", (gradient, gradient.rotate(180), Image.new("L", size, len(colour) * 20))).save(path)
    return path


def noise(path, size=(700, 500)):
    Image.effect_noise(size, 80).convert("RGB").save(path)
    return path


def run(folder, inputs, output="out", env=None, **more):
    given = inputs if isinstance(inputs, str) else [str(path) for path in inputs]
    options = {name: more.pop(name) for name in ("fsize", "attempt", "job") if name in more}
    return Run("image", {"input": given, "output": output, **more}, folder, env=env, **options)


def done(folder, inputs, output="out", **more):
    one = run(folder, inputs, output, **more).end()
    assert one.code == 0, one.error
    assert one.result["partial"] is False and "error" not in one.result
    return one.result


def logs(one):
    return [line["text"] for line in one.lines if line["type"] == "log"]


def stamps(folder):
    """When and as which file each name came to be."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def sha256(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "work"
    path.mkdir()
    return path


@pytest.fixture
def kept(tmp_path):
    """The variable by which batchd says where a job's checkpoints lie."""
    return {"BATCHD_CHECKPOINT_DIR": str(tmp_path / "kept" / "checkpoint")}


@pytest.mark.long
@pytest.mark.parametrize("kind", SUFFIXES)
def test_a_list_of_real_photos(folder, kind):
    photos = sorted(path for path in (SHARED / "photo").glob("*") if path.stat().st_size < 1_000_000)
    if not photos:
        pytest.skip(f"{SHARED} is not here")
    result = done(folder, photos, format=kind, width=48)
    assert names(folder) == ["out"], "the journal is left"
    assert names(folder / "out") == sorted({path.stem + SUFFIXES[kind] if path.suffix != SUFFIXES[kind]
                                            else path.name for path in photos})
    assert [one["input"] for one in result["files"]] == [str(path) for path in photos]
    assert result["counts"] == {"files": len(photos), "done": len(photos), "failed": 0, "not_tried": 0}
    assert result["checkpoints"] == {"reused": 0, "made": len(photos)}
    for source, one, was, made in zip(photos, result["files"], result["inputs"], result["outputs"]):
        assert one["ok"] is True and one["reused"] is False and one["format"] == kind
        assert was == {"path": str(source), "bytes": source.stat().st_size, "sha256": sha256(source)}
        assert made["path"] == one["output"] and made["sha256"] == sha256(one["output"])
        upright = ImageOps.exif_transpose(Image.open(source))
        with Image.open(one["output"]) as out:
            assert out.size == (one["width"], one["height"]) == (48, round(48 * upright.height / upright.width))


def test_a_scale_is_of_each_picture(folder, tmp_path):
    one, two = picture(tmp_path / "a.png"), picture(tmp_path / "b.png", size=(31, 200))
    done(folder, [one, two], scale=0.5)
    assert Image.open(folder / "out/a.png").size == (30, 20)
    assert Image.open(folder / "out/b.png").size == (16, 100)
    half = Image.open(one).resize((30, 20), Image.LANCZOS)
    assert max(ImageStat.Stat(ImageChops.difference(half, Image.open(folder / "out/a.png"))).mean) < 3
    both = run(folder, [one], width=9, scale=2).end()
    assert both.code == 64 and "scale is 2, and width is given too" in both.error


def test_a_pattern(tmp_path):
    folder = tmp_path / "a[1]*b"  # which is a name and no pattern
    folder.mkdir()
    for name in ("b.png", "a.png", ".hidden.png", "c.txt"):
        picture(tmp_path / "x.png").rename(folder / name)
    (folder / "folder.png").mkdir()
    result = done(folder, "*.png", format="jpeg")
    assert [pathlib.Path(one["input"]).name for one in result["files"]] == ["a.png", "b.png"]
    assert names(folder / "out") == ["a.jpg", "b.jpg"]
    done(folder, f"{str(folder).replace('[', '[[]').replace('*', '?')}/[ab].png", "absolute")
    assert names(folder / "absolute") == ["a.png", "b.png"]
    nothing = run(folder, "*.tiff").end()
    assert nothing.code == 66 and 'input "*.tiff" matches no file' in nothing.error


def test_names_stay(folder, tmp_path):
    inputs = [picture(tmp_path / "in.png").rename(tmp_path / name)
              for name in ("a.JPEG", "b.v2", ".jpg", "c.png", "d.avif", "e.jpg.png")
              if picture(tmp_path / "in.png")]
    done(folder, inputs, format="jpeg")
    assert names(folder / "out") == [".jpg", "a.JPEG", "b.v2.jpg", "c.jpg", "d.jpg", "e.jpg.jpg"]


def test_formats_stay(folder, tmp_path):
    inputs = [picture(tmp_path / f"{kind}{suffix}") for kind, suffix in SUFFIXES.items()]
    done(folder, inputs, "out/", quality=40)
    for kind, suffix in SUFFIXES.items():
        assert Image.open(folder / "out" / f"{kind}{suffix}").format == kind.upper()


@pytest.mark.parametrize("inputs,more,words", [
    (["a/x.png", "b/x.jpg"], {"format": "webp"}, ["/a/x.png", "/b/x.jpg", "would both become", "out/x.webp"]),
    (["a/x.png", "a/x.png"], {}, ["would both become"]),
    (["a/x.png", "c.gif"], {}, ["c.gif", "its suffix must be one of"]),
    (["a/x.png"], {"output": "out.jpg"}, ["out.jpg", "must be a folder", "must not end as a picture"]),
    (["a/x.png"], {"quality": 3}, ["quality is 3", "png is lossless"]),
    (["a/x.png", "out/x.png"], {"output": "out"}, ["would both become"]),
    (["a/x.png", "other.png"], {"output": "linked"}, ["linked/x.png", "which is the input"])])
def test_names_are_checked_before_any_work(folder, inputs, more, words):
    for path in inputs:
        if not path.endswith(".gif"):
            picture(folder / path)
    (folder / "linked").mkdir()
    if "other.png" in inputs:
        (folder / "linked/x.png").symlink_to("../other.png")
    before = [str(path) for path in sorted(folder.rglob("*"))]
    one = run(folder, inputs, **more).end()
    assert one.code == 64, one.error
    for word in words:
        assert word in one.error
    assert [str(path) for path in sorted(folder.rglob("*"))] == before


def test_one_that_fails_does_not_stop_the_others(folder, tmp_path, kept):
    good = [picture(tmp_path / f"{n}.png") for n in range(3)]
    cut = tmp_path / "cut.png"
    cut.write_bytes(good[0].read_bytes()[:-400])
    inputs = [good[0], cut, tmp_path / "none.png", good[1], good[2]]
    one = run(folder, inputs, env=kept).end()
    assert one.code == 65 and one.error.startswith("image: 2 of 5 pictures failed, 3 are done; the first: input ")
    assert "cut.png" in one.error and one.error.count("\n") == 0
    result = one.result
    assert result["partial"] is True
    assert result["counts"] == {"files": 5, "done": 3, "failed": 2, "not_tried": 0}
    assert (result["frames_in"], result["frames_out"]) == (5, 3)
    assert [file["ok"] for file in result["files"]] == [True, False, False, True, True]
    assert "cut.png" in result["files"][1]["error"]["message"] and result["files"][1]["error"]["exit_code"] == 65
    assert "No such file" in result["files"][2]["error"]["message"] and result["files"][2]["error"]["exit_code"] == 66
    assert result["error"]["exit_code"] == 65 and result["error"]["message"] in one.error
    assert names(folder / "out") == ["0.png", "1.png", "2.png"] and names(folder) == ["out"]
    # Mended, the next run of the job makes only what failed.
    before = stamps(folder / "out")
    picture(cut), picture(tmp_path / "none.png")
    after = done(folder, inputs, env=kept, attempt=2)
    assert after["checkpoints"] == {"reused": 3, "made": 2}
    assert [file["reused"] for file in after["files"]] == [True, False, False, True, True]
    assert {name: stamp for name, stamp in stamps(folder / "out").items() if name in before} == before


def test_when_all_fail_nothing_is_partial(folder, tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    one = run(folder, [tmp_path / "a.png", tmp_path / "b.png"]).end()
    assert one.code == 65 and "2 of 2 pictures failed, 0 are done" in one.error
    assert one.result["partial"] is False and names(folder / "out") == []


def test_broken_pictures(folder, tmp_path):
    broken = sorted(path for path in (SHARED / "broken").glob("*") if path.suffix in PICTURES)
    if not broken:
        pytest.skip(f"{SHARED} is not here")
    good = picture(tmp_path / "good.png")
    one = run(folder, [*broken, good], format="png", clahe=True, denoise=True).end()
    assert one.code == 65 and one.result["counts"]["done"] == 1
    assert one.rss_kb < 250_000  # a sanitized build has its shadow on top of the 40 MB
    for path, file in zip(broken, one.result["files"]):
        assert file["ok"] is False and file["error"]["exit_code"] == 65
        assert path.name in file["error"]["message"]
    assert names(folder / "out") == ["good.png"]


def kill_after(one, units):
    """When so many pictures are noted as done."""
    seen = 0
    while seen < units:
        seen += json.loads(one.news.readline())["type"] == "checkpoint"
    one.process.kill()
    one.end()
    assert one.code == -signal.SIGKILL


@pytest.mark.long
@pytest.mark.parametrize("by_hand", [False, True])
def test_it_goes_on_after_a_kill(folder, tmp_path, kept, by_hand):
    inputs = [noise(tmp_path / f"{n}.png") for n in range(8)]
    env = {} if by_hand else kept
    whole = done(folder, inputs, "whole", env=dict(kept, BATCHD_CHECKPOINT_DIR=str(tmp_path / "other")), sharpen=True)
    kill_after(run(folder, inputs, env=env, sharpen=True), 2)
    kill_after(run(folder, inputs, env=env, sharpen=True, attempt=2), 3)
    made = {name: stamp for name, stamp in stamps(folder / "out").items() if not name.startswith(".")}
    assert 5 <= len(made) < 8
    assert (".out.batchd-1.work" in names(folder)) == by_hand
    result = done(folder, inputs, env=env, sharpen=True, attempt=3)
    # One may have been renamed and not yet noted: that one is made again.
    assert len(made) - 1 <= result["checkpoints"]["reused"] <= len(made)
    assert result["checkpoints"]["reused"] + result["checkpoints"]["made"] == 8
    again = [name for name, stamp in made.items() if stamps(folder / "out")[name] != stamp]
    assert len(again) == len(made) - result["checkpoints"]["reused"]
    assert contents(folder / "out") == contents(folder / "whole")
    assert [one["sha256"] for one in result["outputs"]] == [one["sha256"] for one in whole["outputs"]]
    assert names(folder) == ["out", "whole"]


def test_a_folder_in_one_that_is_closed_is_enough(folder, tmp_path):
    """What is made on the way lies in it then, by hand too; and is found again after a kill."""
    inputs = [noise(tmp_path / f"{n}.png") for n in range(8)]
    out = folder / "out"
    out.mkdir()
    folder.chmod(0o555)
    try:
        kill_after(as_others(lambda: run(folder, inputs, sharpen=True)), 2)
        assert {".batchd-1.work", ".batchd-1-1.part"} <= set(names(out))
        one = as_others(lambda: run(folder, inputs, sharpen=True, attempt=2).end())
    finally:
        folder.chmod(0o755)
    assert one.code == 0, one.error
    assert one.result["checkpoints"]["reused"] >= 1 and names(out) == [f"{n}.png" for n in range(8)]
    assert names(folder) == ["out"]


def made_at(path):
    try:
        return path.stat().st_ctime_ns
    except FileNotFoundError:
        return 0


def stop_in(one, part, number, since=0):
    """While it makes the picture whose staging file has this name, and was made after `since`."""
    until = time.monotonic() + 60
    while made_at(part) <= since:
        assert one.process.poll() is None and time.monotonic() < until
        time.sleep(0.001)
    one.process.send_signal(number)
    one.end()


def test_a_picture_that_may_have_ended_the_process_is_made_last(folder, tmp_path, kept):
    inputs = [noise(tmp_path / "a.png", (2000, 1500)), *(picture(tmp_path / f"{n}.png") for n in range(3))]

    def part(attempt):
        return folder / f".out.batchd-1-{attempt}.part/a.png"

    for attempt in (1, 2):  # which it could answer
        one = run(folder, inputs, env=kept, attempt=attempt)
        stop_in(one, part(attempt), signal.SIGTERM)
        assert one.code == 75 and names(folder) == ["out"] and names(folder / "out") == []
    stop_in(run(folder, inputs, env=kept, attempt=3), part(3), signal.SIGKILL)
    assert names(folder) == [part(3).parent.name, "out"] and names(folder / "out") == []
    since = made_at(part(3))
    stop_in(run(folder, inputs, env=kept, attempt=4), part(4), signal.SIGKILL, since)
    assert names(folder) == [part(4).parent.name, "out"] and names(folder / "out") == ["0.png", "1.png", "2.png"]
    one = run(folder, inputs, env=kept, attempt=5).end()
    assert one.code == 0 and one.result["checkpoints"] == {"reused": 3, "made": 1}
    assert [pathlib.Path(file["input"]).name for file in one.result["files"]] == ["a.png", "0.png", "1.png", "2.png"]
    assert any("an attempt was ended while it made it; it is made last" in text for text in logs(one))
    assert names(folder) == ["out"] and names(folder / "out") == ["0.png", "1.png", "2.png", "a.png"]


@pytest.mark.long
def test_killed_at_any_moment(folder, tmp_path, kept):
    inputs = [noise(tmp_path / f"{n}.png", (300 + n, 200)) for n in range(12)]
    done(folder, inputs, "whole", env=dict(kept, BATCHD_CHECKPOINT_DIR=str(tmp_path / "other")), clahe=True)
    whole = contents(folder / "whole")
    chance = random.Random(7)
    for attempt in range(1, 9):
        one = run(folder, inputs, env=kept, attempt=attempt, clahe=True)
        assert one.news.readline(), "it has begun"
        with contextlib.suppress(subprocess.TimeoutExpired):
            one.process.wait(chance.uniform(0, 0.2))
        one.process.kill()
        one.end()
        finished = contents(folder / "out") if (folder / "out").exists() else {}
        assert all(data == whole[name] for name, data in finished.items() if name in whole)
    result = done(folder, inputs, env=kept, attempt=9, clahe=True)
    assert result["checkpoints"]["reused"] + result["checkpoints"]["made"] == 12
    assert contents(folder / "out") == whole


@pytest.mark.long
def test_only_what_is_still_the_same_is_taken_over(folder, tmp_path, kept):
    inputs = [noise(tmp_path / f"{n}.png") for n in range(6)]
    kill_after(run(folder, inputs, env=kept), 4)
    noise(inputs[0])
    with open(folder / "out/1.png", "r+b") as file:
        file.seek(-20, os.SEEK_END)
        file.write(b"x")
    (folder / "out/2.png").unlink()
    one = run(folder, inputs, env=kept, attempt=2).end()
    assert one.code == 0 and [file["reused"] for file in one.result["files"]][:3] == [False] * 3
    assert one.result["files"][3]["reused"] is True
    said = [text for text in logs(one) if "it is made anew" in text]
    assert [text.split(" ")[0] for text in said] == ["input", "output", "output"]
    for n, source in enumerate(inputs):
        assert ImageChops.difference(Image.open(source), Image.open(folder / f"out/{n}.png")).getbbox() is None


def test_other_settings_begin_anew(folder, tmp_path, kept):
    inputs = [noise(tmp_path / f"{n}.png") for n in range(4)]
    kill_after(run(folder, inputs, env=kept), 2)
    one = run(folder, inputs, env=kept, attempt=2, width=50).end()
    assert one.code == 0 and one.result["checkpoints"] == {"reused": 0, "made": 4}
    assert "it begins anew: params is not what it was in the run before" in logs(one)


def test_a_pattern_is_read_once(folder, tmp_path, kept):
    for n in range(4):
        noise(tmp_path / f"{n}.png")
    kill_after(run(folder, f"{tmp_path}/*.png", env=kept), 2)
    noise(tmp_path / "00.png")
    one = run(folder, f"{tmp_path}/*.png", env=kept, attempt=2).end()
    assert one.code == 0 and names(folder / "out") == [f"{n}.png" for n in range(4)]
    assert one.result["checkpoints"]["reused"] >= 2
    assert "the pictures are the 4 that the first attempt found" in logs(one)


def test_a_full_disk_stops_it_and_the_next_attempt_goes_on(folder, tmp_path, kept):
    inputs = [picture(tmp_path / "0.png"), *(noise(tmp_path / f"{n}.png") for n in range(1, 6))]
    one = run(folder, inputs, env=kept, fsize=20_000).end()
    assert one.code == 74 and "2 of 6 pictures failed, 1 are done, 3 were not tried" in one.error
    assert one.result["counts"] == {"files": 6, "done": 1, "failed": 2, "not_tried": 3}
    assert one.result["partial"] is True and names(folder / "out") == ["0.png"]
    assert done(folder, inputs, env=kept, attempt=2)["checkpoints"] == {"reused": 1, "made": 5}


def test_one_output_that_cannot_be_does_not_stop_the_others(folder, tmp_path):
    inputs = [picture(tmp_path / f"{n}.png") for n in range(4)]
    (folder / "out/1.png").mkdir(parents=True)
    one = run(folder, inputs).end()
    assert one.code == 65 and one.result["counts"]["done"] == 3
    assert "not a regular file" in one.result["files"][1]["error"]["message"]


@pytest.mark.parametrize("output,words", [("no/out", "cannot be made a folder: No such file"),
                                          ("file", "cannot be made a folder: Not a directory")])
def test_a_folder_that_cannot_be_made(folder, tmp_path, output, words):
    (folder / "file").write_text("x")
    one = run(folder, [picture(tmp_path / "a.png")], output).end()
    assert one.code == 73 and words in one.error and names(folder) == ["file"]


@pytest.mark.long
def test_two_runs_at_once(folder, tmp_path, kept):
    inputs = [noise(tmp_path / f"{n}.png", (1200, 900)) for n in range(4)]
    first = run(folder, inputs, env=kept)
    while json.loads(first.news.readline())["type"] != "checkpoint":
        pass
    second = run(folder, inputs, env=kept, attempt=2).end()
    assert second.code == 75 and "another run is at work in" in second.error
    assert first.end().code == 0


@pytest.mark.long
def test_the_result_of_many_is_not_too_long(folder, tmp_path):
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    inputs = [tmp_path / f"{n:03}.png" for n in range(300)]
    for path in inputs[:-1]:
        path.symlink_to("a.png")
    one = run(folder, inputs).end()
    assert one.code == 65 and one.result["counts"]["done"] == 299 and len(names(folder / "out")) == 299
    assert 50_000 < len(json.dumps(one.result, separators=(",", ":"))) < 64_000
    assert one.result["files"][-1]["ok"] is False, "what failed is said before all else"
    assert one.result["files_left_out"] == 300 - len(one.result["files"]) > 0


def processors(daemon):
    """Those that run now for this daemon's jobs."""
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if os.readlink(entry / "exe").endswith("/processors/image/image") \
                    and str(daemon.state).encode() in (entry / "environ").read_bytes():
                yield int(entry.name)


@pytest.mark.long
def test_through_the_daemon(daemon, folder, tmp_path):
    inputs = [noise(tmp_path / f"{n}.png", (900, 600)) for n in range(8)]
    (tmp_path / "9.png").write_bytes(inputs[0].read_bytes()[:2000])
    submitted = daemon.call("io.batchd.Jobs.Submit", type="image", cwd=str(folder),
                            params={"input": f"{tmp_path}/?.png", "output": "out", "clahe": True},
                            retry={"on": ["signal"], "base_ms": 1, "jitter": "none", "max_attempts": 2})
    ident = submitted["id"]
    client = daemon.client()
    while not (folder / "out").exists() or sum(not n.startswith(".") for n in names(folder / "out")) < 3:
        client.call("io.batchd.Jobs.Wait", ids=[ident], timeout_ms=20)
    client.close()
    [pid] = processors(daemon)
    os.kill(pid, signal.SIGKILL)
    [job] = daemon.wait(ident, seconds=90)
    assert (job["state"], job["attempt"]) == ("failed", 2)
    result = daemon.job(ident)["result"]
    assert result["partial"] is True and result["counts"] == {"files": 9, "done": 8, "failed": 1, "not_tried": 0}
    assert 2 <= result["checkpoints"]["reused"] < 8
    assert names(folder) == ["out"] and names(folder / "out") == [path.name for path in inputs]
