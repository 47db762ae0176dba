"""What is counted of each minute (core/rollup.h), against what the jobs' own rows say, by SQL."""
import contextlib
import math
import os
import pwd
import sqlite3

import pytest
from daemon import Refused, wait_until

METHOD = "io.batchd.Server.Stats"
COUNTS = ("submitted", "started", "completed", "failed", "cancelled", "retried")

# Each start and each last run; an array's tasks that were cancelled unstarted are in its own row only.
WAIT = "started_at-max(submitted_at,ifnull(begin_at,0),ifnull(released_at,0))"
STARTS = f"""
SELECT uid,queue,type,attempt,{WAIT} AS wait FROM job LEFT JOIN condition ON condition.job=id
 WHERE array IS NULL AND started_at>0
UNION ALL SELECT uid,queue,type,task.attempt,task.{WAIT} FROM task JOIN job ON id=task.job
 LEFT JOIN condition ON condition.job=id WHERE task.started_at>0
UNION ALL SELECT uid,queue,type,attempt.attempt,attempt.{WAIT} FROM attempt JOIN job ON id=attempt.job
 LEFT JOIN condition ON condition.job=id WHERE attempt.started_at>0"""
ENDS = """
SELECT uid,queue,type,state,1 AS count,started_at,run_us,user_us+system_us AS cpu FROM job
 WHERE array IS NULL AND state>=4
UNION ALL SELECT uid,queue,type,task.state,task.state<6,task.started_at,task.run_us,task.user_us+task.system_us
 FROM task JOIN job ON id=task.job WHERE task.state>=4
UNION ALL SELECT uid,queue,type,6,tasks_cancelled,0,0,0 FROM job WHERE array IS NOT NULL"""


def rows(daemon, sql):
    """Of a copy: batchd keeps the store to itself."""
    copy = daemon.state / "copy.db"
    copy.unlink(missing_ok=True)
    assert daemon.ctl("backup", copy).returncode == 0
    with contextlib.closing(sqlite3.connect(copy)) as store:
        store.row_factory = sqlite3.Row
        return [dict(row) for row in store.execute(sql)]


def nearest_rank(values, share):
    return sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]


def check_spans(told, values, mean_ms):
    """Percentiles are within 1/16, the mean is exact."""
    if not values:
        assert told is None and mean_ms is None
        return
    assert mean_ms == pytest.approx(sum(values) / len(values) / 1000, abs=0.001)
    for name, share in (("p50_ms", 0.5), ("p90_ms", 0.9), ("p99_ms", 0.99)):
        assert told[name] == pytest.approx(nearest_rank(values, share) / 1000, rel=1 / 16, abs=0.001)


def check_line(line, starts, ends, retried, waits_known=True):
    by_state = {state: sum(end["count"] for end in ends if end["state"] == state) for state in (4, 5, 6)}
    assert (line["completed"], line["failed"], line["cancelled"]) == tuple(by_state.values())
    assert (line["started"], line["retried"]) == (len(starts), retried)
    runs = [end["run_us"] for end in ends if end["started_at"] > 0]
    check_spans(line["run"], runs, line["run_ms"])
    if waits_known:
        check_spans(line["wait"], [start["wait"] for start in starts], line["wait_ms"])
    done = by_state[4] + by_state[5]
    assert line["success_percent"] == (pytest.approx(100 * by_state[4] / done, abs=0.051) if done else None)
    assert line["retry_percent"] == (
        pytest.approx(100 * retried / len(starts), abs=0.051) if starts else None)
    assert line["cpu_ms"] == pytest.approx(
        sum(end["cpu"] for end in ends if end["started_at"] > 0) / 1000, abs=0.001)


def check_all(daemon, by, of, waits_known=True):
    """Every line and the sum of all against the store. `of`: a row's value of `by`."""
    reply = daemon.call(METHOD, by=by)
    starts, ends = rows(daemon, STARTS), rows(daemon, ENDS)
    retried = rows(daemon, "SELECT uid,queue,type FROM attempt JOIN job ON id=attempt.job")
    groups = {of(row) for row in starts + ends}
    assert {line[by] for line in reply["totals"]} >= groups
    for line in reply["totals"]:
        def mine(all_rows, line=line):
            return [row for row in all_rows if of(row) == line[by]]
        check_line(line, mine(starts), mine(ends), len(mine(retried)), waits_known)
    check_line(reply["summary"], starts, ends, len(retried), waits_known)
    assert [sum(line[name] for line in reply["totals"]) for name in COUNTS] == \
        [reply["summary"][name] for name in COUNTS]
    return reply


def some_work(daemon):
    """Jobs of two queues, an array with a failure and cancelled tasks, holds, cancels."""
    daemon.call("io.batchd.Queues.Add", name="night")
    ended = [daemon.submit("sleep", str(span)) for span in (0, 0.01, 0.05, 0.1, 0.2, 0.3)]
    ended += [daemon.submit("false", queue="night"), daemon.submit("true", queue="night")]
    ended += [daemon.submit("sh", "-c", "exit $((BATCHD_ARRAY_INDEX == 2))", array="1-4", queue="night")]
    held = [daemon.submit("true", hold=True), daemon.submit("true", hold=True),
            daemon.submit("true", array="1-10", hold=True, queue="night")]
    daemon.call("io.batchd.Jobs.Cancel", id=held[0])
    daemon.call("io.batchd.Jobs.Cancel", id=held[2], indices="2-4")
    daemon.call("io.batchd.Jobs.Cancel", id=held[2])
    daemon.call("io.batchd.Jobs.Release", id=held[1])
    long = daemon.submit("sleep", "60")
    wait_until(lambda: daemon.job(long)["state"] == "running")
    daemon.call("io.batchd.Jobs.Cancel", id=long)
    daemon.wait(*ended, *held, long)


