/* How jobs outlive batchd, its workers and the spawner: a model of what engine/reports.c, engine/start.c,
 * exec/pool.c, worker/worker.c, worker/job.c and worker/spawner.c do, looked at in every order of their
 * steps and deaths by spin (check.py beside it runs it).
 *
 * Two jobs; workers that hold one running job and one handed ahead; one batchd, one spawner. Any of them
 * may be killed between any two steps, KILLS times in all; batchd and the spawner come again. Job 0 is
 * run again when it is lost, job 1 never. A user may cancel each job at any moment. The first attempt of
 * a job may run into its timeout, and is tried again. Without control groups nobody can prove a tree dead
 * that lost both its worker and its spawner; with them the next spawner does. Both are looked at.
 *
 * What holds (assertions), in every order:
 *   - no two attempts of a job have living processes at a time; no attempt starts twice
 *   - a job that goes back as one that never started did not start
 *   - a result is recorded once, for its own attempt, and as it was; what nobody saw is lost
 *   - that nobody can prove a tree dead is said only when the spawner died too
 *   - a job whose cancel was acknowledged starts no more; nor does one that may not be run again
 *   - when nothing can happen any more, every job has ended: none is waited for for ever
 *
 * Between atomic blocks anything may come. One block that changes the store is one commit; what is sent
 * of it comes after. BUG=N in the environment plants a bug, SEE=N asks whether a place is reached. */
#ifndef DISTURBANCES
#define DISTURBANCES 2
#endif
#define JOBS 2
#define ATTEMPTS 2 /* then a job that waits is given up, so that the model is finite */
#define WORKERS 2

#define BUG_LOCK_NOT_WAITED_FOR 1  /* a worker that cannot be reached is judged at once */
#define BUG_TREE_NOT_WAITED_FOR 2  /* the spawner writes SWEPT without a look */
#define BUG_RERUN_UNPROVED 3       /* lost jobs are run again without SWEPT */
#define BUG_NO_GO 4                /* jobs start without a record */
#define BUG_GO_AFTER_EXEC 5        /* ... or with one that comes later */
#define BUG_ATTEMPT_NOT_COMPARED 6 /* a result counts for whatever attempt runs now */
#define BUG_ACK_BEFORE_COMMIT 7    /* a worker forgets what is not recorded yet */
#define BUG_RUN_BEFORE_COMMIT 8    /* a worker is told to start what is not recorded yet */
#define BUG_HELLO_BEFORE_END 9     /* a new batchd is served before the old one was read to its end */
#define BUG_LOG_CUT_EARLY 10       /* the log is cut while a result in it is not acknowledged */
#define BUG_DROPS_WHAT_RUNS 11     /* what is asked back is given back although it runs */
#define BUG_CANCEL_NOT_KEPT 12     /* the cancel of what runs is acknowledged without a commit */
#define BUG_UNLISTED_IS_NEW 13     /* what a worker does not list goes back, whatever its log says */
#define BUG_LOCK_NOT_SHARED 14     /* the spawner has no part in the lock of a worker */
#define BUG_STOP_NOT_REPEATED 15   /* after a restart what is cancelled is not stopped again */
#define BUG_BACK_NOT_REPEATED 16   /* ... and what waits behind a long job is not asked back again */

#define SEE_ADOPTED_TWICE 1    /* batchd died twice while an attempt ran, and its result counts */
#define SEE_UNPROVED 2         /* lost, and nobody knows whether its processes live */
#define SEE_SWEPT_LATER 3      /* the next spawner proved a tree dead by its control group */
#define SEE_ASKED_BACK 4       /* a job handed ahead came back when it was asked for */
#define SEE_STALE_RESULT 5     /* a result came again, after the job was given out anew */
#define SEE_LOG_SPEAKS 6       /* the EXIT of a dead worker counted */
#define SEE_LOST_AND_AGAIN 7   /* a lost attempt, its tree proved dead, was followed by another */
#define SEE_CANCEL_ADOPTED 8   /* a job was stopped by a batchd that had not taken the cancel */
#define SEE_LOG_CUT 9          /* a worker cut its log and ran another job */
#define SEE_UNREAD 10          /* an intent that no worker has read goes back */
#define SEE_WORD_OF_THE_DEAD 11 /* a worker takes a job from a batchd that is dead by then */
#define SEE_TIMEOUT_AGAIN 12   /* a timeout was followed by another attempt */

