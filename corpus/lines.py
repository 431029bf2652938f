"""Files of one column, where an empty line is a record without a value."""

import stream
import texts
from records import Record


class Lines(stream.Stream):
    def __init__(self, seed, name, form):
        form.line_ends = form.line_ends[:1]
        super().__init__(seed, name, "append", form, "none")
        self.columns, self.layout = [stream.Column("v", "text")], []

    def record(self):
        self.order += 1
        rng = self.rng
        plain = rng.choice([None, None, "", texts.text(rng, self.form.encodable, 5)])
        record = Record(self.order, {"v": plain if self.order > 1 else "x"})
        record.reasons = self.reasons(self.columns[0], record.texts["v"])
        return record

    def rows(self):
        """By number: such a record has no name of its own."""
        return self.kept
