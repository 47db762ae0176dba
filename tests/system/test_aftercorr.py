"""Arrays that wait for others task by task (aftercorr), over restarts."""
import os
import random
import time
from statistics import median

import pytest
from daemon import Refused, wait_until

ONE = "[workers]\nmax = 1\n"
TELL = 'echo "$BATCHD_JOB_ID $BATCHD_ARRAY_INDEX" >> "$0"'


def parent_of(daemon, array="0-3", **more):
    """Task N runs until the file pN is there, and ends with what that says (nothing: well)."""
    script = 'until [ -e "$0/p$BATCHD_ARRAY_INDEX" ]; do sleep 0.02; done; exit $(cat "$0/p$BATCHD_ARRAY_INDEX")'
    return daemon.submit("sh", "-c", script, str(daemon.state), array=array, **more)


def end(daemon, index, code=0):
    (daemon.state / f"new{index}").write_text(str(code))
    (daemon.state / f"new{index}").rename(daemon.state / f"p{index}")


def child_of(daemon, parent, array="0-3", **more):
    return daemon.submit("sh", "-c", TELL, str(daemon.state / "ran"), array=array,
                         depends=f"aftercorr:{parent}", **more)


def ran(daemon, array=None):
    file = daemon.state / "ran"
    lines = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
    return [int(index) for ident, index in lines if array in (None, int(ident))]


def task(daemon, array, index):
    return daemon.call("io.batchd.Jobs.Show", id=array, index=index)["job"]


def states(daemon, array, count):
    return [task(daemon, array, index)["state"] for index in range(count)]


def test_each_task_starts_when_its_own_has_completed(make_daemon):
    daemon = make_daemon(config="[workers]\nmax = 6\n")
    daemon.start()
    parent = parent_of(daemon)
    child = child_of(daemon, parent)
    assert daemon.job(child)["reasons"] == ["Dependency"]
    assert daemon.job(child)["depends"] == f"aftercorr:{parent}"
    for done, index in enumerate([2, 0, 3, 1]):
        assert len(ran(daemon)) == done
        end(daemon, index)
        wait_until(lambda done=done: len(ran(daemon)) == done + 1)
        assert daemon.job(parent)["state"] == ("running" if done < 3 else "completed")
    assert ran(daemon) == [2, 0, 3, 1]
    assert daemon.wait(child)[0]["state"] == "completed"
    for index in range(4):
        assert task(daemon, child, index)["started_at"] >= task(daemon, parent, index)["ended_at"]


def test_what_can_never_start_ends_at_once(daemon):
    parent = parent_of(daemon, "0-5%6")
    child = child_of(daemon, parent, "0-5")
    end(daemon, 1, 3)
    wait_until(lambda: task(daemon, child, 1)["state"] == "cancelled")
    assert task(daemon, child, 1)["outcome"]["message"] == (
        f"dependency aftercorr:{parent} can never be satisfied: task {parent}_1 failed (exit 3)")
    daemon.call("io.batchd.Jobs.Cancel", id=parent, index=4)
    wait_until(lambda: task(daemon, child, 4)["state"] == "cancelled")
    assert task(daemon, child, 4)["outcome"]["message"].endswith(f"task {parent}_4 was cancelled")
    assert daemon.job(child)["state"] == "pending" and daemon.job(child)["array"]["cancelled"] == 2
    for index in (0, 2, 3, 5):
        end(daemon, index)
    ended = daemon.wait(child)[0]
    assert sorted(ran(daemon)) == [0, 2, 3, 5]
    assert ended["state"] == "cancelled" and ended["array"]["completed"] == 4


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_parent_that_has_ended_counts_at_once(daemon, cancelled):
    parent = parent_of(daemon, "0-9")
    for index in range(10):
        if not cancelled or index < 2:
            end(daemon, index, 1 if index % 3 == 1 else 0)
    if cancelled:
        wait_until(lambda: daemon.job(parent)["array"]["completed"] == 1)
        daemon.call("io.batchd.Jobs.Cancel", id=parent)
    daemon.wait(parent)
    child = child_of(daemon, parent, "0-9")
    assert daemon.wait(child)[0]["state"] == "cancelled"
    assert sorted(ran(daemon)) == ([0] if cancelled else [0, 2, 3, 5, 6, 8, 9])
    assert states(daemon, child, 10) == [
        "completed" if index in ran(daemon) else "cancelled" for index in range(10)]


