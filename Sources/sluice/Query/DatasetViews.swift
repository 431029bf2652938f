import Catalog
import Curation
import DuckDB

/// Each dataset of the catalog as a view.
enum DatasetViews {
  static func gather(_ installation: Installation) async throws -> [ConfinedQuery.View] {
    let all = try await OpenedParts.of(
      installation.catalog, installation.objects, pipeline: nil, dataset: nil)
    let datasets = Dictionary(grouping: all) { "\($0.snapshot.pipeline).\($0.snapshot.dataset)" }
    let names = Dictionary(grouping: datasets.keys) { datasets[$0]?.first?.snapshot.dataset ?? $0 }
    return try datasets.sorted { $0.key < $1.key }.flatMap { full, parts -> [ConfinedQuery.View] in
      guard let last = parts.last?.snapshot else { return [] }
      let body = try DatasetView.select(parts, installation.objects)
      let isUnique = names[last.dataset]?.count == 1
      return (isUnique ? [last.dataset, full] : [full]).map {
        ConfinedQuery.View(name: $0, select: body)
      }
    }
  }
}
