"""Jobs that are to be bound to processors, and workers or a kernel that cannot: they wait, and nothing else does
(tests/lib/other_binding.c)."""
import os
import subprocess
import time

import pytest

from clock import Clock, at
from daemon import OUT, ROOT, Refused, wait_until
from preload import preloadable
from test_cron import BERLIN, MONDAY, add, wait_for_runs
from test_metrics import of, scrape

USABLE = sorted(os.sched_getaffinity(0))
JOBS = "io.batchd.Jobs."

needs_two = pytest.mark.skipif(len(USABLE) < 2, reason="there is one processor")
preloads = pytest.mark.skipif(OUT.name == "san", reason="its library comes first")


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    made = tmp_path_factory.mktemp("binding") / "other_binding.so"
    subprocess.run(["cc", "-O1", "-D_GNU_SOURCE", "-shared", "-fPIC", "-I", ROOT, "-o", made,
                    ROOT / "tests/lib/other_binding.c"], check=True)
    preloaded = preloadable(made, f"/tmp/binding-{os.getpid()}.so")
    yield preloaded
    os.remove(preloaded)


@pytest.fixture
def older(make_daemon, library, tmp_path):
    """While its file is there, workers that are made bind nothing: as an older spawner's, which goes on over an upgrade."""
    daemon = make_daemon(config="[workers]\nmin = 2\nmax = 2\n", env={"LD_PRELOAD": library, "OLDER_WORKERS": str(tmp_path / "older")})
    daemon.older = tmp_path / "older"
    daemon.older.touch()
    return daemon


def why(daemon, job):
    """Its only reason, once it has one: between two looks it has none, or another."""
    return [(one["reason"], one["detail"]) for one in daemon.call(JOBS + "Why", id=job)["reasons"]]


def lifts(daemon, job, **task):
    return [one["lifts"] for one in daemon.call(JOBS + "Why", id=job, **task)["reasons"]]


def none_lives(daemon):
    daemon.signal("--worker", 9)
    wait_until(lambda: not daemon.call("io.batchd.Workers.List")["workers"])


def lacks_workers(daemon, job):
    return [(word, "of an older version, which binds no job" in text) for word, text in why(daemon, job)] == [("RetryBackoff", True)]


def figure(daemon, name):
    return of(scrape(daemon), name, queue="default")


@preloads
@pytest.mark.parametrize("anew", ["spawner", "both"])
def test_workers_that_bind_none(older, anew):
    """What is put off waits on: it has waited since it came. Idle workers go when another spawner makes them."""
    older.start()
    bound = [older.submit("true", cpu_bind="cores") for _ in range(60)]
    array = older.submit("true", cpu_bind="cores", array="0-3")
    free = [older.submit("true") for _ in range(3)]
    assert [job["state"] for job in older.wait(*free)] == ["completed"] * 3
    for job in (bound[0], array):
        wait_until(lambda job=job: lacks_workers(older, job))
    wait_until(lambda: lifts(older, array, index=2) == ["batchd-worker is started anew"])
    wait_until(lambda: figure(older, "batchd_queue_oldest_pending_seconds") > 12, seconds=40)
    assert older.log.read_text().count("of an older version, which binds no job") == 1
    older.older.unlink()
    if anew == "both":
        older.kill()
    older.signal("--spawner", 9)
    if anew == "both":
        older.start()
    assert {job["state"] for job in older.wait(*bound, array, seconds=60)} == {"completed"}
    if anew == "spawner":
        assert figure(older, "batchd_job_wait_seconds_sum") > 12 * len(bound)


