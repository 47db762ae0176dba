"""Parameters of a processor's job from the command line: --param and --params-file."""
import json

import pytest
from daemon import Daemon

VIDEO = {"input": "a.mp4", "output": "b.mp4", "crf": 23, "fps": 25.5}
IMAGES = {"input": ["a.png", "b.png"], "output": "small", "scale": 0.5, "sharpen": True}


@pytest.fixture(scope="module")
def one():
    with Daemon() as daemon:
        yield daemon


def written(folder, values, name="params.json"):
    (folder / name).write_text(values if isinstance(values, str) else json.dumps(values))
    return str(folder / name)


def submit(daemon, folder, kind, *words, **more):
    return daemon.ctl("submit", "-q", "--hold", "-C", str(folder), "--type", kind, *words, **more)


def params_of(daemon, done):
    assert done.returncode == 0, done.stderr
    return daemon.job(int(done.stdout))["params"]


def refused(daemon, done, code, *words):
    assert done.returncode == code and done.stdout == "", done
    for word in words:
        assert word in done.stderr, done.stderr
    assert done.stderr.startswith("batchctl: ") and done.stderr.count("\n") <= 2


def test_each_has_its_own_type(one, tmp_path):
    for kind, values in (("video", VIDEO), ("image", IMAGES)):
        made = params_of(one, submit(one, tmp_path, kind, "--params-file", written(tmp_path, values)))
        assert values.items() <= made.items()
        again = submit(one, tmp_path, kind, "--params-file", "-", input=json.dumps(values))
        assert params_of(one, again) == made


def test_what_param_says_goes_before_wherever_it_stands(one, tmp_path):
    path = written(tmp_path, VIDEO)
    for words in (["--params-file", path, "--param", "crf=30"], ["--param", "crf=30", "--params-file", path]):
        assert {**VIDEO, "crf": 30}.items() <= params_of(one, submit(one, tmp_path, "video", *words)).items()
    made = submit(one, tmp_path, "image", "--params-file", written(tmp_path, IMAGES), "--param", "input=c.png")
    assert params_of(one, made)["input"] in ("c.png", ["c.png"])  # the whole list is another one


def test_of_several_files_the_last_says_it(one, tmp_path):
    words = [word for name, values in (("first", VIDEO), ("second", {"crf": 40, "preset": "slow"}))
             for word in ("--params-file", written(tmp_path, values, name))]
    assert {**VIDEO, "crf": 40, "preset": "slow"}.items() <= params_of(one, submit(one, tmp_path, "video", *words)).items()


def test_of_a_schedule(one, tmp_path):
    path = written(tmp_path, VIDEO)
    words = ["-C", str(tmp_path), "--type", "video", "--params-file", path]
    added = one.ctl("cron", "add", "nightly", "--at", "@daily", "--hold", *words)
    assert added.returncode == 0, added.stderr
    edited = one.ctl("cron", "edit", "nightly", *words, "--param", "crf=31")
    assert edited.returncode == 0, edited.stderr
    assert {**VIDEO, "crf": 31}.items() <= params_of(one, one.ctl("cron", "run", "nightly")).items()
    refused(one, one.ctl("cron", "list", "--params-file", path), 2, "takes no options of a job")
    refused(one, one.ctl("cron", "edit", "nightly", "--params-file", path), 2, "--params-file goes with --type")


@pytest.mark.parametrize("text,words", [
    ("", ["line 1, column 0: not valid JSON"]),
    ('{"crf": 23,\n "fps": }', ["line 2, column 9: not valid JSON", "near '}'"]),
    ('{"crf": 1, "crf": 2}', ["duplicate"]), ('{"crf": 1} x', ["line 1", "not valid JSON"]),
    ('[{"crf": 1}]', ["must be a JSON object of parameters"]), ("23", ["must be a JSON object of parameters"]),
    ("null", ["must be a JSON object of parameters"]), ("[" * 17 + "]" * 17, ["nested at most 16 deep"]),
    ("[" + "1," * 70000 + "1]", ["at most 65536 values"]), (" " * ((1 << 20) + 1), ["more than 1.0M"]),
    ('{"crf": 1e999}', ["overflow"]), ('{"crf": \x1b[31m}', ["line 1", "near '?'"]),
], ids=range(12))
def test_a_file_that_is_none(one, tmp_path, text, words):
    path = written(tmp_path, text)
    refused(one, submit(one, tmp_path, "video", "--params-file", path), 2, f"--params-file {path}: ", *words)


