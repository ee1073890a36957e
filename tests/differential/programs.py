"""Random programs on Keras and on cornu: models and actions are drawn, run on both, and compared after each action.

A disagreement is shrunk and printed as a script. `--resume` goes on after the last program of the seed.
"""

import argparse
import json
import time
from collections import Counter
from pathlib import Path

from tests.differential.compare import Found
from tests.differential.draw import Draw
from tests.differential.program import Program
from tests.differential.run import quick, run, stages
from tests.differential.script import script
from tests.differential.shrink import shrink

_COMPILED = 8  # every so many programs
_TOLD = 1500  # letters of what was seen on a side that a report shows
_FOLDER = Path(__file__).parents[2] / ".pytest_cache" / "differential"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--count", type=int, default=100, help="how many programs (100)")
    parser.add_argument("--seed", type=int, default=0, help="another seed draws other programs (0)")
    parser.add_argument("--start", type=int, default=0, help="number of the first program (0)")
    parser.add_argument("--resume", action="store_true", help="go on after the last program of this seed")
    parser.add_argument("--shrink", type=float, default=90.0, help="seconds for making a program smaller (90)")
    parser.add_argument("--keep", type=Path, default=_FOLDER, help="folder for scripts and for how far a seed came")


def find(seed: int, number: int, note: list | None = None) -> tuple[Program, Found | None]:
    """A program and what came of it; in most, what cornu traces is evaluated and not compiled."""
    program = Draw(seed, number).program()
    return program, run(program, note, compiled=number % _COMPILED == 0)


def main(options: argparse.Namespace) -> int:
    """Run programs, and say what was found."""
    quick()
    options.keep.mkdir(parents=True, exist_ok=True)
    place = options.keep / f"seed-{options.seed}.json"
    start = json.loads(place.read_text())["next"] if options.resume and place.exists() else options.start
    came, kinds, began = Counter(), Counter(), time.monotonic()
    for number in range(start, start + options.count):
        note: list[str] = []
        program, found = find(options.seed, number, note)
        came.update(set(note) or {"disagreed"})
        if "rounded" in note:
            print(f"{options.seed}-{number} rounded", flush=True)
        if found is not None:
            kinds[found.kind] += 1
            first = kinds[found.kind] == 1
            print(f"{options.seed}-{number} {found.kind}", flush=True)
            if first:
                _report(options, number, program, found)
        place.write_text(json.dumps({"next": number + 1}))
    seconds = time.monotonic() - began
    print(f"{options.count} programs in {seconds:.0f} s: {dict(came)}; {sum(kinds.values())} disagreements")
    for kind, times in kinds.most_common():
        print(f"{times:5} {kind}")
    return 1 if kinds else 0


def _report(options: argparse.Namespace, number: int, program: Program, found: Found) -> None:
    latest = [found]

    def still(candidate: Program) -> bool:
        again = run(candidate)
        if again is not None and again.kind.split(":")[:2] == found.kind.split(":")[:2]:
            latest[0] = again
            return True
        return False

    small = shrink(program, still, options.shrink) if options.shrink else program
    found = latest[0]
    told = f"cornu: {found.ours[:_TOLD]}\nKeras: {found.theirs[:_TOLD]}\n{found.trace}"
    comment = f"{options.seed}-{number} {found.verb}: {found.label}{found.place}\n{told}"
    text = script(small, stages(small), comment)
    (options.keep / f"found-{options.seed}-{number}.py").write_text(text)
    print("\n".join(["-" * 60, comment, "\n".join(text for _, text in stages(small)), "-" * 60]), flush=True)
