"""Scenes of jobs that are halted, fail, are tried again and go on from where they were, and of the care
for the store (as scenarios.py)."""
import contextlib
import os
import pathlib
import sqlite3
import subprocess
import time

from scenarios import INVALID, JOBS, scene
from world import OUT, PATIENCE, Violation

BREAKERS = "[breakers]\nenabled = true\nminimum = 4\nwindow = 5\nopen = \"1h\"\nqueues = \"off\"\n"
FAILURES_MOST = 12  # ends that the machine caused do not count

# Fails until it starts for the third time; an attempt that was asked back has a number, too.
THIRD = ('echo "$BATCHD_JOB_ID $BATCHD_ATTEMPT" >>"$0/starts"; '
         '[ $(grep -c "^$BATCHD_JOB_ID " "$0/starts") -ge 3 ] || exit 7')

# The first attempt makes a checkpoint and fails, the second takes what it finds for its output.
GOES_ON = """echo "$BATCHD_JOB_ID $BATCHD_ATTEMPT" >>"$0/starts"
if [ "$BATCHD_ATTEMPT" = 1 ]; then
    mkdir state; head -c 70000 /dev/zero | tr '\\0' k >state/one; echo kept >state/two
    batchctl checkpoint commit state && touch committed
    exit 75
fi
if [ -n "$BATCHD_CHECKPOINT" ]; then cat "$BATCHD_CHECKPOINT/one" "$BATCHD_CHECKPOINT/two"; else echo anew; fi \
    >"$BATCHD_OUTPUT_1"
echo second >"$BATCHD_OUTPUT_2\""""
KEPT, ANEW = "k" * 70000 + "kept\n", "anew\n"


@scene("worker")
def suspend(w):
    ident = w.submit(until="go")
    w.wait_for(ident, what="running")
    yield
    w.call(JOBS + "Suspend", INVALID, id=ident)
    expect_state(w, ident, "suspended")
    w.call(JOBS + "Resume", INVALID, id=ident)
    expect_state(w, ident, "running")
    w.let_go("go")


def expect_state(w, ident, state):
    job = w.shown(str(ident))
    if job["state"] != state and not w.may_lose:
        raise Violation(f"job {ident} should be {state} and is {job['state']} {job['outcome']}")


@scene("worker")
def halted(w):
    """Until its processes stand, which is later."""
    ident = w.submit(until="never", outcomes={("cancelled", None), ("signal", None)})
    w.wait_for(ident, what="running")
    yield
    w.call(JOBS + "Suspend", INVALID, id=ident)
    time.sleep(2.2)  # nothing tells when they stand
    w.call(JOBS + "Cancel", INVALID, id=ident, grace_ms=50)
    w.wait_for(ident)


@scene("worker", config=BREAKERS)
def breaker(w):
    """A name fails until it is parked; then it is reset."""
    name = f"bad{w.trial}"
    yield
    fail_until_open(w, name)
    waits = w.submit(name=name)
    expect_parked(w, name, waits)
    w.call("io.batchd.Breakers.Reset", ("io.batchd.NoSuchBreaker",), name=f"name:{name}")
    w.wait_for(waits)


def fail_until_open(w, name):
    for _ in range(FAILURES_MOST):
        w.wait_for(w.submit(code=1, name=name, max_attempts=1))
        if breaker_state(w, name) == "open":
            return
    raise Violation(f"the breaker is {breaker_state(w, name)} after {FAILURES_MOST} failures")


def breaker_state(w, name):
    found = w.call("io.batchd.Breakers.List", name=f"name:{name}")["breakers"]
    return found[0]["state"] if found else "closed"


def expect_parked(w, name, ident):
    job = w.shown(str(ident))
    if breaker_state(w, name) != "open" or job["state"] != "pending" or job["reasons"] != ["BreakerOpen"]:
        raise Violation(f"{name} is {breaker_state(w, name)}, job {ident} is {job['state']} {job['reasons']}")


