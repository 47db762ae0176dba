"""A private batchd in whose processes calls can be made to fail, and a client that does not give up.

World keeps what was acknowledged and what each job did; check() compares it with what is there. A
violation is what must never be: a lost or doubled job, a wrong result, an end of batchd by a signal
or with a status that says nothing, a request that is refused although nothing fails any more."""
import mmap
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from daemon import OUT, Daemon, Refused  # noqa: E402
from preload import preloadable  # noqa: E402

ROLES = {"batchd": 1, "spawner": 2, "worker": 3, "batchctl": 4}
PATIENCE = 30  # seconds, on a loaded machine
MODES = {"off": 0, "once": 1, "on": 2}
# How batchd may end (batchd(8)): memory, input/output, a part that is missing, another owns the state.
DEFINED_ENDS = {71: "out of memory", 74: "", 69: "", 75: ""}

# The job: one append is one write; a lock that its tree holds shows that it runs.
SHELL = ('me="$BATCHD_JOB_ID${BATCHD_ARRAY_INDEX:+_$BATCHD_ARRAY_INDEX}"; '
         'exec 9>"$0/lock.$me"; flock -n 9 || echo "$me double" >>"$0/starts"; '
         'echo "$me $BATCHD_ATTEMPT" >>"$0/starts"; '
         '[ "$1" = 0 ] || while [ ! -e "$0/$1" ]; do sleep 0.01; done; exit "$2"')


class Violation(Exception):
    pass


class Control:
    """The file that inject.c maps: struct control."""
    IN_GLIB = 1000
    BYTES, COUNTS, NAMES, SITES = 4 << 20, 40, 1064, 3112

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as file:
            file.truncate(self.BYTES)
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), self.BYTES)
        self.library = preloadable(OUT / "tests/fault/inject.so", f"{path}.so")
        subprocess.run(["true"], env=self.env(), check=True)  # it writes the names
        names = (self.map[self.NAMES + 16 * i:][:16].rstrip(b"\0").decode() for i in range(128))
        self.calls = {name: number for number, name in enumerate(names) if name}

    def env(self):
        # A program with ASan has its allocator, which wants to be the first: there only the calls of
        # the system fail, and ASan looks at what becomes of it.
        asan = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True,
                              check=True).stdout.strip() + ":" if OUT.name == "san" else ""
        return {"LD_PRELOAD": asan + self.library, "FAULT_CONTROL": str(self.path),
                "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"}

    def arm(self, role, call=None, nth=0, mode="off", number=0, record=False):
        self.map[4:40] = struct.pack("=IIIQiIII", ROLES[role], self.calls.get(call, 0), MODES[mode],
                                     nth, number, 0, int(record), 0)
        self.map[self.COUNTS:self.COUNTS + 1024] = bytes(1024)
        self.map[0:4] = struct.pack("=I", 1)

    def disarm(self):
        self.map[0:4] = bytes(4)

    def armed(self):
        return self.map[0] != 0

    def fired(self):
        return struct.unpack_from("=I", self.map, 28)[0]

    def counts(self):
        numbers = struct.unpack_from("=128Q", self.map, self.COUNTS)
        return {name: numbers[i] for name, i in self.calls.items() if numbers[i]}

    def sites(self):
        """(call, nth, whether it is GLib's) of the first call from each place."""
        words = {number: name for name, number in self.calls.items()}
        count = struct.unpack_from("=I", self.map, 36)[0]
        found = (struct.unpack_from("=IIQ", self.map, self.SITES + 16 * i) for i in range(count))
        return [(words[call % self.IN_GLIB], nth, call >= self.IN_GLIB) for call, _, nth in found]


