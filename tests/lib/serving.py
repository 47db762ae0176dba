"""A processor that serves, in one process: the type "server". What a job finds in it shows whether it came alone."""
import json

MANIFEST = {
    "name": "server", "version": "1", "summary": "serves", "licence": "MIT", "exec": "server", "serve": True,
    "params": [{"name": "script", "type": "string", "default": "", "help": "Python, run for the job"}],
}

# `count` is how many jobs this process had. Names that a script may use: job, count, env, say, fail.
PROGRAM = '''#!/usr/bin/python3 -IS
import json, os, signal, sys, time

served = sys.argv[1:] == ["--serve"]
count = 0


def say(**line):
    prefix = {"job": job["job"]} if served else {}
    os.write(3, (json.dumps({**prefix, **line}, separators=(",", ":")) + "\\\\n").encode())


def fail(code, message="as asked"):
    say(type="result", result={"processor": "server", "error": {"message": message, "exit_code": code}})
    if not served:
        sys.exit(code)


for line in sys.stdin:
    job = json.loads(line)
    env = job.get("env", os.environ)
    answered = False
    count += 1
    facts = {"pid": os.getpid(), "served": served, "count": count, "attempt": env["BATCHD_ATTEMPT"],
             "id": env["BATCHD_JOB_ID"], "mark": os.environ.get("MARK"), "uid": os.getuid(), "cwd": job["cwd"]}
    exec(job["params"]["script"])
    if not answered:
        say(type="result", result={"processor": "server", "facts": facts})
    if not served:
        break
'''


def install(folder, name="server", **more):
    """Makes the type below `folder`, which is one of processors.path; `more` of its manifest."""
    (folder / name).mkdir(parents=True)
    (folder / name / "manifest.json").write_text(json.dumps({**MANIFEST, "name": name, **more}))
    (folder / name / "server").write_text(PROGRAM.replace("\\\\n", "\\n"))
    (folder / name / "server").chmod(0o755)
