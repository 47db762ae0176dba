"""Arrays with a value for each task: --each-line, --each-json, and the requests behind them."""
import contextlib
import json
import os
import signal
import sqlite3
import subprocess

import pytest

from daemon import OUT, Client, Daemon, Refused, wait_until

ONE = "[workers]\nmax = 1\n"
PRINT = ("sh", "-c", 'printf "%s" "$BATCHD_ARRAY_INDEX/$BATCHD_ARRAY_COUNT=$BATCHD_ARRAY_VALUE"')


def output(daemon, job, index):
    return subprocess.run([*daemon.ctl_words(), "logs", f"{job}_{index}"], capture_output=True, check=True).stdout


def each(daemon, option, data, *words):
    path = daemon.state / "values"
    path.write_bytes(data)
    return daemon.ctl("submit", option, path, *words, *PRINT)


def chunks(daemon):
    """Rows of sets and of chunks, in the store of a daemon that is not running."""
    with contextlib.closing(sqlite3.connect(daemon.state / "batchd.db")) as db:
        return tuple(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("value_set", "value_chunk"))


def test_every_line_is_a_task(daemon):
    done = each(daemon, "--each-line", b"one\n\n two three \n\xff\xfe\n{}\nlast")
    job = int(done.stdout)
    ended = daemon.wait(job)[0]
    assert ended["array"]["spec"] == "0-5" and ended["state"] == "completed"
    assert [output(daemon, job, i) for i in range(6)] == [
        b"0/6=one", b"1/6=", b"2/6= two three ", b"3/6=\xff\xfe", b"4/6={}", b"5/6=last"]
    assert daemon.call("io.batchd.Jobs.Show", id=job, index=2)["job"]["value"] == " two three "
    assert daemon.call("io.batchd.Jobs.Show", id=job)["job"]["value"] is None
    assert "value:  two three" in daemon.ctl("show", f"{job}_2").stdout


def test_elements_of_a_json_array(daemon):
    text = ' [ "a\\nb" , 0.10, {"k" : [1, 2.50 , "x \\" y"]},\n123456789012345678901234567890, true,null,"", [] ] \n'
    job = int(each(daemon, "--each-json", text.encode()).stdout)
    daemon.wait(job)
    assert [output(daemon, job, i).split(b"=", 1)[1].decode() for i in range(8)] == [
        "a\nb", "0.10", '{"k":[1,2.50,"x \\" y"]}', "123456789012345678901234567890", "true", "null", "", "[]"]


def test_standard_input_and_a_limit(daemon):
    done = subprocess.run([*daemon.ctl_words(), "submit", "-a", "%2", "--each-line", "-", "--wait", "--json", *PRINT],
                          input=b"x\ny\nz\n", capture_output=True, check=True)
    job = json.loads(done.stdout)[0]
    assert job["array"]["spec"] == "0-2%2" and job["array"]["completed"] == 3


@pytest.mark.parametrize("option,data,text", [
    ("--each-line", b"", "--each-line: "), ("--each-line", b"a\nb\0c\n", "line 2 holds a NUL"),
    ("--each-line", b"x" * 131053, "values[0]: values has 131053 bytes; at most 131052"),
    ("--each-line", b"", "holds no value; an array has at least one task"),
    ("--each-json", b"[]", "--each-json: "), ("--each-json", b"", "no JSON array"),
    ("--each-json", b"{}", "no JSON array"), ("--each-json", b'["a" "b"]', "element 1: no comma"),
    ("--each-json", b'["a",', "element 2"), ("--each-json", b'["a"] x', "text behind"),
    ("--each-json", b'[1,}', "element 2"), ("--each-json", b'["\\u0000"]', "element 1")],
    ids=lambda value: None if len(value) < 100 else "long")
def test_bad_files_are_refused(daemon, option, data, text):
    done = each(daemon, option, data)
    assert done.returncode in (1, 2) and text in done.stderr, done
    assert daemon.jobs() == []
    daemon.kill()
    assert chunks(daemon) == (0, 0)


def test_what_goes_with_it_and_what_does_not(daemon):
    assert each(daemon, "--each-line", b"a\n", "-a", "0-3").returncode == 1
    assert "give one" in daemon.ctl("submit", "--each-line", "a", "--each-json", "b", "true").stderr
    assert "No such file" in daemon.ctl("submit", "--each-line", "/none", "true").stderr
    for wrong, field in (({"values": []}, "values"), ({"values": "x"}, "values"), ({"values": [3]}, "values"),
                         ({"values": ["a"], "array": "0-3"}, "array"), ({"values": ["a"], "array": "%0"}, "array"),
                         ({"values": [{"b64": "YQA="}]}, "values"), ({"values_id": 1}, "values_id"),
                         ({"values": ["a"], "values_id": 1}, "values_id")):
        with pytest.raises(Refused) as refused:
            daemon.submit("true", **wrong)
        assert refused.value.name == "io.batchd.InvalidSpec" and refused.value.parameters["field"] == field, wrong
    with pytest.raises(Refused):  # after the values were taken
        daemon.submit("true", values=["a"], depends="afterok:99")
    assert daemon.jobs() == []
    with pytest.raises(Refused):
        daemon.call("io.batchd.Schedules.Add", name="n", at="@daily", job={"argv": ["true"], "values": ["a"]})
    assert daemon.ctl("cron", "add", "n", "--at", "@daily", "--each-line", "x", "true").returncode == 2
    daemon.kill()
    assert chunks(daemon) == (0, 0)