class World(Daemon):
    def __init__(self, config="", batchd=None, inject=True, folder=None):
        if folder is None:
            base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # fsync costs nothing there
            folder = tempfile.mkdtemp(prefix="batchd-fault-", dir=base)
        pathlib.Path(folder).mkdir(exist_ok=True)
        self.control = Control(pathlib.Path(folder) / "control")
        env = self.control.env() if inject else None
        super().__init__(folder, "[workers]\nmax = 4\n" + config, batchd, env)
        self.work = self.state / "work"
        self.work.mkdir()
        self.trial = self.keys = self.lost = 0
        self.ends = []  # exit statuses of batchd since the trial began
        self.log_at = 0
        self.expected = {}  # name of a job or task -> what may become of it
        self.acknowledged = {}  # key -> id
        self.may_lose = self.down = False

    # ---- batchd, which may end ----

    def start(self, wait=True):
        self.down = False
        super().start(wait=False)
        if wait:
            self.wait_ready()

    def wait_ready(self, seconds=PATIENCE):
        deadline = time.monotonic() + seconds
        while True:
            try:
                client = self.client(timeout=1 if self.control.armed() else 10)
                client.call("io.batchd.Server.Ping")
                client.close()
                return
            except (OSError, Refused, ValueError):
                if time.monotonic() > deadline:
                    raise Violation(f"batchd is not ready: {self.text()}") from None
                if time.monotonic() > deadline - PATIENCE + 3:
                    self.control.disarm()
                if self.process.poll() is None:
                    time.sleep(0.003)
                    continue
                self.note_end()
                self.start(wait=False)

    def note_end(self):
        """It ended by itself: a defined status and a line that says why."""
        status = self.process.returncode
        self.ends.append(status)
        self.control.disarm()
        said = self.log.read_bytes()[self.log_at:].decode(errors="replace")
        if status not in DEFINED_ENDS or "batchd: " not in said:
            raise Violation(f"batchd ended with {status}: {said[-1500:]}")
        if DEFINED_ENDS[status] not in said:
            raise Violation(f"batchd ended with {status} and did not say why: {said[-800:]}")
        if len(self.ends) > 3:
            raise Violation(f"batchd does not stay up: {said[-800:]}")

    def alive(self):
        if self.process.poll() is not None and not self.down:
            self.note_end()
            self.start()

    def kill(self):
        if self.process.poll() is None:
            super().kill()
        else:
            self.note_end()
        self.down = True

    def call(self, method, ok=(), **parameters):
        """Until it is answered. What fails goes away when it has been seen to."""
        deadline, asked = time.monotonic() + PATIENCE, False
        while True:
            self.alive()
            faulty = self.control.armed()
            try:
                client = self.client(timeout=2 if faulty else 40)
                reply = client.call(method, **parameters)
                client.close()
                return reply
            except Refused as refused:
                if refused.name in ok and (asked or not faulty):
                    return None  # as what was done already is refused
                if not faulty and (refused.name != "io.batchd.Busy" or time.monotonic() > deadline):
                    raise Violation(f"{method} is refused: {refused}") from None
            except (OSError, ValueError) as problem:
                if time.monotonic() > deadline:
                    raise Violation(f"{method} is not answered: {problem!r} {self.text()}") from None
            asked = True
            self.control.disarm()
            time.sleep(0.002)

    # ---- jobs ----

    def key(self):
        self.keys += 1
        return f"{self.trial}-{self.keys}"

    def request(self, until="0", code=0, argv=None, **more):
        argv = argv or ["sh", "-c", SHELL, str(self.work), str(until), str(code)]
        return {"argv": argv, "cwd": "/", "env": {"PATH": os.environ["PATH"]}, "key": self.key(),
                "tags": {"trial": str(self.trial)}, **more}

    def expect(self, ident, outcomes, indices=None):
        for name in [str(ident)] if indices is None else [f"{ident}_{i}" for i in indices]:
            self.expected[name] = outcomes

    def submit(self, until="0", code=0, outcomes=None, indices=None, **more):
        """The key makes it safe to ask again. `outcomes`: (class, exit code) that are right."""
        request = self.request(until, code, **more)
        ident = self.call("io.batchd.Jobs.Submit", **request)["id"]
        self.acknowledged[request["key"]] = ident
        self.expect(ident, outcomes or {("success", 0) if code == 0 else ("exit", code)}, indices)
        return ident

    def let_go(self, name):
        (self.work / name).touch()

    def wait_for(self, *ids, what="terminal"):
        deadline = time.monotonic() + PATIENCE
        while True:
            reply = self.call("io.batchd.Jobs.Wait", ids=list(ids), timeout_ms=1500, **{"for": what})
            if not reply["timed_out"]:
                return reply["jobs"]
            self.control.disarm()
            if time.monotonic() > deadline:
                stuck = [(job["id"], job["state"], job["reasons"], job["worker"]) for job in reply["jobs"]]
                raise Violation(f"it does not get {what}: {stuck} {self.text()}")

    def ask(self, *words):
        """batchctl, to which the faults may belong: its answer, or None when it ended in a defined
        way; a job that it names as submitted is one that was acknowledged."""
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as problems:
            done = subprocess.Popen([*self.ctl_words(), *words], stdout=out, stderr=problems,
                                    env=self.env, cwd="/")
            deadline = time.monotonic() + 60
            while done.poll() is None:  # it waits for a batchd that has ended
                self.alive()
                if time.monotonic() > deadline - 57:
                    self.control.disarm()
                if time.monotonic() > deadline:
                    done.kill()
                time.sleep(0.005)
            out.seek(0)
            problems.seek(0)
            said, complaint = out.read(), problems.read()
        if done.returncode < 0 or done.returncode > 125 or "Sanitizer" in complaint:
            raise Violation(f"batchctl {words} ended with {done.returncode}: {complaint[-1500:]}")
        if done.returncode != 0 and not complaint.strip():
            raise Violation(f"batchctl {words} ended with {done.returncode} and said nothing")
        return said if done.returncode == 0 else None

    # ---- a trial ----

    def begin_trial(self):
        self.trial += 1
        self.keys = 0
        self.lost = 0  # jobs whose run was lost with their worker
        self.ends.clear()
        self.expected.clear()
        self.acknowledged.clear()
        self.log_at = self.log.stat().st_size
        for file in self.work.iterdir():
            file.unlink()
        self.alive()

    def shown(self, name):
        ident, _, index = name.partition("_")
        more = {"index": int(index)} if index else {}
        return self.call("io.batchd.Jobs.Show", id=int(ident), **more)["job"]

    def check(self):
        self.control.disarm()
        self.alive()
        ids = sorted({int(name.partition("_")[0]) for name in self.expected})
        if ids:
            self.wait_for(*ids)
        there = [job["id"] for job in self.jobs(tags={"trial": str(self.trial)})]
        for key, ident in self.acknowledged.items():
            if there.count(ident) != 1:
                raise Violation(f"job {ident} (key {key}) is there {there.count(ident)} times")
        if sorted(there) != ids:
            raise Violation(f"asked for {ids}, there are {sorted(there)}")
        starts = self.starts()
        for name, outcomes in self.expected.items():
            self.check_job(self.shown(name), name, outcomes, starts.get(name, []))
        said = self.log.read_bytes()[self.log_at:].decode(errors="replace")
        for word in ("Sanitizer", "runtime error:"):
            if word in said:
                raise Violation(said[said.find(word) - 200:][:3000])

    def starts(self):
        found = {}
        path = self.work / "starts"
        for line in path.read_text().split("\n")[:-1] if path.exists() else ():
            name, attempt = line.split()
            if attempt == "double":
                raise Violation(f"job {name} ran twice at once")
            if attempt in found.setdefault(name, []):
                raise Violation(f"attempt {attempt} of job {name} started twice")
            found[name].append(attempt)
        return found

    def check_job(self, job, name, outcomes, starts):
        outcome = job["outcome"]
        got = (outcome["class"], outcome["exit_code"])
        lost = got[0] in ("lost", "spawn") and outcome["message"] or outcome["signal"] == 9
        self.lost += bool(lost) or len(starts) > 1
        if got not in outcomes and not (lost and self.may_lose):
            raise Violation(f"job {name}: {outcome} is none of {outcomes}")
        if len(starts) > 1 and not self.may_lose:
            raise Violation(f"job {name} started {len(starts)} times")
        if got[0] in ("success", "exit") and not starts and job["argv"][3:4] == [str(self.work)]:
            raise Violation(f"job {name} has a result and never started")

    def destroy(self):
        self.control.disarm()
        super().destroy()

    close = destroy

    def check_store(self):
        """It stops when it is told to, and its store is sound."""
        status = self.stop()
        self.down = True
        if status != 0:
            raise Violation(f"batchd stopped with {status}: {self.text()}")
        done = subprocess.run([self.batchd, "--state", self.state, "--config", self.config,
                               "--check-store"], capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise Violation(f"--check-store: {done.returncode} {done.stderr}")
        self.start()
