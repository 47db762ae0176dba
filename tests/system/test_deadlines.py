"""Jobs that are to have ended by a time, over restarts. The clock is the tests' own: a deadline passes
when a test has done what is to be done before."""
import os
import signal
import time

import pytest
from clock import Clock
from daemon import Refused, wait_until

PATIENT = '[workers]\nstop_grace = "10m"\n'


@pytest.fixture
def make_timed(make_daemon, tmp_path):
    """A daemon with a clock of its own."""
    def make(config=""):
        clock = Clock(tmp_path)
        daemon = make_daemon(config=config, env=clock.env)
        daemon.clock = clock
        daemon.start()
        return daemon
    return make


@pytest.fixture
def daemon(make_timed):
    return make_timed()


def in_an_hour(daemon):
    return int((daemon.clock.now() + 3600) * 1e6)


def passes(daemon, deadline):
    daemon.clock.set(deadline / 1e6 + 0.001)


def submit_ready(daemon, before_loop, **more):
    """A job that has run these shell commands and goes on until it is stopped; $0 is the daemon's folder."""
    script = f'{before_loop}; touch "$0/ready"; while :; do sleep 0.02; done'
    job = daemon.submit("sh", "-c", script, str(daemon.state), **more)
    wait_until((daemon.state / "ready").exists)
    return job


def submit_stubborn(daemon, **more):
    """A job that outlives SIGTERM, which it tells of by a file."""
    return submit_ready(daemon, """trap 'touch "$0/stopped"' TERM""", **more)


def wait_stopped(daemon):
    wait_until((daemon.state / "stopped").exists)


def stamp(at):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at // 1_000_000))


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("why", [{"hold": True}, {"array": "0-99", "hold": True}, {"depends": True}])
def test_what_waits_ends_at_its_deadline(daemon, why, down):
    parent = daemon.submit("true", hold=True)
    if "depends" in why:
        why = {"depends": f"afterok:{parent}"}
    deadline = in_an_hour(daemon)
    job = daemon.submit("true", deadline=deadline, **why)
    child = daemon.submit("true", depends=f"afternotok:{job}")
    assert daemon.job(job)["deadline_at"] == deadline and daemon.job(job)["state"] == "pending"
    if down:
        daemon.kill()
    passes(daemon, deadline)
    if down:
        daemon.start()
    ended = daemon.wait(job)[0]
    assert (ended["state"], ended["outcome"]["class"]) == ("cancelled", "cancelled")
    assert ended["outcome"]["message"].startswith(f"its deadline ({stamp(deadline)}) passed")
    assert deadline <= ended["ended_at"] <= daemon.clock.now() * 1e6
    assert daemon.wait(child)[0]["state"] == "completed"


@pytest.mark.parametrize("restart", [None, "before", "while it passes"])
def test_what_runs_is_stopped_and_not_tried_again(daemon, restart):
    deadline = in_an_hour(daemon)
    job = submit_ready(daemon, 'trap "exit 0" TERM', deadline=deadline, max_attempts=3)
    if restart == "before":
        daemon.restart()
    elif restart is not None:
        daemon.kill()
    passes(daemon, deadline)
    if restart == "while it passes":
        daemon.start()
    ended = daemon.wait(job)[0]
    assert (ended["state"], ended["attempt"]) == ("failed", 1)
    assert ended["outcome"]["class"] == "timeout"
    assert ended["outcome"]["message"] == f"its deadline ({stamp(deadline)}) passed"
    assert ended["ended_at"] >= deadline
    daemon.restart()
    assert daemon.job(job)["outcome"] == ended["outcome"]


def test_batchd_dies_as_it_stops_it(make_timed):
    """It is killed all the same, and its end is understood as before."""
    daemon = make_timed('[workers]\nstop_grace = "4s"\n')
    deadline = in_an_hour(daemon)
    job = submit_stubborn(daemon, deadline=deadline, key="k")
    passes(daemon, deadline)
    wait_stopped(daemon)
    daemon.restart()
    ended = daemon.wait(job)[0]
    assert ended["outcome"]["class"] == "timeout" and "deadline" in ended["outcome"]["message"]


