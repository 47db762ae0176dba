"""The sandbox of processors/lib: a processor that was taken over (tests/lib/hostile_processor.c) gets
nothing, and has what it needs."""
import errno
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess

import hostile
import pytest
from daemon import ROOT, Daemon, wait_until
from hostile import SANITIZED
from preload import preloadable
from processor import SAMPLES, Run, left_behind, names
from test_disk_room import mounted

REFUSED = {errno.EPERM, errno.EACCES}


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return hostile.build(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def old_kernel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("old")
    library = folder / "old_kernel.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-O1", "-o", library,
                    ROOT / "tests/lib/old_kernel.c"], check=True)

    def env(landlock, seccomp=True):
        return {"LD_PRELOAD": preloadable(library, f"/tmp/old-{os.getpid()}.so"),
                "ASAN_OPTIONS": "verify_asan_link_order=0", "OLD_LANDLOCK": str(landlock),
                **({} if seccomp else {"OLD_SECCOMP": "0"})}
    yield env
    if os.path.exists(f"/tmp/old-{os.getpid()}.so"):
        os.remove(f"/tmp/old-{os.getpid()}.so")


@pytest.fixture
def victim():
    """Another process of the same user."""
    sleeper = subprocess.Popen(["sleep", "1000"])
    yield sleeper
    sleeper.kill()
    sleeper.wait()


def furnished(folder):
    for name in ("in", "out", "home"):
        (folder / name).mkdir()
    (folder / "in/clip").write_text("media")
    (folder / "home/key").write_text("secret")
    (folder / "home/keys").mkdir()
    (folder / "home/keys/key").write_text("secret")
    (folder / "in/clip.neighbour").write_text("another clip")
    (folder / "out/made.other").write_text("another file")
    return folder


@pytest.fixture
def place(tmp_path):
    return furnished(tmp_path)


@pytest.fixture
def in_memory(tmp_path):
    """Where no bytes are on their way to a disk."""
    with mounted(tmp_path / "memory", "-t", "tmpfs", "-o", "size=1g", "none") as point:
        yield furnished(point)


def attack(program, place, victim, env=None, **params):
    return Run(program, {"input": str(place / "in/clip"), "output": str(place / "out/made"),
                         "secret": str(place / "home/key"), "folder": str(place / "home"),
                         "victim": victim.pid, **params}, place, env=env).end()


def unharmed(place, victim):
    assert victim.poll() is None
    assert names(place / "home") == ["key", "keys"] and (place / "home/key").read_text() == "secret"
    assert (place / "home/key").stat().st_mode & 0o777 != 0o777
    assert (place / "in/clip").read_text() == "media"
    assert names(place / "out") == ["made", "made.other"]
    assert (place / "out/made.other").read_text() == "another file"


def got(done):
    """What the attempts got that they were not to get."""
    tries = dict(done.result["tries"])
    if SANITIZED:  # kept for the leak checker; nothing of them leaves the process
        for name in ("fork", "clone"):
            tries.pop(name)
    return {name: code for name, code in tries.items() if code not in REFUSED}


def test_a_hostile_file_gets_nothing(program, place, victim):
    done = attack(program, place, victim)
    assert done.code == 0, done.error
    machine = dict(line.split(":") for line in open("/proc/meminfo", encoding="ascii"))
    whole = sum(int(machine[name].split()[0]) << 10 for name in ("MemTotal", "SwapTotal"))
    memory = None if SANITIZED else whole + (512 << 20)
    assert done.result["sandbox"] == {"landlock": done.result["sandbox"]["landlock"], "seccomp": True,
                                      "network": False, "gpu": False, "memory_bytes": memory,
                                      "file_bytes": (4 << 30) + 256 * len("media"), "watched": True}
    assert got(done) == {}
    assert set(done.result["needed"].values()) == {0}
    unharmed(place, victim)
    assert [line for line in done.lines if line["type"] == "log"] == []


def test_the_gpu_is_opened_to_who_asks_and_nothing_else(program, place, victim):
    done = attack(program, place, victim, hardware="auto")
    assert done.code == 0 and done.result["sandbox"]["gpu"] is True
    assert got(done) == {"memfd_create": 0, "fallocate": errno.ESPIPE, **{f"control_{driver}": errno.ENOTTY for driver in ("drm", "nvidia", "nvidia_uvm")}}
    unharmed(place, victim)


