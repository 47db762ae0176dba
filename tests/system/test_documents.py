"""What is written down is what the programs do: the example of the settings, the manual, the
interface files, and the errors of a wrong setting."""
import re
import subprocess

import pytest
from daemon import OUT, ROOT, Refused


def batchd(*words):
    return subprocess.run([OUT / "batchd", *words], capture_output=True, text=True, timeout=20, check=False)



def options(text):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", re.sub(r"(.)\x08", "", text)))


def plain(name):
    done = subprocess.run(["mandoc", "-Tutf8", OUT / "man" / name], capture_output=True, text=True, check=True)
    return re.sub(r".\x08", "", done.stdout)


def test_example_is_the_table():
    assert (ROOT / "config.example.toml").read_text() == batchd("--print-config=example").stdout


def test_example_uncommented_is_the_default(tmp_path):
    text = re.sub(r"^#(\w)", r"\1", (ROOT / "config.example.toml").read_text(), flags=re.M)
    (tmp_path / "all.toml").write_text(text)
    (tmp_path / "none.toml").write_text("")
    shown = [batchd("--state", tmp_path / "s", "--config", tmp_path / name, "--print-config")
             for name in ("all.toml", "none.toml")]
    assert shown[0].stdout == shown[1].stdout != ""
    assert shown[0].returncode == 0, shown[0].stderr


@pytest.mark.parametrize("text,place,words", [
    ("[workers]\nmaxx = 3\n", "2:1", ['unknown key "workers.maxx"', 'did you mean "workers.max"']),
    ("[wrokers]\nmax = 3\n", "1:2", ['unknown table "wrokers"', 'did you mean "workers"']),
    ("colour = 3\n", "1:1", ['unknown key "colour"']),
    ("[workers]\n\n  max = \"three\"\n", "3:9", ["workers.max", "whole number"]),
    ("[workers]\nmax = 5000\n", "2:7", ["workers.max is 5000", "from 0 to 4096"]),
    ("[workers]\nmax = -1\n", "2:7", ["workers.max", "not negative"]),
    ("[workers]\nmax = 1.5\n", "2:7", ["workers.max", "whole number"]),
    ("[workers]\nstop_grace = \"10 parsecs\"\n", "2:14", ["workers.stop_grace", "10 parsecs"]),
    ("[store]\ncache = \"1k\"\n", "2:9", ["store.cache is 1.0K", "from 256.0K to 4.0G"]),
    ("[daemon]\nlog_level = \"loud\"\n", "2:13", ["daemon.log_level", "loud", "error warning info debug"]),
    ("[daemon]\nlog_level = 3\n", "2:13", ["daemon.log_level", "string"]),
    ("workers = 3\n", "1:1", ["workers is a table: write [workers]"]),
    ("[workers\n", "1:", []),
    ("[workers]\nmax = 1\nmax = 2\n", "3:", ["max"]),
])
def test_wrong_settings(tmp_path, text, place, words):
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    done = batchd("--state", tmp_path / "state", "--config", file, "--check-config")
    assert done.returncode == 78
    assert f"{file}:{place}" in done.stderr, done.stderr
    for word in words:
        assert word in done.stderr


def test_every_wrong_setting_is_named_and_drop_ins_count(tmp_path):
    (tmp_path / "config.toml").write_text("[workers]\nmax = 9999\nmin = -3\n")
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "a.toml").write_text("[store]\ncash = 1\n")
    done = batchd("--state", tmp_path / "state", "--config", tmp_path / "config.toml", "--check-config")
    assert done.returncode == 78
    for word in ("config.toml:2:7", "config.toml:3:7", "conf.d/a.toml:2:1", '"store.cache"'):
        assert word in done.stderr, done.stderr


def test_manual_of_batchd():
    others = {"--cpu-bind", "--kill-whom", "--signal", "--now", "--never-rerun", "--allow-setuid"}  # systemctl's, batchctl's
    assert options(batchd("--help").stdout) == options(plain("batchd.8")) - others


def test_manual_of_batchctl():
    text = plain("batchctl.1")
    ctl = OUT / "batchctl"
    help_ = subprocess.run([ctl, "--help"], capture_output=True, text=True, check=True).stdout
    verbs = [line.split()[0] for line in help_.split("\n\n")[1].split("\n")]
    assert verbs == re.findall(r"^   ([a-z]+)$", text, re.M)
    found = options(help_)
    for verb in verbs:
        found |= options(subprocess.run([ctl, verb, "--help"], capture_output=True, text=True, check=True).stdout)
    assert found == options(text) - {"--check-store"}  # batchd's


