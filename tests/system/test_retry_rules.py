"""When what failed is tried again: after which ends, how often, after which delay; over restarts, and
whatever the clock does."""
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest
from clock import Clock
from daemon import Daemon, Refused, wait_until, wait_until_time
from records import ATTEMPT, each, record

HOUR = 3600
AT_ONCE = '[workers]\nprefetch = 0\n[retry]\nbackoff = "none"\n'


@pytest.fixture
def timed(make_daemon, tmp_path):
    """A daemon with a clock of its own."""
    clock = Clock(tmp_path)
    daemon = make_daemon(env=clock.env)
    daemon.clock = clock
    daemon.start()
    return daemon


def fails_once(daemon, **more):
    """A job that fails the first time it runs."""
    return daemon.submit("sh", "-c", 'echo "$BATCHD_ATTEMPT"; [ -e "$0/once$BATCHD_ARRAY_INDEX" ] || '
                         '{ touch "$0/once$BATCHD_ARRAY_INDEX"; exit 75; }', str(daemon.state), **more)


def show(daemon, job, **more):
    return daemon.call("io.batchd.Jobs.Show", id=job, attempts=True, **more)["job"]


def wait_backoff(daemon, job, **more):
    wait_until(lambda: "RetryBackoff" in show(daemon, job, **more)["reasons"])
    return show(daemon, job, **more)


def kill_worker(daemon, job):
    """The worker that runs the job; what it does is not waited for."""
    daemon.wait_running(job)
    attempt = show(daemon, job)["attempt"]
    for pid in daemon.processes("--worker"):
        os.kill(pid, signal.SIGKILL)
    return attempt


# ---- which ends, how often ----

ENDS = [  # script, request, attempts
    ("exit 75", {}, 3), ("exit 69", {}, 3), ("exit 74", {}, 3), ("exit 1", {}, 1), ("kill -9 $$", {}, 1),
    ("exit 1", {"max_attempts": 4}, 4), ("kill -9 $$", {"max_attempts": 2}, 2), ("exit 64", {"max_attempts": 4}, 1),
    ("exit 78", {"max_attempts": 4}, 1), ("exit 127", {"max_attempts": 4}, 1), ("exit 75", {"max_attempts": 1}, 1),
    ("exit 64", {"retry": {"on": ["exit:64"]}}, 3), ("exit 75", {"retry": {"on": ["exit:64"]}}, 1),
    ("exit 127", {"retry": {"on": ["exit"], "max_attempts": 2}}, 2), ("exit 75", {"retry": {"on": []}}, 1),
    ("kill -9 $$", {"retry": {"on": ["signal"]}}, 3), ("exit 1", {"retry": {"on": ["failures"]}}, 3),
    ("exit 1", {"retry": {"on": ["default"]}, "max_attempts": 4}, 1),
    ("sleep 60", {"timeout_ms": 20}, 1), ("sleep 60", {"timeout_ms": 20, "max_attempts": 2}, 2),
    ("sleep 60", {"timeout_ms": 20, "retry": {"on": ["timeout", "exit:9"]}}, 3),
]


def test_the_ends_after_which_it_is_tried_again(make_daemon):
    daemon = make_daemon(config=AT_ONCE)
    daemon.start()
    jobs = [daemon.submit("sh", "-c", script, **more) for script, more, _ in ENDS]
    nothing = daemon.submit("/nonexistent", max_attempts=5)
    named = daemon.submit("/nonexistent", retry={"on": ["spawn"]})
    daemon.wait(*jobs, nothing, named, seconds=60)
    for job, (script, more, attempts) in zip(jobs, ENDS):
        shown = show(daemon, job)
        assert shown["attempt"] == attempts, (script, more)
        assert [one["attempt"] for one in shown["attempts"]] == list(range(1, attempts + 1))
        assert all(one["charged"] and one["outcome"] == shown["outcome"] for one in shown["attempts"]), shown
    assert (show(daemon, nothing)["attempt"], show(daemon, named)["attempt"]) == (1, 3)


