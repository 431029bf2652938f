import JobModel
import Records

/// One line of a trace file, taken apart and checked value by value.
final class TraceLine {
  enum Field: String, CaseIterable {
    case trace, seconds
    case startSeconds = "start_seconds"
    case memoryGB = "memory_gb"
    case checkpointSeconds = "checkpoint_seconds"
    case graceSeconds = "grace_seconds"
    case maxWorkers = "max_workers"
    case slots, at, kind, deadline
    case predictedSeconds = "predicted_seconds"
    case predictedMemoryGB = "predicted_memory_gb"
    case event, count

    var isText: Bool { self == .trace || self == .kind || self == .event }
  }

  private static let fields = Field.allCases
  /// Compared as bytes, without making a string of each name of a line.
  private static let names = Field.allCases.map { Array($0.rawValue.utf8) }

  private var numbers = [Double?](repeating: nil, count: fields.count)
  private var texts = [String?](repeating: nil, count: fields.count)
  private var seen = [Bool](repeating: false, count: fields.count)
  /// Fields that the format does not have, of this line.
  private(set) var unknown: [String] = []

  /// - Throws: ``TraceFault``
  func read(_ bytes: UnsafeBufferPointer<UInt8>) throws {
    for index in seen.indices {
      (numbers[index], texts[index], seen[index]) = (nil, nil, false)
    }
    unknown = []
    do { try reader.read(bytes) } catch let error as RecordError { throw TraceFault(error.message) }
  }

  private lazy var reader = JSONObjectReader { [unowned self] name, kind, text in
    guard let index = Self.names.firstIndex(where: { $0.elementsEqual(name) }) else {
      unknown.append(String(decoding: name.prefix(100), as: UTF8.self))
      return
    }
    let field = Self.fields[index]
    guard !seen[index] else { throw TraceFault("\(field.rawValue) stands twice") }
    seen[index] = true
    // As a Python program writes what is not there.
    guard kind != .null else { return }
    if field.isText {
      guard kind == .string else { throw TraceFault("\(field.rawValue) must be a text") }
      guard text.count <= ScalingTrace.Bounds.nameBytes else {
        throw TraceFault("\(field.rawValue) is longer than \(ScalingTrace.Bounds.nameBytes) bytes")
      }
      texts[index] = String(decoding: text, as: UTF8.self)
    } else {
      guard kind == .number, let number = Double(String(decoding: text.prefix(100), as: UTF8.self)) else {
        throw TraceFault("\(field.rawValue) must be a number")
      }
      numbers[index] = number
    }
  }

  func has(_ field: Field) -> Bool { seen[position(field)] }

  func text(_ field: Field) throws -> String {
    guard let text = texts[position(field)] else { throw TraceFault("\(field.rawValue) is missing") }
    guard !text.isEmpty else { throw TraceFault("\(field.rawValue) is empty") }
    return text
  }

  func optional(_ field: Field, _ range: ClosedRange<Double>) throws -> Double? {
    guard let number = numbers[position(field)] else { return nil }
    // An overflow reads as infinite, which is outside of every range.
    guard range.contains(number) else {
      throw TraceFault(
        "\(field.rawValue) must be \(Self.bound(range.lowerBound)) to \(Self.bound(range.upperBound))")
    }
    return number
  }

  func number(_ field: Field, _ range: ClosedRange<Double>) throws -> Double {
    guard let number = try optional(field, range) else { throw TraceFault("\(field.rawValue) is missing") }
    return number
  }

  func optionalCount(_ field: Field, _ range: ClosedRange<Int>) throws -> Int? {
    guard let number = try optional(field, Double(range.lowerBound)...Double(range.upperBound)) else { return nil }
    guard number.rounded() == number else { throw TraceFault("\(field.rawValue) must be a whole number") }
    return Int(number)
  }

  func count(_ field: Field, _ range: ClosedRange<Int>) throws -> Int {
    guard let count = try optionalCount(field, range) else { throw TraceFault("\(field.rawValue) is missing") }
    return count
  }

  private func position(_ field: Field) -> Int { Self.fields.firstIndex(of: field) ?? 0 }

  private static func bound(_ value: Double) -> String { value.rounded() == value ? "\(Int64(value))" : "\(value)" }
}

/// What is wrong with a line.
struct TraceFault: Error {
  var message: String
  init(_ message: String) { self.message = message }
}
