"""The verbs that change jobs: what a pattern names, one JSON document, and --dry-run, which changes nothing."""
import json
import os
import time

import pytest
from daemon import Daemon, wait_until


@pytest.fixture(scope="module")
def mixed():
    """Three jobs of one name: one ended, one waits, one is held; and one that runs."""
    with Daemon(config="[workers]\nmax = 2\n") as daemon:
        daemon.ended = daemon.submit("false", name="render")
        daemon.wait(daemon.ended)
        daemon.running = daemon.submit("sleep", "600", name="render", cpus=2)
        daemon.wait_running(daemon.running)
        daemon.waiting = daemon.submit("true", name="render", cpus=2)
        daemon.held = daemon.submit("true", name="render", hold=True)
        yield daemon


def ids(text):
    return [int(word) for word in text.split()]


CHANGES = (["cancel"], ["hold"], ["release"], ["edit", "-p", "high"], ["move", "-Q", "default"], ["retry"],
           ["retry", "--failed-only"])


def named(daemon, words):
    return {"cancel": [daemon.running, daemon.waiting, daemon.held], "release": [daemon.held],
            "retry": [daemon.ended]}.get(words[0], [daemon.waiting, daemon.held])


@pytest.mark.parametrize("pattern", ("name:ren*", "1-1000000", "1-9007199254740992"))
@pytest.mark.parametrize("words", CHANGES, ids=" ".join)
def test_a_pattern_names_only_jobs_that_the_verb_is_for(mixed, words, pattern):
    before = mixed.jobs_kept()
    done = mixed.ctl(*words, "--dry-run", pattern)
    assert (ids(done.stdout), done.stderr, done.returncode) == (named(mixed, words), "", 0)
    documents = json.loads(mixed.ctl(*words, "--dry-run", "--json", pattern).stdout)
    assert [one["id"] for one in documents] == named(mixed, words)
    assert all(one["dry_run"] for one in documents)
    assert mixed.jobs_kept() == before


@pytest.mark.parametrize("words", CHANGES, ids=" ".join)
def test_a_dry_run_is_refused_as_the_change_is(mixed, words):
    wrong = str(mixed.running if words[0] == "retry" else mixed.ended)
    before = mixed.jobs_kept()
    dry, real = (mixed.ctl(*words, *more, wrong) for more in (["--dry-run"], []))
    assert dry.returncode == real.returncode == 1 and dry.stdout == ""
    assert dry.stderr.split(" ago")[0][:40] == real.stderr.split(" ago")[0][:40]
    for one, code in (("4711", 4), ("name:nothing", 4), ("4000-5000", 4)):
        dry = mixed.ctl(*words, "--dry-run", one)
        assert (dry.returncode, dry.stdout) == (code, "")
    assert mixed.jobs_kept() == before


@pytest.mark.parametrize("change, code, text", (
    (["-Q", "nope"], 4, "nope"), (["-c", "1000"], 1, "1000"), (["-d", "afterok:4711"], 1, "4711"),
    (["-R", "licence=1"], 1, "licence"),
))
@pytest.mark.parametrize("verb", ("edit", "retry"))
def test_a_dry_run_checks_what_is_asked_for(mixed, verb, change, code, text):
    job = mixed.waiting if verb == "edit" else mixed.ended
    before = mixed.jobs_kept()
    dry, real = (mixed.ctl(verb, *more, *change, str(job)) for more in (["--dry-run"], []))
    assert dry.returncode == real.returncode == code and text in dry.stderr
    assert (dry.stderr, dry.stdout) == (real.stderr, "")
    assert mixed.jobs_kept() == before


def test_a_dry_run_finds_the_cycle(mixed):
    child = mixed.submit("true", depends=f"{mixed.held}", name="child")
    dry = mixed.ctl("edit", "--dry-run", "-d", f"afterok:{child}", str(mixed.held))
    assert dry.returncode == 1 and "would wait for itself" in dry.stderr
    assert mixed.ctl("edit", "--dry-run", "-d", "none", str(child)).stdout == f"{child}\n"
    assert mixed.call("io.batchd.Jobs.Show", id=child)["job"]["depends"] == f"afterany:{mixed.held}"
    mixed.call("io.batchd.Jobs.Cancel", id=child)


def test_several_jobs_are_one_document(daemon):
    later = int((time.time() + 3600) * 1e6)  # a release starts none
    jobs = [daemon.submit("true", name="one", hold=True, begin=later) for _ in range(3)]
    words = [str(job) for job in jobs]

    def read(*line):
        return json.loads(daemon.ctl("--json", *line).stdout)

    for line in (["hold"], ["release"], ["hold"], ["edit", "-p", "low"], ["move", "-Q", "default"], ["show"],
                 ["cancel"], ["show", "--attempts"]):
        assert [one["id"] for one in read(*line, *words)] == jobs, line
        assert isinstance(read("show", words[0]), dict)
    assert [one["id"] for one in read("retry", *words)] == [4, 5, 6]
    assert [one["id"] for one in read("show", "name:one", "1", "@last")] == [1, 2, 3, 4, 5, 6]
    some = daemon.ctl("--json", "show", words[0], "4711", words[1])
    assert [one["id"] for one in json.loads(some.stdout)] == jobs[:2] and some.returncode == 4
    assert json.loads(daemon.ctl("--json", "hold", "4711", "4712").stdout) == []


def test_what_matches_nothing_does_not_keep_the_others(daemon):
    job = daemon.submit("sleep", "600")
    done = daemon.ctl("cancel", "tag:a=b", str(job))
    assert done.returncode == 4 and "no job matches tag:a=b" in done.stderr
    assert daemon.wait(job)[0]["state"] == "cancelled"


