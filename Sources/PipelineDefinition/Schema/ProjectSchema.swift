/// The format of `sluice.yaml`, in the same terms as ``PipelineSchema``.
enum ProjectSchema {
  static let settings = ObjectShape([
    .key(
      "installation", .text(.pipelineName), "Tells installations apart that load into one target", default: "default"),
    .key(
      "database", .text(.template(.none)), "URL of the control database",
      default: "`SLUICE_DATABASE_URL`, else an embedded server", example: "\"secret:control\""),
    .key("storage", .text(.location), "Where raw and curated objects go", default: "file:.sluice/storage"),
    .key("limits", .object(limits), "What the work may take"),
    .key(
      "secrets",
      .object(
        ObjectShape([
          .key("directory", .text(.text), "Where the files of secrets are", default: "secrets")
        ])), "Where secrets are found that are not in the environment"),
    .key("scaling", .object(scaling), "How many workers there are; without it, as many as `--workers` says"),
    .later("launcher", .anything, "What starts workers", instead: "write it under scaling: {launcher: local}"),
    .later("budget", .anything, "What the work may cost", instead: "write it under scaling: {budget: 200h/month}"),
  ])

  static let scaling = ObjectShape([
    .key("min", .integer(0...1000), "The fewest workers; 0: none while there is nothing to do", default: "0"),
    .key("max", .integer(1...1000), "The most workers", default: "8"),
    .key(
      "memory", .text(.byteCount), "Of all workers and their jobs together; never more than the machine has free",
      default: "what the machine or its cgroup has", example: "12GB"),
    .key(
      "worker",
      .object(
        ObjectShape([
          .key("slots", .integer(1...256), "Jobs of one worker at a time", default: "limits.slots"),
          .key("memory", .text(.byteCount), "Of a worker process itself, without its jobs", default: "128MB"),
        ])), "What one worker is"),
    .key("budget", .text(.workerBudget), "Worker-hours that a calendar month (UTC) may cost", example: "200h/month"),
    .key(
      "backlog_within", .text(.duration), "How soon waiting work without a deadline is to be done; at least 10s",
      default: "15m"),
    .key(
      "launcher", .written([.oneOf("local", "none"), .object(launcher)]),
      "What starts workers: processes of this machine, a command, or another scaler", default: "local"),
  ])

  static let launcher = ObjectShape([
    .required(
      "command", .list(.text(.text)), "The program, and arguments before its verb", example: "[ops/launch]"),
    .key(
      "secrets", .list(.text(.secretName)), "Secrets that it gets in its environment, as SLUICE_SECRET_NAME",
      example: "[control]"),
    .key(
      "patience", .text(.duration), "How long a worker may take from its start until it registers; at least 10s",
      default: "10m"),
  ])

  static let limits = ObjectShape([
    .key(
      "memory", .text(.byteCount), "Of the SQL engine's process, a hard limit; at least 256MB are given", default: "1GB"
    ),
    .key("threads", .integer(1...1024), "Of the SQL engine", default: "the processors"),
    .key("slots", .integer(1...256), "Jobs of one worker at a time", default: "2"),
    .key("releases", .integer(1...1000), "Releases that may still have work when another is deployed", default: "8"),
    .key(
      "temp", .text(.byteCount),
      "Of the scratch files of an attempt: raw that is expanded or split, the SQL engine's spill files, data files before they are stored",
      default: "20GB"),
    .key(
      "expansion", .integer(1...1_000_000),
      "How many times its compressed size an expanded file may have; 100MB are always allowed", default: "200"),
  ])
}
