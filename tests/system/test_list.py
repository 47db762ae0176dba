"""What batchctl list shows: its filters, orders, columns and forms, and what it says of what is not there."""
import json
import os
import pty
import subprocess
import time

import pytest
from daemon import Daemon, Refused, wait_until_time

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


@pytest.fixture(scope="module")
def many():
    with Daemon(config="[workers]\nmax = 2\n") as daemon:
        daemon.call("io.batchd.Queues.Add", name="night")
        daemon.wait(daemon.submit("false", name="alpha", tags={"k": "v"}),
                    daemon.submit("sleep", "2", name="beta", priority="low"))
        second = int(time.time()) + 1
        daemon.since = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(second))
        wait_until_time(second * 10**6)
        daemon.submit("true", name="gamma", queue="night", hold=True, cpus=2, memory=1 << 30, priority="urgent")
        daemon.submit("true", name="delta x", hold=True, tags={"k": "w", "l": "m"})
        yield daemon


def ids(daemon, *words):
    done = daemon.ctl("list", "-o", "id", *words)
    assert done.returncode == 0, done.stderr
    return [int(word) for word in done.stdout.split()]


@pytest.mark.parametrize("words, found", (
    (["-s", "failed"], [1]), (["-s", "completed,pending"], [2, 3, 4]), (["-Q", "night"], [3]),
    (["--tag", "k=v"], [1]), (["--name", "*a"], [1, 2, 3]), (["--limit", "2"], [1, 2]), (["--all"], [1, 2, 3, 4]),
    (["--newest", "--limit", "1"], [4]), (["name:*a"], [1, 2, 3]), (["@failed"], [1]), (["@last"], [4]),
    (["1-1000000"], [1, 2, 3, 4]), (["2-3", "4"], [2, 3, 4]), (["1-9007199254740992", "-s", "pending"], [3, 4]),
    (["--sort", "-id"], [4, 3, 2, 1]), (["--sort", "name"], [1, 2, 4, 3]), (["--sort", "priority,-id"], [3, 4, 1, 2]),
    (["--sort", "-memory", "--limit", "1"], [3]), (["--sort", "-time", "-s", "completed,failed"], [2, 1]),
    (["--sort", "queue,-NAME"], [4, 2, 1, 3]), (["--since", "now-1h"], [1, 2, 3, 4]),
))
def test_filters_and_orders(many, words, found):
    assert ids(many, *words) == found


def test_since_until_and_user(many):
    assert ids(many, "--since", many.since) == [3, 4] and ids(many, "--until", many.since) == [1, 2]
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    assert ids(many, "-u", user) == [1, 2, 3, 4]


def test_forms(many):
    jobs = json.loads(many.ctl("list", "--json").stdout)
    assert [job["id"] for job in jobs] == [1, 2, 3, 4]
    assert [json.loads(line)["id"] for line in many.ctl("list", "-o", "jsonl").stdout.splitlines()] == [1, 2, 3, 4]
    assert json.loads(many.ctl("list", "-o", "json").stdout) == jobs
    for form, words in (("table", ["QUEUE", "NAME"]), ("wide", ["QUEUE", "COMMAND"]), ("tsv", ["QUEUE", "COMMAND"])):
        lines = many.ctl("list", "-o", form).stdout.splitlines()
        assert len(lines) == 5 and all(word in lines[0] for word in words)
        bare = many.ctl("list", "-o", form, "--no-header").stdout.splitlines()
        assert [line.split()[:5] for line in bare] == [line.split()[:5] for line in lines[1:]]
        assert "night" in lines[3]


def test_columns(many):
    lines = many.ctl("list", "-o", "tsv", "--columns", "name,ID,queue,cpus,memory,tags,type,ended").stdout.splitlines()
    assert lines[0] == "NAME\tID\tQUEUE\tCPUS\tMEMORY\tTAGS\tTYPE\tENDED"
    assert lines[3].split("\t") == ["gamma", "3", "night", "2", "1.0G", "", "", ""]
    assert lines[4].split("\t")[5] == "k=w,l=m"
    assert many.ctl("list", "--columns", "id,name", "--no-header", "4").stdout.split(None, 1) == ["4", "delta x\n"]


def test_one_queue_needs_no_column(daemon):
    daemon.submit("true", hold=True)
    assert "QUEUE" not in daemon.ctl("list").stdout and "QUEUE" in daemon.ctl("list", "-o", "wide").stdout


@pytest.mark.parametrize("words, code, text", (
    (["--sort", "nam"], 2, "did you mean name?"), (["--columns", "id,,name"], 2, "must be one of id state"),
    (["--sort", ""], 2, "must be one of"), (["--limit", "0"], 2, "limit"), (["-o", "xml"], 2, "must be table"),
    (["-Q", "nope"], 4, "no queue \"nope\""), (["4711"], 4, "no job 4711"), (["4711", "1"], 4, "no job 4711"),
    (["4711_3"], 4, "no job 4711"), (["name:nothing"], 4, "no job matches name:nothing"),
    (["5000-6000"], 4, "no job matches 5000-6000"), (["-s", "odd"], 1, "state"), (["-u", "no-such-user"], 1, "no user"),
    (["--watch"], 2, "for a terminal"), (["5-3"], 2, "is not a job id"),
))
def test_what_is_not_there_or_wrong(many, words, code, text):
    done = many.ctl("list", *words)
    assert (done.returncode, text in done.stderr) == (code, True), done.stderr
    assert ("\n 1 " in "\n" + done.stdout.replace("  ", " ")) == (words == ["4711", "1"])


