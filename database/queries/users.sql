-- part: columns
u.id, u.username, u.email, u.first_name, u.last_name, u.role, u.status, u.created_at,
       IF(u.blocked_until > UTC_TIMESTAMP(6), u.blocked_until, NULL) AS blocked_until,
       IF(u.blocked_until > UTC_TIMESTAMP(6), u.block_reason, '') AS block_reason,
       EXISTS (SELECT 1 FROM totps t WHERE t.user_id = u.id AND t.confirmed_at IS NOT NULL) AS totp

-- part: wanted
(u.username LIKE :search ESCAPE '!' OR u.email LIKE :search ESCAPE '!')
   AND (:role = '' OR u.role = :role)
   AND (:status = '' OR :status = IF(u.status = 'active' AND u.blocked_until > UTC_TIMESTAMP(6), 'blocked', u.status))

-- name: get -> row
SELECT {columns}, UTC_TIMESTAMP(6) AS now
  FROM users u
 WHERE u.id = :user_id;

-- name: list_all -> rows
SELECT {columns}
  FROM users u
 WHERE {wanted}
   AND (:after_id IS NULL OR u.id < :after_id)
 ORDER BY u.id DESC
 LIMIT :limit;

-- name: count_all -> value
SELECT COUNT(*) FROM users u WHERE {wanted};

-- name: lock_admins -> rows
SELECT id FROM users WHERE role = 'admin' ORDER BY id LIMIT 1000 FOR UPDATE;

-- name: change -> count
-- Zero rows: it would leave no admin who can act. Another one can, or this account stays one who can, or it was none.
UPDATE users u
  JOIN (SELECT COUNT(*) AS others
          FROM users
         WHERE role = 'admin' AND status = 'active' AND (blocked_until IS NULL OR blocked_until <= UTC_TIMESTAMP(6)) AND id <> :user_id) a
    ON a.others > 0 OR u.role <> 'admin' OR (:role = 'admin' AND :status = 'active' AND :blocked_until IS NULL)
   SET u.role = :role, u.status = :status, u.blocked_until = :blocked_until, u.block_reason = :block_reason, u.updated_at = UTC_TIMESTAMP(6)
 WHERE u.id = :user_id;
