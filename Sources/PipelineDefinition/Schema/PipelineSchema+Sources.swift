extension PipelineSchema {
  static let source = Shape.variants(
    VariantShape(
      "source",
      [
        sourceKind("http", .key("http", .object(http), "An HTTP API"), streams: httpStream),
        sourceKind("files", .key("files", .object(files), "Files of a directory"), streams: .object(filesStream)),
        sourceKind("postgres", database("postgres", "A PostgreSQL database"), streams: .object(tableStream)),
        sourceKind("mariadb", database("mariadb", "A MariaDB database"), streams: .object(tableStream)),
        sourceKind("mysql", database("mysql", "A MySQL database"), streams: .object(tableStream)),
        sourceKind("sqlite", database("sqlite", "A SQLite file"), streams: .object(tableStream)),
        sourceKind("singer", program("singer", "Any Singer tap"), streams: .object(programStream)),
        sourceKind("program", program("program", "A program in any language"), streams: .object(programStream)),
        sourceKind(
          "push", .later("push", .anything, "What others send", instead: supportedSources),
          streams: .object(programStream)),
      ]))

  private static let supportedSources = "use an http or a files source"

  private static func sourceKind(_ name: String, _ kind: KeyShape, streams: Shape) -> VariantShape.Variant {
    let names: TextFormat = name == "singer" ? .text : .name
    return .init(
      name,
      ObjectShape([
        kind,
        .required("streams", .map(names: names, streams), "What is read from it, by name", example: "{orders: {…}}"),
      ]))
  }

  static let http = ObjectShape([
    .required("base_url", .text(.template(.environment)), "What the paths are appended to", example: "${BILLING_URL}"),
    .key("auth", auth, "How requests prove who asks"),
    .key(
      "limits",
      .object(
        ObjectShape([
          .key(
            "requests_per_second", .number(0.0001...100_000),
            "At most so many requests to the host, of all workers together"
          ),
          .key(
            "in_flight", .integer(1...1000),
            "At most so many requests to the host at a time, of all workers together: one for each stream"),
          .key(
            "min_rate", .text(.byteRate), "An answer that comes more slowly than this over a minute is given up",
            default: "1kB/s", example: "100B/s"),
          .key("body", .text(.byteCount), "A larger answer ends the pull with an error", default: "20GB"),
        ])), "How gently to ask"),
    .key("retry", .object(retry), "Which answers are tried again"),
  ])

  static let auth = Shape.variants(
    VariantShape(
      "authentication",
      [
        .init(
          "bearer",
          ObjectShape([.key("bearer", value, "Token", example: "\"secret:billing/token\"")])),
        .init(
          "basic",
          ObjectShape([
            .key(
              "basic",
              .object(
                ObjectShape([
                  .required("user", value, "Name", example: "sluice"),
                  .required("password", value, "Its password", example: "\"secret:billing/password\""),
                ])), "Name and password")
          ])),
        .init("header", ObjectShape([.key("header", .object(namedValue), "One more header")])),
        .init("query", ObjectShape([.key("query", .object(namedValue), "One more query parameter")])),
        .init(
          "oauth2_client_credentials",
          ObjectShape([
            .later(
              "oauth2_client_credentials", .anything, "A token of an authorization server",
              instead: "use bearer, basic, header or query")
          ])),
      ]))

  private static let value = Shape.text(.template(.environment))

  static let namedValue = ObjectShape([
    .required("name", .text(.text), "Its name", example: "X-Api-Key"),
    .required("value", value, "Its value", example: "\"secret:billing/key\""),
  ])

  static let retry = ObjectShape([
    .key("statuses", .list(.text(.retryStatus)), "The answers", default: "[429, 5xx, timeout]"),
    .key("max", .integer(0...100), "Tries after the first", default: "8"),
    .key("retry_after", .oneOf("honour", "ignore"), "What the server asks for", default: "honour"),
    .key("give_up_after", .text(.duration), "For one request", default: "30m"),
  ])

  static let files = ObjectShape([
    .required("at", .text(.location), "The directory", example: "\"file:drops/{env}\""),
    .key(
      "limits",
      .object(
        ObjectShape([
          .key("body", .text(.byteCount), "A larger file ends the pull with an error", default: "20GB")
        ])), "How much to take"),
  ])

  static let httpStream = Shape.variants(
    VariantShape(
      "stream",
      [
        .init(
          "get", ObjectShape([.required("get", request, "Path of the request", example: "/v2/invoices")] + httpKeys)),
        .init(
          "post",
          ObjectShape(
            [
              .required("post", request, "Path of the request", example: "/v2/search"),
              .key("body", request, "What is sent, as JSON", example: "'{\"since\": \"{cursor}\"}'"),
            ] + httpKeys)),
      ]))

  private static let request = Shape.text(.template(.request))

  private static let httpKeys: [KeyShape] =
    [
      .key("query", .map(names: .text, request), "Query parameters", example: "{updated_since: \"{cursor}\"}"),
      .key("paginate", pagination, "How the next page is found", default: "none"),
      .key(
        "max_pages", .integer(1...10_000_000), "A pull of more pages fails; the pages before are kept",
        default: "100000"
      ),
      .key(
        "end", .list(.integer(204...499)), "Statuses that mean: no more pages; 204 always does", example: "[404]"),
      .key(
        "redirects", .oneOf("same_host", "follow"),
        "Whether a redirect may lead to another host; nothing secret is sent there", default: "same_host"),
      .key(
        "cursor", .object(cursor), "What makes the stream incremental",
        example: "{field: updated_at, type: timestamptz, lag: 10m}"),
      .key(
        "read", .oneOf("new", "full"), "What the cursor asks for, or everything each time", default: "new with a cursor"
      ),
    ] + recordKeys

  private static let recordKeys: [KeyShape] = [
    .key("records", .object(records), "How bytes become records", default: "told by the suffix of the path"),
    .key("key", .names, "What identifies a record", example: "[id]"),
    .key(
      "columns", .written([.names, .map(names: .field, .text(.columnType))]), "Names that are fixed, or types by name",
      example: "{id: bigint}"),
    .later("was", .text(.text), "The name it had before; its cursor moves along", instead: "keep the name for now"),
  ]

  static let cursor = ObjectShape([
    .required("field", .text(.field), "The field that grows", example: "updated_at"),
    .required("type", .text(.columnType), "How its values compare", example: "timestamptz"),
    .key("start", .text(.instantOrNumber), "Before the first run", example: "\"2024-01-01T00:00:00Z\""),
    .key("lag", .text(.duration), "How far back the next run begins, for records that come late", default: "0s"),
    .key(
      "max", .text(.cursorLimit), "The cursor does not move past it; records beyond are kept and come again",
      default: "no limit", example: "now+1d"),
  ])

  static let filesCursor = ObjectShape([
    .required("field", .text(.field), "The field that says which record of a key is the latest", example: "updated_at"),
    .required("type", .text(.columnType), "How its values compare", example: "timestamptz"),
  ])

  static let filesStream = ObjectShape(
    [
      .required("match", .text(.glob), "Which files; * in a name, ** over directories", example: "\"stock/*.csv.gz\""),
      .key("read", .oneOf("new", "full"), "Files not seen yet, or every match each time", default: "new"),
      .key("cursor", .object(filesCursor), "Which record of a key is the latest", default: "the order of the files"),
    ] + recordKeys)

  static let records = ObjectShape([
    .required(
      "format",
      .choice([
        Choice("csv"), Choice("json"), Choice("ndjson"), Choice("bytes"),
        .later("xml", "use csv, json, ndjson or bytes"), .later("parquet", "use csv, json, ndjson or bytes"),
      ]), "The form of the bytes", example: "csv"),
    .key(
      "path", .text(.jsonPath), "json: where the records are; $ is the document", default: "$[*]",
      recordFormats: ["json"]),
    .key("header", .boolean, "csv: whether the first line has the names", default: "true", recordFormats: ["csv"]),
    .key("delimiter", .text(.character), "csv: between fields", default: "\",\"", recordFormats: ["csv"]),
    .key("quote", .text(.character), "csv: around a field", default: "'\"'", recordFormats: ["csv"]),
    .key(
      "escape", .text(.character), "csv: before a quote in a field", default: "the quote twice", recordFormats: ["csv"]),
    .key(
      "null", .text(.anyText), "csv: the text of an unquoted field without a value", default: "\"\"",
      recordFormats: ["csv"]),
    .key(
      "encoding", .oneOf("utf-8", "utf-16", "utf-16le", "utf-16be", "latin-1", "windows-1252"),
      "csv: of the characters", default: "utf-8", recordFormats: ["csv"]),
    .key("skip", .integer(0...1_000_000), "csv: lines before the header", default: "0", recordFormats: ["csv"]),
    .key(
      "max_record", .text(.byteCount), "csv, ndjson: the longest record, up to 64MB; a longer one is quarantined",
      default: "16MB",
      recordFormats: ["csv", "ndjson"]),
  ])

  static let pagination = Shape.written([
    .oneOf("none", "link_header"),
    .variants(
      VariantShape(
        "pagination",
        [
          .init(
            "token",
            ObjectShape([
              .required("token", .text(.jsonField), "Where the page has the next one's token", example: "$.next"),
              .required("param", .text(.text), "The query parameter it is sent as", example: "page_token"),
            ])),
          .init(
            "next_url",
            ObjectShape([
              .required("next_url", .text(.jsonField), "Where the page has the next one's URL", example: "$.next")
            ])),
          .init(
            "page",
            ObjectShape([
              .required("page", .text(.text), "The query parameter that counts pages", example: "page"),
              .key("start", .integer(0...Int.max), "The first page's number", default: "1"),
            ])),
          .init(
            "offset",
            ObjectShape([
              .required("offset", .text(.text), "The query parameter that counts records", example: "offset"),
              .key("start", .integer(0...Int.max), "The first record's number", default: "0"),
            ])),
        ])),
  ])
}

