"""Job types: how they are found and told, and the examples of processors/README.md."""
import collections
import hashlib
import json
import re
import shlex
import shutil
import subprocess

import pytest
import serving
from daemon import ROOT, wait_until
from processor import SAMPLES


@pytest.fixture
def example(make_daemon, tmp_path):
    """A daemon that finds the examples of the README, and the folder with its processors."""
    folder = tmp_path / "processors"
    text = (ROOT / "processors/README.md").read_text()
    for name, body in re.findall(r"<!-- example: (\S+) -->\n```\w+\n(.*?)```", text, re.S):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(body)
        (folder / name).chmod(0o755)
    daemon = make_daemon(config=f'[processors]\npath = "{folder}"\n')
    daemon.start()
    return daemon, folder


def submit(daemon, tmp_path, *options, kind="wordcount", **params):
    words = [w for k, v in params.items() for w in ("--param", f"{k}={v}")]
    return daemon.ctl("submit", "--type", kind, "-C", str(tmp_path), *words, *(options or ["--wait"]))


def result_of(daemon, done):
    return json.loads(daemon.ctl("show", "--json", done.stdout.split()[0]).stdout)["result"]


def facts(path):
    return {"path": path.name, "bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def test_the_example_of_the_readme_works(example, tmp_path):
    daemon, _ = example
    (tmp_path / "in.txt").write_text("b a c a b a")
    done = submit(daemon, tmp_path, input="in.txt", output="out.txt", top=2)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.txt").read_text().split() == ["3", "a", "2", "b"]
    job = json.loads(daemon.ctl("show", "--json", done.stdout.strip()).stdout)
    assert job["result"]["outputs"] == [{
        "path": "out.txt", "bytes": (tmp_path / "out.txt").stat().st_size,
        "sha256": hashlib.sha256((tmp_path / "out.txt").read_bytes()).hexdigest()}]


def test_the_example_fails_as_the_contract_says(example, tmp_path):
    daemon, _ = example
    (tmp_path / "empty").write_text("")
    for name, code, words in (("absent", 66, "cannot be read"), ("empty", 65, "is empty")):
        done = submit(daemon, tmp_path, input=name, output="out.txt")
        assert done.returncode == code and words in done.stderr, (
            done.stderr, daemon.ctl("logs", done.stdout.strip()).stderr)
    assert not (tmp_path / "out.txt").exists()
    assert not [p for p in tmp_path.iterdir() if p.name.endswith(".part")]


def test_the_example_leaves_when_it_is_told_to_and_tidies_up(example, tmp_path):
    daemon, _ = example
    with open(tmp_path / "long", "wb") as file:
        file.truncate(1 << 38)  # a hole: it is read for a long time
    done = submit(daemon, tmp_path, "--max-attempts", "1", input="long", output="out.txt")
    ident = done.stdout.strip()
    wait_until(lambda: list(tmp_path.glob(".out.txt.batchd-*.part")))
    (tmp_path / ".out.txt.batchd-77-1.part").write_text("another job's")
    assert daemon.ctl("signal", "TERM", ident).returncode == 0
    job = daemon.wait(int(ident))[0]
    assert (job["state"], job["outcome"]["exit_code"]) == ("failed", 75)
    assert hidden(tmp_path) == [".out.txt.batchd-77-1.part"] and not (tmp_path / "out.txt").exists()


def test_the_example_removes_what_its_earlier_attempts_left(example, tmp_path):
    daemon, _ = example
    (tmp_path / "in.txt").write_text("a")
    (tmp_path / ".out.txt.batchd-1-7.part").write_text("left by an attempt that was killed")
    done = submit(daemon, tmp_path, input="in.txt", output="out.txt")
    assert done.returncode == 0 and hidden(tmp_path) == []
    assert result_of(daemon, done)["settings"] == {"input": "in.txt", "output": "out.txt", "top": 3}


# ---- the one in Python

def test_the_python_example_works(example, tmp_path):
    daemon, _ = example
    (tmp_path / "in").write_text("pears 1\napples 3\npears -4\n")
    done = submit(daemon, tmp_path, kind="tally", input="in", output="out")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out").read_text() == "apples 3\npears -3\n"
    result = result_of(daemon, done)
    assert result["inputs"] == [facts(tmp_path / "in")] and result["outputs"] == [facts(tmp_path / "out")]
    assert result["metrics"] == {"lines": 3, "lines_before": 0} and result["partial"] is False
    assert result["settings"] == {"input": "in", "output": "out", "interval": 10}
    assert hidden(tmp_path) == []


def hidden(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("name, output, code, field, words", (
    ("absent", "out", 66, "params.input", 'input "absent" cannot be read: No such file'),
    ("in", "no/out", 73, "params.output", 'output "no/out" cannot be written: No such file'),
    ("in", "in", 64, "params.output", "output is the input"),
    ("bad", "out", 65, None, "line 2 is not a word and a number: b'apples\\n'"),
))
def test_the_python_example_fails_as_the_contract_says(example, tmp_path, name, output, code, field, words):
    daemon, _ = example
    (tmp_path / "in").write_text("pears 1\n")
    (tmp_path / "bad").write_text("pears 1\napples\n")
    done = submit(daemon, tmp_path, kind="tally", input=name, output=output)
    assert done.returncode == code, done.stderr
    error = result_of(daemon, done)["error"]
    assert words in error["message"] and (error["field"], error["exit_code"]) == (field, code)
    assert words in daemon.ctl("logs", done.stdout.split()[0]).stderr
    assert not (tmp_path / "out").exists() and hidden(tmp_path) == []


def lines_of(count):
    return [f"word{i * 7919 % 1009} {i % 13}" for i in range(count)]


def sums_of(lines):
    sums = collections.Counter()
    for line in lines:
        word, number = line.split()
        sums[word] += int(number)
    return "".join(f"{word} {sums[word]}\n" for word in sorted(sums))


def interrupted(daemon, tmp_path):
    """A job that is told to end once it has a checkpoint; its id, when its next attempt has ended."""
    done = submit(daemon, tmp_path, "--backoff", "1ms", kind="tally", input="in", output="out", interval=0.1)
    ident = int(done.stdout)
    wait_until(lambda: daemon.job(ident)["checkpoint"] is not None)
    daemon.ctl("signal", "--main", "TERM", str(ident))
    return ident, daemon.wait(ident, seconds=60)[0]


def test_the_python_example_goes_on_where_it_was(example, tmp_path):
    daemon, _ = example
    lines = lines_of(1500000)
    (tmp_path / "in").write_text("\n".join(lines) + "\n")
    ident, job = interrupted(daemon, tmp_path)
    assert job["state"] == "completed" and job["attempt"] == 2, job
    result = job["result"]
    assert result["checkpoints"]["reused"] == 1 and result["metrics"]["lines"] == len(lines)
    told = re.search(r"told to end by signal 15, after line (\d+)",
                     daemon.ctl("logs", "--attempt", "1", str(ident)).stderr)
    assert result["metrics"]["lines_before"] == int(told[1]) > 0  # not a line twice
    assert (tmp_path / "out").read_text() == sums_of(lines)
    assert hidden(tmp_path) == []


@pytest.mark.long
def test_the_python_example_begins_anew_with_another_input(example, tmp_path):
    daemon, folder = example
    (tmp_path / "in").write_text("\n".join(lines_of(1500000)) + "\n")
    program = folder / "tally/tally"
    # The input is another one when the second attempt looks at it.
    program.write_text(program.read_text().replace(
        "def begin(source):\n", "def begin(source):\n    if 'BATCHD_CHECKPOINT' in os.environ:\n"
        "        os.utime(source.name, (1, 1))\n"))
    _, job = interrupted(daemon, tmp_path)
    assert job["state"] == "completed" and job["attempt"] == 2, job
    assert job["result"]["checkpoints"]["reused"] == 0 and job["result"]["metrics"]["lines_before"] == 0
    assert (tmp_path / "out").read_text() == sums_of(lines_of(1500000))


def test_list_and_show(example):
    daemon, folder = example
    (folder / "broken").mkdir()
    (folder / "broken/manifest.json").write_text('{"name": "broken"}')
    (folder / "no-manifest").mkdir()
    found = {p["name"]: p for p in json.loads(daemon.ctl("processors", "list", "--json").stdout)}
    assert set(found) >= {"broken", "video", "wordcount"} and "no-manifest" not in found
    assert found["wordcount"]["program"] == f"{folder}/wordcount/wordcount"
    assert "version must be a string" in found["broken"]["problem"]
    assert found["video"]["problem"] is None
    table = daemon.ctl("processors").stdout
    assert "the most frequent words of a text" in table and "version must be" in table
    assert re.search(r"^Sandbox: (landlock \d+|no landlock), (no )?seccomp$", table, re.M)
    shown = daemon.ctl("processors", "show", "video").stdout
    assert re.search(r"^crf int \(0\.\.63\)\n    constant quality", shown, re.M)
    assert re.search(r"^input path \(required\)\n", shown, re.M)


def test_the_example_that_show_gives_is_one(example):
    daemon, _ = example
    for name in ("image", "interpolate", "quality", "video"):
        shown = daemon.ctl("processors", "show", name).stdout
        words = shlex.split(re.search(r"^Example: batchctl (.*)", shown, re.M | re.S)[1].replace("\\\n", ""))
        assert words[:3] == ["submit", "--type", name] and "INPUT" not in words
        done = daemon.ctl(words[0], "--test", *words[1:])
        assert done.returncode == 0 and "would be taken" in done.stdout, (words, done)
    assert "factor=2" in daemon.ctl("processors", "show", "interpolate").stdout


def test_an_example_is_for_the_shell(example):
    daemon, folder = example
    value = "it's [1] of $HOME; *.mp4"
    serving.install(folder, "quoted", params=[{"name": "input", "type": "string", "required": True, "example": value}])
    shown = daemon.ctl("processors", "show", "quoted").stdout
    line = re.search(r"^Example: batchctl (.*)", shown, re.M | re.S)[1].replace("\\\n", "").strip()
    words = subprocess.run(["sh", "-c", f"printf '%s\\n' {line}"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert words == ["submit", "--type", "quoted", "--param", f"input={value}"]


def test_what_a_mode_has_no_use_for_is_refused(example):
    """Somebody gave it, and meant something."""
    daemon, _ = example
    for mode, output, param in (("transcode", "out.mp4", "at=3"), ("thumbnail", "out.jpg", "crf=20"), ("thumbnail", "out.jpg", "fps=20"),
                                ("probe", None, "width=160"), ("probe", None, "height=90"), ("probe", None, "crop=16x16+0+0"),
                                ("probe", None, "at=1"), ("probe", None, "crf=20"), ("probe", None, "fps=20")):
        more = [] if output is None else ["--param", f"output={output}"]
        done = daemon.ctl("submit", "--test", "--type", "video", "--param", "input=in.mp4", "--param", f"mode={mode}", *more, "--param", param)
        assert done.returncode == 1, (mode, param)
        assert f"params.{param.split('=')[0]} is given; it is not allowed with mode {mode}" in done.stderr


def test_show_fits_a_terminal_and_is_tame(example):
    daemon, folder = example
    (folder / "evil").mkdir()
    (folder / "evil/manifest.json").write_text(json.dumps({
        "name": "evil", "version": "1", "summary": "\x1b[31mred \u009b32m", "licence": "MIT", "exec": "evil",
        "params": [{"name": "part", "type": "number", "min": 0.1, "max": 2, "default": 0.3,
                    "help": "\x1b[1m" + "word " * 40}]}))
    (folder / "evil/evil").write_text("#!/bin/sh\n")
    (folder / "evil/evil").chmod(0o755)
    for name in ("image", "video", "quality", "evil"):
        done = daemon.ctl("processors", "show", name)
        assert done.returncode == 0, done.stderr
        lines = [line for line in done.stdout.splitlines() if not line.startswith("program: ")]
        assert max(map(len, lines)) <= 80 and all(line == line.rstrip() for line in lines), done.stdout
        assert "00000000" not in done.stdout
    assert "part number (0.1..2; default 0.3)\n    ?[1mword word" in done.stdout
    for text in (done.stdout, daemon.ctl("processors").stdout):
        assert "?[31mred ?32m" in text and not re.search("[\x1b\x80-\x9f]", text), text


def test_unknown_and_broken_types(example):
    daemon, folder = example
    done = daemon.ctl("processors", "show", "vidoe")
    assert done.returncode == 4 and "did you mean video?" in done.stderr
    done = daemon.ctl("submit", "--type", "../video")
    assert done.returncode == 4 and 'no processor "../video"' in done.stderr
    (folder / "broken").mkdir()
    (folder / "broken/manifest.json").write_text("{")
    done = daemon.ctl("submit", "--type", "broken")
    assert done.returncode == 1 and "broken/manifest.json" in done.stderr
    assert daemon.ctl("processors", "drop").returncode == 2
    assert not daemon.jobs()


def test_values_are_typed_by_the_manifest(example, tmp_path):
    daemon, _ = example
    (tmp_path / "2024").write_text("a b a")
    done = submit(daemon, tmp_path, input="2024", output="true", top=1)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "true").read_text().split() == ["2", "a"]
    done = submit(daemon, tmp_path, input="2024", output="x", top="many")
    assert done.returncode == 1 and 'params.top is "many"; it must be an integer' in done.stderr


def test_a_list_may_be_given_one_by_one(example, tmp_path):
    """And what is none does not lose the first value silently."""
    daemon, folder = example
    (folder / "echo").mkdir()
    (folder / "echo/manifest.json").write_text(json.dumps({
        "name": "echo", "version": "1", "summary": "s", "exec": "echo",
        "params": [{"name": "input", "type": "paths"}, {"name": "kinds", "type": "words", "enum": ["a", "b"]},
                   {"name": "top", "type": "int"}]}))
    (folder / "echo/echo").write_text("#!/bin/sh\nexec cat\n")
    (folder / "echo/echo").chmod(0o755)
    words = [word for value in ("input=x", "kinds=b", "input=y,z", "kinds=a,b") for word in ("--param", value)]
    for count, kinds in ((6, ["b"]), (8, None)):
        done = daemon.ctl("submit", "--type", "echo", "-C", str(tmp_path), *words[:count], "--wait")
        if kinds is None:
            assert done.returncode == 1 and 'params.kinds is "a,b"; it must be one of a, b' in done.stderr
            continue
        assert done.returncode == 0, done.stderr
        assert daemon.job(int(done.stdout.split()[0]))["params"] == {"input": ["x", "y,z"], "kinds": kinds}
    done = daemon.ctl("submit", "--type", "echo", "--param", "top=1", "--param", "top=2")
    assert done.returncode == 2 and "--param top is given 2 times; it takes one value" in done.stderr


def test_a_batch_that_is_done_says_nothing_of_its_checkpoints(daemon, tmp_path):
    """The last line names a file that the processor then has done with."""
    for name in ("a.png", "b.png"):
        shutil.copy(SAMPLES / "pngsuite_tbgn2c16.png", tmp_path / name)
    done = daemon.ctl("submit", "--type", "image", "-C", str(tmp_path), "--param", "input=*.png",
                      "--param", "output=out", "--wait")
    assert done.returncode == 0, done.stderr
    job = daemon.job(int(done.stdout.split()[0]))
    assert job["state"] == "completed" and job["note"] is None
    assert sorted(path.name for path in tmp_path.glob("**/*.png")) == ["a.png", "a.png", "b.png", "b.png"]


@pytest.mark.parametrize("option", ["--param", "--tag"])
def test_names_that_are_no_text_are_refused(daemon, option):
    done = daemon.ctl("submit", "--type", "video", option, b"n\xffme=1", errors="replace")
    assert done.returncode == 2 and f"{option}: the name in" in done.stderr


@pytest.mark.parametrize("words,said", [
    (["--type", "video", "input=a.mp4"], '"input=a.mp4" is in the place of a command; a parameter is --param input=a.mp4'),
    (["--param", "input=a.mp4"], "--param goes with --type\nhint: batchctl processors list"),
    (["--param", "input=a.mp4", "--", "true"], "--param goes with --type\nhint: batchctl processors list"),
    (["--type", "video", "--", "true"], "give exactly one of a command, --shell and --type")])
def test_what_is_in_the_wrong_place_is_told(daemon, words, said):
    done = daemon.ctl("submit", *words)
    assert done.returncode == 2 and done.stderr.startswith(f"batchctl: {said}")
