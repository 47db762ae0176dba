"""When what failed is tried again: after which ends and how often, what is not its fault, and with how much
memory. For how long it waits: test_retry_waits.py."""
import json
import shutil
import signal
import sqlite3
import subprocess

import pytest
from attempts import HOUR, fails_once, kill_worker, show, wait_backoff
from daemon import Refused, wait_until
from records import ATTEMPT, each, record

AT_ONCE = '[workers]\nprefetch = 0\n[retry]\nbackoff = "none"\n'


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


YEAR = 365 * 86400000
NO_RULES = [
    ({"retry": {"on": ["exit:0"]}}, "retry.on"), ({"retry": {"on": ["success"]}}, "retry.on"),
    ({"retry": {"on": ["default", "exit"]}}, "retry.on"), ({"retry": {"on": [1]}}, "retry.on"),
    ({"retry": {"base_ms": -1}}, "retry.base_ms"), ({"retry": {"factor": 2}}, "retry.base_ms"),
    ({"retry": {"base_ms": 1, "factor": 0.5}}, "retry.factor"), ({"retry": {"base_ms": 9, "cap_ms": 8}}, "retry.cap_ms"),
    ({"retry": {"base_ms": 1, "factor": "2"}}, "retry.factor"), ({"retry": {"jitter": "some"}}, "retry.jitter"),
    ({"retry": {"max_attempts": 0}}, "retry.max_attempts"), ({"retry": {"attempts": 1}}, "retry.attempts"),
    ({"retry": {"max_attempts": 2}, "max_attempts": 3}, "retry.max_attempts"), ({"retry": 1}, "retry"),
    ({"retry": {"on": ["lost"]}, "rerun_if_lost": False}, "retry.on"),
    ({"retry": {"on": ["exit:256"]}}, "retry.on"), ({"retry": {"on": ["exit:"]}}, "retry.on"),
    ({"retry": {"on": ["cancelled"]}}, "retry.on"), ({"retry": {"on": "exit:75"}}, "retry.on"),
    ({"retry": {"base_ms": YEAR + 1}}, "retry.base_ms"), ({"retry": {"base_ms": 1.5}}, "retry.base_ms"),
    ({"retry": {"base_ms": 1, "cap_ms": YEAR + 1}}, "retry.cap_ms"), ({"retry": {"base_ms": 0, "cap_ms": 0}}, "retry.cap_ms"),
    ({"retry": {"cap_ms": 5}}, "retry.base_ms"), ({"retry": {"base_ms": 1, "factor": 100.5}}, "retry.factor"),
    ({"retry": {"base_ms": 1, "factor": -1}}, "retry.factor"), ({"retry": {"jitter": 1}}, "retry.jitter"),
    ({"retry": {"max_attempts": 1001}}, "retry.max_attempts"), ({"retry": {"max_attempts": "3"}}, "retry.max_attempts"),
    ({"max_attempts": 0}, "max_attempts"), ({"max_attempts": 1001}, "max_attempts"), ({"retry": []}, "retry"),
    ({"rerun_if_lost": 1}, "rerun_if_lost"),
]
A_RULE = {"base_ms": YEAR, "factor": 100, "cap_ms": YEAR, "max_attempts": 1000, "on": ["exit:255"]}  # the most


def test_what_is_no_rule_names_the_field(daemon):
    """Of a submit, an edit and a retry."""
    job, ended = daemon.submit("true", hold=True, retry=A_RULE), daemon.submit("true", hold=True)
    daemon.call("io.batchd.Jobs.Cancel", id=ended)
    for method, request in (("Submit", {"argv": ["true"], "cwd": "/"}), ("Edit", {"id": job}), ("Retry", {"id": ended})):
        for more, field in NO_RULES:
            with pytest.raises(Refused) as refused:
                daemon.call(f"io.batchd.Jobs.{method}", **request, **more)
            given = refused.value.parameters["field"]
            assert (refused.value.name, given) == ("io.batchd.InvalidSpec", field), (method, more)
    assert len(daemon.jobs()) == 2


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
        daemon.signal("--worker", signal.SIGTERM)
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
    daemon.signal("--worker", signal.SIGKILL)
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


