#!/usr/bin/env python3
"""Real videos and photos, cut off and with bytes flipped, through every processor. What ends well has every
frame that the whole file has, as ffmpeg decodes it too, or nothing tells that it is damaged: ffmpeg finds no
fault in it either; and its sound. All else ends as failed (65) with one line that says why, leaves nothing behind, and takes
little memory and time. damaged_media.py --cuts 20 --flips 40"""
import argparse
import collections
import pathlib
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from every_file import OPERATIONS, end  # noqa: E402
from processor import SAMPLES  # noqa: E402

# So much of each file is looked at: some KB at the front, where headers stand, are hit as often as the rest.
HEAD_BYTES = 2048
VIDEOS = ["bear_vp9_161x121.webm", "roadtrip_vp9_10bit.webm", "sample_av1_aac.mp4", "sample_mpeg2_mp2.ts",
          "sample_rotate_reflect.mp4"]
PHOTOS = ["camera_gray.png", "landscape_exif6.jpg", "pngsuite_tbgn2c16.png", "rocket.jpg"]


def cuts(data, count):
    for number in range(count):
        yield f"cut at {len(data) * number // count}", data[:len(data) * number // count]


def flips(data, count, chance):
    for number in range(count):
        at = chance.randrange(min(HEAD_BYTES, len(data)) if number % 2 else len(data))
        other = bytearray(data)
        other[at] ^= chance.randrange(1, 256)
        yield f"byte {at} is {other[at]:#x}", bytes(other)


def judged(path):
    """What ffmpeg makes of it: the checksums of its pictures, and the first fault that it finds."""
    done = subprocess.run(["ffmpeg", "-v", "error", "-err_detect", "crccheck+bitstream+buffer", "-i", path, "-map",
                           "0:v:0", "-fps_mode", "passthrough", "-f", "framemd5", "-"], capture_output=True, text=True,
                          errors="replace", check=False)
    pictures = [line.split(",")[-1].strip() for line in done.stdout.splitlines() if line[:1] != "#"]
    return pictures, (done.stderr or f"exit status {done.returncode}" * (done.returncode != 0)).split("\n")[0]


def has_sound(path):
    done = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "stream=codec_type", path], capture_output=True, text=True,
                          errors="replace", check=False)
    return "codec_type=audio" in done.stdout


class Faults:
    """What went wrong, and how often what came out."""

    def __init__(self):
        self.list, self.ends = [], collections.Counter()

    def note(self, name, change, operation, text):
        self.list.append(f"{name}, {change}, {operation}: {text}")
        print("FAULT", self.list[-1], flush=True)


def check(faults, folder, name, change, path, whole):
    """All operations on one damaged file."""
    for operation, op in OPERATIONS.items():
        if (op.processor == "image") != (name in PHOTOS):
            continue
        one, wrong = end(folder, operation, path)
        faults.ends[operation, one.code] += 1
        if wrong:
            faults.note(name, change, operation, wrong)
        elif one.code == 0 and name in VIDEOS and operation != "thumbnail":
            pictures, found = judged(path)
            if operation == "transcode" and has_sound(path) and not has_sound(folder / "out.mp4"):
                faults.note(name, change, operation, "the sound is left out")
            counted = one.result["frames_in"]
            if found and pictures != whole:
                faults.note(name, change, operation, f"done with {counted} frames, and ffmpeg finds: {found}")
            elif counted != len(pictures):
                faults.note(name, change, operation, f"{counted} frames; ffmpeg has {len(pictures)}")
            elif counted != len(whole):
                faults.ends["nobody can tell that frames are missing", name] += 1
                print(f"{name}, {change}: {counted} of {len(whole)} frames, and nothing tells that")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cuts", type=int, default=20)
    parser.add_argument("--flips", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only")
    args = parser.parse_args()
    faults = Faults()
    for name in VIDEOS + PHOTOS:
        if args.only and args.only != name:
            continue
        data = (SAMPLES / name).read_bytes()
        whole, _ = judged(SAMPLES / name)
        chance = random.Random(f"{args.seed} {name}")
        with tempfile.TemporaryDirectory() as place:
            path = pathlib.Path(place) / name
            for change, other in [*cuts(data, args.cuts), *flips(data, args.flips, chance)]:
                path.write_bytes(other)
                check(faults, pathlib.Path(place) / "out", name, change, path, whole)
    for what, count in sorted(faults.ends.items(), key=str):
        print(*what, count)
    print(f"damaged media: {sum(faults.ends.values())} ends, {len(faults.list)} faults")
    return 1 if faults.list else 0


if __name__ == "__main__":
    sys.exit(main())