def test_none_can_start(daemon):
    parent = daemon.submit("false", array="0-2")
    child = child_of(daemon, parent, "0-2")
    grandchild = child_of(daemon, child, "0-2")
    after = daemon.submit("true", depends=f"afternotok:{child}_1")
    ended = daemon.wait(child, grandchild, after)
    assert [job["state"] for job in ended] == ["cancelled", "cancelled", "completed"]
    assert ended[0]["outcome"]["message"].startswith(f"dependency aftercorr:{parent} can never be satisfied: task ")
    assert ended[0]["array"]["cancelled"] == 3
    assert task(daemon, grandchild, 1)["outcome"]["message"].endswith(f"task {child}_1 was cancelled")
    late = child_of(daemon, parent, "0-2")
    assert daemon.wait(late)[0]["state"] == "cancelled"


@pytest.mark.parametrize("seed", range(4))
def test_three_stages_over_kills(make_daemon, seed):
    """Each task of a stage runs once, after its own of the stage before, and only if that completed."""
    daemon = make_daemon(config="[workers]\nmax = 4\n")
    daemon.start()
    chance, count = random.Random(seed), 60
    script = TELL + '; case " $1 " in *" $BATCHD_JOB_ID.$BATCHD_ARRAY_INDEX "*) exit 1;; esac'
    bad = {(stage, chance.randrange(count)) for stage in (1, 2) for _ in range(4)}
    words = " ".join(f"{stage}.{index}" for stage, index in bad)
    for stage in (1, 2, 3):
        depends = {} if stage == 1 else {"depends": f"aftercorr:{stage - 1}"}
        ident = daemon.submit("sh", "-c", script, str(daemon.state / "ran"), words, array=f"0-{count - 1}",
                              hold=stage == 1, **depends)
        assert ident == stage
    daemon.call("io.batchd.Jobs.Release", id=1)
    for _ in range(5):
        wanted = len(ran(daemon)) + chance.randrange(5, 20)
        wait_until(lambda wanted=wanted: len(ran(daemon)) >= wanted or daemon.job(3)["ended_at"])
        daemon.restart()
    daemon.wait(1, 2, 3, seconds=60)
    lines = [tuple(map(int, line.split())) for line in (daemon.state / "ran").read_text().splitlines()]
    expected = [(stage, index) for stage in (1, 2, 3) for index in range(count)
                if not any((before, index) in bad for before in range(1, stage))]
    assert sorted(lines) == expected
    for stage, index in expected:
        if stage > 1:
            assert lines.index((stage - 1, index)) < lines.index((stage, index))
            assert task(daemon, stage, index)["started_at"] >= task(daemon, stage - 1, index)["ended_at"]
    assert daemon.stop() == 0
    assert os.spawnvp(os.P_WAIT, daemon.batchd, [daemon.batchd, "--state", daemon.state, "--config",
                                                 daemon.config, "--check-store"]) == 0


def any_of(chance, daemon, arrays, indices):
    """One thing that may happen to arrays meanwhile."""
    one, at = chance.choice(arrays), chance.randrange(len(indices) - 3)
    words = chance.choice([{}, {"index": indices[at]}, {"indices": ",".join(map(str, indices[at:at + 3]))},
                           "Hold", "Release", "Release"])
    try:
        if words == {}:
            daemon.restart()
        elif isinstance(words, str):
            daemon.call(f"io.batchd.Jobs.{words}", id=one)
        else:
            daemon.call("io.batchd.Jobs.Cancel", id=one, **words)
    except Refused:
        pass  # it has ended already