def test_the_job_goes_before_its_queue_before_the_configuration(make_daemon):
    config = ('[retry]\nmax_attempts = 2\nbackoff = "7s"\njitter = "equal"\n'
              '[queues.q]\nbackoff = "5s:3:1m"\nretry_on = "exit:9,lost"\n[queues.often]\nmax_attempts = 9\n'
              '[retry.types.image]\nmax_attempts = 4\nbackoff = "3s"\non = "exit:74"\n')
    daemon = make_daemon(config=config)
    daemon.start()
    assert daemon.ctl("queue", "set", "often", "--jitter", "full").returncode == 0
    daemon.restart()
    rule = {"max_attempts": 2, "base_ms": 7000, "factor": 2.0, "cap_ms": 3600000, "jitter": "equal",
            "on": ["default"], "rerun_if_lost": True}
    rows = [
        ({}, {}),
        ({"max_attempts": 5}, {"max_attempts": 5, "on": ["failures"]}),
        ({"queue": "q"}, {"base_ms": 5000, "factor": 3.0, "cap_ms": 60000, "on": ["lost", "exit:9"]}),
        ({"queue": "often"}, {"max_attempts": 9, "on": ["failures"], "jitter": "full"}),
        ({"queue": "often", "max_attempts": 3, "rerun_if_lost": False, "retry": {"jitter": "none", "base_ms": 0}},
         {"max_attempts": 3, "on": ["failures"], "jitter": "none", "base_ms": 0, "rerun_if_lost": False}),
        ({"queue": "q", "retry": {"on": ["signal"], "base_ms": 1, "factor": 1.5, "cap_ms": 10}},
         {"base_ms": 1, "factor": 1.5, "cap_ms": 10, "on": ["signal"], "rerun_if_lost": False}),
    ]
    typed = {"type": "image", "params": {"input": "a.png", "output": "b.png"}}
    rows += [
        (typed, {"max_attempts": 4, "base_ms": 3000, "on": ["exit:74"], "rerun_if_lost": False}),
        (typed | {"queue": "q", "max_attempts": 8},
         {"max_attempts": 8, "base_ms": 5000, "factor": 3.0, "cap_ms": 60000, "on": ["lost", "exit:9"]}),
    ]
    for request, wanted in rows:
        command = {} if "type" in request else {"argv": ["true"]}
        job = daemon.call("io.batchd.Jobs.Submit", cwd="/", hold=True, **command, **request)["id"]
        daemon.restart()
        assert show(daemon, job)["retry"] == rule | wanted, request


NO_RULES = [
    ({"retry": {"on": ["exit:0"]}}, "retry.on"), ({"retry": {"on": ["success"]}}, "retry.on"),
    ({"retry": {"on": ["default", "exit"]}}, "retry.on"), ({"retry": {"on": [1]}}, "retry.on"),
    ({"retry": {"base_ms": -1}}, "retry.base_ms"), ({"retry": {"factor": 2}}, "retry.base_ms"),
    ({"retry": {"base_ms": 1, "factor": 0.5}}, "retry.factor"), ({"retry": {"base_ms": 9, "cap_ms": 8}}, "retry.cap_ms"),
    ({"retry": {"base_ms": 1, "factor": "2"}}, "retry.factor"), ({"retry": {"jitter": "some"}}, "retry.jitter"),
    ({"retry": {"max_attempts": 0}}, "retry.max_attempts"), ({"retry": {"attempts": 1}}, "retry.attempts"),
    ({"retry": {"max_attempts": 2}, "max_attempts": 3}, "retry.max_attempts"), ({"retry": 1}, "retry"),
    ({"retry": {"on": ["lost"]}, "rerun_if_lost": False}, "retry.on"),
]


def test_what_is_no_rule_names_the_field(daemon):
    for more, field in NO_RULES:
        with pytest.raises(Refused) as refused:
            daemon.submit("true", **more)
        assert refused.value.name == "io.batchd.InvalidSpec" and refused.value.parameters["field"] == field, more
    assert daemon.jobs() == []


# ---- the delay ----

def test_it_waits_and_says_so(daemon):
    job = fails_once(daemon, retry={"base_ms": HOUR * 1000, "factor": 3})
    shown = wait_backoff(daemon, job)
    failed = shown["attempts"][0]
    assert shown["state"] == "pending" and (shown["attempt"], shown["charged"]) == (1, 1)
    assert failed["retry_ms"] == HOUR * 1000 and failed["usage"]["max_rss_bytes"] > 0
    assert failed["outcome"]["exit_code"] == 75 and failed["charged"] is True
    assert 0 <= shown["retry_at"] - failed["ended_at"] - HOUR * 1e6 < 20e6 and shown["eligible_at"] == shown["retry_at"]
    reason = daemon.call("io.batchd.Jobs.Why", id=job)
    assert [one["reason"] for one in reason["reasons"]] == ["RetryBackoff"]
    assert abs(reason["reasons"][0]["at"] - shown["retry_at"]) < 100_000
    assert reason["predicted_start"] >= shown["retry_at"] - 100_000
    assert [one["command"] for one in reason["starts_now_if"]] == [f"batchctl release {job}"]
    planned = daemon.call("io.batchd.Jobs.Plan")["jobs"]
    assert planned[0]["id"] == job and planned[0]["predicted_start"] >= shown["retry_at"] - 100_000
    text = daemon.ctl("show", "--attempts", str(job)).stdout
    assert "attempt: 1 of 3" in text and "tried again: 20" in text and "tried again: the next 1h00m later" in text
    assert "RetryBackoff" in daemon.ctl("list").stdout
    daemon.call("io.batchd.Jobs.Release", id=job)
    ended = daemon.wait(job)[0]
    assert ended["state"] == "completed" and ended["retry_at"] is None
    assert [daemon.ctl("logs", str(job), "--attempt", str(n)).stdout for n in (1, 2)] == ["1\n", "2\n"]
    assert [one["charged"] for one in show(daemon, job)["attempts"]] == [True, False]


