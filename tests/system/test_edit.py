"""Jobs that wait are changed: each part of them, where they stand, and that nothing of it is lost or
half done."""
import time

import pytest
import serving
from clock import Clock
from daemon import Refused, wait_until
from test_queues import add, fill, queues, settings
from test_scheduling import gate, order_of


def edit(daemon, job, **parts):
    return daemon.call("io.batchd.Jobs.Edit", id=job, **parts)


@pytest.fixture
def full(make_daemon):
    """One processor, taken until the gate opens."""
    daemon = make_daemon(config=settings(1, "licence = 2\n[queues.night]\n", workers=1))
    daemon.start()
    daemon.first = fill(daemon)
    return daemon


def open_gate(daemon):
    (daemon.state / "go").touch()
    daemon.wait(daemon.first)


def test_every_part_is_changed_and_kept(full):
    job = full.submit("true", timeout_ms=1000, resources={"licence": 1})
    before = full.job(job)
    assert before["edited_at"] is None
    begin = int((time.time() + 3600) * 1e6)
    assert edit(full, job, queue="night", priority="high", memory=5 << 20, resources={"licence": 2},
                timeout_ms=7000, estimate_ms=3000, max_attempts=4, begin=begin,
                depends=f"afterany:{full.first}") == {"id": job, "state": "pending"}
    for _ in range(2):
        now = full.job(job)
        assert (now["queue"], now["priority"], now["timeout_ms"], now["estimate_ms"], now["estimate_source"],
                now["max_attempts"], now["begin_at"], now["depends"]) == \
            ("night", "high", 7000, 3000, "user", 4, begin, f"afterany:{full.first}")
        assert (now["resources"]["cpus"], now["resources"]["memory_bytes"], now["resources"]["licence"]) == (1, 5 << 20, 2)
        assert set(now["reasons"]) == {"BeginTime", "Dependency"}
        assert now["edited_at"] > now["submitted_at"] == before["submitted_at"]
        full.restart()
    edit(full, job, timeout_ms=0, estimate_ms=0, begin=0, depends="", resources={})
    full.restart()
    now = full.job(job)
    assert (now["timeout_ms"], now["estimate_ms"], now["begin_at"], now["depends"]) == (None, None, None, None)
    assert now["resources"].get("licence", 0) == 0
    assert now["priority"] == "high"  # what was not given stays
    open_gate(full)
    assert full.wait(job)[0]["state"] == "completed"


@pytest.mark.parametrize("again", [False, True])
def test_it_stands_where_its_new_priority_puts_it(full, again):
    jobs = [full.submit("true") for _ in range(4)]
    edit(full, jobs[2], priority="urgent")
    edit(full, jobs[0], priority="low")
    if again:
        full.restart()
    open_gate(full)
    assert order_of(full, *jobs) == [jobs[2], jobs[1], jobs[3], jobs[0]]


def test_what_does_not_fit_any_more_starts_when_it_is_made_smaller(make_daemon):
    daemon = make_daemon(config=settings(2))
    daemon.start()
    first = fill(daemon, cpus=1)
    wide = daemon.submit("true", cpus=2)
    assert daemon.job(wide)["reasons"] == ["Resources"]
    edit(daemon, wide, cpus=1)
    daemon.wait(wide)
    big = daemon.submit("true", cpus=2)
    daemon.kill()
    daemon.config.write_text(settings(1))  # it never fits now
    daemon.start()
    assert daemon.job(big)["reasons"] == ["Resources"]
    edit(daemon, big, cpus=1)
    (daemon.state / "go").touch()
    daemon.wait(big, first)
    resources = daemon.call("io.batchd.Server.Status")["resources"]
    assert resources["cpus_free"] == resources["cpus"] == 1


