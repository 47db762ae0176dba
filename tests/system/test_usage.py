"""Fair share: who has used how much, over restarts and whatever the clock says."""
import os
import signal
import sqlite3
import subprocess

import pytest
from clock import Clock
from daemon import wait_until
from test_ahead import make_short
from test_queues import change
from test_scheduling import gate

OTHER = 12345


def settings(policy):
    return f'[workers]\nmax = 2\nbatch_target = "10s"\n[resources]\ncpus = 1\n[queues.default]\npolicy = "{policy}"\n'


def give_usage(daemon, job, seconds, uid=OTHER):
    """The ended job was this user's and ran so long, or the tasks of the array did."""
    with sqlite3.connect(daemon.state / "batchd.db") as db:
        db.execute("UPDATE job SET uid=?, started_at=ended_at-? WHERE id=? AND array IS NULL",
                   (uid, seconds * 1000000, job))
        db.execute("UPDATE task SET started_at=ended_at-? WHERE job=?", (seconds * 1000000, job))
    db.close()


def log_bytes(daemon):
    return sum(path.stat().st_size for path in daemon.state.glob("workers/*/log"))


def first_of_both(daemon):
    """Both users have a job that waits: whose starts?"""
    daemon.state.chmod(0o711)
    daemon.socket.chmod(0o666)
    daemon.call("io.batchd.Queues.Pause", name="default")
    theirs = int(subprocess.run([*daemon.ctl_words(), "submit", "--", "true"], user=OTHER, group=OTHER, cwd="/",
                                capture_output=True, text=True, timeout=60, check=True).stdout)
    ours = daemon.submit("true")
    daemon.call("io.batchd.Queues.Resume", name="default")
    theirs, ours = daemon.wait(theirs, ours)
    return "ours" if ours["started_at"] < theirs["started_at"] else "theirs"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs two users")
@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("policy,runs,down,theirs,first", [
    ("fair", 1000, 3600, 1500, "ours"),  # not until batchd came back
    ("fair", 1000, 3600, 500, "theirs"),
    ("fifo", 1000, 0, 1500, "ours"),  # not twice
    ("fifo", 1000, 3600, 500, "theirs"),
])
def test_what_ended_while_batchd_was_down(make_daemon, tmp_path, policy, runs, down, theirs, first, told):
    """A job of ours ran so many seconds; another user's long before."""
    clock = Clock(tmp_path)
    daemon = make_daemon(config=settings(policy), env=clock.env)
    daemon.start()
    before = daemon.submit("true")
    daemon.wait(before)
    idle = log_bytes(daemon)
    job = daemon.submit(*gate(daemon))
    if told:
        daemon.wait_running(job)
    else:
        wait_until(lambda: daemon.job(job)["state"] == "starting" or daemon.job(job)["started_at"])
    daemon.kill()
    give_usage(daemon, before, theirs)
    wait_until(lambda: log_bytes(daemon) > idle)  # its worker has begun it
    begun = log_bytes(daemon)
    clock.set(clock.now() + runs)
    (daemon.state / "go").touch()
    wait_until(lambda: log_bytes(daemon) > begun)
    clock.set(clock.now() + down)
    daemon.start()
    ran = daemon.wait(job)[0]
    assert runs - 60 < (ran["ended_at"] - ran["started_at"]) / 1e6 < runs + 60
    change(daemon, "default", policy="fair")
    assert first_of_both(daemon) == first
    daemon.restart()
    assert first_of_both(daemon) == first


@pytest.mark.skipif(os.geteuid() != 0, reason="needs two users")
@pytest.mark.parametrize("theirs,first", [(1500, "ours"), (500, "theirs")])
def test_the_machine_was_off(make_daemon, tmp_path, theirs, first):
    """A job ran 1,000 seconds, then the power failed for an hour: that hour nobody used."""
    clock = Clock(tmp_path)
    daemon = make_daemon(config=settings("fair"), env=clock.env)
    daemon.start()
    before = daemon.submit("true")
    daemon.wait(before)
    job = daemon.submit(*gate(daemon), rerun_if_lost=False)
    daemon.wait_running(job)
    clock.set(clock.now() + 1000)
    daemon.call("io.batchd.Server.Ping")
    daemon.power_off()
    (daemon.state / "go").touch()
    give_usage(daemon, before, theirs)
    clock.set(clock.now() + 3600)
    daemon.start()
    lost = daemon.wait(job)[0]
    assert lost["outcome"]["class"] == "lost" and "restarted" in lost["outcome"]["message"]
    assert 900 < (lost["ended_at"] - lost["started_at"]) / 1e6 < 1100
    assert first_of_both(daemon) == first
    daemon.restart()
    assert first_of_both(daemon) == first


@pytest.mark.skipif(os.geteuid() != 0, reason="needs two users")
def test_what_ran_before_another_one_of_its_worker(make_daemon, tmp_path):
    """Both had been handed to the worker when batchd was killed; the later one by its id ran first."""
    clock = Clock(tmp_path)
    daemon = make_daemon(config=settings("fair"), env=clock.env)
    daemon.start()
    before = daemon.submit("true")
    daemon.wait(before)
    make_short(daemon)
    second = daemon.submit("true", hold=True)
    worker, = daemon.processes("--worker")
    os.kill(worker, signal.SIGSTOP)
    first = daemon.submit(*gate(daemon))
    wait_until(lambda: daemon.job(first)["state"] == "starting")
    daemon.call("io.batchd.Jobs.Release", id=second)
    wait_until(lambda: daemon.job(second)["state"] == "starting")
    daemon.kill()
    give_usage(daemon, before, 500)
    begun = log_bytes(daemon)
    os.kill(worker, signal.SIGCONT)
    wait_until(lambda: log_bytes(daemon) > begun)  # it has started
    begun = log_bytes(daemon)
    clock.set(clock.now() + 1000)
    (daemon.state / "go").touch()
    wait_until(lambda: log_bytes(daemon) > begun)
    daemon.start()
    ran = daemon.wait(first, second)
    assert ran[0]["started_at"] < ran[1]["started_at"]
    assert first_of_both(daemon) == "theirs"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs two users")
@pytest.mark.parametrize("policy", ["fair", "fifo"])
@pytest.mark.parametrize("kind", [[], ["--array", "0"]])
@pytest.mark.parametrize("theirs,first", [(1200, "ours"), (500, "theirs")])
def test_what_removed_jobs_used_counts_once(make_daemon, policy, kind, theirs, first):
    """Ours used 800; twice theirs would be more, and nothing less."""
    daemon = make_daemon(config=settings(policy))
    daemon.start()
    daemon.state.chmod(0o711)
    daemon.socket.chmod(0o666)
    other = int(subprocess.run([*daemon.ctl_words(), "submit", *kind, "--", "false"], user=OTHER, group=OTHER, cwd="/",
                               capture_output=True, text=True, timeout=60, check=True).stdout)
    mine = daemon.submit("true")
    daemon.wait(other, mine)
    daemon.kill()
    give_usage(daemon, other, theirs)
    give_usage(daemon, mine, 800, os.getuid())
    daemon.start()
    assert daemon.call("io.batchd.Jobs.Prune", states=["failed"], older_ms=0) == {"removed": 1, "kept": 0}
    for _ in range(2):
        change(daemon, "default", policy="fair")
        assert first_of_both(daemon) == first
        change(daemon, "default", policy=policy)
        daemon.restart()
