"""Jobs start where there is room for what they write, on real file systems: in memory, and on a loop device."""
import contextlib
import pathlib
import re
import shutil
import subprocess
import sys
import time

import pytest

from daemon import Daemon, wait_until

MIB = 1 << 20


@contextlib.contextmanager
def mounted(point, *how):
    point.mkdir(exist_ok=True)
    if subprocess.run(["mount", *how, point], capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a file system needs root")
    try:
        yield point
    finally:
        subprocess.run(["umount", "-l", point], check=False)


@pytest.fixture
def volume(tmp_path):
    """100 MiB in memory, with 1,000 inodes."""
    with mounted(tmp_path / "volume", "-t", "tmpfs", "-o", "size=100m,nr_inodes=1000", "none") as point:
        yield point


def watching(more="", folder=None, resources="cpus = 8\ndisk = \"10G\"\n"):
    return Daemon(folder=folder, config=f'[monitor]\ninterval = "100ms"\n{more}[workers]\nmax = 8\n[resources]\n{resources}')


def fill(volume, mib):
    """From what was filled on: never less in between."""
    with open(volume / "filled", "ab") as file:
        if file.tell() > mib * MIB:
            file.truncate(mib * MIB)
        else:
            file.write(b"x" * (mib * MIB - file.tell()))


def disks(daemon):
    return {disk["path"]: disk for disk in daemon.call("io.batchd.Server.Status")["machine"]["disks"]}


def reasons(daemon, ident):
    return daemon.job(ident)["reasons"]


def why(daemon, ident):
    [reason] = daemon.call("io.batchd.Jobs.Why", id=ident)["reasons"]
    assert reason["reason"] == "DiskLow"
    return reason["detail"], reason["lifts"]


def until_seen(daemon):
    def sampled():
        return daemon.call("io.batchd.Server.Status")["machine"]["sampled_at"]
    before = sampled()
    wait_until(lambda: sampled() > before + 200_000)


def hold(tmp_path, word):
    return "sh", "-c", f"until test -e {tmp_path}/{word}; do sleep 0.02; done"


# ---- marks ----


def test_no_job_starts_where_it_would_write_to_a_full_disk(volume, tmp_path):
    fill(volume, 97)
    with watching('disk_free = "5%:10%"\n') as daemon:
        there = daemon.submit("true", cwd=str(volume))
        wait_until(lambda: reasons(daemon, there) == ["DiskLow"])
        assert daemon.wait(daemon.submit("true", cwd="/"))[0]["state"] == "completed"
        assert why(daemon, there) == (f"no job starts that writes to {volume}: 3.0M of 100.0M are free there",
                                      "10.0M are free there")
        assert disks(daemon)[str(volume)]["low"] and disks(daemon)[str(volume)]["waiting"] == 1
        assert f"disk: no job starts that writes to {volume}: 3.0M of 100.0M" in daemon.ctl("status").stdout
        told = daemon.ctl("why", str(there)).stdout
        assert "DiskLow" in told and "it depends on what is written there" in told
        assert f"no job starts that writes to {volume}" in daemon.text()
        fill(volume, 93)  # between the marks
        until_seen(daemon)
        assert reasons(daemon, there) == ["DiskLow"] and "7.0M of 100.0M" in why(daemon, there)[0]
        plan = daemon.call("io.batchd.Jobs.Plan")["jobs"]
        assert [(line["id"], line["predicted_start"], line["reasons"]) for line in plan] == [(there, None, ["DiskLow"])]
        fill(volume, 50)
        assert daemon.wait(there)[0]["state"] == "completed"
        fill(volume, 93)  # and once more between them: it stays open
        until_seen(daemon)
        assert daemon.wait(daemon.submit("true", cwd=str(volume)))[0]["state"] == "completed"
        assert f"jobs that write to {volume} start again" in daemon.text()


def test_where_the_outputs_go_counts_too(volume):
    fill(volume, 97)
    with watching('disk_free = "5%:10%"\n') as daemon:
        outside = daemon.submit("sh", "-c", 'echo made > "$BATCHD_OUTPUT"', cwd=str(volume.parent), outputs=["volume/../made"])
        assert daemon.wait(outside)[0]["state"] == "completed"
        inside = daemon.submit("sh", "-c", 'echo made > "$BATCHD_OUTPUT"', cwd=str(volume.parent), outputs=["volume/made"])
        wait_until(lambda: reasons(daemon, inside) == ["DiskLow"])
        (volume / "filled").unlink()
        assert daemon.wait(inside)[0]["state"] == "completed" and (volume / "made").read_text() == "made\n"


def test_the_disk_of_the_state_is_every_jobs(volume, tmp_path):
    with watching('disk_free = "20%:40%"\n', folder=volume) as daemon:
        running = daemon.submit(*hold(tmp_path, "go"), cwd=str(volume))
        daemon.wait_running(running)
        fill(volume, 78)
        wait_until(lambda: disks(daemon)[str(volume)]["low"])
        waiting = [daemon.submit("true", cwd=str(volume)) for _ in range(3)]
        assert {tuple(reasons(daemon, ident)) for ident in waiting} == {("DiskLow",)}
        assert why(daemon, waiting[0])[0].startswith(f"no job starts: its output goes to {volume}, and ")
        assert daemon.job(running)["state"] == "running"
        (volume / "filled").unlink()
        assert {job["state"] for job in daemon.wait(*waiting)} == {"completed"}
        (tmp_path / "go").touch()
        daemon.wait(running)


def test_inodes(volume):
    with watching('inodes_free = "20%:40%"\n') as daemon:
        for number in range(900):
            (volume / str(number)).touch()
        there = daemon.submit("true", cwd=str(volume))
        wait_until(lambda: reasons(daemon, there) == ["DiskLow"])
        detail, lifts = why(daemon, there)
        assert re.fullmatch(rf"no job starts that writes to {volume}: \d+ of 1000 inodes are free there", detail)
        assert lifts == "400 inodes are free there"
        for number in range(900):
            (volume / str(number)).unlink()
        assert daemon.wait(there)[0]["state"] == "completed"


def test_of_a_small_one_a_twentieth_is_enough(volume):
    fill(volume, 88)
    with watching() as daemon:  # 256M:512M
        assert daemon.wait(daemon.submit("true", cwd=str(volume)))[0]["state"] == "completed"
        fill(volume, 96)
        until_seen(daemon)
        there = daemon.submit("true", cwd=str(volume))
        wait_until(lambda: reasons(daemon, there) == ["DiskLow"])
        assert why(daemon, there)[1] == "10.0M are free there"


def test_a_restart_lets_nobody_in_between_the_marks(volume):
    fill(volume, 97)
    with watching('disk_free = "5%:10%"\n') as daemon:
        there = daemon.submit("true", cwd=str(volume))
        wait_until(lambda: reasons(daemon, there) == ["DiskLow"])
        fill(volume, 93)
        until_seen(daemon)
        daemon.kill()
        daemon.start()
        wait_until(lambda: reasons(daemon, there) == ["DiskLow"])
        until_seen(daemon)
        assert reasons(daemon, there) == ["DiskLow"]
        fill(volume, 10)
        assert daemon.wait(there)[0]["state"] == "completed"


def test_what_always_is_between_the_marks_is_open_after_a_restart_too(volume):
    """That of the state, which is every job's: nothing would start any more."""
    with watching('disk_free = "20%:60%"\n', folder=volume) as daemon:
        assert daemon.wait(daemon.submit("true"))[0]["state"] == "completed"
        fill(volume, 50)
        until_seen(daemon)
        daemon.kill()
        daemon.start()
        until_seen(daemon)
        assert disks(daemon)[str(volume)]["free_bytes"] < 60 * MIB
        assert daemon.wait(daemon.submit("true"))[0]["state"] == "completed"


def test_it_is_not_looked_at_when_it_is_off(volume):
    fill(volume, 100)
    with watching('disk_free = "off"\ninodes_free = "off"\n') as daemon:
        assert daemon.wait(daemon.submit("true", cwd=str(volume), disk=500 * MIB))[0]["state"] == "completed"
        assert disks(daemon) == {}


@pytest.mark.parametrize("kind, looked_at", [("ext4", True), ("nfs4", False), ("fuse.sshfs", False), ("9p", False)])
def test_a_network_file_system_is_not_asked(volume, tmp_path, kind, looked_at):
    """It could hang; which it is the list of mounts says."""
    fill(volume, 99)
    real = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    [line] = [line for line in real if f" {volume} " in line]
    machine = tmp_path / "machine"
    (machine / "proc/self").mkdir(parents=True)
    (machine / "proc/self/mountinfo").write_text(
        "\n".join([line.replace(" - tmpfs ", f" - {kind} "), "garbage", "1 2 3:x / / - - -", ""]))
    with watching(f'root = "{machine}"\n') as daemon:
        there = daemon.submit("true", cwd=str(volume))
        if looked_at:
            wait_until(lambda: reasons(daemon, there) == ["DiskLow"])
            (machine / "proc/self/mountinfo").write_text("")  # it is gone: nothing is known of it
        assert daemon.wait(there)[0]["state"] == "completed"


# ---- what jobs ask for ----


def test_what_running_jobs_asked_for_is_kept_for_them(volume, tmp_path):
    """Of 100 MiB 5 are left free."""
    with watching() as daemon:
        first = [daemon.submit(*hold(tmp_path, "first"), cwd=str(volume), disk=30 * MIB) for _ in range(2)]
        for ident in first:
            daemon.wait_running(ident)
        large = daemon.submit(*hold(tmp_path, "large"), cwd=str(volume), disk=50 * MIB)
        wait_until(lambda: reasons(daemon, large) == ["DiskLow"])
        assert why(daemon, large) == (
            f"it asks for 50.0M disk, and of 100.0M that are free at {volume} running jobs asked for 60.0M, and 5.0M are left free",
            "running jobs end, or files there are removed")
        assert f"disk: jobs wait for room at {volume}" in daemon.ctl("status").stdout
        assert disks(daemon)[str(volume)]["kept_bytes"] == 60 * MIB
        small = daemon.submit(*hold(tmp_path, "small"), cwd=str(volume), disk=20 * MIB)
        none = daemon.submit("true", cwd=str(volume))
        elsewhere = daemon.submit("true", cwd="/", disk=50 * MIB)
        assert {job["state"] for job in daemon.wait(none, elsewhere)} == {"completed"}
        wait_until(lambda: reasons(daemon, small) == ["DiskLow"])  # it fits, and the large one came before
        daemon.kill()
        daemon.start()  # what runs still has its part
        until_seen(daemon)
        assert reasons(daemon, large) == reasons(daemon, small) == ["DiskLow"]
        (tmp_path / "first").touch()
        daemon.wait_running(large, small)
        (tmp_path / "large").touch(), (tmp_path / "small").touch()
        assert {job["state"] for job in daemon.wait(*first, large, small)} == {"completed"}


def test_what_never_has_room_is_passed_over(volume):
    with watching() as daemon:
        large = daemon.submit("true", cwd=str(volume), disk=97 * MIB)
        wait_until(lambda: reasons(daemon, large) == ["DiskLow"])
        assert why(daemon, large)[1] == "files there are removed"
        assert daemon.wait(daemon.submit("true", cwd=str(volume), disk=90 * MIB))[0]["state"] == "completed"
        fill(volume, 99)
        until_seen(daemon)
        small = daemon.submit("true", cwd=str(volume), disk=20 * MIB)  # and where it waits behind it
        wait_until(lambda: reasons(daemon, small) == ["DiskLow"])
        fill(volume, 0)
        assert daemon.wait(small)[0]["state"] == "completed" and reasons(daemon, large) == ["DiskLow"]
        subprocess.run(["mount", "-o", "remount,size=200m", volume], check=True)
        assert daemon.wait(large)[0]["state"] == "completed"


def test_many_that_never_have_room_keep_nobody_out(volume, tmp_path):
    """They came first, and neither hide who came before others nor let later ones wait."""
    with watching() as daemon:
        never = [daemon.submit("true", cwd=str(volume), disk=97 * MIB) for _ in range(600)]
        wait_until(lambda: disks(daemon)[str(volume)]["waiting"] == len(never))
        first = daemon.submit(*hold(tmp_path, "first"), cwd=str(volume), disk=50 * MIB)
        daemon.wait_running(first)
        large = daemon.submit(*hold(tmp_path, "large"), cwd=str(volume), disk=60 * MIB)
        small = daemon.submit("true", cwd=str(volume), disk=20 * MIB)
        wait_until(lambda: reasons(daemon, large) == reasons(daemon, small) == ["DiskLow"])
        until_seen(daemon)
        assert reasons(daemon, small) == ["DiskLow"]  # the large one came before
        (tmp_path / "first").touch()
        daemon.wait_running(large)
        assert daemon.wait(small)[0]["state"] == "completed"
        fill(volume, 99)
        until_seen(daemon)
        later = daemon.submit("true", cwd=str(volume), disk=20 * MIB)
        wait_until(lambda: reasons(daemon, later) == ["DiskLow"])
        (volume / "filled").unlink()
        (tmp_path / "large").touch()
        assert {job["state"] for job in daemon.wait(large, later)} == {"completed"}
        subprocess.run(["mount", "-o", "remount,size=200m", volume], check=True)
        assert {job["state"] for job in daemon.wait(*never, seconds=60)} == {"completed"}


def test_who_asks_for_no_disk_goes_when_it_is_open_again(volume, tmp_path):
    """Although one that came before waits for the end of another."""
    with watching() as daemon:
        running = daemon.submit(*hold(tmp_path, "go"), cwd=str(volume), disk=50 * MIB)
        daemon.wait_running(running)
        fill(volume, 97)
        until_seen(daemon)
        large = daemon.submit("true", cwd=str(volume), disk=60 * MIB)
        none = daemon.submit("true", cwd=str(volume))
        wait_until(lambda: reasons(daemon, large) == reasons(daemon, none) == ["DiskLow"])
        (volume / "filled").unlink()
        assert daemon.wait(none)[0]["state"] == "completed" and reasons(daemon, large) == ["DiskLow"]
        (tmp_path / "go").touch()
        assert {job["state"] for job in daemon.wait(running, large)} == {"completed"}


@pytest.mark.parametrize("kept_by", ["hold", "pause"])
def test_who_could_not_start_anyway_keeps_nobody_out(volume, tmp_path, kept_by):
    with watching() as daemon:
        assert daemon.ctl("queue", "add", "other").returncode == 0
        running = daemon.submit(*hold(tmp_path, "go"), cwd=str(volume), disk=50 * MIB)
        daemon.wait_running(running)
        large = daemon.submit("true", cwd=str(volume), disk=60 * MIB, queue="other")
        small = daemon.submit("true", cwd=str(volume), disk=20 * MIB)
        wait_until(lambda: reasons(daemon, large) == reasons(daemon, small) == ["DiskLow"])
        verb, back, what = {"hold": ("hold", "release", str(large)), "pause": ("queue pause", "queue resume", "other")}[kept_by]
        assert daemon.ctl(*verb.split(), what).returncode == 0
        assert daemon.wait(small)[0]["state"] == "completed" and "DiskLow" in reasons(daemon, large)
        assert daemon.ctl(*back.split(), what).returncode == 0
        until_seen(daemon)
        until_seen(daemon)
        later = daemon.submit("true", cwd=str(volume), disk=20 * MIB)
        wait_until(lambda: reasons(daemon, later) == ["DiskLow"])  # it has its claim back
        (tmp_path / "go").touch()
        assert {job["state"] for job in daemon.wait(running, large, later)} == {"completed"}


def test_one_that_waits_for_room_may_be_changed_and_ended(volume):
    fill(volume, 99)
    with watching() as daemon:
        edited, held, cancelled, array = (daemon.submit("true", cwd=str(volume), **more)
                                          for more in ({}, {}, {}, {"array": "1-3"}))
        every = [edited, held, cancelled, array]
        wait_until(lambda: all(reasons(daemon, ident) == ["DiskLow"] for ident in every))
        daemon.call("io.batchd.Jobs.Edit", id=edited, priority="urgent", begin=int((time.time() + 3600) * 1e6))
        assert reasons(daemon, edited) == ["BeginTime"]
        daemon.call("io.batchd.Jobs.Edit", id=edited, begin=0)
        wait_until(lambda: reasons(daemon, edited) == ["DiskLow"])
        daemon.call("io.batchd.Jobs.Hold", id=held)
        assert reasons(daemon, held) == ["Held", "DiskLow"]
        daemon.call("io.batchd.Jobs.Cancel", id=cancelled)
        assert daemon.wait(cancelled)[0]["state"] == "cancelled"
        assert disks(daemon)[str(volume)]["waiting"] == 3
        answer = daemon.call("io.batchd.Jobs.Why", id=array)
        assert answer["prediction"] == "unknown" and answer["starts_now_if"] == []
        (volume / "filled").unlink()
        assert {job["state"] for job in daemon.wait(edited, array)} == {"completed"}
        assert reasons(daemon, held) == ["Held"]
        daemon.call("io.batchd.Jobs.Release", id=held)
        assert daemon.wait(held)[0]["state"] == "completed"


def test_many_wait_and_all_go(volume):
    fill(volume, 99)
    with watching() as daemon:
        jobs = [daemon.submit("true", cwd=str(volume)) for _ in range(700)]
        wait_until(lambda: disks(daemon)[str(volume)]["waiting"] == len(jobs))
        before, began = daemon.cpu_seconds(), time.monotonic()
        until_seen(daemon)
        until_seen(daemon)
        assert (daemon.cpu_seconds() - before) / (time.monotonic() - began) < 0.3  # those that wait cost nothing
        (volume / "filled").unlink()
        assert {job["state"] for job in daemon.wait(*jobs, seconds=60)} == {"completed"}


# ---- real load ----


def test_more_is_asked_for_than_there_is_and_no_disk_runs_full(tmp_path):
    """A loop device of 1 GiB; 12 jobs write 230 MiB each, 8 of them would at a time."""
    image = tmp_path / "image"
    with open(image, "wb") as file:
        file.truncate(1 << 30)
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("mkfs.ext4 is not there")
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
    with mounted(tmp_path / "loop", "-o", "loop", image) as volume, watching(resources='cpus = 8\ndisk = "100G"\n') as daemon:
        write = "head -c 230M /dev/zero > $BATCHD_JOB_ID && sleep 0.3 && rm $BATCHD_JOB_ID"
        jobs = [daemon.submit("sh", "-c", write, cwd=str(volume), disk=240 * MIB, retry={"max_attempts": 1}) for _ in range(12)]
        least = 1 << 30
        waited = False
        while not all(daemon.job(ident)["state"] in ("completed", "failed") for ident in jobs):
            least = min(least, shutil.disk_usage(volume).free)
            waited = waited or any(reasons(daemon, ident) == ["DiskLow"] for ident in jobs)
        ended = daemon.wait(*jobs)
        assert [job["state"] for job in ended] == ["completed"] * len(jobs), [job["outcome"] for job in ended]
        assert waited and least > 51 * MIB


def memory():
    """Bytes of this machine without huge pages, and the percentage in use."""
    said = pathlib.Path("/proc/meminfo").read_text()
    total, left, huge = (int(re.search(rf"^{name}: +(\d+)", said, re.M)[1])
                         for name in ("MemTotal", "MemAvailable", "Hugetlb"))
    return (total - huge) * 1024, 100 * (1 - left / (total - huge))


@pytest.mark.long
def test_a_program_that_takes_memory_stops_starts_until_it_goes():
    """A real one, of memory of this machine: a percent of it by each line that it reads."""
    total, used = memory()
    if used > 65:
        pytest.skip("this machine has no memory to spare")
    take = f"import sys\nheld = []\nfor line in sys.stdin: held.append(b'x' * {total // 100}); print(flush=True)"
    go = int(used) + 8  # other tests beside it take and give some, too
    with watching(f'memory_used = "{go + 2}:{go}"\n') as daemon:
        hog = subprocess.Popen([sys.executable, "-c", take], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

        def stopped():
            return daemon.call("io.batchd.Server.Status")["machine"]["stops"] != []
        try:
            for _ in range(20):
                hog.stdin.write(b"\n")
                hog.stdin.flush()
                hog.stdout.readline()
                until_seen(daemon)
                if stopped():
                    break
            ident = daemon.submit("true")
            assert reasons(daemon, ident) == ["Pressure"]
        finally:
            hog.kill()
            hog.wait()
        assert daemon.wait(ident)[0]["state"] == "completed"
