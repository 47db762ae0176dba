"""Processes that stand still, and a clock that jumps: the others go on, and no timeout is wrong."""
import os
import pathlib
import signal
import subprocess
import time

import pytest
from clock import Clock
from daemon import ROOT, wait_until
from watchdog import Watchdog

TEN_YEARS = 10 * 365 * 86400


def send(pids, number):
    for pid in pids:
        os.kill(pid, number)


def children(pid):
    return [child for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children") for child in path.read_text().split()]


def waits_for(go, code=0):
    return ["sh", "-c", f'while [ ! -e "$0" ]; do sleep 0.02; done; exit {code}', str(go)]


def test_a_batchd_that_stands_still_loses_nothing(daemon, tmp_path):
    """As one does that hangs, until its watchdog kills it: jobs end, and their results are kept."""
    jobs = [daemon.submit(*waits_for(tmp_path / "go", code)) for code in range(2)]
    daemon.wait_running(*jobs)
    daemon.process.send_signal(signal.SIGSTOP)
    (tmp_path / "go").touch()
    wait_until(lambda: all(not children(pid) for pid in daemon.processes("--worker")))
    daemon.kill()  # what the watchdog does
    daemon.start()
    assert [job["outcome"]["exit_code"] for job in daemon.wait(*jobs)] == [0, 1]


@pytest.fixture
def watched(make_daemon, tmp_path):
    """A daemon with a watchdog of 1.5 s; it hangs while the file .hang is there."""
    library, hang = tmp_path / "hang.so", tmp_path / "hang"
    subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library, ROOT / "tests/lib/hang.c", "-ldl"],
                   check=True)
    with Watchdog(tmp_path, 1.5) as watchdog:
        daemon = make_daemon(env={**watchdog.env, "HANG_FILE": str(hang), "LD_PRELOAD": str(library),
                                  "ASAN_OPTIONS": "verify_asan_link_order=0"})
        daemon.watchdog, daemon.hang = watchdog, hang
        daemon.start()
        yield daemon


def test_the_watchdog_is_fed_by_a_loop_that_goes_round_and_by_nothing_else(watched):
    """Nobody asks for anything, then a disk does not answer."""
    for _ in range(3):
        assert watched.watchdog.fed(20)
    watched.hang.touch()
    client = watched.client()
    client.send("io.batchd.Jobs.Submit", argv=["true"], cwd="/", env={})
    wait_until(lambda: not watched.watchdog.fed(2))  # twice and more it would have been
    watched.hang.unlink()
    job = client.receive()["parameters"]["id"]
    client.close()
    assert watched.watchdog.fed(20)
    assert watched.wait(job)[0]["state"] == "completed"


def test_a_worker_that_stands_still_holds_up_its_own_job_alone(make_daemon, tmp_path):
    daemon = make_daemon(config="[workers]\nmax = 2\nprefetch = 0\n")
    daemon.start()
    first = daemon.submit(*waits_for(tmp_path / "go"), timeout_ms=600000)
    daemon.wait_running(first)
    held = [pid for pid in daemon.processes("--worker") if children(pid)]
    assert held
    send(held, signal.SIGSTOP)
    try:
        assert daemon.wait(*[daemon.submit("true") for _ in range(5)])
        (tmp_path / "go").touch()
        assert daemon.job(first)["state"] == "running"
    finally:
        send(held, signal.SIGCONT)
    assert daemon.wait(first)[0]["outcome"]["exit_code"] == 0


def test_a_spawner_that_stands_still_holds_up_new_workers_alone(make_daemon, tmp_path):
    daemon = make_daemon(config="[workers]\nmax = 2\n")
    daemon.start()
    daemon.wait(daemon.submit("true"))  # there is a worker
    spawner = daemon.processes("--spawner")
    send(spawner, signal.SIGSTOP)
    try:
        job = daemon.submit("sh", "-c", "exit 3")
        assert daemon.wait(job)[0]["outcome"]["exit_code"] == 3
        daemon.restart()
        assert daemon.job(job)["outcome"]["exit_code"] == 3
    finally:
        send(spawner, signal.SIGCONT)
    more = [daemon.submit(*waits_for(tmp_path / "go")) for _ in range(2)]
    daemon.wait_running(*more)
    (tmp_path / "go").touch()
    daemon.wait(*more)


@pytest.mark.parametrize("jump", [TEN_YEARS, -TEN_YEARS])
def test_what_workers_tell_after_a_jump_is_told_at_once(make_daemon, tmp_path, jump):
    """Nobody asks for anything meanwhile: one waits."""
    clock = Clock(tmp_path)
    daemon = make_daemon(config="[workers]\nmax = 1\n", env=clock.env)
    daemon.start()
    job = daemon.submit(*waits_for(tmp_path / "go"))
    daemon.wait_running(job)
    client = daemon.client(timeout=30)
    client.send("io.batchd.Jobs.Wait", ids=[job], timeout_ms=60000)
    daemon.submit("true", hold=True)  # the last commit is one of before the jump
    clock.set(time.time() + jump)
    (tmp_path / "go").touch()
    assert client.receive()["parameters"]["jobs"][0]["state"] == "completed"
    client.close()


@pytest.mark.parametrize("jump", [TEN_YEARS, -TEN_YEARS])
def test_a_jump_of_the_clock_ends_no_job_and_keeps_the_order(make_daemon, tmp_path, jump):
    """batchd and its workers both see it."""
    clock = Clock(tmp_path)
    daemon = make_daemon(config="[workers]\nmax = 1\n", env=clock.env)
    daemon.start()
    order = tmp_path / "order"
    running = daemon.submit(*waits_for(tmp_path / "go", 4), timeout_ms=3600000)
    daemon.wait_running(running)
    write = ["sh", "-c", 'echo "$1" >>"$0"', str(order)]
    before = [daemon.submit(*write, str(i)) for i in range(3)]
    clock.set(time.time() + jump)
    after = [daemon.submit(*write, str(i)) for i in range(3, 6)]
    assert daemon.job(running)["state"] == "running"
    (tmp_path / "go").touch()
    ended = daemon.wait(running, *before, *after)
    assert [(job["outcome"]["class"], job["outcome"]["exit_code"]) for job in ended] == \
        [("exit", 4)] + [("success", 0)] * 6
    assert order.read_text().split() == [str(i) for i in range(6)]
    short = daemon.submit("sleep", "600", timeout_ms=100)  # its own time still ends it
    assert daemon.wait(short)[0]["outcome"]["class"] == "timeout"
    assert max(job["usage"]["run_us"] for job in ended) < 3600 * 10**6
