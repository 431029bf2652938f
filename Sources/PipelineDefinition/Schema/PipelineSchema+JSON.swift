extension PipelineSchema {
  /// The JSON Schema (draft 2020-12) of a pipeline file, for editors; the committed copy is
  /// `docs/pipeline.schema.json`.
  ///
  /// It says what an editor can say: keys, kinds of values, closed lists. What must fit together is said by
  /// ``PipelineParser``.
  package static func json() -> String {
    var schema = JSONText.object([
      ("$schema", .text("https://json-schema.org/draft/2020-12/schema")), ("title", .text("Sluice pipeline")),
    ])
    schema.merge(Shape.object(pipeline).jsonSchema)
    return schema.formatted() + "\n"
  }

}

extension Shape {
  /// What JSON Schema says of the shape.
  fileprivate var jsonSchema: JSONText {
    switch self {
    case .text(let format): return format.jsonSchema
    case .integer(let range):
      let bound: [(String, JSONText)] = range.upperBound == .max ? [] : [("maximum", .number(range.upperBound))]
      return .object([("type", .text("integer")), ("minimum", .number(range.lowerBound))] + bound)
    case .number(let range):
      return .object([
        ("type", .text("number")), ("minimum", .decimal(range.lowerBound)),
        ("maximum", .decimal(range.upperBound)),
      ])
    case .boolean: return .object([("type", .text("boolean"))])
    case .scalar: return .object([("type", .list(["string", "number", "boolean"].map { .text($0) }))])
    case .choice(let choices): return .object([("enum", .list(choices.map { .text($0.value) }))])
    case .list(let element):
      return .object([("type", .text("array")), ("minItems", .number(1)), ("items", element.jsonSchema)])
    case .map(let names, let value):
      var schema = JSONText.object([("type", .text("object"))])
      if let pattern = names.pattern { schema.append("propertyNames", .object([("pattern", .text(pattern))])) }
      schema.append("additionalProperties", value.jsonSchema)
      return schema
    case .object(let object): return object.jsonSchema(requiring: nil)
    case .variants(let shape):
      return .object([("oneOf", .list(shape.variants.map { $0.shape.jsonSchema(requiring: $0.key) }))])
    case .written(let shapes): return .object([("anyOf", .list(shapes.map(\.jsonSchema)))])
    case .anything: return .object([])
    }
  }
}

extension ObjectShape {
  /// - Parameter kind: The key that tells the kind of a variant; it is then required too.
  fileprivate func jsonSchema(requiring kind: String?) -> JSONText {
    let properties = keys.map { key -> (String, JSONText) in
      var schema = key.shape.jsonSchema
      var description = key.summary
      if let text = key.defaultText { description += ". Default: \(text)" }
      if key.support.isLater { description += ". Not supported yet" }
      schema.append("description", .text(description))
      return (key.name, schema)
    }
    let required = keys.filter { $0.isRequired || $0.name == kind }.map { JSONText.text($0.name) }
    var schema = JSONText.object([("type", .text("object")), ("properties", .object(properties))])
    if !required.isEmpty { schema.append("required", .list(required)) }
    schema.append("additionalProperties", .boolean(false))
    return schema
  }
}

extension TextFormat {
  fileprivate var jsonSchema: JSONText {
    let types =
      takesAnyScalar ? ["string", "number", "boolean"] : self == .retryStatus ? ["string", "integer"] : ["string"]
    var schema = JSONText.object([("type", types.count == 1 ? .text(types[0]) : .list(types.map { .text($0) }))])
    if let pattern { schema.append("pattern", .text(pattern)) }
    return schema
  }

  /// A pattern that every text of the format matches; nil where none is worth saying.
  fileprivate var pattern: String? {
    switch self {
    case .duration: "^[0-9]+(ms|s|m|h|d)$"
    case .cursorLimit: "^now(\\+[0-9]+(ms|s|m|h|d))?$"
    case .byteCount: "^[0-9.]+(B|[kK]B|MB|GB|TB|[KMGT]iB)$"
    case .byteRate: "^[0-9.]+(B|[kK]B|MB|GB|TB|[KMGT]iB)/s$"
    case .share: "^[0-9.]+%$"
    case .change: "^[+-]?[0-9.]+%\\.\\.[+-]?[0-9.]+%$"
    case .clock: "^[0-2][0-9]:[0-5][0-9]$"
    case .timeZone: "^(UTC|[A-Z].*/.+)$"
    case .name: "^[a-z][a-z0-9_]*$"
    case .pipelineName, .environmentName: "^[a-z][a-z0-9_-]*$"
    case .table: "^([A-Za-z_][A-Za-z0-9_]*\\.)?[A-Za-z_][A-Za-z0-9_]*$"
    case .stream: "^[^.]+\\..+$"
    case .reference: "^[a-z][a-z0-9_]* *\\(.+\\)$"
    case .jsonPath, .jsonField: "^\\$"
    default: nil
    }
  }
}
