"""What batchd sees of the machine, from a folder that stands for one (monitor.root), and of this one."""
import subprocess
import time

import pytest

from daemon import OUT, Daemon, wait_until

STAT = "cpu  {user} 0 {system} {idle} {iowait} 0 0 0 0 0\n"
PRESSURE = "some avg10={some:.2f} avg60=0.00 avg300=0.00 total=0\nfull avg10={full:.2f} avg60=0.00 avg300=0.00 total=0\n"
MIB = 1 << 20


class Machine:
    """A folder with the files of /proc that are looked at."""

    def __init__(self, root):
        self.root = root
        (root / "proc/pressure").mkdir(parents=True)
        self.ticks = {"user": 0, "system": 0, "idle": 1000, "iowait": 0}
        self.tick()
        self.put("loadavg", "1.50 0.70 0.20 1/100 4242\n")
        self.memory(available=512)
        for kind in ("cpu", "memory", "io"):
            self.pressure(kind, 0)

    def put(self, name, text):
        """As the kernel, all at once."""
        made = self.root / "made"
        made.write_text(text)
        made.rename(self.root / "proc" / name)

    def tick(self, **passed):
        """Processors' time goes on; one sample alone may come and go unseen."""
        for name, count in passed.items():
            self.ticks[name] += count
        self.put("stat", STAT.format(**self.ticks))

    def memory(self, available, total=1024, huge=0):
        self.put("meminfo", f"MemTotal: {total * 1024} kB\nMemAvailable: {available * 1024} kB\n"
                            f"SwapTotal: 0 kB\nSwapFree: 0 kB\nHugetlb: {huge * 1024} kB\n")

    def pressure(self, kind, some, full=0):
        self.put(f"pressure/{kind}", PRESSURE.format(some=some, full=full))


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path / "machine")


def watching(machine, more=""):
    return Daemon(config=f'[monitor]\nroot = "{machine.root}"\ninterval = "100ms"\n{more}')


def seen(daemon):
    return daemon.call("io.batchd.Server.Status")["machine"]


def test_what_the_files_say(machine):
    machine.pressure("memory", 12.5, 3)
    with watching(machine) as daemon:
        first = seen(daemon)
        assert first["load"] == [1.5, 0.7, 0.2]
        assert first["memory"] == {"total_bytes": 1024 * MIB, "available_bytes": 512 * MIB}
        assert first["swap"] == {"total_bytes": 0, "free_bytes": 0}
        assert first["pressure"]["memory"] == {"some": 12.5, "full": 3}
        assert first["pressure"]["io"] == {"some": 0, "full": 0}
        # Nothing has passed between samples of a clock that stands.
        wait_until(lambda: seen(daemon)["sampled_at"] > first["sampled_at"])
        assert seen(daemon)["cpu"] is None
        wait_until(lambda: machine.tick(user=60, system=15, idle=25) or seen(daemon)["cpu"] is not None)


def test_the_line_of_status(machine):
    machine.pressure("io", 7.4)
    with watching(machine) as daemon:
        lines = daemon.ctl("status").stdout.splitlines()
        assert "machine: load 1.50, 512.0M of 1.0G memory available, io pressure 7%" in lines


def test_an_idle_machine_is_busy_by_nothing(machine):
    """1 - 0.9 - 0.1 is a little less than 0."""
    with watching(machine) as daemon:
        said = ""
        while "machine: cpus" not in said:
            machine.tick(idle=900, iowait=100)
            said = daemon.ctl("status").stdout
        assert "machine: cpus 0% busy" in said


def test_what_is_unknown_is_left_out(machine):
    """Nothing but the memory can be read."""
    for name in ("stat", "loadavg", "pressure/cpu", "pressure/memory", "pressure/io"):
        machine.put(name, "\0 no such thing")
    with watching(machine) as daemon:
        now = seen(daemon)
        assert now["cpu"] is None and now["load"] is None
        assert now["pressure"] == {"cpu": None, "memory": None, "io": None}
        assert "machine: 512.0M of 1.0G memory available" in daemon.ctl("status").stdout.splitlines()
        machine.put("meminfo", "")
        wait_until(lambda: seen(daemon)["memory"] is None)
        assert "machine:" not in daemon.ctl("status").stdout


