"""Jobs that are to have ended by a time, over restarts."""
import os
import signal
import time

import pytest
from daemon import Refused, wait_until, wait_until_time

SOON = 0.7  # seconds


def later(seconds):
    return int((time.time() + seconds) * 1e6)


def stamp(at):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at // 1_000_000))


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("why", [{"hold": True}, {"array": "0-99", "hold": True}, {"depends": True}])
def test_what_waits_ends_at_its_deadline(daemon, why, down):
    parent = daemon.submit("true", hold=True)
    if "depends" in why:
        why = {"depends": f"afterok:{parent}"}
    deadline = later(SOON)
    job = daemon.submit("true", deadline=deadline, **why)
    child = daemon.submit("true", depends=f"afternotok:{job}")
    assert daemon.job(job)["deadline_at"] == deadline and daemon.job(job)["state"] == "pending"
    if down:
        daemon.kill()
        wait_until_time(deadline)
        daemon.start()
    ended = daemon.wait(job)[0]
    assert (ended["state"], ended["outcome"]["class"]) == ("cancelled", "cancelled")
    assert ended["outcome"]["message"].startswith(f"its deadline ({stamp(deadline)}) passed")
    assert deadline <= ended["ended_at"] < deadline + 2_000_000 + (3_000_000 if down else 0)
    assert daemon.wait(child)[0]["state"] == "completed"


@pytest.mark.parametrize("restart", [None, "before", "while it passes"])
def test_what_runs_is_stopped_and_not_tried_again(daemon, restart):
    script = 'trap "exit 0" TERM; echo here; while :; do sleep 0.02; done'
    deadline = later(SOON + 0.5)
    job = daemon.submit("sh", "-c", script, deadline=deadline, max_attempts=3)
    daemon.wait_running(job)
    if restart == "before":
        daemon.restart()
    elif restart is not None:
        daemon.kill()
        wait_until_time(deadline)
        daemon.start()
    ended = daemon.wait(job)[0]
    assert (ended["state"], ended["attempt"]) == ("failed", 1)
    assert ended["outcome"]["class"] == "timeout"
    assert ended["outcome"]["message"] == f"its deadline ({stamp(deadline)}) passed"
    assert ended["ended_at"] >= deadline
    daemon.restart()
    assert daemon.job(job)["outcome"] == ended["outcome"]


def test_batchd_dies_as_it_stops_it(daemon):
    """It is stopped again, and its end is understood as before."""
    script = 'trap "" TERM; while :; do sleep 0.02; done'
    job = daemon.submit("sh", "-c", script, deadline=later(0.3), key="k")
    daemon.wait_running(job)
    wait_until_time(daemon.job(job)["deadline_at"] + 1_100_000)  # TERM was sent, it stays
    daemon.restart()
    assert daemon.job(job)["state"] == "running"
    ended = daemon.wait(job)[0]
    assert ended["outcome"]["class"] == "timeout" and "deadline" in ended["outcome"]["message"]


def test_the_power_fails_as_it_stops_it(daemon):
    """The end that its worker wrote down is understood after the reboot."""
    script = 'trap "until [ -e $0 ]; do sleep 0.02; done; exit 0" TERM; while :; do sleep 0.02; done'
    job = daemon.submit("sh", "-c", script, str(daemon.state / "go"), deadline=later(0.3))
    daemon.wait_running(job)
    deadline = daemon.job(job)["deadline_at"]
    wait_until_time(deadline + 1_100_000)  # TERM was sent
    daemon.kill()
    log, = daemon.state.glob("workers/*/log")
    before = log.stat().st_size
    (daemon.state / "go").touch()
    wait_until(lambda: log.stat().st_size > before)
    daemon.power_off()
    daemon.start()
    ended = daemon.wait(job)[0]
    assert (ended["state"], ended["outcome"]["class"]) == ("failed", "timeout")
    assert ended["outcome"]["message"] == f"its deadline ({stamp(deadline)}) passed"


def test_what_ends_in_time_ends_as_it_does(daemon):
    good, bad = daemon.submit("true", deadline=later(5)), daemon.submit("false", deadline=later(5))
    assert [job["state"] for job in daemon.wait(good, bad)] == ["completed", "failed"]
    daemon.restart()
    assert daemon.job(good)["state"] == "completed"


def test_a_cancel_is_a_cancel(daemon):
    deadline = later(0.8)
    job = daemon.submit("sh", "-c", 'trap "" TERM; while :; do sleep 0.02; done', deadline=deadline)
    daemon.wait_running(job)
    daemon.call("io.batchd.Jobs.Cancel", id=job, grace_ms=2500, reason="mine")
    ended = daemon.wait(job)[0]
    assert (ended["state"], ended["outcome"]["class"]) == ("cancelled", "cancelled")


def test_an_array_that_runs(make_daemon):
    daemon = make_daemon(config="[workers]\nmax = 1\n")
    daemon.start()
    deadline = later(SOON)
    job = daemon.submit("sh", "-c", '[ "$BATCHD_ARRAY_INDEX" = 0 ] || sleep 60', array="0-9", deadline=deadline)
    ended = daemon.wait(job)[0]
    assert ended["state"] == "cancelled" and ended["array"]["completed"] == 1
    assert ended["array"]["cancelled"] == 9
    assert ended["outcome"]["message"].startswith(f"its deadline ({stamp(deadline)}) passed: ")