def test_the_power_fails_as_it_stops_it(make_timed):
    """The end that its worker wrote down is understood after the reboot."""
    daemon = make_timed(PATIENT)
    deadline = in_an_hour(daemon)
    script = """trap 'touch "$0/stopped"; until [ -e "$0/go" ]; do sleep 0.02; done; exit 0' TERM"""
    job = submit_ready(daemon, script, deadline=deadline)
    passes(daemon, deadline)
    wait_stopped(daemon)
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
    good, bad = (daemon.submit(program, deadline=in_an_hour(daemon)) for program in ("true", "false"))
    assert [job["state"] for job in daemon.wait(good, bad)] == ["completed", "failed"]
    daemon.restart()
    assert daemon.job(good)["state"] == "completed"


def test_a_cancel_is_a_cancel(daemon):
    """The deadline passes while a job that was cancelled has still time to end."""
    deadline = in_an_hour(daemon)
    script = """trap 'until [ -e "$0/go" ]; do sleep 0.02; done; exit 0' TERM"""
    job = submit_ready(daemon, script, deadline=deadline)
    after = daemon.submit("true", hold=True, deadline=deadline + 1)
    daemon.call("io.batchd.Jobs.Cancel", id=job, grace_ms=600_000, reason="mine")
    passes(daemon, deadline)
    daemon.wait(after)  # it has been looked at
    (daemon.state / "go").touch()
    ended = daemon.wait(job)[0]
    assert (ended["state"], ended["outcome"]["class"]) == ("cancelled", "cancelled")


def test_an_array_that_runs(make_timed):
    daemon = make_timed("[workers]\nmax = 1\n")
    deadline = in_an_hour(daemon)
    job = daemon.submit("sh", "-c", '[ "$BATCHD_ARRAY_INDEX" = 0 ] || exec sleep 600', array="0-9", deadline=deadline)
    wait_until(lambda: daemon.job(job)["array"]["completed"] == 1)
    passes(daemon, deadline)
    ended = daemon.wait(job)[0]
    assert ended["state"] == "cancelled" and ended["array"]["completed"] == 1
    assert ended["array"]["cancelled"] == 9
    assert ended["outcome"]["message"].startswith(f"its deadline ({stamp(deadline)}) passed: ")


def test_a_retry_that_comes_too_late(daemon):
    deadline = in_an_hour(daemon)
    once = '[ -e "$0/once" ] || { touch "$0/once"; exit 1; }'
    job = submit_ready(daemon, once, deadline=deadline, max_attempts=5)
    passes(daemon, deadline)
    ended = daemon.wait(job)[0]
    assert (ended["state"], ended["attempt"], ended["outcome"]["class"]) == ("failed", 2, "timeout")


def test_handed_over_behind_another(make_timed):
    """A worker has it and has not begun: it ends all the same."""
    daemon = make_timed("[workers]\nmax = 1\nprefetch = 6\n")
    daemon.wait(*[daemon.submit("true") for _ in range(20)])  # short ones, so more are handed over
    deadline = in_an_hour(daemon)
    blocker = daemon.submit("sh", "-c", 'until [ -e "$0" ]; do sleep 0.02; done', str(daemon.state / "go"))
    jobs = [daemon.submit("touch", str(daemon.state / f"ran{i}"), deadline=deadline) for i in range(10)]
    passes(daemon, deadline)
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
    count, deadline = 10000, in_an_hour(daemon)  # ten times what is ended in a turn of the daemon
    submit_many(daemon, count, deadline=deadline, hold=True)
    client, seen = daemon.client(), set()
    passes(daemon, deadline)
    while 0 not in seen:
        seen.add(client.call("io.batchd.Server.Status")["counts"]["pending"])
        assert daemon.clock.now() * 1e6 < deadline + 60e6
    assert any(0 < pending < count for pending in seen), seen


