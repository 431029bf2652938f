/// A mistake that the simulator must catch: each is one rule of the queue, the worker or the reaper left out.
///
/// A simulator that finds nothing says nothing; these keep it honest.
package enum SeededMistake: String, Sendable, CaseIterable {
  // In the store.
  /// Checkpoint and completion ask whether the job is leased, not with which epoch.
  case noEpochCheck = "no_epoch_check"
  case epochResetAtRetry = "epoch_reset_at_retry"
  case chargedYield = "charged_yield"
  /// A crash is given back its attempt: a poison job never ends.
  case unchargedCrash = "uncharged_crash"
  /// A job that the reaper buries keeps its unique key.
  case keyKeptByTheDead = "key_kept_by_the_dead"
  /// A retry does not take the unique key again.
  case retryWithoutKey = "retry_without_key"
  /// The first of several upstream jobs frees the dependent.
  case unblocksAtTheFirst = "unblocks_at_the_first"
  /// Saying goodbye deletes the worker's leases and puts the jobs nowhere.
  case goodbyeDropsLeases = "goodbye_drops_leases"
  case claimWithoutBeat = "claim_without_beat"
  /// The reaper takes back a cancelled lease as if it had not been.
  case reapForgetsCancel = "reap_forgets_cancel"

  /// A job pays for the end of a worker that had others in hand too.
  case chargedForOthers = "charged_for_others"
  /// A job that must run alone is claimed like any other.
  case suspectsInCompany = "suspects_in_company"

  // In the reaper.
  /// It revokes from its first look, however young its session.
  case reaperWithoutAge = "reaper_without_age"
  /// It revokes a worker without a session at first sight.
  case reaperWithoutGrace = "reaper_without_grace"
  /// It takes the database's clock for time that passed.
  case reaperTrustsTheClock = "reaper_trusts_the_clock"

  // In the worker.
  /// The keeper counts the lease from the answer of a beat, not from its sending.
  case keeperCountsFromTheAnswer = "keeper_counts_from_the_answer"
  case keeperByTheWallClock = "keeper_by_the_wall_clock"
  /// Its attempts go on after its keeper said that they must not.
  case workerIgnoresItsKeeper = "worker_ignores_its_keeper"
  /// Leases that it does not know of are never given back.
  case noGiveBack = "no_give_back"
  /// A worker that leaves keeps what it holds: the reaper takes it back, and charges it.
  case goodbyeWithoutGivingBack = "goodbye_without_giving_back"
  /// An attempt that the database's outage ended is charged.
  case chargedOutage = "charged_outage"
  /// Results are written apart from the checkpoint that fences them.
  case resultsApartFromCheckpoint = "results_apart_from_checkpoint"
}
