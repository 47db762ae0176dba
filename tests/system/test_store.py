"""The store: older ones are brought up to date, damaged rows are found."""
import pathlib
import sqlite3
import struct
import subprocess
import time

import pytest

from daemon import OUT, Daemon, Refused
from records import crc32c

DATA = pathlib.Path(__file__).resolve().parents[1] / "data"


def check_store(daemon):
    return subprocess.run([OUT / "batchd", "--state", daemon.state, "--config", daemon.config,
                           "--check-store"], capture_output=True, text=True, timeout=60, check=False)


def old_store(daemon, version):
    with sqlite3.connect(daemon.state / "batchd.db") as db:
        db.executescript((DATA / f"store-{version}.sql").read_text())
    db.close()


@pytest.mark.parametrize("version", range(1, 14))
def test_a_store_of_an_older_version_is_brought_up_to_date(make_daemon, version):
    daemon = make_daemon()
    old_store(daemon, version)
    daemon.start()
    daemon.wait(6)  # it ran, and its worker is not there
    jobs = {job["id"]: job for job in daemon.jobs()}
    assert [jobs[i]["state"] for i in range(1, 7)] == ["failed", "completed", "cancelled",
                                                       "completed", "cancelled", "cancelled"]
    assert jobs[1]["outcome"]["exit_code"] == 3
    history = daemon.call("io.batchd.Jobs.Show", id=1, attempts=True)["job"]["attempts"]
    assert [one["attempt"] for one in history] == [1, 2]
    assert jobs[7]["resources"] == {"cpus": 2, "memory_bytes": 1 << 30, "gpus": 0, "disk_bytes": 0}
    assert daemon.submit("true", array="0-3") == 8  # no id is used twice
    daemon.wait(8)
    assert jobs[7]["queue"] == "default"
    if version == 4:
        assert daemon.submit("other", key="a") == 2  # what was asked for is not known: the key decides
    if version >= 5:
        with pytest.raises(Refused) as refused:
            daemon.submit("other", key="a")
        assert refused.value.name == "io.batchd.KeyConflict" and refused.value.parameters["id"] == 2
        assert daemon.submit("true", array="0-1", key="a", env={"PATH": "/usr/bin:/bin"}) == 2
    if version >= 6:
        assert (jobs[6]["queue"], jobs[6]["unique"]) == ("night", "only")
    if version >= 5:
        assert jobs[7]["retry_of"] == 1
    if version >= 4:
        queues = daemon.call("io.batchd.Queues.List")["queues"]
        assert {queue["name"]: queue["slots"] for queue in queues}["night"] == 2
        assert [one["name"] for one in daemon.call("io.batchd.Schedules.List")["schedules"]] == ["yearly"]
        assert (jobs[3]["depends"], jobs[4]["max_fails"]) == ("afterany:1", "50%")
        assert jobs[5]["array"]["cancelled"] == 10
    assert daemon.job(7)["reasons"] == (["Held"] if version >= 3 else daemon.job(7)["reasons"])
    if version in (11, 13):
        minute, = daemon.call("io.batchd.Server.Stats", machine=True)["machine"]
        assert (minute["cpu"], minute["load"]) == ({"mean": 0.25, "highest": 0.4}, {"mean": 1.5, "highest": 2})
        assert (minute["swap"], minute["cpu_user"], minute["disks"], minute["gpus"]) == (None, None, [], [])
    daemon.kill()
    assert check_store(daemon).returncode == 0


@pytest.mark.parametrize("damage", [False, True])
def test_tasks_cancelled_before_the_first_began_are_summed_up_from_now_on(make_daemon, damage):
    """The sum of version 6 left them out while none had begun. One that was wrong then is wrong still."""
    daemon = make_daemon()
    old_store(daemon, 6)
    with sqlite3.connect(daemon.state / "batchd.db") as db:
        row = db.execute("SELECT id,state,attempt,charged,losses,cancelling,worker,started_at,ended_at,class,"
                         "exit_code,signal,user_us,system_us,run_us,max_rss_bytes,stdout_bytes,stderr_bytes,"
                         "cut_bytes,lost_bytes FROM job WHERE id=5").fetchone()
        message, = db.execute("SELECT message FROM job WHERE id=5").fetchone()
        summed = struct.pack(f"<{len(row)}qq", *row, len(message)) + message.encode() + struct.pack("<q", -1)
        db.execute("UPDATE job SET next=0, status_sum=? WHERE id=5", (crc32c(summed) ^ damage,))
    db.close()
    daemon.start()
    if not damage:
        assert daemon.job(5)["array"]["cancelled"] == 10
    daemon.kill()
    assert check_store(daemon).returncode == (65 if damage else 0)
    with sqlite3.connect(daemon.state / "batchd.db") as db:
        db.execute("UPDATE job SET tasks_cancelled=9 WHERE id=5")
    db.close()
    assert check_store(daemon).returncode == 65


