"""Suspend, resume and signal: the whole tree, kept over restarts, and only for what runs."""
import os
import pathlib
import signal
import socket
import time

import pytest
from attempts import HOUR
from daemon import Refused, is_halted, wait_until
from records import ATTEMPT, record
from test_ahead import make_short
from test_queues import settings

JOBS = "io.batchd.Jobs."
# Two processes that count, the second in a session of its own and a child of nobody.
COUNTERS = ('(setsid sh -c "while :; do echo x >>$0.hidden; sleep 0.02; done" &); '
            'while :; do echo x >>"$0.main"; sleep 0.02; done')


@pytest.fixture
def counting(daemon):
    """A job that counts into two files: its id, and how far each is."""
    base = daemon.state / "count"
    job = daemon.submit("sh", "-c", COUNTERS.replace("$0.hidden", f"{base}.hidden"), str(base), name="count")

    def counts():
        return [p.stat().st_size if p.exists() else 0 for p in (pathlib.Path(f"{base}.main"), pathlib.Path(f"{base}.hidden"))]

    wait_until(lambda: all(counts()))
    daemon.wait_running(job)
    return job, counts


def stands(counts, seconds=0.5):
    """True when neither has counted for a while."""
    before = counts()
    time.sleep(seconds)  # nothing else can show that nothing happens
    return counts() == before


def goes_on(counts):
    before = counts()
    wait_until(lambda: all(now > then for now, then in zip(counts(), before)))


def test_the_whole_tree_stands_and_goes_on(daemon, counting):
    job, counts = counting
    assert daemon.ctl("suspend", str(job)).stdout == f"Suspended job {job}\n"
    assert daemon.job(job)["state"] == "suspended"
    assert [j["id"] for j in daemon.call(JOBS + "List", states=["suspended"])["jobs"]] == [job]
    wait_until(lambda: stands(counts))
    assert daemon.call(JOBS + "Suspend", id=job)["state"] == "suspended"  # it is so already
    assert daemon.ctl("resume", "name:count").stdout == f"Resumed job {job}\n"
    assert daemon.job(job)["state"] == "running"
    goes_on(counts)
    assert daemon.call(JOBS + "Resume", id=job)["state"] == "running"


def test_events_tell(daemon, counting):
    job, _ = counting
    client = daemon.client()
    client.send("io.batchd.Events.Subscribe", more=True)
    daemon.call(JOBS + "Suspend", id=job)
    daemon.call(JOBS + "Resume", id=job)
    told = []
    while len(told) < 2:
        event = client.receive()["parameters"]
        if event.get("id") == job:
            told.append((event["event"], event["state"]))
    assert told == [("suspended", "suspended"), ("resumed", "running")]


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_it_stays_suspended_over_a_restart(daemon, counting, how):
    job, counts = counting
    daemon.call(JOBS + "Suspend", id=job)
    getattr(daemon, how)()  # at once: the worker may not have halted it yet
    daemon.start()
    assert daemon.job(job)["state"] == "suspended"
    wait_until(lambda: stands(counts))
    daemon.call(JOBS + "Resume", id=job)
    goes_on(counts)
    assert daemon.job(job)["attempt"] == 1


def tell_worker(daemon, worker, kind, job):
    """What a batchd before this one told a worker (common/worker_protocol.h)."""
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(f"{daemon.state}/workers/{worker}/sock")
        assert link.recv(4096)  # HELLO: it serves us
        link.sendall(record(kind, ATTEMPT.pack(job, 0, 1, 0)))


SUSPEND, RESUME = 7, 8


@pytest.mark.long
def test_the_row_says_whether_it_stands(daemon, counting):
    """A worker that was told something else, or nothing, follows what was acknowledged."""
    job, counts = counting
    worker = daemon.job(job)["worker"]
    daemon.kill()
    tell_worker(daemon, worker, SUSPEND, job)
    wait_until(lambda: stands(counts))
    daemon.start()
    daemon.wait_running(job)
    goes_on(counts)
    daemon.call(JOBS + "Suspend", id=job)
    wait_until(lambda: stands(counts))
    daemon.kill()
    tell_worker(daemon, worker, RESUME, job)
    goes_on(counts)
    daemon.start()
    assert daemon.job(job)["state"] == "suspended"
    wait_until(lambda: stands(counts))


def test_a_suspended_job_can_be_cancelled(daemon):
    mark = daemon.state / "told"
    job = daemon.submit("sh", "-c", f"trap 'touch {mark}; exit 3' TERM; echo $$ >{mark}.new; mv {mark}.new {mark}.pid; "
                                    "while :; do sleep 0.1; done")
    wait_until(lambda: os.path.exists(f"{mark}.pid"))
    daemon.wait_running(job)
    daemon.call(JOBS + "Suspend", id=job)
    wait_until(lambda: is_halted(int(pathlib.Path(f"{mark}.pid").read_text())))
    daemon.call(JOBS + "Cancel", id=job, grace_ms=20000)
    ended = daemon.wait(job)[0]
    assert ended["state"] == "cancelled" and ended["outcome"]["exit_code"] == 3 and mark.exists()


