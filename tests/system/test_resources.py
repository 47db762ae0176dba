"""GPUs, disk and named counters: what a machine has, what jobs ask for, and that nobody is given what
another one has."""
import contextlib
import json
import random
import signal
import sqlite3
import subprocess

import pytest
from daemon import OUT, Refused, wait_until
from test_scheduling import gate, most_at_once


def settings(resources="", cpus=8, more=""):
    return f"[workers]\nmax = 8\n[resources]\ncpus = {cpus}\n{resources}\n{more}"


def check_config(tmp_path, text, *options):
    file = tmp_path / "test.toml"
    file.write_text(text)
    return subprocess.run([OUT / "batchd", "--state", tmp_path / "state", "--config", file, *options],
                          capture_output=True, text=True, timeout=20, check=False)


@pytest.mark.parametrize("text,place,words", [
    ("Licence = 3", "2:11", ["resources.Licence", "[a-z][a-z0-9_-]{0,31}"]),
    ("licence = -1", "2:11", ["resources.licence", "not negative"]),
    ("licence = 1.5", "2:11", ["resources.licence", "whole number"]),
    ("licence = 1000000000001", "2:11", ["resources.licence is 1000000000001", "to 1000000000000"]),
    ('licence = "2"', "2:11", ["resources.licence", "whole number"]),
    ("cpu = 4", "2:7", ["resources.cpu", 'did you mean "cpus"']),
    ("memroy = 4", "2:10", ["resources.memroy", 'did you mean "memory"']),
    ("gpus = 65", "2:8", ["resources.gpus is 65", "from 0 to 64"]),
    ('gpus = "all"', "2:8", ["resources.gpus", '"auto"']),
    ("gpus = 0.5", "2:8", ["resources.gpus", "whole number"]),
    ('disk = "1 parsec"', "2:8", ["resources.disk", "1 parsec"]),
    ("[resources.licence]\na = 1", "2:12", ['unknown table "resources.licence"']),
    ("\n".join(f"{name} = 1" for name in "abcdefghijkl"), "13:5", ["resources.l", "at most 11"]),
])
def test_wrong_settings(tmp_path, text, place, words):
    done = check_config(tmp_path, f"[resources]\n{text}\n", "--check-config")
    assert done.returncode == 78
    assert f"test.toml:{place}" in done.stderr, done.stderr
    for word in words:
        assert word in done.stderr


def test_settings_are_shown_and_a_drop_in_wins(tmp_path):
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "a.toml").write_text("[resources]\nlicence = 5\ntape-2 = 0\n")
    text = '[resources]\nlicence = 2\ngpus = 3\ndisk = "10G"\n'
    shown = check_config(tmp_path, text, "--print-config").stdout
    assert "\ngpus = 3\ndisk = 10737418240\nlicence = 5\ntape-2 = 0\n\n" in shown
    again = check_config(tmp_path, shown, "--print-config").stdout
    assert again == shown
    assert 'gpus = "auto"' in check_config(tmp_path, "", "--print-config").stdout


def test_status_tells_what_there_is(make_daemon):
    daemon = make_daemon(config=settings('gpus = 3\ndisk = "10G"\nlicence = 2\ntape = 0'))
    daemon.start()
    assert ", 3 gpus (3 free), 10.0G disk (10.0G free), 2 licence (2 free), 0 tape (0 free)\n" in \
        daemon.ctl("status").stdout
    resources = json.loads(daemon.ctl("status", "--json").stdout)["resources"]
    assert (resources["gpus"], resources["gpus_free"]) == (3, 3)
    assert (resources["disk_bytes"], resources["disk_unpromised_bytes"]) == (10 << 30, 10 << 30)
    assert resources["counters"] == {"licence": {"total": 2, "free": 2}, "tape": {"total": 0, "free": 0}}


def test_what_is_found_by_itself(make_daemon):
    """Disk: the size of the file system; it is the same after a restart, whatever was written."""
    daemon = make_daemon(config=settings('gpus = "auto"'))
    daemon.start()
    before = daemon.call("io.batchd.Server.Status")["resources"]
    assert before["disk_bytes"] > 0 and before["gpus"] >= 0
    (daemon.state / "some").write_bytes(b"x" * (4 << 20))
    daemon.restart()
    assert daemon.call("io.batchd.Server.Status")["resources"]["disk_bytes"] == before["disk_bytes"]


