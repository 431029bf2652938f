import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

@Suite("Where jobs stand")
struct StageListTests {
  @Test("the counts of status are those of the jobs, in every state and lane, and what is done is in none")
  func counts() async throws {
    try await TestDatabase.withDatabase { database in
      let pool = database.pool
      for pipeline in ["a", "b"] {
        for _ in 0..<14 { try await pool.query("select sluice.enqueue('k', pipeline => $1)", [.text(pipeline)]) }
      }
      // As many in each place as its number says, and six that are ready.
      try await pool.execute(
        """
        create temporary table place as
          select job_id, lane_id, case when number <= 1 then 'LEASED' when number <= 3 then 'LATER' when number <= 5 then 'BLOCKED'
            when number <= 6 then 'DEAD' when number <= 7 then 'CANCELLED' when number <= 8 then 'DONE' else 'READY' end as place
          from (select *, row_number() over (partition by lane_id order by job_id) as number from sluice.ready) r;
        delete from sluice.ready where job_id in (select job_id from place where place <> 'READY');
        insert into sluice.lease (job_id, epoch, ticket, worker_id, lane_id, attempt, claimed_at)
          select job_id, 1, job_id, 1, lane_id, 1, now() from place where place = 'LEASED';
        insert into sluice.later (job_id, run_at, lane_id, attempt, epoch)
          select job_id, now() + interval '1 hour', lane_id, 1, 1 from place where place = 'LATER';
        insert into sluice.blocked (job_id, pending, lane_id) select job_id, 1, lane_id from place where place = 'BLOCKED';
        insert into sluice.dead (job_id, lane_id, attempt, epoch, cancelled, since)
          select job_id, lane_id, 1, 1, place = 'CANCELLED', now() from place where place in ('DEAD', 'CANCELLED');
        """)
      let stages = try await JobStore(database: pool).stages()
      let counted = stages.map { "\($0.pipeline) \($0.state.rawValue) \($0.jobs)" }
      let expected = ["BLOCKED 2", "CANCELLED 1", "DEAD 1", "LATER 2", "LEASED 1", "READY 6"]
      #expect(counted == ["a", "b"].flatMap { pipeline in expected.map { "\(pipeline) \($0)" } })
      #expect(stages.allSatisfy { $0.oldestSeconds >= 0 && $0.oldestSeconds < 60 })
    }
  }
}
