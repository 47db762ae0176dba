"""Bad input, second daemons, damaged stores, hostile clients."""
import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import time

import pytest
from daemon import Refused, wait_until
from test_metrics import of, pairs, scrape
from watchdog import Watchdog

SUBMIT = "io.batchd.Jobs.Submit"


@pytest.mark.parametrize("request_,error,word", [
    (b"{", "org.varlink.service.InvalidParameter", "JSON"),
    (b"[]", "org.varlink.service.InvalidParameter", "object"),
    (b'{"method":"x.y"}', "org.varlink.service.MethodNotFound", "method"),
    (b'{"method":1}', "org.varlink.service.InvalidParameter", "method"),
    (b'{"method":"io.batchd.Server.Ping","method":"x"}', "org.varlink.service.InvalidParameter", "duplicate"),
    (b'{"method":"io.batchd.Server.Ping","parameters":{"x":1}}', "org.varlink.service.InvalidParameter", '"x"'),
    (b'{"method":"io.batchd.Jobs.Show","parameters":{"id":"1"}}', "io.batchd.InvalidSpec", "integer"),
    (b'{"method":"io.batchd.Jobs.Show","parameters":{"id":99}}', "io.batchd.NoSuchJob", "99"),
    (b'{"method":"io.batchd.Events.Subscribe"}', "org.varlink.service.ExpectedMore", "more"),
    (b'{"a":' + b"[" * 20 + b"]" * 20 + b"}", "io.batchd.TooLarge", "deep"),
])
def test_bad_requests(daemon, request_, error, word):
    client = daemon.client()
    client.socket.sendall(request_ + b"\n")
    with pytest.raises(Refused) as refused:
        client.receive()
    assert refused.value.name == error and word in refused.value.parameters["message"]
    assert client.call("io.batchd.Server.Ping")


@pytest.mark.parametrize("field,value", [
    ("argv", []), ("argv", [""]), ("argv", "true"), ("argv", [1]),
    ("argv", [{"b64": "!"}]), ("priority", "super"), ("cpus", 0), ("cpus", -1), ("memory", "1G"),
    ("timeout_ms", -5), ("cwd", "relative"), ("env", {"a b": "c"}), ("env", {"A": 1}),
    ("umask", 512), ("tags", {"k": 1}), ("name", ""), ("max_attempts", 0), ("key", "")])
def test_bad_fields_are_named_and_change_nothing(daemon, field, value):
    parameters = {"argv": ["true"], "cwd": "/", field: value}
    with pytest.raises(Refused) as refused:
        daemon.call(SUBMIT, **parameters)
    assert refused.value.name == "io.batchd.InvalidSpec"
    assert refused.value.parameters["field"] == field
    assert daemon.jobs() == []


def test_oversize(daemon):
    client = daemon.client()
    with pytest.raises(Refused) as refused:
        client.call("io.batchd.Jobs.List", name="x" * 70000)
    assert refused.value.name == "io.batchd.TooLarge"
    client = daemon.client()
    client.socket.sendall(b'{"method":"' + b"x" * (1 << 20) + b'"}')
    with pytest.raises(Refused) as refused:
        client.receive()
    assert refused.value.name == "io.batchd.TooLarge"
    assert client.reader.read() == b""


def test_nul_framing_and_pipelining(daemon):
    plain = socket.socket(socket.AF_UNIX)
    plain.connect(str(daemon.socket))
    plain.sendall(b'{"method":"io.batchd.Server.Ping"}\0' * 500)
    got = b""
    while got.count(b"\0") < 500:
        got += plain.recv(65536)
    assert all("time_us" in json.loads(part)["parameters"] for part in got.split(b"\0")[:-1])


def test_second_daemon_is_refused(daemon, make_daemon):
    second = subprocess.run([daemon.batchd, "--state", daemon.state], capture_output=True, text=True,
                            timeout=20, check=False)
    assert second.returncode == 75 and "another batchd owns" in second.stderr
    assert daemon.call("io.batchd.Server.Ping")


def test_stale_socket_is_replaced(daemon):
    daemon.kill()
    assert daemon.socket.exists()
    daemon.start()