@pytest.mark.parametrize("change", ["UPDATE job SET name='other' WHERE id=1",
                                    "UPDATE job SET run_us=run_us+1 WHERE id=1",
                                    "UPDATE job SET ended_at=-ended_at WHERE id=1",
                                    "UPDATE job SET tasks_failed=1 WHERE id=2",
                                    "UPDATE job SET tasks_cancelled=1 WHERE id=1",
                                    "UPDATE task SET exit_code=7 WHERE task_index=1",
                                    "UPDATE task SET memory_bytes=7 WHERE task_index=1",
                                    "UPDATE job SET array='0-9' WHERE id=2",
                                    "UPDATE job SET unique_key='w' WHERE id=3",
                                    "UPDATE condition SET begin_at=0",
                                    "UPDATE queue_setting SET value='3'",
                                    "UPDATE job SET queue='other' WHERE id=1",
                                    "UPDATE worker SET sum=NULL",
                                    "UPDATE schedule SET done_until=0",
                                    "UPDATE schedule SET job='{}'"])
def test_a_changed_row_fails_its_checksum(daemon, change):
    daemon.wait(daemon.submit("true"), daemon.submit("true", array="0-2"))
    daemon.submit("true", begin=int((time.time() + 3600) * 1e6), hold=True, unique="u")
    daemon.call("io.batchd.Queues.Add", name="other", slots=2)
    daemon.call("io.batchd.Schedules.Add", name="one", at="@yearly", job={"argv": ["true"]})
    daemon.kill()
    assert check_store(daemon).returncode == 0
    with sqlite3.connect(daemon.state / "batchd.db") as db:
        db.execute(change)
    db.close()
    found = check_store(daemon)
    assert found.returncode == 65
    assert "fails its checksum" in found.stderr


def test_a_header_of_a_format_that_there_is_not_is_damage(make_daemon):
    daemon = make_daemon()
    daemon.start()
    assert daemon.stop() == 0
    store = daemon.state / "batchd.db"
    with open(store, "r+b") as file:
        file.seek(47)  # the schema format, of four bytes
        file.write(b"\x07")
    before = store.read_bytes()
    done = check_store(daemon)
    assert done.returncode == 65
    assert "schema format" in done.stderr
    assert store.read_bytes() == before


def test_checking_a_store_that_is_not_there_makes_none(make_daemon):
    daemon = make_daemon()
    found = check_store(daemon)
    assert found.returncode == 69 and "batchd.db: No such file" in found.stderr
    assert not (daemon.state / "batchd.db").exists()


def test_an_older_batchd_refuses_a_newer_store(make_daemon):
    daemon = make_daemon()
    daemon.start()
    assert daemon.stop() == 0
    with sqlite3.connect(daemon.state / "batchd.db") as db:
        (stamp,) = db.execute("PRAGMA user_version").fetchone()
        assert stamp & 0xff == 14
        db.execute(f"PRAGMA user_version={stamp + 1}")
    db.close()
    found = check_store(daemon)
    assert found.returncode == 65 and "schema version 15, this batchd knows up to 14" in found.stderr


def killed_store(make_daemon, name, **options):
    """A daemon that was killed: its store has a log."""
    daemon = make_daemon(**options)
    daemon.start()
    daemon.wait(daemon.submit("true", name=name))
    daemon.kill()
    assert (daemon.state / "batchd.db-wal").stat().st_size > 0
    return daemon


def files(daemon):
    return {path.name: path.read_bytes() for path in daemon.state.glob("batchd.db*")}


