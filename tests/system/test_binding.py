"""Jobs that are bound to processors of their own: which they get and are told, that two never share one,
whatever batchd goes through, and what those say that wait for some."""
import os

import pytest

import gpus
import serving
from daemon import Refused, wait_until
from gpus import Machine, Nvidia
from test_ahead import NOTHING, submit

USABLE = sorted(os.sched_getaffinity(0))
JOBS = "io.batchd.Jobs."
# What the kernel says, then what it was told; until it may end.
HOLD = ("grep Cpus_allowed_list /proc/self/status; echo ${BATCHD_CPU_LIST-none} $BATCHD_CPUS;"
        " until [ -e \"$0\" ]; do sleep 0.02; done")

pytestmark = pytest.mark.skipif(len(USABLE) < 2, reason="there is one processor")


def settings(cpus=4 * len(USABLE), more=""):
    return f"[workers]\nmax = {len(USABLE) + 2}\n[resources]\ncpus = {cpus}\n{more}"


@pytest.fixture
def bound(make_daemon):
    """Jobs may have more cpus than there are processors: these run out first."""
    daemon = make_daemon(config=settings())
    daemon.start()
    return daemon


def numbers(text):
    """Of a list as the kernel writes it."""
    parts = [part.split("-") for part in text.split(",")]
    return {number for part in parts for number in range(int(part[0]), int(part[-1]) + 1)}


def hold(daemon, name, **asked):
    return daemon.submit("sh", "-c", HOLD, str(daemon.state / name), **{"cpu_bind": "cores", **asked})


def held(daemon, name, **asked):
    job = hold(daemon, name, **asked)
    daemon.wait_running(job)
    wait_until(lambda: len(output(daemon, job)) == 2)
    return job


def end(daemon, name, job):
    (daemon.state / name).touch()
    [ended] = daemon.wait(job)
    assert ended["state"] == "completed", ended


def output(daemon, job):
    """The processors that it may run on, by the kernel; what it was told."""
    path = daemon.state / f"jobs/{job}/1.out"
    lines = path.read_text().splitlines() if path.exists() else []
    return [numbers(lines[0].split()[1]), lines[1]] if len(lines) == 2 else []


def had(daemon, job):
    """And it is what show tells."""
    shown = daemon.job(job)
    assert shown["cpu_bind"] == "cores"
    assert output(daemon, job)[1].split()[0] == shown["cpu_list"]
    assert output(daemon, job)[0] == numbers(shown["cpu_list"])
    return numbers(shown["cpu_list"])


def test_each_has_its_own(bound):
    jobs = [held(bound, f"{i}") for i in range(len(USABLE))]
    mine = [had(bound, job) for job in jobs]
    assert all(len(one) == 1 for one in mine) and set.union(*mine) == set(USABLE)
    assert output(bound, jobs[0])[1] == f"{min(mine[0])} 1"
    free = held(bound, "free", cpu_bind="none")
    assert output(bound, free) == [set(USABLE), "none 1"]  # what is not bound is not confined
    assert (bound.job(free)["cpu_bind"], bound.job(free)["cpu_list"]) == ("none", None)
    one_more = hold(bound, "more")
    [reason] = bound.call(JOBS + "Why", id=one_more)["reasons"]
    assert reason["reason"] == "Resources" and "it asks for 1 bound cpu (0 free)" in reason["detail"]
    assert f"job {jobs[0]} holds 1 bound cpu" in reason["detail"] and f"job {free}" not in reason["detail"]
    assert "starts now if 1 more bound cpu were free\n" in bound.ctl("why", str(one_more)).stdout
    [change] = [one for one in bound.call(JOBS + "Why", id=one_more)["starts_now_if"] if one["change"] == "free"]
    assert (change["resource"], change["amount"]) == ("cpus", 1)
    assert "1 more cpu were" not in bound.ctl("why", str(one_more)).stdout
    assert f"bound to: processors {min(mine[0])}\n" in bound.ctl("show", str(jobs[0])).stdout
    assert "bound to: processors of its own, once it starts\n" in bound.ctl("show", str(one_more)).stdout
    end(bound, "1", jobs[1])
    bound.wait_running(one_more)
    wait_until(lambda: output(bound, one_more))
    assert had(bound, one_more) == mine[1]


def test_as_many_as_its_cpus(bound):
    whole = held(bound, "a", cpus=len(USABLE))
    assert had(bound, whole) == set(USABLE) and output(bound, whole)[1].split()[1] == str(len(USABLE))
    end(bound, "a", whole)
    with pytest.raises(Refused) as refused:
        bound.submit("true", cpus=len(USABLE) + 1, cpu_bind="cores")
    assert refused.value.name == "io.batchd.NeverFits"
    assert refused.value.parameters["message"] == (f"cpus = {len(USABLE) + 1} with cpu_bind = cores never fits: jobs can be "
                                                   f"bound to {len(USABLE)} processors here")
    bound.wait(bound.submit("true", cpus=len(USABLE) + 1))


