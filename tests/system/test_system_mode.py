"""What jobs of other users may do and what is done for them, without systemd: the spawner is root, and
the jobs are those of the first account that may have some. tests/vm/service.sh is the whole of it."""
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

import counting
import pytest
import serving
from daemon import OUT, Daemon, wait_until

USERS = [entry for entry in pwd.getpwall() if 1000 <= entry.pw_uid < 65534]
pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not USERS, reason="needs root, and an account for jobs")
PROGRAMS = ("batchd", "batchd-worker", "batchd-job", "batchctl")


class System(Daemon):
    def __init__(self, place, user):
        super().__init__(folder=place / "state",
                         config=f'[workers]\nmax = 2\n[processors]\npath = "{place}/types"\n')
        self.user, self.programs, self.spawner = user, place / "bin", None
        self.home = place / "home"

    def run(self, program, *options):
        with open(self.log, "ab") as log:
            return subprocess.Popen([self.programs / program, *options, "--system", "--state", self.state],
                                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env)

    def start_spawner(self):
        self.spawner = self.run("batchd-worker", "--spawner", "--foreground", "--group", "nogroup", "--front-uid", "root")

    def stop_spawner(self, number=signal.SIGTERM):
        """Its workers end with it; of SIGUSR1, as systemd stops it, they go on."""
        self.spawner.send_signal(number)
        self.spawner.wait(timeout=40)

    def start(self, wait=True):
        self.state.chmod(0o751)
        if self.spawner is None:
            self.start_spawner()
        self.process = self.run("batchd", "--config", self.config)
        self.wait_ready()
        self.socket.chmod(0o666)

    def as_user(self, *words, check=True):
        return subprocess.run(words, cwd=self.home, user=self.user.pw_uid, group=self.user.pw_gid,
                              extra_groups=[], capture_output=True, text=True, timeout=60, check=check,
                              env={"PATH": f"{self.programs}:/usr/bin:/bin", "HOME": str(self.home),
                                   "BATCHD_SOCKET": str(self.socket)})

    def submit_shell(self, text, *options):
        done = self.as_user("batchctl", "submit", "-q", "--env", "PATH", *options, "--", "/bin/sh", "-c", text)
        return int(done.stdout)

    def destroy(self):
        super().destroy()
        if self.spawner is not None:
            self.stop_spawner()


@pytest.fixture(scope="module")
def system():
    with tempfile.TemporaryDirectory(prefix="batchd-system-") as name:
        place = pathlib.Path(name)
        place.chmod(0o755)
        for folder in ("bin", "state", "home"):
            (place / folder).mkdir(mode=0o755)
        for program in PROGRAMS:
            shutil.copy(OUT / program, place / "bin" / program)
        counting.install(place / "types")
        serving.install(place / "types")
        os.chown(place / "home", USERS[0].pw_uid, USERS[0].pw_gid)
        with System(place, USERS[0]) as running:
            yield running


RESUMES = """if [ -z "$BATCHD_CHECKPOINT" ]; then id -u >s; batchctl checkpoint commit s; touch made; sleep 1000; fi
cat "$BATCHD_CHECKPOINT" >"$BATCHD_OUTPUT" """


def mode(path):
    found = path.stat()
    return found.st_uid, oct(found.st_mode & 0o777)


def test_checkpoints_and_outputs_are_the_users(system):
    uid = system.user.pw_uid
    ident = system.submit_shell(RESUMES, "--output", "result", "--check", 'id -u >checked; test -s "$1"')
    wait_until((system.home / "made").exists)
    mine = system.state / "checkpoints" / str(uid)
    assert mode(system.state / "checkpoints") == (0, "0o711")
    assert mode(mine) == mode(mine / str(ident)) == (uid, "0o700")
    assert mode(system.state / "jobs")[0] == 0
    for path in (system.state, system.state / "checkpoints", system.state / "jobs"):
        assert system.as_user("ls", path, check=False).returncode != 0
        assert system.as_user("mkdir", path / "mine", check=False).returncode != 0
    workers = system.processes("--worker")
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    assert system.wait(ident, seconds=60)[0]["state"] == "completed"
    assert system.job(ident)["resumed_from"] == {"number": 1, "attempt": 1}
    assert (system.home / "result").stat().st_uid == (system.home / "checked").stat().st_uid == uid
    assert (system.home / "result").read_text() == (system.home / "checked").read_text() == f"{uid}\n"


def test_the_checkpoint_of_a_line_is_made_by_the_user(system):
    """What only the user can read, too; its worker is root's."""
    secret = system.home / "secret"
    secret.write_text("of root")
    secret.chmod(0o600)
    uid = system.user.pw_uid
    script = "checkpoint('secret')\nwhile not os.path.exists('noted'): time.sleep(0.01)\n" \
             "write('state', sums); os.chmod('state', 0o600); checkpoint('state')"
    done = system.as_user("batchctl", "submit", "-q", "--env", "PATH", "--type", "count", "--param", "steps=1",
                          "--param", "interval=2", "--param", f"script={script}")
    ident = int(done.stdout)
    wait_until(lambda: system.job(ident)["note"] is not None)
    (system.home / "noted").touch()
    assert system.wait(ident)[0]["state"] == "completed"
    mine = system.state / "checkpoints" / str(uid) / str(ident)
    made = {path: path.stat().st_uid for path in mine.rglob("*")}
    assert mine / "1/data/state" in made and set(made.values()) == {uid}
    assert system.job(ident)["checkpoint"]["bytes"] > 0
    assert "secret\": Permission denied" in system.job(ident)["note"]
    assert not list(mine.rglob("secret"))


