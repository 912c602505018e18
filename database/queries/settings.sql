-- name: list_all -> rows
SELECT name, value FROM settings LIMIT 200;

-- name: put -> count
INSERT INTO settings (name, value, updated_at)
VALUES (:name, :value, UTC_TIMESTAMP(6))
    ON DUPLICATE KEY UPDATE value = VALUES(value), updated_at = VALUES(updated_at);

-- name: put_first -> count
-- The environment speaks once; what the owner chose later is never overwritten.
INSERT IGNORE INTO settings (name, value, updated_at)
VALUES (:name, :value, UTC_TIMESTAMP(6));

-- name: has_orders -> value
SELECT EXISTS (SELECT 1 FROM orders);

-- name: list_versions -> rows
SELECT section, MAX(version) AS version FROM setting_changes GROUP BY section LIMIT 20;

-- name: note_change -> count
-- Zero rows: somebody else changed this section since its version was read.
INSERT IGNORE INTO setting_changes (section, version, value_before, value_after, actor_id, changed_at)
VALUES (:section, :version, :value_before, :value_after, :actor_id, UTC_TIMESTAMP(6));

-- name: list_changes -> rows
  SELECT c.id, c.section, c.version, c.value_before, c.value_after, u.username AS changed_by, c.changed_at
    FROM setting_changes AS c
    LEFT JOIN users AS u ON u.id = c.actor_id
ORDER BY c.id DESC
   LIMIT 50;
