"""Texts for every type: its extremes, odd but legal forms, near misses, and good texts with one character changed."""

import json

SMALL = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
# What a text may hold. Each is one line, or characters that some reader is known to change.
PIECES = [
    "a", "Zürich", "naïve", "ß", "€", "Ω", "日本語", "עברית", "é", "e\u0301", "😀", "👩\u200d👩\u200d👧", "\U0001d11e",
    "\U0010fffd", "\ufeff", "\ufffd", "\uffff", "\u2028", "\u0085", "\u00a0", "\u200b", "\u0130", "ı", "ǆ", "ﬀ",
    "\ud7ff", "\ue000", "\x7f", "\x01", "\x02", "\x1f", "\x0b", "\x1b[0m", ",", ";", "\t", "|", "'", '"', '""', "\\",
    "\\\\", '\\"', "\\n", "\n", "\r\n", "\r", "\n\n", " ", "  ", "null", "NULL", "\\N", "None", "-", "0", "1.50", "1e5",
    "true", "{", "}", "[1,", "]", "$1", "%s", "{}", "<&>", "--", "/*", "#", "=1+1", "; drop table x",
]  # fmt: skip
LETTERS = [*range(32, 127), *range(0xA0, 0x2000)]
CHANGES = "0123456789+-.,:TtZz eE_xX/\t\n\u00a0٣{}[]\"'nNaAiIfFyY"
ODD = ["", " ", "  ", "null", "NULL", "NaN", "-", "+", ".", "e5", "0x10", "1_000", "1,5", "٣", "１", "1e", "--1",
       "infinity", "epoch",
       "now", "today", "\t1", "1\n", "\u00a01", "1\x00", "'1'", "1;",
       "12345678901234567890123456789012345678901234567890"]  # fmt: skip


def text(rng, encodable=lambda piece: True, longest=60):
    if rng.random() < 0.02:
        longest = 3_000
    count = rng.choice([0, 1, 1, 2, 3, 5, rng.randrange(longest)])
    pieces = [rng.choice(PIECES) if rng.random() < 0.8 else chr(rng.choice(LETTERS)) for _ in range(count)]
    return "".join(piece for piece in pieces if encodable(piece))


def digits(rng, count):
    return "".join(rng.choice("0123456789") for _ in range(count))


def sign(rng):
    return rng.choice(["", "", "", "-", "+"])


def padded(rng, text):
    return rng.choice(["", " ", "   "]) + text + rng.choice(["", " "]) if rng.random() < 0.08 else text


def integer(rng, kind):
    limit = SMALL[kind.type]
    value = rng.choice(
        [0, 1, -1, 7, limit - 1, -limit, limit, -limit - 1, rng.randrange(-limit, limit), rng.randrange(1000)]
    )
    return ("+" if value >= 0 and rng.random() < 0.1 else "") + (
        str(value) if rng.random() < 0.9 else f"{'-' if value < 0 else ''}{rng.choice(['0', '000'])}{abs(value)}"
    )


def decimal(rng, kind):
    whole = kind.precision - kind.scale
    before = digits(rng, rng.choice([0, 1, whole, whole, min(whole, 3), whole + 1]))
    after = digits(rng, rng.choice([0, kind.scale, kind.scale, min(kind.scale, 2), kind.scale + 1]))
    if rng.random() < 0.1:
        before, after = "9" * whole, "9" * kind.scale
    if rng.random() < 0.1:
        after += "0" * rng.choice([1, 5, 400])
    exponent = rng.choice(
        ["", "", "", "", f"e{rng.randrange(-6, 6)}", f"E+{rng.randrange(3)}", "e-2", "e0", "e99999999999999999999"]
    )
    return sign(rng) + before + rng.choice(["." if after else "", "."]) + after + exponent