@pytest.mark.parametrize("name,params", [("[1] clip", {}), ("clip", {"more": "in/c*p"})])
def test_what_is_beside_an_input_is_closed(program, place, victim, name, params):
    """A file whose name looks like a pattern; and a pattern, which opens what it matches alone."""
    (place / "in" / name).write_text("media")
    (place / "in" / f"{name}.neighbour").write_text("another clip")
    done = attack(program, place, victim, input=str(place / "in" / name), **params)
    assert done.code == 0 and got(done) == {} and set(done.result["needed"].values()) == {0}
    unharmed(place, victim)


def test_in_a_folder_it_gets_no_name_but_those_of_its_inputs(program, place, victim):
    """What is placed there may be read by others later: .bashrc, a program's configuration."""
    done = attack(program, place, victim, more="in/c*p")
    assert done.code == 0 and got(done) == {}
    assert {".bashrc", "other", "clip.sh"} <= set(done.result["tries"])
    assert names(place / "out/made") == ["clip"]


def test_a_pattern_opens_no_folder(program, place, victim):
    """Neither what it matches, with all that is below, nor those that it was looked for in."""
    (place / "clip").write_text("media")
    deep = {"secret": str(place / "home/keys/key"), "folder": str(place / "home/keys")}
    for pattern, matched in (("*/[ck][le][iy][ps]", "home/keys"), ("[ch][lo][im][pe]", "home")):
        done = attack(program, place, victim, more=pattern, **deep)
        assert (place / matched).is_dir() and done.code == 0 and got(done) == {}, done.error
        assert names(place / "out/made") == ["clip"]


def test_debian_12s_kernel_is_enough(program, place, victim, old_kernel):
    """Landlock 2 leaves truncation, the network and signals: the filter of system calls has them."""
    done = attack(program, place, victim, env=old_kernel(2))
    assert done.result["sandbox"]["landlock"] == 2 and done.result["sandbox"]["seccomp"] is True
    over = got(done)
    if SANITIZED:  # its leak checker may send signals, and landlock 2 does not see them
        return
    assert over == {}
    unharmed(place, victim)


def test_what_the_kernel_lacks_is_said_and_the_job_goes_on(program, place, victim, old_kernel):
    done = attack(program, place, victim, env=old_kernel(0))
    assert done.code == 0 and done.result["sandbox"]["landlock"] is None
    assert done.result["sandbox"]["seccomp"] is True
    logs = [line["text"] for line in done.lines if line["type"] == "log"]
    assert logs == ["sandbox: this kernel has no landlock; files are not confined"]
    assert done.result["tries"]["socket_inet"] == errno.EPERM


@pytest.mark.parametrize("lacking", ["OLD_PIDFD", "OLD_THREADS"])
def test_that_nobody_looks_is_said(program, place, victim, old_kernel, lacking):
    done = attack(program, place, victim, env={**old_kernel(7), lacking: "0"})
    logs = [line["text"] for line in done.lines if line["type"] == "log"]
    assert done.result["needed"]["thread"] == (errno.EAGAIN if lacking == "OLD_THREADS" else 0)
    assert done.code == 0 and logs == ["sandbox: nobody looks at how much is written in all; each file is limited"]
    assert done.result["sandbox"]["watched"] is False


def test_without_filters_files_are_confined_still(program, place, victim, old_kernel):
    env = old_kernel(7, seccomp=False)
    done = Run("video", {"mode": "probe", "input": str(SAMPLES / "bear_vp9_161x121.webm")}, place, env=env).end()
    assert done.code == 0
    assert done.result["sandbox"]["seccomp"] is False and done.result["sandbox"]["network"] is True
    assert done.result["sandbox"]["watched"] is None  # it writes nothing
    logs = [line["text"] for line in done.lines if line["type"] == "log"]
    assert logs == ["sandbox: this kernel has no seccomp; the network is not closed"]


def test_of_the_folder_of_checkpoints_the_journals_is_open(program, place, victim):
    """In the others lie copies that batchd made of what a processor named, with no sandbox."""
    done = attack(program, place, victim, env={"BATCHD_CHECKPOINT_DIR": str(place / "job/checkpoints")})
    assert done.result["needed"]["work_folder"] == 0
    assert names(place / "job/checkpoints") == ["work"] and names(place / "job/checkpoints/work") == ["unit"]
    assert got(done) == {} and {"list_checkpoints", "make_checkpoint"} <= set(done.result["tries"])