// MARK: - Kinds that come later

extension PipelineSchema {
  private static func database(_ name: String, _ summary: String) -> KeyShape {
    .later(
      name,
      .object(
        ObjectShape([
          .required("url", .text(.template(.environment)), "How to connect", example: "\"secret:shop/readonly\""),
          .key("connections", .integer(1...100), "At most so many"),
          .key("max_rate", .text(.byteRate), "At most so much", example: "40MB/s"),
          .key(
            "yield_when",
            .object(
              ObjectShape([
                .key("active_sessions", .integer(1...Int.max), "Others' sessions"),
                .key("replica_lag", .text(.duration), "Of the replica that is read"),
              ])), "When reading waits"),
        ])), summary, instead: supportedSources)
  }

  private static func program(_ name: String, _ summary: String) -> KeyShape {
    .later(
      name,
      .object(
        ObjectShape([
          .required(
            "command", .list(.text(.template(.request))), "The program and its arguments", example: "[./bin/pull]"),
          .key("config", .map(names: .text, .anything), "What the program is configured with"),
        ])), summary, instead: supportedSources)
  }

  static let tableStream = ObjectShape(
    [
      .key("table", .text(.table), "The table", example: "public.orders"),
      .key("query", .text(.text), "A SELECT in place of the table"),
      .key("read", .oneOf("new", "full"), "What the cursor asks for, or everything each time"),
      .key("omit", .names, "Columns that are not read", example: "[password_hash]"),
      .key(
        "cursor",
        .object(
          ObjectShape(
            cursor.keys.map { key in
              var key = key
              if key.name == "type" { key.isRequired = false }
              return key
            })), "What makes the stream incremental"),
    ] + recordKeys.filter { $0.name != "records" })

  static let programStream = ObjectShape(
    [
      .key("read", .oneOf("new", "full"), "What the cursor asks for, or everything each time"),
      .key("cursor", .object(cursor), "What makes the stream incremental"),
    ] + recordKeys)
}
