"""NDJSON, and JSON documents with their records at a path."""

import dataclasses
import json
import re

import reading
from records import EXACT_TEXT, MISSING

JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")

# What is no JSON; %s is the record's number.
BROKEN = ["{%s", "{%s,}", "{%s,'a':1}", '{%s,"a":01}', '{%s,"a":1.}', '{%s,"a":NaN}', '{%s,"a":"\\ud800"}', "{%s}}",
          '{%s,"a":"\\x"}', '{%s,"a":"\x01"}', '{%s,"a":tru}', '{%s,"a":[1,]}', '{%s "a":1}', '{%s,"a":+1}', '{%s,a:1}',
          '{%s,"a":.5}', '{%s,"a":"\\udc00\\ud800"}', "{%s} {}", '{%s,"a":1e}', '{%s,"a":"b}', '{%s,"a":-}',
          '{%s,"a":{"b":nul}}']  # fmt: skip


@dataclasses.dataclass
class JSONLines:
    maximum: int = 0
    suffix = "ndjson"
    encoding = "utf-8"
    named = False

    @staticmethod
    def drawn(rng):
        return JSONLines(maximum=rng.choice([0, 0, 70_000]))

    def definition(self, columns):
        return "{format: ndjson" + (f", max_record: {self.maximum}B" if self.maximum else "") + "}"

    def encodable(self, piece):
        return True

    def broken_kinds(self):
        kinds = ["json", "not_an_object", "too_deep", "nul", "field_twice", "encoding"]
        return kinds + (["too_long"] if self.maximum else [])

    def write(self, rng, columns, records):
        out = bytearray(rng.choice([b"", b"", b"\xef\xbb\xbf"]))
        line = 1
        for place, record in enumerate(records):
            if rng.random() < 0.02:
                out += rng.choice([b"\n", b" \t\n", b"\r\n"])
                line += 1
            record.line, record.byte = line, len(out)
            out += broken_object(rng, record, self.maximum) if record.broken else self.line(rng, columns, record)
            out += rng.choice([b"\n", b"\n", b"\r\n"]) if place < len(records) - 1 or rng.random() < 0.7 else b""
            line += 1
        return bytes(out)

    def line(self, rng, columns, record):
        while True:
            line = json_object(rng, columns, record)
            if not self.maximum or len(line) <= self.maximum:
                return line


@dataclasses.dataclass
class JSONDocument:
    path: str = "$[*]"
    suffix = "json"
    encoding = "utf-8"
    named = False
    maximum = 0

    @staticmethod
    def drawn(rng):
        return JSONDocument(rng.choice(["$[*]", "$.data[*]", "$.a.b[*]"]))

    def definition(self, columns):
        return f'{{format: json, path: "{self.path}"}}'

    def encodable(self, piece):
        return True

    def broken_kinds(self):
        return ["not_an_object", "nul", "field_twice"]

    def write(self, rng, columns, records):
        space = rng.choice([b"", b" ", b"\n  "])
        elements = []
        for record in records:
            elements.append(broken_object(rng, record, 0) if record.broken else json_object(rng, columns, record))
            record.line = record.byte = None
        text = b"[" + space + (b"," + space).join(elements) + space + b"]"
        for name in reversed(re.findall(r"\.(\w+)", self.path)):
            text = b'{"before":[1,{"x":"]"}],"' + name.encode() + b'":' + text + b',"after":{"data":[{"rid":"no"}]}}'
        return text


def json_object(rng, columns, record):
    pairs = []
    for column in rng.sample(columns, len(columns)):
        text = record.texts[column.name]
        if text is not MISSING:
            value = json_value(rng, text, column.type == "json")
            pairs.append(json_string(rng, column.name) + rng.choice([":", ":", " : "]) + value)
    return ("{" + rng.choice([",", ",", " ,\t"]).join(pairs) + "}").encode()


def json_string(rng, text):
    if rng.random() < 0.2:
        return '"' + "".join(f"\\u{unit:04x}" for unit in units(text)) + '"'
    return json.dumps(text, ensure_ascii=rng.random() < 0.4)


def units(text):
    data = text.encode("utf-16-be")
    return [data[place] << 8 | data[place + 1] for place in range(0, len(data), 2)]


def json_value(rng, text, is_json):
    """A text as one of the values of JSON that mean it."""
    if text is None:
        return "null"
    bare = (
        JSON_NUMBER.fullmatch(text)
        or text in ("true", "false")
        or text.startswith(("{", "["))
        and is_nested(text, is_json)
    )
    # A line feed would end the record of NDJSON.
    return text if bare and "\n" not in text and rng.random() < 0.7 else json_string(rng, text)


def is_nested(text, is_json):
    """Whether an object or a list arrives as this text, or as this document.

    A name in it with a NUL would make it a bad record.
    """
    if not is_json:
        return text == EXACT_TEXT
    value = reading.read_json(text)
    return value is not None and "nul_character" not in getattr(value, "reasons", ())


def broken_object(rng, record, maximum):
    rid = f'"rid":"R{record.number}"'
    if record.broken == "json":
        return rng.choice(BROKEN).replace("%s", rid).encode()
    if record.broken == "not_an_object":
        return rng.choice([b"[1]", b'"R"', b"3.5", b"null", b"true", b"[]", b'[{"rid":"no"}]'])
    if record.broken == "too_deep":
        return ('{%s,"a":' % rid + "[" * 600 + "]" * 600 + "}").encode()
    if record.broken == "nul":
        return rng.choice(['{%s,"a\\u0000b":1}', '{"\\u0000":1,%s}']).replace("%s", rid).encode()
    if record.broken == "field_twice":
        return (
            rng.choice(['{%s,"c0":null,"c0":null}', '{%s,"rid":"x"}', '{%s,"x":1,"\\u0078":2}'])
            .replace("%s", rid)
            .encode()
        )
    if record.broken == "too_long":
        return ('{%s,"a":"' % rid + "x" * (maximum + rng.choice([1, 2_000_000])) + '"}').encode()
    return ('{%s,"a":"' % rid).encode() + rng.choice([b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"]) + b'"}'