@pytest.mark.parametrize("content", [b"not a database" * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_foreign_file_is_left_alone(make_daemon, content):
    daemon = make_daemon()
    store = daemon.state / "batchd.db"
    store.write_bytes(content)
    done = subprocess.run([daemon.batchd, "--state", daemon.state], capture_output=True, text=True,
                          timeout=20, check=False)
    assert done.returncode == 65, done.stderr
    assert store.read_bytes() == content


def test_foreign_database_and_newer_schema(make_daemon):
    daemon = make_daemon()
    store = daemon.state / "batchd.db"
    with contextlib.closing(sqlite3.connect(store)) as other, other:
        other.execute("create table mine(a)")
    run = [daemon.batchd, "--state", daemon.state]
    assert subprocess.run(run, capture_output=True, timeout=20, check=False).returncode == 65
    store.unlink()
    daemon.start()
    daemon.stop()
    with contextlib.closing(sqlite3.connect(store)) as ours, ours:
        ours.execute("pragma user_version=99")
    done = subprocess.run(run, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 65 and "99" in done.stderr


def test_damaged_row_is_not_served(daemon):
    job = daemon.submit("true")
    daemon.wait(job)
    daemon.stop()
    with contextlib.closing(sqlite3.connect(daemon.state / "batchd.db")) as store, store:
        store.execute("update job set uid=uid+1, name='other'")
    daemon.start()
    with pytest.raises(Refused) as refused:
        daemon.call("io.batchd.Jobs.Show", id=job)
    assert "checksum" in refused.value.parameters["message"]


def test_too_many_clients(make_daemon):
    daemon = make_daemon(config="[daemon]\nmax_connections_per_user = 8\n")
    daemon.start()
    held = []
    while len(held) < 9:  # the connection that start() used may still be counted at first
        client = daemon.client()
        try:
            client.call("io.batchd.Server.Ping")
        except (Refused, OSError):
            break
        held.append(client)
    assert 7 <= len(held) <= 8
    extra = daemon.client()
    assert b"io.batchd.Busy" in extra.socket.recv(4096)
    held[0].close()
    deadline = time.monotonic() + 5
    while True:
        try:
            daemon.call("io.batchd.Server.Ping")
            break
        except (OSError, ValueError, Refused):
            assert time.monotonic() < deadline


def test_client_that_never_reads(daemon):
    deaf = daemon.client()
    for _ in range(20000):
        try:
            deaf.socket.settimeout(0.05)
            deaf.socket.sendall(b'{"method":"io.batchd.Server.Status"}\n')
        except OSError:
            break
    assert daemon.call("io.batchd.Server.Ping")
    assert daemon.resident_bytes() < 64 << 20


def test_out_of_descriptors_does_not_spin(make_daemon):
    daemon = make_daemon()
    with open(daemon.log, "ab") as log:
        daemon.process = subprocess.Popen(["prlimit", "--nofile=40:40", daemon.batchd, "--state",
                                           daemon.state], stdout=log, stderr=log)
    daemon.wait_ready()
    held = []
    for _ in range(60):
        one = socket.socket(socket.AF_UNIX)
        one.connect(str(daemon.socket))
        held.append(one)
    stat = lambda: sum(map(int, open(f"/proc/{daemon.process.pid}/stat").read().split()[13:15]))
    used = stat()
    time.sleep(1)
    assert stat() - used <= 20, "over 20 % of a processor while out of descriptors"
    for one in held:
        one.close()
    daemon.wait_ready()


@pytest.fixture
def small_disk(make_daemon, tmp_path):
    """A daemon whose state lies on a tmpfs of 24 MiB."""
    mount = tmp_path / "small"
    mount.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", mount],
                      check=False).returncode != 0:
        pytest.skip("mounting a tmpfs needs root")
    daemon = make_daemon(folder=mount, config='[store]\nreserve = "1M"\n[workers]\nmax = 4\n')
    daemon.start()
    yield daemon
    daemon.destroy()
    subprocess.run(["umount", "-l", mount], check=False)


def fill(daemon, leave=0):
    """Leaves so many bytes free."""
    free = os.statvfs(daemon.state)
    size = free.f_bavail * free.f_frsize - leave
    ballast = daemon.state / "ballast"
    with contextlib.suppress(OSError), open(ballast, "ab", buffering=0) as file:
        while size > 0:
            size -= file.write(bytes(size))
    return ballast


def refused_for_space(daemon, **more):
    with pytest.raises(Refused) as refused:
        daemon.submit("true", **more)
    assert refused.value.name == "io.batchd.Busy", refused.value
    assert "full" in str(refused.value)


def test_a_full_disk_refuses_jobs_and_keeps_results(small_disk):
    daemon = small_disk
    running = [daemon.submit("sh", "-c", f'until [ -e "$0" ]; do sleep 0.02; done; exit {code}',
                             str(daemon.state / "go")) for code in (3, 0, 4, 6)]
    daemon.wait_running(*running)
    waiting = daemon.submit("sh", "-c", "exit 5", priority="low")  # all four slots are taken
    assert (daemon.state / "reserve").stat().st_size == 1 << 20
    pid = daemon.process.pid
    ballast = fill(daemon)
    refused_for_space(daemon)
    assert pairs(scrape(daemon))[SUBMIT, "busy"] == 1
    assert "nearly full" in daemon.ctl("status").stdout
    assert daemon.ctl("submit", "--", "true").returncode == 1
    (daemon.state / "go").write_text("")
    ended = daemon.wait(*running)
    assert [job["outcome"]["exit_code"] for job in ended] == [3, 0, 4, 6]
    ballast.unlink()
    assert daemon.wait(waiting)[0]["outcome"]["exit_code"] == 5
    assert daemon.wait(submit_when_there_is_room(daemon))[0]["state"] == "completed"
    assert daemon.process.pid == pid and daemon.process.poll() is None


@pytest.mark.parametrize("code,expected", [(3, ("failed", "disk_full", 3)), (0, ("completed", "success", 0))])
def test_output_that_the_disk_refused(small_disk, tmp_path, code, expected):
    """It is why a job failed only if it failed."""
    daemon = small_disk
    go = tmp_path / "go"
    script = 'until [ -e "$0" ]; do sleep 0.02; done; head -c 9000000 /dev/zero; touch "$0.done"; exit "$1"'
    job = daemon.submit("sh", "-c", script, str(go), str(code))
    daemon.wait_running(job)
    ballast = fill(daemon, leave=2 << 20)  # and the reserve's 1 MiB, which batchd gives back
    go.touch()
    wait_until((tmp_path / "go.done").exists, seconds=60)
    ballast.unlink()
    submit_when_there_is_room(daemon)  # batchd may have had to wait for it
    ended = daemon.wait(job)[0]
    assert (ended["state"], ended["outcome"]["class"], ended["outcome"]["exit_code"]) == expected
    assert ended["usage"]["lost_bytes"] > 0
    assert code == 0 or f"{ended['usage']['lost_bytes']} bytes of its output" in ended["outcome"]["message"]


def submit_when_there_is_room(daemon):
    """It sees by itself that there is room."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return daemon.submit("true")
        except (Refused, OSError):
            assert time.monotonic() < deadline, daemon.text()
            time.sleep(0.05)  # a poll with a deadline


def test_a_disk_without_a_byte_left_stops_the_store_not_the_jobs(small_disk, tmp_path):
    """The reserve is eaten too: batchd waits for room, and the workers keep the results."""
    daemon = small_disk
    go = tmp_path / "go"
    running = [daemon.submit("sh", "-c", f'until [ -e "$0" ]; do sleep 0.02; done; exit {code}',
                             str(go)) for code in (3, 0, 4, 5)]
    daemon.wait_running(*running)
    pid = daemon.process.pid
    ballast = fill_until_it_waits(daemon)
    go.write_text("")
    ballast.unlink()
    submit_when_there_is_room(daemon)
    ended = daemon.wait(*running)
    assert [job["outcome"]["exit_code"] for job in ended] == [3, 0, 4, 5], ended
    assert daemon.process.pid == pid and daemon.process.poll() is None
    samples = scrape(daemon)
    assert of(samples, "batchd_start_time_seconds") > of(samples, "process_start_time_seconds") + 0.2


def fill_until_it_waits(daemon):
    """All four slots are taken; cancels of waiting jobs write into what is left of the disk. Their reasons
    make rows grow: else a write-ahead log that began anew just before has room for all of them."""
    waiting = [daemon.submit("true", priority="background") for _ in range(1500)]
    for job in waiting:
        ballast = fill(daemon)
        with contextlib.suppress(OSError):
            daemon.call("io.batchd.Jobs.Cancel", id=job, reason="x" * 190)
        if "waits for room" in daemon.text():
            return ballast
    raise AssertionError(daemon.text())


def test_signals_while_it_waits_for_room(small_disk):
    daemon = small_disk
    daemon.wait_running(*[daemon.submit("sleep", "600") for _ in range(4)])
    fill_until_it_waits(daemon)
    daemon.process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        daemon.process.wait(timeout=0.5)  # it lives
    assert daemon.stop() == 0


def test_it_lives_while_it_waits_for_room(small_disk, tmp_path):
    """So its watchdog does not start it anew, nor when there is room again."""
    daemon = small_disk
    daemon.stop()
    with Watchdog(tmp_path, 3) as watchdog:
        daemon.env.update(watchdog.env)
        daemon.start()
        daemon.wait_running(*[daemon.submit("sleep", "600") for _ in range(4)])
        ballast = fill_until_it_waits(daemon)
        for _ in range(20):  # of a loop that has gone round before there may be some
            assert watchdog.fed(3)
        ballast.unlink()
        submit_when_there_is_room(daemon)
        deadline = time.monotonic() + 4
        while time.monotonic() < deadline:  # what it sent while it waited is read first
            assert watchdog.fed(3)


def test_a_disk_that_fills_again_and_again(small_disk):
    daemon = small_disk
    daemon.wait_running(*[daemon.submit("sleep", "600") for _ in range(4)])
    pid = daemon.process.pid
    ballast = fill_until_it_waits(daemon)
    deadline = time.monotonic() + 6
    while time.monotonic() < deadline:  # room comes and goes while it tries to begin
        ballast.write_bytes(b"")
        fill(daemon)
        assert daemon.process.poll() is None, daemon.text()
    ballast.unlink()
    submit_when_there_is_room(daemon)
    assert daemon.process.pid == pid


def test_reserve_file(make_daemon):
    daemon = make_daemon(config='[store]\nreserve = "1M"\n')
    (daemon.state / "reserve").touch()  # begun by a daemon that was killed
    daemon.start()
    assert (daemon.state / "reserve").stat().st_blocks * 512 >= 1 << 20
    without = make_daemon(config="[store]\nreserve = 0\n")
    without.start()
    without.wait(without.submit("true"))
    assert not (without.state / "reserve").exists()


def test_submitting_into_a_full_disk_loses_nothing(small_disk):
    """Until it refuses, at different sizes of a job; nothing that was acknowledged is gone."""
    daemon = small_disk
    acknowledged = []
    for size in (90000, 20000, 3000, 100):
        with pytest.raises(Refused) as refused:
            for _ in range(20000):
                acknowledged.append(daemon.submit("true", env={"BIG": "x" * size}))
        assert refused.value.name == "io.batchd.Busy"
    assert daemon.process.poll() is None
    daemon.kill()
    daemon.start()
    assert set(acknowledged) <= {job["id"] for job in daemon.jobs()}
    assert all(job["state"] == "completed" for job in daemon.wait(*acknowledged[-200:]))


def test_a_daemon_starts_on_a_full_disk(small_disk):
    daemon = small_disk
    job = daemon.submit("true")
    daemon.wait(job)
    daemon.kill()
    ballast = fill(daemon)
    daemon.start()
    assert daemon.jobs()[0]["state"] == "completed"
    refused_for_space(daemon)
    ballast.unlink()


def test_a_job_known_to_run_is_never_taken_for_unstarted(daemon):
    """Somebody removes its worker's folder: nothing is proved, so it is lost and not run again."""
    job = daemon.submit("sh", "-c", 'echo x >>"$0"; sleep 600', str(daemon.state / "ran"))
    daemon.wait_running(job)
    worker = daemon.jobs()[0]["worker"]
    daemon.kill()
    daemon.signal("--worker", signal.SIGKILL)
    shutil.rmtree(daemon.state / "workers" / str(worker))
    daemon.start()
    ended = daemon.wait(job)[0]
    assert (ended["state"], ended["outcome"]["class"]) == ("failed", "lost"), ended
    assert (daemon.state / "ran").read_text() == "x\n"


def test_output_that_cannot_be_read(daemon):
    job = daemon.submit("echo", "text")
    daemon.wait(job)
    index = daemon.state / "jobs" / str(job) / "1.index"
    index.unlink()
    index.symlink_to(index)
    client = daemon.client()
    client.send("io.batchd.Logs.Read", more=True, id=job)
    with pytest.raises(Refused) as refused:
        client.receive()
    assert "cannot read" in refused.value.parameters["message"]
    assert daemon.call("io.batchd.Server.Ping")


def test_replay_longer_than_a_reader_may_lag(make_daemon):
    daemon = make_daemon(config="[daemon]\nevent_backlog = 20000\n")
    daemon.start()
    client = daemon.client()
    for _ in range(2500):
        client.send(SUBMIT, argv=["true"], cwd="/", name="n" * 200)
    ids = [client.receive()["parameters"]["id"] for _ in range(2500)]
    daemon.wait(*ids, seconds=60)
    client.send("io.batchd.Events.Subscribe", more=True, since_seq=0)
    with pytest.raises(Refused) as refused:
        client.receive()
    client.send("io.batchd.Events.Subscribe", more=True, since_seq=refused.value.parameters["oldest"])
    with pytest.raises(Refused) as refused:
        while True:
            client.receive()
    assert refused.value.name == "io.batchd.StaleCursor"
    assert of(scrape(daemon), "batchd_subscriber_drops_total") == 1
    assert daemon.call("io.batchd.Server.Ping")


def test_worker_folders_that_nobody_knows_are_removed_unless_locked(daemon):
    daemon.stop()
    folders = [daemon.state / "workers" / name for name in ("901", "902", "other")]
    for folder in folders:
        folder.mkdir(mode=0o700, parents=True)
        for name in ("lock", "log", "cgroup"):
            (folder / name).touch()
    with open(folders[1] / "lock", "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        daemon.start()
        assert [folder.exists() for folder in folders] == [False, True, True]
        daemon.stop()
    daemon.start()
    assert not folders[1].exists()


def test_stdin_that_would_block_or_is_no_file(daemon, tmp_path):
    """A FIFO without a writer must not hold the worker: nothing could stop that job."""
    os.mkfifo(tmp_path / "fifo")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "socket"))
    for name in ("fifo", "socket", "."):
        job = daemon.submit("cat", stdin=str(tmp_path / name))
        ended = daemon.wait(job)[0]
        assert (ended["state"], ended["outcome"]["class"]) == ("failed", "spawn"), ended
        assert "stdin" in ended["outcome"]["message"]
    listening.close()
    (tmp_path / "file").write_text("text")
    job = daemon.submit("cat", stdin=str(tmp_path / "file"))
    daemon.wait(job)
    assert daemon.ctl("logs", str(job)).stdout == "text"


def test_a_log_reader_that_stalls_stops_nothing(make_daemon):
    daemon = make_daemon(config='[daemon]\nlog_level = "debug"\n')
    reading, writing = os.pipe()
    fcntl.fcntl(writing, 1031, 4096)  # F_SETPIPE_SZ: a page
    daemon.process = subprocess.Popen([daemon.batchd, "--state", daemon.state, "--config", daemon.config],
                                      stdin=subprocess.DEVNULL, stdout=writing, stderr=writing)
    os.close(writing)
    daemon.wait_ready()
    daemon.wait(*[daemon.submit("true") for _ in range(200)])  # each logs a line
    os.read(reading, 65536)
    daemon.wait(daemon.submit("true"))
    assert b"lines before this one were dropped" in os.read(reading, 65536)
    os.close(reading)
