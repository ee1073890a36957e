"""Collect cornu and its peers as wheels for a Linux machine with an NVIDIA GPU, in one folder.

python -m benchmarks.gpu.collect wheels --python 3.12
python -m benchmarks.gpu.collect wheels --dry-run          # names what would be fetched, several gigabytes
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
NEWEST_GLIBC = 39  # wheels for any glibc 2.x up to here are looked at; the machine's own decides what installs
OLDEST_GLIBC = 5

# Environment -> what is installed in it. cornu itself is built from these sources.
ENVIRONMENTS = {
    "cornu": ("cornu", "jax[cuda12]", "matplotlib"),
    "keras-jax": ("keras==3.15.1", "jax[cuda12]"),
    "torch": ("torch==2.13.0", "numpy"),
}


def main() -> int:
    """Build cornu's wheel and fetch the others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the wheels go")
    parser.add_argument("--python", default="3.12", help="the Python of the GPU machine (3.12)")
    parser.add_argument("--machine", default="x86_64", choices=("x86_64", "aarch64"), help="its processor (x86_64)")
    parser.add_argument("--torch", default="torch==2.13.0", help="what to ask pip for as PyTorch")
    parser.add_argument("--environment", action="append", choices=sorted(ENVIRONMENTS), help="only these")
    parser.add_argument("--dry-run", action="store_true", help="name the wheels, fetch none")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    own = build(options.folder)
    for name in options.environment or ENVIRONMENTS:
        wanted = requirements(name, own, options.torch)
        if options.dry_run:
            print(f"{name}: {', '.join(listed(wanted, options.python, options.machine))}")
        else:
            command = ["download", "--quiet", "--dest", str(options.folder)]
            pip(*command, *target(options.python, options.machine), *wanted)
            print(f"{name}: {', '.join(wanted)}")
    wheels = list(options.folder.glob("*.whl"))
    print(f"{len(wheels)} wheels, {sum(wheel.stat().st_size for wheel in wheels) / 1e9:.2f} GB in {options.folder}")
    return 0


def build(folder: Path) -> Path:
    """cornu's wheel, from these sources."""
    for old in folder.glob("cornu-*.whl"):
        old.unlink()
    pip("wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
    return next(folder.glob("cornu-*.whl"))


def requirements(environment: str, own: Path, torch: str) -> list[str]:
    """What pip is asked for in an environment."""
    given = {"cornu": str(own), "torch==2.13.0": torch}
    return [given.get(requirement, requirement) for requirement in ENVIRONMENTS[environment]]


def target(python: str, machine: str) -> list[str]:
    """pip's options for a machine other than this one."""
    glibc = [f"manylinux_2_{minor}_{machine}" for minor in range(NEWEST_GLIBC, OLDEST_GLIBC - 1, -1)]
    tags = [*glibc, f"manylinux2014_{machine}", f"linux_{machine}"]
    platforms = [part for tag in tags for part in ("--platform", tag)]
    return ["--only-binary=:all:", "--python-version", python, "--implementation", "cp", *platforms]


def listed(wanted: list[str], python: str, machine: str) -> list[str]:
    """Name and version of every wheel that pip would fetch."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        options = ["--dry-run", "--quiet", "--ignore-installed", "--target", folder, "--report", str(report)]
        pip("install", *options, *target(python, machine), *wanted)
        packages = [item["metadata"] for item in json.loads(report.read_text())["install"]]
    return sorted(f"{package['name']} {package['version']}" for package in packages)


def pip(*arguments: str) -> None:
    """Run this Python's pip."""
    subprocess.run([sys.executable, "-m", "pip", *arguments], check=True)


if __name__ == "__main__":
    sys.exit(main())
