-- name: list_all -> rows
SELECT name, due_at <= UTC_TIMESTAMP(6) AND (leased_until IS NULL OR leased_until <= UTC_TIMESTAMP(6)) AS due, asked
  FROM jobs
 LIMIT 200;

-- name: add -> count
INSERT IGNORE INTO jobs (name, due_at) VALUES (:name, UTC_TIMESTAMP(6));

-- name: claim -> count
-- Zero rows: it is not due, or another runner has it.
UPDATE jobs
   SET leased_by = :runner, leased_until = UTC_TIMESTAMP(6) + INTERVAL :seconds SECOND, started_at = UTC_TIMESTAMP(6), asked = FALSE
 WHERE name = :name AND due_at <= UTC_TIMESTAMP(6)
   AND (leased_until IS NULL OR leased_until <= UTC_TIMESTAMP(6));

-- name: keep -> count
-- Zero rows: the lease ended while the runner was held up, and the job may be another's.
UPDATE jobs
   SET leased_until = UTC_TIMESTAMP(6) + INTERVAL :seconds SECOND
 WHERE name = :name AND leased_by = :runner;

-- name: finish -> count
-- Who asked for it while it ran meant another run.
UPDATE jobs
   SET leased_by = NULL, leased_until = NULL, finished_at = UTC_TIMESTAMP(6), failures = 0, last_result = :result,
       due_at = UTC_TIMESTAMP(6) + INTERVAL IF(asked, 0, :seconds) SECOND
 WHERE name = :name AND leased_by = :runner;

-- name: fail -> count
-- Each failure in a row doubles the pause, up to ten minutes or the job's own interval.
UPDATE jobs
   SET leased_by = NULL, leased_until = NULL, finished_at = UTC_TIMESTAMP(6), failures = LEAST(failures + 1, 1000), last_result = :result,
       due_at = UTC_TIMESTAMP(6) + INTERVAL IF(asked, 0, GREATEST(:seconds, LEAST(600, POW(2, LEAST(failures, 10))))) SECOND
 WHERE name = :name AND leased_by = :runner;

-- name: add_run -> count
INSERT INTO job_runs (job, runner, started_at, finished_at, failed, result)
SELECT name, :runner, started_at, finished_at, :failed, last_result FROM jobs WHERE name = :name;

-- name: list_states -> rows
SELECT name, due_at, started_at, finished_at, failures, last_result, asked, leased_until IS NOT NULL AND leased_until > UTC_TIMESTAMP(6) AS running
  FROM jobs
 LIMIT 200;

-- name: ask -> count
UPDATE jobs SET asked = TRUE, due_at = LEAST(due_at, UTC_TIMESTAMP(6)) WHERE name = :name;

-- name: list_runs -> rows
SELECT id, started_at, finished_at, failed, result, runner
  FROM job_runs
 WHERE job = :job AND failed IN (:failed) AND (:after_id IS NULL OR id < :after_id)
 ORDER BY id DESC
 LIMIT :limit;

-- name: get_oldest_kept -> value
SELECT id FROM job_runs WHERE job = :job AND failed = :failed ORDER BY id DESC LIMIT 1 OFFSET :before;

-- name: delete_runs -> count
DELETE FROM job_runs WHERE job = :job AND failed = :failed AND id < :oldest LIMIT 10000;
