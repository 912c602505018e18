-- name: get -> row
-- The one query of every signed-in request: the live session with its user as of now. A guest's row has no user.
-- A closed account finds nothing, so that closing it counts from the next request on.
SELECT s.id AS session_id, s.data, s.seen_at < UTC_TIMESTAMP(6) - INTERVAL 60 SECOND AS stale,
       u.id, u.username, u.email, u.first_name, u.last_name, u.phone, u.role, u.created_at
  FROM sessions s
  LEFT JOIN users u ON u.id = s.user_id
 WHERE s.token_hash = :token_hash
   AND s.expires_at > UTC_TIMESTAMP(6)
   AND (s.user_id IS NULL OR u.status = 'active');

-- name: get_account -> row
SELECT id, username, email, first_name, last_name, phone, role, created_at
  FROM users
 WHERE id = :user_id AND status = 'active';

-- name: touch -> count
-- Every use puts the idle end off, but never past the absolute end of 90 days.
UPDATE sessions
   SET expires_at = LEAST(UTC_TIMESTAMP(6) + INTERVAL TIMESTAMPDIFF(SECOND, seen_at, expires_at) SECOND, created_at + INTERVAL 90 DAY),
       seen_at = UTC_TIMESTAMP(6)
 WHERE id = :id;

-- name: save -> count
INSERT INTO sessions (token_hash, user_id, data, ip, user_agent, created_at, seen_at, expires_at)
VALUES (:token_hash, :user_id, :data, :ip, :user_agent, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) + INTERVAL :idle_days DAY)
    ON DUPLICATE KEY UPDATE user_id = VALUES(user_id), data = VALUES(data), ip = VALUES(ip), user_agent = VALUES(user_agent),
       seen_at = VALUES(seen_at), expires_at = LEAST(VALUES(expires_at), created_at + INTERVAL 90 DAY);

-- name: delete -> count
DELETE FROM sessions WHERE token_hash = :token_hash;

-- name: delete_of_user -> count
DELETE FROM sessions WHERE user_id = :user_id;

-- name: delete_expired -> count
DELETE FROM sessions WHERE expires_at <= UTC_TIMESTAMP(6) ORDER BY expires_at LIMIT 1000;
