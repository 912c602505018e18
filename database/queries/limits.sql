-- name: take -> count
-- The generic cell rate algorithm in one statement: each use puts the moment at which the allowance is unused again further off,
-- and no use is granted that would put it further than the whole period. Zero rows: not granted.
INSERT INTO allowances (name, free_at)
VALUES (:name, UTC_TIMESTAMP(6) + INTERVAL :step_us MICROSECOND)
    ON DUPLICATE KEY UPDATE free_at = IF(free_at <= UTC_TIMESTAMP(6) + INTERVAL :slack_us MICROSECOND,
                                         GREATEST(free_at, UTC_TIMESTAMP(6)) + INTERVAL :step_us MICROSECOND,
                                         free_at);

-- name: get_wait -> value
-- Microseconds until the next use is granted.
SELECT TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), free_at) - :slack_us FROM allowances WHERE name = :name;

-- name: return_use -> count
-- Undoes one use. A bucket that is full again by now stays full.
UPDATE allowances SET free_at = free_at - INTERVAL :step_us MICROSECOND WHERE name = :name;

-- name: give_back -> count
DELETE FROM allowances WHERE name = :name;

-- name: delete_unused -> count
DELETE FROM allowances WHERE free_at < UTC_TIMESTAMP(6) ORDER BY free_at LIMIT 1000;