byte bug, see;
#define SEEN(n) if :: see == n -> assert(false) :: else fi

mtype = { PENDING, STARTING, RUNNING, DONE, LOST, CANCELLED, GIVEN_UP };
mtype = { RUN, STOP, BACK, ACK, HELLO, STARTED, EXITED, DROPPED };
mtype = { NONE, UP, CUT };
/* How an attempt ended. */
#define UNKNOWN 0
#define ENDED 1
#define TIMED_OUT 2
#define STOPPED 3

/* ---- on disk: the store ---- */
mtype st[JOBS] = PENDING;
byte att[JOBS];        /* attempts begun */
byte on[JOBS];         /* the worker of an active job */
bool cancelling[JOBS];
bool row[WORKERS];     /* the worker may live */
byte made;             /* workers asked for: an id is used once */

/* ---- on disk: the workers' folders ---- */
bool folder[WORKERS], swept[WORKERS];
#define IN(k, j, a) (((k) * JOBS + (j)) * ATTEMPTS + (a) - 1)
bool go[WORKERS * JOBS * ATTEMPTS];
byte ex[WORKERS * JOBS * ATTEMPTS];

/* ---- processes ---- */
bool alive[WORKERS]; /* the worker */
bool held[WORKERS];  /* the lock, by the spawner that has this child to bury */
#define LOCKED(k) (alive[k] || (held[k] && bug != BUG_LOCK_NOT_SHARED))
byte tree[WORKERS];  /* its job's processes: 0 none, 1 all, 2 all but the main one */
byte tree_job[WORKERS];
bool asked[WORKERS], sweep_asked[WORKERS]; /* SPAWN and SWEEP in the spawner's socket */
bool spawned[WORKERS];                     /* by the spawner that lives: it has the child to bury */
bool groups;

/* ---- connections ---- */
mtype link[WORKERS] = NONE; /* CUT: batchd is dead, and what it sent was not all read */
bool coming[WORKERS];       /* the next batchd waits in the listen queue */
chan to_worker[WORKERS] = [4] of { mtype, byte, byte };
chan to_batchd[WORKERS] = [9] of { mtype, byte, byte };
chan queued[WORKERS] = [2] of { byte, byte };
chan owed[WORKERS] = [4] of { mtype, byte, byte };

/* ---- batchd's memory ---- */
bool connected[WORKERS], ready[WORKERS]; /* ready: HELLO was read */
bool new[WORKERS];                       /* made by this batchd */
bool back[JOBS];                         /* asked back */

/* ---- what only the model knows ---- */
#define OF(j, a) ((j) * ATTEMPTS + (a) - 1)
bool began[JOBS * ATTEMPTS];
byte truth[JOBS * ATTEMPTS]; /* how it ended, once its worker saw it */
bool said[JOBS];             /* the cancel was acknowledged */
byte said_at[JOBS];          /* ... when so many attempts had been given out */
byte said_boot[JOBS];
byte left = DISTURBANCES;    /* that may still come */
byte boots;                  /* boots and ran_over count for SEE alone */
byte ran_over[JOBS];         /* deaths of batchd while it ran */
bool kill_batchd, kill_spawner, kill_worker[WORKERS];
bool log_cut[WORKERS];
bool spawner_died;

#define ACTIVE(j) (st[j] == STARTING || st[j] == RUNNING)
#define OVER(j) (st[j] == DONE || st[j] == LOST || st[j] == CANCELLED || st[j] == GIVEN_UP)
#define HERE(j, k) (ACTIVE(j) && on[j] == k)
#define LOAD(k) (HERE(0, k) + HERE(1, k))

/* ======== a worker ======== */

inline owe(what, j_, a_)
{
    owed[k]!what,j_,a_;
    if
    :: link[k] == UP -> to_batchd[k]!what,j_,a_
    :: else
    fi
}