@pytest.mark.parametrize("moved, runs", [(2 * HOUR, True), (-24 * HOUR, False), (0, False)])
def test_a_restart_in_the_middle(timed, moved, runs):
    """The time that was chosen stands in the store; a clock that was put back does not make it wait longer."""
    job = fails_once(timed, retry={"base_ms": HOUR * 1000})
    before = wait_backoff(timed, job)["retry_at"]
    timed.kill()
    timed.clock.set(timed.clock.now() + moved)
    timed.start()
    if runs:
        assert timed.wait(job)[0]["state"] == "completed"
        return
    shown = show(timed, job)
    now = timed.clock.now() * 1e6
    assert shown["reasons"] == ["RetryBackoff"] and shown["attempt"] == 1
    assert now < shown["retry_at"] <= now + HOUR * 1e6 + 1e6
    assert moved != 0 or abs(shown["retry_at"] - before) < 1e6
    timed.restart()
    assert timed.call("io.batchd.Jobs.Release", id=job)
    assert timed.wait(job)[0]["attempt"] == 2


@pytest.mark.parametrize("moved", [30 * 24 * HOUR, -30 * 24 * HOUR])
def test_a_clock_that_is_set_while_it_waits_changes_nothing(timed, moved):
    short = fails_once(timed, name="short", retry={"base_ms": 4000})
    wait_backoff(timed, short)
    long = timed.submit("sh", "-c", "exit 75", retry={"base_ms": HOUR * 1000})
    wait_backoff(timed, long)
    timed.clock.set(timed.clock.now() + moved)
    assert timed.wait(short)[0]["state"] == "completed"
    shown = show(timed, long)
    assert shown["attempt"] == 1 and shown["reasons"] == ["RetryBackoff"]
    assert abs(shown["retry_at"] - (timed.clock.now() + HOUR) * 1e6) < 60e6, "an hour from now, by the new clock"


@pytest.mark.parametrize("by", ["release", "edit"])
@pytest.mark.parametrize("array", [None, "0-2"])
def test_it_need_not_wait(make_daemon, by, array):
    """release lets it start, and so does a begin time in the place of the time of its next attempt."""
    daemon = make_daemon(config="[workers]\nmax = 1\nprefetch = 0\n")
    daemon.start()
    more = {"array": array} if array else {}
    job = fails_once(daemon, retry={"base_ms": HOUR * 1000}, **more)
    wait_backoff(daemon, job)
    blocker = daemon.submit("sleep", "600", priority="urgent")
    daemon.wait_running(blocker)
    if by == "release":
        dry = daemon.ctl("release", "--dry-run", str(job))
        assert dry.returncode == 0 and "RetryBackoff" in show(daemon, job)["reasons"], dry
        assert daemon.ctl("release", str(job)).returncode == 0
    else:
        assert daemon.ctl("edit", str(job), "--begin", "now").returncode == 0
    assert "RetryBackoff" not in show(daemon, job)["reasons"]
    daemon.restart()
    assert "RetryBackoff" not in show(daemon, job)["reasons"]
    daemon.call("io.batchd.Jobs.Cancel", id=blocker)
    assert daemon.wait(job)[0]["state"] == "completed"


def test_a_begin_time_in_its_place(timed):
    job = fails_once(timed, retry={"base_ms": HOUR * 1000})
    wait_backoff(timed, job)
    timed.call("io.batchd.Jobs.Edit", id=job, begin=int((timed.clock.now() + 3 * HOUR) * 1e6))
    for _ in range(2):
        shown = show(timed, job)
        assert shown["reasons"] == ["BeginTime"] and shown["retry_at"] is None, shown
        timed.restart()
    timed.clock.set(timed.clock.now() + 3 * HOUR + 1)
    assert timed.wait(job)[0]["state"] == "completed"


