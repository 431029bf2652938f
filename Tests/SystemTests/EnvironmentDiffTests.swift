import TestSupport
import Testing

@testable import sluice

/// `sluice env diff` with real processes and databases.
@Suite("Comparison of environments")
struct EnvironmentDiffTests {
  private typealias Shop = EnvironmentTests

  private static func pipeline(_ severity: String) -> String {
    """
    pipeline: shop
    sources: {drops: {files: {at: "file:drops"}, streams: {orders: {match: "*.csv", records: {format: csv}, key: [id]}}}}
    curate:
      orders:
        from: drops.orders
        columns: {id: {type: bigint, required: true}, name: {type: text}}
        checks:
          - {sql: "select count(*) from orders where name = 'x'", expect: 0, severity: \(severity)}
          - {unique: [id]}

    """
  }

  @Test("rows, columns and what became of the checks are side by side; also of a dataset that its checks kept back")
  func checks() async throws {
    try await Shop.inProject { sluice, _ in
      try sluice.project.write("pipelines/shop.yaml", Self.pipeline("fail"))
      #expect(try await sluice("run", "shop", "--wait").status == 0)
      for name in ["pr-1", "pr-2"] { #expect(try await sluice("env", "up", name).status == 0) }
      let compared = { (name: String) in
        let diff = try await sluice("env", "diff", "local", name, "--json")
        #expect(diff.status == 0, "\(diff.errors)")
        return try #require(try diff.json("datasets").list.first)
      }
      #expect(try await sluice("run", "shop", "--wait", "--env", "pr-1").status == 0)
      let same = try await compared("pr-1")
      #expect(same["likeness"].text == "same", "\(same)")
      #expect(same["first"]["checks"]["outcome"].text == "passed" && same["second"]["checks"]["count"].int == 2)

      try sluice.project.write("drops/2.csv", "id,name\n4,x\n")
      #expect(try await sluice("run", "shop", "--wait", "--env", "pr-2").status == 1)
      let failed = try await compared("pr-2")
      #expect(failed["likeness"].text == "differs" && failed["second"]["rows"].int == 0, "\(failed)")
      #expect(failed["second"]["checks"]["outcome"].text == "failed")
      #expect(failed["second"]["checks"]["messages"].list.first?.text?.contains("something else than 0") == true)

      try sluice.project.write("pipelines/shop.yaml", Self.pipeline("warn"))
      #expect(try await sluice("run", "shop", "--wait", "--env", "pr-1").status == 0)
      let warned = try await compared("pr-1")
      #expect(
        warned["likeness"].text == "differs" && warned["second"]["checks"]["outcome"].text == "warned", "\(warned)")
      #expect(warned["second"]["rows"].int == 4)
      let words = try await sluice("env", "diff", "local", "pr-1")
      #expect(words.output.contains("2 passed") && words.output.contains("warned: a check's SQL"), "\(words.output)")
      for name in ["pr-1", "pr-2"] { #expect(try await sluice("env", "down", name, "--yes").status == 0) }
    }
  }
}