# ---- what a job may ask for ----

def refusal(daemon, **asked):
    with pytest.raises(Refused) as refused:
        daemon.submit("true", **asked)
    return refused.value


@pytest.mark.parametrize("asked,field,words", [
    ({"resources": {"licens": 1}}, "resources", ['"licens"', "licence, tape"]),
    ({"resources": {"licence": -1}}, "resources", ["licence is -1", "from 0 to 1000000000000"]),
    ({"resources": {"licence": 10**13}}, "resources", ["licence is 10000000000000"]),
    ({"resources": {"licence": 1.5}}, "resources", ["licence must be an integer"]),
    ({"resources": {"licence": "1"}}, "resources", ["licence must be an integer"]),
    ({"resources": [1]}, "resources", ["object"]),
    ({"gpus": 1.5}, "gpus", ["1.5", "whole", "share"]),
    ({"resources": {"gpus": 0.0001}}, "gpus", ["0.0001", "share"]),
    ({"gpus": -1}, "gpus", ["-1", "from 0"]),
    ({"gpus": 1 << 40}, "gpus", [str(1 << 40)]),
    ({"disk": -1}, "disk", ["-1"]),
    ({"disk": 1 << 60}, "disk", [str(1 << 60)]),
    ({"resources": {"cpus": 0}}, "cpus", ["cpus is 0"]),
    ({"gpus": 1, "resources": {"gpus": 1}}, "gpus", ["twice"]),
    ({"gpus": 0.5, "resources": {"gpus": 1}}, "gpus", ["twice"]),
    ({"gpu_memory": 1 << 30}, "gpu_memory", ["gpus must be given"]),
    ({"gpus": 1, "gpu_memory": -1}, "gpu_memory", ["-1"]),
])
def test_wrong_amounts(make_daemon, asked, field, words):
    daemon = make_daemon(config=settings("gpus = 2\nlicence = 2\ntape = 1"))
    daemon.start()
    refused = refusal(daemon, **asked)
    assert refused.name == "io.batchd.InvalidSpec"
    assert refused.parameters["field"] == field
    for word in words:
        assert word in refused.parameters["message"]
    assert daemon.jobs() == []


def test_what_never_fits_is_refused_for_every_kind(make_daemon):
    daemon = make_daemon(config=settings('memory = "1G"\ngpus = 2\ndisk = "10G"\nlicence = 2\ntape = 0'))
    daemon.start()
    for asked, kind, requested, largest in [
            ({"cpus": 9}, "cpus", 9, 8), ({"memory": (1 << 30) + 1}, "memory", (1 << 30) + 1, 1 << 30),
            ({"gpus": 3}, "gpus", 3, 2), ({"disk": 11 << 30}, "disk", 11 << 30, 10 << 30),
            ({"resources": {"licence": 3}}, "licence", 3, 2), ({"resources": {"tape": 1}}, "tape", 1, 0),
            ({"resources": {"disk": 11 << 30}}, "disk", 11 << 30, 10 << 30)]:
        refused = refusal(daemon, **asked)
        assert refused.name == "io.batchd.NeverFits"
        assert [refused.parameters[key] for key in ("resource", "requested", "largest")] == [
            kind, requested, largest]
        assert kind in refused.parameters["message"]
    done = daemon.ctl("submit", "--disk", "11G", "--", "true")
    assert done.returncode == 1 and "disk = 11.0G never fits: this machine has 10.0G" in done.stderr
    assert daemon.jobs() == []
    job = daemon.submit("true", cpus=8, memory=1 << 30, gpus=2, disk=10 << 30,
                        resources={"licence": 2, "tape": 0})
    assert daemon.wait(job)[0]["state"] == "completed"