def test_suspended_time_does_not_count(daemon):
    """What it runs until it is halted, some 2 s, does."""
    pid = daemon.state / "pid"
    job = daemon.submit("sh", "-c", f"echo $$ >{pid}.new; mv {pid}.new {pid}; exec sleep 600", timeout_ms=6000)
    wait_until(pid.exists)
    daemon.wait_running(job)
    daemon.call(JOBS + "Suspend", id=job)
    wait_until(lambda: is_halted(int(pid.read_text())))
    time.sleep(6.5)  # more than its timeout; nothing else can show that it does not count
    assert daemon.job(job)["state"] == "suspended"
    daemon.call(JOBS + "Resume", id=job)
    ended = daemon.wait(job)[0]
    assert ended["outcome"]["class"] == "timeout"
    whole, ran = ended["ended_at"] - ended["started_at"], ended["usage"]["run_us"]
    assert 5.9e6 < ran and whole - ran > 6e6, (whole, ran)


def test_suspended_jobs_keep_their_resources(make_daemon):
    daemon = make_daemon(config="[workers]\nmax = 2\n[resources]\ncpus = 1\n")
    daemon.start()
    first = daemon.submit("sleep", "600")
    daemon.wait_running(first)
    daemon.call(JOBS + "Suspend", id=first)
    second = daemon.submit("true")
    assert daemon.job(second)["state"] == "pending"
    assert daemon.call("io.batchd.Server.Status")["resources"]["cpus_free"] == 0
    assert [j["id"] for j in daemon.call("io.batchd.Server.Status")["running"]] == [first]
    daemon.call(JOBS + "Cancel", id=first)
    daemon.wait(second)


SIGNALLED = ("trap 'echo $0 >>{mark}' USR1; touch {mark}.$0; "
             "i=0; while [ $i -lt 6000 ]; do i=$((i+1)); sleep 0.01 & wait; done")


@pytest.mark.parametrize("word,main", [("USR1", False), ("SIGUSR1", False), ("usr1", True),
                                       (str(int(signal.SIGUSR1)), True)])
def test_signal(daemon, tmp_path, word, main):
    mark = tmp_path / "mark"
    script = SIGNALLED.format(mark=mark)
    # sleep(1) would end by it: the counters wait for it in the background and ignore how it ends.
    job = daemon.submit("sh", "-c", f"sh -c '{script.replace(chr(39), chr(39) + chr(92) + chr(39) + chr(39))}' below & "
                                    + script.replace("$0", "main"))
    wait_until(lambda: os.path.exists(f"{mark}.main") and os.path.exists(f"{mark}.below"))
    daemon.wait_running(job)
    done = daemon.ctl("signal", *(["--main"] if main else []), word, str(job))
    assert done.stdout == f"Signalled job {job}\n", done.stderr
    wanted = ["main"] if main else ["below", "main"]
    wait_until(lambda: mark.exists() and sorted(mark.read_text().split()) == wanted)
    assert daemon.job(job)["state"] == "running"
    daemon.call(JOBS + "Cancel", id=job, grace_ms=0)


def test_a_signal_that_ends_it_is_its_outcome(daemon):
    job = daemon.submit("sleep", "600")
    daemon.wait_running(job)
    daemon.call(JOBS + "Signal", id=job, signal="KILL")
    assert daemon.wait(job)[0]["outcome"]["class"] == "signal"


@pytest.mark.parametrize("method,more", [("Suspend", {}), ("Resume", {}), ("Signal", {"signal": "TERM"})])
def test_only_what_runs(daemon, method, more):
    waiting = daemon.submit("true", hold=True)
    ended = daemon.submit("true")
    daemon.wait(ended)
    for job, state in ((waiting, "pending"), (ended, "completed")):
        for dry in (True, False):
            with pytest.raises(Refused) as refused:
                daemon.call(JOBS + method, id=job, dry_run=dry, **more)
            assert refused.value.name == "io.batchd.InvalidState"
            assert refused.value.parameters["state"] == state
            assert refused.value.parameters["allowed"] == ["running", "suspended"]
    with pytest.raises(Refused) as refused:
        daemon.call(JOBS + method, id=4711, **more)
    assert refused.value.name == "io.batchd.NoSuchJob"


