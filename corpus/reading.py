"""What a text means as a type of the contract: docs/types.md, written down a second time.

Nothing here is shared with the project. `read(kind, text)` gives the value in the form in which target.py reads it back
from PostgreSQL, or None where the text is none of the type's. Exact things are never floats.
"""

import dataclasses
import datetime
import decimal
import fractions
import json
import math
import re
import struct
import uuid
import zoneinfo

# Wide enough that no operation on a text of this corpus rounds.
EXACT = decimal.Context(prec=400_000, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN, traps=[])
UTC = datetime.timezone.utc
NAN = "nan"

INTEGERS = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
# Of each binary type: the digits that tell two numbers apart, and the bits of the mantissa with the exponents' range.
FLOATS = {"double": (17, 53, -1074, 1024), "real": (9, 24, -149, 128)}
TRUE = {"true", "t", "yes", "y", "1"}
FALSE = {"false", "f", "no", "n", "0"}

NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
ENDLESS = re.compile(r"[-+]?(?:inf|infinity|nan)", re.ASCII | re.IGNORECASE)
DAY = r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
CLOCK = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,6})0*)?)?"
OFFSET = r"(?P<offset>[Zz]|[-+][0-9]{2}(?::?[0-9]{2})?)?"
TIME = re.compile(CLOCK)
DATE = re.compile(f"{DAY}(?:[Tt ]{CLOCK}{OFFSET})?")
LOCAL = re.compile(f"{DAY}(?:[Tt ]{CLOCK})?")
UUIDS = re.compile(
    r"[0-9a-f]{32}|(?P<brace>\{)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?(brace)\})", re.ASCII | re.IGNORECASE
)


def read(kind, text):
    """The value; None where the text is no value of the kind."""
    if kind.type == "text":
        return text
    if kind.type == "bytea":
        return text.encode()
    if kind.type == "json":
        return read_json(text)
    text = text.strip(" ")
    if kind.type in INTEGERS:
        return read_integer(text, INTEGERS[kind.type])
    if kind.type in FLOATS:
        return read_float(text, kind)
    return READERS[kind.type](text, kind)


def read_integer(text, limit):
    if not re.fullmatch(r"[-+]?[0-9]+", text):
        return None
    value = int(text)
    return value if -limit <= value < limit else None


def read_decimal(text, kind):
    if not NUMBER.fullmatch(text):
        return None
    digits, exponent = parts(text)
    if digits == 0:
        return (0, kind.scale)
    if exponent < -400_000 or exponent > 400:
        return None
    # The value as a whole number of the last digit that the type keeps.
    value = fractions.Fraction(digits) * fractions.Fraction(10) ** (exponent + kind.scale)
    if value.denominator != 1 or abs(value.numerator) >= 10**kind.precision:
        return None
    return (value.numerator, kind.scale)


def parts(text):
    """(digits with their sign, exponent) of a decimal number: the value is digits × 10^exponent."""
    mantissa, _, exponent = text.lower().partition("e")
    whole, _, fraction = mantissa.partition(".")
    return int(whole + fraction), int(exponent or "0") - len(fraction)


def read_float(text, kind):
    """The bits, as PostgreSQL sends them."""
    form = ">d" if kind.type == "double" else ">f"
    if ENDLESS.fullmatch(text):
        word = text.lower().lstrip("+-")
        return NAN if word == "nan" else struct.pack(form, -math.inf if text[0] == "-" else math.inf)
    if not NUMBER.fullmatch(text):
        return None
    count, *limits = FLOATS[kind.type]
    digits, exponent = parts(text)
    significant = str(abs(digits)).rstrip("0")
    if digits == 0:
        return struct.pack(form, 0.0)
    # Far outside of every range: not worked out, for it would be a number of that many digits.
    magnitude = len(str(abs(digits))) + exponent
    if magnitude > 400:
        return None
    value = fractions.Fraction(0) if magnitude < -400 else nearest(abs(digits), exponent, *limits)
    if value is None:
        return None
    if not kind.lossy and (len(significant) > count or not prints_as(value, significant, magnitude)):
        return None
    # The nearest number is one of the type, so these steps change nothing.
    number = float(value)
    return struct.pack(form, -number if text[0] == "-" and number else number)


def nearest(digits, exponent, bits, least, greatest):
    """The binary number that is nearest to digits × 10^exponent, of two the even one; None where it is too large."""
    value = fractions.Fraction(digits) * fractions.Fraction(10) ** exponent
    shift = value.numerator.bit_length() - value.denominator.bit_length()
    if fractions.Fraction(2) ** shift > value:
        shift -= 1
    unit = fractions.Fraction(2) ** max(shift - bits + 1, least)
    found = round(value / unit) * unit  # Fractions round halves to the even one.
    return None if found >= fractions.Fraction(2) ** greatest else found


