import FoundationEssentials

/// What the comment of a database says that `sluice env up` made: the only register of environments.
///
/// It exists exactly as long as the database does, can be read without connecting to it, and cannot be lost alone.
package struct EnvironmentMarker: Sendable, Equatable, Codable {
  package enum Kind: String, Sendable, Codable {
    case environment
    /// An empty database with the schema, from which environments are cloned.
    case template
  }
  package enum State: String, Sendable, Codable { case ready, removing }

  package var sluice: Kind
  /// The control database that it was made next to.
  package var owner: String
  package var name: String
  package var model: String
  package var scale: Double
  /// Drawn for this one database; its storage has it too.
  package var token: String
  package var storage: String
  /// Who made it.
  package var by: String
  package var folder: String
  /// In seconds since 1970, by the database's clock.
  package var made: Int64
  /// Nil: never.
  package var expires: Int64?
  /// In seconds.
  package var ttl: Int64?
  package var isProtected: Bool
  /// Whether it was in use when it expired, and got its one extension.
  package var isExtended: Bool
  package var state: State
  /// When a sweep found for the first time that its time is over; nil: it is not, or none has looked.
  package var due: DueNotice?

  package init(
    _ sluice: Kind, owner: String, name: String, model: String = "", scale: Double = 1, token: String,
    storage: String = "", by: String, folder: String, made: Int64, ttl: Int64? = nil
  ) {
    self.sluice = sluice
    self.owner = owner
    self.name = name
    self.model = model
    self.scale = scale
    self.token = token
    self.storage = storage
    self.by = by
    self.folder = folder
    self.made = made
    self.ttl = ttl
    expires = ttl.map { made + $0 }
    isProtected = false
    isExtended = false
    state = .ready
  }

  /// Nil for a comment that is no marker.
  package init?(comment: String?) {
    guard let comment, comment.utf8.first == UInt8(ascii: "{"),
      let marker = try? JSONDecoder().decode(EnvironmentMarker.self, from: Data(comment.utf8))
    else { return nil }
    self = marker
  }

  package func comment() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(self), as: UTF8.self)
  }

  /// A moment by the database's clock and by one that no one can set.
  package struct DueNotice: Sendable, Equatable, Codable {
    package var at: Int64
    /// Which start of which machine the uptime is of.
    package var boot: String
    /// In seconds.
    package var uptime: Int64

    package init(at: Int64, boot: String, uptime: Int64) {
      self.at = at
      self.boot = boot
      self.uptime = uptime
    }
  }

  /// How long it stays when its time is over, in seconds: a clock that was set wrongly can be set right before anything is lost.
  package var graceSeconds: Int64 { max(60, min(3600, (ttl ?? 0) / 8)) }

  /// Whether its grace is over. Where the machine is the same, the database's clock does not count.
  package func isGraceOver(_ now: DueNotice) -> Bool {
    guard let due else { return false }
    let passed = due.boot == now.boot ? now.uptime - due.uptime : now.at - due.at
    return passed >= graceSeconds
  }

  /// Whether its time is over.
  package func isDue(at now: Int64) -> Bool { !isProtected && expires.map { now >= $0 } ?? false }
}
