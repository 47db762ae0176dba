"""Builds tests/lib/hostile_processor.c."""
import json
import subprocess

from daemon import OUT, ROOT

SANITIZED = OUT.name == "san"
PARAMS = [{"name": "input", "type": "path", "required": True},
          {"name": "output", "type": "path", "access": "write", "required": True},
          {"name": "more", "type": "paths"}, {"name": "secret", "type": "string"}, {"name": "folder", "type": "string"},
          {"name": "hardware", "type": "string", "default": "never"}, {"name": "victim", "type": "int"},
          {"name": "megabytes", "type": "int"}, {"name": "line_bytes", "type": "int"},
          *({"name": name, "type": "bool"} for name in ("crash", "lie", "sleep", "hide", "keep", "close", "litter", "leave", "honest"))]


def build(folder):
    """The program, with its manifest beside it."""
    more = ["-fsanitize=address,undefined"] if SANITIZED else []
    manifest = {"name": "hostile", "version": "1", "summary": "tries", "exec": "hostile", "serve": True,
                "params": PARAMS}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    subprocess.run(["cc", "-std=gnu17", "-O1", "-D_GNU_SOURCE", "-pthread", "-I", ROOT, *more,
                    "-o", folder / "hostile", ROOT / "tests/lib/hostile_processor.c", OUT / "libprocessor.a",
                    OUT / "libcommon.a", "-lseccomp", "-lnettle", "-ljansson", "-lm"], check=True)
    return folder / "hostile"