def test_a_longest_value_and_many_short_ones(daemon):
    job = daemon.submit("sh", "-c", 'printf "%s" "$BATCHD_ARRAY_VALUE" | wc -c',
                        values=["", "v" * 131052, "ab"] + ["x" * i for i in range(300)])
    daemon.wait(job)
    assert output(daemon, job, 1) == b"131052\n" and output(daemon, job, 2) == b"2\n"
    assert [output(daemon, job, 3 + i) for i in (0, 1, 150, 299)] == [b"0\n", b"1\n", b"150\n", b"299\n"]


def test_the_values_survive_kills(make_daemon):
    daemon = make_daemon(config=ONE)
    daemon.start()
    job = daemon.submit("sh", "-c", 'echo "$BATCHD_ARRAY_VALUE" >>"$0"', str(daemon.state / "out"),
                        values=[f"value {i}" for i in range(200)])
    for _ in range(5):
        daemon.restart()
    assert daemon.wait(job)[0]["array"]["completed"] == 200
    assert sorted((daemon.state / "out").read_text().splitlines()) == sorted(f"value {i}" for i in range(200))


def test_a_retry_keeps_the_values(daemon):
    job = daemon.submit("sh", "-c", 'printf "%s" "$BATCHD_ARRAY_VALUE"; [ "$BATCHD_ARRAY_VALUE" != b ]', values=["a", "b", "c"])
    daemon.wait(job)
    daemon.restart()
    again = daemon.call("io.batchd.Jobs.Retry", id=job, failed_only=True)["id"]
    assert daemon.wait(again)[0]["array"]["spec"] == "1"
    assert output(daemon, again, 1) == b"b"
    daemon.kill()
    assert chunks(daemon) == (1, 1), "shared"


def test_the_same_key_with_other_values_is_a_conflict(daemon):
    first = daemon.submit("true", values=["a", "b"], key="k")
    daemon.restart()
    assert daemon.submit("true", values=["a", "b"], key="k") == first
    for other in ({"values": ["a", "c"]}, {"values": ["ab", ""]}, {"array": "0-1"}):
        with pytest.raises(Refused, match="belongs to job"):
            daemon.submit("true", key="k", **other)
    daemon.kill()
    assert chunks(daemon)[0] == 1


def test_refused_and_repeated_submits_keep_nothing(daemon):
    """Over one connection, more often than it may have uploads open."""
    client = daemon.client()
    first = client.call("io.batchd.Jobs.Submit", argv=["true"], cwd="/", values=["a"], key="k")["id"]
    for _ in range(10):
        with pytest.raises(Refused, match="99"):
            client.call("io.batchd.Jobs.Submit", argv=["true"], cwd="/", values=["a"], depends="afterok:99")
        again = client.call("io.batchd.Jobs.Submit", argv=["true"], cwd="/", values=["a"], key="k")
        assert again["id"] == first and again["existing"]
    daemon.kill()
    assert chunks(daemon) == (1, 1)


def part(client, values, **more):
    return client.call("io.batchd.Jobs.AddValues", values=values, **more)


@pytest.mark.parametrize("end", ["close", "kill"])
def test_an_upload_that_is_broken_off_leaves_nothing(daemon, end):
    client = daemon.client()
    added = part(client, ["x" * 1000] * 100)
    assert part(client, ["y"], values_id=added["values_id"])["count"] == 101
    other = daemon.client()
    for method, more in (("io.batchd.Jobs.AddValues", {"values": ["z"]}), ("io.batchd.Jobs.Submit", {"argv": ["true"]})):
        with pytest.raises(Refused, match="none of this connection"):
            other.call(method, values_id=added["values_id"], **more)
    if end == "close":
        client.close()
        daemon.submit("true")
        wait_until(lambda: daemon.call("io.batchd.Server.Status") is not None)
        daemon.stop()
        assert chunks(daemon) == (0, 0)
    else:
        daemon.kill()
        assert chunks(daemon)[1] > 10
    daemon.start()
    daemon.kill()
    assert chunks(daemon) == (0, 0)


