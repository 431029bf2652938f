"""What the control database tells of the storm: runs, releases, attempts, and the pauses of hand-overs."""

import threading
import time

from faults import KILL_CONTROL
from postgres import Unreachable

LOOK_SECONDS = 2.0
# A control that nobody killed is never gone for longer, whatever the database does.
MOST_WITHOUT_CONTROL = 5.0
# Nothing that is left to be done pins a release: by its definition or by its engine.
RETIRED_WITH_WORK = """
select r.release_id, r.label, count(*) from sluice.release r
join sluice.lane l on r.release_id in (l.release_id, l.engine_id)
join (select lane_id from sluice.ready union all select lane_id from sluice.lease
  union all select lane_id from sluice.later) w on w.lane_id = l.lane_id
where r.state = 'RETIRED' group by 1, 2
"""
RELEASE_COUNTS = """
select count(*) filter (where state = 'CURRENT'), count(*) filter (where state = 'CANARY') from sluice.release
"""
OPEN_RUNS = """
select run_id, pipeline, kind, state, release_id from sluice.run u
where state in ('queued', 'running')
  and not (kind = 'load' and exists (
    select from sluice.run b where b.run_id = u.parent_id and b.state not in ('queued', 'running', 'succeeded')))
order by 1
"""
# A run that a failing release broke stays failed; its work is done by the run that it moved to, or by the next one.
RUINED_RUNS = """
select u.run_id, u.pipeline, u.kind, u.state, coalesce(r.label, ''), coalesce(u.error::text, '') from sluice.run u
join sluice.release r using (release_id)
where u.state not in ('queued', 'running', 'succeeded') and to_jsonb(u) ->> 'moved_to' is null order by 1
"""
MIXED_RUNS = """
select u.run_id, u.pipeline, u.release_id, array_agg(distinct l.release_id) from sluice.run u
join sluice.job j on j.run_id = u.run_id join sluice.lane l on l.lane_id = j.lane_id
group by 1, 2, 3 having array_agg(distinct l.release_id) <> array[u.release_id]
"""
DONE_TWICE = """
select job_id, count(*) from sluice.outcome where status = 'done' group by 1 having count(*) > 1
"""
UNREADABLE = """
select job_id, epoch, status from sluice.outcome where detail::text like '%checkpoint_unreadable%'
"""
LEFT_RELEASES = """
select r.release_id, coalesce(r.label, ''), r.state, count(w.job_id) from sluice.release r
left join sluice.lane l on r.release_id in (l.release_id, l.engine_id)
left join (select lane_id, job_id from sluice.ready union all select lane_id, job_id from sluice.lease
  union all select lane_id, job_id from sluice.later) w on w.lane_id = l.lane_id
where r.state in ('STAGED', 'CANARY', 'DRAINING') or (r.state in ('DRAINED', 'REJECTED') and w.job_id is not null)
group by 1, 2, 3 order by 1
"""
# From the end of the attempt that yielded on one release to the start of the next one on another.
HAND_OVERS = """
select a.job_id, extract(epoch from a.finished_at), extract(epoch from a.began) from (
  select job_id, status, worker_id, finished_at, lead(worker_id) over w as other, lead(started_at) over w as began
  from sluice.outcome window w as (partition by job_id order by epoch)) a
join sluice.worker x on x.worker_id = a.worker_id join sluice.worker y on y.worker_id = a.other
where a.status = 'yielded' and x.release_id is distinct from y.release_id
"""
BATCHES = """
select s.snapshot_id, s.rows_out, coalesce(r.label, ''), u.run_id from sluice.snapshot s
join sluice.run u using (run_id) join sluice.release r using (release_id) where s.dataset = '{dataset}'
"""


