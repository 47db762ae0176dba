"""What batchd does for its users, as short scenes. Each is a generator: what comes before its yield is
done while nothing fails. `roles` names the processes that have a part in it, `config` is batchd's.
More of them are in upkeep.py."""
import contextlib
import json
import os
import signal
import time

from world import Refused, Violation

STOPPED = {("cancelled", None), ("signal", None)}
JOBS = "io.batchd.Jobs."
INVALID = ("io.batchd.InvalidState",)
ALL = {}  # name -> (scene, roles, configuration)


def scene(*roles, config=""):
    def add(function):
        ALL[function.__name__] = (function, ("batchd", *roles), config)
        return function
    return add


@scene("worker", "spawner")
def submit(w):
    yield
    w.wait_for(w.submit(code=3))


@scene("worker")
def burst(w):
    """Pipelined on one connection; what was not answered is asked for again by its key."""
    requests = [w.request(code=i % 5) for i in range(24)]
    yield
    got = {}
    with contextlib.suppress(OSError, ValueError, AttributeError):
        client = w.client(timeout=3)
        for request in requests:
            client.send(JOBS + "Submit", **request)
        for request in requests:
            got[request["key"]] = client.receive()["parameters"]["id"]
    for i, request in enumerate(requests):
        again = w.call(JOBS + "Submit", **request)["id"]
        if got.get(request["key"], again) != again:
            raise Violation(f"key {request['key']}: {got[request['key']]}, then {again}")
        w.acknowledged[request["key"]] = again
        w.expect(again, {("success", 0) if i % 5 == 0 else ("exit", i % 5)})


@scene("worker")
def array(w):
    yield
    w.wait_for(w.submit(code=2, array="0-5%3", indices=range(6)))


@scene()
def values(w):
    """Told in parts, on one connection; then all at once."""
    yield
    with contextlib.suppress(OSError, ValueError, Refused):
        client = w.client(timeout=3)
        ident = client.call(JOBS + "AddValues", values=["a", "b"])["values_id"]
        client.call(JOBS + "AddValues", values=["c"], values_id=ident)
    w.wait_for(w.submit(values=["a", "b", "c"], indices=range(3)))


@scene()
def dependencies(w):
    yield
    first = w.submit(until="go", code=1)
    w.submit(depends=f"afternotok:{first}")
    w.submit(depends=f"afterok:{first}", outcomes={("cancelled", None)})
    w.submit(depends=f"afterany:{first}")
    w.let_go("go")


@scene("worker")
def cancel_running(w):
    ident = w.submit(until="never", outcomes=STOPPED)
    w.wait_for(ident, what="running")
    yield
    w.call(JOBS + "Cancel", INVALID, id=ident, grace_ms=50)
    w.wait_for(ident)


@scene()
def cancel_array(w):
    ident = w.submit(until="never", array="0-9%2", indices=range(10), outcomes=STOPPED)
    w.wait_for(ident, what="running")
    yield
    w.call(JOBS + "Cancel", INVALID, id=ident, grace_ms=50)
    w.wait_for(ident)


@scene("worker")
def timeout(w):
    yield
    w.wait_for(w.submit(until="never", timeout_ms=60, outcomes={("timeout", None)}, max_attempts=1))


@scene()
def restart(w):
    """Stopped by the word, with jobs that run and jobs that wait."""
    ids = [w.submit(until="go", code=i) for i in range(3)]
    held = w.submit(hold=True)
    w.wait_for(*ids, what="running")
    yield
    if w.process.poll() is None:
        w.process.send_signal(signal.SIGTERM)
        w.process.wait(timeout=20)
    if w.process.returncode != 0:
        w.note_end()
    w.start()
    w.let_go("go")
    w.call(JOBS + "Release", INVALID, id=held)


@scene("worker", "spawner")
def adoption(w):
    """Killed; one job ends meanwhile, one goes on."""
    ended, goes_on = w.submit(until="first", code=4), w.submit(until="second", code=5)
    w.wait_for(ended, goes_on, what="running")
    yield
    w.kill()
    w.let_go("first")
    w.start()
    w.wait_for(ended)
    w.let_go("second")


@scene("spawner", "worker")
def worker_killed(w):
    ident = w.submit(until="go", rerun_if_lost=True)
    never = w.submit(until="never", rerun_if_lost=False, outcomes={("lost", None)})
    w.wait_for(ident, never, what="running")
    yield
    w.may_lose = True
    for pid in w.processes("--worker"):
        os.kill(pid, signal.SIGKILL)
    w.let_go("go")


@scene("worker")
def heavy_output(w):
    yield
    ident = w.submit(argv=["sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x; echo e >&2; exit 3"],
                     outcomes={("exit", 3), ("disk_full", 3)})  # then some of it is lost, and it says so
    w.wait_for(ident)
    job = w.shown(str(ident))  # a worker in which something fails may not have begun it
    if job["outcome"]["class"] == "exit" and job["usage"]["stdout_bytes"] != 300000:
        raise Violation(f"not all output is counted: {job['usage']}")


@scene("worker")
def full_output(w):
    """More than is kept: the head and the tail are."""
    yield
    w.wait_for(w.submit(argv=["sh", "-c", "head -c 3000000 /dev/zero; echo end"], outcomes={("success", 0)}))


@scene("batchctl")
def follow(w):
    ident = w.submit(argv=["sh", "-c", 'while [ ! -e "$0" ]; do echo tick; sleep 0.01; done; echo last',
                           str(w.work / "go")], outcomes={("success", 0)})
    w.wait_for(ident, what="running")
    yield
    w.let_go("go")
    said = w.ask("logs", "-f", str(ident))
    if said is not None and not said.endswith("tick\nlast\n"):
        raise Violation(f"logs -f ended well and said {said[-200:]!r}")


