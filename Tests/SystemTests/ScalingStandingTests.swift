import PipelineDefinition
import Testing

@testable import sluice

@Suite("What the number of workers follows")
struct ScalingStandingTests {
  private static func standing(
    _ text: String, _ control: ControlFile.Following?, isDecided: Bool
  ) -> ScalingStanding {
    let settings = ProjectSettings.parse(text: text, file: "sluice.yaml").settings
    return ScalingStanding(settings: settings, control: control, isDecided: isDecided, decision: nil)
  }

  private static func keys(_ text: String) -> ControlFile.Following {
    .scaling(ProjectSettings.parse(text: text, file: "sluice.yaml").settings.scalingKeys)
  }

  private static let two = "scaling: {max: 2}\n"

  @Test("where all is as the file says, there is nothing to tell")
  func quiet() {
    let standing = Self.standing(Self.two, Self.keys(Self.two), isDecided: true)
    #expect(standing.notes.isEmpty && standing.refusal == nil && standing.maxWorkers == 2)
    #expect(Self.standing("", .fixed(2), isDecided: false).notes.isEmpty)
    #expect(Self.standing("", nil, isDecided: false).notes.isEmpty)
    #expect(Self.standing("", .nothing, isDecided: false).notes.isEmpty)
  }

  @Test("a control that keeps a number of workers follows none that a person sets")
  func fixed() throws {
    let standing = Self.standing(Self.two, .fixed(2), isDecided: false)
    #expect(standing.refusal == "control keeps 2 workers, as it was started")
    #expect(standing.notes.only?.contains("keeps 2 workers") == true)
    #expect(standing.notes.only?.contains("sluice down, then sluice up without --workers") == true)
    // Another control decides, and this one keeps its own.
    #expect(Self.standing(Self.two, .fixed(2), isDecided: true).refusal == nil)
  }

  @Test("without a control the number holds from its start, and that is told at once")
  func none() {
    let standing = Self.standing(Self.two, nil, isDecided: false)
    #expect(standing.refusal == nil)
    #expect(standing.notes == ["no process decides now; start one: sluice up"])
    #expect(Self.standing(Self.two, .nothing, isDecided: false).notes.only?.contains("before sluice.yaml had") == true)
  }

  @Test("what control has read at its start counts, and a file that has changed since is told")
  func changed() throws {
    let standing = Self.standing("scaling: {max: 1, budget: 2h/month}\n", Self.keys(Self.two), isDecided: true)
    #expect(standing.maxWorkers == 2)
    let note = try #require(standing.notes.only)
    #expect(note.contains("max is 1, and control follows 2"), "\(note)")
    #expect(note.contains("budget is 2.0h/month, and control follows none"), "\(note)")
    #expect(note.hasSuffix("sluice down, then sluice up"), "\(note)")
    let removed = Self.standing("", Self.keys(Self.two), isDecided: true)
    #expect(removed.notes.only?.contains("has no scaling: any more") == true)
  }

  @Test("what another engine wrote into the control file is compared as far as both know it")
  func foreign() {
    let standing = Self.standing(Self.two, .scaling(["max": "2", "tomorrow": "7"]), isDecided: true)
    #expect(standing.notes.isEmpty)
  }
}

extension Array {
  fileprivate var only: Element? { count == 1 ? first : nil }
}
