"""The results of checking a model."""

from dataclasses import dataclass, field

OK, FAULT, NOTE, LEFT_OUT = "ok", "fault", "note", "left out"


@dataclass
class Finding:
    """The result of one check.

    Attributes:
        check: what was checked.
        outcome: `"ok"`, `"fault"`, `"note"` (not a fault, but worth knowing) or `"left out"` (not applicable).
        layer: the path of the layer concerned; None if there is none.
        detail: a sentence.
    """

    check: str
    outcome: str
    layer: str | None = None
    detail: str = ""


@dataclass
class ModelReport:
    """The results of `check_model`; prints as a table.

    Attributes:
        model: the model's class and name.
        findings: the results of each check.
    """

    model: str
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether there are no faults."""
        return not self.faults

    @property
    def faults(self) -> list[Finding]:
        """The findings that are faults."""
        return [finding for finding in self.findings if finding.outcome == FAULT]

    def raise_if_faulty(self) -> None:
        """Raise a ValueError containing the table, unless there are no faults."""
        if not self.ok:
            raise ValueError(f"check_model: {self}")

    def __str__(self) -> str:
        rows = [("check", "outcome", "layer"), *((f.check, f.outcome, f.layer or "") for f in self.findings)]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        details = ["", *(f.detail for f in self.findings)]
        lines = [
            "  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=True)), detail)).rstrip()
            for row, detail in zip(rows, details, strict=True)
        ]
        verdict = "no fault found" if self.ok else f"{len(self.faults)} fault(s) found"
        return "\n".join((f"{self.model}: {verdict}", *lines))

    __repr__ = __str__
