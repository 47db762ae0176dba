"""Jobs that a worker has done by a server of their processor (worker/server.h)."""
import itertools
import os
import signal

import pytest

import serving
from daemon import Daemon, is_halted, wait_until

SHORT_US, IDLE_US = 2_000_000, 5_000_000  # SHORT_JOB_US, IDLE_US (worker/server.c)


@pytest.fixture(scope="module")
def types(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processors")
    serving.install(folder)
    serving.install(folder, "alone", serve=False)
    return folder


@pytest.fixture(scope="module")
def daemon(types):
    with Daemon(config=f'[workers]\nmin = 1\nmax = 1\n[processors]\npath = "{types}"\n') as running:
        yield running


def submit(daemon, folder, script="", kind="server", **more):
    return daemon.call("io.batchd.Jobs.Submit", type=kind, params={"script": script}, cwd=str(folder), **more)["id"]


def facts(daemon, ident):
    job = daemon.wait(ident)[0]
    assert job["state"] == "completed", (job, daemon.ctl("logs", str(ident)))
    return daemon.job(ident)["result"]["facts"]


def warm(daemon, folder, **more):
    """A server is there now, and does the next of the kind, too: its pid."""
    for _ in range(20):
        ident = submit(daemon, folder, **more)
        found = facts(daemon, ident)
        if found["served"] and daemon.job(ident)["usage"]["run_us"] < SHORT_US:
            return found["pid"]
    raise AssertionError("none is served")


def log(daemon, ident):
    return daemon.ctl("logs", str(ident)).stdout


def is_there(pid):
    return os.path.exists(f"/proc/{pid}")


def test_the_second_of_a_kind_is_served_and_so_are_those_behind_it(daemon, tmp_path):
    """Also one that was ahead and was asked back, which comes as a further attempt; not behind one that was slow. A
    server for which nothing came for long has ended, and there is another."""
    facts(daemon, submit(daemon, tmp_path, kind="alone"))
    idents = [submit(daemon, tmp_path) for _ in range(6)]
    facts_of = {ident: facts(daemon, ident) for ident in idents}
    assert all(found["id"] == str(ident) for ident, found in facts_of.items())
    jobs = sorted((daemon.job(ident) for ident in idents), key=lambda job: job["started_at"])
    found = [facts_of[job["id"]] for job in jobs]
    assert not found[0]["served"]
    for (before, job), (had, has) in zip(itertools.pairwise(jobs), itertools.pairwise(found)):
        assert has["served"] == (before["usage"]["run_us"] < SHORT_US), (before, job)
        if has["served"] and job["started_at"] - before["ended_at"] < IDLE_US:  # of one server, whose jobs are counted
            assert has["count"] == (had["count"] + 1 if had["served"] else 1)
            assert has["pid"] == had["pid"] or not had["served"]


def test_what_was_asked_back_before_it_began_is_served(make_daemon, types, tmp_path):
    """As a further attempt, of which no earlier one can have left anything."""
    daemon = make_daemon(config='[workers]\nmin = 1\nmax = 1\nprefetch = 6\nbatch_target = "2s"\n'
                                f'[processors]\npath = "{types}"\n')
    daemon.start()
    daemon.wait(*[submit(daemon, tmp_path) for _ in range(20)])
    [worker] = daemon.processes("--worker")
    os.kill(worker, signal.SIGSTOP)
    try:
        jobs = [submit(daemon, tmp_path) for _ in range(6)]
        wait_until(lambda: [daemon.job(ident)["state"] for ident in jobs].count("starting") > 2)
        daemon.call("io.batchd.Queues.Pause", name="default")
    finally:
        os.kill(worker, signal.SIGCONT)
    wait_until(lambda: all(daemon.job(ident)["state"] != "starting" for ident in jobs))
    daemon.call("io.batchd.Queues.Resume", name="default")
    found = [facts(daemon, ident) for ident in jobs]
    assert [f["served"] for f in found] == [True] * 6
    assert "1" not in [f["attempt"] for f in found[1:3]]


def test_a_server_has_four_descriptors_and_its_socket_once(daemon, tmp_path):
    """What it writes to what it does not know it has would be in its jobs' way."""
    warm(daemon, tmp_path)
    found = facts(daemon, submit(daemon, tmp_path, "facts['fds'] = {fd: os.readlink(f'/proc/self/fd/{fd}')\n"
                                 "                for fd in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{fd}')}"))
    assert found["served"] and sorted(found["fds"]) == ["0", "1", "2", "3"]
    kinds = [found["fds"][fd].split(":")[0] for fd in "0123"]
    assert kinds == ["socket", "pipe", "pipe", "socket"] and found["fds"]["0"] == found["fds"]["3"]


def test_a_processor_that_does_not_serve_is_not_asked_to(daemon, tmp_path):
    found = [facts(daemon, submit(daemon, tmp_path, kind="alone")) for _ in range(3)]
    assert [f["served"] for f in found] == [False] * 3


def test_each_has_its_own_log_end_and_progress(daemon, tmp_path):
    server = warm(daemon, tmp_path)
    first = submit(daemon, tmp_path, "print('first', flush=True); print('wrong', file=sys.stderr, flush=True)")
    assert facts(daemon, first)["pid"] == server
    second = submit(daemon, tmp_path, "print('second', flush=True); answered = True; fail(65, 'bad')")
    job = daemon.wait(second)[0]
    assert (job["state"], job["outcome"]["exit_code"], job["outcome"]["class"]) == ("failed", 65, "processor")
    assert daemon.job(second)["result"]["error"]["message"] == "bad"
    third = submit(daemon, tmp_path, "print('third', flush=True)")
    assert facts(daemon, third)["pid"] == server
    assert [log(daemon, i) for i in (first, second, third)] == ["first\n", "second\n", "third\n"]
    assert daemon.ctl("logs", str(first)).stderr == "wrong\n"


def test_what_a_job_leaves_is_killed_and_the_server_is_not(daemon, tmp_path):
    """A child of the server and one whose parent is gone."""
    server = warm(daemon, tmp_path)
    script = ("for name in ('child', 'orphan'):\n"
              "    one = os.fork()\n"
              "    if one == 0:\n"
              "        if name == 'orphan' and os.fork(): os._exit(0)\n"
              "        os.setsid(); open(name + '.new', 'w').write(str(os.getpid())); os.rename(name + '.new', name)\n"
              "        time.sleep(1000)\n"
              "    while not os.path.exists(job['cwd'] + '/' + name): time.sleep(0.01)\n"
              "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n")
    left = submit(daemon, tmp_path, f"os.chdir(job['cwd'])\n{script}")
    assert facts(daemon, left)["pid"] == server
    for name in ("child", "orphan"):
        assert not is_there(int((tmp_path / name).read_text())), name
    assert facts(daemon, submit(daemon, tmp_path))["pid"] == server


@pytest.mark.parametrize("how,state,what", [("os.kill(os.getpid(), 11)", "failed", ("signal", 11)),
                                            ("os._exit(9)", "failed", ("exit_code", 9))])
def test_a_server_that_dies_in_a_job_fails_that_one_alone(daemon, tmp_path, how, state, what):
    server = warm(daemon, tmp_path)
    dying = submit(daemon, tmp_path, f"print('so', flush=True); {how}")
    behind = submit(daemon, tmp_path)
    job = daemon.wait(dying)[0]
    assert job["state"] == state and job["outcome"][what[0]] == what[1], job
    assert log(daemon, dying) == "so\n"
    assert facts(daemon, behind)["pid"] != server
    assert not is_there(server)


@pytest.mark.parametrize("code", [0, 80])
def test_what_a_server_did_not_begin_is_done_all_the_same(daemon, tmp_path, code):
    server = warm(daemon, tmp_path)
    job = submit(daemon, tmp_path, f"if served: os._exit({code})")
    found = facts(daemon, job)
    assert (found["served"], found["attempt"]) == (False, "1")
    assert not is_there(server)
    assert len(daemon.call("io.batchd.Jobs.Show", id=job, attempts=True)["job"]["attempts"]) == 1


@pytest.mark.parametrize("code", [0, 80, 7])
def test_one_that_ends_behind_its_answer_has_answered(daemon, tmp_path, code):
    """And is not done a second time."""
    server = warm(daemon, tmp_path)
    job = submit(daemon, tmp_path, "with open(job['cwd'] + '/done', 'a') as f: f.write('x')\n"
                 f"answered = True; say(type='result', result={{'processor': 'server', 'facts': facts}}); os._exit({code})")
    assert facts(daemon, job)["pid"] == server
    assert facts(daemon, submit(daemon, tmp_path))["pid"] != server
    assert (tmp_path / "done").read_text() == "x"


def test_a_line_that_is_none_ends_it(daemon, tmp_path):
    """It might have been the answer, for which batchd would wait for ever."""
    server = warm(daemon, tmp_path)
    job = submit(daemon, tmp_path, "answered = True; os.write(3, b'{\"job\":%d,\"type\":\"result\"' % job['job'] + b'\\n')")
    assert daemon.wait(job)[0]["state"] == "failed"
    assert "is no JSON" in daemon.ctl("logs", str(job)).stderr and not is_there(server)


def test_a_line_that_does_not_end_ends_it(daemon, tmp_path):
    server = warm(daemon, tmp_path)
    job = submit(daemon, tmp_path, "answered = True\nfor _ in range(17): os.write(3, b'x' * (1 << 20))\ntime.sleep(1000)")
    assert daemon.wait(job)[0]["state"] == "failed"
    assert "longer than 16 MiB" in daemon.ctl("logs", str(job)).stderr and not is_there(server)


def test_of_one_that_was_killed_in_its_server_the_end_is_the_jobs(daemon, tmp_path):
    warm(daemon, tmp_path)
    job = submit(daemon, tmp_path, "answered = True; say(type='result', result={'processor': 'server', "
                 "'error': {'message': 'killed', 'exit_code': 70, 'signal': 11}})")
    outcome = daemon.wait(job)[0]["outcome"]
    assert (outcome["class"], outcome["signal"]) == ("signal", 11)


def test_a_program_that_was_replaced_is_started_anew(daemon, tmp_path, types):
    server = warm(daemon, tmp_path)
    program = types / "server" / "server"
    (types / "new").write_text(program.read_text())
    (types / "new").chmod(0o755)
    (types / "new").rename(program)
    found = facts(daemon, submit(daemon, tmp_path))
    assert found["pid"] != server and not is_there(server)


def test_with_a_gpu_it_comes_alone(make_daemon, types, tmp_path):
    daemon = make_daemon(config=f'[workers]\nmax = 1\n[resources]\ngpus = 1\n[monitor]\ngpus = "off"\n'
                                f'[processors]\npath = "{types}"\n')
    daemon.start()
    found = [facts(daemon, submit(daemon, tmp_path, resources={"gpus": 1})) for _ in range(3)]
    assert [f["served"] for f in found] == [False] * 3


def test_cancelled(daemon, tmp_path):
    server = warm(daemon, tmp_path)
    job = submit(daemon, tmp_path, "open(job['cwd'] + '/here', 'w'); time.sleep(1000)")
    wait_until((tmp_path / "here").exists)
    daemon.call("io.batchd.Jobs.Cancel", id=job, grace_ms=100)
    assert daemon.wait(job)[0]["state"] == "cancelled"
    assert not is_there(server)
    assert facts(daemon, submit(daemon, tmp_path))["pid"] != server


def test_show_tells_what_it_says_of_its_progress(daemon, tmp_path):
    """Without a fraction no percentage; a number as a person would write it."""
    for said, line in (("speed=0.9, frames=89", "speed 0.9, frames 89"), ("fraction=0.5, eta_ms=86000, speed=0.9", "50 %, 1m26s to go, speed 0.9")):
        here = tmp_path / "here"
        job = submit(daemon, tmp_path, f"here = job['cwd'] + '/here'; open(here, 'w'); say(type='progress', {said})\n"
                     "while os.path.exists(here): time.sleep(0.01)")
        wait_until(lambda: daemon.job(job)["progress"])
        shown = daemon.ctl("show", str(job)).stdout
        assert f" progress: {line}\n" in shown, shown
        here.unlink()
        daemon.wait(job)


def test_its_time_is_over(daemon, tmp_path):
    """Its server hears SIGTERM as the processor would."""
    server = warm(daemon, tmp_path)
    job = submit(daemon, tmp_path, "signal.signal(15, lambda *_: (print('told', flush=True), os._exit(75)))\n"
                 "time.sleep(1000)", timeout_ms=3000, retry={"max_attempts": 1})
    ended = daemon.wait(job)[0]
    assert (ended["state"], ended["outcome"]["class"]) == ("failed", "timeout")
    assert log(daemon, job) == "told\n"
    assert not is_there(server)


def test_suspended(daemon, tmp_path):
    server = warm(daemon, tmp_path)
    job = submit(daemon, tmp_path, "here = job['cwd'] + '/here'; open(here, 'w'); say(type='progress', percent=50)\n"
                 "while os.path.exists(here): time.sleep(0.01)")
    wait_until(lambda: daemon.job(job)["progress"] and daemon.job(job)["progress"]["percent"] == 50)
    daemon.wait_running(job)
    daemon.call("io.batchd.Jobs.Suspend", id=job)
    wait_until(lambda: is_halted(server))
    daemon.call("io.batchd.Jobs.Resume", id=job)
    (tmp_path / "here").unlink()
    assert facts(daemon, job)["pid"] == server


@pytest.mark.parametrize("main", [False, True])
def test_a_signal_is_the_servers(daemon, tmp_path, main):
    warm(daemon, tmp_path)
    job = submit(daemon, tmp_path, "heard = []; signal.signal(10, lambda *_: heard.append(1))\n"
                 "open(job['cwd'] + '/here', 'w')\nwhile not heard: time.sleep(0.01)\nfacts['heard'] = True")
    wait_until((tmp_path / "here").exists)
    daemon.wait_running(job)
    daemon.call("io.batchd.Jobs.Signal", id=job, signal="USR1", main=main)
    assert facts(daemon, job)["heard"]


def test_another_environment_is_another_server(daemon, tmp_path):
    server = warm(daemon, tmp_path)
    other = warm(daemon, tmp_path, env={"MARK": "other", "PATH": os.environ["PATH"]})
    assert other != server and not is_there(server)
    found = facts(daemon, submit(daemon, tmp_path, env={"MARK": "other", "PATH": os.environ["PATH"]}))
    assert (found["mark"], found["pid"]) == ("other", other)
    assert facts(daemon, submit(daemon, tmp_path))["mark"] is None


def test_another_folder_is_the_same_server(daemon, tmp_path):
    server = warm(daemon, tmp_path)
    (tmp_path / "below").mkdir()
    found = facts(daemon, submit(daemon, tmp_path / "below"))
    assert (found["pid"], found["cwd"]) == (server, str(tmp_path / "below"))


def test_outputs_and_later_attempts_are_not_served(daemon, tmp_path):
    warm(daemon, tmp_path)
    job = submit(daemon, tmp_path, "open(env['BATCHD_OUTPUT'], 'w').write('x')", outputs=["out"])
    assert not facts(daemon, job)["served"] and (tmp_path / "out").read_text() == "x"
    warm(daemon, tmp_path)
    job = submit(daemon, tmp_path, "if env['BATCHD_ATTEMPT'] == '1': answered = True; fail(75)",
                 retry={"max_attempts": 2, "base_ms": 1, "jitter": "none"})
    found = facts(daemon, job)
    assert (found["served"], found["attempt"]) == (False, "2")


def test_a_server_that_is_not_needed_ends(daemon, tmp_path):
    server = warm(daemon, tmp_path)
    assert is_there(server)
    wait_until(lambda: not is_there(server), seconds=20)
    assert facts(daemon, submit(daemon, tmp_path))["pid"] != server


def test_one_that_dies_between_two_jobs(daemon, tmp_path):
    server = warm(daemon, tmp_path)
    os.kill(server, signal.SIGKILL)
    wait_until(lambda: not is_there(server))
    found = facts(daemon, submit(daemon, tmp_path))
    assert (found["served"], found["count"]) == (True, 1)


def test_a_long_job_is_not_followed_by_a_served_one(daemon, tmp_path):
    server = warm(daemon, tmp_path)
    assert facts(daemon, submit(daemon, tmp_path, "time.sleep(2.1)"))["pid"] == server
    assert not facts(daemon, submit(daemon, tmp_path))["served"]


def test_what_it_used_is_the_jobs(daemon, tmp_path):
    warm(daemon, tmp_path)
    job = submit(daemon, tmp_path, "end = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"
                 "big = bytearray(100 << 20)\nfor i in range(0, len(big), 4096): big[i] = 1\nbig = None")
    facts(daemon, job)
    used = daemon.job(job)["usage"]
    assert used["user_us"] + used["system_us"] >= 250000 and used["max_rss_bytes"] >= 100 << 20, used


def test_the_peak_of_memory_of_one_is_not_the_next_ones(daemon, tmp_path):
    for _ in range(5):  # on a slow machine: behind a job of two seconds none is served
        server = warm(daemon, tmp_path)
        large = submit(daemon, tmp_path, "big = b'x' * (100 << 20); big = None")
        after = submit(daemon, tmp_path)
        if facts(daemon, large)["pid"] == facts(daemon, after)["pid"] == server:
            break
    else:
        raise AssertionError("none was served behind the large one")
    assert daemon.job(large)["usage"]["max_rss_bytes"] >= 100 << 20
    assert daemon.job(after)["usage"]["max_rss_bytes"] < 60 << 20


def test_a_restart_of_batchd_in_a_served_job(daemon, tmp_path):
    server = warm(daemon, tmp_path)
    job = submit(daemon, tmp_path, "here = job['cwd'] + '/here'; open(here, 'w')\n"
                 "while os.path.exists(here): time.sleep(0.01)")
    wait_until((tmp_path / "here").exists)
    daemon.kill()
    daemon.start()
    (tmp_path / "here").unlink()
    assert facts(daemon, job)["pid"] == server
    assert daemon.job(job)["attempt"] == 1


def test_a_worker_that_dies_takes_its_server_along(daemon, tmp_path):
    server = warm(daemon, tmp_path)
    job = submit(daemon, tmp_path, "if env['BATCHD_ATTEMPT'] == '1': open(job['cwd'] + '/here', 'w'); time.sleep(1000)")
    wait_until((tmp_path / "here").exists)
    os.kill(daemon.worker_pid(job), signal.SIGKILL)
    found = facts(daemon, job)
    assert found["attempt"] == "2"
    assert not is_there(server)
