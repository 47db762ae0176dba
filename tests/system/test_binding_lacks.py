"""Jobs that are to be bound to processors, and workers or a kernel that cannot: they wait, and nothing else does
(tests/lib/other_binding.c)."""
import os
import subprocess

import pytest

from daemon import OUT, ROOT, wait_until
from preload import preloadable

USABLE = sorted(os.sched_getaffinity(0))
JOBS = "io.batchd.Jobs."

preloads = pytest.mark.skipif(OUT.name == "san", reason="its library comes first")


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    made = tmp_path_factory.mktemp("binding") / "other_binding.so"
    subprocess.run(["cc", "-O1", "-D_GNU_SOURCE", "-shared", "-fPIC", "-I", ROOT, "-o", made,
                    ROOT / "tests/lib/other_binding.c"], check=True)
    preloaded = preloadable(made, f"/tmp/binding-{os.getpid()}.so")
    yield preloaded
    os.remove(preloaded)


@preloads
def test_workers_that_bind_none(make_daemon, library):
    """An older spawner goes on over an upgrade and makes such as it knows."""
    daemon = make_daemon(config="[workers]\nmax = 2\n", env={"LD_PRELOAD": library, "OLDER_WORKERS": "1"})
    daemon.start()
    bound = [daemon.submit("true", cpu_bind="cores") for _ in range(60)]
    array = daemon.submit("true", cpu_bind="cores", array="0-3")
    free = [daemon.submit("true") for _ in range(3)]
    assert [job["state"] for job in daemon.wait(*free)] == ["completed"] * 3
    for job in (bound[0], array):
        [reason] = daemon.call(JOBS + "Why", id=job)["reasons"]
        assert reason["reason"] == "RetryBackoff" and "of an older version, which binds no job" in reason["detail"]
    assert daemon.text().count("of an older version, which binds no job") == 1
    daemon.kill()
    daemon.signal("--spawner", 9)
    daemon.env.pop("OLDER_WORKERS")
    daemon.start()
    assert {job["state"] for job in daemon.wait(*bound, array, seconds=60)} == {"completed"}


def detail(daemon, job):
    [one] = daemon.call(JOBS + "Why", id=job)["reasons"]
    return one["detail"]


@pytest.mark.skipif(len(USABLE) < 2, reason="there is one processor")
def test_a_processor_that_is_taken_off_the_machine(make_daemon, tmp_path):
    """It is given to nobody, what asks for more than are left waits, and what is not bound goes on."""
    first, second = USABLE[:2]
    online = tmp_path / "sys/devices/system/cpu/online"
    online.parent.mkdir(parents=True)
    online.write_text(f"{first},{second}\n")
    daemon = make_daemon(config=f'[workers]\nmax = 2\n[monitor]\nroot = "{tmp_path}"\n')
    daemon.start()
    online.write_text(f"{second}\n")
    one = daemon.submit("true", cpu_bind="cores")
    daemon.wait(one)
    assert daemon.job(one)["cpu_list"] == str(second)
    both = [daemon.submit("true", cpu_bind="cores", cpus=2, **more) for more in ({}, {"array": "0-1"})]
    free = daemon.submit("true")
    daemon.wait(free)
    for job in both:
        wait_until(lambda job=job: daemon.job(job)["reasons"] == ["RetryBackoff"])
        assert "some are off, or batchd or batchd-worker may not use them" in detail(daemon, job)
    online.write_text(f"{first},{second}\n")
    assert [job["state"] for job in daemon.wait(*both)] == ["completed"] * 2
    assert daemon.job(both[0])["cpu_list"] in (f"{first}-{second}", f"{first},{second}")


@preloads
def test_what_the_kernel_refuses_to_bind_is_tried_again(make_daemon, library, tmp_path):
    """As what there is no room for: it is not charged."""
    daemon = make_daemon(env={"LD_PRELOAD": library, "BIND_FAILS": str(tmp_path / "fails")})
    (tmp_path / "fails").touch()
    daemon.start()
    job = daemon.submit("true", cpu_bind="cores", max_attempts=1)
    wait_until(lambda: daemon.job(job)["reasons"] == ["RetryBackoff"])
    assert "cannot bind it to its processors: Invalid argument" in detail(daemon, job)
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
@pytest.mark.skipif(len(USABLE) < 2, reason="there is one processor")
def test_processors_of_the_control_group_that_become_fewer_and_more(make_daemon, library, tmp_path):
    """AllowedCPUs= of the unit: what is refused is tried on others, and what asks for more waits no longer than it must."""
    first, second = USABLE[:2]
    group = tmp_path / "cpuset"
    group.write_text(f"{first},{second}\n")
    daemon = make_daemon(config="[workers]\nmin = 1\nmax = 1\n[resources]\ncpus = 2\n",
                         env={"LD_PRELOAD": library, "CPUSET": str(group)})
    daemon.start()

    def is_given():
        job = daemon.submit("true", cpu_bind="cores")
        daemon.wait(job)
        return daemon.job(job)["cpu_list"]

    chosen = is_given()
    other = ({str(first), str(second)} - {chosen}).pop()
    group.write_text(f"{other}\n")
    assert is_given() == other  # refused once
    assert daemon.job(daemon.jobs()[-1]["id"])["charged"] == 0
    both = daemon.submit("true", cpu_bind="cores", cpus=2)
    wait_until(lambda: daemon.job(both)["reasons"] == ["RetryBackoff"])
    group.write_text(f"{first},{second}\n")
    [ended] = daemon.wait(both, seconds=40)
    assert ended["state"] == "completed"
