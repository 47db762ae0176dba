"""/metrics: a strict reader takes it, its numbers are those of the jobs, its series are bounded, and nobody
who connects can stop batchd or make it grow."""
import collections
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time

import pytest
from daemon import OUT, ROOT, Refused, wait_until
from exposition import parse


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=20)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def get(connection, path="/metrics", method="GET", headers=None):
    with contextlib.closing(connection):
        connection.request(method, path, headers=headers or {})
        reply = connection.getresponse()
        return reply.status, reply.read().decode(), reply.headers


def at_home(daemon):
    return UnixConnection(daemon.state / "http.sock")


def scrape(daemon):
    time.sleep(0.11)  # /metrics is made anew at most ten times a second
    status, text, headers = get(at_home(daemon))
    assert status == 200 and headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return parse(text)


def of(samples, name, **labels):
    return samples[name, tuple(sorted(labels.items()))]


def test_the_text_is_sound_and_its_numbers_are_the_jobs(daemon):
    daemon.call("io.batchd.Queues.Add", name="night", slots=3)
    ids = [daemon.submit("sleep", str(span)) for span in (0, 0, 0.15)]
    ids += [daemon.submit("false", queue="night", retry={"max_attempts": 2, "base_ms": 1, "on": ["failures"]}),
            daemon.submit("sleep", "9", timeout_ms=50, queue="night"),
            daemon.submit("sh", "-c", "echo hello; exit $BATCHD_ARRAY_INDEX", array="0-2")]
    held = daemon.submit("true", hold=True, array="1-7")
    daemon.call("io.batchd.Jobs.Cancel", id=held)
    daemon.wait(*ids, held)
    daemon.submit("true", hold=True)
    running = daemon.submit("sleep", "60", queue="night")
    daemon.wait_running(running)
    samples = scrape(daemon)
    for queue, results in {"default": {"ok": 4, "failed": 2, "cancelled": 7},
                           "night": {"failed": 1, "timeout": 1}}.items():
        for result in ("ok", "failed", "cancelled", "timeout", "oom", "lost"):
            assert of(samples, "batchd_jobs_finished_total", queue=queue, result=result) == \
                results.get(result, 0), (queue, result)
    assert of(samples, "batchd_jobs_submitted_total", queue="default") == 3 + 3 + 7 + 1
    assert of(samples, "batchd_jobs_started_total", queue="night") == 2 + 1 + 1
    assert of(samples, "batchd_job_retries_total", queue="night") == 1
    assert of(samples, "batchd_log_bytes_total", queue="default") == 3 * len("hello\n")
    assert of(samples, "batchd_jobs", queue="default", state="pending") == 1
    assert of(samples, "batchd_jobs", queue="night", state="running") == 1
    assert of(samples, "batchd_queue_slots", queue="night") == 3
    assert of(samples, "batchd_job_run_seconds_count", queue="default") == 6
    runs = [daemon.job(i)["usage"]["run_us"] for i in ids[:3]]
    tasks = [daemon.call("io.batchd.Jobs.Show", id=ids[5], index=i)["job"] for i in range(3)]
    runs += [task["usage"]["run_us"] for task in tasks]
    assert of(samples, "batchd_job_run_seconds_sum", queue="default") == pytest.approx(sum(runs) / 1e6)
    assert max(runs) > 150_000
    for bound in ("0.1", "1", "10"):
        assert of(samples, "batchd_job_run_seconds_bucket", queue="default", le=bound) == \
            sum(run <= float(bound) * 1e6 for run in runs), (bound, runs)
    assert of(samples, "batchd_cpu_allocated_cores") == 1
    assert of(samples, "batchd_memory_capacity_bytes") > 2**28
    assert of(samples, "batchd_rpc_requests_total", method="io.batchd.Queues.Add", code="ok") == 1
    assert 0 < of(samples, "process_resident_memory_bytes") < 2**30
    assert of(samples, "batchd_event_loop_lag_seconds") < 60


def test_counters_begin_anew_and_refusals_count(daemon):
    daemon.wait(daemon.submit("true"))
    with pytest.raises(Refused):
        daemon.call("io.batchd.Jobs.Show", id=77)
    with pytest.raises(Refused):
        daemon.call("io.batchd.Jobs.Nothing")
    samples = scrape(daemon)
    assert of(samples, "batchd_rpc_requests_total", method="io.batchd.Jobs.Show", code="refused") == 1
    assert of(samples, "batchd_rpc_requests_total", method="other", code="refused") == 1
    daemon.restart()
    assert of(scrape(daemon), "batchd_jobs_finished_total", queue="default", result="ok") == 0


