"""Checkpoints that a processor asks for by its lines on descriptor 3."""
import contextlib
import ctypes
import fcntl
import os
import pathlib
import shutil
import signal
import time

import pytest

import counting
from daemon import OUT, Daemon, is_halted, wait_until


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processors")
    counting.install(folder)
    counting.install(folder, "confined", sandbox=True)
    with Daemon(config=f'[workers]\nmax = 2\n[processors]\npath = "{folder}"\n') as running:
        yield running


def submit(daemon, folder, steps, script="", retry=None, kind="count", **more):
    params = {"steps": steps, "script": script}
    params.update({name: more.pop(name) for name in ("interval", "output") if name in more})
    return daemon.call("io.batchd.Jobs.Submit", type=kind, params=params, cwd=str(folder),
                       retry=retry or {"base_ms": 1, "jitter": "none"}, **more)["id"]


def checkpoints(daemon, ident):
    return daemon.state / "jobs" / str(ident) / "checkpoint"


def newest(daemon, ident):
    numbers = [int(entry.name) for entry in checkpoints(daemon, ident).iterdir() if entry.name.isdigit()]
    return checkpoints(daemon, ident) / str(max(numbers)) / "data"


def log(folder):
    path = folder / "log"
    return path.read_text().splitlines() if path.exists() else []


