import Testing

/// One mistake in an otherwise right definition.
struct Mistake: Sendable, CustomTestStringConvertible {
  var name: String
  /// Lines under `streams:` of an http source, indented by six.
  var stream = "orders: {get: /orders.csv, key: [id]}"
  var curate = "orders: {from: shop.orders}"
  var table = "orders: {from: orders, mode: replace}"
  var more = ""
  var http = "{base_url: \"https://example.com\"}"
  var told: [String]

  var testDescription: String { name }

  var text: String {
    """
    pipeline: orders
    sources:
      shop:
        http: \(http)
        streams:
          \(stream)
    curate:
      \(curate)
    load:
      warehouse:
        postgres: {url: "secret:w"}
        tables:
          \(table)
    \(more)
    """
  }
}

extension Mistake {
  static let ofOnePart: [Mistake] = [
    Mistake(
      name: "misspelt key", more: "shedule: {}", told: [#"14:1: unknown key "shedule"; did you mean "schedule"?"#]),
    Mistake(
      name: "key of nowhere", table: "orders: {from: orders, mode: replace, colour: red}",
      told: [#"13:45: unknown key "colour"; known here: from, mode, key, deletes, apply, verify"#]),
    Mistake(
      name: "misspelt kind of source", http: "{base_url: x}\n    postgress: {}",
      told: [#"5:5: unknown key "postgress"; known here: http, streams"#]),
    Mistake(
      name: "missing key", table: "orders: {mode: replace}",
      told: [#"13:7: "from" is missing in "orders"; add from: orders"#]),
    Mistake(
      name: "no value", table: "orders: {from: , mode: replace}",
      told: [#"13:16: "from" has no value; write it, or remove the key"#]),
    Mistake(
      name: "null where a text is due", stream: "orders: {get: /o.csv, records: {format: csv, null: NULL}}",
      told: [
        #"6:58: "null" has no value: NULL without quotes is null in YAML; write "NULL" for the text, or remove the key"#
      ]),
    Mistake(
      name: "null in a list", stream: "orders: {get: /o.csv, key: [id, null]}",
      told: [
        #"6:39: "key" has no value: null without quotes is null in YAML; write "null" for the text, or remove the key"#
      ]),
    Mistake(
      name: "a status that ends no pages", stream: "orders: {get: /o.csv, end: [404, 429, 401, 302, 600]}",
      told: [
        #"6:40: end: 429 says that the source answers later; write it in `retry: {statuses: …}`"#,
        #"6:45: end: 401 says that the source refuses access; remove it from end"#,
        #"6:50: end: 302 cannot mean that there are no more pages; write 204 or a status of 400 to 499"#,
        #"6:55: "end" must be a whole number of 204 to 499"#,
      ]),
    Mistake(
      name: "a cursor's limit that is no time",
      stream: "orders: {get: /o.csv, query: {s: \"{cursor}\"}, cursor: {field: at, type: timestamptz, max: 1d}}",
      table: "orders: {from: orders, mode: append}",
      told: [#"6:97: max: "1d" is not a time from now on; write now, or now and a duration such as now+1d"#]),
    Mistake(
      name: "a limit of a cursor that is no time",
      stream: "orders: {get: /o.csv, query: {s: \"{cursor}\"}, cursor: {field: n, type: bigint, max: now}}",
      table: "orders: {from: orders, mode: append}",
      told: [
        #"6:86: the limit of a cursor is a time, and the cursor's type is bigint; remove max, or take a field of type timestamptz, timestamp or date"#
      ]),
    Mistake(
      name: "a weight without bound", more: "weight: 1e308",
      told: [#"14:9: "weight" must be a number of 0.001 to 1000"#]),
    Mistake(
      name: "a rate that is infinite", http: "{base_url: x, limits: {requests_per_second: 1e999}}",
      told: [#"4:55: "requests_per_second" must be a number of 0.0001 to 100000"#]),
    Mistake(
      name: "a rate that is next to nothing", http: "{base_url: x, limits: {requests_per_second: 1e-300}}",
      told: [#"4:55: "requests_per_second" must be a number of 0.0001 to 100000"#]),
    Mistake(
      name: "more pages than there can be", stream: "orders: {get: /o.csv, max_pages: 0}",
      told: [#"6:40: "max_pages" must be a whole number of 1 to 10000000"#]),
    Mistake(
      name: "an unknown way to follow", stream: "orders: {get: /o.csv, redirects: yes please}",
      told: [#"6:40: redirects: unknown value "yes please"; write same_host or follow"#]),
    Mistake(
      name: "a rate without unit", http: "{base_url: x, limits: {min_rate: 100}}",
      told: [#"4:44: min_rate: "100" is not an amount of bytes per second; write such as 40MB/s"#]),
    Mistake(
      name: "a raw zone outside of the project", more: "raw: {to: \"file:../raw\"}",
      told: [#"14:11: to: "file:../raw" leads out of the project; write an absolute path, such as file:/data/drops"#]),
    Mistake(
      name: "a list where a text is due", more: "owner: [a, b]", told: [#"14:8: "owner" must be text; found a list"#]),
    Mistake(
      name: "a text where a list is due", stream: "orders: {get: /orders.csv, key: id}",
      told: [#"6:39: "key" must be a list; found text; write [id]"#]),
    Mistake(
      name: "a text where a mapping is due", more: "raw: here", told: [#"14:6: "raw" must be a mapping; found text"#]),
    Mistake(
      name: "an empty list", stream: "orders: {get: /orders.csv, key: []}",
      told: [#"6:39: "key" is an empty list; write its elements, or remove the key"#]),
    Mistake(
      name: "a quoted boolean", stream: "orders: {get: /o, records: {format: csv, header: \"true\"}}",
      told: [#"6:56: "header" must be true or false; found text; write true without quotes"#]),
    Mistake(
      name: "a placeholder without quotes", stream: "orders: {get: /orders.csv, query: {env: {env}}}",
      told: [#"6:47: "env" must be text; without quotes { begins a mapping; write "{env}""#]),
    Mistake(
      name: "a number without unit", curate: "orders: {from: shop.orders, files: {target: 256}}",
      told: [#"8:47: target: "256" has no unit; write 256MB or 256GB"#]),
    Mistake(
      name: "a share without unit", curate: "orders: {from: shop.orders, bad_rows: {stop_over: 0.5}}",
      told: [#"8:53: stop_over: "0.5" has no unit; write 0.5%"#]),
    Mistake(
      name: "a duration without unit", http: "{base_url: x, retry: {give_up_after: 30}}",
      told: [#"4:48: give_up_after: "30" has no unit; write 30s, 30m, 30h or 30d"#]),
    Mistake(
      name: "a name with capitals", curate: "Orders: {from: shop.orders}",
      table: "orders: {from: Orders, mode: replace}",
      told: [
        #"8:3: curate: "Orders" is not a name: names have lower-case letters, digits, _ and begin with a letter; write orders"#,
        #"13:22: from: "Orders" is not a name: names have lower-case letters, digits, _ and begin with a letter; write orders"#,
      ]),
    Mistake(
      name: "an unknown type", curate: "orders: {from: shop.orders, columns: {id: bigit}}",
      told: [#"8:45: id: unknown type "bigit"; did you mean "bigint"?"#]),
    Mistake(
      name: "a type with a length", curate: "orders: {from: shop.orders, columns: {id: varchar(20)}}",
      told: [
        #"8:45: id: the type "varchar(20)" has a length, which a type of the contract cannot keep; write {type: text, pattern: "^.{0,20}$"}"#
      ]),
    Mistake(
      name: "a path out of the project", curate: "orders: {from: shop.orders, sql: ../x.sql}",
      told: [#"8:36: sql: "../x.sql" leads out of the project; write a path relative to the project directory"#]),
    Mistake(
      name: "an unknown placeholder", stream: "orders: {get: \"/orders.csv?{curser}\"}",
      told: [#"6:21: get: unknown placeholder {curser}; did you mean {cursor}?"#]),
    Mistake(
      name: "a placeholder without value here", http: "{base_url: \"https://x/{cursor}\"}",
      told: [#"4:22: base_url: {cursor} has no value here; only {env} has one"#]),
    Mistake(
      name: "a secret inside a text", http: "{base_url: x, auth: {bearer: \"Token secret:t\"}}",
      told: [
        #"4:40: bearer: a secret is the whole value, not a part of it; put the whole text into the secret and write "secret:NAME""#
      ]),
    Mistake(
      name: "two kinds at once", http: "{base_url: x, auth: {bearer: a, query: {name: b, value: c}}}",
      told: [#"4:43: "auth" is two kinds of authentication: bearer and query; keep one of the two"#]),
    Mistake(
      name: "no kind", stream: "orders: {key: [id]}",
      told: [#"6:7: "orders" does not say what kind of stream it is; add get or post"#]),
    Mistake(
      name: "a location without scheme", more: "raw: {to: data/raw}",
      told: [#"14:11: to: "data/raw" does not say where it is; write file:data/raw for a directory"#]),
    Mistake(
      name: "an empty range",
      curate: "orders: {from: shop.orders, checks: [{rows: {change_from_last_run: \"50%..20%\"}}]}",
      told: [#"8:70: change_from_last_run: "50%..20%" ends before it begins; write the lesser bound first"#]),
    Mistake(
      name: "an abbreviated time zone",
      curate: "orders: {from: shop.orders, columns: {at: {type: timestamptz, source_timezone: CET}}}",
      told: [#"8:82: source_timezone: "CET" is not a time zone; write UTC or Area/City, such as Europe/Zurich"#]),
    Mistake(
      name: "an unknown status", http: "{base_url: x, retry: {statuses: [429, 5xxx]}}",
      told: [
        #"4:49: statuses: "5xxx" is not a status to try again after; write a status of 400 to 599, 5xx or timeout"#
      ]),
  ]

  /// Every value is right by itself, and they do not go together.

  static let ofFit: [Mistake] = [
    Mistake(
      name: "an unknown stream", curate: "orders: {from: shop.order}",
      told: [#"8:18: there is no stream "shop.order"; did you mean "shop.orders"?"#]),
    Mistake(
      name: "a stream of another source", curate: "orders: {from: store.orders}",
      told: [#"8:18: there is no stream "store.orders"; did you mean "shop.orders"?"#]),
    Mistake(
      name: "a stream without its source", curate: "orders: {from: orders}",
      told: [#"8:18: from: "orders" is not a stream; write source.stream"#]),
    Mistake(
      name: "a stream twice", curate: "orders: {from: [shop.orders, shop.orders], sql: sql/o.sql}",
      told: [#"8:32: the stream "shop.orders" is listed twice; remove one of the two"#]),
    Mistake(
      name: "two streams and no SELECT", stream: "orders: {get: /orders.csv}\n      lines: {get: /lines.csv}",
      curate: "orders: {from: [shop.orders, shop.lines]}",
      told: [#"9:12: the dataset "orders" is made from several streams without a SELECT; add sql: sql/orders.sql"#]),
    Mistake(
      name: "an unknown dataset", table: "orders: {from: oders, mode: replace}",
      told: [#"13:22: there is no dataset "oders"; did you mean "orders"?"#]),
    Mistake(
      name: "a merge without key", table: "orders: {from: orders, mode: merge}",
      told: [#"13:36: merge needs a key: "orders" has none; add key: [id]"#]),
    Mistake(
      name: "a key that is no column", curate: "orders: {from: shop.orders, columns: {order_id: bigint}}",
      table: "orders: {from: orders, mode: merge, key: [oder_id]}",
      told: [#"13:49: the dataset "orders" has no column "oder_id"; did you mean "order_id"?"#]),
    Mistake(
      name: "the same table twice",
      table: "orders: {from: orders, mode: replace}\n      public.orders: {from: orders, mode: replace}",
      told: [#"14:7: the table "public.orders" is loaded twice; it is on line 13 already; remove one of the two"#]),
    Mistake(
      name: "a table of ours", table: "sluice.orders: {from: orders, mode: replace}",
      told: [#"13:7: the schema "sluice" belongs to Sluice's own tables; choose another schema"#]),
    Mistake(
      name: "deletes without merge", table: "orders: {from: orders, mode: replace, deletes: hard}",
      told: [#"13:45: deletes belongs to merge; the mode is replace; remove it, or write mode: merge"#]),
    Mistake(
      name: "a replacement by new rows only",
      stream: "orders: {get: \"/o.csv?{cursor}\", cursor: {field: id, type: bigint}}",
      told: [
        #"13:36: replace needs a full dataset: "shop.orders" is read incrementally, so a snapshot of "orders" has new rows only; write mode: merge with a key, mode: append, read: full on the stream, or over: all on the dataset"#
      ]),
    Mistake(
      name: "replaces that is no part of a key",
      curate:
        "orders: {from: shop.orders, replaces: [id]}\n  a: {from: shop.orders, key: [id, line], replaces: [other]}\n  b: {from: shop.orders, key: [id], replaces: [id]}",
      told: [
        #"8:31: replaces needs a key: what identifies one of a parent's rows; add key: [id, …]"#,
        #"9:43: "other" of replaces is not a part of the key; add it to key: [id, line]"#,
        #"10:37: replaces names the whole key, so that a parent has one row; remove it: the latest row of a key wins"#,
      ]),
    Mistake(
      name: "a column's name that no table can have",
      curate: "orders: {from: shop.orders, columns: {\(String(repeating: "ä", count: 32)): text}}",
      told: [
        "8:41: the column \"\(String(repeating: "ä", count: 32))\" has 64 bytes, and a name in PostgreSQL at most 63; give it a shorter name"
      ]),
    Mistake(
      name: "over without a SELECT", curate: "orders: {from: shop.orders, over: all}",
      told: [#"8:31: over says which rows a SELECT sees, and there is none; remove it, or add sql"#]),
    Mistake(
      name: "a column that must be there and need not",
      curate: "orders: {from: shop.orders, columns: {id: {type: bigint, required: true, optional: true}}}",
      told: [#"8:76: a required column cannot be absent; remove required or optional"#]),
    Mistake(
      name: "columns that a SELECT's contract has not",
      curate: "orders: {from: shop.orders, sql: sql/o.sql, columns: {id: bigint}, files: {sort: [ic]}}",
      told: [#"8:85: the dataset "orders" has no column "ic"; did you mean "id"?"#]),
    Mistake(
      name: "deletes of what is read incrementally",
      stream: "orders: {get: \"/o.csv?{cursor}\", cursor: {field: id, type: bigint}}",
      table: "orders: {from: orders, mode: merge, key: [id], deletes: soft}",
      told: [
        #"13:54: deletes compares full reads, and "shop.orders" is read incrementally: what is not in a read is not gone; write read: full on the stream, or remove deletes"#
      ]),
    Mistake(
      name: "an append with a lag",
      stream: "orders: {get: \"/o.csv?{cursor}\", cursor: {field: at, type: timestamptz, lag: 10m}}",
      table: "orders: {from: orders, mode: append}",
      told: [
        #"13:36: append would double rows: the cursor of "shop.orders" has a lag and reads some again; write mode: merge with a key, or remove the lag"#
      ]),
    Mistake(
      name: "a lag of numbers",
      stream: "orders: {get: \"/o.csv?{cursor}\", cursor: {field: id, type: bigint, lag: 10m}}",
      table: "orders: {from: orders, mode: merge, key: [id]}",
      told: [
        #"6:74: a lag is a time, and the cursor's type is bigint; remove lag, or take a field of type timestamptz, timestamp or date"#
      ]),
    Mistake(
      name: "a start without zone",
      stream: "orders: {get: \"/o.csv?{cursor}\", cursor: {field: at, type: timestamptz, start: \"2024-01-01\"}}",
      table: "orders: {from: orders, mode: append}",
      told: [#"6:86: the cursor's start has no time zone; write "2024-01-01T00:00:00Z""#]),
    Mistake(
      name: "a cursor of booleans", stream: "orders: {get: \"/o.csv?{cursor}\", cursor: {field: at, type: bool}}",
      table: "orders: {from: orders, mode: append}",
      told: [
        #"6:66: values of the type boolean do not grow in an order that a cursor can follow; write a field of type timestamptz, timestamp, date, bigint, integer or text"#
      ]),
    Mistake(
      name: "a placeholder without cursor", stream: "orders: {get: \"/o.csv?since={cursor}\"}",
      told: [
        #"6:21: {cursor} has no value: the stream "orders" has no cursor; add cursor: {field: updated_at, type: timestamptz}"#
      ]),
    Mistake(
      name: "a placeholder of no stream",
      stream: "orders: {get: \"/o.csv\"}\n      lines: {get: \"/o/{oders.id}/lines.csv\"}",
      told: [#"7:20: {oders.id}: the source "shop" has no other stream "oders"; did you mean "orders"?"#]),
    Mistake(
      name: "no format", stream: "orders: {get: /orders}",
      told: [
        #"6:7: "orders" does not say how its bytes become records; add records: {format: json}, or csv, ndjson or bytes"#
      ]),
    Mistake(
      name: "a key of another format", stream: "orders: {get: /o, records: {format: ndjson, delimiter: \";\"}}",
      told: [#"6:51: "delimiter" belongs to the format csv; this one is ndjson; remove it, or write format: csv"#]),
    Mistake(
      name: "pages of csv by token", stream: "orders: {get: /o.csv, paginate: {token: $.next, param: t}}",
      told: [
        #"6:29: the next page is found in a JSON document, and the records are csv; write link_header, page or offset"#
      ]),
    Mistake(
      name: "a dataset of bytes", stream: "orders: {get: /o, records: {format: bytes}}",
      told: [
        #"8:18: the stream "shop.orders" is kept as bytes and has no records; give its records another format, or leave it out"#
      ]),
    Mistake(
      name: "a key outside of the columns", stream: "orders: {get: /o.csv, columns: [id, name], key: [idd]}",
      told: [#"6:56: "idd" is not among the columns; did you mean "id"?"#]),
    Mistake(
      name: "a zone of a number",
      curate: "orders: {from: shop.orders, columns: {id: {type: bigint, source_timezone: UTC}}}",
      told: [
        #"8:60: source_timezone belongs to timestamptz; this column is bigint; remove it, or write type: timestamptz"#
      ]),
    Mistake(
      name: "a decimal that may be rounded",
      curate: "orders: {from: shop.orders, columns: {n: {type: \"decimal(9,2)\", lossy: allow}}}",
      told: [
        "8:67: lossy belongs to double and real; this column is decimal(9,2); remove it: values of other types are never rounded"
      ]),
    Mistake(
      name: "bounds the wrong way round",
      curate: "orders: {from: shop.orders, columns: {id: {type: bigint, min: 5, max: 1}}}",
      told: [#"8:68: max is less than min; exchange the two"#]),
    Mistake(
      name: "columns that the contract has not",
      curate: "orders: {from: shop.orders, columns: {id: bigint}, checks: [{unique: [ib]}], files: {sort: [ID, ic]}}",
      told: [
        #"8:73: the dataset "orders" has no column "ib"; did you mean "id"?"#,
        #"8:99: the dataset "orders" has no column "ic"; did you mean "id"?"#,
      ]),
    Mistake(
      name: "a path that is none", stream: "orders: {get: /o, records: {format: json, path: \"data[*]\"}}",
      told: [
        #"6:55: path: "data[*]" is not a path into a document; write $, $.name or $.name[*], such as $.data[*]"#
      ]),
    Mistake(
      name: "a token in a list", stream: "orders: {get: /o.json, paginate: {token: \"$.a[*]\", param: t}}",
      told: [#"6:48: token: "$.a[*]" is not the path of one value; write $.name, such as $.next"#]),
    Mistake(
      name: "a month of a number",
      curate: "orders: {from: shop.orders, columns: {id: bigint}, partition_by: {month: id}}",
      told: [
        #"8:76: "id" is bigint, which has no month; write value: id, or a column of type date, timestamp or timestamptz"#
      ]),
  ]
}
