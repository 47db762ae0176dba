"""GPUs are handed out: shares and memory of them, none that fails, vanished or is used by others, and why."""
import contextlib
import os
import sqlite3

import pytest

import gpus
from daemon import Refused, wait_until, worker_sum
from gpus import Machine, Nvidia

GIB = 1 << 30
HOLD = 'echo "$BATCHD_GPUS $CUDA_VISIBLE_DEVICES ${BATCHD_GPU_MEMORY_BYTES-none}"; until [ -e "$0" ]; do sleep 0.02; done'


def gpu(index, used=0, total=10240):
    return f"gpu A{index} GPU-{index} {index + 1:02x} {total} {used} 0 30"


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path / "machine")
    made.nvidia("01", "02")
    return made


@pytest.fixture
def nvidia(tmp_path):
    made = Nvidia(tmp_path / "nvidia")
    made.has(gpu(0), gpu(1))
    return made


def seen(daemon):
    return daemon.call("io.batchd.Server.Status")["machine"]["gpus"]


def faults(daemon):
    return [one["fault"] for one in sorted(seen(daemon), key=lambda one: one["index"])]


def hold(daemon, name, **asked):
    return daemon.submit("sh", "-c", HOLD, str(daemon.state / name), **asked)


def held(daemon, name, **asked):
    job = hold(daemon, name, **asked)
    daemon.wait_running(job)
    return job


def end(daemon, name, job):
    (daemon.state / name).touch()
    [ended] = daemon.wait(job)
    assert ended["state"] == "completed", ended
    return ended


def indices(daemon, *jobs):
    return [daemon.job(job)["gpu_indices"] for job in jobs]


def why(daemon, job):
    return [(reason["reason"], reason["detail"]) for reason in daemon.call("io.batchd.Jobs.Why", id=job)["reasons"]]


# ---- shares ----


def test_shares_of_one_gpu(make_daemon):
    """They fill one before the next; who has one for itself has it alone."""
    daemon = make_daemon(config="[resources]\ncpus = 8\ngpus = 2\n")
    daemon.start()
    a, b = held(daemon, "a", gpus=0.5), held(daemon, "b", gpus=0.5)
    whole = held(daemon, "whole", gpus=1)
    assert indices(daemon, a, b, whole) == [[0], [0], [1]]
    assert daemon.job(a)["resources"]["gpus"] == 0.5
    c, d = hold(daemon, "c", gpus=0.25), hold(daemon, "d", gpus=1)
    daemon.wait(daemon.submit("true"))
    assert [daemon.job(job)["state"] for job in (c, d)] == ["pending"] * 2
    assert why(daemon, c)[0][1].startswith(
        "it asks for 0.25 of a gpu (GPU 0: 1 of it is given to jobs; GPU 1: a job has it)")
    assert "1 gpus (0 free)" not in daemon.ctl("status").stdout and "2 gpus (0 free)" in daemon.ctl("status").stdout
    end(daemon, "a", a)
    daemon.wait_running(c)
    assert indices(daemon, c) == [[0]] and daemon.job(d)["state"] == "pending"
    end(daemon, "whole", whole)
    daemon.wait_running(d)
    assert indices(daemon, d) == [[1]]
    shown = daemon.ctl("show", str(c)).stdout
    assert "0.25 gpus" in shown and "gpus: [0]" in shown
    assert daemon.ctl("logs", str(c)).stdout == "0 0 none\n"
    for name, job in (("b", b), ("c", c), ("d", d)):
        end(daemon, name, job)
    assert daemon.call("io.batchd.Server.Status")["resources"]["gpus_free"] == 2