def test_memory_of_a_task_grows_alone(make_daemon):
    daemon = make_daemon(config=MEMORY)
    daemon.start()
    job = memory_job(daemon, memory=300 * MIB, array="1-2%1", max_attempts=4)
    for attempt, memory in ((1, 300), (2, 450), (3, 675)):
        wait_until(lambda: show(daemon, job, index=1)["attempt"] == attempt, 60)
        assert show(daemon, job, index=1)["resources"]["memory_bytes"] == memory * MIB
        ends_out_of_memory(daemon, job, attempt, index=1)
    wait_until(lambda: [show(daemon, job, index=1)[key] for key in ("attempt", "state")] == [4, "running"], 60)
    assert show(daemon, job, index=1)["suggested_memory"] == 800 * MIB
    assert show(daemon, job)["resources"]["memory_bytes"] == 300 * MIB
    daemon.kill()
    daemon.start()
    assert daemon.call("io.batchd.Server.Status")["resources"]["memory_free_bytes"] == 0
    waits = daemon.submit("true", memory=1 * MIB)
    assert f"job {job}_1 holds 800.0M memory" in daemon.ctl("why", str(waits)).stdout
    assert ", memory 800.0M" in daemon.ctl("show", f"{job}_1").stdout
    (daemon.state / "go4").touch()
    daemon.wait(job)
    tasks = [[one["memory_bytes"] // MIB for one in show(daemon, job, index=index)["attempts"]] for index in (1, 2)]
    assert tasks == [[300, 450, 675, 800], [300, 300, 300, 300]]


@pytest.mark.parametrize("cap,memory", [(800 * MIB, 450 * MIB), (400 * MIB + 1024, 400 * MIB + 1024)])
def test_a_task_with_more_memory_waits_for_it(make_daemon, cap, memory):
    """Where there is room for the other tasks of its array there may be none for it; it is counted in whole MiB."""
    daemon = make_daemon(config=MEMORY.replace("[retry]\n", f"[retry]\nmemory_cap = {cap}\n")
                         + '[queues.default]\npolicy = "priority"\n')
    daemon.start()
    job = daemon.submit("sh", "-c", 'echo "$BATCHD_MEMORY_BYTES"; '
                        'until [ -e "$0/go$BATCHD_ATTEMPT" ]; do sleep 0.02; done; exit $((9 * (2 - $BATCHD_ATTEMPT)))',
                        str(daemon.state), memory=300 * MIB, array="7-8%1", max_attempts=3)
    wait_until(lambda: show(daemon, job, index=7)["state"] == "running", 60)
    beside = daemon.submit("sh", "-c", 'until [ -e "$0/go" ]; do sleep 0.02; done', str(daemon.state),
                           memory=400 * MIB, priority="urgent")
    daemon.wait_running(beside)
    ends_out_of_memory(daemon, job, 1, index=7)
    wait_until(lambda: [show(daemon, beside)[key] for key in ("attempt", "state")] == [2, "running"], 60)
    daemon.call("io.batchd.Server.Ping")
    waits = show(daemon, job, index=7)
    assert (waits["state"], waits["reasons"], waits["resources"]["memory_bytes"]) == ("pending", ["Resources"], memory)
    assert daemon.call("io.batchd.Server.Status")["resources"]["memory_free_bytes"] == 400 * MIB
    (daemon.state / "go").touch()
    (daemon.state / "go2").touch()
    daemon.wait(job, beside)
    assert daemon.ctl("logs", f"{job}_7").stdout.split()[-1] == str(memory)
    assert [show(daemon, job, index=index)["resources"]["memory_bytes"] for index in (7, 8)] == [memory, 300 * MIB]


def test_others_of_the_name_are_told_of_it(make_daemon):
    """What one came to need is suggested to the next of its owner and name, and never done unasked."""
    daemon = make_daemon(config=MEMORY)
    daemon.start()
    job = memory_job(daemon, memory=300 * MIB, max_attempts=2, name="hungry")
    ends_out_of_memory(daemon, job, 1)
    ends_out_of_memory(daemon, job, 2)
    daemon.wait(job)
    daemon.stop()
    daemon.start()
    later = daemon.submit("true", hold=True, name="hungry")
    other = daemon.submit("true", hold=True, name="other")
    enough = daemon.submit("true", hold=True, name="hungry", memory=675 * MIB)
    assert [show(daemon, one)["suggested_memory"] for one in (later, other, enough)] == [675 * MIB, None, None]
    assert show(daemon, later)["resources"]["memory_bytes"] == 0
    assert "hint: ask for 675.0M memory: it, or one like it, had too little" in daemon.ctl("show", str(later)).stdout
    assert daemon.call("io.batchd.Server.Stats")["estimates"] == [], "nothing is known of how long it runs"
    daemon.call("io.batchd.Jobs.Release", id=later)
    daemon.wait(later)
    assert show(daemon, later)["suggested_memory"] is None, "it was well with less"


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
