/* Permits: one attempt at a time for a stream, a dataset or a target. A permit is worth no more than the lease behind
 * it, so it is given on when that lease is gone; whether it is gone must be asked after the permit's row is locked.
 */
#ifndef HOLDERS
#define HOLDERS 2
#endif

bool lease[HOLDERS];    /* the attempt's lease */
byte permit;            /* permit.job_id and epoch: the holder + 1 */
bool locked;            /* the permit's row, or its key */

byte inside;            /* attempts with the permit and a lease */

/* Whether the holder of the permit has its lease, as the statement sees it. */
#define TAKEN (permit != 0 && lease[permit - 1])

proctype Attempt(byte w) {
  bool gone;
end_ready:
  atomic { true -> lease[w] = true };                                   /* job_claim */
#ifdef OLDSNAPSHOT
  /* One statement: which leases there are is seen before its row lock is waited for. */
  byte seen, i;
  atomic { seen = 0; i = 0;
    do :: i < HOLDERS -> if :: lease[i] -> seen = seen | (1 << i) :: else fi; i++ :: else -> break od; i = 0 };
  atomic { !locked -> locked = true };
  atomic { locked = false;
    if
    :: permit != 0 && (seen & (1 << (permit - 1))) && permit != w + 1 -> seen = 0; goto put_off
    :: else -> permit = w + 1; seen = 0; goto given
    fi }
#else
  atomic { !locked -> locked = true };                                  /* a statement of its own */
  atomic { locked = false;
    if
    :: TAKEN && permit != w + 1 -> goto put_off
#ifdef PERMITOUTLIVES
    :: permit != 0 && !lease[permit - 1] -> goto put_off                /* a crash keeps it for ever */
#endif
    :: else -> permit = w + 1; goto given
    fi }
#endif
given:
  atomic { inside++; assert(inside == 1) };                             /* P1: one at a time */
  if
  :: atomic { true -> inside--; lease[w] = false; goto out }            /* done */
  :: atomic { true -> inside--; lease[w] = false; goto out }            /* killed, and reaped: the row stays */
  fi;
put_off:                /* JobSnooze: tried again when the other is out */
  atomic { lease[w] = false };
end_later:
#ifdef PERMITOUTLIVES
  atomic { permit == 0 -> goto end_ready };
#else
  atomic { !TAKEN -> goto end_ready };
#endif
out:
  skip
}
proctype Judge() {
  byte i;
  timeout -> 
  do :: i < HOLDERS -> assert(!lease[i]); i++ :: else -> break od;
  assert(_nr_pr == 2)                                                   /* P2: everyone had it in the end */
}
init { atomic { run Judge(); run Attempt(0); run Attempt(1);
#if HOLDERS > 2
  run Attempt(2)
#endif
} }