def test_parts_become_one_array(daemon):
    client = daemon.client()
    added = part(client, [f"a{i}" for i in range(500)])["values_id"]
    part(client, [f"b{i}" for i in range(500)], values_id=added)
    job = client.call("io.batchd.Jobs.Submit", argv=list(PRINT), cwd="/", values_id=added, hold=True)["id"]
    with pytest.raises(Refused, match="none of this connection"):
        part(client, ["late"], values_id=added)
    client.close()
    daemon.restart()
    again = daemon.call("io.batchd.Jobs.Cancel", id=job, indices="1-498,501-999")["cancelled"]
    assert again == 997
    daemon.call("io.batchd.Jobs.Release", id=job)
    daemon.wait(job)
    assert [output(daemon, job, i) for i in (0, 499, 500)] == [b"0/1000=a0", b"499/1000=a499", b"500/1000=b0"]


def test_limits_are_named():
    with Daemon(config="[daemon]\narray_max = 10\narray_values_max = \"2K\"\n") as daemon:
        with pytest.raises(Refused, match="daemon.array_max"):
            daemon.submit("true", values=["a"] * 11)
        with pytest.raises(Refused, match="daemon.array_values_max"):
            daemon.submit("true", values=["a" * 1000] * 3)
        client = daemon.client()
        added = part(client, ["a"] * 10)["values_id"]
        with pytest.raises(Refused, match="daemon.array_max"):
            part(client, ["a"], values_id=added)
        clients = [daemon.client() for _ in range(8)]
        for one in clients[:7]:
            part(one, ["a"])
        with pytest.raises(Refused, match="8 uploads"):
            part(clients[7], ["a"])
        client.close()
        wait_until(lambda: part_ok(clients[7]))
        for one in clients:
            one.close()


def part_ok(client):
    try:
        part(client, ["a"])
        return True
    except Refused:
        return False


@pytest.mark.long
def test_a_million_lines(make_daemon, tmp_path):
    daemon = make_daemon(config=ONE)
    daemon.start()
    path = tmp_path / "lines"
    with open(path, "w", encoding="ascii") as lines:
        for i in range(1000000):
            lines.write(f"{i:>040d} value\n")
    daemon.submit("true", values=["x" * 50] * 5000)
    before = daemon.resident_bytes()
    done = daemon.ctl("submit", "--hold", "--each-line", path, *PRINT, timeout=300)
    assert done.returncode == 0, done.stderr
    job = int(done.stdout)
    if OUT.name != "san":
        assert daemon.resident_bytes() - before < 20 << 20
    assert daemon.job(job)["array"]["count"] == 1000000
    daemon.restart()
    daemon.call("io.batchd.Jobs.Cancel", id=job, indices="0-123455,123457-999998")
    daemon.call("io.batchd.Jobs.Release", id=job)
    daemon.wait(job)
    assert output(daemon, job, 123456) == b"123456/1000000=%040d value" % 123456
    assert output(daemon, job, 999999) == b"999999/1000000=%040d value" % 999999
    daemon.kill()
    with sqlite3.connect(daemon.state / "batchd.db") as db:
        assert db.execute("SELECT count(*) FROM job").fetchone()[0] == 2


@pytest.mark.long
def test_a_kill_during_the_upload_still_makes_one_job(make_daemon, tmp_path):
    daemon = make_daemon(config=ONE)
    daemon.start()
    path = tmp_path / "lines"
    path.write_text("".join(f"{i:>0500d}\n" for i in range(40000)))
    client = subprocess.Popen([*daemon.ctl_words(), "submit", "--hold", "--each-line", path, "true"],
                              stdout=subprocess.PIPE, text=True)
    db = daemon.state / "batchd.db-wal"
    for _ in range(2):
        wait_until(lambda: db.exists() and db.stat().st_size > 1 << 20 or client.poll() is not None)
        daemon.restart()
    out, _ = client.communicate(timeout=60)
    assert client.returncode == 0 and daemon.job(int(out))["array"]["count"] == 40000
    assert len(daemon.jobs()) == 1
    daemon.restart()
    daemon.kill()
    assert chunks(daemon)[0] == 1


def test_a_client_that_dies_leaves_nothing(make_daemon):
    daemon = make_daemon(config=ONE)
    daemon.start()
    client = subprocess.Popen([*daemon.ctl_words(), "submit", "--each-json", "-", "true"], stdin=subprocess.PIPE)
    client.stdin.write(b"[" + b'"%s",' % (b"x" * 1000) * 1000)
    client.stdin.flush()
    client.send_signal(signal.SIGKILL)
    client.wait()
    client.stdin.close()
    raw = Client(daemon.socket)
    part(raw, ["x" * 1000] * 500)
    raw.socket.shutdown(2)
    raw.close()
    daemon.wait(daemon.submit("true"))
    wait_until(lambda: os.path.exists(daemon.state / "batchd.db"))
    daemon.stop()
    assert chunks(daemon) == (0, 0)


@pytest.mark.parametrize("change,text", [("UPDATE value_set SET count=9", "set of values"),
                                         ("UPDATE value_chunk SET data=x'01000000AA'", "fail their checksum")])
def test_damage_is_found(daemon, change, text):
    daemon.wait(daemon.submit("true", values=["a", "b"]))
    daemon.kill()
    daemon.damage_store(change)
    checked = daemon.check_store()
    assert checked.returncode == 65 and text in checked.stderr
