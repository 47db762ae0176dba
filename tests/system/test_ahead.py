"""Short jobs are handed to workers ahead of time: what may be handed so, and when it is taken back."""
import os
import signal
import subprocess
import time

import pytest
from daemon import wait_until
from test_monitor import Machine
from test_queues import add, change, fill, settings
from test_scheduling import gate, most_at_once, order_of

SHORT = ["sleep", "0.008"]  # ends before its worker tells that it started
NOTHING = ["/nothing/here"]  # cannot be executed: that is its end, in no time
MANY = 2000  # SHORT ones: more than run while a test does what it does


@pytest.fixture
def flow(make_daemon):
    """A daemon whose workers have six short jobs ahead, also where some of them are not so short once."""
    def start(cpus, more=""):
        daemon = make_daemon(config=settings(cpus, more).replace("prefetch = 2", 'prefetch = 6\nbatch_target = "10s"'))
        daemon.start()
        return daemon
    return start


def submit(daemon, count, *argv, **more):
    """Quicker than they run."""
    client, jobs, page = daemon.client(), [], 500  # it stops reading from who does not read its replies
    while len(jobs) < count:
        some = min(page, count - len(jobs))
        for _ in range(some):
            client.send("io.batchd.Jobs.Submit", argv=list(argv or SHORT), cwd="/", env={"PATH": "/usr/bin:/bin"},
                        **more)
        jobs += [client.receive()["parameters"]["id"] for _ in range(some)]
    client.close()
    return jobs


def make_short(daemon, **more):
    """What its workers run next counts as short: those before ended at once, on a slow machine too."""
    daemon.wait(*submit(daemon, 60, *NOTHING, **more), seconds=120)


def ran(daemon, jobs):
    """Those of them that have run, in that order."""
    found = {job["id"]: job for job in daemon.jobs()}
    return sorted((found[job] for job in jobs if found[job]["ended_at"]), key=lambda job: job["started_at"])


def ended(daemon):
    return daemon.call("io.batchd.Server.Status")["counts"].get("completed", 0)


def started_while_it_waited(daemon, jobs, other):
    return [job for job in ran(daemon, jobs) if other["submitted_at"] < job["started_at"] < other["started_at"]]


class Stopped:
    """The daemon's worker is stopped, and jobs wait in it: `ahead`, the lowest id first, behind one more."""

    def __init__(self, daemon):
        self.daemon = daemon
        make_short(daemon)
        self.workers = daemon.processes("--worker")
        self.signal(signal.SIGSTOP)
        self.jobs = submit(daemon, 60, *NOTHING)
        wait_until(lambda: self.states().count("starting") > 3)
        self.ahead = [ident for ident, state in zip(self.jobs, self.states()) if state == "starting"][1:]

    def states(self):
        found = {job["id"]: job["state"] for job in self.daemon.jobs()}
        return [found[ident] for ident in self.jobs]

    def signal(self, number):
        for pid in self.workers:
            os.kill(pid, number)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.signal(signal.SIGCONT)


@pytest.mark.parametrize("other", [{"queue": "other", "memory": 1 << 20}, {"priority": "urgent"}])
def test_what_is_ahead_makes_way_for_what_goes_first(flow, other):
    """The other queue has nothing running: it is its turn."""
    daemon = flow(1, "[queues.other]\n")
    with Stopped(daemon) as stopped:
        first = daemon.submit("true", **other)
    assert order_of(daemon, first, *stopped.ahead)[0] == first


@pytest.mark.parametrize("restart", [False, True])
def test_what_is_ahead_of_a_paused_queue_is_taken_back(flow, restart):
    daemon = flow(1)
    with Stopped(daemon) as stopped:
        daemon.call("io.batchd.Queues.Pause", name="default")
        if restart:
            daemon.restart()
    wait_until(lambda: "starting" not in stopped.states())
    assert all(daemon.job(job)["reasons"] == ["QueuePaused"] for job in stopped.ahead)
    daemon.call("io.batchd.Queues.Resume", name="default")
    daemon.wait(*stopped.jobs, seconds=120)


