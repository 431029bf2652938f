import JobModel

/// Secrets and the installation's state are no data of a source. The worker refuses them too, since a variable or a link may
/// lead to them.
extension Project {
  mutating func refuseWithheldSources() {
    let withheld = [settings.secretsDirectory, ".sluice"].map { parts(of: path($0)) }
      .filter { !parts(of: directory).starts(with: $0) }
    let resolver = ValueResolver(
      environment: { _ in nil }, secret: { _ in nil }, placeholders: ["env": environment])
    for index in definitions.indices {
      for source in definitions[index].pipeline?.sources ?? [] {
        guard case .files(let files) = source.kind, let location = try? files.at.resolved(with: resolver),
          let root = LocationText.path(of: location)
        else { continue }
        for stream in source.streams {
          let head = LocationText.literalHead(ofGlob: stream.match ?? "")
          let place = parts(of: path(root) + "/" + head)
          guard withheld.contains(where: { place.starts(with: $0) }) else { continue }
          definitions[index].diagnostics.append(
            Diagnostic(
              code: "source_private", place: stream.place,
              message: "\(source.name).\(stream.name): \(LocationText.withheldMessage)",
              suggestion: LocationText.withheldHint))
          definitions[index].pipeline = nil
        }
      }
    }
  }

  private func parts(of path: String) -> [ExactText] {
    path.pathParts.filter { !$0.isEmpty && !$0.isExactly(".") }.map { ExactText($0) }
  }
}
