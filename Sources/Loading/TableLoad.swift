import PipelineDefinition

/// One table of a target, and where its dataset's snapshots are listed.
package struct TableLoad: Sendable {
  /// What the catalog has for one table, in snapshot order.
  package struct Listing: Sendable, Equatable {
    /// Snapshots up to the head for which the catalog has no record of a load: the target is asked about them, and does not
    /// load them.
    package var unrecorded: [String]
    /// Every snapshot after the head.
    package var snapshots: [SnapshotToLoad]
    /// Of these snapshots those that a load into this table confirmed, as the catalog has it. The ledger decides; where it has none of
    /// them, it or its database is older than the catalog.
    package var recorded: Set<String>
    /// False where no dataset of the catalog has the head: the catalog is older than the ledger.
    package var knowsHead: Bool

    package init(
      unrecorded: [String] = [], snapshots: [SnapshotToLoad], recorded: Set<String> = [], knowsHead: Bool = true
    ) {
      self.unrecorded = unrecorded
      self.snapshots = snapshots
      self.recorded = recorded
      self.knowsHead = knowsHead
    }

    var uuids: [String] { unrecorded + snapshots.map(\.uuid) }
  }

  package var table: LoadTable
  /// Columns that the contract requires: NOT NULL where the table is created.
  package var required: Set<String>
  /// What an operator decided about a table or a snapshot; nil in every ordinary load.
  package var repair: TableRepair?
  /// By UUID: with ``TableRepair/leaveOut`` the snapshots; with ``TableRepair/reload`` those that are no longer left out.
  package var named: [String]
  /// Tells one reload from another, through all attempts of its job; nil: by the job.
  package var reloadID: Int64?
  /// Called once a reload is not refused, before the ledger's own change is committed: the catalog has no record of a load into the
  /// table then.
  package var forget: @Sendable () async throws -> Void
  /// Lists the snapshots after a head: the last snapshot that the target's ledger is known to have together with all before it. A
  /// head that is nil, or that the catalog does not know, lists all of them.
  package var list: @Sendable (_ head: String?) async throws -> Listing

  package init(
    table: LoadTable, required: Set<String> = [], repair: TableRepair? = nil, named: [String] = [],
    reloadID: Int64? = nil, forget: @escaping @Sendable () async throws -> Void = {},
    list: @escaping @Sendable (_ head: String?) async throws -> Listing
  ) {
    self.table = table
    self.required = required
    self.repair = repair
    self.named = named
    self.reloadID = reloadID
    self.forget = forget
    self.list = list
  }
}

/// What to do with a table that was truncated, dropped or restored since its last load, or that refuses a snapshot.
package enum TableRepair: String, Sendable, Codable {
  /// Forget what the ledger has of the table, and load every snapshot that readers of the dataset see and that was not left out.
  case reload
  /// Take the table as it is; only new snapshots are loaded.
  case accept
  /// Take the rows of some snapshots out, and load the others without them.
  case leaveOut = "leave_out"
}

/// One committed version of a dataset with all that a target needs to load it.
package struct SnapshotToLoad: Sendable, Equatable {
  package struct Column: Sendable, Equatable {
    package var name: String
    /// A type of the contract or of DuckDB, such as `decimal(18,4)`.
    package var type: String
    /// The type of the stream's cursor where the column orders the versions of a row and the catalog knows it.
    package var cursor: String?
    package init(_ name: String, _ type: String, cursor: String? = nil) {
      self.name = name
      self.type = type
      self.cursor = cursor
    }
  }

  package var uuid: String
  package var number: Int64
  package var dataset: String
  package var isFull: Bool
  package var columns: [Column]
  /// The dataset's key; a table without a key of its own in the definition takes this one.
  package var key: [String]
  package var cursorField: String?
  package var files: [DataFileToLoad]
  package var quarantinedKeys: QuarantinedKeys
  /// Snapshots that this one repeats, such as a replay of the same run: an append table gives up their rows.
  package var repeats: [String]
  /// Columns of the key that name a row's parent: the rows of this snapshot replace all earlier ones of their parents. A row whose
  /// key has no other part is a mark: its parent has no row any more.
  package var replaces: [String] = []

  package init(
    uuid: String, number: Int64, dataset: String, isFull: Bool, columns: [Column], key: [String] = [],
    cursorField: String? = nil, files: [DataFileToLoad], quarantinedKeys: QuarantinedKeys = .none,
    repeats: [String] = []
  ) {
    self.uuid = uuid
    self.number = number
    self.dataset = dataset
    self.isFull = isFull
    self.columns = columns
    self.key = key
    self.cursorField = cursorField
    self.files = files
    self.quarantinedKeys = quarantinedKeys
    self.repeats = repeats
  }

  package var rows: Int64 { files.reduce(0) { $0 + $1.rows } }
}

/// One Parquet file: a chunk of a load.
package struct DataFileToLoad: Sendable, Equatable {
  package var chunk: Int
  package var key: String
  /// What DuckDB can open.
  package var localPath: String
  package var rows: Int64
  package var sha256: String

  package init(chunk: Int, key: String, localPath: String, rows: Int64, sha256: String) {
    self.chunk = chunk
    self.key = key
    self.localPath = localPath
    self.rows = rows
    self.sha256 = sha256
  }
}

/// The keys of the rows that broke the contract: they are in the source, so a comparison must not delete them.
package enum QuarantinedKeys: Sendable, Equatable {
  case none
  /// At least one row's key cannot be read: nothing may be deleted.
  case unreadable
  /// The Parquet file of the quarantined rows, which has the table's key of each.
  case file(path: String)
}
