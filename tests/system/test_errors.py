"""What an error says beside its text: field, value and rule; limit and used; the member that was wrong."""
import pytest
from daemon import Daemon, Refused


def refusal(daemon, method, **parameters):
    before = daemon.jobs_kept()
    with pytest.raises(Refused) as refused:
        daemon.call(f"io.batchd.{method}", **parameters)
    assert daemon.jobs_kept() == before
    return refused.value


@pytest.fixture(scope="module")
def one():
    with Daemon(config="[resources]\ncpus = 4\nlicence = 2\n[daemon]\narray_max = 10\n") as daemon:
        daemon.submit("true", hold=True)
        yield daemon


JOB = {"argv": ["true"], "cwd": "/"}


@pytest.mark.parametrize("method, field, value, more", (
    ("Jobs.Submit", "cpus", -1, JOB), ("Jobs.Submit", "priority", "top", JOB), ("Jobs.Submit", "array", "0-99", JOB),
    ("Jobs.Submit", "depends", "afterok:4711", JOB), ("Jobs.Submit", "deadline", 1, JOB),
    ("Jobs.Submit", "name", "", JOB), ("Jobs.Submit", "name", 7, JOB), ("Jobs.Submit", "resources", {"x": 1}, JOB),
    ("Jobs.Submit", "max_fails", "101%", dict(JOB, array="0-3")), ("Jobs.Submit", "memory", "1G", JOB),
    ("Jobs.Submit", "env", {"1A": "x"}, JOB), ("Jobs.Submit", "argv", [], {"cwd": "/"}),
    ("Jobs.Edit", "begin", -1, {"id": 1}), ("Jobs.Retry", "max_attempts", 0, {"id": 1}),
    ("Jobs.Cancel", "grace_ms", -5, {"id": 1}), ("Jobs.Cancel", "dry_run", "yes", {"id": 1}),
    ("Jobs.List", "states", ["odd"], {}), ("Jobs.List", "user", "nobody-such", {}), ("Jobs.List", "limit", 0, {}),
    ("Jobs.Wait", "for", "ever", {"ids": [1]}), ("Jobs.Show", "id", "one", {}),
    ("Queues.Add", "policy", "best", {"name": "a"}), ("Queues.Add", "slots", -1, {"name": "a"}),
    ("Queues.Add", "max_delay_ms", -1, {"name": "a"}), ("Queues.Set", "ageing_ms", 1 << 60, {"name": "default"}),
    ("Queues.Add", "name", "no blanks", {}), ("Schedules.Add", "at", "61 * * * *", {"name": "a", "job": JOB}),
    ("Schedules.Add", "priority", "top", {"name": "a", "at": "@daily", "job": dict(JOB, priority="top")}),
    ("Server.Stats", "by", "moon", {}),
))
def test_invalid_spec_says_field_value_and_rule(one, method, field, value, more):
    given = {} if field in more.get("job", {}) else {field: value}
    refused = refusal(one, method, **more, **given)
    assert refused.name == "io.batchd.InvalidSpec"
    assert refused.parameters["field"] == field and refused.parameters["value"] == value
    assert refused.parameters["rule"] and refused.parameters["message"]


def test_a_span_of_a_queue_is_told_in_the_unit_of_its_member(one):
    rule = refusal(one, "Queues.Add", name="a", max_delay_ms=-1).parameters["rule"]
    assert rule == "max_delay_ms -1 must be from 0 to 3153600000000"


def test_a_missing_member_has_no_value_and_a_long_one_is_cut(one):
    assert refusal(one, "Jobs.Show").parameters["value"] is None
    long = refusal(one, "Jobs.Submit", name="x" * 5000, **JOB).parameters["value"]
    assert long.startswith('"xxx') and len(long) == 1000


def test_queues_name_their_member(one):
    for verb, field, more in (("Set", "name", {"name": "nope", "slots": 1}), ("Pause", "name", {"name": "nope"}),
                              ("Remove", "name", {"name": "nope"}),
                              ("Remove", "move_to", {"name": "default", "move_to": "nope"})):
        refused = refusal(one, f"Queues.{verb}", **more)
        assert refused.name == "io.batchd.NoSuchQueue"
        assert (refused.parameters["field"], refused.parameters["value"]) == (field, "nope")
    refused = refusal(one, "Jobs.Submit", queue="nope", **JOB)
    assert (refused.parameters["field"], refused.parameters["value"]) == ("queue", "nope")


def test_a_quota_says_limit_and_used():
    with Daemon(config="[daemon]\nqueue_limit_per_user = 2\nschedule_limit_per_user = 1\n") as daemon:
        daemon.submit("true", hold=True)
        daemon.submit("true", hold=True)
        daemon.call("io.batchd.Schedules.Add", name="a", at="@daily", job=JOB)
        for method, parameters, limit in (("Jobs.Submit", JOB, 2),
                                          ("Schedules.Add", {"name": "b", "at": "@daily", "job": JOB}, 1)):
            refused = refusal(daemon, method, **parameters)
            assert refused.name == "io.batchd.QuotaExceeded"
            assert (refused.parameters["limit"], refused.parameters["used"]) == (limit, limit)