def test_this_machine():
    with Daemon(config='[monitor]\ninterval = "100ms"\n') as daemon:
        before = time.time()
        wait_until(lambda: seen(daemon)["sampled_at"] > before * 1e6)
        wait_until(lambda: seen(daemon)["cpu"] is not None)
        now = seen(daemon)
        classes = {name: share for name, share in now["cpu"].items() if name != "busy"}
        assert abs(sum(classes.values()) - 1) < 0.01 and 0 <= now["cpu"]["busy"] <= 1
        assert 0 < now["memory"]["available_bytes"] < now["memory"]["total_bytes"]


# ---- what keeps jobs from starting ----


def reasons(daemon, ident):
    return daemon.call("io.batchd.Jobs.Why", id=ident)["reasons"]


def stops(daemon):
    return [stop["figure"] for stop in seen(daemon)["stops"]]


def test_no_job_starts_while_memory_is_short(machine, tmp_path):
    """From one mark to the other; what runs goes on."""
    with watching(machine, "[resources]\ncpus = 2\n") as daemon:
        running = daemon.submit("sh", "-c", f"until test -e {tmp_path}/go; do sleep 0.02; done; touch {tmp_path}/done")
        daemon.wait_running(running)
        machine.memory(available=50)  # 95.1 percent in use
        wait_until(lambda: stops(daemon) == ["memory_used"])
        waiting = daemon.submit("true")
        assert daemon.job(waiting)["reasons"] == ["Pressure"]
        why = daemon.call("io.batchd.Jobs.Why", id=waiting)
        pressed = why["reasons"]
        assert [reason["reason"] for reason in pressed] == ["Pressure"]  # and it is not about to start
        assert pressed[0]["detail"] == "no job starts: 95.1% of the memory is in use"
        assert pressed[0]["lifts"] == "that is 90% or less"
        assert why["prediction"] == "unknown" and why["predicted_start"] is None and why["starts_now_if"] == []
        plan = daemon.call("io.batchd.Jobs.Plan")["jobs"]
        assert [(line["id"], line["predicted_start"], line["reasons"]) for line in plan] == [
            (running, None, []), (waiting, None, ["Pressure"])]
        machine.memory(available=100)  # 90.2: between the marks
        before = seen(daemon)["sampled_at"]
        wait_until(lambda: seen(daemon)["sampled_at"] > before + 200_000)
        assert stops(daemon) == ["memory_used"] and daemon.job(waiting)["state"] == "pending"
        assert "90.2% of the memory is in use" in daemon.ctl("why", str(waiting)).stdout  # more than "90% or less"
        assert "memory_used is at 90.2%, until it is at 90%" in daemon.ctl("status").stdout
        machine.memory(available=103)
        assert daemon.wait(waiting)[0]["state"] == "completed"
        assert seen(daemon)["stops"] == []
        (tmp_path / "go").touch()
        assert daemon.wait(running)[0]["state"] == "completed" and (tmp_path / "done").exists()


def test_between_the_marks_one_at_a_time_starts_when_none_runs(machine, tmp_path):
    """Another program that stays there does not stop us for ever."""
    machine.memory(available=20)
    with watching(machine, "[workers]\nmax = 4\n") as daemon:
        wait_until(lambda: stops(daemon) == ["memory_used"])
        jobs = [daemon.submit("sh", "-c", f"until test -e {tmp_path}/go-{number}; do sleep 0.02; done")
                for number in range(3)]
        before = seen(daemon)["sampled_at"]
        wait_until(lambda: seen(daemon)["sampled_at"] > before + 200_000)
        assert [daemon.job(ident)["state"] for ident in jobs] == ["pending"] * 3
        machine.memory(available=80)
        for number, ident in enumerate(jobs):
            daemon.wait_running(ident)
            assert [daemon.job(other)["reasons"] for other in jobs[number + 1:]] == [["Pressure"]] * (2 - number)
            (tmp_path / f"go-{number}").touch()
            assert daemon.wait(ident)[0]["state"] == "completed"


