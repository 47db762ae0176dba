"""GPUs of AMD and Intel: which processes are on them, with how much memory and how busy, by what the kernel
tells of each client in /proc/PID/fdinfo (drm-usage-stats); and how busy one is by how long it slept."""
import contextlib
import itertools
import os
import shutil
import statistics
import struct
import time

import pytest

import gpus
from daemon import wait_until
from gpus import Machine
from records import HEADER, each, record
from test_gpu_processes import LOOK, NONE, of_the_system
from test_gpus import seen

KIB, MIB = 1 << 10, 1 << 20
FIRST = 4000001  # no process has these numbers
AMD, INTEL = "0000:43:00.0", "0000:03:00.0"


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path / "machine")


def amdgpu(client, vram_kib, gfx=0, compute=0, pci=AMD):
    return (f"pos:\t0\nflags:\t02100002\nmnt_id:\t24\nino:\t1114\ndrm-driver:\tamdgpu\ndrm-client-id:\t{client}\ndrm-pdev:\t{pci}\n"
            f"pasid:\t32790\ndrm-total-cpu:\t0\ndrm-total-gtt:\t{9 * MIB} KiB\ndrm-total-vram:\t{2 * vram_kib} KiB\n"
            f"drm-shared-vram:\t{vram_kib} KiB\ndrm-resident-gtt:\t{8 * MIB} KiB\ndrm-resident-vram:\t{vram_kib} KiB\n"
            f"drm-memory-vram:\t{vram_kib} KiB\ndrm-memory-gtt: \t{8 * MIB} KiB\namd-memory-visible-vram:\t{vram_kib} KiB\n"
            f"drm-engine-gfx:\t{gfx} ns\ndrm-engine-compute:\t{compute} ns\n")


def old_amdgpu(client, vram_kib):
    """As Linux 5.19 to 6.x had it."""
    return (f"pos:\t0\ndrm-driver:\tamdgpu\ndrm-pdev:\t{AMD}\ndrm-client-id:\t{client}\ndrm-memory-vram:\t{vram_kib} KiB\n"
            "drm-memory-gtt: \t4096 KiB\ndrm-memory-cpu: \t0 KiB\ndrm-engine-gfx:\t0 ns\n")


def i915(client, local=None, system=0, render=0, video=0):
    regions = f"drm-total-system0:\t{system} MiB\ndrm-resident-system0:\t{system} MiB\n"
    if local is not None:
        regions += f"drm-total-local0:\t{local + 1} MiB\ndrm-resident-local0:\t{local} MiB\n"
    return (f"pos:\t0\nflags:\t0100002\ndrm-driver:\ti915\ndrm-client-id:\t{client}\ndrm-pdev:\t{INTEL}\n{regions}"
            f"drm-engine-render:\t{render} ns\ndrm-engine-copy:\t0 ns\ndrm-engine-video:\t{video} ns\ndrm-engine-capacity-video:\t2\n")


def xe(client, vram, rcs=(0, 1000), vcs=(0, 1000), capacity=2):
    return (f"pos:\t0\ndrm-driver:\txe\ndrm-client-id:\t{client}\ndrm-pdev:\t{INTEL}\ndrm-total-system:\t0\ndrm-resident-system:\t0\n"
            f"drm-resident-gtt:\t192 KiB\ndrm-total-vram0:\t{vram} KiB\ndrm-resident-vram0:\t{vram} KiB\ndrm-resident-stolen:\t5\n"
            f"drm-cycles-rcs:\t{rcs[0]}\ndrm-total-cycles-rcs:\t{rcs[1]}\ndrm-cycles-vcs:\t{vcs[0]}\ndrm-total-cycles-vcs:\t{vcs[1]}\n"
            f"drm-engine-capacity-vcs:\t{capacity}\n")


def only(daemon):
    [gpu] = seen(daemon)["gpus"]
    return gpu


def processes(daemon):
    found = seen(daemon)["gpus"]
    if not found or found[0]["processes"] is None:
        return None
    return [(one["pid"], one["memory_bytes"]) for one in found[0]["processes"]]