def test_what_is_first_is_not_passed_for_ever(bound):
    """As with any resource: the room is kept for the one that asks for much."""
    a, b = held(bound, "a"), held(bound, "b")
    rest = [held(bound, f"r{i}") for i in range(len(USABLE) - 2)]
    wide = hold(bound, "w", cpus=len(USABLE))
    small = hold(bound, "s")
    end(bound, "a", a)
    beside = bound.submit("true")  # what is not bound is in nobody's way
    bound.wait(beside)
    assert bound.job(small)["state"] == bound.job(wide)["state"] == "pending"
    for name, job in [("b", b)] + [(f"r{i}", job) for i, job in enumerate(rest)]:
        end(bound, name, job)
    bound.wait_running(wide)
    assert bound.job(small)["state"] == "pending"


@pytest.mark.parametrize("value", ["core", "threads", "", "Cores"])
def test_other_words_are_refused(bound, value):
    with pytest.raises(Refused) as refused:
        bound.submit("true", cpu_bind=value)
    assert refused.value.parameters["field"] == "cpu_bind" and "must be none or cores" in refused.value.parameters["message"]
    done = bound.ctl("submit", "--cpu-bind", value, "--", "true")
    assert done.returncode == 2 and f'--cpu-bind: "{value}" must be none or cores' in done.stderr
    assert bound.call(JOBS + "List", all=True)["jobs"] == []


@pytest.mark.parametrize("kill", ["kill", "restart"])
def test_adopted_jobs_keep_theirs(bound, kill):
    """A batchd that is started anew gives nobody what a job has that still runs."""
    jobs = [held(bound, f"{i}") for i in range(len(USABLE) - 1)]
    mine = [had(bound, job) for job in jobs]
    if kill == "kill":
        bound.kill()
        bound.start()
    else:
        bound.restart()
    assert [had(bound, job) for job in jobs] == mine
    last = held(bound, "last")
    assert had(bound, last) == set(USABLE) - set.union(*mine)
    waits = hold(bound, "waits")
    bound.restart()  # it is known of what waits, too
    assert bound.job(waits)["reasons"] == ["Resources"]
    end(bound, "0", jobs[0])
    bound.wait_running(waits)
    wait_until(lambda: output(bound, waits))
    assert had(bound, waits) == mine[0]


def test_what_waits_stays_bound_over_a_restart(bound):
    job = hold(bound, "a", hold=True)
    bound.restart()
    assert bound.job(job)["cpu_bind"] == "cores" and bound.job(job)["cpu_list"] is None
    bound.call(JOBS + "Release", id=job)
    wait_until(lambda: output(bound, job))
    assert len(had(bound, job)) == 1


def test_what_waits_again_has_none(bound):
    job = bound.submit("sh", "-c", "exit 75", cpu_bind="cores", retry={"max_attempts": 2, "base_ms": 3600_000})
    wait_until(lambda: bound.job(job)["reasons"] == ["RetryBackoff"])
    for _ in range(2):
        assert bound.job(job)["cpu_list"] is None
        assert "bound to: processors of its own, once it starts\n" in bound.ctl("show", str(job)).stdout
        bound.restart()


def test_tasks_and_further_attempts(bound):
    """Of a further attempt batchd-job is first."""
    array = bound.submit("sh", "-c", "grep Cpus_allowed_list /proc/self/status; sleep 0.2", array="0-5", cpu_bind="cores")
    assert bound.wait(array)[0]["state"] == "completed"
    for index in range(6):
        text = (bound.state / f"jobs/{array}/{index}/1.out").read_text()
        assert len(numbers(text.split()[1])) == 1
    again = bound.submit("sh", "-c", f"grep Cpus_allowed_list /proc/self/status; test -e {bound.state}/x || "
                         f"{{ touch {bound.state}/x; exit 75; }}", cpu_bind="cores", retry={"base_ms": 1})
    assert bound.wait(again)[0]["attempt"] == 2
    assert len(numbers((bound.state / f"jobs/{again}/2.out").read_text().split()[1])) == 1


def test_two_never_share(bound):
    """Many that end and begin: each looks for others on its processors while it has them."""
    (bound.state / "taken").mkdir()
    script = f"cd {bound.state}/taken && mkdir $BATCHD_CPU_LIST && sleep 0.01 && rmdir $BATCHD_CPU_LIST"
    jobs = [bound.submit("sh", "-c", script, cpu_bind="cores", max_attempts=1) for _ in range(60)]
    ended = bound.wait(*jobs, seconds=60)
    assert [job["outcome"]["exit_code"] for job in ended] == [0] * 60