@scene("batchctl")
def wait(w):
    ids = [w.submit(until="go") for _ in range(3)]
    yield
    w.let_go("go")
    w.ask("wait", *map(str, ids))
    w.wait_for(*ids)


@scene()
def edit(w):
    ident = w.submit(hold=True)
    yield
    w.call(JOBS + "Edit", id=ident, priority="high", timeout_ms=90000, estimate_ms=1000, max_attempts=2)
    w.call(JOBS + "Edit", id=ident, depends="", cpus=1)
    if (job := w.shown(str(ident)))["priority"] != "high" or job["state"] != "pending":
        raise Violation(f"it was edited: {job}")
    w.call(JOBS + "Release", INVALID, id=ident)


@scene()
def hold(w):
    yield
    ident = w.submit(hold=True)
    w.call(JOBS + "Release", INVALID, id=ident)
    w.wait_for(ident)


@scene()
def cron(w):
    name, job = f"s{w.trial}", {k: v for k, v in w.request(code=6).items() if k != "key"}
    yield
    there = ("io.batchd.InvalidSpec", "io.batchd.Duplicate", "io.batchd.InvalidState")
    w.call("io.batchd.Schedules.Add", there, name=name, at="@yearly", job=job)
    # A run has no key: asked for again it is another, or is refused while the first has not ended.
    first = w.call("io.batchd.Schedules.Run", ("io.batchd.InvalidState",), name=name)
    w.control.disarm()
    for one in w.jobs(tags={"trial": str(w.trial)}):
        w.expect(one["id"], {("exit", 6)})
    if not w.expected or first is not None and str(first["id"]) not in w.expected:
        raise Violation(f"the run {first} is gone")
    w.call("io.batchd.Schedules.Remove", name=name)


@scene()
def queues(w):
    name = f"q{w.trial}"
    yield
    queue = "io.batchd.Queues."
    w.call(queue + "Add", ("io.batchd.InvalidSpec", "io.batchd.Duplicate", "io.batchd.InvalidState"),
           name=name, slots=1)
    w.call(queue + "Set", name=name, weight=3, policy="fair")
    w.call(queue + "Pause", name=name)
    ident = w.submit(queue=name)
    w.call(queue + "Remove", ("io.batchd.NoSuchQueue",), name=name, move_to="default")
    w.wait_for(ident)


@scene()
def lists(w):
    for _ in range(30):
        w.submit()
    yield
    if len(w.jobs(tags={"trial": str(w.trial)})) != 30:
        raise Violation("not all jobs are listed")
    w.call("io.batchd.Server.Stats", by="name")
    w.call("io.batchd.Server.Status")
    w.call("io.batchd.Queues.List")


@scene()
def why(w):
    """Predictions are made in a copy of the daemon."""
    running = [w.submit(until="go", estimate_ms=5000) for _ in range(4)]
    waiting = w.submit(estimate_ms=1000)
    w.wait_for(*running, what="running")
    yield
    reply = w.call(JOBS + "Why", id=waiting)
    waits = reply["state"] == "pending"  # not handed ahead to a worker that still runs another
    if waits and "Resources" not in [reason["reason"] for reason in reply["reasons"]]:
        states = [(job["id"], job["state"], job["outcome"]) for job in w.jobs()][-8:]
        raise Violation(f"why: {reply['state']} {reply['reasons']} {states} {w.text()}")
    w.call(JOBS + "Plan", limit=10)
    w.let_go("go")


@scene()
def subscription(w):
    """What a stream says has no gap, even if it ends early."""
    yield
    last = None
    with contextlib.suppress(OSError, ValueError, KeyError, Exception):
        client = w.client(timeout=2)
        client.send("io.batchd.Events.Subscribe", more=True)
        w.submit()
        for _ in range(6):
            seq = client.receive()["parameters"].get("seq")
            if last is not None and seq != last + 1:
                raise Violation(f"event {seq} after {last}")
            last = seq
    if not w.expected:
        w.submit()


@scene()
def retry(w):
    first = w.submit(code=9)
    w.wait_for(first)
    yield
    key = w.key()
    again = w.call(JOBS + "Retry", id=first, key=key)["id"]
    w.expect(again, {("exit", 9)})
    w.acknowledged[key] = again


@scene("batchctl")
def client(w):
    """batchctl submits: what it printed is there, once."""
    key = w.key()
    yield
    words = ("submit", "-q", "--key", key, "--tag", f"trial={w.trial}", "--", "true")
    said = w.ask(*words)
    w.control.disarm()
    w.alive()
    again = w.ask(*words)
    for _ in range(100):  # a batchd whose disk was full takes a moment
        again = again or w.ask(*words)
    if again is None or said not in (None, again):
        raise Violation(f"submitted as {said}, then as {again}")
    w.acknowledged[key] = int(again)
    w.expect(int(again), {("success", 0)})


@scene("batchctl")
def client_list(w):
    ids = [w.submit() for _ in range(5)]
    w.wait_for(*ids)
    yield
    said = w.ask("list", "--all", "--json", "--tag", f"trial={w.trial}")
    if said is not None and sorted(job["id"] for job in json.loads(said)) != ids:
        raise Violation(f"listed {said[:300]}")
    said = w.ask("show", str(ids[0]))
    if said is not None and f"{ids[0]}" not in said:
        raise Violation(f"shown {said[:300]}")


@scene()
def idle(w):
    """Nobody asks for anything for a while."""
    yield
    time.sleep(0.05)
    w.call("io.batchd.Server.Ping")