@preloads
def test_what_failed_and_what_is_put_off_are_told_apart(older):
    older.older.unlink()
    older.start()
    failed = older.submit("sh", "-c", "exit 75", cpu_bind="cores", retry={"max_attempts": 2, "base_ms": 3600_000})
    wait_until(lambda: older.job(failed)["reasons"] == ["RetryBackoff"])
    older.older.touch()
    older.signal("--worker", 9)
    older.wait(older.submit("true"))
    gone, edited = [older.submit("true", cpu_bind="cores") for _ in range(2)]
    for job in (gone, edited):
        wait_until(lambda job=job: lacks_workers(older, job))
    wait_until(lambda: figure(older, "batchd_queue_oldest_pending_seconds") > 3, seconds=8)
    older.call(JOBS + "Cancel", id=gone)
    assert why(older, failed) == [("RetryBackoff", "it failed 1 of 2 times and is tried again later")]
    wait_until(lambda: lacks_workers(older, edited))
    older.call(JOBS + "Edit", id=edited, cpu_bind="none")
    assert "RetryBackoff" not in older.job(edited)["reasons"]
    older.wait(edited)


@preloads
def test_what_is_put_off_keeps_its_place(older):
    """Over a release, too, and an edit of when it may begin."""
    older.start()
    older.wait(older.submit("true"))
    jobs = released, edited, later = [older.submit("true", cpu_bind="cores") for _ in range(3)]
    for job in jobs:
        wait_until(lambda job=job: lacks_workers(older, job))
    older.call(JOBS + "Release", id=released)
    older.call(JOBS + "Edit", id=edited, begin=0)
    older.call(JOBS + "Edit", id=later, begin=int((time.time() + 3600) * 1e6))
    assert older.job(later)["reasons"] == ["BeginTime"]
    older.older.unlink()
    older.signal("--spawner", 9)
    older.wait(released, edited, seconds=40)
    for job in map(older.job, (released, edited)):
        assert job["eligible_at"] == job["submitted_at"]


def with_switches(make_daemon, tmp_path, **more):
    """Its processors are switched off and on by its file; .has(...) says which are there."""
    online = tmp_path / "sys/devices/system/cpu/online"
    online.parent.mkdir(parents=True)
    daemon = make_daemon(config=f'[workers]\nmax = 4\n[monitor]\nroot = "{tmp_path}"\n', **more)
    daemon.has = lambda *numbers: online.write_text(",".join(map(str, numbers)) + "\n")
    daemon.has(*USABLE[:2])
    daemon.start()
    return daemon


@pytest.fixture
def machine(make_daemon, tmp_path):
    return with_switches(make_daemon, tmp_path)


@needs_two
@pytest.mark.parametrize("worker", [True, False])
def test_a_processor_that_is_taken_off_the_machine(machine, worker):
    """It is given to nobody, what asks for more than are left waits, or is refused, and what is not bound goes on. Whether
    a worker is there when it is back does not matter."""
    first, second = USABLE[:2]
    both = [machine.submit("true", cpu_bind="cores", cpus=2, hold=True, **more) for more in ({}, {"array": "0-1"})]
    machine.has(second)
    one = machine.submit("true", cpu_bind="cores")
    machine.wait(one)
    assert machine.job(one)["cpu_list"] == str(second)
    for job in both:
        machine.call(JOBS + "Release", id=job)
    free = machine.submit("true", cpus=2)
    machine.wait(free)
    for job in both:
        wait_until(lambda job=job: why(machine, job) == [("Resources", (
            "it asks for 2 bound cpus, and jobs can be bound to 1 processor: others are off, or batchd or batchd-worker may not"
            " use them"))])
        assert machine.job(job)["lacking"] == ["cpus"]
        assert lifts(machine, job) == ["it is edited to ask for less, or these can be used again"]
    with pytest.raises(Refused) as refused:
        machine.submit("true", cpu_bind="cores", cpus=2)
    assert refused.value.name == "io.batchd.NeverFits" and "can be bound to 1 processor here" in refused.value.parameters["message"]
    assert "jobs can be bound to 1 of 2 processors" in machine.log.read_text()
    if not worker:
        none_lives(machine)
    machine.has(first, second)
    assert [job["state"] for job in machine.wait(*both)] == ["completed"] * 2
    assert machine.job(both[0])["cpu_list"] in (f"{first}-{second}", f"{first},{second}")
    assert "jobs can be bound to all 2 processors again" in machine.log.read_text()


