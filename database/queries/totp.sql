-- name: get -> row
-- step is the database's 30-second step, so that all servers agree on it.
SELECT salt, confirmed_at IS NOT NULL AS confirmed, CAST(FLOOR(UNIX_TIMESTAMP() / 30) AS SIGNED) AS step
  FROM totps
 WHERE user_id = :user_id;

-- name: lock -> row
SELECT confirmed_at IS NOT NULL AS confirmed FROM totps WHERE user_id = :user_id FOR UPDATE;

-- name: put -> count
-- A secret that counts is never replaced, only one that waits for its first code.
INSERT INTO totps (user_id, salt, created_at)
VALUES (:user_id, :salt, UTC_TIMESTAMP(6))
    ON DUPLICATE KEY UPDATE created_at = IF(confirmed_at IS NULL, VALUES(created_at), created_at),
                            salt = IF(confirmed_at IS NULL, VALUES(salt), salt);

-- name: confirm -> count
UPDATE totps
   SET confirmed_at = UTC_TIMESTAMP(6), last_step = :step
 WHERE user_id = :user_id AND salt = :salt AND confirmed_at IS NULL;

-- name: use_step -> count
-- Zero rows: the code of this step, or of a later one, was used before.
UPDATE totps
   SET last_step = :step
 WHERE user_id = :user_id AND confirmed_at IS NOT NULL AND last_step < :step;

-- name: delete -> count
DELETE FROM totps WHERE user_id = :user_id;

-- name: add_recovery_code -> count
INSERT INTO recovery_codes (user_id, code_hash) VALUES (:user_id, :code_hash);

-- name: use_recovery_code -> count
-- Zero rows: no such code, or used before.
UPDATE recovery_codes
   SET used_at = UTC_TIMESTAMP(6)
 WHERE user_id = :user_id AND code_hash = :code_hash AND used_at IS NULL;

-- name: count_recovery_codes -> value
SELECT COUNT(*) FROM recovery_codes WHERE user_id = :user_id AND used_at IS NULL;

-- name: delete_recovery_codes -> count
DELETE FROM recovery_codes WHERE user_id = :user_id;
