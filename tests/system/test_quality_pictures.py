"""The processor "quality" on still pictures; Pillow, which shares no code with FFmpeg, is the judge."""
import math

import every_file
import odd_files
import pytest
from PIL import Image, ImageChops, ImageStat
from processor import SAMPLES, run

COFFEE, ROCKET = SAMPLES / "coffee.png", SAMPLES / "rocket.jpg"


def measured(folder, reference, distorted, **params):
    done = run("quality", folder, reference=str(reference), distorted=str(distorted), **params)
    assert (done.code, done.error) == (0, "")
    assert done.result["frames_in"] == done.result["metrics"]["frames_compared"] == 1
    return done.result["metrics"]


def psnr(left, right):
    """Over all samples of all channels."""
    squares = ImageStat.Stat(ImageChops.difference(left, right)).sum2
    error = sum(squares) / (len(squares) * left.size[0] * left.size[1])
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def noisy(path, sigma):
    """A copy of it with noise, and both as Pillow has them."""
    was = Image.open(COFFEE).convert("RGB")
    noise = Image.effect_noise(was.size, sigma).convert("RGB")
    other = ImageChops.add(was, noise, 1, -128)
    other.save(path, lossless=True)
    return was, other


@pytest.mark.parametrize("ending", ["png", "webp"])
@pytest.mark.parametrize("sigma", [4, 30])
def test_values_are_those_of_the_pixels(tmp_path, ending, sigma):
    was, other = noisy(tmp_path / f"noisy.{ending}", sigma)
    metrics = measured(tmp_path, COFFEE, f"noisy.{ending}", min_psnr=10)
    wanted = psnr(was, other)
    # WebP goes through Y'CbCr on the way, which rounds.
    assert metrics["psnr"]["mean"] == pytest.approx(wanted, abs=1e-3 if ending == "png" else 1)
    assert 0 < metrics["ssim"]["mean"] < 1 and metrics["gates"][0]["passed"] is True
    assert sorted(metrics["psnr"]["planes"]) == ["b", "g", "r"]


def test_less_quality_is_less(tmp_path):
    found = []
    for quality in (95, 60, 10):
        Image.open(COFFEE).convert("RGB").save(tmp_path / f"{quality}.jpg", quality=quality)
        metrics = measured(tmp_path, COFFEE, f"{quality}.jpg")
        assert metrics["psnr"]["mean"] == pytest.approx(
            psnr(Image.open(COFFEE).convert("RGB"), Image.open(tmp_path / f"{quality}.jpg")), abs=1.5)
        found.append((metrics["psnr"]["mean"], metrics["ssim"]["mean"]))
    assert found == sorted(found, reverse=True) and found[0][0] > 30


@pytest.mark.parametrize("name", ["camera_gray.png", "coffee.png", "landscape_exif6.jpg", "pngsuite_tbgn2c16.png",
                                  "rocket.jpg"])
def test_a_picture_is_like_itself(tmp_path, name):
    metrics = measured(tmp_path, SAMPLES / name, SAMPLES / name)
    assert metrics["identical"] is True and metrics["ssim"]["mean"] == 1


def test_pictures_are_compared_upright(tmp_path):
    """As the processor image writes them."""
    source = SAMPLES / "landscape_exif6.jpg"
    assert run("image", tmp_path, input=str(source), output="out.png").code == 0
    for pair in ((source, "out.png"), ("out.png", source)):
        assert measured(tmp_path, *pair)["psnr"]["mean"] > 35


def test_what_it_is_tells_the_content_and_not_the_name(tmp_path):
    (tmp_path / "a.jpg").write_bytes(COFFEE.read_bytes())
    (tmp_path / "b%03d").write_bytes(COFFEE.read_bytes())
    assert measured(tmp_path, "a.jpg", "b%03d")["identical"] is True


def test_what_a_camera_puts_behind_it_is_no_second_frame(tmp_path):
    for name, more in (("preview", ROCKET.read_bytes()), ("film", (SAMPLES / "bear_vp9_161x121.webm").read_bytes())):
        (tmp_path / f"{name}.jpg").write_bytes(ROCKET.read_bytes() + more)
        assert measured(tmp_path, ROCKET, f"{name}.jpg")["identical"] is True


def refused(folder, reference, distorted, *words, **params):
    done = run("quality", folder, reference=str(reference), distorted=str(distorted), **params)
    assert done.code == 65 and all(word in done.error for word in words), done.error
    assert "metrics" not in done.result


def test_another_size_is_refused_or_scaled(tmp_path):
    Image.open(COFFEE).convert("RGB").resize((300, 200), Image.LANCZOS).save(tmp_path / "half.png")
    refused(tmp_path, COFFEE, "half.png", "600x400", "300x200", "align scale")
    assert measured(tmp_path, COFFEE, "half.png", align="scale")["psnr"]["mean"] > 25


@pytest.mark.parametrize("ending,options", [("jpg", {"quality": 90}), ("jpg", {"quality": 90, "progressive": True}),
                                            ("png", {}), ("webp", {}), ("webp", {"lossless": True})])
def test_what_is_cut_off_is_named(tmp_path, ending, options):
    exif = Image.Exif()
    exif[0x010e] = "a title"
    Image.open(ROCKET).save(tmp_path / f"whole.{ending}", exif=exif, **options)
    data = (tmp_path / f"whole.{ending}").read_bytes()
    for part in (0.02, 0.3, 0.7, 0.99):
        (tmp_path / "cut").write_bytes(data[:int(len(data) * part)])
        refused(tmp_path, f"whole.{ending}", "cut", "distorted ")
        refused(tmp_path, "cut", f"whole.{ending}", "reference ")


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_without_its_end_mark_is_cut_off(tmp_path, progressive):
    """Between two scans, or behind all of them: nothing is missing in what is there."""
    Image.open(ROCKET).save(tmp_path / "whole.jpg", progressive=progressive)
    data = (tmp_path / "whole.jpg").read_bytes()
    for end in {data.rindex(b"\xff\xda"), data.rindex(b"\xff\xd9")} if progressive else {data.rindex(b"\xff\xd9")}:
        (tmp_path / "cut.jpg").write_bytes(data[:end])
        refused(tmp_path, "whole.jpg", "cut.jpg", "distorted is damaged or cut off", "without its end")


def test_a_small_file_that_claims_many_pixels_takes_little_memory(tmp_path):
    """Also in the decoder that libavformat looks at it with."""
    (tmp_path / "short.png").write_bytes(odd_files.png(16000, 16000))
    done = run("quality", tmp_path, reference="short.png", distorted="short.png")
    assert done.code == 65 and "more than 100000000 pixels" in done.error and done.rss_kb < every_file.RSS_KB_MAX


def test_a_picture_is_no_video(tmp_path):
    refused(tmp_path, SAMPLES / "bbb_480p24_8s.mp4", COFFEE, align="both")
    done = run("video", tmp_path, mode="probe", input=str(COFFEE))
    assert done.code == 65 and "is no video" in done.error
