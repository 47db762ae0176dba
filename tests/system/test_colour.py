"""Colours come over as they were, HDR's light with them, and what is lost of them is told. The inputs are made by
ffmpeg, the outputs judged by ffprobe and ffmpeg."""
import struct
import subprocess

import pytest
from hostile import SANITIZED
from processor import SAMPLES, ffprobe, frames, run
from test_resume import logged
from test_streams import ffmpeg

FAST = {"preset": "ultrafast", "crf": 35, "width": 160}
CLIP = SAMPLES / "roadtrip_vp9_10bit.webm"
HDR = {"color_range": "tv", "color_space": "bt2020nc", "color_transfer": "smpte2084", "color_primaries": "bt2020"}
LIGHT = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400"
MASTERING = {"red": [0.68, 0.32], "green": [0.265, 0.69], "blue": [0.15, 0.06], "white": [0.3127, 0.329],
             "luminance_min": 0.005, "luminance_max": 1000}


# libx265 leaks, which the leak checker takes for ours.
H265 = [pytest.param("h265", ending, marks=pytest.mark.long) for ending in ("mp4", "mkv", "mov")]


def make(path, transfer="smpte2084", light=LIGHT, *more):
    ffmpeg("-i", CLIP, "-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le", "-color_primaries", "bt2020",
           "-color_trc", transfer, "-colorspace", "bt2020nc", "-x265-params", f"log-level=none:{light}", *more, path)
    return path


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Its container tells of the colours, its stream alone of the light."""
    return make(tmp_path_factory.mktemp("hdr") / "film.mp4")


def tags(path):
    stream = ffprobe(path, "-select_streams", "v:0", "-show_streams")["streams"][0]
    return {name: stream.get(name) for name in HDR}, stream["pix_fmt"]


def light(found):
    """Numbers of the side data of a stream or a frame."""
    numbers = {}
    for one in found.get("side_data_list", []):
        for name, value in one.items():
            if name != "side_data_type":
                above, _, below = str(value).partition("/")
                numbers[name] = float(above) / float(below or 1)
    return numbers


def lights(path):
    stream = ffprobe(path, "-select_streams", "v:0", "-show_streams")["streams"][0]
    frame = ffprobe(path, "-select_streams", "v:0", "-show_frames", "-read_intervals", "%+#1")["frames"][0]
    return light(stream), light(frame)


@pytest.mark.parametrize("codec,ending", [*H265, ("av1", "mp4"), ("av1", "mkv"), ("av1", "webm"), ("vp9", "webm"),
                                          ("vp9", "mp4"), ("vp9", "mkv")])
def test_hdr_stays_hdr(tmp_path, film, codec, ending):
    out = tmp_path / f"out.{ending}"
    done = run("video", tmp_path, input=str(film), output=out.name, codec=codec, **FAST)
    assert (done.code, done.error, done.result["warnings"]) == (0, "", []) and frames(out) == 72
    assert tags(out) == (HDR, "yuv420p10le")
    stream, frame = lights(out)
    for name, value in {"red_x": 0.68, "red_y": 0.32, "green_x": 0.265, "blue_y": 0.06, "white_point_x": 0.3127,
                        "max_luminance": 1000, "min_luminance": 0.005, "max_content": 1000, "max_average": 400}.items():
        if ending != "mov":  # which has no place for it: H.265's own stream tells it
            assert stream[name] == pytest.approx(value, abs=2e-4), name
        if codec != "vp9":  # whose packets have none: the container tells it
            assert frame[name] == pytest.approx(value, abs=2e-4), name
    told = done.result["media"]["output"]["video"]
    assert (told["bits"], told["hdr"]) == (10, "hdr10")
    assert told["content_light"] == {"max": 1000, "average": 400}


def test_probe_tells_hdr(tmp_path, film):
    told = run("video", tmp_path, mode="probe", input=str(film)).result["media"]["input"]["video"]
    assert told["colour"] == {"primaries": "bt2020", "transfer": "smpte2084", "matrix": "bt2020nc", "range": "tv"}
    assert (told["bits"], told["hdr"], told["dolby_vision"]) == (10, "hdr10", None)
    assert told["mastering_display"] == MASTERING and told["content_light"] == {"max": 1000, "average": 400}
    sdr = run("video", tmp_path, mode="probe", input=str(SAMPLES / "sample_av1_aac.mp4")).result["media"]["input"]["video"]
    assert (sdr["bits"], sdr["hdr"], sdr["mastering_display"], sdr["content_light"]) == (8, "none", None, None)


@pytest.mark.long
def test_hlg(tmp_path):
    make(tmp_path / "in.mkv", "arib-std-b67", "hdr10=0")
    told = run("video", tmp_path, mode="probe", input="in.mkv").result["media"]["input"]["video"]
    assert (told["hdr"], told["mastering_display"]) == ("hlg", None)
    done = run("video", tmp_path, input="in.mkv", output="out.mp4", codec="h265", **FAST)
    assert done.code == 0 and tags(tmp_path / "out.mp4")[0] == dict(HDR, color_transfer="arib-std-b67")


def test_h264_has_8_bits_and_says_so(tmp_path, film):
    done = run("video", tmp_path, input=str(film), output="out.mp4", **FAST)
    assert done.code == 0 and tags(tmp_path / "out.mp4") == (HDR, "yuv420p")
    warning, = done.result["warnings"]
    assert "10 bits become 8" in warning and "HDR" in warning and logged(done) == [warning]
    sdr = run("video", tmp_path, input=str(CLIP), output="sdr.mp4", **FAST)
    warning, = sdr.result["warnings"]
    assert "10 bits become 8" in warning and "HDR" not in warning
    assert run("video", tmp_path, input=str(CLIP), output="deep.mp4", codec="h265", **FAST).result["warnings"] == []


@pytest.mark.parametrize("codec,ending", [("h264", "mp4"), H265[1], ("av1", "mp4"), ("vp9", "webm")])
def test_colours_are_told_as_they_were(tmp_path, codec, ending):
    """Those of PAL: no player would guess them."""
    ffmpeg("-i", SAMPLES / "sample_av1_aac.mp4", "-vf", "scale=320:-2", "-c:v", "libx264", "-preset", "ultrafast",
           "-color_primaries", "bt470bg", "-color_trc", "gamma28", "-colorspace", "bt470bg", tmp_path / "in.mp4")
    done = run("video", tmp_path, input="in.mp4", output=f"out.{ending}", codec=codec, **FAST)
    assert done.code == 0 and done.result["warnings"] == []
    assert tags(tmp_path / f"out.{ending}")[0] == {"color_range": "tv", "color_space": "bt470bg",
                                                   "color_transfer": "bt470bg", "color_primaries": "bt470bg"}


def mean(path, *more):
    """The mean red, green and blue of the first picture, as ffmpeg shows it."""
    done = subprocess.run(["ffmpeg", "-v", "error", "-i", path, *more, "-frames:v", "1", "-vf", "scale=1:1:flags=area",
                           "-pix_fmt", "rgb24", "-f", "rawvideo", "-"], capture_output=True, check=True)
    return list(done.stdout[:3])


@pytest.mark.parametrize("colour", [(200, 30, 40), (20, 180, 60), (30, 60, 220)])
def test_rgb_is_the_same_colour_afterwards(tmp_path, colour):
    """And a thumbnail of it, and of a film that has HDTV's matrix."""
    ffmpeg("-f", "lavfi", "-i", f"color=0x{bytes(colour).hex()}:s=160x90:d=1", "-vf", "format=rgb24", "-c:v", "ffv1",
           "-pix_fmt", "gbrp", tmp_path / "in.mkv")
    done = run("video", tmp_path, input="in.mkv", output="out.mp4", crf=10)
    assert done.code == 0 and tags(tmp_path / "out.mp4")[0]["color_space"] == "bt709"
    assert mean(tmp_path / "out.mp4") == pytest.approx(colour, abs=4)
    for source in ("in.mkv", "out.mp4"):
        done = run("video", tmp_path, mode="thumbnail", input=source, output="out.jpg")
        assert done.code == 0 and mean(tmp_path / "out.jpg") == pytest.approx(colour, abs=5)


