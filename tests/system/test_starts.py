"""Between the GO of a job and its exec: what keeps a job from its start keeps no worker (tests/lib/stuck.c)."""
import os
import subprocess
import time

import pytest

from daemon import OUT, ROOT, Daemon, wait_until


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stuck")
    library = folder / "stuck.so"
    subprocess.run(["cc", "-O1", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library, ROOT / "tests/lib/stuck.c"],
                   check=True)
    asan = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True,
                          check=True).stdout.strip() + ":" if OUT.name == "san" else ""
    env = {"LD_PRELOAD": asan + str(library), "FORKS_FAIL": str(folder / "fails"),
           "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"}
    with Daemon(config="[workers]\nmin = 1\nmax = 1\nstop_grace = \"1s\"\n", env=env) as running:
        running.forks_fail = folder / "fails"
        yield running


@pytest.fixture(params=["stops", "hangs"])
def folder(request, tmp_path):
    (tmp_path / request.param).mkdir()
    return tmp_path / request.param


def test_its_time_is_over_all_the_same(daemon, folder):
    began = time.monotonic()
    ident = daemon.submit("true", cwd=str(folder), timeout_ms=1000)
    assert daemon.wait(ident, seconds=30)[0]["outcome"]["class"] == "timeout"
    assert time.monotonic() - began < 20
    assert daemon.wait(daemon.submit("true"))[0]["state"] == "completed"  # by the same worker


def test_it_is_cancelled_all_the_same(daemon, folder):
    ident = daemon.submit("true", cwd=str(folder))
    daemon.wait_running(ident)
    daemon.call("io.batchd.Jobs.Cancel", id=ident, grace_ms=500)
    assert daemon.wait(ident, seconds=30)[0]["state"] == "cancelled"


def test_its_worker_goes_on_to_speak(daemon, folder):
    """A new batchd finds it running, and nothing of it is left when the worker ends."""
    ident = daemon.submit("true", cwd=str(folder), retry={"max_attempts": 1}, rerun_if_lost=False)
    daemon.wait_running(ident)
    daemon.restart()
    daemon.wait_running(ident)
    for pid in daemon.processes("--worker"):
        os.kill(pid, 9)
    assert daemon.wait(ident, seconds=30)[0]["outcome"]["class"] == "lost"


def test_one_for_which_there_is_no_process_waits_again(daemon, tmp_path):
    """It never started, so it costs it nothing; the worker rests a second and tries again."""
    daemon.wait(daemon.submit("true"))
    daemon.forks_fail.touch()
    ident = daemon.submit("touch", "ran", cwd=str(tmp_path), retry={"max_attempts": 1})
    time.sleep(2.5)
    assert daemon.job(ident)["state"] in ("pending", "starting")
    assert not (tmp_path / "ran").exists()
    daemon.forks_fail.unlink()
    job = daemon.wait(ident, seconds=30)[0]
    assert (job["state"], (tmp_path / "ran").exists()) == ("completed", True)
    text = daemon.log.read_text()
    assert "rests: cannot fork: Resource temporarily unavailable" in text
    assert text.count("rests: ") <= 6, text  # a hot loop would be thousands


def test_one_for_which_there_is_no_memory_is_not_charged(daemon, tmp_path):
    """It has its GO and was not executed: the machine's fault, so it is tried again for nothing."""
    (tmp_path / "nomem").write_text("#!/bin/sh\n")
    (tmp_path / "nomem").chmod(0o755)
    (tmp_path / "nomem-1").touch()
    ident = daemon.submit("./nomem", cwd=str(tmp_path), retry={"max_attempts": 1})
    job = daemon.wait(ident, seconds=30)[0]
    assert (job["state"], job["attempt"]) == ("completed", 2)
    attempts = daemon.call("io.batchd.Jobs.Show", id=ident, attempts=True)["job"]["attempts"]
    assert [attempt["outcome"]["class"] for attempt in attempts] == ["lost", "success"]
    assert attempts[0]["outcome"]["message"] == 'cannot run "./nomem": Cannot allocate memory'
    assert attempts[0]["outcome"]["exit_code"] is None