@pytest.mark.parametrize("path", ["/etc/batchd-was-here", "/etc/passwd", "/root/x", "/proc/self/x"])
def test_no_output_where_the_user_may_not_write(system, path):
    before = os.path.exists(path)
    ident = system.submit_shell('echo x >"$BATCHD_OUTPUT" || true', "--output", path)
    assert system.wait(ident)[0]["state"] == "failed"
    assert os.path.exists(path) == before
    assert not [name for name in os.listdir("/etc") if name.startswith(".batchd-")]


def test_what_goes_with_a_job_is_its_users_alone(system, tmp_path):
    """Links are not followed, and what belongs to another is left, however it came there."""
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    ident = system.submit_shell(f'echo 1 >s; batchctl checkpoint commit s; ln -s {kept} "$BATCHD_CHECKPOINT_DIR/link"')
    assert system.wait(ident)[0]["state"] == "completed"
    mine = system.state / "checkpoints" / str(system.user.pw_uid) / str(ident)
    (mine / "of-root").mkdir()
    (mine / "of-root/file").touch()
    assert system.as_user("batchctl", "prune", "-q", "--older", "0", str(ident)).returncode == 0
    wait_until(lambda: f"the folder of job {ident} is not removed" in system.log.read_text(), 60)
    assert (kept / "file").exists() and (mine / "of-root/file").exists()
    shutil.rmtree(mine, ignore_errors=True)  # it may be tried again meanwhile


def test_a_folder_that_is_a_link_is_not_entered(system, tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    ident = system.submit_shell(f'ln -s {kept} "$BATCHD_CHECKPOINT_DIR"')
    assert system.wait(ident)[0]["state"] == "completed"
    mine = system.state / "checkpoints" / str(system.user.pw_uid) / str(ident)
    assert mine.is_symlink()
    assert system.as_user("batchctl", "prune", "-q", "--older", "0", str(ident)).returncode == 0
    wait_until(lambda: not os.listdir(system.state / "jobs") or str(ident) not in os.listdir(system.state / "jobs"))
    assert (kept / "file").exists()


def test_the_users_folder_appears_with_its_owner(system):
    """A worker that died between making it and giving it away is made up for."""
    mine = system.state / "checkpoints" / str(system.user.pw_uid)
    shutil.rmtree(mine, ignore_errors=True)  # it may be tried again meanwhile
    (mine.parent / f".{system.user.pw_uid}").mkdir(mode=0o700)
    ident = system.submit_shell("echo 1 >s; batchctl checkpoint commit s")
    assert system.wait(ident)[0]["state"] == "completed"
    assert mode(mine)[0] == system.user.pw_uid
    assert (mine / str(ident) / "1").exists()


def test_a_server_is_its_users(system):
    """With its rights, and nothing that could give it more."""
    found = []
    for _ in range(4):
        job = int(system.as_user("batchctl", "submit", "-q", "--type", "server").stdout)
        system.wait(job)
        found.append(system.job(job)["result"]["facts"])
    assert [f["served"] for f in found][-2:] == [True, True] and found[-1]["pid"] == found[-2]["pid"]
    assert {f["uid"] for f in found} == {system.user.pw_uid}
    status = pathlib.Path(f"/proc/{found[-1]['pid']}/status").read_text()
    assert "NoNewPrivs:\t1" in status and f"Uid:\t{system.user.pw_uid}\t{system.user.pw_uid}" in status


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one processor")
def test_without_a_spawner_no_worker_makes_way(system):
    """Though none may use as many processors as a job is to be bound to: none would come in its place."""
    usable = sorted(os.sched_getaffinity(0))
    wide = system.submit_shell("true", "--cpu-bind", "cores", "-c2", "--hold", "-p", "urgent")
    os.sched_setaffinity(system.spawner.pid, usable[:1])
    for pid in system.processes("--worker"):
        os.kill(pid, signal.SIGKILL)
    system.wait(system.submit_shell("true", "--cpu-bind", "cores"))
    system.stop_spawner(signal.SIGUSR1)
    system.call("io.batchd.Jobs.Release", id=wide)
    workers = system.processes("--worker")
    end = time.monotonic() + 12  # processors are looked at again after ten seconds
    while time.monotonic() < end:
        assert system.wait(system.submit_shell("sleep 0.2"), seconds=8)[0]["state"] == "completed"
    assert system.processes("--worker") == workers and system.job(wide)["state"] == "pending"
    system.start_spawner()
    assert system.wait(wide, seconds=40)[0]["state"] == "completed"