def hdr_of(path, colour, transfer, nits, shades="tv", height=90, more=""):
    """A film of one colour that an ordinary picture has, its white at so many cd/m2."""
    ffmpeg("-f", "lavfi", "-i", f"color=0x{bytes(colour).hex()}:s=160x{height}:d=0.2{more}", "-vf",
           "format=gbrp,setparams=color_primaries=bt709:color_trc=bt709:colorspace=gbr:range=pc,"
           f"zscale=t=linear:npl={nits},format=gbrpf32le,zscale=p=bt2020,"
           f"zscale=t={transfer}:m=bt2020nc:r={shades}:npl={nits},format=yuv420p10le", "-c:v", "libx265", "-x265-params",
           "log-level=none", "-color_range", shades, "-crf", 8, "-color_primaries", "bt2020", "-color_trc", transfer, "-colorspace", "bt2020nc", path)


@pytest.mark.parametrize("colour", [(200, 30, 40), (20, 180, 60), (30, 60, 190), (128, 128, 128)])
@pytest.mark.parametrize("transfer,output", [("smpte2084", "out.png"), ("smpte2084", "out.jpg"),
                                             ("arib-std-b67", "out.jpg")])
def test_a_thumbnail_of_hdr_has_the_colours_of_ordinary_light(tmp_path, colour, transfer, output):
    """BT.2408: what is white on paper has 203 cd/m2."""
    hdr_of(tmp_path / "in.mp4", colour, transfer, 203)
    done = run("video", tmp_path, mode="thumbnail", input="in.mp4", output=output)
    name = {"smpte2084": "hdr10", "arib-std-b67": "hlg"}[transfer]
    assert done.code == 0 and logged(done) == done.result["warnings"] == [
        f"the film is HDR ({name}), the still is not: it shows what is brighter than white as white"]
    assert mean(tmp_path / output) == pytest.approx(colour, abs=7)


