"""Workers that die again and again, and a spawner that cannot be started: made anew after pauses that
grow, and told in status; what waits is run when they do well again. What a dead one left has the last word."""
import contextlib
import json
import os
import shutil
import signal
import time

from daemon import OUT, wait_until
from records import each
from test_scheduling import gate

STATUS = "io.batchd.Server.Status"
LOG_EXIT, LOG_SWEPT = 65, 66  # common/worker_protocol.h


def health(daemon):
    return daemon.call(STATUS)["workers_health"]


def test_workers_that_die_at_once_are_no_hot_loop(make_daemon):
    daemon = make_daemon(config="[workers]\nmax = 3\n")
    daemon.start()
    assert health(daemon) == {"deaths": 0, "last_death_at": None, "last_death": None, "next_at": None,
                              "spawner": None}
    job = daemon.submit("sleep", "0.3")
    seen = set()
    deadline = time.monotonic() + 6
    while time.monotonic() < deadline:
        for pid in daemon.processes("--worker"):
            seen.add(pid)
            with contextlib.suppress(ProcessLookupError):  # it ended by itself
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    # One at once, then after 1, 2, 4 s; the first time up to three together. Without a pause there
    # would be dozens a second.
    assert 2 <= len(seen) <= 8, seen
    told = health(daemon)
    assert 2 <= told["deaths"] <= 8 and "after it was made" in told["last_death"]
    text = daemon.ctl("status").stdout
    assert f"workers: {told['deaths']} died" in text
    wait_until(lambda: daemon.job(job)["state"] in ("completed", "failed"), seconds=60)
    wait_until(lambda: health(daemon)["next_at"] is None)


def test_one_death_is_made_up_for_at_once(daemon):
    for _ in range(3):
        daemon.wait(daemon.submit("true"))  # it does well: the row begins anew
        daemon.signal("--worker", signal.SIGKILL)
        assert daemon.wait(daemon.submit("true"))[0]["state"] == "completed"
        assert health(daemon)["next_at"] is None


def test_a_spawner_that_cannot_be_started(make_daemon, tmp_path):
    shutil.copy(OUT / "batchd", tmp_path / "batchd")
    worker = tmp_path / "batchd-worker"
    count = tmp_path / "count"
    worker.write_text(f"#!/bin/sh\necho x >>{count}\nexit 71\n")
    worker.chmod(0o755)
    daemon = make_daemon(batchd=tmp_path / "batchd")
    daemon.start()
    job = daemon.submit("true")
    wait_until(lambda: health(daemon)["spawner"] is not None)
    assert "ended with status 71" in health(daemon)["spawner"]
    assert "workers: none can be made" in daemon.ctl("status").stdout
    time.sleep(4)  # a start each 20 ms would be 200
    assert 1 <= len(count.read_text()) // 2 <= 3
    shutil.copy(OUT / "batchd-worker", tmp_path / "new")
    (tmp_path / "new").replace(worker)
    assert daemon.wait(job, seconds=60)[0]["state"] == "completed"
    assert health(daemon)["spawner"] is None


def test_a_worker_that_cannot_be_made(make_daemon):
    """Its folder is there already: the spawner says why."""
    daemon = make_daemon(config="[workers]\nmin = 1\nmax = 1\n")
    (daemon.state / "workers").mkdir(mode=0o700)
    for number in range(1, 4):
        (daemon.state / "workers" / str(number)).mkdir()
        (daemon.state / "workers" / str(number) / "lock").mkdir()  # cannot be removed as a worker's is
    daemon.start()
    wait_until(lambda: health(daemon)["deaths"] >= 2)
    told = health(daemon)
    assert "could not be made" in told["last_death"], json.dumps(told)
    assert daemon.wait(daemon.submit("true"), seconds=60)[0]["state"] == "completed"


def test_a_log_that_cannot_be_read_is_read_again(make_daemon):
    """Its job ended, and the worker died, while batchd was away."""
    daemon = make_daemon(config="[workers]\nmax = 1\n")
    daemon.start()
    job = daemon.submit(*gate(daemon))
    daemon.wait_running(job)
    log, = daemon.state.glob("workers/*/log")
    worker, = daemon.processes("--worker")
    daemon.kill()
    (daemon.state / "go").touch()
    wait_until(lambda: LOG_EXIT in [kind for _, kind, _ in each(log.read_bytes())])
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: LOG_SWEPT in [kind for _, kind, _ in each(log.read_bytes())])
    kept = log.rename(daemon.state / "kept")
    log.mkdir()
    daemon.start()
    wait_until(lambda: daemon.log.read_text().count(f"cannot read {log}") > 1)
    assert daemon.job(job)["state"] == "running"
    log.rmdir()
    kept.rename(log)
    ended, = daemon.wait(job)
    assert (ended["state"], ended["attempt"]) == ("completed", 1)
    wait_until(lambda: not log.parent.exists())
