/* Leases and releases: what a job may live through from its first place in the queue to its last.
 *
 * Each atomic is one transaction, or the part of one that no lock lets others see; where PostgreSQL lets others in
 * between (a snapshot, then the row lock), there are two. README.md says which file each stands for.
 * A mistake is a macro: -DNOFENCE and so on. Every budget only falls, so every execution ends: a job that is lost
 * shows as a last state in which it is neither done nor dead.
 */

/* Bounds. */
#ifndef J
#define J 1             /* jobs; the second waits for the first */
#endif
#ifndef B
#define B 2             /* chunks a job */
#endif
#ifndef R
#define R 2             /* releases */
#endif
#ifndef MAXA
#define MAXA 2          /* attempts a job may have */
#endif
#ifndef FLIPS
#define FLIPS 0         /* promotions and rollbacks */
#endif
#ifndef CANARIES
#define CANARIES 0      /* canaries begun, and given up */
#endif
#ifndef CRASHES
#define CRASHES 0       /* workers killed */
#endif
#ifndef SHARES
#define SHARES 0        /* claims of a worker that has other jobs as well */
#endif
#ifndef SLOW
#define SLOW 0          /* leases that end under a worker that lives: a zombie each */
#endif
#ifndef RESTARTS
#define RESTARTS 0      /* restarts of the server: every session ends */
#endif
#ifndef FAILS
#define FAILS 0         /* attempts that their handler fails */
#endif
#ifndef SNOOZES
#define SNOOZES 0       /* attempts put off, also by an outage of the database */
#endif
#ifndef RETRIES
#define RETRIES 0       /* dead jobs that a person takes up again */
#endif
#ifndef SCALES
#define SCALES 0        /* workers that scale-in takes */
#endif
#ifndef LOST
#define LOST 0          /* claims whose answer never came */
#endif
#ifndef HOLDS
#define HOLDS 0         /* manual overrides: scale to zero */
#endif
#ifndef W
#define W 3             /* worker slots: of release 1, 2, then 1 (or 3 where there is one), 2 */
#endif

mtype = { ABSENT, BLOCKED, READY, LEASED, LATER, DONE, DEAD };       /* job: the tables of m0001_jobs.sql */
mtype = { STAGED, CANARY, CURRENT, DRAINING, RETIRED };              /* release */
mtype = { NOROW, FRESH, LAPSED };                                    /* beat: no row; in time; run out, or session gone */

typedef Job {
  mtype st = ABSENT;
  byte epoch;           /* one higher at each claim, never reset */
  byte attempt;         /* charged so far; while leased, this one too */
  byte pin;             /* the release it belongs to; 0: any */
  byte mark;            /* chunks committed, as the checkpoint says */
  byte format;          /* the release that wrote the checkpoint; 0: none */
  byte owner;           /* lease.worker_id */
#if SHARES > 0
  bool shared;          /* lease.alone is false: its worker has other jobs too, which are not in the model */
  bool alone;           /* suspect.runs_alone */
#endif
#ifdef ASYNCCLAIM
  bool unflushed;       /* the claim's WAL is not on disk yet */
  byte pinBefore;
#endif
};
Job job[J];
mtype release[R + 1] = STAGED;
mtype beat[W] = NOROW;
bool alive[W];          /* the process runs */
bool late[W];           /* it lives and did not beat for a whole lease */
bool leaving[W];        /* beat.draining, set by scale-in */
byte claims;            /* transactions that hold the claim lock shared */
bool mature = true;     /* the reaper's session is older than one lease */
bool hold;              /* an override: no workers */

byte flips = FLIPS, canaries = CANARIES, crashes = CRASHES, slow = SLOW, restarts = RESTARTS, fails = FAILS,
  shares = SHARES, snoozes = SNOOZES, retries = RETRIES, scales = SCALES, lost = LOST, holds = HOLDS;

/* What really happened, for the assertions only. */
byte chunks[J];         /* bit k: chunk k was committed */
#if SHARES > 0
byte spared[J];         /* crashes in a row that were not charged */
#endif
byte charged[J];        /* attempts that ended by a crash, an expiry or a failure since a person took the job up */

