"""Between the GO of a job and its exec: what keeps a job from its start keeps no worker (tests/lib/stuck.c)."""
import os
import sqlite3
import subprocess
import time

import pytest

from attempts import show
from daemon import OUT, ROOT, Daemon, wait_until

NO_MEMORY = 'cannot run "./nomem": Cannot allocate memory'


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
        running.preload = {name: env[name] for name in ("LD_PRELOAD", "ASAN_OPTIONS")}
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
    rests = lambda: daemon.log.read_text().count("rests: ")  # noqa: E731
    before, began = rests(), time.monotonic()
    daemon.forks_fail.touch()
    ident = daemon.submit("touch", "ran", cwd=str(tmp_path), retry={"max_attempts": 1})
    wait_until(lambda: rests() >= before + 4)
    assert time.monotonic() - began > 2.5  # a hot loop would have thousands
    assert daemon.job(ident)["state"] in ("pending", "starting")
    assert not (tmp_path / "ran").exists()
    daemon.forks_fail.unlink()
    job = daemon.wait(ident, seconds=30)[0]
    assert (job["state"], (tmp_path / "ran").exists()) == ("completed", True)
    assert "rests: cannot fork: Resource temporarily unavailable" in daemon.log.read_text()


def submit_nomem(daemon, folder, times, **more):
    """A job, or its tasks, for which there is so many times no memory for its exec. From its second attempt on it is
    batchd-job that executes it, with the job's environment."""
    (folder / "nomem").write_text("#!/bin/sh\n")
    (folder / "nomem").chmod(0o755)
    for i in range(1, times + 1):
        (folder / f"nomem-{i}").touch()
    return daemon.submit("./nomem", cwd=str(folder), env={"PATH": os.environ["PATH"], **daemon.preload}, **more)


def test_one_for_which_there_is_no_memory_is_not_charged(daemon, tmp_path):
    """It has its GO and was not executed: the machine's fault, so it is tried again for nothing."""
    ident = submit_nomem(daemon, tmp_path, 1, retry={"max_attempts": 1})
    job = daemon.wait(ident, seconds=30)[0]
    assert (job["state"], job["attempt"]) == ("completed", 2)
    attempts = show(daemon, ident)["attempts"]
    assert [attempt["outcome"]["class"] for attempt in attempts] == ["lost", "success"]
    assert attempts[0]["outcome"]["message"] == NO_MEMORY
    assert attempts[0]["outcome"]["exit_code"] is None


def wait_fifth(daemon, job):
    """It waits after its fifth attempt, for 16 s; the waits before are cut short."""
    def is_fifth():
        shown = show(daemon, job)
        assert shown["state"] in ("pending", "starting", "running"), shown
        if "RetryBackoff" in shown["reasons"] and shown["attempt"] < 5:
            daemon.ctl("release", str(job))
        return "RetryBackoff" in shown["reasons"] and shown["attempt"] == 5
    wait_until(is_fifth, seconds=30)


def test_one_for_which_there_is_no_memory_waits_longer_each_time(daemon, tmp_path):
    """It never ran: that it is never to be rerun does not end it, nor that it came to this so often (no poison)."""
    job = submit_nomem(daemon, tmp_path, 5, retry={"max_attempts": 1}, rerun_if_lost=False)
    wait_fifth(daemon, job)
    before = show(daemon, job)
    daemon.restart()
    shown = show(daemon, job)
    assert shown["reasons"] == ["RetryBackoff"] and shown["retry_at"] == before["retry_at"]
    assert (shown["charged"], shown["losses"]) == (0, 0)
    assert [(one["retry_ms"], one["charged"]) for one in shown["attempts"]] == \
        [(1000 << i, False) for i in range(5)]
    assert shown["retry_at"] >= shown["attempts"][4]["ended_at"] + 16_000_000
    why = daemon.ctl("why", str(job)).stdout
    assert f"the machine had no room for its process ({NO_MEMORY}); it is tried again later" in why
    daemon.ctl("release", str(job))
    ended = daemon.wait(job, seconds=30)[0]
    assert (ended["state"], ended["attempt"]) == ("completed", 6)


def test_a_damaged_row_of_one_is_worth_a_short_pause_alone(daemon, tmp_path):
    """batchd tells of it, and goes on."""
    job = submit_nomem(daemon, tmp_path, 3)
    wait_until(lambda: "RetryBackoff" in show(daemon, job)["reasons"])
    daemon.stop()
    with sqlite3.connect(daemon.state / "batchd.db") as db:
        db.execute("UPDATE attempt SET retry_us=retry_us+1")
    db.close()
    daemon.start()
    wait_until(lambda: "fails its checksum" in daemon.text())
    pid = daemon.process.pid
    assert daemon.wait(job, seconds=30)[0]["state"] == "completed"
    assert daemon.process.pid == pid and daemon.process.poll() is None


def test_what_waits_for_memory_is_cancelled(daemon, tmp_path):
    job = submit_nomem(daemon, tmp_path, 5)
    wait_fifth(daemon, job)
    daemon.call("io.batchd.Jobs.Cancel", id=job)
    assert daemon.wait(job)[0]["state"] == "cancelled"


def test_tasks_for_which_there_is_no_memory(daemon, tmp_path):
    job = submit_nomem(daemon, tmp_path, 3, array="0-2", retry={"max_attempts": 1}, rerun_if_lost=False)
    assert daemon.wait(job, seconds=60)[0]["state"] == "completed"
    tasks = [show(daemon, job, index=index) for index in range(3)]
    refused = [attempt for task in tasks for attempt in task["attempts"][:-1]]
    assert [attempt["outcome"]["message"] for attempt in refused] == [NO_MEMORY] * 3
    assert all(attempt["retry_ms"] in (1000, 2000, 4000) and attempt["charged"] is False for attempt in refused)
    for task in tasks:
        assert (task["state"], task["losses"]) == ("completed", 0)
        for one, then in zip(task["attempts"], task["attempts"][1:]):
            assert then["started_at"] >= one["ended_at"] + one["retry_ms"] * 1000, "after its pause"
