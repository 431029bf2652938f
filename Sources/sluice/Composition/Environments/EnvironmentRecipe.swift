import PipelineDefinition

/// What an environment is made with, apart from its model and scale: `env reset` makes it again with the same.
struct EnvironmentRecipe: Codable, Equatable {
  /// In seconds; nil: it stays until it is removed.
  var ttl: Int64?
  /// Nil: those of the project folder, as they are at any time.
  var definition: EnvironmentDefinition?
  /// Nil: it begins without data.
  var data: EnvironmentData?
}