def test_what_is_ahead_is_taken_back_while_the_machine_takes_none(flow, tmp_path):
    machine = Machine(tmp_path / "machine")
    daemon = flow(1, f'[monitor]\nroot = "{machine.root}"\ninterval = "100ms"\n')
    with Stopped(daemon) as stopped:
        machine.memory(available=10)
        wait_until(lambda: daemon.call("io.batchd.Server.Status")["machine"]["stops"])
    wait_until(lambda: "starting" not in stopped.states())
    assert all(daemon.job(job)["reasons"] == ["Pressure"] for job in stopped.ahead)
    machine.memory(available=500)
    daemon.wait(*stopped.jobs, seconds=120)


def test_what_is_ahead_after_a_restart_does_not_wait_behind_a_long_job(flow):
    """Of the two in the worker the one with the higher id runs."""
    daemon = flow(1)
    make_short(daemon)
    second = daemon.submit("true", hold=True)
    worker, = daemon.processes("--worker")
    os.kill(worker, signal.SIGSTOP)
    first = daemon.submit(*gate(daemon))
    wait_until(lambda: daemon.job(first)["state"] == "starting")
    daemon.call("io.batchd.Jobs.Release", id=second)
    assert daemon.job(second)["state"] == "starting"
    daemon.kill()
    daemon.config.write_text(daemon.config.read_text().replace("cpus = 1", "cpus = 2"))
    os.kill(worker, signal.SIGCONT)
    daemon.start()
    daemon.wait_running(first)
    assert daemon.wait(second)[0]["state"] == "completed"
    assert daemon.job(first)["state"] == "running"
    resources = daemon.call("io.batchd.Server.Status")["resources"]
    assert (resources["cpus_free"], resources["cpus"]) == (1, 2)
    (daemon.state / "go").touch()
    daemon.wait(first)


def test_what_is_ahead_does_not_follow_what_was_moved(flow):
    """An array is moved: what it holds counts there, and the slot that is free then is given once."""
    daemon = flow(2, "[queues.short]\nslots = 1\n[queues.more]\n")
    make_short(daemon, queue="short")
    worker, = daemon.processes("--worker")
    os.kill(worker, signal.SIGSTOP)
    array = daemon.submit("true", array="0-2", queue="short")
    wait_until(lambda: [task["state"] for task in daemon.jobs(tasks=True, ids=[array])].count("starting") == 3)
    jobs = submit(daemon, 2, "true", queue="short")
    assert [daemon.job(job)["state"] for job in jobs] == ["starting"] * 2
    daemon.call("io.batchd.Jobs.Edit", id=array, queue="more")
    first = fill(daemon, queue="short")
    jobs += submit(daemon, 2, "true", queue="short")
    assert [daemon.job(job)["state"] for job in jobs[2:]] == ["pending"] * 2
    os.kill(worker, signal.SIGCONT)
    daemon.wait(array)
    wait_until(lambda: "starting" not in [daemon.job(job)["state"] for job in jobs])
    assert [daemon.job(job)["state"] for job in jobs] == ["pending"] * 4
    (daemon.state / "go").touch()
    daemon.wait(first, *jobs, seconds=120)


def test_a_queue_that_waits_for_its_own_slot_is_not_in_the_way(flow):
    """It has less running, so it would be its turn; but there is room for both."""
    daemon = flow(4, "[queues.long]\nslots = 1\n[queues.short]\nslots = 2\n")
    first = fill(daemon, queue="long")
    second = daemon.submit("true", queue="long")
    make_short(daemon, queue="short")
    workers = daemon.processes("--worker")
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    jobs = submit(daemon, 20, "true", queue="short")
    wait_until(lambda: [daemon.job(job)["state"] for job in jobs].count("starting") >= 4)
    for pid in workers:
        os.kill(pid, signal.SIGCONT)
    (daemon.state / "go").touch()
    daemon.wait(first, second, *jobs, seconds=120)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs two users")
