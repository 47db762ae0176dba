"""Machines with GPUs that are none: a library in the place of NVIDIA's, and trees of /sys and /proc."""
import os
import shutil
import subprocess

from daemon import ROOT, Daemon


class Nvidia:
    """A library that answers by a file (tests/lib/nvml_stub.c); version 0: it has the least."""

    def __init__(self, folder, version=3):
        folder.mkdir(parents=True, exist_ok=True)
        self.file, self.library = folder / "gpus.txt", folder / "libnvidia-ml.so.1"
        self.file.write_text("")
        made = subprocess.run(
            [os.environ.get("CC", "gcc"), "-shared", "-fPIC", "-O1", "-o", self.library,
             f'-DSTUB_FILE="{self.file}"', *(["-DSTUB_VERSION=1", "-DSTUB_LEAST"] if version == 0 else
                                             [f"-DSTUB_VERSION={version}"]),
             ROOT / "tests/lib/nvml_stub.c"], capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stderr

    def inits(self):
        """How often it was begun."""
        count = self.file.with_name(self.file.name + ".inits")
        return count.stat().st_size if count.exists() else 0

    def has(self, *lines):
        """From now on; all at once."""
        made = self.file.with_suffix(".new")
        made.write_text("".join(line + "\n" for line in lines))
        made.rename(self.file)


class Machine:
    """A folder with the files of /proc and /sys that are looked at for GPUs."""

    def __init__(self, root):
        self.root = root
        (root / "proc").mkdir(parents=True)
        (root / "sys/class/drm").mkdir(parents=True)
        (root / "proc/meminfo").write_text("MemTotal: 1048576 kB\nMemAvailable: 1048576 kB\n")

    def nvidia(self, *buses):
        """What the kernel's driver shows."""
        for bus in buses:
            (self.root / f"proc/driver/nvidia/gpus/0000:{bus}:00.0").mkdir(parents=True)

    def card(self, number, address, **files):
        """A card of the display drivers."""
        device = self.root / "sys/devices" / address
        device.mkdir(parents=True)
        for name, text in files.items():
            path = device / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")
        card = self.root / f"sys/class/drm/card{number}"
        card.mkdir()
        (card / "device").symlink_to(f"../../../devices/{address}")
        return device

    def remove_card(self, number):
        shutil.rmtree(self.root / f"sys/class/drm/card{number}")

    def process(self, pid):
        """This machine's own."""
        (self.root / f"proc/{pid}").symlink_to(f"/proc/{pid}")

    def process_of(self, pid, group="/", words=()):
        """One that there is not, in a control group."""
        folder = self.root / f"proc/{pid}"
        folder.mkdir()
        (folder / "comm").write_text("program\n")
        (folder / "stat").write_text(f"{pid} (program) S 1 {pid} {pid} 0\n")
        (folder / "cgroup").write_text(f"1:name=systemd:/other\n0::{group}\n")
        (folder / "cmdline").write_text("".join(f"{word}\0" for word in words))
        return folder

    def client(self, pid, fd, text):
        """What the kernel shows of a descriptor of a process, to a GPU's device; None: it is closed."""
        link, info = (self.root / f"proc/{pid}/{name}/{fd}" for name in ("fd", "fdinfo"))
        for path in (link, info):
            path.parent.mkdir(exist_ok=True)
        if text is None:
            link.unlink()
            info.unlink()
            return
        new = self.root / f"new-{pid}-{fd}"
        new.write_text(text)
        new.rename(info)
        if not link.is_symlink():
            link.symlink_to("/dev/dri/renderD128")


def daemon(machine, library=None, more="", resources="", interval="100ms", folder=None):
    of_nvidia = f'gpu_library = "{library.library}"\n' if library else ""
    return Daemon(config=f'[monitor]\nroot = "{machine.root}"\ninterval = "{interval}"\n{of_nvidia}{more}'
                         f"[resources]\ncpus = 8\n{resources}", folder=folder)
