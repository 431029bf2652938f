import AsyncHTTPClient
import DuckDB
import FoundationEssentials
import Ingestion
import JobModel
import Loading
import NIOCore
import NIOHTTP1
import PipelineDefinition

/// Tests the connection of one source or target.
struct ConnectionDoctor {
  /// Shared by all examinations, and never shut down.
  private static let client = HTTPClient.forSources()

  let project: Project

  /// - Throws: ``StageFailure`` `usage` where no pipeline has a source or a target of this name.
  func examine(_ name: String) async throws -> ([DoctorCommand.Check], grants: String?) {
    let resolver = project.secretStore.resolver(placeholders: ["env": project.environment])
    for pipeline in project.pipelines {
      if let target = pipeline.load.first(where: { $0.name == name }) {
        guard let copy = project.copy else { return try await target.examined(resolver) }
        let detail = "the environment \(copy.name) loads into its own database, \(copy.database)"
        return ([DoctorCommand.Check(name: name, ok: true, detail: detail, fix: nil)], nil)
      }
      if let source = pipeline.source(named: name) { return (try await examine(source, resolver), nil) }
    }
    let known = project.pipelines.flatMap { $0.sources.map(\.name) + $0.load.map(\.name) }
    throw StageFailure(
      code: "usage", message: "no pipeline has a source or a target \(name)",
      hint: "known are: \(Array(Set(known)).sorted().joined(separator: ", "))")
  }

  private func examine(_ source: Source, _ resolver: ValueResolver) async throws -> [DoctorCommand.Check] {
    switch source.kind {
    case .files(let files):
      let at = try files.at.resolved(with: resolver)
      let path = at.hasPrefix("file:") ? String(at.dropFirst(5)) : at
      let full = path.hasPrefix("/") ? path : project.directory + "/" + path
      let isReadable = FileManager.default.isReadableFile(atPath: full)
      return [
        DoctorCommand.Check(
          name: source.name, ok: isReadable, detail: full, fix: "make the directory, or let this user read it")
      ]
    case .http(let http):
      let url = try http.baseURL.resolved(with: resolver)
      guard WebAddress.isUsable(url) else {
        return [
          DoctorCommand.Check(
            name: source.name, ok: false, detail: "base_url is no http or https URL",
            fix: "write base_url as https://host; a port is a number from 1 to 65535")
        ]
      }
      var request = HTTPClientRequest(url: url)
      request.method = .HEAD
      do {
        // Follows no redirect: the client would trust where it leads.
        let response = try await Self.client.execute(request, timeout: .seconds(10))
        return [
          DoctorCommand.Check(
            name: source.name, ok: true, detail: "answers (status \(response.status.code) to HEAD of its base URL)")
        ]
      } catch {
        return [
          DoctorCommand.Check(
            name: source.name, ok: false, detail: "does not answer (\(type(of: error)))",
            fix: "check base_url, the network and the certificate")
        ]
      }
    }
  }
}

extension LoadTarget {
  fileprivate func examined(_ resolver: ValueResolver) async throws -> ([DoctorCommand.Check], grants: String?) {
    switch kind {
    case .postgres(let url):
      let target = PostgresTarget(
        name: name, url: try url.resolved(with: resolver), duckDB: try DuckDB.locate(), directory: "/tmp")
      let diagnosis = await target.diagnose(tables)
      let checks = diagnosis.checks.map {
        DoctorCommand.Check(name: $0.name, ok: $0.ok, detail: $0.detail, fix: $0.fix)
      }
      return (checks, diagnosis.grants)
    }
  }
}
