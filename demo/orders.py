"""The shop's export of the demo: orders in files of CSV, served over HTTP."""

from dataset import CURRENCIES, DAY, FIRST, YEAR_2024, Dataset, copy_field, instant

FILES = 12
HEADER = "order_id,customer,status,currency,quantity,amount,ordered_at,updated_at,note"
LAST = "Ackermann Brûlé Castañeda Dvořák Eriksson Fischer Größl Haddad Ivanova Jensen Kowalski Meier Nakamura".split()
NOTES = [
    "",
    "",
    "",
    "leave at the door",
    "call first, then ring",
    'the "blue" one',
    "third floor\nring twice",
    "fragile 🏺",
    "C:\\gifts\\note",
]
STATUSES = ["open", "paid", "shipped", "cancelled"]


def csv_field(text):
    if '"' in text or "," in text or "\n" in text:
        return '"' + text.replace('"', '""') + '"'
    return text


class Orders:
    """Writes the shop's export, and remembers of each order what a later row of it needs."""

    def __init__(self, rng):
        self.random = rng
        self.result = Dataset()
        self.first = []  # by order: the oldest and the newest updated_at that were written
        self.newest = []
        self.last_line = []  # by order: the CSV line of the newest version

    def row(self):
        """The next row of the export, as bytes with a line end."""
        draw = self.random.random()
        known = len(self.newest)
        if draw < 0.90 or known < 100:
            self.first.append(0)
            self.newest.append(0)
            self.last_line.append("")
            opened = YEAR_2024 + 10 * DAY + known * 37 % (300 * DAY)
            return self.version(known, opened, opened, newest=True)
        order = self.random.randrange(known)
        if draw < 0.93:
            updated = self.newest[order] + self.random.randrange(1, DAY)
            return self.version(order, updated - DAY, updated, newest=True)
        if draw < 0.95:
            updated = self.first[order] - self.random.randrange(1, 600)
            return self.version(order, updated - 60, updated, newest=False)
        if draw < 0.97:
            self.result.stale("repeated row")
            return self.last_line[order]
        if draw < 0.98:
            return self.test_order()
        return self.bad_row(order)

    def version(self, order, ordered, updated, newest):
        """A valid row. Versions of one order never share an `updated_at`, so that the newest is beyond doubt."""
        pick = self.random.random
        number = 1_000_000 + order
        customer = f"{FIRST[int(pick() * len(FIRST))]} {LAST[int(pick() * len(LAST))]}" if pick() > 0.02 else ""
        status = STATUSES[int(pick() * 4)]
        currency = CURRENCIES[int(pick() * 3)]
        quantity = str(int(pick() * 9) + 1) if pick() > 0.03 else ""
        cents = int(pick() * 500_000)
        note = NOTES[int(pick() * len(NOTES))]
        ordered_at = instant(ordered)
        updated_at = instant(updated)

        # The SELECT mends these two: they are not faults.
        written_status = f" {status.capitalize()} " if pick() < 0.01 else status
        written_currency = currency.lower() if pick() < 0.01 else currency
        amount = f"{cents // 100}.{cents % 100:02d}"
        line = (
            f"{number},{csv_field(customer)},{written_status},{written_currency},{quantity},{amount},"
            f"{ordered_at},{updated_at},{csv_field(note)}\n"
        ).encode()
        if newest:
            self.newest[order] = updated
            self.last_line[order] = line
            self.first[order] = self.first[order] or updated
            self.result.keep(
                number,
                f"{number}\t{copy_field(customer)}\t{status}\t{currency}\t{copy_field(quantity)}\t{amount}00\t"
                f"{ordered_at}\t{updated_at}\t{copy_field(note)}",
            )
        else:
            self.first[order] = updated
            self.result.stale("late row")
        return line

    def test_order(self):
        """A row that `where` leaves out; an id of its own, so that no order depends on it."""
        self.result.filter()
        number = 9_000_000 + self.result.filtered
        at = instant(YEAR_2024 + number % (200 * DAY))
        return f"{number},Test Order,test,CHF,1,1.00,{at},{at},\n".encode()

    def bad_row(self, order):
        """A row that breaks the contract: of an order of its own, or a newer one of a good order, which stays."""
        kind = self.result.quarantined % len(BAD_ORDERS)
        name, change = BAD_ORDERS[kind]
        number = 8_000_000 + self.result.quarantined
        updated = YEAR_2024 + 200 * DAY
        if self.random.random() < 0.3:
            number, updated = 1_000_000 + order, self.newest[order] + 30 * DAY
        fields = {
            "order_id": str(number),
            "customer": "Nobody Known",
            "status": "paid",
            "currency": "CHF",
            "quantity": "1",
            "amount": "10.00",
            "ordered_at": instant(updated),
            "updated_at": instant(updated),
            "note": "",
        }
        self.result.quarantine(name)
        return change(fields)


def changed(**values):
    return lambda fields: (",".join({**fields, **values}.values()) + "\n").encode()


def latin_1(fields):
    return changed(customer="Zoë Größl")(fields).decode().encode("latin-1")


def cut_short(fields):
    return (",".join(list(fields.values())[:4]) + "\n").encode()


BAD_ORDERS = [
    ("bad number", changed(amount="N/A")),
    ("bad number", changed(amount='"12,50"')),
    ("bad number", changed(amount="1.2.3")),
    ("number out of range", changed(amount="99999999999999999999.00")),
    ("negative amount", changed(amount="-5.00")),
    ("bad number", changed(quantity="two")),
    ("bad date", changed(ordered_at="2024-02-30T10:00:00Z")),
    ("bad date", changed(ordered_at="31.12.2024")),
    ("bad date", changed(updated_at="not yet")),
    ("missing value", changed(amount="")),
    ("missing value", changed(order_id="")),
    ("missing value", changed(status="")),
    ("unknown code", changed(status="lost in the post")),
    ("unknown code", changed(currency="???")),
    ("wrong encoding", latin_1),
    ("too many fields", changed(customer="Größl, Zoë")),
    ("too few fields", cut_short),
]


def write_orders(directory, count, rng):
    """Writes `count` rows into FILES files; the fourth has Windows line ends."""
    directory.mkdir(parents=True)
    orders = Orders(rng)
    written = 0
    for number in range(1, FILES + 1):
        upto = count * number // FILES
        lines = [HEADER.encode() + b"\n"]
        lines.extend(orders.row() for _ in range(upto - written))
        written = upto
        if number == 4:
            lines = [windows_line_end(line) for line in lines]
        (directory / f"orders-{number:03d}.csv").write_bytes(b"".join(lines))
    return orders.result


def windows_line_end(line):
    return line[:-1] + b"\r\n"