def test_asked_for_on_the_command_line(make_daemon):
    daemon = make_daemon(config=settings('gpus = 2\ndisk = "20G"\nlicence = 3\ntape = 1'))
    daemon.start()
    done = daemon.ctl("submit", "-g", "1", "--disk", "10G", "-R", "tape=1", "-R", "licence=2", "--", "true")
    job = int(done.stdout)
    expected = {"cpus": 1, "memory_bytes": 0, "gpus": 1, "disk_bytes": 10 << 30, "licence": 2, "tape": 1}
    assert daemon.wait(job)[0]["resources"] == expected
    daemon.restart()
    shown = daemon.job(job)
    assert (shown["resources"], shown["gpu_indices"], shown["lacking"]) == (expected, [0], [])
    text = daemon.ctl("show", str(job)).stdout
    assert "resources: 1 cpus, 1 gpus, disk 10.0G, 2 licence, 1 tape\n" in text
    assert "gpus: [0]\n" in text
    for words, code, told in [(["-R", "licence"], 2, "NAME=N"), (["-R", "licence=two"], 2, "two"),
                              (["-g", "half"], 2, "a share of one GPU such as 0.5"), (["-g", "1.5"], 1, "from 0.001 to 0.999"),
                              (["-R", "a=1"], 1, "licence, tape")]:
        done = daemon.ctl("submit", *words, "--", "true")
        assert done.returncode == code and told in done.stderr


def test_a_key_stands_for_what_was_asked_for(make_daemon):
    daemon = make_daemon(config=settings("gpus = 2\nlicence = 3\ntape = 1"))
    daemon.start()
    first = daemon.submit("true", key="a", gpus=1, disk=5, resources={"licence": 1, "tape": 1})
    assert daemon.submit("true", key="a", gpus=1, disk=5, resources={"tape": 1, "licence": 1}) == first
    daemon.restart()
    assert daemon.submit("true", key="a", gpus=1, disk=5, resources={"tape": 1, "licence": 1}) == first
    for other in ({"gpus": 2, "disk": 5, "resources": {"licence": 1, "tape": 1}},
                  {"gpus": 1, "disk": 6, "resources": {"licence": 1, "tape": 1}},
                  {"gpus": 1, "disk": 5, "resources": {"licence": 2, "tape": 1}},
                  {"gpus": 1, "disk": 5}):
        assert refusal(daemon, key="a", **other).name == "io.batchd.KeyConflict"


# ---- counters ----

# Each says in a folder that it is there, and writes how many it saw.
COUNT = 'd=$0; : > "$d/in/$BATCHD_JOB_ID"; sleep "$1"; ls "$d/in" | wc -l >> "$d/seen"; rm "$d/in/$BATCHD_JOB_ID"'


def counting_folder(daemon):
    (daemon.state / "in").mkdir()
    return str(daemon.state)


def seen(daemon):
    return [int(line) for line in (daemon.state / "seen").read_text().split()]


def test_two_licences_are_held_by_two(make_daemon):
    daemon = make_daemon(config=settings("licence = 2"))
    daemon.start()
    folder = counting_folder(daemon)
    jobs = [daemon.submit("sh", "-c", COUNT, folder, "0.05", resources={"licence": 1}) for _ in range(20)]
    beside = daemon.submit("true")
    assert daemon.wait(beside)[0]["state"] == "completed"
    assert all(job["state"] == "completed" for job in daemon.wait(*jobs))
    assert len(seen(daemon)) == 20 and max(seen(daemon)) == 2
    assert daemon.call("io.batchd.Server.Status")["resources"]["counters"]["licence"]["free"] == 2


def test_counters_are_counted_over_restarts(make_daemon):
    daemon = make_daemon(config=settings("licence = 3"))
    daemon.start()
    folder = counting_folder(daemon)
    jobs = [daemon.submit("sh", "-c", COUNT, folder, "0.02", resources={"licence": 1 + i % 3})
            for i in range(40)]
    for ended in (8, 16, 24):
        wait_until(lambda: daemon.call("io.batchd.Server.Status")["counts"].get("completed", 0) >= ended)
        daemon.restart()
    ended = daemon.wait(*jobs)
    assert all(job["state"] == "completed" for job in ended)
    assert max(seen(daemon)) <= 3
    assert most_at_once(ended, lambda job: job["resources"]["licence"]) <= 3
    assert daemon.call("io.batchd.Server.Status")["resources"]["counters"]["licence"]["free"] == 3