def test_what_does_not_fit_any_more_is_changed_in_all_else(make_daemon):
    """And in that, when it gets no worse."""
    counters = "licence = 4\ntape = 1\n"
    daemon = make_daemon(config=settings(8, counters + "[queues.night]\n"))
    daemon.start()
    first = fill(daemon, cpus=1)
    job = daemon.submit("true", cpus=8, memory=2 << 20, resources={"licence": 4, "tape": 1})
    daemon.kill()
    daemon.config.write_text(settings(4, "licence = 2\n[queues.night]\n"))
    daemon.start()
    edit(daemon, job, priority="high", queue="night", timeout_ms=1000, begin=1, memory=1 << 20)
    assert (daemon.job(job)["priority"], daemon.job(job)["queue"]) == ("high", "night")
    assert daemon.ctl("move", "-Q", "default", str(job)).returncode == 0
    edit(daemon, job, cpus=6)  # a little better
    for parts, name, amounts in [({"cpus": 7}, "cpus", (7, 4)),
                                 ({"resources": {"licence": 3}, "cpus": 8}, "cpus", (8, 4)),
                                 ({"resources": {"licence": 5}}, "licence", (5, 2))]:
        with pytest.raises(Refused) as refused:
            edit(daemon, job, **parts)
        assert refused.value.name == "io.batchd.NeverFits"
        assert (refused.value.parameters["resource"], refused.value.parameters["requested"],
                refused.value.parameters["largest"]) == (name, *amounts)
    assert daemon.job(job)["resources"]["cpus"] == 6 and daemon.job(job)["resources"]["tape"] == 1
    edit(daemon, job, cpus=2)
    assert daemon.job(job)["lacking"] == ["licence", "tape"]
    edit(daemon, job, resources={"licence": 2})
    (daemon.state / "go").touch()
    daemon.wait(job, first)


def test_a_new_timeout_counts(daemon):
    job = daemon.submit("sleep", "60", hold=True)
    edit(daemon, job, timeout_ms=200)
    daemon.call("io.batchd.Jobs.Release", id=job)
    assert daemon.wait(job)[0]["outcome"]["class"] == "timeout"


def test_begin_after_the_deadline_is_refused_as_such(daemon):
    deadline = int((time.time() + 3600) * 1e6)
    job = daemon.submit("true", hold=True, deadline=deadline)
    for begin in (deadline, deadline + 1):
        with pytest.raises(Refused) as refused:
            edit(daemon, job, begin=begin)
        assert (refused.value.parameters["field"], refused.value.parameters["value"]) == ("begin", begin)
        assert "must be earlier than the deadline, which is" in refused.value.parameters["rule"]
    edit(daemon, job, begin=deadline - 1)
    assert daemon.job(job)["begin_at"] == deadline - 1


def test_begin_sooner_and_later(daemon):
    job = daemon.submit("true", begin=int((time.time() + 3600) * 1e6))
    soon = int((time.time() + 0.5) * 1e6)
    edit(daemon, job, begin=soon)
    assert daemon.wait(job)[0]["started_at"] >= soon
    later = daemon.submit("true", hold=True)
    at = int((time.time() + 3600) * 1e6)
    edit(daemon, later, begin=at)
    daemon.call("io.batchd.Jobs.Release", id=later)
    daemon.restart()
    assert daemon.job(later)["reasons"] == ["BeginTime"]
    edit(daemon, later, begin=0)
    daemon.wait(later)


def submit_with_begin(daemon, hour):
    return daemon.submit("true", priority="low", begin=hour(100)), {"begin": 0}, "normal"


def submit_with_parent(daemon, hour):
    parent = daemon.submit("true", hold=True)
    return daemon.submit("true", priority="low", depends=f"afterok:{parent}"), {"depends": ""}, "normal"


def submit_with_parent_that_ends(daemon, hour):
    parent = daemon.submit("true", hold=True)
    job = daemon.submit("true", priority="low", depends=f"afterany:{parent}")
    daemon.clock.set(hour(3) / 1e6)
    daemon.call("io.batchd.Jobs.Cancel", id=parent)
    return job, {"depends": ""}, "urgent"


def submit_and_begin_in_the_past(daemon, hour):
    return daemon.submit("true", priority="low"), {"begin": hour(4)}, "high"


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("submit", [submit_with_begin, submit_with_parent, submit_with_parent_that_ends,
                                    submit_and_begin_in_the_past])
