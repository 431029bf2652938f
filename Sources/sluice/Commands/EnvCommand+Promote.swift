import ArgumentParser
import Catalog
import JobModel
import PipelineDefinition

struct EnvPromoteCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "promote", abstract: "Publish a dataset that an environment made to the environment that it is like.",
    discussion: """
      Its data files become a snapshot of the model, and its raw counts as curated there; nothing is computed again. It is refused (exit \
      code 3) where the definition, the raw or anything else differs that the rows were made from, and says what. The next run of the \
      pipeline loads it.
      """)

  @OptionGroup var options: ProjectOptions
  @Argument(help: "The environment.") var name: String
  @Option(help: "The dataset, such as orders or shop.orders.") var dataset: String

  func run() async throws {
    let project = try options.wholeProject()
    try await EnvironmentServer.with(project) { server in
      guard let copy = try CopyFile.usable(server.directory, environment: name) else {
        throw Refusal(
          code: "not_made_by_env_up", message: "env up made no environment \(name) here", hint: "sluice env list")
      }
      let own = try Project.load(directory: server.directory, environment: name, copy: copy)
      let model = try Project.load(directory: server.directory, environment: copy.model)
      try await Installation.with(own, logger: Logs.quiet, access: .reading) { copied in
        try await Installation.with(model, logger: Logs.quiet) { modelled in
          let (pipeline, dataset) = try await place(copied)
          let promotion = EnvironmentPromotion(copy: copied, model: modelled, pipeline: pipeline, dataset: dataset)
          tell(try await promotion.run(), promotion)
        }
      }
    }
  }

  /// The pipeline and the dataset that are meant.
  private func place(_ copy: Installation) async throws -> (pipeline: String, dataset: String) {
    let known = Set(
      try await copy.catalog.snapshots(pipeline: nil, dataset: nil).map { "\($0.pipeline).\($0.dataset)" })
    let meant = known.filter { $0 == dataset || $0.hasSuffix("." + dataset) }.sorted()
    guard meant.count == 1, let parts = meant.first?.split(separator: ".").map(String.init), parts.count == 2 else {
      throw StageFailure(
        code: "usage",
        message: meant.isEmpty
          ? "the environment \(name) has made no dataset \(dataset)"
          : "the dataset \(dataset) is one of \(meant.joined(separator: ", "))",
        hint: "sluice catalog --env \(name) lists them")
    }
    return (parts[0], parts[1])
  }

  private func tell(_ published: EnvironmentPromotion.Published?, _ promotion: EnvironmentPromotion) {
    let (name, model) = ("\(promotion.pipeline).\(promotion.dataset)", promotion.model.environment)
    let snapshot = published?.promotable.snapshot
    guard !options.json else {
      return Console.data(
        json: .object([
          ("dataset", .text(name)), ("model", .text(model)), ("published", .bool(published != nil)),
          ("snapshot", .optional(snapshot?.id)), ("number", .optional(published?.number)),
          ("rows", .optional(snapshot?.counts.rowsOut)), ("files", .optional(snapshot.map { Int64($0.files.count) })),
        ]))
    }
    guard let published, let snapshot else { return Console.data("\(model) has this snapshot of \(name) already") }
    Console.data(
      """
      published \(name) to \(model): snapshot \(published.number), \(snapshot.counts.rowsOut) rows in \(snapshot.files.count) file(s)
        the next run loads it: sluice run \(promotion.pipeline) --env \(model)
      """)
  }
}