def test_a_removed_counter_keeps_its_jobs_waiting(make_daemon):
    daemon = make_daemon(config=settings("licence = 2\ntape = 1"))
    daemon.start()
    holder = daemon.submit(*gate(daemon), resources={"licence": 1, "tape": 1})
    daemon.wait_running(holder)
    waiting = daemon.submit("true", resources={"licence": 2, "tape": 1})
    array = daemon.submit("true", resources={"licence": 2}, array="1-3")
    daemon.kill()
    daemon.config.write_text(settings("tape = 1"))
    daemon.start()
    assert daemon.job(holder)["state"] == "running"
    assert daemon.call("io.batchd.Server.Status")["resources"]["counters"] == {"tape": {"total": 1, "free": 0}}
    (daemon.state / "go").write_text("")
    assert daemon.wait(holder)[0]["state"] == "completed"
    other = daemon.submit("true", resources={"tape": 1})
    assert daemon.wait(other)[0]["state"] == "completed"  # what cannot start stops nobody
    for job in (waiting, array):
        shown = daemon.job(job)
        assert (shown["state"], shown["reasons"], shown["lacking"]) == ("pending", ["Resources"], ["licence"])
        assert shown["resources"]["licence"] == 2
        assert "lacking: licence\n" in daemon.ctl("show", str(job)).stdout
    assert refusal(daemon, resources={"licence": 1}).parameters["field"] == "resources"
    daemon.kill()
    daemon.config.write_text(settings("licence = 1\ntape = 1"))
    daemon.start()
    assert daemon.job(waiting)["lacking"] == ["licence"]
    daemon.kill()
    daemon.config.write_text(settings("a = 1\ntape = 1\nlicence = 2"))  # in another order
    daemon.start()
    assert all(job["state"] == "completed" for job in daemon.wait(waiting, array))


# ---- GPUs ----

SHOW_GPUS = ('echo "$BATCHD_JOB_ID ${BATCHD_GPUS-none} ${CUDA_VISIBLE_DEVICES-none} ${ROCR_VISIBLE_DEVICES-none}'
             ' ${HIP_VISIBLE_DEVICES-none} ${CUDA_DEVICE_ORDER-none}"; until [ -e "$0" ]; do sleep 0.02; done')


def output(daemon, job):
    return daemon.ctl("logs", str(job)).stdout.split("\n")[0].split(" ")[1:]


def start_holder(daemon, name, gpus, **more):
    """A job that runs until the file is there."""
    job = daemon.submit("sh", "-c", SHOW_GPUS, str(daemon.state / name), gpus=gpus, **more)
    daemon.wait_running(job)
    return job


def end_holder(daemon, name, job):
    (daemon.state / name).write_text("")
    daemon.wait(job)


def test_gpus_are_told_and_exclusive(make_daemon):
    daemon = make_daemon(config=settings("gpus = 4"))
    daemon.start()
    env = {"PATH": "/usr/bin:/bin", "CUDA_VISIBLE_DEVICES": "3", "HIP_VISIBLE_DEVICES": "7"}
    a, b = start_holder(daemon, "a", 1), start_holder(daemon, "b", 2, env=env)
    assert daemon.job(a)["gpu_indices"] == [0] and daemon.job(b)["gpu_indices"] == [1, 2]
    end_holder(daemon, "a", a)
    c = start_holder(daemon, "c", 2)  # the lowest that are free
    assert daemon.job(c)["gpu_indices"] == [0, 3]
    d = daemon.submit("true", gpus=1)
    without = start_holder(daemon, "w", 0, env=env)
    assert daemon.job(d)["reasons"] == ["Resources"]
    assert output(daemon, a) == ["0", "0", "0", "0", "PCI_BUS_ID"]
    assert output(daemon, b) == ["1,2", "1,2", "1,2", "0,1", "PCI_BUS_ID"]
    assert output(daemon, c) == ["0,3", "0,3", "0,3", "0,1", "PCI_BUS_ID"]
    assert output(daemon, without) == ["none", "", "", "", "PCI_BUS_ID"]
    assert daemon.job(without)["gpu_indices"] == []
    for name, job in (("b", b), ("c", c), ("w", without)):
        end_holder(daemon, name, job)
    assert daemon.wait(d)[0]["gpu_indices"] == [1]
    assert daemon.job(b)["gpu_indices"] == [1, 2]  # what it had


