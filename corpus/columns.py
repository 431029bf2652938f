"""Columns of a contract: their types and rules."""

import dataclasses
import json

PATTERNS = {r"^[A-Za-z0-9]*$": r"[A-Za-z0-9]*", r"a": r"(?s:.*a.*)"}
DECIMALS = [(18, 4), (38, 0), (38, 19), (38, 38), (9, 2), (1, 0), (5, 5), (4, 4), (19, 0), (38, 10)]


@dataclasses.dataclass
class Column:
    """A column of the contract."""

    name: str
    type: str
    precision: int = 0
    scale: int = 0
    lossy: bool = False
    zone: str | None = None
    required: bool = False
    least: str | None = None
    greatest: str | None = None
    one_of: list = dataclasses.field(default_factory=list)
    pattern: str | None = None

    @property
    def written_type(self):
        return f"decimal({self.precision},{self.scale})" if self.type == "decimal" else self.type

    def definition(self):
        parts = [f"type: {json.dumps(self.written_type)}"]
        parts += ["lossy: allow"] if self.lossy else []
        parts += [f"source_timezone: {self.zone}"] if self.zone else []
        parts += ["required: true"] if self.required else []
        parts += [f"min: {json.dumps(self.least)}"] if self.least is not None else []
        parts += [f"max: {json.dumps(self.greatest)}"] if self.greatest is not None else []
        parts += [f"one_of: {json.dumps(self.one_of)}"] if self.one_of else []
        parts += [f"pattern: {json.dumps(self.pattern)}"] if self.pattern else []
        return "{" + ", ".join(parts) + "}"


def drawn(rng, name, kind, has_rules):
    column = Column(name, kind)
    if kind == "decimal":
        column.precision, column.scale = rng.choice(DECIMALS)
    if not has_rules:
        return column
    column.lossy = kind in ("double", "real") and rng.random() < 0.4
    column.zone = (
        rng.choice([None, "Europe/Zurich", "America/New_York", "Asia/Kolkata"]) if kind == "timestamptz" else None
    )
    column.required = rng.random() < 0.1
    rule = rng.random()
    if kind in ("bigint", "integer", "smallint", "decimal") and rule < 0.3:
        column.least, column.greatest = (
            ("-1000", None)
            if rule < 0.1
            else (None, "0")
            if rule < 0.2
            else ("+0", "1e0" if kind == "decimal" else "007")
        )
        if kind == "decimal" and column.precision == column.scale and column.greatest:
            column.greatest = ".5"
        if kind == "decimal" and column.precision - column.scale < 4 and column.least == "-1000":
            column.least = "-0.0"
    elif kind in ("date", "timestamp") and rule < 0.2:
        column.least = "1900-01-01"
    elif kind == "text" and rule < 0.2:
        column.pattern = rng.choice(list(PATTERNS))
    elif kind == "boolean" and rule < 0.2:
        column.one_of = ["t"]
    return column
