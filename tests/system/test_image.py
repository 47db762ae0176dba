"""The image processor: what comes out is judged by Pillow, which shares no code with libvips."""
import hashlib
import io
import json
import signal
import struct
import zlib

import pytest
from PIL import Image, ImageChops, ImageCms, ImageFilter, ImageOps, ImageStat
from processor import SHARED, Run, names

FORMATS = {"jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "tiff": "TIFF"}
PHOTOS = {  # upright size, and mode as Pillow reads it
    "camera_gray.png": (512, 512), "coffee.png": (600, 400), "landscape_exif6.jpg": (600, 450),
    "pngsuite_tbgn2c16.png": (32, 32), "rgba.png": (128, 128), "rocket.jpg": (640, 427),
    "sample_cmyk.jpg": (100, 100), "sample_rgb16.png": (290, 442), "seeding_5312x2988.jpg": (5312, 2988)}
ALL = {"auto_levels": True, "clahe": True, "sharpen": True, "denoise": True}


def run(folder, source, output="out.png", more=None, **options):
    params = {"input": str(source), "output": str(output), **(more or {})}
    return Run("image", params, folder, **options).end()


def made(folder, source, output="out.png", **more):
    """Runs, expects success, and gives the output as Pillow decodes it."""
    one = run(folder, source, output, more)
    assert one.code == 0, one.error
    assert not one.error
    picture = Image.open(folder / output)
    picture.load()
    media = one.result["media"]
    assert (media["width"], media["height"]) == picture.size
    data = (folder / output).read_bytes()
    assert one.result["outputs"] == [{"path": str(folder / output), "bytes": len(data),
                                      "sha256": hashlib.sha256(data).hexdigest()}]
    return picture


def refused(folder, one, code, *words):
    """One line that says why, the exit code, small memory, and nothing left in the folder."""
    assert one.code == code, (one.code, one.error)
    assert one.error.count("\n") == 0 and one.error.startswith("image: ")
    for word in words:
        assert word in one.error
    assert one.rss_kb < 250_000  # a sanitized build has its shadow on top of the 40 MB
    assert not [n for n in names(folder) if n.startswith((".out", "out"))]


def test_a_name_that_is_not_utf8_is_told_as_far_as_it_can_be(tmp_path):
    """Also where a text that is cut ends within a character."""
    (tmp_path / "in").mkdir()
    with open(bytes(tmp_path / "in") + b"/a\xff.jpg", "wb"):
        pass
    done = run(tmp_path, "in/*.jpg", "out")
    assert done.code == 64 and done.result["error"]["message"] == f'input "{tmp_path}/in/a?.jpg" is not UTF-8; a name must be'
    for shift in range(2):
        done = run(tmp_path, "x" * shift + "\u00e4" * 120 + ".jpg")
        assert done.code == 66 and "\u00e4\u00e4\u00e4" in done.result["error"]["message"]


@pytest.mark.parametrize("output", ["out", "out/", "new/"])
def test_one_picture_goes_into_no_folder(tmp_path, output):
    (tmp_path / "out").mkdir()
    done = run(tmp_path, SHARED / "photo/rocket.jpg", output)
    assert done.code == 64 and "is a folder; of one picture it must name a file" in done.error
    assert names(tmp_path) == ["out"] and names(tmp_path / "out") == []


def chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def png(width, height, bits, colour, rows):
    """A PNG by hand: Pillow 9 writes no 16-bit RGB."""
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))) + chunk(b"IEND", b""))


