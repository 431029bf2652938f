import PipelineDefinition

/// Which snapshots of a table are loaded, in order, and which a newer full one makes superfluous.
///
/// A pure rule over the catalog's order and the ledger's UUIDs. Numbers are not compared: after a restore of the
/// control database they may be issued again.
package struct LoadOrder: Sendable, Equatable {
  /// Not in the ledger, and older than a full snapshot: they become ledger rows without being loaded, once that one is in.
  package var superseded: [SnapshotToLoad] = []
  /// Not in the ledger, oldest first. Each must be in before the next begins.
  package var pending: [SnapshotToLoad] = []
  /// Whether the snapshot that makes the others superfluous is the first of the pending ones.
  package var isSupersededByPending: Bool { pending.first?.isFull == true && !superseded.isEmpty }

  /// - Parameters:
  ///   - snapshots: All of the dataset, in the catalog's order.
  ///   - known: UUIDs that the ledger has, loaded or superseded.
  ///   - superseded: Those of them that are not in the table. A full one of these makes no other superfluous: it was left out, or a
  ///     newer one does.
  ///   - mode: `append` keeps every batch, so there nothing supersedes.
  package init(
    _ snapshots: [SnapshotToLoad], known: Set<String>, superseded notIn: Set<String> = [], mode: LoadTable.Mode
  ) {
    let newestFull = mode == .append ? nil : snapshots.lastIndex { $0.isFull && !notIn.contains($0.uuid) }
    for (index, snapshot) in snapshots.enumerated() where !known.contains(snapshot.uuid) {
      if let newestFull, index < newestFull {
        superseded.append(snapshot)
      } else {
        pending.append(snapshot)
      }
    }
  }
}
