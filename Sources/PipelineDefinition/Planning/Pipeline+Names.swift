/// Names of the definition that the fields of its streams do not have.
extension Pipeline {
  /// The fields that a stream has, as far as they are known before a run; nil: they are not.
  ///
  /// - Parameter earlier: The fields that earlier runs found.
  package func fields(of reference: StreamReference, earlier: [StreamReference: [String]] = [:]) -> [String]? {
    guard let stream = stream(reference) else { return nil }
    let declared = stream.columns.map(\.name)
    if stream.fixesColumns, case .csv = stream.records { return declared }
    guard let found = earlier[reference], !found.isEmpty else { return nil }
    return found + declared
  }

  /// What the streams' fields, as far as they are known, do not fit: keys, cursors, and the names of datasets without a SELECT.
  ///
  /// Not part of parsing: a definition that an earlier engine accepted stays readable, because its runs go on with it.
  package func unknownNames(earlier: [StreamReference: [String]] = [:]) -> [Diagnostic] {
    var found: [Diagnostic] = []
    for (reference, stream) in allStreams {
      guard let fields = fields(of: reference, earlier: earlier) else { continue }
      let names = stream.key + (stream.cursor.map { [$0.field] } ?? [])
      found += names.compactMap { unknown($0, among: fields, of: reference, at: stream.place) }
    }
    for step in curate where step.sqlPath == nil && step.from.count == 1 {
      guard let fields = fields(of: step.from[0], earlier: earlier) else { continue }
      guard step.columns.isEmpty else {
        found += step.columns.filter { !$0.optional }.compactMap {
          unknown($0.name, among: fields, of: step.from[0], at: $0.place, isContract: true)
        }
        continue
      }
      for check in step.checks {
        guard case .unique(let names) = check.rule else { continue }
        found += names.compactMap { unknown($0, among: fields, of: step.from[0], at: check.place) }
      }
      for name in step.key + step.partitionBy.map(\.column) + step.files.sort {
        found += [unknown(name, among: fields, of: step.from[0], at: step.place)].compactMap { $0 }
      }
      for table in load.flatMap(\.tables) where table.from == step.name {
        found += table.key.compactMap { unknown($0, among: fields, of: step.from[0], at: table.place) }
      }
    }
    return found
  }

  private func unknown(
    _ name: String, among fields: [String], of stream: StreamReference, at place: Place, isContract: Bool = false
  ) -> Diagnostic? {
    guard !fields.contains(where: { $0.lowercased() == name.lowercased() }) else { return nil }
    return Diagnostic(
      code: "unknown_column", place: place, message: "the stream \"\(stream)\" has no field \"\(name)\"",
      suggestion: Spelling.didYouMean(name, among: fields)
        ?? (isContract ? "write optional: true where it may be absent; " : "") + Self.listing(fields))
  }

  /// `fields: a, b, c`, the first of them where there are many.
  package static func listing(_ fields: [String]) -> String {
    let shown = fields.prefix(20).joined(separator: ", ")
    return "fields: \(shown)" + (fields.count > 20 ? ", …" : "")
  }
}
