"""Schedules: jobs that are submitted again and again, by a clock that the tests set (libfaketime)."""
import datetime
import os
import random
import sqlite3
import subprocess
import time
import zoneinfo

import pytest
from clock import Clock, at
from daemon import Refused, wait_until

BERLIN = "Europe/Berlin"
DAY = 86400
MONDAY = (2027, 6, 7)  # the day on which most of it plays


@pytest.fixture
def timed(make_daemon, tmp_path):
    """A daemon in Berlin whose clock is set by timed.clock; it stands before noon."""
    clock = Clock(tmp_path, BERLIN)
    clock.set(at(BERLIN, *MONDAY, 11, 30))
    daemon = make_daemon(env=clock.env)
    daemon.clock = clock
    daemon.start()
    return daemon


def call(daemon, method, **parameters):
    return daemon.call(f"io.batchd.Schedules.{method}", **parameters)


def add(daemon, name, times, *argv, job=None, **more):
    job = {"argv": list(argv or ["true"]), "cwd": "/", "env": {"PATH": os.environ["PATH"]}, **(job or {})}
    return call(daemon, "Add", name=name, at=times, job=job, **more)["schedule"]


def shown(daemon, name="one"):
    return next(one for one in call(daemon, "List")["schedules"] if one["name"] == name)


def runs(daemon, name="one"):
    return sorted((job for job in daemon.jobs() if job["name"] == name), key=lambda job: job["id"])


def keys(daemon):
    """The times of all runs, as their keys have them: what was made, whatever the clock said then.
    Ends the daemon, which has the store to itself."""
    daemon.kill()
    with sqlite3.connect(f"file:{daemon.state}/batchd.db?mode=ro", uri=True) as db:
        found = [key for key, in db.execute("SELECT key FROM job WHERE key LIKE 'cron:%' ORDER BY id")]
    db.close()
    return [int(key.split(":")[2]) for key in found]


def wait_for_runs(daemon, count, name="one"):
    wait_until(lambda: len(runs(daemon, name)) >= count)
    made = runs(daemon, name)
    assert len(made) == count
    return made


def settle(daemon):
    """Two turns of the loop at least: what is due now has been looked at."""
    before = daemon.call("io.batchd.Server.Ping")["time_us"]
    wait_until(lambda: daemon.call("io.batchd.Server.Ping")["time_us"] > before + 1_200_000)


def local(micros, zone=BERLIN):
    moment = datetime.datetime.fromtimestamp(micros / 1e6, zoneinfo.ZoneInfo(zone))
    return moment.strftime("%Y-%m-%d %H:%M ") + moment.strftime("%z")[:3] + ":" + moment.strftime("%z")[3:]


# ---- runs ----

def test_a_run_is_an_ordinary_job_at_its_time(timed):
    noon = at(BERLIN, *MONDAY, 12, 0)
    schedule = add(timed, "one", "0 12 * * MON", "sh", "-c", "exit 3", job={"tags": {"a": "b"}, "priority": "high"})
    assert schedule["next_at"] == noon * 1e6 and schedule["next"] == local(noon * 1e6)
    assert schedule["last_run"] is None and schedule["timezone"] == BERLIN and schedule["local"]
    timed.clock.set(noon - 0.2)
    job = wait_for_runs(timed, 1)[0]
    timed.wait(job["id"])
    assert 0 <= job["submitted_at"] / 1e6 - noon < 3
    assert job["tags"] == {"a": "b", "cron": "one"} and job["priority"] == "high"
    after = shown(timed)
    assert after["next_at"] == (noon + 7 * DAY) * 1e6
    assert after["last_run"]["id"] == job["id"] and after["last_run"]["outcome"]["exit_code"] == 3
    assert after["last_run"]["ended_at"] and after["skipped_at"] is None
    timed.restart()
    settle(timed)
    assert len(runs(timed)) == 1 and shown(timed) == after