def test_without_gpus_the_environment_is_the_persons(make_daemon):
    daemon = make_daemon(config=settings("gpus = 0"))
    daemon.start()
    job = start_holder(daemon, "a", 0, env={"PATH": "/usr/bin:/bin", "CUDA_VISIBLE_DEVICES": "3"})
    end_holder(daemon, "a", job)
    assert output(daemon, job) == ["none", "3", "none", "none", "none"]


def test_gpus_are_kept_over_a_restart(make_daemon):
    """A running job keeps exactly its own, whatever the order in which it is found again; and a
    machine that has fewer gives none away that somebody has."""
    daemon = make_daemon(config=settings("gpus = 4"))
    daemon.start()
    a, b, c = (start_holder(daemon, name, gpus) for name, gpus in (("a", 1), ("b", 1), ("c", 1)))
    end_holder(daemon, "a", a)
    daemon.restart()
    assert [daemon.job(job)["gpu_indices"] for job in (b, c)] == [[1], [2]]
    d = start_holder(daemon, "d", 2)
    assert daemon.job(d)["gpu_indices"] == [0, 3]
    end_holder(daemon, "b", b)
    daemon.kill()
    daemon.config.write_text(settings("gpus = 2"))
    daemon.start()
    e = daemon.submit("sh", "-c", SHOW_GPUS, str(daemon.state / "e"), gpus=1)
    beside = daemon.submit("true")
    daemon.wait(beside)
    assert daemon.job(e)["state"] == "pending"  # three are in use of two
    assert daemon.call("io.batchd.Server.Status")["resources"]["gpus_free"] == 0
    end_holder(daemon, "c", c)
    end_holder(daemon, "d", d)
    daemon.wait_running(e)
    assert daemon.job(e)["gpu_indices"] == [0]
    daemon.kill()
    daemon.config.write_text(settings("gpus = 0"))
    daemon.start()
    f = daemon.job(e)
    assert (f["state"], f["gpu_indices"]) == ("running", [0])
    end_holder(daemon, "e", e)


def test_short_jobs_never_share_a_gpu(make_daemon):
    """Jobs so short that others would be handed ahead; arrays too; killed on the way. Each makes a
    folder that only one can make at a time, for each of its GPUs."""
    daemon = make_daemon(config=settings("gpus = 3"))
    daemon.start()
    script = ('for i in $(echo $BATCHD_GPUS | tr , " "); do mkdir "$0/gpu$i" || exit 9; done; sleep $1;'
              'for i in $(echo $BATCHD_GPUS | tr , " "); do rmdir "$0/gpu$i" || exit 9; done')
    dice = random.Random(5)
    jobs = [daemon.submit("sh", "-c", script, str(daemon.state), dice.choice(["0", "0", "0.02"]),
                          gpus=dice.choice([1, 1, 1, 2, 3])) for _ in range(60)]
    array = daemon.submit("sh", "-c", script, str(daemon.state), "0", gpus=1, array="1-30")
    plain = [daemon.submit("true") for _ in range(20)]
    for ended in (15, 40, 60):
        wait_until(lambda: daemon.call("io.batchd.Server.Status")["counts"].get("completed", 0) >= ended)
        daemon.restart()
    ended = daemon.wait(*jobs, array, *plain)
    assert {job["state"] for job in ended} == {"completed"}
    tasks = [daemon.call("io.batchd.Jobs.Show", id=array, index=i)["job"] for i in range(1, 31)]
    assert all(len(task["gpu_indices"]) == 1 for task in tasks)
    for index in range(3):
        holders = [job for job in [*ended, *tasks] if index in job["gpu_indices"]]
        assert holders and most_at_once(holders, lambda _: 1) == 1
    assert daemon.call("io.batchd.Server.Status")["resources"]["gpus_free"] == 3