def test_what_is_cancelled_wakes_nobody(daemon):
    """The next job is kept where the cancelled one was."""
    gone = daemon.submit("sh", "-c", "exit 75", retry={"base_ms": 4000})
    at = wait_backoff(daemon, gone)["retry_at"]
    daemon.call("io.batchd.Jobs.Cancel", id=gone)
    job = daemon.submit("sh", "-c", "exit 75", retry={"base_ms": HOUR * 1000})
    wait_backoff(daemon, job)
    wait_until_time(at + 2_000_000)
    assert show(daemon, job)["reasons"] == ["RetryBackoff"] and show(daemon, job)["attempt"] == 1


def test_what_waits_is_held_and_cancelled(daemon):
    held, gone = (daemon.submit("sh", "-c", "exit 75", retry={"base_ms": HOUR * 1000}) for _ in range(2))
    for job in (held, gone):
        wait_backoff(daemon, job)
    daemon.call("io.batchd.Jobs.Hold", id=held)
    assert daemon.call("io.batchd.Jobs.Cancel", id=gone)["state"] == "cancelled"
    daemon.restart()
    assert show(daemon, held)["reasons"] == ["Held", "RetryBackoff"]
    assert show(daemon, gone)["attempt"] == show(daemon, held)["attempt"] == 1
    for attempt in (2, 3):
        daemon.call("io.batchd.Jobs.Release", id=held)
        wait_until(lambda: show(daemon, held)["charged"] == attempt)
    assert daemon.wait(held)[0]["state"] == "failed"


# ---- arrays ----

def test_a_task_that_waits_does_not_keep_the_others(timed):
    """Of one worker: the first fails, the others run meanwhile, and it runs when its time has come."""
    script = ('echo "$BATCHD_ARRAY_INDEX" >>"$0/ran"; [ "$BATCHD_ARRAY_INDEX" != 1 ] || [ -e "$0/go" ] || exit 75')
    job = timed.submit("sh", "-c", script, str(timed.state), array="0-3", retry={"base_ms": HOUR * 1000})
    wait_until(lambda: show(timed, job)["array"]["completed"] == 3)
    for _ in range(2):
        shown = wait_backoff(timed, job)
        task = show(timed, job, index=1)
        assert task["reasons"] == ["RetryBackoff"] and task["state"] == "pending", task
        assert abs(task["retry_at"] - shown["retry_at"]) < 1e6
        timed.restart()
    assert sorted((timed.state / "ran").read_text().split()) == list("0123")
    (timed.state / "go").touch()
    timed.kill()
    timed.clock.set(timed.clock.now() + 2 * HOUR)
    timed.start()
    assert timed.wait(job)[0]["state"] == "completed"
    assert (timed.state / "ran").read_text().split()[-1] == "1"
    attempts = show(timed, job, index=1)["attempts"]
    assert [one["retry_ms"] for one in attempts] == [HOUR * 1000, None]


def test_tasks_and_jobs_against_a_model_over_restarts():
    """Each fails so often as it was told, and never starts before its time."""
    chance = random.Random(11)
    script = ('date +%s%N >>"$0/$BATCHD_JOB_ID.$BATCHD_ARRAY_INDEX"; n=$(wc -l <"$0/$BATCHD_JOB_ID.$BATCHD_ARRAY_INDEX"); '
              '[ "$n" -gt "$(sed -n "$((BATCHD_ARRAY_INDEX + 1))p" "$0/fails")" ] || exit 75')
    with Daemon(config="[workers]\nmax = 3\n") as daemon:
        fails = [chance.choice([0, 0, 1, 1, 2, 3]) for _ in range(40)]
        (daemon.state / "fails").write_text("".join(f"{n}\n" for n in fails))
        rule = {"base_ms": 400, "factor": 2, "max_attempts": 3, "jitter": "none"}
        array = daemon.submit("sh", "-c", script, str(daemon.state), array="0-39%3", retry=rule)
        jobs = [daemon.submit("sh", "-c", script, str(daemon.state), retry=rule, env={"BATCHD_ARRAY_INDEX": "0",
                              "PATH": os.environ["PATH"]}) for _ in range(3)]
        for _ in range(4):
            time.sleep(0.3)  # restarts in the midst of it, whenever that is
            daemon.restart()
        ended = daemon.wait(array, *jobs, seconds=120)[0]
        for index, count in enumerate(fails):
            lines = (daemon.state / f"{array}.{index}").read_text().split()
            assert len(lines) == min(count + 1, 3), (index, count)
            task = show(daemon, array, index=index)
            assert task["state"] == ("failed" if count == 3 else "completed")
            attempts = task["attempts"]
            for n, (before, after) in enumerate(zip(attempts, attempts[1:])):
                assert after["started_at"] - before["ended_at"] >= 400_000 * 2 ** n - 1000, (index, attempts)
        assert ended["array"]["failed"] == fails.count(3)