def test_a_limit_of_each_user_is_not_another_s(flow):
    """The jobs of another user end at once here, refused by the worker; but they have had a place."""
    daemon = flow(3)
    daemon.state.chmod(0o711)
    daemon.socket.chmod(0o666)
    add(daemon, "other", per_user=2)
    jobs = submit(daemon, MANY, queue="other")
    wait_until(lambda: ended(daemon) >= 30)
    change(daemon, "other", per_user=1)
    before = ended(daemon)
    others = subprocess.run([*daemon.ctl_words(), "submit", "-Q", "other", "--array", "0-9", "--", "true"], user=12345,
                            group=12345, cwd="/", capture_output=True, text=True, timeout=60, check=True)
    theirs = daemon.wait(int(others.stdout), seconds=120)[0]
    wait_until(lambda: ended(daemon) >= before + 100, seconds=120)
    assert len(started_while_it_waited(daemon, jobs, theirs)) < 60  # it did not wait for all of the first user's
    assert most_at_once(ran(daemon, jobs)[before + 20:], lambda job: 1) == 1


def test_a_wide_job_of_another_queue_is_not_passed_by_what_is_handed_ahead(flow):
    """It waits for the processor that the short ones of the other queue hand on to each other."""
    daemon = flow(3, "[queues.wide]\n")
    fill(daemon, queue="wide")
    jobs = submit(daemon, MANY)
    wait_until(lambda: ended(daemon) >= 40)
    wide = daemon.wait(daemon.submit("true", queue="wide", cpus=2), seconds=120)[0]
    assert len(started_while_it_waited(daemon, jobs, wide)) < 30  # each of two workers had six ahead


def test_a_paused_queue_starts_nothing_more(flow):
    daemon = flow(4)
    jobs = submit(daemon, MANY)
    wait_until(lambda: ended(daemon) >= 100)
    daemon.call("io.batchd.Queues.Pause", name="default")
    paused = time.time() * 1e6
    counts = lambda: daemon.call("io.batchd.Server.Status")["counts"]  # noqa: E731
    wait_until(lambda: counts().get("running", 0) + counts().get("starting", 0) == 0)
    assert counts()["pending"] > 0
    late = [job["worker"] for job in ran(daemon, jobs) if job["started_at"] > paused]
    assert len(late) == len(set(late)), late  # one that a worker began meanwhile
    before = ended(daemon)
    daemon.call("io.batchd.Queues.Resume", name="default")
    wait_until(lambda: ended(daemon) >= before + 20)


@pytest.mark.parametrize("limit", ["slots", "per_user"])
def test_a_lower_limit_counts_while_short_jobs_flow(flow, limit):
    daemon = flow(4)
    add(daemon, "other", **{limit: 4})
    jobs = submit(daemon, MANY, queue="other")
    wait_until(lambda: ended(daemon) >= 60)
    change(daemon, "other", **{limit: 1})
    before = ended(daemon)
    wait_until(lambda: ended(daemon) >= before + 100, seconds=120)
    last = ran(daemon, jobs)[before + 40:]
    assert len(last) > 50 and most_at_once(last, lambda job: 1) == 1


@pytest.mark.parametrize("target,most", [(10, 6), (0, 0)])
def test_as_many_are_ahead_as_a_worker_does_in_the_time(make_daemon, target, most):
    """Jobs that take milliseconds; of 10 seconds only prefetch is the bound."""
    daemon = make_daemon(config=settings(1).replace("prefetch = 2", f'prefetch = 6\nbatch_target = "{target}s"'))
    daemon.start()
    make_short(daemon)
    worker, = daemon.processes("--worker")
    os.kill(worker, signal.SIGSTOP)
    with_it = lambda: [job["state"] for job in daemon.jobs()].count("starting") - 1  # but the one that runs
    submit(daemon, 20, *NOTHING)
    wait_until(lambda: with_it() >= most)
    submit(daemon, 20, *NOTHING)  # and no more come
    assert with_it() == most
    os.kill(worker, signal.SIGCONT)


def test_nothing_waits_behind_a_long_one(make_daemon):
    """However long a batch may take: others are done meanwhile by who is free."""
    daemon = make_daemon(config=settings(2).replace("prefetch = 2", 'prefetch = 6\nbatch_target = "10s"'))
    daemon.start()
    make_short(daemon)
    long = daemon.submit(*gate(daemon))
    daemon.wait_running(long)
    daemon.wait(*submit(daemon, 60, *NOTHING), seconds=60)
    assert daemon.job(long)["state"] == "running"
    (daemon.state / "go").touch()
    daemon.wait(long)