def refused(daemon, text):
    """By --check-store and by a start, which change nothing."""
    before = files(daemon)
    daemon.start(wait=False)
    assert daemon.process.wait(timeout=20) == 65
    found = check_store(daemon)
    assert found.returncode == 65 and text in found.stderr and text in daemon.text()
    assert files(daemon) == before


NOT_ITS_LOG = "batchd.db-wal is not the log of this store"


def test_the_log_of_another_store_is_refused(make_daemon):
    one, two = killed_store(make_daemon, "one"), killed_store(make_daemon, "two")
    logs = [(daemon.state / "batchd.db-wal").read_bytes() for daemon in (one, two)]
    (one.state / "batchd.db-wal").write_bytes(logs[1])
    refused(one, NOT_ITS_LOG)
    (one.state / "batchd.db-wal").write_bytes(logs[0])
    one.start()
    assert [job["name"] for job in one.jobs()] == ["one"]


def test_an_old_log_beside_a_backup_is_refused(make_daemon, tmp_path):
    daemon = make_daemon()
    daemon.start()
    daemon.wait(daemon.submit("true", name="before"))
    assert daemon.ctl("backup", str(tmp_path / "copy.db")).returncode == 0
    daemon.wait(daemon.submit("true", name="after"))
    daemon.kill()
    (daemon.state / "batchd.db").write_bytes((tmp_path / "copy.db").read_bytes())
    refused(daemon, NOT_ITS_LOG)
    (daemon.state / "batchd.db-wal").unlink()
    daemon.start()
    assert [job["name"] for job in daemon.jobs()] == ["before"]
    daemon.restart()
    assert check_store(daemon).returncode == 75


def test_the_log_of_another_time_is_refused(make_daemon):
    daemon = killed_store(make_daemon, "one")
    log = (daemon.state / "batchd.db-wal").read_bytes()
    for _ in range(2):
        daemon.start()
        daemon.stop()
    (daemon.state / "batchd.db-wal").write_bytes(log)
    refused(daemon, NOT_ITS_LOG)


def test_a_log_without_its_store_is_kept(make_daemon):
    daemon = killed_store(make_daemon, "one")
    store = (daemon.state / "batchd.db").read_bytes()
    for there in (None, b""):
        (daemon.state / "batchd.db").unlink()
        if there is not None:
            (daemon.state / "batchd.db").write_bytes(there)
        refused(daemon, "batchd.db-wal is the log of a store that is not there")
        (daemon.state / "batchd.db").touch()
    (daemon.state / "batchd.db").write_bytes(store)
    daemon.start()
    assert [job["name"] for job in daemon.jobs()] == ["one"]


def test_its_own_log_is_taken_wherever_it_was_killed(make_daemon):
    """The log is begun anew many times meanwhile, and copied into the store in part."""
    daemon = make_daemon(config="[store]\nwal_limit = \"1M\"\n")
    daemon.start()
    count = 0
    for batch in (1, 30, 60, 90):
        client = daemon.client()
        for _ in range(batch):
            client.send("io.batchd.Jobs.Submit", argv=["x" * 50000], cwd="/", env={}, hold=True)
        for _ in range(batch):
            client.receive()
        client.close()
        count += batch
        daemon.kill()
        assert check_store(daemon).returncode == 0
        daemon.start()
        assert daemon.job(count)["state"] == "pending"
        daemon.restart()


@pytest.mark.parametrize("change", ["UPDATE number SET value=value+1 WHERE name='life'",
                                    "DELETE FROM number WHERE name='last job'",
                                    "UPDATE sqlite_sequence SET seq=seq-1 WHERE name='job'",
                                    "UPDATE sqlite_sequence SET seq=seq+1 WHERE name='worker'",
                                    "DELETE FROM sqlite_sequence"])
def test_changed_numbers_are_found_before_anything_is_served(make_daemon, change):
    daemon = make_daemon()
    daemon.start()
    daemon.wait(daemon.submit("true"), daemon.submit("true"))
    assert daemon.ctl("prune", "2").returncode == 0
    daemon.stop()
    assert check_store(daemon).returncode == 0
    with sqlite3.connect(daemon.state / "batchd.db") as db:
        db.execute(change)
    db.close()
    found = check_store(daemon)
    assert found.returncode == 65 and ("fails its checksum" in found.stderr or "the last id of" in found.stderr)
    daemon.start(wait=False)
    assert daemon.process.wait(timeout=20) == 65