/* Release 1 reads its own format, 2 reads 1's and its own, 3 reads 2's and its own. */
#define READS(r, f) ((f) == 0 || (f) == (r) || (f) + 1 == (r))
#ifdef NOGATE
#define GATE(r, f) true
#else
#define GATE(r, f) READS(r, f)
#endif
#define LIVE(r) (release[r] == CANARY || release[r] == CURRENT || release[r] == DRAINING)
#define CUR (release[1] == CURRENT -> 1 : (release[2] == CURRENT -> 2 : R))
#define OVER(j) (job[j].st == DONE || job[j].st == DEAD)

/* A dead job pins nothing, and what waits for it neither. An unfinished one pins the release that it is pinned to,
 * and the release whose worker holds its lease is always that one: a claim pins. */
#define WAITS_FOR_DEAD(j) ((j) == 1 && job[j].st == BLOCKED && job[0].st == DEAD)
#define PINS(j, r) (job[j].st != ABSENT && !OVER(j) && !WAITS_FOR_DEAD(j) && job[j].pin == (r))
#if J == 1
#define ALLOVER OVER(0)
#else
#define ALLOVER (OVER(0) && OVER(1))
#endif
#define FREE(j) ((job[j].st == READY || job[j].st == LATER) && job[j].pin == 0)
#if J == 1
#define PINNED(r) PINS(0, r)
#define ANYFREE FREE(0)
#define OWNS(w) (job[0].st == LEASED && job[0].owner == (w))
#else
#define PINNED(r) (PINS(0, r) || PINS(1, r))
#define ANYFREE (FREE(0) || FREE(1))
#define OWNS(w) ((job[0].st == LEASED && job[0].owner == (w)) || (job[1].st == LEASED && job[1].owner == (w)))
#endif

/* I10: at least one worker wherever work of this release may be waiting. */
#ifdef ZERODRAIN
#define NEEDED(r) (release[r] == CURRENT || release[r] == CANARY)
#else
#define NEEDED(r) ((release[r] == CURRENT && ANYFREE) || PINNED(r))
#endif

#define HELD(j, e) (job[j].st == LEASED && job[j].epoch == (e))
#ifdef STALEREL
#define MAYCLAIM(j, r) (job[j].pin == (r) || job[j].pin == 0)
#else
#define MAYCLAIM(j, r) (LIVE(r) && (job[j].pin == (r) || (job[j].pin == 0 && release[r] == CURRENT)))
#endif
#define MAYSTART(w, r) (beat[w] == NOROW && !OWNS(w) && !hold && NEEDED(r))
#ifdef LOCKINCLAIM
#define SHARED skip
#define UNSHARED skip
#else
#define SHARED claims++
#define UNSHARED claims--
#endif
#define CLAIMABLE(j, r) (job[j].st == READY && MAYCLAIM(j, r) && GATE(r, job[j].format))

/* After every transaction that moves a release or a pin. */
inline check() {
  assert((release[1] == CURRENT) + (release[2] == CURRENT) + (R == 3 && release[R] == CURRENT) == 1);     /* I6 */
  assert((release[1] == CANARY) + (release[2] == CANARY) + (R == 3 && release[R] == CANARY) <= 1);        /* I6 */
  assert(release[1] != RETIRED || !PINNED(1));                                                            /* I3 */
  assert(release[2] != RETIRED || !PINNED(2));                                                            /* I3 */
  assert(R == 2 || release[R] != RETIRED || !PINNED(R));                                                  /* I3 */
  reader(0)
#if J == 2
  reader(1)
#endif
}
inline reader(i) {      /* I7: who has it can read it; and it is alive, or there would be no one */
  assert(job[i].st == ABSENT || OVER(i) || WAITS_FOR_DEAD(i) || job[i].pin == 0 || LIVE(job[i].pin));     /* I7 */
  assert(job[i].pin == 0 || OVER(i) || READS(job[i].pin, job[i].format))                                  /* I7 */
}

/* ------------------------------------------------------------------ the statements of Sources/JobStore/sql */

#ifdef ASYNCCLAIM
#define FLUSH job[0].unflushed = false
#else
#define FLUSH skip
#endif