def processes(daemon, is_one):
    """Of this daemon's jobs, those whose words are such."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            words = (entry / "cmdline").read_bytes().decode().split("\0")
            if is_one(words) and str(daemon.state) in (entry / "environ").read_bytes().decode():
                found.append(int(entry.name))
    return found


def makers(daemon):
    """The processes that make a checkpoint now."""
    return processes(daemon, lambda words: words[1:2] == ["checkpoint"])


def counters(daemon):
    """The processors that run now."""
    return processes(daemon, lambda words: words[0].endswith("python3") and words[2:3] and words[2].endswith("/count/count"))


@contextlib.contextmanager
def nobody_commits(daemon, ident):
    """While this holds the folder's lock every commit waits."""
    folder = checkpoints(daemon, ident)
    folder.mkdir(parents=True, exist_ok=True)
    held = os.open(folder, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(held)


def test_a_line_makes_a_checkpoint_and_the_next_attempt_goes_on(daemon, tmp_path):
    ident = submit(daemon, tmp_path, 6, "while n == 4 and attempt == 1: time.sleep(0.02)")
    wait_until(lambda: (daemon.job(ident)["checkpoint"] or {}).get("bytes", 0) > 0 and
               (newest(daemon, ident) / "state").read_text().splitlines()[-1].startswith("4 "))
    os.kill(daemon.worker_pid(ident), signal.SIGKILL)
    job = daemon.wait(ident, seconds=60)[0]
    assert (job["state"], job["attempt"]) == ("completed", 2)
    assert [line for line in log(tmp_path) if "began" in line] == ["1 began 0", "2 began 4"]
    job = daemon.job(ident)
    assert job["resumed_from"]["attempt"] == 1 and job["note"] is None
    assert job["checkpoint"]["attempt"] == 2
    assert (newest(daemon, ident) / "state").read_text() == (tmp_path / "sums").read_text()


def test_what_is_asked_for_last_is_made_behind_the_job(daemon, tmp_path):
    """It ends right after its line, as a processor does that is told to leave."""
    ident = submit(daemon, tmp_path, 5, "if n == 3 and attempt == 1: sys.exit(75)", interval=3)
    job = daemon.wait(ident, seconds=60)[0]
    assert (job["state"], job["attempt"]) == ("completed", 2)
    assert "2 began 3" in log(tmp_path)
    # Made beside it and, if the end came before that was known, once more behind it.
    assert daemon.job(ident)["resumed_from"] in ({"number": 1, "attempt": 1}, {"number": 2, "attempt": 1})


def test_it_is_made_when_the_time_is_over(daemon, tmp_path):
    leave = "signal.signal(signal.SIGTERM, lambda *_: (write('state', sums), checkpoint('state'), sys.exit(75)))\n"
    ident = submit(daemon, tmp_path, 5, leave + "while n == 2 and attempt == 1: time.sleep(0.02)", interval=100,
                   timeout_ms=4000, retry={"on": ["timeout"], "base_ms": 1, "jitter": "none"})
    job = daemon.wait(ident, seconds=60)[0]
    assert (job["state"], job["attempt"]) == ("completed", 2)
    assert "2 began 2" in log(tmp_path)


def test_of_two_lines_at_once_the_last_is_the_newest(daemon, tmp_path):
    script = "for i in range(1, 4): write(f's{i}', sums + f'{i} 0\\n')\n" \
             "say(*({'type': 'checkpoint', 'path': f's{i}'} for i in range(1, 4)))"
    ident = submit(daemon, tmp_path, 1, script, interval=100)
    assert daemon.wait(ident)[0]["state"] == "completed"
    assert [entry.name for entry in newest(daemon, ident).iterdir()] == ["s3"]
    assert daemon.job(ident)["note"] is None


@pytest.mark.parametrize("line,why", [
    ('{"type":"checkpoint","path":"absent"}', '"absent": No such file or directory'),
    ('{"type":"checkpoint"}', "path"),
    ('{"type":"checkpoint","path":7}', "path"),
    ('{"type":"checkpoint","path":"state"', ""),
    ('{"type":"checkpoint","path":"/"}', "holds the job's checkpoints"),
    ('{"type":"checkpoint","path":"' + "x" * 9000 + '"}', "its line is longer than 8191 bytes"),
])
def test_one_that_cannot_be_made_is_noted_and_fails_no_job(daemon, tmp_path, line, why):
    ident = submit(daemon, tmp_path, 2, f"os.write(3, {line + chr(10)!r}.encode()); time.sleep(0.3)", interval=100)
    assert daemon.wait(ident)[0]["state"] == "completed"
    note = daemon.job(ident)["note"]
    assert note.startswith("no checkpoint was made: ") and why in note
    assert "note: no checkpoint was made: " in daemon.ctl("show", str(ident)).stdout
    assert "batchd: no checkpoint was made: " in daemon.ctl("logs", "--stderr", str(ident)).stderr
    assert daemon.job(ident)["checkpoint"] is None


def test_one_that_is_withdrawn_is_not_missed(daemon, tmp_path):
    ident = submit(daemon, tmp_path, 1, "say({'type': 'checkpoint', 'path': 'gone'}, {'type': 'checkpoint', 'path': None})",
                   interval=100)
    assert daemon.wait(ident)[0]["state"] == "completed"
    job = daemon.job(ident)
    assert (job["note"], job["checkpoint"]) == (None, None)


def test_what_went_from_its_own_folder_is_not_missed(daemon, tmp_path):
    """Its processor was done with it before anybody looked."""
    ident = submit(daemon, tmp_path, 1, "say({'type': 'checkpoint', 'path': os.environ['BATCHD_CHECKPOINT_DIR'] + '/work/log'})", interval=100)
    assert daemon.wait(ident)[0]["state"] == "completed"
    job = daemon.job(ident)
    assert (job["note"], job["checkpoint"]) == (None, None)


SECRET = "was not the job's to keep"
OWN = "own = os.environ['BATCHD_CHECKPOINT_DIR'] + '/work'\nos.makedirs(own, exist_ok=True)\n"


@pytest.mark.parametrize("path", ["'secret'", "os.path.abspath('secret')", "'../' + os.path.basename(os.getcwd())",
                                  "own + '/../../../../secret'", "own + '/link'", "own", "own + '/..'",
                                  "own + '-not/state'"])
def test_one_that_confines_itself_has_nothing_else_kept(daemon, tmp_path, path):
    """It may have been taken over by what it read: batchd, which is not confined, copies nothing for it."""
    (tmp_path / "secret").write_text(SECRET)
    (daemon.state / "secret").write_text(SECRET)
    script = OWN + "os.makedirs(own + '-not')\nwrite(own + '-not/state', '1 1')\n" \
        f"os.symlink(os.path.abspath('secret'), own + '/link')\ncheckpoint({path})"
    ident = submit(daemon, tmp_path, 1, script, interval=100, kind="confined")
    assert daemon.wait(ident)[0]["state"] == "completed"
    job = daemon.job(ident)
    assert job["checkpoint"] is None and "is not in BATCHD_CHECKPOINT_DIR/work" in job["note"]
    assert SECRET not in [path.read_text() for path in checkpoints(daemon, ident).rglob("data/**/*") if path.is_file()]


def test_one_that_confines_itself_has_its_own_kept(daemon, tmp_path):
    ident = submit(daemon, tmp_path, 1, OWN + "write(own + '/done.log', 'unit 1')\ncheckpoint(own + '/done.log')",
                   interval=100, kind="confined")
    assert daemon.wait(ident)[0]["state"] == "completed"
    assert daemon.job(ident)["note"] is None
    assert (newest(daemon, ident) / "done.log").read_text() == "unit 1"


def test_what_is_removed_while_it_is_copied_is_not_missed(daemon, tmp_path):
    big = tmp_path / "big"
    big.mkdir()
    for number in range(20):
        (big / str(number)).write_bytes(os.urandom(1 << 20))
    ident = submit(daemon, tmp_path, 1, "say({'type': 'checkpoint', 'path': 'big'})\n"
                   "while not os.path.exists('remove'): time.sleep(0.01)\n"
                   "say({'type': 'checkpoint', 'path': None})\n"
                   "os.system('rm -r big')\n"
                   "while os.path.exists('remove'): time.sleep(0.01)", interval=100)
    copied = checkpoints(daemon, ident)
    wait_until(lambda: copied.exists() and any(copied.rglob("[0-9]*")))
    [maker] = makers(daemon)
    os.kill(maker, signal.SIGSTOP)
    (tmp_path / "remove").write_text("")
    wait_until(lambda: not big.exists())
    os.kill(maker, signal.SIGCONT)
    wait_until(lambda: not makers(daemon))
    (tmp_path / "remove").unlink()
    assert daemon.wait(ident)[0]["state"] == "completed"
    job = daemon.job(ident)
    assert (job["note"], job["checkpoint"]) == (None, None)


def test_lines_that_only_look_like_it_make_none(daemon, tmp_path):
    script = "os.write(3, b'{\"type\":\"checkpoints\",\"path\":\"log\"}\\n {\"type\":\"checkpoint\",\"path\":\"log\"}\\n" \
             "x{\"type\":\"checkpoint\",\"path\":\"log\"}\\n')"
    ident = submit(daemon, tmp_path, 1, script, interval=100)
    assert daemon.wait(ident)[0]["state"] == "completed"
    assert not checkpoints(daemon, ident).exists() and daemon.job(ident)["note"] is None


def test_nobody_waits_for_it(daemon, tmp_path):
    """Neither the processor nor its worker: it reports, is signalled, and is cancelled as ever."""
    script = "say({'type': 'progress', 'fraction': n / steps})\n" \
             "signal.signal(signal.SIGUSR1, lambda *_: note('heard'))\ntime.sleep(0.05)"
    ident = submit(daemon, tmp_path, 1000, "while n == 1 and not os.path.exists('go'): time.sleep(0.02)\n" + script)
    wait_until(lambda: daemon.job(ident)["checkpoint"] is not None and not makers(daemon))
    with nobody_commits(daemon, ident):
        (tmp_path / "go").touch()
        wait_until(lambda: makers(daemon))
        done = len(log(tmp_path))
        wait_until(lambda: len(log(tmp_path)) >= done + 10)
        wait_until(lambda: (daemon.job(ident)["progress"] or {}).get("fraction", 0) > 0)
        making = makers(daemon)
        daemon.call("io.batchd.Jobs.Signal", id=ident, signal="USR1")
        wait_until(lambda: "1 heard" in log(tmp_path))
        assert len(making) == 1 and makers(daemon) == making  # it has heard nothing
        began = time.monotonic()
        daemon.call("io.batchd.Jobs.Cancel", id=ident)
        assert daemon.wait(ident)[0]["state"] == "cancelled"
        assert time.monotonic() - began < 20 and not makers(daemon)


def test_one_that_somebody_kills_is_made_anew(daemon, tmp_path):
    script = "while not os.path.exists(f'go-{n}'): time.sleep(0.02)"
    ident = submit(daemon, tmp_path, 2, script, interval=2)
    daemon.wait_running(ident)
    with nobody_commits(daemon, ident):
        (tmp_path / "go-1").touch()
        wait_until(lambda: makers(daemon))
        killed = makers(daemon)[0]
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: [pid for pid in makers(daemon) if pid != killed])
        [anew] = [pid for pid in makers(daemon) if pid != killed]
    # Reaped too: of a job that ends before that its worker has it made again.
    wait_until(lambda: daemon.job(ident)["checkpoint"] is not None and not os.path.exists(f"/proc/{anew}"))
    (tmp_path / "go-2").touch()
    assert daemon.wait(ident)[0]["state"] == "completed"
    assert daemon.job(ident)["checkpoint"]["number"] == 1 and daemon.job(ident)["note"] is None


