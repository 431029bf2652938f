"""CSV in every dialect and encoding."""

import dataclasses
import json

PYTHON_ENCODINGS = {"latin-1": "latin-1", "windows-1252": "cp1252", "utf-8": "utf-8"}


@dataclasses.dataclass
class CSV:
    delimiter: str = ","
    quote: str = '"'
    escape: str | None = None
    null: str = ""
    header: bool = True
    encoding: str = "utf-8"
    skip: int = 0
    line_ends: tuple = ("\n",)
    mark: bool = False
    # `columns` of the stream names the fields, or types them: a row may be short then.
    named: bool = False
    typed: bool = False
    maximum: int = 0
    suffix = "csv"

    @staticmethod
    def drawn(rng):
        escape = rng.choice([None, None, "\\"])
        header = rng.random() < 0.8
        encoding = rng.choice(["utf-8"] * 4 + ["utf-16", "utf-16le", "utf-16be", "latin-1", "windows-1252"])
        return CSV(
            delimiter=rng.choice([",", ",", ";", "\t", "|", "§", "\x01"]),
            quote=rng.choice(['"', '"', "'"]),
            escape=escape,
            null=rng.choice(["", "", "NULL", "\\N", "-", "null"]),
            header=header,
            encoding=encoding,
            skip=rng.choice([0, 0, 0, 1, 3]),
            line_ends=rng.choice([("\n",), ("\n",), ("\r\n",), ("\r",), ("\n", "\r\n", "\r")]),
            mark=rng.random() < 0.4,
            named=not header or rng.random() < 0.2,
            maximum=rng.choice([0, 0, 70_000]),
        )

    def definition(self, columns):
        parts = [
            "format: csv",
            f"delimiter: {json.dumps(self.delimiter)}",
            f"quote: {json.dumps(self.quote)}",
            f"null: {json.dumps(self.null)}",
            f"header: {json.dumps(self.header)}",
            f"encoding: {self.encoding}",
            f"skip: {self.skip}",
        ]
        if self.escape:
            parts.append(f"escape: {json.dumps(self.escape)}")
        if self.maximum:
            parts.append(f"max_record: {self.maximum}B")
        return "{" + ", ".join(parts) + "}"

    def encodable(self, piece):
        if self.encoding not in ("latin-1", "windows-1252"):
            return True
        try:
            piece.encode(PYTHON_ENCODINGS[self.encoding])
            return True
        except UnicodeEncodeError:
            return False

    def encoded(self, text):
        """Windows-1252 and Latin-1 as Python has them; UTF-16 without a mark of its own."""
        if self.encoding.startswith("utf-16"):
            return text.encode("utf-16-be" if self.encoding == "utf-16be" else "utf-16-le")
        return text.encode(PYTHON_ENCODINGS[self.encoding])

    def undecodable(self, rng):
        if self.encoding.startswith("utf-16"):
            return self.encoded("x") + (b"\xd8\x00" if self.encoding == "utf-16be" else b"\x00\xd8") + self.encoded("y")
        if self.encoding == "utf-8":
            return rng.choice([b"\xff", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80"])
        return rng.choice([b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d"])

    def field(self, rng, text, alone=False):
        if text is None:
            return self.null
        special = (
            text in (self.null, "")
            and (alone or text == self.null)
            or text.startswith(self.quote)
            or any(part in text for part in (self.delimiter, "\n", "\r"))
        )
        if not special and rng.random() < 0.7:
            return text
        if not self.escape:
            return self.quote + text.replace(self.quote, 2 * self.quote) + self.quote
        written = []
        for place, letter in enumerate(text):
            follower = text[place + 1 : place + 2]
            if (
                letter == self.quote
                or letter == self.escape
                and (follower in ("", self.escape, self.quote) or rng.random() < 0.5)
            ):
                written.append(self.escape)
            written.append(letter)
        return self.quote + "".join(written) + self.quote

    def broken_kinds(self):
        kinds = ["quote"]
        if self.header:
            kinds.append("too_many_fields")
        if self.header and not self.named and not self.typed:
            kinds.append("too_few_fields")
        if self.encoding != "latin-1":
            kinds.append("encoding")
        return kinds + (["too_long"] if self.maximum else [])

    def write(self, rng, columns, records):
        """The bytes; tells each broken record its line and byte."""
        names = [column.name for column in columns]
        out = bytearray()
        line = 1
        counts_lines = True

        def add(text, lines=1):
            nonlocal line
            out.extend(self.encoded(text) if isinstance(text, str) else text)
            line += lines

        if self.mark and self.encoding != "utf-8" and self.encoding.startswith("utf-16"):
            out.extend(self.encoded("\ufeff"))
        elif self.mark and self.encoding == "utf-8":
            out.extend(b"\xef\xbb\xbf")
        for number in range(self.skip):
            add(f'lines {number} before "the header' + rng.choice(self.line_ends))
        if self.header:
            # A name in a header is a field like any other.
            add(self.delimiter.join(self.field(rng, name) for name in names) + rng.choice(self.line_ends))
        last = len(records) - 1
        for place, record in enumerate(records):
            # A return, and a line feed as the next and empty line, would be one line end.
            empty = rng.choice(self.line_ends)
            if len(names) > 1 and rng.random() < 0.02 and (empty != "\n" or len(self.line_ends) == 1):
                add(empty)
            end = rng.choice(self.line_ends) if place < last or rng.random() < 0.7 else ""
            record.line, record.byte = line, len(out)
            if record.broken:
                add(self.broken(rng, record, len(names)))
                add(end, 0)
                continue
            texts = [record.texts[name] for name in names]
            if (self.named or self.typed) and rng.random() < 0.1:
                while len(texts) > 2 and texts[-1] is None:
                    texts.pop()
            fields = [self.field(rng, text, len(names) == 1) for text in texts]
            breaks = sum(field.count("\n") for field in fields)
            # What a lone return within quotes is for the number of a line is not said anywhere.
            counts_lines = counts_lines and not any("\r" in field for field in fields)
            # An empty line is a record of a file with one column, unless the file ends before it.
            row = self.delimiter.join(fields) + (end or ("" if any(fields) else self.line_ends[0]))
            add(row, 1 + breaks)
        for record in records:
            if not counts_lines:
                record.line = None
            if self.encoding != "utf-8":
                record.byte = None
        return bytes(out)

    def broken(self, rng, record, width):
        rest = [f"R{record.number}"] + ["7"] * (width - 1)
        join = self.delimiter.join
        if record.broken == "too_many_fields":
            return join(rest + ["7"] * rng.choice([1, 3]))
        if record.broken == "too_few_fields":
            return join(rest[: rng.randrange(1, width)])
        if record.broken == "too_long":
            return join(rest[:-1] + ["7" * (self.maximum + rng.choice([1, 2_000_000]))])
        if record.broken == "encoding":
            return self.encoded(join(rest)) + self.undecodable(rng) + self.encoded("8")
        return join(rest[:-1] + [f"{self.quote}a{self.quote}b"])
