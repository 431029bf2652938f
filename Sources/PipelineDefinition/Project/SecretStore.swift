import FoundationEssentials

/// Finds the secrets that a definition names: first in the environment, then as files of one directory.
///
/// Values are read at each use and kept nowhere; they appear in no error and no log.
package struct SecretStore: Sendable {
  /// Files larger than this are no secrets; reading one would only hide a mistake.
  package static let maximumBytes = 64 * 1024

  private let directory: String?
  private let environment: @Sendable (String) -> String?
  /// The environment that was made by `env up`: it has secrets of its own, and none of any other environment.
  private let copy: String?
  /// Variables of Sluice itself, with secrets and URLs of the installation.
  private static let ownVariables = "SLUICE_"

  /// - Parameters:
  ///   - directory: Absolute; nil where there are no secret files.
  ///   - environment: The process's environment by default.
  ///   - copy: The environment's name, where `sluice env up` made it.
  package init(
    directory: String?, environment: @escaping @Sendable (String) -> String? = SecretStore.processEnvironment,
    copy: String? = nil
  ) {
    self.directory = directory
    self.environment = environment
    self.copy = copy
  }

  package static let processEnvironment: @Sendable (String) -> String? = { ProcessInfo.processInfo.environment[$0] }

  /// The environment variable that holds a secret: `SLUICE_SECRET_SHOP_READONLY` for `shop/readonly`.
  package static func variable(for name: String) -> String {
    let letters = name.unicodeScalars.map { scalar -> String in
      let isPlain = scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
      return isPlain ? String(scalar).uppercased() : "_"
    }
    return "SLUICE_SECRET_" + letters.joined()
  }

  /// The value of a secret, or nil where nobody has it.
  ///
  /// - Throws: ``DefinitionError`` `secret_name` for a name that leads out of the directory, `secret_unreadable`
  ///   for a file that is there and cannot be read as text.
  package func secret(_ name: String) throws -> String? {
    guard Self.isValid(name: name) else {
      throw DefinitionError(
        code: "secret_name", message: "the secret name \"\(name)\" leads out of the secrets directory",
        hint: "use letters, digits, _, -, . and / between the parts of the name")
    }
    guard let copy else { return try value(of: name) }
    let own = EnvironmentCopy.secretsPrefix + name
    if let value = try value(of: own) { return value }
    throw DefinitionError(
      code: "secret_withheld",
      message: "the environment \"\(copy)\" has no secret \"\(name)\"; it reads none of other environments",
      hint: "for all environments that env up made: set \(Self.variable(for: own)), or write the file secrets/\(own)")
  }

  private func variable(_ name: String) -> String? {
    copy != nil && name.hasPrefix(Self.ownVariables) ? nil : environment(name)
  }

  private func value(of name: String) throws -> String? {
    if let value = environment(Self.variable(for: name)) { return value }
    guard let directory else { return nil }
    let path = directory + "/" + name
    var isDirectory = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), !isDirectory else { return nil }
    guard let data = FileManager.default.contents(atPath: path), data.count <= Self.maximumBytes,
      let text = String(validating: data, as: UTF8.self)
    else {
      throw DefinitionError(
        code: "secret_unreadable", message: "the file of the secret \"\(name)\" cannot be read as text",
        hint: "check \(path): its permissions, UTF-8, at most \(Self.maximumBytes / 1024) KiB")
    }
    return text.last?.isNewline == true ? String(text.dropLast()) : text
  }

  /// Fills in variables and secrets; ``ValueResolver/adding(_:)`` adds the placeholders of a run.
  package func resolver(placeholders: [String: String] = [:]) -> ValueResolver {
    ValueResolver(environment: { variable($0) }, secret: { try secret($0) }, placeholders: placeholders)
  }

  /// Letters, digits and `_ - .` in parts separated by `/`; no part begins with a dot.
  package static func isValid(name: String) -> Bool {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    return parts.allSatisfy { part in
      !part.isEmpty && !part.hasPrefix(".")
        && part.utf8.allSatisfy { NameText.isWord($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") }
    }
  }
}