@pytest.mark.long
def test_none_of_many_starts_when_its_deadline_has_passed(daemon):
    """All may begin and are to have ended: those whose turn to be ended comes later do not start."""
    count, deadline = 10000, in_an_hour(daemon)
    other = daemon.submit("true")  # its worker is there to take the next
    daemon.wait(other)
    submit_many(daemon, count, begin=deadline - 1, deadline=deadline)
    daemon.kill()
    passes(daemon, deadline)
    daemon.start()
    wait_until(lambda: daemon.call("io.batchd.Server.Status")["counts"]["pending"] == 0, seconds=60)
    jobs = daemon.jobs()
    assert len(jobs) == count + 1
    assert {(job["state"], job["attempt"]) for job in jobs if job["id"] != other} == {("cancelled", 0)}


def test_the_worker_dies_as_its_deadline_passes(make_timed):
    """It is lost, and not run again behind its deadline."""
    daemon = make_timed(PATIENT)
    deadline = in_an_hour(daemon)
    job = submit_stubborn(daemon, deadline=deadline)
    passes(daemon, deadline)
    wait_stopped(daemon)
    daemon.signal("--worker", signal.SIGKILL)
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
    deadline = in_an_hour(daemon)
    job = daemon.submit("true", key="k", deadline=deadline)
    passes(daemon, deadline)
    assert daemon.submit("true", key="k", deadline=deadline) == job
    for other in ({"deadline": deadline + 1}, {}):
        with pytest.raises(Refused) as refused:
            daemon.submit("true", key="k", **other)
        assert refused.value.name == "io.batchd.KeyConflict"


def test_from_the_command_line(daemon):
    job = daemon.ctl("submit", "--hold", "--deadline", "now+1h", "--", "true").stdout.strip()
    assert "deadline_at: " in daemon.ctl("show", job).stdout
    daemon.clock.set(daemon.clock.now() + 3601)
    assert daemon.ctl("wait", job).returncode == 130
    wait_until(lambda: "its deadline (" in daemon.ctl("show", job).stdout)
    bad = daemon.ctl("submit", "--deadline", "2020-01-01", "--", "true")
    assert bad.returncode in (1, 2) and "2020-01-01" in bad.stderr


# ---- a word before it ----

WARNED = """trap 'echo x >>"$0/warned"' USR1"""


def warnings(daemon):
    path = daemon.state / "warned"
    return len(path.read_text().split()) if path.exists() else 0


def test_a_signal_comes_before_it(daemon):
    """Once, over a restart as well; and the job ends at its deadline as ever."""
    deadline = in_an_hour(daemon)
    job = submit_ready(daemon, WARNED, deadline=deadline, timeout_signal="USR1", timeout_signal_ms=600000)
    daemon.wait_running(job)
    wait_looked_at(daemon, deadline - 602_000_000)
    assert warnings(daemon) == 0
    daemon.restart()
    daemon.wait_running(job)
    daemon.clock.set(deadline / 1e6 - 599)
    wait_until(lambda: warnings(daemon) == 1)
    daemon.restart()
    daemon.wait_running(job)
    wait_looked_at(daemon, deadline - 300_000_000)
    assert warnings(daemon) == 1 and daemon.job(job)["state"] == "running"
    passes(daemon, deadline)
    assert daemon.wait(job)[0]["outcome"]["class"] == "timeout"
    assert warnings(daemon) == 1


def test_one_that_waits_then_is_not_warned(daemon):
    deadline = in_an_hour(daemon)
    job = daemon.submit("true", hold=True, deadline=deadline, timeout_signal="USR1", timeout_signal_ms=600000)
    wait_looked_at(daemon, deadline - 599_000_000)
    assert daemon.job(job)["state"] == "pending"
    passes(daemon, deadline)
    assert daemon.wait(job)[0]["state"] == "cancelled"


def wait_looked_at(daemon, at):
    """The clock has come to this time, and batchd has looked for what is due then: for warnings first."""
    marker = daemon.submit("true", hold=True, deadline=at)
    daemon.clock.set(at / 1e6 + 0.001)
    assert daemon.wait(marker)[0]["state"] == "cancelled"


COUNTS = WARNED + "; trap 'exit 0' TERM"  # those too that come just before its end
FIRST = {"timeout_signal": "USR1", "timeout_signal_ms": 600_000}


