import JobModel

/// A text of the definition that may name an environment variable, a secret or a placeholder:
/// `${VAR}`, `secret:NAME` (the whole value), `{cursor}`, `{env}`, `{run}`, `{STREAM.FIELD}`.
///
/// Kept unresolved in the definition; resolved by the process that does the work, so that no secret is
/// ever stored with a release.
package struct ValueTemplate: Sendable, Equatable {
  package enum Part: Sendable, Equatable {
    case literal(String)
    case environment(String)
    case secret(String)
    case placeholder(String)
  }

  package var parts: [Part]
  package var place: Place

  package init(parts: [Part], place: Place = .unknown) {
    self.parts = parts
    self.place = place
  }

  package init(literal: String) { self.init(parts: [.literal(literal)]) }

  /// Whether it is `{until}`: the end of a backfill's range, and nothing in other runs.
  package var isUntil: Bool { parts == [.placeholder("until")] }
  package var mentionsCursor: Bool { parts.contains(.placeholder("cursor")) }
  package var isSecret: Bool { parts.contains { if case .secret = $0 { true } else { false } } }

  /// The text as it was written.
  package var source: String {
    parts.map { part in
      switch part {
      case .literal(let text): text
      case .environment(let name): "${\(name)}"
      case .secret(let name): "secret:\(name)"
      case .placeholder(let name): "{\(name)}"
      }
    }.joined()
  }

  /// Fills in every part.
  ///
  /// - Throws: ``TemplateError`` naming the variable, secret or placeholder that is missing, and its place.
  package func resolved(with resolver: ValueResolver) throws -> String {
    var text = ""
    for part in parts {
      switch part {
      case .literal(let literal): text += literal
      case .environment(let name):
        guard let value = resolver.environment(name) else {
          throw TemplateError(missing: .environment, name: name, place: place)
        }
        text += value
      case .secret(let name):
        guard let value = try resolver.secret(name) else {
          throw TemplateError(missing: .secret, name: name, place: place)
        }
        text += value
      case .placeholder(let name):
        guard let value = resolver.placeholders[name] else {
          throw TemplateError(missing: .placeholder, name: name, place: place)
        }
        text += value
      }
    }
    return text
  }
}

/// What a process can fill into a ``ValueTemplate``.
package struct ValueResolver: Sendable {
  package var environment: @Sendable (String) -> String?
  package var secret: @Sendable (String) throws -> String?
  package var placeholders: [String: String]

  package init(
    environment: @escaping @Sendable (String) -> String?, secret: @escaping @Sendable (String) throws -> String?,
    placeholders: [String: String] = [:]
  ) {
    self.environment = environment
    self.secret = secret
    self.placeholders = placeholders
  }

  /// Secrets as a program finds them in its environment, by the variable's name.
  ///
  /// - Throws: ``TemplateError`` naming the secret that is missing.
  package func variables(ofSecrets names: [String], at place: Place) throws -> [String: String] {
    var variables: [String: String] = [:]
    for name in names {
      guard let value = try secret(name) else { throw TemplateError(missing: .secret, name: name, place: place) }
      variables[SecretStore.variable(for: name)] = value
    }
    return variables
  }

  package func adding(_ more: [String: String]) -> ValueResolver {
    var copy = self
    copy.placeholders.merge(more) { _, new in new }
    return copy
  }
}

/// A part of a template that this process cannot fill in.
package struct TemplateError: Failure, Equatable {
  package enum Kind: String, Sendable { case environment, secret, placeholder }
  package var missing: Kind
  package var name: String
  package var place: Place

  package init(missing: Kind, name: String, place: Place) {
    self.missing = missing
    self.name = name
    self.place = place
  }

  package var code: String { "\(missing.rawValue)_missing" }
  package var at: String? { place.description }
  package var isTransient: Bool { false }

  package var message: String {
    switch missing {
    case .environment: "\(place): the environment variable \(name) is not set in this process"
    case .secret: "\(place): the secret \"\(name)\" is not known to this process"
    case .placeholder: "\(place): {\(name)} has no value here"
    }
  }

  package var hint: String? {
    switch missing {
    case .environment: "set it, or write the value"
    case .secret: "set \(SecretStore.variable(for: name)), or write the file secrets/\(name)"
    case .placeholder: "known are {cursor}, {until}, {env} and {run}"
    }
  }
}