@pytest.mark.parametrize("restart", [False, True])
def test_every_number_is_the_stores(daemon, restart):
    some_work(daemon)
    if restart:
        daemon.restart()
        some = daemon.submit("true")
        daemon.wait(some)
    names = {uid: pwd.getpwuid(uid).pw_name for uid in (os.getuid(),)}
    reply = check_all(daemon, "queue", lambda row: row["queue"])
    assert reply["summary"]["submitted"] == 6 + 2 + 4 + 2 + 10 + 1 + restart
    check_all(daemon, "user", lambda row: names[row["uid"]])
    check_all(daemon, "type", lambda row: row["type"])


def test_attempts_that_are_tried_again(daemon):
    """The second waits since the end of the first and its pause."""
    job = daemon.submit("false", retry={"max_attempts": 3, "base_ms": 300, "on": ["failures"]})
    daemon.wait(job)
    reply = check_all(daemon, "queue", lambda row: row["queue"], waits_known=False)
    line = reply["totals"][0]
    assert (line["started"], line["retried"], line["failed"], line["submitted"]) == (3, 2, 1, 1)
    starts = rows(daemon, STARTS)
    history = rows(daemon, "SELECT attempt,ended_at,retry_us FROM attempt ORDER BY attempt")
    began = [start["wait"] for start in sorted(starts, key=lambda start: start["attempt"])]
    submitted = rows(daemon, "SELECT submitted_at FROM job")[0]["submitted_at"]
    most = began[0] + sum(submitted + wait - one["ended_at"] - one["retry_us"]
                          for wait, one in zip(began[1:], history, strict=True))
    assert line["wait_ms"] * 3 <= most / 1000 + 0.003
    assert line["wait_ms"] * 3 >= began[0] / 1000


def test_jobs_that_are_gone_stay_counted(daemon):
    daemon.wait(daemon.submit("true"), daemon.submit("false"))
    before = daemon.call(METHOD, by="queue")["totals"]
    daemon.call("io.batchd.Jobs.Prune", older_ms=0)
    wait_until(lambda: daemon.call(METHOD, by="name")["totals"] == [])
    after = daemon.call(METHOD, by="queue")["totals"]
    assert [(one["completed"], one["failed"]) for one in after] == [(1, 1)]
    assert before[0]["run"] == after[0]["run"]


def shift(daemon, minutes):
    """The rows are made older, by a batchd that knows no sums."""
    assert daemon.stop() == 0
    with contextlib.closing(sqlite3.connect(daemon.state / "batchd.db")) as store, store:
        store.execute(f"UPDATE rollup SET minute=minute-{minutes}")
    return daemon


def summary_or_none(daemon):
    try:
        return daemon.call(METHOD)["summary"]["submitted"]
    except Refused:  # a row that was changed by hand is still there
        return None


def test_since_begins_with_a_minute(daemon):
    daemon.wait(daemon.submit("true"))
    minute = rows(daemon, "SELECT minute FROM rollup")[0]["minute"]
    counts = [daemon.call(METHOD, by="queue", since_us=at)["summary"]["started"]
              for at in (minute * 60_000_000, minute * 60_000_000 + 59_999_999, (minute + 2) * 60_000_000)]
    assert counts == [1, 1, 0]


def test_what_is_too_old_goes(make_daemon):
    daemon = make_daemon(config='[retention]\nstatistics = "1h"\n')
    daemon.start()
    daemon.wait(daemon.submit("true"))
    assert daemon.call(METHOD)["summary"]["submitted"] == 1
    shift(daemon, 61).start()
    wait_until(lambda: summary_or_none(daemon) == 0)


def test_a_damaged_row_is_found(daemon):
    daemon.wait(daemon.submit("true"))
    shift(daemon, 1).start()
    with pytest.raises(Refused) as refused:
        daemon.call(METHOD)
    assert "statistics" in refused.value.parameters["message"]


def test_depth_by_queue_and_priority(daemon):
    daemon.call("io.batchd.Queues.Add", name="night")
    ids = [daemon.submit("true", hold=True, priority=priority, queue=queue)
           for queue, priority in (("default", "high"), ("default", "high"), ("night", "low"))]
    depth = daemon.call(METHOD)["depth"]
    assert depth == [{"queue": "default", "priority": "high", "waiting": 2},
                     {"queue": "night", "priority": "low", "waiting": 1}]
    daemon.call("io.batchd.Jobs.Edit", id=ids[0], priority="urgent")
    daemon.call("io.batchd.Jobs.Edit", id=ids[1], queue="night")
    daemon.call("io.batchd.Jobs.Cancel", id=ids[2])
    depth = [(one["queue"], one["priority"], one["waiting"]) for one in daemon.call(METHOD)["depth"]]
    assert depth == [("default", "urgent", 1), ("night", "high", 1)]


def test_batchctl_stats_by_queue(daemon):
    daemon.wait(daemon.submit("true"), daemon.submit("false"))
    daemon.submit("true", hold=True)
    shown = daemon.ctl("stats", "--by", "queue").stdout.splitlines()
    assert "3 submitted, 2 started, 1 completed, 1 failed, 0 cancelled" in shown[0]
    assert shown[1].startswith("success: 50%; tried again: 0")
    assert any(line.startswith("wait: half within") for line in shown)
    assert "waiting: default normal 1" in shown
    head, line = next((i, shown[n + 1]) for n, i in enumerate(shown) if i.startswith("QUEUE"))
    assert head.split()[:5] == ["QUEUE", "COMPLETED", "FAILED", "CANCELLED", "RETRIED"]
    assert line.split()[:5] == ["default", "1", "1", "0", "0"]
