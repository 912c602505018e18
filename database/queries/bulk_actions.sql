-- name: add -> id
INSERT INTO bulk_actions (subject, action, params, status, undo_of_id, actor_id, total, done, skipped, created_at)
VALUES (:subject, :action, :params, :status, :undo_of_id, :actor_id, :total, :skipped, :skipped, UTC_TIMESTAMP(6));

-- name: add_items -> count
INSERT INTO bulk_action_items (bulk_action_id, target_id)
SELECT :bulk_action_id, planned.target_id
  FROM JSON_TABLE(:target_ids, '$[*]' COLUMNS (target_id BIGINT UNSIGNED PATH '$')) planned;

-- name: start -> count
UPDATE bulk_actions SET status = 'running', total = :total WHERE id = :bulk_action_id AND status = 'planning';

-- part: bulk_action
SELECT b.id, b.subject, b.action, b.params, b.status, b.undo_of_id, b.actor_id, b.total, b.done, b.changed, b.skipped, b.after_id, b.error,
       b.created_at, b.finished_at, (SELECT u.id FROM bulk_actions u WHERE u.undo_of_id = b.id) AS undo_id
  FROM bulk_actions b

-- name: get -> row
{bulk_action}
 WHERE b.id = :bulk_action_id AND b.subject = :subject;

-- name: find -> row
{bulk_action}
 WHERE b.id = :bulk_action_id;

-- name: lock -> row
{bulk_action}
 WHERE b.id = :bulk_action_id
   FOR UPDATE;

-- name: get_next_due -> value
SELECT id FROM bulk_actions WHERE status = 'running' ORDER BY id LIMIT 1;

-- name: list_items -> rows
-- The next targets of the plan.
SELECT target_id FROM bulk_action_items WHERE bulk_action_id = :bulk_action_id AND target_id > :after ORDER BY target_id LIMIT :limit;

-- name: list_applied -> rows
-- The next targets that an undo reverts.
SELECT target_id, before_value
  FROM bulk_action_items
 WHERE bulk_action_id = :bulk_action_id AND target_id > :after AND before_value IS NOT NULL
 ORDER BY target_id
 LIMIT :limit;

-- name: set_before -> count
UPDATE JSON_TABLE(:items, '$[*]' COLUMNS (target_id BIGINT UNSIGNED PATH '$.target_id', before_value TEXT PATH '$.before_value')) applied
STRAIGHT_JOIN bulk_action_items i ON i.bulk_action_id = :bulk_action_id AND i.target_id = applied.target_id
   SET i.before_value = applied.before_value;

-- name: advance -> count
UPDATE bulk_actions
   SET done = done + :done, changed = changed + :changed, skipped = skipped + :skipped, after_id = :after_id
 WHERE id = :bulk_action_id;

-- name: finish -> count
-- Targets whose accounts were erased meanwhile count as done.
UPDATE bulk_actions
   SET status = :status, error = :error, done = IF(:status = 'done', total, done), finished_at = UTC_TIMESTAMP(6)
 WHERE id = :bulk_action_id;

-- name: erase_user -> count
-- What an action on accounts replaced may tell of the person, such as why they were blocked.
UPDATE bulk_action_items i
  JOIN bulk_actions b ON b.id = i.bulk_action_id AND b.subject = 'user'
   SET i.before_value = NULL
 WHERE i.target_id = :user_id;

-- name: list_expired -> rows
-- Finished ones that can no longer be undone, and plans whose making was cut off; neither one that an undo still reads.
SELECT b.id
  FROM bulk_actions b
 WHERE b.created_at < UTC_TIMESTAMP(6) - INTERVAL :days DAY AND b.status <> 'running'
   AND NOT EXISTS (SELECT 1 FROM bulk_actions u WHERE u.undo_of_id = b.id AND u.status = 'running')
 ORDER BY b.created_at
 LIMIT 100;

-- name: delete_items -> count
DELETE FROM bulk_action_items WHERE bulk_action_id = :bulk_action_id LIMIT :limit;

-- name: delete -> count
DELETE FROM bulk_actions WHERE id = :bulk_action_id;
