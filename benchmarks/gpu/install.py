"""Install cornu and its peers from a folder of wheels, without network, each in an environment of its own.

python -m benchmarks.gpu.install wheels environments
"""

import argparse
import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.gpu.collect import ENVIRONMENTS


def main() -> int:
    """Make the environments, with the Python that runs this."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheels", type=Path, help="the folder that collect filled")
    parser.add_argument("folder", type=Path, help="where the environments go")
    parser.add_argument("--environment", action="append", choices=sorted(ENVIRONMENTS), help="only these")
    options = parser.parse_args()
    for name in options.environment or ENVIRONMENTS:
        install(options.folder / name, options.wheels, ENVIRONMENTS[name])
    return 0


def install(folder: Path, wheels: Path, requirements: tuple[str, ...]) -> None:
    """One environment, from the wheels alone."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    names = [requirement.partition("==")[0] for requirement in requirements]  # the folder holds the version
    offline = ["--no-index", "--find-links", str(wheels)]
    subprocess.run([python, "-m", "pip", "install", "--quiet", *offline, *names], check=True)
    print(f"{folder}: {', '.join(names)}")


if __name__ == "__main__":
    sys.exit(main())
