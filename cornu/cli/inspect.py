"""Show the contents of a model or weights file and whether it would load, without running any of it.

The exit status is 0 if the file would load, 1 if not, 2 if the file does not exist.

`--json` prints one object. Its keys are the attributes of the report of `load_model(path, report=True)`: `path`,
`format`, `bytes`, `loads`, `written_by`, `model`, `layers`, `classes`, `compiled`, `optimizer_state`, `weights`,
`assets` and `findings`. Each finding has a `kind` ("maps", "changes", "ignores", "misses", "refuses" or "note"), a
`where`, a `what`, and `stops`, which tells whether it prevents loading.
"""

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING

from cornu import lazy, saving
from cornu.saving import report_table

if TYPE_CHECKING:
    import rich.console as rich_console
else:
    rich_console = lazy.module("rich.console")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `cornu inspect`."""
    parser.epilog = "The exit status is 0 if the file would load, 1 if not, 2 if the file does not exist."
    parser.add_argument("file", help="a .keras file or directory, or a weights file")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(options: argparse.Namespace) -> int:
    """Print the report."""
    if not os.path.exists(options.file):
        print(f"cornu inspect: there is no file {options.file!r}.", file=sys.stderr)
        return 2
    report = saving.load_model(options.file, report=True)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    if options.json:
        print(json.dumps(report.to_dict(), indent=2))
    else:
        report_table.show(report, rich_console.Console(highlight=False))
    return 0 if report.loads else 1