@pytest.mark.parametrize("killed", [False, True])
def test_many_tasks_that_wait_are_cancelled_in_parts(make_daemon, killed):
    """So that others are served meanwhile, and a kill in the midst of it is made good."""
    daemon = make_daemon(config="[workers]\nmax = 4\n[breakers]\nenabled = false\n")
    daemon.start()
    job = daemon.submit("/bin/false", array="0-1999", retry={"on": ["exit"], "base_ms": HOUR * 1000})
    wait_until(lambda: "RetryBackoff" in show(daemon, job)["reasons"] and show(daemon, job)["state"] == "pending",
               seconds=60)
    if killed:  # nothing looks for what may start then
        daemon.call("io.batchd.Queues.Pause", name="default")
    assert daemon.call("io.batchd.Jobs.Cancel", id=job, reason="enough")["state"] == "pending"
    if killed:
        daemon.restart()
    ended = daemon.wait(job)[0]
    assert ended["state"] == "cancelled" and ended["array"]["cancelled"] == 2000, ended
    assert ended["outcome"]["message"] == "enough: 0 of 2000 tasks failed, 2000 were cancelled"
    for index in (0, 1999):
        task = show(daemon, job, index=index)
        assert (task["state"], task["attempt"], task["outcome"]["message"]) == ("cancelled", 1, "enough")
    done = daemon.ctl("list", "--tasks", "--all", "-s", "cancelled", "-o", "id")
    assert len(done.stdout.split()) == 2000


@pytest.fixture
def crowd(make_daemon):
    """Of an array 4000 tasks failed, and none of them is started; and of one a single task did."""
    daemon = make_daemon(config="[workers]\nmax = 4\nprefetch = 6\nidle_exit = '1s'\n[breakers]\nenabled = false\n")
    daemon.start()
    rule = {"on": ["exit"], "base_ms": HOUR * 1000}
    jobs = [daemon.submit("/bin/false", array=tasks, retry=rule) for tasks in ("0-3999", "0-0")]
    wait_until(lambda: all("RetryBackoff" in show(daemon, job)["reasons"] and show(daemon, job)["state"] == "pending"
                           for job in jobs), seconds=120)
    daemon.call("io.batchd.Queues.Pause", name="default")
    yield daemon, *jobs


def cost_of_looks(daemon, job, times):
    """What it uses of a processor to find which tasks would be cancelled."""
    before = daemon.cpu_seconds()
    for _ in range(times):
        daemon.call("io.batchd.Jobs.Cancel", id=job, index=0, dry_run=True)
    return daemon.cpu_seconds() - before


def test_many_tasks_that_wait_are_not_read_again(crowd):
    """Neither for the first time after a start, nor when all of them may start."""
    daemon, many, one = crowd
    daemon.call("io.batchd.Jobs.Release", id=many)
    ready = cost_of_looks(daemon, many, 50) / max(cost_of_looks(daemon, one, 50), 0.001)
    first, later = 1.0, 1.0
    for _ in range(3):
        daemon.restart()
        cost_of_looks(daemon, one, 2)
        first = min(first, cost_of_looks(daemon, many, 1))
        later = min(later, cost_of_looks(daemon, many, 10) / 10)
    print(f"ready: {ready:.1f} times of one; after a start {first * 1000:.2f} ms, later {later * 1000:.2f} ms")
    assert ready < 5
    assert first < 3 * later + 0.001


def test_many_that_need_not_wait_need_not_after_a_restart(crowd):
    daemon, many, one = crowd
    for job in (many, one):
        daemon.call("io.batchd.Jobs.Edit", id=job, begin=0)
    assert show(daemon, many, index=0)["retry_at"] is None
    daemon.restart()
    assert [show(daemon, job, index=0)["retry_at"] for job in (many, one)] == [None, None]
    daemon.call("io.batchd.Queues.Resume", name="default")
    wait_until(lambda: all(show(daemon, job, index=0)["attempt"] == 2 for job in (many, one)))


@pytest.mark.parametrize("held", [False, True])
def test_no_worker_is_made_for_many_that_may_not_start(crowd, held):
    """They are held, or their queue is paused."""
    daemon, many, _ = crowd
    daemon.call("io.batchd.Jobs.Release", id=many)
    if held:
        daemon.call("io.batchd.Jobs.Hold", id=many)
        daemon.call("io.batchd.Queues.Resume", name="default")
    daemon.call("io.batchd.Queues.Add", name="side")
    wait_until(lambda: daemon.processes("--worker") == [], seconds=60)
    daemon.wait_running(daemon.submit("sleep", "600", queue="side"))
    assert len(daemon.processes("--worker")) == 1