def test_a_whole_one_is_not_kept_waiting_by_shares(make_daemon):
    """Shares on one after the other would keep it waiting for ever."""
    daemon = make_daemon(config="[resources]\ncpus = 8\ngpus = 2\n[queues.default]\nbackfill = \"easy\"\n")
    daemon.start()
    a = held(daemon, "a", gpus=0.6)
    b = held(daemon, "b", gpus=0.6)
    assert indices(daemon, a, b) == [[0], [1]]
    whole = hold(daemon, "whole", gpus=1)
    small = [hold(daemon, f"small{i}", gpus=0.4) for i in range(3)]
    other = daemon.submit("true")
    assert daemon.wait(other)[0]["state"] == "completed"
    assert {daemon.job(job)["state"] for job in [whole, *small]} == {"pending"}
    end(daemon, "a", a)
    daemon.wait_running(whole)
    assert indices(daemon, whole) == [[0]]
    daemon.wait_running(small[0])
    assert indices(daemon, small[0]) == [[1]]


def test_shares_are_kept_over_a_restart(make_daemon):
    daemon = make_daemon(config="[resources]\ncpus = 8\ngpus = 2\n")
    daemon.start()
    jobs = [held(daemon, name, gpus=0.5, gpu_memory=GIB) for name in "abc"]
    daemon.restart()
    assert indices(daemon, *jobs) == [[0], [0], [1]]
    assert daemon.job(jobs[0])["resources"]["gpu_memory_bytes"] == GIB
    one, waiting = held(daemon, "one", gpus=0.4), hold(daemon, "waiting", gpus=2)
    daemon.restart()
    assert indices(daemon, one) == [[1]] and daemon.job(waiting)["state"] == "pending"
    for name, job in (*zip("abc", jobs, strict=True), ("one", one)):
        end(daemon, name, job)
    daemon.wait_running(waiting)
    assert indices(daemon, waiting) == [[0, 1]]


@pytest.mark.long
def test_many_shares_never_overlap(make_daemon):
    """Each takes its part of a file for each GPU, and fails when that is more than a whole."""
    daemon = make_daemon(config="[resources]\ncpus = 8\ngpus = 2\n[workers]\nmax = 8\n")
    daemon.start()
    script = """
import fcntl, os, sys, time
folder, share = sys.argv[1], float(sys.argv[2])
def add(index, more):
    with open(f"{folder}/gpu{index}", "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        now = float(file.read() or 0) + more
        file.truncate(0)
        file.write(str(now))
        return now
mine = os.environ["BATCHD_GPUS"].split(",")
sums = [add(index, share) for index in mine]
time.sleep(0.01)
for index in mine: add(index, -share)
sys.exit(max(sums) > 1.0001)
"""
    asked = [0.5, 0.3, 1, 0.7, 2, 0.25, 0.1, 1, 0.6] * 6
    jobs = [daemon.submit("python3", "-c", script, str(daemon.state), str(min(1, one)), gpus=one) for one in asked]
    ended = [daemon.wait(job)[0] for job in jobs]
    assert {job["state"] for job in ended} == {"completed"}
    assert [len(job["gpu_indices"]) for job in ended] == [2 if one == 2 else 1 for one in asked]


# ---- memory ----


def test_memory_of_a_gpu(machine, nvidia):
    with gpus.daemon(machine, nvidia) as daemon:
        wait_until(lambda: len(seen(daemon)) == 2)
        with pytest.raises(Refused) as refused:
            daemon.submit("true", gpus=1, gpu_memory=11 * GIB)
        assert refused.value.name == "io.batchd.NeverFits"
        assert (refused.value.parameters["resource"], refused.value.parameters["largest"]) == ("gpu_memory", 10 * GIB)
        a, b = held(daemon, "a", gpus=0.3, gpu_memory=6 * GIB), held(daemon, "b", gpus=0.3, gpu_memory=6 * GIB)
        assert indices(daemon, a, b) == [[0], [1]]
        c = hold(daemon, "c", gpus=0.3, gpu_memory=5 * GIB)
        daemon.wait(daemon.submit("true"))
        assert daemon.job(c)["state"] == "pending"
        assert ("it asks for 0.3 of a gpu with 5.0G memory (GPU 0 (A0): 0.3 of it is given to jobs, 4.0G of its 10.0G "
                "memory free; GPU 1 (A1): 0.3 of it is given to jobs, 4.0G of its 10.0G memory free)") in (
                    why(daemon, c)[0][1])
        end(daemon, "b", b)
        daemon.wait_running(c)
        assert indices(daemon, c, held(daemon, "d", gpus=0.3, gpu_memory=4 * GIB)) == [[1], [0]]
        assert daemon.ctl("submit", "-q", "-g", "0.1", "--gpu-memory", "1G", "--", "true").returncode == 0
        edited = daemon.submit("true", gpus=1, hold=True)
        assert daemon.ctl("edit", str(edited), "-g", "0.2", "--gpu-memory", "2G").returncode == 0
        assert (daemon.job(edited)["resources"]["gpus"], daemon.job(edited)["resources"]["gpu_memory_bytes"]) == (
            0.2, 2 * GIB)


