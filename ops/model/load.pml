/* Loading exactly once: a target with its ledger, workers that die or only seem to, a target that crashes, replies that
 * never come, a control database restored from a backup.
 *
 * Each atomic is one transaction, or the part of one that no lock lets others see. README.md says which file each
 * stands for. Every budget only falls, so every execution ends.
 */

/* Bounds. */
#ifndef S
#define S 2             /* snapshots of the table, in order */
#endif
#ifndef L
#define L 2             /* worker slots */
#endif
#ifndef CRASHES
#define CRASHES 0       /* workers killed */
#endif
#ifndef SLOW
#define SLOW 0          /* leases that end under a worker that lives: a zombie each */
#endif
#ifndef HANGS
#define HANGS 0         /* workers that hang for ever inside their final transaction */
#endif
#ifndef TARGETS
#define TARGETS 0       /* crashes of the target: unlogged tables are empty afterwards */
#endif
#ifndef REPLIES
#define REPLIES 0       /* replies to COMMIT that are lost, with or without the commit */
#endif
#ifndef CONTROLS
#define CONTROLS 0      /* completions that the control database does not confirm */
#endif
#ifndef RESTORES
#define RESTORES 0      /* restores of the control database: tickets and snapshots go back */
#endif
#define IDS (S + 1)     /* a restore loses the last snapshot; its successor has the number, and a UUID of its own */

mtype = { READY, LEASED, DONE };
mtype = { ABSENT, LOADED, SUPERSEDED };

/* The control database: the load job, the ticket sequence, the catalog. */
mtype job = READY;
byte epoch, owner, sequence;
byte have = 1;          /* snapshots in the catalog */
byte uuid[S];           /* by number */

/* The target. */
byte head;              /* sluice_ledger.head.ticket */
byte locked;            /* who holds the head's row, + 1 */
byte applying;          /* the snapshot that its transaction reads: its staging table cannot be dropped */
mtype ledger[IDS] = ABSENT;
bool table[IDS];        /* the staging table, with its row in `staging` */
byte staged[IDS];       /* unlogged: bit c, chunk c is staged */
byte rows0[IDS], rows1[IDS];    /* unlogged: how often the rows of chunk 0 and 1 are in the staging table */
#ifdef ASYNCHEAD
byte headOnDisk;
#endif

byte crashes = CRASHES, slow = SLOW, hangs = HANGS, targets = TARGETS, replies = REPLIES, controls = CONTROLS,
  restores = RESTORES;

/* What really happened, for the assertions only. */
byte applied[IDS];      /* how often the snapshot's rows came into the table */
byte order;             /* claims so far, which no restore turns back */
byte taken;             /* the claim that has the table */
byte refused;           /* attempts that hold their lease and were refused by the head */
bool killed[L];         /* the target ended the session inside its transaction */
byte ticketOf[L];

#define BEHIND (locked != 0 && ticketOf[locked - 1] > t)        /* lock_timeout ends the wait for a later attempt */
#define HELD (job == LEASED && epoch == e)
#define FULL2 (S > 1 && seen > 1)
#ifdef NUMBERKEY        /* the ledger goes by number, which is issued again */
#define KEY(n) (n)
#else
#define KEY(n) uuid[n]
#endif

inline again() { if :: HELD -> job = READY :: else fi }         /* retried, or given back: another attempt follows */

/* The head was seen with a higher ticket. Who still has the lease concludes that the sequence went back: ticket_raise. */
inline fenced() {
  if
  :: HELD ->
     refused++;
     assert(refused <= RESTORES);                                       /* L5: never for nothing, and once a restore */
#ifndef NORAISE
     if :: head > sequence -> sequence = head :: else fi;
#endif
     again()
  :: else
  fi
}

inline forget() { t = 0; e = 0; g = 0; seen = 0; n = 0; s = 0; c = 0; ticketOf[w] = 0; killed[w] = false }
inline unlock() { if :: locked == w + 1 -> locked = 0; applying = 0 :: else fi }

/* The final transaction: rows and ledger row, then COMMIT. The head is locked. */
inline apply() {
  assert(g >= taken);                                                   /* L3: no later attempt has the table */
  assert(applied[s] == 0);                                              /* L1: once */
  assert(rows0[s] == 1 && rows1[s] == 1);                               /* L2: whole, and no row twice */
  assert(n == 0 || ledger[KEY(0)] != ABSENT);                           /* L4: in order */
  applied[s]++;
#ifndef LEDGERAPART
  ledger[KEY(n)] = LOADED;
#endif
  head = t;
#ifdef ASYNCHEAD
  headOnDisk = head;
#endif
  unlock()
}