@pytest.mark.long
@pytest.mark.parametrize("restart", [False, True])
def test_where_the_clock_is_put_forward_and_back(timed, restart):
    """02:30 is left out in March and comes twice in October; minutes go on by real time."""
    for day, month, first in ((28, 3, (1, 59)), (31, 10, (2, 29))):
        timed.clock.set(at(BERLIN, 2027, month, day, *first, 57))
        name = f"fixed{month}"
        add(timed, name, "30 2 * * *")
        run = wait_for_runs(timed, 1, name)[0]
        wanted = at(BERLIN, 2027, 3, 28, 3, 0) if month == 3 else at(BERLIN, 2027, 10, 31, 2, 30)
        assert 0 <= run["submitted_at"] / 1e6 - wanted < 5
        if restart:
            timed.restart()
        timed.clock.set(wanted + 3600)  # in October the clock shows 02:30 again
        settle(timed)
        assert len(runs(timed, name)) == 1
        assert shown(timed, name)["next"].startswith(f"2027-{month:02}-29 02:30" if month == 3 else
                                                     "2027-11-01 02:30")


def test_zones(timed):
    add(timed, "one", "0 12 * * *", timezone="America/New_York")
    one = shown(timed)
    assert one["next"] == "2027-06-07 12:00 -04:00" and not one["local"]
    assert one["next_at"] == at("America/New_York", *MONDAY, 12, 0) * 1e6
    call(timed, "Edit", name="one", timezone="local")
    assert shown(timed)["next"] == "2027-06-07 12:00 +02:00"
    timed.restart()
    assert shown(timed)["next"] == "2027-06-07 12:00 +02:00"


@pytest.mark.long
def test_kills_neither_lose_a_run_nor_make_it_twice(timed):
    dice = random.Random(7)
    minute = at(BERLIN, *MONDAY, 11, 40)
    timed.clock.set(minute - 30)
    add(timed, "one", "* * * * *", overlap="queue", catch_up="one")
    wanted = []
    for _ in range(10):
        timed.clock.set(minute - dice.uniform(0, 0.3))
        wait_until(lambda: timed.clock.now() >= minute)
        time.sleep(dice.uniform(0, 1.1))  # where in its second the daemon is hit is the dice's to say
        timed.kill()
        wanted.append(minute)
        timed.start()
        wait_for_runs(timed, len(wanted))
        minute += 60
    timed.wait(*[job["id"] for job in runs(timed)])
    assert [job["state"] for job in runs(timed)] == ["completed"] * len(wanted)
    assert keys(timed) == wanted


def test_a_run_is_made_once_however_often_batchd_looks(timed):
    """Without what the schedule remembers, the run's key still finds the run."""
    noon = at(BERLIN, *MONDAY, 12, 0)
    before = at(BERLIN, *MONDAY, 11, 30)
    add(timed, "one", "0 12 * * *", catch_up="one")
    timed.clock.set(noon)
    timed.wait(wait_for_runs(timed, 1)[0]["id"])
    timed.clock.set(before - 4 * 3600)  # so much was no correction
    wait_until(lambda: shown(timed)["next_at"] == noon * 1e6)
    timed.clock.set(noon + 1)
    wait_until(lambda: shown(timed)["next_at"] == (noon + DAY) * 1e6)
    assert len(runs(timed)) == 1


def test_the_clock_is_corrected(timed):
    noon = at(BERLIN, *MONDAY, 12, 0)
    add(timed, "one", "*/10 * * * *", catch_up="one")
    timed.clock.set(noon)
    wait_for_runs(timed, 1)
    timed.clock.set(noon - 3000)
    settle(timed)
    assert shown(timed)["next_at"] == (noon + 600) * 1e6  # what was made is not made again
    timed.restart()
    settle(timed)
    assert len(runs(timed)) == 1
    timed.clock.set(noon + 600)
    wait_for_runs(timed, 2)
    assert keys(timed) == [noon, noon + 600]


# ---- runs that overlap, runs that were missed ----

def minute_by_minute(daemon, count):
    """So many minutes pass; what is due in each is looked at."""
    start = at(BERLIN, *MONDAY, 12, 0)
    for minute in range(count):
        daemon.clock.set(start + 60 * minute)
        wait_until(lambda minute=minute: shown(daemon)["next_at"] == (start + 60 * (minute + 1)) * 1e6)


def test_overlap_skip(timed):
    add(timed, "one", "* * * * *", "sleep", "1000")
    minute_by_minute(timed, 2)
    first, = runs(timed)
    timed.wait_running(first["id"])
    one = shown(timed)
    assert one["skipped_at"] == at(BERLIN, *MONDAY, 12, 1) * 1e6
    assert one["skipped_why"] == f"job {first['id']} had not ended"
    assert f"job {first['id']} had not ended" in timed.ctl("cron").stdout
    assert f"left out: job {first['id']} had not ended" in timed.ctl("cron", "next", "one").stderr
    with pytest.raises(Refused) as refused:
        call(timed, "Run", name="one")
    assert refused.value.name == "io.batchd.InvalidState"
    timed.restart()
    assert shown(timed) == one
    timed.call("io.batchd.Jobs.Cancel", id=first["id"], grace_ms=0)
    timed.wait(first["id"])
    timed.clock.set(at(BERLIN, *MONDAY, 12, 2))
    wait_for_runs(timed, 2)


def test_overlap_queue(timed):
    add(timed, "one", "* * * * *", "sleep", "1000", overlap="queue")
    minute_by_minute(timed, 3)
    assert len(runs(timed)) == 3 and shown(timed)["skipped_at"] is None
    assert {job["state"] for job in runs(timed)} <= {"pending", "starting", "running"}


def test_overlap_replace(timed):
    add(timed, "one", "* * * * *", "sleep", "1000", overlap="replace")
    minute_by_minute(timed, 3)
    first, second, third = runs(timed)
    timed.wait(first["id"], second["id"])
    for job in (timed.job(first["id"]), timed.job(second["id"])):
        assert job["state"] == "cancelled"
    assert timed.job(third["id"])["state"] in ("pending", "starting", "running")
    assert call(timed, "Run", name="one")["id"] == third["id"] + 1
    assert timed.wait(third["id"])[0]["state"] == "cancelled"


@pytest.mark.parametrize("catch_up", ["none", "one"])
def test_batchd_was_down(timed, catch_up):
    noon = at(BERLIN, *MONDAY, 12, 0)
    add(timed, "one", "*/10 12 * * *", catch_up=catch_up)
    timed.kill()
    timed.clock.set(noon + 1990)  # three times passed: 12:10, 12:20, and 12:30 is three minutes ago
    timed.start()
    wait_until(lambda: shown(timed)["next_at"] == (noon + 2400) * 1e6)
    one = shown(timed)
    assert (one["skipped_why"] is None) == (catch_up == "one")
    if catch_up == "none":
        assert "3m10s late" in one["skipped_why"] and one["skipped_at"] == (noon + 1800) * 1e6
    assert keys(timed) == ([noon + 1800] if catch_up == "one" else [])


def test_a_restart_is_no_outage(timed):
    """A run that is less than a minute late is not missed."""
    noon = at(BERLIN, *MONDAY, 12, 0)
    add(timed, "one", "0 12 * * *")
    timed.kill()
    timed.clock.set(noon + 40)
    timed.start()
    wait_for_runs(timed, 1)
    assert keys(timed) == [noon]


def test_years_pass(timed):
    add(timed, "one", "* * * * *", catch_up="one")
    later = at(BERLIN, 2037, 6, 7, 12, 0)
    timed.clock.set(later)
    started = time.monotonic()
    wait_until(lambda: shown(timed)["next_at"] == (later + 60) * 1e6)
    assert time.monotonic() - started < 10 and len(runs(timed)) == 1


# ---- what people do ----

def test_pause_resume_run_remove(timed):
    noon = at(BERLIN, *MONDAY, 12, 0)
    add(timed, "one", "0 12 * * *", catch_up="one", paused=True)
    assert shown(timed)["next_at"] is None and shown(timed)["paused"]
    timed.restart()
    timed.clock.set(noon + 5)
    settle(timed)
    assert runs(timed) == [] and "paused" in timed.ctl("cron", "list").stdout
    assert call(timed, "Resume", name="one")["schedule"]["next_at"] == (noon + DAY) * 1e6
    settle(timed)
    assert runs(timed) == []  # the pause is not made up for
    by_hand = call(timed, "Run", name="one")["id"]
    assert timed.wait(by_hand)[0]["state"] == "completed"
    assert shown(timed)["last_run"]["id"] == by_hand
    assert shown(timed)["next_at"] == (noon + DAY) * 1e6
    call(timed, "Pause", name="one")
    call(timed, "Remove", name="one")
    timed.restart()
    assert call(timed, "List")["schedules"] == []
    with pytest.raises(Refused) as refused:
        call(timed, "Run", name="one")
    assert refused.value.name == "io.batchd.NoSuchSchedule"
    assert timed.job(by_hand)["state"] == "completed"


def test_edit(timed):
    add(timed, "one", "0 12 * * *", "printenv", "A", "B", job={"env": {"A": "1", "B": "2", "PATH": "/bin:/usr/bin"}})
    assert "env" not in shown(timed)["job"]
    for change in ({"at": "30 12 * * *"}, {"overlap": "queue"}, {"catch_up": "one"},
                   {"job": {"env": {"B": "3"}, "priority": "low", "tags": {"x": "y"}}}):
        call(timed, "Edit", name="one", **change)
    timed.restart()
    one = shown(timed)
    assert (one["at"], one["overlap"], one["catch_up"]) == ("30 12 * * *", "queue", "one")
    assert one["job"]["priority"] == "low" and one["job"]["argv"] == ["printenv", "A", "B"]
    job = timed.wait(call(timed, "Run", name="one")["id"])[0]
    assert timed.ctl("logs", str(job["id"])).stdout == "1\n3\n" and job["tags"] == {"x": "y", "cron": "one"}
    call(timed, "Edit", name="one", job={"priority": None, "argv": ["true"]})
    assert "priority" not in shown(timed)["job"]


def test_a_time_that_was_edited_in_is_not_made_up_for(timed):
    add(timed, "one", "0 13 * * *", catch_up="one")
    timed.clock.set(at(BERLIN, *MONDAY, 12, 15))
    call(timed, "Edit", name="one", at="0 12 * * *")
    settle(timed)
    assert runs(timed) == []
    assert shown(timed)["next"].startswith("2027-06-08 12:00")


def test_what_cannot_be_submitted_is_told(timed):
    """The user has as many waiting jobs as may be: the run is not made, and that is said."""
    timed.stop()
    timed.config.write_text(timed.config.read_text() + "[daemon]\nqueue_limit_per_user = 1\n")
    timed.start()
    add(timed, "one", "* * * * *", overlap="queue", job={"hold": True})
    minute_by_minute(timed, 2)
    assert len(runs(timed)) == 1
    assert "queue_limit_per_user" in shown(timed)["skipped_why"]


def test_a_run_that_never_fits_is_not_made(timed):
    """The machine has become too small: no jobs pile up that could never start."""
    timed.stop()
    config = timed.config.read_text()
    timed.config.write_text(config.split("[resources]")[0] + "[resources]\ncpus = 4\nlicences = 1\n")
    timed.start()
    add(timed, "one", "* * * * *", overlap="queue", job={"cpus": 3})
    add(timed, "two", "* * * * *", overlap="queue", job={"resources": {"licences": 1}})
    timed.stop()
    timed.config.write_text(config.split("[resources]")[0] + "[resources]\ncpus = 2\n")
    timed.start()
    minute_by_minute(timed, 2)
    assert runs(timed) == runs(timed, "two") == []
    assert shown(timed)["skipped_why"] == ("it was not submitted: cpus = 3 never fits: "
                                           "this machine has 2 (resources.cpus)")
    assert '"licences"' in shown(timed, "two")["skipped_why"]
    assert "cpus = 3 never fits" in timed.ctl("cron", "list").stdout
    assert "schedule one of uid" in timed.text() and "cpus = 3 never fits" in timed.text()
    with pytest.raises(Refused) as refused:
        call(timed, "Run", name="one")
    assert refused.value.name == "io.batchd.NeverFits"
    assert {name: refused.value.parameters[name] for name in ("resource", "requested", "largest")} == {
        "resource": "cpus", "requested": 3, "largest": 2}
    call(timed, "Edit", name="one", job={"cpus": 2})
    timed.clock.set(at(BERLIN, *MONDAY, 12, 30))
    wait_for_runs(timed, 1)


@pytest.mark.parametrize("parameters,field", [
    ({"at": "@daily", "timezone": 5}, "timezone"), ({"at": "@daily", "timezone": []}, "timezone"),
    ({"at": "@daily", "timezone": "Mars/Olympus"}, "timezone"), ({"at": 5}, "at"),
    ({"at": "@daily", "count": "two"}, "count"), ({"at": "@daily", "count": 0}, "count")])
def test_bad_questions_for_the_next_times(daemon, parameters, field):
    with pytest.raises(Refused) as refused:
        call(daemon, "Next", **parameters)
    assert refused.value.name == "io.batchd.InvalidSpec"
    assert refused.value.parameters["field"] == field


@pytest.mark.parametrize("field,value", [
    ("at", "61 * * * *"), ("at", "@reboot"), ("at", "0 0 30 2 *"), ("at", "* * *"), ("timezone", "Mars/Olympus"),
    ("timezone", "../../etc/passwd"), ("overlap", "sometimes"), ("catch_up", "all"), ("name", "a b"),
    ("name", ""), ("name", "x" * 101), ("name", "-n"), ("at", 5), ("paused", "no"), ("job", [])])
def test_bad_schedules(daemon, field, value):
    good = {"name": "one", "at": "@daily", "job": {"argv": ["true"]}}
    with pytest.raises(Refused) as refused:
        call(daemon, "Add", **{**good, field: value})
    assert refused.value.name == "io.batchd.InvalidSpec"
    assert refused.value.parameters["field"] == field
    call(daemon, "Add", **good)
    if field not in ("name", "paused"):
        with pytest.raises(Refused) as refused:
            call(daemon, "Edit", **{**{"name": "one"}, field: value})
        assert refused.value.parameters["field"] == field
    after, = call(daemon, "List")["schedules"]
    assert (after["name"], after["at"], after["overlap"], after["job"]) == ("one", "@daily", "skip", {"argv": ["true"]})


@pytest.mark.parametrize("job,error,field", [
    ({}, "InvalidSpec", "argv"), ({"argv": []}, "InvalidSpec", "argv"),
    ({"argv": ["true"], "priority": "huge"}, "InvalidSpec", "priority"),
    ({"argv": ["true"], "colour": 1}, "InvalidSpec", "colour"),
    ({"argv": ["true"], "name": "x"}, "InvalidSpec", "name"),
    ({"argv": ["true"], "key": "x"}, "InvalidSpec", "key"),
    ({"argv": ["true"], "begin": 1}, "InvalidSpec", "begin"),
    ({"argv": ["true"], "deadline": 9 << 48}, "InvalidSpec", "deadline"),
    ({"type": "no-such"}, "NoSuchType", "type"),
    ({"argv": ["true"], "cpus": 60000}, "NeverFits", None)])
def test_a_wrong_job_is_refused_when_it_is_scheduled(daemon, job, error, field):
    with pytest.raises(Refused) as refused:
        call(daemon, "Add", name="one", at="@daily", job=job)
    assert refused.value.name == f"io.batchd.{error}"
    assert field is None or refused.value.parameters["field"] == field
    assert call(daemon, "List")["schedules"] == []


def test_names_and_limit(make_daemon):
    daemon = make_daemon(config="[daemon]\nschedule_limit_per_user = 2\n")
    daemon.start()
    add(daemon, "one", "@daily")
    with pytest.raises(Refused) as refused:
        add(daemon, "one", "@hourly")
    assert refused.value.parameters["field"] == "name" and "cron edit" in refused.value.parameters["message"]
    add(daemon, "two", "@daily")
    with pytest.raises(Refused) as refused:
        add(daemon, "three", "@daily")
    assert refused.value.name == "io.batchd.QuotaExceeded"
    assert "daemon.schedule_limit_per_user" in refused.value.parameters["message"]
    call(daemon, "Remove", name="one")
    add(daemon, "three", "@daily")


def test_keys_of_runs_are_not_for_clients(daemon):
    with pytest.raises(Refused) as refused:
        daemon.submit("true", key="cron:1:0")
    assert refused.value.parameters["field"] == "key"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs two users")
