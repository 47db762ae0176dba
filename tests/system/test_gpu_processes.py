"""Whose job a process on a GPU is, by what only the kernel and batchd's own processes say."""
import contextlib
import os
import pathlib
import signal
import struct
import subprocess

import pytest

import gpus
from daemon import OUT, wait_until
from gpus import Machine, Nvidia
from records import each, record

LOOK, REPORT = 0x70, 0x71
NONE = (1 << 64) - 1
A100 = "gpu A100 GPU-aaaa 65 81920 1024 37 41"
FIRST = 4000001  # no process has these numbers


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path / "machine")


@pytest.fixture
def nvidia(tmp_path):
    made = Nvidia(tmp_path / "nvidia")
    made.has(A100, *(f"process 0 {FIRST + i} 10" for i in range(5)))
    return made


@contextlib.contextmanager
def of_the_system(machine, nvidia=None, user=None):
    """A batchd-gpu that no batchd has started."""
    argv = [OUT / "batchd-gpu", "--root", machine.root, *(["--library", nvidia.library] if nvidia else [])]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, user=user) as process:
        try:
            yield process
        finally:
            process.kill()


def workers(machine, nvidia):
    with of_the_system(machine, nvidia) as process:
        [(_, kind, payload)] = each(process.communicate(record(LOOK, struct.pack("<I", 5)), timeout=20)[0])
    assert kind == REPORT
    found = [payload.index(struct.pack("<Q", FIRST + i)) for i in range(5)]
    return [struct.unpack_from("<Q", payload, at + 8)[0] for at in found]


def jobs(daemon):
    found = daemon.call("io.batchd.Server.Status")["machine"]["gpus"]
    return [process["job"] for process in found[0]["processes"]] if found else None


def test_the_systems_by_their_group(machine, nvidia):
    """What a person's own services are called is no matter."""
    for i, group in enumerate(["/system.slice/batchd-jobs.service/worker-7/job", "/a.slice/batchd-worker.service/worker-8/job/in/it",
                               "/user.slice/user-1000.slice/user@1000.service/app.slice/batchd-jobs.service/worker-7/job",
                               "/system.slice/batchd-jobs.service/worker-x/job", "/system.slice/other.service"]):
        machine.process_of(FIRST + i, group)
    assert workers(machine, nvidia) == [7, 8, NONE, NONE, NONE]


def test_a_persons_by_the_group_of_their_state(machine, nvidia):
    with gpus.daemon(machine, nvidia) as daemon:
        job = daemon.submit("sleep", "600")
        daemon.wait_running(job)
        worker, at = daemon.job(job)["worker"], os.stat(daemon.state)
        mine = f"/app.slice/batchd-jobs.service/state-{at.st_dev:x}-{at.st_ino:x}/worker-{worker}/job"
        other = f"/app.slice/batchd-jobs.service/state-{at.st_dev:x}-{at.st_ino + 1:x}/worker-{worker}/job"
        for i, group in enumerate([f"/user@{os.geteuid()}.service{mine}", f"/user@{os.geteuid()}.service{other}",
                                   f"/user@{os.geteuid() + 1}.service{mine}",
                                   f"/system.slice/batchd-jobs.service/worker-{worker}/job", "/"]):
            machine.process_of(FIRST + i, group)
        nvidia.has(A100.replace("37", "38"), *(f"process 0 {FIRST + i} 10" for i in range(5)))
        wait_until(lambda: jobs(daemon) is not None and jobs(daemon)[0] is not None)
        assert jobs(daemon) == [str(job), None, None, None, None]
        daemon.call("io.batchd.Jobs.Cancel", id=job)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of others")
def test_what_others_say_of_themselves_is_not_read(machine, nvidia):
    """It may be of a file that they serve, so that who reads it waits."""
    words = ("batchd-worker", "--worker", "7")
    for i in range(5):
        folder = machine.process_of(FIRST + i, "/", words)
        if i > 0:
            for name in ("stat", "cmdline"):
                os.chown(folder / name, 4711, 4711)
        if i > 1:
            (folder / "cmdline").unlink()
            os.mkfifo(folder / "cmdline")  # nobody writes into it
    assert workers(machine, nvidia) == [7, NONE, NONE, NONE, NONE]


def test_a_state_that_is_called_otherwise(machine, nvidia, tmp_path):
    """Its jobs are its own, as with a stroke at its end."""
    state = tmp_path / "state"
    state.mkdir()
    with gpus.daemon(machine, nvidia, folder=state / ".." / "state") as daemon:
        job = daemon.submit("sh", "-c", "echo $$; exec sleep 600")
        daemon.wait_running(job)
        wait_until(lambda: daemon.ctl("logs", str(job)).stdout)
        pid = int(daemon.ctl("logs", str(job)).stdout)
        parent = int(pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[1])
        for one in (pid, parent):
            machine.process(one)
        nvidia.has(A100, f"process 0 {pid} 10")
        wait_until(lambda: jobs(daemon) is not None and len(jobs(daemon)) == 1)
        assert jobs(daemon) == [str(job)]
        daemon.call("io.batchd.Jobs.Cancel", id=job)
        daemon.state = state  # by which its processes are found at the end


def test_a_look_ends_when_the_question_says(machine, nvidia):
    nvidia.has(A100, "hang memory")
    with of_the_system(machine, nvidia) as process:
        process.stdin.write(record(LOOK, struct.pack("<I", 1)))
        process.stdin.flush()
        assert process.wait(20) == -signal.SIGALRM


@pytest.mark.parametrize("question", [b"", struct.pack("<I", 0), struct.pack("<I", 3601), b"12345678"])
def test_what_is_no_question_ends_it(machine, nvidia, question):
    with of_the_system(machine, nvidia) as process:
        assert process.communicate(record(LOOK, question), timeout=20)[0] == b""
        assert process.returncode == 0