DURATION = "batchd_rpc_duration_seconds"


def pairs(samples, name="batchd_rpc_requests_total"):
    """{(method, code): value}."""
    return {(dict(labels)["method"], dict(labels)["code"]): value
            for (found, labels), value in samples.items() if found == name}


def test_requests_by_method_and_answer(daemon):
    """What waits counts when it is answered or its client has left, with all the time that it took."""
    held, method = daemon.submit("true", hold=True), "io.batchd.Jobs.Wait"
    began = time.monotonic()
    client, leaver = daemon.client(), daemon.client()
    for one in (client, leaver):
        one.send(method, ids=[held])
    wait_until(lambda: of(scrape(daemon), "batchd_connections", kind="control") == 2)
    assert method not in {name for name, _ in pairs(scrape(daemon))}
    leaver.close()
    wait_until(lambda: pairs(scrape(daemon)).get((method, "gone")) == 1)
    wait_until(lambda: time.monotonic() - began > 1.05)  # a bound
    daemon.call("io.batchd.Jobs.Cancel", id=held)
    client.receive()
    client.close()
    samples, took = scrape(daemon), time.monotonic() - began
    assert 1 < of(samples, f"{DURATION}_sum", method=method, code="ok") < took
    assert [of(samples, f"{DURATION}_bucket", method=method, code="ok", le=le) for le in ("1", "10", "+Inf")] == [0, 1, 1]
    assert 0 < of(samples, f"{DURATION}_sum", method=method, code="gone") < took
    assert pairs(samples) == pairs(samples, f"{DURATION}_count")


def test_series_of_requests_are_bounded(daemon):
    """Each method that there is, and whatever else is asked for as one."""
    known = {f"{file.stem}.{name}" for file in (ROOT / "common/varlink").glob("io.*.*.varlink")
             for name in re.findall(r"^method (\w+)", file.read_text(), re.M)}
    before = pairs(scrape(daemon)).get(("other", "refused"), 0)
    client = daemon.client()
    strange = [{"method": f"io.batchd.Jobs.No{number}"} for number in range(200)]
    strange += [{"method": 'a"b\n\\{}'}, {"method": "other"}, {"method": 1}, [], {}, {"method": "io.batchd.Server.Ping", "colour": 1}]
    for request in strange + [{"method": method, "parameters": {"colour": 1}} for method in sorted(known)]:
        client.socket.sendall(json.dumps(request).encode() + b"\n")
        with pytest.raises(Refused):
            client.receive()
    client.close()
    samples = scrape(daemon)
    refused = {method: value for (method, code), value in pairs(samples).items() if code == "refused"}
    assert refused.pop("other") - before == len(strange)
    assert refused == dict.fromkeys(known, 1) and 40 < len(known) < 60  # as the manual says
    series = [name for name, _ in samples if name.startswith("batchd_rpc_")]
    assert len(series) == 10 * len(pairs(samples))


