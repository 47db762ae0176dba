"""Every file through every processor (a part of it; the whole is make every-file): what comes out is judged by ffprobe
and Pillow, and what cannot be read ends with one line that says why, in little memory, and leaves nothing behind."""
import every_file
import odd_files
import pytest
from every_file import OPERATIONS, SHARED_FILES, outcome_fault
from processor import SAMPLES, SHARED
from rights import as_others

PARTS = 8
SAN_PARTS = 1  # of them with the sanitizers, under which each run takes three times as long
# What other tests do not do with them already.
CHOSEN = {"video": ("thumbnail", "interpolate", "resize"), "photo": ("transcode",),
          "broken": ("thumbnail", "interpolate", "quality", "resize")}
SLOW = ("bbb_", "long_", "phone_")
PAIRS = [(name, operation) for name in SHARED_FILES for operation in CHOSEN[name.split("/")[0]]
         if not any(word in name for word in SLOW)]


def part_of(pairs, number):
    return pairs[number::PARTS]


def faults(tmp_path, pairs):
    return [f"{path}, {operation}: {wrong}" for path, known, operation in pairs
            if (wrong := outcome_fault(tmp_path / "work", operation, path, known))]


parts = pytest.mark.parametrize("number", [
    number if number < SAN_PARTS else pytest.param(number, marks=pytest.mark.long) for number in range(PARTS)])


@parts
def test_real_files(tmp_path, number):
    if not SHARED.exists():
        pytest.skip(f"{SHARED} is not there")
    assert not faults(tmp_path, [(SHARED / name, SHARED_FILES[name], operation)
                                 for name, operation in part_of(PAIRS, number)])


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    return folder, odd_files.make(folder)


def two_operations(number):
    """Of every file one of each kind, another one for each."""
    video, picture = ("probe", "transcode", "thumbnail", "interpolate", "quality"), ("resize", "convert", "enhance")
    return video[number % len(video)], picture[number % len(picture)]


@parts
def test_odd_files(tmp_path, odd, number):
    folder, files = odd
    pairs = [(folder / name, known, operation) for count, (name, known) in enumerate(files.items())
             for operation in two_operations(count)]
    assert not faults(tmp_path, part_of(pairs, number))


@pytest.mark.parametrize("operation", ["probe", "quality", "resize"])
def test_a_file_that_may_not_be_read(tmp_path, operation):
    source = tmp_path / "locked"
    source.write_bytes((SAMPLES / "coffee.png").read_bytes())
    source.chmod(0)
    one, wrong = as_others(lambda: every_file.end(tmp_path / "work", operation, source))
    assert wrong is None and one.code == 66 and "Permission denied" in one.error


def test_the_table_names_every_file():
    if not SHARED.exists():
        pytest.skip(f"{SHARED} is not there")
    there = {str(path.relative_to(SHARED)) for path in SHARED.glob("*/*")}
    assert there == set(SHARED_FILES)
    assert {operation for _, operation in PAIRS} <= set(OPERATIONS)