/* job_claim: the row was locked, deleted from ready, and stands in lease. */
inline take(i, r) {
#ifdef ASYNCCLAIM
  job[i].unflushed = true; job[i].pinBefore = job[i].pin;
#else
  FLUSH;
#endif
  assert(LIVE(r));                                                      /* I3: nothing is claimed for a retired release */
  assert(READS(r, job[i].format));                                      /* I4: only checkpoints that it reads */
  assert(charged[i] < MAXA);                                            /* I8: attempts are bounded */
  assert(job[i].attempt == charged[i]);                                 /* I9: only crashes and failures are charged */
  job[i].st = LEASED; job[i].owner = w; job[i].pin = r;
#ifndef SAMEEPOCH
  job[i].epoch++;
#endif
  job[i].attempt++;
#if SHARES > 0
  job[i].shared = false;
  if
  :: true
#ifdef INCOMPANY
  :: shares > 0 -> shares--; job[i].shared = true
#else
  :: shares > 0 && !job[i].alone -> shares--; job[i].shared = true      /* one that must run alone is left out */
#endif
  fi;
#endif
  e = job[i].epoch; mine = job[i].mark;
  check()
}

/* job_checkpoint: the lease row is locked for key share, then mark and results are written. */
inline commitChunk(i, k) {
  FLUSH;
  assert(!(chunks[i] & (1 << (k))));                                    /* I1: no chunk is committed twice */
  assert(job[i].owner == w);                                            /* I1: one owner an epoch */
  chunks[i] = chunks[i] | (1 << (k));
  job[i].mark = k + 1; job[i].format = r;
  check()
}

/* job_complete and job_unblock. */
inline finish(i) {
  FLUSH;
  assert(job[i].owner == w);                                            /* I1: ended by who holds it */
  assert(chunks[i] == (1 << B) - 1);                                    /* I2: done means all of it */
  job[i].st = DONE; job[i].owner = 0; job[i].attempt = 0;
#if J == 2
  if :: i == 0 && job[1].st == BLOCKED -> job[1].st = READY :: else fi;
#endif
  check()
}

/* lease_reap for one job, and job_end_attempt as retried: charged, and dead at the limit. */
inline charge(i, where) {
  FLUSH;
  charged[i]++; job[i].owner = 0;
#if SHARES > 0
  spared[i] = 0; job[i].alone = false;
#endif
#ifdef CRASHFREE
  if :: where == READY -> job[i].attempt-- :: else fi;
#endif
  if :: job[i].attempt >= MAXA -> job[i].st = DEAD
     :: else -> job[i].st = where
  fi;
#ifdef UNPIN
  if :: where == READY -> job[i].pin = 0 :: else fi;
#endif
  check()
}

/* lease_reap for a job whose worker ended: charged to one that had the worker alone. One that shared it is not charged, and must run
 * alone next. */
#if SHARES > 0
inline lose(i) {
  if
  :: job[i].shared ->
     FLUSH;
     spared[i]++; job[i].owner = 0; job[i].attempt--; job[i].st = READY; job[i].alone = true;
     assert(spared[i] <= 1)                                             /* I12: a job is spared once until it is charged */
  :: else -> charge(i, READY); job[i].alone = true
  fi;
  check()
}
#else
inline lose(i) { charge(i, READY) }
#endif

/* job_end_attempt as yielded or snoozed, and the give-back of a lease that its worker does not know: not charged. */
inline giveBack(i, where) {
  FLUSH;
#ifndef YIELDCHARGED
  job[i].attempt--;
#endif
  job[i].st = where; job[i].owner = 0
}

/* ------------------------------------------------------------------ a worker process, and who starts it again */

/* claim_lock, then the snapshot of job_claim: under the lock no release moves, but ready rows do. */
#define ASK(i) CLAIMABLE(i, r) -> beat[w] = FRESH; alive[w] = true; j = i; SHARED; e = job[i].epoch; to = job[i].pin; goto claim

