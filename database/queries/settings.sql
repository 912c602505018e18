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