def test_some_of_many_that_wait_are_cancelled_in_parts(crowd):
    """The reply comes when all are; others are served in between."""
    daemon, many, _ = crowd
    client, other = daemon.client(), daemon.client()
    with daemon.stopped():  # both are there when it goes on
        client.send("io.batchd.Jobs.Cancel", id=many, indices="1-3900", reason="enough")
        other.send("io.batchd.Server.Ping")
    other.receive()
    left = show(daemon, many)["array"]
    reply = client.receive()["parameters"]
    assert (reply["state"], reply["cancelled"], reply["stopping"]) == ("cancelled", 3900, 0)
    assert left["cancelled"] < 3900
    assert show(daemon, many)["array"]["cancelled"] == 3900
    for index, state in ((0, "pending"), (1, "cancelled"), (3900, "cancelled"), (3901, "pending")):
        assert show(daemon, many, index=index)["state"] == state
    assert show(daemon, many, index=3900)["outcome"]["message"] == "enough"
    daemon.restart()
    assert show(daemon, many)["array"]["cancelled"] == 3900
    daemon.call("io.batchd.Jobs.Cancel", id=many)
    assert daemon.wait(many)[0]["array"]["cancelled"] == 4000


@pytest.mark.parametrize("by", ["end", "edit"])
def test_a_task_that_waits_does_not_keep_those_that_wait_for_another_array(daemon, by):
    """What they wait for comes, or is not waited for any more, while all others of them wait longer."""
    script = 'test "$BATCHD_ARRAY_INDEX" = 0 || until test -e "$0/go$BATCHD_JOB_ID"; do sleep 0.02; done'
    first = daemon.submit("sh", "-c", script, str(daemon.state), array="0-1")
    second = daemon.submit("sh", "-c", 'test "$BATCHD_ARRAY_INDEX" = 1 || exit 75', array="0-1",
                           depends=f"aftercorr:{first}", retry={"base_ms": HOUR * 1000})
    wait_until(lambda: "RetryBackoff" in show(daemon, second)["reasons"])
    if by == "end":
        (daemon.state / f"go{first}").touch()
    else:
        daemon.call("io.batchd.Jobs.Edit", id=second, depends="")
    wait_until(lambda: show(daemon, second, index=1)["state"] == "completed")
    assert show(daemon, second, index=0)["state"] == "pending"
    (daemon.state / f"go{first}").touch()
    daemon.call("io.batchd.Jobs.Cancel", id=second)
    daemon.wait(first, second)


# ---- what the host does ----

def test_what_is_lost_is_not_charged(daemon):
    job = daemon.submit("sh", "-c", 'touch "$0/$BATCHD_ATTEMPT"; [ "$BATCHD_ATTEMPT" -gt 2 ] || sleep 600; exit 1',
                        str(daemon.state), max_attempts=1)
    for _ in range(2):
        kill_worker(daemon, job)
        wait_until(lambda: show(daemon, job)["losses"] > _)
    ended = daemon.wait(job)[0]
    assert (ended["state"], ended["attempt"], ended["charged"], ended["losses"]) == ("failed", 3, 1, 2)
    attempts = show(daemon, job)["attempts"]
    assert [(one["outcome"]["class"], one["charged"], one["retry_ms"]) for one in attempts] == \
        [("lost", False, None)] * 2 + [("exit", True, None)]
    assert "attempt: 1 of 1, 2 lost" in daemon.ctl("show", str(job)).stdout


@pytest.mark.parametrize("array", [None, "5"])
def test_poison(daemon, array):
    """Three losses are the end, over a restart."""
    job = daemon.submit("sleep", "600", max_attempts=100, **({"array": array} if array else {}))
    for losses in range(3):
        kill_worker(daemon, job)
        if losses == 1:
            daemon.restart()
        wait_until(lambda: (show(daemon, job, **({"index": 5} if array else {}))["losses"] > losses
                            or show(daemon, job)["state"] == "failed"))
    ended = daemon.wait(job)[0]
    if array:
        ended = show(daemon, job, index=5)
    assert ended["state"] == "failed" and ended["outcome"]["class"] == "lost", ended
    assert "poison: lost 3 times in 72 h" in ended["outcome"]["message"]