@pytest.mark.parametrize("seed", range(5))
def test_whatever_happens_to_three_stages(make_daemon, seed):
    """Kills, cancels, holds, failures and second attempts in any order: who ran, when, and how it is told."""
    chance = random.Random(seed)
    daemon = make_daemon(config=f"[workers]\nmax = {chance.choice([1, 3, 6])}\nprefetch = {chance.choice([0, 4])}\n")
    daemon.start()
    script = (TELL + '; hash=$(( (BATCHD_JOB_ID * 7 + BATCHD_ARRAY_INDEX * 13 + BATCHD_ATTEMPT * 5 + $1) % 9 ));'
              '[ $hash != 1 ] || sleep 0.1; [ $hash != 0 ]')
    array = chance.choice(["0-29", "0-29%3", "0-58:2", ",".join(str(3 * i + i % 2) for i in range(30))])
    for stage in (1, 2, 3):
        depends = {} if stage == 1 else {"depends": f"aftercorr:{stage - 1}"}
        daemon.submit("sh", "-c", script, str(daemon.state / "ran"), str(seed), array=array, hold=stage == 1,
                      max_attempts=chance.choice([1, 2]), **depends)

    def tasks(ident):
        return daemon.call("io.batchd.Jobs.List", ids=[ident], tasks=True, limit=1000)["jobs"]
    indices = [one["index"] for one in tasks(1)]
    for _ in range(25):
        any_of(chance, daemon, [1, 2, 3], indices)
    for ident in (1, 2, 3):
        if daemon.job(ident)["ended_at"] is None:
            daemon.call("io.batchd.Jobs.Release", id=ident)
    daemon.wait(1, 2, 3, seconds=60)
    ends = {(ident, one["index"]): one["state"] for ident in (1, 2, 3) for one in tasks(ident)}
    lines = [tuple(map(int, line.split())) for line in (daemon.state / "ran").read_text().splitlines()]
    for ident in (1, 2, 3):
        told = daemon.job(ident)["array"]
        for state in ("completed", "failed", "cancelled"):
            assert told[state] == sum(ends[ident, index] == state for index in indices)
    for ident in (2, 3):
        for index in indices:
            runs = [at for at, line in enumerate(lines) if line == (ident, index)]
            before = [at for at, line in enumerate(lines) if line == (ident - 1, index)]
            assert (runs or ends[ident, index] == "cancelled") and len(runs) <= 2
            if runs:
                assert ends[ident - 1, index] == "completed" and max(before) < min(runs)


def test_tasks_that_started_before_others_are_not_started_again(make_daemon):
    """The first task's own is the last to complete; the daemon dies when the others have run."""
    daemon = make_daemon(config="[workers]\nmax = 6\n")
    daemon.start()
    parent = parent_of(daemon, "0-9%5")
    child = child_of(daemon, parent, "0-9")
    for index in range(1, 10):
        end(daemon, index)
    wait_until(lambda: len(ran(daemon)) == 9)
    assert daemon.job(child)["array"]["pending"] == 1
    daemon.restart()
    wait_until(lambda: daemon.job(child)["array"]["completed"] == 9)
    with pytest.raises(Refused) as found:
        daemon.call("io.batchd.Jobs.Cancel", id=child, indices="3-5")
    assert "have ended" in found.value.parameters["message"]
    assert daemon.job(child)["array"]["cancelled"] == 0
    end(daemon, 0)
    assert daemon.wait(child)[0]["state"] == "completed"
    assert ran(daemon)[9:] == [0] and sorted(ran(daemon)) == list(range(10))


def test_other_conditions_and_cancels_of_its_own(make_daemon):
    daemon = make_daemon(config="[workers]\nmax = 6\n")
    daemon.start()
    parent, gate = parent_of(daemon), daemon.submit("true", hold=True)
    child = daemon.submit("sh", "-c", TELL, str(daemon.state / "ran"), array="0-3%1", hold=True,
                          depends=f"aftercorr:{parent},afterok:{gate}")
    end(daemon, 0)
    end(daemon, 1)
    wait_until(lambda: daemon.job(parent)["array"]["completed"] == 2)
    assert daemon.job(child)["reasons"] == ["Held", "Dependency"]
    daemon.call("io.batchd.Jobs.Release", id=gate)
    daemon.wait(gate)
    wait_until(lambda: daemon.job(child)["reasons"] == ["Held"])
    daemon.call("io.batchd.Jobs.Cancel", id=child, index=1)
    daemon.call("io.batchd.Jobs.Cancel", id=child, index=2)
    daemon.call("io.batchd.Jobs.Release", id=child)
    wait_until(lambda: ran(daemon) == [0])
    end(daemon, 2)
    end(daemon, 3)
    daemon.wait(child)
    assert ran(daemon) == [0, 3]
    assert states(daemon, child, 4) == ["completed", "cancelled", "cancelled", "completed"]