def test_jobs_of_a_queue_that_is_gone_are_listed(daemon):
    daemon.call("io.batchd.Queues.Add", name="old")
    daemon.wait(daemon.submit("true", queue="old"))
    daemon.call("io.batchd.Queues.Remove", name="old")
    assert ids(daemon, "-Q", "old") == [1]


@pytest.mark.parametrize("form", ("id", "tsv", "jsonl"))
def test_tasks_are_printed_page_by_page(make_daemon, form):
    daemon = make_daemon()
    daemon.start()
    count = 60000  # far more lines than a pipe holds
    job = daemon.submit("true", hold=True, array=f"0-{count - 1}")
    listing = subprocess.Popen([*daemon.ctl_words(), "list", "--tasks", str(job), "-o", form, "--no-header"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    first = listing.stdout.readline()
    assert f"{job}_0" in first or json.loads(first)["index"] == 0
    daemon.kill()
    out, _ = listing.communicate(timeout=60)
    assert listing.returncode in (6, 7) and out.count("\n") < count - 1


def test_pages_have_one_header(daemon):
    job = daemon.submit("true", hold=True, array="0-599")
    lines = daemon.ctl("list", "--tasks", str(job), "-o", "tsv").stdout.splitlines()
    assert len(lines) == 601 and [line.split("\t")[0] for line in lines] == ["ID"] + [f"{job}_{i}" for i in range(600)]
    assert daemon.ctl("list", "--tasks", str(job), "-o", "id", "--limit", "300").stdout.count("\n") == 300
    assert daemon.ctl("list", "-s", "failed", "-o", "tsv").stdout.startswith("ID\t")


def test_one_page_looks_at_so_many_jobs_at_most(daemon):
    client = daemon.client()
    for _ in range(101):
        for _ in range(100):
            client.send("io.batchd.Jobs.Submit", argv=["true"], cwd="/", env={}, hold=True)
        for _ in range(100):
            client.receive()
    failed = daemon.submit("false")
    daemon.wait(failed)
    page = client.call("io.batchd.Jobs.List", tasks=True, states=["failed"])
    assert page["jobs"] == [] and page["next"] == 10000
    page = client.call("io.batchd.Jobs.List", tasks=True, states=["failed"], after_id=page["next"])
    assert [job["id"] for job in page["jobs"]] == [failed] and page["next"] is None
    client.close()


def test_watch_draws_again(many):
    master, slave = pty.openpty()
    watching = subprocess.Popen([*many.ctl_words(), "list", "--watch"], stdout=slave, stderr=slave)
    os.close(slave)
    text = b""
    while text.count(b"\x1b[H\x1b[J") < 2:
        text += os.read(master, 65536)
    assert text.count(b"gamma") >= 1
    watching.terminate()
    watching.wait(timeout=20)
    os.close(master)


def test_only_what_is_named_one_by_one_is_missing(many):
    reply = many.call("io.batchd.Jobs.List", ids=[1, 4711, {"from": 5000, "to": 6000}, {"id": 4712, "index": 1}])
    assert reply["missing"] == [4711, 4712] and [job["id"] for job in reply["jobs"]] == [1]


@pytest.mark.parametrize("field,value", [("user", 3), ("user", ["root"]), ("ids", 3), ("ids", "1"), ("queue", 1)])
def test_a_filter_of_the_wrong_type_is_refused(many, field, value):
    """It would be none, and all jobs be listed."""
    with pytest.raises(Refused) as refused:
        many.call("io.batchd.Jobs.List", **{field: value})
    assert (refused.value.name, refused.value.parameters["field"]) == ("io.batchd.InvalidSpec", field)


@needs_root
def test_another_user_finds_nothing_of_others(daemon):
    first, mine = daemon.submit("true", hold=True), daemon.submit("true", array="0-1", hold=True)
    reply = daemon.as_another("io.batchd.Jobs.List", ids=[first, {"id": mine, "index": 1}, 4711])["parameters"]
    assert (reply["missing"], reply["jobs"]) == ([first, mine, 4711], []), "as if they were not there"
    assert daemon.as_another("io.batchd.Jobs.List", all=True)["parameters"]["jobs"] == []


def test_the_newest_task_by_task_is_all_of_it(daemon):
    daemon.submit("true", hold=True)
    job = daemon.submit("true", hold=True, array="0-4")
    assert daemon.ctl("list", "@last", "--tasks", "-o", "id").stdout.split() == [f"{job}_{i}" for i in range(5)]
    assert daemon.ctl("list", "@last", "-o", "id").stdout.split() == [str(job)]
