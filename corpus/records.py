"""One record of the corpus, and what its fields may have in place of a text."""

import dataclasses

MISSING = object()
# White space is no part of an object in a column of text.
EXACT_TEXT = '{"a":[1.50,1e400,99999999999999.99,"\u00e9"],"b":{"c":null,"d":-0}}'


@dataclasses.dataclass
class Record:
    """One record: what is written, and what must come of it."""

    number: int
    # Texts by column; None is null, and MISSING is no field at all (JSON only).
    texts: dict
    # The reasons of quarantine; empty for a good one.
    reasons: list = dataclasses.field(default_factory=list)
    # For one that is no record: how it is broken, and where it stands.
    broken: str = ""
    line: int | None = None
    byte: int | None = None
