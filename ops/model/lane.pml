/* Lanes: a release takes over a lane while workers of another are in the middle of a chunk. Whoever holds a lease goes on
 * until its next checkpoint, whatever the lane says by then. Each release writes one of two checkpoint formats, and reads
 * that one or both: every combination is tried.
 */
#define J 2             /* jobs, of one lane and one definition */
#ifndef B
#define B 2             /* chunks a job */
#endif
#ifndef R
#define R 3             /* releases, each with a worker of its own */
#endif
#ifndef FLIPS
#define FLIPS 2         /* promotions, by two people; a rollback is one */
#endif
#ifndef CRASHES
#define CRASHES 0       /* workers killed; each is started again */
#endif

byte writes[R];         /* release.writes: format 1 or 2 */
byte reads[R];          /* release.reads and migrates, a bit a format */
bool live[R];           /* not retired: it claims */
byte current;           /* the release that is CURRENT */
byte engine;            /* lane.engine_id */

byte mark[J];           /* the checkpoint's format; 0: none */
byte chunks[J];         /* committed with it */
byte holder[J];         /* whose worker has the lease, + 1; 0: none */
byte claims;            /* transactions that hold the claim lock shared */
byte flips = FLIPS, crashes = CRASHES;

#define READABLE(r, f) (f == 0 || (reads[r] & (1 << (f))))
#define OPEN(j) (chunks[j] < B)
#define WAITS(j) (OPEN(j) && holder[j] == 0)

/* What lives there, and what may still be written there: by the lane's engine, and by everyone who is in a chunk. */
#define MARKS(r) ((!OPEN(0) || READABLE(r, mark[0])) && (!OPEN(1) || READABLE(r, mark[1])))
#ifdef GATEMARKS
#define ENGINE(r) true
#else
#define ENGINE(r) READABLE(r, writes[engine])
#endif
#define WRITER(r, j) (holder[j] == 0 || READABLE(r, writes[holder[j] - 1]))
#if defined(GATELANE) || defined(GATEMARKS)
#define WRITERS(r) true
#else
#define WRITERS(r) (WRITER(r, 0) && WRITER(r, 1))
#endif
#define GATE(r) (MARKS(r) && ENGINE(r) && WRITERS(r))

#ifdef NOLEASES
#define PINNED(r) (engine == r && (WAITS(0) || WAITS(1)))
#else
#define PINNED(r) (engine == r && (OPEN(0) || OPEN(1)))
#endif

/* ReleaseDesk.promote with lane_hand_over.sql, under claim_lock_exclusive. */
proctype Desk() {
  byte r;
  bool ok;
end_desk:
  do
  :: atomic { flips > 0 && claims == 0 ->
      select (r : 0 .. R - 1);
      ok = GATE(r);
#ifdef GATEAPART
      skip }
     atomic { claims == 0 ->
#endif
      if
      :: flips > 0 ->
        flips--;
        live[r] = true; current = r;
        if :: ok -> engine = r :: else fi
      :: else
      fi;
      r = 0; ok = false }
  :: atomic { flips > 0 -> flips = 0 }                                  /* nobody deploys any more */
  od
}

/* release_retire.sql. A holder of a lease in a lane that is another's by now pins nothing: it gives back. */
proctype Retire(byte r) {
end_retire:
  do
  :: atomic { claims == 0 && live[r] && current != r && !PINNED(r) -> live[r] = false }
  od
}

proctype Worker(byte r) {
  byte j;
end_idle:
  atomic { live[r] && engine == r && (WAITS(0) || WAITS(1)) ->          /* the lane is read, */
#ifndef CLAIMAPART
    claims++                                                            /* behind claim_lock.sql, */
#endif
  }
  atomic {                                                              /* and then a job is taken */
#ifndef CLAIMAPART
    claims--;
#endif
    if
    :: WAITS(0) -> j = 0
    :: WAITS(1) -> j = 1
    :: else -> goto end_idle
    fi;
    assert(live[r]);                                                    /* I3: nothing is claimed for a retired release */
    assert(READABLE(r, mark[j]));                                       /* I4: only what it reads */
    holder[j] = r + 1 }
chunk:
  if
  :: atomic { true -> mark[j] = writes[r]; chunks[j]++;                 /* job_checkpoint.sql */
      if
      :: chunks[j] == B -> holder[j] = 0; j = 0; goto end_idle          /* done */
      :: chunks[j] < B && engine != r -> holder[j] = 0; j = 0; goto end_idle  /* seen by the last look: a yield */
      :: chunks[j] < B -> goto chunk                                    /* or not yet */
      fi }
  :: atomic { crashes > 0 -> crashes--; holder[j] = 0; j = 0; goto end_idle } /* lease_reap.sql */
  fi
}

proctype Judge() {
  timeout ->
  assert(!OPEN(0) && !OPEN(1))                                          /* I2: every job is done in the end */
}

init {
  byte r, f;
  atomic {
    do
    :: r < R ->
      select (f : 1 .. 2);
      writes[r] = f;
      if :: reads[r] = 1 << f :: reads[r] = 6 fi;
      r++
    :: else -> break
    od;
    r = 0; f = 0;
    live[0] = true;
    run Judge(); run Desk(); run Desk();
    do :: r < R -> run Worker(r); run Retire(r); r++ :: else -> break od;
    r = 0
  }
}
