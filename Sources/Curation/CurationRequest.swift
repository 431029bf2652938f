import DuckDB
import JobModel
import PipelineDefinition

/// All that one version of a dataset is made from. Knows no database and no object store: paths only.
package struct CurationRequest: Sendable {
  package var step: CurateStep
  /// In the order of the step's `from`.
  package var streams: [CurationStream]
  /// The text of the step's SQL file; nil: the one stream as it is.
  package var sql: String?
  /// What the dataset holds before this run.
  package var previous: PreviousData
  /// Whether the new version replaces the one before, or adds to it.
  package var isFull: Bool
  /// The rules that the run's definition was checked by.
  package var edition: Edition
  /// Whether a target stores the dataset's rows.
  package var isLoaded: Bool
  /// Columns that a target's table is merged by: a row without them could not be loaded.
  package var loadKeys: [String]
  /// Salts of masked columns by column name, resolved.
  package var salts: [String: String]
  /// An empty directory that belongs to this attempt. Data files are left in its `out` folder.
  package var scratch: String
  package var limits: DuckDBLimits
  package var expansion: ExpansionLimit

  package init(
    step: CurateStep, streams: [CurationStream], sql: String? = nil, previous: PreviousData = PreviousData(),
    isFull: Bool, edition: Edition = .current, isLoaded: Bool = false,
    loadKeys: [String] = [],
    salts: [String: String] = [:], scratch: String,
    limits: DuckDBLimits = DuckDBLimits(),
    expansion: ExpansionLimit? = nil
  ) {
    self.expansion = expansion ?? ExpansionLimit(bytes: limits.temporaryBytes)
    self.step = step
    self.streams = streams
    self.sql = sql
    self.previous = previous
    self.isFull = isFull
    self.edition = edition
    self.isLoaded = isLoaded
    self.loadKeys = loadKeys
    self.salts = salts
    self.scratch = scratch
    self.limits = limits
  }
}

/// One stream of `from`, with the raw objects to read.
package struct CurationStream: Sendable {
  package var reference: StreamReference
  package var definition: Stream
  /// What is due, oldest run first.
  package var objects: [CurationObject]
  /// Everything the stream ever brought, these objects included; read only where the SQL mentions `current.STREAM`.
  package var history: [CurationObject]
  /// Fields that earlier deliveries had: those that vanish stay, as null.
  package var knownFields: [String]
  /// What stands for parts of the history.
  package var segments: [HistorySegment] = []
  /// Whether segments are made of what is read of the history.
  package var keepsSegments = false

  package init(
    reference: StreamReference, definition: Stream, objects: [CurationObject], history: [CurationObject] = [],
    knownFields: [String] = []
  ) {
    self.reference = reference
    self.definition = definition
    self.objects = objects
    self.history = history
    self.knownFields = knownFields
  }
}

/// One raw object on a local disk.
package struct CurationObject: Sendable, Equatable {
  package var id: Int64
  package var path: String
  /// How errors call it: its key, or its page or file of origin.
  package var name: String
  package var run: Int64
  /// An instant as PostgreSQL or ISO 8601 writes it.
  package var runAt: String
  package var sequence: Int
  /// What its bytes are; nil where it is not known.
  package var content: Content?

  package struct Content: Sendable, Equatable {
    package var bytes: Int64
    /// Lower-case hexadecimal.
    package var sha256: String
    package init(bytes: Int64, sha256: String) {
      self.bytes = bytes
      self.sha256 = sha256
    }
  }

  package init(
    id: Int64, path: String, name: String, run: Int64, runAt: String, sequence: Int, content: Content? = nil
  ) {
    self.content = content
    self.id = id
    self.path = path
    self.name = name
    self.run = run
    self.runAt = runAt
    self.sequence = sequence
  }
}

