"""Several jobs in one request, with dependencies by name: all of them or none."""
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys

import pytest
from daemon import OUT, ROOT, Refused
from processor import SAMPLES, ffprobe
from proxy import Proxy

sys.path.insert(0, str(ROOT / "tests/crash"))
from pipelines import Graphs  # noqa: E402

MANY = "io.batchd.Jobs.SubmitMany"
PIPELINE = SAMPLES / "pipeline.json"


def job(*argv, **more):
    return {"argv": list(argv or ("true",)), "cwd": "/", "env": {"PATH": os.environ["PATH"]}, **more}


def many(daemon, jobs, **more):
    """The ids by name, in the order of the reply."""
    reply = daemon.call(MANY, jobs=jobs, **more)
    return {one["name"]: one["id"] for one in reply["jobs"]}


def refusal(daemon, jobs, **more):
    """The error; nothing is there that was not there before."""
    before = daemon.jobs_kept()
    with pytest.raises(Refused) as refused:
        daemon.call(MANY, jobs=jobs, **more)
    assert daemon.jobs_kept() == before
    return refused.value


@pytest.fixture(scope="module")
def one():
    from daemon import Daemon
    with Daemon(config="[resources]\ncpus = 4\n[daemon]\narray_max = 10\n") as daemon:
        daemon.submit("true", hold=True)
        yield daemon


# ---- what is made

def test_jobs_get_ids_in_their_order_but_none_before_what_it_waits_for(daemon):
    ids = many(daemon, {"last": job(depends="afterok:second:third"), "first": job(), "third": job(depends="first"),
                        "second": job(depends="afterany:third"), "alone": job(name="called")})
    assert list(ids) == ["first", "third", "second", "last", "alone"]
    assert list(ids.values()) == list(range(1, 6))
    assert [daemon.job(i)["depends"] for i in ids.values()] == [
        None, "afterany:1", "afterany:2", "afterok:3:2", None]
    assert [daemon.job(i)["name"] for i in ids.values()] == ["first", "third", "second", "last", "called"]
    ended = daemon.wait(*ids.values())
    assert {j["state"] for j in ended} == {"completed"}
    first, third, second, last = (daemon.job(ids[name]) for name in ("first", "third", "second", "last"))
    assert first["ended_at"] <= third["started_at"] and second["ended_at"] <= last["started_at"]


def test_ids_and_tasks_and_arrays_beside_names(daemon):
    before = daemon.submit("true", hold=True)
    ids = many(daemon, {
        "each": job(array="0-3", depends=f"afterok:{before}"), "other": job(array="0-3", depends="aftercorr:each"),
        "one": job(depends="afterok:each_2:each_3"), "each_2": job(),
        "values": job("sh", "-c", "test $BATCHD_ARRAY_VALUE = b", values=["a", "b"])})
    jobs = {name: daemon.job(i) for name, i in ids.items()}
    assert jobs["other"]["depends"] == f"aftercorr:{ids['each']}"
    # A name as a whole goes before a task of a name.
    assert jobs["one"]["depends"] == f"afterok:{ids['each_2']}:{ids['each']}_3"
    assert jobs["values"]["array"]["count"] == 2
    daemon.call("io.batchd.Jobs.Release", id=before)
    assert {j["name"]: j["state"] for j in daemon.wait(*ids.values())} == {
        "each": "completed", "other": "completed", "one": "completed", "each_2": "completed", "values": "failed"}


def test_a_gate_that_fails_ends_what_depends_on_it_and_says_so(daemon):
    ids = many(daemon, {"gate": job("sh", "-c", "exit 9"), "publish": job(depends="afterok:gate"),
                        "later": job(depends="afterok:publish"), "tidy": job(depends="afterany:publish")})
    states = {j["name"]: j["state"] for j in daemon.wait(*ids.values())}
    assert states == {"gate": "failed", "publish": "cancelled", "later": "cancelled", "tidy": "completed"}
    why = daemon.ctl("why", str(ids["publish"])).stdout
    assert f"dependency afterok:{ids['gate']} can never be satisfied: job {ids['gate']} failed (exit 9)" in why


