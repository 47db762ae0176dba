"""What the machine was like, minute by minute, by a clock that is set and a folder of files that stands for
the machine: means and highest against those worked out here."""
import contextlib
import os
import sqlite3
import time

import gpus
import pytest
from clock import Clock
from daemon import Refused, wait_until

METHOD = "io.batchd.Server.Stats"
MINUTE = 60
CLASSES = {"user": 10, "nice": 2, "system": 6, "idle": 61, "iowait": 9, "irq": 1, "softirq": 3, "steal": 8}  # of 100 ticks


class Machine:
    """proc files that say what a test wants."""

    def __init__(self, folder):
        self.folder = folder
        self.ticks = 0

    def write(self, load, used_percent, pressure):
        """All of them at once, so that no sample is of some old and some new ones."""
        self.ticks += 10
        proc = self.folder / f"proc.{self.ticks}"
        (proc / "pressure").mkdir(parents=True)
        (proc / "stat").write_text("cpu  " + " ".join(str(self.ticks * part) for part in CLASSES.values()) + " 0 0\n")
        (proc / "self").mkdir()
        (proc / "self/mountinfo").write_text("36 35 98:0 / / rw - ext4 /dev/x rw\n")
        (proc / "loadavg").write_text(f"{load:.2f} 0.00 0.00 1/1 1\n")
        (proc / "meminfo").write_text(f"MemTotal: 1000000 kB\nMemAvailable: {(100 - used_percent) * 10000} kB\n"
                                           "SwapTotal: 0 kB\nSwapFree: 0 kB\n")
        for name in ("cpu", "memory", "io"):
            (proc / "pressure" / name).write_text(
                f"some avg10={pressure:.2f} avg60=0.00 avg300=0.00 total=0\n"
                "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n")
        (self.folder / "new").symlink_to(proc)
        (self.folder / "new").rename(self.folder / "proc")