def scene(size=(240, 160), mode="RGB"):
    """Something like a picture: two ramps and a disc, no symmetry."""
    wide, high = size
    red = Image.linear_gradient("L").resize(size)
    green = Image.linear_gradient("L").rotate(90).resize(size)
    blue = Image.radial_gradient("L").resize(size).crop((wide // 5, 0, wide, high)).resize(size)
    return Image.merge("RGB", (red, green, blue)).convert(mode)


def difference(left, right):
    stat = ImageStat.Stat(ImageChops.difference(left, right))
    return max(stat.mean)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "work"
    path.mkdir()
    return path


@pytest.mark.long
@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("name", PHOTOS)
def test_real_photos(folder, name, kind):
    source = SHARED / "photo" / name
    if not source.exists():
        pytest.skip(f"{source} is not here")
    small = {"width": 1000} if name.startswith("seeding") else {}
    picture = made(folder, source, f"out.{kind}", **ALL, **small)
    assert picture.format == FORMATS[kind]
    assert picture.size == ((1000, 563) if small else PHOTOS[name])
    assert not picture.getexif().get(0x0112, 1) != 1
    alpha = name in ("rgba.png", "pngsuite_tbgn2c16.png") and kind != "jpeg"
    assert ("A" in picture.getbands()) == alpha
    if name in ("rocket.jpg", "landscape_exif6.jpg"):
        assert picture.info["icc_profile"] == Image.open(source).info["icc_profile"]
    assert names(folder) == [f"out.{kind}"]


@pytest.mark.parametrize("name", ["corrupt-header.jpg", "crash-1152ec2d.tif", "decompression_bomb.gif",
                                  "huge_17000x17000.avif", "truncated.jpg", "empty.mp4",
                                  "truncated_no_moov.mp4", "lying_duration_fragmented.mp4"])
def test_broken_files(folder, name):
    source = SHARED / "broken" / name
    if not source.exists():
        pytest.skip(f"{source} is not here")
    words = {"huge_17000x17000.avif": "17000x17000", "empty.mp4": "is empty"}.get(name, name)
    refused(folder, run(folder, source, more=ALL), 65, words)


@pytest.mark.parametrize("kind,options", [("jpeg", {"quality": 95}), ("png", {}), ("webp", {}),
                                          ("tiff", {"compression": "tiff_lzw"}), ("gif", {})])
def test_truncated_files(folder, tmp_path, kind, options):
    source = tmp_path / f"a.{kind}"
    scene((600, 400)).save(source, **options)
    whole = source.read_bytes()
    made(folder, source, "out.png")
    (folder / "out.png").unlink()
    for part in (0.9, 0.5, 0.1):
        source.write_bytes(whole[:int(len(whole) * part)])
        refused(folder, run(folder, source), 65, str(source))


@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_rotation_is_applied(folder, tmp_path, turn):
    source = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = turn
    scene().save(source, quality=95, exif=exif)
    upright = ImageOps.exif_transpose(Image.open(source))
    picture = made(folder, source, "out.jpg", quality=95)
    assert picture.size == upright.size and difference(picture, upright) < 3
    assert picture.getexif().get(0x0112, 1) == 1
    wide = made(folder, source, "wide.png", width=60)
    assert wide.size == (60, round(60 * upright.height / upright.width))
    assert difference(wide, upright.resize(wide.size, Image.LANCZOS)) < 3


@pytest.mark.parametrize("kind", ["png", "tiff", "webp"])
def test_alpha_is_kept(folder, tmp_path, kind):
    source = tmp_path / "a.png"
    clear = Image.linear_gradient("L").resize((240, 160))
    picture = scene()
    picture.putalpha(clear)
    picture.save(source)
    out = made(folder, source, f"out.{kind}", **ALL)
    assert out.mode == "RGBA" and ImageChops.difference(out.getchannel("A"), clear).getextrema() == (0, 0)
    half = made(folder, source, f"half.{kind}", width=120)
    assert difference(half.getchannel("A"), clear.resize(half.size, Image.LANCZOS)) < 2


def test_alpha_is_laid_over_white_for_jpeg(folder, tmp_path):
    Image.new("RGBA", (64, 64), (0, 0, 0, 0)).save(tmp_path / "a.png")
    out = made(folder, tmp_path / "a.png", "out.jpg")
    assert out.mode == "RGB" and out.getpixel((9, 9)) == (255, 255, 255)


def test_hidden_colour_does_not_bleed(folder, tmp_path):
    picture = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    picture.paste((0, 0, 255, 255), (32, 0, 64, 64))
    picture.save(tmp_path / "a.png")
    out = made(folder, tmp_path / "a.png", width=21)
    seen = [p for p in out.getdata() if p[3] > 20]
    assert max(p[0] for p in seen) < 10


def grey16(path, low=20000, high=45000, size=256):
    values = [[low + (high - low) * (x * size + y) // (size * size) for x in range(size)] for y in range(size)]
    path.write_bytes(png(size, size, 16, 0, [struct.pack(f">{size}H", *row) for row in values]))
    return values


def test_16_bits_are_kept(folder, tmp_path):
    values = grey16(tmp_path / "a.png")
    same = made(folder, tmp_path / "a.png", "same.png")
    assert list(same.getdata()) == [v for row in values for v in row]
    for output in ("out.png", "out.tiff"):
        out = made(folder, tmp_path / "a.png", output, **ALL)
        assert len(set(out.getdata())) > 4000, "a picture of 8 bits has 256 values"
    assert made(folder, tmp_path / "a.png", "out.jpg").mode == "L"


def test_16_bits_of_colour_are_kept(folder, tmp_path):
    rows = [b"".join(struct.pack(">HHH", 200 * x, 200 * y, 9000) for x in range(256)) for y in range(256)]
    (tmp_path / "a.png").write_bytes(png(256, 256, 16, 2, rows))
    for more in ({}, ALL, {"width": 100}):
        assert run(folder, tmp_path / "a.png", more=more).code == 0
        assert (folder / "out.png").read_bytes()[24:26] == b"\x10\x02"  # IHDR: 16 bits, RGB


def test_cmyk(folder, tmp_path):
    Image.new("CMYK", (64, 64), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)
    for output, more in (("a.png", {}), ("a.webp", {}), ("a.jpg", {"clahe": True})):
        out = made(folder, tmp_path / "a.jpg", output, **more)
        red, green, blue = out.convert("RGB").getpixel((30, 30))
        assert red > 200 and green < 90 and blue < 90
        assert out.info["icc_profile"][16:20] == b"RGB "
    for output in ("b.jpg", "b.tiff"):
        out = made(folder, tmp_path / "a.jpg", output)
        assert out.mode == "CMYK"
        assert all(abs(a - b) < 5 for a, b in zip(out.getpixel((30, 30)), (0, 255, 255, 0)))


@pytest.mark.parametrize("kind", FORMATS)
def test_icc_profile_is_kept(folder, tmp_path, kind):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    scene().save(tmp_path / "a.png", icc_profile=profile)
    out = made(folder, tmp_path / "a.png", f"out.{kind}", width=100, **ALL)
    assert out.info["icc_profile"] == profile


def test_profile_that_does_not_fit_is_dropped(folder, tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for wrong in (b"no profile" * 20, profile):
        scene(mode="L").save(tmp_path / "a.jpg", icc_profile=wrong)
        out = made(folder, tmp_path / "a.jpg", "out.webp")  # which holds no grey
        assert difference(out, scene(mode="L").convert("RGB")) < 3
        assert out.info.get("icc_profile") != wrong


@pytest.mark.parametrize("asked,size", [
    ({"width": 120}, (120, 80)), ({"height": 40}, (60, 40)), ({"width": 50, "height": 70}, (50, 70)),
    ({"width": 720}, (720, 480)), ({"width": 1}, (1, 1)), ({"height": 333}, (500, 333)), ({}, (240, 160))])
def test_sizes(folder, tmp_path, asked, size):
    scene().save(tmp_path / "a.png")
    out = made(folder, tmp_path / "a.png", **asked)
    assert out.size == size
    if size != (1, 1):
        assert difference(out, scene().resize(size, Image.LANCZOS)) < 3


def test_one_pixel(folder, tmp_path):
    Image.new("RGB", (1, 1), (10, 200, 30)).save(tmp_path / "a.png")
    assert made(folder, tmp_path / "a.png", **ALL).size == (1, 1)
    assert made(folder, tmp_path / "a.png", width=40, **ALL).size == (40, 40)
    assert made(folder, tmp_path / "a.png", clahe=True).getpixel((0, 0)) == (10, 200, 30)


def test_auto_levels(folder, tmp_path):
    dull = scene(mode="L").point(lambda v: 80 + v // 4)
    dull.save(tmp_path / "a.png")
    low, high = made(folder, tmp_path / "a.png", auto_levels=True).getextrema()
    assert low < 5 and high > 250
    blank = Image.effect_noise((200, 200), 2)
    blank.save(tmp_path / "b.png")
    assert difference(made(folder, tmp_path / "b.png", auto_levels=True), blank) == 0
    tinted = Image.merge("RGB", (dull, dull.point(lambda v: v - 30), dull.point(lambda v: v - 60)))
    tinted.save(tmp_path / "c.png")
    middle = made(folder, tmp_path / "c.png", auto_levels=True).getpixel((120, 80))
    assert middle[0] > middle[1] > middle[2], "the hue is gone"


def test_clahe_lifts_local_contrast(folder, tmp_path):
    picture = Image.new("L", (400, 400), 200)
    dark = Image.effect_noise((200, 400), 12).point(lambda v: v // 4)
    picture.paste(dark, (0, 0))
    picture.save(tmp_path / "a.png")
    inside = (40, 40, 160, 360)
    before = ImageStat.Stat(picture.crop(inside)).stddev[0]
    gentle = made(folder, tmp_path / "a.png", clahe=True).crop(inside)
    strong = made(folder, tmp_path / "a.png", clahe=True, clahe_limit=6).crop(inside)
    assert 2 * before < ImageStat.Stat(gentle).stddev[0] < 3.2 * before  # a slope of 3 where it is steepest
    assert 4 * before < ImageStat.Stat(strong).stddev[0] < 6.2 * before


def test_clahe_makes_no_seams_and_no_grey_of_flat(folder, tmp_path):
    ramp = Image.linear_gradient("L").rotate(90).resize((512, 512))
    ramp.save(tmp_path / "a.png")
    row = list(made(folder, tmp_path / "a.png", clahe=True).crop((0, 200, 512, 201)).getdata())
    steps = [abs(b - a) for a, b in zip(row, row[1:])]
    assert max(row) - min(row) > 200 and max(steps) <= 5, "a tile ends where the next begins"
    for value in (0, 100, 255):
        Image.new("L", (300, 200), value).save(tmp_path / "b.png")
        low, high = made(folder, tmp_path / "b.png", clahe=True).getextrema()
        assert low == high and abs(value - low) <= 2


def test_sharpen_and_denoise(folder, tmp_path):
    picture = Image.new("L", (100, 100), 80)
    picture.paste(170, (50, 0, 100, 100))
    picture.resize((50, 50)).resize((100, 100), Image.BICUBIC).save(tmp_path / "a.png")
    low, high = made(folder, tmp_path / "a.png", sharpen=True, sharpen_amount=3).crop((40, 9, 60, 90)).getextrema()
    assert low < 75 and high > 175
    for at in ((20, 20), (20, 40), (80, 60)):
        picture.putpixel(at, 255 - picture.getpixel(at))
    picture.save(tmp_path / "b.png")
    out = made(folder, tmp_path / "b.png", denoise=True)
    assert out.getextrema() == (80, 170)


@pytest.mark.parametrize("radius", [1, 2, 3])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_denoise_is_the_median(folder, tmp_path, mode, radius):
    noisy = Image.merge("RGB", [Image.effect_noise((157, 83), 70) for _ in range(3)]).convert(mode)
    noisy.save(tmp_path / "a.png")
    out = made(folder, tmp_path / "a.png", denoise=True, denoise_radius=radius)
    assert ImageChops.difference(out, noisy.filter(ImageFilter.MedianFilter(2 * radius + 1))).getbbox() is None


def test_refusal_by_pixels_comes_before_any_pixel(folder, tmp_path):
    # The pixels are missing: only a look at the header can give this reason.
    head = png(30000, 30000, 8, 2, [])
    (tmp_path / "a.png").write_bytes(head)
    refused(folder, run(folder, tmp_path / "a.png"), 65,
            "30000 x 30000 = 900000000 pixels", "268435456 (16384 x 16384)")


@pytest.mark.parametrize("name,data", [
    ("a.ppm", b"P6 1 1 255 abc"), ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"),
    ("a.pdf", b"%PDF-1.4\n"), ("a.jpg", b"no picture"), ("a.csv", b"1,2\n3,4\n")])
def test_formats_that_are_not_trusted(folder, tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    refused(folder, run(folder, tmp_path / name), 65, "is no picture in JPEG")


@pytest.mark.parametrize("more,code,words", [
    ({"output": "out"}, 64, "its suffix must be one of"), ({"output": "out.gif"}, 64, "its suffix must be one of"),
    ({"format": "bmp"}, 64, 'format is "bmp"'), ({"quality": 5}, 64, "png is lossless"),
    ({"quality": 101, "output": "out.jpg"}, 64, "quality is 101"), ({"clahe_limit": 4}, 64, "clahe is not true"),
    ({"sharpen_amount": 2}, 64, "sharpen is not true"), ({"denoise_radius": 2}, 64, "denoise is not true"),
    ({"width": 0}, 64, "width is 0"), ({"clahe": 3}, 64, "clahe is 3"), ({"widht": 3}, 64, "did you mean width"),
    ({"input": "none.png"}, 66, "none.png"), ({"input": "."}, 64, "must be a regular file"),
    ({"output": "no/out.png"}, 73, "cannot be created"),
    ({"width": 16384, "height": 2, "output": "out.webp"}, 64, "webp holds at most 16383"),
    ({"height": 60000, "output": "out.jpg"}, 64, "the output's width would be 90000 pixels"),
    ({"width": 20000, "height": 20000}, 65, "20000 x 20000 = 400000000 pixels")])
def test_bad_parameters(folder, tmp_path, more, code, words):
    scene().save(tmp_path / "a.png")
    params = {"input": str(tmp_path / "a.png"), "output": "out.png", **more}
    refused(folder, Run("image", params, folder).end(), code, words)


def test_output_that_is_the_input(folder, tmp_path):
    scene().save(folder / "a.png")
    (folder / "b.png").symlink_to("a.png")
    before = (folder / "a.png").read_bytes()
    assert run(folder, "a.png", "a.png").code == 64
    assert run(folder, "b.png", "a.png").code == 64
    assert (folder / "a.png").read_bytes() == before and names(folder) == ["a.png", "b.png"]


def test_names_that_look_like_options(folder, tmp_path):
    scene().save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a[page=2].png[n=3]")
    assert made(folder, tmp_path / "a.png[n=3]".replace("a.", "a[page=2]."), "out[Q=1].png").size == (240, 160)


def test_first_page_of_an_animation(folder, tmp_path):
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    one = run(folder, tmp_path / "a.gif")
    assert one.code == 0 and "input has 3 pages; the first is taken" in [line.get("text") for line in one.lines]
    out = Image.open(folder / "out.png").convert("RGB")
    assert out.size == (40, 30) and out.getpixel((5, 5)) == (255, 0, 0)


def test_full_disk(folder, tmp_path):
    Image.effect_noise((600, 600), 90).save(tmp_path / "a.png")
    for kind in FORMATS:
        (folder / f"old.{kind}").write_bytes(b"old")
        one = run(folder, tmp_path / "a.png", f"old.{kind}", fsize=20_000)
        assert one.code == 74 and one.error.count("\n") == 0, one.error
        assert (folder / f"old.{kind}").read_bytes() == b"old"
    assert names(folder) == sorted(f"old.{kind}" for kind in FORMATS)


def test_progress_and_stop(folder, tmp_path):
    Image.effect_noise((3000, 3000), 60).convert("RGB").save(tmp_path / "a.jpg")
    params = {"input": str(tmp_path / "a.jpg"), "output": "out.png", **ALL}
    one = Run("image", params, folder)
    news = []
    while sum(line["type"] == "progress" for line in news) < 4:
        news.append(json.loads(one.news.readline()))
    one.process.send_signal(signal.SIGTERM)
    one.end()
    fractions = [line["fraction"] for line in news + one.lines if line["type"] == "progress"]
    assert fractions == sorted(fractions) and 0 < fractions[-1] < 1
    assert any(0 < f < 0.7 for f in fractions), "nothing was told before the output was written"
    assert one.code == 75 and names(folder) == []


def test_result_names_everything(folder, tmp_path):
    scene().save(tmp_path / "a.png")
    result = run(folder, tmp_path / "a.png", "out.jpg", {"width": 120}).result
    assert (result["schema"], result["processor"], result["frames_in"], result["frames_out"]) == (1, "image", 1, 1)
    data = (tmp_path / "a.png").read_bytes()
    assert result["inputs"] == [{"path": str(tmp_path / "a.png"), "bytes": len(data),
                                 "sha256": hashlib.sha256(data).hexdigest()}]
    assert result["media"]["format"] == "jpeg" and result["media"]["source"]["width"] == 240
    assert 25 < result["metrics"]["psnr"] < 70 and result["metrics"]["identical"] is False
    assert run(folder, tmp_path / "a.png").result["metrics"] == {"psnr": None, "identical": True}


def test_through_the_daemon(daemon, folder, tmp_path):
    buffer = io.BytesIO()
    scene().save(buffer, "JPEG")
    (tmp_path / "a.jpg").write_bytes(buffer.getvalue())
    (tmp_path / "cut.jpg").write_bytes(buffer.getvalue()[:2000])

    def submit(name, *more):
        return daemon.ctl("submit", "--type", "image", "--param", f"input={tmp_path / name}", "--param",
                          f"output={folder / 'out.webp'}", "--param", "clahe=true", "--wait", *more)

    assert submit("cut.jpg").returncode == 65 and names(folder) == []
    refusal = submit("a.jpg", "--param", "width=0")
    assert refusal.returncode == 1 and "width" in refusal.stderr and names(folder) == []
    assert submit("a.jpg", "--param", "width=60").returncode == 0
    assert Image.open(folder / "out.webp").size == (60, 40) and names(folder) == ["out.webp"]
    job = json.loads(daemon.ctl("show", "@last", "--json").stdout)
    assert job["state"] == "completed"