proctype Worker(byte w; byte r) {
  byte j, e, mine, to;
off:                    /* no process, or one without work: a live beat is all that tells them apart. worker_register */
end_off:
#ifdef STALEREL
  MAYSTART(w, r) && LIVE(r);      /* the release is looked up once, when the process starts */
end_knows:
#undef MAYSTART
#define MAYSTART(w, r) (beat[w] == NOROW && !OWNS(w))
#endif
  do
  :: atomic { MAYSTART(w, r) && ASK(0) }
#if J == 2
  :: atomic { MAYSTART(w, r) && ASK(1) }
#endif
  od;
claim:
  atomic {              /* for update skip locked: the row that was seen, or nothing; then COMMIT */
    UNSHARED;
    if
    :: job[j].st == READY && job[j].epoch == e && job[j].pin == to ->
       to = 0; take(j, r);
       if
       :: true -> goto work
#if LOST > 0
       :: lost > 0 -> lost--; e = 0; mine = 0; goto unaware             /* the answer never came */
#endif
       fi
    :: else -> goto done
    fi }
#if LOST > 0
unaware:                /* it beats for a lease of which it does not know */
  do
#ifndef NOGIVEBACK
  :: atomic { job[j].st == LEASED && job[j].owner == w -> giveBack(j, READY); goto done }        /* giveBackUnknown */
#endif
  :: atomic { !(job[j].st == LEASED && job[j].owner == w) -> goto done }
  :: atomic { beat[w] == LAPSED -> beat[w] = FRESH; late[w] = false }
  :: atomic { beat[w] == NOROW -> goto done }
  od;
#endif
work:
  do
  :: atomic { mine < B && HELD(j, e) -> commitChunk(j, mine); mine++ }
  :: atomic { mine == B && HELD(j, e) -> finish(j); goto done }
#ifdef ACKNOLEASE
  :: atomic { mine == B && !HELD(j, e) && job[j].st == LEASED -> finish(j); goto done }
#endif
#ifdef NOFENCE
  :: atomic { mine < B && !HELD(j, e) ->
       assert(!(chunks[j] & (1 << mine)));                              /* I1 */
       chunks[j] = chunks[j] | (1 << mine); mine++; goto done }
#endif
  :: atomic { !HELD(j, e) -> goto done }                                /* lease lost: the attempt is abandoned */
  :: atomic { HELD(j, e) && leaving[w] -> giveBack(j, READY); goto done }             /* yield */
  /* A draining release hands over to the current one if that reads the checkpoint; or goes on. Under the claim lock. */
#ifdef HANDOVERNOLOCK
  :: atomic { HELD(j, e) && release[r] == DRAINING && GATE(CUR, job[j].format) -> to = CUR };
     atomic { if :: HELD(j, e) -> giveBack(j, READY); job[j].pin = to; check() :: else fi; to = 0; goto done }
#else
  :: atomic { HELD(j, e) && release[r] == DRAINING && GATE(CUR, job[j].format) ->
       giveBack(j, READY); job[j].pin = CUR; check(); goto done }
#endif
  :: atomic { fails > 0 && HELD(j, e) -> fails--; charge(j, LATER); goto done }
  :: atomic { snoozes > 0 && HELD(j, e) -> snoozes--; giveBack(j, LATER); goto done }
  :: atomic { beat[w] == LAPSED -> beat[w] = FRESH; late[w] = false }   /* worker_beat */
  :: atomic { beat[w] == NOROW -> goto done }                           /* revoked: it stops, and is born anew */
  :: atomic { crashes > 0 && HELD(j, e) -> crashes--;                   /* SIGKILL: session lock gone, beat stays */
       alive[w] = false; late[w] = false; leaving[w] = false; j = 0; e = 0; mine = 0;
       if :: beat[w] == FRESH -> beat[w] = LAPSED :: else fi; goto off }
  od;
done:                   /* worker_leave, or the next claim of the same process */
  atomic { j = 0; e = 0; mine = 0; to = 0; alive[w] = false; late[w] = false; leaving[w] = false; beat[w] = NOROW; goto off }
}

/* ------------------------------------------------------------------ QueueMaintenance */

/* One lease is longer than three beats: who lives and is not slow has beaten again by then. */
#define EXCUSED(x) (beat[x] != LAPSED || !alive[x] || late[x])
#ifdef EAGERREAPER
#define SETTLED true
#elif W == 2
#define SETTLED (EXCUSED(0) && EXCUSED(1))
#elif W == 3
#define SETTLED (EXCUSED(0) && EXCUSED(1) && EXCUSED(2))
#else
#define SETTLED (EXCUSED(0) && EXCUSED(1) && EXCUSED(2) && EXCUSED(3))
#endif

inline revoke(x) {      /* beat_expire, beat_revoke: the delete tests the row again that it locks */
  assert(!alive[x] || late[x]);                                         /* I8: revoked only when late: else a restart charges the fleet */
  beat[x] = NOROW
}
#ifdef REAPBEAT
#define REVOKE(x) :: beat[x] == LAPSED && mature -> revoke(x)           /* seen, then deleted by its number alone */
#else
#define REVOKE(x) :: atomic { beat[x] == LAPSED && mature -> revoke(x) }
#endif