@pytest.mark.parametrize("colour", [(200, 30, 40), (12, 12, 12), (240, 240, 240)])
def test_a_thumbnail_of_hdr_with_all_shades(tmp_path, colour):
    hdr_of(tmp_path / "in.mp4", colour, "smpte2084", 203, "pc")
    assert tags(tmp_path / "in.mp4")[0]["color_range"] == "pc"
    done = run("video", tmp_path, mode="thumbnail", input="in.mp4", output="out.png")
    assert done.code == 0 and mean(tmp_path / "out.png") == pytest.approx(colour, abs=7)


def test_the_rows_of_a_thumbnail_of_hdr_are_in_their_places(tmp_path):
    """They are mapped 64 at a time, and the last ones are fewer."""
    colours = [(200, 30, 40), (20, 180, 60), (30, 60, 190)]
    boxes = "".join(f",drawbox=y={64 * i}:w=160:h=64:t=fill:c=0x{bytes(colours[i]).hex()}" for i in (1, 2))
    hdr_of(tmp_path / "in.mp4", colours[0], "smpte2084", 203, height=150, more=boxes)
    done = run("video", tmp_path, mode="thumbnail", input="in.mp4", output="out.png")
    assert done.code == 0, done.error
    for i, height in enumerate((64, 64, 22)):
        ffmpeg("-i", tmp_path / "out.png", "-vf", f"crop=160:{height - 12}:0:{64 * i + 6}", tmp_path / "part.png")
        assert mean(tmp_path / "part.png") == pytest.approx(colours[i], abs=9)


def test_what_is_brighter_is_still_told_apart_in_a_thumbnail(tmp_path):
    whites = []
    for nits in (203, 500, 1000):
        hdr_of(tmp_path / "in.mp4", (255, 255, 255), "smpte2084", nits)
        assert run("video", tmp_path, mode="thumbnail", input="in.mp4", output="out.png").code == 0
        whites.append(mean(tmp_path / "out.png")[1])
    assert 220 < whites[0] < whites[1] < whites[2] and whites[2] >= 253