def test_one_that_is_killed_each_time_is_given_up(daemon, tmp_path):
    script = "while not os.path.exists(f'go-{n}'): time.sleep(0.02)"
    ident = submit(daemon, tmp_path, 2, script, interval=2)
    daemon.wait_running(ident)
    killed = set()
    with nobody_commits(daemon, ident):
        (tmp_path / "go-1").touch()
        for _ in range(2):
            wait_until(lambda: set(makers(daemon)) - killed)
            killed.update(makers(daemon))
            os.kill(max(makers(daemon), key=lambda pid: os.stat(f"/proc/{pid}").st_ctime), signal.SIGKILL)
        wait_until(lambda: daemon.job(ident)["note"] is not None)
        assert daemon.job(ident)["note"] == "no checkpoint was made: batchd-job, which makes it, was killed"
    (tmp_path / "go-2").touch()
    assert daemon.wait(ident)[0]["state"] == "completed"


def test_a_suspended_one_stands(daemon, tmp_path):
    ident = submit(daemon, tmp_path, 100000, "time.sleep(0.01)", interval=3)
    wait_until(lambda: daemon.job(ident)["checkpoint"] is not None)
    daemon.call("io.batchd.Jobs.Suspend", id=ident)
    wait_until(lambda: daemon.job(ident)["state"] == "suspended")
    [counts] = counters(daemon)
    wait_until(lambda: is_halted(counts))
    before = len(log(tmp_path))
    time.sleep(0.5)  # nothing else can show that nothing happens
    assert len(log(tmp_path)) == before
    daemon.call("io.batchd.Jobs.Resume", id=ident)
    made = daemon.job(ident)["checkpoint"]["number"]
    wait_until(lambda: daemon.job(ident)["checkpoint"]["number"] > made + 2)
    daemon.call("io.batchd.Jobs.Cancel", id=ident)
    daemon.wait(ident)


