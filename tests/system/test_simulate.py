"""batchctl simulate: its starts are those of a second, naive implementation; bad traces are refused
with line, field and rule; the measures follow from the starts."""
import gzip
import json
import os
import pathlib
import random
import subprocess

import naive_scheduler
import pytest
from daemon import OUT, wait_until

CTL = OUT / "batchctl"
NASA = pathlib.Path(__file__).resolve().parents[3] / "shared/traces/NASA-iPSC-1993-3.1-cln.swf.gz"
LINE = "{id} {submit} -1 {run} {cpus} -1 -1 {asked} -1 -1 1 {user} 1 1 1 -1 -1 -1\n"


def line(ident, submit, run, cpus, asked=-1, user=1):
    return LINE.format(id=ident, submit=submit, run=run, cpus=cpus, asked=asked, user=user)


def ctl(*words):
    env = dict(os.environ, BATCHD_SOCKET="/nonexistent")  # no daemon is needed
    return subprocess.run([CTL, "simulate", *map(str, words)], capture_output=True, text=True,
                          env=env, check=False)


def starts(trace, cpus, policy, backfill, *more):
    done = ctl("--trace", trace, "--cpus", cpus, "--policy", policy, "--backfill", backfill, "--starts",
               *more)
    assert done.returncode == 0, done.stderr
    pairs = [one.split(",") for one in done.stdout.split()]
    assert [int(ident) for ident, _ in pairs] == sorted(int(ident) for ident, _ in pairs)
    return {int(ident): float(start) for ident, start in pairs}


@pytest.mark.long
@pytest.mark.parametrize("backfill", ["none", "easy"])
@pytest.mark.parametrize("policy", ["fifo", "sjf"])
@pytest.mark.parametrize("cpus", [128, *[pytest.param(cpus, marks=pytest.mark.longest) for cpus in (64, 32)]])
def test_the_nasa_trace_starts_as_by_the_naive_scheduler(cpus, policy, backfill):
    if not NASA.exists():
        pytest.skip("no shared/traces here")
    jobs = naive_scheduler.read_trace(NASA, cpus)
    assert len(jobs) == 18239
    expected = naive_scheduler.simulate(jobs, cpus, policy, backfill == "easy")
    assert starts(NASA, cpus, policy, backfill) == expected


def random_trace(path, seed):
    """Crowded, with ties of every kind and jobs that run for no time."""
    dice = random.Random(seed)
    now, text = 0, "; a comment\n\n"
    for ident in range(1, 301):
        now += dice.choice([0, 0, 1, 2, 5])
        cpus = dice.choice([-1, 1, 1, 2, 3, 4, 9, 20])
        run = dice.choice([-1, 0, 0, 1, 2, 3, 10, 40])
        text += line(ident, now, run, cpus, asked=dice.choice([-1, 2]), user=dice.randrange(4))
    path.write_text(text)


@pytest.mark.parametrize("seed", range(20))
def test_random_traces_start_as_by_the_naive_scheduler(seed, tmp_path):
    trace = tmp_path / "trace.swf"
    random_trace(trace, seed)
    for policy in ("fifo", "sjf"):
        for backfill in ("none", "easy"):
            for limit in (None, 100):
                jobs = naive_scheduler.read_trace(trace, 8, limit)
                expected = naive_scheduler.simulate(jobs, 8, policy, backfill == "easy")
                more = [] if limit is None else ["--limit", limit]
                assert starts(trace, 8, policy, backfill, *more) == expected, (policy, backfill)


def test_plain_and_gzip_are_the_same_and_repeat(tmp_path):
    plain, packed = tmp_path / "t.swf", tmp_path / "t.swf.gz"
    random_trace(plain, 99)
    plain.write_text(f"; {'long ' * 2000}\n" + plain.read_text())
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    first = [ctl("--trace", path, "--cpus", 8, "--json") for path in (plain, packed, packed)]
    runs = [json.loads(one.stdout)["runs"] for one in first]
    assert runs[0] == runs[1] and first[1].stdout == first[2].stdout
    assert [(run["policy"], run["backfill"]) for run in runs[0]] == [
        (policy, backfill) for policy in ("fifo", "priority", "sjf", "fair")
        for backfill in ("none", "easy")]


def test_jobs_of_the_same_number_keep_their_order(tmp_path):
    trace = tmp_path / "t.swf"
    trace.write_text(line(7, 0, 5, 1, user=1) + line(7, 0, 3, 1, user=2) + line(7, 0, 2, 1, user=3))
    done = ctl("--trace", trace, "--cpus", 1, "--policy", "fifo", "--backfill", "none", "--starts")
    assert done.stdout == "7,0\n7,5\n7,8\n"