@needs_two
def test_a_schedules_run_waits_for_a_processor_that_is_off(make_daemon, tmp_path):
    """What somebody submits is refused meanwhile, who may ask again; a run that is not made is lost."""
    clock = Clock(tmp_path, BERLIN)
    clock.set(at(BERLIN, *MONDAY, 11, 30))
    machine = with_switches(make_daemon, tmp_path, env=clock.env)
    add(machine, "wide", "0 12 * * *", job={"cpu_bind": "cores", "cpus": 2})
    machine.has(USABLE[1])
    machine.wait(machine.submit("true", cpu_bind="cores"))
    wait_until(lambda: "jobs can be bound to 1 of 2 processors" in machine.log.read_text())
    with pytest.raises(Refused):
        machine.submit("true", cpu_bind="cores", cpus=2)
    clock.set(at(BERLIN, *MONDAY, 12, 0))
    [run] = wait_for_runs(machine, 1, "wide")
    wait_until(lambda: machine.job(run["id"])["reasons"] == ["Resources"])
    machine.has(*USABLE[:2])
    assert machine.wait(run["id"])[0]["state"] == "completed"


@needs_two
def test_many_jobs_and_fewer_processors_than_at_the_start(machine):
    """One after the other without a pause, on those that are left: what waits does so as for any resource."""
    machine.has(USABLE[1])
    jobs = [machine.submit("sleep", "0.2", cpu_bind="cores") for _ in range(8)] + [
        machine.submit("sleep", "0.2", cpu_bind="cores", array="0-1")]
    seen = set()
    wait_until(lambda: seen.update(*(job["reasons"] for job in machine.jobs())) or "Resources" in seen)
    assert {job["state"] for job in machine.wait(*jobs, seconds=30)} == {"completed"}
    assert {machine.job(job)["cpu_list"] for job in jobs[:8]} == {str(USABLE[1])}
    assert seen <= {"Resources", "Priority"}


@needs_two
def test_workers_that_may_use_fewer(make_daemon):
    """As by CPUAffinity= of their unit where no group is made for them: batchd hears it from them. When another spawner may use
    more, those that may not make way."""
    daemon = make_daemon(config="[workers]\nmin = 1\nmax = 4\n")
    daemon.start()
    daemon.wait(daemon.submit("true"))
    [spawner] = daemon.processes("--spawner")
    os.sched_setaffinity(spawner, USABLE[:1])
    daemon.signal("--worker", 9)
    wide = daemon.submit("true", cpu_bind="cores", cpus=2, hold=True)

    def refused():
        try:
            daemon.call(JOBS + "Cancel", id=daemon.submit("true", cpu_bind="cores", cpus=2))
        except Refused as refusal:
            return refusal.name == "io.batchd.NeverFits"
        return False

    wait_until(refused)
    jobs = [daemon.submit("sh", "-c", "sleep 0.2; grep Cpus_allowed_list /proc/self/status", cpu_bind="cores") for _ in range(6)]
    assert {job["state"] for job in daemon.wait(*jobs, seconds=30)} == {"completed"}
    for job in jobs:
        assert (daemon.state / f"jobs/{job}/1.out").read_text().split()[1] == str(USABLE[0])
    daemon.call(JOBS + "Release", id=wide)
    assert daemon.job(wide)["reasons"] == ["Resources"]
    daemon.signal("--spawner", 9)
    assert daemon.wait(wide, seconds=40)[0]["state"] == "completed"


