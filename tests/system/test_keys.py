"""A client's key: the same request is the same job, whatever became of the job and of its queue's defaults."""
import time

import pytest
from daemon import Refused

SUBMIT = "io.batchd.Jobs.Submit"
JOB = {"argv": ["true"], "cwd": "/", "env": {"PATH": "/bin:/usr/bin"}, "tags": {"b": "1", "a": "2"}, "hold": True}


def again(daemon, first, **parameters):
    reply = daemon.call(SUBMIT, **parameters)
    assert (reply["id"], reply["existing"]) == (first, True)


def test_the_defaults_of_the_queue_make_no_other_request(daemon):
    daemon.call("io.batchd.Queues.Add", name="lane", priority="high", timeout_ms=60000)
    request = dict(JOB, queue="lane", key="k")
    first = daemon.call(SUBMIT, **request)["id"]
    daemon.call("io.batchd.Queues.Set", name="lane", priority="low", timeout_ms=1000)
    again(daemon, first, **request)
    daemon.call("io.batchd.Jobs.Cancel", id=first)
    daemon.call("io.batchd.Queues.Remove", name="lane")
    again(daemon, first, **request)
    daemon.restart()
    again(daemon, first, **request)
    daemon.call("io.batchd.Queues.Add", name="lane", priority="urgent")
    again(daemon, first, **request)
    daemon.call("io.batchd.Queues.Drain", name="lane")
    again(daemon, first, **request)


def test_what_passed_meanwhile_makes_no_other_request(daemon):
    parent = daemon.submit("true")
    deadline = int((time.time() + 5) * 1e6)
    request = dict(JOB, key="k", depends=f"afterok:{parent}", deadline=deadline)
    first = daemon.call(SUBMIT, **request)["id"]
    daemon.wait(first)
    again(daemon, first, **request)


def test_an_edit_makes_no_other_request_but_another_is_refused(daemon):
    request = dict(JOB, key="k")
    first = daemon.call(SUBMIT, **request)["id"]
    daemon.call("io.batchd.Jobs.Edit", id=first, priority="high", max_attempts=3)
    again(daemon, first, **request)
    again(daemon, first, **dict(reversed(request.items())), priority=None)
    for other in ({"argv": ["false"]}, {"priority": "high"}, {"tags": {"a": "2"}}, {"hold": False}, {"array": "0-1"},
                  {"depends": str(first)}, {"queue": "nope"}, {"begin": 1}, {"values": ["a"]}):
        with pytest.raises(Refused) as refused:
            daemon.call(SUBMIT, **dict(request, **other))
        assert (refused.value.name, refused.value.parameters["id"]) == ("io.batchd.KeyConflict", first), other


def test_values_count_by_what_they_are(daemon):
    client = daemon.client()
    request = dict(JOB, key="k")

    def upload(*parts):
        number = client.call("io.batchd.Jobs.AddValues", values=parts[0])["values_id"]
        for part in parts[1:]:
            client.call("io.batchd.Jobs.AddValues", values=part, values_id=number)
        return number

    first = client.call(SUBMIT, **request, values_id=upload(["a", "b"]))
    same = client.call(SUBMIT, **request, values_id=upload(["a"], ["b"]))
    assert (same["id"], same["existing"]) == (first["id"], True)
    with pytest.raises(Refused) as refused:
        client.call(SUBMIT, **request, values_id=upload(["a", "c"]))
    assert refused.value.name == "io.batchd.KeyConflict"
    client.close()


def test_a_retry_and_a_submit_with_one_key_are_two_requests(daemon):
    first = daemon.call(SUBMIT, argv=["false"], cwd="/", key="k")["id"]
    daemon.wait(first)
    with pytest.raises(Refused) as refused:
        daemon.call("io.batchd.Jobs.Retry", id=first, key="k")
    assert refused.value.name == "io.batchd.KeyConflict"
    new = daemon.call("io.batchd.Jobs.Retry", id=first, key="r", priority="high")["id"]
    daemon.call("io.batchd.Queues.Set", name="default", priority="low")
    assert daemon.call("io.batchd.Jobs.Retry", id=first, key="r", priority="high")["id"] == new
    with pytest.raises(Refused):
        daemon.call("io.batchd.Jobs.Retry", id=first, key="r", priority="low")


def test_of_another_user_it_is_another(daemon):
    request = dict(JOB, key="k")
    first = daemon.call(SUBMIT, **request)["id"]
    theirs = daemon.as_another(SUBMIT, **request)["parameters"]
    assert (theirs["id"] != first, theirs["existing"]) == (True, False)
    assert daemon.as_another(SUBMIT, **request)["parameters"]["id"] == theirs["id"]
    assert daemon.as_another(SUBMIT, **dict(request, argv=["false"]))["error"] == "io.batchd.KeyConflict"
    again(daemon, first, **request)
