"""GPUs are seen: those of NVIDIA by a library that stands for theirs, those of AMD and Intel by files
that stand for their drivers', and nobody waits for a driver that hangs."""
import ctypes
import os
import subprocess
import time

import pytest

import gpus
from daemon import OUT, Daemon, wait_until
from gpus import Machine, Nvidia

MIB = 1 << 20
A100 = "gpu A100 GPU-aaaa 65 81920 1024 37 41"
OTHER = "gpu L40S GPU-bbbb ca 46068 0 0 0"


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path / "machine")


@pytest.fixture
def nvidia(tmp_path):
    return Nvidia(tmp_path / "nvidia")


def seen(daemon):
    return daemon.call("io.batchd.Server.Status")["machine"]


def first_look(daemon, count):
    wait_until(lambda: len(seen(daemon)["gpus"]) == count)
    return seen(daemon)["gpus"]


def test_none(machine):
    """And where there are none, nothing is started to look at them."""
    with gpus.daemon(machine) as daemon:
        assert seen(daemon)["gpus"] == [] and seen(daemon)["gpus_trouble"] is None
        assert "gpu" not in daemon.ctl("status").stdout
        assert children(daemon) == []


def children(daemon):
    pid = daemon.process.pid
    text = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid=,stat=,comm="], capture_output=True, text=True,
                          check=False).stdout
    return [int(line.split()[0]) for line in text.splitlines() if line.split()[2] == "batchd-gpu" and not line.split()[1].startswith("Z")]


@pytest.mark.parametrize("version", [1, 2, 3])
def test_what_the_library_says(machine, tmp_path, version):
    nvidia = Nvidia(tmp_path / "nvidia", version)
    nvidia.has(A100, OTHER, "process 0 4000001 512", "process 0 4000002 -1", "process 1 4000003 3")
    with gpus.daemon(machine, nvidia) as daemon:
        one, other = first_look(daemon, 2)
        assert one == {
            "index": 0, "vendor": "nvidia", "name": "A100", "uuid": "GPU-aaaa", "pci": "0000:65:00.0", "fault": None, "given": False,
            "memory_total_bytes": 81920 * MIB, "memory_used_bytes": 1024 * MIB, "busy_percent": 37, "temperature": 41,
            "numa_node": None, "processes": [
                {"pid": 4000001, "name": None, "memory_bytes": 512 * MIB, "busy_percent": None, "job": None},
                {"pid": 4000002, "name": None, "memory_bytes": None, "busy_percent": None, "job": None}]}
        assert (other["index"], other["pci"], other["temperature"]) == (1, "0000:ca:00.0", None)
        assert [process["pid"] for process in other["processes"]] == [4000003]
        lines = daemon.ctl("status").stdout.splitlines()
        assert "gpu 0: A100 (0000:65:00.0), 37% busy, 1.0G of 80.0G in use, 41 C, 2 other processes" in lines
        assert "gpu 1: L40S (0000:ca:00.0), 0% busy, 0 of 45.0G in use, 1 other process" in lines
        assert "gpu 1: L40S" in daemon.ctl("top", "--once").stdout


def test_records_of_processes_in_two_sizes(machine, nvidia):
    """Drivers R535 before 535.104.05 wrote 32 bytes where others write 24; the last field may be all ones."""
    looks = 0
    with gpus.daemon(machine, nvidia) as daemon:
        for sizes in ([7], [8], [1, 2], [2, 1], [1, 3, 5], [2, 4, 6], [-1, -1]):
            expected = [(4000001 + i, None if mib < 0 else mib * MIB) for i, mib in enumerate(sizes)]
            processes = [f"process 0 {4000001 + i} {mib}" for i, mib in enumerate(sizes)]
            for more in ([], ["odd"], ["race"], ["odd", "race"]):
                looks += 1
                nvidia.has(f"gpu A100 GPU-aaaa 65 81920 1024 {looks} 41", *processes, *more)
                wait_until(lambda: [gpu["busy_percent"] for gpu in seen(daemon)["gpus"]] == [looks])  # noqa: B023
                [gpu] = seen(daemon)["gpus"]
                assert [(one["pid"], one["memory_bytes"]) for one in gpu["processes"]] == expected, (sizes, more)