def test_a_file_that_cannot_be_read(one, tmp_path):
    for path, rule in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory"), ("/dev/zero", "more than 1.0M")):
        refused(one, submit(one, tmp_path, "video", "--params-file", str(path)), 2, f"--params-file {path}: ", rule)


@pytest.mark.parametrize("values,words", [
    ({"crf": 99}, ["params.crf", "99", "63"]), ({"crf": "23"}, ["params.crf", "integer"]),
    ({"outptu": "c.mp4"}, ["params.outptu", "did you mean output?"]), ({"codec": "theora"}, ["params.codec", "h264"]),
    ({"at": 3}, ["params.at"]),
])
def test_what_a_file_says_wrong_is_told_with_its_name(one, tmp_path, values, words):
    path = written(tmp_path, {**VIDEO, **values})
    refused(one, submit(one, tmp_path, "video", "--params-file", path), 1, f"--params-file {path}: ", *words)


def test_of_several_files_the_one_that_says_it_wrong_is_told(one, tmp_path):
    wrong, other, again = (written(tmp_path, values, name) for values, name in (
        ({**VIDEO, "crf": 99}, "a.json"), ({"preset": "slow"}, "b.json"), ({"crf": 98}, "c.json")))
    odd = written(tmp_path, {"crf": 97}, "\udcff.json")  # no UTF-8
    for words, path in (([wrong, other], wrong), ([other, wrong], wrong), ([wrong, again, other], again),
                        ([wrong, odd, other], odd)):
        done = submit(one, tmp_path, "video", *(word for file in words for word in ("--params-file", file)),
                      errors="surrogateescape")
        refused(one, done, 1, f"--params-file {path}: params.crf")


@pytest.mark.parametrize("options", [
    ["params-file", "params-file"], ["params-file", "each-line"], ["each-json", "params-file"],
    ["file", "params-file"], ["graph", "each-line"], ["file", "file"],
], ids=" ".join)
def test_one_alone_reads_standard_input(one, tmp_path, options):
    done = submit(one, tmp_path, "video", *(word for name in options for word in (f"--{name}", "-")), input=json.dumps(VIDEO))
    refused(one, done, 2, "--{} - and --{} -: one alone can read standard input".format(*options))


def test_what_it_does_not_say_is_not_told_with_its_name(one, tmp_path):
    for values, words in ((VIDEO, ["--param", "crf=99"]), ({"output": "b.mp4"}, [])):
        path = written(tmp_path, values)
        done = submit(one, tmp_path, "video", "--params-file", path, *words)
        refused(one, done, 1, "params.crf" if words else "params.input")
        assert path not in done.stderr


def test_it_goes_with_a_type(one, tmp_path):
    path = written(tmp_path, {})
    refused(one, one.ctl("submit", "--params-file", path, "true"), 2, "--params-file goes with --type")
    refused(one, one.ctl("submit", "--file", path, "--params-file", path), 2, "--params-file")
    refused(one, submit(one, tmp_path, "none", "--params-file", path), 4, "none")


def test_a_request_that_becomes_too_large_says_so(one, tmp_path):
    path = written(tmp_path, {"input": "x" * ((1 << 20) - 100), "output": "b.mp4"})
    refused(one, submit(one, tmp_path, "video", "--params-file", path), 1, f"--params-file {path}: ", "params.input")
    many = written(tmp_path, {"input": [f"{i:095}.png" for i in range(9900)], "output": "small"})
    done = submit(one, tmp_path, "image", "--params-file", many, "--env", "MUCH=" + "x" * 60000)
    refused(one, done, 1, "1048576")


def test_only_to_ask_whether_it_would_be_taken(one, tmp_path):
    done = one.ctl("submit", "--test", "-C", str(tmp_path), "--type", "video", "--params-file", written(tmp_path, VIDEO))
    assert done.returncode == 0 and done.stdout == "The job would be taken\n", done.stderr
