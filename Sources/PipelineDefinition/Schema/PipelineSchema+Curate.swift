extension PipelineSchema {
  static let dataset = ObjectShape([
    .required(
      "from", .written([.text(.stream), .list(.text(.stream))]), "The streams it is made from", example: "shop.orders"),
    .key(
      "sql", .text(.projectPath), "A file with one SELECT", default: "the stream as it is", example: "sql/orders.sql"),
    .key(
      "key", .names, "What identifies a row; a row without it goes to quarantine", default: "the stream's key",
      example: "[order_id, line]"),
    .key(
      "replaces", .names, "Columns of the key: a parent's new rows replace all its earlier rows", example: "[order_id]"),
    .key(
      "over", .oneOf("all", "batch"),
      "A SELECT that is not row by row over incremental streams: computed from everything at each run, or from what is new",
      default: "the SELECT is row by row"),
    .key(
      "columns", .map(names: .field, .written([.text(.columnType), .object(column)])),
      "The contract: what breaks it goes to quarantine", example: "{order_id: {type: bigint, required: true}}"),
    .key(
      "extra", .oneOf("fail", "drop"), "What columns of the SELECT do that `columns` does not list", default: "fail"),
    .key("drift", .object(drift), "What changes of the source's form do"),
    .key("bad_rows", .object(badRows), "Where rows go that break the contract, and how many may"),
    .key(
      "min_rows", .integer(1...Int.max),
      "A run that brings records and leaves fewer rows fails", default: "a run may leave none", example: "1"),
    .key("checks", .list(check), "What must hold for the snapshot"),
    .key("references", .list(.object(reference)), "Keys of several columns of datasets whose rows its rows name"),
    .key("partition_by", .object(partitions), "How files are divided", example: "{month: ordered_at}"),
    .key("files", .object(fileLayout), "How large files are and how their rows are sorted"),
    .key("parquet", .object(parquet), "The types of columns that not every engine reads"),
    .key(
      "engine", .choice([Choice("duckdb"), .later("spark", "use duckdb")]), "What runs the SELECT", default: "duckdb"),
  ])

  static let column = ObjectShape([
    .required("type", .text(.columnType), "Its type", example: "bigint"),
    .key("required", .boolean, "Whether null breaks the contract", default: "false"),
    .key("optional", .boolean, "Whether the input may lack the column, which is null then", default: "false"),
    .key("min", .scalar, "The least value"),
    .key("max", .scalar, "The greatest value"),
    .key("one_of", .list(.scalar), "The only values", example: "[CHF, EUR]"),
    .key("pattern", .text(.text), "A regular expression that the text matches", example: "\"^[A-Z]{3}$\""),
    .key(
      "source_timezone", .text(.timeZone), "timestamptz: the zone of times without an offset", example: "Europe/Zurich"),
    .key(
      "lossy", .oneOf("allow"), "double and real: round a text that the type cannot hold",
      default: "it breaks the contract"),
    .key(
      "mask", .oneOf("sha256", "copies"),
      "sha256: keep only the hash; copies: environments that env up makes with data have a keyed hash"),
    .key("salt", .text(.template(.none)), "What is hashed along", example: "\"secret:pii/salt\""),
    .key(
      "references", .text(.reference), "The key of a dataset whose values it has", example: "\"customers(id)\""),
  ])

  static let reference = ObjectShape([
    .required("columns", .names, "Columns of this dataset", example: "[region, branch]"),
    .required("to", .text(.reference), "The key whose values they have", example: "\"branches(region, number)\""),
  ])

  static let drift = ObjectShape([
    .key("new_column", .oneOf("keep_in_raw", "fail"), "A field that was not there before", default: "keep_in_raw"),
    .key("missing_column", .oneOf("event", "fail"), "A field that is gone", default: "event"),
    .key("type_change", .oneOf("quarantine", "fail"), "A value that no longer has the type", default: "quarantine"),
  ])

  static let badRows = ObjectShape([
    .key("to", .oneOf("quarantine"), "Where they go", default: "quarantine"),
    .key("stop_over", .text(.share), "The part of the rows over which the run fails", default: "no limit"),
  ])

  static let check = Shape.variants(
    VariantShape(
      "check",
      [
        .init(
          "unique",
          ObjectShape([.required("unique", .names, "Columns without doubles", example: "[order_id]"), severity])),
        .init(
          "rows",
          ObjectShape([
            .required(
              "rows",
              .object(
                ObjectShape([
                  .required(
                    "change_from_last_run", .text(.change), "Allowed change of the row count", example: "\"-20%..+50%\""
                  )
                ])), "How many rows", example: "{change_from_last_run: \"-20%..+50%\"}"), severity,
          ])),
        .init(
          "sql",
          ObjectShape([
            .required("sql", .text(.text), "A SELECT of one value", example: "\"select count(*) from orders\""),
            .required("expect", .scalar, "The value", example: "0"), severity,
          ])),
      ]))

  private static let severity = KeyShape.key(
    "severity", .oneOf("fail", "warn"), "Whether the run fails", default: "fail")

  static let partitions = ObjectShape(
    [("year", "year"), ("month", "month"), ("day", "day"), ("value", "value")].map { name, unit in
      .key(name, .written([.text(.field), .names]), "By the \(unit) of a column, or of several")
    })

  static let parquet = ObjectShape(
    ["uuid", "time", "json"].map { type in
      .key(type, .oneOf("text", "native"), "How files hold \(type) columns", default: "text", example: "native")
    })

  static let fileLayout = ObjectShape([
    .key("target", .text(.byteCount), "Size of a file", default: "256MB"),
    .key("sort", .names, "Order of the rows in a file", example: "[customer_id]"),
  ])
}