@pytest.mark.parametrize("first,then,before_s", [
    (FIRST, {"timeout_signal": "USR1", "timeout_signal_ms": 1_200_000}, 1200),
    (FIRST, {"timeout_signal": "USR1", "timeout_signal_ms": 300_000}, 300),
    ({}, {"timeout_signal": "USR1", "timeout_signal_ms": 300_000}, 300), (FIRST, {"timeout_signal": ""}, None)],
    ids=["earlier", "later", "given", "taken away"])
@pytest.mark.parametrize("restart", [False, True])
def test_an_edit_of_the_signal_is_followed(daemon, first, then, before_s, restart):
    """It comes at the new time and not at the old one, too."""
    deadline = in_an_hour(daemon)
    gate = daemon.submit("true", hold=True)
    script = f"{COUNTS}; touch \"$0/ready\"; while :; do sleep 0.02; done"
    job = daemon.submit("sh", "-c", script, str(daemon.state), deadline=deadline, depends=f"after:{gate}", **first)
    daemon.call("io.batchd.Jobs.Edit", id=job, **then)
    daemon.call("io.batchd.Jobs.Release", id=gate)
    wait_until((daemon.state / "ready").exists)
    if restart:
        daemon.restart()
        daemon.wait_running(job)
    for before in (1200, 600, 300):
        wait_looked_at(daemon, deadline - before * 1_000_000)
        if before == before_s:
            wait_until(lambda: warnings(daemon) == 1)
    passes(daemon, deadline)
    assert daemon.wait(job)[0]["outcome"]["class"] == "timeout"
    assert warnings(daemon) == (before_s is not None)


def test_each_task_is_warned_once(daemon):
    deadline = in_an_hour(daemon)
    script = f"{COUNTS}; touch \"$0/ready$BATCHD_ARRAY_INDEX\"; while :; do sleep 0.02; done"
    job = daemon.submit("sh", "-c", script, str(daemon.state), array="0-1", deadline=deadline, **FIRST)
    wait_until(lambda: len(list(daemon.state.glob("ready*"))) == 2)
    wait_looked_at(daemon, deadline - 600_000_000)
    wait_until(lambda: warnings(daemon) == 2)
    passes(daemon, deadline)
    assert daemon.wait(job)[0]["state"] == "cancelled" and warnings(daemon) == 2


def test_one_whose_worker_has_not_begun_it_is_warned_a_little_later(make_timed):
    """It dies of the signal, for which it has no handler."""
    daemon = make_timed("[workers]\nmin = 1\nmax = 1\n")
    daemon.wait(daemon.submit("true"))
    worker, = daemon.processes("--worker")
    deadline = in_an_hour(daemon)
    os.kill(worker, signal.SIGSTOP)
    try:
        job = daemon.submit("sleep", "600", deadline=deadline, **FIRST)
        wait_until(lambda: daemon.job(job)["state"] == "starting")
        wait_looked_at(daemon, deadline - 600_000_000)
    finally:
        os.kill(worker, signal.SIGCONT)
    ended = daemon.wait(job)[0]
    assert (ended["outcome"]["class"], ended["outcome"]["signal"]) == ("signal", signal.SIGUSR1)


def test_a_start_does_not_read_what_waits_to_be_warned(daemon):
    """Of a million jobs that would take long; when one is to be warned is found as it starts."""
    each = 100_000
    for _ in range(50):
        daemon.submit("true", "x" * each, hold=True, deadline=in_an_hour(daemon), **FIRST)
    daemon.stop()
    daemon.start()
    with open(f"/proc/{daemon.process.pid}/io") as file:
        read, = (int(line.split()[1]) for line in file if line.startswith("rchar: "))
    assert read < 75 * each, "each once, for what the scheduler needs"


def test_a_signal_without_a_limit_is_refused(daemon):
    with pytest.raises(Refused) as refused:
        daemon.submit("true", timeout_signal="USR1")
    assert refused.value.parameters["message"] == "timeout_signal goes with a timeout or a deadline"