@contextlib.contextmanager
def of_amd(machine, **more):
    machine.card(0, AMD, vendor="0x1002", device="0x744c", mem_info_vram_total=16 << 30, mem_info_vram_used=3 << 30, gpu_busy_percent=7,
                 **more)
    with gpus.daemon(machine) as daemon:
        yield daemon


def test_clients_count_once(machine):
    """A client with two descriptors, or in two processes, is one; memory is that of the card."""
    for pid in range(3):
        machine.process_of(FIRST + pid)
    machine.client(FIRST, 5, amdgpu(31, 100))
    machine.client(FIRST, 6, amdgpu(31, 100))
    machine.client(FIRST, 7, amdgpu(32, 50))
    machine.client(FIRST + 1, 5, amdgpu(31, 100))  # has it from its parent
    machine.client(FIRST + 2, 9, old_amdgpu(33, 7))
    machine.client(FIRST + 2, 10, amdgpu(31, 1, pci="0000:99:00.0"))  # of another card, which is not shown
    with of_amd(machine) as daemon:
        wait_until(lambda: processes(daemon) == [(FIRST, 150 * KIB), (FIRST + 2, 7 * KIB)])
        gpu = only(daemon)
        assert (gpu["memory_used_bytes"], gpu["busy_percent"]) == (3 << 30, 7)  # the driver's own figures stay
        assert "2 other processes" in daemon.ctl("status").stdout


def test_one_that_vanishes_and_one_that_comes(machine):
    folder = machine.process_of(FIRST)
    machine.client(FIRST, 5, amdgpu(1, 100))
    with of_amd(machine) as daemon:
        wait_until(lambda: processes(daemon) == [(FIRST, 100 * KIB)])
        machine.process_of(FIRST + 1)
        machine.client(FIRST + 1, 5, amdgpu(2, 3))
        wait_until(lambda: processes(daemon) == [(FIRST, 100 * KIB), (FIRST + 1, 3 * KIB)])
        shutil.rmtree(folder)
        wait_until(lambda: processes(daemon) == [(FIRST + 1, 3 * KIB)])
        machine.client(FIRST + 1, 5, None)
        wait_until(lambda: processes(daemon) == [])
        machine.client(FIRST + 1, 8, amdgpu(3, 4))
        wait_until(lambda: processes(daemon) == [(FIRST + 1, 4 * KIB)])


@pytest.mark.parametrize("text", [
    "", "\n\n:\n", "drm-driver:\tamdgpu\n", f"drm-pdev:\t{AMD}\n", "drm-client-id:\t5\n", "\0\1\2drm-pdev: 1", "drm-" * 3000,
    f"drm-pdev:\t{AMD}\ndrm-client-id:\tx\n", f"drm-pdev:\t{AMD}\ndrm-client-id:\t-5\n", f"drm-pdev:\t{AMD * 9}\ndrm-client-id:\t5\n",
    f"drm-client-id:\t99999999999999999999999\ndrm-pdev:\t{AMD}\n", "x" * 100000], ids=range(12))
def test_garbage_is_no_client(machine, text):
    for pid in range(2):
        machine.process_of(FIRST + pid)
    machine.client(FIRST, 5, text)
    machine.client(FIRST + 1, 5, amdgpu(1, 2))
    with of_amd(machine) as daemon:
        wait_until(lambda: processes(daemon) is not None)
        assert processes(daemon) == [(FIRST + 1, 2 * KIB)]


def test_garbage_in_a_client_is_unknown(machine):
    machine.process_of(FIRST)
    machine.client(FIRST, 5, amdgpu(1, 2).replace("2 KiB", "2 KB").replace("4 KiB", "-4 KiB") + "".join(
        f"drm-engine-{'e' * i}:\t1 ns\n" for i in range(40)) + "drm-engine-capacity-gfx:\t0\ndrm-engine-gfx:\t1e9 ns\ndrm-engine-:\t4 ns\n")
    with of_amd(machine) as daemon:
        wait_until(lambda: processes(daemon) == [(FIRST, None)])
        wait_until(lambda: only(daemon)["processes"][0]["busy_percent"] == 0)