def test_it_ages_from_when_it_could_have_started(make_daemon, tmp_path, submit, again):
    """By a level each hour, of which five pass; a restart does not change that."""
    clock = Clock(tmp_path)
    daemon = make_daemon(config=settings(1, '[queues.default]\npolicy = "priority"\nageing = "1h"\n', workers=1),
                         env=clock.env)
    daemon.clock = clock
    daemon.start()
    daemon.first = fill(daemon)
    start = clock.now()
    job, parts, level = submit(daemon, lambda number: int((start + number * 3600) * 1e6))
    clock.set(start + 5 * 3600)
    edit(daemon, job, **parts)
    assert daemon.job(job)["eligible_at"] >= (start + 3 * 3600) * 1e6
    other = daemon.submit("true", priority=level)
    if again:
        daemon.restart()
    open_gate(daemon)
    assert order_of(daemon, job, other) == [other, job]


def test_moved_between_queues(full):
    full.call("io.batchd.Queues.Pause", name="night")
    jobs = [full.submit("true"), full.submit("true", array="0-2")]
    for job in jobs:
        edit(full, job, queue="night")
    assert (queues(full)["night"]["pending"], queues(full)["default"]["pending"]) == (2, 0)
    open_gate(full)
    full.wait(full.submit("true"))
    assert [full.job(job)["reasons"] for job in jobs] == [["QueuePaused"]] * 2
    full.restart()
    edit(full, jobs[0], queue="default")
    full.wait(jobs[0])
    full.call("io.batchd.Queues.Resume", name="night")
    full.wait(jobs[1])
    assert queues(full)["night"]["running"] == queues(full)["default"]["running"] == 0


def test_an_array_that_runs_is_moved_with_what_runs(make_daemon):
    daemon = make_daemon(config=settings(2, "[queues.night]\nslots = 1"))
    daemon.start()
    array = daemon.submit(*gate(daemon), array="0-5")
    wait_until(lambda: queues(daemon)["default"]["running"] == 2)
    edit(daemon, array, queue="night", priority="low", timeout_ms=60000)
    assert (queues(daemon)["night"]["running"], queues(daemon)["default"]["running"]) == (2, 0)
    with pytest.raises(Refused) as refused:
        edit(daemon, array, cpus=2)
    assert refused.value.name == "io.batchd.InvalidState" and "tasks of it have started" in str(refused.value)
    daemon.restart()
    assert queues(daemon)["night"]["running"] == 2
    (daemon.state / "go").touch()
    assert daemon.wait(array)[0]["state"] == "completed"
    assert queues(daemon)["night"]["running"] == 0


def test_dependencies_may_not_go_round(full):
    a = full.submit("true")
    b = full.submit("true", depends=f"afterok:{a}")
    c = full.submit("true", depends=f"afterok:{b}")
    with pytest.raises(Refused) as refused:
        edit(full, a, depends=f"afterok:{c}", priority="high")
    assert refused.value.name == "io.batchd.DependencyCycle"
    path = refused.value.parameters["path"]
    assert set(path) == {a, b, c}
    assert (full.job(a)["depends"], full.job(a)["priority"]) == (None, "normal")  # nothing of it was done
    edit(full, c, depends=f"afternotok:{full.first}")
    open_gate(full)
    full.wait(a, b, c)
    assert full.job(c)["state"] == "cancelled"


def test_what_can_never_be_ends_it(daemon):
    good = daemon.submit("true")
    daemon.wait(good)
    job = daemon.submit("true", hold=True)
    assert edit(daemon, job, depends=f"afternotok:{good}")["state"] == "cancelled"
    assert daemon.job(job)["state"] == "cancelled"


def test_the_key_of_an_edited_job_still_finds_it(full):
    job = full.submit("true", key="k")
    edit(full, job, priority="high")
    assert full.submit("true", key="k") == job
    full.restart()
    assert full.submit("true", key="k") == job