/* The list of what it has is a number: the attempt of each job. Then what is owed is told again. */
inline hello()
{
    n = (runs -> run_attempt * (run_job == 0 -> 1 : 3) : 0);
    i = len(queued[k]);
    do
    :: i > 0 -> queued[k]?j,a; n = n + a * (j == 0 -> 1 : 3); queued[k]!j,a; i--
    :: else -> break
    od;
    to_batchd[k]!HELLO,n,(runs -> run_job + 1 : 0);
    i = len(owed[k]);
    do
    :: i > 0 -> owed[k]?m,j,a; to_batchd[k]!m,j,a; owed[k]!m,j,a; i--
    :: else -> break
    od
}

inline take()
{
    if
    :: m == RUN ->
        queued[k]!j,a;
        if :: link[k] == CUT -> SEEN(SEE_WORD_OF_THE_DEAD) :: else fi
    :: m == ACK ->
        if
        :: owed[k]??[EXITED,eval(j),eval(a)] -> owed[k]??EXITED,eval(j),eval(a)
        :: owed[k]??[DROPPED,eval(j),eval(a)] -> owed[k]??DROPPED,eval(j),eval(a)
        :: else
        fi
    :: m == STOP || m == BACK ->
        if
        :: queued[k]??[eval(j),eval(a)] -> queued[k]??eval(j),eval(a); owe(DROPPED, j, a)
        :: else ->
            if
            :: runs && run_job == j && run_attempt == a && m == STOP -> stopping = true
            :: runs && run_job == j && run_attempt == a && m == BACK && bug == BUG_DROPS_WHAT_RUNS ->
                owe(DROPPED, j, a)
            :: else
            fi
        fi
    fi
}

/* The gate to exec. */
inline execute()
{
    assert(tree[k] == 0);
    assert(!began[OF(run_job, run_attempt)]);
    assert(tree[1 - k] == 0 || tree_job[1 - k] != run_job);
    assert(ACTIVE(run_job) && on[run_job] == k && att[run_job] == run_attempt);
    assert(!said[run_job] || run_attempt <= said_at[run_job]);
    assert(run_job == 0 || run_attempt == 1 || !began[OF(1, 1)] || truth[OF(1, 1)] != UNKNOWN);
    began[OF(run_job, run_attempt)] = true;
    tree[k] = 1; tree_job[k] = run_job; ran_over[run_job] = 0;
    if :: log_cut[k] -> SEEN(SEE_LOG_CUT) :: else fi;
    if
    :: run_attempt == 2 && truth[OF(run_job, 1)] == TIMED_OUT -> SEEN(SEE_TIMEOUT_AGAIN)
    :: run_attempt == 2 && began[OF(run_job, 1)] && truth[OF(run_job, 1)] == UNKNOWN ->
        SEEN(SEE_LOST_AND_AGAIN)
    :: else
    fi
}

proctype worker(byte k)
{
    byte j, a, n, i, run_job, run_attempt, cause;
    mtype m;
    bool runs, executed, told, stopping;
    {
        do
        :: atomic { coming[k] && (link[k] == NONE || (link[k] == CUT && bug == BUG_HELLO_BEFORE_END)) ->
            coming[k] = false; link[k] = UP; hello(); j = 0; a = 0; n = 0; m = 0; i = 0 }
        :: atomic { link[k] != NONE && nempty(to_worker[k]) && nfull(queued[k]) ->
            to_worker[k]?m,j,a; take(); j = 0; a = 0; m = 0;
            link[k] = (link[k] == CUT && len(to_worker[k]) == 0 -> NONE : link[k]) }
        /* between two jobs a long log is cut, when all in it is acknowledged */
        :: atomic { left > 0 && !runs && !log_cut[k] && (ex[IN(k, 0, 1)] != 0 || ex[IN(k, 1, 1)] != 0) &&
            (empty(owed[k]) || bug == BUG_LOG_CUT_EARLY) ->
            left--; log_cut[k] = true;
            go[IN(k, 0, 1)] = false; go[IN(k, 0, 2)] = false;
            go[IN(k, 1, 1)] = false; go[IN(k, 1, 2)] = false;
            ex[IN(k, 0, 1)] = 0; ex[IN(k, 0, 2)] = 0; ex[IN(k, 1, 1)] = 0; ex[IN(k, 1, 2)] = 0 }
        :: atomic { !runs && nempty(queued[k]) ->
            queued[k]?run_job,run_attempt; runs = true;
            if
            :: bug == BUG_NO_GO || bug == BUG_GO_AFTER_EXEC
            :: else -> go[IN(k, run_job, run_attempt)] = true
            fi }
        :: atomic { runs && !executed -> executed = true; execute() }
        :: atomic { bug == BUG_GO_AFTER_EXEC && executed && !go[IN(k, run_job, run_attempt)] ->
            go[IN(k, run_job, run_attempt)] = true }
        /* told when it lasts a while */
        :: atomic { executed && tree[k] == 1 && link[k] == UP && !told ->
            told = true; to_batchd[k]!STARTED,run_job,run_attempt }
        /* stopped, or its time is up */
        :: atomic { executed && tree[k] == 1 && stopping && cause == UNKNOWN ->
            cause = STOPPED; tree[k] = 2 }
        :: atomic { left > 0 && executed && tree[k] == 1 && run_attempt == 1 && cause == UNKNOWN ->
            left--; cause = TIMED_OUT; tree[k] = 2 }
        /* the main process has ended: what is left goes first, then the log, then batchd is told */
        :: atomic { executed && tree[k] != 1 && truth[OF(run_job, run_attempt)] == UNKNOWN ->
            tree[k] = 0;
            truth[OF(run_job, run_attempt)] = (cause == UNKNOWN -> ENDED : cause);
            ex[IN(k, run_job, run_attempt)] = truth[OF(run_job, run_attempt)] }
        :: atomic { executed && truth[OF(run_job, run_attempt)] != UNKNOWN ->
            owe(EXITED, run_job, run_attempt);
            runs = false; executed = false; told = false; stopping = false; cause = UNKNOWN;
            run_job = 0; run_attempt = 0 }
        od
    } unless { kill_worker[k] };
    atomic {
        alive[k] = false; link[k] = NONE; coming[k] = false;
        do :: to_worker[k]?_,_,_ :: empty(to_worker[k]) -> break od;
        do :: queued[k]?_,_ :: empty(queued[k]) -> break od;
        do :: owed[k]?_,_,_ :: empty(owed[k]) -> break od
    }
}

/* Job 0 ends when it likes, also when its worker is dead; job 1 when it is stopped. */
proctype world()
{
    do
    :: atomic { tree_job[0] == 0 && (tree[0] == 1 || (tree[0] == 2 && !alive[0])) -> tree[0] = (tree[0] == 1 -> 2 : 0) }
    :: atomic { tree_job[1] == 0 && (tree[1] == 1 || (tree[1] == 2 && !alive[1])) -> tree[1] = (tree[1] == 1 -> 2 : 0) }
    od
}

/* ======== the spawner ======== */

/* The folder is new and its lock is held before the fork. */
inline spawn(k_)
{
    atomic { asked[k_] -> asked[k_] = false;
        if :: !folder[k_] -> folder[k_] = true; held[k_] = true; spawned[k_] = true; fork = k_ + 1
           :: else
        fi };
    if
    :: fork > 0 -> atomic { fork = 0; alive[k_] = true; run worker(k_) }
    :: else
    fi
}

inline bury(k_)
{
    atomic { held[k_] && spawned[k_] && !alive[k_] && fork == 0 -> tree[k_] = (bug == BUG_TREE_NOT_WAITED_FOR -> tree[k_] : 0) };
    atomic { swept[k_] = true; held[k_] = false; spawned[k_] = false }
}

/* A worker of an earlier spawner: by its control group. */
inline sweep(k_)
{
    atomic { sweep_asked[k_] && !LOCKED(k_) && !swept[k_] -> held[k_] = true; tree[k_] = 0 };
    atomic { swept[k_] = true; held[k_] = false; sweep_asked[k_] = false; SEEN(SEE_SWEPT_LATER) }
}

proctype spawner()
{
    byte fork;
again:
    {
        do
        :: spawn(0)
        :: spawn(1)
        :: bury(0)
        :: bury(1)
        :: sweep(0)
        :: sweep(1)
        od
    } unless { kill_spawner };
    atomic {
        kill_spawner = false; spawner_died = true; fork = 0;
        held[0] = false; held[1] = false; spawned[0] = false; spawned[1] = false;
        asked[0] = false; asked[1] = false; sweep_asked[0] = false; sweep_asked[1] = false
    };
    goto again
}

/* ======== batchd: each option is a turn of its loop ======== */

inline say(k_, what, j_)
{
    if
    :: ready[k_] && alive[k_] -> to_worker[k_]!what,j_,att[j_]
    :: else
    fi
}

/* It never started: it waits again, or its cancel is done. */
inline return_job(j_)
{
    assert(!began[OF(j_, att[j_])]);
    st[j_] = (cancelling[j_] -> CANCELLED : PENDING); back[j_] = false; on[j_] = 0
}

inline settle(j_, cause)
{
    assert(ACTIVE(j_) && cause == truth[OF(j_, att[j_])]);
    if
    :: cause == ENDED -> st[j_] = DONE
    :: cause == STOPPED || (cause == TIMED_OUT && cancelling[j_]) -> st[j_] = CANCELLED
    :: else -> st[j_] = PENDING
    fi;
    back[j_] = false; on[j_] = 0;
    if :: ran_over[j_] >= 2 -> SEEN(SEE_ADOPTED_TWICE) :: else fi;
    if :: cause == STOPPED && said_boot[j_] < boots -> SEEN(SEE_CANCEL_ADOPTED) :: else fi
}

inline lose(j_, proved)
{
    assert(proved || spawner_died);
    if :: !proved -> SEEN(SEE_UNPROVED) :: else fi;
    if
    :: cancelling[j_] -> st[j_] = CANCELLED
    :: !cancelling[j_] && j_ == 0 && (proved || bug == BUG_RERUN_UNPROVED) -> st[j_] = PENDING
    :: else -> st[j_] = LOST
    fi;
    back[j_] = false; on[j_] = 0
}

inline judge_dead(j_, k_)
{
    if
    :: HERE(j_, k_) && ex[IN(k_, j_, att[j_])] != 0 ->
        settle(j_, ex[IN(k_, j_, att[j_])]); SEEN(SEE_LOG_SPEAKS)
    :: HERE(j_, k_) && ex[IN(k_, j_, att[j_])] == 0 && go[IN(k_, j_, att[j_])] -> lose(j_, swept[k_])
    :: HERE(j_, k_) && ex[IN(k_, j_, att[j_])] == 0 && !go[IN(k_, j_, att[j_])] && st[j_] == STARTING ->
        return_job(j_); SEEN(SEE_UNREAD)
    :: HERE(j_, k_) && ex[IN(k_, j_, att[j_])] == 0 && !go[IN(k_, j_, att[j_])] && st[j_] == RUNNING ->
        lose(j_, false)
    :: else
    fi
}

/* What waits behind a job that lasts is asked back. */
inline call_back(j_, k_)
{
    if
    :: HERE(j_, k_) && st[j_] == STARTING && !cancelling[j_] && !back[j_] ->
        back[j_] = true; to_worker[k_]!BACK,j_,att[j_]
    :: else
    fi
}

/* A worker introduces itself: n lists the attempts that it has, i is the job that runs, plus 1. */
inline judge_hello(j_, k_)
{
    if
    :: HERE(j_, k_) && (n / (j_ == 0 -> 1 : 3)) % 3 == att[j_] ->
        st[j_] = (i == j_ + 1 -> RUNNING : st[j_]);
        if
        :: cancelling[j_] && bug != BUG_STOP_NOT_REPEATED -> say(k_, STOP, j_)
        :: else
        fi;
        if
        :: i == j_ + 1 && alive[k_] && bug != BUG_BACK_NOT_REPEATED -> call_back(1 - j_, k_)
        :: else
        fi
    :: HERE(j_, k_) && (n / (j_ == 0 -> 1 : 3)) % 3 != att[j_] &&
        ((!go[IN(k_, j_, att[j_])] && ex[IN(k_, j_, att[j_])] == 0) || bug == BUG_UNLISTED_IS_NEW) ->
        return_job(j_)
    :: else
    fi
}

/* Ahead of time, while what is there is not known to last. */
inline start(j_, k_)
{
    atomic { st[j_] == PENDING && ready[k_] && alive[k_] && att[j_] < ATTEMPTS &&
        !(HERE(1 - j_, k_) && st[1 - j_] == RUNNING) && len(to_worker[k_]) < 2 ->
        if
        :: bug == BUG_RUN_BEFORE_COMMIT -> to_worker[k_]!RUN,j_,att[j_] + 1
        :: else -> att[j_]++; st[j_] = STARTING; on[j_] = k_
        fi };
    atomic {
        if
        :: bug == BUG_RUN_BEFORE_COMMIT -> att[j_]++; st[j_] = STARTING; on[j_] = k_
        :: else -> say(k_, RUN, j_)
        fi }
}

/* Another job goes first, or its queue is paused. */
inline ask_back(j_)
{
    atomic { st[j_] == STARTING && !cancelling[j_] && !back[j_] && LOAD(on[j_]) == 2 && ready[on[j_]] &&
        alive[on[j_]] && len(to_worker[on[j_]]) < 2 && left > 0 -> left--; back[j_] = true; to_worker[on[j_]]!BACK,j_,att[j_] }
}

inline cancel(j_)
{
    atomic { left > 0 && !said[j_] && st[j_] == PENDING -> left--; st[j_] = CANCELLED; said[j_] = true; said_at[j_] = att[j_] };
}

/* The reply and the STOP come after the commit. */
inline cancel_active(j_)
{
    atomic { left > 0 && !said[j_] && ACTIVE(j_) && !cancelling[j_] && len(to_worker[on[j_]]) < 2 ->
        left--; cancelling[j_] = (bug != BUG_CANCEL_NOT_KEPT) };
    atomic { ACTIVE(j_) -> said[j_] = true; said_at[j_] = att[j_]; said_boot[j_] = boots; say(on[j_], STOP, j_) }
}

inline give_up(j_)
{
    atomic { st[j_] == PENDING && (att[j_] == ATTEMPTS || (made == WORKERS && !row[0] && !row[1])) ->
        st[j_] = GIVEN_UP }
}

inline judge_end(k_)
{
    if
    :: m == EXITED && HERE(n, k_) && (att[n] == i || bug == BUG_ATTEMPT_NOT_COMPARED) ->
        settle(n, truth[OF(n, i)])
    :: m == DROPPED && HERE(n, k_) && att[n] == i -> return_job(n); SEEN(SEE_ASKED_BACK)
    :: else ->
        if :: m == EXITED && ACTIVE(n) && att[n] != i -> SEEN(SEE_STALE_RESULT) :: else fi
    fi
}

/* What is read and not committed when batchd dies was not read: the worker says it again. */
inline hear(k_)
{
    atomic { connected[k_] && nempty(to_batchd[k_]) && len(to_worker[k_]) < 2 ->
        to_batchd[k_]?m,n,i;
        if
        :: m == HELLO -> ready[k_] = true; judge_hello(0, k_); judge_hello(1, k_); m = 0; n = 0; i = 0
        :: m == STARTED && HERE(n, k_) && att[n] == i && st[n] == STARTING -> st[n] = RUNNING
        :: m == STARTED && !(HERE(n, k_) && att[n] == i && st[n] == STARTING) -> m = 0; n = 0; i = 0
        :: m == EXITED || m == DROPPED ->
            if
            :: bug == BUG_ACK_BEFORE_COMMIT && alive[k_] -> to_worker[k_]!ACK,n,i
            :: else -> judge_end(k_)
            fi
        fi };
    if
    :: m == STARTED -> atomic { if :: alive[k_] -> call_back(1 - n, k_) :: else fi; m = 0; n = 0; i = 0 }
    :: m == EXITED || m == DROPPED -> atomic {
        if
        :: bug == BUG_ACK_BEFORE_COMMIT -> judge_end(k_)
        :: bug != BUG_ACK_BEFORE_COMMIT && alive[k_] -> to_worker[k_]!ACK,n,i
        :: else
        fi;
        m = 0; n = 0; i = 0 }
    :: m == 0
    fi
}