def test_measures_by_hand(tmp_path):
    """One processor: job 1 runs 0..20, job 2 (submitted at 10) 20..25, job 3 (at 10) 25..125."""
    trace = tmp_path / "t.swf"
    trace.write_text("; MaxProcs: 1\n" + line(1, 0, 20, 1, user=7) + line(2, 10, 5, 1, user=8) +
                     line(3, 10, 100, 1, user=7))
    report = json.loads(ctl("--trace", trace, "--policy", "fifo", "--backfill", "none",
                            "--json").stdout)
    assert (report["cpus"], report["jobs"], report["dropped"]) == (1, 3, 0)
    run = report["runs"][0]
    assert run["mean_wait_s"] == pytest.approx(25 / 3)
    assert run["p95_wait_s"] == 15
    assert run["mean_bounded_slowdown"] == pytest.approx((1 + 15 / 10 + 115 / 100) / 3)
    assert run["makespan_s"] == 125
    assert run["utilisation"] == 1
    shares = [120 / 125, 5 / 125]
    assert [(user["uid"], user["jobs"]) for user in run["users"]] == [(7, 2), (8, 1)]
    assert [user["share"] for user in run["users"]] == pytest.approx(shares)
    assert run["jain_index"] == pytest.approx(1 / (2 * sum(share * share for share in shares)))
    table = ctl("--trace", trace, "--policy", "sjf").stdout.splitlines()
    assert table[0].split()[:3] == ["POLICY", "BACKFILL", "JOBS"] and table[3] == ""
    assert [row.split() for row in table[5:]] == [
        ["USER", "JOBS", "SHARE", "sjf", "none", "sjf", "easy"],
        ["7", "2", "96.0", "%", "7.5", "s", "7.5", "s"], ["8", "1", "4.0", "%", "10.0", "s", "10.0", "s"]]
    assert starts(trace, 1, "fifo", "none") == {1: 0, 2: 20, 3: 25}


def test_fair_shares_and_starvation_bound(tmp_path):
    """User 1 floods the machine; user 2's job comes later and goes first. With sjf a long job of
    user 2 starves until --max-delay."""
    flood = tmp_path / "flood.swf"
    flood.write_text("".join(line(ident, 0, 10, 1, user=1) for ident in range(1, 101)) +
                     line(101, 55, 10, 1, user=2))
    assert starts(flood, 1, "fair", "none")[101] == 60
    assert starts(flood, 1, "fifo", "none")[101] == 1000
    long = tmp_path / "long.swf"
    long.write_text(line(1, 0, 1000, 1, user=2) +
                    "".join(line(ident, 10 * (ident - 2), 10, 1) for ident in range(2, 102)))
    assert starts(long, 1, "sjf", "none")[1] == 1000
    assert starts(long, 1, "sjf", "none", "--max-delay", "200s")[1] == 200