@pytest.mark.parametrize("parts,name,words", [
    ({}, "InvalidSpec", ["nothing is given"]),
    ({"queue": "none"}, "NoSuchQueue", ['no queue "none"']),
    ({"queue": "drained"}, "Draining", ["drained"]),
    ({"priority": "top"}, "InvalidSpec", ['priority "top"']),
    ({"cpus": 0}, "InvalidSpec", ["cpus"]),
    ({"cpus": 99}, "NeverFits", ["cpus"]),
    ({"timeout_ms": -1}, "InvalidSpec", ["timeout_ms"]),
    ({"begin": -1}, "InvalidSpec", ["begin"]),
    ({"begin": 1 << 51}, "InvalidSpec", ["deadline"]),
    ({"resources": {"tape": 1}}, "InvalidSpec", ["tape"]),
    ({"depends": "afterok:999999"}, "InvalidSpec", ["999999"]),
    ({"depends": "sometime:1"}, "InvalidSpec", ["depends"]),
    ({"max_attempts": 0}, "InvalidSpec", ["max_attempts"]),
])
def test_bad_input_changes_nothing(full, parts, name, words):
    add(full, "drained")
    full.call("io.batchd.Queues.Drain", name="drained")
    job = full.submit("true", priority="low", deadline=int((time.time() + 3600) * 1e6))
    before = full.job(job)
    with pytest.raises(Refused) as refused:
        edit(full, job, **{"priority": "high", **parts} if parts else {})
    assert refused.value.name == f"io.batchd.{name}", refused.value
    for word in words:
        assert word in str(refused.value)
    assert full.job(job) == before
    full.restart()
    assert full.job(job) == before


def test_only_what_waits(full):
    done = full.submit("true", hold=True)
    full.call("io.batchd.Jobs.Cancel", id=done)
    for job, state in ((full.first, "running"), (done, "cancelled")):
        with pytest.raises(Refused) as refused:
            edit(full, job, priority="high")
        assert (refused.value.name, refused.value.parameters["state"]) == ("io.batchd.InvalidState", state)
    with pytest.raises(Refused) as refused:
        edit(full, 4711, priority="high")
    assert refused.value.name == "io.batchd.NoSuchJob"


def test_batchctl_edit_and_move(full):
    jobs = [full.submit("true", name="render") for _ in range(2)]
    done = full.ctl("edit", str(jobs[0]), "-p", "high", "-t", "2h", "-R", "licence=1")
    assert (done.returncode, done.stdout) == (0, f"Changed job {jobs[0]}\n"), done
    assert full.ctl("edit", str(jobs[0]), "-t", "none").returncode == 0
    now = full.job(jobs[0])
    assert (now["priority"], now["timeout_ms"], now["resources"]["licence"]) == ("high", None, 1)
    assert full.ctl("move", "--dry-run", "-Q", "night", "name:render").stdout.split() == [str(job) for job in jobs]
    assert full.job(jobs[0])["queue"] == "default"
    moved = full.ctl("move", "-Q", "night", "name:render")
    assert moved.stdout.splitlines() == [f"Moved job {job}" for job in jobs]
    assert {full.job(job)["queue"] for job in jobs} == {"night"}
    for words, code, text in [(("edit", str(jobs[0])), 2, "say what"), (("edit", "4711", "-p", "low"), 4, "no job"),
                              (("edit", str(full.first), "-p", "low"), 1, "it is running"),
                              (("move", "-Q", "none", str(jobs[0])), 4, "no queue"),
                              (("move", str(jobs[0])), 2, "move needs -Q QUEUE"),
                              (("edit", str(jobs[0]), "-c", "99"), 1, "cpus")]:
        done = full.ctl(*words)
        assert (done.returncode, text in done.stderr) == (code, True), done


def test_edited_again_and_again_with_kills(make_daemon):
    """What was acknowledged holds; every job runs once."""
    daemon = make_daemon(config=settings(2, "[queues.night]\n"))
    daemon.start()
    first = fill(daemon, cpus=2)
    ran = daemon.state / "ran"
    jobs = [daemon.submit("sh", "-c", f"echo $BATCHD_JOB_ID >>{ran}") for _ in range(30)]
    levels = ["urgent", "high", "normal", "low", "background"]
    wanted = {}
    for turn in range(3):
        for i, job in enumerate(jobs):
            wanted[job] = (levels[(i + turn) % 5], ["default", "night"][(i * 7 + turn) % 2])
            edit(daemon, job, priority=wanted[job][0], queue=wanted[job][1])
        daemon.restart()
        assert {job["id"]: (job["priority"], job["queue"]) for job in daemon.jobs() if job["id"] in wanted} == wanted
    (daemon.state / "go").touch()
    ended = daemon.wait(first, *jobs)
    assert all(job["state"] == "completed" for job in ended)
    assert sorted(map(int, ran.read_text().split())) == jobs


