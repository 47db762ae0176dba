"""batchctl backup: a sound copy of the store of now, or nothing."""
import contextlib
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import pytest
from daemon import OUT, Daemon, Refused, wait_until

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "crash"))
from backups import OFTEN, backups  # noqa: E402

BACKUP = "io.batchd.Server.Backup"


@pytest.mark.long
def test_some_under_load(make_daemon, tmp_path):
    daemon = make_daemon(config=OFTEN)
    daemon.start()
    assert backups(daemon, 15, tmp_path) == []
    assert not (daemon.state / "backup.tmp").exists()


def test_it_is_restored_by_hand(daemon, tmp_path):
    done = daemon.submit("true")
    daemon.wait(done)
    waits = daemon.submit("sh", "-c", "echo again", hold=True)
    daemon.call("io.batchd.Queues.Add", name="other", slots=3)
    target = tmp_path / "copy.db"
    assert "checked" in daemon.ctl("backup", str(target)).stdout
    assert target.stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(tmp_path)) == ["copy.db"]
    assert target.read_bytes()[18:20] == b"\1\1"  # it needs no log beside it
    with Daemon() as other:
        other.stop()
        for name in ("batchd.db", "batchd.db-wal"):
            (other.state / name).unlink(missing_ok=True)
        shutil.copy(target, other.state / "batchd.db")
        assert subprocess.run([OUT / "batchd", "--state", other.state, "--check-store"], timeout=60,
                              check=False).returncode == 0
        other.start()
        assert [job["state"] for job in other.jobs()] == ["completed", "pending"]
        assert {queue["name"] for queue in other.call("io.batchd.Queues.List")["queues"]} == {"default", "other"}
        other.call("io.batchd.Jobs.Release", id=waits)
        other.wait(waits)


def test_only_the_owner_and_one_at_a_time(daemon, tmp_path):
    client = daemon.client()
    with daemon.stopped():
        client.send(BACKUP, more=True)
        other = daemon.client()
        other.send(BACKUP, more=True)
    with pytest.raises(Refused) as refused:
        while True:
            other.receive()
    assert refused.value.name == "io.batchd.Busy"
    while client.receive()["continues"]:
        pass
    with pytest.raises(Refused) as refused:
        daemon.call(BACKUP)
    assert refused.value.name == "org.varlink.service.ExpectedMore"
    daemon.state.chmod(0o711)
    daemon.socket.chmod(0o666)
    done = subprocess.run([*daemon.ctl_words(), "backup", str(tmp_path / "copy.db")], user=0, capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == 0
    script = f"""import sys; sys.path.insert(0, {str(pathlib.Path(__file__).resolve().parents[1] / 'lib')!r})
import daemon
client = daemon.Client({str(daemon.socket)!r})
client.send({BACKUP!r}, more=True)
try: client.receive()
except daemon.Refused as refused: print(refused.name)"""
    done = subprocess.run([sys.executable, "-c", script], user=12345, capture_output=True, text=True, timeout=60,
                          check=False)
    assert "PermissionDenied" in done.stdout + done.stderr


def fill(daemon, megabytes):
    """Jobs of 100 kB: a copy takes many turns."""
    client = daemon.client(timeout=120)
    count = megabytes * 10
    for _ in range(count):
        client.send("io.batchd.Jobs.Submit", argv=["x" * 100000], cwd="/", env={}, hold=True)
    for _ in range(count):
        client.receive()
    client.close()


def test_a_daemon_killed_in_the_middle_leaves_nothing(daemon, tmp_path):
    fill(daemon, 20)
    target = tmp_path / "copy.db"
    for delay in (0.0, 0.01, 0.03, 0.06, 0.1, 0.2):
        process = subprocess.Popen([*daemon.ctl_words(), "-q", "backup", target], stderr=subprocess.DEVNULL)
        time.sleep(delay)  # somewhere in its way; which is of no importance
        daemon.kill()
        code = process.wait(timeout=60)
        assert target.exists() == (code == 0)
        assert not pathlib.Path(f"{target}.partial").exists()
        target.unlink(missing_ok=True)
        daemon.start()
        assert not (daemon.state / "backup.tmp").exists()


def begun(daemon, target):
    """A backup that is being copied, or checked."""
    while True:
        process = subprocess.Popen([*daemon.ctl_words(), "-q", "backup", target])
        while process.poll() is None:
            if (daemon.state / "backup.tmp").exists():
                return process
        target.unlink()  # it was faster


@pytest.mark.long
def test_a_client_that_goes_leaves_nothing(daemon, tmp_path):
    fill(daemon, 20)
    target = tmp_path / "copy.db"
    for stop in (signal.SIGTERM, signal.SIGINT):
        process = subprocess.Popen([*daemon.ctl_words(), "backup", target], stderr=subprocess.DEVNULL)
        wait_until(lambda: pathlib.Path(f"{target}.partial").exists() or target.exists())
        process.send_signal(stop)
        assert process.wait(timeout=60) != 0 or target.exists()
        assert not pathlib.Path(f"{target}.partial").exists()
        target.unlink(missing_ok=True)
    process = begun(daemon, target)
    process.kill()
    process.wait()
    wait_until(lambda: not (daemon.state / "backup.tmp").exists())
    wait_until(lambda: daemon.ctl("-q", "backup", target).returncode == 0)  # what a killed one left is no hindrance
    assert os.listdir(tmp_path) == ["copy.db"]


def test_a_file_that_cannot_be_is_an_error(daemon, tmp_path):
    (tmp_path / "folder").mkdir()
    for target in (tmp_path / "none" / "copy.db", tmp_path / "folder"):
        done = daemon.ctl("backup", str(target))
        assert done.returncode == 1 and str(target) in done.stderr
    assert "is a folder: backup takes the name of a file" in done.stderr
    assert '"" is empty' in daemon.ctl("backup", "").stderr
    assert sorted(os.listdir(tmp_path)) == ["folder"]
    assert daemon.ctl("backup").returncode == 2


def test_damage_is_found_before_anything_is_sent(daemon, tmp_path):
    job = daemon.submit("true", name="right")
    daemon.wait(job)
    daemon.stop()
    with contextlib.closing(sqlite3.connect(daemon.state / "batchd.db")) as db, db:
        db.execute("UPDATE job SET name='wrong'")
    daemon.start()
    done = daemon.ctl("backup", str(tmp_path / "copy.db"))
    assert done.returncode == 1 and "fails its checksum" in done.stderr
    assert os.listdir(tmp_path) == [] and not (daemon.state / "backup.tmp").exists()


@pytest.mark.long
def test_others_do_not_wait_for_it(daemon):
    fill(daemon, 60)
    client = daemon.client()
    client.send(BACKUP, more=True)
    other = daemon.client()
    longest = 0
    for _ in range(100):
        before = daemon.cpu_seconds()
        other.call("io.batchd.Server.Ping")
        longest = max(longest, daemon.cpu_seconds() - before)
    assert longest < (0.1 if "san" in OUT.name else 0.02)
    other.close()
    client.close()
