"""Job types: how they are found and told, and the example of processors/README.md."""
import hashlib
import json
import re

import pytest
from daemon import ROOT


@pytest.fixture
def example(make_daemon, tmp_path):
    """A daemon that finds the example of the README, and the folder with its processors."""
    folder = tmp_path / "processors"
    (folder / "wordcount").mkdir(parents=True)
    text = (ROOT / "processors/README.md").read_text()
    for name, body in re.findall(r"<!-- example: (\S+) -->\n```\w+\n(.*?)```", text, re.S):
        (folder / "wordcount" / name).write_text(body)
    (folder / "wordcount/wordcount").chmod(0o755)
    daemon = make_daemon(config=f'[processors]\npath = "{folder}"\n')
    daemon.start()
    return daemon, folder


def submit(daemon, tmp_path, **params):
    words = [w for k, v in params.items() for w in ("--param", f"{k}={v}")]
    return daemon.ctl("submit", "--type", "wordcount", "-C", str(tmp_path), *words, "--wait")


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
    assert re.search(r"^crf int \(0\.\.51; default 23\)\n    constant quality", shown, re.M)
    assert re.search(r"^input path \(required\)\n", shown, re.M)


def test_show_fits_a_terminal_and_is_tame(example):
    daemon, folder = example
    (folder / "evil").mkdir()
    (folder / "evil/manifest.json").write_text(json.dumps({
        "name": "evil", "version": "1", "summary": "\x1b[31mred \u009b32m", "licence": "MIT", "exec": "evil",
        "params": [{"name": "part", "type": "number", "min": 0.1, "max": 2, "default": 0.3,
                    "help": "\x1b[1m" + "word " * 40}]}))
    (folder / "evil/evil").write_text("#!/bin/sh\n")
    (folder / "evil/evil").chmod(0o755)
    for name in ("image", "video", "evil"):
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


@pytest.mark.parametrize("option", ["--param", "--tag"])
def test_names_that_are_no_text_are_refused(daemon, option):
    done = daemon.ctl("submit", "--type", "video", option, b"n\xffme=1", errors="replace")
    assert done.returncode == 2 and f"{option}: the name in" in done.stderr
