import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

@testable import Releases

@Suite("What is handed over")
struct HandOverTests {
  private typealias Bench = ReleaseBench

  @Test("goes on from its checkpoint on the new engine, with the definition that it began with")
  func handOver() async throws {
    try await Bench.with { bench in
      let one = try await bench.current("one")
      let old = try await bench.worker(of: one)
      try await bench.run(ingests: 2, handsOver: true)
      let claim = try #require(try await bench.claim(old, of: one).first)
      try await bench.checkpoint(claim, Bench.http1)

      let two = try await bench.stage("two", reads: [Bench.http1], writes: [Bench.http2])
      let promotion = try await bench.promote(two)
      #expect(promotion.handedOver.map(\.pipeline) == ["p"])
      #expect(promotion.handedOver.map(\.jobs) == [3])
      #expect(try await bench.store.askedLeases(ofWorker: old, release: one.id).handedOver == [claim.holder])
      #expect(try await bench.claim(old, of: one).isEmpty, "the lane is another engine's")
      #expect(try await bench.store.endAttempt(claim.holder, as: .yielded))

      let new = try await bench.worker(of: two)
      let claims = try await bench.claim(new, of: two, limit: 2)
      #expect(claims.count == 2)
      let again = try #require(claims.first { $0.jobID == claim.jobID })
      #expect(again.mark?.format == Bench.http1)
      #expect(again.releaseID == one.id)
      #expect(again.attempt == 1, "a hand-over is not charged")
      for claim in claims { try await bench.complete(claim) }
      let curate = try #require(try await bench.claim(new, of: two).first)
      #expect(curate.kind == "curate" && curate.releaseID == one.id)
      try await bench.complete(curate)
      try await bench.store.workerLeaves(old)
      try await bench.desk.retire()
      #expect(try await bench.state(one) == .retired)
    }
  }

  @Test("is nothing of what is to end where it began, until it is told to")
  func finish() async throws {
    try await Bench.with { bench in
      let one = try await bench.current("one")
      let old = try await bench.worker(of: one)
      try await bench.run()
      let two = try await bench.current("two")
      #expect(try await bench.claim(try await bench.worker(of: two), of: two).isEmpty)
      let claim = try #require(try await bench.claim(old, of: one).first)
      #expect(try await bench.store.askedLeases(ofWorker: old, release: one.id).handedOver.isEmpty)
      let handed = try await bench.desk.yield(one.id, by: Bench.author)
      #expect(handed.handedOver.count == 1)
      #expect(try await bench.store.askedLeases(ofWorker: old, release: one.id).handedOver == [claim.holder])
    }
  }

  @Test("is not what the new engine cannot read, also where it could only still be written")
  func unreadable() async throws {
    try await Bench.with { bench in
      let one = try await bench.current("one", writes: [Bench.http2])
      let old = try await bench.worker(of: one)
      try await bench.run(handsOver: true)
      // No checkpoint yet; but the old engine may leave one before it gives the job back.
      let promotion = try await bench.promote(try await bench.stage("two", reads: [Bench.http1], writes: [Bench.http1]))
      #expect(promotion.handedOver.isEmpty)
      #expect(promotion.staying.map(\.unreadable) == ["ingest.http/2"])
      let claim = try #require(try await bench.claim(old, of: one).first)
      try await bench.checkpoint(claim, Bench.http2)
      let live = try await bench.store.liveCheckpoints()
      #expect(live.map(\.format) == [Bench.http2] && live.map(\.jobs) == [1])
      let two = try #require(try await bench.store.releases(in: .current).first)
      #expect(CheckpointGate(two.formats).examine(live).map(\.reading) == [.cannot])
      // One that reads it takes it from where it is.
      let three = try await bench.promote(try await bench.stage("three", reads: [Bench.http1, Bench.http2]))
      #expect(three.handedOver.count == 1)
    }
  }