@pytest.mark.skipif(SANITIZED, reason="AddressSanitizer's shadow is larger than any limit")
@pytest.mark.parametrize("megabytes,there", [(100, True), (1000, False)])
def test_memory_ends_at_the_jobs_share(program, place, megabytes, there):
    env = {"BATCHD_MEMORY_BYTES": str(256 << 20)}
    done = Run(program, {"input": str(place / "in/clip"), "output": str(place / "out/made"),
                         "megabytes": megabytes}, place, env=env).end()
    assert done.result["memory"] is there
    assert done.result["sandbox"]["memory_bytes"] == (256 + 256 + 2 * 128) << 20


@pytest.mark.skipif(SANITIZED, reason="AddressSanitizer's shadow is larger than any limit")
def test_limits_are_told_as_they_hold(program, place):
    """Lower ones, of whoever starts it, stay."""
    done = Run(program, {"input": str(place / "in/clip"), "output": str(place / "out/made")}, place,
               env={"BATCHD_MEMORY_BYTES": str(256 << 20)}, fsize=1 << 30, data=600 << 20).end()
    assert (done.result["sandbox"]["memory_bytes"], done.result["sandbox"]["file_bytes"]) == (600 << 20, 1 << 30)


def test_a_signal_still_ends_it_clean(program, place):
    one = Run(program, {"input": str(place / "in/clip"), "output": str(place / "out/made"), "sleep": True}, place)
    assert json.loads(one.news.readline())["type"] == "log"
    assert left_behind(place / "out")
    one.process.send_signal(signal.SIGTERM)
    assert one.end().code == 75
    assert names(place / "out") == ["made.other"]


def own_bytes():
    return int(re.search(r"^write_bytes: (\d+)", pathlib.Path("/proc/self/io").read_text(), re.M)[1])


def are_counted(folder):
    """Whether bytes that are written there are on their way to a disk: not on a tmpfs, nor with FUSE."""
    before = own_bytes()
    (folder / "counted").write_bytes(bytes(1 << 20))
    (folder / "counted").unlink()
    return own_bytes() - before >= 1 << 20


KILLED = (r"sandbox: the processor is killed: it wrote [0-9.]+[MG], "
          r"and 260\.0M are the most for its inputs and outputs")


def killed(program, place, params):
    done = Run(program, {"input": str(place / "in/clip"), "output": str(place / "out/made"), **params}, place,
               env={"BATCHD_CHECKPOINT_DIR": str(place / "job")}, fsize=1 << 20, seconds=120).end()
    assert done.code == -signal.SIGKILL and re.fullmatch(KILLED, done.error), done.error
    left = ["made", "made.other"] if "leave" in params else ["made.other"]
    wait_until(lambda: names(place / "out") == left and names(place / "job") == [], 60)


@pytest.mark.parametrize("params", [{"hide": True}, {"hide": True, "close": True}, {"leave": True}], ids="-".join)
def test_what_would_fill_the_disk_is_killed(program, place, params):
    """With files that are in no folder any more, from who looks dead, too, and whose first thread is; with many:
    tests/unit/test_stage_watch.c."""
    if not are_counted(place):
        pytest.skip("here no bytes are on their way to a disk")
    killed(program, place, params)


def test_what_would_fill_the_memory_is_killed(program, in_memory):
    """With files that are in their folder: what is written is seen nowhere else."""
    assert not are_counted(in_memory)
    killed(program, in_memory, {"keep": True})


@pytest.mark.parametrize("attack", ["keep", "litter"])
def test_of_a_job_of_batchds_that_is_killed_nothing_is_left(program, place, attack):
    """batchd ends whoever would remove it as soon as the job's process is dead. Of many threads some are in a call as
    they are stopped, which makes a file still."""
    if attack == "litter" and not are_counted(place):
        pytest.skip("here no bytes are on their way to a disk")
    shutil.copytree(program.parent, place / "types/hostile")
    with Daemon(config=f'[processors]\npath = "{place}/types"\n[limits]\nfile_size = "1M"\n') as daemon:
        job = daemon.call("io.batchd.Jobs.Submit", type="hostile", cwd="/", env={}, params={
            "input": str(place / "in/clip"), "output": str(place / "out/made"), attack: True})["id"]
        ended = daemon.wait(job, seconds=120)[0]
        assert re.search(KILLED, daemon.ctl("logs", str(job)).stderr), ended
    assert names(place / "out") == ["made.other"]


def test_an_honest_job_near_its_limit_is_left_alone(program, place):
    done = Run(program, {"input": str(place / "in/clip"), "output": str(place / "out/made"), "honest": True}, place,
               fsize=1 << 20, seconds=120).end()
    assert done.code == 0, done.error
    assert (place / "out/made").stat().st_size == 1 << 20