# ---- the end of a job while its last checkpoint is made behind it ----


@contextlib.contextmanager
def ended_and_uncommitted(daemon, folder, ident):
    """It has ended well, its output is not in its place yet, and its checkpoint cannot be made. Its worker
    knows: the process is reaped. Before that, whoever is told to end is told while the job runs, and what
    it asked for last has 20 seconds (worker/job_behind.c)."""
    wait_until(lambda: log(folder))  # it is the processor by now, and what it is called does not change
    [ran] = counters(daemon)
    with nobody_commits(daemon, ident):
        (folder / "go").touch()
        wait_until(lambda: len(makers(daemon)) == 1 and not os.path.exists(f"/proc/{ran}"))
        yield


def submit_with_output(daemon, folder, **more):
    """The first attempt ends well after its first step and the line of its checkpoint."""
    script = "while not os.path.exists('go'): time.sleep(0.01)\n" \
             "open(os.environ['BATCHD_OUTPUT'], 'w').write(f'{attempt}')\n" \
             "if n == 1: write('state', sums); checkpoint('state'); sys.exit(0)"
    return submit(daemon, folder, 2, script, interval=100, outputs=["out"], **more)


def test_cancel_while_the_last_is_made(daemon, tmp_path):
    ident = submit_with_output(daemon, tmp_path)
    with ended_and_uncommitted(daemon, tmp_path, ident):
        daemon.call("io.batchd.Jobs.Cancel", id=ident, grace_ms=0)
        assert daemon.wait(ident)[0]["state"] == "cancelled"
    assert not (tmp_path / "out").exists()


def test_its_worker_is_told_to_end_while_the_last_is_made(daemon, tmp_path):
    """The outputs have as long as the job would have had: what is looked at for longer runs again."""
    ident = submit_with_output(daemon, tmp_path, checks=["test $BATCHD_ATTEMPT != 1 || sleep 1000"])
    with ended_and_uncommitted(daemon, tmp_path, ident):
        os.kill(daemon.worker_pid(ident), signal.SIGTERM)
        wait_until(lambda: daemon.job(ident)["attempt"] > 1, seconds=60)
    assert daemon.wait(ident, seconds=60)[0]["state"] == "completed"
    assert (tmp_path / "out").read_text() == str(daemon.job(ident)["attempt"])