/* A lease without a beat; one past the job's time limit, whose worker lives on; a job whose time has come. */
#define REAP(i) \
  :: atomic { job[i].st == LEASED && beat[job[i].owner] == NOROW && mature -> lose(i) } \
  :: atomic { slow > 0 && job[i].st == LEASED && mature -> slow--; charge(i, READY) } \
  :: atomic { job[i].st == LATER -> FLUSH; job[i].st = READY }

proctype Reaper() {
end_wait:
  do
  REVOKE(0)
  REVOKE(1)
#if W > 2
  REVOKE(2)
#endif
#if W > 3
  REVOKE(3)
#endif
  REAP(0)
#if J == 2
  REAP(1)
#endif
  :: atomic { !mature && SETTLED -> mature = true }
  od
}

/* ------------------------------------------------------------------ control and people */

/* Promote and rollback: claim_lock_exclusive waits until no claim is in flight, and keeps new ones out. */
#define MAYPROMOTE(r) (flips > 0 && !ALLOVER && claims == 0 && (release[r] == STAGED || release[r] == CANARY || release[r] == DRAINING))
#ifdef PROMOTEAPART
#define PROMOTE(r) :: atomic { MAYPROMOTE(r) -> flips--; last = CUR; release[r] = CURRENT; check() }; \
  atomic { release[last] = DRAINING; last = 0; check() }
#else
#define PROMOTE(r) :: atomic { MAYPROMOTE(r) -> flips--; last = CUR; release[last] = DRAINING; release[r] = CURRENT; \
  last = 0; check() }
#endif
#define NOCANARY (release[1] != CANARY && release[2] != CANARY && release[R] != CANARY)
#define BEGINCANARY(r) :: atomic { canaries > 0 && claims == 0 && release[r] == STAGED && NOCANARY -> \
  canaries--; release[r] = CANARY; check() }
#ifdef BLINDROLLBACK
#define GIVEUP(r) :: atomic { canaries > 0 && claims == 0 && release[r] == CANARY -> canaries--; release[r] = RETIRED; check() }
#else
#define GIVEUP(r) :: atomic { canaries > 0 && claims == 0 && release[r] == CANARY -> canaries--; release[r] = DRAINING; check() }
#endif
#define DRAINED(r) (release[r] == DRAINING && !PINNED(r))
#ifdef RACERETIRE
#define RETIRE(r) :: DRAINED(r) && claims == 0; \
  atomic { claims == 0 -> if :: release[r] == DRAINING -> release[r] = RETIRED; check() :: else fi }
#else
#define RETIRE(r) :: atomic { DRAINED(r) && claims == 0 -> release[r] = RETIRED; check() }
#endif
/* Jobs that no worker has in hand move to the current release's lane, where it reads their checkpoint. */
#define HANDOVER(i) :: atomic { FLIPS > 0 && (job[i].st == READY || job[i].st == LATER || job[i].st == BLOCKED) && \
  job[i].pin != 0 && release[job[i].pin] == DRAINING && GATE(CUR, job[i].format) -> FLUSH; job[i].pin = CUR; check() }

proctype Control() {
  byte last;
end_wait:
  do
#if FLIPS > 0
  PROMOTE(1)
  PROMOTE(2)
#if R == 3
  PROMOTE(3)
#endif
#endif
#if CANARIES > 0
  BEGINCANARY(2)
  GIVEUP(2)
#endif
  :: false -> skip
  od
}

/* Any number of controls may run: this one collects and hands over while the other promotes. */
proctype Collector() {
end_wait:
  do
#if FLIPS > 0 || CANARIES > 0
  RETIRE(1)
  RETIRE(2)
#if R == 3
  RETIRE(3)
#endif
  HANDOVER(0)
#if J == 2
  HANDOVER(1)
#endif
#endif
  :: false -> skip
  od
}

/* job_retry: fresh attempts, the epoch that it died at. On its own release, which is open again then with all that
 * waits for the job; or on the current one, if that reads the checkpoint, with all that waits for the job. */
