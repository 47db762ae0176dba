"""GPUs, disk and named counters: what a machine has, what jobs ask for, and that nobody is given what
another one has."""
import json
import subprocess

import pytest
from daemon import OUT


def settings(resources="", cpus=8, more=""):
    return f"[workers]\nmax = 8\n[resources]\ncpus = {cpus}\n{resources}\n{more}"


def check_config(tmp_path, text, *options):
    file = tmp_path / "test.toml"
    file.write_text(text)
    return subprocess.run([OUT / "batchd", "--state", tmp_path / "state", "--config", file, *options],
                          capture_output=True, text=True, timeout=20, check=False)


@pytest.mark.parametrize("text,place,words", [
    ("Licence = 3", "2:11", ["resources.Licence", "[a-z][a-z0-9_-]{0,31}"]),
    ("licence = -1", "2:11", ["resources.licence", "not negative"]),
    ("licence = 1.5", "2:11", ["resources.licence", "whole number"]),
    ("licence = 1000000000001", "2:11", ["resources.licence is 1000000000001", "to 1000000000000"]),
    ('licence = "2"', "2:11", ["resources.licence", "whole number"]),
    ("cpu = 4", "2:7", ["resources.cpu", 'did you mean "cpus"']),
    ("memroy = 4", "2:10", ["resources.memroy", 'did you mean "memory"']),
    ("gpus = 65", "2:8", ["resources.gpus is 65", "from 0 to 64"]),
    ('gpus = "all"', "2:8", ["resources.gpus", '"auto"']),
    ("gpus = 0.5", "2:8", ["resources.gpus", "whole number"]),
    ('disk = "1 parsec"', "2:8", ["resources.disk", "1 parsec"]),
    ("[resources.licence]\na = 1", "2:12", ['unknown table "resources.licence"']),
    ("\n".join(f"{name} = 1" for name in "abcdefghijkl"), "13:5", ["resources.l", "at most 11"]),
])
def test_wrong_settings(tmp_path, text, place, words):
    done = check_config(tmp_path, f"[resources]\n{text}\n", "--check-config")
    assert done.returncode == 78
    assert f"test.toml:{place}" in done.stderr, done.stderr
    for word in words:
        assert word in done.stderr


def test_settings_are_shown_and_a_drop_in_wins(tmp_path):
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "a.toml").write_text("[resources]\nlicence = 5\ntape-2 = 0\n")
    text = '[resources]\nlicence = 2\ngpus = 3\ndisk = "10G"\n'
    shown = check_config(tmp_path, text, "--print-config").stdout
    assert "\ngpus = 3\ndisk = 10737418240\nlicence = 5\ntape-2 = 0\n\n" in shown
    again = check_config(tmp_path, shown, "--print-config").stdout
    assert again == shown
    assert 'gpus = "auto"' in check_config(tmp_path, "", "--print-config").stdout


def test_status_tells_what_there_is(make_daemon):
    daemon = make_daemon(config=settings('gpus = 3\ndisk = "10G"\nlicence = 2\ntape = 0'))
    daemon.start()
    assert ", 3 gpus (3 free), 10.0G disk (10.0G free), 2 licence (2 free), 0 tape (0 free)\n" in \
        daemon.ctl("status").stdout
    resources = json.loads(daemon.ctl("status", "--json").stdout)["resources"]
    assert (resources["gpus"], resources["gpus_free"]) == (3, 3)
    assert (resources["disk_bytes"], resources["disk_unpromised_bytes"]) == (10 << 30, 10 << 30)
    assert resources["counters"] == {"licence": {"total": 2, "free": 2}, "tape": {"total": 0, "free": 0}}


def test_what_is_found_by_itself(make_daemon):
    """Disk: the size of the file system; it is the same after a restart, whatever was written."""
    daemon = make_daemon(config=settings('gpus = "auto"'))
    daemon.start()
    before = daemon.call("io.batchd.Server.Status")["resources"]
    assert before["disk_bytes"] > 0 and before["gpus"] >= 0
    (daemon.state / "some").write_bytes(b"x" * (4 << 20))
    daemon.restart()
    assert daemon.call("io.batchd.Server.Status")["resources"]["disk_bytes"] == before["disk_bytes"]
