"""What batchd sees of the machine, from a folder that stands for one (monitor.root), and of this one."""
import pathlib
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

    def battery(self, percent, status="Discharging"):
        folder = self.root / "sys/class/power_supply/BAT0"
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in (("type", "Battery"), ("status", status), ("capacity", percent)):
            (folder / name).write_text(f"{text}\n")

    def pressure(self, kind, some, full=0):
        self.put(f"pressure/{kind}", PRESSURE.format(some=some, full=full))


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path / "machine")


def watching(machine, more="", interval="100ms"):
    return Daemon(config=f'[monitor]\nroot = "{machine.root}"\ninterval = "{interval}"\n{more}')


def seen(daemon):
    return daemon.call("io.batchd.Server.Status")["machine"]


def test_what_the_files_say(machine):
    machine.pressure("memory", 12.5, 3)
    with watching(machine) as daemon:
        first = seen(daemon)
        assert first["load"] == [1.5, 0.7, 0.2]
        assert first["memory"] == {"total_bytes": 1024 * MIB, "available_bytes": 512 * MIB, "huge_bytes": 0}
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


def test_huge_pages_are_neither_available_nor_in_use(machine):
    """status and top say what the marks go by."""
    machine.memory(available=60, huge=904)
    with watching(machine) as daemon:
        assert seen(daemon)["memory"] == {"total_bytes": 1024 * MIB, "available_bytes": 60 * MIB, "huge_bytes": 904 * MIB}
        assert "60.0M of 120.0M memory available" in daemon.ctl("status").stdout
        assert f"memory [{'|' * 20}{' ' * 20}]  50%" in daemon.ctl("top", "--once").stdout


def test_on_battery(machine):
    machine.battery(25)
    with watching(machine, 'battery = "20:30"\n') as daemon:
        assert seen(daemon)["power"] == {"on_battery": True, "percent": 25}
        assert "battery 25% (nothing else supplies it)" in daemon.ctl("status").stdout
        assert daemon.wait(daemon.submit("true"))[0]["state"] == "completed"
        machine.battery(20)
        wait_until(lambda: stops(daemon) == ["battery"])
        ident = daemon.submit("true")
        why = reasons(daemon, ident)[0]
        assert why["detail"] == "no job starts: 20.0% is what the battery has left"
        assert why["lifts"] == "that is 30% or more, or the machine is supplied"
        machine.battery(20, "Charging")
        assert daemon.wait(ident)[0]["state"] == "completed"
        assert "battery 20%" in daemon.ctl("status").stdout and "nothing else" not in daemon.ctl("status").stdout


def test_a_battery_is_not_looked_at_unless_it_is_asked_for(machine):
    machine.battery(1)
    with watching(machine) as daemon:
        assert daemon.wait(daemon.submit("true"))[0]["state"] == "completed"


def test_a_restart_remembers_what_is_between_the_marks(machine, tmp_path):
    with watching(machine, "[workers]\nmax = 4\n") as daemon:
        machine.memory(available=20)
        wait_until(lambda: stops(daemon) == ["memory_used"])
        machine.memory(available=80)  # 92.2 percent: between the marks
        jobs = [daemon.submit("sh", "-c", f"until test -e {tmp_path}/go; do sleep 0.02; done") for _ in range(2)]
        daemon.wait_running(jobs[0])
        daemon.kill()
        daemon.start()
        assert stops(daemon) == ["memory_used"] and daemon.job(jobs[1])["reasons"] == ["Pressure"]
        machine.memory(available=512)
        daemon.wait_running(jobs[1])
        machine.memory(available=80)  # it was not short since
        before = seen(daemon)["sampled_at"]
        wait_until(lambda: seen(daemon)["sampled_at"] > before + 200_000)
        daemon.stop()
        daemon.start()
        assert stops(daemon) == []
        (tmp_path / "go").touch()
        assert [job["state"] for job in daemon.wait(*jobs)] == ["completed"] * 2


def test_after_a_stop_jobs_start_a_few_at_a_time(machine, tmp_path):
    """By the first sample one runs, then two, then four, and then one more by each fifth."""
    machine.memory(available=20)
    so_many = [0, 1, 2, 4, 4, 4, 5, 5, 5, 5, 5, 6]  # by samples since it was short
    with watching(machine, "[workers]\nmax = 6\n", interval="400ms") as daemon:
        wait_until(lambda: stops(daemon) == ["memory_used"])
        jobs = [daemon.submit(*hold(tmp_path, "go")) for _ in range(6)]
        short_at = seen(daemon)["sampled_at"]
        machine.memory(available=512)
        wait_until(lambda: seen(daemon)["opening"] and daemon.job(jobs[-1])["reasons"] == ["Pressure"])
        said = reasons(daemon, jobs[-1])[0]
        assert said["detail"] == "the machine was short of something until just now: jobs start a few at a time"
        assert "jobs start a few at a time" in daemon.ctl("status").stdout
        counts = {0}
        while max(counts) < len(jobs):
            status = daemon.call("io.batchd.Server.Status")
            samples = (status["machine"]["sampled_at"] - short_at + 50_000) // 400_000  # there are no more, maybe less
            counts.add(len(status["running"]))
            assert max(counts) <= so_many[min(samples, len(so_many) - 1)], samples
            time.sleep(0.02)
        assert len(counts) > 3
        (tmp_path / "go").touch()
        assert {job["state"] for job in daemon.wait(*jobs)} == {"completed"}