def test_waits_for_the_clock_after_an_edit(timed):
    """Another still begins at the time that it had before."""
    first, at = (int((timed.clock.now() + seconds) * 1e6) for seconds in (3600, 7200))
    job, other = (timed.submit("true", begin=first) for _ in range(2))
    edit(timed, job, begin=at)
    timed.clock.set(first / 1e6 + 0.001)
    timed.wait(other)
    assert timed.job(job)["reasons"] == ["BeginTime"]
    timed.clock.set(at / 1e6 + 0.001)
    assert timed.wait(job)[0]["started_at"] >= at


def test_how_it_stands_beside_others(full):
    """What submit takes for that may be other, and none again; the settings bind it as they bind a submit."""
    job = full.submit("sh", "-c", "nice; grep Cpus_allowed_list /proc/self/status", nice=3, hold=True)
    changed = full.ctl("edit", str(job), "--nice", "19", "--io-priority", "idle", "--pids", "64", "--cpu-bind", "cores")
    assert changed.returncode == 0, changed.stderr
    for _ in range(2):
        now = full.job(job)
        assert now["limits"] == {"nice": 19, "io_priority": "idle", "pids": 64} and now["cpu_bind"] == "cores"
        full.restart()
    edit(full, job, timeout_ms=7000)  # what is not given stays
    assert full.job(job)["limits"]["nice"] == 19
    with pytest.raises(Refused) as refused:
        edit(full, job, pids=5000000)
    assert refused.value.parameters["field"] == "pids" and full.job(job)["limits"]["pids"] == 64
    full.call("io.batchd.Jobs.Release", id=job)
    open_gate(full)
    assert full.wait(job)[0]["state"] == "completed"
    nice, allowed = (full.state / f"jobs/{job}/1.out").read_text().splitlines()
    assert nice == "19" and allowed.split()[1] == full.job(job)["cpu_list"]
    again = full.submit("true", nice=3, pids=7, io_priority="idle", cpu_bind="cores", hold=True)
    done = full.ctl("edit", str(again), "--nice", "none", "--io-priority", "none", "--pids", "none", "--cpu-bind", "none")
    assert done.returncode == 0, done.stderr
    now = full.job(again)
    assert now["limits"] == {"nice": None, "io_priority": None, "pids": None} and now["cpu_bind"] == "none"


def test_of_an_array_that_has_begun(make_daemon):
    """How tasks stand beside others may change, not to what they are bound."""
    daemon = make_daemon(config=settings(1, workers=1))
    daemon.start()
    array = daemon.submit("sh", "-c", f"nice; until [ -e {daemon.state}/go ]; do sleep 0.02; done", array="0-1")
    daemon.wait_running(array)
    edit(daemon, array, nice=17)
    with pytest.raises(Refused) as refused:
        edit(daemon, array, cpu_bind="cores")
    assert refused.value.name == "io.batchd.InvalidState" and "nice" in refused.value.parameters["message"]
    (daemon.state / "go").touch()
    daemon.wait(array)
    assert (daemon.state / f"jobs/{array}/1/1.out").read_text() == "17\n"


