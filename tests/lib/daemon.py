"""A private batchd for a test: its own state folder, started, killed and restarted at will."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time

from records import crc32c

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = pathlib.Path(os.environ.get("OUT", ROOT / "build/release"))


PROCESSORS = ("video", "image", "interpolate", "quality")


def looked_at(job):
    """Whatever our processors tell is a result by processors/result.schema.json."""
    if job["type"] in PROCESSORS and job["result"] is not None:
        import results  # which looks for the schema by what is below
        results.check(job["result"])
    return job


class Refused(Exception):
    """An error reply: .name and .parameters."""

    def __init__(self, name, parameters):
        super().__init__(f"{name}: {parameters.get('message')}")
        self.name = name
        self.parameters = parameters


class Client:
    """One connection that speaks LF-framed JSON."""

    def __init__(self, path, timeout=30):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(str(path))
        self.reader = self.socket.makefile("rb")

    def send(self, method, more=False, **parameters):
        message = {"method": method, "parameters": parameters}
        if more:
            message["more"] = True
        self.socket.sendall(json.dumps(message).encode() + b"\n")

    def receive(self):
        line = self.reader.readline()
        if not line:
            raise ConnectionError("batchd closed the connection")
        reply = json.loads(line)
        if "error" in reply:
            raise Refused(reply["error"], reply["parameters"])
        return reply

    def call(self, method, **parameters):
        self.send(method, **parameters)
        return self.receive()["parameters"]

    def close(self):
        self.reader.close()
        self.socket.close()


def commands(program):
    """Pid and words of each process of this program. Asked twice by every test, so nothing but what it takes."""
    ending = program.encode()
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            file = os.open(f"/proc/{name}/cmdline", os.O_RDONLY)
        except OSError:
            continue
        try:
            text = os.read(file, 65536)
        except OSError:  # it ended meanwhile
            continue
        finally:
            os.close(file)
        if text.partition(b"\0")[0].endswith(ending):
            yield name, text.split(b"\0")


def before_exec(entry):
    """A worker's child looks like the worker until it has executed its job."""
    parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[1]
    return b"--worker" in pathlib.Path(f"/proc/{parent}/cmdline").read_bytes().split(b"\0")


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)  # a poll with a deadline


def wait_until_time(micros):
    """Until the wall clock is there."""
    wait_until(lambda: time.time() * 1e6 >= micros)