def test_what_ended_badly_before_is_seen_down_the_chain(daemon):
    bad = daemon.submit("false")
    daemon.wait(bad)
    reply = daemon.call(MANY, jobs={"a": job(depends=f"afterok:{bad}"), "b": job(depends="afterok:a")}, key="k")
    assert reply["jobs"][0]["state"] == "cancelled"
    assert [j["state"] for j in daemon.wait(*(j["id"] for j in reply["jobs"]))] == ["cancelled"] * 2


TYPES = {"after": ("completed", "failed", "cancelled"), "afterany": ("completed", "failed", "cancelled"),
         "afterok": ("completed",), "afternotok": ("failed", "cancelled")}


def random_graph(chance, size):
    """Jobs in any order, and the state that each must come to, worked out from what they say."""
    jobs, states = {}, {}
    for i in range(size):
        parents = chance.sample(sorted(jobs), min(i, chance.choice([0, 1, 1, 2, 3])))
        waits = [(chance.choice(list(TYPES)), parent) for parent in parents]
        separator = chance.choice(",?")
        fulfilled = [states[parent] in TYPES[kind] for kind, parent in waits]
        runs = not waits or (all(fulfilled) if separator == "," else any(fulfilled))
        good = chance.random() < 0.6
        name = f"{chance.choice('abc')}-{i}"
        states[name] = ("completed" if good else "failed") if runs else "cancelled"
        jobs[name] = job("true" if good else "false",
                         **({"depends": separator.join(map(":".join, waits))} if waits else {}))
    names = list(jobs)
    chance.shuffle(names)
    return {name: jobs[name] for name in names}, states


@pytest.mark.parametrize("seed", range(6))
def test_graphs_of_any_shape_come_to_what_they_say(daemon, seed):
    jobs, states = random_graph(random.Random(seed), 40)
    ids = many(daemon, jobs)
    assert set(ids) == set(jobs) and list(ids.values()) == list(range(1, 41))
    for name, one in jobs.items():
        for term in re.split("[,?]", one.get("depends", "")):
            assert not term or ids[term.split(":")[1]] < ids[name]
    assert {one["name"]: one["state"] for one in daemon.wait(*ids.values())} == states


# ---- what is refused

GOOD = {"argv": ["true"], "cwd": "/"}


@pytest.mark.parametrize("field, value, bad", (
    ("jobs.b.cpus", -1, {"cpus": -1}), ("jobs.b.depends", "afterok:x", {"depends": "afterok:x"}),
    ("jobs.b.depends", "afterok:4711", {"depends": "afterok:4711"}), ("jobs.b.name", "", {"name": ""}),
    ("jobs.b.params.crf", 99, {"argv": None, "type": "video", "params": {"input": "a", "crf": 99}}),
    ("jobs.b.params.cfr", 9, {"argv": None, "type": "video", "params": {"input": "a", "cfr": 9}}),
    ("jobs.b.key", "k", {"key": "k"}), ("jobs.b.dry_run", True, {"dry_run": True}),
    ("jobs.b.values_id", 1, {"values_id": 1}), ("jobs.b.retry.jitter", "odd", {"retry": {"jitter": "odd"}}),
    ("jobs.b.timeout_ms", 0, {"timeout_ms": 0}), ("jobs.b.argv", None, {"argv": None}),
    ("jobs.b.params.input", None, {"argv": None, "type": "video", "params": {"output": "b"}}),
    ("jobs.b.depends", "afterokk:a", {"depends": "afterokk:a"}), ("jobs.b.nope", 1, {"nope": 1}),
    ("jobs.b.array", "0-99", {"array": "0-99"}), ("jobs.b.depends", "afterok:a_1", {"depends": "afterok:a_1"}),
    ("jobs.b.depends", "aftercorr:a", {"depends": "aftercorr:a"}), ("jobs.b.deadline", 1, {"deadline": 1}),
    ("jobs.b.depends", "afterok:a_1", {"depends": "afterok:a_1", "array": "0-1"}),
    ("jobs.b.values", [], {"values": []}),
))
def test_what_is_wrong_with_one_is_told_by_its_name(one, field, value, bad):
    refused = refusal(one, {"a": GOOD, "b": {**GOOD, **bad}})
    assert refused.name == "io.batchd.InvalidSpec"
    assert (refused.parameters["field"], refused.parameters["value"]) == (field, value)
    assert refused.parameters["message"].startswith("job b: ") and refused.parameters["rule"]