@scene(config=BREAKERS)
def breaker_by_hand(w):
    name = f"one{w.trial}"
    held = w.submit(name=name, hold=True)
    yield
    w.call("io.batchd.Breakers.Open", name=f"name:{name}")
    w.call(JOBS + "Release", INVALID, id=held)
    if breaker_state(w, name) != "forced_open" or w.shown(str(held))["state"] != "pending":
        raise Violation(f"the breaker is {breaker_state(w, name)}")
    w.call("io.batchd.Breakers.Disable", name=f"name:{name}")
    w.wait_for(held)
    w.call("io.batchd.Breakers.Reset", ("io.batchd.NoSuchBreaker",), name=f"name:{name}")


def submit_failing(w):
    w.attempts_most = 3
    return w.submit(name=f"third{w.trial}", argv=["sh", "-c", THIRD, str(w.work)], outcomes={("success", 0)},
                    retry={"max_attempts": 9, "base_ms": 3600000, "on": ["exit"]})


@scene("worker")
def backoff(w):
    """Fails twice; a release does not wait for the time when it is tried again."""
    yield
    ident = submit_failing(w)
    release_twice(w, ident)


def release_twice(w, ident):
    for starts in (1, 2):
        wait_for_backoff(w, ident, starts)
        w.call(JOBS + "Release", INVALID, id=ident)
    w.wait_for(ident)


@scene(config=BREAKERS)
def recovery(w):
    """What is parked, what is halted and what waits for another attempt, after a batchd that was killed."""
    name = f"bad{w.trial}"
    fail_until_open(w, name)
    parked, suspended, failing = w.submit(name=name), w.submit(until="go"), submit_failing(w)
    w.wait_for(suspended, what="running")
    w.call(JOBS + "Suspend", id=suspended)
    before = wait_for_backoff(w, failing, 1)
    yield
    w.kill()
    w.start()
    expect_parked(w, name, parked)
    expect_state(w, suspended, "suspended")
    if (now := wait_for_backoff(w, failing, 1)) != before:
        raise Violation(f"it was to be tried again at {before}, now at {now}")
    w.call("io.batchd.Breakers.Reset", ("io.batchd.NoSuchBreaker",), name=f"name:{name}")
    w.call(JOBS + "Resume", INVALID, id=suspended)
    w.let_go("go")
    release_twice(w, failing)


def wait_for_backoff(w, ident, starts):
    """Until it has started so often and failed. When it is tried again; None where something else ended it."""
    deadline = time.monotonic() + PATIENCE
    while True:
        job = w.shown(str(ident))
        if time.monotonic() > deadline - PATIENCE + 3:
            w.control.disarm()
        if w.may_lose and job["state"] in ("completed", "failed"):
            return None
        if job["state"] == "pending" and job["reasons"] == ["RetryBackoff"] and \
                len(w.starts().get(str(ident), ())) == starts:
            return job["retry_at"]
        if time.monotonic() > deadline or job["state"] in ("completed", "failed", "cancelled"):
            raise Violation(f"job {ident} does not wait for another attempt: {job['state']} {job['reasons']} "
                            f"{job['attempt']}")
        time.sleep(0.005)