def test_what_it_is_called_and_where_it_runs(full, tmp_path):
    (tmp_path / "in").write_text("read\n")
    job = full.submit("sh", "-c", "pwd; cat", tags={"a": "1", "b": "2"}, hold=True, checkpoint_signal="USR1")
    done = full.ctl("edit", str(job), "--name", "other", "--tag", "c=3", "-C", str(tmp_path), "--stdin", "in",
                    "--checkpoint-signal", "USR2")
    assert done.returncode == 0, done.stderr
    for _ in range(2):
        now = full.job(job)
        assert (now["name"], now["tags"], now["cwd"], now["checkpoint_signal"]) == ("other", {"c": "3"}, str(tmp_path), "USR2")
        full.restart()
    for field, value, rule in (("name", "", "1 to 256 bytes"), ("cwd", "here", "absolute path"), ("tags", {"": "1"}, "tag"),
                               ("checkpoint_signal", "KILL", "meaning of its own")):
        with pytest.raises(Refused) as refused:
            edit(full, job, priority="low", **{field: value})
        assert refused.value.parameters["field"] == field and rule in refused.value.parameters["message"]
    assert full.job(job)["priority"] == "normal" and full.job(job)["name"] == "other"
    full.call("io.batchd.Jobs.Release", id=job)
    open_gate(full)
    full.wait(job)
    assert (full.state / f"jobs/{job}/1.out").read_text() == f"{tmp_path}\nread\n"
    bare = full.submit("cat", tags={"a": "1"}, stdin=str(tmp_path / "in"), checkpoint_signal="USR1", hold=True)
    done = full.ctl("edit", str(bare), "--tag", "none", "--stdin", "none", "--checkpoint-signal", "none")
    assert done.returncode == 0, done.stderr
    now = full.job(bare)
    assert now["tags"] == {} and now["checkpoint_signal"] is None
    full.call("io.batchd.Jobs.Release", id=bare)
    assert full.wait(bare)[0]["state"] == "completed"
    assert full.ctl("logs", str(bare)).stdout == ""


@pytest.mark.parametrize("again", [False, True])
def test_its_deadline(make_daemon, tmp_path, again):
    """The new one counts, and the one before no more; also of one that had none."""
    clock = Clock(tmp_path)
    full = make_daemon(config=settings(1, workers=1), env=clock.env)
    full.start()
    full.first = fill(full)
    soon = int((clock.now() + 3600) * 1e6)
    later, none = (full.submit("true", deadline=soon) for _ in range(2))
    given = full.submit("true")
    edit(full, later, deadline=soon + int(3600e6))
    assert full.ctl("edit", str(none), "--deadline", "none").returncode == 0
    edit(full, given, deadline=soon)
    for job, at in ((later, soon + int(3600e6)), (none, None), (given, soon)):
        assert full.job(job)["deadline_at"] == at
    with pytest.raises(Refused) as refused:
        edit(full, later, deadline=1)
    assert refused.value.parameters["field"] == "deadline" and "has passed" in refused.value.parameters["message"]
    with pytest.raises(Refused) as refused:
        edit(full, later, deadline=soon, begin=soon + 1)
    assert refused.value.parameters["field"] in ("deadline", "begin")
    if again:
        full.kill()
        full.start()
    clock.set(soon / 1e6 + 0.001)
    [ended] = full.wait(given)
    assert ended["state"] == "cancelled" and "its deadline" in ended["outcome"]["message"]
    assert full.job(later)["state"] == full.job(none)["state"] == "pending"
    open_gate(full)
    assert [job["state"] for job in full.wait(later, none)] == ["completed"] * 2


@pytest.mark.parametrize("verb", ["edit", "retry"])
def test_a_processor_is_told_its_new_folder(make_daemon, tmp_path, verb):
    serving.install(tmp_path)
    daemon = make_daemon(config=f'[processors]\npath = "{tmp_path}"\n')
    daemon.start()
    before, after = tmp_path / "before", tmp_path / 'af"ter'
    for folder in (before, after):
        folder.mkdir()
    job = daemon.call("io.batchd.Jobs.Submit", type="server", params={"script": ""}, cwd=str(before), hold=verb == "edit")["id"]
    if verb == "edit":
        edit(daemon, job, cwd=str(after))
        daemon.call("io.batchd.Jobs.Release", id=job)
    else:
        daemon.wait(job)
        job = daemon.call("io.batchd.Jobs.Retry", id=job, cwd=str(after))["id"]
    assert daemon.wait(job)[0]["state"] == "completed"
    assert daemon.job(job)["cwd"] == daemon.job(job)["result"]["facts"]["cwd"] == str(after)