def test_which_batchd_it_is(daemon):
    """With the commit that its program was built from, which is not always that of these files."""
    version = subprocess.run([daemon.batchd, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    commit = (OUT / "commit").read_text().strip()
    samples = scrape(daemon)
    assert of(samples, "batchd_build_info", version=version, commit=commit) == 1
    assert re.fullmatch("[0-9a-f]{40}|unknown", commit)
    began = of(samples, "batchd_start_time_seconds")
    assert began == pytest.approx(daemon.call("io.batchd.Server.Status")["started_at"] / 1e6, rel=0, abs=1e-3)
    assert daemon_began(daemon) - 0.1 < of(samples, "process_start_time_seconds") < began < time.time()


def daemon_began(daemon):
    """When the kernel made the process, by its ticks since the boot."""
    stat = pathlib.Path(f"/proc/{daemon.process.pid}/stat").read_text().rpartition(")")[2].split()
    boot = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return boot + int(stat[19]) / os.sysconf("SC_CLK_TCK")


def test_who_waits_longest(daemon):
    daemon.call("io.batchd.Queues.Pause", name="default")
    daemon.submit("true", hold=True)
    first = daemon.submit("true")
    name = "batchd_queue_oldest_pending_seconds"
    wait_until(lambda: of(scrape(daemon), name, queue="default") > 0)
    submitted = daemon.job(first)["submitted_at"] / 1e6
    least = time.time() - submitted
    samples = scrape(daemon)
    assert least <= of(samples, name, queue="default") <= time.time() - submitted
    assert of(samples, "batchd_queue_paused", queue="default") == 1
    daemon.call("io.batchd.Jobs.Cancel", id=first)
    wait_until(lambda: of(scrape(daemon), name, queue="default") == 0)


def test_queues_beyond_a_bound_are_one(daemon):
    for i in range(60):
        daemon.call("io.batchd.Queues.Add", name=f"q{i}")
    daemon.wait(*[daemon.submit("true", queue=f"q{i}") for i in range(60)])
    samples = scrape(daemon)
    done = {dict(labels)["queue"]: value for (name, labels), value in samples.items()
            if name == "batchd_jobs_finished_total" and dict(labels)["result"] == "ok"}
    assert len(done) == 51 and done["_other"] == 11 and sum(done.values()) == 60
    daemon.call("io.batchd.Queues.Remove", name="q0")
    daemon.call("io.batchd.Queues.Add", name="new")  # it has the number that is free, and nothing of its counts
    assert of(scrape(daemon), "batchd_jobs_finished_total", queue="new", result="ok") == 0
    for i in range(48, 60):  # what the others did does not fall when they are removed
        daemon.call("io.batchd.Queues.Remove", name=f"q{i}")
    samples = scrape(daemon)
    assert of(samples, "batchd_jobs_finished_total", queue="_other", result="ok") == 11
    assert ("batchd_jobs_finished_total", (("queue", "q48"), ("result", "ok"))) not in samples


USERS = "[http]\nusers = 1\n"


def test_users_only_where_it_is_allowed(daemon, make_daemon):
    daemon.wait(daemon.submit("true"))
    assert not any("user" in name for name, _ in scrape(daemon))
    other = make_daemon(config=USERS)
    other.start()
    other.wait(other.submit("true"))
    samples = scrape(other)
    assert of(samples, "batchd_user_jobs_finished_total", uid=str(os.getuid()), result="ok") == 1
    assert of(samples, "batchd_user_jobs_submitted_total", uid="_other") == 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
def test_another_user_is_told_of_no_user(make_daemon):
    daemon = make_daemon(config=USERS)
    daemon.start()
    daemon.wait(daemon.submit("true"))
    daemon.state.chmod(0o711)
    (daemon.state / "http.sock").chmod(0o666)
    script = ("import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
              "s.sendall(b'GET /metrics HTTP/1.0\\r\\n\\r\\n')\nsys.stdout.write(s.makefile().read())")
    done = subprocess.run([sys.executable, "-c", script, daemon.state / "http.sock"], user=12345, cwd="/",
                          capture_output=True, text=True, check=True, timeout=30)
    assert "batchd_jobs_finished_total" in done.stdout and "batchd_user" not in done.stdout


# ---- over TCP ----

def free_port():
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_loopback_where_it_is_asked_for(make_daemon):
    port = free_port()
    daemon = make_daemon(config=f'[http]\nsocket = "off"\nlisten = "127.0.0.1:{port}"\nusers = 5\n')
    daemon.start()
    daemon.wait(daemon.submit("true"))

    def ask(host):
        return get(http.client.HTTPConnection("127.0.0.1", port, timeout=20), headers={"Host": host})

    status, text, _ = ask(f"localhost:{port}")
    assert status == 200 and "batchd_jobs_finished_total" in text
    assert "batchd_user" not in text  # nobody can say who asks
    assert parse(text)
    assert ask(f"127.0.0.1:{port}")[0] == ask(f"[::1]:{port}")[0] == ask("LOCALHOST")[0] == 200
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "", "localhost:1:1", "a" * 300):
        assert ask(host)[0] == 421, host
    assert not (daemon.state / "http.sock").exists()


@pytest.mark.parametrize("value", ["0.0.0.0:9187", "[::]:9187", "192.0.2.1:80", "9187", "127.0.0.1", "localhost:0",
                                   "127.0.0.1:65536", "example.org:80", "[::1]9187", "127.0.0.1:9187x"])
def test_no_other_address(make_daemon, value):
    daemon = make_daemon(config=f'[http]\nlisten = "{value}"\n')
    done = subprocess.run([daemon.batchd, "--state", daemon.state, "--config", daemon.config, "--check-config"],
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 78 and "http.listen" in done.stderr and value in done.stderr


def test_a_port_that_is_taken_is_an_error(make_daemon):
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        daemon = make_daemon(config=f'[http]\nlisten = "127.0.0.1:{port}"\n')
        daemon.start(wait=False)
        assert daemon.process.wait(20) != 0
    assert f"127.0.0.1:{port}" in daemon.text()


# ---- other paths, other requests ----

def test_health(daemon):
    assert get(at_home(daemon), "/healthz")[:2] == (200, "ok\n")
    assert get(at_home(daemon), "/readyz")[:2] == (200, "ok\n")
    assert get(at_home(daemon), "/")[0] == 404
    assert get(at_home(daemon), "/metrics", "HEAD")[:2] == (200, "")
    assert get(at_home(daemon), "/metrics", "POST")[0] in (405, 501)


# ASan keeps what was freed for a while.
GROWTH = (3 if OUT.name != "san" else 64) * 2**20


def raw(daemon, data, shut=False):
    """What comes back, until the other side closes."""
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as client:
        client.settimeout(30)
        client.connect(str(daemon.state / "http.sock"))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(data)
            if shut:
                client.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := client.recv(65536):
                answer += piece
        return answer


@pytest.mark.parametrize("data", [
    b"\0" * 100000, b"GET " + b"/" * 100000 + b" HTTP/1.1\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\n" + b"A: " + b"b" * 9000 + b"\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\n" + b"A: b\r\n" * 50000,
    b"POST /metrics HTTP/1.1\r\nContent-Length: 999999999999\r\n\r\n" + b"x" * 100000,
    b"GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffff\r\n",
    b"GET http://[::1 HTTP/1.1\r\n\r\n", b"\r\n" * 1000, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET\r\n\r\n"],
    ids=["zeros", "path", "header", "headers", "body", "chunk", "uri", "lines", "http2", "short"])
def test_what_is_no_request_is_not_answered_so(daemon, data):
    before = daemon.resident_bytes()
    for _ in range(20):
        assert b"batchd_jobs" not in raw(daemon, data, shut=True)
    assert of(scrape(daemon), "batchd_connections", kind="http") >= 1
    assert daemon.resident_bytes() - before < GROWTH


# ---- slow and many ----

def connect(daemon):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(30)
    client.connect(str(daemon.state / "http.sock"))
    return client


def descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


def test_half_a_request_ends(daemon):
    with contextlib.closing(connect(daemon)) as client:
        client.sendall(b"GET /metr")
        began = time.monotonic()
        while client.recv(4096):
            pass
        assert time.monotonic() - began < 15


def test_a_byte_now_and_then_does_not_keep_it(daemon):
    with contextlib.closing(connect(daemon)) as client:
        began = time.monotonic()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(b"GET /metrics HTTP/1.1\r\nA: ")
            while time.monotonic() - began < 25:
                client.sendall(b"b")
                time.sleep(0.5)
        assert 8 < time.monotonic() - began < 20


def test_who_does_not_read_does_not_keep_it(daemon):
    idle = descriptors(daemon)
    clients = [connect(daemon) for _ in range(5)]
    for client in clients:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
    wait_until(lambda: descriptors(daemon) == idle, seconds=20)
    for client in clients:
        client.close()


def test_ten_thousand_that_say_nothing(daemon):
    """As many as the system lets wait are held; batchd has 32 of them and serves its own clients."""
    daemon.wait(daemon.submit("true"))  # there is a worker
    before, idle = daemon.resident_bytes(), descriptors(daemon)
    clients = collections.deque()
    most, longest = 0, 0
    for number in range(10000):
        client = socket.socket(socket.AF_UNIX)
        client.setblocking(False)
        try:
            client.connect(str(daemon.state / "http.sock"))
            clients.append(client)
        except BlockingIOError:  # the backlog is full
            client.close()
        if len(clients) > 500:
            clients.popleft().close()
        if number % 100 == 0:
            began = time.monotonic()
            daemon.call("io.batchd.Server.Ping")
            longest = max(longest, time.monotonic() - began)
            most = max(most, descriptors(daemon) - idle)
    assert most <= 33 and longest < 5
    daemon.wait(daemon.submit("true"))
    while clients:
        clients.popleft().close()
    wait_until(lambda: descriptors(daemon) <= idle, seconds=30)
    assert daemon.resident_bytes() - before < 2 * GROWTH
    assert scrape(daemon)


def test_that_nobody_can_connect_is_only_said(make_daemon):
    daemon = make_daemon()
    (daemon.state / "http.sock").mkdir()
    daemon.start()
    daemon.wait(daemon.submit("true"))
    assert "nobody can ask for metrics" in daemon.text()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (package prometheus) is not there")
def test_promtool_agrees(daemon):
    daemon.wait(daemon.submit("true"))
    text = get(at_home(daemon))[1]
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True,
                          timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_names_are_in_the_manual(daemon):
    manual = (ROOT / "man/batchd.8.in").read_text()
    names = {name for name, _ in scrape(daemon)}
    for name in names:
        family = name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
        assert name in manual or family in manual, name