def float_(rng, kind):
    count = 17 if kind.type == "double" else 9
    extremes = (
        ["1.7976931348623157e308", "5e-324", "2.2250738585072014E-308", "4.9406564584124654e-324",
         "1.7976931348623159e308", "1e309",
         "1e-400", "9007199254740992", "9007199254740993", "99999999999999.99", "0.30000000000000004",
         "47.376886700000003"]
        if kind.type == "double"
        else ["3.4028235e38", "1e-45", "1.17549435E-38", "3.5e38", "1e-60", "16777216", "16777217", "0.1", "1.4e-45",
              "8589973000"]
    )  # fmt: skip
    size = rng.choice([1, 3, 6, count - 2, count - 1, count, count + 1, 40])
    number = digits(rng, 1) + rng.choice(["." + digits(rng, size), digits(rng, size), "." + digits(rng, size), ""])
    powers = 320 if kind.type == "double" else 45
    exponent = rng.choice(["", "", "", f"e{rng.randrange(-powers, powers)}", f"E+{rng.randrange(powers)}"])
    return sign(rng) + rng.choice(
        [rng.choice(extremes), number + exponent, number + exponent, number, "0", "-0", "inf", "-Infinity", "NaN"]
    )


def boolean(rng, _):
    word = rng.choice(["true", "t", "yes", "y", "1", "false", "f", "no", "n", "0", "on", "off", "2", "truth"])
    return rng.choice([word, word, word.upper(), word.capitalize()])


def date_text(rng):
    year = rng.choice([1, 4, 99, 1582, 1899, 1900, 1970, 2000, 2024, 2024, 2023, 2038, 9999, 0])
    return (
        f"{year:04}-{rng.choice([1, 2, 2, 3, 10, 12, 13, 0]) if rng.random() < 0.4 else rng.randrange(1, 13):02}-"
        + (f"{rng.choice([1, 28, 29, 30, 31, 32, 0]) if rng.random() < 0.4 else rng.randrange(1, 29):02}")
    )


def time_text(rng):
    clock = f"{rng.choice([0, 23, rng.randrange(24), rng.randrange(24), 24]):02}:{rng.randrange(60):02}"
    if rng.random() < 0.2:
        return clock
    clock += f":{rng.choice([0, 59, rng.randrange(60), rng.randrange(60), 60]):02}"
    fraction = rng.choice(
        ["", "", digits(rng, 6), digits(rng, 3), digits(rng, rng.randrange(1, 8)), digits(rng, 3) + "000000", "0"]
    )
    return clock + (rng.choice([".", ".", ","]) + fraction if fraction else "")


def date(rng, _):
    midnight = ["", "", "", "", "T00:00:00", " 00:00:00", "T00:00:00.000Z", "t00:00", " 00:00:00+00:00",
                " 00:00:00-00", "T00:00:00+02:00",
                " 10:00:00", "T", "Z"]  # fmt: skip
    return date_text(rng) + rng.choice(midnight)


def time(rng, _):
    return time_text(rng) + (rng.choice(["Z", "+02", " PM"]) if rng.random() < 0.05 else "")


def timestamp(rng, _):
    if rng.random() < 0.05:
        return rng.choice(
            ["0001-01-01", "9999-12-31 23:59:59.999999", "0001-01-01T00:00", "9999-12-31T23:59:59,999999000"]
        )
    if rng.random() < 0.1:
        return date_text(rng)
    return (
        date_text(rng)
        + rng.choice(["T", " ", "T", " ", "t", "  "])
        + time_text(rng)
        + ("Z" if rng.random() < 0.03 else "")
    )


def timestamptz(rng, _):
    if rng.random() < 0.1:
        return rng.choice(
            ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01", "0001-01-01T01:00:00+02:00",
             "9999-12-31T23:59:59.999999Z",
             "9999-12-31T23:59:59-02:00", "2024-03-31 02:30:00", "2024-10-27 02:30:00", "2024-10-27T02:30:00+01:00",
             "1900-01-01 00:00:00", "2024-10-27 01:59:59.999999", "2024-03-31 01:59:59.999999", "2024-03-31 03:00",
             "0001-01-01"]
        )  # fmt: skip
    if rng.random() < 0.08:
        return date_text(rng)
    zone = [
        "Z",
        "z",
        "",
        "+00",
        "+02:00",
        "-0530",
        "+14",
        "-12:00",
        "+23:59",
        "+0545",
        "+24:00",
        "+1",
        " +02",
        " CET",
        "+02:60",
    ]
    weights = [6, 1, 4, 2, 4, 2, 1, 1, 1, 1] + [0.2] * 5
    return date_text(rng) + rng.choice("TT t ") + time_text(rng) + rng.choices(zone, weights)[0]