@pytest.mark.parametrize("method,more", [("Suspend", {}), ("Resume", {}), ("Signal", {"signal": "TERM"})])
def test_what_has_been_handed_over_need_not_run_yet(make_daemon, method, more):
    daemon = make_daemon(config="[workers]\nmax = 1\n")
    daemon.start()
    daemon.wait(daemon.submit("true"))
    [worker] = daemon.processes("--worker")
    os.kill(worker, signal.SIGSTOP)
    job = daemon.submit("true")
    wait_until(lambda: daemon.job(job)["state"] == "starting")
    with pytest.raises(Refused) as refused:
        daemon.call(JOBS + method, id=job, **more)
    assert refused.value.name == "io.batchd.InvalidState" and refused.value.parameters["state"] == "starting"
    os.kill(worker, signal.SIGCONT)
    assert daemon.wait(job)[0]["state"] == "completed"


@pytest.mark.parametrize("method,more", [("Suspend", {}), ("Resume", {}), ("Signal", {"signal": "TERM"})])
def test_another_user_sees_no_job(daemon, method, more):
    job = daemon.submit("sleep", "600")
    daemon.wait_running(job)
    reply = daemon.as_another(JOBS + method, id=job, **more)
    assert reply["error"] == "io.batchd.NoSuchJob"
    assert daemon.job(job)["state"] == "running"


@pytest.mark.parametrize("word", ["NOPE", "0", "65", "SIG", "", "SIG9"])
def test_wrong_signals_are_named(daemon, word):
    job = daemon.submit("sleep", "600")
    daemon.wait_running(job)
    with pytest.raises(Refused) as refused:
        daemon.call(JOBS + "Signal", id=job, signal=word)
    assert refused.value.name == "io.batchd.InvalidSpec" and refused.value.parameters["field"] == "signal"
    assert daemon.ctl("signal", word, str(job)).returncode == 2
    assert daemon.job(job)["state"] == "running"


def test_tasks_of_an_array(make_daemon):
    daemon = make_daemon(config="[workers]\nmax = 3\n")
    daemon.start()
    array = daemon.submit("sleep", "600", array="1-4")
    client = daemon.client()
    for index in (1, 2, 3):
        wait_until(lambda: client.call(JOBS + "Show", id=array, index=index)["job"]["state"] == "running")

    def states():
        return [client.call(JOBS + "Show", id=array, index=i)["job"]["state"] for i in (1, 2, 3, 4)]

    def listed():
        return {state: daemon.call(JOBS + "List", states=[state])["jobs"] != [] for state in ("running", "suspended")}

    assert daemon.ctl("suspend", "--dry-run", f"{array}_[2-3]").stdout == f"{array}_2\n{array}_3\n"
    assert states() == ["running"] * 3 + ["pending"]
    assert daemon.ctl("suspend", f"{array}_2").returncode == 0
    assert states() == ["running", "suspended", "running", "pending"]
    assert daemon.job(array)["state"] == "running" and listed() == {"running": True, "suspended": False}
    daemon.restart()
    client = daemon.client()
    wait_until(lambda: states() == ["running", "suspended", "running", "pending"])
    assert daemon.call(JOBS + "Suspend", id=array)["tasks"] == 3
    assert states() == ["suspended"] * 3 + ["pending"]
    assert daemon.job(array)["state"] == "suspended" and listed() == {"running": False, "suspended": True}
    daemon.restart()
    client = daemon.client()
    wait_until(lambda: len([line for line in daemon.call(JOBS + "Plan")["jobs"] if line["state"] == "suspended"]) >= 3)
    assert daemon.job(array)["state"] == "suspended" and listed() == {"running": False, "suspended": True}
    lines = daemon.call(JOBS + "Plan")["jobs"]
    assert sorted((line["index"], line["state"]) for line in lines if line["index"] is not None) == [(i, "suspended") for i in (1, 2, 3)]
    assert daemon.ctl("resume", f"{array}_2").returncode == 0
    assert daemon.job(array)["state"] == "running"
    assert daemon.ctl("resume", str(array)).returncode == 0
    assert states() == ["running"] * 3 + ["pending"]
    with pytest.raises(Refused) as refused:
        daemon.call(JOBS + "Suspend", id=array, index=4)
    assert refused.value.name == "io.batchd.InvalidState" and refused.value.parameters["state"] == "pending"


def test_an_array_runs_again_with_its_next_task(make_daemon):
    """The one that stood ends, or another begins beside it."""
    daemon = make_daemon(config="[workers]\nmax = 2\n[resources]\ncpus = 2\n")
    daemon.start()
    blocker = daemon.submit("sleep", "600")
    daemon.wait_running(blocker)
    array = daemon.submit("sleep", "600", array="1-3")
    wait_until(lambda: daemon.job(array)["state"] == "running")
    daemon.call(JOBS + "Suspend", id=array)
    assert daemon.job(array)["state"] == "suspended"
    daemon.call(JOBS + "Cancel", id=array, index=1, grace_ms=0)
    wait_until(lambda: daemon.job(array)["state"] == "running")  # the second
    wait_until(lambda: daemon.call(JOBS + "Show", id=array, index=2)["job"]["state"] == "running")
    daemon.call(JOBS + "Suspend", id=array)
    daemon.call(JOBS + "Cancel", id=blocker, grace_ms=0)
    wait_until(lambda: daemon.job(array)["state"] == "running")  # the third, beside it
    assert daemon.call(JOBS + "Show", id=array, index=2)["job"]["state"] == "suspended"
    daemon.call(JOBS + "Suspend", id=array)
    daemon.call(JOBS + "Cancel", id=array, grace_ms=0)
    assert daemon.wait(array)[0]["state"] == "cancelled"