@pytest.mark.parametrize("code,state", [(0, "completed"), (1, "failed")])
@pytest.mark.parametrize("stop", ["cancel", "end of its worker"])
def test_what_has_ended_without_outputs_is_what_it_was(daemon, tmp_path, stop, code, state):
    """Whoever stops it then ends the making of its checkpoint alone. A job that failed and is cancelled
    is called cancelled, as ever."""
    script = f"while not os.path.exists('go'): time.sleep(0.01)\nwrite('state', sums)\ncheckpoint('state')\nsys.exit({code})"
    ident = submit(daemon, tmp_path, 1, script, interval=100)
    with ended_and_uncommitted(daemon, tmp_path, ident):
        if stop == "cancel":
            daemon.call("io.batchd.Jobs.Cancel", id=ident, grace_ms=0)
        else:
            os.kill(daemon.worker_pid(ident), signal.SIGTERM)
        job = daemon.wait(ident, seconds=15)[0]
    assert (job["state"], job["attempt"]) == ("cancelled" if stop == "cancel" and code else state, 1)
    assert job["outcome"]["exit_code"] == code


@contextlib.contextmanager
def held_as_dead(pid):
    """While this holds, the process stays in its parent's way once it is dead: we watch it."""
    seize = 0x4206
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(seize, pid, None, None) < 0:
        pytest.skip(f"no process may be watched here: {os.strerror(ctypes.get_errno())}")
    try:
        yield
    finally:
        os.waitpid(pid, 0)


def pending(pid, number):
    words = pathlib.Path(f"/proc/{pid}/status").read_text().split()
    return int(words[words.index("ShdPnd:") + 1], 16) >> (number - 1) & 1


def test_its_worker_is_told_to_end_before_the_last_is_made(daemon, tmp_path):
    """What the job left behind is still being killed then. The checkpoint has no longer than it would have
    if its making had begun: 5 seconds (worker/worker.c), not the 20 of one that nobody waits for."""
    ident = submit(daemon, tmp_path, 1, "child = os.fork() or time.sleep(1000)\nwrite('child', str(child))\n"
                   "while not os.path.exists('go'): time.sleep(0.01)\nwrite('state', sums)\ncheckpoint('state')", interval=100)
    wait_until(lambda: (tmp_path / "child").exists())
    ran = next(int(pid) for pid in counters(daemon) if pid != int((tmp_path / "child").read_text()))
    with nobody_commits(daemon, ident):
        with held_as_dead(int((tmp_path / "child").read_text())):
            (tmp_path / "go").touch()
            wait_until(lambda: not os.path.exists(f"/proc/{ran}"))
            worker = daemon.worker_pid(ident)
            os.kill(worker, signal.SIGTERM)
            wait_until(lambda: not pending(worker, signal.SIGTERM))
        job = daemon.wait(ident, seconds=15)[0]
    assert (job["state"], job["attempt"]) == ("completed", 1)
    assert "took too long" in daemon.job(ident)["note"]


def test_one_behind_the_job_that_cannot_be_started_is_noted(tmp_path):
    """Of two within a second the latter is made behind it."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("batchd", "batchd-worker", "batchd-job"):
        shutil.copy(OUT / name, programs)
    counting.install(tmp_path / "types")
    with Daemon(batchd=programs / "batchd", config=f'[processors]\npath = "{tmp_path / "types"}"\n') as daemon:
        script = f"made = '{daemon.state}/jobs/' + os.environ['BATCHD_JOB_ID'] + '/checkpoint/1'\n" \
                 f"while not os.path.exists(made): time.sleep(0.01)\n" \
                 f"os.unlink('{programs / 'batchd-job'}')\ncheckpoint('state')"
        ident = submit(daemon, tmp_path, 1, script)
        assert daemon.wait(ident)[0]["state"] == "completed"
        assert daemon.job(ident)["note"].startswith("no checkpoint was made: cannot run ")


def test_at_most_one_a_second(daemon, tmp_path):
    """Of those asked for meanwhile the last is made; however often it asks, and how small it is."""
    ident = submit(daemon, tmp_path, 1000, "time.sleep(0.002)", interval=1)
    began = time.monotonic()
    assert daemon.wait(ident, seconds=60)[0]["state"] == "completed"
    took = time.monotonic() - began
    assert daemon.job(ident)["checkpoint"]["number"] <= took + 3  # the first, the last, and one made twice
    assert (newest(daemon, ident) / "state").read_text().splitlines()[-1].startswith("1000 ")
