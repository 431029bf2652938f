/// One event that is to be told, as it was written in the transaction that caused it.
package struct OutboxMessage: Sendable, Equatable {
  package var id: Int64
  /// `failed`, `recovered`, `quarantined`, `schema_drift`, `late`.
  package var kind: String
  package var pipeline: String
  package var runID: Int64?
  /// The definition that the run began with says who is told.
  package var releaseID: Int64?
  /// JSON, without values of rows and without secrets.
  package var body: String
  /// Which rule of `notify` it is for; nil: not yet spread to the rules.
  package var channel: Int?
  package var attempt: Int

  package init(
    id: Int64, kind: String, pipeline: String, runID: Int64?, releaseID: Int64?, body: String, channel: Int?,
    attempt: Int
  ) {
    self.id = id
    self.kind = kind
    self.pipeline = pipeline
    self.runID = runID
    self.releaseID = releaseID
    self.body = body
    self.channel = channel
    self.attempt = attempt
  }
}