def refused(daemon, **request):
    with pytest.raises(Refused) as found:
        daemon.submit("true", **request)
    assert found.value.name == "io.batchd.InvalidSpec" and found.value.parameters["field"] == "depends"
    return found.value.parameters["rule"]


def test_what_is_refused(daemon):
    array, plain = daemon.submit("true", array="0-9", hold=True), daemon.submit("true", hold=True)
    assert "only an array" in refused(daemon, depends=f"aftercorr:{array}")
    assert "is no array" in refused(daemon, array="0-9", depends=f"aftercorr:{plain}")
    assert "no such job" in refused(daemon, array="0-9", depends="aftercorr:4711")
    for other in ("0-8", "1-10", "0-18:2", "0-10"):
        rule = refused(daemon, array=other, depends=f"aftercorr:{array}")
        assert "same indices" in rule and "0-9" in rule and other in rule and f"aftercorr:{array}" in rule
    refused(daemon, array="0-9", depends=f"aftercorr:{array}?afterok:{plain}")
    refused(daemon, array="0-9", depends=f"aftercorr:{array}_1")
    assert len(daemon.jobs()) == 2
    daemon.submit("true", array="0-4,5-9%2", depends=f"aftercorr:{array}")  # the same tasks


def test_it_is_edited(make_daemon):
    daemon = make_daemon(config="[workers]\nmax = 8\n")
    daemon.start()
    parent, other = parent_of(daemon), parent_of(daemon, hold=True)
    child = child_of(daemon, parent)
    with pytest.raises(Refused) as found:
        daemon.call("io.batchd.Jobs.Edit", id=parent, depends=f"aftercorr:{child}")
    assert found.value.name in ("io.batchd.DependencyCycle", "io.batchd.InvalidState")
    with pytest.raises(Refused) as found:
        daemon.call("io.batchd.Jobs.Edit", id=other, depends=f"aftercorr:{other}")
    assert found.value.name == "io.batchd.DependencyCycle"
    daemon.call("io.batchd.Jobs.Edit", id=child, depends=f"aftercorr:{other}")
    with pytest.raises(Refused) as found:
        daemon.call("io.batchd.Jobs.Edit", id=other, depends=f"aftercorr:{child}")
    assert found.value.name == "io.batchd.DependencyCycle"
    assert found.value.parameters["path"] == [other, child, other]
    end(daemon, 0)
    wait_until(lambda: daemon.job(parent)["array"]["completed"] == 1)
    daemon.restart()
    assert daemon.job(child)["reasons"] == ["Dependency"] and ran(daemon) == []
    daemon.call("io.batchd.Jobs.Edit", id=child, depends="")
    assert daemon.wait(child)[0]["state"] == "completed"
    third = child_of(daemon, other)
    daemon.call("io.batchd.Jobs.Edit", id=third, depends=f"aftercorr:{parent}")
    wait_until(lambda: ran(daemon, third) == [0])


def test_batchctl(daemon):
    parent = parent_of(daemon)
    done = daemon.ctl("submit", "-a", "0-3", "-d", f"aftercorr:{parent}", "--", "true")
    child = done.stdout.strip()
    assert "Dependency" in daemon.ctl("list").stdout
    assert f"aftercorr:{parent}" in daemon.ctl("show", child).stdout
    why = daemon.ctl("why", child).stdout
    assert "Dependency" in why and f"aftercorr:{parent}" in why
    bad = daemon.ctl("submit", "-d", f"aftercorr:{parent}", "--", "true")
    assert bad.returncode == 1 and "only an array" in bad.stderr


# ---- numbers

@pytest.mark.long
def test_a_long_array_that_has_ended_is_read_in_parts(daemon):
    parent = daemon.submit("/usr/bin/test", "-e", "/", array="0-5998")
    other = daemon.submit("false", array="0-5998%1", hold=True)
    daemon.wait(parent, seconds=120)
    child = child_of(daemon, parent, "0-5998", hold=True)
    daemon.restart()
    late = child_of(daemon, other, "0-5998", hold=True)
    daemon.call("io.batchd.Jobs.Cancel", id=other, index=5998)
    wait_until(lambda: task(daemon, late, 5998)["state"] == "cancelled")  # both have been looked at
    assert daemon.job(child)["array"]["cancelled"] == 0
    assert daemon.job(late)["array"]["cancelled"] == 1


