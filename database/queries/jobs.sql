-- name: list_all -> rows
SELECT name, due_at <= UTC_TIMESTAMP(6) AND (leased_until IS NULL OR leased_until <= UTC_TIMESTAMP(6)) AS due
  FROM jobs
 LIMIT 200;

-- name: add -> count
INSERT IGNORE INTO jobs (name, due_at) VALUES (:name, UTC_TIMESTAMP(6));

-- name: claim -> count
-- Zero rows: it is not due, or another runner has it.
UPDATE jobs
   SET leased_by = :runner, leased_until = UTC_TIMESTAMP(6) + INTERVAL :seconds SECOND, started_at = UTC_TIMESTAMP(6)
 WHERE name = :name AND due_at <= UTC_TIMESTAMP(6)
   AND (leased_until IS NULL OR leased_until <= UTC_TIMESTAMP(6));

-- name: keep -> count
-- Zero rows: the lease ended while the runner was held up, and the job may be another's.
UPDATE jobs
   SET leased_until = UTC_TIMESTAMP(6) + INTERVAL :seconds SECOND
 WHERE name = :name AND leased_by = :runner;

-- name: finish -> count
UPDATE jobs
   SET leased_by = NULL, leased_until = NULL, finished_at = UTC_TIMESTAMP(6), failures = 0, last_result = :result,
       due_at = UTC_TIMESTAMP(6) + INTERVAL :seconds SECOND
 WHERE name = :name AND leased_by = :runner;

-- name: fail -> count
-- Each failure in a row doubles the pause, up to ten minutes or the job's own interval.
UPDATE jobs
   SET leased_by = NULL, leased_until = NULL, finished_at = UTC_TIMESTAMP(6), failures = LEAST(failures + 1, 1000), last_result = :result,
       due_at = UTC_TIMESTAMP(6) + INTERVAL GREATEST(:seconds, LEAST(600, POW(2, LEAST(failures, 10)))) SECOND
 WHERE name = :name AND leased_by = :runner;
