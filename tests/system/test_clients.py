"""Programs of others speak to the daemon: socat and jq over LF frames, as batchd-protocol(7) says."""
import json
import subprocess


def pipe(daemon, request, query):
    """What jq makes of the replies to one request, until the daemon has sent the last one."""
    script = ("printf '%s\\n' \"$1\" | socat -t 30 - UNIX-CONNECT:\"$2\" |"
              " jq --unbuffered -c \"$3\"")
    return subprocess.run(["sh", "-c", script, "sh", json.dumps(request), daemon.socket, query],
                          capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()


def first(daemon, request, query):
    """The same for a method with one reply: socat ends as soon as it was read."""
    script = ("printf '%s\\n' \"$1\" | socat -t 30 - UNIX-CONNECT:\"$2\" | head -n 1 | jq -c \"$3\"")
    return subprocess.run(["sh", "-c", script, "sh", json.dumps(request), daemon.socket, query],
                          capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def test_submit_list_and_refusal(daemon):
    submit = {"method": "io.batchd.Jobs.Submit",
              "parameters": {"argv": ["sh", "-c", "echo one; echo two >&2; exit 4"], "cwd": "/", "name": "n"}}
    job = int(first(daemon, submit, ".parameters.id"))
    wait = {"method": "io.batchd.Jobs.Wait", "parameters": {"ids": [job]}}
    assert first(daemon, wait, ".parameters.jobs[0].outcome.exit_code") == "4"
    assert first(daemon, {"method": "io.batchd.Jobs.List"}, "[.parameters.jobs[] | {id, name, state}]") == (
        f'[{{"id":{job},"name":"n","state":"failed"}}]')
    read = {"method": "io.batchd.Logs.Read", "parameters": {"id": job}, "more": True}
    assert sorted(pipe(daemon, read, "select(.continues) | .parameters.data")) == ['"one\\n"', '"two\\n"']
    show = {"method": "io.batchd.Jobs.Show", "parameters": {"id": 99}}
    assert first(daemon, show, "[.error, .parameters.id]") == '["io.batchd.NoSuchJob",99]'