def test_another_attempt_gets_what_is_free_then(make_daemon):
    daemon = make_daemon(config=settings("gpus = 2"))
    daemon.start()
    a = start_holder(daemon, "a", 1)
    script = 'echo $BATCHD_GPUS; [ -e "$0" ] || { : > "$0"; until [ -e "$1" ]; do sleep 0.02; done; exit 3; }'
    b = daemon.submit("sh", "-c", script, str(daemon.state / "once"), str(daemon.state / "b"), gpus=1,
                      max_attempts=2)
    daemon.wait_running(b)
    assert daemon.job(b)["gpu_indices"] == [1]
    end_holder(daemon, "a", a)
    c = start_holder(daemon, "c", 1)
    end_holder(daemon, "c", c)
    (daemon.state / "b").write_text("")
    ended = daemon.wait(b)[0]
    assert (ended["state"], ended["attempt"], ended["gpu_indices"]) == ("completed", 2, [0])


def test_a_gpu_of_a_dead_worker_is_free_when_its_processes_are(make_daemon):
    """The lock is held as long as one process of the job lives."""
    daemon = make_daemon(config=settings("gpus = 1"))
    daemon.start()
    script = ('exec 9>"$0/gpu$BATCHD_GPUS"; flock -n 9 || exit 9; [ $BATCHD_ATTEMPT = 2 ] && exit 0;'
              'trap "" TERM; until [ -e "$0/go" ]; do sleep 0.02; done')
    job = daemon.submit("sh", "-c", script, str(daemon.state), gpus=1)
    daemon.wait_running(job)
    behind = daemon.submit("sh", "-c", 'exec 9>"$0/gpu$BATCHD_GPUS"; flock -n 9', str(daemon.state), gpus=1)
    daemon.signal("--worker", signal.SIGKILL)
    ended = daemon.wait(job, behind)
    assert [(one["state"], one["gpu_indices"]) for one in ended] == [("completed", [0])] * 2, ended
    assert ended[0]["attempt"] == 2


def test_what_waits_again_has_no_gpus(make_daemon):
    daemon = make_daemon(config=settings("gpus = 2"))
    daemon.start()
    script = 'until [ -e "$0" ]; do sleep 0.02; done; exit $((2 - BATCHD_ATTEMPT))'
    job = daemon.submit("sh", "-c", script, str(daemon.state / "fail"), gpus=2, max_attempts=2, priority="low")
    daemon.wait_running(job)
    urgent = daemon.submit("sh", "-c", SHOW_GPUS, str(daemon.state / "b"), gpus=1, priority="urgent")
    (daemon.state / "fail").write_text("")
    daemon.wait_running(urgent)
    shown = daemon.job(job)
    assert (shown["state"], shown["attempt"], shown["gpu_indices"]) == ("pending", 1, [])
    end_holder(daemon, "b", urgent)
    ended = daemon.wait(job)[0]
    assert (ended["state"], ended["gpu_indices"]) == ("completed", [0, 1])


def test_the_store_notices_a_changed_request(make_daemon):
    daemon = make_daemon(config=settings("gpus = 2\nlicence = 1"))
    daemon.start()
    job = start_holder(daemon, "a", 1, resources={"licence": 1}, disk=1 << 20)
    daemon.kill()
    check = [OUT / "batchd", "--state", daemon.state, "--check-store"]

    def write(column, value):
        with contextlib.closing(sqlite3.connect(daemon.state / "batchd.db")) as db, db:
            before = db.execute(f"SELECT {column} FROM job WHERE id=?", (job,)).fetchone()[0]
            db.execute(f"UPDATE job SET {column}=? WHERE id=?", (value, job))
            return before
    for column, value in (("gpus", 2), ("gpu_share", 3), ("gpu_memory_bytes", 7), ("disk_bytes", 7), ("counters", "licence=3"), ("gpu_set", 2)):
        before = write(column, value)
        done = subprocess.run(check, capture_output=True, text=True, check=False)
        assert done.returncode == 65 and f"job {job}" in done.stderr, (column, done)
        write(column, before)
    assert subprocess.run(check, check=False).returncode == 0
    daemon.start()
    end_holder(daemon, "a", job)