def test_a_process_that_computes_and_draws_is_one(machine, nvidia):
    nvidia.has(A100, "process 0 4000001 5", "graphics 0 4000001 9", "graphics 0 4000002 1")
    with gpus.daemon(machine, nvidia) as daemon:
        [gpu] = first_look(daemon, 1)
        assert [(one["pid"], one["memory_bytes"]) for one in gpu["processes"]] == [
            (4000001, 9 * MIB), (4000002, MIB)]


def test_a_library_with_the_least(machine, tmp_path):
    nvidia = Nvidia(tmp_path / "nvidia", 0)
    nvidia.has(A100)
    with gpus.daemon(machine, nvidia) as daemon:
        [gpu] = first_look(daemon, 1)
        assert gpu["name"] == "NVIDIA GPU" and gpu["processes"] is None and gpu["memory_total_bytes"] is None
        assert "gpu 0: NVIDIA GPU\n" in daemon.ctl("status").stdout


def test_whose_job_it_is(machine, nvidia, tmp_path):
    """By the worker that it descends from, however deep; what is no descendant is no job's."""
    with gpus.daemon(machine, nvidia) as daemon:
        job = daemon.submit("sh", "-c", f"(setsid sleep 600 & echo $! > {tmp_path}/pid.new; mv {tmp_path}/pid.new"
                                        f" {tmp_path}/pid; wait)")
        daemon.wait_running(job)
        wait_until((tmp_path / "pid").exists)
        pid = int((tmp_path / "pid").read_text())
        for one in {pid, os.getpid(), *parents(pid)}:
            machine.process(one)
        nvidia.has(A100, f"process 0 {pid} 10", f"process 0 {os.getpid()} 10")
        wait_until(lambda: seen(daemon)["gpus"] and len(seen(daemon)["gpus"][0]["processes"]) == 2)
        mine, other = seen(daemon)["gpus"][0]["processes"]
        assert (mine["pid"], mine["name"], mine["job"]) == (pid, "sleep", str(job))
        assert other["job"] is None
        assert f"job {job} (10.0M), 1 other process" in daemon.ctl("status").stdout
        daemon.call("io.batchd.Jobs.Cancel", id=job)


def parents(pid):
    found = []
    while pid > 1:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            pid = int(file.read().rsplit(")", 1)[1].split()[1])
        found.append(pid)
    return found


def test_one_without_an_address_is_one(machine, nvidia):
    """Of one that the driver gives no handle for nothing is known but that it is there."""
    machine.nvidia("65", "ca")
    nvidia.has(A100, OTHER, "no-handle 0")
    with gpus.daemon(machine, nvidia) as daemon:
        def told():
            return [(gpu["index"], gpu["pci"], gpu["given"], gpu["fault"]) for gpu in seen(daemon)["gpus"]]

        no_handle = "nvmlDeviceGetHandleByIndex: Unknown Error"
        first_look(daemon, 2)
        assert told() == [(0, None, True, no_handle), (1, "0000:ca:00.0", True, None)]
        nvidia.has(A100, OTHER)  # it comes to have one
        wait_until(lambda: told() == [(0, "0000:65:00.0", True, None), (1, "0000:ca:00.0", True, None)])
        nvidia.has(A100, OTHER, "no-handle 0")
        wait_until(lambda: told() == [(0, None, True, no_handle), (1, "0000:ca:00.0", True, None)])


@pytest.mark.parametrize("line,said", [("init 18", "nvmlInit: Driver/library version mismatch"),
                                       ("count 999", "nvmlDeviceGetCount: Unknown Error")])
def test_a_library_that_refuses(machine, nvidia, line, said):
    nvidia.has(A100, line)
    with gpus.daemon(machine, nvidia) as daemon:
        wait_until(lambda: seen(daemon)["gpus_trouble"] == said)
        assert f"gpus: {said}" in daemon.ctl("status").stdout
        nvidia.has(A100)
        assert first_look(daemon, 1)[0]["name"] == "A100"
        wait_until(lambda: seen(daemon)["gpus_trouble"] is None)


