import Postgres

/// A project folder, as the control database that belongs to it knows it.
package struct ProjectFolder: Sendable, Equatable {
  /// Also in the folder's own file.
  package var identity: String
  package var environment: String
  /// Where it was seen last.
  package var folder: String
  package var host: String
  /// Device and number of the folder with the file of the identity: a copy has another.
  package var inode: String

  package init(identity: String, environment: String, folder: String, host: String, inode: String) {
    self.identity = identity
    self.environment = environment
    self.folder = folder
    self.host = host
    self.inode = inode
  }

  fileprivate var values: [PostgresValue] { [identity, environment, folder, host, inode].map { .text($0) } }
}

extension Catalog {
  /// The folder that this database belongs to; nil where none has claimed it.
  ///
  /// - Source: `project_folder_find.sql`.
  package func projectFolder() async throws -> ProjectFolder? {
    try await database.query(Statement.projectFolderFind, []).first.map {
      ProjectFolder(
        identity: try $0.string("identity"), environment: try $0.string("environment"),
        folder: try $0.string("folder"), host: try $0.string("host"), inode: try $0.string("inode"))
    }
  }

  /// Gives this database to a folder where it belongs to none. False where another was faster.
  ///
  /// - Source: `project_folder_claim.sql`.
  package func claim(for folder: ProjectFolder) async throws -> Bool {
    try await !database.query(Statement.projectFolderClaim, folder.values).isEmpty
  }

  /// Gives this database from one folder to another. False where it no longer belongs to the first.
  ///
  /// - Source: `project_folder_move.sql`.
  package func move(from old: ProjectFolder, to new: ProjectFolder) async throws -> Bool {
    try await !database.query(
      Statement.projectFolderMove, new.values + [.text(old.identity), .text(old.inode)]
    ).isEmpty
  }
}
