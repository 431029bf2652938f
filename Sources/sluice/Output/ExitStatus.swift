/// What the process says with its exit code.
enum ExitStatus: Int32, Error {
  case done = 0
  case failed = 1
  case usage = 2
  case refused = 3
  case unreachable = 4
  case rolledBack = 5
  case timedOut = 6
}
