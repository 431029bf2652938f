"""The billing system of the demo: invoices in pages of JSON, served over HTTP."""

import hashlib
import json

from dataset import CURRENCIES, DAY, FIRST, YEAR_2024, Dataset, day, instant

PAGE_ROWS = 500


class Invoices:
    """Writes the billing system's invoices: numbers now as JSON numbers, now as texts."""

    def __init__(self, rng):
        self.random = rng
        self.result = Dataset()
        self.newest = []
        self.last = []

    def item(self):
        draw = self.random.random()
        known = len(self.newest)
        if draw < 0.92 or known < 50:
            self.newest.append(0)
            self.last.append(None)
            return self.version(known, YEAR_2024 + DAY + known * 701 % (300 * DAY), newest=True)
        invoice = self.random.randrange(known)
        if draw < 0.94:
            return self.version(invoice, self.newest[invoice] + self.random.randrange(1, 9_000), newest=True)
        if draw < 0.96:
            # Pages that shift while they are read show an item twice.
            self.result.stale("repeated row")
            return self.last[invoice]
        if draw < 0.97:
            # Half seconds: at no other time is a version written, so none is a tie.
            stale = self.version(invoice, self.newest[invoice] - 1, newest=False)
            return {**stale, "updated_at": stale["updated_at"][:-1] + ".5Z"}
        return self.bad_item()

    def version(self, invoice, updated, newest):
        pick = self.random.random
        number = 500_000 + invoice
        cents = int(pick() * 900_000)
        total = f"{cents // 100}.{cents % 100:02d}"
        currency = CURRENCIES[int(pick() * 3)]
        issued = day(updated)
        paid = (True, False, None)[int(pick() * 3)]
        order = 1_000_000 + int(pick() * 400_000)
        item = {
            "id": number,
            "order_id": order,
            "total": cents / 100 if pick() < 0.5 else total,
            "currency": currency,
            "issued_on": issued,
            "paid": paid,
            "customer": {"name": FIRST[int(pick() * len(FIRST))], "country": "CH"},
            "updated_at": instant(updated),
        }
        if newest:
            self.newest[invoice] = updated
            self.last[invoice] = item
            written_paid = {True: "t", False: "f", None: "\\N"}[paid]
            self.result.keep(
                number, f"{number}\t{order}\t{total}\t{currency}\t{issued}\t{written_paid}\t{instant(updated)}"
            )
        else:
            self.result.stale("late row")
        return item

    def bad_item(self):
        name, values = BAD_INVOICES[self.result.quarantined % len(BAD_INVOICES)]
        number = 800_000 + self.result.quarantined
        at = YEAR_2024 + 100 * DAY
        self.result.quarantine(name)
        good = {
            "id": number,
            "order_id": 1_000_001,
            "total": "10.00",
            "currency": "EUR",
            "issued_on": day(at),
            "paid": True,
            "customer": None,
            "updated_at": instant(at),
        }
        return {**good, **values}


BAD_INVOICES = [
    ("bad number", {"total": "n/a"}),
    ("negative amount", {"total": -1.5}),
    ("bad date", {"issued_on": "2024-02-31"}),
    ("unknown code", {"currency": "EURO"}),
    ("missing value", {"id": None}),
    ("missing value", {"total": None}),
    ("bad date", {"updated_at": "recently"}),
]


def write_invoices(directory, count, rng):
    """Writes pages of PAGE_ROWS items; each but the last names the token of the next."""
    directory.mkdir(parents=True)
    invoices = Invoices(rng)
    pages = max(1, -(-count // PAGE_ROWS))
    tokens = {}
    for number in range(1, pages + 1):
        items = [invoices.item() for _ in range(min(PAGE_ROWS, count - (number - 1) * PAGE_ROWS))]
        page = {"data": items}
        if number < pages:
            page["next"] = hashlib.sha256(f"{number}:{rng.random()}".encode()).hexdigest()[:24]
            tokens[page["next"]] = f"page-{number + 1:03d}.json"
        text = json.dumps(page, ensure_ascii=False, separators=(",", ":"))
        (directory / f"page-{number:03d}.json").write_text(text, encoding="utf-8")
    (directory / "tokens.json").write_text(json.dumps(tokens))
    return invoices.result
