/// What a value of a definition may look like.
///
/// One tree of shapes serves the validation, the suggestions, the reference and the JSON Schema, so that none of
/// them can say something else than the others.
indirect enum Shape: Sendable {
  case text(TextFormat)
  case integer(ClosedRange<Int>)
  /// Never infinite, and bounded so that what is computed from it is not either.
  case number(ClosedRange<Double>)
  case boolean
  /// Any single value, kept as it was written.
  case scalar
  case choice([Choice])
  case list(Shape)
  /// A mapping whose keys the author names.
  case map(names: TextFormat, Shape)
  case object(ObjectShape)
  /// A mapping of one of several kinds; which one is told by the one key that only it has.
  case variants(VariantShape)
  /// Told apart by how the value is written: one value, a list or a mapping.
  case written([Shape])
  /// Accepted unread: a feature that comes later and whose form is its own issue's.
  case anything

  /// The one shape of a plain choice in which everything is supported.
  static func oneOf(_ values: String...) -> Shape { .choice(values.map { Choice($0) }) }

  static let name = Shape.text(.name)
  static let names = Shape.list(.text(.field))
}

/// Whether this version does what a key or a value asks for.
enum Support: Sendable, Equatable {
  case now
  /// Accepted by the format, answered with "not supported yet" and this way out.
  case later(String)

  var isLater: Bool { self != .now }
}

/// One value of a closed list.
struct Choice: Sendable {
  var value: String
  var support: Support

  init(_ value: String, _ support: Support = .now) {
    self.value = value
    self.support = support
  }

  static func later(_ value: String, _ wayOut: String) -> Choice { Choice(value, .later(wayOut)) }
}

/// A key with everything that is said about it anywhere.
struct KeyShape: Sendable {
  var name: String
  var shape: Shape
  /// One line of the reference; a sentence without its period.
  var summary: String
  var isRequired: Bool
  /// As it would be written; nil where there is none.
  var defaultText: String?
  /// A value as it would be written after the key.
  var example: String?
  var support: Support
  /// The record formats that the key belongs to; empty where it belongs to all.
  var recordFormats: [String] = []
}

extension KeyShape {
  static func key(
    _ name: String, _ shape: Shape, _ summary: String, default defaultText: String? = nil, example: String? = nil,
    recordFormats: [String] = []
  ) -> KeyShape {
    KeyShape(
      name: name, shape: shape, summary: summary, isRequired: false, defaultText: defaultText, example: example,
      support: .now, recordFormats: recordFormats)
  }

  static func required(_ name: String, _ shape: Shape, _ summary: String, example: String) -> KeyShape {
    KeyShape(
      name: name, shape: shape, summary: summary, isRequired: true, defaultText: nil, example: example, support: .now)
  }

  static func later(
    _ name: String, _ shape: Shape, _ summary: String, example: String? = nil, instead wayOut: String
  ) -> KeyShape {
    KeyShape(
      name: name, shape: shape, summary: summary, isRequired: false, defaultText: nil, example: example,
      support: .later(wayOut))
  }
}

/// A mapping with a closed set of keys.
struct ObjectShape: Sendable {
  var keys: [KeyShape]

  init(_ keys: [KeyShape]) { self.keys = keys }

  func key(_ name: String) -> KeyShape? { keys.first { $0.name == name } }
}

/// A mapping of one of several kinds.
struct VariantShape: Sendable {
  struct Variant: Sendable {
    /// The key that tells this kind.
    var key: String
    var shape: ObjectShape

    /// - Parameter shape: With the key that tells the kind among its keys.
    init(_ key: String, _ shape: ObjectShape) {
      precondition(shape.key(key) != nil, "the shape of a variant has its key")
      self.key = key
      self.shape = shape
    }
  }

  /// What the kinds are kinds of: "a source".
  var noun: String
  var variants: [Variant]

  init(_ noun: String, _ variants: [Variant]) {
    self.noun = noun
    self.variants = variants
  }

  /// The keys that tell the kinds of this version, for messages.
  var supportedKeys: [String] { variants.filter { $0.shape.key($0.key)?.support == .now }.map(\.key) }
}