def is_halted(pid):
    """It is there, and stands by a signal."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


def worker_sum(boot_id, *numbers):
    """The checksum of its row (daemon/store/worker_rows.c)."""
    return crc32c(struct.pack(f"<q{len(boot_id)}s{len(numbers)}q", len(boot_id), boot_id.encode(), *numbers))


class Daemon:
    def __init__(self, folder=None, config="", batchd=None, env=None):
        self.state = pathlib.Path(folder or tempfile.mkdtemp(prefix="batchd-"))
        self.socket = self.state / "batchd.sock"
        self.log = self.state / "test.log"
        self.batchd = batchd or OUT / "batchd"
        self.env = dict(os.environ, **(env or {}))
        self.config = self.state / "test.toml"
        if "[resources]" not in config:  # as many as may run, whatever this machine has
            most = re.search(r"^max = (\d+)$", config, re.M)
            config += f"[resources]\ncpus = {most[1] if most else os.cpu_count()}\n"
        if "[breakers]" not in config:  # most tests have jobs fail as they need it
            config += "[breakers]\nenabled = false\n"
        self.config.write_text(config)
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.destroy()

    def start(self, wait=True):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.batchd, "--state", self.state, "--config", self.config],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env)
        if wait:
            self.wait_ready()

    def wait_ready(self, seconds=60):
        deadline = time.monotonic() + seconds
        while True:
            try:
                client = self.client()
                client.call("io.batchd.Server.Ping")
                client.close()
                return
            except OSError:
                if self.process.poll() is not None:
                    raise AssertionError(f"batchd ended: {self.text()}") from None
                assert time.monotonic() < deadline, self.text()
                time.sleep(0.005)  # a poll with a deadline, not a guess

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)

    def cpu_seconds(self):
        """What it has used of the processors so far: that does not count what else the machine does."""
        return time.clock_gettime(~self.process.pid << 3 | 2)  # clock_getcpuclockid(3)

    def resident_bytes(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"^VmRSS:\s*(\d+) kB$", status, re.M)[1]) << 10

    def damage_store(self, change):
        """Of one that has ended: what no call of its own does."""
        with contextlib.closing(sqlite3.connect(self.state / "batchd.db")) as db, db:
            db.execute(change)

    def check_store(self):
        """Of one that has ended: .returncode, .stderr."""
        return subprocess.run([self.batchd, "--state", self.state, "--config", self.config, "--check-store"],
                              capture_output=True, text=True, timeout=60, check=False)

    @contextlib.contextmanager
    def stopped(self):
        """What is sent meanwhile is there as a whole when it goes on."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def restart(self):
        self.kill()
        self.start()

    def power_off(self):
        """All of it is gone at once, and the next start is one after a reboot."""
        self.kill()
        self.signal("--spawner", signal.SIGKILL)
        self.signal("--worker", signal.SIGKILL)
        with sqlite3.connect(self.state / "batchd.db") as db:
            db.create_function("checksum", -1, worker_sum)
            db.execute("UPDATE worker SET boot_id='another', "
                       "sum=checksum('another',made_at,why,waiting,drain,drain_at)")
        db.close()

    def client(self, timeout=30):
        return Client(self.socket, timeout)

    def call(self, method, **parameters):
        client = self.client()
        try:
            return client.call(method, **parameters)
        finally:
            client.close()

    def as_another(self, method, **parameters):
        """What the same call of another user answers, an error too."""
        self.state.chmod(0o711)
        self.socket.chmod(0o666)
        script = ("import socket, sys\n"
                  "s = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
                  "s.sendall(sys.argv[2].encode() + b'\\n')\nprint(s.makefile().readline())")
        request = json.dumps({"method": method, "parameters": parameters})
        done = subprocess.run([sys.executable, "-c", script, self.socket, request], user=12345, cwd="/",
                              capture_output=True, text=True, check=True, timeout=30)
        return json.loads(done.stdout)

    def submit(self, *argv, **more):
        more.setdefault("cwd", "/")
        more.setdefault("env", {"PATH": os.environ["PATH"]})
        return self.call("io.batchd.Jobs.Submit", argv=list(argv), **more)["id"]

    def wait(self, *ids, seconds=30):
        client = self.client(timeout=seconds + 30)
        reply = client.call("io.batchd.Jobs.Wait", ids=list(ids), timeout_ms=seconds * 1000)
        client.close()
        assert not reply["timed_out"], (self.jobs(), self.text())
        return [looked_at(job) for job in reply["jobs"]]

    def wait_running(self, *ids, seconds=30):
        reply = self.call("io.batchd.Jobs.Wait", ids=list(ids), timeout_ms=seconds * 1000,
                          **{"for": "running"})
        assert not reply["timed_out"], (self.jobs(), self.text())

    def job(self, ident):
        return self.call("io.batchd.Jobs.Show", id=ident)["job"]

    def jobs(self, **filters):
        found, after = [], 0
        while True:
            reply = self.call("io.batchd.Jobs.List", limit=1000, all=True, after_id=after, **filters)
            found += reply["jobs"]
            if reply["next"] is None:
                return found
            after = reply["next"]

    def jobs_kept(self):
        """All of them, without what changes by itself: what those that run use."""
        return [{**job, "live": None} for job in self.jobs()]

    def ctl_words(self):
        return [OUT / "batchctl", "--socket", self.socket]

    def ctl(self, *words, timeout=60, **more):
        return subprocess.run([*self.ctl_words(), *words],
                              capture_output=True, text=True, timeout=timeout, check=False, **more)

    def text(self):
        return self.log.read_text(errors="replace")[-1200:]

    def processes(self, what):
        """Pids of this daemon's workers ("--worker") or spawner ("--spawner")."""
        mine = []
        for name, words in commands("batchd-worker"):
            entry = pathlib.Path("/proc", name)
            try:
                if what.encode() not in words:
                    continue
                if what == "--spawner":
                    belongs = str(self.state).encode() in words
                else:  # descriptor 4 is the worker's log (worker/worker.h)
                    belongs = (os.readlink(entry / "fd" / "4").startswith(f"{self.state}/")
                               and not before_exec(entry))
                if belongs:
                    mine.append(int(name))
            except OSError:
                continue
        return mine

    def worker_pid(self, ident, **index):
        """Of the worker that has this job, or this task of it."""
        worker = self.call("io.batchd.Jobs.Show", id=ident, **index)["job"]["worker"]
        [pid] = [pid for pid in self.processes("--worker")
                 if os.readlink(f"/proc/{pid}/fd/4").endswith(f"/workers/{worker}/log")]
        return pid

    def signal(self, what, number):
        """To those that are still there."""
        for pid in self.processes(what):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def destroy(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.signal("--spawner", signal.SIGTERM)
        deadline = time.monotonic() + 10
        while self.processes("--worker") and time.monotonic() < deadline:
            time.sleep(0.02)
        self.signal("--worker", signal.SIGKILL)
        shutil.rmtree(self.state, ignore_errors=True)
