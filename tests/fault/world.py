"""A private batchd in whose processes calls can be made to fail, and a client that does not give up.

World keeps what was acknowledged and what each job did; check() compares it with what is there. A
violation is what must never be: a lost or doubled job, a wrong result, an end of batchd by a signal
or with a status that says nothing, a request that is refused although nothing fails any more."""
import mmap
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from daemon import OUT, Daemon, Refused  # noqa: E402
from preload import preloadable  # noqa: E402

ROLES = {"batchd": 1, "spawner": 2, "worker": 3, "batchctl": 4, "batchd-job": 5}
PATIENCE = 30  # seconds, on a loaded machine
MODES = {"off": 0, "once": 1, "on": 2}
# A child of a worker has a stack of its own until its exec (worker/child.c), of which ASan does not know.
NO_RETURN = re.compile(r"==\d+==WARNING: ASan is ignoring requested __asan_handle_no_return.*\n"
                       r"False positive.*\nFor details.*\n")
# How batchd may end (batchd(8)): memory, input/output, a part that is missing, another owns the state.
DEFINED_ENDS = {71: "out of memory", 74: "", 69: "", 75: ""}

# The job: one append is one write; a lock that its tree holds shows that it runs. It ends with its world.
SHELL = ('me="$BATCHD_JOB_ID${BATCHD_ARRAY_INDEX:+_$BATCHD_ARRAY_INDEX}"; '
         'exec 9>"$0/lock.$me"; flock -n 9 || echo "$me double" >>"$0/starts"; '
         'echo "$me $BATCHD_ATTEMPT" >>"$0/starts"; '
         '[ "$1" = 0 ] || while [ ! -e "$0/$1" ] && [ -d "${0%/work}" ]; do sleep 0.01; done; exit "$2"')


class Violation(Exception):
    pass


def sanitizers(folder, leaks=True):
    """For programs that were built with them: what they find goes to files, as not every process has
    a stderr that is looked at; memory may run out; inject.so comes before libasan, which then cannot
    see that it is ld.so that keeps something."""
    report, kept = f"log_path={folder}/report", pathlib.Path(folder) / "kept"
    kept.write_text("leak:/ld-linux\nleak:_nl_normalize_codeset\n")  # the latter is setlocale's
    return {"ASAN_OPTIONS": f"{report}:verify_asan_link_order=0:allocator_may_return_null=1:"
                            f"detect_leaks={int(leaks)}:handle_abort=1",
            "LSAN_OPTIONS": f"suppressions={kept}:print_suppressions=0",
            "UBSAN_OPTIONS": f"{report}:print_stacktrace=1"}


class Control:
    """The file that inject.c maps: struct control."""
    IN_GLIB = 1000
    BYTES, COUNTS, NAMES, SITES = 4 << 20, 48, 1072, 3120

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
        return {"LD_PRELOAD": self.library, "FAULT_CONTROL": str(self.path), **sanitizers(self.path.parent)}

    def arm(self, role, call=None, nth=0, place=0, mode="off", number=0, record=False):
        """The nth call, or the first from a place."""
        self.map[4:44] = struct.pack("=IIIQiIIII", ROLES[role], self.calls.get(call, 0), MODES[mode],
                                     nth, number, 0, int(record), 0, place)
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
        """(call, nth, place, whether it is GLib's) of the first call from each place."""
        words = {number: name for name, number in self.calls.items()}
        count = struct.unpack_from("=I", self.map, 36)[0]
        found = (struct.unpack_from("=IIQ", self.map, self.SITES + 16 * i) for i in range(count))
        return [(words[call % self.IN_GLIB], nth, place, call >= self.IN_GLIB) for call, place, nth in found]


class World(Daemon):
    def __init__(self, config="", batchd=None, inject=True, folder=None):
        if folder is None:
            base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # fsync costs nothing there
            folder = tempfile.mkdtemp(prefix="batchd-fault-", dir=base)
        pathlib.Path(folder).mkdir(exist_ok=True)
        self.asked_config = config
        self.control = Control(pathlib.Path(folder) / "control")
        env = self.control.env() if inject else sanitizers(folder, leaks=False)
        super().__init__(folder, "[workers]\nmax = 4\n" + config, batchd, env)
        self.work = self.state / "work"
        self.work.mkdir()
        self.trial = self.keys = self.lost = 0
        self.ends = []  # exit statuses of batchd since the trial began
        self.log_at = 0
        self.expected = {}  # name of a job or task -> what may become of it
        self.acknowledged = {}  # key -> id
        self.attempts_most = 1  # of a job that fails and is tried again
        self.role = None  # of the processes in which something fails
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
            raise Violation(f"batchd ended with {status}: {said[-1500:]} {self.reports()}")
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

    def forget(self, ident):
        """It is to be removed."""
        self.acknowledged = {key: there for key, there in self.acknowledged.items() if there != ident}
        self.expected = {name: outcomes for name, outcomes in self.expected.items()
                         if name.partition("_")[0] != str(ident)}

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
        self.check_reports()
        if done.returncode < 0 or done.returncode > 125:
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
        self.attempts_most = 1
        self.expected.clear()
        self.acknowledged.clear()
        self.log_at = self.log.stat().st_size
        shutil.rmtree(self.work)
        self.work.mkdir()
        self.alive()

    def shown(self, name):
        ident, _, index = name.partition("_")
        more = {"index": int(index)} if index else {}
        return self.call("io.batchd.Jobs.Show", id=int(ident), **more)["job"]

    def attempts(self, name):
        """For a violation: what became of them, and what they said."""
        ident, _, index = name.partition("_")
        more = {"index": int(index)} if index else {}
        job = self.call("io.batchd.Jobs.Show", id=int(ident), attempts=True, **more)["job"]
        said = [path.read_text(errors="replace")[:300] for path in (self.state / "jobs" / ident).rglob("*.err")]
        return [(one["attempt"], one["worker"], one["outcome"]) for one in job["attempts"]], said

    def settle(self):
        """Its jobs end, while what is to fail still does."""
        ids = {int(name.partition("_")[0]) for name in self.expected}
        if ids:
            self.wait_for(*sorted(ids))

    def check(self):
        self.control.disarm()
        self.alive()
        self.check_reports()
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
        self.check_reports()

    def reports(self):
        """What the sanitizers have said since it was asked last."""
        said = ""
        for path in self.state.glob("report.*"):
            said += path.read_text(errors="replace")
            path.unlink()
        return NO_RETURN.sub("", said).strip()[:4000]

    def check_reports(self):
        if said := self.reports():
            raise Violation(said)

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
        self.lost += bool(lost) or len(starts) > self.attempts_most
        if got not in outcomes and not (lost and self.may_lose):
            raise Violation(f"job {name}: {outcome} is none of {outcomes} {self.attempts(name)}")
        if len(starts) > self.attempts_most and not self.may_lose:
            raise Violation(f"job {name} started {len(starts)} times {self.attempts(name)} {self.text()}")
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
