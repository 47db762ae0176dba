"""Limits of jobs where there are no control groups: niceness, disks, rlimits; who may ask for what."""
import json
import os
import pathlib
import subprocess

import pytest
from daemon import OUT, Refused, wait_until

JOBS = "io.batchd.Jobs."
CONFIG = """[limits]
nice = 15
io_priority = "best-effort:6"
open_files = 123
file_size = "1M"
pids = 200
"""
# What the kernel says of the process that asks.
LOOK = """import json, os, resource, subprocess
def both(name): return resource.getrlimit(getattr(resource, name))
print(json.dumps({"nice": os.nice(0), "files": both("RLIMIT_NOFILE"), "size": both("RLIMIT_FSIZE"),
                  "data": both("RLIMIT_DATA"), "disks": subprocess.check_output(["ionice"], text=True).strip()}))
"""


@pytest.fixture
def limited(make_daemon):
    daemon = make_daemon(config=CONFIG)
    daemon.start()
    return daemon


def nice(wanted):
    """What a job that is to be so nice is, where the tests themselves are nice, too."""
    return max(wanted, os.nice(0))


def output(daemon, job, attempt=1):
    return (daemon.state / f"jobs/{job}/{attempt}.out").read_text()


def look(daemon, **more):
    job = daemon.submit("/usr/bin/python3", "-c", LOOK, **more)
    assert daemon.wait(job)[0]["outcome"]["class"] == "success"
    return json.loads(output(daemon, job))


def test_the_settings_hold_for_all_jobs(limited):
    seen = look(limited, memory=50 << 20)
    assert seen["nice"] == nice(15) and seen["disks"] == "best-effort: prio 6"
    assert seen["files"] == [123, 123] and seen["size"] == [1 << 20, 1 << 20]
    assert seen["data"] == [-1, -1]  # not asked for


def test_nothing_is_set_by_default(daemon):
    seen = look(daemon)
    assert seen["nice"] == nice(0) and seen["disks"].startswith("none") and seen["size"] == [-1, -1]
    assert daemon.job(1)["limits"] == {"nice": None, "io_priority": None, "pids": None}


def test_a_job_may_stand_back_further(limited):
    seen = look(limited, nice=18, io_priority="idle", pids=100)
    assert seen["nice"] == nice(18) and seen["disks"] == "idle"
    assert limited.job(1)["limits"] == {"nice": 18, "io_priority": "idle", "pids": 100}


@pytest.mark.parametrize("field, value, rule", [
    ("nice", 14, "nice is 14; limits.nice makes it at least 15"),
    ("nice", 20, "0 to 19"),
    ("nice", -1, "0 to 19"),
    ("io_priority", "best-effort:5", "limits.io_priority lets a job have best-effort:6 or less"),
    ("io_priority", "realtime:0", "must be none, idle, or best-effort:N"),
    ("pids", 201, "pids is 201; limits.pids lets a job have 200"),
    ("pids", 0, "1 to 4194304"),
])
def test_no_less_than_the_settings(limited, field, value, rule):
    with pytest.raises(Refused) as refused:
        limited.submit("true", **{field: value})
    assert refused.value.parameters["field"] == field and rule in refused.value.parameters["message"]
    assert limited.call(JOBS + "List", all=True)["jobs"] == []


def test_by_default_processes_are_bounded_for_who_asks_too(daemon):
    """What systemd gives a unit: 15 percent of what there may be."""
    most = min(int(pathlib.Path(f"/proc/sys/kernel/{name}").read_text()) for name in ("pid_max", "threads-max")) * 15 // 100
    with pytest.raises(Refused) as refused:
        daemon.submit("true", pids=most + 1)
    assert f"pids is {most + 1}; limits.pids lets a job have {most}" in refused.value.parameters["message"]
    assert daemon.wait(daemon.submit("true", pids=most))[0]["state"] == "completed"


def test_from_the_command_line(limited):
    done = limited.ctl("submit", "-q", "--hold", "--nice", "16", "--io-priority", "idle", "--pids", "64", "--", "true")
    job = done.stdout.strip()
    assert limited.job(int(job))["limits"] == {"nice": 16, "io_priority": "idle", "pids": 64}
    shown = limited.ctl("show", job).stdout
    assert "nice: 16\n" in shown and "io priority: idle\n" in shown and "pids: 64\n" in shown
    for option, value, rule in (("--nice", "20", "0 to 19"), ("--pids", "0", "1 to 4194304"),
                                ("--io-priority", "slow", "best-effort:N"), ("--cpu-bind", "fast", "cores")):
        done = limited.ctl("submit", option, value, "--", "true")
        assert done.returncode == 2 and option in done.stderr and value in done.stderr and rule in done.stderr
        assert "none" in done.stderr and "none" in limit_help(option)


def limit_help(option):
    shown = subprocess.run([OUT / "batchctl", "submit", "--help"], capture_output=True, text=True, check=True).stdout
    return next(line for line in shown.splitlines() if f" {option} " in line)


def test_none_asks_for_nothing(daemon):
    words = [word for name in ("nice", "io-priority", "pids", "cpu-bind") for word in (f"--{name}", "none")]
    done = daemon.ctl("submit", "-q", "--hold", "--nice", "3", "--pids", "64", *words, "--", "true")
    assert done.returncode == 0, done.stderr
    job = daemon.job(int(done.stdout))
    assert job["limits"] == {"nice": None, "io_priority": None, "pids": None} and job["cpu_bind"] == "none"