def test_no_library(machine, nvidia):
    nvidia.library.unlink()
    with gpus.daemon(machine, nvidia) as daemon:
        wait_until(lambda: seen(daemon)["gpus_trouble"] is not None)
        assert "cannot open shared object file" in seen(daemon)["gpus_trouble"]


@pytest.mark.parametrize("how", ["hang init", "hang memory", "crash init"])
def test_a_driver_that_hangs_hangs_nobody(machine, nvidia, how):
    """It is told of once, and the next one is asked when it works."""
    nvidia.has(A100, how)
    deadline = "1min" if how == "crash init" else "300ms"
    with gpus.daemon(machine, nvidia, more=f'gpu_deadline = "{deadline}"\n') as daemon:
        wait_until(lambda: seen(daemon)["gpus_trouble"] is not None)
        assert seen(daemon)["gpus_trouble"] == ("batchd-gpu has ended" if how == "crash init" else
                                                "batchd-gpu does not answer within 300ms")
        assert daemon.wait(daemon.submit("true"))[0]["state"] == "completed"
        before = time.monotonic()
        daemon.call("io.batchd.Server.Ping")
        assert time.monotonic() - before < 2
        wait_until(lambda: nvidia.inits() >= 2)  # and the second
        nvidia.has(A100)
        assert first_look(daemon, 1)[0]["name"] == "A100"
        wait_until(lambda: seen(daemon)["gpus_trouble"] is None)
        again = "GPUs are looked at again"  # on a slow machine a look may then take too long once more
        wait_until(lambda: again in daemon.log.read_text())
        assert daemon.log.read_text().split(again)[0].count("GPUs cannot be looked at") == 1


def test_doctor(machine, nvidia):
    nvidia.has(A100, OTHER)
    machine.nvidia("65", "ca")
    with gpus.daemon(machine, nvidia) as daemon:
        def told():
            checks = daemon.call("io.batchd.Server.Doctor")["checks"]
            return [(one["state"], one["found"]) for one in checks if one["group"] == "gpus"]
        wait_until(lambda: told() == [("ok", "2 given to jobs, 2 seen")])
        nvidia.has(A100, OTHER, "lost 1")
        wait_until(lambda: told() == [("warning", "1 of 2 given to no job; GPU 1 (L40S): "
                                                  "nvmlDeviceGetMemoryInfo_v2: GPU is lost")])
        nvidia.has(A100, OTHER, "init 18", "lost 0")
        wait_until(lambda: told() == [("warning", "nvmlInit: Driver/library version mismatch")])


def test_it_goes_when_batchd_does(machine, nvidia):
    nvidia.has(A100)
    with gpus.daemon(machine, nvidia) as daemon:
        first_look(daemon, 1)
        [pid] = children(daemon)
        daemon.kill()
        wait_until(lambda: not os.path.exists(f"/proc/{pid}/exe") or ended(pid))


