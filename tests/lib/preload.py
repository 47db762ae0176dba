"""Libraries of ours for LD_PRELOAD."""
import shutil


def preloadable(library, name):
    """A copy with this name: blanks separate the libraries of LD_PRELOAD, and ours may lie below one."""
    return str(shutil.copy(library, name))
