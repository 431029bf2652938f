import JobStore
import Postgres

/// The statements under `sql/`, each by its file's name.
enum Statement {
  static let catalogSize = SQLStatement("catalog_size", PackageResources.catalog_size_sql)
  static let compactedFileInsert = SQLStatement("compacted_file_insert", PackageResources.compacted_file_insert_sql)
  static let compactionEnd = SQLStatement("compaction_end", PackageResources.compaction_end_sql)
  static let compactionFits = SQLStatement("compaction_fits", PackageResources.compaction_fits_sql)
  static let compactionForget = SQLStatement("compaction_forget", PackageResources.compaction_forget_sql)
  static let compactionDue = SQLStatement("compaction_due", PackageResources.compaction_due_sql)
  static let compactionHeld = SQLStatement("compaction_held", PackageResources.compaction_held_sql)
  static let compactionOpen = SQLStatement("compaction_open", PackageResources.compaction_open_sql)
  static let compactionOutlived = SQLStatement("compaction_outlived", PackageResources.compaction_outlived_sql)
  static let compactionRetire = SQLStatement("compaction_retire", PackageResources.compaction_retire_sql)
  static let compactionSupersede = SQLStatement("compaction_supersede", PackageResources.compaction_supersede_sql)
  static let datasetPartList = SQLStatement("dataset_part_list", PackageResources.dataset_part_list_sql)
  static let snapshotFileRows = SQLStatement("snapshot_file_rows", PackageResources.snapshot_file_rows_sql)
  static let consumedInsert = SQLStatement("consumed_insert", PackageResources.consumed_insert_sql)
  static let consumedMove = SQLStatement("consumed_move", PackageResources.consumed_move_sql)
  static let consumedOfSnapshot = SQLStatement("consumed_of_snapshot", PackageResources.consumed_of_snapshot_sql)
  static let cursorAdvance = SQLStatement("cursor_advance", PackageResources.cursor_advance_sql)
  static let cursorCurrent = SQLStatement("cursor_current", PackageResources.cursor_current_sql)
  static let cursorHistory = SQLStatement("cursor_history", PackageResources.cursor_history_sql)
  static let dataFileInsert = SQLStatement("data_file_insert", PackageResources.data_file_insert_sql)
  static let dataFileList = SQLStatement("data_file_list", PackageResources.data_file_list_sql)
  static let dueObjects = SQLStatement("due_objects", PackageResources.due_objects_sql)
  static let dueRuns = SQLStatement("due_runs", PackageResources.due_runs_sql)
  static let historySegmentAnnounce = SQLStatement(
    "history_segment_announce", PackageResources.history_segment_announce_sql)
  static let historySegmentForget = SQLStatement(
    "history_segment_forget", PackageResources.history_segment_forget_sql)
  static let historySegmentList = SQLStatement("history_segment_list", PackageResources.history_segment_list_sql)
  static let historySegmentSettle = SQLStatement(
    "history_segment_settle", PackageResources.history_segment_settle_sql)
  static let installation = SQLStatement("installation", PackageResources.installation_sql)
  static let loadedForget = SQLStatement("loaded_forget", PackageResources.loaded_forget_sql)
  static let loadedList = SQLStatement("loaded_list", PackageResources.loaded_list_sql)
  static let loadedRecord = SQLStatement("loaded_record", PackageResources.loaded_record_sql)
  static let projectFolderClaim = SQLStatement("project_folder_claim", PackageResources.project_folder_claim_sql)
  static let projectFolderFind = SQLStatement("project_folder_find", PackageResources.project_folder_find_sql)
  static let projectFolderMove = SQLStatement("project_folder_move", PackageResources.project_folder_move_sql)
  static let rawDue = SQLStatement("raw_due", PackageResources.raw_due_sql)
  static let rawObjectInsert = SQLStatement("raw_object_insert", PackageResources.raw_object_insert_sql)
  static let rawObjectOfJob = SQLStatement("raw_object_of_job", PackageResources.raw_object_of_job_sql)
  static let rawObjectOfRun = SQLStatement("raw_object_of_run", PackageResources.raw_object_of_run_sql)
  static let rawObjectOfStream = SQLStatement("raw_object_of_stream", PackageResources.raw_object_of_stream_sql)
  static let rawObjectRecords = SQLStatement("raw_object_records", PackageResources.raw_object_records_sql)
  static let rawObjectSupersede = SQLStatement("raw_object_supersede", PackageResources.raw_object_supersede_sql)
  static let runSkip = SQLStatement("run_skip", PackageResources.run_skip_sql)
  static let runTotals = SQLStatement("run_totals", PackageResources.run_totals_sql)
  static let seenFiles = SQLStatement("seen_files", PackageResources.seen_files_sql)
  static let snapshotInsert = SQLStatement("snapshot_insert", PackageResources.snapshot_insert_sql)
  static let snapshotLast = SQLStatement("snapshot_last", PackageResources.snapshot_last_sql)
  static let snapshotList = SQLStatement("snapshot_list", PackageResources.snapshot_list_sql)
  static let snapshotLock = SQLStatement("snapshot_lock", PackageResources.snapshot_lock_sql)
  static let snapshotNumber = SQLStatement("snapshot_number", PackageResources.snapshot_number_sql)
  static let snapshotOfRuns = SQLStatement("snapshot_of_runs", PackageResources.snapshot_of_runs_sql)
  static let snapshotRecorded = SQLStatement("snapshot_recorded", PackageResources.snapshot_recorded_sql)
  static let snapshotUnknown = SQLStatement("snapshot_unknown", PackageResources.snapshot_unknown_sql)
  static let snapshotUnrecorded = SQLStatement("snapshot_unrecorded", PackageResources.snapshot_unrecorded_sql)
  static let streamFieldRecord = SQLStatement("stream_field_record", PackageResources.stream_field_record_sql)
  static let streamFields = SQLStatement("stream_fields", PackageResources.stream_fields_sql)
  static let streamOutrun = SQLStatement("stream_outrun", PackageResources.stream_outrun_sql)
  static let streamSeal = SQLStatement("stream_seal", PackageResources.stream_seal_sql)

  static let all = [
    catalogSize, compactedFileInsert, compactionDue, compactionEnd, compactionFits, compactionForget, compactionHeld,
    compactionOpen,
    compactionOutlived, compactionRetire, compactionSupersede, datasetPartList, snapshotFileRows,
    consumedInsert, consumedMove, consumedOfSnapshot, cursorAdvance, cursorCurrent, cursorHistory, dataFileInsert,
    dataFileList,
    dueObjects, dueRuns,
    historySegmentAnnounce, historySegmentForget, historySegmentList, historySegmentSettle, installation,
    loadedForget, loadedList, loadedRecord, projectFolderClaim, projectFolderFind, projectFolderMove, rawDue,
    rawObjectInsert,
    rawObjectOfJob, rawObjectOfRun, rawObjectOfStream,
    rawObjectRecords, rawObjectSupersede, runSkip, runTotals, seenFiles, snapshotInsert, snapshotLast, snapshotList,
    snapshotLock,
    snapshotNumber,
    snapshotOfRuns, snapshotRecorded, snapshotUnknown, snapshotUnrecorded,
    streamFieldRecord, streamFields, streamOutrun, streamSeal,
  ]
}

/// Every statement of the catalog, for the test that prepares each against the migrated schema.
package var catalogStatements: [SQLStatement] { Statement.all }
