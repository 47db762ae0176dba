#!/usr/bin/env python3
"""The hard limits of size: file 600 lines, function 60, header 170 (tables of data may exceed)."""
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ["common", "daemon", "worker", "step", "gpu", "client", "processors"]
HEADER_MAX = {"common/worker_protocol.h": 280}  # the contract of both sides, in one place


def functions(paths):
    out = subprocess.run(["ctags", "-f", "-", "--kinds-C=f", "--fields=ne", *map(str, paths)],
                         capture_output=True, text=True, check=True).stdout
    for line in out.splitlines():
        fields = line.split("\t")
        named = dict(f.split(":", 1) for f in fields[3:] if ":" in f)
        if "end" in named:
            yield fields[1], fields[0], int(named["end"]) - int(named["line"]) + 1


def main():
    paths = [p for f in FOLDERS for p in sorted((ROOT / f).rglob("*.[ch]"))]
    errors = []
    for path in paths:
        name, lines = str(path.relative_to(ROOT)), len(path.read_text().splitlines())
        limit = 600 if path.suffix == ".c" else HEADER_MAX.get(name, 170)
        if lines > limit:
            errors.append(f"{name} has {lines} lines; the limit is {limit}")
    sizes = []
    for path, name, lines in functions([p for p in paths if p.suffix == ".c"]):
        sizes.append(lines)
        if lines > 60:
            errors.append(f"{path}: {name} has {lines} lines; the limit is 60")
    for error in errors:
        print("lint:", error)
    print(f"sizes: {len(paths)} files, {len(sizes)} functions, median {statistics.median(sizes):.0f} "
          f"lines, {len(errors)} errors")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
