"""What a row has found: figures with their goals, and every run, as JSON in bench/results/."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.measure import Usage, middle

RESULTS = Path(__file__).with_name("results")
OURS = "os-containers"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of ours, beside another's; the goal is for their ratio, or for ours when it stands alone."""

    what: str
    unit: str
    ours: float
    against: str = ""
    other: float | None = None
    goal: float | None = None

    @property
    def ratio(self) -> float | None:
        return self.ours / self.other if self.other else None

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached, None without one."""
        reached = self.ours if self.ratio is None else self.ratio
        return None if self.goal is None else reached <= self.goal


@dataclass(frozen=True, slots=True)
class Result:
    """A row: figures, every run behind them, and lines for the picture where something grows."""

    row: str
    title: str
    figures: Sequence[Figure]
    runs: Mapping[str, Sequence[Usage]]
    lines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def save(self) -> None:
        """Write bench/results/ROW.json."""
        text = json.dumps({"machine": _machine(), **asdict(self)}, indent=1)
        write(RESULTS / f"{self.row}.json", f"{text}\n")


def load_results(rows: Sequence[str]) -> list[Result]:
    """Return what was found for rows, of this run or of earlier ones."""
    files = [RESULTS / f"{row}.json" for row in rows]
    return [_parse(json.loads(file.read_text())) for file in files if file.exists()]


def compared(
    what: str, runs: Mapping[str, Sequence[Usage]], against: str, goal: float | None, ours: str = OURS
) -> Figure:
    """Return the figure for our median wall time beside another's."""
    return Figure(what, "s", middle(runs[ours]), against, middle(runs[against]), goal)


def write(path: Path, text: str) -> None:
    """Write a file of the tree so that it belongs to whom the tree belongs, not to root."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    owner = Path(__file__).stat()
    for one in (path.parent, path):
        os.chown(one, owner.st_uid, owner.st_gid)


def _parse(found: dict[str, list[dict[str, object]]]) -> Result:
    figures = [Figure(**figure) for figure in found["figures"]]  # type: ignore[arg-type]
    return Result(str(found["row"]), str(found["title"]), figures, {}, found["lines"])  # type: ignore[arg-type]


def _machine() -> dict[str, object]:
    memory = next(line for line in Path("/proc/meminfo").read_text().splitlines() if "MemTotal" in line)
    models = [
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
    ]
    return {
        "processors": os.cpu_count(),
        "model": models[0].partition(":")[2].strip() if models else platform.machine(),
        "memory": memory.split()[1] + " KiB",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }
