/* Blocks of docs/design/block-pool.md: memory for large messages, its ownership carried by the one word {backed, owned, chunk}.
 *
 * MODELLED
 *   SENDERS senders (each MSGS large messages), one receiver, a ring of one slot, a hand of one chunk each, BLOCKS blocks of which
 *   MAXB may have memory, REAPERS reapers. claim: CAS FREE -> {owned, m}, any block; if not backed: count the words that are backed
 *   or owned, one load at a time; too many: give it back; else fallocate, then mark backed. A sender may give up instead of
 *   committing. The receiver delivers or drops; it and the senders may trim: CAS {backed, FREE} -> {owned, m, not backed}, punch, FREE.
 *   Everybody may be killed before each step, CRASHES times in all. Reaper: the lock; the hand (the exchange that did happen); a
 *   message of the dead is delivered flagged (adoption); then the blocks that name a SPARE chunk of that hand: punch what is not marked
 *   as backed, FREE; give the lock back. mem[] is the real memory, which nobody can see. ONCE: at_most_once, no adoption. STOP: one
 *   process is stopped at any moment and goes on when nobody else can do anything.
 * NOT MODELLED
 *   the exchange itself and how repair decides about it (exchange_ring.pml), a fallocate that fails (as a refusal), size classes.
 * CHECKED
 *   - never more than MAXB blocks with memory; nobody touches a block without memory (that would be SIGBUS on a full tmpfs)
 *   - a delivered message's block is the one it was committed with, names its chunk and has its payload: not freed or owned by another
 *   - a chunk that is given away as spare names no block
 *   - no word names the reaped: when a slot is given up after a repair, no block names the spare chunk of its hand
 *   - STOP, when only the stopped one could go on: its hand and its blocks are as they were, and no other sender waits
 *   - at the end, all repaired: each block is FREE or names a chunk that holds a message; a FREE block has memory iff it says so
 * RUN     tests/model/run block_pool, or
 *   spin -a -DCRASHES=2 block_pool.pml && gcc -O2 -DSAFETY -DCOLLAPSE -DNOREDUCE -o pan pan.c && ./pan -m100000
 */
#ifndef SENDERS
#define SENDERS 2
#endif
#ifndef MSGS
#define MSGS 1
#endif
#ifndef BLOCKS
#define BLOCKS 2
#endif
#ifndef MAXB
#define MAXB 1
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef REAPERS
#define REAPERS 1
#endif
#define P       (SENDERS + 1)
#define CHUNKS  (P + 1)
#define SPARE   0
#define MESSAGE 1
#define NONE    255

bit backed[BLOCKS], owned[BLOCKS], mem[BLOCKS]; byte named[BLOCKS], payload[BLOCKS];
byte hdr_block[CHUNKS], hdr_id[CHUNKS];
byte r_chunk; bit r_full;
byte hc[P]; bit hk[P]; bit did[P]; byte get[P]; bit get_k[P];
byte lock[P]; bit live[P];
byte crashes = CRASHES, backed_now;
bit started[P * MSGS + 1];

#ifdef STOP
byte stopped, stops = 1;                                /* the process under SIGSTOP, by its number */
byte kept;                                              /* its blocks, as a sum */
byte ended;                                             /* senders that have come to their end */
#define RUNS     provided (stopped != _pid)
#define ENDED    ended++
#else
#define RUNS
#define ENDED    skip
#endif
#define me       _pid
#ifdef F_TIMEOUT                                        /* who has not moved for long is taken for dead */
#define DEAD(k)  (k < P && (lock[k] == 0 || stopped && lock[k] == stopped) && live[k])
#else
#define DEAD(k)  (k < P && lock[k] == 0 && live[k])
#endif

#define S(step)  if :: step :: crashes > 0 -> crashes--; goto dead fi
#define FREE_(b) d_step { owned[b] = 0; named[b] = 0 }

inline deliver(c) {
  assert(owned[hdr_block[c]] && named[hdr_block[c]] == c && backed[hdr_block[c]] && mem[hdr_block[c]]);
  assert(payload[hdr_block[c]] == hdr_id[c])
}
inline give_away(c) {           /* a chunk that goes into the ring as spare */
  d_step { j = 0; do :: j < BLOCKS -> assert(!(owned[j] && named[j] == c)); j++ :: else -> break od; j = 0 }
}
inline allocate(b) { assert(!mem[b]); mem[b] = 1; backed_now++; assert(backed_now <= MAXB) }
inline punch(b) { if :: mem[b] -> mem[b] = 0; backed_now-- :: else fi }

/* trim: any block that is free and backed, named for the spare chunk of x meanwhile */
#ifdef F_TRIM_UNOWNED
#define TRIM(x) \
  if :: (!owned[0] && backed[0]) -> b = 0 :: (!owned[1] && backed[1]) -> b = 1 fi; \
  S(backed[b] = 0)
#else
#define TRIM(x) \
  if :: (!owned[0] && backed[0]) -> b = 0 :: (!owned[1] && backed[1]) -> b = 1 fi; \
  S(d_step { owned[b] = 1; named[b] = hc[x] }); \
  S(TRIM_MARK)
#endif
#ifdef F_TRIM_PUNCH_FIRST
#define TRIM_MARK skip
#define TRIM_END(b) d_step { owned[b] = 0; named[b] = 0; backed[b] = 0 }
#else
#define TRIM_MARK backed[b] = 0
#define TRIM_END(b) FREE_(b)
#endif

proctype Sender(byte x) RUNS {
  byte m = 0, b = NONE, n, j;
  do
  :: m < MSGS ->
     /* claim: one CAS, of any block that is free */
#ifdef F_CHECK_BEFORE_CLAIM
     n = 1; j = 0;
     do :: j < BLOCKS -> atomic { n = n + (backed[j] || owned[j]); j++ } :: else -> break od;
     j = 0;
     if
     :: atomic { n <= MAXB && !owned[0] -> b = 0; S(d_step { owned[0] = 1; named[0] = hc[x] }) }
     :: atomic { n <= MAXB && !owned[1] -> b = 1; S(d_step { owned[1] = 1; named[1] = hc[x] }) }
     :: atomic { else -> n = 0; m++; goto next }
     fi;
#else
     if
     :: atomic { !owned[0] -> b = 0; S(d_step { owned[0] = 1; named[0] = hc[x] }) }      /* STEP(block.claim) */
     :: atomic { !owned[1] -> b = 1; S(d_step { owned[1] = 1; named[1] = hc[x] }) }
#if BLOCKS > 2
     :: atomic { !owned[2] -> b = 2; S(d_step { owned[2] = 1; named[2] = hc[x] }) }
#endif
     :: atomic { else -> m++; goto next }
     fi;
#endif
     if
     :: backed[b]
     :: !backed[b] ->
#ifndef F_CHECK_BEFORE_CLAIM
        n = 0; j = 0;                                   /* STEP(back.sum) */
        do :: j < BLOCKS -> atomic { n = n + (backed[j] || owned[j]); j++ } :: else -> break od;
        j = 0;
#endif
        atomic {
          if
          :: n > MAXB -> n = 0; S(FREE_(b)); b = NONE; m++; goto next   /* STEP(block.refuse) */
          :: else -> n = 0
          fi;
#ifdef F_MARK_BEFORE_ALLOCATE
          S(backed[b] = 1)
#else
          S(d_step { allocate(b) })                     /* STEP(back.allocate) */
#endif
        };
#ifdef F_MARK_BEFORE_ALLOCATE
        atomic { S(d_step { allocate(b) }) }
#else
        atomic { S(backed[b] = 1) }                     /* STEP(back.mark) */
#endif
     fi;
     /* fill */
     atomic { assert(mem[b]); S(d_step { payload[b] = x * MSGS + m + 1; hdr_id[hc[x]] = x * MSGS + m + 1; hdr_block[hc[x]] = b }) };
     if
     :: atomic { !r_full ->
          S(d_step { assert(named[b] == hc[x]); get[x] = r_chunk; get_k[x] = SPARE; r_chunk = hc[x]; r_full = 1; did[x] = 1 });
          S(d_step { hc[x] = get[x]; hk[x] = SPARE; did[x] = 0 }) }
     :: atomic { S(FREE_(b)) }                           /* gives up: the message was never committed */
     fi;
     atomic { m++; b = NONE };
next: skip
  :: atomic { (!owned[0] && backed[0]) || (!owned[1] && backed[1]) -> TRIM(x) };        /* STEP(trim.claim) STEP(trim.unmark) */
     atomic { S(d_step { punch(b) });                   /* STEP(trim.punch) */
#ifndef F_TRIM_UNOWNED
              S(TRIM_END(b));                           /* STEP(trim.free) */
#endif
              b = NONE }
  :: atomic { m == MSGS -> break }
  od;
  atomic { S(live[x] = 0) };
dead:
  atomic { lock[x] = 0; m = 0; b = 0; n = 0; j = 0; ENDED }
}

proctype Receiver(byte x) RUNS {
  byte c, b, j;
end_r:
  do
  :: atomic { r_full ->
       give_away(hc[x]);
       c = r_chunk;
       if
       :: S(d_step { get[x] = c; get_k[x] = MESSAGE; r_chunk = hc[x]; r_full = 0; did[x] = 1 });
          S(d_step { hc[x] = c; hk[x] = MESSAGE; did[x] = 0 })
       :: S(d_step { get[x] = c; get_k[x] = SPARE; r_chunk = hc[x]; r_full = 0; did[x] = 1 });    /* drop */
          S(d_step { hc[x] = c; hk[x] = SPARE; did[x] = 0 })
       fi;
       b = hdr_block[c]
     };
     atomic { if :: hk[x] == MESSAGE -> deliver(c) :: else fi };
#ifdef F_FREE_BEFORE_SPARE
     atomic { S(FREE_(b)) };
     atomic { S(hk[x] = SPARE); b = 0; c = 0 }
#else
     atomic { S(hk[x] = SPARE) };                       /* STEP(release.spare) */
#ifdef F_EXCHANGE_BEFORE_FREE
     if
     :: atomic { r_full -> give_away(hc[x]); c = hc[x]; hc[x] = r_chunk; r_chunk = c; r_full = 0; j = hdr_block[hc[x]] };
        atomic { S(FREE_(b)); b = j; j = 0 }
     :: true
     fi;
#endif
     atomic { S(FREE_(b)); b = 0; c = 0 }               /* STEP(release.free) */
#endif
  :: atomic { (!owned[0] && backed[0]) || (!owned[1] && backed[1]) -> TRIM(x) };
     atomic { S(d_step { punch(b) });
#ifndef F_TRIM_UNOWNED
              S(TRIM_END(b));
#endif
              b = 0 }
  od;
dead:
  atomic { lock[x] = 0; c = 0; b = 0; j = 0 }
}