/// The dataset as of the snapshot that was current when the run began.
package struct PreviousData: Sendable {
  /// The Parquet files of its snapshots, oldest first; empty before the first.
  package var parts: [[String]]
  package var files: [String] { parts.flatMap { $0 } }
  /// What the files of each part hold as text; none where it is left out.
  package var texts: [TextColumns]
  /// Name and type of each column of each part; empty where they are not known.
  package var columns: [[DataColumn]]
  /// The number of the snapshot of each part, nil for a compaction, whose files have it in a column; empty where only the order of
  /// the parts is known.
  package var numbers: [Int64?] = []
  /// Of the newest part.
  package var lastNumber: Int64 = 0
  /// Rows that the run before wrote; nil before the first.
  package var rowsOfLastRun: Int?
  /// The quarantine of the run before; nil where it has none.
  package var quarantine: String?
  package init(files: [String] = [], rowsOfLastRun: Int? = nil, quarantine: String? = nil) {
    self.init(parts: files.isEmpty ? [] : [files], rowsOfLastRun: rowsOfLastRun, quarantine: quarantine)
  }

  package init(
    parts: [[String]], texts: [TextColumns] = [], columns: [[DataColumn]] = [], rowsOfLastRun: Int?,
    quarantine: String?
  ) {
    precondition(texts.isEmpty || texts.count == parts.count, "each part has its columns")
    precondition(columns.isEmpty || columns.count == texts.count, "each part has its columns")
    self.parts = parts
    self.texts = texts
    self.columns = columns
    self.quarantine = quarantine
    self.rowsOfLastRun = rowsOfLastRun
  }

  /// Snapshots after one another whose files hold the same columns as text, as one part.
  var grouped: PreviousData {
    guard !texts.isEmpty else {
      return PreviousData(
        parts: parts.isEmpty ? [] : [files], rowsOfLastRun: rowsOfLastRun, quarantine: quarantine)
    }
    var parts: [[String]] = []
    var kinds: [TextColumns] = []
    var numbers: [Int64?] = []
    for (index, (files, columns)) in zip(self.parts, texts).enumerated() {
      let number = self.numbers.isEmpty ? 0 : self.numbers[index]
      if kinds.last == columns {
        parts[parts.count - 1] += files
        if number == nil { numbers[numbers.count - 1] = nil }
      } else {
        parts.append(files)
        kinds.append(columns)
        numbers.append(number)
      }
    }
    var grouped = PreviousData(parts: parts, texts: kinds, rowsOfLastRun: rowsOfLastRun, quarantine: quarantine)
    grouped.numbers = numbers
    return grouped
  }

  /// All rows.
  var all: String {
    let grouped = grouped
    return grouped.parts.indices.map { grouped.select($0..<$0 + 1) }.joined(separator: " union all by name ")
  }

  /// All rows with `_new`, which orders the snapshots: 0 for the last one, less for those before.
  var numbered: String {
    let groups = columns.isEmpty ? parts.indices.map { $0..<$0 + 1 } : SnapshotFiles.groups(columns)
    return groups.map { group in
      let files = group.map { index in
        (files: parts[index].count, number: numbers.isEmpty ? Int64(index + 1 - parts.count) : numbers[index])
      }
      return select(group, adding: ", \(SnapshotFiles.number(files)) - \(lastNumber) as _new")
    }.joined(separator: " union all by name ")
  }

  /// The rows of parts with the same columns in the types of the dataset, as a SELECT without its end.
  private func select(_ group: Range<Int>, adding columns: String = "") -> String {
    let isCompacted = !numbers.isEmpty && numbers[group].contains(nil)
    let star = (texts.isEmpty ? TextColumns() : texts[group.lowerBound]).star(isCompacted: isCompacted)
    let paths = quoteList(parts[group].flatMap { $0 })
    return "select \(star)\(columns) from read_parquet(\(paths), union_by_name = true, hive_partitioning = false)"
  }
}

/// A column of data files, with the contract's name of its type.
package struct DataColumn: Sendable, Equatable {
  package var name: String
  package var type: String
  package init(name: String, type: String) {
    self.name = name
    self.type = type
  }
}
