"""What the machine was like, minute by minute, by a clock that is set and a folder of files that stands for
the machine: means and highest against those worked out here."""
import contextlib
import sqlite3
import time

import pytest
from clock import Clock
from daemon import Refused, wait_until

METHOD = "io.batchd.Server.Stats"
MINUTE = 60


class Machine:
    """proc files that say what a test wants."""

    def __init__(self, folder):
        self.folder = folder
        self.busy = self.idle = 1000

    def write(self, load, used_percent, pressure):
        """All of them at once, so that no sample is of some old and some new ones."""
        self.busy += 300
        self.idle += 700
        proc = self.folder / f"proc.{self.busy}"
        (proc / "pressure").mkdir(parents=True)
        (proc / "stat").write_text(f"cpu  {self.busy} 0 0 {self.idle} 0 0 0 0 0 0\n")
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
    shown = daemon.ctl("stats", "--machine").stdout
    assert "FROM" in shown and "/ 60%" in shown


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
    assert [one["at"] for one in minutes(daemon)] == [newest, newest + 3 * 60_000_000]


def test_a_damaged_minute_is_found(world):
    daemon, _, clock = world
    wait_samples(daemon, 1)
    next_minute(clock)
    wait_until(lambda: len(minutes(daemon)) == 1)
    assert daemon.stop() == 0
    with contextlib.closing(sqlite3.connect(daemon.state / "batchd.db")) as store, store:
        store.execute("UPDATE machine_minute SET load_sum=load_sum+1")
    assert "the machine in minute" in daemon.check_store().stderr
    daemon.start()
    with pytest.raises(Refused) as refused:
        minutes(daemon)
    assert "the machine in minute" in refused.value.parameters["message"]


def test_not_at_all_where_it_is_not_wanted(make_daemon, tmp_path):
    """Nor is what was kept before."""
    clock = Clock(tmp_path)
    daemon = make_daemon(config='[monitor]\ninterval = "100ms"\nhistory = "7d"\n', env=clock.env)
    daemon.start()
    wait_samples(daemon, 1)
    next_minute(clock)
    wait_until(lambda: len(minutes(daemon)) == 1)
    daemon.config.write_text(daemon.config.read_text().replace('"7d"', "0"))
    daemon.restart()
    assert minutes(daemon) == []
    wait_samples(daemon, 1)
    next_minute(clock, 2)
    wait_samples(daemon, 2)
    assert minutes(daemon) == [] and daemon.call(METHOD)["machine"] is None