@needs_two
@preloads
def test_no_worker_is_made_again_and_again_for_what_none_can_be_bound_to(make_daemon, tmp_path):
    """What the last worker said holds while there is none, for ten minutes."""
    clock = Clock(tmp_path, monotonic=True)
    daemon = make_daemon(config='[workers]\nmax = 2\nidle_exit = "1s"\n', env=clock.env)
    daemon.start()
    daemon.wait(daemon.submit("true"))
    [spawner] = daemon.processes("--spawner")
    os.sched_setaffinity(spawner, USABLE[:1])
    none_lives(daemon)
    wide = daemon.submit("true", cpu_bind="cores", cpus=2, hold=True)
    narrow = daemon.submit("true", cpu_bind="cores")
    daemon.wait(narrow)
    daemon.call(JOBS + "Release", id=wide)
    wait_until(lambda: daemon.job(wide)["reasons"] == ["Resources"])
    wait_until(lambda: not daemon.call("io.batchd.Workers.List")["workers"])
    for _ in range(4):  # looks, 10 seconds each
        clock.set(clock.now() + 11)
        for _ in range(3):
            assert daemon.job(wide)["reasons"] == ["Resources"]
            with pytest.raises(Refused) as refused:
                daemon.submit("true", cpu_bind="cores", cpus=2)
            assert refused.value.name == "io.batchd.NeverFits"
    os.sched_setaffinity(spawner, USABLE[:2])
    clock.set(clock.now() + 600)
    assert daemon.wait(wide)[0]["state"] == "completed"
    assert daemon.job(wide)["worker"] == daemon.job(narrow)["worker"] + 1


@preloads
def test_what_the_kernel_refuses_to_bind_is_tried_again(make_daemon, library, tmp_path):
    """As what there is no room for: it is not charged."""
    daemon = make_daemon(env={"LD_PRELOAD": library, "BIND_FAILS": str(tmp_path / "fails")})
    (tmp_path / "fails").touch()
    daemon.start()
    job = daemon.submit("true", cpu_bind="cores", max_attempts=1)
    wait_until(lambda: "cannot bind it to its processors: Invalid argument" in dict(why(daemon, job)).get("RetryBackoff", ""))
    (tmp_path / "fails").unlink()
    [ended] = daemon.wait(job)
    assert ended["state"] == "completed" and daemon.job(job)["charged"] == 0


@preloads
def test_what_ends_well_has_its_outputs_though_its_processors_are_gone(make_daemon, library, tmp_path):
    """What comes behind a job is bound to nothing."""
    daemon = make_daemon(env={"LD_PRELOAD": library, "BIND_FAILS": str(tmp_path / "fails")})
    daemon.start()
    script = "echo x >\"$BATCHD_OUTPUT\"; echo > here; until [ -e fails ]; do sleep 0.02; done; exit $0"
    for code, state in ((0, "completed"), (3, "failed")):
        job = daemon.submit("sh", "-c", script, str(code), cpu_bind="cores", cwd=str(tmp_path), outputs=["kept"], max_attempts=1)
        wait_until((tmp_path / "here").exists)
        (tmp_path / "fails").touch()
        [ended] = daemon.wait(job)
        assert ended["state"] == state, ended
        assert sorted(path.name for path in tmp_path.glob("*kept*")) == (["kept"] if code == 0 else []) and \
            not list(tmp_path.glob(".batchd-*"))
        for name in ("fails", "here", "kept"):
            (tmp_path / name).unlink(missing_ok=True)


@preloads
@needs_two
def test_processors_of_the_control_group_that_become_fewer_and_more(make_daemon, library, tmp_path):
    """AllowedCPUs= of the unit: what is refused is tried on others, and what asks for more waits no longer than it must."""
    first, second = USABLE[:2]
    group = tmp_path / "cpuset"
    group.write_text(f"{first},{second}\n")
    daemon = make_daemon(config="[workers]\nmin = 1\nmax = 1\n[resources]\ncpus = 2\n",
                         env={"LD_PRELOAD": library, "CPUSET": str(group)})
    daemon.start()
    both = daemon.submit("true", cpu_bind="cores", cpus=2, hold=True)

    def is_given():
        job = daemon.submit("true", cpu_bind="cores")
        daemon.wait(job)
        return daemon.job(job)["cpu_list"]

    chosen = is_given()
    other = ({str(first), str(second)} - {chosen}).pop()
    group.write_text(f"{other}\n")
    assert is_given() == other  # refused once
    assert daemon.job(daemon.jobs()[-1]["id"])["charged"] == 0
    daemon.call(JOBS + "Release", id=both)
    wait_until(lambda: daemon.job(both)["reasons"] == ["Resources"])
    group.write_text(f"{first},{second}\n")
    [ended] = daemon.wait(both, seconds=40)
    assert ended["state"] == "completed"