def submit_page(daemon, client, **request):
    """500 jobs: the last one's id, and what the daemon used of a processor."""
    begun, page = daemon.cpu_seconds(), 500
    for _ in range(page):
        client.send("io.batchd.Jobs.Submit", argv=["true"], cwd="/", **request)
    last = [client.receive()["parameters"]["id"] for _ in range(page)][-1]
    return last, daemon.cpu_seconds() - begun


def submit_many(daemon, count, depends, **request):
    """So many that wait for others and so many that do not, by turns: the last one that waits, and the
    medians of what 500 took of each kind."""
    client, times, times_without = daemon.client(), [], []
    for _ in range(count // 500):
        times_without.append(submit_page(daemon, client, **request)[1])
        last, took = submit_page(daemon, client, depends=depends, **request)
        times.append(took)
    return last, median(times), median(times_without)


def longest_turn(daemon, until):
    """The most that the daemon used of a processor between two answers, and all that it used until then."""
    client, begun, used = daemon.client(), time.monotonic(), [daemon.cpu_seconds()]
    while not until():
        used.append(daemon.cpu_seconds())
        client.call("io.batchd.Server.Ping")
        used.append(daemon.cpu_seconds())
        assert time.monotonic() < begun + 60
    used.append(daemon.cpu_seconds())
    return max(after - before for before, after in zip(used, used[1:])), used[-1] - used[0]


@pytest.mark.long
@pytest.mark.parametrize("code,queue", [(0, "default"), (1, "default"), (0, "still")])
def test_very_many_wait_for_one(daemon, code, queue):
    count, held = 20000, queue == "default"
    daemon.call("io.batchd.Queues.Add", name="still")
    daemon.call("io.batchd.Queues.Pause", name="still")
    gate = daemon.submit("true", array="0-1", hold=True)
    parent = parent_of(daemon, "0-1%2")
    last, took, without = submit_many(daemon, count, f"aftercorr:{parent}", array="0-1", hold=held, queue=queue)
    print(f"500 submits took {took * 1e3:.0f} ms, without {without * 1e3:.0f} ms")
    assert took < 2.5 * without
    end(daemon, 0, code)
    client = daemon.client()

    def told():
        job = client.call("io.batchd.Jobs.Show", id=last)["job"]
        return job["array"]["cancelled"] == 1 if code else "Dependency" not in job["reasons"]
    longest, whole = longest_turn(daemon, told)
    print(f"told after {whole:.2f} s of a processor, longest turn {longest * 1e3:.0f} ms")
    assert longest < max(0.25, whole / 2)
    end(daemon, 1, code)
    longest, whole = longest_turn(daemon, lambda: daemon.job(last)["state"] == "cancelled" if code
                                  else daemon.job(parent)["state"] == "completed")
    print(f"ended after {whole:.2f} s of a processor, longest turn {longest * 1e3:.0f} ms")
    assert longest < max(0.25, whole / 2)
    assert daemon.job(gate)["state"] == "pending"
    daemon.restart()
    assert daemon.job(last)["state"] == ("cancelled" if code else "pending")


def test_a_million_tasks_are_one_record(make_daemon):
    daemon = make_daemon(config=ONE)
    daemon.start()
    small = parent_of(daemon, "0-9")
    daemon.wait_running(small)
    before = daemon.resident_bytes()
    parent = daemon.submit("true", array="0-999999", hold=True)
    begun = daemon.cpu_seconds()
    child = daemon.submit("true", array="0-999999", depends=f"aftercorr:{parent}")
    took = daemon.cpu_seconds() - begun
    daemon.call("io.batchd.Jobs.Cancel", id=parent, indices="500000-999999")
    wait_until(lambda: daemon.job(child)["array"]["cancelled"] == 500000)
    assert daemon.resident_bytes() < before + (4 << 20) and took < 0.3
    assert task(daemon, child, 700000)["outcome"]["message"] == (
        f"dependency aftercorr:{parent} can never be satisfied: "
        f"that task of array {parent} failed or was cancelled")
    assert task(daemon, child, 400000)["state"] == "pending"
    daemon.call("io.batchd.Jobs.Cancel", id=parent)
    assert daemon.wait(child)[0]["array"]["cancelled"] == 1000000
