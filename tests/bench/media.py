#!/usr/bin/env python3
"""Speed and memory of the processors, side by side with the command-line tools, each ratio formed within a
round; the median of the rounds counts, minimum and maximum show the noise. `make bench-media` runs it on the
files of ../shared/media.

  transcode    a clip of 30 s to H.264 veryfast CRF 23, AAC: video / ffmpeg -threads 2; and peak memory
  interpolate  its first 10 s from 24 to 48 frames a second by motion: ffmpeg minterpolate / interpolate, with the
               search that gives the same frames (me=ds), and with ffmpeg's default; and peak memory
  images       photos at half size, sharpened, with CLAHE, one job: image / a vips process for each operation,
               and / ImageMagick (which does less: it has no CLAHE); and peak memory
  probes       200 probes of a small file, whose frames are counted by decoding: 200 ffprobe processes that do the same
               / one server (video --serve), and 200 that read the headers alone / the same server"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from daemon import OUT  # noqa: E402
from processor import SAMPLES, SHARED  # noqa: E402

CLIP = SHARED / "video/bbb_480p24_aac51_30s.mp4"
CPUS = 2
PROBES = 200


def measured(words, text=None):
    """Seconds and peak MiB of a process and all that it waited for."""
    begin = time.monotonic()
    child = subprocess.Popen([*map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True)
    child.stdin.write(text or "")
    child.stdin.close()
    said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, said
    return time.monotonic() - begin, usage.ru_maxrss / 1024


def job(name, folder, **params):
    line = json.dumps({"params": params, "cwd": str(folder), "cpus": CPUS, "job": 1})
    return measured([OUT / f"processors/{name}/{name}"], line + "\n")


def ffmpeg(*words):
    return measured(["ffmpeg", "-nostdin", "-v", "error", "-y", *words])


def transcode(folder):
    theirs = ffmpeg("-threads", CPUS, "-i", CLIP, "-c:v", "libx264", "-preset", "veryfast", "-crf", 23, "-threads",
                    CPUS, "-c:a", "aac", folder / "theirs.mp4")
    ours = job("video", folder, input=str(CLIP), output="ours.mp4", preset="veryfast", crf=23, audio="encode")
    return {"transcode: video / ffmpeg, time (at most 1.05)": ours[0] / theirs[0],
            "transcode: video / ffmpeg, peak memory (at most 1.2)": ours[1] / theirs[1]}


def interpolate(folder):
    source = folder / "ten.mp4"
    if not source.exists():
        ffmpeg("-t", 10, "-i", CLIP, "-an", "-c", "copy", source)

    def peer(search):
        return ffmpeg("-threads", CPUS, "-i", source, "-vf", f"tpad=stop=2:stop_mode=clone,minterpolate=fps=48{search}",
                      "-preset", "ultrafast", folder / "theirs.mp4")

    same, default = peer(":me=ds"), peer("")
    ours = job("interpolate", folder, input=str(source), output="ours.mp4", factor=2, preset="ultrafast")
    return {"interpolate: ffmpeg, the same frames / interpolate, time (at least 1.8)": same[0] / ours[0],
            "interpolate: ffmpeg's default / interpolate, time": default[0] / ours[0],
            "interpolate: interpolate / ffmpeg, peak memory (at most 1.2)": ours[1] / same[1]}


VIPS = """set -e; o=$1; shift
for f in "$@"; do b=$o/$(basename "$f")
  vips autorot "$f" "$b.0.v"; vips resize "$b.0.v" "$b.1.v" 0.5; vips sharpen "$b.1.v" "$b.2.v"
  vips cast "$b.2.v" "$b.3.v" uchar; vips hist_local "$b.3.v" "$b.png" 32 32 --max-slope 3
  rm -f "$b".?.v; done"""
MAGICK = """set -e; o=$1; shift
for f in "$@"; do convert "$f" -auto-orient -resize 50% -unsharp 0x1 -normalize "$o/$(basename "$f").im.png"; done"""


def images(folder):
    photos = [str(photo) for photo in sorted((SHARED / "photo").iterdir())
              if "cmyk" not in photo.name and "16" not in photo.name.split("_")[-1]][:6]
    out = folder / "photos"
    shutil.rmtree(out, ignore_errors=True)
    vips = measured(["bash", "-c", VIPS, "-", folder, *photos])
    magick = measured(["bash", "-c", MAGICK, "-", folder, *photos])
    ours = job("image", folder, input=photos, output=str(out), format="png", scale=0.5, sharpen=True, clahe=True)
    return {"images: image / vips, a process an operation, time (at most 0.6)": ours[0] / vips[0],
            "images: image / ImageMagick, time (at most 1)": ours[0] / magick[0],
            "images: image / vips, peak memory (at most 1.2)": ours[1] / vips[1]}


def probes(folder):
    sample = SAMPLES / "bear_vp9_161x121.webm"

    def peer(*words):
        begin = time.monotonic()
        for _ in range(PROBES):
            subprocess.run(["ffprobe", "-v", "error", "-threads", "1", *words, "-show_streams", sample], check=True,
                           stdout=subprocess.DEVNULL)
        return time.monotonic() - begin

    same, headers = peer("-count_frames"), peer()
    lines = "".join(json.dumps({"params": {"mode": "probe", "input": str(sample)}, "cwd": str(folder), "job": number,
                                "cpus": 1}) + "\n" for number in range(1, PROBES + 1))
    begin = time.monotonic()
    served = subprocess.run([OUT / "processors/video/video", "--serve"], check=True, input=lines, text=True,
                            capture_output=True).stdout
    ours = time.monotonic() - begin
    results = [line for line in map(json.loads, served.splitlines()) if line["type"] == "result"]
    assert sorted(line["job"] for line in results) == list(range(1, PROBES + 1))
    assert all(line["result"]["frames_in"] == 30 for line in results)
    return {f"probes: {PROBES} ffprobe -count_frames / one server, time (at least 10)": same / ours,
            f"probes: {PROBES} ffprobe, headers alone / one server, time (10 is the aim)": headers / ours}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="transcode,interpolate,images,probes")
    options = parser.parse_args()
    if not CLIP.exists():
        sys.exit(f"{SHARED} is not there")
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.rounds):
            for name in options.only.split(","):
                for what, ratio in globals()[name](pathlib.Path(folder)).items():
                    found.setdefault(what, []).append(ratio)
    print(f"{options.rounds} rounds, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    for what, ratios in found.items():
        print(f"{statistics.median(ratios):7.2f} ({min(ratios):.2f}-{max(ratios):.2f})  {what}")


if __name__ == "__main__":
    main()