def uuid(rng, _):
    hexes = "".join(rng.choice("0123456789abcdef") for _ in range(32))
    hexes = rng.choice([hexes, hexes, "0" * 32, "f" * 32])
    grouped = "-".join([hexes[:8], hexes[8:12], hexes[12:16], hexes[16:20], hexes[20:]])
    form = rng.choice(
        [grouped, grouped, grouped.upper(), hexes, hexes.upper(), "{" + grouped + "}", "{" + hexes + "}", "{" + grouped]
    )
    return form


JSON_NUMBERS = ["0", "-0", "1.50", "99999999999999.99", "47.376886700000003", "1e400", "-1E-400",
                "123456789012345678901234567890.5",
                "0.1e+5", "9223372036854775808", "0.1000000000000000055511151231257827"]  # fmt: skip
# PostgreSQL's numeric ends here: the last that it holds, and the first that it does not.
JSON_LIMITS = ["1e131071", "1e131072", "1e200000", "-5e-16383", "5e-16384", "0e-16384", "0.5e-16383", "100e131070",
               "0.01e131073",
               "9" * 400 + "e131000", "1e99999999999999999999", "0e131072"]  # fmt: skip


def json_value(rng, depth, encodable, escapes=True):
    choice = rng.random()
    if depth > 0 and choice < 0.25:
        return (
            "[" + comma(rng).join(json_value(rng, depth - 1, encodable, escapes) for _ in range(rng.randrange(4))) + "]"
        )
    if depth > 0 and choice < 0.6:
        names = [json_text(rng, encodable, escapes) for _ in range(rng.randrange(4))]
        pairs = [name + rng.choice([":", ": "]) + json_value(rng, depth - 1, encodable, escapes) for name in names]
        return "{" + comma(rng).join(pairs) + "}"
    if choice < 0.85:
        return rng.choice(JSON_LIMITS) if rng.random() < 0.03 else rng.choice(JSON_NUMBERS)
    return rng.choice(["true", "false", "null", json_text(rng, encodable, escapes)])


def comma(rng):
    return rng.choice([",", ",", ", ", " , "])


def json_text(rng, encodable, escapes=True):
    plain = text(rng, encodable, 8)
    written = json.dumps(plain, ensure_ascii=rng.random() < 0.4 or not plain.isprintable())
    if escapes and rng.random() < 0.03:
        written = (
            written[:-1]
            + rng.choice(
                ["\\u0000", "\\\\u0000", "\\/", "\\uD83D\\uDE00", "\\ud800", "nan", "Infinity", ",]", "\\b\\f"]
            )
            + '"'
        )
    return written


def json_document(rng, kind, encodable=lambda piece: True):
    if rng.random() < 0.06:
        return rng.choice(["[1,]", "[NaN]", "{a}", "", "nul", "[1", '{"a":1,}', "01", "1.", ".5", "+1", "'a'",
                           "[Infinity]", '"a', "1 2",
                           "\ufeff1", "\u00a01", '"\x01"', "{\"a\" 1}", "[-]", "1e", "[1]]", "\t[1]\n", " {} ",
                           '{"a":1,"a":2}'])  # fmt: skip
    return json_value(rng, rng.choice([0, 1, 2, 3]), encodable)


MAKERS = {
    "smallint": integer, "integer": integer, "bigint": integer, "decimal": decimal, "double": float_, "real": float_,
    "boolean": boolean,
    "date": date, "time": time, "timestamp": timestamp, "timestamptz": timestamptz, "uuid": uuid,
}  # fmt: skip


def of(kind, rng, encodable):
    """A text that is most often one of the kind's."""
    if kind.type in ("text", "bytea"):
        return text(rng, encodable) + ("\x00" if rng.random() < 0.004 else "")
    if kind.type == "json":
        made = json_document(rng, kind, encodable)
    else:
        made = padded(rng, MAKERS[kind.type](rng, kind))
    if rng.random() < 0.03:
        made = changed(rng, made)
    elif rng.random() < 0.01:
        made = rng.choice(ODD)
    return "".join(letter for letter in made if encodable(letter))


def changed(rng, made):
    place = rng.randrange(len(made) + 1)
    return made[:place] + rng.choice(["", rng.choice(CHANGES)]) + made[place + rng.randrange(2) :]
