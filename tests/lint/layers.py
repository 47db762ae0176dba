#!/usr/bin/env python3
"""The one direction of dependencies (ARCHITECTURE.md): a file includes only its own folder and those
below it in the list; no include cycle; libraries stay where they belong; the job's state is changed
in one place."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SIBLINGS = ["daemon/store", "daemon/exec", "daemon/events", "daemon/resources"]
BELOW = {
    "common": [],
    "daemon/core": ["common"],
    **{folder: ["common", "daemon/core"] for folder in SIBLINGS},
    "daemon/engine": ["common", "daemon/core", *SIBLINGS],
}
BELOW["daemon/api"] = [*BELOW["daemon/engine"], "daemon/engine"]
BELOW["daemon/net"] = [*BELOW["daemon/api"], "daemon/api"]
BELOW["daemon/web"] = BELOW["daemon/net"]
BELOW["daemon"] = [*BELOW["daemon/net"], "daemon/net", "daemon/web"]
BELOW["client"] = ["common", "daemon/core"]  # core is pure: simulate runs the scheduler itself
for outside in ("worker", "step", "gpu", "processors/lib"):
    BELOW[outside] = ["common"]
BELOW["processors/media"] = ["common", "processors/lib"]
for program in sorted((ROOT / "processors").glob("*/manifest.json")):
    BELOW[f"processors/{program.parent.name}"] = ["common", "processors/lib", "processors/media"]
MEDIA = ("processors/media/", "processors/video/", "processors/interpolate/", "processors/quality/")  # GPL

LIBRARIES = {  # header prefix: where it may be included
    "sqlite3.h": ("daemon/store/",),
    "jansson.h": ("common/json.h", "common/client.h", "daemon/api/", "daemon/web/", "processors/"),
    "event2/": ("daemon/net/", "daemon/web/", "daemon/exec/", "common/timers.c", "daemon/daemon.c",
                "daemon/turn.c"),
    "systemd/": ("daemon/notices.c", "daemon/sockets.c"),
    "libsmartcols.h": ("client/",),
    "zlib.h": ("client/trace.c",),
    "seccomp.h": ("processors/lib/syscalls.c",),
    "nettle/": ("processors/lib/source.c",),
    "glib.h": ("common/checkpoint.c", "common/file_tree.c", "common/glib_memory.c", "daemon/resources/zone.c",
               "daemon/api/request_digest.c", "processors/image/"),
    "libav": MEDIA,
    "libsw": MEDIA,
    "vips/": ("processors/image/",),
}
JSON_BELOW_API = ("daemon/core/", "daemon/store/", "daemon/exec/", "daemon/engine/", "daemon/events/",
                  "worker/")  # batchd-job (step) reads a processor's line as that processor's user


def sources():
    for folder in BELOW:
        yield from sorted(p for p in (ROOT / folder).glob("*.[ch]"))


def includes(path):
    text = path.read_text()
    return (re.findall(r'^\s*#\s*include "([^"]+)"', text, re.M),
            re.findall(r"^\s*#\s*include <([^>]+)>", text, re.M))


def check_file(path, errors, graph):
    name = str(path.relative_to(ROOT))
    folder = str(path.parent.relative_to(ROOT))
    quoted, angled = includes(path)
    module = name.rsplit(".", 1)[0]
    for target in quoted:
        below = str(pathlib.PurePath(target).parent)
        if below != folder and below not in BELOW[folder]:
            errors.append(f"{name} includes {target}, which is not below {folder}")
        if target == "common/json.h" and name.startswith(JSON_BELOW_API):
            errors.append(f"{name} includes {target}: no JSON below the api")
        graph.setdefault(module, set()).add(target.rsplit(".", 1)[0])
    for target in angled:
        for prefix, places in LIBRARIES.items():
            if target.startswith(prefix) and not name.startswith(places):
                errors.append(f"{name} includes <{target}>, which belongs in {', '.join(places)}")
    if re.search(r"->packed\s*=", path.read_text()) and name != "daemon/core/jobset.c":
        errors.append(f"{name} changes a job's state; only jobset_move may")


def find_cycle(graph):
    state = {}

    def visit(node, trail):
        state[node] = 1
        for target in sorted(graph.get(node, ())):
            if target == node:
                continue
            if state.get(target) == 1:
                return [*trail, node, target]
            if target not in state:
                found = visit(target, [*trail, node])
                if found:
                    return found
        state[node] = 2
        return None

    for node in sorted(graph):
        if node not in state:
            found = visit(node, [])
            if found:
                return found
    return None


def main():
    errors, graph = [], {}
    for path in sources():
        check_file(path, errors, graph)
    cycle = find_cycle(graph)
    if cycle:
        errors.append("include cycle: " + " -> ".join(cycle))
    for error in errors:
        print("lint:", error)
    print(f"layers: {len(graph)} modules, {len(errors)} errors")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