# ---- those that are not to be had ----


def test_one_that_vanished_gets_no_job_and_stops_nobody(machine, nvidia):
    """What runs on it goes on; who needs both waits, and says for which; then it comes back."""
    with gpus.daemon(machine, nvidia) as daemon:
        wait_until(lambda: len(seen(daemon)) == 2)
        a, b = held(daemon, "a", gpus=1), held(daemon, "b", gpus=1)
        nvidia.has(gpu(1))
        gone = "its driver no longer shows it"
        wait_until(lambda: faults(daemon) == [gone, None])
        assert daemon.job(a)["state"] == "running"
        end(daemon, "a", a)
        both = daemon.submit("true", gpus=2)
        one = daemon.submit("sh", "-c", "echo $BATCHD_GPUS $CUDA_VISIBLE_DEVICES $ROCR_VISIBLE_DEVICES", gpus=1)
        end(daemon, "b", b)
        assert daemon.wait(one)[0]["gpu_indices"] == [1]
        assert daemon.ctl("logs", str(one)).stdout == "1 GPU-1 0\n"  # its name stays; the driver counts one less
        assert daemon.job(both)["state"] == "pending" and daemon.job(both)["reasons"] == ["Resources"]
        [(_, detail)] = why(daemon, both)
        assert f"it asks for 2 gpus (GPU 0 (A0): {gone}; GPU 1 (A1): no job has it" in detail
        assert f"gpu 0: A0 (0000:01:00.0): no job is given it: {gone}" in daemon.ctl("status").stdout
        assert "GPU 0 (A0) is given to no job" in daemon.log.read_text()
        nvidia.has(gpu(0), gpu(1))
        assert daemon.wait(both)[0]["gpu_indices"] == [0, 1]
        assert "GPU 0 (A0) is given to jobs again" in daemon.log.read_text()


def test_one_that_vanished_keeps_its_place_over_a_restart(machine, nvidia):
    """So those behind it keep theirs, and none is given twice, also when the kernel counts one less."""
    with gpus.daemon(machine, nvidia) as daemon:
        wait_until(lambda: len(seen(daemon)) == 2)
        a, b = held(daemon, "a", gpus=1), held(daemon, "b", gpus=1)
        nvidia.has(gpu(1))
        wait_until(lambda: faults(daemon)[0] is not None)
        end(daemon, "a", a)
        (machine.root / "proc/driver/nvidia/gpus/0000:01:00.0").rmdir()
        daemon.restart()
        wait_until(lambda: faults(daemon) == ["its driver no longer shows it", None])
        assert [one["pci"] for one in sorted(seen(daemon), key=lambda one: one["index"])] == [
            "0000:01:00.0", "0000:02:00.0"]
        other = hold(daemon, "c", gpus=1)
        daemon.wait(daemon.submit("true"))
        assert indices(daemon, b) == [[1]] and daemon.job(other)["state"] == "pending"
        end(daemon, "b", b)
        daemon.wait_running(other)
        assert indices(daemon, other) == [[1]]
        end(daemon, "c", other)
        assert daemon.ctl("logs", str(other)).stdout == "1 GPU-1 none\n"


