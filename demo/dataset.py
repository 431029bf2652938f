"""What must come of a dataset, and how its values are written: shared by the parts of the demo's generator."""

import hashlib

DAY = 86_400
YEAR_2024 = 1_704_067_200  # 2024-01-01T00:00:00Z
FIRST = "Ada Björn Chloé Dmitri Élodie Fatima Grace Hiroshi Ines Jürgen Kateřina Łukasz Mateo Noor Øystein Zoë".split()
CURRENCIES = ["CHF", "EUR", "USD"]


class Dataset:
    """What must come of one dataset: counts by fate, and the rows that the target must hold."""

    def __init__(self):
        self.raw = self.filtered = self.quarantined = self.valid = 0
        self.mess = {}
        self.rows = {}  # key -> the row as `copy … to stdout` of PostgreSQL writes it

    def keep(self, key, line):
        """A valid row that is the newest of its key."""
        self.raw += 1
        self.valid += 1
        self.rows[key] = line

    def stale(self, kind):
        """A valid row that a newer one of its key outdoes, or that repeats it."""
        self.raw += 1
        self.valid += 1
        self.count(kind)

    def filter(self):
        self.raw += 1
        self.filtered += 1

    def quarantine(self, kind):
        self.raw += 1
        self.quarantined += 1
        self.count(kind)

    def count(self, kind):
        self.mess[kind] = self.mess.get(kind, 0) + 1

    def expected(self):
        digest = hashlib.sha256()
        for key in sorted(self.rows):
            digest.update(self.rows[key].encode())
            digest.update(b"\n")
        return {
            "raw": self.raw,
            "curated": len(self.rows),
            "filtered": self.filtered,
            "deduplicated": self.valid - len(self.rows),
            "quarantined": self.quarantined,
            "target_rows": len(self.rows),
            "target_sha256": digest.hexdigest(),
            "mess": dict(sorted(self.mess.items())),
        }


_days = {}


def day(seconds):
    """The date of an instant, as 2024-02-29."""
    number = seconds // DAY
    if number not in _days:
        assert seconds >= YEAR_2024, "the calendar begins with 2024"
        year, month, left = 2024, 1, number - YEAR_2024 // DAY
        while left >= (length := month_length(year, month)):
            left -= length
            year, month = (year, month + 1) if month < 12 else (year + 1, 1)
        _days[number] = f"{year}-{month:02d}-{left + 1:02d}"
    return _days[number]


def month_length(year, month):
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def instant(seconds, between="T", end="Z"):
    """An instant as text: 2024-02-29T13:05:59Z, or with other separators."""
    second = seconds % DAY
    return f"{day(seconds)}{between}{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}{end}"


def copy_field(text):
    """A value as PostgreSQL's COPY writes it as text; the empty text stands for null here."""
    if not text:
        return "\\N"
    if "\\" in text or "\n" in text:
        return text.replace("\\", "\\\\").replace("\n", "\\n")
    return text
