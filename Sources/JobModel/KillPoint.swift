/// A step at which a test ends the process with SIGKILL, to prove that whatever follows goes on from there.
///
/// `SLUICE_KILL_AT=NAME` (or `NAME:3`, the third time it is passed) arms one. Outside tests nothing is armed and a
/// point costs one comparison.
package enum KillPoint: String, Sendable, CaseIterable {
  case ingestObjectWritten = "ingest.object_written"
  case ingestCheckpointed = "ingest.checkpointed"
  case ingestBeforeComplete = "ingest.before_complete"
  case ingestCompleted = "ingest.completed"
  case curateStarted = "curate.started"
  case curateFilesWritten = "curate.files_written"
  case curateBeforeComplete = "curate.before_complete"
  case curateCompleted = "curate.completed"
  case loadChunkStaged = "load.chunk_staged"
  case loadBeforeFinal = "load.before_final"
  case loadInsideFinal = "load.inside_final"
  case loadCommitted = "load.committed"
  case loadCompleted = "load.completed"
  case jobClaimed = "job.claimed"
}
