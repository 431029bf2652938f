import Foundation

/// The project's own text files, found from where this test was compiled.
enum SourceTree {
  static let root: String = {
    // …/Tests/HouseRulesTests/SourceTree.swift
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .path
  }()

  /// What is built, fetched or left behind; nobody wrote it.
  private static let ignoredFolders: Set<String> = [".build", ".tools", ".demo", ".git", ".sluice", "__pycache__"]
  private static let extensions: Set<String> = [
    "swift", "sql", "md", "py", "sh", "yaml", "yml", "lock", "json", "h", "modulemap", "",
  ]

  /// Every text file, sorted by path. Read once.
  static let files: [SourceFile] = {
    guard let walker = FileManager.default.enumerator(atPath: root) else { return [] }
    var found: [SourceFile] = []
    while let path = walker.nextObject() as? String {
      let name = path.split(separator: "/").last.map(String.init) ?? path
      if ignoredFolders.contains(name) { walker.skipDescendants() }
      guard extensions.contains(URL(fileURLWithPath: name).pathExtension),
        let data = FileManager.default.contents(atPath: root + "/" + path),
        let text = String(data: data, encoding: .utf8)
      else { continue }
      found.append(SourceFile(path: path, text: text))
    }
    return found.sorted { $0.path < $1.path }
  }()

  /// Swift of the program itself: everything but tests.
  static var sources: [SourceFile] { files.filter { $0.module != nil && $0.pathExtension == "swift" } }

  /// Swift that others may build upon: neither the executable nor the support of tests.
  static var librarySources: [SourceFile] { sources.filter { !["sluice", "TestSupport"].contains($0.module) } }

  static func file(_ path: String) -> SourceFile? { files.first { $0.path == path } }
}