def test_a_descriptor_of_something_else_is_not_read(machine):
    """Whoever has it may not write such lines by itself."""
    machine.process_of(FIRST)
    machine.client(FIRST, 5, amdgpu(1, 2))
    link = machine.root / f"proc/{FIRST}/fd/5"
    for target in ("/dev/driver", "/home/x/dev/dri/card0", "/dev/dr"):
        link.unlink()
        link.symlink_to(target)
        with contextlib.ExitStack() as stack:
            shutil.rmtree(machine.root / "sys/devices", ignore_errors=True)
            shutil.rmtree(machine.root / "sys/class/drm/card0", ignore_errors=True)
            daemon = stack.enter_context(of_amd(machine))
            wait_until(lambda: processes(daemon) is not None)  # noqa: B023
            assert processes(daemon) == [], target


def test_whose_job_it_is(machine, tmp_path):
    """By its memory and its part of the card, as the driver's library tells it of NVIDIA's."""
    with of_amd(machine) as daemon:
        job = daemon.submit("sh", "-c", f"echo $$ > {tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; exec sleep 600")
        daemon.wait_running(job)
        wait_until((tmp_path / "pid").exists)
        worker, at = daemon.job(job)["worker"], os.stat(daemon.state)
        machine.process_of(FIRST, f"/user@{os.geteuid()}.service/app.slice/batchd-jobs.service/"
                                  f"state-{at.st_dev:x}-{at.st_ino:x}/worker-{worker}/job")
        machine.process_of(FIRST + 1)
        machine.client(FIRST, 5, amdgpu(1, 2048))
        machine.client(FIRST + 1, 5, amdgpu(2, 1024))
        wait_until(lambda: processes(daemon) == [(FIRST, 2 * MIB), (FIRST + 1, MIB)])
        assert [one["job"] for one in only(daemon)["processes"]] == [str(job), None]
        wait_until(lambda: only(daemon)["processes"][0]["busy_percent"] == 0)
        for words in (["status"], ["top", "--once"]):
            assert f"job {job} (2.0M, 0%), 1 other process" in daemon.ctl(*words).stdout
        daemon.call("io.batchd.Jobs.Cancel", id=job)


def test_what_others_have_counts_beside_a_job(machine):
    """Of a card that a job is on not all processes can be known; what those have that are known is taken."""
    for pid in range(2):
        machine.process_of(FIRST + pid)
        machine.client(FIRST + pid, 5, amdgpu(2 + pid, 12 * MIB))  # most of it they share: more than there is
    device = machine.card(0, AMD, vendor="0x1002", device="0x744c", mem_info_vram_total=16 << 30, mem_info_vram_used=1 << 20)
    with gpus.daemon(machine) as daemon:
        wait_until(lambda: processes(daemon) is not None)
        first = daemon.submit("sleep", "600", gpus=0.5)
        daemon.wait_running(first)
        (machine.root / "used").write_text(f"{31 << 29}\n")
        (machine.root / "used").rename(device / "mem_info_vram_used")
        wait_until(lambda: "other programs use 15.5G" in (only(daemon)["fault"] or ""))
        daemon.call("io.batchd.Jobs.Cancel", id=first)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of others")
def test_who_may_not_be_looked_into(machine, tmp_path):
    """Then which there are cannot be told, unless one can."""
    for pid in range(2):
        machine.process_of(FIRST + pid)
        machine.client(FIRST + pid, 5, i915(pid + 1, local=3))
    machine.card(0, INTEL, vendor="0x8086", device="0x56a0")
    hidden = machine.root / f"proc/{FIRST + 1}/fd"
    hidden.chmod(0)
    for path in [tmp_path, *tmp_path.parents]:
        if path != path.parent and path.stat().st_uid == os.geteuid():
            path.chmod(path.stat().st_mode | 0o055)
    assert ask_as(machine, 4711) == [FIRST]
    (machine.root / f"proc/{FIRST}/fd").chmod(0)
    assert ask_as(machine, 4711) is None
    assert ask_as(machine, 0) == [FIRST, FIRST + 1]


def ask_as(machine, uid):
    """The processes of the only GPU, by what batchd-gpu answers to a question; None: it cannot tell."""
    with of_the_system(machine, user=uid) as process:
        [(_, _, payload)] = each(process.communicate(record(LOOK, struct.pack("<I", 5)), timeout=20)[0])
    found = [pid for pid in (FIRST, FIRST + 1) if struct.pack("<Q", pid) in payload]
    count, _, listed = struct.unpack("<QBI", payload[-13:]) if not found else (len(found), 1, len(found))
    assert listed == len(found)
    return None if count == NONE else found


