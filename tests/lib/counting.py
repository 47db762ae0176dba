"""A processor that counts and asks for checkpoints by its lines: the type "count"."""
import json

MANIFEST = {
    "name": "count", "version": "1", "summary": "counts", "licence": "MIT", "exec": "count",
    "params": [
        {"name": "steps", "type": "int", "min": 1, "max": 1000000, "required": True, "help": "how far"},
        {"name": "interval", "type": "int", "min": 1, "max": 1000000, "default": 1,
         "help": "a checkpoint each so many steps"},
        {"name": "script", "type": "string", "default": "", "help": "Python, run after each step"},
        {"name": "output", "type": "string", "default": "sums", "help": "where the lines go"},
    ],
}

# A line for each step is in the state, so that it is not only a number that comes back. The state is
# written beside and renamed: it is whole at any moment, whoever copies it.
PROGRAM = '''#!/usr/bin/python3 -IS
import json, os, signal, sys, time

job = json.loads(sys.stdin.readline())
attempt, params = job["attempt"], job["params"]
steps, interval = params["steps"], params["interval"]


def say(*lines):
    os.write(3, "".join(json.dumps(line, separators=(",", ":")) + "\\n" for line in lines).encode())


def checkpoint(path):
    say({"type": "checkpoint", "path": path})


def write(path, text):
    with open(path + ".new", "w") as file:
        file.write(text)
    os.rename(path + ".new", path)


def note(text):
    with open("log", "a") as file:
        file.write(f"{attempt} {text}\\n")


n, total, sums = 0, 0, ""
if "BATCHD_CHECKPOINT" in os.environ:
    with open(os.environ["BATCHD_CHECKPOINT"]) as file:
        sums = file.read()
    n, total = map(int, sums.splitlines()[-1].split())
note(f"began {n}")
while n < steps:
    n += 1
    total = (total * 31 + n) % 1000003
    sums += f"{n} {total}\\n"
    note(f"did {n}")
    if n % interval == 0:
        write("state", sums)
        checkpoint("state")
    exec(params["script"])
    time.sleep(0.002)
write(params["output"], sums)
say({"type": "result", "result": {"processor": "count"}})
'''


def install(folder, name="count", **more):
    """Makes the type below `folder`, which is one of processors.path; `more` of its manifest."""
    (folder / name).mkdir(parents=True)
    (folder / name / "manifest.json").write_text(json.dumps({**MANIFEST, "name": name, **more}))
    (folder / name / "count").write_text(PROGRAM)
    (folder / name / "count").chmod(0o755)