def prints_as(value, significant, magnitude):
    """Whether the number, printed with as many digits, gives them again."""
    if value == 0:
        return False
    scaled = value / fractions.Fraction(10) ** (magnitude - len(significant))
    return round(scaled) == int(significant)


def read_boolean(text, _):
    return True if text.lower() in TRUE and text.isascii() else False if text.lower() in FALSE else None


def clock(match):
    """The time of a match in microseconds; None where there is no such time. Without a time it is midnight."""
    if match["hour"] is None:
        return 0
    hour, minute, second = (int(match[name] or 0) for name in ("hour", "minute", "second"))
    if hour > 23 or minute > 59 or second > 59:
        return None
    return ((hour * 60 + minute) * 60 + second) * 1_000_000 + int((match["fraction"] or "0").ljust(6, "0"))


def day(match):
    try:
        return datetime.date(int(match["year"]), int(match["month"]), int(match["day"]))
    except ValueError:
        return None


def offset(match):
    """In minutes; None where there is no such offset."""
    text = match["offset"]
    if text in "Zz":
        return 0
    digits = text[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 23 or minutes > 59:
        return None
    return (hours * 60 + minutes) * (-1 if text[0] == "-" else 1)


def read_date(text, _):
    match = DATE.fullmatch(text)
    if not match or day(match) is None or clock(match) != 0:
        return None
    if match["offset"] and offset(match) != 0:
        return None
    return day(match).isoformat()


def read_time(text, _):
    match = TIME.fullmatch(text)
    return clock(match) if match else None


def moment(match):
    date, time = day(match), clock(match)
    if date is None or time is None:
        return None
    return datetime.datetime.combine(date, datetime.time()) + datetime.timedelta(microseconds=time)


def read_timestamp(text, _):
    match = LOCAL.fullmatch(text)
    return moment(match) if match else None


def read_timestamptz(text, kind):
    match = DATE.fullmatch(text)
    local = moment(match) if match else None
    if local is None:
        return None
    try:
        if match["offset"]:
            minutes = offset(match)
            return None if minutes is None else local - datetime.timedelta(minutes=minutes)
        if not kind.zone:
            return local
        # Of a time that the clocks show twice the second; one that they skip does not come back as it was.
        zone = zoneinfo.ZoneInfo(kind.zone)
        instant = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
        return instant.replace(tzinfo=None) if instant.astimezone(zone).replace(tzinfo=None) == local else None
    except OverflowError:
        return None


def read_uuid(text, _):
    return str(uuid.UUID(text)) if UUIDS.fullmatch(text) else None


@dataclasses.dataclass
class Document:
    """A JSON document, which may be the document `null`."""

    value: object


@dataclasses.dataclass(frozen=True)
class NotStorable:
    """A JSON document that PostgreSQL cannot store."""

    reasons: tuple
    value: object


def read_json(text):
    names = []

    def refuse(_):
        raise ValueError

    def pairs(found):
        # Of a name that comes twice the last value counts, but what the others hold must be legal too.
        names.extend(found)
        return dict(found)

    try:
        value = json.loads(text, parse_float=number, parse_int=number, parse_constant=refuse, object_pairs_hook=pairs)
        text.encode()
    except (ValueError, RecursionError):
        return None
    everything = [value, names]
    if has(everything, lambda part: isinstance(part, str) and any(0xD800 <= ord(letter) < 0xE000 for letter in part)):
        return None
    reasons = ["nul_character"] if has(everything, lambda part: isinstance(part, str) and "\0" in part) else []
    reasons += ["number_range"] if has(everything, too_large) else []
    return NotStorable(tuple(reasons), value) if reasons else Document(value)


def number(text):
    return EXACT.create_decimal(text)


def too_large(part):
    """Whether PostgreSQL's numeric cannot hold it: at most 131072 digits before the point, 16383 after."""
    if not isinstance(part, decimal.Decimal):
        return False
    if not part.is_finite():
        return True
    _, digits, exponent = part.as_tuple()
    if -exponent > 16_383 or exponent > 1_000_000_000:
        return True
    return part != 0 and len(digits) + exponent > 131_072


def has(value, condition):
    """Whether a part of a document, a name of an object too, is so."""
    if isinstance(value, dict):
        return any(condition(name) or has(part, condition) for name, part in value.items())
    if isinstance(value, (list, tuple)):
        return any(has(part, condition) for part in value)
    return condition(value)


READERS = {
    "decimal": read_decimal,
    "boolean": read_boolean,
    "date": read_date,
    "time": read_time,
    "timestamp": read_timestamp,
    "timestamptz": read_timestamptz,
    "uuid": read_uuid,
}
