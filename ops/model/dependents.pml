/* Dependents: a job that waits for others, while these end at once and a person cancels and retries. READ COMMITTED: each
 * statement sees what was committed when it began, also where it then waited for a lock.
 */
#ifndef UPSTREAM
#define UPSTREAM 2      /* jobs that the dependent waits for */
#endif
#ifndef CANCELS
#define CANCELS 1       /* times that a person cancels the dependent, and retries it */
#endif

mtype = { BLOCKED, READY, DEAD };
mtype dependent = BLOCKED;
byte pending = UPSTREAM;        /* blocked.pending */
byte version = 1;               /* which row it is: a new one after each retry */
byte done;                      /* bit u: upstream job u is done, committed */
bool rowLocked, runLocked;

#define ALL ((1 << UPSTREAM) - 1)

/* A statement that sets the dependent free; only once. */
inline release() {
  assert(dependent == BLOCKED);                                         /* D2: released once */
  dependent = READY
}

/* job_complete, then job_unblock in the same transaction. */
proctype Upstream(byte u) {
  byte seen, count;
  atomic { seen = (dependent == BLOCKED -> version : 0); count = pending };     /* the snapshot of job_complete */
  if
  :: atomic { seen != 0 && !rowLocked -> rowLocked = true };            /* the blocked row, if it is the one seen */
     atomic { if :: dependent == BLOCKED && version == seen -> pending-- :: else -> rowLocked = false; seen = 0 fi }
  :: atomic { seen == 0 -> skip }
  fi;
  atomic { !runLocked -> runLocked = true };                            /* the run row */
  atomic {                                                              /* job_unblock sees what is committed now */
    if
#if defined(COUNTINWHERE)
    :: seen != 0 && count == 1 -> release()
#elif defined(UNBLOCKBYCOUNT)
    :: dependent == BLOCKED && pending == 0 -> release()
#else
    :: dependent == BLOCKED && (done | (1 << u)) == ALL -> release()
#endif
    :: else
    fi;
    done = done | (1 << u);
    if :: seen != 0 -> rowLocked = false :: else fi;
    runLocked = false; seen = 0; count = 0 }
}

/* job_cancel, then job_retry. */
proctype Person() {
  byte left = CANCELS, waits;
end_wait:
  do
  :: atomic { left > 0 && dependent == BLOCKED && !rowLocked -> left--; dependent = DEAD };
#ifdef RETRYSNAPSHOT                                                    /* one statement: seen first, then locked */
     atomic { waits = UPSTREAM - (done & 1) - ((done >> 1) & 1) - ((done >> 2) & 1) };
     atomic { !runLocked -> runLocked = true };
#else
     atomic { !runLocked -> runLocked = true };                         /* a statement of its own */
     atomic { waits = UPSTREAM - (done & 1) - ((done >> 1) & 1) - ((done >> 2) & 1) };
#endif
     atomic { version++; pending = waits; dependent = (waits == 0 -> READY : BLOCKED); waits = 0; runLocked = false }
  od
}

proctype Judge() { timeout -> assert(done == ALL && dependent == READY) }       /* D1: no dependent is lost */

init { atomic { run Judge(); run Person(); run Upstream(0); run Upstream(1);
#if UPSTREAM > 2
  run Upstream(2)
#endif
} }