GOOD = line(1, 0, 10, 1)
BAD = {
    "missing fields": (GOOD + "2 0 -1 10 1\n", ["line 2", "5 fields", "18", "average CPU time"]),
    "too many": (GOOD + GOOD.strip() + " 5\n", ["line 2", "more than 18"]),
    "not a number": (GOOD.replace(" 10 ", " ten "), ["line 1", "run time", "ten"]),
    "nan": (GOOD.replace(" 10 ", " nan "), ["line 1", "run time", "nan"]),
    "negative id": (line(-1, 0, 10, 1), ["line 1", "job number", "-1"]),
    "absurd time": (line(1, 1e15, 10, 1), ["line 1", "submit time", "1e+15"]),
    "absurd processors": (line(1, 0, 10, 1e12), ["line 1", "allocated processors", "1e+12"]),
    "half a processor": (line(1, 0, 10, 2.5), ["line 1", "allocated processors", "2.5", "whole"]),
    "half a job": (line(1.5, 0, 10, 2), ["line 1", "job number", "whole"]),
    "a zero byte": ("\0" + GOOD, ["line 1", "zero byte"]),
    "a zero byte inside": (GOOD + GOOD.replace("10", "1\0"), ["line 2", "zero byte"]),
    "a long line": ("1 " * 5000, ["line 1"]),
    "nothing": ("; only a comment\n" + line(1, 0, -1, 4) + line(2, 0, 5, 0, 0),
                ["no job", "2 dropped: 1 without processors, 1 with a negative run time"]),
    "nothing at all": ("; only a comment\n", ["no job to replay\n"]),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_traces(name, tmp_path):
    text, words = BAD[name]
    trace = tmp_path / "bad.swf"
    trace.write_text(text)
    done = ctl("--trace", trace, "--cpus", 4)
    assert done.returncode == 1 and done.stdout == ""
    for word in words:
        assert word in done.stderr, done.stderr


def test_a_cut_archive(tmp_path):
    trace = tmp_path / "t.swf.gz"
    packed = gzip.compress("".join(line(i, i, 10, i % 7 + 1) for i in range(5000)).encode())
    trace.write_bytes(packed[:len(packed) // 2])
    done = ctl("--trace", trace, "--cpus", 4)
    assert done.returncode == 1 and "too early" in done.stderr
    assert ctl("--trace", tmp_path / "none.swf", "--cpus", 4).returncode == 1


@pytest.mark.parametrize("words", [
    ["--cpus", "4"], ["--trace", "x", "--history", "1d"], ["--trace", "x", "--policy", "lifo"],
    ["--trace", "x", "--backfill", "hard"], ["--trace", "x", "--cpus", "0"],
    ["--trace", "x", "--cpus", "-3"], ["--trace", "x", "--limit", "0"], ["--trace", "x", "--starts"],
    ["--trace", "x", "--max-delay", "soon"], ["--trace", "x", "more"],
    ["--trace", "x", "--half-life", "9999999d"]])
def test_usage(words):
    done = ctl(*words)
    assert done.returncode == 2 and done.stdout == "", done.stderr


def test_a_trace_that_does_not_say_its_size(tmp_path):
    trace = tmp_path / "t.swf"
    trace.write_text(GOOD)
    done = ctl("--trace", trace)
    assert done.returncode == 2 and "--cpus" in done.stderr


def test_history_of_a_daemon(daemon):
    daemon.wait(*[daemon.submit("true") for _ in range(5)])
    daemon.wait(daemon.submit("true", priority="background"))
    done = daemon.ctl("simulate", "--history", "1h", "--json")
    report = json.loads(done.stdout)
    assert report["trace"] is None and report["cpus"] >= 1
    assert report["jobs"] + report["dropped"] == 6 and report["jobs"] >= 5
    assert {run["jobs"] for run in report["runs"]} == {report["jobs"]}


def test_history_says_what_it_leaves_out(daemon):
    daemon.wait(daemon.submit("true"), daemon.submit("true", array="0-2"))
    daemon.call("io.batchd.Jobs.Cancel", id=daemon.submit("true", hold=True))
    daemon.submit("true", hold=True)
    done = daemon.ctl("simulate", "--history", "1h", "--json")
    report = json.loads(done.stdout)
    assert (report["jobs"], report["dropped"]) == (4, 1), "tasks are jobs of their own"
    assert report["dropped_why"] == {"never_started": 1}
    assert done.stderr == "batchctl: jobs not replayed: 1 never started\n"
    assert daemon.ctl("simulate", "--history", "1h", "-q").stderr == ""


def test_history_counts_a_million_tasks_that_never_started(make_daemon):
    """An array of which one task failed, one was cancelled as it ran and the rest never started."""
    daemon = make_daemon(config="[workers]\nmax = 1\n")
    daemon.start()
    first = daemon.submit("true")
    script = '[ "$BATCHD_ARRAY_INDEX" != 0 ] || exit 1; exec sleep 600'
    big = daemon.submit("sh", "-c", script, array="0-999999")
    wait_until(lambda: daemon.job(big)["array"]["failed"] == 1 and daemon.job(big)["array"]["running"] == 1)
    wait_until(lambda: daemon.call("io.batchd.Jobs.Show", id=big, index=1)["job"]["state"] == "running")
    daemon.call("io.batchd.Jobs.Cancel", id=big)
    daemon.wait(big)
    never = daemon.submit("true", hold=True, array="0-9")
    daemon.call("io.batchd.Jobs.Cancel", id=never)
    daemon.wait(daemon.submit("true"), first)
    report = json.loads(daemon.ctl("simulate", "--history", "1h", "--json").stdout)
    assert (report["jobs"], report["dropped_why"]) == (4, {"never_started": 999998 + 10})
    for limit, dropped in ((3, 0), (4, 999998 + 10)):
        done = daemon.ctl("simulate", "--history", "1h", "--json", "--limit", str(limit))
        report = json.loads(done.stdout)
        assert (report["jobs"], report["dropped"]) == (limit, dropped), "of those before the last"


def test_history_has_the_ended_tasks_of_an_array_that_runs(make_daemon):
    daemon = make_daemon(config="[workers]\nmax = 1\n")
    daemon.start()
    job = daemon.submit("sh", "-c", '[ "$BATCHD_ARRAY_INDEX" -lt 3 ] || exec sleep 600', array="0-9")
    wait_until(lambda: daemon.job(job)["array"]["completed"] == 3)
    report = json.loads(daemon.ctl("simulate", "--history", "1h", "--json").stdout)
    assert (report["jobs"], report["dropped"]) == (3, 0)
