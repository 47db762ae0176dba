"""How long jobs run: what their users say, what is learned from those that ended well, what follows for
the order of starts and for backfill, and that a restart changes none of it."""
import contextlib
import sqlite3
import statistics

import pytest
from daemon import Refused, wait_until

TYPE = """[processors]
path = "{folder}"
"""


def settings(cpus, queue="", workers=8):
    return f"[workers]\nmax = {workers}\n[resources]\ncpus = {cpus}\n[queues.default]\n{queue}\n"


def gate(daemon, name="go"):
    """A command that ends once the file is there."""
    return ["sh", "-c", 'until [ -e "$0" ]; do sleep 0.02; done', str(daemon.state / name)]


def order_of(daemon, *jobs):
    return [job["id"] for job in sorted(daemon.wait(*jobs), key=lambda job: job["started_at"])]


def estimate(daemon, ident):
    job = daemon.job(ident)
    return job["estimate_ms"], job["estimate_source"]


def learn(daemon, seconds, **more):
    """One run; how long it took, in milliseconds as estimates are shown (rounded up)."""
    job = daemon.wait(daemon.submit("sleep", str(seconds), **more))[0]
    assert job["state"] == "completed"
    return -(-job["usage"]["run_us"] // 1000)


def test_nothing_is_known_at_first_and_then_what_the_last_run_took(daemon):
    first = daemon.submit("sleep", "0.2", hold=True)
    assert estimate(daemon, first) == (None, None)
    took = learn(daemon, 0.1)
    assert 100 <= took < 20_000
    assert estimate(daemon, first) == (took, "learned")  # what waits follows
    other = daemon.submit("true", hold=True)
    assert estimate(daemon, other) == (took, "queue")
    ended = daemon.wait(daemon.submit("true"))[0]
    assert (ended["estimate_ms"], ended["estimate_source"]) == (took, "queue")  # as it started


def test_the_user_knows_better(daemon):
    learn(daemon, 0.05, name="render")
    job = daemon.submit("sleep", "0.1", name="render", estimate_ms=3_600_000, hold=True)
    assert estimate(daemon, job) == (3_600_000, "user")
    learn(daemon, 0.05, name="render")
    daemon.restart()
    assert estimate(daemon, job) == (3_600_000, "user")
    daemon.call("io.batchd.Jobs.Release", id=job)
    ended = daemon.wait(job)[0]
    assert (ended["estimate_ms"], ended["estimate_source"]) == (3_600_000, "user")
    cancelled = daemon.submit("true", estimate_ms=7, hold=True)
    daemon.call("io.batchd.Jobs.Cancel", id=cancelled)
    assert estimate(daemon, cancelled) == (7, "user")


def test_names_are_learned_apart(daemon):
    long, short = learn(daemon, 0.4, name="long"), learn(daemon, 0.05, name="short")
    jobs = [daemon.submit("true", name=name, hold=True) for name in ("long", "short")]
    assert [estimate(daemon, job) for job in jobs] == [(long, "learned"), (short, "learned")]


def test_types_are_learned_whatever_their_name(make_daemon, tmp_path):
    folder = tmp_path / "sleeper"
    folder.mkdir()
    (folder / "manifest.json").write_text(
        '{"name": "sleeper", "version": "1", "exec": "run", "summary": "sleeps", "licence": "MIT", "params": []}')
    (folder / "run").write_text("#!/bin/sh\nsleep 0.1\necho '{\"type\":\"result\",\"result\":{}}' >&3\n")
    (folder / "run").chmod(0o755)
    daemon = make_daemon(config=TYPE.format(folder=tmp_path))
    daemon.start()

    def submit(name, **more):
        return daemon.call("io.batchd.Jobs.Submit", type="sleeper", name=name, cwd="/", **more)["id"]
    done = daemon.wait(submit("a"))[0]
    assert done["state"] == "completed", done
    took = -(-done["usage"]["run_us"] // 1000)
    assert estimate(daemon, submit("b", hold=True)) == (took, "learned")
    assert estimate(daemon, daemon.submit("true", name="sleeper", hold=True))[1] == "queue"


def test_failures_and_cancels_teach_nothing(daemon):
    took = learn(daemon, 0.3, name="work")
    daemon.wait(*[daemon.submit("false", name="work") for _ in range(4)])
    running = daemon.submit("sleep", "60", name="work")
    daemon.wait_running(running)
    daemon.call("io.batchd.Jobs.Cancel", id=running)
    daemon.wait(running)
    assert estimate(daemon, daemon.submit("true", name="work", hold=True)) == (took, "learned")


def test_tasks_of_an_array_teach_and_use_it(make_daemon):
    daemon = make_daemon(config=settings(1))
    daemon.start()
    array = daemon.submit("sh", "-c", 'sleep 0.$BATCHD_ARRAY_INDEX', array="1-2", name="frames")
    assert daemon.wait(array)[0]["state"] == "completed"
    tasks = [daemon.call("io.batchd.Jobs.Show", id=array, index=i)["job"] for i in (1, 2)]
    runs = [task["usage"]["run_us"] for task in tasks]
    assert estimate(daemon, daemon.submit("true", name="frames", hold=True)) == (
        -(-(sum(runs) // 2) // 1000), "learned")
    told = daemon.submit("true", array="1-2", name="frames", estimate_ms=1234)
    daemon.wait(told)
    task = daemon.call("io.batchd.Jobs.Show", id=told, index=2)["job"]
    assert (task["estimate_ms"], task["estimate_source"]) == (1234, "user")


def submit_mixed(daemon):
    """Jobs of learned names and of users' estimates, in the order in which the shortest go first."""
    seconds = {"long": 0.6, "middle": 0.2, "short": 0.03}
    ms = {name: learn(daemon, span, name=name) for name, span in seconds.items()}
    gated = gate(daemon)
    gated[2] += "; exit 1"  # what fails teaches nothing
    daemon.wait_running(daemon.submit(*gated, name="gate"))
    jobs = {}
    for name in ("long", "middle", "short", "short", "long"):
        jobs[daemon.submit("sleep", str(seconds[name]), name=name)] = ms[name]
    for span in (1, 60_000, 110):
        jobs[daemon.submit("true", name="own", estimate_ms=span)] = span
    return sorted(jobs, key=lambda job: (jobs[job], job))


@pytest.mark.parametrize("restart", [False, True])
def test_shortest_first(make_daemon, restart):
    daemon = make_daemon(config=settings(1, 'policy = "sjf"', workers=1))
    daemon.start()
    expected = submit_mixed(daemon)
    before = [estimate(daemon, job) for job in expected]
    if restart:
        daemon.restart()
    assert [estimate(daemon, job) for job in expected] == before
    (daemon.state / "go").write_text("")
    assert order_of(daemon, *expected) == expected


def test_what_is_not_known_goes_by_the_mean_and_else_last(make_daemon):
    daemon = make_daemon(config=settings(1, 'policy = "sjf"', workers=1))
    daemon.start()
    gated = gate(daemon)
    gated[2] += "; exit 1"
    daemon.wait_running(daemon.submit(*gated))
    unknown, long = daemon.submit("true"), daemon.submit("true", name="own", estimate_ms=10**9)
    short = daemon.submit("sleep", "0.2", name="own", estimate_ms=100)
    assert estimate(daemon, unknown) == (None, None)
    (daemon.state / "go").write_text("")
    assert order_of(daemon, unknown, long, short) == [short, unknown, long]  # known once that ran


def test_what_waits_changes_its_place_when_more_is_learned(make_daemon):
    daemon = make_daemon(config=settings(2, 'policy = "sjf"', workers=2))
    daemon.start()
    held = daemon.submit(*gate(daemon), name="gate")
    daemon.wait_running(held)
    last = daemon.submit("true", cpus=2, name="render")
    first = daemon.submit("true", cpus=2, name="own", estimate_ms=60_000)
    learn(daemon, 0.1, name="render", estimate_ms=1)  # passes them: it is the shortest
    wait_until(lambda: estimate(daemon, last)[1] == "learned")
    daemon.submit("true", name="own", estimate_ms=1)  # a turn of the daemon
    time_of = {}

    def moved():
        time_of["reasons"] = daemon.job(last)["reasons"]
        return time_of["reasons"] == ["Resources"]  # it goes first now
    wait_until(moved)
    assert daemon.job(first)["reasons"] == ["Priority"]
    (daemon.state / "go").write_text("")
    assert order_of(daemon, first, last) == [last, first]


def test_backfill_passes_what_ends_in_time_and_delays_nobody(make_daemon):
    """Two of three are taken for some minutes; the first in order wants all of them."""
    daemon = make_daemon(config=settings(3))
    daemon.start()
    running = daemon.submit(*gate(daemon), cpus=2, estimate_ms=600_000)
    daemon.wait_running(running)
    wide = daemon.submit("true", cpus=3, estimate_ms=1000)
    long = daemon.submit("sleep", "0.1", cpus=1, estimate_ms=660_000)
    short = daemon.submit("sleep", "0.1", cpus=1, estimate_ms=200)
    passed = daemon.wait(short)[0]
    assert daemon.job(running)["state"] == "running"
    assert [daemon.job(job)["state"] for job in (wide, long)] == ["pending"] * 2
    (daemon.state / "go").touch()
    ended = {job["id"]: job for job in daemon.wait(running, wide, long)}
    assert passed["ended_at"] < ended[running]["ended_at"] <= ended[wide]["started_at"]
    assert ended[long]["started_at"] >= ended[wide]["started_at"]


def test_backfill_after_a_restart_knows_when_what_runs_ends(make_daemon):
    daemon = make_daemon(config=settings(2))
    daemon.start()
    running = daemon.submit(*gate(daemon), estimate_ms=3_600_000)
    daemon.wait_running(running)
    wide = daemon.submit("true", cpus=2)
    daemon.restart()
    short = daemon.submit("true", estimate_ms=1_800_000)
    assert daemon.wait(short)[0]["state"] == "completed"
    long = daemon.submit("true", estimate_ms=7_200_000)
    assert daemon.job(long)["state"] == daemon.job(wide)["state"] == "pending"
    assert estimate(daemon, running) == (3_600_000, "user")
    (daemon.state / "go").write_text("")
    daemon.wait(wide, long)


def test_the_median_is_published_in_steps_and_kept(make_daemon):
    daemon = make_daemon(config=settings(1, workers=1))
    daemon.start()
    runs, published = [], 0
    probe = daemon.submit("true", name="work", hold=True)
    for i in range(17):
        job = daemon.wait(daemon.submit("sleep", "0.3" if i in (2, 5, 9) else "0.02", name="work"))[0]
        runs.append(job["usage"]["run_us"])
        median = int(statistics.median(runs[-15:]))
        off = abs(median - published)
        if len(runs) in (1, 2, 4, 8, 15) or (len(runs) > 15 and off > 10_000 and off > published // 4):
            published = median
        if i in (3, 10):
            daemon.restart()
        assert estimate(daemon, probe) == (-(-published // 1000), "learned"), (i, runs)
    assert published < min(runs[i] for i in (2, 5, 9))  # three outliers did not move it


@pytest.mark.parametrize("value,words", [
    (0, ["estimate_ms", "0"]), (-5, ["estimate_ms", "-5"]), ("1h", ["estimate_ms"]),
    (10**18, ["estimate_ms", str(10**18)])])
def test_bad_estimates(daemon, value, words):
    with pytest.raises(Refused) as refused:
        daemon.submit("true", estimate_ms=value)
    assert refused.value.name == "io.batchd.InvalidSpec"
    assert refused.value.parameters["field"] == "estimate_ms"
    for word in words:
        assert word in refused.value.parameters["message"]
    assert daemon.jobs() == []


def test_the_key_covers_it(daemon):
    job = daemon.submit("true", key="k", estimate_ms=5)
    assert daemon.submit("true", key="k", estimate_ms=5) == job
    for other in ({}, {"estimate_ms": 6}):
        with pytest.raises(Refused) as refused:
            daemon.submit("true", key="k", **other)
        assert refused.value.name == "io.batchd.KeyConflict"


def test_batchctl_submit_estimate(daemon):
    job = int(daemon.ctl("submit", "-e", "1h30m", "--hold", "--", "true").stdout)
    assert estimate(daemon, job) == (5_400_000, "user")
    assert "estimate: 1h30m (user)" in daemon.ctl("show", str(job)).stdout
    bad = daemon.ctl("submit", "--estimate", "soon", "--", "true")
    assert bad.returncode == 2 and "--estimate" in bad.stderr and "soon" in bad.stderr
    bad = daemon.ctl("submit", "-e", "0", "--", "true")
    assert bad.returncode == 2 and '--estimate "0" must be at least 1ms' in bad.stderr


def test_a_damaged_row_is_found(make_daemon):
    daemon = make_daemon()
    daemon.start()
    learn(daemon, 0.01)
    daemon.stop()
    with contextlib.closing(sqlite3.connect(daemon.state / "batchd.db")) as store, store:
        assert store.execute("SELECT count(*) FROM estimate").fetchone() == (2,)
        store.execute("UPDATE estimate SET published_us=published_us+1 WHERE kind=0")
    done = daemon.check_store()
    assert done.returncode == 65 and "estimates" in done.stderr


@pytest.mark.parametrize("restart", [False, True])
def test_each_queue_has_its_own_mean(make_daemon, restart):
    daemon = make_daemon(config="[workers]\nmax = 2\n[resources]\ncpus = 2\n[queues.night]\npolicy = \"sjf\"\n")
    daemon.start()
    day, night = learn(daemon, 0.1), learn(daemon, 0.3, queue="night")
    assert day != night
    if restart:
        daemon.restart()
    jobs = [daemon.submit("true", queue=queue, hold=True) for queue in ("default", "night")]
    assert [estimate(daemon, job) for job in jobs] == [(day, "queue"), (night, "queue")]


def test_a_moved_job_goes_by_the_mean_of_its_new_queue(daemon):
    daemon.call("io.batchd.Queues.Add", name="night")
    day = learn(daemon, 0.1)
    learn(daemon, 0.3, queue="night")
    job = daemon.submit("true", queue="night", hold=True)
    daemon.call("io.batchd.Queues.Remove", name="night", move_to="default")
    assert estimate(daemon, job) == (day, "queue")
