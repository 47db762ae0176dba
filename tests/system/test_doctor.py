"""batchctl doctor: what is weak or broken is told, with what follows and what to do."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest
from daemon import OUT, ROOT, wait_until
from preload import preloadable

STATES = ("ok", "unknown", "warning", "failed")


def doctor(daemon, code=0):
    """{"group: name": check}, and the worst."""
    done = daemon.ctl("doctor", "--json")
    assert done.returncode == code, done.stdout
    report = json.loads(done.stdout)
    for check in report["checks"]:
        assert set(check) == {"group", "name", "state", "found", "consequence", "fix"}
        assert check["state"] in STATES and check["found"]
        assert (check["state"] in ("ok", "unknown")) or (check["consequence"] and check["fix"]), check
        assert check["state"] != "ok" or (check["consequence"] is None and check["fix"] is None), check
    assert report["worst"] == max((check["state"] for check in report["checks"]), key=STATES.index)
    return {f"{check['group']}: {check['name']}": check for check in report["checks"]}, report["worst"]


def test_it_tells_of_each_in_words_and_in_json(daemon):
    found, worst = doctor(daemon)
    assert worst != "failed" and found["daemon: answers"]["state"] == "ok"
    assert {name.split(":")[0] for name in found} == {"daemon", "processors", "sandbox", "jobs", "machine",
                                                            "store", "start", "gpus"}
    told = daemon.ctl("doctor").stdout
    for name, check in found.items():
        assert f"{name} " in told and check["found"] in told
        for part in ("consequence", "fix"):
            assert check[part] is None or check[part] in told
    quiet = daemon.ctl("doctor", "-q").stdout
    for name, check in found.items():
        assert (name in quiet) == (check["state"] != "ok")


def test_a_daemon_that_was_started_by_hand(daemon):
    found, _ = doctor(daemon)
    assert found["start: service manager"]["state"] == "warning"
    assert "nobody starts it again" in found["start: service manager"]["consequence"]


def test_one_that_systemd_started(make_daemon, tmp_path):
    """It tells the number of the process that it started; a child that inherits it is none."""
    script = tmp_path / "batchd"
    script.write_text(f'#!/bin/sh\nSYSTEMD_EXEC_PID=$$ exec "{OUT}/batchd" "$@"\n')
    script.chmod(0o755)
    one = make_daemon(batchd=script)
    one.start()
    assert doctor(one)[0]["start: service manager"]["state"] == "ok"
    two = make_daemon(env={"SYSTEMD_EXEC_PID": str(one.process.pid)})
    two.start()
    assert doctor(two)[0]["start: service manager"]["state"] == "warning"


def test_the_kernel_and_the_library_are_told(daemon):
    found, _ = doctor(daemon)
    shown = daemon.ctl("processors").stdout
    files = found["sandbox: files"]
    assert files["state"] == ("warning" if "no landlock" in shown else "ok")
    version = subprocess.run(["/usr/bin/python3", "-c", "import sqlite3; print(sqlite3.sqlite_version)"],
                             capture_output=True, text=True, check=True).stdout.strip()
    assert f"SQLite {version}" == found["store: library"]["found"]


@pytest.fixture
def old_kernel(tmp_path):
    library, place = tmp_path / "old_kernel.so", f"/tmp/old-doctor-{os.getpid()}.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-O1", "-o", library, ROOT / "tests/lib/old_kernel.c"],
                   check=True)
    yield {"LD_PRELOAD": preloadable(library, place), "ASAN_OPTIONS": "verify_asan_link_order=0",
           "OLD_LANDLOCK": "0", "OLD_SECCOMP": "0"}
    os.remove(place)


def test_a_kernel_that_confines_nothing_is_a_warning(make_daemon, old_kernel):
    daemon = make_daemon(env=old_kernel)
    daemon.start()
    found, _ = doctor(daemon)
    for name, words in (("files", "reads and writes"), ("system calls", "starts programs"), ("network", "can send")):
        assert found[f"sandbox: {name}"]["state"] == "warning" and words in found[f"sandbox: {name}"]["consequence"]


def test_what_batchd_may_not_ask_is_unknown(make_daemon, old_kernel):
    """As in the sandbox of its own unit, which its jobs are not in."""
    daemon = make_daemon(env={**{name: old_kernel[name] for name in ("LD_PRELOAD", "ASAN_OPTIONS")}, "OLD_DENIED": "1"})
    daemon.start()
    found, _ = doctor(daemon)
    for name in ("files", "system calls", "network"):
        check = found[f"sandbox: {name}"]
        assert check["state"] == "unknown" and "batchctl processors" in check["fix"], check


def test_a_store_in_memory_is_a_warning(make_daemon):
    memory = pathlib.Path("/dev/shm")
    if subprocess.run(["stat", "-f", "-c", "%T", memory], capture_output=True, text=True).stdout.strip() != "tmpfs":
        pytest.skip("no memory file system here")
    place = memory / f"batchd-doctor-{os.getpid()}"
    place.mkdir(0o700)
    daemon = make_daemon(folder=place)
    daemon.start()
    found, _ = doctor(daemon)
    assert found["store: file system"]["state"] == "warning" and "in memory" in found["store: file system"]["found"]


def test_without_the_manager_of_services_jobs_have_no_groups(daemon):
    """tests/vm/doctor.sh looks at the machine's, and at a person's own that systemd started."""
    assert daemon.ctl("submit", "--wait", "--", "true").returncode == 0
    assert not any(daemon.state.glob("workers/*/cgroup"))
    check = doctor(daemon)[0]["jobs: control groups"]
    assert check["state"] == "warning" and "its memory is not limited" in check["consequence"]


def test_without_groups_what_can_be_limited_is_unknown(daemon):
    check = doctor(daemon)[0]["jobs: limits"]
    assert check["state"] == "unknown" and "no job has one" in check["found"]


@pytest.mark.parametrize("limits, state", [('', "unknown"), ('io_weight = 200', "unknown"),
                                           ('io_priority = "idle"', "warning")])
def test_a_priority_on_disks_needs_no_group(make_daemon, tmp_path, limits, state):
    disk = tmp_path / "sys/block/sda"
    for name, text in (("dev", "8:0\n"), ("size", "2048\n"), ("queue/scheduler", "[none] bfq\n"), ("device/model", "disk\n")):
        (disk / name).parent.mkdir(parents=True, exist_ok=True)
        (disk / name).write_text(text)
    daemon = make_daemon(config=f'[monitor]\nroot = "{tmp_path}"\n[limits]\n{limits}\n')
    daemon.start()
    check = doctor(daemon)[0]["jobs: disk weights"]
    assert check["state"] == state and ("sda (none)" in check["found"]) == (state == "warning")


@pytest.mark.parametrize("pressure, state", [(None, "warning"), ("some avg10=1.00 avg60=0.00 avg300=0.00 total=1\n", "ok")])
def test_whether_pressure_is_seen(make_daemon, tmp_path, pressure, state):
    """By the machine that the monitor looks at."""
    (tmp_path / "proc/pressure").mkdir(parents=True)
    if pressure is not None:
        (tmp_path / "proc/pressure/memory").write_text(pressure)
    daemon = make_daemon(config=f'[monitor]\nroot = "{tmp_path}"\n')
    daemon.start()
    check = doctor(daemon)[0]["machine: pressure"]
    assert check["state"] == state and ("psi=1" in (check["fix"] or "")) == (state == "warning")


def test_the_clock_and_the_disk_are_told_of(daemon):
    """As the kernel has it here."""
    found = doctor(daemon)[0]
    assert found["machine: clock"]["state"] in ("ok", "warning", "unknown")
    assert (found["machine: clock"]["fix"] is None) == (found["machine: clock"]["state"] == "ok")
    number = os.stat(daemon.state).st_dev
    device = pathlib.Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    caches = [path / "write_cache" for path in (device / "queue", device.resolve().parent / "queue")]
    known = any(cache.exists() for cache in caches)
    assert found["machine: disk cache"]["state"] == ("ok" if known else "unknown")


def test_what_writes_nothing_out_is_told_of(make_daemon, tmp_path):
    daemon = make_daemon(env={"LD_PRELOAD": str(tmp_path / "libeatmydata.so")})  # that it is asked for is enough
    daemon.start()
    check = doctor(daemon, code=1)[0]["machine: disk cache"]
    assert check["state"] == "failed" and "power fails" in check["consequence"] and "without it" in check["fix"]


def test_without_workers_it_fails(make_daemon, tmp_path):
    """A spawner that cannot be started."""
    shutil.copy(OUT / "batchd", tmp_path / "batchd")
    (tmp_path / "batchd-worker").write_text("#!/bin/sh\nexit 71\n")
    (tmp_path / "batchd-worker").chmod(0o755)
    daemon = make_daemon(batchd=tmp_path / "batchd")
    daemon.start()
    daemon.ctl("submit", "-q", "--", "true")
    wait_until(lambda: daemon.ctl("doctor").returncode == 1)
    found, worst = doctor(daemon, code=1)
    assert worst == found["jobs: workers"]["state"] == "failed"
    assert found["jobs: workers"]["consequence"] == "no job starts"


def test_a_type_that_cannot_be_run_is_named(make_daemon, tmp_path):
    (tmp_path / "types/broken").mkdir(parents=True)
    (tmp_path / "types/broken/manifest.json").write_text('{"name": "broken"}')
    daemon = make_daemon(config=f'[processors]\npath = "{tmp_path}/types"\n')
    daemon.start()
    types = doctor(daemon)[0]["processors: types"]
    assert types["state"] == "warning" and "1 of " in types["found"] and "broken: " in types["found"]
    (tmp_path / "types/broken/manifest.json").unlink()
    (tmp_path / "types/broken").rmdir()
    assert doctor(daemon)[0]["processors: types"]["state"] == "ok"


def test_where_nobody_answers(tmp_path):
    words = [OUT / "batchctl", "--socket", tmp_path / "none.sock", "doctor"]
    done = subprocess.run([*words, "--json"], capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    assert done.returncode == 6 and "cannot reach batchd" in done.stderr
    assert report["worst"] == "failed" and [check["state"] for check in report["checks"]] == ["failed"]
    assert "failed   daemon: answers" in subprocess.run(words, capture_output=True, text=True, check=False).stdout


def test_it_takes_nothing(daemon):
    done = daemon.ctl("doctor", "me")
    assert done.returncode == 2 and '"me"' in done.stderr
