"""What the processors can be asked to do with a file, what is to come of it by what the file is, and what holds
however it ends. Facts of outputs are told by ffprobe and Pillow."""
import dataclasses
import os
import pathlib
import shutil

from PIL import Image
from processor import Run, ffprobe

FAST = {"preset": "ultrafast", "crf": 40}
ALL = {"auto_levels": True, "clahe": True, "sharpen": True, "denoise": True}
WIDTH = 40  # of what is resized
# Of a run that ends as failed; AddressSanitizer's shadow comes on top. Measured: 33 to 60 MB, below 0.3 s.
RSS_KB_MAX = 300_000
CPU_SECONDS_MAX = 20


@dataclasses.dataclass(frozen=True)
class Operation:
    processor: str
    params: dict
    inputs: tuple = ("input",)  # the parameters that name the file

    @property
    def output(self):
        return self.params.get("output")


OPERATIONS = {
    "probe": Operation("video", {"mode": "probe"}),
    "transcode": Operation("video", {"output": "out.mp4", **FAST}),
    "thumbnail": Operation("video", {"mode": "thumbnail", "output": "out.png"}),
    "interpolate": Operation("interpolate", {"output": "out.mp4", "factor": 2, "method": "blend", **FAST}),
    "quality": Operation("quality", {}, ("reference", "distorted")),
    "resize": Operation("image", {"output": "out.png", "width": WIDTH}),
    "convert": Operation("image", {"output": "out.webp"}),
    "enhance": Operation("image", {"output": "out.jpg", **ALL}),
}
ON_PICTURES = {"resize", "convert", "enhance"}


@dataclasses.dataclass(frozen=True)
class Known:
    """What a file is. `frames` and `size` (as shown): it reads well as a video; `picture`: as a picture. `why` has words
    of the reason why not: of an operation that fails all the same, and under "" of the others."""

    frames: int = None
    size: tuple = None
    picture: tuple = None  # size, upright
    code: int = 65
    why: dict = dataclasses.field(default_factory=dict)

    def reads(self, operation):
        kinds = {"quality": self.picture or self.frames, **dict.fromkeys(ON_PICTURES, self.picture)}
        return kinds.get(operation, self.frames) is not None and operation not in self.why

    def words(self, operation):
        default = self.why.get("", "is no picture" if operation in ON_PICTURES else "is no video")
        return self.why.get(operation, default)


def video(frames, width, height, **why):
    return Known(frames=frames, size=(width, height), why=why)


def photo(width, height):
    return Known(picture=(width, height))


def broken(on_videos, on_pictures="is no picture", code=65, **why):
    return Known(code=code, why={"": on_videos, **dict.fromkeys(ON_PICTURES, on_pictures), **why})


# By MANIFEST.md of the shared media; sizes as shown.
SHARED_FILES = {
    "video/bbb_480p24_aac51_30s.mp4": video(720, 854, 480),
    "video/bear_vp9_161x121.webm": video(30, 161, 121),
    "video/long_21766frames_180p_av1.mp4": video(21766, 320, 180),
    "video/phone_vfr_hevc_rot90.mp4": video(53, 1080, 1440),
    "video/roadtrip_vp9_10bit.webm": video(72, 426, 240),
    "video/sample_av1_aac.mp4": video(30, 1080, 720),
    "video/sample_mpeg2_mp2.ts": video(3, 640, 426),
    "video/sample_rotate_reflect.mp4": video(30, 720, 1080),
    "photo/camera_gray.png": photo(512, 512), "photo/coffee.png": photo(600, 400),
    "photo/landscape_exif6.jpg": photo(600, 450), "photo/pngsuite_tbgn2c16.png": photo(32, 32),
    "photo/rgba.png": photo(128, 128), "photo/rocket.jpg": photo(640, 427), "photo/sample_cmyk.jpg": photo(100, 100),
    "photo/sample_rgb16.png": photo(290, 442), "photo/seeding_5312x2988.jpg": photo(5312, 2988),
    "broken/corrupt-header.jpg": broken("is no video", "Premature end", quality="no picture size"),
    "broken/crash-1152ec2d.tif": broken("is no video", "is damaged"),
    "broken/decompression_bomb.gif": broken("is damaged", "Unexpected end"),
    "broken/empty.mp4": broken("is empty", "is empty"),
    "broken/encrypted_1packet.webm": broken("is encrypted"),
    "broken/huge_17000x17000.avif": broken("no picture size", "cannot be read"),
    "broken/invalid-bitstream.webm": broken("is damaged"),
    "broken/lying_duration_fragmented.mp4": video(30, 1080, 720),
    "broken/truncated.jpg": broken("is no video", "Premature end", quality="is damaged or cut off"),
    "broken/truncated_mid_cluster.webm": broken("cut off"),
    "broken/truncated_no_moov.mp4": broken("moov atom not found"),
}


