"""--serve: one process does many jobs, each in a process of its own."""
import errno
import json
import os
import signal
import subprocess

import hostile
import pytest
from daemon import OUT
from processor import SAMPLES, frames, names, run

VIDEO = OUT / "processors/video/video"
BEAR = str(SAMPLES / "bear_vp9_161x121.webm")
JOBS_MAX = 1000  # processors/lib/serve.c


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return hostile.build(tmp_path_factory.mktemp("hostile"))


servers = []


@pytest.fixture(autouse=True)
def no_server_is_left():
    yield
    while servers:
        servers.pop().kill()


class Server:
    """.lines() reads on descriptor 3 up to the next result, or up to the end."""

    def __init__(self, program, cwd, cpus=1):
        self.cwd = str(cwd)
        reading, writing = os.pipe()

        def open_three():
            os.dup2(writing, 3)
            os.closerange(4, 1024)  # what the tests hold

        self.process = subprocess.Popen([program, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, close_fds=False,
                                        env=dict(os.environ, BATCHD_CPUS=str(cpus)),
                                        preexec_fn=open_three)
        servers.append(self.process)
        os.close(writing)
        self.news = os.fdopen(reading)

    def send(self, job, cpus=1, **params):
        self.raw(json.dumps({"job": job, "params": params, "cwd": self.cwd, "cpus": cpus}))

    def raw(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def lines(self):
        found = []
        for line in self.news:
            found.append(json.loads(line))
            self.used = found[-1].pop("usage", None)
            if found[-1]["type"] == "result":
                break
        return found

    def result(self, job, **params):
        self.send(job, **params)
        lines = self.lines()
        assert {line["job"] for line in lines} == {job}
        return lines[-1]["result"]

    def end(self):
        """The exit code, and what was said after the last result."""
        self.process.stdin.close()
        rest = [json.loads(line) for line in self.news]
        self.news.close()
        self.output = self.process.stdout.read()
        self.error = self.process.stderr.read().decode()
        return self.process.wait(), rest


def test_each_job_is_answered_once_and_failures_end_only_themselves(tmp_path):
    server = Server(VIDEO, tmp_path)
    assert server.result(1, mode="probe", input=BEAR)["frames_in"] == 30
    wrong = server.result(2, mode="nope", input=BEAR)["error"]
    assert (wrong["exit_code"], wrong["field"]) == (64, "params.mode")
    assert server.result(3, mode="probe", input="none.mp4")["error"]["exit_code"] == 66
    (tmp_path / "bad.mp4").write_text("no video")
    assert server.result(4, mode="probe", input="bad.mp4")["error"]["exit_code"] == 65
    server.raw("nonsense")
    answer = server.lines()[-1]
    assert answer["job"] is None and answer["result"]["error"]["exit_code"] == 64
    made = server.result(6, input=BEAR, output="out.mp4", preset="ultrafast")
    assert made["frames_out"] == 30 == frames(tmp_path / "out.mp4")
    assert made["sandbox"]["network"] is False
    assert server.end() == (0, [])
    assert server.error.count("\n") == 4 and names(tmp_path) == ["bad.mp4", "out.mp4"]


def test_a_job_gives_what_it_gives_alone(tmp_path):
    params = {"input": BEAR, "preset": "ultrafast"}
    alone = run("video", tmp_path, output="alone.mp4", cpus=1, **params)
    server = Server(VIDEO, tmp_path)
    served = server.result(1, output="served.mp4", **params)
    assert server.end()[0] == 0
    assert (tmp_path / "alone.mp4").read_bytes() == (tmp_path / "served.mp4").read_bytes()
    assert sorted(served) == sorted(alone.result)


def test_by_hand_the_lines_go_to_stdout(tmp_path):
    line = json.dumps({"job": 5, "params": {"mode": "probe", "input": BEAR}, "cwd": str(tmp_path)})
    done = subprocess.run([VIDEO, "--serve"], input=line, capture_output=True, text=True, check=True)
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["job"] == 5 and last["result"]["frames_in"] == 30


def test_a_crash_is_its_jobs_alone(program, tmp_path):
    (tmp_path / "clip").write_text("media")
    server = Server(program, tmp_path)
    crashed = server.result(1, input="clip", output="out", crash=True)["error"]
    assert crashed["exit_code"] == 70 and "signal 6 (ABRT)" in crashed["message"]
    assert server.result(2, input="clip", output="out", megabytes=1)["memory"] is True
    assert server.end() == (0, [])


def test_a_job_cannot_speak_for_another(program, tmp_path):
    (tmp_path / "clip").write_text("media")
    server = Server(program, tmp_path)
    server.send(1, input="clip", output="out", megabytes=1, lie=True)
    assert server.lines() == [{"job": 1, "type": "log", "text": "mine"},
                              {"job": 1, "type": "result", "result": {"first": 1}}]
    assert server.result(2, input="clip", output="out", megabytes=1)["memory"] is True
    assert server.end() == (0, [])


def test_nor_where_the_lines_go_to_stdout(program, tmp_path):
    (tmp_path / "clip").write_text("media")
    line = json.dumps({"job": 1, "params": {"input": "clip", "output": "out", "megabytes": 1, "lie": True},
                       "cwd": str(tmp_path)})
    done = subprocess.run([program, "--serve"], input=line, capture_output=True, text=True, check=True)
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert said[-1].pop("usage")["max_rss_bytes"] > 0
    assert said == [{"job": 1, "type": "log", "text": "mine"}, {"job": 1, "type": "result", "result": {"first": 1}}]


def test_the_longest_result_comes_and_a_longer_one_is_none(program, tmp_path):
    """Who reads takes 16 MiB, of which 256 bytes are for the job's number and what it used."""
    (tmp_path / "clip").write_text("media")
    server = Server(program, tmp_path)
    for bytes_over in (0, 1):
        server.send(2**53, input="clip", output="out", megabytes=1, line_bytes=(16 << 20) - 256 + bytes_over)
        line = server.news.readline()
        assert len(line) <= (16 << 20) + 1
        assert ("fill" if bytes_over == 0 else "memory") in json.loads(line)["result"]  # the second one it gave
    assert server.end() == (0, [])


def test_more_cpus_than_jobs_that_run_at_once_are_not_one(program, tmp_path):
    (tmp_path / "clip").write_text("media")
    server = Server(program, tmp_path, cpus=128)
    for job in (1, 2):
        server.send(job, input="clip", output=f"out{job}", sleep=True)
    both = [json.loads(server.news.readline()) for _ in range(2)]
    assert {line["job"] for line in both} == {1, 2}
    server.process.send_signal(signal.SIGTERM)
    assert {server.lines()[-1]["job"] for _ in range(2)} == {1, 2}
    assert server.end() == (75, [])


def test_each_job_has_a_sandbox_of_its_own(program, tmp_path):
    for number in (1, 2):
        (tmp_path / f"in{number}").mkdir()
        (tmp_path / f"out{number}").mkdir()
        (tmp_path / f"in{number}/clip").write_text("media")
    server = Server(program, tmp_path)
    for mine, other in ((1, 2), (2, 1)):
        done = server.result(mine, input=str(tmp_path / f"in{mine}/clip"), output=str(tmp_path / f"out{mine}/made"),
                             secret=str(tmp_path / f"in{other}/clip"), folder=str(tmp_path / f"out{other}"),
                             victim=server.process.pid)
        assert set(done["needed"].values()) == {0}
        for name in ("read_secret", "remove_secret", "list_outside", "kill", "ptrace"):
            assert done["tries"][name] in (errno.EPERM, errno.EACCES), name
    assert server.end() == (0, [])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_job_and_the_server(program, tmp_path, number):
    (tmp_path / "clip").write_text("media")
    server = Server(program, tmp_path)
    server.send(1, input="clip", output="out", sleep=True)
    server.send(2, input="clip", output="out", megabytes=1)
    assert json.loads(server.news.readline())["type"] == "log"
    server.process.send_signal(number)
    stopped = server.lines()[-1]
    assert stopped["job"] == 1 and stopped["result"]["error"]["exit_code"] == 75
    assert server.end() == (75, [])  # the second was not begun
    assert names(tmp_path) == ["clip"]


def test_as_many_run_at_once_as_have_their_cpus(program, tmp_path):
    (tmp_path / "clip").write_text("media")
    server = Server(program, tmp_path, cpus=3)
    for job, cpus in ((1, 1), (2, 2), (3, 1)):
        server.send(job, cpus=cpus, input="clip", output=f"out{job}", sleep=True)
    both = [json.loads(server.news.readline()) for _ in range(2)]
    assert {line["job"] for line in both} == {1, 2} and {line["type"] for line in both} == {"log"}
    server.process.send_signal(signal.SIGTERM)
    stopped = [server.lines()[-1] for _ in range(2)]
    assert {line["job"] for line in stopped} == {1, 2}  # the third was not begun
    assert {line["result"]["error"]["exit_code"] for line in stopped} == {75}
    assert server.end() == (75, [])
    assert names(tmp_path) == ["clip"]


def test_a_job_holds_nothing_of_the_server_and_of_others(program, tmp_path):
    (tmp_path / "clip").write_text("media")
    server = Server(program, tmp_path, cpus=2)
    server.send(1, input="clip", output="out1", sleep=True)
    assert json.loads(server.news.readline())["type"] == "log"
    done = server.result(2, input="clip", output="out2", victim=server.process.pid)
    assert len(done["descriptors"]) == 7  # 0 to 3, the lock of its staging folder, two pipes to its publisher
    server.process.send_signal(signal.SIGTERM)
    assert server.lines()[-1]["job"] == 1
    assert server.end() == (75, [])


def test_one_that_wants_all_cpus_gets_them(program, tmp_path):
    (tmp_path / "clip").write_text("media")
    server = Server(program, tmp_path, cpus=2)
    for job in range(20):
        server.send(job, cpus=1 + job % 7, input="clip", output=f"out{job}", megabytes=1)
    found = [server.lines()[-1] for _ in range(20)]
    assert sorted(line["job"] for line in found) == list(range(20))
    assert all(line["result"]["memory"] for line in found)
    assert all(line["result"]["cpus"] == min(1 + line["job"] % 7, 2) for line in found)
    assert server.end() == (0, [])


def test_a_signal_ends_a_server_that_waits(program, tmp_path):
    (tmp_path / "clip").write_text("media")
    server = Server(program, tmp_path)
    assert server.result(1, input="clip", output="out", megabytes=1)["memory"] is True
    server.process.send_signal(signal.SIGTERM)
    assert server.end() == (75, [])


def test_the_job_ends_with_a_server_that_is_killed(program, tmp_path):
    (tmp_path / "clip").write_text("media")
    server = Server(program, tmp_path)
    server.send(1, input="clip", output="out", sleep=True)
    assert json.loads(server.news.readline())["type"] == "log"
    server.process.kill()
    server.process.wait()
    assert server.process.stderr.read() == b""  # closed: nobody holds it any more


@pytest.mark.skipif(hostile.SANITIZED, reason="a leak check a job takes a minute")
def test_it_ends_after_its_share_of_jobs(program, tmp_path):
    (tmp_path / "clip").write_text("media")
    server = Server(program, tmp_path)
    for job in range(JOBS_MAX):
        assert server.result(job, input="clip", output="out", megabytes=1)["memory"] is True
    assert server.end() == (80, [])


def test_a_line_that_is_too_long_is_answered_and_ends_the_server(tmp_path):
    server = Server(VIDEO, tmp_path)
    server.send(1, mode="probe", input="x" * (1 << 20))
    answer = server.lines()[-1]
    assert answer["job"] is None and "longer than 1048576 bytes" in answer["result"]["error"]["message"]
    assert server.end() == (64, [])


@pytest.mark.parametrize("size", [4095, 4096, 4097, 8193, (1 << 20) - 1])
def test_a_line_is_read_whole_whatever_its_length(tmp_path, size):
    line = json.dumps({"params": {"mode": "probe", "input": BEAR},
                       "cwd": str(tmp_path), "pad": ""})
    line = line[:-2] + "x" * (size - len(line)) + '"}'
    found = subprocess.run([VIDEO], input=line + "\n", text=True, capture_output=True)
    assert (len(line), found.returncode, found.stderr) == (size, 0, "")
    assert json.loads(found.stdout)["result"]["frames_in"] == 30