def test_old_losses_do_not_count(timed):
    job = timed.submit("sleep", "600")
    for losses in range(6):
        kill_worker(timed, job)
        wait_until(lambda: show(timed, job)["losses"] > losses)
        timed.clock.set(timed.clock.now() + 40 * HOUR)
        if losses % 2 == 0:
            timed.restart()
    for _ in range(2):
        kill_worker(timed, job)
        wait_until(lambda: show(timed, job)["losses"] > 6 or show(timed, job)["state"] == "failed")
    assert "poison" in timed.wait(job)[0]["outcome"]["message"]


def test_a_worker_that_is_told_to_end_is_no_poison(daemon):
    job = daemon.submit("sh", "-c", 'trap "exit 1" TERM; while :; do sleep 0.02; done', max_attempts=1)
    def runs(attempts):  # a number may be left out: that of an attempt that its worker had and did not begin
        shown = show(daemon, job)
        return shown["state"] == "running" and len(shown["attempts"]) == attempts

    for attempts in range(1, 5):
        wait_until(lambda: runs(attempts), 60)
        for pid in daemon.processes("--worker"):
            os.kill(pid, signal.SIGTERM)
    wait_until(lambda: runs(5), 60)
    shown = show(daemon, job)
    assert (shown["losses"], shown["charged"]) == (0, 0), shown
    assert {(one["outcome"]["class"], one["charged"]) for one in shown["attempts"][:4]} == {("lost", False)}


@pytest.mark.parametrize("more", [{"rerun_if_lost": False}, {"retry": {"on": ["exit"]}}])
def test_what_is_not_to_be_rerun_is_lost(daemon, more):
    job = daemon.submit("sleep", "600", max_attempts=5, **more)
    kill_worker(daemon, job)
    ended = daemon.wait(job)[0]
    assert (ended["state"], ended["outcome"]["class"], ended["attempt"]) == ("failed", "lost", 1)


# ---- too little memory ----

LOG_EXIT, CAUSE_OOM = 65, 6  # common/worker_protocol.h
MIB = 1 << 20


def end_of(log, job, attempt, index):
    """Where the log says how this attempt ended, and what."""
    wanted = ATTEMPT.pack(job, index or 0, attempt, index is not None)
    ends = [(at, payload) for at, kind, payload in each(log.read_bytes())
            if kind == LOG_EXIT and payload.startswith(wanted)]
    return ends[0] if ends else None


def ends_out_of_memory(daemon, job, attempt, index=None):
    """The attempt ends while batchd is away, and its worker's log says that it was for want of memory; the
    worker is gone, so that the log has the last word."""
    name = {} if index is None else {"index": index}
    wait_until(lambda: [show(daemon, job, **name)[key] for key in ("state", "attempt")] == ["running", attempt], 60)
    log = daemon.state / "workers" / str(show(daemon, job, **name)["worker"]) / "log"
    daemon.kill()
    (daemon.state / f"go{attempt}").touch()
    wait_until(lambda: end_of(log, job, attempt, index), 60)
    for pid in daemon.processes("--worker"):
        os.kill(pid, signal.SIGKILL)
    at, payload = end_of(log, job, attempt, index)
    changed = payload[:ATTEMPT.size] + bytes([CAUSE_OOM]) + payload[ATTEMPT.size + 1:]
    with open(log, "r+b") as file:
        file.seek(at)
        file.write(record(LOG_EXIT, changed))
    daemon.start()


def memory_job(daemon, **more):
    return daemon.submit("sh", "-c", 'until [ -e "$0/go$BATCHD_ATTEMPT" ]; do sleep 0.02; done; exit 9',
                         str(daemon.state), **more)


MEMORY = AT_ONCE + '[resources]\ncpus = 2\nmemory = "800M"\n'


