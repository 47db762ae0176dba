"""Process trees that do not want to end (tests/lib/hostile.c): a job is over when nothing is left of
them, whoever kills them. Every process of a tree holds a lock, so the kernel says whether one lives."""
import contextlib
import fcntl
import os
import pathlib
import signal
import subprocess
import time

import pytest
from daemon import ROOT, wait_until

JOBS = "io.batchd.Jobs."
MODES = ["plain", "wide", "deep", "orphan", "sessions", "bomb", "comet", "comets", "respawner", "twins",
         "traced", "stopped", "vforked", "threads", "leaderless", "siblings", "reaper", "namespaced",
         "another_user", "zombies", "chameleon"]
# None survives a second on a machine that has nothing else to do; this one may have.
SECONDS = 10


@pytest.fixture(scope="session")
def hostile(tmp_path_factory):
    program = tmp_path_factory.mktemp("hostile") / "hostile"
    program.parent.chmod(0o755)
    subprocess.run(["cc", "-O1", "-D_GNU_SOURCE", "-pthread", "-o", program, ROOT / "tests/lib/hostile.c"], check=True)
    return program


class Tree:
    """A job that is such a tree."""

    def __init__(self, daemon, program, mode, **more):
        self.daemon = daemon
        self.lock, self.ready = daemon.state / f"{mode}.lock", daemon.state / f"{mode}.ready"
        self.job = daemon.submit(str(program), mode, str(self.lock), str(self.ready), name=mode, **more)
        wait_until(self.ready.exists, seconds=60)

    def alive(self):
        with open(self.lock, "rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def run_on(self):
        """Lets it be what it is for a while."""
        self.daemon.wait_running(self.job)
        time.sleep(0.2)
        assert self.alive()


@pytest.fixture
def tree(daemon, hostile):
    daemon.state.chmod(0o711)
    return lambda mode, **more: Tree(daemon, hostile, mode, **more)


def test_every_mode_is_tried(hostile):
    known = subprocess.run([hostile, "--modes"], capture_output=True, text=True, check=True).stdout.split()
    assert sorted([*MODES, "leaver", "polite", "mourner"]) == sorted(known)


@pytest.mark.parametrize("mode", MODES)
def test_none_survives_kill(daemon, tree, mode):
    it = tree(mode)
    it.run_on()
    begun = time.monotonic()
    daemon.call(JOBS + "Cancel", id=it.job, grace_ms=0)
    ended = daemon.wait(it.job)[0]
    took = time.monotonic() - begun
    assert ended["state"] == "cancelled" and not it.alive()
    print(f"\n{mode}: gone after {took * 1000:.0f} ms")
    assert took < SECONDS


def test_all_are_halted_before_the_first_is_killed(daemon, tree):
    """Else who sees it die could make others meanwhile."""
    it = tree("mourner")
    it.run_on()
    daemon.call(JOBS + "Cancel", id=it.job, grace_ms=0)
    daemon.wait(it.job)
    assert not it.alive() and it.lock.read_text() == ""


@pytest.mark.parametrize("mode", ["orphan", "bomb", "comets", "vforked"])
def test_none_survives_a_timeout(make_daemon, hostile, mode):
    daemon = make_daemon(config='[workers]\nstop_grace = "300ms"\n')
    daemon.start()
    daemon.state.chmod(0o711)
    it = Tree(daemon, hostile, mode, timeout_ms=500)
    assert daemon.wait(it.job)[0]["outcome"]["class"] == "timeout" and not it.alive()


def test_what_a_job_leaves_behind_ends_with_it(daemon, tree):
    it = tree("leaver")
    assert daemon.wait(it.job)[0]["state"] == "completed" and not it.alive()


@pytest.mark.parametrize("mode", ["orphan", "bomb", "comets", "twins", "deep", "namespaced"])
def test_none_survives_its_worker(daemon, tree, mode):
    """The spawner proves the tree of a dead worker dead before anybody learns of it."""
    it = tree(mode, rerun_if_lost=False)
    it.run_on()
    victim = daemon.worker_pid(it.job)
    begun = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    ended = daemon.wait(it.job)[0]
    took = time.monotonic() - begun
    print(f"\n{mode}: gone after {took * 1000:.0f} ms")
    assert took < SECONDS
    assert ended["outcome"]["class"] == "lost" and ended["state"] == "failed" and not it.alive()


@pytest.mark.parametrize("mode", ["deep", "comets", "bomb"])
def test_all_of_it_is_halted(daemon, tree, mode):
    it = tree(mode)
    it.run_on()
    daemon.call(JOBS + "Suspend", id=it.job)

    def states():
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            with contextlib.suppress(OSError, IndexError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if entry.name.isdigit() and str(it.lock).encode() in words:
                    found.append((entry / "stat").read_text().rsplit(")", 1)[1].split()[0])
        return set(found)

    wait_until(lambda: states() <= {"T", "Z"}, seconds=60)
    assert "T" in states() and it.alive()
    daemon.call(JOBS + "Cancel", id=it.job, grace_ms=0)
    daemon.wait(it.job)
    assert not it.alive()


def test_term_reaches_everybody_once(daemon, tree):
    it = tree("polite")
    wait_until(lambda: len(it.ready.read_text().split()) == 6)
    daemon.wait_running(it.job)
    daemon.call(JOBS + "Cancel", id=it.job, grace_ms=60000)
    wait_until(lambda: len(it.lock.read_text().split()) >= 6)
    time.sleep(0.2)  # a second one would come with the first
    assert sorted(it.lock.read_text().split()) == sorted(it.ready.read_text().split())
    daemon.call(JOBS + "Cancel", id=it.job, grace_ms=0)
    daemon.wait(it.job)
    assert not it.alive()


def test_jobs_outlive_the_spawner(daemon):
    job = daemon.submit("sh", "-c", 'until [ -e "$0" ]; do sleep 0.02; done; exit 7', str(daemon.state / "go"))
    daemon.wait_running(job)
    daemon.signal("--spawner", signal.SIGKILL)
    other = daemon.submit("true")
    assert daemon.wait(other)[0]["state"] == "completed"  # by another worker, of another spawner
    (daemon.state / "go").touch()
    ended = daemon.wait(job)[0]
    assert ended["outcome"]["exit_code"] == 7 and ended["attempt"] == 1


def test_what_nobody_can_prove_dead_does_not_run_again(daemon, tree):
    """Worker and spawner are dead: without a control group the tree may live, and here it does."""
    it = tree("orphan")
    it.run_on()
    for pid in daemon.processes("--spawner") + daemon.processes("--worker"):
        os.kill(pid, signal.SIGKILL)
    ended = daemon.wait(it.job)[0]
    assert ended["state"] == "failed" and ended["outcome"]["class"] == "lost" and ended["attempt"] == 1
    assert "nobody can say" in ended["outcome"]["message"] and it.alive()
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and str(it.lock).encode() in (entry / "cmdline").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGKILL)
    wait_until(lambda: not it.alive())