def test_short_ones_are_not_handed_ahead(make_daemon):
    """What waits behind another in a worker would have what that has, and was told of others."""
    daemon = make_daemon(config='[workers]\nmax = 1\nprefetch = 6\nbatch_target = "300ms"\n[resources]\ncpus = 1\n')
    daemon.start()
    jobs = submit(daemon, 200, *NOTHING, cpu_bind="cores", max_attempts=1)
    assert {job["attempt"] for job in daemon.wait(*jobs, seconds=60)} == {1}
    assert len({daemon.job(job)["cpu_list"] for job in jobs}) == 1


def test_by_default_for_all(make_daemon):
    daemon = make_daemon(config=settings(more='[limits]\ncpu_bind = "cores"\n'))
    daemon.start()
    job = daemon.submit("sh", "-c", HOLD, str(daemon.state / "a"))
    wait_until(lambda: output(daemon, job))
    assert len(had(daemon, job)) == 1
    free = daemon.ctl("submit", "-q", "--cpu-bind=none", "--", "true").stdout.strip()
    assert daemon.job(int(free))["cpu_bind"] == "none"
    bad = make_daemon(config=settings(more='[limits]\ncpu_bind = "sockets"\n'))
    bad.start(wait=False)
    assert bad.process.wait(timeout=20) == 78 and "limits.cpu_bind" in bad.text() and "must be one of: none cores" in bad.text()


def test_those_that_batchd_may_use(make_daemon):
    """No others are given, and adopted jobs keep theirs when it may use others."""
    daemon = make_daemon(config=settings())
    first, second = USABLE[:2]
    os.sched_setaffinity(0, {first})
    try:
        daemon.start()
    finally:
        os.sched_setaffinity(0, USABLE)
    a, b = held(daemon, "a"), hold(daemon, "b")
    assert had(daemon, a) == {first} and daemon.job(b)["reasons"] == ["Resources"]
    daemon.kill()
    daemon.signal("--spawner", 9)  # whose workers may use no other
    os.sched_setaffinity(0, {second})
    try:
        daemon.start()
    finally:
        os.sched_setaffinity(0, USABLE)
    assert had(daemon, a) == {first} and daemon.job(b)["state"] == "pending"  # one is in use of one
    end(daemon, "a", a)
    wait_until(lambda: output(daemon, b), seconds=40)
    assert had(daemon, b) == {second}


def test_a_job_of_a_processor_that_serves_has_a_process_of_its_own(make_daemon, tmp_path):
    serving.install(tmp_path)
    daemon = make_daemon(config=f'[workers]\nmin = 1\nmax = 1\n[processors]\npath = "{tmp_path}"\n')
    daemon.start()

    def served(bind):
        job = daemon.call(JOBS + "Submit", type="server", params={"script": ""}, cwd=str(tmp_path), cpu_bind=bind)["id"]
        assert daemon.wait(job)[0]["state"] == "completed"
        return daemon.job(job)["result"]["facts"]["served"]

    wait_until(lambda: served("none"))
    assert not served("cores") and not served("cores")
    wait_until(lambda: served("none"))


# ---- near to what ----

@pytest.fixture
def machine(tmp_path):
    """Two processors of two nodes; the GPU is near the second."""
    made = Machine(tmp_path / "machine")
    made.nvidia("65")
    first, second = USABLE[:2]
    files = {"cpu/online": f"{first},{second}", "node/online": "0-1", "node/node0/cpulist": f"{first}",
             "node/node1/cpulist": f"{second}"}
    for name, text in files.items():
        path = made.root / "sys/devices/system" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    device = made.root / "sys/bus/pci/devices/0000:65:00.0"
    device.mkdir(parents=True)
    (device / "local_cpulist").write_text(f"{second}\n")
    return made


def test_near_its_gpu(machine, tmp_path):
    nvidia = Nvidia(tmp_path / "nvidia")
    nvidia.has("gpu A100 GPU-aaaa 65 81920 1024 37 41")
    first, second = USABLE[:2]
    with gpus.daemon(machine, nvidia) as daemon:
        wait_until(lambda: daemon.call("io.batchd.Server.Status")["machine"]["gpus"])
        near = held(daemon, "near", gpus=1)
        assert had(daemon, near) == {second}
        end(daemon, "near", near)
        other = held(daemon, "other")
        assert had(daemon, other) == {first}
        both = hold(daemon, "both", cpus=2)
        assert daemon.job(both)["reasons"] == ["Resources"]
        end(daemon, "other", other)
        wait_until(lambda: output(daemon, both))
        assert had(daemon, both) == {first, second}  # more than there are near to anything
