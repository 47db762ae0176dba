"""Pictures that are to be turned and mirrored, by every display matrix; ffmpeg turns by it too and is the judge."""
import struct
import subprocess

import pytest
from processor import ffprobe, run

EXACT = {"preset": "ultrafast", "crf": 0, "audio": "none"}  # without loss
ONE = 1 << 16
# Shown x' = a x + c y, y' = b x + d y.
QUARTERS = {"none": (1, 0, 0, 1), "clock": (0, 1, -1, 0), "half": (-1, 0, 0, -1), "counter": (0, -1, 1, 0),
            "mirrored": (-1, 0, 0, 1), "upside": (1, 0, 0, -1), "transposed": (0, 1, 1, 0),
            "other-diagonal": (0, -1, -1, 0)}
OTHERS = {"eighth": (0.7071, 0.7071, -0.7071, 0.7071), "sheared": (1, 0.5, 0, 1), "ten-degrees": (0.985, 0.174, -0.174, 0.985),
          "flat": (1, 0, 0, 0)}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Three pictures without any symmetry."""
    path = tmp_path_factory.mktemp("plain") / "plain.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=0.12", "-c:v", "libx264",
                    "-crf", "0", path], check=True)
    return path.read_bytes()


def with_matrix(path, data, abcd):
    """Where it stands in the box tkhd (ISO/IEC 14496-12, 8.3.2): a b u c d v x y w."""
    a, b, c, d = (round(value * ONE) for value in abcd)
    at = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8
    path.write_bytes(data[:at] + struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30) + data[at + 36:])
    return path


def sums(path, *words):
    done = subprocess.run(["ffmpeg", "-v", "error", *words, "-i", path, "-f", "framemd5", "-"], capture_output=True, text=True,
                          check=True)
    return [line.split(",")[-1].strip() for line in done.stdout.splitlines() if line[0] != "#"]


def stream(path):
    return ffprobe(path, "-show_streams")["streams"][0]


@pytest.mark.parametrize("name", QUARTERS)
def test_quarter_turns_and_mirrors(tmp_path, plain, name):
    source = with_matrix(tmp_path / "in.mp4", plain, QUARTERS[name])
    done = run("video", tmp_path, input="in.mp4", output="out.mp4", **EXACT)
    assert done.code == 0, done.error
    sideways = QUARTERS[name][0] == 0
    assert (stream(tmp_path / "out.mp4")["width"], stream(tmp_path / "out.mp4")["height"]) == ((64, 96) if sideways else (96, 64))
    assert sums(tmp_path / "out.mp4") == sums(source) and "side_data_list" not in stream(tmp_path / "out.mp4")
    video = done.result["media"]["input"]["video"]
    a, b, c, d = QUARTERS[name]
    assert video["mirrored"] is (a * d - b * c < 0)
    assert (video["shown_width"], video["shown_height"]) == ((64, 96) if sideways else (96, 64))
    judged = run("quality", tmp_path, reference="in.mp4", distorted="out.mp4")
    assert judged.result["metrics"]["identical"] is True, judged.error


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_quarter_is_left_to_the_player(tmp_path, plain, name):
    """The matrix goes with the pictures, which stay as they are: for all processors alike."""
    source = with_matrix(tmp_path / "in.mp4", plain, OTHERS[name])
    done = run("video", tmp_path, input="in.mp4", output="out.mp4", **EXACT)
    assert done.code == 0, done.error
    assert sums(tmp_path / "out.mp4", "-noautorotate") == sums(source, "-noautorotate")
    matrices = [stream(path)["side_data_list"][0]["displaymatrix"] for path in (source, tmp_path / "out.mp4")]
    assert matrices[0] == matrices[1]
    video = done.result["media"]["input"]["video"]
    assert (video["shown_width"], video["shown_height"]) == (96, 64)
    judged = run("quality", tmp_path, reference="in.mp4", distorted="out.mp4")
    assert judged.result["metrics"]["identical"] is True, judged.error


def test_a_crop_wants_what_can_be_turned(tmp_path, plain):
    with_matrix(tmp_path / "in.mp4", plain, OTHERS["eighth"])
    done = run("video", tmp_path, input="in.mp4", output="out.mp4", crop="32x32+0+0")
    assert done.code == 64 and "params.crop" in done.error and "display matrix" in done.error
