import JobModel

/// Values of a cursor: from the first, up to the last without it.
package struct CursorRange: Sendable, Hashable {
  package var from: String
  package var to: String

  package init(from: String, to: String) {
    self.from = from
    self.to = to
  }
}

extension Pipeline {
  /// The streams that a backfill would read: the named one, or every one that has a cursor and that a run pulls.
  ///
  /// - Parameter name: `source.stream`, or the stream alone where no other source has one of that name.
  /// - Throws: ``DefinitionError``: there is no such stream, it has no cursor, or its requests do not mention it.
  package func backfillStreams(named name: String? = nil) throws -> [(StreamReference, Stream)] {
    guard let name else {
      let all = pulledStreams.filter { canBackfill($0.0, $0.1) == nil }
      guard all.isEmpty else { return all }
      throw DefinitionError(
        code: "no_cursor", message: "no stream of the pipeline \(self.name) has a cursor that its requests mention",
        hint: "a run reads everything there is: sluice run \(self.name)", at: place.description)
    }
    let named = allStreams.filter { $0.0.description == name || $0.0.stream == name }
    guard let (reference, stream) = named.first, named.count == 1 else {
      throw DefinitionError(
        code: "unknown_stream",
        message: named.isEmpty
          ? "the pipeline \(self.name) has no stream \"\(name)\"" : "several sources have a stream \"\(name)\"",
        hint: "it has \(allStreams.map(\.0.description).joined(separator: ", "))")
    }
    if let error = canBackfill(reference, stream) { throw error }
    return [(reference, stream)]
  }

  /// nil: a range of it can be read.
  private func canBackfill(_ reference: StreamReference, _ stream: Stream) -> DefinitionError? {
    guard stream.cursor != nil else {
      return DefinitionError(
        code: "no_cursor", message: "the stream \(reference) has no cursor, so there is no range of it to read",
        hint: "a run reads everything there is: sluice run \(name)", at: stream.place.description)
    }
    let templates = stream.request.map { [$0.path] + $0.query.map(\.value) + [$0.body].compactMap { $0 } } ?? []
    guard !templates.contains(where: \.mentionsCursor) else { return nil }
    return DefinitionError(
      code: "no_cursor", message: "no request of the stream \(reference) mentions {cursor}: it reads everything",
      hint: "send it, as in query: {updated_since: \"{cursor}\"}", at: stream.place.description)
  }

  /// The datasets that read any of these streams.
  package func datasets(reading streams: [StreamReference]) -> [CurateStep] {
    curate.filter { !Set($0.from).isDisjoint(with: streams) }
  }

  /// A table that such a backfill would spoil, for it does not merge; nil where there is none.
  package func tableWithoutMerge(of datasets: [CurateStep]) -> (target: String, table: LoadTable)? {
    let names = Set(datasets.map(\.name))
    for target in load {
      if let table = target.tables.first(where: { names.contains($0.from) && $0.mode != .merge }) {
        return (target.name, table)
      }
    }
    return nil
  }

  /// The jobs of a backfill: an ingest for each range, one for each stream that is read in full and that a dataset needs
  /// beside it, and what follows from these. Its class is behind that of every run.
  package func backfillPlan(_ ranges: [(StreamReference, CursorRange)]) -> RunPlan {
    let steps = datasets(reading: ranges.map(\.0))
    let needed = Set(steps.flatMap(\.from)).subtracting(ranges.map(\.0))
    let full = allStreams.filter { needed.contains($0.0) && $0.1.read == .full }
    return plan(ranges.map { ($0.0, $0.1) } + full.map { ($0.0, nil) }, steps: steps, urgencyClass: 1001 - priority)
  }
}