def test_none_takes_it_from_a_schedule(daemon):
    added = daemon.ctl("cron", "add", "nightly", "--at", "@daily", "--nice", "3", "--pids", "64", "--", "true")
    assert added.returncode == 0, added.stderr
    for name in ("nice", "pids"):
        done = daemon.ctl("cron", "edit", "nightly", f"--{name}", "none")
        assert done.returncode == 0, done.stderr
    run = int(daemon.ctl("cron", "run", "nightly").stdout)
    assert daemon.job(run)["limits"] == {"nice": None, "io_priority": None, "pids": None}


def test_a_file_that_grows_too_large(limited, tmp_path):
    job = limited.submit("dd", "if=/dev/zero", f"of={tmp_path}/big", "bs=64k", "count=40", max_attempts=1)
    ended = limited.wait(job)[0]
    assert ended["outcome"]["class"] == "signal" and ended["outcome"]["signal"] == 25  # SIGXFSZ
    assert (tmp_path / "big").stat().st_size == 1 << 20


def test_memory_by_rlimit(make_daemon):
    daemon = make_daemon(config="[limits]\ndata_segment = true\n")
    daemon.start()
    asks = ("/usr/bin/python3", "-c", "bytearray(80 << 20); print('had it')")
    job = daemon.submit(*asks, memory=40 << 20, max_attempts=1)
    assert daemon.wait(job)[0]["outcome"]["exit_code"] == 1
    assert "MemoryError" in (daemon.state / f"jobs/{job}/1.err").read_text()
    job = daemon.submit(*asks, memory=200 << 20)
    assert daemon.wait(job)[0]["outcome"]["class"] == "success"
    job = daemon.submit(*asks)  # who asks for nothing has no limit
    assert daemon.wait(job)[0]["outcome"]["class"] == "success"


def test_further_attempts_and_what_was_queued_before_a_restart(limited, tmp_path):
    """The next attempt is begun by batchd-job; a job that is restored has its own words, too."""
    fails = f"nice; test -e {tmp_path}/again || {{ touch {tmp_path}/again; exit 75; }}"
    job = limited.submit("sh", "-c", fails, nice=18, retry={"base_ms": 1})
    assert limited.wait(job)[0]["attempt"] == 2
    assert output(limited, job) == output(limited, job, 2) == f"{nice(18)}\n"
    held = limited.submit("nice", nice=19, hold=True)
    limited.kill()
    limited.start()
    limited.call(JOBS + "Release", id=held)
    limited.wait(held)
    assert output(limited, held) == "19\n"


def test_a_job_that_is_adopted_keeps_them(limited):
    job = limited.submit("sh", "-c", "while ! test -e go; do sleep 0.05; done; nice; ulimit -Hn", nice=17,
                         cwd=str(limited.state))
    wait_until(lambda: limited.job(job)["state"] == "running")
    limited.kill()
    limited.start()
    (limited.state / "go").touch()
    assert limited.wait(job)[0]["outcome"]["class"] == "success"
    assert output(limited, job) == f"{nice(17)}\n123\n"


def has_autogroups():
    path = pathlib.Path("/proc/sys/kernel/sched_autogroup_enabled")
    return path.exists() and path.read_text().strip() == "1"


def own_autogroup():
    """Number and niceness of the group of these tests; empty where they run in no session of their own."""
    return pathlib.Path("/proc/self/autogroup").read_text()


@pytest.mark.skipif(not has_autogroups(), reason="this kernel does not group processes by session")
def test_niceness_counts_beside_other_sessions(make_daemon):
    """Several at a time, of which the kernel hears one in a tenth of a second."""
    daemon = make_daemon(config="[workers]\nmax = 4\n[resources]\ncpus = 4\n")
    before = own_autogroup()
    daemon.start()
    wait = "for i in $(seq 400); do grep -q 'nice 6' /proc/self/autogroup && exit 0; sleep 0.05; done; exit 1"
    jobs = [daemon.submit("sh", "-c", wait, nice=6, max_attempts=1) for _ in range(4)]
    for job in jobs:
        assert daemon.wait(job)[0]["outcome"]["class"] == "success"
    assert own_autogroup() == before


@pytest.mark.parametrize("line, rule", [
    ("nice = 20", "limits.nice is 20; it must be from 0 to 19"),
    ("cpu_weight = 10001", "limits.cpu_weight is 10001; it must be from 0 to 10000"),
    ("io_weight = 10001", "from 0 to 10000"),
    ("memory_high = 100", "limits.memory_high is 100; it must be from 0 to 99"),
    ("swap = 1001", "from 0 to 1000"),
    ("pids = 4194305", "from 0 to 4194304"),
    ('io_priority = "best-effort:8"', "must be one of: none idle best-effort:0"),
    ("data_segment = 1", "limits.data_segment must be true or false"),
    ('file_size = "many"', "limits.file_size"),
    ("nise = 3", 'did you mean "limits.nice"'),
])
def test_settings_that_cannot_be(line, rule, tmp_path):
    config = tmp_path / "config.toml"
    config.write_text(f"[limits]\n{line}\n")
    done = subprocess.run([OUT / "batchd", "--check-config", "--config", config], capture_output=True, text=True)
    assert done.returncode == 78 and rule in done.stderr and f"{config}:2:" in done.stderr