proctype Loader(byte w) {
  byte t, e, g, seen, n, s, c;
end_idle:
  atomic { job == READY ->                                              /* job_claim: lease, epoch and ticket */
    job = LEASED; owner = w; epoch++; e = epoch; order++; g = order;
#ifdef CACHEDSEQUENCE
    sequence++; t = (w == 0 -> sequence + 8 : sequence);
#else
    sequence++; t = sequence;
#endif
    ticketOf[w] = t }
older:                  /* TargetLedger.takeOver: first the sessions of earlier attempts, one of which may hold the head */
#ifndef NOTERMINATE
  atomic { if
    :: locked != 0 && locked != w + 1 && ticketOf[locked - 1] < t -> killed[locked - 1] = true; locked = 0; applying = 0
    :: else
    fi }
#endif
  atomic { if
    :: locked == 0 && head <= t -> head = t;
       assert(g >= taken);                                              /* L3: no later attempt has the table */
       taken = g
    :: locked == 0 && head > t -> fenced(); goto stop
#ifndef NOTERMINATE
    :: locked != 0 && ticketOf[locked - 1] < t -> goto older            /* lock_timeout, and tried again */
#endif
    :: BEHIND -> goto failed
    fi }
  atomic { seen = have; n = 0 }                                         /* the catalog's snapshots; entries, LoadOrder */
#ifdef FULL
  if                                                                    /* TargetLedger.supersede */
  :: atomic { FULL2 && ledger[KEY(0)] == ABSENT -> skip };
     atomic { locked == 0 || BEHIND ->
       if
       :: locked != 0 -> goto failed
       :: locked == 0 && head > t -> fenced(); goto stop
       :: locked == 0 && head <= t && ledger[KEY(0)] == ABSENT -> ledger[KEY(0)] = SUPERSEDED
       :: else
       fi }
  :: else
  fi;
#endif
next:
  atomic {
    c = 0;
    if
    :: n < seen && ledger[KEY(n)] != ABSENT -> n++; goto next
    :: n < seen && ledger[KEY(n)] == ABSENT -> s = uuid[n]
    :: n == seen -> s = 0; n = 0; goto complete
#ifdef NEWESTFIRST
    :: n == 0 && seen > 1 && ledger[KEY(1)] == ABSENT -> n = 1; s = uuid[1]
#endif
    fi }
  /* StagingTable.prepare: the head is looked at without its lock, so others may come in between. */
  if
  :: atomic { table[s] -> skip }
  :: atomic { !table[s] && head <= t -> skip };
     atomic { if :: table[s] -> again(); goto stop
                 :: else -> table[s] = true; staged[s] = 0; rows0[s] = 0; rows1[s] = 0
              fi }
  :: atomic { !table[s] && head > t -> fenced(); goto stop }
  fi;
copy:                   /* ChunkCopy: the head looked at, then `staged` and the rows in one transaction */
  if
  :: atomic { c == 2 -> c = 0; goto final }
  :: atomic { c < 2 && (staged[s] & (1 << c)) -> c++; goto copy }
  :: atomic { c < 2 && !(staged[s] & (1 << c)) && head > t -> fenced(); goto stop }
  :: atomic { c < 2 && !(staged[s] & (1 << c)) && head <= t -> skip }
  fi;
#ifdef STAGEDAPART
  atomic { if :: c == 0 -> rows0[s]++ :: else -> rows1[s]++ fi };
  atomic { staged[s] = staged[s] | (1 << c); c++; goto copy }
#else
  atomic { if
    :: !table[s] -> again(); goto stop                                  /* dropped meanwhile: the attempt fails */
    :: table[s] && (staged[s] & (1 << c)) -> c++; goto copy             /* on conflict do nothing */
    :: else -> staged[s] = staged[s] | (1 << c);
       if :: c == 0 -> rows0[s]++ :: else -> rows1[s]++ fi;
       c++; goto copy
    fi }
#endif
final:                  /* FinalTransaction: lock the head, then everything is looked at under it */
#ifdef TICKETEARLY
  atomic { head <= t -> skip };
#endif
#ifdef ACKFIRST
  atomic { if :: HELD -> job = DONE :: else fi };
#endif
  atomic { locked == 0 || BEHIND ->
    if :: locked != 0 -> goto failed :: else fi;
    locked = w + 1; killed[w] = false; applying = s + 1;
    if
#if !defined(NOTICKET) && !defined(TICKETEARLY)
    :: head > t -> unlock(); fenced(); goto stop
#endif
    :: ledger[KEY(n)] != ABSENT -> unlock(); goto drop
#if defined(NOTICKET) || defined(TICKETEARLY)
    :: ledger[KEY(n)] == ABSENT && table[s] && staged[s] == 3 && rows0[s] == 1 && rows1[s] == 1 -> skip
#elif defined(COUNTRECORD)
    :: head <= t && ledger[KEY(n)] == ABSENT && table[s] && staged[s] == 3 -> skip
#elif defined(STAGEDAPART)
    :: head <= t && ledger[KEY(n)] == ABSENT && table[s] && staged[s] == 3 && rows0[s] > 0 && rows1[s] > 0 -> skip
#else
    :: head <= t && ledger[KEY(n)] == ABSENT && table[s] && staged[s] == 3 && rows0[s] == 1 && rows1[s] == 1 -> skip
#endif
    :: else -> unlock();                                                /* staged_rows_differ: begun anew */
       goto differ
    fi }
commit:
  if
  :: atomic { killed[w] -> goto failed }                                /* aborted with the session */
  :: atomic { !killed[w] -> apply() };
#ifdef LEDGERAPART
     if
     :: atomic { true -> ledger[KEY(n)] = LOADED }
     :: atomic { crashes > 0 -> crashes--; again(); goto stop }
     fi
#endif
  :: atomic { !killed[w] && replies > 0 -> replies--; apply() }; goto ask   /* committed, and no one told */
  :: atomic { !killed[w] && replies > 0 -> replies--; unlock() }; goto ask  /* not committed, and no one told */
  :: atomic { !killed[w] && crashes > 0 && HELD -> crashes--; unlock(); again(); goto stop }
  :: atomic { !killed[w] && hangs > 0 -> hangs--; again() }; goto hang  /* its beats stop: the reaper gives the job on */
  fi;
drop:                   /* StagingTable.drop: waits for who reads the table */
  if
  :: atomic { head > t -> fenced(); goto stop }
  :: atomic { head <= t -> skip }
  fi;
  atomic { if
    :: applying == s + 1 -> goto failed                                 /* lock_timeout */
    :: else -> table[s] = false; staged[s] = 0; rows0[s] = 0; rows1[s] = 0; goto next
    fi }
differ:
  if
  :: atomic { head > t -> fenced(); goto stop }
  :: atomic { head <= t -> skip }
  fi;
  atomic { if
    :: applying == s + 1 -> skip
    :: else -> table[s] = false; staged[s] = 0; rows0[s] = 0; rows1[s] = 0
    fi; goto failed }
ask:                    /* SnapshotLoad.askLedger: the head stays locked until the lost transaction has ended */
#ifdef BLINDREPEAT
  atomic { locked == 0 -> locked = w + 1; applying = s + 1; apply(); goto drop }
#elif defined(BELIEVECOMMIT)
  atomic { true -> n++; goto next }
#else
  atomic { locked == 0 || BEHIND ->
    if
    :: locked == 0 && head > t -> fenced(); goto stop
    :: locked == 0 && head <= t && ledger[KEY(n)] != ABSENT -> goto drop
    :: else -> goto failed
    fi }
#endif
complete:               /* job_complete with loaded_record: the control database is told */
  if
  :: atomic { !HELD -> goto stop }
#ifndef ACKFIRST
  :: atomic { HELD ->
       assert(owner == w);                                              /* L6: an attempt is ended by who holds it */
       assert(ledger[KEY(0)] != ABSENT && (seen < 2 || ledger[KEY(S - 1)] != ABSENT));  /* L7: never skipped */
       if :: seen < have -> job = READY :: else -> job = DONE fi; goto stop }
  :: atomic { HELD && controls > 0 -> controls--; again(); goto stop }  /* not confirmed, and not done */
#endif
  fi;
failed:
  atomic { again(); goto stop }
hang:
end_hang:
  atomic { killed[w] -> skip };
stop:
  atomic { unlock(); forget(); goto end_idle }
}

