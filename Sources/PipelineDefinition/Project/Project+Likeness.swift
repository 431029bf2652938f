/// Whether two projects say the same, wherever in their files it stands and whatever is commented.
extension Project {
  /// Whether a pipeline pulls, curates and loads as in another project; who is told, when it runs and how it is deployed do not
  /// count.
  package func works(_ pipeline: String, like other: Project) -> Bool {
    guard pulls(pipeline, like: other), isSame("load", of: pipeline, as: other) else { return false }
    let datasets = [self, other].map { project in
      Set(project.pipelines.first { $0.name == pipeline }?.curate.map(\.name) ?? [])
    }
    return datasets[0] == datasets[1] && datasets[0].allSatisfy { makes($0, of: pipeline, like: other) }
  }

  /// Whether a pipeline reads its sources as in another project.
  package func pulls(_ pipeline: String, like other: Project) -> Bool {
    isSame("sources", of: pipeline, as: other) && isSame("raw", of: pipeline, as: other)
  }

  /// Whether a dataset is made as in another project: from the same streams, by the same SQL and contract.
  package func makes(_ dataset: String, of pipeline: String, like other: Project) -> Bool {
    guard let mine = definition(of: pipeline)?["curate"]?[dataset],
      let theirs = other.definition(of: pipeline)?["curate"]?[dataset], mine.says(theirs)
    else { return false }
    guard let path = mine["sql"]?.text else { return true }
    return bundle[path: path] == other.bundle[path: path]
  }

  private func isSame(_ key: String, of pipeline: String, as other: Project) -> Bool {
    guard let mine = definition(of: pipeline), let theirs = other.definition(of: pipeline) else { return false }
    switch (mine[key], theirs[key]) {
    case (nil, nil): return true
    case (let left?, let right?): return left.says(right)
    default: return false
    }
  }

  private func definition(of pipeline: String) -> YAMLNode? {
    let path = "\(Self.pipelinesFolder)/\(pipeline).yaml"
    guard let text = bundle[path: path].flatMap({ String(validating: $0, as: UTF8.self) }) else { return nil }
    return PipelineParser.merged(text: text, file: path, environment: overlay)
  }
}

extension YAMLNode {
  /// The order of keys counts: of columns, streams and tables it has a meaning.
  fileprivate func says(_ other: YAMLNode) -> Bool {
    switch (content, other.content) {
    case (.sequence(let left), .sequence(let right)):
      left.count == right.count && zip(left, right).allSatisfy { $0.says($1) }
    case (.mapping(let left), .mapping(let right)):
      left.count == right.count && zip(left, right).allSatisfy { $0.key == $1.key && $0.value.says($1.value) }
    case (.scalar(let left), .scalar(let right)): left.text == right.text && left.kind == right.kind
    case (.null, .null): true
    default: false
    }
  }
}

extension Pipeline {
  /// Whether a dataset is loaded into as many tables as in another pipeline, with the same keys: they decide which rows are bad.
  package func loads(_ dataset: String, like other: Pipeline) -> Bool {
    func keys(_ pipeline: Pipeline) -> [[String]] {
      pipeline.load.flatMap(\.tables).filter { $0.from == dataset }.map { $0.mode == .merge ? $0.key : [] }
    }
    return keys(self) == keys(other)
  }
}

extension Stream {
  /// Whether its raw objects are read as those of another stream: what it asks its source for does not count.
  package func reads(like other: Stream) -> Bool {
    records == other.records && columns == other.columns && key == other.key && read == other.read
      && cursor?.field == other.cursor?.field
  }

  /// Whether its raw objects give the same rows, of which the same are the newest and the same are bad.
  package func gives(like other: Stream) -> Bool {
    reads(like: other) && cursor?.type == other.cursor?.type && maximumRecordBytes == other.maximumRecordBytes
      && cursor?.sourceTimezone == other.cursor?.sourceTimezone && fixesColumns == other.fixesColumns
  }
}
