#!/usr/bin/env python3
"""Every MESSAGE_ID of the code is explained in the catalog, and every entry is used."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main():
    code = set(re.findall(r'"([0-9a-f]{32})"', (ROOT / "daemon/engine/job_log.c").read_text()))
    catalog = re.findall(r"^-- ([0-9a-f]{32})$", (ROOT / "systemd/batchd.catalog").read_text(), re.M)
    errors = [f"message id {one} has no catalog entry" for one in sorted(code - set(catalog))]
    errors += [f"catalog entry {one} is not used" for one in sorted(set(catalog) - code)]
    errors += [] if len(catalog) == len(set(catalog)) else ["the catalog has an entry twice"]
    for error in errors:
        print("lint:", error)
    print(f"catalog: {len(catalog)} messages, {len(errors)} errors")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