def test_memory_grows_by_half_up_to_what_there_is(make_daemon):
    daemon = make_daemon(config=MEMORY)
    daemon.start()
    job = memory_job(daemon, memory=301 * MIB, max_attempts=5)
    for attempt, memory in ((1, 301), (2, 452), (3, 678), (4, 800), (5, 800)):
        wait_until(lambda: show(daemon, job)["attempt"] == attempt, 60)
        assert show(daemon, job)["resources"]["memory_bytes"] == memory * MIB
        ends_out_of_memory(daemon, job, attempt)
    ended = daemon.wait(job)[0]
    assert (ended["state"], ended["outcome"]["class"]) == ("failed", "oom"), ended
    shown = show(daemon, job)
    assert [one["memory_bytes"] // MIB for one in shown["attempts"]] == [301, 452, 678, 800, 800]
    assert shown["suggested_memory"] is None, "there is no more"
    assert daemon.ctl("wait", str(job)).returncode == 137


def test_by_default_it_is_tried_again_while_memory_grows(make_daemon):
    daemon = make_daemon(config=MEMORY.replace("[retry]\n", '[retry]\nmemory_cap = "400M"\n'))
    daemon.start()
    job = memory_job(daemon, memory=300 * MIB)
    ends_out_of_memory(daemon, job, 1)
    ends_out_of_memory(daemon, job, 2)
    assert daemon.wait(job)[0]["outcome"]["class"] == "oom"
    shown = show(daemon, job)
    assert [one["memory_bytes"] // MIB for one in shown["attempts"]] == [300, 400]
    assert shown["suggested_memory"] == 600 * MIB
    assert "ask for 600.0M memory" in daemon.ctl("show", str(job)).stdout
    again = daemon.call("io.batchd.Jobs.Retry", id=job, memory=600 * MIB)["id"]
    daemon.wait(again)
    assert show(daemon, again)["suggested_memory"] is None


def test_tasks_keep_their_memory(make_daemon):
    daemon = make_daemon(config=MEMORY)
    daemon.start()
    job = memory_job(daemon, memory=300 * MIB, array="4", max_attempts=2)
    ends_out_of_memory(daemon, job, 1, index=4)
    ends_out_of_memory(daemon, job, 2, index=4)
    daemon.wait(job)
    task = show(daemon, job, index=4)
    assert [one["memory_bytes"] // MIB for one in task["attempts"]] == [300, 300]
    assert (task["state"], task["outcome"]["class"], task["suggested_memory"]) == ("failed", "oom", 450 * MIB)


# ---- the store ----

CHANGES = ["attempt SET max_rss_bytes=max_rss_bytes+1", "attempt SET retry_us=0", "attempt SET kind=2",
           "attempt SET sum=NULL", "attempt SET message='x'", "attempt SET memory_bytes=1", "job SET retry_at=retry_at+1",
           "job SET retry_us=1", "job SET retry='none none exit'", "job SET retry=NULL", "job SET max_attempts=9"]


def test_damaged_rows_are_found(daemon, tmp_path):
    job = fails_once(daemon, retry={"base_ms": HOUR * 1000})
    wait_backoff(daemon, job)
    daemon.stop()
    for number, change in enumerate(["job SET id=id", *CHANGES]):
        folder = tmp_path / str(number)
        folder.mkdir()
        shutil.copy(daemon.state / "batchd.db", folder)
        with sqlite3.connect(folder / "batchd.db") as db:
            assert db.execute(f"UPDATE {change}").rowcount == 1
        db.close()
        checked = subprocess.run([daemon.batchd, "--state", folder, "--check-store"], capture_output=True, text=True,
                                 timeout=60, check=False)
        assert checked.returncode == (65 if number > 0 else 0), (change, checked)
        assert number == 0 or "fails its checksum" in checked.stderr, (change, checked)


# ---- batchctl ----

def test_batchctl_says_and_changes_the_rule(daemon):
    job = int(daemon.ctl("submit", "--hold", "--backoff", "10s:1.5:1m", "--jitter", "full", "--retry-on",
                         "exit:75,signal,lost", "--max-attempts", "7", "--", "true").stdout)
    rule = {"max_attempts": 7, "base_ms": 10000, "factor": 1.5, "cap_ms": 60000, "jitter": "full",
            "on": ["signal", "lost", "exit:75"], "rerun_if_lost": True}
    assert json.loads(daemon.ctl("show", "--json", str(job)).stdout)["retry"] == rule
    assert "retry: after 10.0s:1.5:1m00s, jitter full, on signal,lost,exit:75" in daemon.ctl("show", str(job)).stdout
    assert daemon.ctl("edit", str(job), "--backoff", "none", "--never-rerun").returncode == 0
    assert show(daemon, job)["retry"] == rule | {"base_ms": 0, "factor": 2.0, "cap_ms": 3600000, "on": ["signal", "exit:75"],
                                                 "rerun_if_lost": False}
    daemon.call("io.batchd.Jobs.Cancel", id=job)
    again = int(daemon.ctl("retry", str(job), "--hold", "--jitter", "equal").stdout)
    assert show(daemon, again)["retry"] == show(daemon, job)["retry"] | {"jitter": "equal"}
    for words in (["--backoff", "x"], ["--backoff", "1s:0"], ["--jitter", "some"], ["--retry-on", "exit:0"], ["--retry-on", ""]):
        refused = daemon.ctl("submit", *words, "--", "true")
        assert refused.returncode == 2 and words[0] in refused.stderr, refused