@pytest.mark.skipif(SANITIZED, reason="the sanitizers have a memory of their own")
def test_a_large_thumbnail_of_hdr_takes_little_more_memory_than_another(tmp_path):
    """Its light is counted in numbers of 32 bits, some rows at a time: all at once they took 230 MB more."""
    peak = {}
    for transfer in ("bt709", "smpte2084"):
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=3840x2160:d=0.04", "-pix_fmt", "yuv420p10le", "-c:v", "libx265", "-preset", "ultrafast",
               "-x265-params", "log-level=none", "-color_trc", transfer, "-color_primaries", "bt2020", "-colorspace", "bt2020nc",
               tmp_path / "in.mp4")
        done = run("video", tmp_path, mode="thumbnail", input="in.mp4", output="out.jpg")
        assert done.code == 0 and len(done.result["warnings"]) == (transfer == "smpte2084"), done.error
        peak[transfer] = done.rss_kb / 1024
    assert peak["smpte2084"] < peak["bt709"] + 70, peak


def test_a_thumbnail_of_hdr_with_other_colours_is_pale_and_says_so(tmp_path, film):
    """A matrix that depends on the light."""
    ffmpeg("-i", film, "-c", "copy", "-bsf:v", "hevc_metadata=matrix_coefficients=10", "-colorspace", "bt2020c",
           tmp_path / "in.mkv")
    done = run("video", tmp_path, mode="thumbnail", input="in.mkv", output="out.jpg")
    assert done.code == 0 and logged(done) == done.result["warnings"] == [
        "the film is HDR (hdr10), the still is not: it looks pale"]
    assert run("video", tmp_path, mode="thumbnail", input=str(CLIP), output="out.jpg").result["warnings"] == []


def test_what_pictures_lose_is_told(tmp_path):
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=160x90:d=1", "-c:v", "ffv1", "-pix_fmt", "yuva444p", tmp_path / "in.mkv")
    done = run("video", tmp_path, input="in.mkv", output="out.mp4", **FAST)
    assert [warning[:40] for warning in done.result["warnings"]] == [
        "the input's transparency is left out", "the input's colour has 4:4:4 of the sampl"[:40]]


def dolby_vision(source, path, profile, compatibility):
    """The same MP4 with a box that says so (ETSI TS 103 572): its index lies behind the pictures, so nothing moves."""
    data = bytearray(source.read_bytes())
    place = data.rindex(b"hvcC") - 4
    box = struct.pack(">I4sBBHI", 32, b"dvcC" if profile < 8 else b"dvvC", 1, 0,
                      profile << 9 | 6 << 3 | 5, compatibility << 28) + bytes(16)
    data[place:place] = box
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"hvc1" if b"hvc1" in data else b"hev1"):
        at = data.rindex(name, 0, place) - 4
        size, = struct.unpack_from(">I", data, at)
        struct.pack_into(">I", data, at, size + 32)
    path.write_bytes(data)


@pytest.mark.long
def test_dolby_vision(tmp_path, film):
    """What is left of profile 8 is HDR10, and that is told; the colours of profile 5 nobody here can read."""
    dolby_vision(film, tmp_path / "in.mp4", 8, 1)
    assert ffprobe(tmp_path / "in.mp4", "-show_streams")["streams"][0]["side_data_list"][0]["dv_profile"] == 8
    told = run("video", tmp_path, mode="probe", input="in.mp4").result["media"]["input"]["video"]
    assert told["hdr"] == "dolby-vision" and told["dolby_vision"] == {"profile": 8, "level": 6, "compatibility": 1}
    done = run("video", tmp_path, input="in.mp4", output="out.mp4", codec="h265", **FAST)
    assert done.code == 0 and done.result["media"]["output"]["video"]["hdr"] == "hdr10"
    assert len(done.result["warnings"]) == 1 and "Dolby Vision (profile 8)" in done.result["warnings"][0]
    dolby_vision(film, tmp_path / "five.mp4", 5, 0)
    done = run("video", tmp_path, input="five.mp4", output="five-out.mp4", codec="h265", **FAST)
    assert done.code == 65 and "Dolby Vision of profile 5" in done.error and not (tmp_path / "five-out.mp4").exists()