def test_users_see_and_change_their_own(daemon):
    for path in (daemon.state, daemon.socket):
        path.chmod(0o777)

    def as_other(*words):
        return subprocess.run([*daemon.ctl_words(), *words], capture_output=True, text=True, timeout=60,
                              check=False, user=12345, group=12345, cwd="/")

    add(daemon, "ours", "@daily")
    assert as_other("cron", "add", "theirs", "--at", "@daily", "--", "true").returncode == 0
    assert as_other("cron", "add", "ours", "--at", "@hourly", "--", "true").returncode == 0  # a name of their own
    assert {one["name"] for one in call(daemon, "List")["schedules"]} == {"ours", "theirs"}
    seen = as_other("cron", "list").stdout
    assert seen.count("ours") == 1 and "@hourly" in seen and "theirs" in seen
    assert as_other("cron", "remove", "ours").returncode == 0
    for words in (["remove", "ours"], ["run", "ours"], ["edit", "ours", "--at", "@weekly"], ["next", "ours"],
                  ["pause", "ours"], ["remove", "ours", "--user", "root"]):
        done = as_other("cron", *words)
        assert done.returncode == 4 and 'no schedule "ours"' in done.stderr, words
    assert as_other("cron", "list", "--user", "root").returncode == 5
    assert daemon.job(call(daemon, "Run", name="theirs")["id"])["uid"] == 12345
    changed = call(daemon, "Edit", name="theirs", at="@weekly")["schedule"]  # root may
    assert changed["uid"] == 12345 and call(daemon, "Pause", name="theirs")["schedule"]["paused"]


# ---- the command line ----

def test_from_the_command_line(timed):
    done = timed.ctl("cron", "add", "back-up", "--at", "0 12 * * *", "-p", "high", "--env", "WHAT=x", "--tag", "a=b",
                     "sh", "-c", "echo $WHAT $0", "-v")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Added schedule back-up; next run 2027-06-07 12:00 +02:00\n"
    assert timed.ctl("cron", "next", "back-up", "-n", "2").stdout == "2027-06-07 12:00 +02:00\n2027-06-08 12:00 +02:00\n"
    assert timed.ctl("cron", "next", "--at", "@monthly", "-n", "1", "--timezone", "UTC").stdout == (
        "2027-07-01 00:00 +00:00\n")
    job = timed.ctl("cron", "run", "back-up")
    timed.wait(int(job.stdout))
    assert timed.ctl("logs", job.stdout.strip()).stdout == "x -v\n"
    lines = timed.ctl("cron").stdout.splitlines()
    assert lines[0].split() == ["NAME", "USER", "AT", "TIMEZONE", "OVERLAP", "NEXT", "LAST", "SKIPPED"]
    assert "0 12 * * *" in lines[1] and f"{BERLIN} (local)" in lines[1] and f"{job.stdout.strip()} ok" in lines[1]
    assert timed.ctl("cron", "edit", "back-up", "--env", "WHAT=y", "--overlap", "replace").returncode == 0
    job = timed.ctl("cron", "run", "back-up")
    timed.wait(int(job.stdout))
    assert timed.ctl("logs", job.stdout.strip()).stdout == "y -v\n"
    assert timed.ctl("cron", "edit", "back-up", "--shell", "echo $WHAT z").returncode == 0
    job = timed.ctl("cron", "run", "back-up")
    timed.wait(int(job.stdout))
    assert timed.ctl("logs", job.stdout.strip()).stdout == "y z\n"
    for word in ("pause", "resume", "remove"):
        assert timed.ctl("cron", word, "back-up").returncode == 0
        assert timed.ctl("cron", word, "nothing").returncode == 4


@pytest.mark.parametrize("words,says", [
    (["add"], "needs a name"), (["add", "x", "--", "true"], "needs --at"), (["add", "x", "--at", "@daily"], "exactly one"),
    (["prune", "x"], 'not "prune"'), (["list", "x"], "takes no"), (["pause"], "needs a name"),
    (["pause", "x", "--at", "@daily"], "--at does not go with cron pause"), (["run", "x", "-c", "2"], "no options of a job"),
    (["add", "x", "--at", "@daily", "--name", "y", "--", "true"], "--name does not go with cron"),
    (["add", "x", "--at", "@daily", "--wait", "--", "true"], "--wait"), (["edit", "x"], "something to change"),
    (["next"], "either the name"), (["remove", "x", "y"], "takes no"), (["next", "x", "-n", "0"], "--count")])
def test_wrong_usage(daemon, words, says):
    done = daemon.ctl("cron", *words)
    assert done.returncode == 2 and says in done.stderr, done
