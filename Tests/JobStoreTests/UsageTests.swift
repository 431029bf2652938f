import Catalog
import JobStore
import Postgres
import TestSupport
import Testing

/// What `sluice env list` shows of each environment.
@Suite("Usage of a system")
struct UsageTests {
  @Test("is the time of its attempts and its last use; a history that is too long to be read for a list is not counted")
  func attempts() async throws {
    try await TestDatabase.withDatabase { database in
      let store = JobStore(database: database.pool, bell: LaneBell())
      #expect(try await store.usage() == SystemUsage(lastRunAt: nil, lastUseAt: nil, workerHours: 0))
      try await database.pool.execute(
        """
        insert into sluice.release (content_hash, state, engine) values ('h', 'IMPLICIT', 'e');
        insert into sluice.run (pipeline, kind, release_id, state, pending, run_at, created_at, finished_at)
        select 'p', 'batch', release_id, 'succeeded', 0, at, at, at + interval '1 hour'
        from sluice.release, (values ('2024-01-01 10:00+00'::timestamptz), ('2024-01-01 10:30+00')) as run (at);
        insert into sluice.outcome (job_id, attempt, epoch, status, started_at, finished_at)
        select n, 1, 1, 'done', '2024-01-01 10:00+00', '2024-01-01 10:30+00' from generate_series(1, 3) as n;
        insert into sluice.lease (job_id, epoch, ticket, worker_id, lane_id, attempt, claimed_at)
        values (9, 1, 1, 1, 1, 1, now() - interval '1 hour')
        """)
      let usage = try await store.usage()
      #expect(try #require(usage.workerHours) >= 2.5 && usage.workerHours ?? 0 < 3)
      #expect(usage.lastRunAt?.contains("10:30:00") == true && usage.lastUseAt?.contains("11:30:00") == true)
      try await database.pool.execute(
        """
        insert into sluice.outcome (job_id, attempt, epoch, status, started_at, finished_at)
        select n, 1, 1, 'done', '2024-01-01', '2024-01-01' from generate_series(1, 20000) as n
        """)
      let large = try await store.usage()
      #expect(large.workerHours == nil && large.lastRunAt == usage.lastRunAt)
    }
  }

  @Test("the rows of a dataset count from its last full snapshot on")
  func rows() async throws {
    try await TestDatabase.withDatabase { database in
      let catalog = Catalog(database: database.pool)
      #expect(try await catalog.size() == CatalogSize(rows: 0, rawBytes: 0, curatedBytes: 0))
      try await database.pool.execute(
        """
        insert into sluice.snapshot (snapshot_id, pipeline, dataset, run_id, job_id, is_full, columns, key, rows_in, rows_out, deduplicated,
          quarantined, created_at)
        select gen_random_uuid(), 'p', dataset, 1, 1, is_full, '[]', '[]', 0, rows, 0, 0, now()
        from (values ('a', false, 1000), ('a', true, 100), ('b', false, 10), ('a', false, 1), ('b', false, 2)) as s (dataset, is_full, rows);
        insert into sluice.raw_object (run_id, job_id, epoch, pipeline, source, stream, sequence, key, bytes, sha256, request, fetched_at)
        select 1, 1, 1, 'p', 's', 't', n, 'raw/' || n, 7, '', '', now() from generate_series(1, 3) as n;
        insert into sluice.data_file (snapshot_id, chunk, key, partition, rows, bytes, sha256)
        select snapshot_id, 0, 'file/' || number, '', rows_out, 5, '' from sluice.snapshot
        """)
      #expect(try await catalog.size() == CatalogSize(rows: 113, rawBytes: 21, curatedBytes: 25))
    }
  }
}
