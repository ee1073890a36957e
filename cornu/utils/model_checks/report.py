"""What the checks of a model found."""

from dataclasses import dataclass, field

OK, FAULT, NOTE, LEFT_OUT = "ok", "fault", "note", "left out"


@dataclass
class Finding:
    """What one check found.

    Attributes:
        check: what was checked.
        outcome: `"ok"`, `"fault"`, `"note"` (no fault, but to be known) or `"left out"` (it does not apply).
        layer: the path of the layer concerned; None where it is none.
        detail: a sentence.
    """

    check: str
    outcome: str
    layer: str | None = None
    detail: str = ""


@dataclass
class ModelReport:
    """What `check_model` found; as text a table.

    Attributes:
        model: the model's class and name.
        findings: what each check found.
    """

    model: str
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether there is no fault."""
        return not self.faults

    @property
    def faults(self) -> list[Finding]:
        """The findings that are faults."""
        return [finding for finding in self.findings if finding.outcome == FAULT]

    def raise_if_faulty(self) -> None:
        """Raise a ValueError that holds the table, unless all is well."""
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