def looks_of(machine, *changes, of=(FIRST, FIRST + 1)):
    """The processes of the only GPU that each look of a batchd-gpu finds, after one change each."""
    found = []
    with of_the_system(machine) as process:
        for change in changes:
            change()
            process.stdin.write(record(LOOK, struct.pack("<I", 60)))
            process.stdin.flush()
            head = process.stdout.read(HEADER.size)
            payload = process.stdout.read(HEADER.unpack(head)[3])
            found.append([pid for pid in of if struct.pack("<Q", pid) in payload])
    return found


def nothing():
    """No change."""


def test_what_two_have_is_the_others_when_the_first_ends(machine):
    folder = machine.process_of(FIRST)
    machine.process_of(FIRST + 1)
    for pid in range(2):
        machine.client(FIRST + pid, 5, amdgpu(31, 100))
    machine.card(0, AMD, vendor="0x1002", device="0x744c")
    assert looks_of(machine, nothing, lambda: shutil.rmtree(folder), nothing) == [[FIRST], [FIRST + 1], [FIRST + 1]]


def test_one_look_does_not_see_more_than_it_has_time_for(machine):
    """The next one goes on where it ended; those that are known are looked into in each."""
    machine.card(0, AMD, vendor="0x1002", device="0x744c")
    last = FIRST + 100
    for pid in (FIRST, last):
        machine.process_of(pid)
        machine.client(pid, 5, amdgpu(pid, 100))
    for pid in range(FIRST + 50, FIRST + 63):
        folder = machine.process_of(pid) / "fd"
        folder.mkdir()
        for fd in range(4000):
            (folder / str(fd)).symlink_to("/x")
    assert looks_of(machine, *[nothing] * 7, of=(FIRST, last)) == [[FIRST]] + [[FIRST, last]] * 6


def test_one_process_does_not_hide_others(machine):
    """However many clients it has."""
    machine.card(0, AMD, vendor="0x1002", device="0x744c")
    for pid in range(2):
        machine.process_of(FIRST + pid)
    for fd in range(1100):
        machine.client(FIRST, 10 + fd, amdgpu(100 + fd, 1))
    machine.client(FIRST + 1, 5, amdgpu(1, 2))
    assert looks_of(machine, nothing, nothing) == [[FIRST, FIRST + 1]] * 2


def test_a_card_that_sleeps_is_not_asked_for_its_clients(machine):
    """Which there are cannot be told meanwhile."""
    device = machine.card(0, AMD, vendor="0x1002", device="0x744c")
    (machine.root / "sys/class/drm/renderD128").symlink_to("card0")
    (device / "power").mkdir()
    machine.process_of(FIRST)
    machine.client(FIRST, 5, amdgpu(1, 2))
    state = device / "power/runtime_status"
    found = looks_of(machine, nothing, lambda: state.write_text("suspended\n"), lambda: state.write_text("active\n"), *[nothing] * 3)
    assert found == [[FIRST], [], [], [], [], [FIRST]]  # every fifth look is into all


# ---- how busy ----

def loads(daemon):
    gpu = only(daemon)
    return gpu["busy_percent"], [one["busy_percent"] for one in gpu["processes"] or []]


def stays(step, least, most):
    """What a step tells, some samples of the machine later, lies between these: its median over the last ones,
    as a sample that is taken while this process stands is of a counter that stands."""
    began, figures = time.monotonic(), []

    def settled():
        figures.append((time.monotonic(), step()))
        last = [figure for at, figure in figures if at > figures[-1][0] - 4 and figure is not None]
        return time.monotonic() - began > 6 and least < statistics.median(last or [-1]) < most
    wait_until(settled)