class Watch:
    """Looks all the time whether there is one current release, at most one canary, no work on a retired one, and a control."""

    def __init__(self, postgres, system, shadows):
        self.postgres = postgres
        self.system = system
        self.shadows = shadows
        self.control_seen = time.time()
        self.violations = []
        self.looks = 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run, name="watch", daemon=True)

    def start(self):
        self.thread.start()

    def stop(self):
        self.stopped.set()
        self.thread.join()

    def run(self):
        while not self.stopped.wait(LOOK_SECONDS):
            self.look_for_control()
            try:
                (current, canary), *_ = self.postgres.sql(RELEASE_COUNTS)
                retired = self.postgres.sql(RETIRED_WITH_WORK)
            except Unreachable:
                continue
            self.looks += 1
            if current != "1" or int(canary) > 1:
                self.violations.append(f"{current} current releases and {canary} canaries at once")
            self.violations += [f"retired release {row[0]} {row[1]} has {row[2]} jobs left" for row in retired]

    def look_for_control(self):
        now = time.time()
        if self.system.control_pid() is not None or self.shadows.touch(self.control_seen, now, {KILL_CONTROL}):
            self.control_seen = now
        elif now - self.control_seen > MOST_WITHOUT_CONTROL:
            self.violations.append(f"control is gone since {time.ctime(self.control_seen)}, and nobody killed it")
            self.system.up()
            self.control_seen = time.time()


class History:
    """The control database after the storm, when nothing is under way any more."""

    def __init__(self, postgres, definitions):
        self.postgres = postgres
        self.definitions = definitions

    def open_runs(self):
        return self.postgres.sql_patient(OPEN_RUNS)

    def left_releases(self):
        return self.postgres.sql_patient(LEFT_RELEASES)

    def violations(self):
        found = [f"run {' '.join(row)}: not over" for row in self.open_runs()]
        for run, pipeline, kind, state, label, error in self.postgres.sql_patient(RUINED_RUNS):
            if not self.is_failing(label):
                found.append(f"run {run} ({pipeline}, {kind}) of release {label} is {state}: {error}")
        for row in self.postgres.sql_patient(DONE_TWICE):
            found.append(f"job {row[0]} was done {row[1]} times")
        for row in self.postgres.sql_patient(UNREADABLE):
            found.append(f"job {row[0]} was given to an engine that cannot read its checkpoint (epoch {row[1]})")
        return found

    def is_failing(self, label):
        definition = self.definitions.get(label)
        return bool(definition and definition.fault)

    def release_violations(self):
        found = [
            f"release {row[0]} {row[1]} is {row[2]} with {row[3]} jobs left: neither current nor accounted for"
            for row in self.left_releases()
        ]
        for row in self.postgres.sql_patient(MIXED_RUNS):
            found.append(f"run {row[0]} ({row[1]}) of release {row[2]} has jobs of the releases {row[3]}")
        (current, _), *_ = self.postgres.sql_patient(RELEASE_COUNTS)
        if current != "1":
            found.append(f"there are {current} current releases")
        (label,), *_ = self.postgres.sql_patient(
            "select coalesce(max(label), '') from sluice.release where state = 'CURRENT'"
        )
        if self.is_failing(label):
            found.append(f"the current release {label} is a bad one")
        return found

    def batch_violations(self, dataset, table, batches):
        """Every snapshot is in the table as one whole batch, made by the one definition of its run's release.

        `batches`: batch -> rows of the table, from the checker.
        """
        found = []
        snapshots = self.postgres.sql_patient(BATCHES.format(dataset=dataset))
        for snapshot, count, label, run in snapshots:
            rows = batches.get(snapshot, [])
            if len(rows) != int(count):
                found.append(f"{table}: snapshot {snapshot} of run {run} has {count} rows, the table {len(rows)}")
            made_by = {int(row["definition"]) for row in rows}
            definition = self.definitions.get(label)
            if rows and definition and made_by != {definition.number}:
                wanted = f"definition {definition.number}, of release {label}"
                found.append(f"{table}: run {run} keeps {wanted}, and has rows of {sorted(made_by)}")
        unknown = set(batches) - {row[0] for row in snapshots}
        return found + [f"{table}: batch {batch} is of no snapshot" for batch in unknown]

    def forks(self):
        """The runs that do another's work on another release."""
        rows = self.postgres.sql_patient("select moved_to from sluice.run where moved_to is not null")
        return {int(row[0]) for row in rows}

    def pauses(self):
        """(seconds, start, end, job) of each hand-over, the longest last."""
        rows = self.postgres.sql_patient(HAND_OVERS)
        return sorted((float(began) - float(ended), float(ended), float(began), job) for job, ended, began in rows)


def percentile(values, share):
    """The smallest value that at least this share of the sorted values does not exceed; 0 of none."""
    return values[max(0, -int(-len(values) * share // 1) - 1)] if values else 0.0