# ---- memory that is asked for ----


def gated(machine, more=""):
    """The machine of the folder has 1 GiB, all of which jobs may be given."""
    return watching(machine, f'[workers]\nmax = 4\n[resources]\ncpus = 4\nmemory = "1G"\n{more}')


def until_seen(daemon):
    before = seen(daemon)["sampled_at"]
    wait_until(lambda: seen(daemon)["sampled_at"] > before + 200_000)


def hold(tmp_path, word):
    return "sh", "-c", f"until test -e {tmp_path}/{word}; do sleep 0.02; done"


def test_what_a_job_asks_for_must_be_available(machine, tmp_path):
    machine.memory(available=700)
    with gated(machine) as daemon:
        first = daemon.submit(*hold(tmp_path, "first"), memory=400 * MIB)
        daemon.wait_running(first)
        second = daemon.submit("true", memory=400 * MIB)
        small = daemon.submit("true", memory=200 * MIB)
        until_seen(daemon)
        assert daemon.job(second)["reasons"] == ["Pressure"]
        why = reasons(daemon, second)
        assert why[0]["reason"] == "Pressure"
        assert why[0]["detail"] == ("it asks for 400.0M memory (300.0M available beside what is kept for running jobs; "
                                    "other programs have 324.0M)")
        assert why[0]["lifts"] == "running jobs end, or other programs have less"
        assert "less 324.0M that other programs have" in daemon.ctl("status").stdout
        machine.memory(available=801)
        assert {job["state"] for job in daemon.wait(second, small)} == {"completed"}
        (tmp_path / "first").touch()
        assert daemon.wait(first)[0]["state"] == "completed"


def test_the_one_that_is_larger_than_what_is_there_starts_alone(machine, tmp_path):
    machine.memory(available=300)
    with gated(machine) as daemon:
        first = daemon.submit(*hold(tmp_path, "first"))
        daemon.wait_running(first)
        large = daemon.submit(*hold(tmp_path, "large"), memory=600 * MIB)
        until_seen(daemon)
        assert daemon.job(large)["reasons"] == ["Pressure"]
        assert reasons(daemon, large)[0]["lifts"] == "no other job runs, or other programs have less"
        (tmp_path / "first").touch()
        daemon.wait_running(large)
        beside = daemon.submit("true", memory=1 * MIB)
        until_seen(daemon)
        assert daemon.job(beside)["reasons"] == ["Pressure"]
        (tmp_path / "large").touch()
        assert daemon.wait(beside)[0]["state"] == "completed"


def descend(root, pid):
    """The real process stands in the folder, with all below it."""
    here = root / f"proc/{pid}"
    if not here.exists():
        here.symlink_to(f"/proc/{pid}")
    for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            descend(root, child)


def test_what_a_job_has_taken_is_not_kept_for_it_once_more(machine, tmp_path):
    """The figure of what is available has it."""
    machine.memory(available=900)
    take = ("import pathlib, time; taken = b'x' * (300 << 20)\n"
            f"pathlib.Path('{tmp_path}/taken').touch()\n"
            f"while not pathlib.Path('{tmp_path}/first').exists(): time.sleep(0.02)")
    with gated(machine) as daemon:
        first = daemon.submit("python3", "-c", take, memory=400 * MIB)
        wait_until((tmp_path / "taken").exists)
        machine.memory(available=590)
        until_seen(daemon)
        second = daemon.submit("true", memory=400 * MIB)
        until_seen(daemon)
        assert daemon.job(second)["reasons"] == ["Pressure"]  # as far as is known, nothing is taken
        descend(machine.root, daemon.worker_pid(first))
        assert daemon.wait(second)[0]["state"] == "completed"  # 590 - 100 are left
        (tmp_path / "first").touch()
        assert daemon.wait(first)[0]["state"] == "completed"


def test_memory_is_counted_only_when_that_is_asked_for(machine):
    machine.memory(available=100)
    with watching(machine, 'memory_headroom = false\n[resources]\ncpus = 4\nmemory = "1G"\n') as daemon:
        jobs = [daemon.submit("sleep", "0.2", memory=300 * MIB) for _ in range(2)]
        for ident in jobs:
            daemon.wait_running(ident)
    with watching(machine, '[resources]\ncpus = 4\nmemory = "2G"\n') as daemon:  # more than there is
        assert daemon.wait(daemon.submit("true", memory=900 * MIB))[0]["state"] == "completed"


@pytest.mark.parametrize("key, marks", [
    *(("memory_used", marks) for marks in ("90:95", "95", "101:5", "0:0", "of")),
    *(("disk_free", marks) for marks in ("10%:5%", "10%:1G", "0:1G", "101%:101%", "10%")), ("inodes_free", "1K:2K")])
def test_wrong_marks(tmp_path, key, marks):
    file = tmp_path / "test.toml"
    file.write_text(f'[monitor]\n{key} = "{marks}"\n')
    done = subprocess.run([OUT / "batchd", "--state", tmp_path / "state", "--config", file, "--check-config"],
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 78 and f'monitor.{key}: "{marks}" is neither "off" nor STOP:GO' in done.stderr
