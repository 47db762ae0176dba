"""Timeouts: the warning before, TERM, the grace, KILL; and clocks that jump change nothing."""
import signal
import time

import pytest
from clock import Clock
from daemon import Refused, wait_until

JOBS = "io.batchd.Jobs."
# Says when it was told what, in seconds of the clock that no jump touches.
TELLING = """told() { read up rest </proc/uptime; echo $1 $up >>"$0"; }
trap 'told SIGUSR1' USR1; trap 'told SIGTERM' TERM; told ready
while :; do sleep 0.05 & wait; done
"""


@pytest.fixture
def telling(make_daemon):
    """A daemon, and what its job was told so far: name and time of each signal."""
    daemon = make_daemon(config='[workers]\nstop_grace = "1s"\n')
    daemon.start()
    told = daemon.state / "told"

    def run(**more):
        return daemon.submit("sh", "-c", TELLING, str(told), **more)

    def read():
        lines = [line.split() for line in told.read_text().splitlines()] if told.exists() else []
        return [(name, float(at)) for name, at in lines]

    return daemon, run, read


def test_warned_then_ended(telling):
    daemon, run, read = telling
    job = run(timeout_ms=6000, timeout_signal="USR1", timeout_signal_ms=4500)
    shown = daemon.job(job)
    assert (shown["timeout_signal"], shown["timeout_signal_ms"]) == ("USR1", 4500)
    ended = daemon.wait(job)[0]
    assert ended["outcome"]["class"] == "timeout" and ended["outcome"]["signal"] == signal.SIGKILL
    names = [name for name, _ in read()]
    assert names == ["ready", "SIGUSR1", "SIGTERM"]
    warned, asked = (at for _, at in read()[1:])
    assert 2.0 < asked - warned and ended["usage"]["run_us"] >= 7e6


def test_the_warning_is_for_the_first_process(daemon, tmp_path):
    job = daemon.submit("sh", "-c", f"trap 'echo told >>{tmp_path}/told' USR1; sleep 300 & wait; wait; wait",
                        timeout_ms=60000, timeout_signal="SIGUSR1", timeout_signal_ms=59000)
    wait_until((tmp_path / "told").exists)
    assert daemon.job(job)["state"] == "running"  # sleep lives
    daemon.call(JOBS + "Cancel", id=job)


def test_from_the_command_line(daemon):
    done = daemon.ctl("submit", "-q", "--hold", "-t", "1h", "--timeout-signal", "usr2@90s", "--", "true")
    job = daemon.job(int(done.stdout))
    assert (job["timeout_signal"], job["timeout_signal_ms"]) == ("USR2", 90000)
    assert "SIGUSR2 1m30s before its timeout" in daemon.ctl("show", done.stdout.strip()).stdout
    done = daemon.ctl("submit", "-q", "--hold", "-t", "1h", "--timeout-signal", "10", "--", "true")
    job = daemon.job(int(done.stdout))
    assert (job["timeout_signal"], job["timeout_signal_ms"]) == ("USR1", 60000)
    assert daemon.ctl("edit", done.stdout.strip(), "--timeout-signal", "hup@5m").returncode == 0
    assert [daemon.job(int(done.stdout))[key] for key in ("timeout_signal", "timeout_signal_ms")] == ["HUP", 300000]
    assert daemon.ctl("edit", done.stdout.strip(), "--timeout-signal", "none").returncode == 0
    assert [daemon.job(int(done.stdout))[key] for key in ("timeout_signal", "timeout_signal_ms")] == [None, None]
    assert "warning:" not in daemon.ctl("show", done.stdout.strip()).stdout
    for word in ("NOPE", "USR1@", "USR1@x", "@60s"):
        assert daemon.ctl("submit", "-t", "1h", "--timeout-signal", word, "--", "true").returncode == 2


@pytest.mark.parametrize("field,more", [
    ("timeout_signal", {"timeout_signal": "USR1"}),
    ("timeout_signal", {"timeout_signal": "NOPE", "timeout_ms": 1000}),
    ("timeout_signal", {"timeout_signal": "KILL", "timeout_ms": 1000}),
    ("timeout_signal", {"timeout_signal": "SIGSTOP", "timeout_ms": 1000}),
    ("timeout_signal_ms", {"timeout_signal": "", "timeout_ms": 1000, "timeout_signal_ms": 10}),
    ("timeout_signal_ms", {"timeout_signal": "USR1", "timeout_ms": 60000}),
    ("timeout_signal_ms", {"timeout_signal": "USR1", "timeout_ms": 1000, "timeout_signal_ms": 1000}),
    ("timeout_signal_ms", {"timeout_signal": "USR1", "timeout_ms": 1000, "timeout_signal_ms": 0}),
    ("timeout_signal_ms", {"timeout_ms": 1000, "timeout_signal_ms": 10}),
])
def test_wrong_warnings_are_named(daemon, field, more):
    with pytest.raises(Refused) as refused:
        daemon.submit("true", **more)
    assert refused.value.name == "io.batchd.InvalidSpec" and refused.value.parameters["field"] == field
    assert daemon.jobs() == []


def test_an_edit_keeps_the_warning_before_the_timeout(daemon):
    job = daemon.submit("true", hold=True, timeout_ms=100000, timeout_signal="USR1")
    for timeout in (60000, 0):
        with pytest.raises(Refused) as refused:
            daemon.call(JOBS + "Edit", id=job, timeout_ms=timeout)
        assert refused.value.name == "io.batchd.InvalidSpec"
    assert daemon.job(job)["timeout_ms"] == 100000
    daemon.call(JOBS + "Edit", id=job, timeout_ms=70000)
    assert daemon.job(job)["timeout_signal_ms"] == 60000
    with pytest.raises(Refused) as refused:
        daemon.call(JOBS + "Edit", id=job, timeout_signal="KILL")
    assert refused.value.parameters["field"] == "timeout_signal"
    daemon.call(JOBS + "Edit", id=job, timeout_ms=0, timeout_signal="")
    assert [daemon.job(job)[key] for key in ("timeout_ms", "timeout_signal")] == [None, None]


YEARS = 10 * 365 * 86400


@pytest.mark.parametrize("first", [+1, -1])
def test_a_clock_that_jumps_changes_nothing(tmp_path, make_daemon, first):
    clock = Clock(tmp_path)
    daemon = make_daemon(config='[workers]\nstop_grace = "1s"\n', env=clock.env)
    daemon.start()
    begun = time.monotonic()
    job = daemon.submit("sh", "-c", TELLING, str(daemon.state / "told"),
                        timeout_ms=4000, timeout_signal="USR1", timeout_signal_ms=1500)
    daemon.wait_running(job)
    clock.set(clock.now() + first * YEARS)
    time.sleep(1)  # who goes by it acts now: how long it ran tells
    clock.set(clock.now() - 2 * first * YEARS)
    time.sleep(1)
    # Wait's own limit is the daemon's timer; this is asked again and again.
    wait_until(lambda: daemon.job(job)["state"] == "failed", seconds=60)
    took = time.monotonic() - begun
    ended = daemon.job(job)
    assert ended["outcome"]["class"] == "timeout"
    assert 5e6 <= ended["usage"]["run_us"] <= took * 1e6
    names = [line.split()[0] for line in (daemon.state / "told").read_text().splitlines()]
    assert names == ["ready", "SIGUSR1", "SIGTERM"]
