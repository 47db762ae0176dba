"""Files that nobody wants to meet, made with what is to become of them: what is no file, odd sizes, one frame, no
rate, headers that claim too much."""
import os
import pathlib
import struct
import subprocess
import zlib

from every_file import Known, broken, photo, video
from processor import SAMPLES

BEAR, COFFEE = SAMPLES / "bear_vp9_161x121.webm", SAMPLES / "coffee.png"
NOT_REGULAR = broken("regular file", "regular file", code=64)
ABSENT = broken("No such file", "No such file", code=66)
NO_TIMES, NO_SIZE = "frames without a time", "no picture size"
# By one run of ffmpeg: name, filters, frames, encoder, more words.
MADE = [
    ("1x1.mkv", "scale=1:1", 10, "ffv1"), ("1x300.mkv", "scale=1:300", 10, "ffv1"), ("3x5.mkv", "scale=3:5", 10, "ffv1"),
    ("2x2.mp4", "scale=2:2", 10, "libx264"), ("17x33.webm", "scale=17:33", 10, "libvpx-vp9", "-deadline", "realtime"),
    ("one-frame.mp4", "scale=96:64", 1, "libx264"), ("one-frame.mkv", "scale=96:64", 1, "libx264"),
    ("one-frame.ts", "scale=96:64", 1, "libx264"), ("plain.mp4", "scale=96:64", 10, "libx264"),
    ("plain.avi", "scale=96:64", 10, "mpeg4"), ("plain.y4m", "scale=96:64,format=yuv420p", 10, "wrapped_avframe"),
    ("plain.ivf", "scale=96:64", 10, "libvpx-vp9", "-deadline", "realtime"), ("raw.h264", "scale=96:64", 10, "libx264"),
    ("animated.gif", "scale=96:64", 4, "gif"), ("one-frame.gif", "scale=96:64", 1, "gif")]
SIZES = {"1x1.mkv": (1, 1), "1x300.mkv": (1, 300), "3x5.mkv": (3, 5), "2x2.mp4": (2, 2), "17x33.webm": (17, 33)}


def make_videos(folder):
    words = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=s=320x240:r=25:d=1", "-f", "lavfi", "-i",
             "sine=d=0.4", "-i", SAMPLES / "pngsuite_tbgn2c16.png"]
    for name, filters, frames, encoder, *more in MADE:
        words += ["-map", "0", "-vf", filters, "-frames:v", frames, "-c:v", encoder, *more, folder / name]
    for name in ("sound.m4a", "sound.mka", "sound.wav"):
        words += ["-map", "1", folder / name]
    words += ["-map", "1", "-map", "2", "-c:v", "png", "-disposition:v", "attached_pic", folder / "cover.m4a"]
    subprocess.run([str(word) for word in words], check=True)
    sound = broken("no video stream")
    return {**{name: video(frames, *SIZES.get(name, (96, 64))) for name, _, frames, *_ in MADE},
            "raw.h264": video(10, 96, 64, thumbnail=NO_TIMES, interpolate=NO_TIMES),
            "animated.gif": Known(frames=4, size=(96, 64), picture=(96, 64)),
            "one-frame.gif": Known(frames=1, size=(96, 64), picture=(96, 64)),
            "sound.m4a": sound, "sound.mka": sound, "cover.m4a": sound, "sound.wav": broken("is no video")}


def make_no_files(folder):
    """Not regular, not there, or with names that hurt."""
    (folder / "folder.mp4").mkdir()
    os.mkfifo(folder / "fifo.mp4")
    for name, to in {"zeros.mp4": "/dev/zero", "null.mp4": "/dev/null", "dangling.mp4": "nowhere", "ring.mp4": "ring.mp4",
                     "link.webm": BEAR, "link.png": COFFEE}.items():
        (folder / name).symlink_to(to)
    hard = "two\nlines, \x1b[31m ü 映画 %s 'x'"
    (folder / f"{hard}.webm").write_bytes(BEAR.read_bytes())
    (folder / f"{hard}.png").write_bytes(COFFEE.read_bytes())
    (folder / "text.mp4").write_text("this is no video\n" * 100)
    (folder / "nothing.png").touch()
    (folder / f"{hard}.txt").write_text("this is no video\n" * 100)
    bear, coffee = video(30, 161, 121), photo(600, 400)
    return {"folder.mp4": NOT_REGULAR, "fifo.mp4": NOT_REGULAR, "zeros.mp4": NOT_REGULAR, "null.mp4": NOT_REGULAR,
            "dangling.mp4": ABSENT, "absent.mp4": ABSENT, "text.mp4/x.mp4": broken("Not a directory", "Not a directory", code=66),
            "ring.mp4": broken("symbolic links", "symbolic links", code=66), "link.webm": bear, "link.png": coffee,
            f"{hard}.webm": bear, f"{hard}.png": coffee, "text.mp4": broken("moov atom not found"),
            f"{hard}.txt": broken("is no video"), "nothing.png": broken("is empty", "is empty")}