def test_what_is_being_ended_is_not_suspended(daemon):
    mark = daemon.state / "ready"
    job = daemon.submit("sh", "-c", f"trap '' TERM; touch {mark}; while :; do sleep 0.1; done")
    wait_until(mark.exists)
    daemon.wait_running(job)
    daemon.call(JOBS + "Cancel", id=job, grace_ms=60000)
    with pytest.raises(Refused) as refused:
        daemon.call(JOBS + "Suspend", id=job)
    assert refused.value.name == "io.batchd.InvalidState" and "being ended" in refused.value.parameters["message"]
    daemon.call(JOBS + "Cancel", id=job, grace_ms=0)
    assert daemon.wait(job)[0]["state"] == "cancelled"


def told_of(daemon, job, last, times):
    """What has been told of it since batchd began, until something was for the last of so many times."""
    client = daemon.client()
    client.send("io.batchd.Events.Subscribe", more=True, since_seq=0)
    with pytest.raises(Refused) as refused:
        client.receive()
    client.send("io.batchd.Events.Subscribe", more=True, since_seq=refused.value.parameters["oldest"])
    told = []
    while told.count(last) < times:
        event = client.receive()["parameters"]
        if event.get("id") == job:
            told.append((event["event"], event["index"]))
    return told


def stopped_with_jobs_ahead(daemon):
    """Its workers are stopped, and what is submitted waits in one of them."""
    for _ in range(10):  # when the machine stalls, the last of the short ones may be a long one
        make_short(daemon)
        workers = daemon.processes("--worker")
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        jobs = [daemon.submit("true") for _ in range(2)]
        if [daemon.job(job)["state"] for job in jobs] == ["starting"] * 2:
            return workers, jobs
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
        daemon.wait(*jobs)
    raise AssertionError("no worker has jobs ahead")


TWO_TASKS = ('[ $BATCHD_ARRAY_INDEX$BATCHD_ATTEMPT != 21 ] || { until [ -e "$0.fail" ]; do sleep 0.02; done; exit 75; }; '
             'touch "$0.$BATCHD_ARRAY_INDEX"; until [ -e "$0.go$BATCHD_ARRAY_INDEX" ]; do sleep 0.02; done')


@pytest.mark.parametrize("restart", [False, True])
def test_an_array_runs_while_one_of_its_tasks_does(make_daemon, restart):
    """Its first task stands; the second fails, is handed to a worker behind another job, begins there, and ends."""
    daemon = make_daemon(config=settings(2, workers=2))
    daemon.start()
    base = daemon.state / "task"
    array = daemon.submit("sh", "-c", TWO_TASKS, str(base), array="1-2", retry={"base_ms": HOUR * 1000})
    client = daemon.client()

    def task(index):
        return client.call(JOBS + "Show", id=array, index=index)["job"]["state"]

    wait_until(lambda: task(1) == task(2) == "running")
    daemon.call(JOBS + "Suspend", id=array, index=1)
    assert daemon.job(array)["state"] == "running"
    pathlib.Path(f"{base}.fail").touch()
    wait_until(lambda: task(2) == "pending")
    assert daemon.job(array)["state"] == "suspended"
    workers, jobs = stopped_with_jobs_ahead(daemon)
    daemon.call(JOBS + "Release", id=array)
    wait_until(lambda: task(2) == "starting")
    assert daemon.job(jobs[0])["state"] == "starting" and daemon.job(array)["state"] == "suspended"
    if restart:
        daemon.kill()
    for pid in workers:
        os.kill(pid, signal.SIGCONT)
    if restart:
        wait_until(pathlib.Path(f"{base}.2").exists)
        daemon.start()
        client = daemon.client()
    wait_until(lambda: task(2) == "running")
    assert daemon.job(array)["state"] == "running"
    if not restart:
        assert told_of(daemon, array, ("started", 2), 2)[-2:] == [("resumed", None), ("started", 2)]
    pathlib.Path(f"{base}.go2").touch()
    wait_until(lambda: task(2) == "completed")
    assert daemon.job(array)["state"] == "suspended"
    daemon.call(JOBS + "Resume", id=array)
    pathlib.Path(f"{base}.go1").touch()
    assert daemon.wait(array)[0]["state"] == "completed"