def test_cycles_of_xe(machine):
    """By the engine's own clock: exact, whatever the look's time; of several engines of a name, all of them."""
    for pid in range(2):
        machine.process_of(FIRST + pid)
    machine.card(0, INTEL, vendor="0x8086", device="0xe20b", tile0__physical_vram_size_bytes=12 << 30)

    def show(total, one, other):
        machine.client(FIRST, 5, xe(1, 1000, rcs=(one[0], total), vcs=(one[1], total)))
        machine.client(FIRST + 1, 5, xe(2, 500, rcs=(other[0], total), vcs=(other[1], total)))

    show(1000, (0, 0), (0, 0))
    with gpus.daemon(machine, interval="1s") as daemon:
        wait_until(lambda: processes(daemon) == [(FIRST, 1000 * KIB), (FIRST + 1, 500 * KIB)])
        gpu = only(daemon)
        assert (gpu["memory_total_bytes"], gpu["memory_used_bytes"]) == (12 << 30, 1500 * KIB)
        steps = itertools.count(1)

        def goes_on(i):  # one look alone has what a step adds: so there is one before each question
            show(1000 + 1000 * i, (300 * i, 800 * i), (250 * i, 0))
            return loads(daemon)

        wait_until(lambda: goes_on(next(steps)) == (55, [40, 25]))
        wait_until(lambda: loads(daemon) == (0, [0, 0]))  # nothing since
        last = next(steps)

        def falls_back(i):  # and catches up later
            show(1000 + 1000 * i, (0, 800 * last), (250 * last, 2000 * (i - last)))
            return loads(daemon)

        wait_until(lambda: falls_back(next(steps)) == (100, [0, 100]))


def test_time_of_i915(machine):
    """By the clock: an engine that is busy for half of the time."""
    machine.process_of(FIRST)
    machine.card(0, INTEL, vendor="0x8086", device="0x56a0")
    machine.client(FIRST, 5, i915(1, local=3, system=70))
    with gpus.daemon(machine, interval="1s") as daemon:
        wait_until(lambda: processes(daemon) == [(FIRST, 3 * MIB)])
        began = time.monotonic()

        def goes_on():
            passed = int((time.monotonic() - began) * 1e9)
            machine.client(FIRST, 5, i915(1, local=3, system=70, render=passed // 2, video=passed // 5))
            busy, [own] = loads(daemon)
            assert busy in (own, None)
            return busy

        stays(goes_on, 35, 65)


def test_an_integrated_one_has_the_machines_memory(machine):
    machine.process_of(FIRST)
    machine.card(0, "0000:00:02.0", vendor="0x8086", device="0x4680")
    machine.client(FIRST, 5, i915(1, system=70).replace(INTEL, "0000:00:02.0"))
    with gpus.daemon(machine) as daemon:
        wait_until(lambda: processes(daemon) == [(FIRST, 70 * MIB)])
        assert only(daemon)["memory_total_bytes"] is None and only(daemon)["memory_used_bytes"] is None


@pytest.mark.parametrize("places", [["gt/gt0/rc6_residency_ms", "gt/gt1/rc6_residency_ms"], ["power/rc6_residency_ms"],
                                    ["device/tile0/gt0/gtidle/idle_residency_ms", "device/tile0/gt1/gtidle/idle_residency_ms"]],
                         ids=["i915", "i915 before 5.19", "xe"])
def test_busy_is_what_it_did_not_sleep(machine, places):
    """Of several parts the one that slept least; a card that sleeps as a whole is not woken."""
    device = machine.card(0, INTEL, vendor="0x8086", device="0x56a0")
    files = [machine.root / "sys/class/drm/card0" / place for place in places]

    def write(path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        new = machine.root / "new"
        new.write_text(f"{text}\n")
        new.rename(path)

    for file in files:
        write(file, 5000)
    with gpus.daemon(machine, interval="1s") as daemon:
        wait_until(lambda: only(daemon)["busy_percent"] == 100 if seen(daemon)["gpus"] else False)
        began = time.monotonic()

        def goes_on():
            passed = (time.monotonic() - began) * 1000
            for i, file in enumerate(files):
                write(file, int(5000 + passed * (0.75 if i == len(files) - 1 else 1)))
            return only(daemon)["busy_percent"]

        stays(goes_on, 12, 40)
        write(files[0], 3)  # it came anew
        write(device / "power/runtime_status", "suspended")
        wait_until(lambda: only(daemon)["busy_percent"] == 0)
        for file in files:
            file.unlink()
        write(device / "power/runtime_status", "active")
        wait_until(lambda: only(daemon)["busy_percent"] is None)
