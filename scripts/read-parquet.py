"""Reads a Parquet file with every engine that can be imported, and prints the values as text: one JSON line an engine.

For the test of what curation writes: `scripts/read-parquet.py FILE ENGINE…`, with the engines on PYTHONPATH. An engine that
refuses the file is a line with its error.
"""

import datetime
import decimal
import json
import math
import sys


def text(value):
    """One value in the notation that all engines share; null is None."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)
    if isinstance(value, datetime.datetime):
        value = value.astimezone(datetime.timezone.utc) if value.tzinfo else value
        return value.strftime("%Y").zfill(4) + value.strftime("-%m-%d %H:%M:%S.%f")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        digits = format(value, "f")
        return digits.rstrip("0").rstrip(".") if "." in digits else digits
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    return str(value)


def pyarrow(path):
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path).to_pylist()


def pandas(path):
    import pandas

    # The default types of pandas have no null in integers, and so round them.
    frame = pandas.read_parquet(path, dtype_backend="pyarrow")
    return [dict(zip(frame.columns, row)) for row in frame.astype(object).values.tolist()]


def polars(path):
    import polars

    return polars.read_parquet(path).to_dicts()


def pyspark(path):
    from pyspark.sql import SparkSession
    from pyspark.sql.functions import date_format

    session = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )
    frame = session.read.parquet(path)
    # The engine prints timestamps itself: Python's client takes them through the machine's zone, which has no year 0.
    times = [name for name, kind in frame.dtypes if kind.startswith("timestamp")]
    for name in times:
        frame = frame.withColumn(name, date_format(name, "yyyy-MM-dd HH:mm:ss.SSSSSS"))
    return [row.asDict() for row in frame.collect()]


ENGINES = {"pyarrow": pyarrow, "pandas": pandas, "polars": polars, "pyspark": pyspark}

for name in sys.argv[2:]:
    try:
        rows = [{column: text(value) for column, value in row.items()} for row in ENGINES[name](sys.argv[1])]
        print(json.dumps({"engine": name, "rows": rows}))
    except Exception as error:
        print(json.dumps({"engine": name, "error": f"{type(error).__name__}: {error}"[:1000]}))