@scene("batchctl", "batchd-job", "worker")
def checkpoint(w):
    """An attempt fails, the next one goes on from its checkpoint; its outputs are placed at the end."""
    folder = w.work / f"job{w.trial}"
    folder.mkdir()
    w.attempts_most = 2
    for name in ("out", "more"):
        (folder / name).write_text("old\n")
    yield
    env = dict(w.control.env(), PATH=f"{OUT}:{os.environ['PATH']}")
    ident = w.submit(argv=["sh", "-c", GOES_ON, str(w.work)], cwd=str(folder), env=env, outputs=["out", "more"],
                     checks=["nonempty", 'cmp "$1" "$1"'], retry={"max_attempts": 2, "base_ms": 0, "on": ["exit:75"]},
                     outcomes={("success", 0)} | OUTPUTS_FAILED.get(w.role, set()))
    ended = w.wait_for(ident)[0]["outcome"]["class"]
    found = [(folder / name).read_text() if (folder / name).exists() else None for name in ("out", "more")]
    made = {(folder / "committed").exists()}
    if w.role in ("batchd-job", "worker"):  # one that cannot be read is passed over
        made |= {False}
    if w.role == "batchctl":  # it may fail after all but the last is done
        made |= {True}
    right = [[KEPT if kept else ANEW, "second\n"] for kept in made]
    if ended == "success" and found not in right:
        raise Violation(f"it ended well, its outputs are {[str(text)[-30:] for text in found]}")
    if any(text not in ("old\n", "second\n", KEPT, ANEW) for text in found):
        raise Violation(f"an output is neither the old nor the new one: {[str(text)[-30:] for text in found]}")


# What cannot be checked or placed is not there, and the job has failed.
OUTPUTS_FAILED = {"batchd-job": {("exit", 0), ("lost", None), ("spawn", None)}, "worker": {("exit", 0)}}


@scene("batchctl")
def backup(w):
    """A copy while jobs are taken, run and end: what was acknowledged before is in it, once."""
    ids = [w.submit() for _ in range(5)]
    w.wait_for(*ids)
    copy = w.work / "copy.db"
    requests = [w.request(code=i % 3) for i in range(20)]
    yield
    with contextlib.suppress(OSError):
        client = w.client(timeout=3)
        for request in requests:
            client.send(JOBS + "Submit", **request)
    said = w.ask("backup", str(copy))
    if said is not None or copy.exists():  # it also fails when the name alone may not stay
        check_copy(w, copy, ids)
    for i, request in enumerate(requests):
        w.acknowledged[request["key"]] = again = w.call(JOBS + "Submit", **request)["id"]
        w.expect(again, {("success", 0) if i % 3 == 0 else ("exit", i % 3)})


def check_copy(w, copy, ids):
    folder = pathlib.Path(f"{copy}.state")
    folder.mkdir()
    copy.rename(folder / "batchd.db")
    done = subprocess.run([w.batchd, "--state", folder, "--config", w.config, "--check-store"],
                          capture_output=True, text=True, timeout=60, check=False)
    with contextlib.closing(sqlite3.connect(folder / "batchd.db")) as db:
        there = [ident for ident, in db.execute("SELECT id FROM job")]
    subprocess.run(["rm", "-r", folder], check=True)
    if done.returncode != 0 or any(there.count(ident) != 1 for ident in ids):
        raise Violation(f"the copy: {done.returncode} {done.stderr}, jobs {there}, asked for {ids}")


@scene("spawner")
def prune(w):
    """What ended is removed, its files too; what waits is kept."""
    gone = [w.submit(code=i) for i in range(3)]
    array = w.submit(array="0-2", indices=range(3))
    held = w.submit(hold=True)
    w.wait_for(*gone, array)
    yield
    w.call(JOBS + "Prune", ("io.batchd.NoSuchJob",), id=gone[0])
    w.call(JOBS + "Prune", older_ms=0)
    for ident in (*gone, array):
        w.forget(ident)
        if w.call(JOBS + "Show", ("io.batchd.NoSuchJob",), id=ident) is not None:
            raise Violation(f"job {ident} was to be removed and is there")
    folders = [w.state / "jobs" / str(ident) for ident in (*gone, array)]
    if not are_removed(w, folders, 2):  # else in an hour, or after a restart
        w.control.disarm()
        w.check_store()
        if not are_removed(w, folders, PATIENCE):
            raise Violation(f"their files are still there: {w.text()}")
    w.call(JOBS + "Release", INVALID, id=held)


def are_removed(w, folders, seconds):
    deadline = time.monotonic() + seconds
    while any(folder.exists() for folder in folders) and time.monotonic() < deadline:
        w.alive()
        time.sleep(0.01)
    return not any(folder.exists() for folder in folders)