  @Test("is no part of a curation to an engine that knows no parts; each part goes to one that does")
  func parts() async throws {
    try await Bench.with { bench in
      let part = CheckpointFormat("curate.part", 1)
      let before = try await bench.stage("before")
      let one = try await bench.current("one", writes: [Bench.http1, part])
      let old = try await bench.worker(of: one)
      let run = try await bench.run(handsOver: true)
      try await bench.complete(try #require(try await bench.claim(old, of: one).first))
      let curate = try #require(try await bench.claim(old, of: one).first)
      _ = try await bench.store.database.transaction { transaction in
        try await bench.store.split(
          curate.holder, of: run, format: part, into: [JobPart(state: "{}", label: "d 2/2")], in: transaction)
      }
      let promotion = try await bench.promote(before)
      #expect(promotion.handedOver.isEmpty)
      #expect(promotion.staying.map(\.unreadable) == ["curate.part/1"])
      #expect(try await bench.claim(try await bench.worker(of: before), of: before).isEmpty)
      let two = try await bench.current("two", reads: [Bench.http1, part])
      let claim = try #require(try await bench.claim(try await bench.worker(of: two), of: two).first)
      #expect(claim.label == "d 2/2" && claim.mark?.format == part)
    }
  }

  @Test("goes back with a rollback, where the earlier engine reads it; runs of both sides go on")
  func back() async throws {
    try await Bench.with { bench in
      let one = try await bench.current("one", reads: [Bench.http1, Bench.http2], writes: [Bench.http1])
      let first = try await bench.worker(of: one)
      try await bench.run(handsOver: true)
      let two = try await bench.current("two", writes: [Bench.http2])
      let second = try await bench.worker(of: two)
      let claim = try #require(try await bench.claim(second, of: two).first)
      try await bench.checkpoint(claim, Bench.http2)
      try await bench.run("q", handsOver: true)

      let promotion = try await bench.promote(try await bench.desk.predecessor().earlier)
      #expect(promotion.release.id == one.id)
      #expect(Set(promotion.handedOver.map(\.pipeline)) == ["p", "q"])
      #expect(try await bench.store.endAttempt(claim.holder, as: .yielded))
      let claims = try await bench.claim(first, of: one, limit: 5)
      #expect(Set(claims.map(\.pipeline)) == ["p", "q"])
      #expect(claims.first { $0.pipeline == "q" }?.releaseID == two.id)
      // New runs of the release do not stand in the lanes that were handed over.
      try await bench.run()
      let lanes = try await bench.session.query(
        "select count(*) as n from sluice.lane where pipeline = 'p' and stage = 'ingest' and release_id = $1",
        [.int(one.id)])
      #expect(try lanes.first?.int("n") == 2)
    }
  }

  @Test("is what began without a release; a deploy that cannot read it is refused, and changes nothing")
  func implicit() async throws {
    try await Bench.with { bench in
      let implicit = try await bench.store.registerRelease(contentHash: "dir", files: [], label: nil, engine: "0")
      let none = try await bench.store.registerWorker(
        JobStore.WorkerBirth(release: 0, host: "h", pid: 1, engine: "0", slots: 1), lease: .seconds(3600),
        on: bench.session)
      _ = try await bench.run(with: .implicit(implicit))
      let claim = try #require(try await bench.store.claim(worker: none, limit: 1).first)
      try await bench.checkpoint(claim, Bench.http2)
      let one = try await bench.stage("one", writes: [Bench.http1])
      do {
        try await bench.promote(one)
        Issue.record("it cannot read what lives")
      } catch let refusal as ReleaseRefusal {
        #expect(refusal.code == "gate")
        #expect(refusal.message.contains("ingest.http/2"))
      }
      #expect(try await bench.state(one) == .staged)
      #expect(try await bench.store.askedLeases(ofWorker: none, release: 0).handedOver.isEmpty)

      let two = try await bench.current("two", writes: [Bench.http2])
      #expect(try await bench.store.askedLeases(ofWorker: none, release: 0).handedOver == [claim.holder])
      #expect(try await bench.store.endAttempt(claim.holder, as: .yielded))
      #expect(try await bench.claim(try await bench.worker(of: two), of: two).first?.jobID == claim.jobID)
    }
  }

  @Test("counts what a worker of an earlier engine may still write, however often its lane was handed over meanwhile")
  func twice() async throws {
    try await Bench.with { bench in
      let one = try await bench.current("one", writes: [Bench.http1])
      let old = try await bench.worker(of: one)
      try await bench.run(handsOver: true)
      let claim = try #require(try await bench.claim(old, of: one).first)
      // In a chunk, without a checkpoint yet.
      let two = try await bench.current("two", reads: [Bench.http1], writes: [Bench.http2])
      let three = try await bench.promote(try await bench.stage("three", reads: [], writes: [Bench.http2]))
      #expect(three.staying.map(\.unreadable) == ["ingest.http/1"])
      try await bench.checkpoint(claim, Bench.http1)
      #expect(try await bench.store.endAttempt(claim.holder, as: .yielded))
      let again = try #require(try await bench.claim(try await bench.worker(of: two), of: two).first)
      #expect(again.mark?.format == Bench.http1)
    }
  }

  @Test("takes dead jobs along, which are taken up again only where their checkpoint is read")
  func dead() async throws {
    try await Bench.with { bench in
      let one = try await bench.current("one", writes: [Bench.http1])
      let old = try await bench.worker(of: one)
      let run = try await bench.run(ingests: 2, handsOver: true)
      let claim = try #require(try await bench.claim(old, of: one).first)
      try await bench.checkpoint(claim, Bench.http1)
      _ = try await bench.store.endAttempt(claim.holder, as: .dead(failure: "{\"code\":\"x\"}"))
      _ = try await bench.promote(try await bench.stage("two", reads: [], writes: [Bench.http2]))
      #expect(try await bench.store.retry(run: run) == 1, "its own engine has the lane still")
      let again = try #require(try await bench.claim(old, of: one, limit: 2).first { $0.jobID == claim.jobID })
      _ = try await bench.store.endAttempt(again.holder, as: .dead(failure: "{\"code\":\"x\"}"))
      try await bench.session.query(
        "update sluice.lane set engine_id = $1, takes_new = false where release_id = $2",
        [.int(try #require(try await bench.store.releases(in: .current).first).id), .int(one.id)])
      let failure = await #expect(throws: StageFailure.self) { try await bench.store.retry(run: run) }
      #expect(failure?.code == "checkpoint_format")
      #expect(try await bench.store.jobs(run: run, state: .dead).map(\.id) == [claim.jobID])
    }
  }

  @Test("is nothing of what a process does by itself: nobody would go on with it")
  func alone() async throws {
    try await Bench.with { bench in
      let one = try await bench.current("one")
      let birth = JobStore.WorkerBirth(release: one.id, host: "h", pid: 77, engine: "1", slots: 1, servesOneRun: true)
      let worker = try await bench.store.registerWorker(birth, lease: .seconds(3600), on: bench.session)
      try await bench.run(handsOver: true)
      #expect(try await bench.claim(worker, of: one).count == 1)
      let promotion = try await bench.promote(try await bench.stage("two"))
      #expect(promotion.handedOver.isEmpty)
      #expect(promotion.staying.map(\.doneAloneBy) == [77])
    }
  }
}
