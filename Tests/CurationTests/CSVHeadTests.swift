import JobModel
import PipelineDefinition
import Testing

@testable import Curation

@Suite("The first line of a CSV file")
struct CSVHeadTests {
  @Test(
    "is decoded strictly, with its encoding, after what is skipped",
    arguments: [
      ("id,v\n1", "utf-8", 0, "id,v"), ("\u{FEFF}id\r\n1", "utf-8", 0, "id"), ("x\ny\rid,v", "utf-8", 2, "id,v"),
    ])
  func lines(text: String, encoding: String, skip: Int, expected: String) throws {
    var format = CSVFormat()
    format.encoding = encoding
    format.skip = skip
    #expect(try CSVHead.firstLine(Array(text.utf8), isWholeFile: true, format) == .line(expected))
  }

  @Test("in UTF-16 of either order, and in Latin-1")
  func encodings() throws {
    var format = CSVFormat()
    format.encoding = "utf-16"
    let little: [UInt8] = [0xFF, 0xFE, 0x69, 0, 0xE9, 0, 0x0A, 0, 0x31, 0]
    let big: [UInt8] = [0xFE, 0xFF, 0, 0x69, 0, 0xE9, 0, 0x0A, 0, 0x31]
    #expect(try CSVHead.firstLine(little, isWholeFile: true, format) == .line("ié"))
    #expect(try CSVHead.firstLine(big, isWholeFile: true, format) == .line("ié"))
    format.encoding = "latin-1"
    #expect(try CSVHead.firstLine([0x69, 0xE9, 0x0A], isWholeFile: true, format) == .line("ié"))
  }

  @Test("is none where there is nothing but line ends, and not known where the file goes on")
  func ends() throws {
    #expect(try CSVHead.firstLine(Array("\n\r\n".utf8), isWholeFile: true, CSVFormat()) == .none)
    #expect(try CSVHead.firstLine(Array("\n\n".utf8), isWholeFile: false, CSVFormat()) == .unknown)
    #expect(try CSVHead.firstLine(Array("id,".utf8), isWholeFile: false, CSVFormat()) == .unknown)
    #expect(throws: CSVHead.Unreadable.self) {
      try CSVHead.firstLine(Array("\nid\n".utf8), isWholeFile: true, CSVFormat())
    }
  }

  @Test(
    "fails the run where it cannot be read: no row becomes the header, and no file vanishes",
    arguments: [Array("id,caf".utf8) + [0xE9] + Array("\n1,x\n2,y\n".utf8), Array("\n\nid,v\n1,a\n".utf8)])
  func refused(bytes: [UInt8]) async throws {
    try await Workbench.with { bench in
      let error = await #expect(throws: StageFailure.self) {
        _ = try await bench.curate(try bench.request(step(), [input(stream(), try bench.objects([bytes]))]))
      }
      #expect(error?.code == "csv_header")
    }
  }

  @Test("of a file without a header is a record, whatever its bytes")
  func headerless() async throws {
    try await Workbench.with { bench in
      let definition = stream(records: .csv(CSVFormat(header: false)))
      let long = Array("1,".utf8) + [UInt8](repeating: UInt8(ascii: "x"), count: 1_200_000) + Array("\n2,y\n".utf8)
      let result = try await bench.curate(
        try bench.request(step(), [input(definition, try bench.objects([long, [0xE9] + Array(",b\n".utf8)]))]))
      #expect(result.counts.all == [3, 2, 0, 0, 1])
    }
  }
}