inline repair_hand(x) { if :: did[x] -> S(d_step { hc[x] = get[x]; hk[x] = get_k[x]; did[x] = 0 }) :: else fi }
inline scan(x) {
  j = 0;
  do
  :: j < BLOCKS ->
     if
     :: (owned[j] && named[j] == hc[x] && hk[x] == SPARE) ->
#ifndef F_NO_PUNCH
        if :: !backed[j] -> S(d_step { punch(j) }) :: else fi;          /* STEP(reclaim.punch) */
#endif
        S(FREE_(j))                                     /* STEP(reclaim.free) */
     :: else
     fi;
     j++
  :: else -> break
  od;
  j = 0
}
proctype Reaper() RUNS {
  byte x = NONE, j;
end_p:
  do
  :: atomic {
       if :: DEAD(0) -> x = 0 :: DEAD(1) -> x = 1
#if SENDERS > 1
       :: DEAD(2) -> x = 2
#endif
       fi;
       lock[x] = me };
     atomic {
#ifdef F_SCAN_BEFORE_REPAIR
       scan(x); repair_hand(x)
#else
       repair_hand(x)
#endif
     };
#ifdef ONCE
     atomic { if :: hk[x] == MESSAGE -> S(hk[x] = SPARE) :: else fi };                   /* STEP(settle.spare) */
#else
     atomic { if :: hk[x] == MESSAGE -> deliver(hc[x]); S(hk[x] = SPARE) :: else fi };
#endif
#if !defined(F_NO_SCAN) && !defined(F_SCAN_BEFORE_REPAIR)
     atomic { scan(x) };
#endif
     atomic {
       j = 0; do :: j < BLOCKS -> assert(!(owned[j] && named[j] == hc[x])); j++ :: else -> break od; j = 0;     /* no block names the reaped */
       S(live[x] = 0); lock[x] = 0; x = NONE
     }
  od;
dead:
  atomic { if :: x != NONE -> lock[x] = 0 :: else fi; x = 0; j = 0 }
}

#ifdef STOP
/* the blocks of those whose locks the stopped process holds, and what is in their hands */
#define HOLDS(x) (did[x] -> get[x] : hc[x])
inline sum_up() {
  x = 0; n = 0;
  do
  :: x < P ->
     if
     :: lock[x] == stopped ->
        n = n + 1 + x + 3 * HOLDS(x) + 5 * hk[x] + 7 * live[x]; j = 0;
        do :: j < BLOCKS -> if :: owned[j] && named[j] == HOLDS(x) -> n = n + 11 + 13 * j + 17 * backed[j] + 31 * mem[j] + payload[j] :: else fi; j++ :: else -> break od
     :: else
     fi;
     x++
  :: else -> break
  od;
  x = 0; j = 0
}
#endif
proctype Monitor() {
  byte x, j, n; bit ok;
#ifdef STOP
  do
  :: atomic { stops -> stops = 0;                       /* SIGSTOP to anybody, at any moment */
       select(x : 1 .. P + REAPERS); stopped = x; sum_up(); kept = n; n = 0 }
  :: atomic { timeout && stopped ->                     /* SIGCONT, at the very end: nothing of it was touched, and nobody waits any more */
       sum_up(); assert(n == kept && ended >= SENDERS - (stopped <= SENDERS)); stopped = 0; kept = 0; n = 0 }
  :: timeout && !stopped -> break
  od;
  skip;
#else
  timeout;
#endif
  d_step {
    x = 0;
    do
    :: x < P ->
       if
       :: (lock[x] == 0 && live[x]) ->
          if :: did[x] -> hc[x] = get[x]; hk[x] = get_k[x] :: else fi;
          j = 0;
          do
          :: j < BLOCKS ->
             if :: (owned[j] && named[j] == hc[x] && hk[x] == SPARE) -> if :: !backed[j] -> punch(j) :: else fi; owned[j] = 0 :: else fi;
             j++
          :: else -> break
          od
       :: else
       fi;
       x++
    :: else -> break
    od;
    j = 0;
    do
    :: j < BLOCKS ->
       if
       :: owned[j] ->
          ok = (r_full && r_chunk == named[j]);
          x = 0; do :: x < P -> ok = (ok || (hc[x] == named[j] && hk[x] == MESSAGE)); x++ :: else -> break od;
          assert(ok && backed[j] && mem[j])
       :: else -> assert(backed[j] == mem[j])
       fi;
       j++
    :: else -> break
    od;
    assert(backed_now <= MAXB)
  }
}

init {
  byte z;
  atomic {
    d_step { z = 0; do :: z < P -> hc[z] = z + 1; lock[z] = z + 1; live[z] = 1; z++ :: else -> break od }
    run Sender(0);
#if SENDERS > 1
    run Sender(1);
#endif
    run Receiver(SENDERS);
    run Reaper();
#if REAPERS > 1
    run Reaper();
#endif
    run Monitor()
  }
}
