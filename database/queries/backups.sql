-- name: ask -> id
-- Refused by uq_backup_tasks_open while another one waits or runs.
INSERT INTO backup_tasks (kind, name, open, user_id, trusted_digest, created_at)
VALUES (:kind, :name, TRUE, :user_id, :trusted_digest, UTC_TIMESTAMP(6));

-- part: task
SELECT t.id, t.kind, t.name, t.status, t.phase, t.done, t.total, t.problem, u.username AS asked_by, t.created_at, t.started_at, t.finished_at
  FROM backup_tasks t
  LEFT JOIN users u ON u.id = t.user_id

-- name: get -> row
{task} WHERE t.id = :id;

-- name: list_newest -> rows
{task}
 WHERE :before IS NULL OR t.id < :before
 ORDER BY t.id DESC
 LIMIT :limit;

-- name: count -> value
SELECT COUNT(*) FROM backup_tasks;

-- name: get_open -> row
-- One that runs although no runner is at it was cut off.
SELECT id, kind, name, phase, user_id, trusted_digest, created_at FROM backup_tasks WHERE open LIMIT 1;

-- name: begin -> count
UPDATE backup_tasks
   SET status = 'running', phase = :phase, done = 0, total = 0, started_at = COALESCE(started_at, UTC_TIMESTAMP(6))
 WHERE id = :id AND open;

-- name: put_name -> count
UPDATE backup_tasks SET name = :name WHERE id = :id AND open;

-- name: note_progress -> count
UPDATE backup_tasks SET done = :done, total = :total WHERE id = :id AND open;

-- name: finish -> count
UPDATE backup_tasks SET status = 'done', open = NULL, phase = '', finished_at = UTC_TIMESTAMP(6) WHERE id = :id AND open;

-- name: fail -> count
UPDATE backup_tasks SET status = 'failed', open = NULL, problem = :problem, finished_at = UTC_TIMESTAMP(6) WHERE id = :id AND open;

-- name: remember -> count
-- In the restored tables, before they are the shop's. Who asked for it may not have been there then.
INSERT INTO backup_tasks (id, kind, name, status, open, phase, user_id, created_at, started_at)
VALUES (:id, 'restore', :name, 'running', TRUE, 'settling', (SELECT u.id FROM users u WHERE u.id = :user_id), :created_at, UTC_TIMESTAMP(6));

-- name: night_came -> value
-- Since the last backup, or the restore of one, or the birth of the shop, the hour of the night has passed.
SELECT COALESCE((SELECT MAX(created_at) FROM backup_tasks WHERE kind = 'make'), (SELECT MAX(created_at) FROM backup_tasks WHERE kind = 'restore'),
                (SELECT MIN(applied_at) FROM schema_migrations))
       < CAST(UTC_DATE() AS DATETIME) + INTERVAL :hour - IF(HOUR(UTC_TIMESTAMP()) < :hour, 24, 0) HOUR;