def test_a_retry_that_comes_too_late(daemon):
    script = '[ -e "$0" ] || { touch "$0"; exit 1; }; while :; do sleep 0.02; done'
    deadline = later(SOON)
    job = daemon.submit("sh", "-c", script, str(daemon.state / "once"), deadline=deadline, max_attempts=5)
    ended = daemon.wait(job)[0]
    assert (ended["state"], ended["attempt"], ended["outcome"]["class"]) == ("failed", 2, "timeout")


def test_handed_over_behind_another(make_daemon):
    """A worker has it and has not begun: it ends all the same."""
    daemon = make_daemon(config="[workers]\nmax = 1\nprefetch = 6\n")
    daemon.start()
    daemon.wait(*[daemon.submit("true") for _ in range(20)])  # short ones, so more are handed over
    deadline = later(1)
    blocker = daemon.submit("sh", "-c", 'until [ -e "$0" ]; do sleep 0.02; done', str(daemon.state / "go"))
    jobs = [daemon.submit("touch", str(daemon.state / f"ran{i}"), deadline=deadline) for i in range(10)]
    ended = daemon.wait(*jobs)
    assert {job["state"] for job in ended} == {"cancelled"}
    (daemon.state / "go").write_text("")
    daemon.wait(blocker)
    assert not list(daemon.state.glob("ran*"))


def submit_many(daemon, count, **more):
    client, page = daemon.client(), 500  # it stops reading from who does not read its replies
    for start in range(0, count, page):
        for _ in range(page):
            client.send("io.batchd.Jobs.Submit", argv=["true"], cwd="/", **more)
        for _ in range(page):
            client.receive()


def test_others_are_served_while_many_end(daemon):
    count, deadline = 20000, later(8)
    submit_many(daemon, count, deadline=deadline, hold=True)
    client, seen = daemon.client(), set()
    wait_until_time(deadline - 100_000)
    while 0 not in seen:
        seen.add(client.call("io.batchd.Server.Status")["counts"]["pending"])
        assert time.time() * 1e6 < deadline + 60e6
    assert len(seen) > 3, seen


def test_none_of_many_starts_when_its_deadline_has_passed(daemon):
    """All may begin and are to have ended: those whose turn to be ended comes later do not start."""
    count, deadline = 20000, later(8)
    other = daemon.submit("true")  # its worker is there to take the next
    daemon.wait(other)
    submit_many(daemon, count, begin=deadline - 1, deadline=deadline)
    daemon.kill()
    wait_until_time(deadline)
    daemon.start()
    wait_until(lambda: daemon.call("io.batchd.Server.Status")["counts"]["pending"] == 0)
    jobs = daemon.jobs()
    assert len(jobs) == count + 1
    assert {(job["state"], job["attempt"]) for job in jobs if job["id"] != other} == {("cancelled", 0)}


def test_the_worker_dies_as_its_deadline_passes(daemon):
    """It is lost, and not run again behind its deadline."""
    job = daemon.submit("sh", "-c", 'trap "" TERM; while :; do sleep 0.02; done', deadline=later(0.4))
    daemon.wait_running(job)
    wait_until_time(daemon.job(job)["deadline_at"] + 1_100_000)
    for pid in daemon.processes("--worker"):
        os.kill(pid, signal.SIGKILL)
    ended = daemon.wait(job)[0]
    assert ended["state"] == "cancelled" and ended["outcome"]["message"].startswith("its deadline (")


@pytest.mark.parametrize("request_,words", [
    ({"deadline": 1}, "has passed"), ({"deadline": 0}, "deadline"), ({"deadline": -5}, "deadline"),
    ({"deadline": "noon"}, "deadline"), ({"deadline": 1 << 62}, "deadline"),
    ({"deadline": 4_000_000_000_000_000, "begin": 4_000_000_000_000_000}, "later than begin")])
def test_bad_deadlines(daemon, request_, words):
    with pytest.raises(Refused) as refused:
        daemon.submit("true", **request_)
    assert refused.value.name == "io.batchd.InvalidSpec" and refused.value.parameters["field"] == "deadline"
    assert words in refused.value.parameters["rule"] and daemon.jobs() == []


def test_a_key_covers_it_and_holds_when_it_has_passed(daemon):
    deadline = later(0.3)
    job = daemon.submit("true", key="k", deadline=deadline)
    wait_until_time(deadline)
    assert daemon.submit("true", key="k", deadline=deadline) == job
    for other in ({"deadline": deadline + 1}, {}):
        with pytest.raises(Refused) as refused:
            daemon.submit("true", key="k", **other)
        assert refused.value.name == "io.batchd.KeyConflict"


def test_from_the_command_line(daemon):
    job = daemon.ctl("submit", "--hold", "--deadline", "now+1s", "--", "true").stdout.strip()
    assert "deadline_at: " in daemon.ctl("show", job).stdout
    assert daemon.ctl("wait", job).returncode == 130
    wait_until(lambda: "its deadline (" in daemon.ctl("show", job).stdout)
    bad = daemon.ctl("submit", "--deadline", "2020-01-01", "--", "true")
    assert bad.returncode in (1, 2) and "2020-01-01" in bad.stderr
