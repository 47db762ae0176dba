"""How long what failed waits before it is tried again: over restarts, whatever the clock does, and where many
tasks of an array wait."""
import os
import random
import time

import pytest
from attempts import HOUR, fails_once, show, wait_backoff
from daemon import Daemon, wait_until, wait_until_time


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


@pytest.mark.long
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


@pytest.mark.long
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


@pytest.mark.long
def test_many_that_need_not_wait_need_not_after_a_restart(crowd):
    daemon, many, one = crowd
    daemon.call("io.batchd.Jobs.Edit", id=many, begin=0)
    daemon.call("io.batchd.Jobs.Edit", id=one, begin=0, priority="urgent")  # not behind all of the others
    assert show(daemon, many, index=0)["retry_at"] is None
    daemon.restart()
    assert [show(daemon, job, index=0)["retry_at"] for job in (many, one)] == [None, None]
    daemon.call("io.batchd.Queues.Resume", name="default")
    wait_until(lambda: all(show(daemon, job, index=0)["attempt"] == 2 for job in (many, one)), seconds=60)


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
