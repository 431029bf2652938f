/// What data an environment begins with that `sluice env up` makes.
package struct EnvironmentData: Sendable, Equatable, Codable {
  package enum Kind: String, Sendable, Codable, CaseIterable {
    case none
    /// The datasets of the model, without rows.
    case schema
    /// A part of the rows, masked.
    case sample
  }

  /// How many rows of each dataset that references no other one.
  package enum Amount: Sendable, Equatable, Codable {
    /// More than 0, at most 1.
    case share(Double)
    /// At least 1.
    case rows(Int)
  }

  package var kind: Kind
  /// Of a sample.
  package var amount: Amount?
  /// Whether its streams go on from the cursors of the model.
  package var hasCursors: Bool
  /// Of a sample with cursors: streams that some definition has made masked datasets of, as ``stream(_:of:)`` names them.
  package var maskedStreams: [String] = []

  package init(_ kind: Kind, amount: Amount? = nil, hasCursors: Bool = false) {
    self.kind = kind
    self.amount = amount
    self.hasCursors = hasCursors
  }

  package static func stream(_ reference: StreamReference, of pipeline: String) -> String { "\(pipeline)/\(reference)" }

  /// Whether both ask for the same, whatever was found when one of them was made.
  package func asks(like other: EnvironmentData) -> Bool {
    kind == other.kind && amount == other.amount && hasCursors == other.hasCursors
  }
}