def test_it_is_told_in_status_why_and_the_log(machine):
    machine.pressure("memory", 55.5)
    with watching(machine) as daemon:
        ident = daemon.submit("true")
        wait_until(lambda: stops(daemon) == ["memory_pressure"])
        assert "machine: no job starts: memory_pressure is at 55.5%, until it is at 20%" in daemon.ctl("status").stdout
        why = daemon.ctl("why", str(ident)).stdout
        assert "Pressure" in why and "55.5% of the time something waits for memory" in why
        assert "when it starts cannot be said: it depends on what else the machine does" in why
        assert "no job starts: memory_pressure is at 55.5%, until it is at 20%" in daemon.text()
        machine.pressure("memory", 20)
        assert daemon.wait(ident)[0]["state"] == "completed"
        assert "jobs start again" in daemon.text()


def test_each_figure_is_told_once(machine):
    machine.memory(available=10)
    with watching(machine) as daemon:
        wait_until(lambda: stops(daemon) == ["memory_used"])
        machine.pressure("memory", 50)
        wait_until(lambda: stops(daemon) == ["memory_used", "memory_pressure"])
        machine.memory(available=512)
        machine.pressure("memory", 0)
        wait_until(lambda: stops(daemon) == [])
        said = daemon.log.read_text()
        assert [said.count(text) for text in ("memory_used is at", "memory_pressure is at", "jobs start again")] == [1] * 3


def test_more_available_than_there_is(machine):
    machine.memory(available=2048, total=1024)
    with watching(machine) as daemon:
        assert f"memory [{' ' * 40}]   0%" in daemon.ctl("top", "--once").stdout


@pytest.mark.parametrize("kind", ["io", "cpu"])
def test_other_pressure_counts_when_it_is_asked_for(machine, kind):
    machine.pressure(kind, 99)
    with watching(machine) as daemon:
        assert daemon.wait(daemon.submit("true"))[0]["state"] == "completed"
    with watching(machine, f'{kind}_pressure = "50:30"\n') as daemon:
        ident = daemon.submit("true")
        wait_until(lambda: stops(daemon) == [f"{kind}_pressure"])
        assert daemon.job(ident)["reasons"] == ["Pressure"]
        machine.pressure(kind, 30)
        assert daemon.wait(ident)[0]["state"] == "completed"


def test_what_cannot_be_read_stops_nobody(machine):
    machine.memory(available=1)
    with watching(machine) as daemon:
        ident = daemon.submit("true")
        wait_until(lambda: stops(daemon) == ["memory_used"])
        machine.put("meminfo", "")
        assert daemon.wait(ident)[0]["state"] == "completed"


def test_what_is_set_aside_for_huge_pages_is_not_in_use(machine):
    """It would be for ever."""
    machine.memory(available=50, huge=900)
    with watching(machine) as daemon:
        ident = daemon.submit("true")
        assert daemon.wait(ident)[0]["state"] == "completed"
        machine.memory(available=6, huge=900)
        wait_until(lambda: stops(daemon) == ["memory_used"])
        machine.memory(available=6, huge=1024)  # nothing is left to be measured
        wait_until(lambda: stops(daemon) == [])


@pytest.mark.parametrize("marks", ["90:95", "95", "101:5", "0:0", "of"])
def test_wrong_marks(machine, tmp_path, marks):
    file = tmp_path / "test.toml"
    file.write_text(f'[monitor]\nmemory_used = "{marks}"\n')
    done = subprocess.run([OUT / "batchd", "--state", tmp_path / "state", "--config", file, "--check-config"],
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 78 and f'monitor.memory_used: "{marks}" is neither "off" nor STOP:GO' in done.stderr