#define RISE job[0].st = READY; job[0].attempt = 0; charged[0] = 0
#ifdef RETRYRETIRED
#define REOPEN(i) skip
#else
#define REOPEN(i) if :: release[job[i].pin] == RETIRED -> release[job[i].pin] = DRAINING :: else fi
#endif
inline retryOwn() {
  retries--; RISE;
#ifdef RETRYEPOCH
  job[0].epoch = 0;
#endif
  REOPEN(0);
#if J == 2
  if :: job[1].st == BLOCKED -> REOPEN(1) :: else fi;
#endif
  check()
}
inline retryCurrent() {
  retries--; RISE; job[0].pin = CUR;
#if J == 2 && !defined(DEADCHILD)
  if :: job[1].st == BLOCKED -> job[1].pin = CUR :: else fi;
#endif
  check()
}

#define LAPSE(x) :: atomic { slow > 0 && alive[x] && beat[x] == FRESH -> slow--; beat[x] = LAPSED; late[x] = true }
inline lapse(x) { if :: beat[x] == FRESH -> beat[x] = LAPSED :: else fi }
inline end(x) {          /* SIGKILL by the platform */
  scales--;
  assert(!OWNS(x))                                                      /* I5: scale-in never ends a busy worker */
}
#ifdef SCALEKILL
#define SCALEIN(x) :: atomic { scales > 0 && alive[x] -> end(x) }
#elif defined(SCALERACE)
#define SCALEIN(x) :: scales > 0 && alive[x] && !OWNS(x); atomic { end(x) }
#else
#define SCALEIN(x) :: atomic { scales > 0 && alive[x] && !leaving[x] -> scales--; leaving[x] = true }
#endif

/* What happens to them: slow workers, restarts, scale-in, people. */
proctype World() {
end_wait:
  do
#if SLOW > 0
  LAPSE(0)
  LAPSE(1)
#if W > 2
  LAPSE(2)
#endif
#if W > 3
  LAPSE(3)
#endif
#endif
#if RESTARTS > 0
  /* Every session ends. What was open is rolled back, as if it had not begun: so only while nothing is open. */
  :: atomic { restarts > 0 && claims == 0 && !ALLOVER -> restarts--; mature = false;
       lapse(0); lapse(1);
#if W > 2
       lapse(2);
#endif
#if W > 3
       lapse(3);
#endif
#ifdef ASYNCCLAIM
       if :: job[0].unflushed -> job[0].unflushed = false; job[0].st = READY; job[0].epoch--; job[0].attempt--;
               job[0].pin = job[0].pinBefore
          :: else fi;
#endif
       skip }
#endif
#if SCALES > 0
  SCALEIN(0)
  SCALEIN(1)
#if W > 2
  SCALEIN(2)
#endif
#endif
#if HOLDS > 0
  :: atomic { holds > 0 -> holds--; hold = true }
#ifndef FOREVER
  :: atomic { hold -> hold = false }                                    /* I11: an override expires */
#endif
#endif
#if RETRIES > 0
  :: atomic { retries > 0 && claims == 0 && job[0].st == DEAD -> retryOwn() }
  :: atomic { retries > 0 && claims == 0 && job[0].st == DEAD && GATE(CUR, job[0].format) -> retryCurrent() }
#endif
  :: false -> skip
  od
}

/* A new run is pinned to the release that it begins with: the current one, or the canary; a job without a run to none. */
proctype Producer() {
  byte to;
#ifdef ENQNOLOCK
  if :: true -> to = CUR :: release[2] == CANARY -> to = 2 fi;
  atomic {
#else
  atomic {
    if :: true -> to = CUR :: release[2] == CANARY -> to = 2 :: true -> to = 0 fi;
#endif
    job[0].pin = to; job[0].st = READY;
#if J == 2
    job[1].pin = to; job[1].st = BLOCKED;
#endif
    to = 0; check() }
}

/* I2: when nothing can happen any more, every job is done, or dead and known to be; and what drained is retired. */
proctype Judge() {
  timeout ->
  assert(OVER(0));                                                      /* I2 */
#if J == 2
  assert(OVER(1) || WAITS_FOR_DEAD(1));                                 /* I2 */
#endif
  assert(release[1] != DRAINING && release[2] != DRAINING && release[R] != DRAINING)   /* I2: a drain ends */
}

init {
  atomic {
    release[1] = CURRENT;
    run Producer(); run Reaper(); run Control(); run Collector(); run World(); run Judge();
    run Worker(0, 1); run Worker(1, 2);
#if W > 2
#if R == 3
    run Worker(2, 3);
#else
    run Worker(2, 1);
#endif
#endif
#if W > 3
    run Worker(3, 2);
#endif
  }
}
