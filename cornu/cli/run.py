"""Run an unmodified Keras script: `import keras` and `tensorflow.keras` are provided by cornu.

On Linux the script also uses huge pages for large blocks of memory, which glibc requests if configured before the
process starts. XLA allocates the memory of a call anew each time, and huge pages are mapped twenty times faster.
"""

import argparse
import importlib.util
import os
import runpy
import sys
import types
from pathlib import Path

from cornu import import_hook

_LARGE_PAGES = "glibc.malloc.hugetlb"  # a tunable of glibc's allocator
_SYSTEM = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `cornu run`."""
    parser.usage = "cornu run [-h] (SCRIPT | -m MODULE) [ARGS ...]"
    parser.add_argument("-m", "--module", action="store_true", help="run a module, like python -m")
    parser.add_argument("script", metavar="SCRIPT", help="the Python file to run, or with -m the module")
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="ARGS", help="arguments for the script")


def run(options: argparse.Namespace) -> int:
    """Run the script as `python SCRIPT ARGS` would, or the module as `python -m MODULE ARGS`."""
    if options.script in sys.orig_argv:  # and this process belongs to the command
        _start_again_with_large_pages()
    import_hook.install()  # before a package is imported to find its module
    folder = os.getcwd() if options.module else str(Path(options.script).resolve().parent)
    sys.path.insert(0, folder)
    file = _file_of_module(options.script) if options.module else options.script
    if file is None or not os.path.isfile(file):
        print(f"cornu run: there is no {'module' if options.module else 'file'} {options.script!r}.", file=sys.stderr)
        return 2
    sys.argv = [file, *options.rest]
    try:
        if options.module:
            runpy.run_module(options.script, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(file, run_name="__main__")
    except Exception as error:
        error.__traceback__ = _from_script_on(error.__traceback__, file)
        sys.excepthook(type(error), error, error.__traceback__)
        return 1
    return 0


def _file_of_module(name: str) -> str | None:
    """The file that `python -m` would run."""
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
    except (ImportError, ValueError):
        return None
    return None if spec is None else spec.origin


def _from_script_on(traceback: types.TracebackType | None, script: str) -> types.TracebackType | None:
    """The traceback without the frames that lead to the script; empty if the script cannot be parsed."""
    step = traceback
    while step is not None and step.tb_frame.f_code.co_filename != script:
        step = step.tb_next
    return step


def _start_again_with_large_pages() -> None:
    """Replace this process by one that uses huge pages, if the system provides them on request."""
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    if _LARGE_PAGES in tunables or not gives_large_pages():
        return
    os.environ["GLIBC_TUNABLES"] = ":".join(filter(None, (tunables, f"{_LARGE_PAGES}=1")))
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def gives_large_pages() -> bool:
    """Whether the system provides huge pages to programs on request, and only then."""
    return _SYSTEM.exists() and "[madvise]" in _SYSTEM.read_text()