def patched(data, place, offset, form, *values):
    """With the values `offset` bytes behind the name of a box or chunk."""
    at = data.index(place) + len(place) + offset
    new = struct.pack(form, *values)
    return data[:at] + new + data[at + len(new):]


def make_liars(folder):
    """Of headers that claim what cannot be."""
    mp4, avi, y4m, ivf = ((folder / f"plain.{ending}").read_bytes() for ending in ("mp4", "avi", "y4m", "ivf"))
    sound = (SAMPLES / "sample_rotate_reflect.mp4").read_bytes()
    jpeg, gif = (SAMPLES / "rocket.jpg").read_bytes(), (folder / "one-frame.gif").read_bytes()
    made = {
        # Harmless: the bitstream or the packets tell better.
        "size.mp4": (patched(mp4, b"avc1", 24, ">HH", 65535, 65535), video(10, 96, 64)),
        "times.mp4": (patched(mp4, b"stts", 8, ">II", 0x7fffffff, 512), video(10, 96, 64)),
        "no-rate.y4m": (y4m.replace(b"F25:1", b"F0:0"), video(10, 96, 64)),
        "no-rate.avi": (patched(avi, b"strh", 24, "<II", 0, 0), video(10, 96, 64)),
        "count.mp4": (patched(mp4, b"stsz", 8, ">I", 0x7fffffff), broken("is no video that can be read")),
        "packet.mp4": (patched(mp4, b"stsz", 12 + 9 * 4, ">I", 0x3d000000), broken("lies behind its end")),
        "places.mp4": (patched(mp4, b"stco", 8, ">I", 0xfffffff0), broken("lies behind its end")),
        "box.mp4": (patched(mp4, b"mdat", -8, ">I4sQ", 1, b"mdat", 1 << 62), broken("moov atom not found")),
        "index.mp4": (sound[::-1].replace(b"zsts", b"????", 1)[::-1], broken("index is broken")),  # of its sound
        "time-scale.mp4": (patched(mp4, b"mdhd", 12, ">I", 0),
                           broken("no frame that decodes", thumbnail=NO_TIMES, interpolate=NO_TIMES)),
        "size.y4m": (y4m.replace(b"W96 H64", b"W99999 H99999"), broken("Picture size 99999x99999")),
        "no-rate.ivf": (patched(ivf, b"DKIF", 12, "<II", 0, 0), broken("frame rate")),
        "size.png": (png(100000, 100000), broken("is no video", "at most 268435456", quality=NO_SIZE)),
        "size-2.png": (png(2**31 - 1, 2**31 - 1), broken("is no video", "names a size that cannot be", quality=NO_SIZE)),
        "no-size.png": (png(0, 0), broken("is no video", "names a size that cannot be", quality=NO_SIZE)),
        "short.png": (png(16000, 16000), broken("is no video", "is damaged", quality=NO_SIZE)),
        "size.jpg": (patched(jpeg, b"\xff\xc0", 3, ">HH", 65500, 65500), broken("is no video", "at most 268435456", quality=NO_SIZE)),
        "size.gif": (patched(gif, b"GIF89a", 0, "<HH", 65535, 65535), Known(picture=(96, 64), why={"": NO_SIZE, "quality": NO_SIZE})),
    }
    for name, (data, _) in made.items():
        (folder / name).write_bytes(data)
    return {name: known for name, (_, known) in made.items()}


def png(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100)))
            + chunk(b"IEND", b""))


def make(folder):
    """The name of each, and what it is."""
    folder = pathlib.Path(folder)
    return {**make_videos(folder), **make_no_files(folder), **make_liars(folder)}