def start(folder, operation, path, **more):
    """One run in a folder of its own, made anew."""
    folder = pathlib.Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    op = OPERATIONS[operation]
    params = {**op.params, **{name: str(path) for name in op.inputs}}
    return Run(op.processor, params, folder, seconds=300, **more)


def fault(one, operation, folder):
    """What is wrong with how a run ended whatever the file is, None: nothing."""
    op = OPERATIONS[operation]
    there = sorted(os.listdir(folder))
    if one.code == 0:
        wanted = [op.output] if op.output else []
        return None if there == wanted and not one.error else f"done, with {there}, and it says {one.error!r}"
    if one.code not in (64, 65, 66):
        return f"ends with {one.code}: {one.error[-300:]}"
    if there:
        return f"leaves {there} behind"
    if "\n" in one.error or not one.error.startswith(f"{op.processor}: "):
        return f"does not say why in one line: {one.error!r}"
    if not any(name in one.error for name in op.inputs):
        return f"does not say which file: {one.error!r}"
    if one.result is None or one.result["error"]["message"] not in one.error:
        return "the result does not say why"
    if one.rss_kb > RSS_KB_MAX or one.cpu_seconds > CPU_SECONDS_MAX:
        return f"takes {one.rss_kb} KB and {one.cpu_seconds:.1f} s"
    return None


def end(folder, operation, path, **more):
    """(the run, what is wrong with how it ended)"""
    one = start(folder, operation, path, **more).end()
    return one, fault(one, operation, folder)


def even(size):
    return tuple(max(side // 2 * 2, 2) for side in size)


def decoded(path):
    """(frames by decoding, size as stored)"""
    stream = ffprobe(path, "-select_streams", "v:0", "-count_frames", "-show_streams")["streams"][0]
    return int(stream["nb_read_frames"]), (stream["width"], stream["height"])


def picture_size(path):
    with Image.open(path) as picture:
        picture.load()
        return picture.size, picture.format


def told(one, operation, folder, known):
    """(what came out, what is wanted) of a run that ended well."""
    result, wide, high = one.result, *(known.picture or known.size)
    if operation == "probe":
        stream = result["media"]["input"]["video"]
        return (result["frames_in"], stream["shown_width"], stream["shown_height"]), (known.frames, wide, high)
    if operation == "quality":
        metrics = result["metrics"]
        return (metrics["frames_compared"], metrics["identical"]), (known.frames or 1, True)
    out = pathlib.Path(folder) / OPERATIONS[operation].output
    if operation == "transcode":
        return (result["frames_in"], *decoded(out)), (known.frames, known.frames, even(known.size))
    if operation == "interpolate":
        count = result["frames_out"]
        return (decoded(out)[0], abs(count - 2 * known.frames) <= 1), (count, True)
    return picture_size(out), {"thumbnail": (even((wide, high)), "PNG"), "convert": ((wide, high), "WEBP"),
                               "enhance": ((wide, high), "JPEG"),
                               "resize": ((WIDTH, max(int(WIDTH * high / wide + 0.5), 1)), "PNG")}[operation]


def outcome_fault(folder, operation, path, known, **more):
    """What is wrong with what becomes of a file that is known, None: nothing."""
    one, wrong = end(folder, operation, path, **more)
    if wrong:
        return wrong
    if not known.reads(operation):
        words = known.words(operation)
        return None if one.code == known.code and words in one.error else (
            f"ends with {one.code} and says {one.error!r}, not with {known.code} and {words!r}")
    if one.code != 0:
        return one.error
    came, wanted = told(one, operation, folder, known)
    return None if came == wanted else f"{came} came of it, not {wanted}"