@pytest.fixture(name="world")
def a_world(make_daemon, tmp_path):
    machine, clock = Machine(tmp_path), Clock(tmp_path)
    machine.write(1, 20, 10)
    daemon = make_daemon(config=f'[monitor]\nroot = "{tmp_path}"\ninterval = "100ms"\nhistory = "10m"\n', env=clock.env)
    clock.set((int(time.time()) // MINUTE + 2) * MINUTE + 1)
    daemon.start()
    return daemon, machine, clock


def minutes(daemon, **more):
    return daemon.call(METHOD, machine=True, **more)["machine"]


def next_minute(clock, count=1):
    clock.set((int(clock.now()) // MINUTE + count) * MINUTE + 1)


def sampled_at(daemon):
    return daemon.call("io.batchd.Server.Status")["machine"]["sampled_at"]


def wait_samples(daemon, count):
    for _ in range(count):
        before = sampled_at(daemon)
        wait_until(lambda before=before: sampled_at(daemon) != before)


def test_means_and_the_highest(world):
    daemon, machine, clock = world
    first = int(clock.now()) // MINUTE
    wait_samples(daemon, 2)
    machine.write(5, 60, 30)
    wait_samples(daemon, 2)
    assert minutes(daemon) == []  # it is not over
    next_minute(clock)
    wait_until(lambda: len(minutes(daemon)) == 1)
    found = minutes(daemon)[0]
    assert found["at"] == first * 60_000_000 and found["samples"] >= 4 and found["swap"] is None
    for name, low, high in (("load", 1, 5), ("memory", 0.2, 0.6), ("cpu_pressure", 0.1, 0.3), ("io_pressure", 0.1, 0.3)):
        assert found[name]["highest"] == pytest.approx(high, abs=0.001)
        assert low < found[name]["mean"] < high
        share = (found[name]["mean"] - low) / (high - low)  # of the samples after the change, the same for all
        assert share == pytest.approx((found["load"]["mean"] - 1) / 4, abs=0.02)
    assert found["cpu"]["highest"] == pytest.approx(0.3, abs=0.001)
    for name, percent in CLASSES.items():
        assert found[f"cpu_{name}"] == {key: pytest.approx(percent / 100, abs=0.001) for key in ("mean", "highest")}
    shown = daemon.ctl("stats", "--machine").stdout
    assert "FROM" in shown and "/ 60%" in shown and "8% / 8%" in shown and "disks" in shown and "GPUs" not in shown


def row(shown, head, last):
    """The last line under this head that ends so."""
    return [line for line in shown[shown.index(head):].splitlines() if line.endswith(last)][-1]


def test_disks_and_gpus(tmp_path):
    """Each figure of each, for as long as it is known; a file system is that of the state folder."""
    machine, nvidia, clock = gpus.Machine(tmp_path / "machine"), gpus.Nvidia(tmp_path / "nvidia"), Clock(tmp_path)
    machine.nvidia("65", "ca")
    nvidia.has("gpu A100 GPU-aaaa 65 81920 1024 30 41", "gpu L40S GPU-bbbb ca 46068 0 0 0")
    daemon = gpus.daemon(machine, nvidia)
    daemon.env.update(clock.env)
    (machine.root / "proc/self").mkdir()
    (machine.root / "proc/self/mountinfo").write_text(f"36 35 98:0 / {daemon.state} rw - ext4 /dev/x rw\n")
    with daemon:
        clock.set((int(time.time()) // MINUTE + 2) * MINUTE + 1)
        wait_until(lambda: len(daemon.call("io.batchd.Server.Status")["machine"]["gpus"]) == 2)
        next_minute(clock)
        wanted = int(clock.now()) // MINUTE * 60_000_000
        wait_samples(daemon, 3)
        nvidia.has("gpu A100 GPU-aaaa 65 81920 4096 90 61")
        wait_until(lambda: daemon.call("io.batchd.Server.Status")["machine"]["gpus"][0]["busy_percent"] == 90)
        wait_samples(daemon, 2)
        next_minute(clock)
        wait_until(lambda: [one for one in minutes(daemon) if one["at"] == wanted])
        found = minutes(daemon)[-1]
        first, second = found["gpus"]
        assert (first["gpu"], second["gpu"]) == ("0000:65:00.0", "0000:ca:00.0")
        for name, low, high in (("busy", 0.3, 0.9), ("memory_used_bytes", 1 << 30, 4 << 30), ("temperature", 41, 61)):
            assert (first[name]["lowest"], first[name]["highest"]) == (low, high)
            assert low < first[name]["mean"] < high
        assert second["busy"]["highest"] == 0 and second["temperature"] is None
        disk, = found["disks"]
        real = os.statvfs(daemon.state)
        assert disk["path"] == str(daemon.state)
        for name, now in (("free_bytes", real.f_bavail * real.f_frsize), ("inodes_free", real.f_favail)):
            assert disk[name]["lowest"] <= disk[name]["mean"] <= disk[name]["highest"]
            assert disk[name]["mean"] == pytest.approx(now, rel=0.2)
        wait_samples(daemon, 2)
        next_minute(clock)
        wait_until(lambda: minutes(daemon)[-1]["at"] > wanted)
        gpu, = minutes(daemon)[-1]["gpus"]  # of that minute alone
        assert gpu["busy"] == {"mean": 0.9, "lowest": 0.9, "highest": 0.9}
        shown = daemon.ctl("stats", "--machine").stdout
        assert row(shown, "disks, mean / least", str(daemon.state)).split()[-2].isdigit()
        line = row(shown, "GPUs", "0000:65:00.0")
        assert "4.0G / 4.0G" in line and "90% / 90%" in line and "61 / 61" in line


def test_a_clock_that_goes_back_adds_to_its_minute(world):
    daemon, machine, clock = world
    first = int(clock.now()) // MINUTE
    wait_samples(daemon, 6)
    next_minute(clock)
    wait_until(lambda: len(minutes(daemon)) == 1)
    before = minutes(daemon)[0]
    machine.write(5, 60, 30)
    clock.set(first * MINUTE + 30)
    wait_samples(daemon, 2)
    clock.set((first + 2) * MINUTE + 1)

    def now():
        return next(one for one in minutes(daemon) if one["at"] == first * 60_000_000)

    wait_until(lambda: now() != before)
    found = now()
    added = found["samples"] - before["samples"]
    assert added >= 2 and found["load"]["highest"] == 5
    assert found["load"]["mean"] == pytest.approx((before["samples"] + 5 * added) / found["samples"], abs=0.001)


def test_many_minutes(world):
    """They are read some at a time."""
    daemon, _, clock = world
    first = int(clock.now()) // MINUTE
    for count in range(1, 10):
        wait_samples(daemon, 1)
        next_minute(clock)
        wait_until(lambda count=count: len(minutes(daemon)) == count)
        found = minutes(daemon)
        assert [one["at"] for one in found] == [(first + i) * 60_000_000 for i in range(count)]
        assert all(len(one["disks"]) == 1 for one in found)


def stored(daemon, what):
    """Of the disks, while it is down."""
    with contextlib.closing(sqlite3.connect(daemon.state / "batchd.db")) as store:
        return store.execute(f"SELECT {what} FROM machine_part ORDER BY minute").fetchall()


def test_what_is_kept_and_for_how_long(world):
    daemon, _, clock = world
    wait_samples(daemon, 1)
    next_minute(clock)
    wait_until(lambda: len(minutes(daemon)) == 1)
    assert minutes(daemon, since_us=int(clock.now() * 1e6)) == []
    wait_samples(daemon, 1)
    next_minute(clock, 8)
    wait_until(lambda: len(minutes(daemon)) == 2)
    ages = [one["at"] for one in minutes(daemon)]
    assert ages == sorted(ages)
    daemon.restart()
    assert [one["at"] for one in minutes(daemon)] == ages
    wait_samples(daemon, 1)
    next_minute(clock, 3)
    wait_until(lambda: len(minutes(daemon)) == 3)
    newest = minutes(daemon)[-1]["at"]
    wait_samples(daemon, 1)
    next_minute(clock)  # what is kept then is 12 minutes after the first
    wait_until(lambda: ages[0] not in [one["at"] for one in minutes(daemon)])
    left = [newest, newest + 3 * 60_000_000]
    assert [one["at"] for one in minutes(daemon)] == left
    assert daemon.stop() == 0 and stored(daemon, "minute") == [(at // 60_000_000,) for at in left]


@pytest.mark.parametrize("change", ["UPDATE machine_minute SET load_sum=load_sum+1", "UPDATE machine_minute SET cpu_user_sum=-1",
                                    "UPDATE machine_part SET free_lowest=free_lowest+1", "UPDATE machine_part SET kind=1",
                                    "UPDATE machine_part SET name='/other'"])
def test_a_damaged_minute_is_found(world, change):
    daemon, _, clock = world
    wait_samples(daemon, 1)
    next_minute(clock)
    wait_until(lambda: len(minutes(daemon)) == 1)
    assert daemon.stop() == 0
    with contextlib.closing(sqlite3.connect(daemon.state / "batchd.db")) as store, store:
        assert store.execute(change).rowcount > 0
    assert "the machine in minute" in daemon.check_store().stderr
    daemon.start()
    with pytest.raises(Refused) as refused:
        minutes(daemon)
    assert "machine in minute" in refused.value.parameters["message"]


def test_not_at_all_where_it_is_not_wanted(make_daemon, tmp_path):
    """Nor is what was kept before."""
    clock = Clock(tmp_path)
    Machine(tmp_path).write(1, 20, 10)
    daemon = make_daemon(config=f'[monitor]\nroot = "{tmp_path}"\ninterval = "100ms"\nhistory = "7d"\n', env=clock.env)
    daemon.start()
    wait_samples(daemon, 1)
    next_minute(clock)
    wait_until(lambda: len(minutes(daemon)) == 1)
    assert minutes(daemon)[0]["disks"]
    daemon.config.write_text(daemon.config.read_text().replace('"7d"', "0"))
    daemon.restart()
    assert minutes(daemon) == []
    wait_samples(daemon, 1)
    next_minute(clock, 2)
    wait_samples(daemon, 2)
    assert minutes(daemon) == [] and daemon.call(METHOD)["machine"] is None
    assert daemon.stop() == 0 and stored(daemon, "*") == []
