/* The order of locks: a worker's turn, which acknowledges and claims in one transaction, and a person who cancels. Who
 * holds a row and waits for the claim lock, while its holder waits for the row, waits until the server ends one of them.
 */
#ifndef TURNS
#define TURNS 2         /* turns of the worker, and cancellations */
#endif

byte shared;            /* who holds the claim lock shared, */
bool exclusive;         /* or alone */
bool row;               /* the lease's row is locked */

/* JobStore.take: job_finish, claim_lock, job_claim. */
proctype Turn() {
  byte left = TURNS;
  do
  :: atomic { left > 0 -> left-- };
#ifdef FINISHFIRST
     atomic { !row -> row = true };
     atomic { !exclusive -> shared++ };
#else
     atomic { !exclusive -> shared++ };
     atomic { !row -> row = true };
#endif
     atomic { shared--; row = false }                                   /* COMMIT */
  :: atomic { left == 0 -> break }
  od
}

/* claim_lock_exclusive, then job_cancel, which marks the lease. */
proctype Cancel() {
  byte left = TURNS;
  do
  :: atomic { left > 0 -> left-- };
     atomic { shared == 0 && !exclusive -> exclusive = true };
     atomic { !row -> row = true };
     atomic { exclusive = false; row = false }
  :: atomic { left == 0 -> break }
  od
}

proctype Judge() { timeout -> assert(_nr_pr == 2) }                     /* K1: nobody waits in a circle */

init { atomic { run Judge(); run Turn(); run Turn(); run Cancel() } }