def test_synopsis_of_each_verb():
    """As its --help has it, closed brackets and all."""
    lines = [" ".join(line.split()) for line in plain("batchctl.1").splitlines()]
    assert "batchctl submit [options] [--] COMMAND [ARG...]" in lines
    assert "batchctl status [options]" in lines
    ctl = OUT / "batchctl"
    help_ = subprocess.run([ctl, "--help"], capture_output=True, text=True, check=True).stdout
    for verb in (line.split()[0] for line in help_.split("\n\n")[1].split("\n")):
        usage = subprocess.run([ctl, verb, "--help"], capture_output=True, text=True, check=True).stdout
        assert usage.split("\n")[0].removeprefix("Usage: ").replace("OPTIONS", "options") in lines, verb


def test_install_puts_them_in_place(tmp_path):
    """With the prefix that was built: another would rebuild the program under the other tests."""
    prefix = (OUT / "prefix").read_text().strip()
    make = ["make", "-s", "install", f"OUT={OUT.relative_to(ROOT)}", f"DESTDIR={tmp_path}", f"PREFIX={prefix}"]
    subprocess.run(make, cwd=ROOT, check=True, capture_output=True)
    place = tmp_path / prefix.lstrip("/")
    for path in ("sbin/batchd", "bin/batchctl", "libexec/batchd/batchd-worker", "libexec/batchd/batchd-job",
                 "libexec/batchd/processors/video/video", "libexec/batchd/processors/image/manifest.json",
                 "share/man/man1/batchctl.1", "share/man/man5/batchd.toml.5",
                 "share/man/man7/batchd-protocol.7", "share/man/man8/batchd.8",
                 "share/bash-completion/completions/batchctl",
                 "share/fish/vendor_completions.d/batchctl.fish", "lib/sysusers.d/batchd.conf"):
        assert (place / path).stat().st_size > 0, path
    assert list((place / "share/zsh").rglob("_batchctl"))


def test_manual_of_the_settings():
    text = plain("batchd.toml.5")
    for name in re.findall(r"^#(\w+) =", (ROOT / "config.example.toml").read_text(), re.M):
        assert re.search(rf"^     {name}\b", text, re.M), name


def head(name):
    text = (ROOT / name).read_text()
    return text[:text.index("*/")]


def test_heads_of_the_benchmarks_programs():
    """How they are called stands there, one call a line; a formatter must not run lines together."""
    load = re.findall(r"^ \*   load (\w+) ([A-Z ]+?)   ", head("tests/bench/load.c"), re.M)
    assert [name for name, _ in load] == ["single", "stream", "array", "hold"]
    assert all(len(words.split()) == 3 and words.endswith(" PROGRAM") for _, words in load), load
    limits = head("tests/bench/limits.c").splitlines()
    assert [line.split()[1:3] for line in limits if line.startswith(" *   ")] == [
        ["limits", "spawn"], ["limits", "commits"]]
    assert any(line.startswith(" * Prints ") for line in limits)


def test_editors_know_all_makefiles():
    sections = dict(re.findall(r"^\[(.+)\]\n((?:.+\n?)*)", (ROOT / ".editorconfig").read_text(), re.M))
    assert "indent_style = tab" in sections["{Makefile,mk/*.mk}"]


def interface_files():
    return {file.stem: file.read_text() for file in (ROOT / "common/varlink").glob("*.varlink")}


def test_interfaces_in_the_manual_and_from_the_daemon(daemon):
    text = plain("batchd-protocol.7").replace(" ", "")
    named = daemon.call("org.varlink.service.GetInfo")["interfaces"]
    assert sorted(named) == sorted(interface_files())
    for name, content in interface_files().items():
        reply = daemon.call("org.varlink.service.GetInterfaceDescription", interface=name)
        assert reply["description"] == content
        for line in content.splitlines():
            assert line.replace(" ", "") in text


def members(text):
    """Names of the members of one (...) of an interface file, the first."""
    return re.findall(r"(\w+): ", text[:text.index(")")])


def test_declared_methods_and_members_are_known(daemon):
    job = daemon.submit("true")
    daemon.wait(job)
    for name, content in interface_files().items():
        for method, rest in re.findall(r"^method (\w+)(\([^)]*\)[^)]*\))", content, re.M):
            client = daemon.client(timeout=5)
            given = {member: None for member in members(rest)}
            if (name, method) == ("io.batchd.Events", "Subscribe"):
                given["since_seq"] = 0
            client.send(f"{name}.{method}", more=name in ("io.batchd.Logs", "io.batchd.Events"), **given)
            try:
                client.receive()
            except Refused as refused:
                assert refused.name not in ("org.varlink.service.MethodNotFound",
                                            "org.varlink.service.InvalidParameter"), (method, refused)
            client.close()


def test_a_job_has_the_declared_members(daemon):
    job = daemon.submit("true")
    daemon.wait(job)
    shown = daemon.call("io.batchd.Jobs.Show", id=job, attempts=True, predict=True)["job"]
    content = interface_files()["io.batchd.Jobs"]
    declared = members(content[content.index("type Job ("):])
    assert set(shown) <= set(declared)
    assert set(declared) - set(shown) <= {"params"}  # of processors' jobs only