def test_places_are_of_one_boot(machine, nvidia):
    """After it the machine may have others."""
    with gpus.daemon(machine, nvidia) as daemon:
        wait_until(lambda: len(seen(daemon)) == 2)
        daemon.kill()
        with contextlib.closing(sqlite3.connect(daemon.state / "batchd.db")) as db, db:
            rows = db.execute("SELECT name,value FROM number WHERE name LIKE 'gpu_place_%'").fetchall()
            assert len(rows) == 2
            for name, value in rows:
                value ^= 1 << 40  # of what tells the boot
                db.execute("UPDATE number SET value=?, sum=? WHERE name=?", (value, worker_sum(name, value), name))
        nvidia.has(gpu(1))
        daemon.start()
        wait_until(lambda: [(one["index"], one["pci"]) for one in seen(daemon)] == [(0, "0000:02:00.0")])


def test_one_that_fails_at_the_first_look(machine, nvidia):
    """Its place is kept, and it is given when it works."""
    nvidia.has(gpu(0), gpu(1), "no-handle 0")
    with gpus.daemon(machine, nvidia) as daemon:
        wait_until(lambda: seen(daemon))
        job = held(daemon, "a", gpus=1)
        assert indices(daemon, job) == [[1]]
        other = hold(daemon, "b", gpus=1)
        daemon.wait(daemon.submit("true"))
        assert daemon.job(other)["state"] == "pending"
        nvidia.has(gpu(0), gpu(1))
        daemon.wait_running(other)
        assert indices(daemon, other) == [[0]]
        end(daemon, "a", job)
        end(daemon, "b", other)
        assert [daemon.ctl("logs", str(one)).stdout for one in (job, other)] == ["1 GPU-1 none\n", "0 GPU-0 none\n"]


@pytest.mark.parametrize("vendor,number", [("amd", "0x1002"), ("intel", "0x8086")])
def test_a_display_beside_those_that_fail_at_first(machine, nvidia, vendor, number):
    """Those that jobs are given are NVIDIA's, whether the kernel counts them or not, although another's card is all
    that is seen."""
    machine.card(0, "0000:08:00.0", vendor=number, device="0x164e")
    if vendor == "intel":  # which is not counted either
        for bus in ("01", "02"):
            (machine.root / f"proc/driver/nvidia/gpus/0000:{bus}:00.0").rmdir()
    nvidia.has(gpu(0), gpu(1), "init 18")
    with gpus.daemon(machine, nvidia, resources="gpus = 2\n" if vendor == "intel" else "") as daemon:
        wait_until(lambda: len(seen(daemon)) == 1)
        nvidia.has(gpu(0), gpu(1))
        wait_until(lambda: [(one["vendor"], one["given"]) for one in seen(daemon)] == [
            ("nvidia", True), ("nvidia", True), (vendor, False)])


@pytest.mark.parametrize("line,said", [("lost 1", "nvmlDeviceGetMemoryInfo_v2: GPU is lost"),
                                       ("init 18", "nvmlInit: Driver/library version mismatch")])
def test_one_that_fails(machine, nvidia, line, said):
    with gpus.daemon(machine, nvidia, more='gpu_deadline = "500ms"\n') as daemon:
        wait_until(lambda: len(seen(daemon)) == 2)
        if line.startswith("init"):  # which is asked again when the library was begun anew
            nvidia.has(gpu(0), gpu(1), "lost 0")
            wait_until(lambda: faults(daemon)[0] is not None)
        nvidia.has(gpu(0), gpu(1), line)
        wait_until(lambda: faults(daemon)[1] == said)
        jobs = [daemon.submit("true", gpus=1) for _ in range(2)]
        if line == "lost 1":
            assert [daemon.wait(job)[0]["gpu_indices"] for job in jobs] == [[0], [0]]
        else:
            daemon.wait(daemon.submit("true"))
            assert [daemon.job(job)["state"] for job in jobs] == ["pending"] * 2
            assert said in daemon.ctl("why", str(jobs[0])).stdout
            nvidia.has(gpu(0), gpu(1))
            assert {daemon.wait(job)[0]["state"] for job in jobs} == {"completed"}