/* What happens to them. */
proctype World() {
end_wait:
  do
  :: atomic { have < S ->                                               /* a curation commits; its run has a load */
       uuid[have] = (restores < RESTORES -> IDS - 1 : have); have++;
       if :: job == DONE -> job = READY :: else fi }
#if SLOW > 0
  :: atomic { slow > 0 && job == LEASED -> slow--; job = READY }        /* lease_reap, and the worker lives */
#endif
#if TARGETS > 0
  /* Open transactions end, unlogged tables are empty; what was committed stays. */
  :: atomic { targets > 0 -> targets--;
       if :: locked != 0 -> killed[locked - 1] = true; locked = 0; applying = 0 :: else fi;
       rows0[0] = 0; rows0[1] = 0; rows0[IDS - 1] = 0; rows1[0] = 0; rows1[1] = 0; rows1[IDS - 1] = 0;
#ifdef ASYNCHEAD
       head = headOnDisk;
#endif
#ifndef COUNTRECORD
       staged[0] = 0; staged[1] = 0; staged[IDS - 1] = 0;
#endif
       skip }
#endif
#if RESTORES > 0
  /* From a backup made when nothing was claimed yet, and the first snapshot was there. The workers are stopped. */
#ifdef LIVERESTORE
  :: atomic { restores > 0 && order > 0 ->
#else
  :: atomic { restores > 0 && order > 0 && ticketOf[0] == 0 && ticketOf[L - 1] == 0 && (L < 3 || ticketOf[1] == 0) ->
#endif
       restores--; sequence = 0; epoch = 0; job = READY; have = 1; uuid[1] = 0 }
#endif
  od
}

/* When nothing can happen any more: every snapshot of the catalog is in, or superseded, and the job is done. */
proctype Judge() {
  timeout ->
  assert(job == DONE);                                                  /* L7: the load ends */
  assert(applied[0] == 1 || ledger[0] == SUPERSEDED);                   /* L7 */
  assert(applied[0] == 0 || ledger[0] != SUPERSEDED);                   /* L1 */
  assert(applied[uuid[S - 1]] == 1)                                     /* L7: never skipped */
}

init { atomic { run World(); run Judge(); run Loader(0); run Loader(1);
#if L > 2
  run Loader(2)
#endif
} }