inline make(k_)
{
    atomic { made == k_ && (st[0] == PENDING || st[1] == PENDING) && (k_ == 0 || !row[0] || !alive[0]) ->
        row[k_] = true; new[k_] = true; made++ };
    asked[k_] = true
}

/* The spawner died before it had read that. */
inline ask_again(k_)
{
    atomic { new[k_] && row[k_] && !folder[k_] && !asked[k_] -> asked[k_] = true }
}

inline connect(k_)
{
    atomic { row[k_] && !connected[k_] && alive[k_] -> connected[k_] = true; coming[k_] = true }
}

inline ask_for_sweep(k_)
{
    atomic { groups && row[k_] && folder[k_] && !(connected[k_] && len(to_batchd[k_]) > 0) && !alive[k_] && !LOCKED(k_) &&
        !swept[k_] && !sweep_asked[k_] -> sweep_asked[k_] = true }
}

/* It is gone for good: its log is the last word. */
inline judge(k_)
{
    atomic { row[k_] && (folder[k_] || !new[k_]) && !(connected[k_] && (alive[k_] || len(to_batchd[k_]) > 0)) &&
        (bug == BUG_LOCK_NOT_WAITED_FOR ||
            (!LOCKED(k_) && !alive[k_] && (!groups || !folder[k_] || swept[k_]))) ->
        judge_dead(0, k_); judge_dead(1, k_); row[k_] = false; connected[k_] = false; ready[k_] = false }
}

inline of_worker(k_)
{
    if
    :: start(0, k_)
    :: start(1, k_)
    :: hear(k_)
    :: make(k_)
    :: ask_again(k_)
    :: connect(k_)
    :: ask_for_sweep(k_)
    :: judge(k_)
    fi
}

inline die(k_)
{
    connected[k_] = false; ready[k_] = false; new[k_] = false; coming[k_] = false;
    link[k_] = (link[k_] == UP -> (len(to_worker[k_]) == 0 -> NONE : CUT) : link[k_]);
    do :: to_batchd[k_]?_,_,_ :: empty(to_batchd[k_]) -> break od;
    if :: see != 0 && tree[k_] > 0 -> ran_over[tree_job[k_]]++ :: else fi
}

proctype batchd()
{
    byte n, i;
    mtype m;
again:
    {
        do
        :: of_worker(0)
        :: of_worker(1)
        :: ask_back(0)
        :: ask_back(1)
        :: cancel(0)
        :: cancel(1)
        :: cancel_active(0)
        :: cancel_active(1)
        :: give_up(0)
        :: give_up(1)
        od
    } unless { kill_batchd };
    atomic {
        kill_batchd = false; m = 0; n = 0; i = 0; back[0] = false; back[1] = false;
        die(0); die(1);
        if :: see != 0 -> boots++ :: else fi
    };
    goto again
}

/* ======== what comes from outside ======== */

proctype killer()
{
    do
    :: atomic { left > 0 && !(OVER(0) && OVER(1)) ->
        left--;
        if
        :: kill_batchd = true
        :: kill_spawner = true
        :: alive[0] && !kill_worker[0] -> kill_worker[0] = true
        :: alive[1] && !kill_worker[1] -> kill_worker[1] = true
        fi }
    od
}

/* When nothing can happen any more: job 1 may sleep on, and job 0 wait for its worker to be free, but
 * not in that worker. */
proctype watch()
{
    timeout -> assert(OVER(1) || (st[1] == RUNNING && !said[1]));
    assert(OVER(0) || (st[0] == PENDING && st[1] == RUNNING))
}

init
{
    atomic {
        c_code {
            now.bug = getenv("BUG") ? atoi(getenv("BUG")) : 0;
            now.see = getenv("SEE") ? atoi(getenv("SEE")) : 0;
            now.groups = getenv("GROUPS") ? atoi(getenv("GROUPS")) : 0;
        };
        run world(); run spawner(); run batchd(); run killer(); run watch()
    }
}
