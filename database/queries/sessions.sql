-- name: get -> row
-- The one query of every signed-in request: the live session with its user as of now. A guest's row has no user.
-- A closed account finds nothing, so that closing it counts from the next request on. Staff and admins are held to shorter
-- limits here and not in expires_at, so that a change of role counts at once too: 2 hours without use, 12 in all.
SELECT s.id AS session_id, s.data, s.seen_at < UTC_TIMESTAMP(6) - INTERVAL 60 SECOND AS stale,
       u.id, u.username, u.email, u.first_name, u.last_name, u.phone, u.role, u.created_at
  FROM sessions s
  LEFT JOIN users u ON u.id = s.user_id
 WHERE s.token_hash = :token_hash
   AND s.expires_at > UTC_TIMESTAMP(6)
   AND (s.user_id IS NULL
        OR (u.status = 'active'
            AND (u.role = 'customer'
                 OR (s.seen_at > UTC_TIMESTAMP(6) - INTERVAL 2 HOUR AND s.created_at > UTC_TIMESTAMP(6) - INTERVAL 12 HOUR))));

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

-- name: lock_user -> value
SELECT id FROM users WHERE id = :user_id AND status = 'active' FOR UPDATE;

-- name: add -> count
INSERT INTO sessions (token_hash, user_id, data, ip, user_agent, created_at, seen_at, expires_at)
VALUES (:token_hash, :user_id, :data, :ip, :user_agent, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) + INTERVAL :idle_days DAY);

-- name: change -> count
-- Zero rows: it was ended meanwhile, or belongs to nobody any more. Whose it is never changes: a sign-in makes a new one.
UPDATE sessions
   SET data = :data, ip = :ip, user_agent = :user_agent, seen_at = UTC_TIMESTAMP(6),
       expires_at = LEAST(UTC_TIMESTAMP(6) + INTERVAL :idle_days DAY, created_at + INTERVAL 90 DAY)
 WHERE token_hash = :token_hash AND user_id <=> :user_id;

-- name: list_newest -> rows
SELECT id
  FROM sessions
 WHERE user_id = :user_id AND expires_at > UTC_TIMESTAMP(6)
 ORDER BY created_at DESC, id DESC
 LIMIT :most;

-- name: delete_others -> count
DELETE FROM sessions WHERE user_id = :user_id AND id NOT IN (:kept);

-- name: delete -> count
DELETE FROM sessions WHERE token_hash = :token_hash;

-- name: delete_of_user -> count
DELETE FROM sessions WHERE user_id = :user_id;

-- name: delete_expired -> count
DELETE FROM sessions WHERE expires_at <= UTC_TIMESTAMP(6) ORDER BY expires_at LIMIT 1000;