def test_a_driver_that_hangs_gets_no_job(machine, nvidia):
    with gpus.daemon(machine, nvidia, more='gpu_deadline = "300ms"\n') as daemon:
        wait_until(lambda: len(seen(daemon)) == 2)
        nvidia.has(gpu(0), gpu(1), "hang memory")
        wait_until(lambda: faults(daemon) == ["batchd-gpu does not answer within 300ms"] * 2)
        job = daemon.submit("true", gpus=1)
        assert daemon.wait(daemon.submit("true"))[0]["state"] == "completed"
        assert daemon.job(job)["state"] == "pending"
        nvidia.has(gpu(0), gpu(1))
        assert daemon.wait(job)[0]["state"] == "completed"


def test_one_that_others_use(machine, nvidia):
    """From one mark to the other, by the memory of programs that are no jobs."""
    machine.process(os.getpid())
    me = f"process 0 {os.getpid()}"
    with gpus.daemon(machine, nvidia) as daemon:
        nvidia.has(gpu(0, 8192), gpu(1), f"{me} 8192")
        wait_until(lambda: len(seen(daemon)) == 2 and faults(daemon)[0] is not None)
        said = "other programs use 8.0G of its 10.0G memory (80%), until it is 60% or less"
        assert faults(daemon) == [said, None]
        jobs = [held(daemon, "a", gpus=1), hold(daemon, "b", gpus=1)]
        assert indices(daemon, jobs[0]) == [[1]]
        assert said in daemon.ctl("why", str(jobs[1])).stdout
        nvidia.has(gpu(0, 7168), gpu(1), f"{me} 7168")
        wait_until(lambda: "70%" in faults(daemon)[0])
        assert daemon.job(jobs[1])["state"] == "pending"
        nvidia.has(gpu(0, 6144), gpu(1), f"{me} 6144")
        daemon.wait_running(jobs[1])
        assert indices(daemon, jobs[1]) == [[0]] and faults(daemon) == [None, None]
        end(daemon, "b", jobs[1])
        large = hold(daemon, "c", gpus=1, gpu_memory=5 * GIB)  # 4 are free of the other
        daemon.wait(daemon.submit("true"))
        assert daemon.job(large)["state"] == "pending"
        nvidia.has(gpu(0), gpu(1))
        daemon.wait_running(large)


def test_what_a_job_used_is_not_others(machine, nvidia):
    """The driver tells of a job that has ended a little later; and of no processes at all."""
    after = nvidia.file.with_suffix(".after")  # one look still finds it
    after.write_text("\n".join([gpu(0, 9600), gpu(1), "process 0 4000001 9600", "from 2", gpu(0, 1), gpu(1), ""]))
    with gpus.daemon(machine, nvidia) as daemon:
        wait_until(lambda: len(seen(daemon)) == 2)
        a = daemon.submit("sh", "-c", 'until [ -e "$0" ]; do sleep 0.02; done; mv "$1" "$2"', str(daemon.state / "a"),
                          str(after), str(nvidia.file), gpus=1)
        daemon.wait_running(a)
        nvidia.has(gpu(0, 9500), gpu(1), "process 0 4000001 9500")
        wait_until(lambda: seen(daemon)[0]["memory_used_bytes"] > 9 * GIB)
        assert faults(daemon) == [None, None]
        end(daemon, "a", a)
        wait_until(lambda: seen(daemon)[0]["memory_used_bytes"] == 1 << 20)
        assert faults(daemon) == [None, None]
        assert daemon.wait(daemon.submit("true", gpus=1))[0]["gpu_indices"] == [0]
        assert "is given to no job" not in daemon.log.read_text()