def test_retry_with_changes(daemon):
    daemon.call("io.batchd.Queues.Add", name="night")
    old = daemon.submit("false", name="one", priority="low", timeout_ms=60000, tags={"a": "b"})
    daemon.wait(old)
    done = daemon.ctl("retry", str(old), "-Q", "night", "-p", "high", "-c", "1", "-m", "1M", "-t", "5m", "-e", "2m",
                      "--max-attempts", "1", "--begin", "now+2h", "--deadline", "now+3h", "--hold")
    job = daemon.call("io.batchd.Jobs.Show", id=int(done.stdout))["job"]
    assert [job[key] for key in ("queue", "priority", "timeout_ms", "estimate_ms", "retry_of", "name", "tags")] == [
        "night", "high", 300000, 120000, old, "one", {"a": "b"}]
    assert job["resources"]["memory_bytes"] == 1 << 20
    assert job["begin_at"] + 3600 * 10**6 == pytest.approx(job["deadline_at"], abs=10**7)
    assert set(job["reasons"]) == {"Held", "BeginTime"}
    again = daemon.call("io.batchd.Jobs.Show", id=int(daemon.ctl("retry", "-t", "none", str(old)).stdout))["job"]
    assert (again["timeout_ms"], again["queue"], again["deadline_at"]) == (None, "default", None)
    parent = daemon.submit("true", hold=True)
    child = int(daemon.ctl("retry", "-d", f"afterok:{parent}", str(old)).stdout)
    assert daemon.call("io.batchd.Jobs.Show", id=child)["job"]["depends"] == f"afterok:{parent}"
    assert daemon.ctl("retry", "--deadline", "2020-01-01", str(old)).returncode == 1


def test_dry_runs_of_tasks(daemon):
    job = daemon.submit("true", array="0-4", hold=True)
    daemon.call("io.batchd.Jobs.Cancel", id=job, index=1)
    before = daemon.call("io.batchd.Jobs.Show", id=job)
    dry = daemon.call("io.batchd.Jobs.Cancel", id=job, indices="0-2", dry_run=True)
    assert (dry["cancelled"], dry["stopping"], dry["dry_run"]) == (2, 0, True)
    assert daemon.call("io.batchd.Jobs.Show", id=job) == before
    assert daemon.call("io.batchd.Jobs.Cancel", id=job, indices="0-2")["cancelled"] == 2


def test_submit_test_submits_nothing(daemon):
    values = daemon.state / "values"
    values.write_text("a\nb\n")
    parent = daemon.submit("true", hold=True)
    before = daemon.jobs_kept()
    for words, code, text in (([], 0, ""), (["--each-line", str(values)], 0, ""), (["-d", f"afterok:{parent}"], 0, ""),
                              (["-Q", "nope"], 4, "nope"), (["-c", "1000"], 1, "never fits"),
                              (["-d", "afterok:4711"], 1, "4711"), (["--deadline", "2020-01-01"], 1, "has passed")):
        done = daemon.ctl("submit", "--test", *words, "--", "true")
        assert (done.returncode, done.stdout) == (code, "" if code else "The job would be taken\n"), done.stderr
        assert text in done.stderr
    assert json.loads(daemon.ctl("submit", "--test", "--json", "true").stdout)["dry_run"] is True
    assert daemon.jobs_kept() == before
    first = daemon.submit("true", key="k", hold=True)
    assert daemon.call("io.batchd.Jobs.Submit", argv=["true"], cwd="/", env={"PATH": os.environ["PATH"]}, key="k",
                       hold=True, dry_run=True)["id"] == first
    assert daemon.ctl("cron", "add", "a", "--at", "@daily", "--test", "--", "true").returncode == 2


def test_failed_only_of_a_pattern_finds_cancelled_arrays(daemon):
    job = daemon.submit("sh", "-c", '[ "$BATCHD_ARRAY_INDEX" != 0 ] && exec sleep 600; exit 1', name="mix", array="0-1")
    wait_until(lambda: daemon.job(job)["array"]["failed"] == 1)
    whole = daemon.submit("true", name="mix", hold=True, array="0-1")
    for one in (job, whole):
        daemon.call("io.batchd.Jobs.Cancel", id=one)
    assert [one["state"] for one in daemon.wait(job, whole)] == ["cancelled", "cancelled"]
    done = daemon.ctl("retry", "name:mix", "--failed-only", "--dry-run")
    assert (ids(done.stdout), done.stderr, done.returncode) == ([job], "", 0)


def test_what_ends_by_another_change_of_a_pattern_is_no_error(daemon):
    first = daemon.submit("true", name="chain-1", hold=True)
    second = daemon.submit("true", name="chain-2", depends=f"afterok:{first}")
    done = daemon.ctl("cancel", str(first), str(second))
    assert (done.returncode, f"cannot cancel job {second}" in done.stderr) == (1, True), "it was named"
    first = daemon.submit("true", name="chain-1", hold=True)
    second = daemon.submit("true", name="chain-2", depends=f"afterok:{first}")
    done = daemon.ctl("cancel", "--json", "name:chain*", f"{first}-{second}")
    assert (done.returncode, done.stderr) == (0, "")
    assert [one["id"] for one in json.loads(done.stdout)] == [first]
    assert daemon.job(second)["state"] == "cancelled"
    done = daemon.ctl("cancel", "name:chain*")
    assert (done.returncode, "no job matches" in done.stderr) == (4, True)