def ended(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def test_off(machine, nvidia):
    nvidia.has(A100)
    with gpus.daemon(machine, nvidia, more='gpus = "off"\n') as daemon:
        assert children(daemon) == [] and seen(daemon)["gpus"] == []


# ---- AMD and Intel ----

AMD = {"vendor": "0x1002", "device": "0x740f", "mem_info_vram_total": 1 << 36, "mem_info_vram_used": 1 << 30,
       "gpu_busy_percent": 12, "hwmon__hwmon3__temp1_input": 54321, "product_name": "Instinct MI210",
       "unique_id": "18f4b2a1", "numa_node": 1}


def test_cards_of_amd_and_intel(machine):
    """In the order of the bus, whatever their numbers; a plug is no card, and another vendor's is not counted."""
    machine.card(1, "0000:c3:00.0", **AMD)
    machine.card(0, "0000:00:02.0", vendor="0x8086", device="0x4680")
    machine.card(2, "0000:43:00.0", vendor="0x1002", device="0x744c", numa_node=-1)
    machine.card(3, "0000:01:00.0", vendor="0x1a03", device="0x2000")
    (machine.root / "sys/class/drm/card1-DP-1/device").mkdir(parents=True)
    (machine.root / "sys/class/drm/card1-DP-1/device/vendor").write_text("0x1002\n")
    with gpus.daemon(machine) as daemon:
        other, mi210, intel = first_look(daemon, 3)
        assert mi210 == {
            "index": 1, "vendor": "amd", "name": "Instinct MI210", "uuid": "18f4b2a1", "pci": "0000:c3:00.0",
            "fault": None, "given": True, "memory_total_bytes": 1 << 36, "memory_used_bytes": 1 << 30, "busy_percent": 12,
            "temperature": 54, "numa_node": 1, "processes": None}
        assert (other["index"], other["name"], other["pci"], other["memory_total_bytes"], other["numa_node"]) == (
            0, "AMD GPU 744c", "0000:43:00.0", None, None)
        assert (intel["index"], intel["vendor"], intel["name"]) == (0, "intel", "Intel GPU 4680")
        assert daemon.call("io.batchd.Server.Status")["resources"]["gpus"] == 2  # Intel's is not given
        machine.remove_card(1)
        wait_until(lambda: [(gpu["pci"], gpu["fault"]) for gpu in seen(daemon)["gpus"]] == [
            ("0000:43:00.0", None), ("0000:00:02.0", None), ("0000:c3:00.0", "its driver no longer shows it")])


@pytest.mark.parametrize("text", ["", "\0\1\2", "-5", "99999999999999999999999", "0x12 and more", "1e9", "\xff" * 100])
def test_garbage(machine, text):
    """No number is invented, and a later look is right."""
    files = {name: text for name in AMD if name != "vendor"}
    device = machine.card(0, "0000:43:00.0", vendor="0x1002", **files)
    with gpus.daemon(machine) as daemon:
        [gpu] = first_look(daemon, 1)
        assert [gpu[name] for name in ("memory_total_bytes", "memory_used_bytes", "busy_percent", "temperature",
                                       "numa_node")] == [None] * 5
        (device / "gpu_busy_percent").write_text("55\n")
        wait_until(lambda: seen(daemon)["gpus"][0]["busy_percent"] == 55)


def test_too_much_is_no_figure(machine):
    machine.card(0, "0000:43:00.0", vendor="0x1002", gpu_busy_percent=101, mem_info_vram_total=100,
                 mem_info_vram_used=200)
    with gpus.daemon(machine) as daemon:
        [gpu] = first_look(daemon, 1)
        assert (gpu["busy_percent"], gpu["memory_used_bytes"]) == (None, 100)


# ---- a real one ----


def no_nvml():
    """Why there is no GPU of NVIDIA here; None: there is one."""
    try:
        library = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError as error:
        return str(error)
    code = library.nvmlInit_v2()
    return None if code == 0 else f"nvmlInit: {code}"


@pytest.mark.skipif(no_nvml() is not None, reason=f"no GPU of NVIDIA here: {no_nvml()}")
def test_a_real_gpu():
    """Against nvidia-smi."""
    fields = "name,uuid,memory.total,pci.bus_id"
    out = subprocess.run(["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits"],
                         capture_output=True, text=True, check=True).stdout
    with Daemon(config='[monitor]\ninterval = "200ms"\n') as daemon:
        lines = [line.split(", ") for line in out.splitlines()]
        found = [gpu for gpu in first_look(daemon, len(lines)) if gpu["vendor"] == "nvidia"]
        for gpu, (name, uuid, total, bus) in zip(found, lines, strict=True):
            assert (gpu["name"], gpu["uuid"], gpu["memory_total_bytes"] // MIB) == (name, uuid, int(total))
            assert gpu["pci"].lower() == bus.lower()[4:] and gpu["fault"] is None
            assert 0 <= gpu["busy_percent"] <= 100 and 0 < gpu["temperature"] < 120
            assert gpu["memory_used_bytes"] <= gpu["memory_total_bytes"]