@pytest.mark.parametrize("jobs, words", (
    ({}, "it must have 1 to 256"), ({"afterok": GOOD}, "be no type of dependency"), ({"1a": GOOD}, "a letter first"),
    ({"a.b": GOOD}, "A-Z, a-z, 0-9, _ and -"), ({"x" * 65: GOOD}, "1 to 64"), ({"a": 7}, "job a: must be an object"),
    ({f"j{i}": GOOD for i in range(257)}, "jobs has 257 jobs"),
    ({f"j{i}": {**GOOD, "depends": ":".join(["afterok"] + [f"j{k}" for k in range(i)])} if i else GOOD
      for i in range(100)}, "over 4096 dependencies"),
    ({"probe": GOOD, "b": {**GOOD, "depends": "afterok:prope"}}, "did you mean probe?"),
    ({"a": {**GOOD, "unique": "u"}, "b": {**GOOD, "unique": "u"}}, "job b: unique is that of job a, too"),
))
def test_what_is_wrong_with_them_together(one, jobs, words):
    refused = refusal(one, jobs)
    assert refused.name == "io.batchd.InvalidSpec" and words in refused.parameters["message"]


@pytest.mark.parametrize("jobs, path", (
    ({"a": {**GOOD, "depends": "afterok:a"}}, ["a", "a"]),
    ({"x": GOOD, "a": {**GOOD, "depends": "afterok:b"}, "b": {**GOOD, "depends": "after:x,afterany:c"},
      "c": {**GOOD, "depends": "b?a"}, "d": {**GOOD, "depends": "afterok:a"}}, ["b", "c", "b"]),
))
def test_a_cycle_is_told_by_names(one, jobs, path):
    refused = refusal(one, jobs)
    assert refused.name == "io.batchd.DependencyCycle" and refused.parameters["path"] == path
    assert f"job {path[0]} would wait for itself" in refused.parameters["message"]


def test_what_never_fits_and_what_is_not_there(one):
    refused = refusal(one, {"a": GOOD, "b": {**GOOD, "cpus": 5}})
    assert refused.name == "io.batchd.NeverFits" and refused.parameters["field"] == "jobs.b"
    assert refused.parameters["message"].startswith("job b: cpus = 5 never fits")
    for member, name in (("queue", "NoSuchQueue"), ("type", "NoSuchType")):
        refused = refusal(one, {"a": GOOD, "b": {"cwd": "/", member: "nope", **({"argv": ["a"]} if member == "queue"
                                                                               else {})}})
        assert refused.name == f"io.batchd.{name}"
        assert (refused.parameters["field"], refused.parameters["value"]) == (f"jobs.b.{member}", "nope")


def test_one_that_is_there_already(daemon):
    first = daemon.submit("true", hold=True, unique="u")
    refused = refusal(daemon, {"a": GOOD, "b": {**GOOD, "unique": "u"}})
    assert refused.name == "io.batchd.Duplicate" and refused.parameters["id"] == first


def test_the_quota_counts_all_of_them(make_daemon):
    daemon = make_daemon(config="[daemon]\nqueue_limit_per_user = 3\n")
    daemon.start()
    daemon.submit("true", hold=True)
    held = {**GOOD, "hold": True}
    refused = refusal(daemon, {"a": held, "b": held, "c": held})
    assert refused.name == "io.batchd.QuotaExceeded" and refused.parameters["limit"] == 3
    assert len(many(daemon, {"a": held, "b": held})) == 2


def test_a_drained_queue_takes_none(daemon):
    daemon.call("io.batchd.Queues.Add", name="old")
    daemon.call("io.batchd.Queues.Drain", name="old")
    refused = refusal(daemon, {"a": GOOD, "b": {**GOOD, "queue": "old"}})
    assert refused.name == "io.batchd.Draining" and refused.parameters["message"].startswith("job b: ")


def sets_of_values(daemon):
    """How many there are in the store of a batchd that is killed now: nothing was tidied up."""
    daemon.kill()
    with sqlite3.connect(daemon.state / "batchd.db") as db:
        [count] = db.execute("SELECT count(*) FROM value_set").fetchone()
    db.close()
    daemon.start()
    return count


def test_values_of_a_refused_request_are_not_kept(daemon):
    client = daemon.client()
    values = {**GOOD, "values": ["x"] * 50, "hold": True}
    client.call(MANY, jobs={"a": values}, dry_run=True)
    with pytest.raises(Refused, match="no such job"):
        client.call(MANY, jobs={"a": values, "b": {**GOOD, "depends": "afterok:99"}})
    with pytest.raises(Refused, match="values is empty"):
        client.call(MANY, jobs={"a": values, "b": {**GOOD, "values": []}})
    assert sets_of_values(daemon) == 0
    many(daemon, {"a": values})
    assert sets_of_values(daemon) == 1


def test_with_dry_run_it_is_only_looked_at(one):
    before = one.jobs_kept()
    reply = one.call(MANY, jobs={"a": job(depends="afterok:b"), "b": job()}, dry_run=True, key="dry")
    assert reply == {"jobs": [{"name": "b", "id": 0, "state": "pending"}, {"name": "a", "id": 0, "state": "pending"}],
                     "existing": False, "dry_run": True}
    assert one.jobs_kept() == before
    assert not one.call(MANY, jobs={"a": job(hold=True)}, key="dry")["existing"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_job_of_another_user_is_no_job(daemon):
    ours = daemon.submit("true", hold=True, key="k")
    refused = daemon.as_another(MANY, jobs={"a": GOOD, "b": {**GOOD, "depends": f"afterok:a:{ours}"}})
    assert refused["error"] == "io.batchd.InvalidSpec" and refused["parameters"]["field"] == "jobs.b.depends"
    assert refused["parameters"]["message"].endswith("no such job")
    held = {**GOOD, "hold": True}
    theirs = daemon.as_another(MANY, jobs={"a": held, "b": {**held, "depends": "afterok:a"}}, key="k")["parameters"]
    assert not theirs["existing"] and [one["id"] for one in theirs["jobs"]] == [ours + 1, ours + 2]
    assert len({daemon.job(one["id"])["uid"] for one in theirs["jobs"]} - {os.getuid()}) == 1


# ---- once

def test_the_same_key_is_the_same_jobs(daemon):
    jobs = {"b": job(depends="afterok:a", hold=True), "a": job(hold=True)}
    first = daemon.call(MANY, jobs=jobs, key="k")
    assert not first["existing"]
    for _ in range(2):
        again = daemon.call(MANY, jobs=jobs, key="k")
        assert again["existing"] and again["jobs"] == first["jobs"]
        daemon.restart()
    assert len(daemon.jobs()) == 2
    for other in ({"a": job(hold=True)}, {"a": jobs["a"], "b": job(depends="afterany:a", hold=True)},
                  {"a": jobs["a"], "b": job(depends="afterok:a", hold=True), "c": job()}):
        refused = refusal(daemon, other, key="k")
        assert refused.name == "io.batchd.KeyConflict" and refused.parameters["id"] == first["jobs"][0]["id"]
    with pytest.raises(Refused, match="KeyConflict"):
        daemon.call("io.batchd.Jobs.Submit", key="k", **job())


def test_jobs_in_another_order_are_another_request(daemon):
    first = many(daemon, {"a": job(hold=True), "b": job(hold=True)}, key="k")
    assert first == {"a": 1, "b": 2}
    refused = refusal(daemon, {"b": job(hold=True), "a": job(hold=True)}, key="k")
    assert refused.name == "io.batchd.KeyConflict"


def write(path, jobs, **more):
    path.write_text(json.dumps({"jobs": jobs, **more}))
    return str(path)


def test_a_batchd_that_dies_between_the_commit_and_the_reply(daemon, tmp_path):
    path = write(tmp_path / "p.json", {name: {"argv": ["true"], "hold": True} for name in "abc"})
    proxy = Proxy(tmp_path / "proxy.sock", daemon.socket)
    for turn in range(4):
        proxy.before_reply = daemon.restart
        done = subprocess.run([OUT / "batchctl", "--socket", proxy.path, "--timeout", "60s", "submit", "--file", path],
                              capture_output=True, text=True, timeout=120, check=False)
        assert proxy.before_reply is None
        assert done.stdout == "".join(f"{name} {3 * turn + i + 1}\n" for i, name in enumerate("abc")), done.stderr
        assert len(daemon.jobs()) == 3 * (turn + 1)


@pytest.mark.long
def test_a_batchd_that_is_killed_at_any_moment_has_all_or_none(daemon):
    scene = Graphs(daemon, random.Random(7))
    for _ in range(12):
        scene.killed()
    assert 0 < len(scene.answered()) < len(scene.told)
    assert scene.violations() == []


# ---- batchctl submit --file

def test_what_it_prints(daemon, tmp_path):
    path = write(tmp_path / "p.json", {"b": {"argv": ["true"], "depends": "a"}, "a": {"argv": ["true"]}})
    assert daemon.ctl("submit", "--file", path, "--test").stdout == "The 2 jobs would be taken\n"
    assert daemon.jobs() == []
    assert daemon.ctl("submit", "--file", path).stdout == "a 1\nb 2\n"
    assert daemon.ctl("submit", "--graph", path, "--key", "x").stdout == "a 3\nb 4\n"
    assert daemon.ctl("submit", "--file", path, "--key", "x").stdout == "a 3\nb 4\n"
    assert daemon.ctl("submit", "-q", "--file", path).stdout == "5\n6\n"
    reply = json.loads(daemon.ctl("submit", "--json", "--file", path).stdout)
    assert [(one["name"], one["id"]) for one in reply["jobs"]] == [("a", 7), ("b", 8)]
    done = daemon.ctl("submit", "--file", "-", "--wait", input=json.dumps({"jobs": {
        "bad": {"argv": ["sh", "-c", "exit 7"]}, "never": {"argv": ["true"], "depends": "afterok:bad"}}}))
    assert done.stdout.startswith("bad 9\nnever 10\n") and done.returncode == 7


def test_what_comes_from_here(daemon, tmp_path):
    (tmp_path / "sub").mkdir()
    show = ["sh", "-c", 'echo "$PWD $A $B $(umask)"']
    path = write(tmp_path / "p.json", {
        "here": {"argv": show}, "below": {"argv": show, "cwd": "sub", "env": {"A": "own"}, "umask": 0o77},
        "far": {"argv": show, "cwd": "/"}})
    done = daemon.ctl("submit", "-q", "--file", path, "-C", str(tmp_path), "--env", "A=all", "--env", "B=b")
    ids = done.stdout.split()
    daemon.wait(*map(int, ids))
    mask = f"{os.umask(0o22):04o}"
    os.umask(int(mask, 8))
    assert [daemon.ctl("logs", i).stdout.strip() for i in ids] == [
        f"{tmp_path} all b {mask}", f"{tmp_path}/sub own b 0077", f"/ all b {mask}"]


def test_set_fills_in_names_in_the_type_that_the_file_has(daemon, tmp_path):
    path = write(tmp_path / "p.json", {"a": {
        "argv": ["printf", "%s|", "${word}", "<${word}>", "\"${n}\"", "${HOME}", "\\${word}", "$", "${", "${word"],
        "cpus": "${n}", "hold": "${held}", "tags": {"${word}": "${n} of ${word}"}, "name": "${must}"}},
        set={"word": "plain", "n": 1, "held": True, "must": None})
    word = 'say "hi"\\ \t\u00e4 ${n}'
    done = daemon.ctl("submit", "-q", "--file", path, "--set", f"word={word}", "--set", "held=false", "--set", "must=7",
                      "--wait")
    assert done.returncode == 0, done.stderr
    ident = done.stdout.split()[0]
    assert daemon.ctl("logs", ident).stdout == "|".join(
        [word, f"<{word}>", '"1"', "${HOME}", f"\\{word}", "$", "${", "${word", ""])
    shown = daemon.job(int(ident))
    assert shown["tags"] == {word: f"1 of {word}"} and shown["name"] == "7"


@pytest.mark.parametrize("words, says", (
    ([], "--set must=VALUE must be given"), (["--set", "must=1", "--set", "n=x"], '--set n "x" must be a number'),
    (["--set", "must=1", "--set", "b=1"], '--set b "1" must be true or false'),
    (["--set", "must=1", "--set", "other=1"], 'the file has no "other"'), (["--set", "=1"], "must be NAME=VALUE"),
    (["--set", "must=1", "-p", "high"], "--priority goes not with --file"),
    (["--set", "must=1", "--hold"], "--hold goes not with --file"),
    (["--set", "must=1", "--", "true"], "exclude each other"),
))
def test_wrong_words(one, tmp_path, words, says):
    path = write(tmp_path / "p.json", {"a": {"argv": ["${must}"]}}, set={"must": None, "n": 1, "b": False})
    done = one.ctl("submit", "--file", path, *words)
    assert done.returncode == 2 and says in done.stderr, done.stderr


@pytest.mark.parametrize("text, code, says", (
    ("[]", 2, "must be a JSON object"), ("{", 2, "not valid JSON at byte"), ('{"jobs": {}, "job": 1}', 2, '"job"'),
    ('{"jobs": {"a": {}, "a": {}}}', 2, "duplicate"), ('{"jobs": []}', 2, "jobs"), ("{}", 2, "jobs"),
    ('{"jobs": {"a": 7}}', 1, "job a: must be an object"), ('{"jobs": {"a": {"argv": ["x"], "cpus": 0}}}', 1, "job a: "),
    ('{"jobs": {"a": {"argv": ["' + "x" * (1 << 20) + '"]}}}', 2, "1048576"),
), ids=lambda value: str(value)[:40])
def test_wrong_files(one, text, code, says):
    before = one.jobs_kept()
    done = one.ctl("submit", "--file", "-", input=text)
    assert done.returncode == code and says in done.stderr, done.stderr
    assert one.jobs_kept() == before


def test_a_file_that_is_not_there_and_set_without_one(one):
    done = one.ctl("submit", "--file", "/no/such")
    assert done.returncode == 2 and "/no/such: No such file or directory" in done.stderr
    done = one.ctl("submit", "--set", "a=b", "--", "true")
    assert done.returncode == 2 and "--set goes with --file" in done.stderr


# ---- the sample

def sample(daemon, folder, *words):
    done = daemon.ctl("submit", "--json", "--file", str(PIPELINE), "-C", str(folder), *words)
    assert done.returncode == 0, done.stderr
    ids = {one["name"]: one["id"] for one in json.loads(done.stdout)["jobs"]}
    return {one["name"]: one for one in daemon.wait(*ids.values(), seconds=120)}


@pytest.mark.long
def test_the_sample(daemon, tmp_path):
    shutil.copy(SAMPLES / "bbb_480p24_8s.mp4", tmp_path)
    jobs = sample(daemon, tmp_path)
    assert {one["state"] for one in jobs.values()} == {"completed"}, jobs
    assert jobs["encode"]["result"]["frames_out"] == jobs["probe"]["result"]["frames_in"] == 194
    assert 0.9 < jobs["gate"]["result"]["metrics"]["ssim"]["mean"] < 1
    streams = ffprobe(tmp_path / "bbb_small.mp4", "-show_streams", "-count_frames")["streams"]
    [video] = [stream for stream in streams if stream["codec_type"] == "video"]
    assert (video["width"], video["nb_read_frames"]) == (320, "194")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bbb_480p24_8s.mp4", "bbb_small.mp4"]


@pytest.mark.long
def test_the_sample_with_a_gate_that_is_not_passed_publishes_nothing(daemon, tmp_path):
    shutil.copy(SAMPLES / "bbb_480p24_8s.mp4", tmp_path)
    jobs = sample(daemon, tmp_path, "--set", "crf=45", "--set", "min_ssim=0.95")
    assert {name: one["state"] for name, one in jobs.items()} == {
        "probe": "completed", "encode": "completed", "gate": "failed", "publish": "cancelled", "tidy": "completed"}
    gate = jobs["gate"]["id"]
    assert f"job {gate} failed (exit 65)" in daemon.ctl("why", str(jobs["publish"]["id"])).stdout
    for verb in ("show", "why"):
        assert re.search(r"mean ssim is 0\.8\d+; params.min_ssim is 0.95", daemon.ctl(verb, str(gate)).stdout)
    assert [path.name for path in tmp_path.iterdir()] == ["bbb_480p24_8s.mp4"]


def test_the_sample_with_a_damaged_video_publishes_nothing(daemon, tmp_path):
    data = (SAMPLES / "bbb_480p24_8s.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[:len(data) // 2])
    (tmp_path / "old.mp4").write_text("what was there")
    jobs = sample(daemon, tmp_path, "--set", "input=cut.mp4", "--set", "output=old.mp4")
    assert {name: one["state"] for name, one in jobs.items()} == {
        "probe": "failed", "encode": "cancelled", "gate": "cancelled", "publish": "cancelled", "tidy": "completed"}
    assert (tmp_path / "old.mp4").read_text() == "what was there"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.mp4", "old.mp4"]
